import type { Instrument, InstrumentList } from "../../catalogue/sync-symbols.js";
import { Decimal, type DecimalText } from "../../core/decimal.js";
import { type FixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import type { Logger } from "../../core/logger.js";
import type { ExchangeMinute, FeedEndpoint } from "../feed.js";
import { amount, floatAsText, isNegative, isObject, positiveAmount, type Untrusted } from "../reading.js";
import { collectInstruments, isCurrency, isTicker, range, size, unavailable, usable } from "../rest.js";
import { toBaseQuantity } from "../stream/contract-sizes.js";
import { turnoverAt } from "../stream/events.js";
import type { CcxtExchange } from "./library.js";
import type { CcxtMarket } from "./wire.js";

export type CcxtMarketType = "SPOT" | "FUTURES";

/** One market of the exchange that is ours to watch. */
export interface Listed {
  /** ccxt's name. */
  readonly symbol: string;
  /** Null on spot markets. */
  readonly contractSize: FixedPoint | null;
}

/**
 * The exchange's own names, as the native feeds have them, in capitals: so a symbol is the same whoever feeds it. Futures are
 * perpetuals whose quantities are in the base currency or contracts of it.
 */
const tickerOf = (market: Untrusted<CcxtMarket>): unknown =>
  typeof market.id === "string" ? market.id.toUpperCase() : market.id;

const isOfType = ({ spot, swap, linear }: Untrusted<CcxtMarket>, type: CcxtMarketType): boolean =>
  type === "SPOT" ? spot === true : swap === true && linear === true;

/** By our ticker. */
export function listMarkets(markets: Readonly<Record<string, unknown>>, type: CcxtMarketType): Map<string, Listed> {
  const listed = new Map<string, Listed>();
  for (const raw of Object.values(markets)) {
    if (!isObject(raw)) continue;
    const market = raw as Untrusted<CcxtMarket>;
    const ticker = tickerOf(market);
    if (!isOfType(market, type) || !isTicker(ticker) || typeof market.symbol !== "string") continue;
    const contractSize = type === "SPOT" ? null : size(floatAsText(market.contractSize));
    if (type === "FUTURES" && contractSize === null) continue;
    listed.set(ticker, {
      symbol: market.symbol,
      contractSize: contractSize === null ? null : toFixedPoint(contractSize),
    });
  }
  return listed;
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when nothing is left */
export function readInstruments(
  markets: Readonly<Record<string, unknown>>,
  precisionMode: number,
  type: CcxtMarketType,
  endpoint: FeedEndpoint,
  log: Logger,
): InstrumentList {
  const entries = Object.values(markets)
    .filter(isObject)
    .map((raw) => ({ ...raw, ticker: tickerOf(raw) }));
  return usable(
    collectInstruments(entries, "ticker", (raw) => readMarket(raw as Untrusted<CcxtMarket>, precisionMode, type)),
    endpoint,
    log,
  );
}

function readMarket(
  market: Untrusted<CcxtMarket>,
  precisionMode: number,
  type: CcxtMarketType,
): Instrument | string | null {
  if (!isOfType(market, type)) return null;
  const { base, quote, active } = market;
  const ticker = tickerOf(market);
  if (!isTicker(ticker) || !isCurrency(base) || !isCurrency(quote)) return "names";
  const precision = (isObject(market.precision) ? market.precision : {}) as Untrusted<CcxtMarket["precision"]>;
  const tickSize = unit(precision.price, precisionMode);
  if (tickSize === null) return "tick-size";
  const contractSize = type === "SPOT" ? null : size(floatAsText(market.contractSize));
  if (type === "FUTURES" && contractSize === null) return "contract-size";
  const inBase = (text: DecimalText | null) =>
    text === null || contractSize === null ? text : toBaseQuantity(text, toFixedPoint(contractSize));
  const limits = (isObject(market.limits) ? market.limits : {}) as Untrusted<CcxtMarket["limits"]>;
  const stepSize = inBase(unit(precision.amount, precisionMode));
  const quantities = limit(limits.amount);
  if (stepSize === null || quantities === null) return "lot-size";
  const values = limit(limits.cost);
  if (values === null) return "order-value";
  return {
    ticker,
    baseCurrency: base,
    quoteCurrency: quote,
    // Where the exchange does not tell, it is undefined.
    status: active === false ? "HALT" : "TRADING",
    tickSize,
    stepSize,
    minQuantity: inBase(quantities.min),
    maxQuantity: inBase(quantities.max),
    minOrderValue: values.min,
    maxOrderValue: values.max,
  };
}

const tickMode = 4;
const digitsMode = 2;

function unit(precision: unknown, mode: number): DecimalText | null {
  if (mode === tickMode) return size(floatAsText(precision));
  if (mode !== digitsMode || !Number.isInteger(precision)) return null;
  return size(new Decimal(10).pow(-(precision as number)).toFixed());
}

function limit(raw: unknown): ReturnType<typeof range> {
  const { min, max } = (isObject(raw) ? raw : {}) as Untrusted<{ min: number; max: number }>;
  return range(floatAsText(min ?? undefined), floatAsText(max ?? undefined));
}

const minuteMs = 60_000;
/** What every exchange gives at once; some would give ten times as much. */
export const maxMinutes = 100;

/** Oldest first, each open time once. @throws {DomainError} PROVIDER_UNAVAILABLE when the exchange has none */
export async function fetchMinutes(exchange: CcxtExchange, symbol: string, fromMs: number, toMs: number) {
  if (exchange.has.fetchOHLCV !== true) throw unavailable("the exchange gives no past minutes");
  const entries = await exchange.fetchOHLCV(symbol, "1m", fromMs, Math.ceil((toMs - fromMs) / minuteMs));
  if (!Array.isArray(entries)) throw unavailable("the response holds no list of minutes");
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
  const [openTimeMs, ...floats] = raw as unknown[];
  if (!Number.isSafeInteger(openTimeMs) || (openTimeMs as number) % minuteMs !== 0) return null;
  const [open, high, low, close] = floats.slice(0, 4).map((float) => positiveAmount(floatAsText(float)));
  if (open == null || high == null || low == null || close == null) return null;
  if (Decimal.min(open, close).lt(low) || Decimal.max(open, close).gt(high)) return null;
  const volume = amount(floatAsText(floats[4]));
  if (volume === null || isNegative(volume)) return null;
  // ccxt passes on no turnover.
  const quoteVolume = turnoverAt(close, volume);
  if (quoteVolume === null) return null;
  const unknown = { tradeCount: null, takerBuyVolume: null, takerBuyQuoteVolume: null };
  return { openTimeMs: openTimeMs as number, open, high, low, close, volume, quoteVolume, ...unknown };
}
