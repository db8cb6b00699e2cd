import type { Catalogue } from "../catalogue/catalogue.js";
import type { Clock } from "../core/time.js";
import type { QuoteBoard } from "./quotes.js";

const checkEveryMs = 1_000;

/** Marks quotes as stale whose symbol has had no message for longer than the staleness limit of their provider. Returns what ends it. */
export function watchStaleness(board: QuoteBoard, catalogue: Catalogue, clock: Clock): () => void {
  const timer = setInterval(() => {
    const nowMs = clock.nowMs();
    board.markStale((quote) => {
      const limitMs = catalogue.findProvider(quote.providerId)?.staleAfterMs ?? 0;
      return nowMs - quote.receivedAtMs > limitMs;
    });
  }, checkEveryMs);
  return () => clearInterval(timer);
}
