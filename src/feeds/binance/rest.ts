import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
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
  size,
  usable,
} from "../rest.js";
import { levelInList, requestedSnapshot } from "../stream/books.js";
import type { DepthSnapshot, ExchangeInfoSymbol, SymbolFilter } from "./wire.js";

/**
 * All instruments of the market. How many entries are broken, and why, is logged.
 * @throws {DomainError} PROVIDER_UNAVAILABLE; `retryAfterSeconds` in its details when the exchange limits or bans us.
 */
export async function fetchInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  return usable(readInstruments(await download(endpoint, "/api/v3/exchangeInfo")), endpoint, log);
}

/** Levels a side that we ask for. */
const depthLimit = 1_000;

/** @param path spot's or the futures' @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchDepth(
  path: "/api/v3/depth" | "/fapi/v1/depth",
  endpoint: FeedEndpoint,
  ticker: string,
  signal: AbortSignal,
): Promise<BookSnapshot> {
  return readDepth(
    await download(endpoint, `${path}?symbol=${encodeURIComponent(ticker)}&limit=${depthLimit}`, signal),
  );
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when it is no such response */
function readDepth(text: string): BookSnapshot {
  const response = parseList(text);
  const { lastUpdateId, bids, asks } = (isObject(response) ? response : {}) as Untrusted<DepthSnapshot>;
  return requestedSnapshot({ bids, asks, readLevel: levelInList, sequence: lastUpdateId, depthLimit }, null);
}

/**
 * The instruments in the text of an exchangeInfo response.
 * @throws {DomainError} PROVIDER_UNAVAILABLE when it is no such response.
 */
export const readInstruments = (text: string): ReadInstruments =>
  collectInstruments(symbolsIn(text), "symbol", readInstrument);

export function symbolsIn(text: string): unknown {
  const info = parseList(text);
  return typeof info === "object" && info !== null && "symbols" in info ? info.symbols : undefined;
}

type Broken = "names" | "filters" | "price-filter" | "lot-size" | "notional";

export function readInstrument(symbol: unknown): Instrument | Broken {
  const { symbol: ticker, status, baseAsset, quoteAsset, filters } = (symbol ?? {}) as Untrusted<ExchangeInfoSymbol>;
  if (!isTicker(ticker) || !isCurrency(baseAsset) || !isCurrency(quoteAsset) || typeof status !== "string")
    return "names";
  if (!Array.isArray(filters)) return "filters";
  const byType = new Map<unknown, Untrusted<SymbolFilter>>();
  for (const filter of filters as unknown[]) {
    if (typeof filter !== "object" || filter === null) return "filters";
    byType.set((filter as Untrusted<SymbolFilter>).filterType, filter);
  }

  const tickSize = size(byType.get("PRICE_FILTER")?.tickSize);
  if (tickSize === null) return "price-filter";
  const lot = byType.get("LOT_SIZE");
  const stepSize = size(lot?.stepSize);
  const quantities = range(lot?.minQty, lot?.maxQty);
  if (stepSize === null || quantities === null) return "lot-size";
  const notional = byType.get("NOTIONAL") ?? byType.get("MIN_NOTIONAL");
  // Futures call it `notional`.
  const minNotional = notional?.minNotional === undefined ? notional?.notional : notional.minNotional;
  const values = range(minNotional, notional?.maxNotional);
  if (values === null) return "notional";
  return {
    ticker,
    baseCurrency: baseAsset,
    quoteCurrency: quoteAsset,
    // Everything but TRADING (BREAK, HALT, PRE_TRADING, END_OF_DAY, …) means that nothing can be traded now. The exchange
    // has no word for delisted: such symbols disappear from the list.
    status: status === "TRADING" ? "TRADING" : "HALT",
    tickSize,
    stepSize,
    minQuantity: quantities.min,
    maxQuantity: quantities.max,
    minOrderValue: values.min,
    maxOrderValue: values.max,
  };
}
