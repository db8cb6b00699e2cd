import { describe, expect, test } from "vitest";
import { decodeQuote, yahooSymbol } from "./map.js";

const nowMs = Date.UTC(2024, 8, 20, 20, 1);
const tradedMs = Date.UTC(2024, 8, 20, 20);
const fields = {
  symbol: "AAPL",
  currency: "USD",
  regularMarketPrice: 228.2,
  regularMarketTime: new Date(tradedMs),
  regularMarketPreviousClose: 228.87,
  regularMarketDayHigh: 233.09,
  regularMarketDayLow: 227.62,
  regularMarketVolume: 318_679_888,
  bid: 227.49,
  ask: 227.55,
  bidSize: 2,
  askSize: 11,
};
const decode = (change: Record<string, unknown> = {}) => decodeQuote({ ...fields, ...change }, 7, nowMs);
const statistics = {
  kind: "ticker24h",
  symbolId: 7,
  last: "228.2",
  open: "228.87",
  high: "233.09",
  low: "227.62",
  change: "-0.67",
  changePercent: "-0.2927",
  volume: "318679888",
  quoteVolume: "72722750441.6",
  exchangeTimeMs: tradedMs,
  receivedAtMs: nowMs,
};
const book = {
  kind: "bookTicker",
  symbolId: 7,
  bid: "227.49",
  bidQuantity: "200",
  ask: "227.55",
  askQuantity: "1100",
  exchangeSequence: nowMs,
  exchangeTimeMs: tradedMs,
  receivedAtMs: nowMs,
};

const noBook = { ...book, bid: null, bidQuantity: null, ask: null, askQuantity: null };

test("the day's statistics since the close before, and the best bid and offer in shares", () => {
  expect(decode()).toEqual([statistics, book]);
  expect(decode({ regularMarketTime: tradedMs / 1000 })).toEqual([statistics, book]);
});

test.each([
  [
    { bid: 0, bidSize: 0 },
    { bid: null, bidQuantity: null },
  ],
  [{ ask: undefined }, { ask: null, askQuantity: null }],
  [{ askSize: 0 }, { ask: null, askQuantity: null }],
])("a side that nobody is on: %j", (change, expected) => {
  expect(decode(change)).toEqual([statistics, { ...book, ...expected }]);
});

test("where Yahoo has no bid and no ask, as for Istanbul, earlier ones are gone", () => {
  expect(decode({ bid: 0, ask: 0 })).toEqual([statistics, noBook]);
  expect(decode({ bidSize: undefined, askSize: null })).toEqual([statistics, noBook]);
});

test("floats become the shortest text, without exponents", () => {
  expect(
    decode({ regularMarketPrice: 1e-7, regularMarketDayLow: 1e-7, regularMarketPreviousClose: 1e-7 }),
  ).toMatchObject([{ last: "0.0000001", change: "0" }, {}]);
  expect(decode({ regularMarketPrice: 0.1 + 0.2 })).toMatchObject([{ last: "0.30000000000000004" }, {}]);
});

const badFloats = [undefined, null, "x", "", {}, [], true, Number.NaN, Number.POSITIVE_INFINITY, 1e40, 1e-30, -1, 0];

type Row = readonly [field: string, value: unknown, what: string];

describe("rejected", () => {
  test.each<Row>([
    ...["regularMarketPrice", "regularMarketDayHigh", "regularMarketDayLow"].flatMap((field) =>
      badFloats.map((value): Row => [field, value, "quote-price"]),
    ),
    ["regularMarketDayLow", 300, "quote-price"],
    ...badFloats.map((value): Row => ["regularMarketPreviousClose", value, "quote-change"]),
    ...badFloats.filter((value) => value !== 0).map((value): Row => ["regularMarketVolume", value, "quote-volume"]),
    ...[
      undefined,
      null,
      "1726862401",
      tradedMs,
      0,
      -1,
      1.5,
      Number.NaN,
      new Date(Number.NaN),
      1e40,
      new Date(2_000_000_000_000),
    ].map((value): Row => ["regularMarketTime", value, "quote-time"]),
  ])("%s = %s: %s", (field, value, what) => {
    const other = field === "regularMarketTime" ? { kind: "rejected", what: "quote-book-time" } : noBook;
    expect(decode({ [field]: value, bid: 0, ask: 0 })).toEqual([{ kind: "rejected", what }, other]);
  });

  test.each<Row>([
    ...["bid", "ask"].flatMap((field) =>
      badFloats.filter((value) => value !== 0 && value != null).map((value): Row => [field, value, "quote-book-price"]),
    ),
    ...["bidSize", "askSize"].flatMap((field) =>
      badFloats
        .filter((value) => value !== 0 && value != null)
        .map((value): Row => [field, value, "quote-book-quantity"]),
    ),
  ])("a bad book leaves the statistics alone: %s = %s: %s", (field, value, what) => {
    expect(decode({ [field]: value })).toEqual([statistics, { kind: "rejected", what }]);
  });

  test.each([null, undefined, 5, "AAPL"])("no quote: %s", (raw) => {
    expect(decodeQuote(raw, 7, nowMs)).toEqual([{ kind: "rejected", what: "not-a-quote" }]);
  });
});

test.each([
  ["BIST_EQUITY", "THYAO", "THYAO.IS"],
  ["BIST_EQUITY", "THYAO.IS", "THYAO.IS"],
  ["NASDAQ_EQUITY", "AAPL", "AAPL"],
  ["NYSE_EQUITY", "BRK.B", "BRK-B"],
])("%s %s is Yahoo's %s", (market, ticker, expected) => {
  expect(yahooSymbol(market, ticker)).toBe(expected);
});
