import { pro } from "ccxt";
import { describe, expect, test } from "vitest";
import { type PartialTerms, VenueBench } from "../../../test/support/venue-bench.js";
import { Decimal } from "../../core/decimal.js";
import type { Order } from "../order.js";
import { ccxtOrder } from "./ccxt-order.js";
import { offers, refusalOf, type TradedExchange, tradedExchanges } from "./offers.js";

const bench = new VenueBench();
const order = (terms: PartialTerms): Order => bench.newOrder(terms).order;

const terms: Readonly<Record<string, PartialTerms>> = {
  "MARKET buy": { orderType: "MARKET" },
  "MARKET sell": { orderType: "MARKET", side: "SELL" },
  LIMIT: {},
  "LIMIT IOC": { timeInForce: "IOC" },
  "LIMIT FOK": { timeInForce: "FOK" },
  "LIMIT GTX": { timeInForce: "GTX" },
  "LIMIT DAY": { timeInForce: "DAY" },
  LIMIT_MAKER: { orderType: "LIMIT_MAKER" },
  STOP_MARKET: { orderType: "STOP_MARKET", stopPrice: "60000" },
  STOP_LIMIT: { orderType: "STOP_LIMIT", stopPrice: "60000" },
  TAKE_PROFIT: { orderType: "TAKE_PROFIT", stopPrice: "40000" },
  TAKE_PROFIT_LIMIT: { orderType: "TAKE_PROFIT_LIMIT", stopPrice: "40000" },
  TRAILING_STOP: { orderType: "TRAILING_STOP", callbackRate: new Decimal("1.5") },
};

/** What is sent to each exchange; null: refused before. */
type Sent = Readonly<Record<string, unknown>> | null;
const binance = (fields: object): Sent => ({ symbol: "BTCUSDT", side: "BUY", quantity: "0.01", ...fields });
const bybit = (fields: object): Sent => ({ category: "spot", symbol: "BTCUSDT", side: "Buy", qty: "0.01", ...fields });
const okx = (fields: object): Sent => ({ instId: "BTC-USDT", tdMode: "cash", side: "buy", sz: "0.01", ...fields });
const mexc = (fields: object): Sent => ({ symbol: "BTCUSDT", side: "BUY", quantity: "0.01", ...fields });
const gate = (fields: object): Sent => ({
  currency_pair: "BTC_USDT",
  account: "spot",
  side: "buy",
  amount: "0.01",
  ...fields,
});

const price = "50000";
const table: Readonly<Record<string, Readonly<Record<TradedExchange, Sent>>>> = {
  "MARKET buy": {
    BINANCE: binance({ type: "MARKET" }),
    BYBIT: bybit({ orderType: "Market", marketUnit: "baseCoin" }),
    OKX: okx({ ordType: "market", tgtCcy: "base_ccy" }),
    MEXC: mexc({ type: "MARKET" }),
    GATEIO: null,
  },
  "MARKET sell": {
    BINANCE: binance({ type: "MARKET", side: "SELL" }),
    BYBIT: bybit({ orderType: "Market", side: "Sell", marketUnit: "baseCoin" }),
    OKX: okx({ ordType: "market", side: "sell", tgtCcy: "base_ccy" }),
    MEXC: mexc({ type: "MARKET", side: "SELL" }),
    GATEIO: gate({ type: "market", side: "sell", time_in_force: "ioc" }),
  },
  LIMIT: {
    BINANCE: binance({ type: "LIMIT", timeInForce: "GTC", price }),
    BYBIT: bybit({ orderType: "Limit", timeInForce: "GTC", price }),
    OKX: okx({ ordType: "limit", px: price }),
    MEXC: mexc({ type: "LIMIT", price }),
    GATEIO: gate({ type: "limit", time_in_force: "gtc", price }),
  },
  "LIMIT IOC": {
    BINANCE: binance({ type: "LIMIT", timeInForce: "IOC", price }),
    BYBIT: bybit({ orderType: "Limit", timeInForce: "IOC", price }),
    OKX: okx({ ordType: "ioc", px: price }),
    MEXC: mexc({ type: "IMMEDIATE_OR_CANCEL", price }),
    GATEIO: gate({ type: "limit", time_in_force: "ioc", price }),
  },
  "LIMIT FOK": {
    BINANCE: binance({ type: "LIMIT", timeInForce: "FOK", price }),
    BYBIT: bybit({ orderType: "Limit", timeInForce: "FOK", price }),
    OKX: okx({ ordType: "fok", px: price }),
    MEXC: mexc({ type: "FILL_OR_KILL", price }),
    GATEIO: gate({ type: "limit", time_in_force: "fok", price }),
  },
  "LIMIT GTX": {
    BINANCE: binance({ type: "LIMIT_MAKER", price }),
    BYBIT: bybit({ orderType: "Limit", timeInForce: "PostOnly", price }),
    OKX: okx({ ordType: "post_only", px: price }),
    MEXC: mexc({ type: "LIMIT_MAKER", price }),
    GATEIO: gate({ type: "limit", time_in_force: "poc", price }),
  },
  "LIMIT DAY": { BINANCE: null, BYBIT: null, OKX: null, MEXC: null, GATEIO: null },
  LIMIT_MAKER: {
    BINANCE: binance({ type: "LIMIT_MAKER", price }),
    BYBIT: bybit({ orderType: "Limit", timeInForce: "PostOnly", price }),
    OKX: okx({ ordType: "post_only", px: price }),
    MEXC: mexc({ type: "LIMIT_MAKER", price }),
    GATEIO: gate({ type: "limit", time_in_force: "poc", price }),
  },
  STOP_MARKET: {
    BINANCE: binance({ type: "STOP_LOSS", stopPrice: "60000" }),
    BYBIT: bybit({ orderType: "Market", orderFilter: "StopOrder", triggerPrice: "60000" }),
    OKX: null,
    MEXC: null,
    GATEIO: null,
  },
  STOP_LIMIT: {
    BINANCE: binance({ type: "STOP_LOSS_LIMIT", timeInForce: "GTC", stopPrice: "60000", price }),
    BYBIT: bybit({ orderType: "Limit", orderFilter: "StopOrder", triggerPrice: "60000", price }),
    OKX: null,
    MEXC: null,
    GATEIO: null,
  },
  TAKE_PROFIT: {
    BINANCE: binance({ type: "TAKE_PROFIT", stopPrice: "40000" }),
    BYBIT: bybit({ orderType: "Market", orderFilter: "StopOrder", triggerPrice: "40000" }),
    OKX: null,
    MEXC: null,
    GATEIO: null,
  },
  TAKE_PROFIT_LIMIT: {
    BINANCE: binance({ type: "TAKE_PROFIT_LIMIT", timeInForce: "GTC", stopPrice: "40000", price }),
    BYBIT: bybit({ orderType: "Limit", orderFilter: "StopOrder", triggerPrice: "40000", price }),
    OKX: null,
    MEXC: null,
    GATEIO: null,
  },
  TRAILING_STOP: {
    BINANCE: binance({ type: "STOP_LOSS", trailingDelta: "150" }),
    BYBIT: null,
    OKX: null,
    MEXC: null,
    GATEIO: null,
  },
};

interface Requests {
  setMarkets(markets: object[]): void;
  market(symbol: string): unknown;
  createOrderRequest(...order: unknown[]): Record<string, unknown>;
  createSpotOrderRequest(market: unknown, ...order: unknown[]): Record<string, unknown>;
}
const ids = { BINANCE: "binance", BYBIT: "bybit", OKX: "okx", MEXC: "mexc", GATEIO: "gate" } as const;
const marketIds = { BINANCE: "BTCUSDT", BYBIT: "BTCUSDT", OKX: "BTC-USDT", MEXC: "BTCUSDT", GATEIO: "BTC_USDT" };
const types = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];

/** The request as ccxt would send it. */
function sent(exchange: TradedExchange, given: Order): Record<string, unknown> {
  const Exchange = pro[ids[exchange]] as unknown as new (options: object) => Requests;
  const made = new Exchange({ number: String, options: { defaultType: "spot" } });
  const kinds = { type: "spot", spot: true, swap: false, contract: false, linear: undefined, active: true };
  const names = {
    id: marketIds[exchange],
    symbol: "BTC/USDT",
    base: "BTC",
    quote: "USDT",
    baseId: "BTC",
    quoteId: "USDT",
  };
  const precision = { amount: "0.00001", price: "0.01" };
  made.setMarkets([{ ...names, ...kinds, precision, limits: {}, info: { orderTypes: types } }]);
  const { type, side, amount, price: limit, params } = ccxtOrder(exchange, given, "name");
  return exchange === "MEXC"
    ? made.createSpotOrderRequest(made.market("BTC/USDT"), type, side, amount, limit, undefined, params)
    : made.createOrderRequest("BTC/USDT", type, side, amount, limit, params);
}

describe.each(Object.keys(table))("%s", (name) => {
  test.each([...tradedExchanges])("%s", (exchange) => {
    const given = order(terms[name] ?? {});
    const expected = table[name]?.[exchange] ?? null;
    const refusal = refusalOf(exchange, "SPOT", given);
    if (expected === null) {
      expect(refusal).toContain(offers[exchange].name);
      return;
    }
    expect(refusal).toBeNull();
    expect(sent(exchange, given)).toMatchObject(expected);
  });
});

test.each<[Partial<Order>, string, string]>([
  [{}, "EQUITY", "spot and futures markets only"],
  [{ orderType: "STOP_MARKET" }, "FUTURES", "STOP_MARKET orders for futures"],
  [{ timeInForce: "DAY" }, "FUTURES", "no DAY orders"],
  [{ icebergQuantity: new Decimal(1) }, "FUTURES", "iceberg"],
  [{ stopLoss: new Decimal(1) }, "FUTURES", "no stop order"],
  [{ reduceOnly: true }, "SPOT", "reduceOnly"],
  [{ leverage: 2 }, "SPOT", "leverage"],
  [{ positionSide: "LONG" }, "SPOT", "position sides"],
  [{ timeInForce: "IOC", postOnly: true }, "SPOT", "post-only"],
  [{ orderType: "MARKET", postOnly: true }, "SPOT", "post-only"],
  [{ orderType: "STOP_MARKET", timeInForce: "IOC" }, "SPOT", "GTC"],
  [{ stopLoss: new Decimal(1), takeProfit: new Decimal(2) }, "SPOT", "stop-loss or a take-profit"],
  [{ icebergQuantity: new Decimal(1), timeInForce: "IOC" }, "SPOT", "iceberg"],
])("refused on Binance: %j, %s", (changes, marketType, words) => {
  expect(refusalOf("BINANCE", marketType, { ...order({}), ...changes })).toContain(words);
});

test("protection and icebergs need an exchange that has them", () => {
  const protectedOrder = { ...order({}), stopLoss: new Decimal(40_000) };
  const iceberg = { ...order({}), icebergQuantity: new Decimal("0.001") };
  const of = (given: Order) => tradedExchanges.filter((exchange) => refusalOf(exchange, "SPOT", given) === null);
  expect(of(protectedOrder)).toEqual(["BINANCE", "BYBIT"]);
  expect(of(iceberg)).toEqual(["BINANCE"]);
  expect(sent("BINANCE", iceberg)).toMatchObject({ icebergQty: "0.001", timeInForce: "GTC" });
});

describe("futures", () => {
  const hedged = { positionMode: "HEDGE", isTestnet: false } as const;
  const oneWay = { positionMode: "ONE_WAY", isTestnet: false } as const;

  /** Of contracts of a hundredth of a coin where the exchange counts contracts. */
  function sentFuture(
    exchange: Exclude<TradedExchange, "MEXC">,
    given: Order,
    isHedged = false,
  ): Record<string, unknown> {
    const Exchange = pro[ids[exchange]] as unknown as new (options: object) => Requests;
    const made = new Exchange({ number: String, options: { defaultType: "swap" } });
    const countsContracts = exchange === "OKX" || exchange === "GATEIO";
    const market = {
      id: { BINANCE: "BTCUSDT", BYBIT: "BTCUSDT", OKX: "BTC-USDT-SWAP", GATEIO: "BTC_USDT" }[exchange],
      symbol: "BTC/USDT:USDT",
      base: "BTC",
      quote: "USDT",
      settle: "USDT",
      baseId: "BTC",
      quoteId: "USDT",
      settleId: exchange === "GATEIO" ? "usdt" : "USDT",
      type: "swap",
      spot: false,
      swap: true,
      contract: true,
      linear: true,
      inverse: false,
      active: true,
      contractSize: countsContracts ? "0.01" : "1",
      precision: { amount: countsContracts ? "1" : "0.001", price: "0.1" },
      limits: {},
      info: { orderTypes: ["LIMIT", "MARKET"] },
    };
    made.setMarkets([market]);
    const futures = { contractSize: new Decimal(market.contractSize), isHedged };
    const { type, side, amount, price: limit, params } = ccxtOrder(exchange, given, "name", given, futures);
    return made.createOrderRequest("BTC/USDT:USDT", type, side, amount, limit, params);
  }
  const future = (changes: Partial<Order> = {}): Order => ({
    ...order({}),
    quantity: new Decimal("0.05"),
    price: new Decimal("50000"),
    leverage: 5,
    ...changes,
  });

  test("quantities are coins at Binance and Bybit, and contracts at OKX and Gate.io", () => {
    expect(sentFuture("BINANCE", future())).toMatchObject({ quantity: "0.05", price, timeInForce: "GTC" });
    expect(sentFuture("BYBIT", future())).toMatchObject({ category: "linear", qty: "0.05", price });
    expect(sentFuture("OKX", future())).toMatchObject({ instId: "BTC-USDT-SWAP", sz: "5", tdMode: "cross", px: price });
    expect(Number(sentFuture("GATEIO", future()).size)).toBe(5);
    expect(Number(sentFuture("GATEIO", future({ side: "SELL" })).size)).toBe(-5);
  });

  test("an isolated margin is told where it is part of the order", () => {
    expect(sentFuture("OKX", future({ marginMode: "ISOLATED" }))).toMatchObject({ tdMode: "isolated" });
  });

  test("what only reduces says so in one-way mode", () => {
    const closing = future({ side: "SELL", reduceOnly: true });
    expect(sentFuture("BINANCE", closing)).toMatchObject({ side: "SELL", reduceOnly: true });
    expect(sentFuture("BYBIT", closing)).toMatchObject({ side: "Sell", reduceOnly: true });
    expect(sentFuture("OKX", closing)).toMatchObject({ side: "sell", reduceOnly: true });
    expect(sentFuture("GATEIO", closing)).toMatchObject({ reduce_only: true });
  });

  test("in hedge mode each order names its position", () => {
    const opening = future({ positionSide: "LONG" });
    const closing = future({ positionSide: "LONG", side: "SELL" });
    for (const given of [opening, closing]) {
      expect(sentFuture("BINANCE", given, true)).toMatchObject({ positionSide: "LONG" });
      expect(sentFuture("BINANCE", given, true)).not.toHaveProperty("reduceOnly");
      expect(sentFuture("BYBIT", given, true)).toMatchObject({ positionIdx: 1 });
      expect(sentFuture("OKX", given, true)).toMatchObject({ posSide: "long" });
    }
    expect(sentFuture("BINANCE", closing, true)).toMatchObject({ side: "SELL" });
    expect(sentFuture("BYBIT", future({ positionSide: "SHORT", side: "SELL" }), true)).toMatchObject({
      positionIdx: 2,
    });
    expect(sentFuture("OKX", future({ positionSide: "SHORT", side: "BUY" }), true)).toMatchObject({ posSide: "short" });
  });

  test.each<[Partial<Order>, Record<string, unknown>]>([
    [
      { orderType: "STOP_MARKET", side: "SELL" },
      { orderType: "Market", triggerDirection: 2, side: "Sell" },
    ],
    [
      { orderType: "STOP_LIMIT", side: "BUY" },
      { orderType: "Limit", triggerDirection: 1, price },
    ],
    [
      { orderType: "TAKE_PROFIT", side: "SELL", reduceOnly: true },
      { triggerDirection: 1, reduceOnly: true },
    ],
    [
      { orderType: "TAKE_PROFIT_LIMIT", side: "BUY" },
      { orderType: "Limit", triggerDirection: 2, price },
    ],
  ])("Bybit is told from where the price comes to a trigger: %j", (changes, expected) => {
    const given = future({ ...changes, stopPrice: new Decimal("49000") });
    expect(refusalOf("BYBIT", "FUTURES", given, oneWay)).toBeNull();
    const made = sentFuture("BYBIT", given);
    expect(made).toMatchObject({ category: "linear", orderLinkId: "name", triggerPrice: "49000", ...expected });
    if (given.reduceOnly !== true) expect(made).not.toHaveProperty("reduceOnly");
  });

  test("what protects an order needs stops for futures", () => {
    const given = future({ stopLoss: new Decimal(40_000), takeProfit: new Decimal(60_000) });
    const takers = tradedExchanges.filter((exchange) => refusalOf(exchange, "FUTURES", given, oneWay) === null);
    expect(takers).toEqual(["BYBIT"]);
  });

  test("what an exchange cannot do is refused, with its name", () => {
    const of = (given: Order, account: Parameters<typeof refusalOf>[3]) =>
      tradedExchanges.filter((exchange) => refusalOf(exchange, "FUTURES", given, account) === null);
    expect(of(future(), oneWay)).toEqual(["BINANCE", "BYBIT", "OKX", "GATEIO"]);
    expect(of(future(), hedged)).toEqual(["BINANCE", "BYBIT", "OKX"]);
    expect(of(future(), { ...oneWay, isTestnet: true })).toEqual(["BYBIT", "OKX", "GATEIO"]);
    expect(of(future({ marginMode: "ISOLATED" }), oneWay)).toEqual(["BINANCE", "OKX", "GATEIO"]);
    expect(of(future({ leverage: 125 }), oneWay)).toEqual(["BINANCE", "OKX"]);
    expect(refusalOf("MEXC", "FUTURES", future(), oneWay)).toContain("MEXC takes no futures orders");
  });
});
