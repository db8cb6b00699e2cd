import { pino } from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type App, startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import type { Clock } from "../src/core/time.js";
import { noRateLimits, operatorHeaders, operatorToken, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { signUp } from "./support/people.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

// Whole programs start and stop here, some of them several times.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let database: TestDatabase;
let app: App;
const others: App[] = [];

const start = (settings: Record<string, string>, wallClock?: Clock): Promise<App> =>
  startApp(
    {
      ...parseConfig({ ...fewPrices, PORT: "0", OPERATOR_TOKEN: operatorToken, QUOTE_FLUSH_MS: "20", ...settings }),
      rateLimits: noRateLimits,
    },
    pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" }),
    () => {},
    { database: database.address, ...(wallClock === undefined ? {} : { wallClock }) },
  );
const nodesOf = async (one: App) =>
  (await query(one.url ?? "", "{ health { checks { name status detail } } }")).data.health.checks.find(
    ({ name }: { name: string }) => name === "nodes",
  );

beforeAll(async () => {
  database = await createTestDatabase();
  app = await start({});
});
afterAll(async () => {
  for (const other of others) await other.close();
  await app?.close();
  await database?.close();
});

test("a node whose clock is more than a minute off does not start, and says by how much", async () => {
  await expect(start({ ROLES: "api" }, { nowMs: () => Date.now() + 120_000 })).rejects.toThrow(
    /clock of this node is 1[12]\d{4} ms ahead of the database's: set it by NTP/,
  );
  await expect(start({ ROLES: "api" }, { nowMs: () => Date.now() - 120_000 })).rejects.toThrow(/behind/);
});

test("nodes with other settings, another version or a clock that is a little off are shown on every node", async () => {
  await until(async () => (await nodesOf(app)).status === "OK", 60_000);
  const other = await start(
    { ROLES: "api", MAX_QUERY_COST: "777", SESSION_LIFE_MS: "3600000" },
    { nowMs: () => Date.now() + 10_000 },
  );
  others.push(other);
  await database.owner.sql`
    insert into nodes (id, version, roles, schema_version, settings, clock_skew_ms, seen_at)
    values (gen_random_uuid(), '9.9.9', 'worker', 1, '{}', 0, now() + interval '1 minute')`;
  await until(async () => (await nodesOf(app)).status === "DEGRADED", 60_000);
  for (const node of [app, other]) {
    await until(async () => /MAX_QUERY_COST, SESSION_LIFE_MS/.test((await nodesOf(node)).detail ?? ""), 60_000);
    await until(async () => /9\.9\.9/.test((await nodesOf(node)).detail ?? ""), 60_000);
    const { detail } = await nodesOf(node);
    expect(detail).toMatch(/clock of (this node|node [0-9a-f-]+) is \d{4,5} ms ahead of the database's/);
    // Which settings, and not what they are.
    expect(detail).not.toContain("777");
  }
});

test("a database that turns read-only: what is stored is answered, prices go on, changes get a code; and back again", async () => {
  const { headers } = await signUp(app.url ?? "");
  const stream = openStream<{ quotes: { isStale: boolean }[] }>(
    `${app.url?.replace("http", "ws")}/graphql`,
    "subscription { quotes(intervalMs: 0) { sequence isStale } }",
  );
  await until(() => stream.messages.some(({ quotes }) => quotes.some(({ isStale }) => !isStale)), 30_000);
  const name = database.address.database;
  const turn = async (isReadOnly: boolean) => {
    await database.owner.sql.unsafe(
      `alter database ${name} set default_transaction_read_only = ${isReadOnly ? "on" : "off"}`,
    );
    await database.owner.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'tradegraph%' and pid <> pg_backend_pid()`;
  };
  await turn(true);
  try {
    const change = async () =>
      await query(app.url ?? "", 'mutation { createApiKey(name: "k", scopes: [READ]) { secret } }', {}, headers);
    // First the connections are gone, and then they are there again.
    await until(async () => (await change()).errors?.[0]?.message.includes("read-only") === true, 60_000);
    expect((await change()).errors?.[0]?.extensions.code).toBe("PROVIDER_UNAVAILABLE");
    const { data, errors } = await query(
      app.url ?? "",
      "{ viewer { email dashboard { id } } symbols(first: 1) { nodes { ticker } } }",
      {},
      headers,
    );
    expect(errors).toBeUndefined();
    expect(data.viewer.email).toContain("@");
    // Longer than a lease is good for: nobody can have taken it, so the feeds go on.
    const leases = await database.owner
      .sql`select name from leases where name = 'feeds' and expires_at < clock_timestamp()`;
    await until(
      async () =>
        leases.length > 0 ||
        (
          await database.owner
            .sql`select name from leases where name = 'feeds' and expires_at < clock_timestamp() - interval '2 seconds'`
        ).length > 0,
      20_000,
    );
    const before = stream.messages.length;
    await until(
      () => stream.messages.slice(before).filter(({ quotes }) => quotes.some(({ isStale }) => !isStale)).length > 10,
      20_000,
    );
  } finally {
    await turn(false);
  }
  await until(
    async () =>
      (await query(app.url ?? "", 'mutation { createApiKey(name: "k", scopes: [READ]) { secret } }', {}, headers))
        .errors === undefined,
    20_000,
  );
  expect(stream.errors).toEqual([]);
  await stream.close();
});

test("a full disk: a change gets the same code with its reason", async () => {
  const { headers } = await signUp(app.url ?? "");
  // As Postgres says it when a page cannot be added.
  await database.owner.sql.unsafe(`
    create function full_disk() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
    create trigger full_disk before insert on api_keys execute function full_disk()`);
  try {
    const answer = await query(
      app.url ?? "",
      'mutation { createApiKey(name: "k", scopes: [READ]) { secret } }',
      {},
      headers,
    );
    expect(answer.errors?.[0]).toMatchObject({
      message: expect.stringContaining("disk of the database is full"),
      extensions: { code: "PROVIDER_UNAVAILABLE" },
    });
    expect(answer.errors?.[0]?.message).not.toContain("extend file");
  } finally {
    await database.owner.sql`drop trigger full_disk on api_keys`;
  }
});

test("operators see the projections and rebuild them; nobody else does", async () => {
  const text =
    "{ eventProjections { name status behind deadLetters } deadLetters(first: 10) { nodes { id } pageInfo { hasNextPage } } }";
  const { headers } = await signUp(app.url ?? "");
  expect((await query(app.url ?? "", text, {}, headers)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  const seen = (await query(app.url ?? "", text, {}, operatorHeaders)).data;
  expect(seen.eventProjections).toMatchObject([{ name: "account-activity", deadLetters: 0 }]);
  expect(seen.deadLetters).toEqual({ nodes: [], pageInfo: { hasNextPage: false } });
  const rebuilt = await query(
    app.url ?? "",
    'mutation { rebuildProjection(name: "account-activity") { status } }',
    {},
    operatorHeaders,
  );
  expect(rebuilt.data.rebuildProjection.status).toBe("REBUILDING");
  const unknown = await query(
    app.url ?? "",
    'mutation { rebuildProjection(name: "none") { status } }',
    {},
    operatorHeaders,
  );
  expect(unknown.errors?.[0]?.extensions.code).toBe("NOT_FOUND");
  const bad = await query(app.url ?? "", 'mutation { replayDeadLetter(id: "x") { id } }', {}, operatorHeaders);
  expect(bad.errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: "id" });
});
