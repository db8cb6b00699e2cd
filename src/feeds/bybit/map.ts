import type { DecimalText } from "../../core/decimal.js";
import { type Change, changeSince, isObject, positiveAmount, type Untrusted, wholeNumber } from "../reading.js";
import { bookDiffOf, bookSnapshotOf, levelInList } from "../stream/books.js";
import {
  bookTickerOf,
  findSymbol,
  fundingRateOf,
  type Known,
  type RawSide,
  reasonsOf,
  ticker24hOf,
  tradeOf,
} from "../stream/events.js";
import { type DecodeContext, type Decoded, type Decoder, rejected, skipped } from "../stream/protocol.js";
import type { OrderBookPayload, Push, Reply, TickerPayload, TradePayload } from "./wire.js";

/**
 * Decodes the frames of one connection. Linear tickers come in parts: what was said before on this connection is remembered
 * for each symbol, and a part that was rejected is not. Fields that we do not know are ignored.
 */
export function bybitDecoder(context: DecodeContext): Decoder {
  const tickers = new Map<string, TickerState>();
  return (text, receivedAtMs) => {
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      return notJson;
    }
    if (!isObject(frame)) return notAFrame;
    const push = frame as Untrusted<Push>;
    if (typeof push.topic !== "string") return decodeReply(frame);
    const { topic, data } = push;
    const symbolAt = topic.lastIndexOf(".") + 1;
    const channel = topic.slice(0, Math.max(0, symbolAt - 1));
    const ticker = topic.slice(symbolAt);
    if (!isUsed(channel)) return unusedTopics.get(channel.split(".")[0] ?? "") ?? unknownTopic;
    const known = findSymbol(ticker, context, false);
    if ("kind" in known) {
      tickers.delete(ticker);
      return known;
    }
    if (!isObject(data)) return notAFrame;
    switch (channel) {
      case "orderbook.1":
        return bookTicker(known, ticker, push, data, receivedAtMs);
      case "orderbook.50":
        return orderBook(known, ticker, push, data, receivedAtMs);
      case "publicTrade":
        return trades(known, ticker, data, receivedAtMs);
      case "tickers": {
        let state = tickers.get(ticker);
        if (state === undefined || push.type === "snapshot") {
          state = { statistics: null, funding: null };
          tickers.set(ticker, state);
        }
        return tickerParts(known, ticker, push, data, state, receivedAtMs);
      }
    }
  };
}

type Channel = "orderbook.1" | "orderbook.50" | "publicTrade" | "tickers";
const isUsed = (channel: string): channel is Channel =>
  channel === "orderbook.1" || channel === "orderbook.50" || channel === "publicTrade" || channel === "tickers";

const book = reasonsOf("orderbook.1");
const wholeBook = reasonsOf("orderbook.50");
const trade = reasonsOf("publicTrade");
const statistics = reasonsOf("tickers");
const funding = reasonsOf("tickers-funding");

function bookTicker(
  known: Known,
  ticker: string,
  { type, ts, cts }: Untrusted<Push>,
  payload: Untrusted<OrderBookPayload>,
  receivedAtMs: number,
): Decoded {
  if (payload.s !== ticker) return wrongPayload;
  const bid = side(payload.b);
  const ask = side(payload.a);
  if (type !== "snapshot" || bid === undefined || ask === undefined) return book.shape;
  return bookTickerOf(known, { bid, ask, sequence: payload.u, exchangeTimeMs: cts ?? ts }, receivedAtMs, book);
}

function orderBook(
  known: Known,
  ticker: string,
  { type, ts, cts }: Untrusted<Push>,
  { s, b, a, u }: Untrusted<OrderBookPayload>,
  receivedAtMs: number,
): Decoded {
  if (s !== ticker) return wrongPayload;
  const levels = { bids: b, asks: a, readLevel: levelInList, checksum: null, exchangeTimeMs: cts ?? ts };
  // After a restart of the exchange's service the first message is a snapshot whatever it says.
  if (type === "snapshot" || (type === "delta" && u === 1)) {
    return bookSnapshotOf(known, { ...levels, sequence: u, depthLimit: null }, receivedAtMs, wholeBook);
  }
  if (type !== "delta") return wholeBook.shape;
  return bookDiffOf(known, { ...levels, first: null, last: u, previous: null }, receivedAtMs, wholeBook);
}

function side(levels: unknown): RawSide | undefined {
  if (!Array.isArray(levels)) return undefined;
  const [best] = levels as unknown[];
  if (best === undefined) return null;
  if (!Array.isArray(best)) return undefined;
  const [price, quantity] = best as unknown[];
  return { price, quantity };
}

function trades(known: Known, ticker: string, data: object, receivedAtMs: number): Decoded | readonly Decoded[] {
  if (!Array.isArray(data) || data.length === 0) return trade.shape;
  return (data as unknown[]).map((payload) => {
    if (!isObject(payload)) return trade.shape;
    const { s, T, S, v, p, i, BT, seq } = payload as Untrusted<TradePayload>;
    if (s !== ticker) return wrongPayload;
    if (BT === true) return blockTrade;
    const raw = {
      price: p,
      quantity: v,
      side: S === "Buy" ? ("BUY" as const) : S === "Sell" ? ("SELL" as const) : null,
      id: i,
      count: 1,
      sequence: seq === undefined ? T : seq,
      exchangeTimeMs: T,
    };
    return tradeOf(known, raw, receivedAtMs, trade);
  });
}

type Ticker = Untrusted<TickerPayload>;

/** The latest sound fields; null when there were none yet. */
interface TickerState {
  statistics: Ticker | null;
  funding: Ticker | null;
}

const statisticsFields = [
  "lastPrice",
  "highPrice24h",
  "lowPrice24h",
  "prevPrice24h",
  "volume24h",
  "turnover24h",
] as const;
const fundingFields = ["fundingRate", "nextFundingTime", "markPrice", "indexPrice"] as const;

function tickerParts(
  known: Known,
  ticker: string,
  { type, ts }: Untrusted<Push>,
  payload: Ticker,
  state: TickerState,
  receivedAtMs: number,
): Decoded | readonly Decoded[] {
  if (payload.symbol !== ticker) return wrongPayload;
  if (type !== "snapshot" && type !== "delta") return statistics.shape;
  const parts: Decoded[] = [];
  if (statisticsFields.some((field) => payload[field] !== undefined)) {
    if (type === "delta" && state.statistics === null) parts.push(incomplete);
    else {
      const whole = merged(state.statistics, payload, statisticsFields);
      const decoded = ticker24h(known, whole, ts, receivedAtMs);
      if (decoded.kind !== "rejected") state.statistics = whole;
      parts.push(decoded);
    }
  }
  if (fundingFields.some((field) => payload[field] !== undefined)) {
    if (type === "delta" && state.funding === null) parts.push(incomplete);
    else {
      const whole = merged(state.funding, payload, fundingFields);
      const decoded = fundingRate(known, whole, ts, receivedAtMs);
      if (decoded.kind !== "rejected") state.funding = whole;
      parts.push(decoded);
    }
  }
  return parts.length === 0 ? nothingWeKeep : parts;
}

function merged(before: Ticker | null, payload: Ticker, fields: readonly (keyof Ticker)[]): Ticker {
  const whole: { -readonly [K in keyof Ticker]: unknown } = { ...before };
  for (const field of fields) if (payload[field] !== undefined) whole[field] = payload[field];
  return whole;
}

function ticker24h(known: Known, whole: Ticker, exchangeTimeMs: unknown, receivedAtMs: number): Decoded {
  const raw = {
    last: whole.lastPrice,
    high: whole.highPrice24h,
    low: whole.lowPrice24h,
    volume: whole.volume24h,
    quoteVolume: whole.turnover24h,
    change: whole.prevPrice24h,
    changeOf,
    exchangeTimeMs,
  };
  return ticker24hOf(known, raw, receivedAtMs, statistics);
}

function changeOf(last: DecimalText, rawOpen: unknown): Change | null {
  const open = positiveAmount(rawOpen);
  return open === null ? null : changeSince(open, last);
}

function fundingRate(known: Known, whole: Ticker, exchangeTimeMs: unknown, receivedAtMs: number): Decoded {
  if (whole.fundingRate === "") return unfunded;
  const raw = {
    rate: whole.fundingRate,
    fundingTimeMs: wholeNumber(whole.nextFundingTime),
    nextFundingTimeMs: null,
    markPrice: whole.markPrice ?? undefined,
    indexPrice: whole.indexPrice ?? undefined,
    exchangeTimeMs,
  };
  return fundingRateOf(known, raw, receivedAtMs, funding);
}

function decodeReply(frame: Untrusted<Reply>): Decoded {
  const { op, success, ret_msg, req_id } = frame;
  if (op === "ping" || op === "pong") return pong;
  if ((op !== "subscribe" && op !== "unsubscribe") || typeof success !== "boolean") return notAFrame;
  const reason = typeof ret_msg === "string" ? ret_msg.slice(0, 200) : "no reason given";
  // Part of a refused list may have been taken; asked again, the exchange objects to that.
  const isDone = success || reason.includes("already subscribed");
  return { kind: "answer", id: wholeNumber(req_id), error: isDone ? null : reason };
}

const notJson = rejected("not-json");
const notAFrame = rejected("not-a-frame");
const unknownTopic = rejected("unknown-topic");
const wrongPayload = rejected("wrong-payload");
const pong = skipped("pong");
const blockTrade = skipped("publicTrade-block");
const unfunded = skipped("tickers-unfunded");
/** The rest of the fields has not come yet, or was rejected. */
const incomplete = skipped("tickers-incomplete");
/** Open interest, sizes of best bid and offer, … */
const nothingWeKeep = skipped("tickers-other-fields");

const unusedTopics: ReadonlyMap<string, Decoded> = new Map(
  ["orderbook", "kline", "liquidation", "allLiquidation", "priceLimit"].map((topic) => [topic, skipped(topic)]),
);
