import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { schemaOf } from "../../test/support/schema-of.js";
import { seedReferenceData } from "../catalogue/seed.js";
import { connect } from "./connect.js";
import { migrate, pendingMigrations, readMigrations, rollback } from "./migrations.js";

const log = pino({ level: "silent" });

describe("migrations", () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ empty: true });
  });
  afterEach(() => database.close());

  test("an empty database goes up, down to nothing, and up again to the same schema", async () => {
    const { sql } = database.owner;
    const empty = await schemaOf(sql);
    const names = (await readMigrations()).map((migration) => migration.name);
    expect(await migrate(sql, log)).toEqual(names);
    const first = await schemaOf(sql);
    expect(first.length).toBeGreaterThan(200);
    expect(await rollback(sql, { steps: Number.POSITIVE_INFINITY, force: false }, log)).toEqual(names.toReversed());
    expect(await schemaOf(sql)).toEqual(empty);
    expect(await migrate(sql, log)).toEqual(names);
    expect(await schemaOf(sql)).toEqual(first);
  });

  test("each step down and up again is the identity", async () => {
    const { sql } = database.owner;
    const migrations = await readMigrations();
    for (const migration of migrations) {
      const before = await schemaOf(sql);
      await migrate(sql, log, { known: migrations.slice(0, migration.id + 1) });
      const after = await schemaOf(sql);
      await rollback(sql, { steps: 1, force: false }, log, migrations.slice(0, migration.id + 1));
      expect(await schemaOf(sql)).toEqual(before);
      await migrate(sql, log, { known: migrations.slice(0, migration.id + 1) });
      expect(await schemaOf(sql)).toEqual(after);
    }
  });

  test("race: nodes that start together migrate once", async () => {
    const nodes = Array.from({ length: 4 }, () =>
      connect({ address: database.address, role: null, poolSize: 1, applicationName: "test node" }),
    );
    const applied = await Promise.all(nodes.map((node) => migrate(node.sql, log)));
    await Promise.all(nodes.map((node) => node.close()));
    expect(applied.flat().sort()).toEqual((await readMigrations()).map((migration) => migration.name));
  });

  test("a database that is ahead of the program is refused by name", async () => {
    const { sql } = database.owner;
    const migrations = await readMigrations();
    await migrate(sql, log);
    await expect(pendingMigrations(sql, migrations.slice(0, -1))).rejects.toThrow(
      `the database is ahead of this program: it has migration ${migrations.at(-1)?.name}`,
    );
    await expect(rollback(sql, { steps: 1, force: false }, log, migrations.slice(0, -1))).rejects.toThrow("ahead");
  });

  test("a migration that was edited after it was applied is refused", async () => {
    const { sql } = database.owner;
    const migrations = await readMigrations();
    await migrate(sql, log);
    const edited = migrations.map((migration, id) => (id === 1 ? { ...migration, checksum: "other" } : migration));
    await expect(pendingMigrations(sql, edited)).rejects.toThrow("0001_catalogue was changed after it was applied");
  });

  test("a failing migration leaves nothing behind", async () => {
    const { sql } = database.owner;
    const broken = [
      { id: 0, name: "0000_broken", up: "create table half (id int); select 1 / 0;", down: "", checksum: "x" },
    ];
    await expect(migrate(sql, log, { known: broken })).rejects.toThrow("division by zero");
    const [row] = await sql`select to_regclass('half') as half`;
    expect(row?.half).toBeNull();
  });

  test("rolling back refuses to drop rows unless it is forced", async () => {
    const { sql } = database.owner;
    await migrate(sql, log);
    await seedReferenceData(database.owner, "simulated");
    const all = { steps: Number.POSITIVE_INFINITY, force: false };
    await expect(rollback(sql, all, log)).rejects.toThrow(/would drop tables that hold rows: .*symbols/);
    const [count] = await sql`select count(*)::int as symbols from symbols`;
    expect(count?.symbols).toBeGreaterThan(14);
    await rollback(sql, { ...all, force: true }, log);
    const [gone] = await sql`select to_regclass('symbols') as symbols`;
    expect(gone?.symbols).toBeNull();
  });

  test("a migration without its rollback is an error", async () => {
    const folder = await mkdtemp(join(tmpdir(), "migrations-"));
    await writeFile(join(folder, "0000_alone.sql"), "select 1;");
    await expect(readMigrations(folder)).rejects.toThrow("0000_alone.down.sql");
    await rm(folder, { recursive: true });
  });
});
