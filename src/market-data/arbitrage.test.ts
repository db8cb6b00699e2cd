import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Decimal, decimalText } from "../core/decimal.js";
import { ArbitrageDetector, type ArbitrageSpread, type LegBook } from "./arbitrage.js";
import type { BookLevel } from "./events.js";

const level = (price: number | string, quantity: number | string): BookLevel => [
  decimalText(String(price)),
  decimalText(String(quantity)),
];

function detector(...fees: string[]) {
  const told: (["opened" | "changed", ArbitrageSpread] | ["closed", string])[] = [];
  const subject = new ArbitrageDetector(
    fees.map((fee, n) => ({ symbolId: n + 1, takerFee: decimalText(fee) })),
    {
      onOpened: (spread) => told.push(["opened", spread]),
      onChanged: (spread) => told.push(["changed", spread]),
      onClosed: (buy, sell) => told.push(["closed", `${buy}>${sell}`]),
    },
  );
  return { subject, told };
}

describe("an opportunity", () => {
  test("opens, changes and closes, each once", () => {
    const { subject, told } = detector("0.001", "0.001");
    subject.update(1, { bids: [level(99, 1)], asks: [level(100, 2)] });
    subject.update(2, { bids: [level(101, 3)], asks: [level(102, 1)] });
    expect(told).toEqual([
      [
        "opened",
        {
          buySymbolId: 1,
          sellSymbolId: 2,
          buyPrice: "100",
          sellPrice: "101",
          spreadBps: "100",
          // 101 × 0.999 = 100.899 for 100 × 1.001 = 100.1
          netSpreadBps: "79.8201798201",
          maxQuantity: "2",
        },
      ],
    ]);
    subject.update(2, { bids: [level(101, 3)], asks: [level(102, 1)] });
    expect(told).toHaveLength(1);
    subject.update(2, { bids: [level(101, 1)], asks: [level(102, 1)] });
    expect(told[1]).toMatchObject(["changed", { maxQuantity: "1" }]);
    subject.update(2, { bids: [level("100.1", 3)], asks: [level(102, 1)] });
    subject.update(2, { bids: [level("100.1", 4)], asks: [level(102, 1)] });
    expect(told.slice(2)).toEqual([["closed", "1>2"]]);
  });

  test("closes when a book is lost, and when the detector ends", () => {
    const { subject, told } = detector("0", "0", "0");
    subject.update(1, { bids: [], asks: [level(100, 1)] });
    subject.update(2, { bids: [level(101, 1)], asks: [] });
    subject.update(3, { bids: [level(102, 1)], asks: [] });
    subject.update(3, null);
    subject.close();
    subject.close();
    expect(told.map(([what]) => what)).toEqual(["opened", "opened", "closed", "closed"]);
  });

  test("is as large as both books are deep where something is left after fees", () => {
    const { subject, told } = detector("0.001", "0.001");
    subject.update(1, { bids: [], asks: [level(100, 1), level("100.5", 1), level("100.9", 50)] });
    subject.update(2, { bids: [level(101, "1.5"), level("100.75", 9)], asks: [] });
    // 1 at 100/101, 0.5 at 100.5/101, then 100.75 × 0.999 = 100.649 is more than 100.5 × 1.001 = 100.6005: 0.5 more.
    expect(told).toMatchObject([["opened", { maxQuantity: "2" }]]);
  });
});

test("is open exactly while buying and selling leaves something after fees, and its quantity is what can be traded so", () => {
  const levels = fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 9 })), { maxLength: 4 });
  const books = fc.record({
    symbol: fc.integer({ min: 1, max: 3 }),
    mid: fc.integer({ min: 990, max: 1_010 }),
    bids: levels,
    asks: levels,
  });
  const fees = ["0.001", "0.0005", "0"];
  const toBook = ({
    mid,
    bids,
    asks,
  }: {
    mid: number;
    bids: [number, number][];
    asks: [number, number][];
  }): LegBook => {
    const side = (steps: [number, number][], sign: number) => {
      let at = mid;
      return steps.map(([step, quantity]) => {
        at += sign * step;
        return level(at / 10, quantity);
      });
    };
    return { bids: side(bids, -1), asks: side(asks, 1) };
  };
  fc.assert(
    fc.property(fc.array(books, { maxLength: 30 }), (updates) => {
      const { subject, told } = detector(...fees);
      const current = new Map<number, LegBook>();
      const open = new Map<string, ArbitrageSpread>();
      for (const update of updates) {
        current.set(update.symbol, toBook(update));
        told.length = 0;
        subject.update(update.symbol, toBook(update));
        for (const [what, spread] of told) {
          if (typeof spread === "string") expect(open.delete(spread)).toBe(true);
          else {
            const key = `${spread.buySymbolId}>${spread.sellSymbolId}`;
            expect(open.has(key)).toBe(what === "changed");
            open.set(key, spread);
          }
        }
        for (const buy of [1, 2, 3]) {
          for (const sell of [1, 2, 3]) {
            if (buy === sell) continue;
            const asks = current.get(buy)?.asks ?? [];
            const bids = current.get(sell)?.bids ?? [];
            const cost = (price: string) => new Decimal(price).mul(new Decimal(1).plus(fees[buy - 1] ?? 0));
            const proceeds = (price: string) => new Decimal(price).mul(new Decimal(1).minus(fees[sell - 1] ?? 0));
            // Unit by unit: the n-th unit bought costs what it costs, and is sold for what the n-th unit sells for.
            const units = (side: readonly BookLevel[]) =>
              side.flatMap(([price, q]) => Array<string>(Number(q)).fill(price));
            const [bought, sold] = [units(asks), units(bids)];
            let quantity = 0;
            while (
              bought[quantity] !== undefined &&
              sold[quantity] !== undefined &&
              proceeds(sold[quantity] as string).gt(cost(bought[quantity] as string))
            ) {
              quantity++;
            }
            expect(open.get(`${buy}>${sell}`)?.maxQuantity).toBe(quantity === 0 ? undefined : String(quantity));
          }
        }
      }
    }),
  );
});
