import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Decimal } from "../src/core/decimal.js";
import { uuidV7 } from "../src/core/uuid.js";
import { asUser } from "../src/db/as-user.js";
import { connect } from "../src/db/connect.js";
import { Leaderships } from "../src/db/leadership.js";
import { EventOperations } from "../src/events/dead-letters.js";
import { maxAttempts, ProjectionRunner } from "../src/events/project-events.js";
import type { Projection } from "../src/events/projection.js";
import { dropDeadLetters } from "../src/jobs/drop-dead-letters.js";
import { accountActivity } from "../src/trading/account-activity.js";
import { newUser, startTestLedger, type TestLedger } from "./support/trading.js";
import { until } from "./support/until.js";

const silent = pino({ level: "silent" });
let on: TestLedger;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  on = await startTestLedger();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => on.close());

function leaderships(): Leaderships {
  const { address } = on.database;
  const made = new Leaderships({
    open: () => connect({ address, role: "tradegraph_app", poolSize: 1, applicationName: "test leases" }),
    nodeId: uuidV7(Date.now()),
    log: silent,
  });
  closers.push(() => made.close());
  return made;
}

async function run(projection: Projection): Promise<ProjectionRunner> {
  const runner = new ProjectionRunner({
    projection,
    database: on.database.app,
    leaderships: leaderships(),
    durable: null,
    log: silent,
    pollMs: 50,
    firstRetryMs: 10,
  });
  closers.push(() => runner.close());
  await runner.start();
  return runner;
}

const operations = (projections: readonly Projection[] = [accountActivity]) =>
  new EventOperations(on.database.app, projections);
const stateOf = async (name: string) => (await operations().projections()).find((state) => state.name === name);
const isCaughtUp = async (name: string) => (await stateOf(name))?.behind === 0;

/** A user with an account on which `count` orders were placed and cancelled. */
async function trade(count: number): Promise<{ userId: string; accountId: string }> {
  const userId = await newUser(on.database);
  const { id: accountId } = await on.account(userId);
  for (let n = 0; n < count; n++) {
    const { order } = await on.desk.place(userId, {
      accountId,
      symbolId: on.symbol.id,
      side: "BUY",
      orderType: "LIMIT",
      quantity: new Decimal("0.1"),
      price: new Decimal("100"),
    });
    await on.desk.cancel(userId, accountId, order.id);
  }
  return { userId, accountId };
}

/** What the projection should have made: counted from the store itself. */
const expected = async () =>
  await on.database.owner.sql`
    select account_id, (occurred_at at time zone 'UTC')::date::text as day, event_type, count(*)::int as count, max(account_sequence)::int as last
    from event_store group by 1, 2, 3 order by 1, 2, 3`;
const made = async () =>
  await on.database.owner.sql`
    select account_id, day::text as day, event_type, event_count::int as count, last_sequence::int as last
    from account_activity order by 1, 2, 3`;

test("takes in every event once, also those from before it was there, and shows how far it has come", async () => {
  await trade(3);
  const runner = await run(accountActivity);
  await until(() => isCaughtUp(accountActivity.name));
  await trade(2);
  await until(() => isCaughtUp(accountActivity.name));
  expect(await made()).toEqual(await expected());
  expect((await made()).length).toBeGreaterThan(0);
  expect(await stateOf(accountActivity.name)).toMatchObject({
    status: "RUNNING",
    error: null,
    deadLetters: 0,
    behindMs: 0,
  });
  expect(runner.isLeading).toBe(true);
});

test("race: two nodes run it and the leader ends while events come; each event counts once", async () => {
  const first = await run(accountActivity);
  // Whoever looks first leads.
  await until(() => first.isLeading);
  await run(accountActivity);
  const trading = [trade(5), trade(5), trade(5)];
  await first.close();
  await Promise.all(trading);
  await until(() => isCaughtUp(accountActivity.name), 20_000);
  expect(await made()).toEqual(await expected());
});

test("race: it is made anew while events come, and comes to the same result", async () => {
  await run(accountActivity);
  await until(() => isCaughtUp(accountActivity.name));
  const trading = trade(10);
  for (let n = 0; n < 3; n++) expect((await operations().rebuild(accountActivity.name)).status).toBe("REBUILDING");
  await trading;
  await until(async () => (await stateOf(accountActivity.name))?.status === "RUNNING", 20_000);
  await until(() => isCaughtUp(accountActivity.name));
  expect(await made()).toEqual(await expected());
  expect((await stateOf(accountActivity.name))?.rebuiltAt).not.toBeNull();
  await expect(operations().rebuild("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("an event that fails is tried again, then it is a dead letter and the next ones go on; replayed, it counts", async () => {
  const { userId, accountId } = await trade(2);
  let isBroken = true;
  const attempts = new Map<number, number>();
  const applied: number[] = [];
  const fragile: Projection = {
    name: "fragile",
    apply: async (_sql, events) => {
      for (const { accountId: of, sequence } of events) {
        if (of !== accountId) continue;
        attempts.set(sequence, (attempts.get(sequence) ?? 0) + 1);
        if (sequence === 2 && isBroken) throw new Error("cannot take this one");
      }
      // A batch that fails leaves nothing; this is told only of those that commit.
      for (const { accountId: of, sequence } of events) if (of === accountId) applied.push(sequence);
    },
  };
  await run(fragile);
  await until(() => isCaughtUp("fragile"), 20_000);
  const newest = Number(
    (await on.database.owner.sql`select sequence from account_sequences where account_id = ${accountId}`)[0]?.sequence,
  );
  expect(applied).toEqual(Array.from({ length: newest }, (_, n) => n + 1).filter((n) => n !== 2));
  // Once more at most: in the batch that it made fail.
  expect(attempts.get(2)).toBeGreaterThanOrEqual(maxAttempts);
  expect((await stateOf("fragile"))?.errorCount).toBe(maxAttempts);
  const [letter] = await operations().deadLetters({
    consumer: "fragile",
    includeReplayed: false,
    after: null,
    first: 10,
  });
  expect(letter).toMatchObject({
    accountId,
    sequence: 2,
    attempts: maxAttempts,
    error: "cannot take this one",
    replayedAt: null,
  });
  expect((await stateOf("fragile"))?.deadLetters).toBe(1);

  const all = operations([fragile]);
  const failed = await all.replay(letter?.id ?? "");
  expect(failed).toMatchObject({ replayedAt: null, attempts: maxAttempts + 1 });
  isBroken = false;
  // Twice at once: it counts once.
  const before = applied.length;
  const [one, other] = await Promise.all([all.replay(letter?.id ?? ""), all.replay(letter?.id ?? "")]);
  expect([one?.replayedAt, other?.replayedAt]).not.toContain(null);
  expect(applied.slice(before)).toEqual([2]);
  expect(await all.deadLetters({ consumer: "fragile", includeReplayed: false, after: null, first: 10 })).toEqual([]);
  await expect(all.replay(uuidV7(Date.now()))).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(userId).not.toBe("");
});

test("dead letters are dropped a week after they were replayed, and ninety days after they failed", async () => {
  const { sql } = on.database.owner;
  await sql`
    insert into dead_letters (id, consumer, event_id, account_id, account_sequence, attempts, error, failed_at, replayed_at)
    select gen_random_uuid(), 'old', gen_random_uuid(), gen_random_uuid(), 1, 1, kept, now() - failed::interval, now() - replayed::interval
    from (values ('gone: replayed', '9 days', '8 days'), ('kept: replayed', '9 days', '6 days'),
      ('gone: failed', '91 days', null), ('kept: failed', '89 days', null)) as letter (kept, failed, replayed)`;
  const work = () => dropDeadLetters(on.database.app).work({ at: new Date(), mayGoOn: () => true });
  expect(await work()).toEqual({ rows: 2 });
  expect(await sql`select error from dead_letters where consumer = 'old' order by error`).toEqual([
    { error: "kept: failed" },
    { error: "kept: replayed" },
  ]);
  expect(await work()).toEqual({ rows: 0 });
});

test("a user sees the activity of his own accounts alone", async () => {
  const [mine, theirs] = [await trade(1), await trade(1)];
  await run(accountActivity);
  await until(() => isCaughtUp(accountActivity.name));
  const rows = await asUser(
    on.database.app,
    mine.userId,
    ({ sql }) => sql<{ account_id: string }[]>`select distinct account_id from account_activity`,
  );
  expect(rows.map((row) => row.account_id)).toEqual([mine.accountId]);
  expect(theirs.accountId).not.toBe(mine.accountId);
});
