import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { connect, type Database } from "../src/db/connect.js";
import { type Job, JobError } from "../src/jobs/job.js";
import { LockTurns } from "../src/jobs/job-turns.js";
import { Jobs } from "../src/jobs/jobs.js";
import { type JobState, readJobs } from "../src/jobs/read-jobs.js";
import { operatorHeaders, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { signIn, signUp } from "./support/people.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { until } from "./support/until.js";

const hourMs = 3_600_000;

describe("nodes that do jobs", () => {
  let database: TestDatabase;
  const nodes: { readonly jobs: Jobs; readonly pool: Database }[] = [];
  let logged = "";
  const log = pino({ level: "debug" }, { write: (line) => (logged += line) });
  let count = 0;
  const nameOf = () => `job-${"abcdefghijklmnopqrstuvwxyz"[count++]}`;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    for (const { jobs, pool } of nodes.splice(0)) {
      await jobs.close();
      await pool.close();
    }
  });
  afterAll(() => database.close());

  /** With connections of its own, as another process has. */
  function startNode(node: string, ...work: Job[]): Jobs {
    const pool = connect({ address: database.address, role: "tradegraph_app", poolSize: 4, applicationName: node });
    const jobs = new Jobs({ database: pool, turns: new LockTurns(pool), node, log, lookEveryMs: 20 });
    jobs.add(...work);
    nodes.push({ jobs, pool });
    jobs.start();
    return jobs;
  }
  const job = (name: string, work: Job["work"], more: Partial<Job> = {}): Job => ({
    name,
    everyMs: hourMs,
    first: "now",
    work,
    ...more,
  });
  const stateOf = async (name: string): Promise<JobState | undefined> =>
    (await readJobs(database.app)).find((state) => state.name === name);
  const makeDue = (name: string) =>
    database.owner.sql`update jobs set next_run_at = now() - interval '10 s' where name = ${name}`;
  /** Every node has looked whether something is due, from its beginning to its end. */
  const allLooked = () =>
    Promise.all(
      nodes.map(async ({ jobs }) => {
        for (let looks = 0; looks < 3; looks++) {
          const { states } = jobs;
          await until(() => jobs.states !== states);
        }
      }),
    );
  const runsOf = async (name: string) => (await stateOf(name))?.runs ?? 0;

  test("race: several nodes do a job once each time that it is due", async () => {
    const name = nameOf();
    const done: string[] = [];
    let [atOnce, most] = [0, 0];
    const work = (node: string) => async () => {
      most = Math.max(most, ++atOnce);
      done.push(node);
      await allLooked();
      atOnce--;
      return { rows: 3 };
    };
    for (const node of ["one", "two", "three"]) startNode(node, job(name, work(node)));
    for (let round = 1; round <= 4; round++) {
      await until(async () => (await runsOf(name)) === round);
      await allLooked();
      expect(done).toHaveLength(round);
      const before = (await stateOf(name))?.nextRunAt.getTime() ?? 0;
      expect(before).toBeGreaterThan(Date.now() + hourMs / 2);
      await makeDue(name);
    }
    expect(most).toBe(1);
    await until(async () => (await runsOf(name)) === 5);
    expect(await stateOf(name)).toMatchObject({
      lastResult: "OK",
      lastCounts: { rows: 3 },
      failures: 0,
      isRunning: false,
    });
    expect(done).toContain((await stateOf(name))?.node);
  });

  test("one that fails shows it with a masked reason, and keeps its schedule", async () => {
    const [meant, secret, fine] = [nameOf(), nameOf(), nameOf()];
    let isBroken = true;
    const broken = job(secret, async () => {
      if (isBroken) throw Object.assign(new Error("key (email)=(ada@example.org) exists"), { code: "23505" });
      return {};
    });
    startNode(
      "one",
      job(meant, () => Promise.reject(new JobError("2 of 5 are not done"))),
      broken,
      job(fine, async () => ({})),
    );
    await until(async () => (await runsOf(meant)) + (await runsOf(secret)) + (await runsOf(fine)) === 3);
    expect(await stateOf(meant)).toMatchObject({ lastResult: "FAILED", lastError: "2 of 5 are not done", failures: 1 });
    const failed = await stateOf(secret);
    expect(failed).toMatchObject({
      lastResult: "FAILED",
      lastError: "23505",
      lastSucceededAt: null,
      runs: 1,
      failures: 1,
    });
    expect(logged).toContain(failed?.lastErrorId ?? "missing");
    expect(JSON.stringify(await readJobs(database.app))).not.toContain("ada@");
    const untilNextMs = (failed?.nextRunAt.getTime() ?? 0) - (failed?.lastStartedAt?.getTime() ?? 0);
    expect(untilNextMs).toBeGreaterThan(hourMs - 60_000);
    expect(untilNextMs).toBeLessThanOrEqual(hourMs);
    isBroken = false;
    await makeDue(secret);
    await until(async () => (await runsOf(secret)) === 2);
    expect(await stateOf(secret)).toMatchObject({ lastResult: "OK", lastError: null, lastErrorId: null, failures: 1 });
    expect((await stateOf(secret))?.lastSucceededAt).toBeInstanceOf(Date);
  });

  test("what was missed is not made up for, and the schedule does not drift", async () => {
    const name = nameOf();
    startNode(
      "one",
      job(name, async () => ({})),
    );
    await until(async () => (await runsOf(name)) === 1);
    const [row] = await database.owner.sql<{ due: string }[]>`
      update jobs set next_run_at = now() - interval '5 hours 10 minutes' where name = ${name} returning next_run_at as due`;
    await until(async () => (await runsOf(name)) === 2);
    const next = (await stateOf(name))?.nextRunAt.getTime() ?? 0;
    expect(next - new Date(row?.due ?? 0).getTime()).toBe(6 * hourMs);
  });

  test("another node takes over a job whose node dies in the middle of it", async () => {
    const name = nameOf();
    let [begun, wasTold] = [false, false];
    startNode(
      "dies",
      job(name, async ({ mayGoOn }) => {
        begun = true;
        await until(() => !mayGoOn());
        wasTold = true;
        return { by: 1 };
      }),
    );
    await until(() => begun);
    const by: string[] = [];
    startNode(
      "stays",
      job(name, async () => {
        by.push("stays");
        return { by: 2 };
      }),
    );
    await allLooked();
    expect(by).toEqual([]);
    expect(await stateOf(name)).toMatchObject({ isRunning: true, node: "dies", isDue: true });
    // As the end of its process would.
    await database.owner.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'dies' and datname = current_database() and state = 'idle in transaction'`;
    await until(() => by.length === 1, 5_000);
    await until(() => wasTold);
    await until(async () => (await runsOf(name)) === 1);
    // What the first one says afterwards does not count.
    expect(await stateOf(name)).toMatchObject({ node: "stays", lastCounts: { by: 2 }, runs: 1 });
  });

  test("a node that has fallen silent loses its turn", async () => {
    const taken: string[] = [];
    const silent = connect({
      address: database.address,
      role: "tradegraph_app",
      poolSize: 1,
      applicationName: "silent",
    });
    const held = await silent.sql.reserve();
    // What a turn does, and then nothing more.
    await held`begin`;
    await held`select set_config('idle_in_transaction_session_timeout', '4000ms', true)`;
    await held`select pg_try_advisory_xact_lock(hashtextextended('tradegraph.job.quiet', 0))`;
    const turns = new LockTurns(database.app);
    expect(await turns.take("quiet", async () => taken.push("too early"))).toBeNull();
    await until(async () => (await turns.take("quiet", async () => taken.push("later"))) !== null);
    expect(taken).toEqual(["later"]);
    await silent.close();
  }, 20_000);

  test("what a turn writes is not there when the turn was lost", async () => {
    const turns = new LockTurns(database.app);
    const name = nameOf();
    await database.owner.sql`insert into jobs (name, every_ms, next_run_at) values (${name}, 1, 'infinity')`;
    const lost = turns.take(name, async ({ sql }) => {
      await sql`update jobs set node = 'lost' where name = ${name}`;
      await database.owner.sql`
        select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;
    });
    await expect(lost).rejects.toThrow();
    expect((await database.owner.sql`select node from jobs where name = ${name}`)[0]?.node).toBeNull();
    expect(await turns.take(name, async () => "free")).toBe("free");
  });

  test("is done only where it can be", async () => {
    const name = nameOf();
    let isHere = false;
    startNode(
      "elsewhere",
      job(name, async () => ({}), { isHere: () => isHere }),
    );
    await allLooked();
    expect(await runsOf(name)).toBe(0);
    isHere = true;
    await until(async () => (await runsOf(name)) === 1);
  });

  test("a database that cannot be written holds nothing up: jobs go on when it can", async () => {
    const name = nameOf();
    await database.owner.sql`revoke insert, update on jobs from tradegraph_app`;
    startNode(
      "one",
      job(name, async () => ({})),
    );
    await until(() => logged.includes("jobs.look-failed"));
    await database.owner.sql`grant insert, update on jobs to tradegraph_app`;
    await until(async () => (await runsOf(name)) === 1);
  });
});

describe("jobs over the API", () => {
  let app: QuietApp;
  beforeAll(async () => {
    app = await startQuietApp({ config: { roles: new Set(["api", "worker"]) } });
  });
  afterAll(() => app.close());

  const text =
    "{ jobs { name everyMs nextRunAt isRunning lastStartedAt lastDurationMs lastResult lastCounts lastError lastErrorId lastSucceededAt node runs failures } }";
  const read = (headers: Record<string, string>) => query(app.url, text, {}, headers);

  test("are for operators alone", async () => {
    expect((await read({})).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
    const user = await signUp(app.url);
    expect((await read(user.headers)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    await app.database.owner.sql`
      update users set role = 'ADMIN', status = 'ACTIVE', email_verified_at = now() where email = ${user.email}`;
    expect((await read((await signIn(app.url, user.email)).headers)).errors).toBeUndefined();
  });

  test("tell what the program does in the background, and how it went", async () => {
    const names = async () =>
      (await read(operatorHeaders)).data.jobs.filter((job: JobState) => job.runs > 0).map(({ name }: JobState) => name);
    await expect
      .poll(names, { timeout: 30_000 })
      .toEqual(
        expect.arrayContaining([
          "drop-audit-events",
          "drop-expired-credentials",
          "drop-old-series",
          "forget-sign-ins",
          "purge-closed-users",
        ]),
      );
    const { data } = await read(operatorHeaders);
    const all = data.jobs.map(({ name }: JobState) => name);
    expect(all).toEqual(
      expect.arrayContaining([
        "account-sync",
        "drop-dead-letters",
        "drop-told-events",
        "snapshot-balances",
        "sync-instruments",
      ]),
    );
    const ran = data.jobs.find(({ name }: JobState) => name === "drop-expired-credentials");
    expect(ran).toMatchObject({
      lastResult: "OK",
      lastCounts: { rows: 0 },
      everyMs: hourMs,
      isRunning: false,
      failures: 0,
    });
    expect(ran.node).toContain(`#${process.pid}`);
    const snapshot = data.jobs.find(({ name }: JobState) => name === "snapshot-balances");
    expect(Date.parse(snapshot.nextRunAt) % hourMs).toBe(0);
  });

  test("are measured", async () => {
    const metrics = async () => (await fetch(`${app.url}/metrics`)).text();
    await expect
      .poll(metrics, { timeout: 10_000 })
      .toMatch(/^tradegraph_job_last_success_timestamp_seconds\{job="drop-old-series"\} \d{10}/m);
    const body = await metrics();
    expect(body).toMatch(/^tradegraph_job_runs_total\{job="drop-old-series"\} [1-9]/m);
    expect(body).toMatch(/^tradegraph_job_failures_total\{job="drop-old-series"\} 0$/m);
    expect(body).toMatch(/^tradegraph_job_last_duration_seconds\{job="drop-old-series"\} \d/m);
    expect(body).toMatch(/^tradegraph_job_interval_seconds\{job="drop-old-series"\} 3600$/m);
  });
});
