import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import {
  badAmounts,
  badPrices,
  badSequences,
  badSequenceTexts,
  badTimeTexts,
  expectSound,
  type Fields,
  listOf,
  table,
} from "../../../test/support/bad-values.js";
import type { DecimalText } from "../../core/decimal.js";
import { toFixedPoint } from "../../core/fixed-point.js";
import type { Decoded } from "../stream/protocol.js";
import { decodeFrame } from "./map.js";

const nowMs = 1_700_000_000_500;
const symbols = new Map([
  ["BTC-USDT", { id: 7, streamPrefix: "BTC-USDT" }],
  ["BTC-USDT-SWAP", { id: 8, streamPrefix: "BTC-USDT-SWAP" }],
  ["NEW-USDT-SWAP", { id: 9, streamPrefix: "NEW-USDT-SWAP" }],
  ["OLD-USDT", { id: null, streamPrefix: "OLD-USDT" }],
]);
const context = { symbols, contractSizes: new Map([["BTC-USDT-SWAP", toFixedPoint("0.01" as DecimalText)]]) };
const decodeSpot = (text: string) => listOf(decodeFrame(text, nowMs, "SPOT", context));
const decodeSwap = (text: string) => listOf(decodeFrame(text, nowMs, "SWAP", context));

const frameOf =
  (channel: string, payload: Fields, instId = "BTC-USDT") =>
  (change: Fields = {}) =>
    JSON.stringify({ arg: { channel, instId }, data: [{ ...payload, ...change }] });
const bboFields = {
  asks: [["64000.20", "0.75", "0", "3"]],
  bids: [["64000.10", "1.50", "0", "7"]],
  ts: "1700000000120",
  seqId: 41,
};
const tradeFields = {
  tradeId: "4711",
  px: "64000.10",
  sz: "2.0",
  side: "sell",
  ts: "1700000000120",
  count: "3",
  source: "0",
};
const tickerFields = {
  last: "63000",
  open24h: "64000",
  high24h: "64500.0",
  low24h: "62500",
  volCcy24h: "79012345.60",
  vol24h: "1234.5",
  ts: "1700000000123",
};
const fundingFields = {
  fundingRate: "-0.000120",
  fundingTime: "1700006400000",
  nextFundingTime: "1700035200000",
  ts: "1700000000123",
};
const bboFrame = frameOf("bbo-tbt", bboFields);
const tradeFrame = frameOf("trades", tradeFields);
const tickerFrame = frameOf("tickers", tickerFields);
const swap = "BTC-USDT-SWAP";
const fundingFrame = frameOf("funding-rate", fundingFields, swap);

describe("events", () => {
  test("best bid and offer", () => {
    expect(decodeSpot(bboFrame())).toEqual([
      {
        kind: "bookTicker",
        symbolId: 7,
        bid: "64000.1",
        bidQuantity: "1.5",
        ask: "64000.2",
        askQuantity: "0.75",
        exchangeSequence: 41,
        exchangeTimeMs: 1_700_000_000_120,
        receivedAtMs: nowMs,
      },
    ]);
    expect(decodeSpot(bboFrame({ bids: [] }))).toMatchObject([{ bid: null, bidQuantity: null, ask: "64000.2" }]);
  });

  test("trades, which may stand for several", () => {
    const event = {
      kind: "trade",
      symbolId: 7,
      price: "64000.1",
      quantity: "2",
      side: "SELL",
      tradeId: "4711",
      tradeCount: 3,
      exchangeSequence: 4711,
      exchangeTimeMs: 1_700_000_000_120,
      receivedAtMs: nowMs,
    };
    expect(decodeSpot(tradeFrame())).toEqual([event]);
    expect(decodeSpot(tradeFrame({ side: "buy", count: undefined }))).toEqual([
      { ...event, side: "BUY", tradeCount: 1 },
    ]);
    const two = { arg: { channel: "trades", instId: "BTC-USDT" }, data: [tradeFields, { ...tradeFields, sz: "0" }] };
    expect(decodeSpot(JSON.stringify(two))).toEqual([event, { kind: "rejected", what: "trades-quantity" }]);
  });

  test("24 h statistics of spot: the change is worked out", () => {
    expect(decodeSpot(tickerFrame())).toEqual([
      {
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
        exchangeTimeMs: 1_700_000_000_123,
        receivedAtMs: nowMs,
      },
    ]);
  });

  test("swaps: contracts become base currency, the turnover is estimated at the last price", () => {
    expect(decodeSwap(frameOf("bbo-tbt", bboFields, swap)())).toMatchObject([
      { symbolId: 8, bidQuantity: "0.015", askQuantity: "0.0075" },
    ]);
    expect(decodeSwap(frameOf("trades", tradeFields, swap)())).toMatchObject([{ quantity: "0.02" }]);
    expect(decodeSwap(frameOf("tickers", { ...tickerFields, volCcy24h: "12.5" }, swap)())).toMatchObject([
      { volume: "12.5", quoteVolume: "787500" },
    ]);
  });

  test("funding", () => {
    expect(decodeSwap(fundingFrame())).toEqual([
      {
        kind: "fundingRate",
        symbolId: 8,
        rate: "-0.00012",
        fundingTimeMs: 1_700_006_400_000,
        nextFundingTimeMs: 1_700_035_200_000,
        markPrice: null,
        indexPrice: null,
        exchangeTimeMs: 1_700_000_000_123,
        receivedAtMs: nowMs,
      },
    ]);
    expect(decodeSwap(fundingFrame({ nextFundingTime: "" }))).toMatchObject([{ nextFundingTimeMs: null }]);
  });
});

describe("rejected", () => {
  const levels = (values: readonly unknown[], place: 0 | 1) =>
    values.map((value) => [place === 0 ? [value, "1"] : ["1", value]]);
  const times = badTimeTexts(nowMs);
  test.each([
    ...table(bboFrame, ["bids", "asks"], levels(badPrices, 0), "bbo-tbt-price"),
    ...table(bboFrame, ["bids", "asks"], levels(badPrices, 1), "bbo-tbt-quantity"),
    ...table(bboFrame, ["bids", "asks"], [undefined, null, "x", ["64000"], [null]], "bbo-tbt-shape"),
    ...table(bboFrame, ["seqId"], badSequences, "bbo-tbt-sequence"),
    ...table(bboFrame, ["ts"], times, "bbo-tbt-time"),
    ...table(tradeFrame, ["px"], badPrices, "trades-price"),
    ...table(tradeFrame, ["sz"], badPrices, "trades-quantity"),
    ...table(tradeFrame, ["tradeId"], badSequenceTexts, "trades-sequence"),
    ...table(tradeFrame, ["ts"], times, "trades-time"),
    ...table(tradeFrame, ["side"], [undefined, null, 1, "SELL"], "trades-side"),
    ...table(tradeFrame, ["count"], [null, 3, "0", "-1", "1e40", "1000001"], "trades-count"),
    ...table(tradeFrame, ["instId"], [null, 7, "ETH-USDT"], "wrong-payload"),
    ...table(tickerFrame, ["last"], badPrices, "tickers-price"),
    ...table(tickerFrame, ["high24h", "low24h"], badPrices, "tickers-price"),
    ...table(tickerFrame, ["open24h"], badPrices, "tickers-change"),
    ...table(tickerFrame, ["vol24h", "volCcy24h"], [...badAmounts, "-1"], "tickers-volume"),
    ...table(tickerFrame, ["ts"], times, "tickers-time"),
  ])("%s", (_name, frame, what) => {
    expect(decodeSpot(frame)).toEqual([{ kind: "rejected", what }]);
  });

  test.each([
    ...table(fundingFrame, ["fundingRate"], badAmounts, "funding-rate-rate"),
    ...table(fundingFrame, ["ts"], times, "funding-rate-time"),
    ...table(fundingFrame, ["fundingTime"], [undefined, null, 5, "", "0", "1e40"], "funding-rate-time"),
    ...table(fundingFrame, ["nextFundingTime"], [undefined, null, 5, "0", "1e40"], "funding-rate-time"),
    ["a swap of unknown size", frameOf("trades", tradeFields, "NEW-USDT-SWAP")(), "unknown-contract-size"],
  ])("%s", (_name, frame, what) => {
    expect(decodeSwap(frame)).toEqual([{ kind: "rejected", what }]);
  });

  test.each([
    ["a symbol nobody asked for", frameOf("trades", tradeFields, "XXX-USDT")(), "unknown-symbol"],
    ["a symbol from the object prototype", frameOf("trades", tradeFields, "__proto__")(), "unknown-symbol"],
    ["an unknown channel", frameOf("bbo", bboFields)(), "unknown-channel"],
    ["an unknown event", '{"event":"pong"}', "unknown-event"],
    ["a payload that is no object", '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[null]}', "wrong-payload"],
    ["no payload", '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}', "not-a-frame"],
    ["data is no list", '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":{}}', "not-a-frame"],
    ["no argument", '{"data":[{}]}', "not-a-frame"],
    ["null", "null", "not-a-frame"],
    ["an array", "[]", "not-a-frame"],
    ["nothing", "", "not-json"],
    ["half a frame", tradeFrame().slice(0, 60), "not-json"],
  ])("%s", (_name, frame, what) => {
    expect(decodeSpot(frame)).toEqual([{ kind: "rejected", what }]);
  });
});

test.each([
  ["pong", { kind: "skipped", what: "pong" }],
  [frameOf("books5", {})(), { kind: "skipped", what: "books5" }],
  [frameOf("trades", tradeFields, "OLD-USDT")(), { kind: "skipped", what: "unsubscribed-symbol" }],
  [
    tickerFrame({ last: "", open24h: "", high24h: "", low24h: "", vol24h: "0", volCcy24h: "0" }),
    { kind: "skipped", what: "tickers-untraded" },
  ],
  [
    '{"event":"channel-conn-count","channel":"tickers","connCount":"2"}',
    { kind: "skipped", what: "channel-conn-count" },
  ],
  ['{"event":"notice","code":"1","msg":"hello"}', { kind: "skipped", what: "notice" }],
  ['{"event":"notice","code":"64008","msg":"The connection will soon be closed"}', { kind: "shutdown" }],
  ['{"id":"3","event":"subscribe","arg":{"channel":"trades"}}', { kind: "answer", id: 3, error: null }],
  ['{"event":"unsubscribe","arg":{"channel":"trades"}}', { kind: "answer", id: null, error: null }],
  ['{"id":"3","event":"error","code":"60018","msg":"no"}', { kind: "answer", id: 3, error: "no (60018)" }],
  ['{"event":"error","id":{},"msg":7}', { kind: "answer", id: null, error: "no reason given" }],
])("control: %s", (frame, expected) => {
  expect(decodeSpot(frame)).toEqual([expected]);
});

const frames = [bboFrame(), tradeFrame(), tickerFrame(), fundingFrame(), '{"id":"3","event":"subscribe"}'];
test.prop([fc.constantFrom(...frames), fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })], { numRuns: 1_000 })(
  "cut and scribbled frames give sound events or named outcomes",
  (frame, at, removed, inserted) => {
    const position = at % (frame.length + 1);
    const scribbled = frame.slice(0, position) + inserted + frame.slice(position + removed);
    const outcomes: Decoded[] = [
      ...decodeSpot(scribbled),
      ...decodeSwap(scribbled),
      ...decodeSpot(frame.slice(0, position)),
    ];
    for (const decoded of outcomes) expectSound(decoded);
  },
);
