import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { insertUsers } from "../../test/support/users.js";
import { Catalogue, type MarketSymbol } from "../catalogue/catalogue.js";
import { readCatalogue } from "../catalogue/follow.js";
import { systemClock } from "../core/time.js";
import { maxDashboardItems } from "./dashboard.js";
import {
  addDashboardItem,
  type DashboardDependencies,
  removeDashboardItem,
  reorderDashboard,
  updateDashboardItem,
} from "./edit-dashboard.js";
import { readDashboard } from "./read-dashboard.js";

let database: TestDatabase;
let on: DashboardDependencies;
let symbols: MarketSymbol[];
let ann: string;
let bob: string;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner.sql`
    insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, price_precision,
      quantity_precision, tick_size, step_size)
    select id, asset_class_id, 'MANY' || n, 'Many ' || n, 'MANY' || n, 'USDT', 2, 5, 0.01, 0.00001
    from markets, generate_series(1, 250) n where code = 'BINANCE_SPOT'`;
  const catalogue = new Catalogue();
  await readCatalogue(database.owner, catalogue);
  symbols = catalogue.symbols.filter(({ ticker }) => ticker.startsWith("MANY"));
  on = { database: database.app, catalogue, clock: systemClock };
});
afterAll(() => database.close());
beforeEach(async () => {
  [ann = "", bob = ""] = await insertUsers(database.owner, 2);
});

const symbol = (index: number): MarketSymbol => symbols[index] as MarketSymbol;
const add = (userId: string, index: number, input = {}) => addDashboardItem(on, userId, symbol(index), input);
const tickersOf = async (userId: string) => (await readDashboard(on, userId)).map((item) => item.symbol.ticker);
const placesOf = async (userId: string) =>
  (await readDashboard(on, userId)).map((item) => item.displayOrder).sort((a, b) => a - b);
const fromOne = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** What a change is refused with; the dashboard must be as it was. */
async function refusalOf(userId: string, change: () => Promise<unknown>) {
  const before = await readDashboard(on, userId);
  const error = await change().then(
    () => null,
    (thrown: { code: string; details: { field?: string } }) => [thrown.code, thrown.details.field],
  );
  expect(await readDashboard(on, userId)).toEqual(before);
  return error;
}

describe("a dashboard", () => {
  test("is the defaults until something is on it, and again when all is gone, but not when all is hidden", async () => {
    const defaults = await readDashboard(on, ann);
    expect([defaults.length, defaults.every(({ isCustom }) => !isCustom)]).toEqual([9, true]);
    const item = await add(ann, 0);
    expect(await readDashboard(on, ann)).toEqual([item]);
    await updateDashboardItem(on, ann, item.id, { isVisible: false }, null);
    expect(await readDashboard(on, ann)).toEqual([{ ...item, isVisible: false, version: 2 }]);
    await removeDashboardItem(on, ann, item.id);
    expect(await readDashboard(on, ann)).toEqual(defaults);
  });

  test("shows pinned items first, then the places", async () => {
    for (const index of [0, 1, 2]) await add(ann, index);
    const pinned = await add(ann, 3, { isPinned: true, customAlias: "mine", widgetConfig: { a: [1, "b"] } });
    expect(await tickersOf(ann)).toEqual(["MANY4", "MANY1", "MANY2", "MANY3"]);
    expect(await readDashboard(on, ann)).toContainEqual(pinned);
    expect(pinned).toMatchObject({
      displayOrder: 4,
      customAlias: "mine",
      widgetConfig: { a: [1, "b"] },
      isCustom: true,
    });
    const changed = await updateDashboardItem(
      on,
      ann,
      pinned.id,
      { isPinned: false, notes: "n", customAlias: null },
      1,
    );
    expect(changed).toEqual({ ...pinned, isPinned: false, notes: "n", customAlias: null, version: 2 });
    expect(await tickersOf(ann)).toEqual(["MANY1", "MANY2", "MANY3", "MANY4"]);
  });

  test("is arranged as a whole, and closes up when an item goes", async () => {
    const items = [];
    for (const index of [0, 1, 2, 3]) items.push(await add(ann, index));
    const ids = items.map(({ id }) => id);
    const [a = "", b = "", c = "", d = ""] = ids;
    const arranged = await reorderDashboard(on, ann, [c, a, d, b], ids);
    expect(arranged.map(({ id, displayOrder }) => [id, displayOrder])).toEqual([
      [c, 1],
      [a, 2],
      [d, 3],
      [b, 4],
    ]);
    expect(await readDashboard(on, ann)).toEqual(arranged);
    await removeDashboardItem(on, ann, a);
    expect((await readDashboard(on, ann)).map(({ id, displayOrder }) => [id, displayOrder])).toEqual([
      [c, 1],
      [d, 2],
      [b, 3],
    ]);
  });

  test("is not arranged by a part of it, by an item twice, or by somebody else's", async () => {
    const mine = [await add(ann, 0), await add(ann, 1), await add(ann, 2)].map(({ id }) => id);
    const [a = "", b = "", c = ""] = mine;
    const { id: his } = await add(bob, 0);
    const refused = ["BAD_USER_INPUT", "ids"];
    for (const ids of [[], [c, b], [a, a, b], [c, b, a, a], [c, b, his], [c, b, a, his], [his]])
      expect(await refusalOf(ann, () => reorderDashboard(on, ann, ids, null)), String(ids)).toEqual(refused);
    expect(await refusalOf(ann, () => reorderDashboard(on, ann, [c, b, a], [b, a, c]))).toEqual([
      "CONFLICT",
      "expectedIds",
    ]);
    expect(await refusalOf(ann, () => reorderDashboard(on, ann, [c, b, a], [a, b]))).toEqual([
      "CONFLICT",
      "expectedIds",
    ]);
    expect(await tickersOf(bob)).toEqual(["MANY1"]);
  });

  test("takes each symbol once, and none that is not active", async () => {
    await add(ann, 0);
    expect(await refusalOf(ann, () => add(ann, 0))).toEqual(["CONFLICT", "symbolId"]);
    const inactive = { ...symbol(1), isActive: false };
    expect(await refusalOf(ann, () => addDashboardItem(on, ann, inactive, {}))).toEqual(["BAD_USER_INPUT", "symbolId"]);
  });

  test("does not take a symbol that ceased to be active a moment ago, before this node knows", async () => {
    await database.owner.sql`update symbols set is_active = false where id = ${symbol(249).id}`;
    expect(await refusalOf(ann, () => add(ann, 249))).toEqual(["BAD_USER_INPUT", "symbolId"]);
  });

  test("is nobody else's to change", async () => {
    const { id } = await add(ann, 0);
    const notFound = ["NOT_FOUND", undefined];
    expect(await refusalOf(ann, () => updateDashboardItem(on, bob, id, { isPinned: true }, null))).toEqual(notFound);
    expect(await refusalOf(ann, () => removeDashboardItem(on, bob, id))).toEqual(notFound);
  });

  test("refuses what only the table finds too long", async () => {
    const { id } = await add(ann, 0);
    // Each takes a few letters in JavaScript, and 309 digits in Postgres.
    const widgetConfig = { numbers: Array.from({ length: 30 }, () => 1e308) };
    expect(await refusalOf(ann, () => updateDashboardItem(on, ann, id, { widgetConfig }, null))).toEqual([
      "BAD_USER_INPUT",
      "widgetConfig",
    ]);
  });
});

describe("at the same time", () => {
  test("race: of two changes that are based on one version, one is made and the other is told", async () => {
    const { id, version } = await add(ann, 0);
    const outcomes = await Promise.allSettled(
      ["first", "second"].map((notes) => updateDashboardItem(on, ann, id, { notes }, version)),
    );
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused.map(({ reason }) => [reason.code, reason.details])).toEqual([
      ["CONFLICT", { field: "expectedVersion", version: 2 }],
    ]);
    const [item] = await readDashboard(on, ann);
    expect([item?.version, ["first", "second"].includes(item?.notes ?? "")]).toEqual([2, true]);
  });

  test("race: two devices arrange what both have read, and one of them is told", async () => {
    const ids: string[] = [];
    for (const index of [0, 1, 2]) ids.push((await add(ann, index)).id);
    const [a = "", b = "", c = ""] = ids;
    const orders = [
      [c, b, a],
      [b, a, c],
    ];
    const outcomes = await Promise.allSettled(orders.map((order) => reorderDashboard(on, ann, order, ids)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const won = orders[outcomes.findIndex(({ status }) => status === "fulfilled")];
    expect((await readDashboard(on, ann)).map(({ id }) => id)).toEqual(won);
  });

  test("race: an item is added while the others are arranged; it is last, or the arrangement is refused", async () => {
    for (let round = 0; round < 10; round++) {
      const before = round === 0 ? [] : (await readDashboard(on, ann)).map(({ id }) => id);
      const reversed = before.toReversed();
      const [, arranged] = await Promise.allSettled([add(ann, round), reorderDashboard(on, ann, reversed, null)]);
      const after = (await readDashboard(on, ann)).map(({ id }) => id).slice(0, before.length);
      expect(after).toEqual(arranged.status === "fulfilled" ? reversed : before);
    }
    expect(await placesOf(ann)).toEqual(fromOne(10));
  });

  test("race: the same symbol from two devices is there once", async () => {
    const outcomes = await Promise.allSettled([add(ann, 0), add(ann, 0)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await tickersOf(ann)).toEqual(["MANY1"]);
  });

  test("race: many devices add at once, and the dashboard stops at 200", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: maxDashboardItems + 20 }, (_, index) => add(ann, index)),
    );
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(new Set(refused.map(({ reason }) => `${reason.code} ${reason.details.limit}`))).toEqual(
      new Set(["CONFLICT 200"]),
    );
    expect(refused).toHaveLength(20);
    expect(await placesOf(ann)).toEqual(fromOne(maxDashboardItems));
    // There is room for one, and two want it.
    const [first] = await readDashboard(on, ann);
    await removeDashboardItem(on, ann, first?.id ?? "");
    const last = await Promise.allSettled([add(ann, 230), add(ann, 231)]);
    expect(last.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await placesOf(ann)).toEqual(fromOne(maxDashboardItems));
  });

  const operation = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), index: fc.nat(9), isPinned: fc.boolean() }),
    fc.record({ kind: fc.constant("remove" as const), index: fc.nat(9) }),
    fc.record({ kind: fc.constant("pin" as const), index: fc.nat(9), isPinned: fc.boolean() }),
    fc.record({ kind: fc.constant("reorder" as const), keys: fc.array(fc.nat(99), { minLength: 10, maxLength: 10 }) }),
  );

  test("whatever is done at once, places stay 1, 2, 3 … and symbols differ", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(operation, { maxLength: 6 }), { maxLength: 5 }), async (rounds) => {
        const [user = ""] = await insertUsers(database.owner, 1);
        for (const round of rounds) {
          const items = (await readDashboard(on, user)).filter(({ isCustom }) => isCustom);
          const idAt = (index: number) => items[index % Math.max(items.length, 1)]?.id ?? user;
          const outcomes = await Promise.allSettled(
            round.map((step): Promise<unknown> => {
              if (step.kind === "add") return add(user, step.index, { isPinned: step.isPinned });
              if (step.kind === "remove") return removeDashboardItem(on, user, idAt(step.index));
              if (step.kind === "pin")
                return updateDashboardItem(on, user, idAt(step.index), { isPinned: step.isPinned }, null);
              const order = items.map(({ id }, index) => [step.keys[index] ?? 0, id] as const);
              return reorderDashboard(
                on,
                user,
                order.sort(([a], [b]) => a - b).map(([, id]) => id),
                null,
              );
            }),
          );
          for (const outcome of outcomes)
            if (outcome.status === "rejected")
              expect(outcome.reason).toHaveProperty("code", expect.stringMatching(/^[A-Z_]+$/));
          const after = (await readDashboard(on, user)).filter(({ isCustom }) => isCustom);
          expect(after.map(({ displayOrder }) => displayOrder).sort((a, b) => a - b)).toEqual(fromOne(after.length));
          expect(new Set(after.map((item) => item.symbol.id)).size).toBe(after.length);
        }
      }),
      { numRuns: 40 },
    );
  });
});
