import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { at, d } from "../../test/support/orders.js";
import type { Decimal } from "../core/decimal.js";
import { sumOf, zero } from "./money.js";
import {
  crossCollateral,
  entryPriceOf,
  fundingAmount,
  liquidationPrice,
  maintenanceMargin,
  openOrAdd,
  type Position,
  pnlPercent,
  reduce,
  splitFill,
  unrealizedPnl,
} from "./position.js";

const opening = { accountId: "a", symbolId: 1, leverage: 10, marginMode: "ISOLATED" } as const;

const open = (
  side: "LONG" | "SHORT",
  quantity: number | string,
  price: number | string,
  margin: number | string = 0,
): Position => openOrAdd(null, { ...opening, side }, { quantity: d(quantity), price: d(price), at: at(0) }, d(margin));

interface TestFill {
  readonly side: "BUY" | "SELL";
  readonly positionSide: "BOTH" | "LONG" | "SHORT";
  readonly quantity: Decimal;
  readonly price: Decimal;
}

/** Applies fills as the settlement does, without the money. */
class Holdings {
  positions: Position[] = [];
  readonly ended: Position[] = [];
  realized: Decimal[] = [];

  fill(fill: TestFill): void {
    const split = splitFill(fill, fill.quantity, this.positions);
    if (split.reduced !== null) {
      const { position, realizedPnl } = reduce(split.reduced, { ...fill, quantity: split.reducing, at: at(1) });
      this.realized.push(realizedPnl);
      this.#keep(split.reduced, position);
    }
    if (split.opening.gt(0)) {
      const side = fill.side === "BUY" ? "LONG" : "SHORT";
      this.#keep(
        split.added,
        openOrAdd(split.added, { ...opening, side }, { ...fill, quantity: split.opening, at: at(1) }, d(0)),
      );
    }
  }

  #keep(before: Position | null, after: Position): void {
    this.positions = this.positions.filter((position) => position !== before);
    if (after.status === "OPEN") this.positions.push(after);
    else this.ended.push(after);
  }
}

const net = (positions: readonly Position[]): Decimal =>
  sumOf(positions.map(({ side, quantity }) => (side === "LONG" ? quantity : quantity.neg())));

const quantities = fc.integer({ min: 1, max: 5_000 }).map((n) => d(n).div(1000));
const prices = fc.integer({ min: 1, max: 200_000 }).map((n) => d(n).div(100));
const oneWayFills = fc.array(
  fc.record({
    side: fc.constantFrom("BUY" as const, "SELL" as const),
    positionSide: fc.constant("BOTH" as const),
    quantity: quantities,
    price: prices,
  }),
  { minLength: 1, maxLength: 40, size: "max" },
);
/** Closes at most what is open: asked for as a fraction. */
const hedgeFills = fc.array(
  fc.record({
    side: fc.constantFrom("BUY" as const, "SELL" as const),
    positionSide: fc.constantFrom("LONG" as const, "SHORT" as const),
    quantity: quantities,
    price: prices,
    closesAll: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40, size: "max" },
);

/** Cash that the fills have moved, plus what the rest is worth: what every way of counting profits must come to. */
const worth = (fills: readonly TestFill[], mark: Decimal): Decimal =>
  sumOf(
    fills.map(({ side, price, quantity }) =>
      price
        .minus(mark)
        .times(quantity)
        .times(side === "BUY" ? -1 : 1),
    ),
  );

describe("one-way", () => {
  test("profits are the cash flow, exactly, and the quantity is the sum of the fills", () => {
    fc.assert(
      fc.property(oneWayFills, prices, (fills, mark) => {
        const holdings = new Holdings();
        for (const fill of fills) {
          holdings.fill(fill);
          expect(holdings.positions.length).toBeLessThanOrEqual(1);
        }
        const bought = sumOf(fills.map(({ side, quantity }) => (side === "BUY" ? quantity : quantity.neg())));
        expect(net(holdings.positions)).toEqual(bought);
        const profit = sumOf([...holdings.realized, ...holdings.positions.map((p) => unrealizedPnl(p, mark))]);
        expect(profit).toEqual(worth(fills, mark));
        const kept = [...holdings.ended, ...holdings.positions].map(({ realizedPnl }) => realizedPnl);
        expect(sumOf(kept)).toEqual(sumOf(holdings.realized));
      }),
    );
  });

  test("the entry price is the average that a naive count finds, and starts anew after each flip", () => {
    fc.assert(
      fc.property(oneWayFills, (fills) => {
        const holdings = new Holdings();
        let [held, average] = [zero, zero];
        for (const fill of fills) {
          holdings.fill(fill);
          const change = fill.side === "BUY" ? fill.quantity : fill.quantity.neg();
          const after = held.plus(change);
          if (held.times(change).gte(0)) {
            average = average.times(held).plus(fill.price.times(change)).div(after);
          } else if (after.times(held).lt(0)) average = fill.price;
          held = after;
          const [position] = holdings.positions;
          if (held.isZero()) expect(position).toBeUndefined();
          else {
            expect(position?.side).toBe(held.gt(0) ? "LONG" : "SHORT");
            expect(Number(position && entryPriceOf(position)?.minus(average).abs())).toBeLessThan(1e-14);
          }
        }
      }),
    );
  });

  test("a flip ends one position and opens another", () => {
    const holdings = new Holdings();
    holdings.fill({ side: "BUY", positionSide: "BOTH", quantity: d(2), price: d(100) });
    holdings.fill({ side: "SELL", positionSide: "BOTH", quantity: d(5), price: d(110) });
    expect(holdings.ended).toMatchObject([
      { side: "LONG", status: "CLOSED", closedAt: at(1), quantity: d(0), realizedPnl: d(20) },
    ]);
    expect(holdings.positions).toMatchObject([{ side: "SHORT", quantity: d(3), entryCost: d(330), realizedPnl: d(0) }]);
  });
});

describe("hedge", () => {
  test("long and short are counted apart, and together they are the cash flow", () => {
    fc.assert(
      fc.property(hedgeFills, prices, (asked, mark) => {
        const holdings = new Holdings();
        const fills: TestFill[] = [];
        for (const fill of asked) {
          const isOpening = (fill.side === "BUY") === (fill.positionSide === "LONG");
          const open = holdings.positions.find(({ side }) => side === fill.positionSide)?.quantity ?? zero;
          const quantity = !isOpening && (fill.closesAll || fill.quantity.gt(open)) ? open : fill.quantity;
          if (quantity.isZero()) continue;
          fills.push({ ...fill, quantity });
          holdings.fill({ ...fill, quantity });
        }
        for (const side of ["LONG", "SHORT"] as const) {
          const own = fills.filter(({ positionSide }) => positionSide === side);
          const positions = holdings.positions.filter((position) => position.side === side);
          expect(positions.length).toBeLessThanOrEqual(1);
          const ended = holdings.ended.filter((position) => position.side === side);
          const profit = [...ended, ...positions].map(({ realizedPnl }) => realizedPnl);
          expect(sumOf([...profit, ...positions.map((p) => unrealizedPnl(p, mark))])).toEqual(worth(own, mark));
        }
      }),
    );
  });

  test("closing more than is open is a fault to be found, not a position", () => {
    const close = { side: "SELL", positionSide: "LONG" } as const;
    expect(() => splitFill(close, d(2), [open("LONG", 1, 100)])).toThrow(RangeError);
    expect(() => splitFill(close, d(1), [open("SHORT", 1, 100)])).toThrow(RangeError);
  });
});

test("a part takes its share of cost and margin, and the last part what is left", () => {
  const first = reduce(open("LONG", 3, "33.333333333333333333", 10), { quantity: d(1), price: d(40), at: at(1) });
  expect([first.position.entryCost, first.releasedMargin, first.position.marginUsed].map((x) => x.toFixed())).toEqual([
    "66.666666666666666666",
    "3.333333333333333333",
    "6.666666666666666667",
  ]);
  const last = reduce(first.position, { quantity: d(2), price: d(40), at: at(2) });
  expect([last.position.entryCost, last.position.marginUsed].map((x) => x.toFixed())).toEqual(["0", "0"]);
  expect(last.position).toMatchObject({ status: "CLOSED", closedAt: at(2) });
  expect(first.releasedMargin.plus(last.releasedMargin).toFixed()).toBe("10");
  // The product of cost and quantity has more digits than are calculated with.
  const quantity = d("1234567890123456.123456789012345678");
  const gigantic = reduce(open("LONG", quantity.toFixed(), "7.77"), { quantity, price: d(1), at: at(1) });
  expect(gigantic.position.entryCost.toFixed()).toBe("0");
});

describe("liquidation", () => {
  test("the known figures: 1 at 20000 with ten times leverage", () => {
    const rate = d("0.004");
    expect(liquidationPrice([open("LONG", 1, 20_000)], d(2_000), rate)?.toFixed(6)).toBe("18072.289157");
    expect(liquidationPrice([open("SHORT", 1, 20_000)], d(2_000), rate)?.toFixed(6)).toBe("21912.350598");
  });

  test("at the liquidation price collateral and profit are the maintenance margin; beyond it they are less", () => {
    const sides = fc.constantFrom("LONG" as const, "SHORT" as const);
    const rates = fc.integer({ min: 1, max: 100 }).map((n) => d(n).div(10_000));
    fc.assert(
      fc.property(
        sides,
        quantities,
        prices,
        fc.integer({ min: 1, max: 125 }),
        rates,
        (side, quantity, price, leverage, rate) => {
          const margin = price.times(quantity).div(leverage);
          const position = open(side, quantity.toFixed(), price.toFixed(), margin.toFixed());
          const liquidation = liquidationPrice([position], margin, rate);
          if (liquidation === null) {
            expect([side, leverage]).toEqual(["LONG", 1]);
            return;
          }
          const excess = (mark: Decimal) =>
            margin.plus(unrealizedPnl(position, mark)).minus(maintenanceMargin(position, mark, rate));
          expect(Number(excess(liquidation).abs())).toBeLessThan(1e-12);
          const worse = side === "LONG" ? liquidation.times("0.99") : liquidation.times("1.01");
          expect(excess(worse).lt(0)).toBe(true);
        },
      ),
    );
  });

  test("cross positions stand together: hedged halves cancel out, other symbols help or hurt", () => {
    const rate = d("0.004");
    const long = open("LONG", 2, 100);
    expect(liquidationPrice([long], d(1000), rate)).toBeNull();
    const hedged = liquidationPrice([long, open("SHORT", 1, 100)], d(50), rate);
    expect(Number(hedged)).toBeCloseTo((200 - 100 - 50) / (1 - 3 * 0.004), 9);
    const others = [{ position: open("SHORT", 1, 500), markPrice: d(450), rate }];
    expect(crossCollateral(d(1000), others).toFixed()).toBe("1048.2");
  });
});

test("longs pay a positive funding rate, shorts receive it", () => {
  expect(fundingAmount(open("LONG", 2, 100), d("0.0001"), d(110)).toFixed()).toBe("-0.022");
  expect(fundingAmount(open("SHORT", 2, 100), d("0.0001"), d(110)).toFixed()).toBe("0.022");
  expect(fundingAmount(open("LONG", 2, 100), d("-0.0001"), d(110)).toFixed()).toBe("0.022");
});

test("profit in per cent of the margin", () => {
  expect(pnlPercent(open("LONG", 1, 100, 10), d(105))?.toFixed()).toBe("50");
  expect(pnlPercent(open("SHORT", 1, 100, 10), d(105))?.toFixed()).toBe("-50");
  expect(pnlPercent(open("LONG", 1, 100), d(105))).toBeNull();
});
