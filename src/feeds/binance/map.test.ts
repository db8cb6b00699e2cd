import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { type Decoded, decodeFrame, type SpotSymbol } from "./map.js";

const nowMs = 1_700_000_000_500;
const symbols = new Map<string, SpotSymbol>([
  ["BTCUSDT", { id: 7, streamPrefix: "btcusdt" }],
  ["ETHUSDT", { id: 8, streamPrefix: "ethusdt" }],
  ["OLDUSDT", { id: null, streamPrefix: "oldusdt" }],
]);
const decode = (text: string): Decoded => decodeFrame(text, nowMs, symbols);

type Fields = Record<string, unknown>;
const bookFields: Fields = { u: 41, s: "BTCUSDT", b: "64000.10", B: "1.50000000", a: "64000.20000000", A: "0.75" };
const tradeFields: Fields = {
  e: "aggTrade",
  E: 1_700_000_000_123,
  s: "BTCUSDT",
  a: 4711,
  p: "64000.10000000",
  q: "0.02000000",
  f: 9001,
  l: 9002,
  T: 1_700_000_000_120,
  m: true,
  M: true,
};
const tickerFields: Fields = {
  e: "24hrTicker",
  E: 1_700_000_000_123,
  s: "BTCUSDT",
  p: "-120.50000000",
  P: "-0.188",
  c: "64000.10000000",
  o: "64120.60000000",
  h: "64500.00000000",
  l: "63500.00000000",
  v: "1234.50000000",
  q: "79012345.60000000",
};
const bookFrame = (change: Fields = {}, stream = "btcusdt@bookTicker") =>
  JSON.stringify({ stream, data: { ...bookFields, ...change } });
const tradeFrame = (change: Fields = {}, stream = "btcusdt@aggTrade") =>
  JSON.stringify({ stream, data: { ...tradeFields, ...change } });
const tickerFrame = (change: Fields = {}, stream = "btcusdt@ticker") =>
  JSON.stringify({ stream, data: { ...tickerFields, ...change } });

describe("events", () => {
  test("best bid and offer", () => {
    expect(decode(bookFrame({ extra: { any: ["thing"] } }))).toEqual({
      kind: "bookTicker",
      symbolId: 7,
      bid: "64000.1",
      bidQuantity: "1.5",
      ask: "64000.2",
      askQuantity: "0.75",
      exchangeSequence: 41,
      exchangeTimeMs: null,
      receivedAtMs: nowMs,
    });
  });

  test.each([
    [
      { b: "0.00000000", B: "0.00000000" },
      { bid: null, bidQuantity: null, ask: "64000.2" },
    ],
    [
      { a: "0.00000000", A: "0" },
      { bid: "64000.1", ask: null, askQuantity: null },
    ],
    [
      { b: "0", B: "0", a: "0", A: "0" },
      { bid: null, bidQuantity: null, ask: null, askQuantity: null },
    ],
  ])("an empty side is null: %j", (change, expected) => {
    expect(decode(bookFrame(change))).toMatchObject({ kind: "bookTicker", ...expected });
  });

  test.each([
    [true, "SELL"],
    [false, "BUY"],
  ])("trade whose buyer is the maker: %s, taker's side: %s", (m, side) => {
    expect(decode(tradeFrame({ m }))).toEqual({
      kind: "trade",
      symbolId: 7,
      price: "64000.1",
      quantity: "0.02",
      side,
      tradeId: "4711",
      tradeCount: 2,
      exchangeSequence: 4711,
      exchangeTimeMs: 1_700_000_000_120,
      receivedAtMs: nowMs,
    });
  });

  test("24 h statistics", () => {
    expect(decode(tickerFrame())).toEqual({
      kind: "ticker24h",
      symbolId: 7,
      last: "64000.1",
      open: "64120.6",
      high: "64500",
      low: "63500",
      change: "-120.5",
      changePercent: "-0.188",
      volume: "1234.5",
      quoteVolume: "79012345.6",
      exchangeTimeMs: 1_700_000_000_123,
      receivedAtMs: nowMs,
    });
  });

  test("the largest safe sequence and the longest numbers pass unchanged", () => {
    const price = "12345678901234567890.123456789012345678";
    expect(decode(tradeFrame({ a: Number.MAX_SAFE_INTEGER, p: price }))).toMatchObject({
      price,
      tradeId: "9007199254740991",
    });
  });
});

const badNumbers = [undefined, null, 5, true, {}, [], "", " 1", "+1", "1e5", "1e40", "NaN", "Infinity", "-Infinity"];
const unfit = ["0x10", "1,5", ".5", "5.", "--1", "123456789012345678901", "0.1234567890123456789", "9".repeat(400)];
const badPrices = [...badNumbers, ...unfit, "0", "0.00000000", "-1", "-0.00000001"];
const badSequences = [undefined, null, "41", 1.5, -1, 2 ** 53, 1e300, true, [41]];
const badTimes = [
  undefined,
  null,
  "1700000000120",
  0,
  -1,
  1_700_000_000,
  1_700_000_000_120_000,
  nowMs + 86_400_001,
  1.5,
];
const badTickers = [undefined, null, 7, "", "btcusdt", "XXXUSDT", "__proto__", ["BTCUSDT"]];

const table = (
  frame: (change: Fields) => string,
  fields: readonly string[],
  values: readonly unknown[],
  what: string,
): [string, string, string][] =>
  fields.flatMap((field) =>
    values.map((value): [string, string, string] => [
      `${field} = ${JSON.stringify(value)?.slice(0, 40)}`,
      frame({ [field]: value }),
      what,
    ]),
  );

describe("rejected", () => {
  test.each([
    ...table(bookFrame, ["b", "a"], badPrices, "bookTicker-price"),
    ...table(bookFrame, ["B", "A"], badPrices, "bookTicker-quantity"),
    ...table(bookFrame, ["u"], badSequences, "bookTicker-sequence"),
    ...table(bookFrame, ["s"], badTickers, "unknown-symbol"),
    ...table(tradeFrame, ["p"], badPrices, "aggTrade-price"),
    ...table(tradeFrame, ["q"], badPrices, "aggTrade-quantity"),
    ...table(tradeFrame, ["a"], badSequences, "aggTrade-sequence"),
    ...table(tradeFrame, ["T"], badTimes, "aggTrade-time"),
    ...table(tradeFrame, ["m"], [undefined, null, 1, "true"], "aggTrade-side"),
    ...table(tradeFrame, ["f"], [...badSequences, 9003], "aggTrade-count"),
    ...table(tradeFrame, ["l"], [...badSequences, 9000, 2_000_000], "aggTrade-count"),
    ...table(tradeFrame, ["s"], badTickers, "unknown-symbol"),
    ...table(tickerFrame, ["c", "o", "h", "l"], badPrices, "24hrTicker-price"),
    ...table(tickerFrame, ["p", "P"], [...badNumbers, ...unfit], "24hrTicker-change"),
    ...table(tickerFrame, ["v", "q"], [...badNumbers, ...unfit, "-1"], "24hrTicker-volume"),
    ...table(tickerFrame, ["E"], badTimes, "24hrTicker-time"),
    ...table(tickerFrame, ["s"], badTickers, "unknown-symbol"),
  ])("%s", (_name, frame, what) => {
    expect(decode(frame)).toEqual({ kind: "rejected", what });
  });

  test("statistics whose lowest price is above the highest", () => {
    expect(decode(tickerFrame({ l: "2", h: "1" }))).toEqual({ kind: "rejected", what: "24hrTicker-price" });
  });

  test.each([
    [
      "a sequence beyond 2^53 in the text",
      '{"stream":"btcusdt@bookTicker","data":{"u":9007199254740993,"s":"BTCUSDT"}}',
    ],
    ["a sequence beyond all numbers", '{"stream":"btcusdt@bookTicker","data":{"u":1e999,"s":"BTCUSDT"}}'],
  ])("%s", (_name, frame) => {
    expect(decode(frame)).toEqual({ kind: "rejected", what: "bookTicker-sequence" });
  });

  test.each([
    ["trade on a book stream", tradeFrame({}, "btcusdt@bookTicker"), "wrong-stream"],
    ["book on a trade stream", bookFrame({ e: "bookTicker" }, "btcusdt@aggTrade"), "wrong-stream"],
    ["statistics on a book stream", tickerFrame({}, "btcusdt@bookTicker"), "wrong-stream"],
    ["another symbol's stream", bookFrame({}, "ethusdt@bookTicker"), "wrong-stream"],
    ["a longer stream name", bookFrame({}, "btcusdtx@bookTicker"), "wrong-stream"],
    ["a stream name without a symbol", bookFrame({}, "@bookTicker"), "wrong-stream"],
    ["an untyped payload on a trade stream", bookFrame({}, "btcusdt@aggTrade"), "unknown-type"],
    ["an unknown type", tradeFrame({ e: "aggTrad" }), "unknown-type"],
    ["a type of another kind", tradeFrame({ e: ["aggTrade"] }), "unknown-type"],
    ["a type from the object prototype", tradeFrame({ e: "constructor" }), "unknown-type"],
    ["no stream", JSON.stringify({ data: bookFields }), "not-a-frame"],
    ["a bare payload", JSON.stringify(bookFields), "not-a-frame"],
    ["data is text", '{"stream":"btcusdt@bookTicker","data":"x"}', "not-a-frame"],
    ["data is null", '{"stream":"btcusdt@bookTicker","data":null}', "not-a-frame"],
    ["null", "null", "not-a-frame"],
    ["a number", "1", "not-a-frame"],
    ["an array", "[]", "not-a-frame"],
    ["nothing", "", "not-json"],
    ["half a frame", bookFrame().slice(0, 60), "not-json"],
    ["two frames", bookFrame() + bookFrame(), "not-json"],
    ["NaN", '{"stream":"btcusdt@bookTicker","data":{"u":NaN}}', "not-json"],
  ])("%s", (_name, frame, what) => {
    expect(decode(frame)).toEqual({ kind: "rejected", what });
  });
});

describe("skipped", () => {
  const typed = (e: string, channel: string): [string, string] => [
    e,
    JSON.stringify({ stream: `btcusdt@${channel}`, data: { e, s: "BTCUSDT" } }),
  ];
  test.each([
    typed("depthUpdate", "depth"),
    typed("trade", "trade"),
    typed("kline", "kline_1m"),
    typed("24hrMiniTicker", "miniTicker"),
    typed("avgPrice", "avgPrice"),
    typed("1hTicker", "ticker_1h"),
    ["depth", '{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":1,"bids":[],"asks":[]}}'],
    ["all-markets", '{"stream":"!miniTicker@arr","data":[]}'],
    ["unsubscribed-symbol", bookFrame({ s: "OLDUSDT" }, "oldusdt@bookTicker")],
    ["24hrTicker-untraded", tickerFrame({ c: "0.00", o: "0.00", h: "0.00", l: "0.00", v: "0.00", q: "0.00" })],
  ])("%s", (what, frame) => {
    expect(decode(frame)).toEqual({ kind: "skipped", what });
  });
});

describe("control", () => {
  test.each([
    ['{"result":null,"id":3}', { kind: "answer", id: 3, error: null }],
    ['{"error":{"code":2,"msg":"bad"},"id":3}', { kind: "answer", id: 3, error: "bad (2)" }],
    ['{"code":3,"msg":"Invalid JSON"}', { kind: "answer", id: null, error: "Invalid JSON (3)" }],
    ['{"error":{},"id":"3"}', { kind: "answer", id: null, error: "no reason given" }],
    ['{"e":"serverShutdown","E":1700000000123}', { kind: "shutdown" }],
    ['{"event":{"e":"serverShutdown"}}', { kind: "shutdown" }],
    ['{"stream":"!serverShutdown","data":{"e":"serverShutdown"}}', { kind: "shutdown" }],
  ])("%s", (frame, expected) => {
    expect(decode(frame)).toEqual(expected);
  });
});

const positive = /^(?!0+(\.0+)?$)(0|[1-9]\d{0,19})(\.\d{0,17}[1-9])?$/;
const signed = /^-?(0|[1-9]\d{0,19})(\.\d{0,17}[1-9])?$/;

/** What every consumer relies on, written independently of the decoder. */
function expectSound(decoded: Decoded): void {
  switch (decoded.kind) {
    case "bookTicker":
      expect(decoded.symbolId === 7 || decoded.symbolId === 8).toBe(true);
      expect(Number.isSafeInteger(decoded.exchangeSequence)).toBe(true);
      for (const text of [decoded.bid, decoded.bidQuantity, decoded.ask, decoded.askQuantity]) {
        if (text !== null) expect(text).toMatch(positive);
      }
      expect(decoded.bid === null).toBe(decoded.bidQuantity === null);
      expect(decoded.ask === null).toBe(decoded.askQuantity === null);
      return;
    case "trade":
      expect(decoded.price).toMatch(positive);
      expect(decoded.quantity).toMatch(positive);
      expect(decoded.tradeId).toMatch(/^\d+$/);
      expect(decoded.tradeCount).toBeGreaterThan(0);
      expect(Number.isSafeInteger(decoded.exchangeSequence)).toBe(true);
      expect(new Date(decoded.exchangeTimeMs).getUTCFullYear()).toBeGreaterThanOrEqual(2010);
      return;
    case "ticker24h":
      for (const text of [decoded.last, decoded.open, decoded.high, decoded.low]) expect(text).toMatch(positive);
      for (const text of [decoded.change, decoded.changePercent]) expect(text).toMatch(signed);
      for (const text of [decoded.volume, decoded.quoteVolume]) expect(text).toMatch(/^(?!-)/);
      return;
    case "skipped":
    case "rejected":
      expect(decoded.what.length).toBeGreaterThan(3);
  }
}

const frames = [bookFrame(), tradeFrame(), tickerFrame(), '{"result":null,"id":1}', '{"code":3,"msg":"x"}'];
const numberText = fc.oneof(
  fc.constantFrom(...[...badPrices, "1", "0.10", "00012.500", "-0"].filter((v) => typeof v === "string")),
  fc.tuple(fc.bigInt(0n, 10n ** 42n), fc.nat(41)).map(([digits, places]) => {
    const text = digits.toString().padStart(places + 1, "0");
    return places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`;
  }),
);
const fieldValue = fc.oneof(numberText, fc.integer(), fc.double(), fc.maxSafeInteger(), fc.jsonValue());

describe("whatever arrives", () => {
  test.prop([
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.jsonValue().map((v) => JSON.stringify(v)),
    ),
  ])("garbage and any JSON gives a named outcome", (text) => expectSound(decode(text)));

  test.prop([fc.constantFrom(...frames), fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })], { numRuns: 2_000 })(
    "cut and scribbled frames give a sound event or a named outcome",
    (frame, at, removed, inserted) => {
      const position = at % (frame.length + 1);
      expectSound(decode(frame.slice(0, position)));
      expectSound(decode(frame.slice(0, position) + inserted + frame.slice(position + removed)));
    },
  );

  test.prop(
    [
      fc.constantFrom(bookFrame, tradeFrame, tickerFrame),
      fc.dictionary(
        fc.constantFrom(...new Set([bookFields, tradeFields, tickerFields].flatMap(Object.keys))),
        fieldValue,
      ),
    ],
    {
      numRuns: 5_000,
    },
  )("exchanged fields give a sound event or a named outcome", (frame, change) => expectSound(decode(frame(change))));

  test.prop([fc.constantFrom("p", "q"), numberText], { numRuns: 5_000 })(
    "a positive number that fits is never refused and keeps its value",
    (field, text) => {
      const decoded = decode(tradeFrame({ [field]: text }));
      const plain = /^\d{1,40}(\.\d{1,40})?$/.test(text);
      const canonical = text
        .replace(/^0+(?=\d)/, "")
        .replace(/(\.\d*?)0+$/, "$1")
        .replace(/\.$/, "");
      if (plain && positive.test(canonical)) {
        expect(decoded).toMatchObject({ kind: "trade", [field === "p" ? "price" : "quantity"]: canonical });
      } else {
        expect(decoded.kind).toBe("rejected");
      }
    },
  );
});
