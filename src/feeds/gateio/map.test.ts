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
import type { DecimalText } from "../../core/decimal.js";
import { toFixedPoint } from "../../core/fixed-point.js";
import { decodeFrame } from "./map.js";

const nowMs = 1_700_000_000_500;
const sentMs = 1_700_000_000_123;
const context = {
  symbols: new Map([
    ["BTC_USDT", { id: 7, streamPrefix: "BTC_USDT" }],
    ["NEW_USDT", { id: 8, streamPrefix: "NEW_USDT" }],
    ["OLD_USDT", { id: null, streamPrefix: "OLD_USDT" }],
  ]),
  contractSizes: new Map([["BTC_USDT", toFixedPoint("0.0001" as DecimalText)]]),
};
const decode = (text: string) => listOf(decodeFrame(text, nowMs, context));

const update = (channel: string, result: unknown, change: Fields = {}) =>
  JSON.stringify({ time: 1_700_000_000, time_ms: sentMs, channel, event: "update", result, ...change });
const one =
  (channel: string, payload: Fields) =>
  (change: Fields = {}) =>
    update(channel, { ...payload, ...change });
const listed =
  (channel: string, payload: Fields) =>
  (change: Fields = {}) =>
    update(channel, [{ ...payload, ...change }]);

const bookFields = { t: 1_700_000_000_120, u: 41, s: "BTC_USDT", b: "64000.10", B: "1.50", a: "64000.20", A: "0.75" };
const spotTradeFields = {
  id: 4711,
  create_time: 1_700_000_000,
  create_time_ms: "1700000000120.4578",
  side: "sell",
  currency_pair: "BTC_USDT",
  amount: "0.0200000000",
  price: "64000.1000000000",
};
const futuresTradeFields = {
  size: -108,
  id: 4711,
  create_time: 1_700_000_000,
  create_time_ms: 1_700_000_000_120,
  price: "64000.1",
  contract: "BTC_USDT",
};
const spotTickerFields = {
  currency_pair: "BTC_USDT",
  last: "63000",
  change_percentage: "-1.5625",
  base_volume: "1234.5",
  quote_volume: "79012345.60",
  high_24h: "64500",
  low_24h: "62500",
};
const futuresTickerFields = {
  contract: "BTC_USDT",
  last: "63000",
  change_percentage: "-1.56",
  volume_24h: "12345000",
  volume_24h_base: "1234.5",
  volume_24h_quote: "79012345",
  high_24h: "64500",
  low_24h: "62500",
  mark_price: "64001.15",
  index_price: "64002.62",
  funding_rate: "-0.000125",
  change_price: "-1000",
  t: 1_700_000_000_100,
  funding_interval: 28_800,
  funding_next_apply: 1_700_006_400,
};
const spotBook = one("spot.book_ticker", bookFields);
const futuresBook = one("futures.book_ticker", { ...bookFields, B: 13_855, A: 11_465 });
const spotTrade = one("spot.trades", spotTradeFields);
const futuresTrade = listed("futures.trades", futuresTradeFields);
const spotTicker = one("spot.tickers", spotTickerFields);
const futuresTicker = listed("futures.tickers", futuresTickerFields);
const unfunded = listed("futures.tickers", { ...futuresTickerFields, funding_rate: "" });

const bookEvent = {
  kind: "bookTicker",
  symbolId: 7,
  bid: "64000.1",
  bidQuantity: "1.5",
  ask: "64000.2",
  askQuantity: "0.75",
  exchangeSequence: 41,
  exchangeTimeMs: 1_700_000_000_120,
  receivedAtMs: nowMs,
};
const tradeEvent = {
  kind: "trade",
  symbolId: 7,
  price: "64000.1",
  quantity: "0.02",
  side: "SELL",
  tradeId: "4711",
  tradeCount: 1,
  exchangeSequence: 4711,
  exchangeTimeMs: 1_700_000_000_120,
  receivedAtMs: nowMs,
};
const tickerEvent = {
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

describe("spot", () => {
  test("best bid and offer", () => {
    expect(decode(spotBook())).toEqual([bookEvent]);
    expect(decode(spotBook({ b: "", B: "" }))).toEqual([{ ...bookEvent, bid: null, bidQuantity: null }]);
  });

  test("trades", () => {
    expect(decode(spotTrade())).toEqual([tradeEvent]);
    expect(decode(spotTrade({ side: "buy", create_time_ms: "1700000000120" }))).toEqual([
      { ...tradeEvent, side: "BUY" },
    ]);
  });

  test("24 h statistics: the opening price comes from the change in percent", () => {
    expect(decode(spotTicker())).toEqual([tickerEvent]);
    expect(decode(spotTicker({ last: "100", change_percentage: "3" }))).toMatchObject([
      { open: "97.087378640777", change: "2.912621359223", changePercent: "3" },
    ]);
  });
});

describe("futures", () => {
  test("contracts become base currency", () => {
    expect(decode(futuresBook())).toEqual([{ ...bookEvent, bidQuantity: "1.3855", askQuantity: "1.1465" }]);
    expect(decode(futuresBook({ a: "", A: 0 }))).toMatchObject([
      { bidQuantity: "1.3855", ask: null, askQuantity: null },
    ]);
    expect(decode(futuresBook({ B: "0.5" }))).toMatchObject([{ bidQuantity: "0.00005" }]);
  });

  test("the sign of a trade is its side; what the exchange took over is no trade", () => {
    const list = [
      futuresTradeFields,
      { ...futuresTradeFields, id: 4712, size: 5 },
      { ...futuresTradeFields, id: 4713, is_internal: true },
    ];
    expect(decode(update("futures.trades", list))).toEqual([
      { ...tradeEvent, quantity: "0.0108" },
      { ...tradeEvent, quantity: "0.0005", side: "BUY", tradeId: "4712", exchangeSequence: 4712 },
      { kind: "skipped", what: "futures.trades-internal" },
    ]);
  });

  test("24 h statistics and funding", () => {
    const statistics = {
      ...tickerEvent,
      changePercent: "-1.56",
      quoteVolume: "79012345",
      exchangeTimeMs: 1_700_000_000_100,
    };
    expect(decode(futuresTicker())).toEqual([
      statistics,
      {
        kind: "fundingRate",
        symbolId: 7,
        rate: "-0.000125",
        fundingTimeMs: 1_700_006_400_000,
        nextFundingTimeMs: 1_700_035_200_000,
        markPrice: "64001.15",
        indexPrice: "64002.62",
        exchangeTimeMs: 1_700_000_000_100,
        receivedAtMs: nowMs,
      },
    ]);
    expect(decode(unfunded())).toEqual([statistics]);
  });

  test("tickers of before 2026 have neither the change nor the time of funding", () => {
    const old = { t: undefined, change_price: undefined, funding_interval: undefined, funding_next_apply: undefined };
    expect(decode(futuresTicker({ ...old, change_percentage: "-1.5625" }))).toEqual([
      { ...tickerEvent, quoteVolume: "79012345" },
    ]);
  });
});

describe("rejected", () => {
  const times = badTimes(nowMs);
  const notText = badPrices.filter((value) => value !== "" && typeof value !== "number");
  test.each([
    ...table(spotBook, ["b", "a"], badPrices, "spot.book_ticker-price"),
    ...table(spotBook, ["B", "A"], [...badPrices, ""], "spot.book_ticker-quantity"),
    ...table(spotBook, ["u"], badSequences, "spot.book_ticker-sequence"),
    ...table(spotBook, ["t"], times, "spot.book_ticker-time"),
    ...table(spotTrade, ["price"], badPrices, "spot.trades-price"),
    ...table(spotTrade, ["amount"], badPrices, "spot.trades-quantity"),
    ...table(spotTrade, ["id"], badSequences, "spot.trades-sequence"),
    ...table(
      spotTrade,
      ["create_time_ms"],
      [...times.filter((t) => typeof t !== "string"), "", "0", "1e40", "1.5.5"],
      "spot.trades-time",
    ),
    ...table(spotTrade, ["side"], [undefined, null, 1, "SELL"], "spot.trades-side"),
    ...table(spotTicker, ["last", "high_24h", "low_24h"], badPrices, "spot.tickers-price"),
    ...table(spotTicker, ["change_percentage"], [...badAmounts, "", "-100", "-101"], "spot.tickers-change"),
    ...table(spotTicker, ["base_volume", "quote_volume"], [...badAmounts, "-1"], "spot.tickers-volume"),
    ...table((change) => update("spot.tickers", spotTickerFields, change), ["time_ms"], times, "spot.tickers-time"),
    ...table(futuresBook, ["b", "a"], badPrices, "futures.book_ticker-price"),
    ...table(futuresBook, ["B", "A"], [...notText, 0, -1, 1e40, 2 ** 53, 1e-7], "futures.book_ticker-quantity"),
    ...table(futuresTrade, ["size"], [undefined, null, "", 0, 1e40, 2 ** 53, {}, true], "futures.trades-quantity"),
    ...table(futuresTrade, ["price"], badPrices, "futures.trades-price"),
    ...table(futuresTrade, ["id"], badSequences, "futures.trades-sequence"),
    ...table(futuresTrade, ["create_time_ms"], times, "futures.trades-time"),
    ...table(unfunded, ["last", "high_24h", "low_24h"], badPrices, "futures.tickers-price"),
    ...table(unfunded, ["change_percentage"], [...badAmounts, ""], "futures.tickers-change"),
    ...table(unfunded, ["change_price"], [...badAmounts.slice(1), "63000", "70000"], "futures.tickers-change"),
    ...table(unfunded, ["volume_24h_base", "volume_24h_quote"], [...badAmounts, "-1"], "futures.tickers-volume"),
    ...table(unfunded, ["t"], times.slice(2), "futures.tickers-time"),
    ["a contract of unknown size", futuresTrade({ contract: "NEW_USDT" }), "unknown-contract-size"],
    ...table(spotBook, ["s"], [undefined, null, 7, "btc_usdt", "__proto__"], "unknown-symbol"),
    ...table(futuresTrade, ["contract"], [undefined, null, 7, "btc_usdt"], "unknown-symbol"),
    ["no payload", update("spot.trades", undefined), "wrong-payload"],
    ["a payload that is none", update("spot.trades", null), "wrong-payload"],
    ["an empty list", update("futures.trades", []), "wrong-payload"],
    ["a list of nothing", update("futures.trades", [null]), "wrong-payload"],
    ["an unknown channel", update("spot.trade", spotTradeFields), "unknown-channel"],
    ["a channel that is no text", update("spot.trades", {}, { channel: 5 }), "not-a-frame"],
    ["an unknown event", update("spot.trades", spotTradeFields, { event: "updated" }), "not-a-frame"],
    ["null", "null", "not-a-frame"],
    ["an array", "[]", "not-a-frame"],
    ["nothing", "", "not-json"],
    ["half a frame", spotTrade().slice(0, 60), "not-json"],
  ])("%s", (_name, frame, what) => {
    expect(decode(frame)).toEqual([{ kind: "rejected", what }]);
  });

  test.each([
    ...table(futuresTicker, ["funding_rate"], badAmounts, "futures.tickers-funding-rate"),
    ...table(futuresTicker, ["mark_price", "index_price"], badPrices, "futures.tickers-funding-price"),
    ...table(futuresTicker, ["funding_next_apply"], [null, "x", 0, -1, 1e40, 1.5, {}], "futures.tickers-funding-time"),
    ...table(futuresTicker, ["funding_interval"], ["x", -1e10, 1e40, {}], "futures.tickers-funding-time"),
  ])("a bad funding leaves the statistics alone: %s", (_name, frame, what) => {
    expect(decode(frame)).toMatchObject([{ kind: "ticker24h" }, { kind: "rejected", what }]);
  });
});

test.each([
  ['{"time":1700000000,"channel":"spot.pong","event":"","result":null}', { kind: "skipped", what: "pong" }],
  ['{"time":1700000000,"channel":"futures.pong","event":"","result":null}', { kind: "skipped", what: "pong" }],
  [update("spot.candlesticks", {}), { kind: "skipped", what: "spot.candlesticks" }],
  [update("futures.order_book", {}), { kind: "skipped", what: "futures.order_book" }],
  [spotTrade({ currency_pair: "OLD_USDT" }), { kind: "skipped", what: "unsubscribed-symbol" }],
  [spotTicker({ high_24h: "0", low_24h: "0", base_volume: "0" }), { kind: "skipped", what: "spot.tickers-untraded" }],
  ['{"id":3,"event":"subscribe","result":{"status":"success"}}', { kind: "answer", id: 3, error: null }],
  ['{"event":"unsubscribe","error":null,"result":{"status":"success"}}', { kind: "answer", id: null, error: null }],
  [
    '{"id":3,"event":"subscribe","error":{"code":2,"message":"unknown currency pair X"},"result":{"status":"fail"}}',
    { kind: "answer", id: 3, error: "unknown currency pair X (2)" },
  ],
  ['{"id":3,"event":"subscribe","result":{"status":"fail"}}', { kind: "answer", id: 3, error: "no reason given" }],
  ['{"event":"","error":{},"result":null}', { kind: "answer", id: null, error: "no reason given" }],
  [
    '{"id":3,"event":"subscribe","error":{"code":2,"message":"Alert sub ob.BTC_USDT.50"}}',
    { kind: "answer", id: 3, error: null },
  ],
])("control: %s", (frame, expected) => {
  expect(decode(frame)).toEqual([expected]);
});

const frames = [spotBook(), spotTrade(), spotTicker(), futuresBook(), futuresTrade(), futuresTicker()];
test.prop([fc.constantFrom(...frames), fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })], { numRuns: 1_000 })(
  "cut and scribbled frames give sound events or named outcomes",
  (frame, at, removed, inserted) => {
    const position = at % (frame.length + 1);
    for (const decoded of decode(frame.slice(0, position) + inserted + frame.slice(position + removed))) {
      expectSound(decoded);
    }
    for (const decoded of decode(frame.slice(0, position))) expectSound(decoded);
  },
);
