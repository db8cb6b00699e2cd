import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type CutOff, startCutOff } from "../../test/support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { until } from "../../test/support/until.js";
import { insertUsers } from "../../test/support/users.js";
import { Catalogue } from "../catalogue/catalogue.js";
import { readCatalogue } from "../catalogue/follow.js";
import { uuidV7 } from "../core/uuid.js";
import { connect, type Database } from "../db/connect.js";
import type { SymbolList } from "../market-data/shared-quotes.js";
import type { ShownSymbols } from "./dashboard.js";
import { DashboardFollower } from "./follow-dashboards.js";
import { readShownSymbols } from "./read-dashboard.js";

let database: TestDatabase;
let passage: CutOff;
let app: Database;
let catalogue: Catalogue;
let follower: DashboardFollower;
let read: (userId: string) => Promise<ShownSymbols>;
let reads: string[];
let ann: string;
let bob: string;
let defaults: readonly number[];
const stops: (() => void)[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  passage = await startCutOff(database.address);
});
afterAll(async () => {
  await passage.close();
  await database.close();
});
beforeEach(async () => {
  app = connect({ address: passage.address, role: "tradegraph_app", poolSize: 3, applicationName: "test" });
  catalogue = new Catalogue();
  await readCatalogue(database.owner, catalogue);
  defaults = catalogue.defaultSymbols.map(({ id }) => id);
  reads = [];
  read = (userId) => readShownSymbols(app, userId);
  [ann = "", bob = ""] = await insertUsers(database.owner, 2);
  follower = await DashboardFollower.start({
    database: app,
    catalogue,
    read: (userId) => {
      reads.push(userId);
      return read(userId);
    },
    log: pino({ level: "silent" }),
  });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  expect(follower.count).toBe(0);
  await follower.close();
  await app.close();
});

/** By SQL, as another program would. */
const put = (userId: string, symbolId: number | undefined, isVisible = true) =>
  database.owner.sql`
    insert into user_dashboard_preferences (id, user_id, symbol_id, display_order, is_visible)
    values (${uuidV7(Date.now())}, ${userId}, ${symbolId ?? 0}, 1, ${isVisible})
    on conflict (user_id, symbol_id) do update set is_visible = excluded.is_visible`;

function follow(list: SymbolList) {
  const told = vi.fn<() => void>();
  const stop = list.onChange(told);
  stops.push(stop);
  return { list, told, stop };
}

/** Notifications come in their order. */
async function heardAll(): Promise<void> {
  const [carol = ""] = await insertUsers(database.owner, 1);
  const { told, stop } = follow(await follower.listOf(carol));
  await put(carol, defaults[0]);
  await until(() => told.mock.calls.length > 0);
  stop();
}

describe("a dashboard that is followed", () => {
  test("shows every change, whoever made it, and costs nothing when it is another's", async () => {
    const { list } = follow(await follower.listOf(ann));
    expect(list.ids()).toEqual(defaults);
    await put(ann, defaults[3]);
    await until(() => list.ids().length === 1);
    await heardAll();
    const before = reads.length;
    await put(bob, defaults[4]);
    await put(ann, defaults[3], false);
    // All hidden is not the same as none.
    await until(() => list.ids().length === 0);
    expect(reads.slice(before)).toEqual([ann]);
    await database.owner.sql`delete from user_dashboard_preferences where user_id = ${ann}`;
    await until(() => list.ids().length === 9);
  });

  test("is read once for all who follow it, and no more when they have gone", async () => {
    await put(ann, defaults[0]);
    await heardAll();
    reads = [];
    const lists = [follow(await follower.listOf(ann)), follow(await follower.listOf(ann))];
    expect(reads).toEqual([ann]);
    await put(ann, defaults[1]);
    await until(() => lists.every(({ told }) => told.mock.calls.length === 1));
    expect([reads.length, follower.count]).toEqual([2, 1]);
    for (const { stop } of lists) stop();
    reads = [];
    await put(ann, defaults[2]);
    await heardAll();
    expect(reads).not.toContain(ann);
    expect((await follower.listOf(ann)).ids()).toHaveLength(3);
  });

  test("goes on with the defaults when the last of what it began with is taken away", async () => {
    await put(ann, defaults[0]);
    await heardAll();
    const { list } = follow(await follower.listOf(ann));
    expect(list.ids()).toEqual([defaults[0]]);
    await database.owner.sql`delete from user_dashboard_preferences where user_id = ${ann}`;
    await until(() => list.ids().length === 9);
  });

  test("leaves out what is not active, and follows the defaults while it is empty", async () => {
    await put(ann, defaults[0]);
    await put(ann, defaults[1]);
    await heardAll();
    const [anns, bobs] = [follow(await follower.listOf(ann)), follow(await follower.listOf(bob))];
    const symbol = catalogue.findSymbol(defaults[1] ?? 0);
    if (symbol === undefined) throw new Error("there is no such symbol");
    catalogue.apply("symbols", [symbol.id], [{ ...symbol, isDefault: false, isActive: false }]);
    expect([anns.told.mock.calls.length, bobs.told.mock.calls.length]).toEqual([1, 1]);
    expect(anns.list.ids()).toEqual([defaults[0]]);
    expect(bobs.list.ids()).toEqual(defaults.filter((id) => id !== symbol.id));
  });

  test("race: a change between the first look and the following is not missed", async () => {
    const list = await follower.listOf(ann);
    await put(ann, defaults[5]);
    // Told to this process while nobody follows it yet.
    const other = follow(await follower.listOf(bob));
    await put(bob, defaults[0]);
    await until(() => other.list.ids().length === 1);
    const { told } = follow(list);
    await until(() => told.mock.calls.length > 0);
    expect(list.ids()).toEqual([defaults[5]]);
  });

  test("race: two looks come back in the other order, and the newer one counts", async () => {
    const { list } = follow(await follower.listOf(ann));
    const answers: ((shown: ShownSymbols) => void)[] = [];
    read = () => new Promise((resolve) => answers.push(resolve));
    await put(ann, defaults[0]);
    await until(() => answers.length === 1);
    await put(ann, defaults[1]);
    await until(() => answers.length === 2);
    answers[1]?.([2, 1]);
    await until(() => list.ids().length === 2);
    answers[0]?.([1]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(list.ids()).toEqual([2, 1]);
  });

  test("is right again after the connection was lost, with what was changed meanwhile", async () => {
    const { list } = follow(await follower.listOf(ann));
    await passage.cut();
    await put(ann, defaults[7]);
    await passage.mend();
    await until(() => list.ids().length === 1, 20_000);
    // And goes on.
    await put(ann, defaults[8]);
    await until(() => list.ids().length === 2);
  });

  test("is read again when reading failed", async () => {
    const { list } = follow(await follower.listOf(ann));
    let failures = 0;
    read = (userId) => {
      if (++failures <= 2) return Promise.reject(new Error("not now"));
      return readShownSymbols(app, userId);
    };
    await put(ann, defaults[0]);
    await until(() => list.ids().length === 1);
    expect(failures).toBe(3);
  });

  test("does not mind what others notify, and takes a nameless change for anybody's", async () => {
    const { list } = follow(await follower.listOf(ann));
    await database.owner.sql`alter table user_dashboard_preferences disable trigger notify_insert`;
    try {
      await put(ann, defaults[0]);
      for (const payload of ["", "nonsense", "7", "null", '{"users":5}', '{"users":[1]}'])
        await database.owner.sql`select pg_notify('tradegraph_dashboards', ${payload})`;
      await database.owner.sql`select pg_notify('tradegraph_dashboards', ${JSON.stringify({ users: [bob] })})`;
      expect(list.ids()).toEqual(defaults);
      await database.owner.sql`select pg_notify('tradegraph_dashboards', '{"users":null}')`;
      await until(() => list.ids().length === 1);
    } finally {
      await database.owner.sql`alter table user_dashboard_preferences enable trigger notify_insert`;
    }
  });
});
