import { type DecimalText, isPositive } from "../../core/decimal.js";
import { fromFixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import {
  amount,
  type Change,
  changeByPercent,
  isNegative,
  isObject,
  numberAsText,
  type Untrusted,
  wholeNumber,
  withoutSign,
} from "../reading.js";
import { bookDiffOf, bookSnapshotOf, levelInList, type ReadLevel } from "../stream/books.js";
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
import {
  type DecodeContext,
  type Decoded,
  type Rejected,
  rejected,
  type Skipped,
  skipped,
} from "../stream/protocol.js";
import type {
  BookTickerPayload,
  BookUpdatePayload,
  Frame,
  FuturesBookLevel,
  FuturesTickerPayload,
  FuturesTradePayload,
  SpotTickerPayload,
  SpotTradePayload,
} from "./wire.js";

/** One text frame of the spot or the futures address as what it says, in order. Fields that we do not know are ignored. */
export function decodeFrame(text: string, receivedAtMs: number, context: DecodeContext): Decoded | readonly Decoded[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return notJson;
  }
  if (!isObject(parsed)) return notAFrame;
  const frame = parsed as Untrusted<Frame>;
  const { channel, event, result } = frame;
  if (channel === "spot.pong" || channel === "futures.pong") return pong;
  if (event !== "update" && event !== "all") return decodeAnswer(frame);
  if (typeof channel !== "string") return notAFrame;
  const mapping = mappings.get(channel);
  if (mapping === undefined) return unusedChannels.get(channel) ?? unknownChannel;
  const map = (payload: unknown): Decoded | readonly Decoded[] => {
    if (!isObject(payload)) return wrongPayload;
    const known = findSymbol((payload as Fields)[mapping.ticker], context, mapping.inContracts);
    return "kind" in known ? known : mapping.map(known, payload, receivedAtMs, frame.time_ms);
  };
  if (!Array.isArray(result)) return map(result);
  return result.length === 0 ? wrongPayload : (result as unknown[]).flatMap(map);
}

type Fields = Record<string, unknown>;

interface Mapping {
  /** The field that names the symbol. */
  readonly ticker: string;
  readonly inContracts: boolean;
  map(known: Known, payload: object, receivedAtMs: number, sentAtMs: unknown): Decoded | readonly Decoded[];
}

const mappings: ReadonlyMap<string, Mapping> = new Map([
  ["spot.book_ticker", { ticker: "s", inContracts: false, map: bookTicker(reasonsOf("spot.book_ticker")) }],
  [
    "spot.order_book_update",
    { ticker: "s", inContracts: false, map: bookUpdate("spot.order_book_update", levelInList) },
  ],
  ["spot.trades", { ticker: "currency_pair", inContracts: false, map: spotTrade }],
  ["spot.tickers", { ticker: "currency_pair", inContracts: false, map: spotTicker }],
  ["futures.book_ticker", { ticker: "s", inContracts: true, map: bookTicker(reasonsOf("futures.book_ticker")) }],
  [
    "futures.order_book_update",
    { ticker: "s", inContracts: true, map: bookUpdate("futures.order_book_update", futuresLevel) },
  ],
  ["futures.trades", { ticker: "contract", inContracts: true, map: futuresTrade }],
  // Their volumes are in the base currency.
  ["futures.tickers", { ticker: "contract", inContracts: false, map: futuresTicker }],
]);

function bookTicker(reasons: ReturnType<typeof reasonsOf>) {
  return (known: Known, payload: Untrusted<BookTickerPayload>, receivedAtMs: number): Decoded => {
    const { t, u, b, B, a, A } = payload;
    const raw = { bid: side(b, B, known), ask: side(a, A, known), sequence: u, exchangeTimeMs: t };
    return bookTickerOf(known, raw, receivedAtMs, reasons);
  };
}

const side = (price: unknown, quantity: unknown, { contractSize }: Known): RawSide =>
  price === "" ? null : { price, quantity: contractSize === null ? quantity : numberAsText(quantity) };

/** Levels a side of a whole book, by stream and by REST. */
export const bookDepth = 100;

export function futuresLevel(level: unknown): ReturnType<ReadLevel> {
  if (!isObject(level)) return null;
  const { p, s } = level as Untrusted<FuturesBookLevel>;
  return [p, numberAsText(s)];
}

function bookUpdate(channel: string, readLevel: ReadLevel) {
  const reasons = reasonsOf(channel);
  return (known: Known, payload: Untrusted<BookUpdatePayload>, receivedAtMs: number): Decoded => {
    const { t, full, U, u, b, a } = payload;
    const levels = { bids: b, asks: a, readLevel, checksum: null, exchangeTimeMs: t };
    if (full === true) {
      return bookSnapshotOf(known, { ...levels, sequence: u, depthLimit: bookDepth }, receivedAtMs, reasons);
    }
    // Null would say that the exchange does not send it.
    return bookDiffOf(known, { ...levels, first: U ?? undefined, last: u, previous: null }, receivedAtMs, reasons);
  };
}

function spotTrade(known: Known, payload: Untrusted<SpotTradePayload>, receivedAtMs: number): Decoded {
  const { id, create_time_ms, side: taker, amount: quantity, price } = payload;
  const raw = {
    price,
    quantity,
    side: taker === "buy" ? ("BUY" as const) : taker === "sell" ? ("SELL" as const) : null,
    id: String(id),
    count: 1,
    sequence: id,
    exchangeTimeMs: wholeMilliseconds(create_time_ms),
  };
  return tradeOf(known, raw, receivedAtMs, spotTrades);
}

/** Spot sends milliseconds as text with a fraction, e.g. "1700000000120.4578". */
const wholeMilliseconds = (raw: unknown): number | null =>
  typeof raw === "string" ? wholeNumber(raw.replace(/\.\d{0,9}$/, "")) : null;

function futuresTrade(known: Known, payload: Untrusted<FuturesTradePayload>, receivedAtMs: number): Decoded {
  const { id, create_time_ms, size, price, is_internal } = payload;
  if (is_internal === true) return internalTrade;
  const contracts = amount(numberAsText(size));
  const raw = {
    price,
    quantity: contracts === null ? null : withoutSign(contracts),
    side: contracts !== null && isNegative(contracts) ? ("SELL" as const) : ("BUY" as const),
    id: String(id),
    count: 1,
    sequence: id,
    exchangeTimeMs: create_time_ms,
  };
  return tradeOf(known, raw, receivedAtMs, futuresTrades);
}

function spotTicker(
  known: Known,
  payload: Untrusted<SpotTickerPayload>,
  receivedAtMs: number,
  sentAtMs: unknown,
): Decoded {
  const { last, change_percentage, base_volume, quote_volume, high_24h, low_24h } = payload;
  const raw = {
    last,
    high: high_24h,
    low: low_24h,
    volume: base_volume,
    quoteVolume: quote_volume,
    change: change_percentage,
    changeOf: changeOfPercent,
    exchangeTimeMs: sentAtMs,
  };
  return ticker24hOf(known, raw, receivedAtMs, spotTickers);
}

function changeOfPercent(last: DecimalText, rawPercent: unknown): Change | null {
  const percent = amount(rawPercent);
  return percent === null ? null : changeByPercent(last, percent);
}

function futuresTicker(
  known: Known,
  payload: Untrusted<FuturesTickerPayload>,
  receivedAtMs: number,
  sentAtMs: unknown,
): readonly Decoded[] {
  const { last, volume_24h_base, volume_24h_quote, high_24h, low_24h, t } = payload;
  const exchangeTimeMs = t ?? sentAtMs;
  const raw = {
    last,
    high: high_24h,
    low: low_24h,
    volume: volume_24h_base,
    quoteVolume: volume_24h_quote,
    change: payload,
    changeOf: changeOfFutures,
    exchangeTimeMs,
  };
  const statistics = ticker24hOf(known, raw, receivedAtMs, futuresTickers);
  // Contracts that have an end are not funded; older frames do not say when the payment is.
  if (payload.funding_rate === "" || payload.funding_next_apply === undefined) return [statistics];
  return [statistics, fundingRate(known, payload, exchangeTimeMs, receivedAtMs)];
}

function changeOfFutures(last: DecimalText, payload: unknown): Change | null {
  const { change_price, change_percentage } = payload as Untrusted<FuturesTickerPayload>;
  const changePercent = amount(change_percentage);
  if (changePercent === null) return null;
  if (change_price === undefined) return changeByPercent(last, changePercent);
  const change = amount(change_price);
  if (change === null) return null;
  const open = fromFixedPoint(toFixedPoint(last) - toFixedPoint(change));
  return isPositive(open) ? { open, change, changePercent } : null;
}

function fundingRate(
  known: Known,
  payload: Untrusted<FuturesTickerPayload>,
  exchangeTimeMs: unknown,
  receivedAtMs: number,
): Decoded {
  const { funding_rate, funding_next_apply, funding_interval, mark_price, index_price } = payload;
  const fundingTimeMs = Number(funding_next_apply) * 1000;
  const raw = {
    rate: funding_rate,
    fundingTimeMs,
    nextFundingTimeMs: funding_interval === undefined ? null : fundingTimeMs + Number(funding_interval) * 1000,
    markPrice: mark_price ?? undefined,
    indexPrice: index_price ?? undefined,
    exchangeTimeMs,
  };
  return fundingRateOf(known, raw, receivedAtMs, funding);
}

function decodeAnswer({ id, event, error, result }: Untrusted<Frame>): Decoded {
  const isRequest = event === "subscribe" || event === "unsubscribe";
  const answerId = typeof id === "number" && Number.isSafeInteger(id) ? id : wholeNumber(id);
  if (isObject(error)) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    const reason = typeof message === "string" ? message.slice(0, 200) : "no reason given";
    // Part of a refused list may have been taken; asked again, the exchange objects to that.
    if (alreadySubscribed.test(reason)) return { kind: "answer", id: answerId, error: null };
    return { kind: "answer", id: answerId, error: typeof code === "number" ? `${reason} (${code})` : reason };
  }
  if (!isRequest || !isObject(result)) return notAFrame;
  const { status } = result as { status?: unknown };
  return { kind: "answer", id: answerId, error: status === "success" ? null : "no reason given" };
}

const alreadySubscribed = /^alert sub |already subscribed/i;

const spotTrades = reasonsOf("spot.trades");
const spotTickers = reasonsOf("spot.tickers");
const futuresTrades = reasonsOf("futures.trades");
const futuresTickers = reasonsOf("futures.tickers");
const funding = reasonsOf("futures.tickers-funding");

const notJson: Rejected = rejected("not-json");
const notAFrame = rejected("not-a-frame");
const unknownChannel = rejected("unknown-channel");
const wrongPayload = rejected("wrong-payload");
const pong = skipped("pong");
const internalTrade = skipped("futures.trades-internal");

const unusedChannels: ReadonlyMap<string, Skipped> = new Map(
  ["spot", "futures"].flatMap((market) =>
    ["candlesticks", "order_book", "obu"].map((channel) => [`${market}.${channel}`, skipped(`${market}.${channel}`)]),
  ),
);
