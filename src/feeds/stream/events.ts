import { Decimal, type DecimalText, isPositive } from "../../core/decimal.js";
import { type FixedPoint, fromFixedPoint, multiplyFixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import {
  amount,
  type Change,
  isNegative,
  isPlausibleFutureTime,
  isPlausibleTime,
  isSequence,
  isTradeCount,
  positiveAmount,
} from "../reading.js";
import { toBaseQuantity } from "./contract-sizes.js";
import { type DecodeContext, type Decoded, type Rejected, rejected, type Skipped, skipped } from "./protocol.js";

/*
 * Market events from what an exchange's mapping has picked out of a payload: everything that is unknown here is checked
 * here, the same way for every exchange, and named by the channel it came from.
 */

/** A symbol that is wanted. */
export interface Known {
  readonly symbolId: number;
  /** Null where the exchange counts in the base currency. */
  readonly contractSize: FixedPoint | null;
}

const unknownSymbol = rejected("unknown-symbol");
const unknownContractSize = rejected("unknown-contract-size");
const unsubscribedSymbol = skipped("unsubscribed-symbol");

/** @param inContracts whether the exchange counts this market's quantities in contracts */
export function findSymbol(ticker: unknown, context: DecodeContext, inContracts: boolean): Known | Skipped | Rejected {
  const symbol = typeof ticker === "string" ? context.symbols.get(ticker) : undefined;
  if (symbol === undefined) return unknownSymbol;
  if (symbol.id === null) return unsubscribedSymbol;
  if (!inContracts) return { symbolId: symbol.id, contractSize: null };
  const contractSize = context.contractSizes.get(ticker as string);
  return contractSize === undefined ? unknownContractSize : { symbolId: symbol.id, contractSize };
}

/** Why a channel's payloads are rejected or skipped. */
export interface Reasons {
  readonly sequence: Rejected;
  readonly price: Rejected;
  readonly quantity: Rejected;
  readonly time: Rejected;
  readonly side: Rejected;
  readonly count: Rejected;
  readonly change: Rejected;
  readonly volume: Rejected;
  readonly rate: Rejected;
  readonly checksum: Rejected;
  readonly shape: Rejected;
  readonly untraded: Skipped;
}

export const reasonsOf = (channel: string): Reasons => ({
  sequence: rejected(`${channel}-sequence`),
  price: rejected(`${channel}-price`),
  quantity: rejected(`${channel}-quantity`),
  time: rejected(`${channel}-time`),
  side: rejected(`${channel}-side`),
  count: rejected(`${channel}-count`),
  change: rejected(`${channel}-change`),
  volume: rejected(`${channel}-volume`),
  rate: rejected(`${channel}-rate`),
  checksum: rejected(`${channel}-checksum`),
  shape: rejected(`${channel}-shape`),
  untraded: skipped(`${channel}-untraded`),
});

/** One side of the best bid and offer; null when the exchange says that it is empty. */
export type RawSide = { readonly price: unknown; readonly quantity: unknown } | null;

export interface RawBookTicker {
  readonly bid: RawSide;
  readonly ask: RawSide;
  readonly sequence: unknown;
  readonly exchangeTimeMs: unknown;
}

export function bookTickerOf(known: Known, raw: RawBookTicker, receivedAtMs: number, reasons: Reasons): Decoded {
  const { sequence, exchangeTimeMs } = raw;
  if (!isSequence(sequence)) return reasons.sequence;
  if (!isPlausibleTime(exchangeTimeMs, receivedAtMs)) return reasons.time;
  const bid = raw.bid === null ? null : positiveAmount(raw.bid.price);
  const ask = raw.ask === null ? null : positiveAmount(raw.ask.price);
  if ((raw.bid !== null && bid === null) || (raw.ask !== null && ask === null)) return reasons.price;
  const bidQuantity = raw.bid === null ? null : quantityOf(raw.bid.quantity, known);
  const askQuantity = raw.ask === null ? null : quantityOf(raw.ask.quantity, known);
  if ((raw.bid !== null && bidQuantity === null) || (raw.ask !== null && askQuantity === null)) return reasons.quantity;
  return {
    kind: "bookTicker",
    symbolId: known.symbolId,
    bid,
    bidQuantity,
    ask,
    askQuantity,
    exchangeSequence: sequence,
    exchangeTimeMs,
    receivedAtMs,
  };
}

export interface RawTrade {
  readonly price: unknown;
  readonly quantity: unknown;
  /** The taker's; null when it is none of the exchange's words. */
  readonly side: "BUY" | "SELL" | null;
  readonly id: unknown;
  readonly count: unknown;
  readonly sequence: unknown;
  readonly exchangeTimeMs: unknown;
}

export function tradeOf(known: Known, raw: RawTrade, receivedAtMs: number, reasons: Reasons): Decoded {
  const { side, id, count, sequence, exchangeTimeMs } = raw;
  if (!isSequence(sequence) || typeof id !== "string" || id === "" || id.length > 64) return reasons.sequence;
  const price = positiveAmount(raw.price);
  if (price === null) return reasons.price;
  const quantity = quantityOf(raw.quantity, known);
  if (quantity === null) return reasons.quantity;
  if (!isPlausibleTime(exchangeTimeMs, receivedAtMs)) return reasons.time;
  if (side === null) return reasons.side;
  if (typeof count !== "number" || !isTradeCount(count)) return reasons.count;
  return {
    kind: "trade",
    symbolId: known.symbolId,
    price,
    quantity,
    side,
    tradeId: id,
    tradeCount: count,
    exchangeSequence: sequence,
    exchangeTimeMs,
    receivedAtMs,
  };
}

export interface RawTicker24h {
  readonly last: unknown;
  readonly high: unknown;
  readonly low: unknown;
  /** In the base currency. */
  readonly volume: unknown;
  readonly quoteVolume: unknown;
  /** What the exchange sends to tell the change of the day. */
  readonly change: unknown;
  /** Null when that is no sound number. */
  readonly changeOf: (last: DecimalText, change: unknown) => Change | null;
  readonly exchangeTimeMs: unknown;
}

/** For sources that give no turnover: the volume at one price stands for it. Null when either is no sound number. */
export function turnoverAt(rawPrice: unknown, rawVolume: unknown): DecimalText | null {
  const price = positiveAmount(rawPrice);
  const volume = amount(rawVolume);
  if (price === null || volume === null || isNegative(volume)) return null;
  return fromFixedPoint(multiplyFixedPoint(toFixedPoint(price), toFixedPoint(volume)));
}

const isNothing = (raw: unknown): boolean => raw === "" || amount(raw) === "0";

export function ticker24hOf(known: Known, raw: RawTicker24h, receivedAtMs: number, reasons: Reasons): Decoded {
  const { exchangeTimeMs } = raw;
  if (!isPlausibleTime(exchangeTimeMs, receivedAtMs)) return reasons.time;
  // What nobody traded for 24 hours has zeros or nothing where its prices would be.
  if (isNothing(raw.volume) && isNothing(raw.high) && isNothing(raw.low)) return reasons.untraded;
  const last = positiveAmount(raw.last);
  const high = positiveAmount(raw.high);
  const low = positiveAmount(raw.low);
  if (last === null || high === null || low === null || new Decimal(low).gt(high)) return reasons.price;
  const change = raw.changeOf(last, raw.change);
  if (change === null) return reasons.change;
  const volume = amount(raw.volume);
  const quoteVolume = amount(raw.quoteVolume);
  if (volume === null || quoteVolume === null || isNegative(volume) || isNegative(quoteVolume)) return reasons.volume;
  return {
    kind: "ticker24h",
    symbolId: known.symbolId,
    last,
    open: change.open,
    high,
    low,
    change: change.change,
    changePercent: change.changePercent,
    volume,
    quoteVolume,
    exchangeTimeMs,
    receivedAtMs,
  };
}

export interface RawFundingRate {
  readonly rate: unknown;
  readonly fundingTimeMs: unknown;
  /** Null when the exchange does not say. */
  readonly nextFundingTimeMs: unknown;
  readonly markPrice: unknown;
  readonly indexPrice: unknown;
  readonly exchangeTimeMs: unknown;
}

export function fundingRateOf(known: Known, raw: RawFundingRate, receivedAtMs: number, reasons: Reasons): Decoded {
  const { fundingTimeMs, nextFundingTimeMs, exchangeTimeMs } = raw;
  if (!isPlausibleTime(exchangeTimeMs, receivedAtMs)) return reasons.time;
  if (!isPlausibleFutureTime(fundingTimeMs, receivedAtMs)) return reasons.time;
  if (nextFundingTimeMs !== null && !isPlausibleFutureTime(nextFundingTimeMs, receivedAtMs)) return reasons.time;
  const rate = amount(raw.rate);
  if (rate === null) return reasons.rate;
  const markPrice = raw.markPrice === null ? null : positiveAmount(raw.markPrice);
  const indexPrice = raw.indexPrice === null ? null : positiveAmount(raw.indexPrice);
  if (markPrice === null && raw.markPrice !== null) return reasons.price;
  if (indexPrice === null && raw.indexPrice !== null) return reasons.price;
  return {
    kind: "fundingRate",
    symbolId: known.symbolId,
    rate,
    fundingTimeMs,
    nextFundingTimeMs,
    markPrice,
    indexPrice,
    exchangeTimeMs,
    receivedAtMs,
  };
}

function quantityOf(raw: unknown, { contractSize }: Known): DecimalText | null {
  const text = positiveAmount(raw);
  if (text === null || contractSize === null) return text;
  const quantity = toBaseQuantity(text, contractSize);
  return quantity !== null && isPositive(quantity) ? quantity : null;
}
