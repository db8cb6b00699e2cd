import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { badAmounts, badPrices, expectSound, listOf } from "../../../test/support/bad-values.js";
import { mexcFrame, protobuf } from "../../../test/support/mexc-frames.js";
import { decodeBinary, decodeText } from "./map.js";

const nowMs = 1_736_409_765_500;
const sentMs = 1_736_409_765_052;
const context = {
  symbols: new Map([
    ["BTCUSDT", { id: 7, streamPrefix: "BTCUSDT" }],
    ["OLDUSDT", { id: null, streamPrefix: "OLDUSDT" }],
  ]),
  contractSizes: new Map<string, never>(),
};
const decode = (frame: Uint8Array) => listOf(decodeBinary(frame, nowMs, context));

type Fields = Readonly<Record<number, unknown>>;
/** Changes of the frame itself go by name, those of its body by number. */
type Change = Fields & { readonly symbol?: unknown; readonly sendTime?: unknown; readonly createTime?: unknown };

const frame =
  (body: number, fields: Fields, wrap: (bytes: Uint8Array) => unknown = (bytes) => bytes) =>
  (change: Change = {}) => {
    const { symbol = "BTCUSDT", sendTime = sentMs, createTime, ...payload } = change;
    return mexcFrame(body, wrap(protobuf({ ...fields, ...payload })), { symbol, sendTime, createTime });
  };

const bookFields = { 1: "93387.280", 2: "3.73485", 3: "93387.29", 4: "7.669875", 5: "10589632359" };
const dealFields = { 1: "93220.00", 2: "0.04438243", 3: 2, 4: 1_736_409_765_051, 5: "594288812" };
const tickerFields = {
  1: "BTCUSDT",
  2: "63000",
  3: "0.5",
  4: "-0.015625",
  5: "64500",
  6: "62500",
  7: "79012345.60",
  8: "1234.5",
};
const depthFields = {
  1: [protobuf({ 1: "92877.60", 2: "1.5" })],
  2: [protobuf({ 1: "92877.58", 2: "0.00000000" }), protobuf({ 1: "92877.5", 2: "2" })],
  4: "10589632359",
  5: "10589632361",
};

const book = frame(315, bookFields);
const deal = frame(314, dealFields, (bytes) => protobuf({ 1: bytes, 2: "spot@…" }));
const ticker = frame(309, tickerFields);
const depth = frame(313, depthFields);
const dealsOf = (...deals: Fields[]) =>
  mexcFrame(314, protobuf({ 1: deals.map((fields) => protobuf({ ...dealFields, ...fields })) }), {
    symbol: "BTCUSDT",
    sendTime: sentMs,
  });

const bookEvent = {
  kind: "bookTicker",
  symbolId: 7,
  bid: "93387.28",
  bidQuantity: "3.73485",
  ask: "93387.29",
  askQuantity: "7.669875",
  exchangeSequence: 10_589_632_359,
  exchangeTimeMs: sentMs,
  receivedAtMs: nowMs,
};
const tradeEvent = {
  kind: "trade",
  symbolId: 7,
  price: "93220",
  quantity: "0.04438243",
  side: "SELL",
  tradeId: "594288812",
  tradeCount: 1,
  exchangeSequence: 1_736_409_765_051,
  exchangeTimeMs: 1_736_409_765_051,
  receivedAtMs: nowMs,
};

describe("market data", () => {
  test("best bid and offer", () => {
    expect(decode(book())).toEqual([bookEvent]);
    expect(decode(book({ 1: "", 2: "" }))).toEqual([{ ...bookEvent, bid: null, bidQuantity: null }]);
    expect(decode(book({ 3: null, 4: null }))).toEqual([{ ...bookEvent, ask: null, askQuantity: null }]);
  });

  test("without a version the time of sending orders them, without that the time of making", () => {
    expect(decode(book({ 5: null }))).toEqual([{ ...bookEvent, exchangeSequence: sentMs }]);
    expect(decode(book({ sendTime: null, createTime: sentMs - 1 }))).toEqual([
      { ...bookEvent, exchangeTimeMs: sentMs - 1 },
    ]);
  });

  test("trades, in the order of their times", () => {
    expect(decode(deal())).toEqual([tradeEvent]);
    const later = { 3: 1, 4: 1_736_409_765_052, 5: "594288813" };
    expect(decode(dealsOf(later, {}))).toEqual([
      tradeEvent,
      {
        ...tradeEvent,
        side: "BUY",
        tradeId: "594288813",
        exchangeSequence: 1_736_409_765_052,
        exchangeTimeMs: 1_736_409_765_052,
      },
    ]);
  });

  test("trades without ids are told apart by what they say", () => {
    const ids = decode(dealsOf({ 5: null }, { 5: null, 2: "1" }, { 5: "" })).map(
      (event) => "tradeId" in event && event.tradeId,
    );
    expect(ids).toEqual([
      "1736409765051:2:93220.00:0.04438243",
      "1736409765051:2:93220.00:1",
      "1736409765051:2:93220.00:0.04438243:1",
    ]);
  });

  test("24 h statistics: the rate is a fraction, volume is turnover", () => {
    expect(decode(ticker())).toEqual([
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
        exchangeTimeMs: sentMs,
        receivedAtMs: nowMs,
      },
    ]);
  });

  test("changes of the order book", () => {
    expect(decode(depth())).toEqual([
      {
        kind: "book",
        symbolId: 7,
        message: {
          kind: "diff",
          diff: {
            first: 10_589_632_359,
            last: 10_589_632_361,
            previous: null,
            checksum: null,
            exchangeTimeMs: sentMs,
            bids: [
              ["92877.58", "0"],
              ["92877.5", "2"],
            ],
            asks: [["92877.6", "1.5"]],
          },
        },
        receivedAtMs: nowMs,
      },
    ]);
    expect(decode(depth({ 1: null, 2: null }))).toMatchObject([{ message: { diff: { bids: [], asks: [] } } }]);
  });

  test("fields that are not known are passed over", () => {
    expect(decode(deal({ 6: 1n, 99: "x", 100: protobuf({ 1: "x" }), 101: 1.5 }))).toEqual([tradeEvent]);
  });
});

const rows = (
  make: (change: Change) => Uint8Array,
  fields: readonly (number | string)[],
  values: readonly unknown[],
  what: string,
): [name: string, frame: Uint8Array, what: string][] =>
  fields.flatMap((field) =>
    values.map((value): [string, Uint8Array, string] => [
      `${what}: ${field} = ${typeof value === "bigint" ? value : JSON.stringify(value)?.slice(0, 40)}`,
      make({ [field]: value }),
      what,
    ]),
  );

/** As protocol buffers can hold them: no objects, and an array is a repeated field. */
const writable = (values: readonly unknown[]) => values.filter((value) => typeof value !== "object" || value === null);
const prices = writable(badPrices);
const amounts = writable(badAmounts);
const versions = ["0x1", "1.5", "-1", "9007199254740993", "1e40", "NaN"];
const times = [0, -1, Math.floor(sentMs / 1000), BigInt(sentMs) * 1000n, nowMs + 86_400_001, 2n ** 62n];

describe("rejected", () => {
  test.each([
    ...rows(book, [1, 3], [...prices, ""], "bookTicker-price"),
    ...rows(book, [2, 4], [...prices, ""], "bookTicker-quantity"),
    ...rows(book, [5], versions, "bookTicker-sequence"),
    ...rows(book, ["sendTime"], times, "bookTicker-time"),
    ...rows(deal, [1], prices, "deals-price"),
    ...rows(deal, [2], prices, "deals-quantity"),
    ...rows(deal, [3], [null, 0, 3, -1, "1", 1.5], "deals-side"),
    ...rows(deal, [4], [...times, null, "1736409765051", 1.5, Number.NaN], "deals-time"),
    ...rows(deal, [5], ["9".repeat(65)], "deals-sequence"),
    ...rows(ticker, [2, 5, 6], prices, "miniTicker-price"),
    ...rows(ticker, [4], [...amounts, "", "-1", "-1.01"], "miniTicker-change"),
    ...rows(ticker, [7, 8], [...amounts, "-1"], "miniTicker-volume"),
    ...rows(ticker, ["sendTime"], [...times, "x"], "miniTicker-time"),
    ...rows(depth, [4, 5], [...versions, null, "", 5], "depth-sequence"),
    ...rows(depth, [4], ["10589632362"], "depth-sequence"),
    ...rows(depth, ["sendTime"], times, "depth-time"),
    ...rows(
      depth,
      [1, 2],
      prices.map((price) => protobuf({ 1: price, 2: "1" })),
      "depth-price",
    ),
    ...rows(
      depth,
      [1, 2],
      [...amounts, "-1"].map((quantity) => protobuf({ 1: "1", 2: quantity })),
      "depth-quantity",
    ),
    ...rows(book, ["symbol"], ["", 7, "btcusdt", "__proto__"], "unknown-symbol"),
    ["another body", frame(308, {})(), "unknown-body"],
    ["no body", mexcFrame(2, null, { symbol: "BTCUSDT" }), "unknown-body"],
    ["a body that is a number", mexcFrame(315, 5, { symbol: "BTCUSDT" }), "unknown-body"],
    ["nothing", new Uint8Array(), "unknown-body"],
    ["half a frame", book().subarray(0, 40), "not-protobuf"],
    ["text", new TextEncoder().encode('{"id":0}'), "not-protobuf"],
    ["a group that does not end", Uint8Array.of(0x0b), "not-protobuf"],
    ["a length beyond the end", Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), "not-protobuf"],
  ])("%s", (_name, bytes, what) => {
    expect(decode(bytes)).toEqual([{ kind: "rejected", what }]);
  });
});

test.each([
  ["a symbol that is no longer wanted", book({ symbol: "OLDUSDT" }), "unsubscribed-symbol"],
  ["no trade for 24 hours", ticker({ 5: "0", 6: "0", 7: "0", 8: "0" }), "miniTicker-untraded"],
  ["no trades", mexcFrame(314, protobuf({ 2: "x" }), { symbol: "BTCUSDT", sendTime: sentMs }), "deals-empty"],
])("skipped: %s", (_name, bytes, what) => {
  expect(decode(bytes)).toEqual([{ kind: "skipped", what }]);
});

test.each([
  ['{"id":0,"code":0,"msg":"PONG"}', { kind: "skipped", what: "pong" }],
  ['{"id":3,"code":0,"msg":"spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"}', { kind: "answer", id: 3, error: null }],
  ['{"id":0,"code":0,"msg":"spot@public.miniTicker"}', { kind: "answer", id: null, error: null }],
  [
    '{"id":3,"code":0,"msg":"Not Subscribed successfully! [spot@x].  Reason： Blocked! "}',
    { kind: "answer", id: 3, error: "Not Subscribed successfully! [spot@x].  Reason： Blocked! (0)" },
  ],
  ['{"id":3,"code":2,"msg":"spot@x"}', { kind: "answer", id: 3, error: "spot@x (2)" }],
  [
    '{"id":"3","code":0,"msg":"no subscription success"}',
    { kind: "answer", id: null, error: "no subscription success (0)" },
  ],
  ['{"id":3,"code":"0","msg":"PONG"}', { kind: "rejected", what: "not-an-answer" }],
  ['{"id":3,"code":0}', { kind: "rejected", what: "not-an-answer" }],
  ["null", { kind: "rejected", what: "not-an-answer" }],
  ["[]", { kind: "rejected", what: "not-an-answer" }],
  ["", { kind: "rejected", what: "not-json" }],
])("text: %s", (text, expected) => {
  expect(decodeText(text)).toEqual(expected);
});

test.prop([fc.constantFrom(book(), deal(), ticker(), depth()), fc.nat(), fc.nat(3), fc.uint8Array({ maxLength: 3 })], {
  numRuns: 2_000,
})("cut and scribbled frames give sound events or named outcomes", (bytes, at, removed, inserted) => {
  const position = at % (bytes.length + 1);
  const scribbled = Buffer.concat([bytes.subarray(0, position), inserted, bytes.subarray(position + removed)]);
  for (const decoded of decode(scribbled)) expectSound(decoded);
  for (const decoded of decode(bytes.subarray(0, position))) expectSound(decoded);
});
