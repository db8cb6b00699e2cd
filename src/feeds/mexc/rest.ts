import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
import type { DecimalText } from "../../core/decimal.js";
import type { Logger } from "../../core/logger.js";
import type { FeedEndpoint } from "../feed.js";
import type { BookSnapshot } from "../order-books/sync.js";
import { isObject, type Untrusted } from "../reading.js";
import {
  collectInstruments,
  download,
  isCurrency,
  isTicker,
  parseList,
  type ReadInstruments,
  range,
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
