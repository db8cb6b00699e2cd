import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import { seedReferenceData } from "../../src/catalogue/seed.js";
import { connect } from "../../src/db/connect.js";
import { startEmbeddedPostgres } from "../../src/db/embedded.js";
import { migrate } from "../../src/db/migrations.js";
import { buildProgram } from "./program.js";

declare module "vitest" {
  interface ProvidedContext {
    cluster: { host: string; port: number; user: string };
  }
}

/** Migrated and seeded once; every test file copies it, which takes a few milliseconds. */
export const templateDatabase = "tradegraph_template";

/**
 * One Postgres for the whole run: the embedded one, or with TEST_POSTGRES_BIN=<folder of initdb and postgres> an installed
 * one of another version. Each test file makes its own database in it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Once, before any test file: several run at a time, and none may start a program that another is just building.
  buildProgram();
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-test-"));
  // The server may run as another user than this one, who must be able to pass.
  await chmod(folder, 0o755);
  const log = pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" });
  const bin = process.env.TEST_POSTGRES_BIN;
  const cluster = await startEmbeddedPostgres({
    dataDirectory: join(folder, "data"),
    log,
    // The tests' data may be lost with the machine.
    settings: { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "300" },
    ...(bin === undefined ? {} : { binaries: { initdb: join(bin, "initdb"), postgres: join(bin, "postgres") } }),
  });
  const { host, port, user } = cluster;
  const admin = postgres({ host, port, user, database: "postgres", max: 1, onnotice: () => {} });
  await admin`create database ${admin(templateDatabase)}`;
  const template = connect({
    address: { host, port, user, database: templateDatabase },
    role: null,
    poolSize: 1,
    applicationName: "test template",
  });
  await migrate(template.sql, log);
  await seedReferenceData(template, "simulated");
  await template.close();
  await admin.end();
  project.provide("cluster", { host, port, user });
  return async () => {
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  };
}
