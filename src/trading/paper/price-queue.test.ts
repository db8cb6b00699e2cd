import fc from "fast-check";
import { expect, test } from "vitest";
import { d } from "../../../test/support/orders.js";
import { PriceQueue } from "./price-queue.js";

const changes = fc.array(
  fc.record({ id: fc.nat(12), price: fc.integer({ min: 1, max: 5 }), isRemoved: fc.boolean() }),
  { maxLength: 60, size: "max" },
);

test.each(["highest", "lowest"] as const)("%s price first, then the earlier: as a sorted list says", (first) => {
  fc.assert(
    fc.property(changes, fc.integer({ min: 0, max: 6 }), (history, limit) => {
      const queue = new PriceQueue(first);
      const naive = new Map<string, { price: number; sequence: number }>();
      for (const [sequence, { id, price, isRemoved }] of history.entries()) {
        queue.remove(String(id));
        naive.delete(String(id));
        if (isRemoved) continue;
        queue.insert({ id: String(id), price: d(price), sequence });
        naive.set(String(id), { price, sequence });
      }
      const sign = first === "highest" ? -1 : 1;
      const expected = [...naive]
        .filter(([, { price }]) => (first === "highest" ? price >= limit : price <= limit))
        .sort(([, a], [, b]) => sign * (a.price - b.price) || a.sequence - b.sequence)
        .map(([id]) => id);
      expect(queue.upTo(d(limit)).map(({ id }) => id)).toEqual(expected);
    }),
  );
});
