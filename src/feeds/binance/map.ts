import { Decimal, isPositive } from "../../core/decimal.js";
import { amount, isNegative, isObject, isPlausibleTime, isSequence, isTradeCount, type Untrusted } from "../reading.js";
import { bookDiffOf, levelInList } from "../stream/books.js";
import { reasonsOf } from "../stream/events.js";
import {
  type Answer,
  type Decoded,
  type Rejected,
  rejected,
  type Shutdown,
  type Skipped,
  type StreamSymbol,
  skipped,
} from "../stream/protocol.js";
import type {
  AggTradePayload,
  BookTickerPayload,
  CombinedFrame,
  DepthPayload,
  RequestAnswer,
  RequestError,
  TickerPayload,
} from "./wire.js";

export type { Decoded };

/** A symbol by the exchange's name for it. */
export type SpotSymbol = StreamSymbol;

/**
 * One text frame of the combined stream endpoint as a market event, or as the reason why it is none. Never throws; the
 * names of the reasons come from fixed lists. Fields that we do not know are ignored.
 */
export function decodeFrame(text: string, receivedAtMs: number, symbols: ReadonlyMap<string, SpotSymbol>): Decoded {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return notJson;
  }
  return decodeParsed(frame, receivedAtMs, symbols);
}

/** As {@link decodeFrame}, for a frame that has been parsed. */
export function decodeParsed(frame: unknown, receivedAtMs: number, symbols: ReadonlyMap<string, SpotSymbol>): Decoded {
  if (!isObject(frame)) return notAFrame;
  const { stream, data } = frame as Untrusted<CombinedFrame>;
  if (typeof stream !== "string" || !isObject(data)) return decodeUnwrapped(frame);

  const type = (data as { e?: unknown }).e;
  const channelAt = stream.indexOf("@");
  if (type === undefined || type === "bookTicker") {
    if (stream.endsWith("@bookTicker")) return bookTicker(stream, channelAt, data, receivedAtMs, symbols);
    if (type === undefined) return stream.includes("@depth", channelAt) ? skippedDepth : untypedFrame(data);
    return wrongStream;
  }
  if (type === "aggTrade") {
    return stream.endsWith("@aggTrade") ? trade(stream, channelAt, data, receivedAtMs, symbols) : wrongStream;
  }
  if (type === "24hrTicker") {
    return stream.endsWith("@ticker") ? ticker24h(stream, channelAt, data, receivedAtMs, symbols) : wrongStream;
  }
  // At another pace it would be another stream, which we do not ask for.
  if (type === "depthUpdate" && stream.endsWith("@depth@100ms")) {
    return depth(stream, channelAt, data, receivedAtMs, symbols);
  }
  if (type === "serverShutdown") return shutdown;
  return (typeof type === "string" && unusedTypes.get(type)) || unknownType;
}

function bookTicker(
  stream: string,
  channelAt: number,
  payload: Untrusted<BookTickerPayload>,
  receivedAtMs: number,
  symbols: ReadonlyMap<string, SpotSymbol>,
): Decoded {
  const symbolId = symbolOf(payload.s, stream, channelAt, symbols);
  if (typeof symbolId !== "number") return symbolId;
  const { u } = payload;
  if (!isSequence(u)) return book.sequence;
  let bid = amount(payload.b);
  let bidQuantity = amount(payload.B);
  let ask = amount(payload.a);
  let askQuantity = amount(payload.A);
  if (bid === "0" && bidQuantity === "0") bid = bidQuantity = null;
  else if (bid === null || !isPositive(bid)) return book.price;
  else if (bidQuantity === null || !isPositive(bidQuantity)) return book.quantity;
  if (ask === "0" && askQuantity === "0") ask = askQuantity = null;
  else if (ask === null || !isPositive(ask)) return book.price;
  else if (askQuantity === null || !isPositive(askQuantity)) return book.quantity;
  return {
    kind: "bookTicker",
    symbolId,
    bid,
    bidQuantity,
    ask,
    askQuantity,
    exchangeSequence: u,
    exchangeTimeMs: null,
    receivedAtMs,
  };
}

function trade(
  stream: string,
  channelAt: number,
  payload: Untrusted<AggTradePayload>,
  receivedAtMs: number,
  symbols: ReadonlyMap<string, SpotSymbol>,
): Decoded {
  const symbolId = symbolOf(payload.s, stream, channelAt, symbols);
  if (typeof symbolId !== "number") return symbolId;
  const { a, f, l, T, m } = payload;
  if (!isSequence(a)) return agg.sequence;
  const price = amount(payload.p);
  if (price === null || !isPositive(price)) return agg.price;
  const quantity = amount(payload.q);
  if (quantity === null || !isPositive(quantity)) return agg.quantity;
  if (!isPlausibleTime(T, receivedAtMs)) return agg.time;
  if (typeof m !== "boolean") return agg.side;
  if (!isSequence(f) || !isSequence(l) || !isTradeCount(l - f + 1)) return agg.count;
  return {
    kind: "trade",
    symbolId,
    price,
    quantity,
    side: m ? "SELL" : "BUY",
    tradeId: String(a),
    tradeCount: l - f + 1,
    exchangeSequence: a,
    exchangeTimeMs: T,
    receivedAtMs,
  };
}

function ticker24h(
  stream: string,
  channelAt: number,
  payload: Untrusted<TickerPayload>,
  receivedAtMs: number,
  symbols: ReadonlyMap<string, SpotSymbol>,
): Decoded {
  const symbolId = symbolOf(payload.s, stream, channelAt, symbols);
  if (typeof symbolId !== "number") return symbolId;
  const { E } = payload;
  if (!isPlausibleTime(E, receivedAtMs)) return stats.time;
  const last = amount(payload.c);
  const open = amount(payload.o);
  const high = amount(payload.h);
  const low = amount(payload.l);
  if (last === null || open === null || high === null || low === null) return stats.price;
  const change = amount(payload.p);
  const changePercent = amount(payload.P);
  if (change === null || changePercent === null) return stats.change;
  const volume = amount(payload.v);
  const quoteVolume = amount(payload.q);
  if (volume === null || quoteVolume === null || isNegative(volume) || isNegative(quoteVolume)) return stats.volume;
  if (!isPositive(last) || !isPositive(open) || !isPositive(high) || !isPositive(low)) {
    const untraded = volume === "0" && open === "0" && high === "0" && low === "0" && !isNegative(last);
    return untraded ? skippedUntraded : stats.price;
  }
  if (new Decimal(low).gt(high)) return stats.price;
  return {
    kind: "ticker24h",
    symbolId,
    last,
    open,
    high,
    low,
    change,
    changePercent,
    volume,
    quoteVolume,
    exchangeTimeMs: E,
    receivedAtMs,
  };
}

function depth(
  stream: string,
  channelAt: number,
  payload: Untrusted<DepthPayload>,
  receivedAtMs: number,
  symbols: ReadonlyMap<string, SpotSymbol>,
): Decoded {
  const symbolId = symbolOf(payload.s, stream, channelAt, symbols);
  if (typeof symbolId !== "number") return symbolId;
  const { E, U, u, b, a } = payload;
  const raw = {
    bids: b,
    asks: a,
    readLevel: levelInList,
    // Null would say that the exchange does not send it.
    first: U ?? undefined,
    last: u,
    previous: null,
    checksum: null,
    exchangeTimeMs: E,
  };
  return bookDiffOf({ symbolId, contractSize: null }, raw, receivedAtMs, depthReasons);
}

/** Answers to requests, and the announcement of a shutdown, which has been seen with and without an envelope. */
function decodeUnwrapped(frame: object): Decoded {
  const { error, code, msg, id, result } = frame as Untrusted<RequestError & RequestAnswer>;
  const answerId = typeof id === "number" && Number.isSafeInteger(id) ? id : null;
  if (isObject(error)) return refusal(answerId, error);
  if (typeof code === "number" && typeof msg === "string") return refusal(answerId, { code, msg });
  if (result === null && answerId !== null) return { kind: "answer", id: answerId, error: null };
  const { e, event } = frame as { e?: unknown; event?: unknown };
  if (e === "serverShutdown" || (isObject(event) && (event as { e?: unknown }).e === "serverShutdown")) return shutdown;
  return notAFrame;
}

function refusal(id: number | null, { code, msg }: { code?: unknown; msg?: unknown }): Answer {
  const reason = typeof msg === "string" ? msg.slice(0, 200) : "no reason given";
  return { kind: "answer", id, error: typeof code === "number" ? `${reason} (${code})` : reason };
}

/** The id of the symbol that both the payload and the stream's name speak of. */
function symbolOf(
  ticker: unknown,
  stream: string,
  channelAt: number,
  symbols: ReadonlyMap<string, SpotSymbol>,
): number | Skipped | Rejected {
  const symbol = typeof ticker === "string" ? symbols.get(ticker) : undefined;
  if (symbol === undefined) return unknownSymbol;
  if (symbol.streamPrefix.length !== channelAt || !stream.startsWith(symbol.streamPrefix)) return wrongStream;
  return symbol.id ?? skippedUnsubscribed;
}

export const notJson = rejected("not-json");
const notAFrame = rejected("not-a-frame");
export const wrongStream = rejected("wrong-stream");
const unknownType = rejected("unknown-type");
const unknownSymbol = rejected("unknown-symbol");
const book = {
  sequence: rejected("bookTicker-sequence"),
  price: rejected("bookTicker-price"),
  quantity: rejected("bookTicker-quantity"),
};
const agg = {
  sequence: rejected("aggTrade-sequence"),
  price: rejected("aggTrade-price"),
  quantity: rejected("aggTrade-quantity"),
  time: rejected("aggTrade-time"),
  side: rejected("aggTrade-side"),
  count: rejected("aggTrade-count"),
};
const stats = {
  price: rejected("24hrTicker-price"),
  change: rejected("24hrTicker-change"),
  volume: rejected("24hrTicker-volume"),
  time: rejected("24hrTicker-time"),
};
const depthReasons = reasonsOf("depth");
const shutdown: Shutdown = { kind: "shutdown" };
const skippedDepth = skipped("depth");
const skippedAllMarkets = skipped("all-markets");
/** A pair that nobody traded for 24 hours has zeros where its prices would be. */
const skippedUntraded = skipped("24hrTicker-untraded");
const skippedUnsubscribed = skipped("unsubscribed-symbol");

/** Payloads without a type are partial depth (its stream says so) and the arrays of the all-market streams. */
const untypedFrame = (data: object): Decoded => (Array.isArray(data) ? skippedAllMarkets : unknownType);

const unusedTypes: ReadonlyMap<string, Skipped> = new Map(
  ["depthUpdate", "trade", "kline", "24hrMiniTicker", "avgPrice", "1hTicker", "4hTicker", "1dTicker"].map((type) => [
    type,
    skipped(type),
  ]),
);
