import fc from "fast-check";
import { Decimal } from "../../src/core/decimal.js";
import type { MarketView } from "../../src/trading/market-view.js";
import type { Fill, NewOrder, ReplaceableTerms } from "../../src/trading/order.js";
import type { OrderEvent } from "../../src/trading/order-event.js";
import type { AccountView } from "../../src/trading/order-fields.js";
import type { TradingSymbol } from "../../src/trading/trading-symbol.js";

export const d = (text: string | number): Decimal => new Decimal(text);
export const at = (ms: number): Date => new Date(Date.UTC(2026, 0, 5, 12) + ms);

/** A resting purchase of 2 at 100, unless told otherwise. */
export function newOrder(change: Partial<NewOrder> = {}): NewOrder {
  return {
    id: "019b0000-0000-7000-8000-000000000001",
    clientOrderId: "client-1",
    parentOrderId: null,
    reservePrice: null,
    accountId: "account-1",
    symbolId: 1,
    strategyId: null,
    side: "BUY",
    positionSide: "BOTH",
    orderType: "LIMIT",
    timeInForce: "GTC",
    quantity: d(2),
    price: d(100),
    stopPrice: null,
    callbackRate: null,
    icebergQuantity: null,
    leverage: 1,
    marginMode: "CROSS",
    reduceOnly: false,
    postOnly: false,
    stopLoss: null,
    takeProfit: null,
    ...change,
  };
}

export const spotSymbol: TradingSymbol = {
  id: 1,
  ticker: "BTCUSDT",
  marketId: 1,
  marketType: "SPOT",
  baseAsset: "BTC",
  quoteAsset: "USDT",
  isTrading: true,
  tickSize: d("0.01"),
  stepSize: d("0.001"),
  minQuantity: d("0.001"),
  maxQuantity: d(1000),
  minNotional: d(5),
  maxNotional: d(10_000_000),
  makerFee: d("0.0005"),
  takerFee: d("0.001"),
  minCommission: d(0),
  lowestPriceFactor: d("0.2"),
  highestPriceFactor: d(5),
  maintenanceMarginRate: d("0.004"),
  maxLeverage: 1,
};
export const futuresSymbol: TradingSymbol = {
  ...spotSymbol,
  id: 2,
  marketId: 2,
  marketType: "FUTURES",
  maxLeverage: 125,
};

/** A market with one unit on each side, a tick around the price, unless told otherwise. */
export function viewOf(price: number, change: Partial<MarketView> = {}): MarketView {
  return {
    price: d(price),
    bids: [{ price: d(price).minus("0.01"), quantity: d(1) }],
    asks: [{ price: d(price).plus("0.01"), quantity: d(1) }],
    isStale: false,
    ...change,
  };
}

export const accountView = (change: Partial<AccountView> = {}): AccountView => ({
  positionMode: "ONE_WAY",
  positions: [],
  ...change,
});

export function fillOf(change: Partial<Fill> = {}): Fill {
  return {
    exchangeFillId: "fill-1",
    price: d(100),
    quantity: d(1),
    commission: d("0.1"),
    commissionAsset: "USDT",
    isMaker: false,
    filledAt: at(10),
    ...change,
  };
}

export const placed = (change: Partial<NewOrder> = {}): OrderEvent => ({
  kind: "placed",
  at: at(0),
  order: newOrder(change),
});

const times = fc.integer({ min: 0, max: 10_000 }).map(at);
/** Few values, so that quantities meet exactly and fills come twice. */
const terms: fc.Arbitrary<ReplaceableTerms> = fc.record({
  quantity: fc.integer({ min: 1, max: 6 }).map(d),
  price: fc.integer({ min: 98, max: 102 }).map(d),
  stopPrice: fc.constantFrom(null, d(99)),
});
const fills: fc.Arbitrary<Fill> = fc.integer({ min: 1, max: 8 }).chain((id) =>
  fc.record({
    exchangeFillId: fc.constant(`fill-${id}`),
    price: fc.integer({ min: 98, max: 102 }).map(d),
    // A fill of one id is always of the same quantity.
    quantity: fc.constant(d((id % 3) + 1)),
    commission: fc.constantFrom(d(0), d("0.1"), d("-0.02")),
    commissionAsset: fc.constantFrom("USDT", "BNB"),
    isMaker: fc.boolean(),
    filledAt: times,
  }),
);

/** Anything that may be said about an order, in no order that makes sense. */
export const laterEvents: fc.Arbitrary<OrderEvent> = times.chain((at) =>
  fc.oneof(
    { weight: 4, arbitrary: fills.map((fill): OrderEvent => ({ kind: "filled", at, fill })) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom("x-1", "x-2")
        .map((exchangeOrderId): OrderEvent => ({ kind: "accepted", at, exchangeOrderId })),
    },
    { weight: 2, arbitrary: terms.map((asked): OrderEvent => ({ kind: "replaceRequested", at, terms: asked })) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(terms, fc.constantFrom(null, "x-1", "x-2"))
        .map(([given, exchangeOrderId]): OrderEvent => ({ kind: "replaced", at, terms: given, exchangeOrderId })),
    },
    fc.constantFrom<OrderEvent>(
      { kind: "unconfirmed", at, reason: "timeout" },
      { kind: "cancelRequested", at },
      { kind: "cancelRefused", at, reason: "too late" },
      { kind: "replaceRefused", at, reason: "too late" },
      { kind: "triggered", at, price: d(99) },
      { kind: "rejected", at, code: "VENUE_REJECTED", reason: "no" },
      { kind: "cancelled", at, reason: "on request" },
      { kind: "expired", at, reason: "day is over" },
    ),
  ),
);
