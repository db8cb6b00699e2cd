import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { at, d, fillOf, futuresSymbol } from "../../test/support/orders.js";
import type { Decimal } from "../core/decimal.js";
import { type Balances, balanceOf, type Movement, moved } from "./balances.js";
import { settleFunding, settleFutures, settleLiquidation } from "./futures-settlement.js";
import { notionalOf, roundedUp, sumOf, zero } from "./money.js";
import { fundingAmount, type Position } from "./position.js";
import type { LiquidationEvent } from "./venue.js";

const usdt = (available: number | string, locked: number | string = 0): Balances =>
  new Map([["USDT", { available: d(available), locked: d(locked) }]]);
const buy = {
  accountId: "a",
  symbolId: 2,
  side: "BUY",
  positionSide: "BOTH",
  leverage: 10,
  marginMode: "ISOLATED",
} as const;
const sell = { ...buy, side: "SELL" } as const;
const shown = (balances: Balances) => {
  const { available, locked } = balanceOf(balances, "USDT");
  return [available.toFixed(), locked.toFixed()];
};

describe("a fill of a futures order", () => {
  test("that opens takes margin and commission from what the order holds", () => {
    const booked = settleFutures(buy, fillOf({ quantity: d(1) }), [], futuresSymbol, d("20.2"), usdt(5, "20.2"));
    expect(booked.positions).toMatchObject([{ side: "LONG", quantity: d(1), marginUsed: d(10), leverage: 10 }]);
    expect(booked.held.toFixed()).toBe("10.1");
    expect(shown(moved(usdt(5, "20.2"), booked.movements))).toEqual(["5", "20.1"]);
  });

  test("that costs more than was reserved tops up from what is available, as far as that goes", () => {
    const dear = fillOf({ quantity: d(1), price: d(130), commission: d("0.13") });
    const enough = settleFutures(sell, dear, [], futuresSymbol, d("10.1"), usdt(5, "10.1"));
    expect(enough.positions[0]?.marginUsed.toFixed()).toBe("13");
    const little = settleFutures(sell, dear, [], futuresSymbol, d("10.1"), usdt(1, "10.1"));
    expect(little.positions[0]?.marginUsed.toFixed()).toBe("10.97");
    expect(shown(moved(usdt(1, "10.1"), little.movements))).toEqual(["0", "10.97"]);
  });

  test("that flips sets the old margin free and pays the new one", () => {
    const long = settleFutures(
      buy,
      fillOf({ quantity: d(2), commission: zero }),
      [],
      futuresSymbol,
      d(20),
      usdt(0, 20),
    );
    const flip = fillOf({ quantity: d(3), price: d(110), commission: d("0.33") });
    const booked = settleFutures(sell, flip, long.positions, futuresSymbol, d("33.33"), usdt(0, "53.33"));
    expect(booked.realizedPnl.toFixed()).toBe("20");
    expect(booked.positions).toMatchObject([
      { side: "LONG", status: "CLOSED", marginUsed: d(0), realizedPnl: d(20) },
      { side: "SHORT", status: "OPEN", quantity: d(1), marginUsed: d(11) },
    ]);
    expect(booked.held.toFixed()).toBe("22");
    expect(shown(moved(usdt(0, "53.33"), booked.movements))).toEqual(["40", "33"]);
  });
});

const opened = (quantity: number, margin: number, marginMode: "ISOLATED" | "CROSS" = "ISOLATED"): Position => {
  const order = { ...buy, leverage: (100 * quantity) / margin, marginMode };
  const [position] = settleFutures(
    order,
    fillOf({ quantity: d(quantity), commission: zero }),
    [],
    futuresSymbol,
    d(margin),
    usdt(0, margin),
  ).positions;
  if (position === undefined) throw new Error("no position");
  return position;
};
const liquidation = (price: number, quantity = 1): LiquidationEvent => ({
  kind: "liquidation",
  accountId: "a",
  symbolId: 2,
  side: "LONG",
  exchangeFillId: "l-1",
  price: d(price),
  quantity: d(quantity),
  commission: d("0.5"),
  commissionAsset: "USDT",
  at: at(5),
});

describe("a liquidation", () => {
  test("takes what the price and the commission took, and gives back the rest", () => {
    const booked = settleLiquidation(liquidation(92), opened(1, 10), futuresSymbol, usdt(3, 10));
    expect(shown(moved(usdt(3, 10), booked.movements))).toEqual(["4.5", "0"]);
    expect(booked.positions).toMatchObject([{ status: "LIQUIDATED", quantity: d(0), realizedPnl: d(-8) }]);
  });

  test("of an isolated position never takes more than its margin", () => {
    const booked = settleLiquidation(liquidation(70), opened(1, 10), futuresSymbol, usdt(3, 10));
    expect(shown(moved(usdt(3, 10), booked.movements))).toEqual(["3", "0"]);
  });

  test("of a cross position takes what there is, and no more", () => {
    const partly = settleLiquidation(liquidation(85), opened(1, 10, "CROSS"), futuresSymbol, usdt(30, 10));
    expect(shown(moved(usdt(30, 10), partly.movements))).toEqual(["24.5", "0"]);
    const all = settleLiquidation(liquidation(40), opened(1, 10, "CROSS"), futuresSymbol, usdt(30, 10));
    expect(shown(moved(usdt(30, 10), all.movements))).toEqual(["0", "0"]);
    expect(all.shortfalls.get("USDT")?.toFixed()).toBe("20.5");
  });

  test("of a part leaves the rest open", () => {
    const booked = settleLiquidation(liquidation(92), opened(2, 20), futuresSymbol, usdt(0, 20));
    expect(booked.positions).toMatchObject([{ status: "OPEN", quantity: d(1), marginUsed: d(10) }]);
  });
});

describe("funding", () => {
  test("is received, or paid from what is available and then from the margin", () => {
    const position = opened(1, 10);
    expect(shown(moved(usdt(1, 10), settleFunding(d(2), position, "USDT", usdt(1, 10)).movements))).toEqual([
      "3",
      "10",
    ]);
    const paid = settleFunding(d(-4), position, "USDT", usdt(1, 10));
    expect(shown(moved(usdt(1, 10), paid.movements))).toEqual(["0", "7"]);
    expect(paid.positions[0]?.marginUsed.toFixed()).toBe("7");
  });
});

const steps = fc.record({
  kind: fc.constantFrom("fill" as const, "fill" as const, "fill" as const, "funding" as const, "liquidation" as const),
  side: fc.constantFrom("BUY" as const, "SELL" as const),
  quantity: fc.bigInt({ min: 1n, max: 3n * 10n ** 18n }).map((n) => d(n.toString()).div("1e18")),
  price: fc.bigInt({ min: 10n ** 18n, max: 200n * 10n ** 18n }).map((n) => d(n.toString()).div("1e18")),
  leverage: fc.integer({ min: 1, max: 125 }),
  marginMode: fc.constantFrom("ISOLATED" as const, "CROSS" as const),
  fee: fc.integer({ min: -2, max: 20 }).map((n) => d(n).div(10_000)),
  part: fc.integer({ min: 1, max: 10 }),
});

test("any history on futures: locked is what positions have as margin, and the balance is what profits, commissions and funding made of it", () => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 1, maxLength: 30, size: "max" }), (history) => {
      let balances = usdt(1_000);
      let positions: Position[] = [];
      const movements: Movement[] = [];
      const earned: Decimal[] = [];
      const keep = (changed: readonly Position[]) => {
        for (const position of changed) {
          positions = positions.filter(({ side }) => side !== position.side);
          if (position.status === "OPEN") positions.push(position);
        }
      };
      for (const step of history) {
        const [position] = positions;
        let booked: ReturnType<typeof settleFutures>;
        if (step.kind === "fill") {
          const { price, quantity } = step;
          const order = { ...buy, side: step.side, leverage: step.leverage, marginMode: step.marginMode };
          const held = roundedUp(notionalOf(step).div(step.leverage).times("0.9"));
          if (held.gt(balanceOf(balances, "USDT").available)) continue;
          balances = moved(balances, [
            { asset: "USDT", reason: "RESERVE", availableChange: held.neg(), lockedChange: held },
          ]);
          const commission = notionalOf(step).times(step.fee).toDecimalPlaces(18);
          booked = settleFutures(
            order,
            fillOf({ price, quantity, commission }),
            positions,
            futuresSymbol,
            held,
            balances,
          );
          earned.push(commission.neg());
        } else if (position === undefined) continue;
        else if (step.kind === "funding") {
          const amount = fundingAmount(position, step.fee, step.price);
          booked = settleFunding(amount, position, "USDT", balances);
          earned.push(amount);
        } else {
          const quantity = position.quantity.times(step.part).div(10).toDecimalPlaces(18);
          if (quantity.isZero()) continue;
          booked = settleLiquidation(
            { ...liquidation(1), quantity, price: step.price },
            position,
            futuresSymbol,
            balances,
          );
          earned.push(d("-0.5"));
        }
        balances = moved(balances, booked.movements);
        if (booked.held.gt(0)) {
          balances = moved(balances, [
            { asset: "USDT", reason: "RELEASE", availableChange: booked.held, lockedChange: booked.held.neg() },
          ]);
        }
        movements.push(...booked.movements);
        earned.push(booked.realizedPnl);
        keep(booked.positions);
        const { available, locked } = balanceOf(balances, "USDT");
        expect(locked).toEqual(sumOf(positions.map(({ marginUsed }) => marginUsed)));
        const adjusted = movements.flatMap((m) => (m.reason === "ADJUSTMENT" ? [m.availableChange] : []));
        expect(available.plus(locked)).toEqual(sumOf([d(1_000), ...earned, ...adjusted]));
        expect(available.gte(0)).toBe(true);
      }
    }),
    { numRuns: 80 },
  );
});
