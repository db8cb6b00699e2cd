import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
import { Decimal, type DecimalText, fitsNumeric38, isPositive, parseDecimalText } from "../../core/decimal.js";
import { DomainError, errorMessage } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import type { FeedEndpoint } from "../feed.js";
import type { ExchangeInfoSymbol, SymbolFilter, Untrusted } from "./wire.js";

const maxResponseBytes = 50 * 1024 * 1024;

/** The list, and by reason how many of its entries were broken. */
export interface ReadInstruments extends InstrumentList {
  readonly leftOut: ReadonlyMap<string, number>;
}

/**
 * All instruments of the market. How many entries are broken, and why, is logged.
 * @throws {DomainError} PROVIDER_UNAVAILABLE; `retryAfterSeconds` in its details when the exchange limits or bans us.
 */
export async function fetchInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  if (endpoint.endpointUrl === null) throw unavailable("no REST address is configured for this provider");
  const base = endpoint.endpointUrl.endsWith("/") ? endpoint.endpointUrl.slice(0, -1) : endpoint.endpointUrl;
  const text = await download(`${base}/api/v3/exchangeInfo`, endpoint.timeoutMs);
  const { leftOut, ...list } = readInstruments(text);
  if (leftOut.size > 0)
    log.warn({ provider: endpoint.code, leftOut: Object.fromEntries(leftOut) }, "instruments.left-out");
  // An empty list would read as "everything is delisted".
  if (list.instruments.length === 0) throw unavailable("the instrument list holds no usable instrument");
  return list;
}

async function download(url: string, timeoutMs: number): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) {
      await response.body?.cancel();
      throw refused(response);
    }
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    // Leaving the loop by an error cancels the download.
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > maxResponseBytes) throw unavailable(`the instrument list is larger than ${maxResponseBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw unavailable(`the instrument list could not be loaded: ${networkReason(error, timeoutMs)}`, {}, error);
  }
}

function refused(response: Response): DomainError {
  const { status } = response;
  const details = { status };
  if (status !== 418 && status !== 429) return unavailable(`the exchange answered with HTTP ${status}`, details);
  const seconds = Number(response.headers.get("retry-after") ?? "");
  const retryAfterSeconds = Number.isSafeInteger(seconds) && seconds > 0 ? seconds : null;
  const what = status === 418 ? "has banned this address for too many requests" : "is limiting our requests";
  return unavailable(`the exchange ${what}`, { ...details, retryAfterSeconds });
}

function networkReason(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  // fetch says only "fetch failed"; the reason is in the cause.
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return cause.message || ("code" in cause ? String(cause.code) : cause.name);
  return errorMessage(error);
}

const unavailable = (message: string, details: DomainError["details"] = {}, cause?: unknown): DomainError =>
  new DomainError("PROVIDER_UNAVAILABLE", message, details, { cause });

/**
 * The instruments in the text of an exchangeInfo response.
 * @throws {DomainError} PROVIDER_UNAVAILABLE when it is no such response.
 */
export function readInstruments(text: string): ReadInstruments {
  let info: unknown;
  try {
    info = JSON.parse(text);
  } catch (cause) {
    throw unavailable("the instrument list is not JSON", {}, cause);
  }
  const symbols: unknown = typeof info === "object" && info !== null && "symbols" in info ? info.symbols : undefined;
  if (!Array.isArray(symbols)) throw unavailable("the response holds no instrument list");

  const byTicker = new Map<string, Instrument>();
  const brokenTickers: string[] = [];
  const leftOut = new Map<string, number>();
  for (const symbol of symbols as unknown[]) {
    const instrument = readInstrument(symbol);
    if (typeof instrument === "object" && !byTicker.has(instrument.ticker)) {
      byTicker.set(instrument.ticker, instrument);
    } else {
      const reason = typeof instrument === "string" ? instrument : "duplicate";
      leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
      const ticker = (symbol as Untrusted<ExchangeInfoSymbol> | null)?.symbol;
      if (isTicker(ticker) && !byTicker.has(ticker)) brokenTickers.push(ticker);
    }
  }
  return { instruments: [...byTicker.values()], brokenTickers, leftOut };
}

type Broken = "names" | "filters" | "price-filter" | "lot-size" | "notional";

function readInstrument(symbol: unknown): Instrument | Broken {
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
  const values = range(notional?.minNotional, notional?.maxNotional);
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

/** As the table of symbols takes it: one name that it refuses would undo the whole list, and some of Binance's are Chinese. */
const isCode = (value: unknown, maxLength: number): value is string =>
  typeof value === "string" && value.length <= maxLength && /^[A-Z0-9][A-Z0-9._:/-]*$/.test(value);
const isTicker = (value: unknown): value is string => isCode(value, 50);
const isCurrency = (value: unknown): value is string => isCode(value, 20);

/** A tick or step; null when it is broken, or zero, which would mean that any price or quantity is allowed. */
function size(raw: unknown): DecimalText | null {
  const text = parseDecimalText(raw);
  return text !== null && isPositive(text) && fitsNumeric38(text) ? text : null;
}

/** Limits of an order, each null when absent or switched off by a zero; null when they are broken. */
function range(rawMin: unknown, rawMax: unknown): { min: DecimalText | null; max: DecimalText | null } | null {
  const min = limit(rawMin);
  const max = limit(rawMax);
  if (min === "broken" || max === "broken") return null;
  if (min !== null && max !== null && new Decimal(min).gt(max)) return null;
  return { min, max };
}

function limit(raw: unknown): DecimalText | null | "broken" {
  if (raw === undefined) return null;
  const text = parseDecimalText(raw);
  if (text === "0") return null;
  return text !== null && isPositive(text) && fitsNumeric38(text) ? text : "broken";
}
