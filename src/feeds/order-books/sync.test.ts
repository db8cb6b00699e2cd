import { crc32 } from "node:zlib";
import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { decimalText } from "../../core/decimal.js";
import type { LevelUpdate } from "./book.js";
import { OrderBook } from "./book.js";
import { type BookRule, binanceSpotRule, binanceUsdmRule, bybitRule, gateRule, mexcRule, okxRule } from "./rules.js";
import { type BookDiff, type BookSnapshot, BookSync } from "./sync.js";

const level = (price: number, quantity: number): LevelUpdate => [
  decimalText(String(price)),
  decimalText(String(quantity)),
];
const noLevels = { bids: [], asks: [], checksum: null, exchangeTimeMs: null };
const snapshotAt = (sequence: number, bids: LevelUpdate[] = []): BookSnapshot => ({
  ...noLevels,
  bids,
  sequence,
  depthLimit: null,
});
const diffOf = (numbers: Partial<BookDiff> & { last: number }, bids: LevelUpdate[] = []): BookDiff => ({
  first: null,
  previous: null,
  ...noLevels,
  bids,
  ...numbers,
});

/** Ten changes per diff: diff n has the changes 10n + 1 to 10n + 10. */
const ranges = (n: number) => diffOf({ first: 10 * n + 1, last: 10 * n + 10 }, [level(n, n)]);
/** USD-M numbers are shared by all symbols, so there are holes between the diffs of one. */
const chained = (n: number) => diffOf({ first: 10 * n + 4, last: 10 * n + 10, previous: 10 * n }, [level(n, n)]);
const linked = (n: number) => diffOf({ last: 10 * n + 10, previous: 10 * n }, [level(n, n)]);
const counted = (n: number) => diffOf({ last: n + 1 }, [level(n, n)]);

const exchanges = [
  { name: "Binance spot", rule: binanceSpotRule, diff: ranges, snapshot: (n: number) => snapshotAt(10 * n) },
  { name: "Binance USD-M", rule: binanceUsdmRule, diff: chained, snapshot: (n: number) => snapshotAt(10 * n) },
  { name: "Gate.io", rule: gateRule, diff: ranges, snapshot: (n: number) => snapshotAt(10 * n) },
  { name: "MEXC", rule: mexcRule, diff: ranges, snapshot: (n: number) => snapshotAt(10 * n) },
  { name: "OKX", rule: okxRule, diff: linked, snapshot: (n: number) => snapshotAt(10 * n) },
  { name: "Bybit", rule: bybitRule, diff: counted, snapshot: (n: number) => snapshotAt(n) },
];
const byRequest = exchanges.filter(({ rule }) => rule.snapshotsCome === "by-request");

const bidsOf = (sync: BookSync) => sync.book?.best(100).bids.map(([price]) => Number(price));

/** A book as of diff 4 with the diffs 5 and 6. */
function live({ rule, diff, snapshot }: (typeof exchanges)[number]): BookSync {
  const sync = new BookSync(rule);
  expect(sync.onSnapshot(snapshot(5))).toBe("applied");
  expect(sync.onDiff(diff(5))).toBe("applied");
  expect(sync.onDiff(diff(6))).toBe("applied");
  return sync;
}

describe.each(exchanges)("the rule of $name", (exchange) => {
  const { rule, diff, snapshot } = exchange;

  test("applies diffs in order", () => {
    const sync = live(exchange);
    expect(bidsOf(sync)).toEqual([6, 5]);
    expect(sync.sequence).toBe(diff(6).last);
    expect(sync.needsSnapshot).toBe(false);
  });

  test("sees a gap, and is whole again with the next snapshot", () => {
    const sync = live(exchange);
    expect(sync.onDiff(diff(8))).toBe("gap");
    expect(sync.book).toBeNull();
    expect(sync.needsSnapshot).toBe(true);
    expect(sync.onDiff(diff(9))).toBe("waiting");
    expect(sync.onSnapshot(snapshot(10))).toBe("applied");
    expect(sync.onDiff(diff(10))).toBe("applied");
    expect(bidsOf(sync)?.[0]).toBe(10);
    expect(bidsOf(sync)).not.toContain(6);
  });

  test("ignores a diff that comes twice", () => {
    const sync = live(exchange);
    expect(sync.onDiff(diff(6))).toBe("ignored");
    expect(sync.onDiff(diff(7))).toBe("applied");
  });

  test("never applies a diff that comes out of order", () => {
    const sync = live(exchange);
    // OKX may start its numbers anew, so a lower one does not prove that the diff is old.
    const outcome = rule === okxRule ? "gap" : "ignored";
    expect(sync.onDiff({ ...diff(5), bids: [level(99, 99)] })).toBe(outcome);
    expect(bidsOf(sync)).toEqual(outcome === "gap" ? undefined : [6, 5]);
  });

  test("takes a snapshot that comes in the middle", () => {
    const sync = live(exchange);
    expect(sync.onSnapshot(snapshot(7))).toBe("applied");
    expect(bidsOf(sync)).toEqual([]);
    expect(sync.onDiff(diff(7))).toBe("applied");
  });

  test("keeps nothing after a reset", () => {
    const sync = live(exchange);
    sync.reset();
    expect(sync.book).toBeNull();
    expect(sync.onDiff(diff(7))).toBe("waiting");
    expect(bidsOf(sync)).toBeUndefined();
  });
});

describe.each(byRequest)("the rule of $name, whose snapshots come by request,", (exchange) => {
  const { rule, diff, snapshot } = exchange;

  test("drops kept diffs that the snapshot has and applies the others", () => {
    const sync = new BookSync(rule);
    for (const n of [3, 4, 5, 6]) expect(sync.onDiff(diff(n))).toBe("waiting");
    expect(sync.onSnapshot(snapshot(5))).toBe("applied");
    // Binance USD-M says to keep the diff that ends where the snapshot does; it changes nothing.
    expect(bidsOf(sync)).toEqual(rule === binanceUsdmRule ? [6, 5, 4] : [6, 5]);
    expect(sync.onDiff(diff(7))).toBe("applied");
  });

  test("applies a diff that began before the snapshot and ends after it", () => {
    const sync = new BookSync(rule);
    sync.onDiff(diff(5));
    expect(sync.onSnapshot(snapshotAt(55))).toBe("applied");
    expect(bidsOf(sync)).toEqual([5]);
    expect(sync.sequence).toBe(60);
  });

  test("ignores old diffs that come after the snapshot", () => {
    const sync = new BookSync(rule);
    sync.onSnapshot(snapshot(5));
    expect(sync.onDiff(diff(2))).toBe("ignored");
    expect(sync.onDiff(diff(3))).toBe("ignored");
    expect(sync.onDiff(diff(5))).toBe("applied");
  });

  test("does not join a snapshot that is older than the diffs it keeps, but the next one", () => {
    const sync = new BookSync(rule);
    sync.onDiff(diff(5));
    sync.onDiff(diff(6));
    expect(sync.onSnapshot(snapshot(4))).toBe("gap");
    expect(sync.book).toBeNull();
    expect(sync.onSnapshot(snapshot(6))).toBe("applied");
    expect(sync.sequence).toBe(70);
  });

  test("keeps a bounded number of diffs: the oldest go, and a snapshot that needs them is a gap", () => {
    const sync = new BookSync(rule);
    for (let n = 1; n <= 1_000; n++) sync.onDiff(diff(n));
    expect(sync.onSnapshot(snapshot(300))).toBe("gap");
    expect(sync.onSnapshot(snapshot(401))).toBe("applied");
    expect(sync.sequence).toBe(10_010);
  });

  test("keeps the diff that showed a gap for the snapshot to come", () => {
    const sync = live(exchange);
    expect(sync.onDiff(diff(8))).toBe("gap");
    expect(sync.onSnapshot(snapshot(8))).toBe("applied");
    expect(sync.sequence).toBe(90);
  });

  test("takes numbers that stay behind for a new numbering, not for ever", () => {
    const sync = live(exchange);
    const outcomes = Array.from({ length: 101 }, () => sync.onDiff(diff(1)));
    expect(outcomes.slice(0, 100)).toEqual(Array(100).fill("ignored"));
    expect(outcomes[100]).toBe("gap");
    expect(sync.onSnapshot(snapshot(1))).toBe("applied");
    expect(bidsOf(sync)).toEqual([1]);
  });

  test("takes any number of kept diffs that the snapshot has for what they are", () => {
    const sync = new BookSync(rule);
    for (let n = 1; n <= 300; n++) sync.onDiff(diff(n));
    expect(sync.onSnapshot(snapshot(299))).toBe("applied");
    expect(sync.sequence).toBe(3_010);
  });

  test("ignores an answer that is older than the book", () => {
    const sync = live(exchange);
    expect(sync.onSnapshot(snapshot(6))).toBe("ignored");
    expect(bidsOf(sync)).toEqual([6, 5]);
  });

  test("goes on while it is refreshed, and applies again what came meanwhile", () => {
    const sync = live(exchange);
    sync.refresh();
    expect(sync.needsSnapshot).toBe(true);
    expect(sync.onDiff(diff(7))).toBe("applied");
    expect(sync.onDiff(diff(8))).toBe("applied");
    expect(sync.onSnapshot(snapshot(6))).toBe("ignored");
    expect(bidsOf(sync)).toEqual([8, 7, 6, 5]);
    expect(sync.onSnapshot({ ...snapshot(8), bids: [level(2, 2)] })).toBe("applied");
    expect(bidsOf(sync)?.slice(0, 1)).toEqual([8]);
    expect(bidsOf(sync)).toContain(2);
    expect(sync.sequence).toBe(90);
    expect(sync.needsSnapshot).toBe(false);
  });
});

describe("Binance USD-M", () => {
  test("joins a symbol that was quiet since before the snapshot without a second one", () => {
    const sync = new BookSync(binanceUsdmRule);
    sync.onSnapshot(snapshotAt(50));
    expect(sync.onDiff(chained(5))).toBe("applied");
  });

  test("does not take a range that merely touches: only `pu` tells what came before", () => {
    const sync = live(exchanges[1] ?? expect.unreachable());
    expect(sync.onDiff(diffOf({ first: 71, last: 80, previous: 69 }))).toBe("gap");
  });
});

describe("MEXC", () => {
  test("demands that ranges touch once it has joined", () => {
    const sync = live(exchanges[3] ?? expect.unreachable());
    expect(sync.onDiff(diffOf({ first: 70, last: 80 }))).toBe("gap");
  });
});

describe("OKX", () => {
  const linkedTo = (previous: number, last: number) => diffOf({ previous, last });

  test("follows the documented example: an update, a sign of life, a reset, an update", () => {
    const sync = new BookSync(okxRule);
    sync.onSnapshot(snapshotAt(10));
    expect(sync.onDiff(linkedTo(10, 15))).toBe("applied");
    expect(sync.onDiff(linkedTo(15, 15))).toBe("ignored");
    expect(sync.onDiff(linkedTo(15, 3))).toBe("applied");
    expect(sync.onDiff(linkedTo(3, 5))).toBe("applied");
    expect(sync.sequence).toBe(5);
  });

  test("sees the gap when the reset itself was lost", () => {
    const sync = new BookSync(okxRule);
    sync.onSnapshot(snapshotAt(15));
    expect(sync.onDiff(linkedTo(3, 5))).toBe("gap");
  });

  const bids: LevelUpdate[] = [
    [decimalText("3366.1"), decimalText("7"), "3366.1:7"],
    [decimalText("3366"), decimalText("6"), "3366.0:6"],
  ];
  const asks: LevelUpdate[] = ["3366.8:9", "3368:8", "3372:8"].map((original) => {
    const [price = "", quantity = ""] = original.split(":");
    return [decimalText(price), decimalText(quantity), original];
  });
  const checksum = crc32("3366.1:7:3366.8:9:3366.0:6:3368:8:3372:8") | 0;

  test("checks the levels in turn, in the exchange's own digits, and the longer side to its end", () => {
    const book = new OrderBook();
    book.apply(bids, asks);
    expect(okxRule.checksumOf?.(book)).toBe(checksum);
    const sync = new BookSync(okxRule);
    const snapshot = { ...snapshotAt(1), bids, asks };
    expect(sync.onSnapshot({ ...snapshot, checksum })).toBe("applied");
    expect(sync.onSnapshot({ ...snapshot, checksum: checksum + 1 })).toBe("wrong-checksum");
    expect(sync.book).toBeNull();
  });

  test("loses the book at a wrong checksum, and verifies none where the exchange sends 0", () => {
    const sync = new BookSync(okxRule);
    sync.onSnapshot({ ...snapshotAt(1), bids, asks, checksum });
    expect(sync.onDiff({ ...linkedTo(1, 2), checksum: 0 })).toBe("applied");
    expect(sync.onDiff({ ...linkedTo(2, 3), checksum })).toBe("applied");
    expect(sync.onDiff({ ...linkedTo(3, 4), bids: [level(3366, 5)], checksum })).toBe("wrong-checksum");
    expect(sync.book).toBeNull();
    expect(sync.needsSnapshot).toBe(true);
  });
});

describe("Bybit", () => {
  test("takes the snapshot after a restart of the service, whose number is 1", () => {
    const sync = live(exchanges[5] ?? expect.unreachable());
    expect(sync.onSnapshot(snapshotAt(1, [level(9, 9)]))).toBe("applied");
    expect(sync.onDiff(diffOf({ last: 2 }, [level(8, 8)]))).toBe("applied");
    expect(bidsOf(sync)).toEqual([9, 8]);
  });
});

/** One change of one level per number, cut into diffs; what the exchange's book is after each number. */
const streams = fc
  .record({
    changes: fc.array(fc.record({ isBid: fc.boolean(), price: fc.integer({ min: 1, max: 9 }), quantity: fc.nat(3) }), {
      minLength: 1,
      maxLength: 60,
    }),
    cuts: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 60, maxLength: 60 }),
    /** Bigger numbers than changes, as where symbols share them. */
    stride: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ changes, cuts, stride }) => {
    const diffs: (typeof changes)[] = [];
    for (let at = 0, cut = 0; at < changes.length; at += cuts[cut++] ?? 1) {
      diffs.push(changes.slice(at, at + (cuts[cut] ?? 1)));
    }
    return { changes, diffs, stride };
  });
type Change = { isBid: boolean; price: number; quantity: number };
const updatesOf = (changes: readonly Change[], isBid: boolean) =>
  changes.filter((change) => change.isBid === isBid).map(({ price, quantity }) => level(price, quantity));
const truthAfter = (changes: readonly Change[]) => {
  const book = new OrderBook();
  for (const change of changes) book.apply(updatesOf([change], true), updatesOf([change], false));
  return book.best(100);
};

describe.each(byRequest)("any stream of $name", ({ rule }: { rule: BookRule }) => {
  const isShared = rule === binanceUsdmRule;

  property.prop([streams, fc.nat(), fc.nat(), fc.nat(), fc.array(fc.nat(), { maxLength: 5 })])(
    "joined with a snapshot of any age at any time is the exchange's book, or a gap",
    ({ changes, diffs, stride }, from, age, arrival, repeats) => {
      const numberOf = (count: number) => 1_000 + (isShared ? count * stride : count);
      let count = 0;
      const stream = diffs.map((diff) => {
        const previous = numberOf(count);
        const first = numberOf(count + 1);
        count += diff.length;
        return diffOf({ first, last: numberOf(count), previous, asks: updatesOf(diff, false) }, updatesOf(diff, true));
      });
      const heardFrom = from % stream.length;
      const heard = stream.slice(heardFrom);
      const seenBefore = diffs.slice(0, heardFrom).reduce((sum, diff) => sum + diff.length, 0);
      const taken = age % (changes.length + 1);
      const { bids, asks } = truthAfter(changes.slice(0, taken));
      const snapshot = { ...snapshotAt(numberOf(taken)), bids, asks };
      const arrivesAt = arrival % (heard.length + 1);
      for (const repeat of repeats) {
        const at = repeat % heard.length;
        const diff = heard[at];
        if (diff !== undefined) heard.splice(at, 0, diff);
      }

      const sync = new BookSync(rule);
      let lost = false;
      for (const diff of heard.slice(0, arrivesAt)) sync.onDiff(diff);
      lost ||= sync.onSnapshot(snapshot) === "gap";
      for (const diff of heard.slice(arrivesAt)) lost ||= sync.onDiff(diff) === "gap";
      if (taken < seenBefore) {
        expect(lost).toBe(true);
        expect(sync.book).toBeNull();
      } else {
        expect(lost).toBe(false);
        const all = Math.max(taken, changes.length);
        expect(sync.book?.best(100)).toEqual(truthAfter(changes.slice(0, all)));
      }
    },
  );
});
