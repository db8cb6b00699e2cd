import { randomBytes } from "node:crypto";
import { drizzle } from "drizzle-orm/postgres-js";
import { pino } from "pino";
import postgres from "postgres";
import { afterAll, beforeAll, describe } from "vitest";
import { seedReferenceData } from "../../src/catalogue/seed.js";
import { connect, type Database, type DatabaseAddress } from "../../src/db/connect.js";
import { migrate } from "../../src/db/migrations.js";
import { DatabaseStats } from "../../src/db/observe.js";
import { dropOldSeries } from "../../src/db/time-series.js";
import { createTestDatabase } from "./database.js";

/** A server whose user may create databases, roles and the extension timescaledb. */
const timescaleUrl = process.env.TEST_TIMESCALE_URL || null;
export const hasTimescale = timescaleUrl !== null;

export type StorageName = "tables" | "timescaledb";

/** A migrated and seeded database of one of the two kinds. */
export interface SeriesDatabase {
  readonly storage: StorageName;
  readonly address: DatabaseAddress;
  readonly owner: Database;
  readonly app: Database;
  close(): Promise<void>;
}

/** The same tests on both storages: on plain Postgres always, on TimescaleDB where TEST_TIMESCALE_URL names one. */
export function describeSeries(
  title: string,
  tests: (on: SeriesDatabase, storage: StorageName) => void,
  storages: readonly StorageName[] = ["tables", "timescaledb"],
): void {
  for (const storage of storages) {
    if (storage === "timescaledb" && !hasTimescale) continue;
    describe(`${title}, ${storage === "tables" ? "on plain Postgres" : "on TimescaleDB"}`, () => {
      const on = {} as SeriesDatabase;
      beforeAll(async () => {
        Object.assign(on, storage === "tables" ? await openTables() : await openTimescale());
      });
      afterAll(() => on.close());
      tests(on, storage);
    });
  }
}

async function openTables(): Promise<SeriesDatabase> {
  return { storage: "tables", ...(await createTestDatabase()) };
}

async function openTimescale(): Promise<SeriesDatabase> {
  const database = await createTimescaleDatabase();
  const log = pino({ level: "silent" });
  await migrate(database.owner.sql, log);
  await seedReferenceData(database.owner, "simulated");
  // The tests run them when it is time.
  await stopJobs(database.owner);
  return database;
}

const stopJobs = ({ sql }: Database) =>
  sql`select alter_job(job_id, scheduled => false) from timescaledb_information.jobs where job_id >= 1000`;

/** An empty database with the extension. */
export async function createTimescaleDatabase(): Promise<SeriesDatabase> {
  if (timescaleUrl === null) throw new Error("TEST_TIMESCALE_URL is not set");
  const name = `test_${randomBytes(6).toString("hex")}`;
  const admin = postgres(timescaleUrl, { max: 1, onnotice: () => {} });
  await admin`create database ${admin(name)} template template0`;
  const url = new URL(timescaleUrl);
  url.pathname = `/${name}`;
  const address = { url: url.href };
  const owner = connect({ address, role: null, poolSize: 4, applicationName: "test owner" });
  const app = connect({ address, role: "tradegraph_app", poolSize: 4, applicationName: "test app" });
  await owner.sql`create extension timescaledb`;
  return {
    storage: "timescaledb",
    address,
    owner,
    app,
    close: async () => {
      await Promise.all([owner.close(), app.close()]);
      await admin`drop database ${admin(name)} with (force)`;
      await admin.end();
    },
  };
}

/** What TimescaleDB does every minute by itself; plain Postgres has done it already. */
export async function refreshRollUps({ storage, owner: { sql } }: SeriesDatabase): Promise<void> {
  if (storage === "tables") return;
  const [job] = await sql`select job_id from timescaledb_information.jobs where proc_name = 'refresh_roll_ups'`;
  await sql.unsafe(`call run_job(${job?.job_id})`);
}

/** What the program does every hour, or TimescaleDB every day. */
export async function dropOld({ storage, app, owner: { sql } }: SeriesDatabase): Promise<void> {
  await dropOldSeries(app.sql);
  if (storage === "tables") return;
  const jobs = await sql`select job_id from timescaledb_information.jobs where proc_name = 'policy_retention'`;
  for (const { job_id } of jobs) await sql.unsafe(`call run_job(${job_id})`);
}

/** Compresses what is more than a day old, as TimescaleDB does sooner or later. */
export async function compress({ storage, owner: { sql } }: SeriesDatabase, table: string): Promise<void> {
  if (storage === "tables") return;
  await sql`select compress_chunk(c, if_not_compressed => true) from show_chunks(${table}::regclass, older_than => now() - interval '1 day') c`;
}

/** A symbol of which nothing is stored yet. */
export async function newSymbol({ owner: { sql } }: SeriesDatabase): Promise<number> {
  const [row] = await sql<{ id: number }[]>`
    insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, price_precision,
      quantity_precision, tick_size, step_size)
    select market_id, asset_class_id, upper(left(replace(gen_random_uuid()::text, '-', ''), 20)), 'Test', base_currency, quote_currency,
      price_precision, quantity_precision, tick_size, step_size from symbols order by id limit 1 returning id`;
  if (row === undefined) throw new Error("no symbol");
  return row.id;
}

/** As the program reads it, with every statement that it sends. */
export interface WatchedDatabase extends Database {
  readonly statements: readonly { readonly text: string; readonly parameters: readonly unknown[] }[];
}

export async function watch({ address }: SeriesDatabase): Promise<WatchedDatabase> {
  const statements: WatchedDatabase["statements"][number][] = [];
  const options: postgres.Options<Record<string, postgres.PostgresType>> = {
    max: 1,
    onnotice: () => {},
    connection: { TimeZone: "UTC", role: "tradegraph_app" },
    debug: (_connection, text, parameters) => statements.push({ text, parameters }),
  };
  const sql = "url" in address ? postgres(address.url, options) : postgres({ ...options, ...address });
  const db = drizzle(sql);
  // The driver asks for the types of this database first.
  await sql`select`;
  statements.length = 0;
  return {
    sql,
    db,
    poolSize: 1,
    stats: new DatabaseStats(),
    statements,
    close: () => sql.end({ timeout: 5 }),
    giveUp: () => void sql.end({ timeout: 0 }),
  };
}
