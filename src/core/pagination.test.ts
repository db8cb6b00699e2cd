import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DomainError } from "./errors.js";
import { maxPageSize, type PageArguments, type PageOrder, pageOf } from "./pagination.js";

interface Item {
  readonly id: number;
  readonly rank: number;
}
const order: PageOrder<Item> = {
  name: "RANK",
  keyOf: (item) => [item.rank, item.id],
  compare: ([a, aId], [b, bId]) => Number(a) - Number(b) || Number(aId) - Number(bId),
};
const sorted = (items: readonly Item[]) => items.toSorted((a, b) => order.compare(order.keyOf(a), order.keyOf(b)));

const lists = fc
  .uniqueArray(fc.record({ id: fc.integer({ min: 1, max: 1_000 }), rank: fc.integer({ min: 0, max: 5 }) }), {
    selector: (item) => item.id,
    maxLength: 60,
  })
  .map(sorted);

function walk(list: readonly Item[], size: number, direction: "forwards" | "backwards"): Item[] {
  const seen: Item[] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = pageOf(
      list,
      direction === "forwards" ? { first: size, after: cursor } : { last: size, before: cursor },
      order,
    );
    const nodes = page.edges.map((edge) => edge.node);
    if (direction === "forwards") seen.push(...nodes);
    else seen.unshift(...nodes);
    if (!(direction === "forwards" ? page.hasNextPage : page.hasPreviousPage)) return seen;
    cursor = direction === "forwards" ? page.edges.at(-1)?.cursor : page.edges[0]?.cursor;
  }
}

describe("pages", () => {
  test("walking in either direction sees every item once and in order", () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: 1, max: 10 }), (list, size) => {
        expect(walk(list, size, "forwards")).toEqual(list);
        expect(walk(list, size, "backwards")).toEqual(list);
      }),
    );
  });

  test("an item that comes or goes between two pages makes no other item repeat or vanish", () => {
    fc.assert(
      fc.property(lists, lists, fc.integer({ min: 1, max: 5 }), (before, after, size) => {
        const first = pageOf(before, { first: size }, order);
        const cursor = first.edges.at(-1)?.cursor;
        if (cursor === undefined) return;
        const last = first.edges.at(-1)?.node as Item;
        const rest = pageOf(after, { first: maxPageSize, after: cursor }, order).edges.map((edge) => edge.node);
        expect(rest).toEqual(after.filter((item) => order.compare(order.keyOf(item), order.keyOf(last)) > 0));
      }),
    );
  });

  const list = sorted([1, 2, 3].map((id) => ({ id, rank: 0 })));
  test.each<[PageArguments, string]>([
    [{ first: -1 }, "first"],
    [{ last: -1 }, "last"],
    [{ first: maxPageSize + 1 }, "first"],
    [{ first: 1, last: 1 }, "last"],
    [{ after: "" }, "after"],
    [{ after: "not a cursor" }, "after"],
    [{ after: Buffer.from("[]").toString("base64url") }, "after"],
    [{ after: Buffer.from('["TICKER","BTC",1]').toString("base64url") }, "after"],
    [{ after: Buffer.from('["RANK",{"a":1},1]').toString("base64url") }, "after"],
    [{ before: Buffer.from('["RANK",1,"x"]').toString("base64url") }, "before"],
    [{ before: "A".repeat(10_000) }, "before"],
  ])("%j is refused and names the field", (args, field) => {
    expect(() => pageOf(list, args, order)).toThrow(DomainError);
    try {
      pageOf(list, args, order);
    } catch (error) {
      expect(error).toMatchObject({ code: "BAD_USER_INPUT", details: { field } });
    }
  });

  test("a page of nothing says whether there is more", () => {
    expect(pageOf(list, { first: 0 }, order)).toEqual({ edges: [], hasNextPage: true, hasPreviousPage: false });
    expect(pageOf([], { first: 5 }, order)).toEqual({ edges: [], hasNextPage: false, hasPreviousPage: false });
  });
});
