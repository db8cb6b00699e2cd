import { type DecimalText, fitsNumeric38 } from "../../core/decimal.js";
import { fromFixedPoint, multiplyFixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import { amount, type Change, changeSince, isObject, positiveAmount, type Untrusted, wholeNumber } from "../reading.js";
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
import { type DecodeContext, type Decoded, type Rejected, rejected, skipped } from "../stream/protocol.js";
import type {
  BboPayload,
  BookPayload,
  ChannelArgument,
  EventFrame,
  FundingRatePayload,
  Push,
  TickerPayload,
  TradePayload,
} from "./wire.js";

export type OkxMarket = "SPOT" | "SWAP";

/** One text frame as what it says, in order. Fields that we do not know are ignored. */
export function decodeFrame(
  text: string,
  receivedAtMs: number,
  market: OkxMarket,
  context: DecodeContext,
): Decoded | readonly Decoded[] {
  if (text === "pong") return pong;
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return notJson;
  }
  if (!isObject(frame)) return notAFrame;
  if ("event" in frame) return decodeEvent(frame);
  const { arg, action, data } = frame as Untrusted<Push>;
  if (!isObject(arg) || !Array.isArray(data) || data.length === 0) return notAFrame;
  const { channel, instId } = arg as Untrusted<ChannelArgument>;
  const map = typeof channel === "string" ? mappings.get(channel) : undefined;
  if (map === undefined) return (typeof channel === "string" && unusedChannels.get(channel)) || unknownChannel;
  const known = findSymbol(instId, context, market === "SWAP");
  if ("kind" in known) return known;
  return (data as unknown[]).map((payload) =>
    isObject(payload) && isOf(payload, instId) ? map(known, payload, receivedAtMs, market, action) : wrongPayload,
  );
}

/** Best bids and offers and order books do not repeat the symbol; all others do. */
const isOf = (payload: { instId?: unknown }, instId: unknown): boolean =>
  payload.instId === undefined || payload.instId === instId;

type Mapping = (known: Known, payload: object, receivedAtMs: number, market: OkxMarket, action: unknown) => Decoded;

const bbo = reasonsOf("bbo-tbt");
const books = reasonsOf("books");
const trades = reasonsOf("trades");
const tickers = reasonsOf("tickers");
const funding = reasonsOf("funding-rate");

const mappings: ReadonlyMap<string, Mapping> = new Map<string, Mapping>([
  ["bbo-tbt", bookTicker],
  ["books", book],
  ["trades", trade],
  ["tickers", ticker24h],
  ["funding-rate", fundingRate],
]);

function bookTicker(known: Known, payload: Untrusted<BboPayload>, receivedAtMs: number): Decoded {
  const bid = side(payload.bids);
  const ask = side(payload.asks);
  if (bid === undefined || ask === undefined) return bbo.shape;
  const raw = { bid, ask, sequence: payload.seqId, exchangeTimeMs: wholeNumber(payload.ts) };
  return bookTickerOf(known, raw, receivedAtMs, bbo);
}

function side(levels: unknown): RawSide | undefined {
  if (!Array.isArray(levels)) return undefined;
  const [best] = levels as unknown[];
  if (best === undefined) return null;
  if (!Array.isArray(best)) return undefined;
  const [price, quantity] = best as unknown[];
  return { price, quantity };
}

function book(
  known: Known,
  payload: Untrusted<BookPayload>,
  receivedAtMs: number,
  _market: OkxMarket,
  action: unknown,
): Decoded {
  const { bids, asks, ts, seqId, prevSeqId } = payload;
  const checksum = payload.checksum ?? null;
  const levels = {
    bids,
    asks,
    readLevel: levelInList,
    keepOriginals: true,
    checksum,
    exchangeTimeMs: wholeNumber(ts),
  };
  // Without numbers it is the checksum that proves the book, and without that nothing does.
  const isNumbered = seqId !== undefined || checksum === null || checksum === 0;
  const sequence = isNumbered ? seqId : 0;
  if (action === "snapshot") {
    return bookSnapshotOf(known, { ...levels, sequence, depthLimit: null }, receivedAtMs, books);
  }
  if (action !== "update") return books.shape;
  const previous = isNumbered ? (prevSeqId ?? undefined) : null;
  return bookDiffOf(known, { ...levels, first: null, last: sequence, previous }, receivedAtMs, books);
}

function trade(known: Known, payload: Untrusted<TradePayload>, receivedAtMs: number): Decoded {
  const { tradeId, px, sz, side, ts, count } = payload;
  const raw = {
    price: px,
    quantity: sz,
    side: side === "buy" ? ("BUY" as const) : side === "sell" ? ("SELL" as const) : null,
    id: tradeId,
    count: count === undefined ? 1 : wholeNumber(count),
    sequence: wholeNumber(tradeId),
    exchangeTimeMs: wholeNumber(ts),
  };
  return tradeOf(known, raw, receivedAtMs, trades);
}

function ticker24h(known: Known, payload: Untrusted<TickerPayload>, receivedAtMs: number, market: OkxMarket): Decoded {
  const { last, open24h, high24h, low24h, vol24h, volCcy24h, ts } = payload;
  const raw = {
    last,
    high: high24h,
    low: low24h,
    volume: market === "SPOT" ? vol24h : volCcy24h,
    quoteVolume: market === "SPOT" ? volCcy24h : turnover(volCcy24h, last),
    change: open24h,
    changeOf,
    exchangeTimeMs: wholeNumber(ts),
  };
  return ticker24hOf(known, raw, receivedAtMs, tickers);
}

/** The exchange does not say what swaps turned over in the quote currency: the volume at the last price stands in for it. */
function turnover(volume: unknown, last: unknown): DecimalText | null {
  const quantity = amount(volume);
  const price = amount(last);
  if (quantity === null || price === null) return null;
  const value = fromFixedPoint(multiplyFixedPoint(toFixedPoint(quantity), toFixedPoint(price)));
  return fitsNumeric38(value) ? value : null;
}

function changeOf(last: DecimalText, rawOpen: unknown): Change | null {
  const open = positiveAmount(rawOpen);
  return open === null ? null : changeSince(open, last);
}

function fundingRate(known: Known, payload: Untrusted<FundingRatePayload>, receivedAtMs: number): Decoded {
  const { fundingRate: rate, fundingTime, nextFundingTime, ts } = payload;
  const raw = {
    rate,
    fundingTimeMs: wholeNumber(fundingTime),
    nextFundingTimeMs: nextFundingTime === "" ? null : (wholeNumber(nextFundingTime) ?? undefined),
    markPrice: null,
    indexPrice: null,
    exchangeTimeMs: wholeNumber(ts),
  };
  return fundingRateOf(known, raw, receivedAtMs, funding);
}

function decodeEvent(frame: Untrusted<EventFrame>): Decoded {
  const { event, id, code, msg } = frame;
  switch (event) {
    case "subscribe":
    case "unsubscribe":
      return { kind: "answer", id: wholeNumber(id), error: null };
    case "error": {
      const reason = typeof msg === "string" ? msg.slice(0, 200) : "no reason given";
      return { kind: "answer", id: wholeNumber(id), error: typeof code === "string" ? `${reason} (${code})` : reason };
    }
    case "notice":
      return code === closingSoon ? { kind: "shutdown" } : notice;
    case "channel-conn-count":
      return connectionCount;
    default:
      return unknownEvent;
  }
}

const closingSoon = "64008";

const notJson: Rejected = rejected("not-json");
const notAFrame = rejected("not-a-frame");
const unknownChannel = rejected("unknown-channel");
const unknownEvent = rejected("unknown-event");
const wrongPayload = rejected("wrong-payload");
const pong = skipped("pong");
const notice = skipped("notice");
const connectionCount = skipped("channel-conn-count");

const unusedChannels: ReadonlyMap<string, Decoded> = new Map(
  ["books5", "books-l2-tbt", "mark-price", "index-tickers", "open-interest", "instruments"].map((channel) => [
    channel,
    skipped(channel),
  ]),
);
