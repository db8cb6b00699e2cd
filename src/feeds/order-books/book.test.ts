import { test as property } from "@fast-check/vitest";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Decimal, type DecimalText, decimalText } from "../../core/decimal.js";
import type { BookLevel } from "../../market-data/events.js";
import { type LevelUpdate, OrderBook } from "./book.js";

const level = (price: string, quantity: string): LevelUpdate => [decimalText(price), decimalText(quantity)];
const levels = (...pairs: [string, string][]): LevelUpdate[] => pairs.map(([p, q]) => level(p, q));

/** The book one would write without thinking about cost: a map per side, sorted with decimals whenever it is read. */
class NaiveBook {
  #sides: Record<"bids" | "asks", Map<DecimalText, DecimalText>> = { bids: new Map(), asks: new Map() };

  snapshot(bids: readonly LevelUpdate[], asks: readonly LevelUpdate[]): void {
    this.#sides = { bids: new Map(), asks: new Map() };
    this.apply(bids, asks);
  }

  apply(bids: readonly LevelUpdate[], asks: readonly LevelUpdate[]): void {
    for (const [side, updates] of [["bids", bids] as const, ["asks", asks] as const]) {
      for (const [price, quantity] of updates) {
        if (quantity === "0") this.#sides[side].delete(price);
        else this.#sides[side].set(price, quantity);
      }
    }
  }

  best(depth: number): { bids: BookLevel[]; asks: BookLevel[] } {
    const ascending = (a: BookLevel, b: BookLevel) => new Decimal(a[0]).comparedTo(b[0]);
    const bids = [...this.#sides.bids].sort((a, b) => ascending(b, a));
    return { bids: bids.slice(0, depth), asks: [...this.#sides.asks].sort(ascending).slice(0, depth) };
  }
}

/** Prices of very different lengths, close together often enough to meet again and be deleted, some nearer than floats. */
const prices = fc
  .oneof(
    fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 3 })),
    fc.tuple(fc.bigInt({ min: 10n ** 22n, max: 10n ** 22n + 20n }), fc.integer({ min: 10, max: 12 })),
    fc.tuple(fc.bigInt({ min: 1n, max: 10n ** 30n }), fc.integer({ min: 0, max: 25 })),
  )
  .map(([digits, places]) => decimalText(new Decimal(String(digits)).times(new Decimal(10).pow(-places))));
const quantities = fc.integer({ min: 0, max: 4 }).map((n) => decimalText(String(n)));
const updates = fc.array(fc.tuple(prices, quantities), { maxLength: 20 });
const steps = fc.array(fc.record({ isSnapshot: fc.boolean(), bids: updates, asks: updates }), { maxLength: 12 });

describe("a book", () => {
  property.prop([steps, fc.integer({ min: 1, max: 60 })])(
    "is what a naive book of the same updates is",
    (all, depth) => {
      const book = new OrderBook();
      const naive = new NaiveBook();
      for (const { isSnapshot, bids, asks } of all) {
        if (isSnapshot) {
          book.snapshot({ bids, asks }, null);
          naive.snapshot(bids, asks);
        } else {
          book.apply(bids, asks);
          naive.apply(bids, asks);
        }
        expect(book.best(depth)).toEqual(naive.best(depth));
        const [bid, ask] = [naive.best(1).bids[0]?.[0], naive.best(1).asks[0]?.[0]];
        expect(book.isCrossed).toBe(bid !== undefined && ask !== undefined && new Decimal(bid).gte(ask));
      }
    },
  );

  property.prop([steps, fc.integer({ min: 1, max: 8 }), fc.option(fc.integer({ min: 1, max: 20 }))])(
    "with a bound, and built from snapshots that are cut off, is right as deep as it says it is whole",
    (all, limit, depthLimit) => {
      const book = new OrderBook(limit);
      const naive = new NaiveBook();
      for (const { isSnapshot, bids, asks } of all) {
        if (isSnapshot) {
          naive.snapshot(bids, asks);
          book.snapshot(naive.best(depthLimit ?? Number.MAX_SAFE_INTEGER), depthLimit);
        } else {
          book.apply(bids, asks);
          naive.apply(bids, asks);
        }
        expect(Math.max(book.levelCounts.bids, book.levelCounts.asks)).toBeLessThanOrEqual(limit);
        for (const depth of [1, 2, 5, 8, 100]) {
          if (book.isWholeTo(depth)) expect(book.best(depth)).toEqual(naive.best(depth));
        }
      }
    },
  );

  test("drops the worst level at its bound, and knows where it stops being whole", () => {
    const book = new OrderBook(3);
    book.apply(levels(["9", "1"], ["10", "1"], ["8", "1"]), []);
    expect(book.isWholeTo(3)).toBe(true);
    book.apply(levels(["11", "1"]), []);
    expect(book.best(9).bids).toEqual(levels(["11", "1"], ["10", "1"], ["9", "1"]));
    expect(book.isWholeTo(3)).toBe(true);
    expect(book.isWholeTo(4)).toBe(false);
    book.apply(levels(["10", "0"]), []);
    expect(book.isWholeTo(2)).toBe(true);
    expect(book.isWholeTo(3)).toBe(false);
  });

  test("from a snapshot that was cut off is whole until its levels are used up", () => {
    const book = new OrderBook();
    const bids = levels(["10", "1"], ["9", "1"], ["8", "1"]);
    book.snapshot({ bids, asks: levels(["11", "1"]) }, 3);
    expect(book.isWholeTo(3)).toBe(true);
    book.apply(levels(["10", "0"], ["7", "1"]), []);
    expect(book.best(3).bids).toEqual(levels(["9", "1"], ["8", "1"], ["7", "1"]));
    expect(book.isWholeTo(2)).toBe(true);
    expect(book.isWholeTo(3)).toBe(false);
  });

  test("hands on pairs only, and keeps the exchange's own digits beside them", () => {
    const book = new OrderBook();
    book.apply([[decimalText("7.50"), decimalText("1.0"), "7.50:1.0"]], levels(["8", "2"]));
    expect(book.best(5)).toEqual({ bids: [["7.5", "1"]], asks: [["8", "2"]] });
    expect(book.originals(5)).toEqual({ bids: ["7.50:1.0"], asks: ["8:2"] });
  });
});
