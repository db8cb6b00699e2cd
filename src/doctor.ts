import { readFile, statfs } from "node:fs/promises";
import type { Config } from "./config.js";
import { errorMessage } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { withOwner } from "./database-commands.js";
import { connect, type DatabaseAddress, type Sql } from "./db/connect.js";
import { pendingMigrations, readMigrations } from "./db/migrations.js";
import { checkConfig } from "./doctor-config.js";
import { type Finding, fail, ok, warn } from "./doctor-finding.js";
import {
  checkDisk,
  checkFreeSpace,
  checkMemory,
  checkNode,
  checkOpenFiles,
  checkPort,
  checkSecretFiles,
  memoryOf,
} from "./doctor-machine.js";
import {
  checkConnections,
  checkDurability,
  checkMemorySettings,
  checkPlanning,
  checkTimescale,
  checkTimeZone,
  checkWal,
  type Settings,
  type Surroundings,
} from "./doctor-postgres.js";

const tolerableClockSkewMs = 1_000;
const slowDatabaseMs = 20;
const natsTimeoutMs = 3_000;
/** Beside the pool: what listens for changes, and what checks the data. */
const furtherConnections = 5;

export interface DoctorOptions {
  readonly json: boolean;
  /** Nodes that share the database. */
  readonly nodes: number;
}

/** Looks at the machine, the configuration and the database, and says what to change. Returns the exit status: 1 when something does not work. */
export async function runDoctor(
  config: Config,
  options: DoctorOptions,
  log: Logger,
  print: (line: string) => void,
): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => null);
  const findings = [
    checkNode(process.version),
    checkMemory(await memoryOf()),
    checkOpenFiles(limits, config),
    await checkPort(config),
    await checkDisk(config),
    ...(await checkSecretFiles({ dataDirectory: config.dataDirectory, workingDirectory: process.cwd() })),
    ...checkConfig(config),
    ...(await checkDatabase(config, options.nodes, log)),
    ...(await checkNats(config)),
  ];
  const failed = findings.some(({ verdict }) => verdict === "fail");
  if (options.json) print(JSON.stringify(findings, null, 2));
  else for (const finding of findings) print(lineOf(finding));
  return failed ? 1 : 0;
}

const lineOf = ({ name, verdict, detail, change }: Finding): string =>
  `${verdict.toUpperCase().padEnd(4)}  ${name.padEnd(20)}  ${detail}${change === null ? "" : `\n${"".padEnd(28)}→ ${change}`}`;

async function checkDatabase(config: Config, nodes: number, log: Logger): Promise<Finding[]> {
  try {
    return await withOwner(config, log, async ({ sql }) => [
      ...(await checkServer(sql)),
      ...(await checkSettings(sql, config, nodes)),
      ...(await checkSchema(sql)),
      ...(await checkLogins(config)),
    ]);
  } catch (error) {
    return [fail("postgres", errorMessage(error), "start it, or correct DATABASE_URL")];
  }
}

async function checkServer(sql: Sql): Promise<Finding[]> {
  // The first statement also connects.
  await sql`select 1`;
  const startMs = performance.now();
  const [server] = await sql<
    {
      version: string;
      nowMs: number;
      timescale: string | null;
      trgm: boolean;
      encoding: string;
      checksums: string;
      plain: boolean;
    }[]
  >`
    select current_setting('server_version') as version, (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
      (select extversion from pg_extension where extname = 'timescaledb') as timescale,
      exists (select from pg_available_extensions where name = 'pg_trgm') as trgm, current_setting('server_encoding') as encoding,
      current_setting('data_checksums') as checksums,
      host(inet_server_addr()) !~ '^(127[.]|::1$)' and not coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as plain`;
  const latencyMs = performance.now() - startMs;
  if (server === undefined) throw new Error("the server answered nothing");
  const skewMs = Math.abs(Date.now() - server.nowMs);
  const seen = `${server.version}, answered in ${latencyMs.toFixed(1)} ms, TimescaleDB ${server.timescale ?? "not installed (not needed)"}`;
  return [
    latencyMs < slowDatabaseMs
      ? ok("postgres", seen)
      : warn("postgres", seen, "bring it nearer: every order waits for several answers"),
    server.trgm
      ? ok("extensions", "pg_trgm is available")
      : fail("extensions", "pg_trgm is missing", "install the contrib package of Postgres"),
    server.encoding === "UTF8"
      ? ok("encoding", "UTF8")
      : fail("encoding", server.encoding, "make a new database with encoding UTF8"),
    server.checksums === "on"
      ? ok("checksums", "the server notices what a disk alters")
      : warn(
          "checksums",
          "data checksums are off",
          "pg_checksums --enable while the server is stopped, or initdb --data-checksums",
        ),
    checkSkew(skewMs - latencyMs),
    ...(server.plain
      ? [
          warn(
            "tls",
            "the connection to the database is not encrypted",
            "add ?sslmode=require to DATABASE_URL, or keep it on a private network",
          ),
        ]
      : []),
  ];
}

/** @param skewMs between the clocks of two machines, less the time that the question took */
export function checkSkew(skewMs: number): Finding {
  const detail = `${Math.max(0, skewMs).toFixed(0)} ms between this machine and the database`;
  return skewMs < tolerableClockSkewMs
    ? ok("clock", detail)
    : fail(
        "clock",
        detail,
        "synchronise both with NTP: exchanges refuse orders of another time, and events seem to come from the future",
      );
}

async function checkSettings(sql: Sql, config: Config, nodes: number): Promise<Finding[]> {
  const rows = await sql<
    { name: string; setting: string; unit: string | null }[]
  >`select name, setting, unit from pg_settings`;
  const settings: Settings = Object.fromEntries(rows.map(({ name, ...rest }) => [name, rest]));
  const isEmbedded = config.databaseUrl === null;
  const folder = settings.data_directory?.setting ?? "";
  const [server] = await sql<{ isHere: boolean }[]>`
    select coalesce(host(inet_server_addr()) ~ '^(127[.]|::1$)', true) as "isHere"`;
  const isHere = isEmbedded || server?.isHere === true;
  const space = folder === "" || !isHere ? null : await statfs(folder).catch(() => null);
  const on: Surroundings = {
    memoryBytes: isHere ? await memoryOf() : null,
    connectionsPerNode: config.databasePoolSize + furtherConnections,
    nodes,
    isEmbedded,
  };
  return [
    ...(space === null ? [] : [checkFreeSpace("disk of db", folder, space.bavail * space.bsize)]),
    ...checkDurability(settings),
    checkConnections(settings, on),
    ...checkMemorySettings(settings, on),
    ...checkWal(settings, on),
    ...checkPlanning(settings),
    checkTimeZone(settings),
    ...checkTimescale(settings),
  ];
}

async function checkSchema(sql: Sql): Promise<Finding[]> {
  const pending = await pendingMigrations(sql, await readMigrations());
  return [
    pending.length === 0
      ? ok("migrations", "up to date")
      : warn("migrations", `${pending.length} to apply`, "tradegraph migrate"),
  ];
}

/** Whether the running program, and its checks, may act as what they act as. */
async function checkLogins(config: Config): Promise<Finding[]> {
  const { databaseUrl, monitorDatabaseUrl, databaseRole, roles } = config;
  if (databaseUrl === null) return [];
  const findings = [
    (await mayActAs({ url: databaseUrl }, databaseRole))
      ? ok("login", `may act as ${databaseRole}`)
      : fail("login", `that of DATABASE_URL may not act as ${databaseRole}`, `grant ${databaseRole} to it`),
  ];
  if (roles.has("worker") && !(await mayActAs({ url: monitorDatabaseUrl ?? databaseUrl }, "tradegraph_monitor")))
    findings.push(
      warn(
        "login",
        "no login of this node may act as tradegraph_monitor",
        "set MONITOR_DATABASE_URL on workers, or nobody checks the data while the program runs",
      ),
    );
  return findings;
}

async function mayActAs(address: DatabaseAddress, role: string): Promise<boolean> {
  const database = connect({ address, role, poolSize: 1, applicationName: "tradegraph doctor" });
  try {
    await database.sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await database.close();
  }
}

async function checkNats({ natsUrl }: Config): Promise<Finding[]> {
  if (natsUrl === null) return [];
  const { connect: join } = await import("@nats-io/transport-node");
  try {
    const connection = await join({ servers: natsUrl, timeout: natsTimeoutMs, reconnect: false });
    const detail = `${connection.info?.version}, answered in ${await connection.rtt()} ms`;
    const hasJetStream = connection.info?.jetstream === true;
    await connection.close();
    return [
      hasJetStream
        ? ok("nats", `${detail}, with JetStream`)
        : fail("nats", `${detail}, without JetStream`, "start it with --jetstream: events of orders need it"),
    ];
  } catch (error) {
    return [fail("nats", errorMessage(error), "start it, or correct NATS_URL")];
  }
}
