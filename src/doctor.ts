import { access, constants, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import type { Config } from "./config.js";
import { errorMessage } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { withOwner } from "./database-commands.js";
import { pendingMigrations, readMigrations } from "./db/migrations.js";

interface Finding {
  readonly name: string;
  readonly verdict: "ok" | "warn" | "fail";
  readonly detail: string;
}

const oldestNode = [20, 19] as const;
const enoughDiskBytes = 2 * 1024 ** 3;
const tolerableClockSkewMs = 1_000;

/** Looks at the machine, the configuration and the database, and says what to change. Returns the exit status. */
export async function runDoctor(config: Config, log: Logger, print: (line: string) => void): Promise<number> {
  const findings = [
    checkNode(),
    await checkPort(config),
    await checkDisk(config),
    ...(await checkDatabase(config, log)),
  ];
  for (const { name, verdict, detail } of findings)
    print(`${verdict.toUpperCase().padEnd(4)}  ${name.padEnd(12)}  ${detail}`);
  return findings.some((finding) => finding.verdict === "fail") ? 1 : 0;
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  return {
    name: "node",
    verdict: ok ? "ok" : "fail",
    detail: `${process.version}${ok ? "" : `; install ${oldestNode.join(".")} or newer`}`,
  };
}

async function checkPort({ host, port }: Config): Promise<Finding> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen({ host, port }, resolve);
    });
    return { name: "port", verdict: "ok", detail: `${host}:${port} is free` };
  } catch (error) {
    return {
      name: "port",
      verdict: "warn",
      detail: `${errorMessage(error)}; tradegraph may be running already, else choose another with PORT`,
    };
  } finally {
    await new Promise<void>((resolve) => probe.close(() => resolve()));
  }
}

async function checkDisk({ databaseUrl, dataDirectory }: Config): Promise<Finding> {
  if (databaseUrl !== null) return { name: "disk", verdict: "ok", detail: "the database is elsewhere" };
  let folder = dataDirectory;
  while (
    !(await access(folder).then(
      () => true,
      () => false,
    ))
  )
    folder = dirname(folder);
  try {
    await access(folder, constants.W_OK);
  } catch {
    return {
      name: "disk",
      verdict: "fail",
      detail: `${folder} is not writable; choose another with TRADEGRAPH_DATA_DIR`,
    };
  }
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const enough = freeBytes > enoughDiskBytes;
  return {
    name: "disk",
    verdict: enough ? "ok" : "warn",
    detail: `${(freeBytes / 1024 ** 3).toFixed(1)} GiB free in ${folder}${enough ? "" : "; make room"}`,
  };
}

async function checkDatabase(config: Config, log: Logger): Promise<Finding[]> {
  try {
    return await withOwner(config, log, async ({ sql }) => {
      const startMs = performance.now();
      const [server] = await sql<
        { version: string; nowMs: number; maxConnections: number; timescale: string | null; trgm: boolean }[]
      >`
        select current_setting('server_version') as version, (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
          current_setting('max_connections')::int as "maxConnections",
          (select extversion from pg_extension where extname = 'timescaledb') as timescale,
          exists (select from pg_available_extensions where name = 'pg_trgm') as trgm`;
      const latencyMs = performance.now() - startMs;
      if (server === undefined) throw new Error("the server answered nothing");
      const skewMs = Math.abs(Date.now() - server.nowMs) - latencyMs;
      const pending = await pendingMigrations(sql, await readMigrations());
      const findings: Finding[] = [
        {
          name: "postgres",
          verdict: "ok",
          detail: `${server.version}, answered in ${latencyMs.toFixed(1)} ms, TimescaleDB ${server.timescale ?? "not installed (not needed)"}`,
        },
        {
          name: "extensions",
          verdict: server.trgm ? "ok" : "fail",
          detail: server.trgm ? "pg_trgm is available" : "pg_trgm is missing: install the contrib package of Postgres",
        },
        {
          name: "clock",
          verdict: skewMs < tolerableClockSkewMs ? "ok" : "warn",
          detail: `${Math.max(0, skewMs).toFixed(0)} ms between this machine and the database${skewMs < tolerableClockSkewMs ? "" : "; synchronise both with NTP"}`,
        },
        {
          name: "pool",
          verdict: config.databasePoolSize + 5 < server.maxConnections ? "ok" : "warn",
          detail: `${config.databasePoolSize} of ${server.maxConnections} connections per node${config.databasePoolSize + 5 < server.maxConnections ? "" : "; lower DATABASE_POOL_SIZE or raise max_connections"}`,
        },
        {
          name: "migrations",
          verdict: pending.length === 0 ? "ok" : "warn",
          detail: pending.length === 0 ? "up to date" : `${pending.length} to apply: run "tradegraph migrate"`,
        },
      ];
      return findings;
    });
  } catch (error) {
    return [{ name: "postgres", verdict: "fail", detail: errorMessage(error) }];
  }
}
