import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { accountView, at, d, futuresSymbol, spotSymbol } from "../../../test/support/orders.js";
import { TestLedger } from "../../../test/support/test-ledger.js";
import { balanceOf } from "../balances.js";
import type { MarketView } from "../market-view.js";
import { sumOf } from "../money.js";
import { newOrderOf } from "../new-order.js";
import { isOpen, type Order, orderTypes, type PositionMode, timesInForce } from "../order.js";
import { hasLimitPrice } from "../order-fields.js";
import { hasTrigger, orderFrom } from "../order-life.js";
import { brokenRules } from "../order-rules.js";
import type { TradingSymbol } from "../trading-symbol.js";
import type { VenueEvent } from "../venue.js";
import { PaperEngine } from "./paper-engine.js";
import { isMakerOnly } from "./paper-order.js";

const levels = fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 3_000 })), {
  maxLength: 4,
});
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("market" as const),
      /** In hundredths; a gap now and then. */
      moveBy: fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: -300, max: 300 }) },
        fc.integer({ min: -3_000, max: 3_000 }),
      ),
      bids: levels,
      asks: levels,
      isStale: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("place" as const),
      side: fc.constantFrom("BUY" as const, "SELL" as const),
      orderType: fc.constantFrom("MARKET" as const, "LIMIT" as const, "LIMIT" as const, ...orderTypes),
      timeInForce: fc.constantFrom("GTC" as const, ...timesInForce),
      quantity: fc.integer({ min: 100, max: 4_000 }),
      /** From the current price, in hundredths. */
      priceOffset: fc.integer({ min: -500, max: 500 }),
      stopOffset: fc.integer({ min: 1, max: 500 }),
      isIceberg: fc.boolean(),
      reduceOnly: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      closes: fc.boolean(),
      isProtected: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      leverage: fc.constantFrom(1, 5, 50, 125),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), index: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("replace" as const),
      index: fc.nat(20),
      quantity: fc.integer({ min: 100, max: 4_000 }),
      priceOffset: fc.integer({ min: -500, max: 500 }),
    }),
  },
  fc.record({ kind: fc.constant("funding" as const), rate: fc.integer({ min: -50, max: 50 }) }),
  fc.constant({ kind: "day" as const }),
  fc.constant({ kind: "restart" as const }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const hundredths = (n: number) => d(n).div(100);
const thousandths = (n: number) => d(n).div(1_000);
const dayMs = 200;

/** A paper account with its ledger, driven step by step; money and orders are checked after each. */
class Trading {
  readonly told: VenueEvent[] = [];
  readonly ledger: TestLedger;
  readonly #protections: Order[] = [];
  #engine: PaperEngine;
  #price = 10_000;
  #view: MarketView | null = null;
  #nowMs = 0;
  #count = 0;

  constructor(
    readonly symbol: TradingSymbol,
    readonly positionMode: PositionMode,
  ) {
    const opening = {
      [symbol.quoteAsset]: d(1_000),
      ...(symbol.marketType === "SPOT" ? { [symbol.baseAsset]: d(5) } : {}),
    };
    this.ledger = new TestLedger(
      () => symbol,
      opening,
      (order) => this.#protections.push(order),
    );
    this.#engine = this.#newEngine();
  }

  run(steps: readonly Step[]): this {
    for (const one of steps) {
      this.#nowMs += 10;
      this.#take(one);
      this.ledger.check();
      this.#compare();
    }
    return this;
  }

  get open(): Order[] {
    return [...this.ledger.orders.values()].filter(isOpen);
  }

  cancelAll(): void {
    // What was filled of a cancelled order gets its protection, and that is an order again.
    for (let [order] = this.open; order !== undefined; [order] = this.open) {
      this.#handle(this.#engine.cancel(order, this.#now()));
    }
    this.ledger.check();
  }

  #newEngine(): PaperEngine {
    const endOfDay = (placedAt: Date) => new Date(Math.ceil((placedAt.getTime() + 1) / dayMs) * dayMs);
    return new PaperEngine({
      symbolOf: () => this.symbol,
      dayEndOf: (_, placedAt) => endOfDay(placedAt),
      rememberedOrders: 100,
    });
  }

  #now(): Date {
    return at(this.#nowMs);
  }

  #take(one: Step): void {
    if (one.kind === "market") this.#move(one);
    else if (one.kind === "place") this.#place(one);
    else if (one.kind === "cancel") {
      const order = this.open[one.index];
      if (order === undefined) return;
      this.ledger.apply(order.clientOrderId, { kind: "cancelRequested", at: this.#now() });
      this.#handle(this.#engine.cancel(order, this.#now()));
    } else if (one.kind === "replace") this.#replace(one);
    else if (one.kind === "funding") {
      const fundingAt = new Date(this.#now().getTime() + 15);
      this.#handle(this.#engine.onFundingRate(this.symbol.id, d(one.rate).div(10_000), null, fundingAt, this.#now()));
    } else if (one.kind === "day") {
      this.#nowMs += dayMs;
      this.#handle(this.#engine.tick(this.#now()));
    } else this.#restart();
  }

  #move({ moveBy, bids, asks, isStale }: Extract<Step, { kind: "market" }>): void {
    this.#price = Math.max(500, this.#price + moveBy);
    const side = (offsets: typeof bids, sign: 1 | -1) =>
      [...new Map(offsets)]
        .sort(([a], [b]) => a - b)
        .map(([offset, quantity]) => ({
          price: hundredths(this.#price + sign * offset),
          quantity: thousandths(quantity),
        }));
    this.#view = { price: hundredths(this.#price), bids: side(bids, -1), asks: side(asks, 1), isStale };
    this.#handle(this.#engine.onMarket(this.symbol.id, this.#view, this.#now()));
  }

  #place(asked: Extract<Step, { kind: "place" }>): void {
    const { side, orderType, timeInForce, leverage } = asked;
    const isFutures = this.symbol.marketType === "FUTURES";
    const quantity = thousandths(asked.quantity);
    const isAbove = (side === "BUY") === orderType.startsWith("STOP");
    const stop = hasTrigger(orderType) && orderType !== "TRAILING_STOP";
    const opens = side === "BUY" ? ("LONG" as const) : ("SHORT" as const);
    const closed = side === "BUY" ? ("SHORT" as const) : ("LONG" as const);
    const reduceOnly = isFutures && this.positionMode === "ONE_WAY" && asked.reduceOnly;
    const isProtected = asked.isProtected && !reduceOnly && !asked.closes && (isFutures || side === "BUY");
    const id = `o${++this.#count}`;
    const order = newOrderOf(
      {
        accountId: "account-1",
        symbolId: this.symbol.id,
        side,
        orderType,
        timeInForce,
        quantity,
        price: hasLimitPrice(orderType) ? hundredths(this.#price + asked.priceOffset) : null,
        stopPrice: stop ? hundredths(this.#price + (isAbove ? 1 : -1) * asked.stopOffset) : null,
        callbackRate: orderType === "TRAILING_STOP" ? d("0.5") : null,
        icebergQuantity: asked.isIceberg && hasLimitPrice(orderType) && timeInForce === "GTC" ? d("0.1") : null,
        leverage: isFutures ? leverage : 1,
        positionSide: isFutures && this.positionMode === "HEDGE" ? (asked.closes ? closed : opens) : "BOTH",
        marginMode: isFutures && asked.closes ? "ISOLATED" : "CROSS",
        reduceOnly,
        stopLoss: isProtected ? hundredths(this.#price + (side === "BUY" ? -600 : 600)) : null,
        takeProfit: isProtected ? hundredths(this.#price + (side === "BUY" ? 600 : -600)) : null,
      },
      { id, clientOrderId: id },
      this.symbol,
      this.#view,
    );
    const conditions = {
      symbol: this.symbol,
      marketStatus: "OPEN",
      nextStatusChangeAt: null,
      view: this.#view,
      account: accountView({ positionMode: this.positionMode, positions: this.ledger.positions }),
    } as const;
    if (brokenRules(order, conditions).length > 0) return;
    const stored = this.ledger.place(order);
    if (stored === null) return;
    this.#handle(this.#engine.place(stored, this.#now()));
    if (timeInForce === "IOC" || timeInForce === "FOK") {
      if (!hasTrigger(orderType)) expect(isOpen(this.#orderOf(id))).toBe(false);
      const { filledQuantity } = this.#orderOf(id);
      if (timeInForce === "FOK" && !hasTrigger(orderType) && !reduceOnly && order.positionSide === "BOTH") {
        expect([d(0).toFixed(), quantity.toFixed()]).toContain(filledQuantity.toFixed());
      }
    }
  }

  #replace({ index, quantity, priceOffset }: Extract<Step, { kind: "replace" }>): void {
    const order = this.open[index];
    if (order === undefined || order.parentOrderId !== null || order.quantity.eq(thousandths(quantity))) return;
    const price = order.price === null ? null : hundredths(this.#price + priceOffset);
    const terms = { quantity: thousandths(quantity), price, stopPrice: order.stopPrice };
    if (terms.quantity.lte(order.filledQuantity)) return;
    if (!this.ledger.apply(order.clientOrderId, { kind: "replaceRequested", at: this.#now(), terms })) return;
    this.#handle(this.#engine.replace(order, terms, this.#now()));
    expect(this.#orderOf(order.clientOrderId).pendingReplacement).toBeNull();
  }

  /** The venue forgets everything and begins anew from what the ledger has. */
  #restart(): void {
    this.#engine = this.#newEngine();
    const wallet = balanceOf(this.ledger.balances, this.symbol.quoteAsset);
    this.#engine.restoreAccount({
      accountId: "account-1",
      wallets: new Map([[this.symbol.quoteAsset, wallet.available.plus(wallet.locked)]]),
      positions: this.ledger.positions,
    });
    for (const order of this.open) this.#engine.restore(order);
  }

  #handle(events: readonly VenueEvent[]): void {
    for (const event of events) {
      this.told.push(event);
      this.ledger.handle(event);
    }
    const protections = this.#protections.splice(0);
    for (const order of protections) this.#handle(this.#engine.place(order, this.#now()));
  }

  #orderOf(clientOrderId: string): Order {
    const order = this.ledger.orders.get(clientOrderId);
    if (order === undefined) throw new Error(clientOrderId);
    return order;
  }

  /** The venue and the ledger know the same of every open order. */
  #compare(): void {
    const known = (order: Order) =>
      [
        order.id,
        order.status,
        order.quantity,
        order.price,
        order.filledQuantity,
        order.triggeredAt?.getTime() ?? null,
      ].join(" ");
    expect(this.#engine.openOrders("account-1").map(known).sort()).toEqual(this.open.map(known).sort());
  }
}

const histories = fc.array(step, { minLength: 1, maxLength: 60, size: "max" });
const spot = { ...spotSymbol, minNotional: null };
const futures = { ...futuresSymbol, minNotional: null };

/** What holds for every fill, on whatever market. */
function checkFills({ ledger }: Trading): void {
  const ids = ledger.fills.map(({ fill }) => fill.exchangeFillId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [id, events] of ledger.streams) expect(orderFrom(events)).toEqual(ledger.orders.get(id));
  for (const { order, fill } of ledger.fills) {
    expect(order.filledQuantity.lte(order.quantity)).toBe(true);
    if (order.price !== null) {
      expect(order.side === "BUY" ? fill.price.lte(order.price) : fill.price.gte(order.price)).toBe(true);
      if (fill.isMaker) expect(fill.price).toEqual(order.price);
    }
    if (isMakerOnly(order)) expect(fill.isMaker).toBe(true);
  }
}

describe("any history on the paper venue", () => {
  test("on a market without positions: paid from what was reserved, and nothing is left locked in the end", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const trading = new Trading(spot, "ONE_WAY").run(steps);
        checkFills(trading);
        expect(trading.ledger.hasShortfall).toBe(false);
        trading.cancelAll();
        for (const { locked } of trading.ledger.balances.values()) expect(locked.toFixed()).toBe("0");
      }),
      { numRuns: 50 },
    );
  });

  test.each(["ONE_WAY", "HEDGE"] as const)(
    "on futures, %s: profits, commissions and funding are the cash flow",
    (positionMode) => {
      fc.assert(
        fc.property(histories, (steps) => {
          const trading = new Trading(futures, positionMode).run(steps);
          const { ledger } = trading;
          checkFills(trading);
          trading.cancelAll();
          const balance = balanceOf(ledger.balances, "USDT");
          const isAdjustment = ({ reason }: { reason: string }) => reason === "ADJUSTMENT";
          const adjusted = ledger.movements.filter(isAdjustment).map((movement) => movement.availableChange);
          const profits = [...ledger.ended, ...ledger.positions].map(({ realizedPnl }) => realizedPnl);
          const others = trading.told.flatMap((event) => {
            if (event.kind === "funding") return [event.amount];
            return event.kind === "liquidation" ? [event.commission.neg()] : [];
          });
          const commissions = ledger.fills.map(({ fill }) => fill.commission.neg());
          expect(balance.available.plus(balance.locked)).toEqual(
            sumOf([d(1_000), ...adjusted, ...profits, ...others, ...commissions]),
          );
          expect(balance.locked).toEqual(sumOf(ledger.positions.map(({ marginUsed }) => marginUsed)));
          // The positions are the sum of the fills, less what was liquidated.
          const signed = ledger.positions.map(({ side, quantity }) => (side === "LONG" ? quantity : quantity.neg()));
          const filled = ledger.fills.map(({ order, fill }) =>
            order.side === "BUY" ? fill.quantity : fill.quantity.neg(),
          );
          const liquidated = trading.told.flatMap((event) =>
            event.kind === "liquidation" ? [event.side === "LONG" ? event.quantity.neg() : event.quantity] : [],
          );
          expect(sumOf(signed)).toEqual(sumOf([...filled, ...liquidated]));
        }),
        { numRuns: 40 },
      );
    },
  );

  test("the same quotes give the same answers twice", () => {
    fc.assert(
      fc.property(histories, fc.constantFrom(spot, futures), (steps, symbol) => {
        expect(new Trading(symbol, "ONE_WAY").run(steps).told).toEqual(new Trading(symbol, "ONE_WAY").run(steps).told);
      }),
      { numRuns: 20 },
    );
  });

  test("the histories are rich: every kind of event comes up", () => {
    const kinds = new Set<string>();
    for (const steps of fc.sample(histories, { numRuns: 40, seed: 7 })) {
      for (const [symbol, mode] of [
        [spot, "ONE_WAY"],
        [futures, "ONE_WAY"],
        [futures, "HEDGE"],
      ] as const) {
        for (const event of new Trading(symbol, mode).run(steps).told) {
          const isMaker = event.kind === "order" && event.report.kind === "filled" && event.report.fill.isMaker;
          kinds.add(event.kind === "order" ? `${event.report.kind}${isMaker ? " as maker" : ""}` : event.kind);
        }
      }
    }
    expect([...kinds].sort()).toEqual(
      [
        "accepted",
        "cancelled",
        "expired",
        "filled",
        "filled as maker",
        "funding",
        "liquidation",
        "rejected",
        "replaced",
        "triggered",
      ].sort(),
    );
  });
});
