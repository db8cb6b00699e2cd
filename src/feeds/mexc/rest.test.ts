import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fields } from "../../../test/support/bad-values.js";
import { type FakeExchange, startFakeExchange } from "../../../test/support/fake-exchange.js";
import { fetchDepth, fetchInstruments, readDepth, readPairs } from "./rest.js";

const pair = {
  symbol: "BTCUSDT",
  status: "1",
  baseAsset: "BTC",
  baseAssetPrecision: 8,
  quoteAsset: "USDT",
  quotePrecision: 2,
  quoteAssetPrecision: 2,
  isSpotTradingAllowed: true,
  quoteAmountPrecision: "1",
  baseSizePrecision: "0.000001",
  filters: [],
  maxQuoteAmount: "4000000",
  tradeSideType: "1",
};
const list = (change: Fields) => JSON.stringify({ timezone: "CST", symbols: [{ ...pair, ...change }] });
const read = (change: Fields) => readPairs(list(change));

describe("pairs", () => {
  test("digits become steps, and what is called precision is the smallest order", () => {
    expect(read({}).instruments).toEqual([
      {
        ticker: "BTCUSDT",
        baseCurrency: "BTC",
        quoteCurrency: "USDT",
        status: "TRADING",
        tickSize: "0.01",
        stepSize: "0.00000001",
        minQuantity: "0.000001",
        maxQuantity: null,
        minOrderValue: "1",
        maxOrderValue: "4000000",
      },
    ]);
    expect(read({ baseSizePrecision: "0", quotePrecision: 0 }).instruments).toMatchObject([
      { minQuantity: null, tickSize: "1" },
    ]);
  });

  test.each([
    [{ status: "ENABLED", tradeSideType: undefined }, "TRADING"],
    [{ status: "2" }, "HALT"],
    [{ status: "3" }, "HALT"],
    [{ tradeSideType: "2" }, "HALT"],
    [{ tradeSideType: 4 }, "HALT"],
  ])("%j is %s", (change, status) => {
    expect(read(change).instruments).toMatchObject([{ status }]);
  });

  test.each([
    [{ baseAsset: null }, "names"],
    [{ baseAsset: "币" }, "names"],
    [{ status: 1 }, "names"],
    [{ quotePrecision: "2" }, "tick-size"],
    [{ quotePrecision: -1 }, "tick-size"],
    [{ quotePrecision: 1e40 }, "tick-size"],
    [{ baseAssetPrecision: undefined }, "lot-size"],
    [{ baseAssetPrecision: 1.5 }, "lot-size"],
    [{ baseSizePrecision: "1e40" }, "lot-size"],
    [{ baseSizePrecision: null }, "lot-size"],
    [{ quoteAmountPrecision: 5 }, "order-value"],
    [{ quoteAmountPrecision: "-5" }, "order-value"],
    [{ maxQuoteAmount: "0.5" }, "order-value"],
    [{ maxQuoteAmount: "NaN" }, "order-value"],
  ])("a broken entry is left out: %j", (change, reason) => {
    expect(read(change)).toEqual({ instruments: [], brokenTickers: ["BTCUSDT"], leftOut: new Map([[reason, 1]]) });
  });

  test.each(["", "{}", "null", "[]", '{"symbols":{}}'])("no list: %s", (text) => {
    expect(() => readPairs(text)).toThrow(expect.objectContaining({ code: "PROVIDER_UNAVAILABLE" }) as Error);
  });
});

describe("order books", () => {
  const depth = {
    lastUpdateId: 1112416,
    bids: [["15.00000", "49999.00000"]],
    asks: [["16.0000", "1.0000"]],
    timestamp: 1,
  };
  const readOne = (change: Fields) => readDepth(JSON.stringify({ ...depth, ...change }));

  test("a snapshot", () => {
    expect(readOne({})).toEqual({
      sequence: 1112416,
      depthLimit: 1_000,
      checksum: null,
      exchangeTimeMs: null,
      bids: [["15", "49999"]],
      asks: [["16", "1"]],
    });
  });

  test.each([
    ...[undefined, null, "5", -1, 1.5, 1e40].map((lastUpdateId) => ({ lastUpdateId })),
    ...[undefined, null, {}, [null], [["1"]], [["-1", "1"]], [["0", "1"]], [["1", "NaN"]], [["1e40", "1"]]].map(
      (bids) => ({ bids }),
    ),
  ])("broken: %j", (change) => {
    expect(() => readOne(change)).toThrow(expect.objectContaining({ code: "PROVIDER_UNAVAILABLE" }) as Error);
  });
});

describe("over HTTP", () => {
  let exchange: FakeExchange;
  beforeEach(async () => {
    exchange = await startFakeExchange();
  });
  afterEach(() => exchange.close());

  const endpoint = () => ({
    code: "TEST",
    websocketUrl: exchange.url,
    backupWebsocketUrl: null,
    endpointUrl: exchange.restUrl,
    timeoutMs: 2_000,
    retryDelayMs: 10,
    staleAfterMs: 1_000,
  });
  const log = pino({ level: "silent" });
  const { signal } = new AbortController();

  test("the list of pairs", async () => {
    exchange.body = () => list({});
    expect((await fetchInstruments(endpoint(), log)).instruments).toHaveLength(1);
    expect(exchange.requestedPaths).toEqual(["/api/v3/exchangeInfo"]);
  });

  test("an order book", async () => {
    exchange.body = () => JSON.stringify({ lastUpdateId: 5, bids: [], asks: [] });
    expect(await fetchDepth(endpoint(), "BTCUSDT", signal)).toMatchObject({ sequence: 5 });
    expect(exchange.requestedPaths).toEqual(["/api/v3/depth?symbol=BTCUSDT&limit=1000"]);
  });
});
