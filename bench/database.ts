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
  await migrate(owner.sql, log, await readMigrations("drizzle"));
  await seedReferenceData(owner, "simulated");
  const app = connect({ address, role: "tradegraph_app", poolSize: 4, applicationName: "bench app" });
  // Work of minutes, where an answer to a request must come within 30 s.
  await owner.sql`set statement_timeout = 0`;
  return {
    owner,
    app,
    close: async () => {
      await Promise.all([owner.close(), app.close()]);
      await close();
    },
  };
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
