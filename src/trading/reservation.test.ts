import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { at, d, fillOf, newOrder, placed, spotSymbol } from "../../test/support/orders.js";
import { Decimal } from "../core/decimal.js";
import { type Balances, balanceOf, type Movement, moved } from "./balances.js";
import { notionalOf, smaller, sumOf } from "./money.js";
import { type Fill, isOpen, type NewOrder, type Order } from "./order.js";
import type { OrderEvent } from "./order-event.js";
import { orderFrom, transition } from "./order-life.js";
import { type Booking, needOf, needOfGroup, release, reserve, settleSpot } from "./reservation.js";
import { commissionOf, type TradingSymbol } from "./trading-symbol.js";

const balances = (entries: Record<string, readonly [available: string | number, locked?: string | number]>): Balances =>
  new Map(
    Object.entries(entries).map(([asset, [available, locked]]) => [
      asset,
      { available: d(available), locked: d(locked ?? 0) },
    ]),
  );
const shown = (after: Balances) =>
  Object.fromEntries(
    [...after].map(([asset, { available, locked }]) => [asset, [available.toFixed(), locked.toFixed()]]),
  );
const futures: TradingSymbol = { ...spotSymbol, marketType: "FUTURES", maxLeverage: 125 };

describe("what an order needs", () => {
  const order = (change: Partial<NewOrder>, ...more: OrderEvent[]) => orderFrom([placed(change), ...more]);
  const amount = (asked: Order, symbol = spotSymbol) => {
    const need = needOf(asked, symbol);
    return `${need.amount.toFixed()} ${need.asset}`;
  };

  test("a purchase its value and the taker's fee, a sale its quantity", () => {
    expect(amount(order({}))).toBe("200.2 USDT");
    expect(amount(order({ side: "SELL" }))).toBe("2 BTC");
    expect(amount(order({ orderType: "MARKET", price: null, reservePrice: d(101) }))).toBe("202.202 USDT");
  });

  test("the least commission until it is charged", () => {
    const dear = { ...spotSymbol, minCommission: d(1) };
    expect(amount(order({}), dear)).toBe("201.2 USDT");
    const filled: OrderEvent = { kind: "filled", at: at(1), fill: fillOf({ commission: d(1) }) };
    expect(amount(order({}, filled), dear)).toBe("100.1 USDT");
  });

  test("what remains, and nothing at the end", () => {
    const filled: OrderEvent = { kind: "filled", at: at(1), fill: fillOf() };
    expect(amount(order({}, filled))).toBe("100.1 USDT");
    expect(amount(order({}, filled, { kind: "cancelled", at: at(2), reason: "" }))).toBe("0 USDT");
  });

  test("the dearest course of things while a replacement is asked for", () => {
    const accepted: OrderEvent = { kind: "accepted", at: at(1), exchangeOrderId: "x" };
    const ask = (quantity: number): OrderEvent => ({
      kind: "replaceRequested",
      at: at(2),
      terms: { quantity: d(quantity), price: d(100), stopPrice: null },
    });
    expect(amount(order({}, accepted, ask(3)))).toBe("300.3 USDT");
    expect(amount(order({}, accepted, ask(1)))).toBe("200.2 USDT");
    // Two may still be filled at 100, and then two at 50.
    const cheaper: OrderEvent = {
      kind: "replaceRequested",
      at: at(2),
      terms: { quantity: d(4), price: d(50), stopPrice: null },
    };
    expect(amount(order({}, accepted, cheaper))).toBe("300.3 USDT");
  });

  test("futures margin and fee on either side, and nothing to reduce", () => {
    expect(amount(order({ leverage: 10 }), futures)).toBe("20.2 USDT");
    expect(amount(order({ leverage: 10, side: "SELL", reservePrice: d(110) }), futures)).toBe("22.22 USDT");
    expect(amount(order({ reduceOnly: true }), futures)).toBe("0 USDT");
    expect(amount(order({ positionSide: "LONG", side: "SELL" }), futures)).toBe("0 USDT");
  });

  test("a group that is one-cancels-other needs as much as the dearest of it", () => {
    const legs = [order({ side: "SELL" }), order({ side: "SELL", quantity: d("1.5") })];
    expect(needOfGroup(legs, spotSymbol).amount.toFixed()).toBe("2");
    expect(() => needOfGroup([], spotSymbol)).toThrow(RangeError);
  });

  test("an amount that does not end at the 18th place is rounded up", () => {
    expect(amount(order({ price: d("0.000000001"), quantity: d("0.0000000001") }))).toBe("0.000000000000000001 USDT");
  });
});

describe("bookings", () => {
  test("reserving says what is missing, and moves nothing", () => {
    expect(reserve({ asset: "USDT", amount: d(10) }, d(4), balances({ USDT: [5, 4] }))).toEqual({
      kind: "insufficient",
      asset: "USDT",
      required: d(6),
      available: d(5),
    });
  });

  test("a purchase pays from what is held, a late one from what is available", () => {
    const fill = fillOf({ quantity: d(1), price: d(99), commission: d("0.099") });
    const paid = settleSpot({ side: "BUY" }, fill, spotSymbol, d("200.2"), balances({ USDT: [0, "200.2"] }));
    expect(paid.held.toFixed()).toBe("101.101");
    expect(shown(moved(balances({ USDT: [0, "200.2"] }), paid.movements))).toEqual({
      USDT: ["0", "101.101"],
      BTC: ["1", "0"],
    });
    const late = settleSpot({ side: "BUY" }, fill, spotSymbol, d(0), balances({ USDT: [100] }));
    expect(shown(moved(balances({ USDT: [100] }), late.movements))).toEqual({ USDT: ["0.901", "0"], BTC: ["1", "0"] });
    expect(late.shortfalls.size).toBe(0);
  });

  test("a commission is paid in the asset that the venue says, and a rebate is received", () => {
    const before = balances({ USDT: [0, 200], BNB: [1] });
    const inBase = settleSpot(
      { side: "BUY" },
      fillOf({ commission: d("0.001"), commissionAsset: "BTC" }),
      spotSymbol,
      d(200),
      before,
    );
    expect(shown(moved(before, inBase.movements)).BTC).toEqual(["0.999", "0"]);
    const inBnb = settleSpot({ side: "BUY" }, fillOf({ commissionAsset: "BNB" }), spotSymbol, d(200), before);
    expect(shown(moved(before, inBnb.movements))).toMatchObject({ BNB: ["0.9", "0"], USDT: ["0", "100"] });
    const rebate = settleSpot({ side: "BUY" }, fillOf({ commission: d("-0.1") }), spotSymbol, d(200), before);
    expect(shown(moved(before, rebate.movements)).USDT).toEqual(["0.1", "100"]);
  });

  test("what an account does not have is adjusted, shown, and paid", () => {
    const late = settleSpot({ side: "BUY" }, fillOf(), spotSymbol, d(0), balances({ USDT: [40] }));
    expect([...late.shortfalls].map(([asset, missing]) => [asset, missing.toFixed()])).toEqual([["USDT", "60.1"]]);
    expect(late.movements.map(({ reason, availableChange }) => [reason, availableChange.toFixed()])).toEqual([
      ["ADJUSTMENT", "60"],
      ["TRADE", "-100"],
      ["TRADE", "1"],
      ["ADJUSTMENT", "0.1"],
      ["FEE", "-0.1"],
    ]);
    expect(shown(moved(balances({ USDT: [40] }), late.movements)).USDT).toEqual(["0", "0"]);
  });

  test("movements that would leave less than nothing are refused", () => {
    const out: Movement = { asset: "USDT", reason: "TRADE", availableChange: d(-1), lockedChange: d(0) };
    expect(() => moved(balances({}), [out])).toThrow(RangeError);
  });
});

/** Keeps an account as the ledger does: one transition, its movements and what is held, step by step. */
class TestAccount {
  balances: Balances;
  readonly opening: Balances;
  readonly orders: Order[] = [];
  readonly held: Decimal[] = [];
  readonly movements: Movement[] = [];
  readonly fills: { readonly order: Order; readonly fill: Fill }[] = [];
  isShort = false;

  constructor(readonly symbol: TradingSymbol) {
    this.opening = balances({ USDT: ["1000"], BTC: ["3"], BNB: ["1"] });
    this.balances = this.opening;
  }

  place(order: NewOrder): void {
    const born = orderFrom([{ kind: "placed", at: at(0), order }]);
    const reserving = reserve(needOf(born, this.symbol), d(0), this.balances);
    if (reserving.kind === "insufficient") return;
    this.orders.push(born);
    this.held.push(d(0));
    this.#book(this.orders.length - 1, reserving.booking);
  }

  apply(index: number, event: OrderEvent): void {
    const order = this.orders[index];
    if (order === undefined) return;
    const next = transition(order, event);
    if (next.kind !== "changed") return;
    for (const effect of next.effects) {
      const [held, need] = [this.held[index] ?? d(0), needOf(next.order, this.symbol)];
      if (effect.kind === "reserve") {
        const reserving = reserve(need, held, this.balances);
        if (reserving.kind === "insufficient") return;
        this.#book(index, reserving.booking);
      } else if (effect.kind === "settle") {
        this.fills.push({ order: next.order, fill: effect.fill });
        this.#book(index, settleSpot(order, effect.fill, this.symbol, held, this.balances));
      } else if (effect.kind === "release") this.#book(index, release(need, held, this.balances));
    }
    this.orders[index] = next.order;
  }

  #book(index: number, booking: Booking): void {
    this.balances = moved(this.balances, booking.movements);
    this.movements.push(...booking.movements);
    this.held[index] = booking.held;
    this.isShort ||= booking.shortfalls.size > 0;
  }

  /** What must hold after every step. */
  check(): void {
    for (const asset of ["USDT", "BTC", "BNB"]) {
      const balance = balanceOf(this.balances, asset);
      const own = this.movements.filter((movement) => movement.asset === asset);
      expect(balance.available.gte(0) && balance.locked.gte(0)).toBe(true);
      expect(balance.available).toEqual(
        balanceOf(this.opening, asset).available.plus(sumOf(own.map((m) => m.availableChange))),
      );
      const held = this.orders.map((order, index) =>
        needOf(order, this.symbol).asset === asset ? (this.held[index] ?? d(0)) : d(0),
      );
      expect(balance.locked).toEqual(sumOf(held));
      expect(balance.locked.decimalPlaces()).toBeLessThanOrEqual(18);
      // Nothing is created and nothing is lost: the balance has changed by what the fills say, and by nothing else.
      const adjusted = sumOf(own.flatMap((m) => (m.reason === "ADJUSTMENT" ? [m.availableChange] : [])));
      const change = balance.available.plus(balance.locked).minus(balanceOf(this.opening, asset).available);
      expect(change).toEqual(this.#byFills(asset).plus(adjusted));
    }
  }

  #byFills(asset: string): Decimal {
    return sumOf(
      this.fills.flatMap(({ order, fill }) => {
        const sign = order.side === "BUY" ? 1 : -1;
        return [
          ...(asset === "BTC" ? [fill.quantity.times(sign)] : []),
          ...(asset === "USDT" ? [notionalOf(fill).times(-sign)] : []),
          ...(fill.commissionAsset === asset ? [fill.commission.neg()] : []),
        ];
      }),
    );
  }
}

/** Amounts with up to 18 places, so that products have to be rounded. */
const amounts = (most: number) =>
  fc
    .tuple(fc.bigInt({ min: 1n, max: 10n ** 18n }), fc.integer({ min: 1, max: most }))
    .map(([digits, whole]) => new Decimal(digits.toString()).div("1e18").times(whole).toDecimalPlaces(18));
const steps = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("place" as const),
      side: fc.constantFrom("BUY" as const, "SELL" as const),
      isMarket: fc.boolean(),
      quantity: amounts(4),
      price: amounts(300),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("fill" as const),
      index: fc.nat(4),
      /** Of what remains; one in ten fills is the rest. */
      part: fc.double({ min: 0.01, max: 1.1, noNaN: true }),
      /** How much better than the limit, as a fraction. */
      better: fc.double({ min: 0, max: 0.2, noNaN: true }),
      isMaker: fc.boolean(),
      again: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      index: fc.nat(4),
      how: fc.constantFrom(
        "accepted" as const,
        "cancelRequested" as const,
        "cancelled" as const,
        "expired" as const,
        "rejected" as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("replace" as const),
      index: fc.nat(4),
      quantity: amounts(6),
      price: amounts(300),
      answer: fc.constantFrom("replaced" as const, "replaceRefused" as const, null),
    }),
  },
);

/** @param isTidy the venue fills only what is open, at the limit or better, and charges by the symbol's rates */
function run(
  history: readonly (typeof steps extends fc.Arbitrary<infer Step> ? Step : never)[],
  symbol: TradingSymbol,
  isTidy: boolean,
): TestAccount {
  const account = new TestAccount(symbol);
  let fillCount = 0;
  for (const step of history) {
    if (step.kind === "place") {
      const { side, quantity, price } = step;
      const terms = step.isMarket ? { price: null, reservePrice: price, orderType: "MARKET" as const } : { price };
      account.place(newOrder({ id: String(account.orders.length), side, quantity, ...terms }));
    } else if (step.kind === "end") {
      const exchangeOrderId = `x-${step.index}`;
      account.apply(step.index, {
        kind: step.how,
        at: at(1),
        reason: "",
        code: "VENUE_REJECTED",
        exchangeOrderId,
      } as OrderEvent);
    } else if (step.kind === "replace") {
      const order = account.orders[step.index];
      const terms = { quantity: step.quantity, price: order?.price == null ? null : step.price, stopPrice: null };
      account.apply(step.index, { kind: "replaceRequested", at: at(2), terms });
      const pending = account.orders[step.index]?.pendingReplacement;
      if (pending != null && step.answer !== null) {
        account.apply(step.index, {
          kind: step.answer,
          at: at(3),
          terms: pending,
          exchangeOrderId: null,
          reason: "",
        } as OrderEvent);
      }
    } else {
      const order = account.orders[step.index];
      if (order === undefined || (isTidy && !isOpen(order))) continue;
      const remaining = order.quantity.minus(order.filledQuantity);
      const quantity = smaller(remaining.times(step.part).toDecimalPlaces(18), remaining);
      const limit = order.price ?? order.reservePrice ?? d(0);
      const improvement = limit.times(step.better);
      const price = (order.side === "BUY" ? limit.minus(improvement) : limit.plus(improvement)).toDecimalPlaces(18);
      const charged = sumOf(order.commissions.map(({ amount }) => amount));
      const commission = isTidy
        ? commissionOf(symbol, notionalOf({ price, quantity }), step.isMaker, charged)
        : price.times(step.better).toDecimalPlaces(18);
      const fill: Fill = {
        exchangeFillId: `fill-${fillCount++}`,
        price,
        quantity,
        commission,
        commissionAsset: isTidy ? "USDT" : (["USDT", "BTC", "BNB"][fillCount % 3] ?? "USDT"),
        isMaker: step.isMaker,
        filledAt: at(fillCount),
      };
      account.apply(step.index, { kind: "filled", at: at(4), fill });
      if (step.again) account.apply(step.index, { kind: "filled", at: at(5), fill });
    }
    account.check();
  }
  return account;
}

describe("any history of orders on a market without positions", () => {
  const histories = fc.array(steps, { minLength: 1, maxLength: 40, size: "max" });
  const symbols = fc.constantFrom(spotSymbol, { ...spotSymbol, minCommission: d("0.5") });

  test("is paid from what was reserved for it, and all that is left comes free", () => {
    fc.assert(
      fc.property(histories, symbols, (history, symbol) => {
        const account = run(history, symbol, true);
        expect(account.isShort).toBe(false);
        for (const [index, order] of account.orders.entries()) {
          expect(account.held[index]).toEqual(needOf(order, symbol).amount);
          account.apply(index, { kind: "cancelled", at: at(9), reason: "end of the test" });
        }
        account.check();
        for (const { locked } of account.balances.values()) expect(locked.toFixed()).toBe("0");
      }),
      { numRuns: 80 },
    );
  });

  test("conserves every asset, also with late fills, strange commissions and prices", () => {
    fc.assert(
      fc.property(histories, symbols, (history, symbol) => {
        run(history, symbol, false);
      }),
      { numRuns: 80 },
    );
  });
});
