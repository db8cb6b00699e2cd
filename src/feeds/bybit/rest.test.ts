import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { Fields } from "../../../test/support/bad-values.js";
import { DomainError } from "../../core/errors.js";
import { fetchFuturesInstruments, readInstruments, readPage } from "./rest.js";

const spot = {
  symbol: "BTCUSDT",
  baseCoin: "BTC",
  quoteCoin: "USDT",
  status: "Trading",
  lotSizeFilter: {
    basePrecision: "0.000001",
    quotePrecision: "0.00000001",
    minOrderQty: "0.000048",
    maxOrderQty: "71.70",
    minOrderAmt: "1",
    maxOrderAmt: "4000000",
  },
  priceFilter: { tickSize: "0.01" },
};
const linear = {
  ...spot,
  contractType: "LinearPerpetual",
  lotSizeFilter: { maxOrderQty: "1190.000", minOrderQty: "0.001", qtyStep: "0.001", minNotionalValue: "5" },
  priceFilter: { minPrice: "0.10", maxPrice: "1999999.80", tickSize: "0.10" },
};
const readSpot = (change: Fields) => readInstruments([{ ...spot, ...change }], "spot");
const readLinear = (change: Fields) => readInstruments([{ ...linear, ...change }], "linear");
const page = (list: unknown[], nextPageCursor = "") =>
  JSON.stringify({ retCode: 0, retMsg: "OK", result: { category: "linear", list, nextPageCursor } });

describe("reading the instrument list", () => {
  test("spot and linear have their own names for steps and values", () => {
    expect(readSpot({}).instruments).toEqual([
      {
        ticker: "BTCUSDT",
        baseCurrency: "BTC",
        quoteCurrency: "USDT",
        status: "TRADING",
        tickSize: "0.01",
        stepSize: "0.000001",
        minQuantity: "0.000048",
        maxQuantity: "71.7",
        minOrderValue: "1",
        maxOrderValue: "4000000",
      },
    ]);
    expect(readLinear({}).instruments).toMatchObject([
      { tickSize: "0.1", stepSize: "0.001", maxQuantity: "1190", minOrderValue: "5", maxOrderValue: null },
    ]);
    expect(readLinear({ status: "PreLaunch" }).instruments).toMatchObject([{ status: "HALT" }]);
  });

  test("futures that end, and what is over, are none of ours", () => {
    for (const change of [{ contractType: "LinearFutures" }, { status: "Closed" }, { status: "Delivering" }]) {
      expect(readLinear(change)).toEqual({ instruments: [], brokenTickers: [], leftOut: new Map() });
    }
  });

  test.each([
    [{ symbol: null }, "names"],
    [{ status: undefined }, "names"],
    [{ contractType: 5 }, "contract-type"],
    [{ priceFilter: null }, "filters"],
    [{ lotSizeFilter: "x" }, "filters"],
    [{ priceFilter: { tickSize: "1e40" } }, "tick-size"],
    [{ priceFilter: {} }, "tick-size"],
    [{ lotSizeFilter: { ...linear.lotSizeFilter, qtyStep: "0" } }, "lot-size"],
    [{ lotSizeFilter: { ...linear.lotSizeFilter, minOrderQty: "-1" } }, "lot-size"],
    [{ lotSizeFilter: { ...linear.lotSizeFilter, minNotionalValue: 5 } }, "order-value"],
  ])("a broken entry is left out: %j", (change, reason) => {
    expect(readLinear(change)).toMatchObject({ instruments: [], leftOut: new Map([[reason, 1]]) });
  });

  test.each(["", "[]", "null", "{}", '{"retCode":10006,"retMsg":"Too many visits"}', '{"retCode":0,"result":null}'])(
    "no list: %j",
    (text) => {
      expect(() => readPage(text)).toThrow(DomainError);
    },
  );

  test("all pages are read", async () => {
    const pages = new Map([
      ["", page([linear], "a&b")],
      ["a&b", page([{ ...linear, symbol: "ETHUSDT", baseCoin: "ETH" }])],
    ]);
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? "", "http://localhost");
      response.end(pages.get(url.searchParams.get("cursor") ?? ""));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const endpoint = {
      code: "TEST",
      websocketUrl: "ws://127.0.0.1:1",
      backupWebsocketUrl: null,
      endpointUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timeoutMs: 2_000,
      retryDelayMs: 1,
      staleAfterMs: 1,
    };
    const { instruments } = await fetchFuturesInstruments(endpoint, pino({ level: "silent" }));
    server.closeAllConnections();
    server.close();
    expect(instruments.map(({ ticker }) => ticker)).toEqual(["BTCUSDT", "ETHUSDT"]);
  });
});
