import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
import { type DecimalText, fitsNumeric38 } from "../../core/decimal.js";
import { type FixedPoint, multiplyFixedPoint, toFixedPoint } from "../../core/fixed-point.js";
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
import { type ContractSizes, toBaseQuantity } from "../stream/contract-sizes.js";
import type { OkxMarket } from "./map.js";
import type { InstrumentEntry } from "./wire.js";

const pathOf = (market: OkxMarket): string => `/api/v5/public/instruments?instType=${market}`;

/** All spot instruments. @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchSpotInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  return usable(readSpotInstruments(await download(endpoint, pathOf("SPOT"))), endpoint, log);
}

/** All linear perpetuals. @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchSwapInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  return usable(readSwapInstruments(await download(endpoint, pathOf("SWAP"))), endpoint, log);
}

export async function fetchContractSizes(
  endpoint: FeedEndpoint,
  _log: Logger,
  signal: AbortSignal,
): Promise<ContractSizes> {
  return readContractSizes(await download(endpoint, pathOf("SWAP"), signal));
}

export const readSpotInstruments = (text: string): ReadInstruments =>
  collectInstruments(entriesIn(text), "instId", readSpot);
export const readSwapInstruments = (text: string): ReadInstruments =>
  collectInstruments(entriesIn(text), "instId", readSwap);

/** Of linear perpetuals. */
export function readContractSizes(text: string): ContractSizes {
  const sizes = new Map<string, FixedPoint>();
  for (const raw of entriesIn(text)) {
    const entry = (raw ?? {}) as Untrusted<InstrumentEntry>;
    const contractSize = contractSizeOf(entry);
    if (isTicker(entry.instId) && contractSize !== null) sizes.set(entry.instId, contractSize);
  }
  if (sizes.size === 0) throw unavailable("the instrument list holds no contract size");
  return sizes;
}

function entriesIn(text: string): unknown[] {
  const response = parseList(text);
  const { code, data, msg } = (isObject(response) ? response : {}) as { code?: unknown; data?: unknown; msg?: unknown };
  if (code !== "0") throw unavailable(`the exchange refused the instrument list: ${String(msg ?? code).slice(0, 200)}`);
  if (!Array.isArray(data)) throw unavailable("the response holds no instrument list");
  return data;
}

function readSpot(raw: unknown): Instrument | string | null {
  const entry = (raw ?? {}) as Untrusted<InstrumentEntry>;
  const { instId, baseCcy, quoteCcy } = entry;
  if (!isTicker(instId) || !isCurrency(baseCcy) || !isCurrency(quoteCcy)) return "names";
  return withRules(entry, { ticker: instId, baseCurrency: baseCcy, quoteCurrency: quoteCcy }, null);
}

function readSwap(raw: unknown): Instrument | string | null {
  const entry = (raw ?? {}) as Untrusted<InstrumentEntry>;
  const { instId, ctType, ctValCcy, settleCcy } = entry;
  // Inverse contracts are worth a fixed amount of the quote currency: they have no quantity in the base currency.
  if (ctType === "inverse") return null;
  if (ctType !== "linear") return "contract-type";
  if (!isTicker(instId) || !isCurrency(ctValCcy) || !isCurrency(settleCcy)) return "names";
  const contractSize = contractSizeOf(entry);
  if (contractSize === null) return "contract-size";
  return withRules(entry, { ticker: instId, baseCurrency: ctValCcy, quoteCurrency: settleCcy }, contractSize);
}

function withRules(
  { state, tickSz, lotSz, minSz, maxLmtSz }: Untrusted<InstrumentEntry>,
  names: Pick<Instrument, "ticker" | "baseCurrency" | "quoteCurrency">,
  contractSize: FixedPoint | null,
): Instrument | string | null {
  if (typeof state !== "string") return "state";
  if (state === "test") return null;
  const tickSize = size(tickSz);
  if (tickSize === null) return "tick-size";
  const lot = size(lotSz);
  const quantities = range(minSz, maxLmtSz);
  if (lot === null || quantities === null) return "lot-size";
  const inBase = (text: DecimalText) => (contractSize === null ? text : toBaseQuantity(text, contractSize));
  const stepSize = inBase(lot);
  if (stepSize === null) return "lot-size";
  return {
    ...names,
    // suspend, preopen, rebase, …: nothing can be traded now. What is delisted disappears from the list.
    status: state === "live" ? "TRADING" : "HALT",
    tickSize,
    stepSize,
    minQuantity: quantities.min === null ? null : inBase(quantities.min),
    maxQuantity: quantities.max === null ? null : inBase(quantities.max),
    minOrderValue: null,
    maxOrderValue: null,
  };
}

/** Null when it is broken or the contract is not linear. */
function contractSizeOf({ ctType, ctVal, ctMult }: Untrusted<InstrumentEntry>): FixedPoint | null {
  const value = size(ctVal);
  const multiplier = size(ctMult);
  if (ctType !== "linear" || value === null || multiplier === null || !fitsNumeric38(value)) return null;
  const product = multiplyFixedPoint(toFixedPoint(value), toFixedPoint(multiplier));
  return product > 0n ? product : null;
}
