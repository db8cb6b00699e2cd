import { describe, expect, test } from "vitest";
import type { DecimalText } from "../../core/decimal.js";
import { toFixedPoint } from "../../core/fixed-point.js";
import { readBook, readTrade, sortedTrades, tickerBookOf, tickerOf } from "./map.js";

const nowMs = 1_700_000_000_500;
const sentMs = 1_700_000_000_123;
const spot = { symbolId: 7, contractSize: null };
const futures = { symbolId: 7, contractSize: toFixedPoint("0.01" as DecimalText) };

type Change = Readonly<Record<string, unknown>>;
type Row = readonly [field: string, value: unknown, what: string];

const tickerFields = {
  symbol: "BTC/USDT",
  timestamp: sentMs,
  last: 63_000,
  open: 64_000,
  high: 64_500,
  low: 62_500,
  percentage: 99,
  baseVolume: 1234.5,
  quoteVolume: 79_012_345.6,
  bid: 62_999.5,
  bidVolume: 1e-7,
  ask: 63_000,
  askVolume: 2,
};
const tradeFields = { symbol: "BTC/USDT", id: "4711", timestamp: sentMs, side: "sell", price: 64_000.1, amount: 1e-8 };
const bookFields = {
  symbol: "BTC/USDT",
  timestamp: sentMs,
  bids: [
    [64_000.1, 1.5],
    [64_000, 2],
  ],
  asks: [[64_000.2, 0.75, 1_700_000_000]],
};
const ticker = (change: Change = {}, known = spot) => tickerOf(known, { ...tickerFields, ...change }, nowMs);
const tickerBook = (change: Change = {}) => tickerBookOf(spot, { ...tickerFields, ...change }, 41, nowMs);
const trade = (change: Change = {}, known: typeof spot | typeof futures = spot) =>
  readTrade(known, { ...tradeFields, ...change }, nowMs);
const book = (change: Change = {}, known: typeof spot | typeof futures = spot) =>
  readBook(known, { ...bookFields, ...change }, 41, nowMs);

const statistics = {
  kind: "ticker24h",
  symbolId: 7,
  last: "63000",
  open: "64000",
  high: "64500",
  low: "62500",
  change: "-1000",
  changePercent: "-1.5625",
  volume: "1234.5",
  quoteVolume: "79012345.6",
  exchangeTimeMs: sentMs,
  receivedAtMs: nowMs,
};

describe("statistics", () => {
  test("as they are", () => {
    expect(ticker()).toEqual(statistics);
  });

  test("what an exchange does not tell is worked out from what it does", () => {
    expect(ticker({ open: undefined, percentage: -1.5625 })).toEqual(statistics);
    expect(ticker({ quoteVolume: undefined })).toEqual({ ...statistics, quoteVolume: "77773500" });
    expect(ticker({ timestamp: undefined })).toEqual({ ...statistics, exchangeTimeMs: nowMs });
  });

  test("with a best bid and offer, when the exchange tells both with their quantities", () => {
    expect(tickerBook()).toEqual({
      kind: "bookTicker",
      symbolId: 7,
      bid: "62999.5",
      bidQuantity: "0.0000001",
      ask: "63000",
      askQuantity: "2",
      exchangeSequence: 41,
      exchangeTimeMs: sentMs,
      receivedAtMs: nowMs,
    });
    for (const field of ["bid", "bidVolume", "ask", "askVolume"]) expect(tickerBook({ [field]: undefined })).toBeNull();
  });
});

describe("trades", () => {
  test("floats become plain text, contracts become base currency", () => {
    const event = {
      kind: "trade",
      symbolId: 7,
      price: "64000.1",
      quantity: "0.00000001",
      side: "SELL",
      tradeId: "4711",
      tradeCount: 1,
      exchangeSequence: sentMs,
      exchangeTimeMs: sentMs,
      receivedAtMs: nowMs,
    };
    expect(trade()).toEqual(event);
    expect(trade({ amount: 3, side: "buy" }, futures)).toEqual({ ...event, side: "BUY", quantity: "0.03" });
  });

  test("without an id they are told by what they say", () => {
    expect(trade({ id: undefined })).toMatchObject({ tradeId: `${sentMs}:sell:64000.1:1e-8` });
  });

  test("oldest first", () => {
    expect(sortedTrades([{ timestamp: 2 }, { timestamp: 1, id: "a" }, { timestamp: 1, id: "b" }])).toEqual([
      { timestamp: 1, id: "a" },
      { timestamp: 1, id: "b" },
      { timestamp: 2 },
    ]);
    expect(sortedTrades("x")).toEqual(["x"]);
  });
});

describe("order books", () => {
  test("the best levels, and of these the first", () => {
    const common = { symbolId: 7, exchangeSequence: 41, exchangeTimeMs: sentMs, receivedAtMs: nowMs };
    expect(book()).toEqual([
      { kind: "bookTicker", ...common, bid: "64000.1", bidQuantity: "1.5", ask: "64000.2", askQuantity: "0.75" },
      {
        kind: "orderBook",
        ...common,
        bids: [
          ["64000.1", "1.5"],
          ["64000", "2"],
        ],
        asks: [["64000.2", "0.75"]],
      },
    ]);
    expect(book({}, futures)).toMatchObject([{ bidQuantity: "0.015" }, { asks: [["64000.2", "0.0075"]] }]);
  });

  test("an empty side, no time, and no more than fifty levels", () => {
    expect(book({ bids: [], timestamp: undefined })).toMatchObject([
      { bid: null, bidQuantity: null, exchangeTimeMs: nowMs },
      { bids: [] },
    ]);
    const bids = Array.from({ length: 80 }, (_, i) => [100 - i, 1]);
    expect(book({ bids })).toMatchObject([{}, { bids: bids.slice(0, 50).map(([price]) => [String(price), "1"]) }]);
  });

  test("one that is crossed is wrong", () => {
    expect(book({ asks: [[64_000.1, 1]] })).toEqual([{ kind: "rejected", what: "order-book-crossed" }]);
  });
});

const badFloats = [undefined, null, "x", "", {}, [], true, Number.NaN, Number.POSITIVE_INFINITY, 1e40, 1e-30, -1, 0];
const present = badFloats.filter((value) => value != null);
const notZero = badFloats.filter((value) => value !== 0);
const badTimes = [
  "x",
  String(sentMs),
  0,
  -1,
  1.5,
  Number.NaN,
  1e40,
  Math.floor(sentMs / 1000),
  sentMs * 1000,
  nowMs + 86_400_001,
];
const rows = (fields: readonly string[], values: readonly unknown[], what: string) =>
  fields.flatMap((field) => values.map((value): Row => [field, value, what]));

describe("rejected", () => {
  test.each([
    ...rows(["last", "high", "low"], badFloats, "ticker-price"),
    ...rows(["low"], [65_000], "ticker-price"),
    ...rows(["open"], present, "ticker-change"),
    ...rows(["baseVolume"], notZero, "ticker-volume"),
    ...rows(
      ["quoteVolume"],
      notZero.filter((value) => value != null),
      "ticker-volume",
    ),
    ...rows(["timestamp"], badTimes, "ticker-time"),
  ])("statistics: %s = %s: %s", (field, value, what) => {
    expect(ticker({ [field]: value })).toEqual({ kind: "rejected", what });
  });

  test.each([undefined, null, "x", {}, Number.NaN, 1e40, -100, -101])("a change of %s per cent", (percentage) => {
    expect(ticker({ open: undefined, percentage })).toEqual({ kind: "rejected", what: "ticker-change" });
  });

  test.each([
    ...rows(["bid", "ask"], present, "ticker-price"),
    ...rows(["bidVolume", "askVolume"], present, "ticker-quantity"),
    ...rows(["timestamp"], badTimes, "ticker-time"),
  ])("best bid and offer: %s = %s: %s", (field, value, what) => {
    expect(tickerBook({ [field]: value })).toEqual({ kind: "rejected", what });
  });

  test.each([
    ...rows(["price"], badFloats, "trade-price"),
    ...rows(["amount"], badFloats, "trade-quantity"),
    ...rows(["side"], [undefined, null, "BUY", 1], "trade-side"),
    ...rows(["timestamp"], [...badTimes, undefined, null], "trade-time"),
    ...rows(["id"], ["", 4711, "9".repeat(65), {}], "trade-sequence"),
  ])("trade: %s = %s: %s", (field, value, what) => {
    expect(trade({ [field]: value })).toEqual({ kind: "rejected", what });
  });

  test.each([
    ...rows(
      ["bids", "asks"],
      [undefined, null, "x", {}, [null], [[]], ...badFloats.map((price) => [[price, 1]])],
      "order-book-price",
    ),
    ...rows(
      ["bids", "asks"],
      badFloats.map((quantity) => [[1, quantity]]),
      "order-book-price",
    ),
    ...rows(["timestamp"], badTimes, "order-book-time"),
  ])("order book: %s = %j: %s", (field, value, what) => {
    expect(book({ [field]: value })).toEqual([{ kind: "rejected", what }]);
  });

  test.each([null, undefined, 5, "x"])("nothing: %s", (raw) => {
    expect(tickerOf(spot, raw, nowMs)).toEqual({ kind: "rejected", what: "not-a-ticker" });
    expect(tickerBookOf(spot, raw, 1, nowMs)).toBeNull();
    expect(readTrade(spot, raw, nowMs)).toEqual({ kind: "rejected", what: "not-a-trade" });
    expect(readBook(spot, raw, 1, nowMs)).toEqual([{ kind: "rejected", what: "not-a-book" }]);
  });
});
