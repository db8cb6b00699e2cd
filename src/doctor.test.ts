import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../test/support/database.js";
import { type Config, parseConfig } from "./config.js";
import { checkSkew, runDoctor } from "./doctor.js";
import { checkConfig } from "./doctor-config.js";
import type { Finding } from "./doctor-finding.js";
import { checkFreeSpace, checkMemory, checkNode, checkOpenFiles, checkSecretFiles } from "./doctor-machine.js";
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

const gib = 1024 ** 3;
const config = (env: Record<string, string> = {}): Config => parseConfig(env);
const changes = (findings: readonly Finding[]) =>
  findings.filter(({ verdict }) => verdict !== "ok").map(({ name, verdict }) => `${verdict} ${name}`);

/** A server of 8 GiB that is set as it should be. */
const good: Settings = {
  max_connections: { setting: "100", unit: null },
  superuser_reserved_connections: { setting: "3", unit: null },
  shared_buffers: { setting: String((2 * gib) / 8192), unit: "8kB" },
  effective_cache_size: { setting: String((6 * gib) / 8192), unit: "8kB" },
  work_mem: { setting: String(16 * 1024), unit: "kB" },
  maintenance_work_mem: { setting: String(512 * 1024), unit: "kB" },
  fsync: { setting: "on", unit: null },
  full_page_writes: { setting: "on", unit: null },
  synchronous_commit: { setting: "on", unit: null },
  wal_level: { setting: "replica", unit: null },
  archive_mode: { setting: "on", unit: null },
  max_wal_size: { setting: "4096", unit: "MB" },
  checkpoint_completion_target: { setting: "0.9", unit: null },
  random_page_cost: { setting: "1.1", unit: null },
  autovacuum: { setting: "on", unit: null },
  track_counts: { setting: "on", unit: null },
  jit: { setting: "off", unit: null },
  jit_above_cost: { setting: "100000", unit: null },
  log_timezone: { setting: "Etc/UTC", unit: null },
  max_worker_processes: { setting: "32", unit: null },
  max_parallel_workers: { setting: "8", unit: null },
  "timescaledb.max_background_workers": { setting: "16", unit: null },
};
const around: Surroundings = { memoryBytes: 8 * gib, connectionsPerNode: 15, nodes: 4, isEmbedded: false };
const judge = (more: Record<string, [string, string?]> = {}, on: Partial<Surroundings> = {}) => {
  const changed = Object.entries(more).map(([name, [setting, unit]]) => [
    name,
    { setting, unit: unit ?? good[name]?.unit ?? null },
  ]);
  const settings: Settings = { ...good, ...Object.fromEntries(changed) };
  const surroundings = { ...around, ...on };
  return changes([
    ...checkDurability(settings),
    checkConnections(settings, surroundings),
    ...checkMemorySettings(settings, surroundings),
    ...checkWal(settings, surroundings),
    ...checkPlanning(settings),
    checkTimeZone(settings),
    ...checkTimescale(settings),
  ]);
};

describe("the settings of Postgres", () => {
  test("that fit are left alone", () => {
    expect(judge()).toEqual([]);
  });

  test.each<[string, Record<string, [string, string?]>, Partial<Surroundings>, string[]]>([
    ["fsync off", { fsync: ["off"] }, {}, ["fail durability"]],
    ["full_page_writes off", { full_page_writes: ["off"] }, {}, ["fail durability"]],
    ["synchronous_commit off", { synchronous_commit: ["off"] }, {}, ["fail durability"]],
    ["a pool that does not fit the nodes", {}, { nodes: 7 }, ["warn pool"]],
    ["too small shared_buffers", { shared_buffers: ["16384"] }, {}, ["warn shared_buffers"]],
    ["too large shared_buffers", { shared_buffers: [String((5 * gib) / 8192)] }, {}, ["warn shared_buffers"]],
    [
      "default shared_buffers on an unknown machine",
      { shared_buffers: ["16384"] },
      { memoryBytes: null },
      ["warn shared_buffers"],
    ],
    [
      "an effective_cache_size of less than the cache",
      { effective_cache_size: ["131072"] },
      {},
      ["warn effective_cache_size"],
    ],
    [
      "more effective_cache_size than memory",
      { effective_cache_size: [String((9 * gib) / 8192)] },
      {},
      ["warn effective_cache_size"],
    ],
    ["work_mem that all connections cannot have", { work_mem: [String(64 * 1024)] }, {}, ["warn work_mem"]],
    ["too little work_mem", { work_mem: ["1024"] }, {}, ["warn work_mem"]],
    ["too little maintenance_work_mem", { maintenance_work_mem: ["1024"] }, {}, ["warn maintenance_work_mem"]],
    ["wal_level minimal", { wal_level: ["minimal"] }, {}, ["warn wal"]],
    ["no archive", { archive_mode: ["off"] }, {}, ["warn wal"]],
    ["small max_wal_size", { max_wal_size: ["512"] }, {}, ["warn wal"]],
    ["hasty checkpoints", { checkpoint_completion_target: ["0.5"] }, {}, ["warn wal"]],
    ["the random_page_cost of a spinning disk", { random_page_cost: ["4"] }, {}, ["warn planner"]],
    ["jit for small statements", { jit: ["on"], jit_above_cost: ["10"] }, {}, ["warn planner"]],
    ["no autovacuum", { autovacuum: ["off"] }, {}, ["fail autovacuum"]],
    ["autovacuum without counts", { track_counts: ["off"] }, {}, ["fail autovacuum"]],
    ["another time zone", { log_timezone: ["Europe/Berlin"] }, {}, ["warn time zone"]],
    ["too few workers for TimescaleDB", { max_worker_processes: ["8"] }, {}, ["warn timescaledb"]],
    [
      "an embedded server, which keeps small",
      { shared_buffers: ["16384"], archive_mode: ["off"] },
      { isEmbedded: true },
      [],
    ],
  ])("%s", (_, more, on, expected) => {
    expect(judge(more, on)).toEqual(expected);
  });

  test("say what to set, in the units of Postgres", () => {
    const [finding] = checkMemorySettings({ ...good, shared_buffers: { setting: "16384", unit: "8kB" } }, around);
    expect(finding).toMatchObject({
      detail: "128 MiB of 8.0 GiB",
      change: "alter system set shared_buffers = '2048MB'",
    });
  });
});

describe("the machine", () => {
  test.each([
    ["v20.19.0", "ok"],
    ["v24.1.0", "ok"],
    ["v20.18.9", "fail"],
    ["v18.20.0", "fail"],
  ])("Node %s: %s", (version, verdict) => {
    expect(checkNode(version).verdict).toBe(verdict);
  });

  test("memory, open files, disk and clock", () => {
    expect(checkMemory(8 * gib, 4 * gib).verdict).toBe("ok");
    expect(checkMemory(gib / 4, gib / 8).verdict).toBe("warn");
    expect(checkMemory(gib, 4 * gib).change).toContain("--max-old-space-size=768");
    const limits = (soft: string) =>
      `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}                 65536                files\n`;
    expect(checkOpenFiles(limits("65536"), config()).verdict).toBe("ok");
    expect(checkOpenFiles(limits("unlimited"), config()).verdict).toBe("ok");
    expect(checkOpenFiles(limits("1024"), config()).change).toContain("ulimit -n 10210");
    expect(checkOpenFiles(limits("1024"), config({ ROLES: "worker" })).verdict).toBe("ok");
    expect(checkOpenFiles(null, config()).verdict).toBe("ok");
    expect(checkFreeSpace("disk", "/x", gib).verdict).toBe("warn");
    expect(checkFreeSpace("disk", "/x", 3 * gib).verdict).toBe("ok");
    expect(checkSkew(999).verdict).toBe("ok");
    expect(checkSkew(5_000)).toMatchObject({
      verdict: "fail",
      detail: "5000 ms between this machine and the database",
    });
  });

  test("secrets that others can read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "health-doctor-"));
    const check = () => checkSecretFiles({ dataDirectory: folder, workingDirectory: folder });
    expect(await check()).toEqual([]);
    await writeFile(join(folder, "encryption-keys"), "x", { mode: 0o600 });
    await writeFile(join(folder, ".env"), "x");
    await chmod(join(folder, ".env"), 0o644);
    expect((await check()).map(({ verdict }) => verdict)).toEqual(["ok", "fail"]);
    await rm(folder, { recursive: true });
  });
});

describe("the configuration", () => {
  const database = "postgres://x@db/x";
  const production = {
    DATABASE_URL: database,
    MIGRATION_DATABASE_URL: "postgres://owner@db/x",
    ENCRYPTION_KEYS: `main:${Buffer.alloc(32, 1).toString("base64")}`,
    SMTP_URL: "smtp://mail",
    AUTO_MIGRATE: "false",
  };
  test("that is complete has one line", () => {
    expect(checkConfig(config(production)).map(({ verdict }) => verdict)).toEqual(["ok"]);
    expect(checkConfig(config()).map(({ verdict }) => verdict)).toEqual(["ok"]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["an API node alone", { ROLES: "api" }, "fail: this node has no feed"],
    ["no keys", { ...production, ENCRYPTION_KEYS: "" }, "warn: there is no ENCRYPTION_KEYS"],
    ["no mail", { ...production, SMTP_URL: "" }, "warn: there is no SMTP_URL"],
    [
      "the owner's login",
      { ...production, MIGRATION_DATABASE_URL: database },
      "warn: the running program signs in as the owner",
    ],
    ["live prices in the embedded database", { MODE: "live" }, "warn: live prices"],
    ["every site", { CORS_ORIGINS: "*" }, "warn: CORS_ORIGINS is *"],
    ["metrics that nobody can read", { HOST: "0.0.0.0" }, "warn: /metrics answers only"],
    [
      "introspection for everybody",
      { ...production, HOST: "0.0.0.0", METRICS_TOKEN: "abcdefghijklmnopqrstuvwxyz" },
      "warn: INTROSPECTION is on",
    ],
    ["a token of one letter", { OPERATOR_TOKEN: "a".repeat(40) }, "fail: OPERATOR_TOKEN can be guessed"],
  ])("%s", (_, env, expected) => {
    const found = checkConfig(config(env));
    expect(found.map(({ verdict, detail }) => `${verdict}: ${detail}`)).toEqual([expect.stringContaining(expected)]);
    expect(JSON.stringify(found)).not.toContain("aaaaaaaa");
  });
});

describe("the doctor", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.close());
  const examine = async (env: Record<string, string> = {}) => {
    const { host, port, user, database: name } = { ...inject("cluster"), ...database.address };
    const url = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
    const lines: string[] = [];
    const status = await runDoctor(
      config({ DATABASE_URL: url, PORT: "0", DATABASE_WAIT_MS: "100", ...env }),
      { json: true, nodes: 1 },
      pino({ level: "silent" }),
      (line) => lines.push(line),
    );
    const findings = JSON.parse(lines.join("\n")) as Finding[];
    return { status, of: (name: string) => findings.filter((finding) => finding.name === name) };
  };

  test("looks at a real server, and fails where something acknowledged can be lost", async () => {
    const { status, of } = await examine();
    // The tests' server is quick instead of safe.
    expect(of("durability").map(({ detail }) => detail.split(" ")[0])).toEqual([
      "fsync",
      "full_page_writes",
      "synchronous_commit",
    ]);
    expect(status).toBe(1);
    for (const name of ["postgres", "extensions", "encoding", "clock", "migrations", "disk of db", "pool"])
      expect(of(name)[0], name).toBeDefined();
    expect(of("migrations")).toMatchObject([{ verdict: "ok", detail: "up to date" }]);
    expect(of("login")).toMatchObject([{ verdict: "ok" }]);
  });

  test("says that a database, a role or a broker is not there", async () => {
    const none = await examine({ DATABASE_URL: "postgres://nobody@127.0.0.1:1/x" });
    expect(none.of("postgres")).toMatchObject([{ verdict: "fail" }]);
    const { of, status } = await examine({ DATABASE_ROLE: "no_such_role", NATS_URL: "nats://127.0.0.1:1" });
    expect(of("login")).toMatchObject([{ verdict: "fail", change: "grant no_such_role to it" }]);
    expect(of("nats")).toMatchObject([{ verdict: "fail" }]);
    expect(status).toBe(1);
  });
});
