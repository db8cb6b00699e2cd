import { plain } from "../amounts.js";
import { barsOf, intervals, readNumber } from "../bars.js";
import { json, type Refusal, type RestAnswer, type RestContext } from "../face.js";
import type { SimulatedInstrument } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import { formatMultiple, parseUnits } from "../units.js";
import { bookAnswer, candleRow, type OkxSymbol } from "./payloads.js";

/** Where spot and swaps differ. */
export interface OkxRest {
  readonly instType: "SPOT" | "SWAP";
  readonly instId: (instrument: SimulatedInstrument) => string;
  readonly stepsPerContract: number | null;
}

const maxCandles = 300;
const maxBookDepth = 400;

/**
 * The exchange's answer. Errors have its form, `{"code":"51001","msg":"Instrument ID doesn't exist","data":[]}`, mostly with
 * HTTP status 200.
 * @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data
 */
export function answerRest(method: string, url: URL, context: RestContext, rest: OkxRest): RestAnswer {
  if (method !== "GET" && method !== "HEAD") return failure(405, "50115", "Invalid request method.");
  const { searchParams: query } = url;
  switch (url.pathname) {
    case "/api/v5/public/time":
      return success([{ ts: String(context.nowMs) }]);
    case "/api/v5/public/instruments":
      return instruments(query, context, rest);
    case "/api/v5/market/books":
      return withSymbol(query, context, rest, (symbol, market) => book(query, symbol, market));
    case "/api/v5/market/candles":
    case "/api/v5/market/history-candles":
      return withSymbol(query, context, rest, (symbol, market) => candles(query, symbol, market, context.nowMs));
    default:
      return json(404, { msg: "Not Found", code: "404", data: [] });
  }
}

export function refusalOf(status: Refusal): RestAnswer {
  if (status === 503) return failure(503, "50001", "Service temporarily unavailable. Please try again later.");
  if (status === 400) return failure(400, "50000", "Body for POST request cannot be empty.");
  return failure(status, "50011", "Too Many Requests");
}

const success = (data: unknown[]): RestAnswer => json(200, { code: "0", data, msg: "" });
const failure = (status: number, code: string, msg: string): RestAnswer => json(status, { code, data: [], msg });

function withSymbol(
  query: URLSearchParams,
  context: RestContext,
  { stepsPerContract }: OkxRest,
  answer: (symbol: OkxSymbol, market: SymbolMarket) => RestAnswer,
): RestAnswer {
  const instId = query.get("instId");
  if (!instId) return failure(400, "50014", "Parameter instId can not be empty.");
  const market = context.market(instId);
  if (market === undefined)
    return failure(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
  return answer({ instId, scale: market.scale, stepsPerContract }, market);
}

function instruments(query: URLSearchParams, { instruments: all }: RestContext, rest: OkxRest): RestAnswer {
  const type = query.get("instType");
  if (!type) return failure(400, "50014", "Parameter instType can not be empty.");
  if (!["SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"].includes(type)) {
    return failure(400, "51000", "Parameter instType error");
  }
  if (type !== rest.instType) return success([]);
  const wanted = query.get("instId");
  const listed = wanted === null ? all : all.filter((instrument) => rest.instId(instrument) === wanted);
  if (wanted !== null && listed.length === 0) {
    return failure(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
  }
  return success(listed.map((instrument) => entry(instrument, rest)));
}

function entry(instrument: SimulatedInstrument, { instType, instId, stepsPerContract }: OkxRest) {
  const { base, quote, tickSize, stepSize, status } = instrument;
  const isSpot = stepsPerContract === null;
  const lotSz = isSpot ? stepSize : String(1 / stepsPerContract);
  return {
    instId: instId(instrument),
    instType,
    baseCcy: isSpot ? base : "",
    quoteCcy: isSpot ? quote : "",
    ctType: isSpot ? "" : "linear",
    ctVal: isSpot ? "" : plain(formatMultiple(stepsPerContract, parseUnits(stepSize))),
    ctMult: isSpot ? "" : "1",
    ctValCcy: isSpot ? "" : base,
    settleCcy: isSpot ? "" : quote,
    uly: isSpot ? "" : `${base}-${quote}`,
    tickSz: tickSize,
    lotSz,
    minSz: lotSz,
    maxLmtSz: "9999999999",
    maxMktSz: "1000000",
    state: status === "TRADING" ? "live" : "suspend",
  };
}

function book(query: URLSearchParams, symbol: OkxSymbol, market: SymbolMarket): RestAnswer {
  const depth = readNumber(query, "sz", 1);
  if (depth === null || depth < 1) return failure(400, "51000", "Parameter sz error");
  return { status: 200, body: bookAnswer(symbol, market.book, Math.min(depth, maxBookDepth)) };
}

/** Newest first; `after` asks for what is older than it, `before` for what is newer. */
function candles(query: URLSearchParams, symbol: OkxSymbol, market: SymbolMarket, nowMs: number): RestAnswer {
  // The exchange writes hours and days with capitals.
  const bar = (query.get("bar") ?? "1m").replace("utc", "");
  const widthMs = /^\d+(m|[HD])$/.test(bar) ? intervals.get(bar.toLowerCase()) : undefined;
  if (widthMs === undefined) return failure(400, "51000", "Parameter bar error");
  const after = readNumber(query, "after", nowMs + 1);
  const before = readNumber(query, "before", -1);
  const limit = readNumber(query, "limit", 100);
  if (after === null) return failure(400, "51000", "Parameter after error");
  if (before === null) return failure(400, "51000", "Parameter before error");
  if (limit === null || limit < 1) return failure(400, "51000", "Parameter limit error");
  const bars = barsOf(market, widthMs, before + 1, after).reverse();
  return success(
    bars.slice(0, Math.min(limit, maxCandles)).map((one) => candleRow(symbol, one, one.startMs + widthMs <= nowMs)),
  );
}
