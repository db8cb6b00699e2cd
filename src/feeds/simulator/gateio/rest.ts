import { barsOf, intervals, readNumber } from "../bars.js";
import { json, type Refusal, type RestAnswer, type RestContext } from "../face.js";
import type { SimulatedInstrument } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import { futuresBookAnswer, futuresCandle, type GateSymbol, spotBookAnswer, spotCandle } from "./payloads.js";
import type { GateMarket } from "./requests.js";

const maxCandles = { spot: 1_000, futures: 2_000 } as const;
const maxDepth = { spot: 1_000, futures: 300 } as const;

export const nameOf = ({ base, quote }: SimulatedInstrument): string => `${base}_${quote}`;

/**
 * The exchange's answer. Errors have its form, `{"label":"INVALID_CURRENCY_PAIR","message":"Invalid currency pair X_USDT"}`.
 * @see https://www.gate.com/docs/developers/apiv4/en/
 */
export function answerRest(method: string, url: URL, context: RestContext, market: GateMarket): RestAnswer {
  if (method !== "GET" && method !== "HEAD") return failure(405, "METHOD_NOT_ALLOWED", "Method not allowed");
  const { searchParams: query } = url;
  const root = market === "spot" ? "/api/v4/spot" : "/api/v4/futures/usdt";
  switch (url.pathname) {
    case "/api/v4/spot/time":
      return json(200, { server_time: context.nowMs });
    case `${root}/order_book`:
      return withSymbol(query, context, market, (symbol, own) => book(query, symbol, own, market));
    case `${root}/candlesticks`:
      return withSymbol(query, context, market, (symbol, own) => candles(query, symbol, own, context.nowMs, market));
  }
  return listing(url.pathname, context.instruments, market) ?? failure(404, "NOT_FOUND", "Not found");
}

/** All instruments, or the one that stands behind them in the path; null for another path. */
function listing(path: string, instruments: readonly SimulatedInstrument[], market: GateMarket): RestAnswer | null {
  const list = market === "spot" ? "/api/v4/spot/currency_pairs" : "/api/v4/futures/usdt/contracts";
  const entry = market === "spot" ? pairEntry : contractEntry;
  if (path === list) return json(200, instruments.map<object>(entry));
  if (!path.startsWith(`${list}/`)) return null;
  const name = path.slice(list.length + 1);
  const found = instruments.find((instrument) => nameOf(instrument) === name);
  return found === undefined ? unknownName(name, market) : json(200, entry(found));
}

const unknownName = (name: string, market: GateMarket): RestAnswer =>
  market === "spot"
    ? failure(400, "INVALID_CURRENCY_PAIR", `Invalid currency pair ${name}`)
    : failure(400, "CONTRACT_NOT_FOUND", `contract ${name} not found`);

export function refusalOf(status: Refusal): RestAnswer {
  if (status === 503) return failure(503, "SERVER_ERROR", "Service temporarily unavailable");
  if (status === 400) return failure(400, "INVALID_REQUEST_PATH", "Invalid request path");
  return failure(status, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded");
}

const failure = (status: number, label: string, message: string): RestAnswer => json(status, { label, message });
const invalid = (name: string): RestAnswer => failure(400, "INVALID_PARAM_VALUE", `Invalid parameter ${name}`);

function withSymbol(
  query: URLSearchParams,
  context: RestContext,
  market: GateMarket,
  answer: (symbol: GateSymbol, own: SymbolMarket) => RestAnswer,
): RestAnswer {
  const parameter = market === "spot" ? "currency_pair" : "contract";
  const name = query.get(parameter);
  if (!name) return failure(400, "MISSING_REQUIRED_PARAM", `Missing required parameter: ${parameter}`);
  const own = context.market(name);
  return own === undefined ? unknownName(name, market) : answer({ name, scale: own.scale }, own);
}

/** Tick and step are powers of ten. */
const digitsOf = (size: string): number => size.split(".")[1]?.length ?? 0;

const pairEntry = (instrument: SimulatedInstrument) => ({
  id: nameOf(instrument),
  base: instrument.base,
  quote: instrument.quote,
  fee: "0.2",
  min_base_amount: instrument.stepSize,
  min_quote_amount: instrument.minNotional,
  max_quote_amount: "5000000",
  amount_precision: digitsOf(instrument.stepSize),
  precision: digitsOf(instrument.tickSize),
  trade_status: instrument.status === "TRADING" ? "tradable" : "untradable",
});

/** One contract is one step. */
const contractEntry = (instrument: SimulatedInstrument) => ({
  name: nameOf(instrument),
  type: "direct",
  quanto_multiplier: instrument.stepSize,
  order_price_round: instrument.tickSize,
  mark_price_round: instrument.tickSize,
  order_size_min: 1,
  order_size_max: 1_000_000,
  funding_interval: 28_800,
  in_delisting: false,
  status: "trading",
});

function book(query: URLSearchParams, symbol: GateSymbol, own: SymbolMarket, market: GateMarket): RestAnswer {
  const limit = readNumber(query, "limit", 10);
  if (limit === null || limit < 1 || limit > maxDepth[market]) return invalid("limit");
  const withId = query.get("with_id") === "true";
  const write = market === "spot" ? spotBookAnswer : futuresBookAnswer;
  return { status: 200, body: write(symbol, own.book, limit, withId) };
}

/** Oldest first; from and to are seconds, both included, and exclude a limit. */
function candles(
  query: URLSearchParams,
  symbol: GateSymbol,
  own: SymbolMarket,
  nowMs: number,
  market: GateMarket,
): RestAnswer {
  const widthMs = intervals.get(query.get("interval") ?? "5m");
  if (widthMs === undefined) return invalid("interval");
  const from = readNumber(query, "from", -1);
  const to = readNumber(query, "to", Math.floor(nowMs / 1000));
  const limit = readNumber(query, "limit", 100);
  if (from === null || to === null) return invalid(from === null ? "from" : "to");
  if (limit === null || limit < 1 || limit > maxCandles[market]) return invalid("limit");
  if (from !== -1 && query.has("limit")) return invalid("limit: conflicts with from and to");
  if (from !== -1 && (to - from) * 1000 >= widthMs * maxCandles[market]) {
    return failure(
      400,
      "INVALID_PARAM_VALUE",
      `Candlestick range too broad. Maximum ${maxCandles[market]} data points are allowed per request`,
    );
  }
  const bars = barsOf(own, widthMs, Math.max(0, from * 1000), to * 1000 + 1);
  const wanted = from === -1 ? bars.slice(-limit) : bars;
  return json(
    200,
    wanted.map((bar) =>
      market === "spot" ? spotCandle(symbol, bar, bar.startMs + widthMs <= nowMs) : futuresCandle(symbol, bar),
    ),
  );
}
