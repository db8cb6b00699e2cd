import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Config, parseConfig } from "../src/config.js";
import { KeyRing } from "../src/core/key-ring.js";
import { sealedTables } from "../src/db/sealed-columns.js";
import { openKeyRing } from "../src/encryption-keys.js";
import { runKeyCommand } from "../src/key-commands.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { runProgram, runToEnd } from "./support/program.js";
import { until } from "./support/until.js";

const keyText = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString("base64")}`;
const oldKeys = keyText("old", 1);
const bothKeys = `${keyText("new", 2)},${oldKeys}`;
const rowCount = 300;

let database: TestDatabase;
let databaseUrl: string;
let ids: number[];
beforeEach(async () => {
  database = await createTestDatabase();
  const { host, port, user, database: name } = database.address;
  databaseUrl = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
  const { sql } = database.owner;
  const rows = await sql<{ id: number }[]>`
    insert into data_providers (market_id, code, name, provider_type, feed_type, is_active)
    select (select min(id) from markets), 'EXTRA_' || n, 'Extra', 'SIMULATED', 'REST', false
    from generate_series(1, ${rowCount}) n returning id`;
  ids = rows.map(({ id }) => id);
  await sealAll(KeyRing.parse(oldKeys));
});
afterEach(() => database.close());

const placeOf = (id: number, column: string) => ({ table: "data_providers", id, column });

async function sealAll(ring: KeyRing): Promise<void> {
  const [keys, secrets] = ["sealed_api_key", "sealed_api_secret"].map((column) =>
    ids.map((id) => ring.seal(`${column} of ${id}`, placeOf(id, column))),
  );
  await database.owner.sql`
    update data_providers p set sealed_api_key = t.k, sealed_api_secret = t.s
    from unnest(${ids.map(String)}::text[]::int[], ${keys ?? []}::text[], ${secrets ?? []}::text[]) as t (id, k, s) where p.id = t.id`;
}

/** How many rows each key seals. @throws when a row does not open in its place, or holds another secret */
async function openAll(ring: KeyRing): Promise<Record<string, number>> {
  const rows = await database.owner.sql<{ id: number; k: string; s: string }[]>`
    select id, sealed_api_key as k, sealed_api_secret as s from data_providers where sealed_api_key is not null`;
  expect(rows).toHaveLength(rowCount);
  const counts: Record<string, number> = {};
  for (const { id, k, s } of rows) {
    expect(ring.open(k, placeOf(id, "sealed_api_key"))).toBe(`sealed_api_key of ${id}`);
    expect(ring.open(s, placeOf(id, "sealed_api_secret"))).toBe(`sealed_api_secret of ${id}`);
    const keyId = k.split(".")[1] ?? "";
    expect(s.split(".")[1]).toBe(keyId);
    counts[keyId] = (counts[keyId] ?? 0) + 1;
  }
  return counts;
}

const keysCommand = (action: string, keys: string) =>
  runToEnd(["keys", action], { DATABASE_URL: databaseUrl, ENCRYPTION_KEYS: keys });

describe("keys rotate", () => {
  test("killed in the middle leaves every secret whole, and goes on where it was", async () => {
    const blocked = await database.owner.sql.reserve();
    // It waits there, with the batches before it done.
    await blocked`begin`;
    await blocked`select from data_providers where id = ${ids[150] ?? 0} for update`;
    const program = runProgram(["keys", "rotate"], { DATABASE_URL: databaseUrl, ENCRYPTION_KEYS: bothKeys });
    await until(async () => {
      const [row] = await database.owner.sql`
        select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.waiting === 1;
    }, 20_000);
    program.signal("SIGKILL");
    expect(await program.exit).toBe("SIGKILL");
    await blocked`rollback`;
    blocked.release();
    expect(await openAll(KeyRing.parse(bothKeys))).toEqual({ new: 100, old: 200 });

    const again = await keysCommand("rotate", bothKeys);
    expect(again.output).toContain('200 rows are sealed by "new" now, 0 could not be opened');
    expect(again.status).toBe(0);
    expect(await openAll(KeyRing.parse(keyText("new", 2)))).toEqual({ new: rowCount });
    const third = await keysCommand("rotate", bothKeys);
    expect(third.output).toContain("0 rows are sealed");
    const [event] = await database.owner.sql`select details from audit_events order by id limit 1`;
    expect(event?.details).toEqual({ rows: 200, failed: 0, target: "new", by: "command-line" });
  });

  test("leaves what does not open as it is, says which and why, and does the rest", async () => {
    const [moved = 0, to = 0] = ids;
    const { sql } = database.owner;
    await sql`update data_providers set sealed_api_key = (select sealed_api_key from data_providers where id = ${moved}) where id = ${to}`;
    await sql`update data_providers set sealed_api_secret = replace(sealed_api_secret, 'v1.old.', 'v1.lost.') where id = ${ids[2] ?? 0}`;
    const before = await sql`select * from data_providers where id in (${to}, ${ids[2] ?? 0}) order by id`;
    const { status, output } = await keysCommand("rotate", bothKeys);
    expect(output).toContain(
      `data_providers ${to}: left as it is: the secret was altered, or belongs to another place`,
    );
    expect(output).toContain(`data_providers ${ids[2]}: left as it is: there is no key "lost"`);
    expect(output).toContain(`${rowCount - 2} rows are sealed by "new" now, 2 could not be opened`);
    expect(status).toBe(1);
    expect(await sql`select * from data_providers where id in (${to}, ${ids[2] ?? 0}) order by id`).toEqual(before);
  });

  test("with the wrong key changes nothing", async () => {
    const { status, output } = await keysCommand("rotate", `${keyText("new", 2)},${keyText("old", 9)}`);
    expect([status, output]).toEqual([1, expect.stringContaining("0 rows are sealed")]);
    expect(output.match(/left as it is/g)).toHaveLength(20);
    expect(output).toContain("… and 280 more");
    expect(await openAll(KeyRing.parse(oldKeys))).toEqual({ old: rowCount });
  });

  test("does not overwrite what is set meanwhile", async () => {
    const id = ids[50] ?? 0;
    const changing = await database.owner.sql.reserve();
    await changing`begin`;
    const renewed = KeyRing.parse(oldKeys).seal("another secret", placeOf(id, "sealed_api_key"));
    await changing`update data_providers set sealed_api_key = ${renewed} where id = ${id}`;
    const rotating = keysCommand("rotate", bothKeys);
    await until(async () => {
      const [row] = await database.owner.sql`
        select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.waiting === 1;
    }, 20_000);
    await changing`commit`;
    changing.release();
    expect((await rotating).status).toBe(0);
    const [row] = await database.owner.sql`select sealed_api_key from data_providers where id = ${id}`;
    const ring = KeyRing.parse(keyText("new", 2));
    expect(ring.open(row?.sealed_api_key as string, placeOf(id, "sealed_api_key"))).toBe("another secret");
  });

  test("shows no key and no secret", async () => {
    const finished = [await keysCommand("rotate", bothKeys), await keysCommand("status", bothKeys)];
    for (const { output, errors } of finished) {
      expect(output + errors).not.toMatch(/sealed_api_key of|AQEBAQ|AgICAg/);
    }
  });
});

test("keys status says what each key seals, which may go, and which is missing", async () => {
  await database.owner.sql`update data_providers set sealed_api_secret = null where id = ${ids[0] ?? 0}`;
  const before = await keysCommand("status", bothKeys);
  expect(before.output.split("\n").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
    "new newest 0 secrets",
    "old older 599 secrets (data_providers 599)",
    "",
  ]);
  expect((await keysCommand("rotate", bothKeys)).status).toBe(0);
  expect((await keysCommand("status", bothKeys)).output).toMatch(/^old +may be taken away +0 secrets$/m);
  const missing = await keysCommand("status", oldKeys);
  expect([missing.status, missing.output]).toEqual([1, expect.stringMatching(/^new +MISSING +599 secrets/m)]);
  expect((await runToEnd(["keys", "nonsense"])).errors).toContain("usage: tradegraph keys status|rotate");
});

describe("with a key file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tradegraph-keys-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("rotate puts a new key in front, and a program that runs reads it when it needs it", async () => {
    const config: Config = { ...parseConfig({}), migrationDatabaseUrl: databaseUrl, dataDirectory: folder };
    const printed: string[] = [];
    const rotate = () => runKeyCommand(["rotate"], config, pino({ level: "silent" }), (line) => printed.push(line));
    const running = await openKeyRing(config, { create: true });
    if (running === null) throw new Error("no keys");
    await sealAll(running);
    expect(await rotate()).toBe(0);
    const path = join(folder, "encryption-keys");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const [newest, ...older] = (await readFile(path, "utf8")).trim().split(",");
    expect(newest).toMatch(/^local-\d{4}-\d\d-\d\d-[0-9a-f]{6}:/);
    expect(older).toEqual([expect.stringMatching(/^local:/)]);
    const newestId = newest?.split(":")[0] ?? "";
    expect(await openAll(running)).toEqual({ [newestId]: rowCount });
    expect(running.newestId).toBe(newestId);

    // One that was not finished is finished first.
    const left = ids.slice(0, 3);
    await database.owner.sql`
      update data_providers set sealed_api_key = ${KeyRing.parse(older.join()).seal("x", placeOf(left[0] ?? 0, "sealed_api_key"))} where id = ${left[0] ?? 0}`;
    expect(await rotate()).toBe(0);
    expect(printed).toContain(`going on with "${newestId}", which does not seal everything yet`);
    expect((await readFile(path, "utf8")).split(",")).toHaveLength(2);
  });
});

test("every column of sealed secrets is in the list", async () => {
  const columns = await database.owner.sql<{ table_name: string; column_name: string }[]>`
    select table_name, column_name from information_schema.columns where table_schema = 'public' and column_name like 'sealed\_%'`;
  const listed = sealedTables.flatMap(({ table, columns: names }) => names.map((name) => `${table}.${name}`));
  expect(columns.map((column) => `${column.table_name}.${column.column_name}`).sort()).toEqual(listed.sort());
});
