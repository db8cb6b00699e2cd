import { type SimulatedInstrument, tickerOf } from "./instruments.js";
import { formatUnits, parseUnits } from "./units.js";

export interface RestAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * The exchange's answer to a request under `/api/v3`. Errors have its form, `{"code":-1121,"msg":"Invalid symbol."}`.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints
 */
export function answerRest(
  method: string,
  url: URL,
  instruments: readonly SimulatedInstrument[],
  nowMs: number,
): RestAnswer {
  if (method !== "GET" && method !== "HEAD") return restError(405, -1020, "This operation is not supported.");
  switch (url.pathname) {
    case "/api/v3/ping":
      return { status: 200, body: "{}" };
    case "/api/v3/time":
      return { status: 200, body: JSON.stringify({ serverTime: nowMs }) };
    case "/api/v3/exchangeInfo":
      return exchangeInfo(url.searchParams, instruments, nowMs);
    default:
      return restError(404, -1020, "This operation is not supported.");
  }
}

export const restError = (status: number, code: number, msg: string): RestAnswer => ({
  status,
  body: JSON.stringify({ code, msg }),
});

function exchangeInfo(query: URLSearchParams, instruments: readonly SimulatedInstrument[], nowMs: number): RestAnswer {
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

function symbolInfo(instrument: SimulatedInstrument) {
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

const eightDecimals = (text: string): string => formatUnits(parseUnits(text));
