import { describe, expect, test } from "vitest";
import { at, d, fillOf, futuresSymbol, newOrder, placed, spotSymbol, viewOf } from "../../test/support/orders.js";
import type { Market, MarketSymbol } from "../catalogue/catalogue.js";
import { decimalText } from "../core/decimal.js";
import { marketViewOf, takerPrice } from "./market-view.js";
import { hasSameTerms, newOrderOf } from "./new-order.js";
import type { NewOrder } from "./order.js";
import { orderFrom } from "./order-life.js";
import { protectionOrders } from "./protection.js";
import { reservedPrice, reservePriceOf } from "./reserve-price.js";
import { commissionOf, tradingSymbolOf } from "./trading-symbol.js";

const asked = { accountId: "a", symbolId: 1, side: "BUY", orderType: "LIMIT", quantity: d(1), price: d(100) } as const;
const identity = { id: "id", clientOrderId: "key" };

describe("a new order", () => {
  test("has defaults for what is left out", () => {
    expect(newOrderOf(asked, identity, spotSymbol, null)).toEqual({
      ...asked,
      ...identity,
      parentOrderId: null,
      strategyId: null,
      reservePrice: null,
      positionSide: "BOTH",
      timeInForce: "GTC",
      stopPrice: null,
      callbackRate: null,
      icebergQuantity: null,
      leverage: 1,
      marginMode: "CROSS",
      reduceOnly: false,
      postOnly: false,
      stopLoss: null,
      takeProfit: null,
    });
  });

  test("asks for the same when every term is the same, however it is written", () => {
    const order = newOrderOf(asked, identity, spotSymbol, null);
    expect(
      hasSameTerms(order, newOrderOf({ ...asked, price: d("100.00"), timeInForce: "GTC" }, identity, spotSymbol, null)),
    ).toBe(true);
    for (const other of [
      { quantity: d(2) },
      { price: null },
      { side: "SELL" },
      { stopLoss: d(1) },
      { postOnly: true },
      { accountId: "b" },
    ] as const) {
      expect(hasSameTerms(order, newOrderOf({ ...asked, ...other }, identity, spotSymbol, null))).toBe(false);
    }
  });
});

describe("what is reserved for a unit", () => {
  const view = { ...viewOf(100), asks: [100, 101, 105].map((price) => ({ price: d(price), quantity: d(1) })) };
  const price = (change: Partial<NewOrder>, symbol = spotSymbol) =>
    reservePriceOf(newOrder({ orderType: "MARKET", price: null, ...change }), symbol, view)?.toFixed() ?? null;

  test.each<[Partial<NewOrder>, string | null]>([
    [{ quantity: d(1) }, "101"],
    [{ quantity: d(2) }, "102.01"],
    [{ quantity: d(9) }, "106.05"],
    [{ side: "SELL" }, null],
    [{ orderType: "LIMIT", price: d(100) }, null],
    [{ orderType: "STOP_MARKET", stopPrice: d(120) }, "121.2"],
    [{ orderType: "TRAILING_STOP", callbackRate: d(1) }, "102.01"],
    [{ orderType: "TRAILING_STOP", callbackRate: d(1), stopPrice: d(90) }, "102.01"],
  ])("on a market without positions: %j", (change, expected) => {
    expect(price(change)).toBe(expected);
  });

  test("of futures also for sales, which need more margin at a better price", () => {
    expect(price({ side: "SELL" }, futuresSymbol)).toBe("100.99");
    expect(price({ side: "SELL", orderType: "LIMIT", price: d(90) }, futuresSymbol)).toBe("99.99");
    expect(price({ side: "SELL", orderType: "LIMIT", price: d(110) }, futuresSymbol)).toBe("110");
  });

  test("nothing is known without a quote, and a stop price needs none", () => {
    expect(reservePriceOf(newOrder({ orderType: "MARKET", price: null }), spotSymbol, null)).toBeNull();
    const stop = newOrder({ orderType: "STOP_MARKET", price: null, stopPrice: d(120) });
    expect(reservePriceOf(stop, spotSymbol, null)?.toFixed()).toBe("121.2");
  });

  test("follows a stop price that is replaced", () => {
    const stop = newOrder({ orderType: "STOP_MARKET", price: null, stopPrice: d(120), reservePrice: d("121.2") });
    const terms = { quantity: d(1), price: null, stopPrice: d(200) };
    expect(reservedPrice(stop, terms, spotSymbol).toFixed()).toBe("202");
    expect(
      reservedPrice(newOrder({ price: d(5) }), { ...terms, price: d(6), stopPrice: null }, spotSymbol).toFixed(),
    ).toBe("6");
  });
});

describe("protection", () => {
  const filled = (change: Partial<NewOrder>, commissionAsset = "USDT") =>
    orderFrom([
      placed({ stopLoss: d(90), takeProfit: d(110), ...change }),
      { kind: "filled", at: at(1), fill: fillOf({ quantity: d("1.5"), commission: d("0.0015"), commissionAsset }) },
    ]);
  let count = 0;
  const nextIdentity = () => ({ id: `leg-${++count}`, clientOrderId: `leg-${count}` });

  test("is a stop and a take-profit on the other side, for what was filled", () => {
    const parent = filled({});
    const legs = protectionOrders(parent, d("1.5"), spotSymbol, d(9), nextIdentity);
    expect(legs).toMatchObject([
      {
        orderType: "STOP_MARKET",
        side: "SELL",
        stopPrice: d(90),
        quantity: d("1.5"),
        reduceOnly: false,
        parentOrderId: parent.id,
      },
      { orderType: "TAKE_PROFIT", side: "SELL", stopPrice: d(110), quantity: d("1.5"), parentOrderId: parent.id },
    ]);
    expect(new Set(legs.map(({ id }) => id)).size).toBe(2);
  });

  test("of a commission in the base currency leaves out what is not there, in whole steps", () => {
    const [leg] = protectionOrders(filled({}, "BTC"), d("1.5"), spotSymbol, d(9), nextIdentity);
    expect(leg?.quantity.toFixed()).toBe("1.498");
    expect(protectionOrders(filled({}), d("0.0009"), spotSymbol, d(9), nextIdentity)).toEqual([]);
  });

  test("on a market without positions is for no more than is free, and none for less than a whole step", () => {
    const legs = (free: string) => protectionOrders(filled({}), d("1.5"), spotSymbol, d(free), nextIdentity);
    expect(legs("0.4567").map(({ quantity }) => quantity.toFixed())).toEqual(["0.456", "0.456"]);
    expect(legs("0.0009")).toEqual([]);
  });

  test("of futures only reduces, on the side of the position in hedge mode", () => {
    const short = filled({ side: "SELL", positionSide: "SHORT", stopLoss: d(110), takeProfit: null });
    expect(protectionOrders(short, d("1.5"), futuresSymbol, d(0), nextIdentity)).toMatchObject([
      { side: "BUY", positionSide: "SHORT", orderType: "STOP_MARKET", reduceOnly: true, reservePrice: d("111.1") },
    ]);
  });
});

describe("the terms of a symbol", () => {
  const symbol = {
    id: 7,
    ticker: "BTCUSDT",
    baseCurrency: "BTC",
    quoteCurrency: "USDT",
    status: "TRADING",
    isActive: true,
    tickSize: decimalText("0.01"),
    stepSize: decimalText("0.001"),
    minQuantity: null,
    maxQuantity: decimalText("10"),
    minOrderValue: decimalText("5"),
    maxOrderValue: null,
    tradingConfig: {},
  } as unknown as MarketSymbol;
  const market = {
    id: 3,
    marketType: "FUTURES",
    isActive: true,
    defaultCommissionRate: decimalText("0.002"),
    minCommission: null,
    marketConfig: {},
  } as unknown as Market;

  test("are its market's commission and the usual limits, where nothing else is set", () => {
    const terms = tradingSymbolOf(symbol, market);
    expect(terms).toMatchObject({ id: 7, isTrading: true, maxLeverage: 125, minQuantity: null, maxQuantity: d(10) });
    expect([terms.makerFee, terms.takerFee, terms.minCommission].map((fee) => fee.toFixed())).toEqual([
      "0.002",
      "0.002",
      "0",
    ]);
    expect(tradingSymbolOf(symbol, { ...market, marketType: "SPOT" }).maxLeverage).toBe(1);
  });

  test("are its own where they are set, then its market's", () => {
    const own = { ...symbol, tradingConfig: { makerFee: "0.0001", maxLeverage: 20 } };
    const terms = tradingSymbolOf(own, { ...market, marketConfig: { makerFee: "0.0005", takerFee: 0.0006 } });
    expect([terms.makerFee.toFixed(), terms.takerFee.toFixed(), terms.maxLeverage]).toEqual(["0.0001", "0.0006", 20]);
  });

  test("say that it trades only when nothing stands against it", () => {
    for (const change of [{ status: "HALT" }, { isActive: false }] as const) {
      expect(tradingSymbolOf({ ...symbol, ...change }, market).isTrading).toBe(false);
    }
    expect(tradingSymbolOf(symbol, { ...market, isActive: false }).isTrading).toBe(false);
  });

  test("the least commission is charged once, and never more than a fill is worth", () => {
    const dear = { ...spotSymbol, minCommission: d(1) };
    expect(commissionOf(dear, d(100), false, d(0)).toFixed()).toBe("1");
    expect(commissionOf(dear, d(100), false, d(1)).toFixed()).toBe("0.1");
    expect(commissionOf(dear, d("0.4"), false, d(0)).toFixed()).toBe("0.4");
    expect(commissionOf(dear, d(100), false, d("0.4")).toFixed()).toBe("0.6");
    expect(commissionOf(dear, d(10_000), true, d(0)).toFixed()).toBe("5");
  });
});

test("a view of a market is its book, or the best prices of its quote", () => {
  const text = decimalText;
  const quote = {
    price: text("100"),
    bid: text("99"),
    bidQuantity: text("2"),
    ask: null,
    askQuantity: null,
    isStale: false,
  };
  const view = marketViewOf(quote, null);
  expect([view.bids, view.asks]).toEqual([[{ price: d(99), quantity: d(2) }], []]);
  expect([takerPrice(view, "SELL").toFixed(), takerPrice(view, "BUY").toFixed()]).toEqual(["99", "100"]);
  const booked = marketViewOf(quote, { bids: [], asks: [[text("101"), text("1")]] });
  expect([booked.bids, takerPrice(booked, "BUY").toFixed()]).toEqual([[], "101"]);
});
