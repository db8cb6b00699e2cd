import type { Catalogue } from "../catalogue/catalogue.js";
import { isMarketOpen } from "../catalogue/market-status.js";
import type { Clock } from "../core/time.js";
import type { QuoteBoard } from "./quotes.js";

const checkEveryMs = 1_000;

/**
 * Marks quotes as stale whose symbol has had no message for longer than the staleness limit of their provider. Of a market
 * that is closed nothing is expected. Returns what ends it.
 */
export function watchStaleness(board: QuoteBoard, catalogue: Catalogue, clock: Clock): () => void {
  const timer = setInterval(() => {
    const nowMs = clock.nowMs();
    // Asked once a market: the answer takes a calendar.
    const openMarkets = new Map<number, boolean>();
    const isOpen = (marketId: number): boolean => {
      const known = openMarkets.get(marketId) ?? isMarketOpen(catalogue, marketId, nowMs);
      openMarkets.set(marketId, known);
      return known;
    };
    board.markStale((quote) => {
      const provider = catalogue.findProvider(quote.providerId);
      if (nowMs - quote.receivedAtMs <= (provider?.staleAfterMs ?? 0)) return false;
      return provider === undefined || isOpen(provider.marketId);
    });
  }, checkEveryMs);
  return () => clearInterval(timer);
}
