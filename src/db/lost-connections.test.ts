import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CutOff, startCutOff } from "../../test/support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { connect } from "./connect.js";

// The driver, as it is published, fails each of these: see patches/.

let database: TestDatabase;
let passage: CutOff;
beforeAll(async () => {
  database = await createTestDatabase();
  passage = await startCutOff(database.address);
});
afterAll(() => passage.close());

const open = (poolSize: number) =>
  connect({ address: passage.address, role: null, poolSize, applicationName: "lost connections" });

// The race: a statement that fails because its connection was lost is followed at once by the next one, which the pool may
// give to a connection that is lost as well, and does not know it yet.
test("every statement ends, and the pool works again at once, however often its connections are cut under load", async () => {
  const pool = open(4);
  let isOver = false;
  let answered = 0;
  const workers = Array.from({ length: 40 }, async (_, worker) => {
    while (!isOver) {
      const statement =
        worker % 4 === 0
          ? pool.sql.begin((tx) => tx`select ${worker}::int`)
          : pool.sql`select ${worker}::int, ${"x"}::text`;
      await statement.then(
        () => answered++,
        () => new Promise(setImmediate),
      );
    }
  });
  for (let round = 0; round < 40; round++) {
    const before = answered;
    // Shorter than the time that the driver gives a connection to come up.
    await expect.poll(() => answered, { timeout: 5_000, interval: 1 }).toBeGreaterThan(before + 40);
    await passage.cut();
    await passage.mend();
  }
  isOver = true;
  await Promise.all(workers);
  await pool.close();
});

test("what is left of a transaction never runs on the connection that comes after its own", async () => {
  const pool = open(1);
  await database.owner.sql`create table lost (told text)`;
  let carryOn = () => {};
  const mayCarryOn = new Promise<void>((resolve) => {
    carryOn = resolve;
  });
  let late: unknown;
  const lost = pool.sql.begin(async (tx) => {
    await tx`insert into lost values ('before')`;
    await mayCarryOn;
    await tx`insert into lost values ('late')`.catch((error: Error) => {
      late = error.message;
    });
  });
  lost.catch(() => {});
  await expect
    .poll(
      () =>
        database.owner
          .sql`select from pg_stat_activity where state = 'idle in transaction' and application_name = 'lost connections'`,
    )
    .toHaveLength(1);
  await passage.cut();
  await passage.mend();
  await expect(lost).rejects.toThrow(/CONNECTION_CLOSED/);
  const next = pool.sql.begin(async (tx) => {
    await tx`insert into lost values ('next')`;
    carryOn();
    await expect.poll(() => late).toMatch(/CONNECTION_CLOSED/);
    // Neither a stranger's statement nor a stranger's rollback has come between.
    await tx`insert into lost values ('next again')`;
  });
  await next;
  expect(await database.owner.sql`select told from lost`).toEqual([{ told: "next" }, { told: "next again" }]);
  await pool.close();
});

test("a server that hangs up while it starts is an error, not endless waiting", async () => {
  const server = createServer((socket) => socket.resume().end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const pool = connect({
    address: { host: "127.0.0.1", port, user: "nobody", database: "none" },
    role: null,
    poolSize: 1,
    applicationName: "hung up",
  });
  await expect(pool.sql`select 1`).rejects.toThrow(/CONNECTION_CLOSED/);
  await pool.close();
  await new Promise((resolve) => server.close(resolve));
});

test("a process that stands still in the middle of a new statement keeps its locks no longer than one that stands still between two", async () => {
  const pool = connect({ address: database.address, role: null, poolSize: 1, applicationName: "stands still" });
  const sql = await pool.sql.reserve();
  await sql`begin`;
  await sql`select set_config('idle_in_transaction_session_timeout', '200ms', true)`;
  await sql`select pg_advisory_xact_lock(4711)`;
  const ended = sql`select ${"never sent before"}::text as word, pg_sleep(0)`.execute().then(
    () => "answered",
    () => "ended by the server",
  );
  // The driver writes the first half of it as soon as it gets round to it, and the second when the server has answered.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  await new Promise(setImmediate);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
  expect(await ended).toBe("ended by the server");
  const [row] = await database.owner.sql<{ free: boolean }[]>`select pg_try_advisory_lock(4711) as free`;
  expect(row?.free).toBe(true);
  await pool.close();
});

test("connections that died without a word, where the server answers others: none is waited for, and a slow statement is", async () => {
  const way = await startCutOff(database.address);
  const pool = connect({ address: way.address, role: null, poolSize: 2, applicationName: "silent" });
  const slow = connect({ address: database.address, role: null, poolSize: 1, applicationName: "slow" });
  try {
    await Promise.all([pool.sql`select pg_sleep(0.1)`, pool.sql`select pg_sleep(0.1)`]);
    way.silence();
    way.endSilence();
    const [outcomes, answer] = await Promise.all([
      Promise.allSettled(Array.from({ length: 5 }, (_, n) => pool.sql<{ n: number }[]>`select ${n}::int as n`)),
      // Longer than it takes until the server is asked.
      slow.sql<{ done: boolean }[]>`select pg_sleep(8) is not null as done`,
    ]);
    expect(outcomes.filter(({ status }) => status === "rejected").length).toBeGreaterThan(0);
    expect(answer[0]?.done).toBe(true);
    await pool.sql`select 1`;
  } finally {
    await Promise.all([pool.close(), slow.close()]);
    await way.close();
  }
});
