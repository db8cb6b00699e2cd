import { bytesText, type Finding, fail, gib, mib, ok, warn } from "./doctor-finding.js";

/** As pg_settings has them: numbers in `unit`. */
export type Settings = Readonly<Record<string, { readonly setting: string; readonly unit: string | null }>>;

export interface Surroundings {
  /** Of the machine of the database; null: it is another one, and nobody says. */
  readonly memoryBytes: number | null;
  /** Connections that one node of the program opens. */
  readonly connectionsPerNode: number;
  readonly nodes: number;
  /** The embedded server is made for development, and is not measured against a machine. */
  readonly isEmbedded: boolean;
}

/** Connections that are left for people and for backups. */
const spareConnections = 5;

const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1024,
  "8kB": 8192,
  MB: mib,
  GB: gib,
  "16MB": 16 * mib,
  ms: 1,
  s: 1_000,
  min: 60_000,
};

/** In bytes or milliseconds where it has a unit; NaN when this server does not know it. */
function settingOf(settings: Settings, name: string): number {
  const found = settings[name];
  return found === undefined ? Number.NaN : Number(found.setting) * (units[found.unit ?? ""] ?? 1);
}

/** What must not be lost is lost without these, whatever the machine. */
export function checkDurability(settings: Settings): Finding[] {
  const dangerous = [
    ["fsync", "a crash of the machine can destroy the whole database"],
    ["full_page_writes", "a crash of the machine can destroy pages"],
    ["synchronous_commit", "a crash loses orders that were acknowledged already"],
  ] as const;
  const off = dangerous.filter(([name]) => settings[name]?.setting === "off");
  return off.length === 0
    ? [ok("durability", "what is acknowledged is on the disk")]
    : off.map(([name, harm]) => fail("durability", `${name} is off: ${harm}`, `alter system set ${name} = on`));
}

export function checkConnections(settings: Settings, on: Surroundings): Finding {
  const { connectionsPerNode, nodes } = on;
  const allowed = settingOf(settings, "max_connections") - (settingOf(settings, "superuser_reserved_connections") || 0);
  const needed = connectionsPerNode * nodes + spareConnections;
  const detail = `${nodes} node(s) with up to ${connectionsPerNode} connections each and ${spareConnections} to spare, of ${allowed}`;
  if (needed <= allowed) return ok("pool", detail);
  return warn(
    "pool",
    detail,
    `lower DATABASE_POOL_SIZE, raise max_connections to ${needed + 3}, or put PgBouncer in between (transaction mode)`,
  );
}

/** @returns what is not as it should be for the machine; one line when all of it is */
export function checkMemorySettings(settings: Settings, { memoryBytes, isEmbedded }: Surroundings): Finding[] {
  if (isEmbedded) return [ok("memory of db", "the embedded server keeps small, for development")];
  const findings: Finding[] = [];
  const value = (name: string) => settingOf(settings, name);
  const set = (name: string, bytes: number) => `alter system set ${name} = '${Math.round(bytes / mib)}MB'`;
  const shared = value("shared_buffers");
  if (memoryBytes === null) {
    if (shared <= 128 * mib)
      findings.push(
        warn(
          "shared_buffers",
          `${bytesText(shared)}, the default`,
          "set it to a quarter of the memory of the database's machine",
        ),
      );
  } else {
    const quarter = memoryBytes / 4;
    if (shared < quarter * 0.5 || shared > memoryBytes * 0.45)
      findings.push(
        warn("shared_buffers", `${bytesText(shared)} of ${bytesText(memoryBytes)}`, set("shared_buffers", quarter)),
      );
    const cache = value("effective_cache_size");
    if (cache < memoryBytes * 0.4 || cache > memoryBytes)
      findings.push(
        warn(
          "effective_cache_size",
          `${bytesText(cache)} of ${bytesText(memoryBytes)}`,
          set("effective_cache_size", memoryBytes * 0.7),
        ),
      );
    const most = value("work_mem") * value("max_connections");
    if (most > memoryBytes / 2)
      findings.push(
        warn(
          "work_mem",
          `${bytesText(value("work_mem"))} for each of ${value("max_connections")} connections can be more than half of the memory`,
          set("work_mem", Math.max(4 * mib, memoryBytes / 4 / value("max_connections"))),
        ),
      );
  }
  if (value("work_mem") < 4 * mib)
    findings.push(
      warn("work_mem", bytesText(value("work_mem")), "alter system set work_mem = '4MB', or sorts go to the disk"),
    );
  if (value("maintenance_work_mem") < 64 * mib)
    findings.push(
      warn(
        "maintenance_work_mem",
        bytesText(value("maintenance_work_mem")),
        "alter system set maintenance_work_mem = '256MB': vacuum and new indexes take long",
      ),
    );
  return findings.length === 0
    ? [ok("memory of db", `shared_buffers ${bytesText(shared)}, and the rest fits`)]
    : findings;
}

export function checkWal(settings: Settings, { isEmbedded }: Surroundings): Finding[] {
  const findings: Finding[] = [];
  const text = (name: string) => settings[name]?.setting ?? "";
  if (text("wal_level") === "minimal")
    findings.push(
      warn("wal", "wal_level is minimal", "alter system set wal_level = 'replica': backups and standbys need it"),
    );
  if (!isEmbedded && text("archive_mode") === "off")
    findings.push(
      warn(
        "wal",
        "archive_mode is off",
        "archive the WAL (pgBackRest), or everything since the last backup is lost with the disk",
      ),
    );
  if (settingOf(settings, "max_wal_size") < gib)
    findings.push(
      warn(
        "wal",
        `max_wal_size is ${bytesText(settingOf(settings, "max_wal_size"))}`,
        "alter system set max_wal_size = '4GB': checkpoints come too often",
      ),
    );
  if (settingOf(settings, "checkpoint_completion_target") < 0.7)
    findings.push(
      warn(
        "wal",
        `checkpoint_completion_target is ${text("checkpoint_completion_target")}`,
        "alter system set checkpoint_completion_target = 0.9",
      ),
    );
  return findings.length === 0
    ? [ok("wal", `${text("wal_level")}, up to ${bytesText(settingOf(settings, "max_wal_size"))}`)]
    : findings;
}

export function checkPlanning(settings: Settings): Finding[] {
  const findings: Finding[] = [];
  const text = (name: string) => settings[name]?.setting ?? "";
  if (settingOf(settings, "random_page_cost") > 2)
    findings.push(
      warn(
        "planner",
        `random_page_cost is ${text("random_page_cost")}`,
        "alter system set random_page_cost = 1.1 where the disk is no spinning one: indexes are passed over",
      ),
    );
  if (text("autovacuum") === "off" || text("track_counts") === "off")
    findings.push(
      fail(
        "autovacuum",
        "it is off",
        "alter system set autovacuum = on: tables grow, and in the end the database stops",
      ),
    );
  if (text("jit") === "on" && settingOf(settings, "jit_above_cost") < 100_000)
    findings.push(
      warn("planner", "jit is on for small statements", "alter system set jit = off: it costs more than it saves here"),
    );
  return findings.length === 0
    ? [ok("planner", `random_page_cost ${text("random_page_cost")}, autovacuum on`)]
    : findings;
}

export function checkTimeZone(settings: Settings): Finding {
  const zone = settings.log_timezone?.setting ?? "";
  return /^(UTC|Etc\/UTC|GMT|Etc\/GMT|Z)$/i.test(zone)
    ? ok("time zone", `the server logs in ${zone}`)
    : warn(
        "time zone",
        `the server logs in ${zone}, the program in UTC`,
        "alter system set log_timezone = 'UTC', or the two cannot be laid side by side",
      );
}

/** Its workers, besides those of Postgres. */
export function checkTimescale(settings: Settings): Finding[] {
  const own = settingOf(settings, "timescaledb.max_background_workers");
  if (Number.isNaN(own)) return [];
  const all = settingOf(settings, "max_worker_processes");
  const needed = own + settingOf(settings, "max_parallel_workers") + 3;
  if (all >= needed) return [ok("timescaledb", `${own} of ${all} workers`)];
  return [
    warn(
      "timescaledb",
      `${all} workers for ${needed} that may be wanted`,
      `alter system set max_worker_processes = ${needed}: compression and retention wait`,
    ),
  ];
}
