import { barsOf, intervals, readNumber } from "../bars.js";
import { json, type RestAnswer, type RestContext } from "../face.js";
import { type SimulatedInstrument, tickerOf } from "../instruments.js";
import type { BookState, MarketScale, SymbolMarket } from "../market.js";
import type { Minute } from "../rolling-day.js";
import { formatUnits, parseUnits } from "../units.js";

/** Where spot and futures differ. */
export interface BinanceRest {
  /** E.g. "/api/v3". */
  readonly root: string;
  readonly defaultDepth: number;
  /** Null where any number will do. */
  readonly depths: readonly number[] | null;
  readonly maxDepth: number;
  readonly maxKlines: number;
  readonly symbolInfo: (instrument: SimulatedInstrument) => object;
  readonly depth: (scale: MarketScale, book: BookState, limit: number) => string;
  readonly kline: (scale: MarketScale, bar: Minute, widthMs: number) => string;
}

/**
 * The exchange's answer to a request. Errors have its form, `{"code":-1121,"msg":"Invalid symbol."}`.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints
 */
export function answerRest(method: string, url: URL, context: RestContext, rest: BinanceRest): RestAnswer {
  if (method !== "GET" && method !== "HEAD") return restError(405, -1020, "This operation is not supported.");
  const { searchParams: query } = url;
  switch (url.pathname) {
    case `${rest.root}/ping`:
      return { status: 200, body: "{}" };
    case `${rest.root}/time`:
      return json(200, { serverTime: context.nowMs });
    case `${rest.root}/exchangeInfo`:
      return exchangeInfo(query, context, rest);
    case `${rest.root}/depth`:
      return withMarket(query, context, (market) => depth(query, market, rest));
    case `${rest.root}/klines`:
      return withMarket(query, context, (market) => klines(query, market, context.nowMs, rest));
    default:
      return restError(404, -1020, "This operation is not supported.");
  }
}

function withMarket(
  query: URLSearchParams,
  context: RestContext,
  answer: (market: SymbolMarket) => RestAnswer,
): RestAnswer {
  const symbol = query.get("symbol");
  if (!symbol) return missing("symbol");
  const market = context.market(symbol);
  return market === undefined ? restError(400, -1121, "Invalid symbol.") : answer(market);
}

function depth(query: URLSearchParams, market: SymbolMarket, rest: BinanceRest): RestAnswer {
  const limit = readNumber(query, "limit", rest.defaultDepth);
  if (limit === null) return illegal("limit");
  if (rest.depths?.includes(limit) === false) return restError(400, -4021, `'${limit}' is not valid depth limit.`);
  if (limit === 0) return restError(400, -1130, "Data sent for parameter 'limit' is not valid.");
  return { status: 200, body: rest.depth(market.scale, market.book, Math.min(limit, rest.maxDepth)) };
}

function klines(query: URLSearchParams, market: SymbolMarket, nowMs: number, rest: BinanceRest): RestAnswer {
  const interval = query.get("interval");
  if (!interval) return missing("interval");
  const widthMs = intervals.get(interval);
  if (widthMs === undefined) return restError(400, -1120, "Invalid interval.");
  const startMs = readNumber(query, "startTime", -1);
  const endMs = readNumber(query, "endTime", nowMs);
  const limit = readNumber(query, "limit", 500);
  if (startMs === null) return illegal("startTime");
  if (endMs === null) return illegal("endTime");
  if (limit === null) return illegal("limit");
  if (limit === 0) return restError(400, -1130, "Data sent for parameter 'limit' is not valid.");
  const count = Math.min(limit, rest.maxKlines);
  const bars = barsOf(market, widthMs, Math.max(0, startMs), endMs + 1);
  // Without a start the latest are meant, with one the first.
  const wanted = startMs === -1 ? bars.slice(-count) : bars.slice(0, count);
  return { status: 200, body: `[${wanted.map((bar) => rest.kline(market.scale, bar, widthMs)).join(",")}]` };
}

const missing = (name: string): RestAnswer =>
  restError(400, -1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);
const illegal = (name: string): RestAnswer =>
  restError(400, -1100, `Illegal characters found in parameter '${name}'; legal range is '^[0-9]{1,20}$'.`);

export const restError = (status: number, code: number, msg: string): RestAnswer => json(status, { code, msg });

function exchangeInfo(
  query: URLSearchParams,
  { instruments, nowMs }: RestContext,
  { symbolInfo }: BinanceRest,
): RestAnswer {
  const symbol = query.get("symbol");
  const symbols = query.get("symbols");
  const status = query.get("symbolStatus");
  if ([symbol, symbols, status].filter((parameter) => parameter !== null).length > 1) {
    return restError(400, -1128, "Combination of optional parameters invalid.");
  }
  const wanted = symbols === null ? symbol && [symbol] : readList(symbols);
  if (symbols !== null && wanted === null) {
    return restError(400, -1100, "Illegal characters found in parameter 'symbols'.");
  }
  let listed = instruments;
  if (wanted) {
    listed = instruments.filter((instrument) => wanted.includes(tickerOf(instrument)));
    if (listed.length < new Set(wanted).size) return restError(400, -1121, "Invalid symbol.");
  }
  if (status !== null) listed = instruments.filter((instrument) => instrument.status === status);
  return {
    status: 200,
    body: JSON.stringify({
      timezone: "UTC",
      serverTime: nowMs,
      rateLimits: [
        { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 6000 },
        { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: 100 },
        { rateLimitType: "ORDERS", interval: "DAY", intervalNum: 1, limit: 200_000 },
        { rateLimitType: "RAW_REQUESTS", interval: "MINUTE", intervalNum: 5, limit: 61_000 },
      ],
      exchangeFilters: [],
      symbols: listed.map(symbolInfo),
    }),
  };
}

function readList(text: string): string[] | null {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === "string") ? (list as string[]) : null;
  } catch {
    return null;
  }
}

export function spotSymbolInfo(instrument: SimulatedInstrument) {
  return {
    symbol: tickerOf(instrument),
    status: instrument.status,
    baseAsset: instrument.base,
    baseAssetPrecision: 8,
    quoteAsset: instrument.quote,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"],
    icebergAllowed: true,
    ocoAllowed: true,
    otoAllowed: true,
    quoteOrderQtyMarketAllowed: true,
    allowTrailingStop: true,
    cancelReplaceAllowed: true,
    amendAllowed: true,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: filtersOf(instrument),
    permissions: [],
    permissionSets: [["SPOT"]],
    defaultSelfTradePreventionMode: "EXPIRE_MAKER",
    allowedSelfTradePreventionModes: ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
  };
}

function filtersOf(instrument: SimulatedInstrument) {
  const tickSize = eightDecimals(instrument.tickSize);
  const stepSize = eightDecimals(instrument.stepSize);
  // A power of ten that is worth between ten and a hundred million smallest orders.
  const orders = parseUnits(instrument.minNotional) / parseUnits(instrument.price);
  const maxQty = `1${"0".repeat(8 + Math.max(0, Math.floor(Math.log10(orders))))}.00000000`;
  return [
    { filterType: "PRICE_FILTER", minPrice: tickSize, maxPrice: "1000000.00000000", tickSize },
    { filterType: "LOT_SIZE", minQty: stepSize, maxQty, stepSize },
    { filterType: "ICEBERG_PARTS", limit: 10 },
    { filterType: "MARKET_LOT_SIZE", minQty: "0.00000000", maxQty, stepSize: "0.00000000" },
    {
      filterType: "TRAILING_DELTA",
      minTrailingAboveDelta: 10,
      maxTrailingAboveDelta: 2000,
      minTrailingBelowDelta: 10,
      maxTrailingBelowDelta: 2000,
    },
    {
      filterType: "PERCENT_PRICE_BY_SIDE",
      bidMultiplierUp: "5",
      bidMultiplierDown: "0.2",
      askMultiplierUp: "5",
      askMultiplierDown: "0.2",
      avgPriceMins: 5,
    },
    {
      filterType: "NOTIONAL",
      minNotional: eightDecimals(instrument.minNotional),
      applyMinToMarket: true,
      maxNotional: "9000000.00000000",
      applyMaxToMarket: false,
      avgPriceMins: 5,
    },
    { filterType: "MAX_NUM_ORDERS", maxNumOrders: 200 },
    { filterType: "MAX_NUM_ALGO_ORDERS", maxNumAlgoOrders: 5 },
    { filterType: "MAX_NUM_ORDER_LISTS", maxNumOrderLists: 20 },
    { filterType: "MAX_NUM_ORDER_AMENDS", maxNumOrderAmends: 10 },
  ];
}

/** Of futures; quantities are in the base currency there too. */
export function futuresSymbolInfo(instrument: SimulatedInstrument) {
  const { tickSize, stepSize, minNotional, base, quote, status } = instrument;
  const symbol = tickerOf(instrument);
  return {
    symbol,
    pair: symbol,
    contractType: "PERPETUAL",
    deliveryDate: 4_133_404_800_000,
    onboardDate: 1_569_398_400_000,
    status: status === "TRADING" ? "TRADING" : "SETTLING",
    baseAsset: base,
    quoteAsset: quote,
    marginAsset: quote,
    underlyingType: "COIN",
    filters: [
      { filterType: "PRICE_FILTER", minPrice: tickSize, maxPrice: "1000000", tickSize },
      { filterType: "LOT_SIZE", minQty: stepSize, maxQty: "1000000000", stepSize },
      { filterType: "MARKET_LOT_SIZE", minQty: stepSize, maxQty: "100000000", stepSize },
      { filterType: "MAX_NUM_ORDERS", limit: 200 },
      { filterType: "MIN_NOTIONAL", notional: minNotional },
      { filterType: "PERCENT_PRICE", multiplierUp: "1.05", multiplierDown: "0.95", multiplierDecimal: "4" },
    ],
    orderTypes: ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
    timeInForce: ["GTC", "IOC", "FOK", "GTX", "GTD"],
  };
}

const eightDecimals = (text: string): string => formatUnits(parseUnits(text));
