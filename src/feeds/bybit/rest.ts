import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
import type { Logger } from "../../core/logger.js";
import type { FeedEndpoint } from "../feed.js";
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
  unavailable,
  usable,
} from "../rest.js";
import type { InstrumentEntry, InstrumentsPage } from "./wire.js";

export type BybitCategory = "spot" | "linear";

/** More than the exchange will ever list; ends a cursor that goes round in circles. */
const maxPages = 50;

/** All spot instruments. @throws {DomainError} PROVIDER_UNAVAILABLE */
export const fetchSpotInstruments = (endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> =>
  fetchInstruments(endpoint, "spot", log);

/** All linear perpetuals. @throws {DomainError} PROVIDER_UNAVAILABLE */
export const fetchFuturesInstruments = (endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> =>
  fetchInstruments(endpoint, "linear", log);

async function fetchInstruments(endpoint: FeedEndpoint, category: BybitCategory, log: Logger): Promise<InstrumentList> {
  const entries: unknown[] = [];
  let cursor = "";
  for (let page = 0; page < maxPages; page++) {
    const path = `/v5/market/instruments-info?category=${category}&limit=1000&cursor=${encodeURIComponent(cursor)}`;
    const { list, next } = readPage(await download(endpoint, path));
    entries.push(...list);
    if (next === "") return usable(readInstruments(entries, category), endpoint, log);
    cursor = next;
  }
  // Half a list would read as "the other half is delisted".
  throw unavailable(`the instrument list has more than ${maxPages} pages`);
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when it is no page of the list */
export function readPage(text: string): { list: unknown[]; next: string } {
  const page = parseList(text);
  const { retCode, retMsg, result } = (isObject(page) ? page : {}) as Untrusted<InstrumentsPage>;
  if (retCode !== 0)
    throw unavailable(`the exchange refused the instrument list: ${String(retMsg ?? retCode).slice(0, 200)}`);
  const { list, nextPageCursor } = (isObject(result) ? result : {}) as Untrusted<InstrumentsPage["result"]>;
  if (!Array.isArray(list)) throw unavailable("the response holds no instrument list");
  return { list, next: typeof nextPageCursor === "string" ? nextPageCursor : "" };
}

export const readInstruments = (entries: unknown, category: BybitCategory): ReadInstruments =>
  collectInstruments(entries, "symbol", (entry) =>
    readInstrument((entry ?? {}) as Untrusted<InstrumentEntry>, category),
  );

/** What is being settled or is over will never be traded again. */
const overStates: ReadonlySet<string> = new Set(["Settling", "Delivering", "Closed"]);

function readInstrument(entry: Untrusted<InstrumentEntry>, category: BybitCategory): Instrument | string | null {
  const { symbol, status, baseCoin, quoteCoin, contractType, priceFilter, lotSizeFilter } = entry;
  if (!isTicker(symbol) || !isCurrency(baseCoin) || !isCurrency(quoteCoin) || typeof status !== "string")
    return "names";
  if (category === "linear" && contractType !== "LinearPerpetual")
    return typeof contractType === "string" ? null : "contract-type";
  if (overStates.has(status)) return null;
  if (!isObject(priceFilter) || !isObject(lotSizeFilter)) return "filters";
  const tickSize = size((priceFilter as Untrusted<InstrumentEntry["priceFilter"]>).tickSize);
  if (tickSize === null) return "tick-size";
  const lot = lotSizeFilter as Untrusted<InstrumentEntry["lotSizeFilter"]>;
  const stepSize = size(category === "spot" ? lot.basePrecision : lot.qtyStep);
  const quantities = range(lot.minOrderQty, lot.maxOrderQty);
  if (stepSize === null || quantities === null) return "lot-size";
  const values = category === "spot" ? range(lot.minOrderAmt, lot.maxOrderAmt) : range(lot.minNotionalValue, undefined);
  if (values === null) return "order-value";
  return {
    ticker: symbol,
    baseCurrency: baseCoin,
    quoteCurrency: quoteCoin,
    status: status === "Trading" ? "TRADING" : "HALT",
    tickSize,
    stepSize,
    minQuantity: quantities.min,
    maxQuantity: quantities.max,
    minOrderValue: values.min,
    maxOrderValue: values.max,
  };
}
