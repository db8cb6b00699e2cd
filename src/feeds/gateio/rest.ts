import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
import type { DecimalText } from "../../core/decimal.js";
import { type FixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import type { Logger } from "../../core/logger.js";
import type { FeedEndpoint } from "../feed.js";
import type { BookSnapshot } from "../order-books/sync.js";
import { isObject, numberAsText, type Untrusted } from "../reading.js";
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
import { levelInList, requestedSnapshot } from "../stream/books.js";
import { type ContractSizes, toBaseQuantity } from "../stream/contract-sizes.js";
import { bookDepth, futuresLevel } from "./map.js";
import type { BookSnapshotResponse, Contract, CurrencyPair } from "./wire.js";

const contractsPath = "/api/v4/futures/usdt/contracts";

/** All spot pairs. @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchSpotInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  return usable(readPairs(await download(endpoint, "/api/v4/spot/currency_pairs")), endpoint, log);
}

/** All perpetuals settled in USDT. @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchFuturesInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  return usable(readContracts(await download(endpoint, contractsPath)), endpoint, log);
}

export async function fetchContractSizes(
  endpoint: FeedEndpoint,
  _log: Logger,
  signal: AbortSignal,
): Promise<ContractSizes> {
  return readContractSizes(await download(endpoint, contractsPath, signal));
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchOrderBook(
  endpoint: FeedEndpoint,
  ticker: string,
  contractSize: FixedPoint | null,
  signal: AbortSignal,
): Promise<BookSnapshot> {
  const [path, name] =
    contractSize === null
      ? ["/api/v4/spot/order_book", "currency_pair"]
      : ["/api/v4/futures/usdt/order_book", "contract"];
  const query = `${name}=${encodeURIComponent(ticker)}&limit=${bookDepth}&with_id=true`;
  return readOrderBook(await download(endpoint, `${path}?${query}`, signal), contractSize);
}

/** @param contractSize null for spot @throws {DomainError} PROVIDER_UNAVAILABLE when it is no such response */
function readOrderBook(text: string, contractSize: FixedPoint | null): BookSnapshot {
  const response = parseList(text);
  const { id, bids, asks } = (isObject(response) ? response : {}) as Untrusted<BookSnapshotResponse>;
  const readLevel = contractSize === null ? levelInList : futuresLevel;
  return requestedSnapshot({ bids, asks, readLevel, sequence: id, depthLimit: bookDepth }, contractSize);
}

export const readPairs = (text: string): ReadInstruments => collectInstruments(parseList(text), "id", readPair);
export const readContracts = (text: string): ReadInstruments =>
  collectInstruments(parseList(text), "name", readContract);

export function readContractSizes(text: string): ContractSizes {
  const contracts = parseList(text);
  if (!Array.isArray(contracts)) throw unavailable("the response holds no instrument list");
  const sizes = new Map<string, FixedPoint>();
  for (const raw of contracts as unknown[]) {
    const { name, type, quanto_multiplier } = (raw ?? {}) as Untrusted<Contract>;
    const multiplier = size(quanto_multiplier);
    if (isTicker(name) && type === "direct" && multiplier !== null) sizes.set(name, toFixedPoint(multiplier));
  }
  if (sizes.size === 0) throw unavailable("the instrument list holds no contract size");
  return sizes;
}

function readPair(raw: unknown): Instrument | string {
  const pair = (raw ?? {}) as Untrusted<CurrencyPair>;
  const { id, base, quote, trade_status } = pair;
  if (!isTicker(id) || !isCurrency(base) || !isCurrency(quote) || typeof trade_status !== "string") return "names";
  const tickSize = unitOf(pair.precision);
  if (tickSize === null) return "tick-size";
  const stepSize = unitOf(pair.amount_precision);
  const quantities = range(pair.min_base_amount ?? undefined, pair.max_base_amount ?? undefined);
  if (stepSize === null || quantities === null) return "lot-size";
  const values = range(pair.min_quote_amount ?? undefined, pair.max_quote_amount ?? undefined);
  if (values === null) return "order-value";
  return {
    ticker: id,
    baseCurrency: base,
    quoteCurrency: quote,
    // untradable, and pairs that can only be bought or only be sold.
    status: trade_status === "tradable" ? "TRADING" : "HALT",
    tickSize,
    stepSize,
    minQuantity: quantities.min,
    maxQuantity: quantities.max,
    minOrderValue: values.min,
    maxOrderValue: values.max,
  };
}

/** The smallest number with so many digits after the point. */
function unitOf(digits: unknown): DecimalText | null {
  if (!Number.isInteger(digits) || (digits as number) < 0 || (digits as number) > 18) return null;
  return (digits === 0 ? "1" : `0.${"1".padStart(digits as number, "0")}`) as DecimalText;
}

function readContract(raw: unknown): Instrument | string | null {
  const contract = (raw ?? {}) as Untrusted<Contract>;
  const { name, type, status, in_delisting } = contract;
  const [base, quote, ...more] = isTicker(name) ? name.split("_") : [];
  if (!isTicker(name) || !isCurrency(base) || !isCurrency(quote) || more.length > 0) return "names";
  if (type === "inverse") return null;
  if (type !== "direct" || typeof in_delisting !== "boolean") return "contract-type";
  const tickSize = size(contract.order_price_round);
  if (tickSize === null) return "tick-size";
  const multiplier = size(contract.quanto_multiplier);
  if (multiplier === null) return "contract-size";
  const contracts = range(numberAsText(contract.order_size_min), numberAsText(contract.order_size_max));
  if (contracts === null) return "lot-size";
  const inBase = (text: DecimalText | null) => (text === null ? null : toBaseQuantity(text, toFixedPoint(multiplier)));
  return {
    ticker: name,
    baseCurrency: base,
    quoteCurrency: quote,
    status: in_delisting || (status !== undefined && status !== "trading") ? "HALT" : "TRADING",
    tickSize,
    stepSize: multiplier,
    minQuantity: inBase(contracts.min),
    maxQuantity: inBase(contracts.max),
    minOrderValue: null,
    maxOrderValue: null,
  };
}
