import type { DecimalText } from "../../core/decimal.js";
import { fromFixedPoint, multiplyFixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import {
  amount,
  type Change,
  changeByPercent,
  isObject,
  isPlausibleTime,
  type Untrusted,
  wholeNumber,
} from "../reading.js";
import { bookDiffOf, type ReadLevel } from "../stream/books.js";
import {
  bookTickerOf,
  findSymbol,
  type Known,
  type RawSide,
  reasonsOf,
  ticker24hOf,
  tradeOf,
} from "../stream/events.js";
import { type DecodeContext, type Decoded, rejected, skipped } from "../stream/protocol.js";
import {
  type AggregatedBookTicker,
  type AggregatedDeals,
  type AggregatedDepth,
  type Answer,
  type Deal,
  type DepthLevel,
  type MiniTicker,
  type PushData,
  readPushData,
} from "./wire.js";

/** One text frame: the answer to a request, or to a ping. */
export function decodeText(text: string): Decoded {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return notJson;
  }
  if (!isObject(parsed)) return notAnAnswer;
  const { id, code, msg } = parsed as Untrusted<Answer>;
  if (typeof code !== "number" || typeof msg !== "string") return notAnAnswer;
  if (msg === "PONG") return pong;
  // Requests are numbered from 1; 0 is what the exchange says when it does not know which.
  const answerId = typeof id === "number" && Number.isSafeInteger(id) && id > 0 ? id : null;
  // Done is what repeats the channels. Refusals can have the code 0 too, and no other text is documented.
  const isDone = code === 0 && msg.startsWith("spot@");
  return { kind: "answer", id: answerId, error: isDone ? null : `${msg.slice(0, 200).trim()} (${code})` };
}

/** One binary frame as what it says, in order. */
export function decodeBinary(
  frame: Uint8Array,
  receivedAtMs: number,
  context: DecodeContext,
): Decoded | readonly Decoded[] {
  let push: Untrusted<PushData>;
  try {
    push = readPushData(frame);
  } catch {
    return notProtobuf;
  }
  const { symbol, publicAggreBookTicker, publicAggreDeals, publicAggreDepths, publicMiniTicker } = push;
  const body = publicAggreBookTicker ?? publicAggreDeals ?? publicAggreDepths ?? publicMiniTicker;
  if (!isObject(body)) return unknownBody;
  const known = findSymbol(symbol, context, false);
  if ("kind" in known) return known;
  const sentAtMs = push.sendTime ?? push.createTime;
  if (body === publicAggreBookTicker) return bookTicker(known, body, sentAtMs, receivedAtMs);
  if (body === publicAggreDeals) return deals(known, body, receivedAtMs);
  if (body === publicAggreDepths) return depth(known, body, sentAtMs, receivedAtMs);
  return miniTicker(known, body, sentAtMs, receivedAtMs);
}

function bookTicker(
  known: Known,
  payload: Untrusted<AggregatedBookTicker>,
  sentAtMs: unknown,
  receivedAtMs: number,
): Decoded {
  const { bidPrice, bidQuantity, askPrice, askQuantity, version } = payload;
  const raw = {
    bid: side(bidPrice, bidQuantity),
    ask: side(askPrice, askQuantity),
    // Before there were versions, the time of sending was what grew; there is at most one frame each 100 ms.
    sequence: isAbsent(version) ? sentAtMs : wholeNumber(version),
    exchangeTimeMs: sentAtMs,
  };
  return bookTickerOf(known, raw, receivedAtMs, bookTickers);
}

const isAbsent = (raw: unknown): boolean => raw === undefined || raw === "";

const side = (price: unknown, quantity: unknown): RawSide =>
  isAbsent(price) && isAbsent(quantity) ? null : { price, quantity };

function deals(known: Known, payload: Untrusted<AggregatedDeals>, receivedAtMs: number): Decoded | readonly Decoded[] {
  if (!Array.isArray(payload.deals)) return emptyDeals;
  const list = payload.deals as readonly Untrusted<Deal>[];
  const seen = new Map<string, number>();
  // Trades are numbered by their time, so one that comes after a later one would be out of date. The sort is stable.
  return [...list]
    .sort((a, b) => Number(a.time ?? 0) - Number(b.time ?? 0))
    .map((deal) => trade(known, deal, seen, receivedAtMs));
}

function trade(known: Known, deal: Untrusted<Deal>, seen: Map<string, number>, receivedAtMs: number): Decoded {
  const { price, quantity, tradeType, time } = deal;
  const raw = {
    price,
    quantity,
    side: tradeType === 1 ? ("BUY" as const) : tradeType === 2 ? ("SELL" as const) : null,
    id: isAbsent(deal.tradeId) ? describedId(deal, seen) : deal.tradeId,
    count: 1,
    // Trades of one millisecond are told apart by their ids.
    sequence: time,
    exchangeTimeMs: time,
  };
  // The sequence is the time here, so that a bad one is called by its name.
  return isPlausibleTime(time, receivedAtMs) ? tradeOf(known, raw, receivedAtMs, dealReasons) : dealReasons.time;
}

/** For trades without an id: what they say about themselves, and which of those that say the same it is. */
function describedId({ price, quantity, tradeType, time }: Untrusted<Deal>, seen: Map<string, number>): string {
  const description = [time, tradeType, price, quantity].join(":");
  const before = seen.get(description) ?? 0;
  seen.set(description, before + 1);
  return before === 0 ? description : `${description}:${before}`;
}

function miniTicker(known: Known, payload: Untrusted<MiniTicker>, sentAtMs: unknown, receivedAtMs: number): Decoded {
  const { price, zonedRate, high, low, volume, quantity } = payload;
  const raw = {
    last: price,
    high: high ?? "",
    low: low ?? "",
    volume: quantity ?? "",
    quoteVolume: volume ?? "",
    change: zonedRate,
    changeOf: changeOfRate,
    exchangeTimeMs: sentAtMs,
  };
  return ticker24hOf(known, raw, receivedAtMs, miniTickers);
}

const hundred = toFixedPoint("100" as DecimalText);

/** The exchange gives the change as a fraction with four digits, and the opening price is as exact as that. */
function changeOfRate(last: DecimalText, rawRate: unknown): Change | null {
  const rate = amount(rawRate);
  return rate === null ? null : changeByPercent(last, fromFixedPoint(multiplyFixedPoint(toFixedPoint(rate), hundred)));
}

function depth(known: Known, payload: Untrusted<AggregatedDepth>, sentAtMs: unknown, receivedAtMs: number): Decoded {
  const diff = {
    first: wholeNumber(payload.fromVersion) ?? undefined,
    last: wholeNumber(payload.toVersion),
    previous: null,
    checksum: null,
    exchangeTimeMs: sentAtMs,
    // A side without changes is absent.
    bids: payload.bids ?? [],
    asks: payload.asks ?? [],
    readLevel,
  };
  return bookDiffOf(known, diff, receivedAtMs, depthReasons);
}

const readLevel: ReadLevel = (level) => {
  const { price, quantity } = level as Untrusted<DepthLevel>;
  return [price, quantity];
};

const bookTickers = reasonsOf("bookTicker");
const dealReasons = reasonsOf("deals");
const miniTickers = reasonsOf("miniTicker");
const depthReasons = reasonsOf("depth");
const notJson = rejected("not-json");
const notAnAnswer = rejected("not-an-answer");
const notProtobuf = rejected("not-protobuf");
const unknownBody = rejected("unknown-body");
const emptyDeals = skipped("deals-empty");
const pong = skipped("pong");
