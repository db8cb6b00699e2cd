import type { Bus } from "../bus/bus.js";
import type { Catalogue } from "../catalogue/catalogue.js";
import { groupBy } from "../core/group-by.js";
import type { Clock } from "../core/time.js";
import type { Quote, QuoteBoard } from "./quotes.js";
import { isDecimalOrNull, isPrice, isTime, parseJson } from "./sharing/messages.js";
import type { RejectedMessages } from "./sharing/rejected-messages.js";

/**
 * Quotes travel twice between nodes. `quotes.<market>.<symbol id>` carries each change within {@link flushMs}; a node hears
 * it for the symbols that its clients watch. `latest.<market>` carries once per second what was received or changed since; every node
 * hears it, so that queries are answered from memory, values that did not change count as fresh, and a node that joins
 * late catches up.
 */
const liveSubject = (market: string, symbolId: number): string => `quotes.${market}.${symbolId}`;
const latestSubject = (market: string): string => `latest.${market}`;

const flushMs = 20;
const latestEveryMs = 1_000;
/** About 0.5 kB each; the broker refuses messages of more than 1 MB. */
const maxQuotesPerMessage = 500;

interface Sharing {
  readonly board: QuoteBoard;
  readonly catalogue: Catalogue;
  readonly bus: Bus;
}

/** On the node that has the feed: tells the other nodes. Only the newest value of a symbol waits. Returns what ends it. */
export function publishQuotes({ board, catalogue, bus }: Sharing, clock: Clock): () => void {
  const changed = new Set<Quote>();
  const changedSinceLatest = new Set<Quote>();
  let latestAtMs = clock.nowMs();
  let timer: NodeJS.Timeout | undefined;

  const publishChanged = (): void => {
    timer = undefined;
    const nowMs = clock.nowMs();
    for (const quote of changed) {
      const market = marketOf(catalogue, quote.symbolId);
      if (market === null || !bus.isConnected) continue;
      quote.lastBroadcastAtMs = nowMs;
      bus.publish(liveSubject(market, quote.symbolId), JSON.stringify(quote));
    }
    changed.clear();
  };
  const publishLatest = (): void => {
    const sinceMs = latestAtMs;
    latestAtMs = clock.nowMs();
    const told = [...board.all()].filter((quote) => quote.receivedAtMs >= sinceMs || changedSinceLatest.has(quote));
    changedSinceLatest.clear();
    for (const [market, quotes] of groupBy(told, (quote) => marketOf(catalogue, quote.symbolId))) {
      if (market === null) continue;
      for (let start = 0; start < quotes.length; start += maxQuotesPerMessage) {
        bus.publish(latestSubject(market), JSON.stringify(quotes.slice(start, start + maxQuotesPerMessage)));
      }
    }
  };

  const stopListening = board.onChange((quote) => {
    changed.add(quote);
    changedSinceLatest.add(quote);
    timer ??= setTimeout(publishChanged, flushMs);
  });
  const latest = setInterval(publishLatest, latestEveryMs);
  return () => {
    stopListening();
    clearTimeout(timer);
    clearInterval(latest);
    publishChanged();
    publishLatest();
  };
}

/** On a node without a feed: takes over what the feed's node tells. Without the broker, all values count as stale. Returns what ends it. */
export function receiveQuotes({ board, catalogue, bus }: Sharing, rejected: RejectedMessages): () => void {
  const onText = (text: string): void => {
    for (const quote of parseQuotes(text, rejected)) {
      if (catalogue.findSymbol(quote.symbolId) !== undefined) board.replace(quote);
    }
  };
  const live = new Map<number, () => void>();
  const stops = [
    bus.subscribe(latestSubject("*"), onText),
    board.onWatch((symbolId, isWatched) => {
      live.get(symbolId)?.();
      live.delete(symbolId);
      const market = marketOf(catalogue, symbolId);
      if (isWatched && market !== null) live.set(symbolId, bus.subscribe(liveSubject(market, symbolId), onText));
    }),
    bus.onConnection((isConnected) => {
      if (!isConnected) board.markStale(() => true);
    }),
  ];
  return () => {
    for (const stop of [...stops, ...live.values()]) stop();
  };
}

function marketOf(catalogue: Catalogue, symbolId: number): string | null {
  const symbol = catalogue.findSymbol(symbolId);
  return symbol === undefined ? null : catalogue.market(symbol.marketId).code;
}

/** One quote or a list of them. A message of another version, or of a stranger, is counted and passed over. */
function parseQuotes(text: string, rejected: RejectedMessages): Quote[] {
  const quotes = [parseJson(text)].flat();
  if (quotes.every(isQuote)) return quotes;
  rejected.add("quotes", text);
  return [];
}

const isQuote = (value: unknown): value is Quote => {
  const quote = value as Partial<Record<keyof Quote, unknown>> | null | undefined;
  return (
    typeof quote?.symbolId === "number" &&
    typeof quote.providerId === "number" &&
    isPrice(quote.price) &&
    [quote.bid, quote.bidQuantity, quote.ask, quote.askQuantity].every(isDecimalOrNull) &&
    [quote.open24h, quote.high24h, quote.low24h, quote.change24h, quote.changePercent24h].every(isDecimalOrNull) &&
    [quote.volume24h, quote.quoteVolume24h, quote.marketCap].every(isDecimalOrNull) &&
    Number.isSafeInteger(quote.sequence) &&
    isTime(quote.receivedAtMs) &&
    isTime(quote.exchangeTimeMs) &&
    isTime(quote.priceTimeMs) &&
    typeof quote.isStale === "boolean"
  );
};
