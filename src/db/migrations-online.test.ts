import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { type Migration, migrate, pendingMigrations, readMigrations, rollback } from "./migrations.js";

let database: TestDatabase;
let known: Migration[];
const lines: { msg: string; attempt?: number }[] = [];
const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });

beforeEach(async () => {
  lines.length = 0;
  known = await readMigrations();
  database = await createTestDatabase();
});
afterEach(() => database.close());

const next = (name: string, up: string, down = "", more = 0): Migration => {
  const id = known.length + more;
  return { id, name: `${String(id).padStart(4, "0")}_${name}`, up, down, checksum: name };
};
const waits = () => lines.filter(({ msg }) => msg === "migration.waits-for-lock").length;

describe("a migration on a database at work", () => {
  test("race: one that waits for a lock gives up and begins again, and the traffic behind it goes on", async () => {
    const { sql } = database.owner;
    const adding = next("add", "alter table symbols add column added integer");
    let migrating: Promise<string[]> | undefined;
    await sql.begin(async (holder) => {
      await holder`select id from symbols limit 1`;
      migrating = migrate(sql, log, { known: [...known, adding], lockTimeoutMs: 50 });
      await expect.poll(waits).toBeGreaterThanOrEqual(2);
      // Each would stand behind the migration, and so behind the transaction that this one is.
      for (let n = 0; n < 20; n++) await database.app.sql`select count(*) from symbols`;
      await database.app.sql`update symbols set display_order = display_order where id = 1`;
      const [column] =
        await holder`select from pg_attribute where attrelid = 'symbols'::regclass and attname = 'added'`;
      expect(column).toBeUndefined();
    });
    expect(await migrating).toEqual([adding.name]);
    expect(await pendingMigrations(sql, [...known, adding])).toEqual([]);
  });

  test("race: one that never gets its lock says what to do, and has changed nothing", async () => {
    const { sql } = database.owner;
    const both = next("both", "create table half (id int); alter table symbols add column added integer");
    await sql.begin(async (holder) => {
      await holder`select id from symbols limit 1`;
      await expect(migrate(sql, log, { known: [...known, both], lockTimeoutMs: 20, attempts: 2 })).rejects.toThrow(
        /did not get its locks in 2 attempts.*pg_stat_activity/,
      );
    });
    const [half] = await sql`select to_regclass('half') as half`;
    expect(half?.half).toBeNull();
    expect(await pendingMigrations(sql, [...known, both])).toEqual([both]);
  });

  test("race: nodes that migrate together make an index concurrently once, and writers go on meanwhile", async () => {
    const { sql } = database.owner;
    const index = next(
      "index",
      "-- concurrently\ncreate index concurrently if not exists idx_symbols_sector on symbols (sector);",
      "-- concurrently\ndrop index concurrently if exists idx_symbols_sector;",
    );
    const after = next("after", "create table afterwards (id int)", "drop table afterwards", 1);
    const all = [...known, index, after];
    let migrating: Promise<string[][]> | undefined;
    await sql.begin(async (holder) => {
      // It waits for this transaction, and locks nobody out.
      await holder`update symbols set display_order = display_order where id = 2`;
      migrating = Promise.all([migrate(sql, log, { known: all }), migrate(database.owner.sql, log, { known: all })]);
      await expect
        .poll(
          async () =>
            (
              await sql`select from pg_stat_activity where datname = current_database() and query like 'create index concurrently%'`
            ).count,
        )
        .toBe(1);
      await database.app.sql`update symbols set display_order = display_order where id = 1`;
    });
    expect((await migrating)?.flat().sort()).toEqual(
      [index.name, index.name, after.name].sort().filter((name, n, names) => names.indexOf(name) === n),
    );
    expect(
      (await sql`select from pg_index where indexrelid = 'idx_symbols_sector'::regclass and indisvalid`).count,
    ).toBe(1);
    expect(await rollback(sql, { steps: 2, force: false }, log, all)).toEqual([after.name, index.name]);
    const [gone] = await sql`select to_regclass('idx_symbols_sector') as index`;
    expect(gone?.index).toBeNull();
  });

  test("an index that a run before left half done is made anew", async () => {
    const { sql } = database.owner;
    await sql`create index idx_symbols_sector on symbols (sector)`;
    await sql`update pg_index set indisvalid = false where indexrelid = 'idx_symbols_sector'::regclass`;
    const index = next(
      "index",
      "-- concurrently\ncreate index concurrently if not exists idx_symbols_sector on symbols (sector);",
    );
    await migrate(sql, log, { known: [...known, index] });
    expect(
      (await sql`select from pg_index where indexrelid = 'idx_symbols_sector'::regclass and indisvalid`).count,
    ).toBe(1);
  });

  test("what is not one transaction may only make and drop indexes, because it must be able to begin again", async () => {
    const wrong = next("wrong", "-- concurrently\ndelete from symbols;");
    await expect(migrate(database.owner.sql, log, { known: [...known, wrong] })).rejects.toThrow(
      "create index concurrently if not exists",
    );
    expect(await pendingMigrations(database.owner.sql, [...known, wrong])).toEqual([wrong]);
  });

  test("a program goes on with a database that is ahead by expansions, and with no other", async () => {
    const { sql } = database.owner;
    const expand = next(
      "expand",
      "-- expand\nalter table symbols add column added integer",
      "alter table symbols drop column added",
    );
    const contract = next(
      "contract",
      "alter table symbols drop column added",
      "alter table symbols add column added integer",
      1,
    );
    await migrate(sql, log, { known: [...known, expand] });
    expect(await pendingMigrations(sql, known)).toEqual([]);
    expect(await migrate(sql, log, { known })).toEqual([]);
    await expect(rollback(sql, { steps: 1, force: false }, log, known)).rejects.toThrow(
      `it has migration ${expand.name}`,
    );
    await migrate(sql, log, { known: [...known, expand, contract] });
    await expect(pendingMigrations(sql, known)).rejects.toThrow(`it has migration ${contract.name}`);
    await rollback(sql, { steps: 1, force: false }, log, [...known, expand, contract]);
    expect(await pendingMigrations(sql, known)).toEqual([]);
  });
});
