import { describe, expect, test } from "vitest";
import type { Fields } from "../../../test/support/bad-values.js";
import { DomainError } from "../../core/errors.js";
import { fixedPointOne } from "../../core/fixed-point.js";
import { readContractSizes, readContracts, readPairs } from "./rest.js";

const pair = {
  id: "BTC_USDT",
  base: "BTC",
  quote: "USDT",
  min_base_amount: "0.0001",
  min_quote_amount: "3",
  max_quote_amount: "5000000",
  amount_precision: 6,
  precision: 1,
  trade_status: "tradable",
};
const contract = {
  name: "BTC_USDT",
  type: "direct",
  quanto_multiplier: "0.0001",
  order_price_round: "0.1",
  order_size_min: 1,
  order_size_max: 1_000_000,
  in_delisting: false,
};
const readPair = (change: Fields) => readPairs(JSON.stringify([{ ...pair, ...change }]));
const readContract = (change: Fields) => readContracts(JSON.stringify([{ ...contract, ...change }]));

describe("spot pairs", () => {
  test("digits become steps", () => {
    expect(readPair({}).instruments).toEqual([
      {
        ticker: "BTC_USDT",
        baseCurrency: "BTC",
        quoteCurrency: "USDT",
        status: "TRADING",
        tickSize: "0.1",
        stepSize: "0.000001",
        minQuantity: "0.0001",
        maxQuantity: null,
        minOrderValue: "3",
        maxOrderValue: "5000000",
      },
    ]);
    expect(readPair({ amount_precision: 0, max_base_amount: null }).instruments).toMatchObject([{ stepSize: "1" }]);
  });

  test.each(["untradable", "buyable", "sellable"])("%s cannot be traded now", (trade_status) => {
    expect(readPair({ trade_status }).instruments).toMatchObject([{ status: "HALT" }]);
  });

  test.each([
    [{ base: null }, "names"],
    [{ trade_status: 1 }, "names"],
    [{ precision: "1" }, "tick-size"],
    [{ precision: -1 }, "tick-size"],
    [{ precision: 1e40 }, "tick-size"],
    [{ amount_precision: undefined }, "lot-size"],
    [{ min_base_amount: "1e40" }, "lot-size"],
    [{ min_quote_amount: 3 }, "order-value"],
    [{ min_quote_amount: "9000000" }, "order-value"],
  ])("a broken entry is left out: %j", (change, reason) => {
    expect(readPair(change)).toEqual({
      instruments: [],
      brokenTickers: ["BTC_USDT"],
      leftOut: new Map([[reason, 1]]),
    });
  });
});

describe("contracts", () => {
  test("limits are in base currency", () => {
    expect(readContract({ status: "trading" }).instruments).toMatchObject([
      { stepSize: "0.0001", minQuantity: "0.0001", maxQuantity: "100", status: "TRADING" },
    ]);
    for (const change of [{ in_delisting: true }, { status: "prelaunch" }, { status: "circuit_breaker" }]) {
      expect(readContract(change).instruments).toMatchObject([{ status: "HALT" }]);
    }
    expect(readContract({ type: "inverse" })).toMatchObject({ instruments: [], brokenTickers: [] });
  });

  test.each([
    [{ name: "BTCUSDT" }, "names"],
    [{ name: "BTC_USDT_20261009" }, "names"],
    [{ type: null }, "contract-type"],
    [{ in_delisting: undefined }, "contract-type"],
    [{ order_price_round: "0" }, "tick-size"],
    [{ quanto_multiplier: "0" }, "contract-size"],
    [{ quanto_multiplier: 1 }, "contract-size"],
    [{ order_size_min: -1 }, "lot-size"],
    [{ order_size_max: 1e40 }, "lot-size"],
  ])("a broken entry is left out: %j", (change, reason) => {
    expect(readContract(change)).toMatchObject({ instruments: [], leftOut: new Map([[reason, 1]]) });
  });

  test("sizes", () => {
    const broken = [null, { ...contract, name: 5 }, { ...contract, name: "X_USDT", quanto_multiplier: "-1" }];
    const sizes = readContractSizes(JSON.stringify([contract, ...broken]));
    expect([...sizes]).toEqual([["BTC_USDT", fixedPointOne / 10_000n]]);
  });
});

test.each(["", "{}", "null", '{"label":"TOO_MANY_REQUESTS"}'])("no list: %j", (text) => {
  expect(() => readPairs(text)).toThrow(DomainError);
  expect(() => readContracts(text)).toThrow(DomainError);
  expect(() => readContractSizes(text)).toThrow(DomainError);
});
