import { type DecimalText, fitsNumeric38, isPositive, parseDecimalText } from "../../core/decimal.js";
import type { ArbitrageOpportunity } from "../arbitrage-watch.js";
import type { Candle } from "../candles.js";
import type { BookLevel, OrderBookEvent, TradeEvent } from "../events.js";
import type { OrderFlow } from "../order-flow.js";
import { isInterval } from "./topics.js";

/*
 * What nodes say to each other, as JSON: a book of 50 levels a side is 2.6 kB. Measured on a busy machine it takes some 45 µs
 * to write, 75 µs to parse and 65 µs to check, so ten per second of a watched symbol are 0.2 % of a core on either side: no
 * reason for an encoding that people cannot read.
 *
 * The bus is internal, yet a message may come from another version of this program or from somebody's mistake. So each is
 * checked when it is read: its shape, and that every number is a decimal that the rest of the program takes.
 */

/** API nodes say here what they want to be told. */
export const asksSubject = "asks";
/** Feed nodes say here that they are alive, once per second while somebody wants something, and when they end. */
export const feedNodesSubject = "feed-nodes";
/** Who leads the feeds says here under which term, twice per second. */
export const leaderSubject = "feeds-leader";

/** A run of a feed node. A successor has another id, so it may number anew. */
export interface Source {
  readonly source: string;
  readonly startedAtMs: number;
}

/** What a feed node says on a topic. */
export interface Told extends Source {
  /** Grows with every change that this source tells; the same state told again has the same number. */
  readonly number: number;
  readonly value: unknown;
}

export interface SourceState extends Source {
  readonly hasEnded: boolean;
}

/** Up to which trade a node has heard. */
export interface TradePlace {
  readonly stream: number;
  readonly next: number;
}

export interface Ask {
  readonly subject: string;
  /** Asks for the present state at once, and of trades for all from this place on, if they are still kept. */
  readonly tell: boolean;
  readonly from: TradePlace | null;
}

/** Trades in order. They are numbered from the moment that somebody wanted them, so that a gap is noticed. */
export interface ToldTrades {
  /** Another stream is another numbering, of which nothing follows what came before. */
  readonly stream: number;
  /** Number of the first one here, or of the next one if there is none here. */
  readonly first: number;
  /** Number of the oldest one that can be told again. */
  readonly kept: number;
  readonly trades: readonly TradeEvent[];
}

export interface ToldOpportunities {
  /** Whether these are all that are open; otherwise they are those that changed. */
  readonly isWhole: boolean;
  readonly opportunities: readonly ArbitrageOpportunity[];
}

const maxLevels = 50;

/** What JSON gave, or undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

type Fields<T> = { readonly [K in keyof T]?: unknown };
const fieldsOf = <T>(value: unknown): Fields<T> | null =>
  typeof value === "object" && value !== null ? (value as Fields<T>) : null;

const isDecimal = (value: unknown): value is DecimalText => {
  const text = parseDecimalText(value);
  return text !== null && text === value && fitsNumeric38(text);
};
export const isDecimalOrNull = (value: unknown): boolean => value === null || isDecimal(value);
const isAmount = (value: unknown): boolean => isDecimal(value) && !value.startsWith("-");
export const isPrice = (value: unknown): boolean => isDecimal(value) && isPositive(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
export const isTime = (value: unknown): boolean => typeof value === "number" && value >= 0;

function isSource(value: unknown): value is Source {
  const fields = fieldsOf<Source>(value);
  return typeof fields?.source === "string" && fields.source !== "" && isTime(fields.startedAtMs);
}

export function isSourceState(value: unknown): value is SourceState {
  return isSource(value) && typeof (value as Fields<SourceState>).hasEnded === "boolean";
}

export function isTold(value: unknown): value is Told {
  return isSource(value) && isCount((value as Fields<Told>).number) && "value" in value;
}

export function isAsk(value: unknown): value is Ask {
  const fields = fieldsOf<Ask>(value);
  if (typeof fields?.subject !== "string" || typeof fields.tell !== "boolean") return false;
  const place = fieldsOf<TradePlace>(fields.from);
  return fields.from === null || (isCount(place?.stream) && isCount(place.next));
}

export function isBook(value: unknown): value is OrderBookEvent {
  const fields = fieldsOf<OrderBookEvent>(value);
  return (
    fields?.kind === "orderBook" &&
    isCount(fields.symbolId) &&
    isSide(fields.bids) &&
    isSide(fields.asks) &&
    typeof fields.exchangeSequence === "number" &&
    (fields.exchangeTimeMs === null || isTime(fields.exchangeTimeMs)) &&
    isTime(fields.receivedAtMs)
  );
}

const isSide = (side: unknown): side is readonly BookLevel[] =>
  Array.isArray(side) &&
  side.length <= maxLevels &&
  side.every((level) => Array.isArray(level) && level.length === 2 && isPrice(level[0]) && isPrice(level[1]));

export function isTrades(value: unknown): value is ToldTrades {
  const fields = fieldsOf<ToldTrades>(value);
  return (
    isCount(fields?.stream) &&
    isCount(fields.first) &&
    isCount(fields.kept) &&
    Array.isArray(fields.trades) &&
    fields.trades.every(isTrade)
  );
}

function isTrade(value: unknown): value is TradeEvent {
  const fields = fieldsOf<TradeEvent>(value);
  return (
    fields?.kind === "trade" &&
    isCount(fields.symbolId) &&
    isPrice(fields.price) &&
    isPrice(fields.quantity) &&
    (fields.side === "BUY" || fields.side === "SELL") &&
    typeof fields.tradeId === "string" &&
    isCount(fields.tradeCount) &&
    typeof fields.exchangeSequence === "number" &&
    isTime(fields.exchangeTimeMs) &&
    isTime(fields.receivedAtMs)
  );
}

export function isCandle(value: unknown): value is Candle {
  const fields = fieldsOf<Candle>(value);
  return (
    isCount(fields?.symbolId) &&
    isInterval(fields.interval) &&
    isTime(fields.openTimeMs) &&
    [fields.open, fields.high, fields.low, fields.close].every(isPrice) &&
    [fields.volume, fields.quoteVolume, fields.takerBuyVolume, fields.takerBuyQuoteVolume].every(isAmount) &&
    isCount(fields.tradeCount)
  );
}

export function isFlow(value: unknown): value is OrderFlow {
  const fields = fieldsOf<OrderFlow>(value);
  return (
    isCount(fields?.symbolId) &&
    isCount(fields.windowMs) &&
    isDecimal(fields.ofi) &&
    isPrice(fields.microprice) &&
    isDecimal(fields.volumeImbalance) &&
    isTime(fields.atMs)
  );
}

export function isOpportunities(value: unknown): value is ToldOpportunities {
  const fields = fieldsOf<ToldOpportunities>(value);
  return (
    typeof fields?.isWhole === "boolean" &&
    Array.isArray(fields.opportunities) &&
    fields.opportunities.every(isOpportunity)
  );
}

function isOpportunity(value: unknown): value is ArbitrageOpportunity {
  const fields = fieldsOf<ArbitrageOpportunity>(value);
  return (
    typeof fields?.id === "string" &&
    isTime(fields.detectedAtMs) &&
    (fields.closedAtMs === null || isTime(fields.closedAtMs)) &&
    isCount(fields.buySymbolId) &&
    isCount(fields.sellSymbolId) &&
    [fields.buyPrice, fields.sellPrice, fields.maxQuantity].every(isPrice) &&
    [fields.spreadBps, fields.netSpreadBps].every(isDecimal)
  );
}
