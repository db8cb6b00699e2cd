import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
import { Decimal, type DecimalText } from "../../core/decimal.js";
import type { Logger } from "../../core/logger.js";
import type { ExchangeMinute, FeedEndpoint, MinuteRequest, MinuteSource } from "../feed.js";
import type { BookSnapshot } from "../order-books/sync.js";
import { amount, isNegative, isObject, positiveAmount, type Untrusted } from "../reading.js";
import {
  collectInstruments,
  download,
  isCurrency,
  isTicker,
  parseList,
  type ReadInstruments,
  range,
  unavailable,
  usable,
} from "../rest.js";
import { levelInList, requestedSnapshot } from "../stream/books.js";
import type { DepthSnapshot, Pair } from "./wire.js";

/** All spot pairs. @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  return usable(readPairs(await download(endpoint, "/api/v3/exchangeInfo")), endpoint, log);
}

export function readPairs(text: string): ReadInstruments {
  const info = parseList(text) as { symbols?: unknown } | null;
  return collectInstruments(info?.symbols, "symbol", readPair);
}

function readPair(raw: unknown): Instrument | string {
  const pair = (raw ?? {}) as Untrusted<Pair>;
  const { symbol, baseAsset, quoteAsset, status } = pair;
  if (!isTicker(symbol) || !isCurrency(baseAsset) || !isCurrency(quoteAsset) || typeof status !== "string") {
    return "names";
  }
  const tickSize = unitOf(pair.quotePrecision);
  if (tickSize === null) return "tick-size";
  const stepSize = unitOf(pair.baseAssetPrecision);
  const quantities = range(pair.baseSizePrecision, undefined);
  if (stepSize === null || quantities === null) return "lot-size";
  const values = range(pair.quoteAmountPrecision, pair.maxQuoteAmount);
  if (values === null) return "order-value";
  // Of pairs that can only be bought or only be sold, too, we say that they cannot be traded now.
  const isTwoSided = [undefined, 1, "1"].includes(pair.tradeSideType as string | number | undefined);
  return {
    ticker: symbol,
    baseCurrency: baseAsset,
    quoteCurrency: quoteAsset,
    status: (status === "1" || status === "ENABLED") && isTwoSided ? "TRADING" : "HALT",
    tickSize,
    stepSize,
    minQuantity: quantities.min,
    maxQuantity: null,
    minOrderValue: values.min,
    maxOrderValue: values.max,
  };
}

/** Levels a side that we ask for. */
const depthLimit = 1_000;

/** @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchDepth(endpoint: FeedEndpoint, ticker: string, signal: AbortSignal): Promise<BookSnapshot> {
  const query = `symbol=${encodeURIComponent(ticker)}&limit=${depthLimit}`;
  return readDepth(await download(endpoint, `/api/v3/depth?${query}`, signal));
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when it is no such response */
export function readDepth(text: string): BookSnapshot {
  const response = parseList(text);
  const { lastUpdateId, bids, asks } = (isObject(response) ? response : {}) as Untrusted<DepthSnapshot>;
  return requestedSnapshot({ bids, asks, readLevel: levelInList, sequence: lastUpdateId, depthLimit }, null);
}

/** The smallest number with so many digits after the point. */
function unitOf(digits: unknown): DecimalText | null {
  if (!Number.isInteger(digits) || (digits as number) < 0 || (digits as number) > 18) return null;
  return (digits === 0 ? "1" : `0.${"1".padStart(digits as number, "0")}`) as DecimalText;
}

const minuteMs = 60_000;
/** The documentation has said 1000 and 500. */
const maxMinutes = 500;

/** Klines, each as `[openTime, open, high, low, close, volume, closeTime, quoteVolume]`; weight 1 of 500 in ten seconds. */
export const minutes: MinuteSource = {
  maxPerRequest: maxMinutes,
  requestGapMs: 50,
  async fetch(endpoint: FeedEndpoint, log: Logger, request: MinuteRequest): Promise<ExchangeMinute[]> {
    const { symbol, fromMs, toMs, signal } = request;
    if ((toMs - fromMs) / minuteMs > maxMinutes) throw new RangeError(`more than ${maxMinutes} minutes`);
    // The exchange's range is closed.
    const query = `symbol=${encodeURIComponent(symbol.ticker)}&interval=1m&startTime=${fromMs}&endTime=${toMs - 1}&limit=${maxMinutes}`;
    const { read, broken } = readMinutes(await download(endpoint, `/api/v3/klines?${query}`, signal), fromMs, toMs);
    if (broken > 0) log.warn({ provider: endpoint.code, ticker: symbol.ticker, broken }, "minutes.left-out");
    return read;
  },
};

/** Oldest first, each open time once; and how many entries were broken. */
export function readMinutes(text: string, fromMs: number, toMs: number): { read: ExchangeMinute[]; broken: number } {
  const entries = parseList(text);
  if (!Array.isArray(entries)) throw unavailable("the response holds no list of klines");
  const byTime = new Map<number, ExchangeMinute>();
  let broken = 0;
  for (const entry of entries as unknown[]) {
    const minute = readMinute(entry);
    if (minute === null) broken++;
    else if (minute.openTimeMs >= fromMs && minute.openTimeMs < toMs) byTime.set(minute.openTimeMs, minute);
  }
  return { read: [...byTime.values()].sort((a, b) => a.openTimeMs - b.openTimeMs), broken };
}

function readMinute(raw: unknown): ExchangeMinute | null {
  if (!Array.isArray(raw)) return null;
  const [openTimeMs, rawOpen, rawHigh, rawLow, rawClose, rawVolume, , rawQuoteVolume] = raw as unknown[];
  if (!Number.isSafeInteger(openTimeMs) || (openTimeMs as number) % minuteMs !== 0) return null;
  const open = positiveAmount(rawOpen);
  const high = positiveAmount(rawHigh);
  const low = positiveAmount(rawLow);
  const close = positiveAmount(rawClose);
  if (open === null || high === null || low === null || close === null) return null;
  if (Decimal.min(open, close).lt(low) || Decimal.max(open, close).gt(high)) return null;
  const volume = amount(rawVolume);
  const quoteVolume = amount(rawQuoteVolume);
  if (volume === null || quoteVolume === null || isNegative(volume) || isNegative(quoteVolume)) return null;
  return {
    openTimeMs: openTimeMs as number,
    open,
    high,
    low,
    close,
    volume,
    quoteVolume,
    tradeCount: null,
    takerBuyVolume: null,
    takerBuyQuoteVolume: null,
  };
}
