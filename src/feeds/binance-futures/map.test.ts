import { describe, expect, test } from "vitest";
import { badAmounts, badPrices, badTimes, type Fields, table } from "../../../test/support/bad-values.js";
import { decodeFrame } from "./map.js";

const nowMs = 1_700_000_000_500;
const context = {
  symbols: new Map([
    ["BTCUSDT", { id: 7, streamPrefix: "btcusdt" }],
    ["OLDUSDT", { id: null, streamPrefix: "oldusdt" }],
  ]),
  contractSizes: new Map(),
};
const decode = (text: string) => decodeFrame(text, nowMs, context);

const frameOf =
  (channel: string, payload: Fields) =>
  (change: Fields = {}, stream = `btcusdt@${channel}`) =>
    JSON.stringify({ stream, data: { ...payload, ...change } });
const bookFrame = frameOf("bookTicker", {
  e: "bookTicker",
  u: 41,
  s: "BTCUSDT",
  b: "64000.10",
  B: "1.500",
  a: "64000.20",
  A: "0.750",
  T: 1_700_000_000_120,
  E: 1_700_000_000_123,
});
const markFrame = frameOf("markPrice@1s", {
  e: "markPriceUpdate",
  E: 1_700_000_000_123,
  s: "BTCUSDT",
  p: "64001.15000000",
  P: "64010.25641265",
  i: "64002.62659091",
  r: "-0.00010000",
  T: 1_700_006_400_000,
});

describe("events", () => {
  test("best bid and offer has a time", () => {
    expect(decode(bookFrame())).toEqual({
      kind: "bookTicker",
      symbolId: 7,
      bid: "64000.1",
      bidQuantity: "1.5",
      ask: "64000.2",
      askQuantity: "0.75",
      exchangeSequence: 41,
      exchangeTimeMs: 1_700_000_000_120,
      receivedAtMs: nowMs,
    });
  });

  test("mark price and funding", () => {
    expect(decode(markFrame())).toEqual({
      kind: "fundingRate",
      symbolId: 7,
      rate: "-0.0001",
      fundingTimeMs: 1_700_006_400_000,
      nextFundingTimeMs: null,
      markPrice: "64001.15",
      indexPrice: "64002.62659091",
      exchangeTimeMs: 1_700_000_000_123,
      receivedAtMs: nowMs,
    });
  });

  test("trades and statistics are read as spot's", () => {
    const trade = { e: "aggTrade", s: "BTCUSDT", a: 5, p: "1", q: "2", nq: "2", f: 1, l: 3, T: nowMs, m: true };
    expect(decode(frameOf("aggTrade", trade)())).toMatchObject({ kind: "trade", tradeCount: 3, side: "SELL" });
    expect(decode('{"result":null,"id":3}')).toEqual({ kind: "answer", id: 3, error: null });
    expect(decode(frameOf("depth@500ms", { e: "depthUpdate" })())).toEqual({ kind: "skipped", what: "depthUpdate" });
    expect(decode(markFrame({ s: "OLDUSDT" }, "oldusdt@markPrice@1s"))).toEqual({
      kind: "skipped",
      what: "unsubscribed-symbol",
    });
  });
});

test.each([
  ...table(bookFrame, ["T"], badTimes(nowMs), "bookTicker-time"),
  ...table(bookFrame, ["b", "a"], badPrices, "bookTicker-price"),
  ...table(bookFrame, ["B", "A"], badPrices, "bookTicker-quantity"),
  ...table(markFrame, ["p", "i"], badPrices, "markPrice-price"),
  ...table(markFrame, ["r"], [...badAmounts, ""], "markPrice-rate"),
  ...table(markFrame, ["E"], badTimes(nowMs), "markPrice-time"),
  ...table(markFrame, ["T"], [undefined, null, 0, -1, 1e40, "1700006400000"], "markPrice-time"),
  ...table(markFrame, ["s"], [undefined, null, 7, "btcusdt", "XXX"], "unknown-symbol"),
  ["another symbol's stream", markFrame({}, "ethusdt@markPrice@1s"), "wrong-stream"],
  ["a mark price on a book stream", markFrame({}, "btcusdt@bookTicker"), "wrong-stream"],
  ["nothing", "", "not-json"],
  ["null", "null", "not-a-frame"],
  ["a number", "1", "not-a-frame"],
  ["data is null", '{"stream":"btcusdt@bookTicker","data":null}', "not-a-frame"],
  ["half a frame", markFrame().slice(0, 50), "not-json"],
])("rejected: %s", (_name, frame, what) => {
  expect(decode(frame)).toEqual({ kind: "rejected", what });
});
