import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import type { DataCheck } from "../src/db/checks/data-check.js";
import { connect, type Database } from "../src/db/connect.js";
import { dataChecks } from "../src/jobs/checks.js";
import { readResults } from "../src/jobs/data-quality.js";
import { everything, findBroken, runCheck, validate } from "../src/jobs/validate.js";
import { WatchDataQuality } from "../src/jobs/watch-data-quality.js";
import { operatorHeaders, query, startTestApp, type TestApp } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { CapturedMail, signUp } from "./support/people.js";
import { runToEnd } from "./support/program.js";
import { SetClock } from "./support/quiet-app.js";
import { describeSeries } from "./support/series-storage.js";
import { until } from "./support/until.js";

const checkNamed = (name: string): DataCheck => {
  const check = dataChecks.find((one) => one.name === name);
  if (check === undefined) throw new Error(`no check ${name}`);
  return check;
};

describe("a running program", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ overrides: { mailer: new CapturedMail() } });
  });
  afterAll(() => app.close());

  const text =
    "query ($failingOnly: Boolean, $severity: Severity) { dataQuality(failingOnly: $failingOnly, severity: $severity) { name severity passed count hasMore sampleIds advice error skipped durationMs checkedAt } }";
  const ask = (variables: Record<string, unknown> = {}, headers: Record<string, string> = operatorHeaders) =>
    query(app.url, text, variables, headers);

  test("has people and orders, and nothing to find", async () => {
    const { headers } = await signUp(app.url);
    const mutate = async (operation: string) => {
      const { data, errors } = await query(app.url, `mutation { ${operation} }`, {}, headers);
      expect(errors).toBeUndefined();
      return data;
    };
    await mutate('createApiKey(name: "bot", scopes: [READ]) { secret }');
    const { createAccount } = await mutate(
      'createAccount(input: { exchange: "BINANCE", name: "a", environment: PAPER }) { id }',
    );
    const { data } = await query(app.url, '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id } }');
    await until(
      async () =>
        (await query(app.url, `{ quotes(symbolIds: ["${data.symbol.id}"]) { isStale } }`)).data.quotes[0]?.isStale ===
        false,
      20_000,
    );
    await mutate(
      `placeOrder(input: { accountId: "${createAccount.id}", symbolId: "${data.symbol.id}", side: BUY, orderType: MARKET, quantity: "0.002" }) { id }`,
    );
    await until(
      async () =>
        (await query(app.url, "{ orders(first: 5) { nodes { status } } }", {}, headers)).data.orders.nodes[0]
          ?.status === "FILLED",
      20_000,
    );
    expect((await validate(app.database.owner)).filter(({ passed }) => !passed)).toEqual([]);
  });

  test("shows operators what its workers found, and nobody else", async () => {
    await until(async () => (await ask()).data.dataQuality.length === dataChecks.length, 60_000);
    const { data } = await ask();
    expect(data.dataQuality.filter((one: { passed: boolean }) => !one.passed)).toEqual([]);
    const severities = data.dataQuality.map((one: { severity: string }) => one.severity);
    expect(severities[0]).toBe("CRITICAL");
    expect(severities.at(-1)).toBe("LOW");
    expect(
      (await ask({ severity: "HIGH" })).data.dataQuality.map((one: { severity: string }) => one.severity),
    ).not.toContain("LOW");
    expect((await ask({ failingOnly: true })).data.dataQuality).toEqual([]);
    expect((await ask({}, {})).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
    const { headers } = await signUp(app.url);
    expect((await ask({}, headers)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  });

  test("tells it in its metrics", async () => {
    const labels = '{check="ledger-balances",severity="CRITICAL"}';
    await until(async () =>
      (await (await fetch(`${app.url}/metrics`)).text()).includes(`tradegraph_data_quality_findings${labels} 0`),
    );
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    expect(metrics).toContain(`tradegraph_data_quality_errors${labels} 0`);
    expect(metrics).toMatch(
      /tradegraph_data_quality_checked_timestamp_seconds\{check="ledger-balances",severity="CRITICAL"\} 1\d{9}/,
    );
  });
});

describe("the job", () => {
  let database: TestDatabase;
  let monitor: Database;
  const jobs: WatchDataQuality[] = [];
  const clock = new SetClock(Date.now());
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const checks = [checkNamed("untracked-defaults"), checkNamed("nine-defaults")];

  beforeAll(async () => {
    database = await createTestDatabase();
    monitor = connect({
      address: database.address,
      role: "tradegraph_monitor",
      poolSize: 2,
      applicationName: "test monitor",
    });
  });
  afterEach(async () => {
    await Promise.all(jobs.splice(0).map((job) => job.close()));
    await database.owner.sql`delete from data_quality_results`;
  });
  afterAll(async () => {
    await monitor.close();
    await database.close();
  });
  const start = (more: { checks?: DataCheck[]; monitor?: Database } = {}) => {
    const job = new WatchDataQuality({
      database: database.app,
      monitor,
      keyIds: () => [],
      clock,
      log,
      checks,
      everyMs: 20,
      ...more,
    });
    jobs.push(job);
    return job;
  };
  const stored = async () =>
    Object.fromEntries((await readResults(database.app)).map(({ name, count }) => [name, count]));

  test("looks again when a quarter of an hour has passed, and says when a rule begins to be broken and when it is kept again", async () => {
    const job = start();
    await expect.poll(() => job.results.length).toBe(2);
    expect(await stored()).toEqual({ "untracked-defaults": 0, "nine-defaults": 0 });
    await database.owner.sql`update symbols set is_tracked = false where is_default and ticker = 'BTCUSDT'`;
    clock.atMs += 14 * 60_000;
    await new Promise((resolve) => setImmediate(resolve));
    expect(await stored()).toEqual({ "untracked-defaults": 0, "nine-defaults": 0 });
    clock.atMs += 2 * 60_000;
    await expect.poll(stored).toEqual({ "untracked-defaults": 1, "nine-defaults": 0 });
    await database.owner.sql`update symbols set is_tracked = true where is_default`;
    clock.atMs += 16 * 60_000;
    await expect.poll(stored).toEqual({ "untracked-defaults": 0, "nine-defaults": 0 });
    await expect
      .poll(() => lines.filter(({ check }) => check === "untracked-defaults").map(({ msg }) => msg))
      .toEqual(["data-quality.broken", "data-quality.kept-again"]);
  });

  test("race: a check that another node is at is left to it", async () => {
    let job: WatchDataQuality | undefined;
    await database.owner.sql.begin(async (sql) => {
      await sql`select pg_advisory_xact_lock(hashtext('tradegraph.data-quality'), hashtext('nine-defaults'))`;
      job = start();
      await expect.poll(() => job?.results.length).toBe(1);
      expect(await stored()).toEqual({ "untracked-defaults": 0 });
    });
    await expect.poll(() => job?.results.length).toBe(2);
  });

  test("a check that cannot be run says so, and the others are run", async () => {
    const broken: DataCheck = {
      ...checkNamed("nine-defaults"),
      name: "broken",
      query: "select secret_hash as id from api_keys",
    };
    const job = start({ checks: [broken, ...checks] });
    await expect.poll(() => job.results.length).toBe(3);
    expect(job.results.find(({ name }) => name === "broken")).toMatchObject({
      passed: false,
      count: null,
      error: "42501",
    });
  });

  test("a login that may not act as the monitor is told of once, and nothing else suffers", async () => {
    lines.length = 0;
    const refused = connect({ address: database.address, role: "no_such_role", poolSize: 1, applicationName: "test" });
    const job = start({ monitor: refused });
    await expect.poll(() => lines.length).toBe(1);
    for (let n = 0; n < 5; n++) await database.app.sql`select 1`;
    expect(lines).toMatchObject([{ msg: "data-quality.failed" }]);
    expect(job.results).toEqual([]);
    await refused.close();
  });

  test("no check can write, or take longer than it may", async () => {
    const scope = { ...everything, timeoutMs: 100 };
    const writes = {
      ...checkNamed("nine-defaults"),
      query: "with x as (update symbols set is_tracked = true returning id) select id from x",
    };
    // As the owner, who could.
    expect(
      await runCheck(database.owner, { ...writes, query: "select nextval('symbols_id_seq') as id" }, scope),
    ).toMatchObject({ error: "25006" });
    expect(
      await runCheck(database.owner, { ...writes, query: "select 1 as id from pg_sleep(30)" }, scope),
    ).toMatchObject({
      passed: false,
      count: null,
      error: "57014",
    });
  });

  test("counts to a thousand and no further", async () => {
    const many = { ...checkNamed("nine-defaults"), query: "select n as id from generate_series(1, 5000) n" };
    expect(await runCheck(database.owner, many, everything)).toMatchObject({
      count: 1_000,
      hasMore: true,
      sampleIds: ["1", "10", "100", "1000", "1001"],
    });
  });
});

describe("checks of what the server counts", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.owner.sql`alter table sign_in_places set (autovacuum_enabled = false)`;
  });
  afterAll(() => database.close());
  const count = async (name: string) => {
    await database.owner.sql`select pg_stat_force_next_flush()`;
    return (await runCheck(database.owner, checkNamed(name), everything)).sampleIds;
  };
  const fill = (rows: number) => database.owner.sql`
    insert into sign_in_places (place, seen_at) select encode(sha256(n::text::bytea), 'hex'), now() from generate_series(1, ${rows}::int) n`;

  test("without-statistics, dead-rows and unused-indexes see what they are for", async () => {
    const { sql } = database.owner;
    for (const name of ["without-statistics", "dead-rows", "unused-indexes"]) expect(await count(name)).toEqual([]);
    await fill(100_000);
    await sql`update schema_migrations set applied_at = applied_at - interval '2 hours'`;
    await expect.poll(() => count("without-statistics")).toEqual(["sign_in_places"]);
    await sql`analyze sign_in_places`;
    await expect.poll(() => count("without-statistics")).toEqual([]);
    await sql`create index nobody_asks on sign_in_places (seen_at, place)`;
    await sql.unsafe(
      "do $$ begin for n in 1 .. 1100 loop perform from sign_in_places where place = n::text; end loop; end $$",
    );
    await expect.poll(() => count("unused-indexes")).toEqual(["nobody_asks"]);
    await sql`delete from sign_in_places where seen_at < now()`;
    await expect.poll(() => count("dead-rows")).toEqual(["sign_in_places"]);
  });
});

describeSeries(
  "checks of TimescaleDB",
  (on) => {
    const breakages: Readonly<Record<string, string>> = {
      "missing-hypertables":
        "create table plain (like candles); drop table candles cascade; alter table plain rename to candles",
      "missing-aggregates": "drop materialized view candles_1w",
      "roll-up-job": "select delete_job(job_id) from timescaledb_information.jobs where proc_name = 'refresh_roll_ups'",
      "missing-compression": "select remove_compression_policy('candles')",
      "missing-retention": "select remove_retention_policy('candles')",
      "failing-series-jobs":
        "update _timescaledb_internal.bgw_job_stat set last_run_success = false where job_id = (select min(job_id) from timescaledb_information.jobs where job_id >= 1000)",
    };
    const also: Readonly<Record<string, string[]>> = {
      "missing-hypertables": ["missing-aggregates", "missing-compression", "missing-retention"],
      "missing-aggregates": ["missing-retention"],
    };
    /** What they see in a transaction that is taken back. */
    const seenAfter = async (statements: string) => {
      const seen: string[] = [];
      await on.owner.sql
        .begin(async (sql) => {
          await sql`select alter_job(job_id, scheduled => true) from timescaledb_information.jobs where job_id >= 1000`;
          await sql`update _timescaledb_internal.bgw_job_stat set last_run_success = true`;
          await sql.unsafe(statements);
          for (const name of Object.keys(breakages))
            if (!(await findBroken(sql, checkNamed(name), everything)).passed) seen.push(name);
          throw new Error("rolled back");
        })
        .catch((error: Error) => {
          if (error.message !== "rolled back") throw error;
        });
      return seen.sort();
    };
    test("find nothing after the migrations, and whatever is taken away", async () => {
      expect(await seenAfter("select 1")).toEqual([]);
      await on.owner
        .sql`insert into _timescaledb_internal.bgw_job_stat (job_id, last_start, last_finish, next_start, total_runs, total_duration,
          total_duration_failures, total_successes, total_failures, total_crashes, consecutive_failures, consecutive_crashes, last_run_success, last_successful_finish, flags)
        select min(job_id), now(), now(), now(), 1, interval '0', interval '0', 1, 0, 0, 0, 0, true, now(), 0 from timescaledb_information.jobs where job_id >= 1000
        on conflict do nothing`;
      for (const [name, statements] of Object.entries(breakages))
        expect(await seenAfter(statements), name).toEqual([name, ...(also[name] ?? [])].sort());
    });
  },
  ["timescaledb"],
);

describe("tradegraph validate", () => {
  test("reads only what it is asked for, and refuses what it does not understand", async () => {
    const database = await createTestDatabase();
    const { host, port, user, database: name } = { ...inject("cluster"), ...database.address };
    const env = { DATABASE_URL: `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}` };
    await database.owner.sql`update symbols set is_tracked = false where ticker = 'BTCUSDT'`;
    const all = await runToEnd(["validate", "--days", "3", "--json"], env);
    expect(all.status).toBe(1);
    expect(JSON.parse(all.output)).toHaveLength(dataChecks.length);
    const grave = await runToEnd(["validate", "--severity", "high"], env);
    expect(grave.status).toBe(0);
    expect(grave.output).not.toContain("MEDIUM");
    for (const wrong of [
      ["--days", "0"],
      ["--days", "x"],
      ["--severity", "grave"],
    ]) {
      const { status, errors } = await runToEnd(["validate", ...wrong], env);
      expect([status, errors]).toEqual([1, expect.stringContaining(`${wrong[0]} must be`)]);
    }
    await database.close();
  }, 120_000);
});
