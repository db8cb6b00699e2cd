import type { Catalogue } from "../../catalogue/catalogue.js";
import { type CandleInterval, candleIntervals } from "../candle-intervals.js";

/** What one node can tell another about the markets now. */
export type Topic =
  | { readonly kind: "books" | "trades" | "flows"; readonly symbolId: number }
  | { readonly kind: "candles"; readonly symbolId: number; readonly interval: CandleInterval }
  | { readonly kind: "arbitrage" };

/** The subject that a topic has on the bus, e.g. `books.BINANCE_SPOT.17`; null for a symbol that is not in the catalogue. */
export function subjectOf(catalogue: Catalogue, topic: Topic): string | null {
  if (topic.kind === "arbitrage") return "arbitrage";
  const symbol = catalogue.findSymbol(topic.symbolId);
  if (symbol === undefined) return null;
  const subject = `${topic.kind}.${catalogue.market(symbol.marketId).code}.${symbol.id}`;
  return topic.kind === "candles" ? `${subject}.${topic.interval}` : subject;
}

/** The topic of a subject that {@link subjectOf} gave, here or on another node; null for any other text. */
export function topicOf(catalogue: Catalogue, subject: string): Topic | null {
  const [kind, , id, interval] = subject.split(".");
  const symbolId = Number(id);
  let topic: Topic;
  if (kind === "arbitrage") topic = { kind };
  else if (kind === "books" || kind === "trades" || kind === "flows") topic = { kind, symbolId };
  else if (kind === "candles" && isInterval(interval)) topic = { kind, symbolId, interval };
  else return null;
  return subjectOf(catalogue, topic) === subject ? topic : null;
}

export const isInterval = (text: unknown): text is CandleInterval =>
  (candleIntervals as readonly unknown[]).includes(text);
