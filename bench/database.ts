import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import postgres from "postgres";
import { seedReferenceData } from "../src/catalogue/seed.js";
import { connect, type Database, type DatabaseAddress } from "../src/db/connect.js";
import { startEmbeddedPostgres } from "../src/db/embedded.js";
import { migrate, readMigrations } from "../src/db/migrations.js";

export interface BenchDatabase {
  readonly address: DatabaseAddress;
  readonly owner: Database;
  readonly app: Database;
  close(): Promise<void>;
}

/** Migrated and seeded: in an embedded Postgres with its usual settings, or on the server of BENCH_DATABASE_URL. */
export async function openBenchDatabase(): Promise<BenchDatabase> {
  const log = pino({ level: "silent" });
  const { address, close } = await newDatabase();
  const owner = connect({ address, role: null, poolSize: 2, applicationName: "bench owner" });
  await owner.sql`create extension if not exists timescaledb`.catch(() => {});
  await migrate(owner.sql, log, { known: await readMigrations("drizzle") });
  await seedReferenceData(owner, "simulated");
  const app = connect({ address, role: "tradegraph_app", poolSize: 4, applicationName: "bench app" });
  // Work of minutes, where an answer to a request must come within 30 s.
  await owner.sql`set statement_timeout = 0`;
  return {
    address,
    owner,
    app,
    close: async () => {
      await Promise.all([owner.close(), app.close()]);
      await close();
    },
  };
}

export interface BenchSymbol {
  readonly id: number;
  readonly ticker: string;
}

/** The default symbols, and as many more as are asked for, all on one market, all with a quote. */
export async function fillSymbols({ sql }: Database, count: number): Promise<BenchSymbol[]> {
  await sql`
    insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, price_precision,
      quantity_precision, tick_size, step_size)
    select m.id, m.asset_class_id, 'BENCH' || n || 'USDT', 'Bench ' || n, 'BENCH' || n, 'USDT', 2, 5, 0.01, 0.00001
    from markets m, generate_series(1, ${count}::int - 9) n where m.code = 'BINANCE_SPOT'`;
  const symbols = await sql<BenchSymbol[]>`
    select s.id, s.ticker from symbols s join markets m on m.id = s.market_id
    where m.code = 'BINANCE_SPOT' and s.is_active order by s.is_default desc, s.display_order, s.id limit ${count}`;
  await sql`
    insert into symbol_quotes (symbol_id, price, bid, bid_quantity, ask, ask_quantity, open_24h, high_24h, low_24h, change_24h,
      change_percent_24h, volume_24h, quote_volume_24h, sequence, provider_id, exchange_time, received_at)
    select s.id, 64000.12, 64000.11, 1, 64000.13, 1, 62765.62, 65000, 62000, 1234.5, 1.96, 23456.789, 1501234567.89,
      1, p.id, now(), now()
    from symbols s, data_providers p where s.id = any(${symbols.map(({ id }) => id)}::int[]) and p.code = (
      select code from data_providers where market_id = s.market_id and is_primary)`;
  return [...symbols];
}

let opened = 0;

async function newDatabase(): Promise<{ address: DatabaseAddress; close: () => Promise<void> }> {
  const url = process.env.BENCH_DATABASE_URL;
  const name = `bench_${process.pid}_${++opened}`;
  if (url !== undefined) {
    const admin = postgres(url, { max: 1, onnotice: () => {} });
    await admin`create database ${admin(name)} template template0`;
    const address = new URL(url);
    address.pathname = `/${name}`;
    const close = async () => {
      await admin`drop database ${admin(name)} with (force)`;
      await admin.end();
    };
    return { address: { url: address.href }, close };
  }
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-bench-"));
  const cluster = await startEmbeddedPostgres({ dataDirectory: join(folder, "data"), log: pino({ level: "silent" }) });
  const { host, port, user } = cluster;
  const admin = postgres({ host, port, user, database: "postgres", max: 1, onnotice: () => {} });
  await admin`create database ${admin(name)}`;
  await admin.end();
  const close = async () => {
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { address: { host, port, user, database: name }, close };
}
