import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { accountView, at, d, futuresSymbol, newOrder, placed, spotSymbol, viewOf } from "../../test/support/orders.js";
import type { Decimal } from "../core/decimal.js";
import type { NewOrder } from "./order.js";
import { orderFrom } from "./order-life.js";
import { brokenReplacementRules, brokenRules, type MarketConditions, requireNone } from "./order-rules.js";
import { openOrAdd, type Position } from "./position.js";

const spot: MarketConditions = {
  symbol: spotSymbol,
  marketStatus: "OPEN",
  nextStatusChangeAt: null,
  view: viewOf(100),
  account: accountView(),
};
const futures: MarketConditions = { ...spot, symbol: futuresSymbol };

const said = (order: Partial<NewOrder>, conditions = spot): string[] =>
  brokenRules(newOrder(order), conditions).map(({ code, details }) =>
    [code, details.field, details.rule, details.nearest].filter((part) => part != null).join(" "),
  );
const market = { orderType: "MARKET", price: null } as const;
const stop = (stopPrice: number | null, change: Partial<NewOrder> = {}) =>
  ({ orderType: "STOP_MARKET", price: null, stopPrice: stopPrice === null ? null : d(stopPrice), ...change }) as const;

const long = (quantity: number, marginMode: "CROSS" | "ISOLATED" = "CROSS"): Position =>
  openOrAdd(
    null,
    { accountId: "a", symbolId: 2, side: "LONG", leverage: 1, marginMode },
    { quantity: d(quantity), price: d(100), at: at(0) },
    d(0),
  );

test("what may be placed", () => {
  for (const order of [
    {},
    market,
    { ...market, timeInForce: "FOK" },
    { orderType: "LIMIT_MAKER", price: d(99) },
    { timeInForce: "GTX", postOnly: true },
    { icebergQuantity: d(1) },
    stop(101),
    stop(99, { side: "SELL" }),
    stop(101, { orderType: "STOP_LIMIT", price: d(102) }),
    stop(99, { orderType: "TAKE_PROFIT" }),
    stop(101, { orderType: "TAKE_PROFIT", side: "SELL" }),
    stop(null, { orderType: "TRAILING_STOP", callbackRate: d("0.1") }),
    stop(100, { orderType: "TRAILING_STOP", callbackRate: d(10), side: "SELL" }),
    { stopLoss: d(90), takeProfit: d(110) },
  ] satisfies Partial<NewOrder>[]) {
    expect(said(order)).toEqual([]);
  }
  expect(said({ leverage: 125, side: "SELL", stopLoss: d(110) }, futures)).toEqual([]);
});

describe("fields", () => {
  test.each<[Partial<NewOrder>, string]>([
    [{ quantity: d(0) }, "quantity"],
    [{ quantity: d(-1) }, "quantity"],
    [{ quantity: d("1e21") }, "quantity"],
    [{ quantity: d("0.0000000000000000001") }, "quantity"],
    [{ quantity: d(Number.NaN) }, "quantity"],
    [{ quantity: d(Number.POSITIVE_INFINITY) }, "quantity"],
    [{ price: d(-1) }, "price"],
    [{ price: null }, "price"],
    [{ ...market, price: d(100) }, "price"],
    [{ orderType: "LIMIT_MAKER", price: null }, "price"],
    [stop(null), "stopPrice"],
    [{ stopPrice: d(99) }, "stopPrice"],
    [stop(101, { price: d(100) }), "price"],
    [stop(101, { orderType: "STOP_LIMIT" }), "price"],
    [stop(null, { orderType: "TRAILING_STOP" }), "callbackRate"],
    [stop(null, { orderType: "TRAILING_STOP", callbackRate: d("10.1") }), "callbackRate"],
    [stop(null, { orderType: "TRAILING_STOP", callbackRate: d("0.05") }), "callbackRate"],
    [stop(null, { orderType: "TRAILING_STOP", callbackRate: d("1.234") }), "callbackRate"],
    [{ callbackRate: d(1) }, "callbackRate"],
    [{ icebergQuantity: d(3) }, "icebergQuantity"],
    [{ ...market, icebergQuantity: d(1) }, "icebergQuantity"],
    [{ icebergQuantity: d(1), timeInForce: "IOC" }, "icebergQuantity"],
    [{ ...market, timeInForce: "GTX" }, "timeInForce"],
    [{ ...market, timeInForce: "DAY" }, "timeInForce"],
    [{ orderType: "LIMIT_MAKER", timeInForce: "IOC" }, "timeInForce"],
    [stop(101, { timeInForce: "IOC" }), "timeInForce"],
    [{ ...market, postOnly: true }, "postOnly"],
    [{ postOnly: true, timeInForce: "FOK" }, "postOnly"],
    [{ leverage: 2 }, "leverage"],
    [{ reduceOnly: true }, "reduceOnly"],
    [{ positionSide: "LONG" }, "positionSide"],
    [{ side: "SELL", stopLoss: d(110) }, "stopLoss"],
  ])("%j is a fault of %s", (order, field) => {
    const [first] = brokenRules(newOrder(order), spot);
    expect([first?.code, first?.details.field]).toEqual(["BAD_USER_INPUT", field]);
  });

  test("of futures depend on the account", () => {
    const hedge = { ...futures, account: accountView({ positionMode: "HEDGE", positions: [long(2)] }) };
    expect(said({ leverage: 126 }, futures)).toEqual(["BAD_USER_INPUT leverage"]);
    expect(said({ leverage: 1.5 }, futures)).toEqual(["BAD_USER_INPUT leverage"]);
    expect(said({ leverage: 0 }, futures)).toEqual(["BAD_USER_INPUT leverage"]);
    expect(said({ positionSide: "LONG" }, futures)).toEqual(["BAD_USER_INPUT positionSide"]);
    expect(said({}, hedge)).toEqual(["BAD_USER_INPUT positionSide"]);
    expect(said({ positionSide: "LONG" }, hedge)).toEqual([]);
    expect(said({ positionSide: "LONG", side: "SELL" }, hedge)).toEqual([]);
    expect(said({ positionSide: "SHORT" }, hedge)).toEqual(["BAD_USER_INPUT positionSide"]);
    expect(said({ positionSide: "LONG", reduceOnly: true }, hedge)).toEqual(["BAD_USER_INPUT reduceOnly"]);
    expect(said({ reduceOnly: true }, futures)).toEqual(["BAD_USER_INPUT reduceOnly"]);
    const oneWay = { ...futures, account: accountView({ positions: [long(2)] }) };
    expect(said({ reduceOnly: true, side: "SELL" }, oneWay)).toEqual([]);
    expect(said({ reduceOnly: true, side: "BUY" }, oneWay)).toEqual(["BAD_USER_INPUT reduceOnly"]);
    expect(said({ reduceOnly: true, side: "SELL", stopLoss: d(1) }, oneWay)).toEqual(["BAD_USER_INPUT stopLoss"]);
    expect(said({ marginMode: "ISOLATED" }, oneWay)).toEqual(["BAD_USER_INPUT marginMode"]);
  });
});

describe("market", () => {
  test("closed, halted, or the symbol not trading", () => {
    const closed = { ...spot, marketStatus: "CLOSED", nextStatusChangeAt: at(0) } as const;
    expect(said({}, closed)).toEqual(["MARKET_CLOSED"]);
    expect(brokenRules(newOrder(), closed)[0]?.details).toEqual({
      status: "CLOSED",
      changesAt: "2026-01-05T12:00:00.000Z",
    });
    expect(said({}, { ...spot, marketStatus: "HALTED" })).toEqual(["MARKET_CLOSED"]);
    expect(said({}, { ...spot, symbol: { ...spotSymbol, isTrading: false } })).toEqual(["SYMBOL_NOT_TRADING"]);
  });

  test("before and after the main session only limit orders are taken", () => {
    const early = { ...spot, marketStatus: "PRE_MARKET" } as const;
    expect(said({}, early)).toEqual([]);
    expect(said(market, early)).toEqual(["MARKET_CLOSED"]);
  });

  test("without a price, or with an old one, nothing is placed that needs one", () => {
    for (const view of [null, viewOf(100, { isStale: true })]) {
      expect(said(market, { ...spot, view })).toEqual(["NO_QUOTE"]);
      expect(said(stop(101), { ...spot, view })).toEqual(["NO_QUOTE"]);
      expect(said({ price: d(10_000) }, { ...spot, view })).toEqual([]);
    }
  });
});

describe("prices", () => {
  test.each<[Partial<NewOrder>, string]>([
    [{ price: d("100.006") }, "PRICE_OUT_OF_RANGE price tickSize 100.01"],
    [stop(101.004), "PRICE_OUT_OF_RANGE stopPrice tickSize 101"],
    [{ stopLoss: d("90.001") }, "PRICE_OUT_OF_RANGE stopLoss tickSize 90"],
    [{ price: d("19.99") }, "PRICE_OUT_OF_RANGE price priceBand 20"],
    [{ price: d("500.01") }, "PRICE_OUT_OF_RANGE price priceBand 500"],
    [stop(100), "PRICE_OUT_OF_RANGE stopPrice stopSide 100.01"],
    [stop(100, { side: "SELL" }), "PRICE_OUT_OF_RANGE stopPrice stopSide 99.99"],
    [stop(100, { orderType: "TAKE_PROFIT" }), "PRICE_OUT_OF_RANGE stopPrice stopSide 99.99"],
    [stop(100, { orderType: "TAKE_PROFIT", side: "SELL" }), "PRICE_OUT_OF_RANGE stopPrice stopSide 100.01"],
    [stop(101, { orderType: "TRAILING_STOP", callbackRate: d(1) }), "PRICE_OUT_OF_RANGE stopPrice stopSide 99.99"],
    [{ stopLoss: d(100) }, "PRICE_OUT_OF_RANGE stopLoss protectionSide 99.99"],
    [{ takeProfit: d(99) }, "PRICE_OUT_OF_RANGE takeProfit protectionSide 100.01"],
  ])("%j: %s", (order, expected) => {
    expect(said(order)).toEqual([expected]);
  });
});

describe("quantities", () => {
  test.each<[Partial<NewOrder>, string]>([
    [{ quantity: d("1.2345") }, "QUANTITY_OUT_OF_RANGE quantity stepSize 1.234"],
    [{ quantity: d(1001) }, "QUANTITY_OUT_OF_RANGE quantity maxQuantity 1000"],
    [{ quantity: d("0.049") }, "MIN_NOTIONAL quantity minNotional 0.05"],
    [{ ...market, quantity: d("0.049") }, "MIN_NOTIONAL quantity minNotional 0.05"],
    [{ icebergQuantity: d("0.0015") }, "QUANTITY_OUT_OF_RANGE icebergQuantity stepSize 0.001"],
  ])("%j: %s", (order, expected) => {
    expect(said(order)).toEqual([expected]);
  });

  test("least and most", () => {
    const wide = {
      ...spot,
      symbol: { ...spotSymbol, minQuantity: d("0.0025"), maxNotional: d(1_000), minNotional: null },
    };
    expect(said({ quantity: d("0.002") }, wide)).toEqual(["QUANTITY_OUT_OF_RANGE quantity minQuantity 0.003"]);
    expect(said({ quantity: d("10.001") }, wide)).toEqual(["QUANTITY_OUT_OF_RANGE quantity maxNotional 10"]);
    const boundless = { ...spot, symbol: { ...spotSymbol, maxQuantity: null, maxNotional: null } };
    expect(said({ quantity: d("1e19") }, boundless)).toEqual([
      "QUANTITY_OUT_OF_RANGE quantity maxNotional 100000000000000000",
    ]);
  });

  test("a position can be closed to the last, however little it is", () => {
    const account = accountView({ positions: [long(0.0001)] });
    expect(said({ side: "SELL", reduceOnly: true, quantity: d("0.0001") }, { ...futures, account })).toEqual([]);
  });
});

test("several broken rules are all told, the gravest first", () => {
  const order = { price: d("100.001"), quantity: d("0.0001") };
  const rules = brokenRules(newOrder(order), { ...spot, marketStatus: "CLOSED" });
  expect(rules.map(({ code }) => code)).toEqual([
    "MARKET_CLOSED",
    "PRICE_OUT_OF_RANGE",
    "QUANTITY_OUT_OF_RANGE",
    "QUANTITY_OUT_OF_RANGE",
    "MIN_NOTIONAL",
  ]);
  expect(() => requireNone(rules)).toThrow("the market is CLOSED");
  requireNone([]);
});

test("the nearest value that a rule names is one that it allows", () => {
  const amounts = (most: bigint) => fc.bigInt({ min: 1n, max: most }).map((n) => d(n.toString()).div("1e6"));
  const orders = fc.record({
    side: fc.constantFrom("BUY" as const, "SELL" as const),
    orderType: fc.constantFrom("LIMIT" as const, "MARKET" as const, "STOP_MARKET" as const, "TAKE_PROFIT" as const),
    price: amounts(900_000_000n),
    quantity: amounts(2_000_000_000n),
  });
  fc.assert(
    fc.property(orders, amounts(300_000_000n), ({ side, orderType, price, quantity }, current) => {
      const conditions = { ...spot, view: viewOf(current.plus("0.05").toNumber()) };
      const fields =
        orderType === "LIMIT"
          ? { price }
          : orderType === "MARKET"
            ? { price: null }
            : { price: null, stopPrice: price };
      const order = newOrder({ side, orderType, quantity, ...fields });
      for (const { details } of brokenRules(order, conditions)) {
        if (details.nearest == null) continue;
        const repaired = { ...order, [String(details.field)]: d(String(details.nearest)) as Decimal };
        const rulesLeft = brokenRules(repaired, conditions).filter(
          (rule) => rule.details.rule === details.rule && rule.details.field === details.field,
        );
        expect(rulesLeft.map(({ message }) => message)).toEqual([]);
      }
    }),
    { numRuns: 500 },
  );
});

test("a replacement keeps to the same rules, and a stop that was reached is not on a wrong side any more", () => {
  const order = orderFrom([placed(stop(101, { orderType: "STOP_LIMIT", price: d(102) }))]);
  const terms = { quantity: d(2), price: d("102.005"), stopPrice: d(101) };
  const view = viewOf(103);
  const codes = (of: typeof order) =>
    brokenReplacementRules(of, terms, { ...spot, view }).map(({ details }) => details.rule);
  expect(codes(order)).toEqual(["tickSize", "stopSide"]);
  expect(codes({ ...order, triggeredAt: at(1) })).toEqual(["tickSize"]);
});
