import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import { StartError } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Sql } from "./connect.js";

export interface Migration {
  /** 0, 1, 2 … without gaps; the number at the start of the file name. */
  readonly id: number;
  readonly name: string;
  readonly up: string;
  readonly down: string;
  readonly checksum: string;
}

const defaultFolder = fileURLToPath(new URL("../../drizzle", import.meta.url));

/** Reads `NNNN_name.sql` with its `NNNN_name.down.sql`, in order. A migration without its rollback is an error. */
export async function readMigrations(folder: string = defaultFolder): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => /^\d{4}_\w+\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (file, id) => {
      const name = file.slice(0, -".sql".length);
      if (Number(file.slice(0, 4)) !== id) throw new Error(`migrations must be numbered without gaps: ${file}`);
      const up = await readFile(`${folder}/${file}`, "utf8");
      const down = await readFile(`${folder}/${name}.down.sql`, "utf8");
      return { id, name, up, down, checksum: createHash("sha256").update(up).digest("hex") };
    }),
  );
}

interface AppliedMigration {
  id: number;
  name: string;
  checksum: string;
}

/** Any number will do, as long as every version of the program takes the same. */
const migrationLockKey = 7_261_541;
const lockTimeout = "10s";

async function readApplied(sql: Sql | postgres.TransactionSql): Promise<AppliedMigration[]> {
  const [table] = await sql<
    { exists: boolean }[]
  >`select to_regclass('public.schema_migrations') is not null as exists`;
  return table?.exists ? sql<AppliedMigration[]>`select id, name, checksum from schema_migrations order by id` : [];
}

/**
 * Compares what the database has with what this program knows, and returns what is still to be applied.
 * @throws {StartError} when the database is ahead, or when an applied migration was edited afterwards
 */
export async function pendingMigrations(
  sql: Sql | postgres.TransactionSql,
  known: readonly Migration[],
): Promise<Migration[]> {
  const applied = await readApplied(sql);
  const newest = applied.at(-1);
  if (newest !== undefined && newest.id >= known.length) {
    throw new StartError(
      `the database is ahead of this program: it has migration ${newest.name}, this program knows up to ${known.at(-1)?.name ?? "none"}. ` +
        "Start the newer program, or roll the database back with it.",
    );
  }
  for (const row of applied) {
    const migration = known[row.id];
    if (migration === undefined || migration.name !== row.name || migration.checksum !== row.checksum) {
      throw new StartError(
        `migration ${row.name} was changed after it was applied to this database; restore the file, and put the change into a new migration`,
      );
    }
  }
  return known.slice(applied.length);
}

/** Applies what is pending, each migration in a transaction of its own; nodes that start together take turns. Returns the names. */
export async function migrate(sql: Sql, log: Logger, known?: readonly Migration[]): Promise<string[]> {
  const migrations = known ?? (await readMigrations());
  const done: string[] = [];
  for (;;) {
    const applied = await sql.begin(async (tx) => {
      await takeTurn(tx);
      await tx.unsafe(`
        create table if not exists schema_migrations (
          id integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now());
        grant select on schema_migrations to public;`);
      const [next] = await pendingMigrations(tx, migrations);
      if (next === undefined) return null;
      await tx.unsafe(next.up);
      await tx`insert into schema_migrations (id, name, checksum) values (${next.id}, ${next.name}, ${next.checksum})`;
      return next.name;
    });
    if (applied === null) return done;
    log.info({ migration: applied }, "migration.applied");
    done.push(applied);
  }
}

const deadlockCode = "40P01";
const maxDeadlocks = 5;

/** The jobs of TimescaleDB lock in another order than a drop does. Who loses has changed nothing, and begins again. */
async function againAfterDeadlock<T>(sql: Sql, work: (tx: postgres.TransactionSql) => Promise<T>): Promise<T> {
  for (let lost = 1; ; lost++) {
    try {
      return (await sql.begin(work)) as T;
    } catch (error) {
      if ((error as { code?: string }).code !== deadlockCode || lost === maxDeadlocks) throw error;
    }
  }
}

/** One migrator at a time, however long that takes; but a table that somebody else holds is not waited for for ever. */
async function takeTurn(tx: postgres.TransactionSql): Promise<void> {
  await tx.unsafe("set local statement_timeout = 0");
  await tx`select pg_advisory_xact_lock(${migrationLockKey})`;
  await tx.unsafe(`set local lock_timeout = '${lockTimeout}'`);
}

export interface RollbackOptions {
  /** How many migrations to take back; Infinity for all. */
  readonly steps: number;
  /** Also drop tables that hold rows. */
  readonly force: boolean;
}

/**
 * Takes back the newest migrations, each in a transaction of its own. Returns the names, newest first.
 * @throws {StartError} when a table that holds rows would be dropped and `force` is not set; nothing is changed by that step
 */
export async function rollback(
  sql: Sql,
  options: RollbackOptions,
  log: Logger,
  known?: readonly Migration[],
): Promise<string[]> {
  const migrations = known ?? (await readMigrations());
  const done: string[] = [];
  while (done.length < options.steps) {
    const reverted = await againAfterDeadlock(sql, async (tx) => {
      await takeTurn(tx);
      await pendingMigrations(tx, migrations);
      const newest = (await readApplied(tx)).at(-1);
      const migration = newest === undefined ? undefined : migrations[newest.id];
      if (migration === undefined) return null;
      const filled = options.force ? [] : await tablesWithRows(tx);
      await tx.unsafe(migration.down);
      const lost = options.force ? [] : await missingTables(tx, filled);
      if (lost.length > 0) {
        throw new StartError(
          `rolling back ${migration.name} would drop tables that hold rows: ${lost.join(", ")}. Back up first, then use --force.`,
        );
      }
      await tx`delete from schema_migrations where id = ${migration.id}`;
      return migration.name;
    });
    if (reverted === null) break;
    log.info({ migration: reverted }, "migration.reverted");
    done.push(reverted);
  }
  return done;
}

/** Their rows say what runs, or are made anew of others. */
const derivedTables = "{schema_migrations,leases,nodes,installation,projection_cursors,account_activity}";

/** Continuous aggregates count as tables: they outlive the rows they were made from. */
async function tablesWithRows(tx: postgres.TransactionSql): Promise<string[]> {
  const [timescale] = await tx<
    { installed: boolean }[]
  >`select to_regclass('timescaledb_information.continuous_aggregates') is not null as installed`;
  const aggregates = timescale?.installed
    ? await tx<{ name: string }[]>`
        select view_name as name from timescaledb_information.continuous_aggregates where view_schema = 'public'`
    : [];
  const tables = await tx<{ name: string }[]>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and c.relname <> all (${derivedTables}::text::text[])
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')`;
  const filled: string[] = [];
  for (const { name } of [...tables, ...aggregates]) {
    const [row] = await tx`select exists (select from ${tx(name)}) as filled`;
    if (row?.filled) filled.push(name);
  }
  return filled;
}

async function missingTables(tx: postgres.TransactionSql, names: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const name of names) {
    const [row] = await tx`select to_regclass(${`public.${name}`}) is null as missing`;
    if (row?.missing) missing.push(name);
  }
  return missing;
}
