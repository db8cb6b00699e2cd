import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import {
  badAmounts,
  badPrices,
  badSequences,
  badTimes,
  expectSound,
  type Fields,
  listOf,
  table,
} from "../../../test/support/bad-values.js";
import { bybitDecoder } from "./map.js";

const nowMs = 1_700_000_000_500;
const context = {
  symbols: new Map([
    ["BTCUSDT", { id: 7, streamPrefix: "BTCUSDT" }],
    ["OLDUSDT", { id: null, streamPrefix: "OLDUSDT" }],
  ]),
  contractSizes: new Map(),
};
/** The frames of one connection, one after the other. */
const connection = () => {
  const decode = bybitDecoder(context);
  return (text: string) => listOf(decode(text, nowMs));
};
const decode = (text: string) => connection()(text);

const bookFields = { s: "BTCUSDT", b: [["64000.10", "1.50"]], a: [["64000.20", "0.75"]], u: 41, seq: 814547787693 };
const tradeFields = {
  T: 1_700_000_000_120,
  s: "BTCUSDT",
  S: "Buy",
  v: "0.0010",
  p: "64000.10",
  L: "PlusTick",
  i: "20f43950-d8dd-5b31-9112-a178eb6023af",
  BT: false,
  seq: 1783284617,
};
const spotTicker = {
  symbol: "BTCUSDT",
  lastPrice: "63000",
  highPrice24h: "64500.00",
  lowPrice24h: "62500.00",
  prevPrice24h: "64000",
  volume24h: "1234.5",
  turnover24h: "79012345.60",
};
const fundingPart = {
  markPrice: "64001.15",
  indexPrice: "64002.62",
  nextFundingTime: "1700006400000",
  fundingRate: "-0.00010",
};
const linearTicker = { ...spotTicker, ...fundingPart, openInterest: "68744.761", bid1Price: "62999.9" };
const ts = 1_700_000_000_123;
const push = (topic: string, data: unknown, change: Fields = {}) =>
  JSON.stringify({ topic, type: "snapshot", ts, data, ...change });
const bookFrame = (change: Fields = {}) => push("orderbook.1.BTCUSDT", { ...bookFields, ...change }, { cts: ts - 3 });
const tradeFrame = (change: Fields = {}) => push("publicTrade.BTCUSDT", [{ ...tradeFields, ...change }]);
const tickerFrame = (change: Fields = {}) => push("tickers.BTCUSDT", { ...spotTicker, ...change });
const fundingFrame = (change: Fields = {}) => push("tickers.BTCUSDT", { symbol: "BTCUSDT", ...fundingPart, ...change });
const delta = (change: Fields, at = ts + 100) =>
  push("tickers.BTCUSDT", { symbol: "BTCUSDT", ...change }, { type: "delta", ts: at });

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
  exchangeTimeMs: ts,
  receivedAtMs: nowMs,
};
const funding = {
  kind: "fundingRate",
  symbolId: 7,
  rate: "-0.0001",
  fundingTimeMs: 1_700_006_400_000,
  nextFundingTimeMs: null,
  markPrice: "64001.15",
  indexPrice: "64002.62",
  exchangeTimeMs: ts,
  receivedAtMs: nowMs,
};

describe("events", () => {
  test("best bid and offer", () => {
    expect(decode(bookFrame())).toEqual([
      {
        kind: "bookTicker",
        symbolId: 7,
        bid: "64000.1",
        bidQuantity: "1.5",
        ask: "64000.2",
        askQuantity: "0.75",
        exchangeSequence: 41,
        exchangeTimeMs: ts - 3,
        receivedAtMs: nowMs,
      },
    ]);
    expect(decode(bookFrame({ a: [] }))).toMatchObject([{ bid: "64000.1", ask: null, askQuantity: null }]);
  });

  test("trades of one moment share their sequence; block trades are none", () => {
    const event = {
      kind: "trade",
      symbolId: 7,
      price: "64000.1",
      quantity: "0.001",
      side: "BUY",
      tradeId: "20f43950-d8dd-5b31-9112-a178eb6023af",
      tradeCount: 1,
      exchangeSequence: 1783284617,
      exchangeTimeMs: 1_700_000_000_120,
      receivedAtMs: nowMs,
    };
    const list = [tradeFields, { ...tradeFields, i: "2", S: "Sell" }, { ...tradeFields, i: "3", BT: true }];
    expect(decode(push("publicTrade.BTCUSDT", list))).toEqual([
      event,
      { ...event, tradeId: "2", side: "SELL" },
      { kind: "skipped", what: "publicTrade-block" },
    ]);
    expect(decode(tradeFrame({ seq: undefined }))).toEqual([{ ...event, exchangeSequence: 1_700_000_000_120 }]);
  });

  test("24 h statistics of spot, whole every time", () => {
    expect(decode(tickerFrame())).toEqual([statistics]);
  });

  test("linear tickers come whole and then in parts", () => {
    const on = connection();
    expect(on(push("tickers.BTCUSDT", linearTicker))).toEqual([statistics, funding]);
    expect(on(delta({ markPrice: "64005" }))).toEqual([{ ...funding, markPrice: "64005", exchangeTimeMs: ts + 100 }]);
    expect(on(delta({ lastPrice: "64000", fundingRate: "0.0002" }, ts + 200))).toEqual([
      { ...statistics, last: "64000", change: "0", changePercent: "0", exchangeTimeMs: ts + 200 },
      { ...funding, markPrice: "64005", rate: "0.0002", exchangeTimeMs: ts + 200 },
    ]);
    expect(on(delta({ openInterest: "1" }))).toEqual([{ kind: "skipped", what: "tickers-other-fields" }]);
  });

  test("a rejected part is not remembered, and another connection knows nothing", () => {
    const on = connection();
    on(push("tickers.BTCUSDT", linearTicker));
    expect(on(delta({ lastPrice: "1e40" }))).toEqual([{ kind: "rejected", what: "tickers-price" }]);
    expect(on(delta({ volume24h: "1300" }))).toMatchObject([{ last: "63000", volume: "1300" }]);
    expect(decode(delta({ lastPrice: "1" }))).toEqual([{ kind: "skipped", what: "tickers-incomplete" }]);
    on(push("tickers.BTCUSDT", { ...linearTicker, lastPrice: null }));
    expect(on(delta({ volume24h: "1300" }))).toEqual([{ kind: "skipped", what: "tickers-incomplete" }]);
    expect(on(delta({ indexPrice: "5" }))).toMatchObject([{ kind: "fundingRate", indexPrice: "5" }]);
  });
});

const levels = (values: readonly unknown[], place: 0 | 1) =>
  values.map((value) => [place === 0 ? [value, "1"] : ["1", value]]);
test.each([
  ...table(bookFrame, ["b", "a"], levels(badPrices, 0), "orderbook.1-price"),
  ...table(bookFrame, ["b", "a"], levels(badPrices, 1), "orderbook.1-quantity"),
  ...table(bookFrame, ["b", "a"], [undefined, null, {}, [null], ["1"]], "orderbook.1-shape"),
  ...table(bookFrame, ["u"], badSequences, "orderbook.1-sequence"),
  ...table(bookFrame, ["s"], [undefined, null, "ETHUSDT"], "wrong-payload"),
  ...table(tradeFrame, ["p"], badPrices, "publicTrade-price"),
  ...table(tradeFrame, ["v"], badPrices, "publicTrade-quantity"),
  ...table(tradeFrame, ["seq"], badSequences.slice(1), "publicTrade-sequence"),
  ...table(tradeFrame, ["i"], [undefined, null, 5, "", "9".repeat(100)], "publicTrade-sequence"),
  ...table(tradeFrame, ["T"], badTimes(nowMs), "publicTrade-time"),
  ...table(tradeFrame, ["S"], [undefined, null, "buy", 1], "publicTrade-side"),
  ...table(tradeFrame, ["s"], [undefined, null, "ETHUSDT"], "wrong-payload"),
  ...table(tickerFrame, ["lastPrice", "highPrice24h", "lowPrice24h"], badPrices, "tickers-price"),
  ...table(tickerFrame, ["prevPrice24h"], badPrices, "tickers-change"),
  ...table(tickerFrame, ["volume24h", "turnover24h"], [...badAmounts, "-1"], "tickers-volume"),
  ...table(tickerFrame, ["symbol"], [undefined, null, "ETHUSDT"], "wrong-payload"),
  ...table(fundingFrame, ["fundingRate"], badAmounts, "tickers-funding-rate"),
  ...table(fundingFrame, ["markPrice", "indexPrice"], badPrices, "tickers-funding-price"),
  ...table(fundingFrame, ["nextFundingTime"], [undefined, null, 5, "", "0", "1e40"], "tickers-funding-time"),
  ...table((change) => push("tickers.BTCUSDT", spotTicker, change), ["ts"], badTimes(nowMs), "tickers-time"),
  ...table((change) => push("tickers.BTCUSDT", spotTicker, change), ["type"], [undefined, "x"], "tickers-shape"),
  [
    "a delta of the best bid and offer",
    push("orderbook.1.BTCUSDT", bookFields, { type: "delta" }),
    "orderbook.1-shape",
  ],
  ["no trades", push("publicTrade.BTCUSDT", []), "publicTrade-shape"],
  ["a trade that is none", push("publicTrade.BTCUSDT", [null]), "publicTrade-shape"],
  ["data is null", push("tickers.BTCUSDT", null), "not-a-frame"],
  ["a symbol nobody asked for", push("tickers.XXX", spotTicker), "unknown-symbol"],
  ["a symbol from the object prototype", push("tickers.__proto__", spotTicker), "unknown-symbol"],
  ["an unknown topic", push("tick.BTCUSDT", spotTicker), "unknown-topic"],
  ["a topic without a symbol", push("tickers", spotTicker), "unknown-topic"],
  ["an unknown operation", '{"op":"auth","success":true}', "not-a-frame"],
  ["an answer without an outcome", '{"op":"subscribe","req_id":"1"}', "not-a-frame"],
  ["null", "null", "not-a-frame"],
  ["an array", "[]", "not-a-frame"],
  ["nothing", "", "not-json"],
  ["half a frame", tradeFrame().slice(0, 60), "not-json"],
])("rejected: %s", (_name, frame, what) => {
  expect(decode(frame)).toEqual([{ kind: "rejected", what }]);
});

test.each([
  ['{"success":true,"ret_msg":"pong","conn_id":"x","req_id":"","op":"ping"}', { kind: "skipped", what: "pong" }],
  ['{"op":"pong","args":["1700000000123"]}', { kind: "skipped", what: "pong" }],
  ['{"success":true,"ret_msg":"subscribe","req_id":"3","op":"subscribe"}', { kind: "answer", id: 3, error: null }],
  ['{"success":true,"ret_msg":"","req_id":"","op":"unsubscribe"}', { kind: "answer", id: null, error: null }],
  [
    '{"success":false,"ret_msg":"args size >10","req_id":"3","op":"subscribe"}',
    { kind: "answer", id: 3, error: "args size >10" },
  ],
  [
    '{"success":false,"ret_msg":"error:already subscribed,topic:tickers.BTCUSDT","req_id":"3","op":"subscribe"}',
    { kind: "answer", id: 3, error: null },
  ],
  [push("orderbook.200.BTCUSDT", {}), { kind: "skipped", what: "orderbook" }],
  [push("kline.1.BTCUSDT", {}), { kind: "skipped", what: "kline" }],
  [push("tickers.OLDUSDT", spotTicker), { kind: "skipped", what: "unsubscribed-symbol" }],
  [tickerFrame({ highPrice24h: "0", lowPrice24h: "0", volume24h: "0" }), { kind: "skipped", what: "tickers-untraded" }],
  [fundingFrame({ fundingRate: "", nextFundingTime: "" }), { kind: "skipped", what: "tickers-unfunded" }],
])("control: %s", (frame, expected) => {
  expect(decode(frame)).toEqual([expected]);
});

const frames = [bookFrame(), tradeFrame(), push("tickers.BTCUSDT", linearTicker), delta({ lastPrice: "5" })];
test.prop([fc.constantFrom(...frames), fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })], { numRuns: 1_000 })(
  "cut and scribbled frames give sound events or named outcomes",
  (frame, at, removed, inserted) => {
    const position = at % (frame.length + 1);
    const on = connection();
    for (const decoded of on(frame.slice(0, position) + inserted + frame.slice(position + removed)))
      expectSound(decoded);
    for (const decoded of on(frame.slice(0, position))) expectSound(decoded);
  },
);
