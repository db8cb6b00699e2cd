import { and, eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCutOff } from "../../test/support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { uuidV7 } from "../core/uuid.js";
import { users } from "../people/tables.js";
import { asUser, asUserAtOnce } from "./as-user.js";
import { connect } from "./connect.js";

let database: TestDatabase;
const [ada, bob] = [uuidV7(Date.now()), uuidV7(Date.now())];
beforeAll(async () => {
  database = await createTestDatabase();
  for (const [id, name] of [
    [ada, "ada"],
    [bob, "bob"],
  ]) {
    await database.owner.sql`
      insert into users (id, email, email_key, password_hash, username)
      values (${id ?? ""}, ${`${name}@example.org`}, ${`${name}@example.org`}, '$argon2id$x', ${name ?? ""})`;
  }
});
afterAll(() => database.close());

const names = (rows: readonly { username?: string | null }[]) => rows.map(({ username }) => username);

test("a transaction sees the rows of its user, and a statement outside of one sees none", async () => {
  const { app } = database;
  expect(names(await asUser(app, ada, ({ sql }) => sql`select username from users`))).toEqual(["ada"]);
  expect(names(await asUser(app, bob, ({ db }) => db.select().from(users)))).toEqual(["bob"]);
  expect(await app.sql`select username from users`).toEqual([]);
  const [mine, others] = await asUserAtOnce(app, ada, (sql) => [
    sql<{ username: string }[]>`select username from users where id = ${ada}`,
    sql<{ username: string }[]>`select username from users where id = ${bob}`,
  ]);
  expect([names(mine), names(others)]).toEqual([["ada"], []]);
});

test("all of the statements take effect, or none: also when the driver refuses one that comes last", async () => {
  const { app } = database;
  const name = async () => names(await asUser(app, ada, ({ sql }) => sql`select username from users`));
  await expect(
    asUserAtOnce(app, ada, (sql) => [sql`update users set username = 'changed'`, sql`select 1 / 0`]),
  ).rejects.toThrow("division by zero");
  await expect(
    asUserAtOnce(app, ada, (sql) => [sql`update users set username = 'changed'`, sql`select ${undefined as never}`]),
  ).rejects.toThrow("UNDEFINED_VALUE");
  await expect(
    asUser(app, ada, async ({ db }) => {
      await db
        .update(users)
        .set({ username: "changed" })
        .where(and(eq(users.id, ada)));
      throw new Error("on second thoughts");
    }),
  ).rejects.toThrow("on second thoughts");
  expect(await name()).toEqual(["ada"]);
  await asUserAtOnce(app, ada, (sql) => [sql`update users set username = 'ada2'`]);
  expect(await name()).toEqual(["ada2"]);
  await asUser(app, ada, ({ db }) => db.update(users).set({ username: "ada" }));
  expect(await name()).toEqual(["ada"]);
});

test("the statements of one round trip are sent without waiting for an answer", async () => {
  const passage = await startCutOff(database.address);
  const pool = connect({ address: passage.address, role: "tradegraph_app", poolSize: 1, applicationName: "one trip" });
  const ask = () => asUserAtOnce(pool, ada, (sql) => [sql`select username from users`, sql`select ${1}::int as one`]);
  // Once, so that the statements are prepared.
  await ask();
  const before = passage.sentChunks();
  await ask();
  expect(passage.sentChunks() - before).toBe(1);
  await pool.close();
  await passage.close();
});

// The race: the connection is lost while its statements wait, and the pool makes it anew for somebody else.
test("what is left of a lost transaction never runs for another user", async () => {
  const passage = await startCutOff(database.address);
  const pool = connect({ address: passage.address, role: "tradegraph_app", poolSize: 1, applicationName: "lost" });
  const seen: (string | null | undefined)[] = [];
  let isOver = false;
  const workers = [ada, bob].map(async (id, index) => {
    while (!isOver) {
      const rows = await asUserAtOnce(pool, id, (sql) => [
        sql`select pg_sleep(0.001)`,
        sql<{ username: string }[]>`select username from users`,
      ]).then(
        ([, found]) => names(found),
        () => [],
      );
      for (const name of rows) if (name !== ["ada", "bob"][index]) seen.push(name);
      await new Promise(setImmediate);
    }
  });
  for (let round = 0; round < 20; round++) {
    await passage.cut();
    await passage.mend();
    await expect
      .poll(() =>
        asUserAtOnce(pool, ada, (sql) => [sql`select 1 as one`]).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  }
  isOver = true;
  await Promise.all(workers);
  expect(seen).toEqual([]);
  await pool.close();
  await passage.close();
});
