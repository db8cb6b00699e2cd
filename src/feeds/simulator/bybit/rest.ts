import { barsOf, intervals, readNumber } from "../bars.js";
import { best } from "../depth.js";
import { json, type Refusal, type RestAnswer, type RestContext } from "../face.js";
import { type SimulatedInstrument, tickerOf } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import { bookAnswer, klineRow } from "./payloads.js";

export type BybitCategory = "spot" | "linear";

const maxKlines = 1_000;
const maxDepth = { spot: 200, linear: 500 } as const;

/**
 * The exchange's answer. Errors have its form, `{"retCode":10001,"retMsg":"Not supported symbols","result":{},…}`, with HTTP
 * status 200.
 * @see https://bybit-exchange.github.io/docs/v5/market/kline
 */
export function answerRest(method: string, url: URL, context: RestContext, category: BybitCategory): RestAnswer {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "405 method not allowed" };
  const { searchParams: query } = url;
  const { nowMs } = context;
  if (url.pathname === "/v5/market/time") {
    return success({ timeSecond: String(Math.floor(nowMs / 1000)), timeNano: `${nowMs}000000` }, nowMs);
  }
  const answer = paths.get(url.pathname);
  if (answer === undefined) return { status: 404, body: "" };
  // Without a category the exchange means linear.
  const asked = query.get("category") ?? "linear";
  if (asked !== category) return failure(10001, `params error: Category is invalid`, nowMs);
  return answer(query, context, category);
}

export function refusalOf(status: Refusal): RestAnswer {
  if (status === 503) return { status, body: "Service Unavailable" };
  if (status === 400) return { status, body: "Bad Request" };
  return json(status, { retCode: 10006, retMsg: "Too many visits. Exceeded the API Rate Limit.", result: {} });
}

const success = (result: unknown, time: number): RestAnswer =>
  json(200, { retCode: 0, retMsg: "OK", result, retExtInfo: {}, time });
const failure = (retCode: number, retMsg: string, time: number): RestAnswer =>
  json(200, { retCode, retMsg, result: {}, retExtInfo: {}, time });

type Answer = (query: URLSearchParams, context: RestContext, category: BybitCategory) => RestAnswer;

const paths: ReadonlyMap<string, Answer> = new Map([
  ["/v5/market/instruments-info", instruments],
  ["/v5/market/orderbook", withMarket(book)],
  ["/v5/market/kline", withMarket(klines)],
]);

function withMarket(
  answer: (query: URLSearchParams, market: SymbolMarket, nowMs: number, category: BybitCategory) => RestAnswer,
): Answer {
  return (query, context, category) => {
    const { nowMs } = context;
    const symbol = query.get("symbol");
    const market = symbol ? context.market(symbol) : undefined;
    if (market === undefined)
      return failure(10001, symbol ? "Not supported symbols" : "Missing some parameters", nowMs);
    return answer(query, market, nowMs, category);
  };
}

/** Contracts come in pages; the cursor is where the next one begins. */
function instruments(
  query: URLSearchParams,
  { instruments: all, nowMs }: RestContext,
  category: BybitCategory,
): RestAnswer {
  const symbol = query.get("symbol");
  const limit = readNumber(query, "limit", 500);
  const from = readNumber(query, "cursor", 0);
  if (limit === null || limit < 1 || limit > 1_000) return failure(10001, "params error: Invalid limit", nowMs);
  if (from === null) return failure(10001, "params error: Invalid cursor", nowMs);
  const wanted = symbol === null ? all : all.filter((instrument) => tickerOf(instrument) === symbol);
  if (symbol !== null && wanted.length === 0) return failure(10001, "Not supported symbols", nowMs);
  const page = category === "spot" ? wanted : wanted.slice(from, from + limit);
  const nextPageCursor = category === "linear" && from + limit < wanted.length ? String(from + limit) : "";
  const list = page.map((instrument) => (category === "spot" ? spotEntry(instrument) : linearEntry(instrument)));
  return success({ category, list, nextPageCursor }, nowMs);
}

const statusOf = ({ status }: SimulatedInstrument): string => (status === "TRADING" ? "Trading" : "PreLaunch");

const spotEntry = (instrument: SimulatedInstrument) => ({
  symbol: tickerOf(instrument),
  baseCoin: instrument.base,
  quoteCoin: instrument.quote,
  innovation: "0",
  status: statusOf(instrument),
  marginTrading: "none",
  lotSizeFilter: {
    basePrecision: instrument.stepSize,
    quotePrecision: "0.00000001",
    minOrderQty: instrument.stepSize,
    maxOrderQty: "1000000000",
    minOrderAmt: instrument.minNotional,
    maxOrderAmt: "4000000",
  },
  priceFilter: { tickSize: instrument.tickSize },
});

const linearEntry = (instrument: SimulatedInstrument) => ({
  symbol: tickerOf(instrument),
  contractType: "LinearPerpetual",
  status: statusOf(instrument),
  baseCoin: instrument.base,
  quoteCoin: instrument.quote,
  launchTime: "1585526400000",
  deliveryTime: "0",
  priceFilter: { minPrice: instrument.tickSize, maxPrice: "1999999", tickSize: instrument.tickSize },
  lotSizeFilter: {
    maxOrderQty: "1000000000",
    minOrderQty: instrument.stepSize,
    qtyStep: instrument.stepSize,
    minNotionalValue: instrument.minNotional,
  },
  fundingInterval: 480,
  settleCoin: instrument.quote,
});

function book(query: URLSearchParams, market: SymbolMarket, nowMs: number, category: BybitCategory): RestAnswer {
  const limit = readNumber(query, "limit", category === "spot" ? 1 : 25);
  if (limit === null || limit < 1) return failure(10001, "params error: Invalid limit", nowMs);
  const state = market.book;
  const levels = best(state, Math.min(limit, maxDepth[category]));
  return success(JSON.parse(bookAnswer(market.scale, state, levels)), nowMs);
}

/** Newest first: up to the end when there is one, else from the start. */
function klines(query: URLSearchParams, market: SymbolMarket, nowMs: number, category: BybitCategory): RestAnswer {
  const widthMs = widths.get(query.get("interval") ?? "");
  if (widthMs === undefined) return failure(10001, "Invalid period!", nowMs);
  const startMs = readNumber(query, "start", -1);
  const endMs = readNumber(query, "end", nowMs);
  const limit = readNumber(query, "limit", 200);
  if (startMs === null || endMs === null) return failure(10001, "The start or end time is invalid", nowMs);
  if (limit === null || limit < 1) return failure(10001, "params error: Invalid limit", nowMs);
  const bars = barsOf(market, widthMs, Math.max(0, startMs), endMs + 1);
  const count = Math.min(limit, maxKlines);
  const page = startMs !== -1 && !query.has("end") ? bars.slice(0, count) : bars.slice(-count);
  const list = page.reverse().map((bar) => klineRow(market.scale, bar));
  return success({ symbol: market.scale.ticker, category, list }, nowMs);
}

/** The exchange counts in minutes. */
const widths: ReadonlyMap<string, number> = new Map(
  [...intervals].map(([name, widthMs]) => [name === "1d" ? "D" : String(widthMs / 60_000), widthMs]),
);
