import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import { StartError } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { programFolder } from "../core/program-folder.js";
import { backoffDelayMs } from "../core/time.js";
import type { Sql } from "./connect.js";

export interface Migration {
  /** 0, 1, 2 … without gaps; the number at the start of the file name. */
  readonly id: number;
  readonly name: string;
  readonly up: string;
  readonly down: string;
  readonly checksum: string;
}

const defaultFolder = fileURLToPath(new URL("drizzle", programFolder));

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
  isExpansion: boolean;
}

/** Any number will do, as long as every version of the program takes the same. */
const migrationLockKey = 7_261_541;

async function readApplied(sql: Sql | postgres.TransactionSql | postgres.ReservedSql): Promise<AppliedMigration[]> {
  const [table] = await sql<
    { exists: boolean }[]
  >`select to_regclass('public.schema_migrations') is not null as exists`;
  return table?.exists
    ? sql<AppliedMigration[]>`
    select id, name, checksum, coalesce((to_jsonb(m) ->> 'is_expansion')::boolean, false) as "isExpansion"
    from schema_migrations m order by id`
    : [];
}

/**
 * Compares what the database has with what this program knows, and returns what is still to be applied. A database that is ahead
 * by expansions alone is one that this program can work with, so that nodes of two releases can run, and start, side by side.
 * @throws {StartError} when the database is ahead by more than that, or when an applied migration was edited afterwards
 */
export async function pendingMigrations(
  sql: Sql | postgres.TransactionSql | postgres.ReservedSql,
  known: readonly Migration[],
  { mayBeAhead = true } = {},
): Promise<Migration[]> {
  const all = await readApplied(sql);
  const applied = all.filter(({ id }) => id < known.length);
  const ahead = all.filter(({ id, isExpansion: expands }) => id >= known.length && !(mayBeAhead && expands)).at(-1);
  if (ahead !== undefined) {
    throw new StartError(
      `the database is ahead of this program: it has migration ${ahead.name}, this program knows up to ${known.at(-1)?.name ?? "none"}. ` +
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

export interface MigrateOptions {
  /** By default those of this program. */
  readonly known?: readonly Migration[] | undefined;
  /** How long a lock is waited for; everybody who comes later waits behind. */
  readonly lockTimeoutMs?: number | undefined;
  /** How often a migration begins again that did not get its locks. */
  readonly attempts?: number | undefined;
}

/**
 * Applies what is pending, each migration in a transaction of its own; nodes that start together take turns. Who does not get a
 * lock soon gives way to the traffic, and begins again later. Returns the names.
 * @throws {StartError} when the locks of a migration were never to be had; it has changed nothing then
 */
export async function migrate(sql: Sql, log: Logger, options: MigrateOptions = {}): Promise<string[]> {
  const migrations = options.known ?? (await readMigrations());
  const lockTimeoutMs = options.lockTimeoutMs ?? 1_000;
  const done: string[] = [];
  for (;;) {
    const applied = await patiently(log, options.attempts ?? 60, () => applyNext(sql, migrations, lockTimeoutMs));
    if (applied === null) return done;
    log.info({ migration: applied }, "migration.applied");
    done.push(applied);
  }
}

/** @returns its name; null when there is none */
async function applyNext(sql: Sql, migrations: readonly Migration[], lockTimeoutMs: number): Promise<string | null> {
  const applied = await inTurn(sql, lockTimeoutMs, async (tx) => {
    const [column] = await tx`
      select from pg_attribute where attrelid = to_regclass('public.schema_migrations') and attname = 'is_expansion'`;
    if (column === undefined) {
      await tx.unsafe(`
        create table if not exists schema_migrations (
          id integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now());
        alter table schema_migrations add column is_expansion boolean not null default false;
        grant select on schema_migrations to public;`);
    }
    const [next] = await pendingMigrations(tx, migrations);
    if (next === undefined || isConcurrent(next.up)) return next ?? null;
    await tx.unsafe(next.up);
    await remember(tx, next);
    return next.name;
  });
  if (applied === null || typeof applied === "string") return applied;
  const isDone = await runConcurrently(sql, applied.up, async (own) => {
    const [next] = await pendingMigrations(own, migrations);
    return next?.id === applied.id ? () => remember(own, applied) : null;
  });
  // Somebody else was faster: on to what comes after it.
  return isDone ? applied.name : applyNext(sql, migrations, lockTimeoutMs);
}

const remember = (
  sql: Sql | postgres.TransactionSql | postgres.ReservedSql,
  { id, name, checksum, up }: Migration,
) => sql`
  insert into schema_migrations (id, name, checksum, is_expansion) values (${id}, ${name}, ${checksum}, ${isExpansion(up)})`;

/** A first line by which a migration says that programs which do not know it can go on, and start again. */
const isExpansion = (text: string): boolean => /^-- expand\b/m.test(text);
/** A first line by which a migration says that it cannot be one transaction. */
const isConcurrent = (text: string): boolean => /^-- concurrently\b/m.test(text);

const lockNotAvailable = "55P03";
const waitBaseMs = 250;
const waitCapMs = 5_000;

/** Again after a lock that was not to be had. @throws {StartError} after so many attempts */
async function patiently<T>(log: Logger, attempts: number, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: string }).code !== lockNotAvailable) throw error;
      if (attempt >= attempts) {
        throw new StartError(
          `the migration did not get its locks in ${attempts} attempts, and has changed nothing: a long transaction holds a table ` +
            "(select pid, xact_start, query from pg_stat_activity order by xact_start). End it, and migrate again.",
        );
      }
      log.warn({ attempt, attempts }, "migration.waits-for-lock");
    }
    await pause(backoffDelayMs(attempt - 1, waitBaseMs, waitCapMs, Math.random));
  }
}

/**
 * A transaction of the one migrator at a time, however long the others take. Not by waiting for the lock: an index that is made
 * concurrently waits for every transaction, and would wait for those who wait for it.
 */
async function inTurn<T>(
  sql: Sql,
  lockTimeoutMs: number,
  work: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  for (;;) {
    const result = await sql.begin(async (tx) => {
      const [row] = await tx<{ taken: boolean }[]>`select pg_try_advisory_xact_lock(${migrationLockKey}) as taken`;
      if (!row?.taken) return null;
      await tx.unsafe(`set local statement_timeout = 0; set local lock_timeout = ${lockTimeoutMs}`);
      return { value: await work(tx) };
    });
    if (result !== null) return result.value as T;
    await pause(turnWaitMs);
  }
}

const turnWaitMs = 100;

/**
 * Runs statements that lock nobody out and cannot be in a transaction, one after the other. What a run before this one left half
 * done is made anew.
 * @param begin asked when it is our turn; returns what to do at the end, or null when somebody else has done it all
 */
async function runConcurrently(
  sql: Sql,
  text: string,
  begin: (own: postgres.ReservedSql) => Promise<(() => Promise<unknown>) | null>,
): Promise<boolean> {
  const statements = text
    .replace(/^--(?!> statement-breakpoint).*$/gm, "")
    .split("--> statement-breakpoint")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
  const wrong = statements.find((statement) => concurrentStatement.exec(statement) === null);
  if (wrong !== undefined)
    throw new Error(
      `not "create index concurrently if not exists …" or "drop index concurrently if exists …": ${wrong}`,
    );
  const own = await sql.reserve();
  try {
    await own.unsafe("set statement_timeout = 0");
    while (!(await own<{ taken: boolean }[]>`select pg_try_advisory_lock(${migrationLockKey}) as taken`)[0]?.taken)
      await pause(turnWaitMs);
    const finish = await begin(own);
    if (finish === null) return false;
    for (const statement of statements) {
      const name = concurrentStatement.exec(statement)?.[1] ?? "";
      const [half] = await own`
        select from pg_index where indexrelid = to_regclass(${`public.${name}`}) and not indisvalid`;
      if (half !== undefined) await own.unsafe(`drop index concurrently if exists ${name}`);
      await own.unsafe(statement);
    }
    await finish();
    return true;
  } finally {
    await own`select pg_advisory_unlock(${migrationLockKey})`.catch(() => {});
    await own.unsafe("reset statement_timeout").catch(() => {});
    own.release();
  }
}

const concurrentStatement =
  /^(?:create (?:unique )?index concurrently if not exists|drop index concurrently if exists) ([a-z_][a-z0-9_]*)\b[^;]*;?$/i;

const deadlockCode = "40P01";
const maxDeadlocks = 5;

/** The jobs of TimescaleDB lock in another order than a drop does. Who loses has changed nothing, and begins again. */
async function againAfterDeadlock<T>(work: () => Promise<T>): Promise<T> {
  for (let lost = 1; ; lost++) {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: string }).code !== deadlockCode || lost === maxDeadlocks) throw error;
    }
  }
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
    const reverted = await patiently(log, maxRollbackAttempts, () =>
      againAfterDeadlock(() => revertNewest(sql, migrations, options.force)),
    );
    if (reverted === null) break;
    log.info({ migration: reverted }, "migration.reverted");
    done.push(reverted);
  }
  return done;
}

const maxRollbackAttempts = 60;
const rollbackLockTimeoutMs = 1_000;

/** @returns its name; null when there is none */
async function revertNewest(sql: Sql, migrations: readonly Migration[], force: boolean): Promise<string | null> {
  const newestOf = async (own: Sql | postgres.TransactionSql | postgres.ReservedSql) => {
    await pendingMigrations(own, migrations, { mayBeAhead: false });
    const newest = (await readApplied(own)).at(-1);
    return newest === undefined ? undefined : migrations[newest.id];
  };
  const forget = (own: Sql | postgres.TransactionSql | postgres.ReservedSql, id: number) =>
    own`delete from schema_migrations where id = ${id}`;
  const reverted = await inTurn(sql, rollbackLockTimeoutMs, async (tx) => {
    const migration = await newestOf(tx);
    if (migration === undefined || isConcurrent(migration.down)) return migration ?? null;
    const filled = force ? [] : await tablesWithRows(tx);
    await tx.unsafe(migration.down);
    const lost = force ? [] : await missingTables(tx, filled);
    if (lost.length > 0) {
      throw new StartError(
        `rolling back ${migration.name} would drop tables that hold rows: ${lost.join(", ")}. Back up first, then use --force.`,
      );
    }
    await forget(tx, migration.id);
    return migration.name;
  });
  if (reverted === null || typeof reverted === "string") return reverted;
  await runConcurrently(sql, reverted.down, async (own) =>
    (await newestOf(own))?.id === reverted.id ? () => forget(own, reverted.id) : null,
  );
  return reverted.name;
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
