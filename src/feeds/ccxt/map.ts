import { Decimal, type DecimalText } from "../../core/decimal.js";
import type { FixedPoint } from "../../core/fixed-point.js";
import type { BookLevel } from "../../market-data/events.js";
import {
  amount,
  type Change,
  changeByPercent,
  changeSince,
  floatAsText,
  isObject,
  isPlausibleTime,
  positiveAmount,
  type Untrusted,
} from "../reading.js";
import { toBaseQuantity } from "../stream/contract-sizes.js";
import {
  bookTickerOf,
  type Known,
  type RawSide,
  reasonsOf,
  ticker24hOf,
  tradeOf,
  turnoverAt,
} from "../stream/events.js";
import { type Decoded, rejected } from "../stream/protocol.js";
import type { CcxtOrderBook, CcxtTicker, CcxtTrade } from "./wire.js";

/*
 * Money is text here and floats in ccxt, which parsed the exchange's text before we see it; `info` has that text still, but
 * in each exchange's own words. So the floats become their shortest text, see `floatAsText`.
 */

export function tickerOf(known: Known, raw: unknown, receivedAtMs: number): Decoded {
  if (!isObject(raw)) return notATicker;
  const ticker = raw as Untrusted<CcxtTicker>;
  const last = floatAsText(ticker.last);
  // In the base currency everywhere, unlike the amounts of trades and books.
  const volume = floatAsText(ticker.baseVolume);
  const values = {
    last,
    high: floatAsText(ticker.high),
    low: floatAsText(ticker.low),
    volume,
    quoteVolume: ticker.quoteVolume == null ? turnoverAt(last, volume) : floatAsText(ticker.quoteVolume),
    change: ticker,
    changeOf,
    exchangeTimeMs: ticker.timestamp ?? receivedAtMs,
  };
  return ticker24hOf(known, values, receivedAtMs, tickers);
}

function changeOf(last: DecimalText, raw: unknown): Change | null {
  const { open, percentage } = raw as Untrusted<CcxtTicker>;
  if (open != null) {
    const start = positiveAmount(floatAsText(open));
    return start === null ? null : changeSince(start, last);
  }
  const percent = amount(floatAsText(percentage));
  return percent === null ? null : changeByPercent(last, percent);
}

/** For exchanges whose order books are not watched: the best bid and offer that the statistics may carry, else null. */
export function tickerBookOf(known: Known, raw: unknown, sequence: number, receivedAtMs: number): Decoded | null {
  if (!isObject(raw)) return null;
  const { bid, bidVolume, ask, askVolume, timestamp } = raw as Untrusted<CcxtTicker>;
  if (bid == null || bidVolume == null || ask == null || askVolume == null) return null;
  const book = {
    bid: sideOf(bid, bidVolume),
    ask: sideOf(ask, askVolume),
    sequence,
    exchangeTimeMs: timestamp ?? receivedAtMs,
  };
  return bookTickerOf(known, book, receivedAtMs, tickers);
}

const sideOf = (price: unknown, quantity: unknown): RawSide => ({
  price: floatAsText(price),
  quantity: floatAsText(quantity),
});

/** Oldest first. Without an id a trade is told by what it says. */
export function sortedTrades(raw: unknown): readonly unknown[] {
  if (!Array.isArray(raw)) return [raw];
  const timeOf = (trade: unknown) => Number((isObject(trade) ? (trade as Untrusted<CcxtTrade>) : {}).timestamp ?? 0);
  return [...(raw as unknown[])].sort((a, b) => timeOf(a) - timeOf(b));
}

export function readTrade(known: Known, raw: unknown, receivedAtMs: number): Decoded {
  if (!isObject(raw)) return notATrade;
  const { id, timestamp, side, price, amount: quantity } = raw as Untrusted<CcxtTrade>;
  // It is the sequence too; so a bad one is called by its name.
  if (!isPlausibleTime(timestamp, receivedAtMs)) return trades.time;
  const values = {
    price: floatAsText(price),
    quantity: floatAsText(quantity),
    side: side === "buy" ? ("BUY" as const) : side === "sell" ? ("SELL" as const) : null,
    id: id ?? [timestamp, side, price, quantity].join(":"),
    count: 1,
    // Not every exchange numbers its trades; those of one millisecond are told apart by their ids.
    sequence: timestamp,
    exchangeTimeMs: timestamp,
  };
  return tradeOf(known, values, receivedAtMs, trades);
}

/** As events take them. */
const depth = 50;

/** The best levels, and with them the best bid and offer. */
export function readBook(known: Known, raw: unknown, sequence: number, receivedAtMs: number): readonly Decoded[] {
  if (!isObject(raw)) return [notABook];
  const { bids: rawBids, asks: rawAsks, timestamp } = raw as Untrusted<CcxtOrderBook>;
  const exchangeTimeMs = timestamp ?? receivedAtMs;
  if (!isPlausibleTime(exchangeTimeMs, receivedAtMs)) return [books.time];
  const bids = levels(rawBids, known.contractSize);
  const asks = levels(rawAsks, known.contractSize);
  if (bids === null || asks === null) return [books.price];
  const [bid = null] = bids;
  const [ask = null] = asks;
  if (bid !== null && ask !== null && new Decimal(bid[0]).gte(ask[0])) return [crossed];
  const common = { symbolId: known.symbolId, exchangeSequence: sequence, exchangeTimeMs, receivedAtMs };
  return [
    {
      kind: "bookTicker",
      ...common,
      bid: bid?.[0] ?? null,
      bidQuantity: bid?.[1] ?? null,
      ask: ask?.[0] ?? null,
      askQuantity: ask?.[1] ?? null,
    },
    { kind: "orderBook", ...common, bids, asks },
  ];
}

function levels(raw: unknown, contractSize: FixedPoint | null): BookLevel[] | null {
  if (!Array.isArray(raw)) return null;
  const read: BookLevel[] = [];
  for (const level of raw.slice(0, depth) as unknown[]) {
    const [rawPrice, rawQuantity] = Array.isArray(level) ? (level as unknown[]) : [];
    const price = positiveAmount(floatAsText(rawPrice));
    const quantity = positiveAmount(floatAsText(rawQuantity));
    if (price === null || quantity === null) return null;
    const base = contractSize === null ? quantity : toBaseQuantity(quantity, contractSize);
    if (base === null) return null;
    read.push([price, base]);
  }
  return read;
}

const tickers = reasonsOf("ticker");
const trades = reasonsOf("trade");
const books = reasonsOf("order-book");
const notATicker = rejected("not-a-ticker");
const notATrade = rejected("not-a-trade");
const notABook = rejected("not-a-book");
const crossed = rejected("order-book-crossed");
