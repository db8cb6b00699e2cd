import { decodeParsed, notJson, wrongStream } from "../binance/map.js";
import type { CombinedFrame } from "../binance/wire.js";
import { isObject, isPlausibleTime, isSequence, type Untrusted } from "../reading.js";
import { findSymbol, fundingRateOf, reasonsOf } from "../stream/events.js";
import { type BookMessage, type DecodeContext, type Decoded, type Rejected, rejected } from "../stream/protocol.js";
import type { FuturesBookTickerPayload, FuturesDepthPayload, MarkPricePayload } from "./wire.js";

/** One text frame of a combined stream endpoint, as spot's, with the time of best bids and offers, and funding. */
export function decodeFrame(text: string, receivedAtMs: number, context: DecodeContext): Decoded {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return notJson;
  }
  const { stream, data } = (isObject(frame) ? frame : {}) as Untrusted<CombinedFrame>;
  if (isObject(data) && (data as { e?: unknown }).e === "markPriceUpdate") {
    return markPrice(stream, data, receivedAtMs, context);
  }
  const decoded = decodeParsed(frame, receivedAtMs, context.symbols);
  if (decoded.kind === "book") return withPrevious(decoded, data as Untrusted<FuturesDepthPayload>);
  if (decoded.kind !== "bookTicker") return decoded;
  const { T } = data as Untrusted<FuturesBookTickerPayload>;
  return isPlausibleTime(T, receivedAtMs) ? { ...decoded, exchangeTimeMs: T } : bookTickerTime;
}

function withPrevious(book: BookMessage, { pu }: Untrusted<FuturesDepthPayload>): BookMessage | Rejected {
  if (book.message.kind !== "diff" || !isSequence(pu)) return depthSequence;
  return { ...book, message: { kind: "diff", diff: { ...book.message.diff, previous: pu } } };
}

function markPrice(
  stream: unknown,
  payload: Untrusted<MarkPricePayload>,
  receivedAtMs: number,
  context: DecodeContext,
): Decoded {
  const { s, E, p, i, r, T } = payload;
  const known = findSymbol(s, context, false);
  if ("kind" in known) return known;
  if (stream !== `${String(s).toLowerCase()}@markPrice@1s`) return wrongStream;
  const raw = {
    rate: r,
    fundingTimeMs: T,
    nextFundingTimeMs: null,
    // Null would say that the exchange does not send it.
    markPrice: p ?? undefined,
    indexPrice: i ?? undefined,
    exchangeTimeMs: E,
  };
  return fundingRateOf(known, raw, receivedAtMs, reasons);
}

const reasons = reasonsOf("markPrice");
const depthSequence = rejected("depth-sequence");
const bookTickerTime = rejected("bookTicker-time");
