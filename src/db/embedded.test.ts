import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import type * as Fs from "node:fs";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { processesOn } from "../../test/support/program.js";
import { until } from "../../test/support/until.js";
import { StartError } from "../core/errors.js";
import {
  attachEmbeddedPostgres,
  type EmbeddedAddress,
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from "./embedded.js";
import { findBinaries, type PostgresBinaries } from "./embedded-binaries.js";
import { claimOwnership, liveOwner } from "./embedded-owner.js";

/** What others do between the look at a claim and the next one. */
const meanwhile = vi.hoisted(() => {
  // What other test files have loaded does not ask the one below.
  vi.resetModules();
  return { happens: () => {} };
});
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof Fs>();
  const linkSync: typeof fs.linkSync = (...paths) => {
    const { happens } = meanwhile;
    meanwhile.happens = () => {};
    happens();
    fs.linkSync(...paths);
  };
  return { ...fs, linkSync };
});

const log = pino({ level: "silent" });
/** What a killed process has written is safe without it; only the machine could lose it. */
const quick = { fsync: "off" };
/** A folder that the server can reach, which may run as another user. */
const makeFolder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "tradegraph-embedded-"));
  chmodSync(path, 0o755);
  return path;
};

/** An initialised data folder; a copy takes less time than initdb. */
let template: string;
beforeAll(async () => {
  template = makeFolder();
  await (await startEmbeddedPostgres({ dataDirectory: join(template, "data"), log })).close();
});
afterAll(() => rmSync(template, { recursive: true, force: true }));

let folder: string;
let dataDirectory: string;
let cluster: string;
let servers: EmbeddedPostgres[];
let children: ChildProcess[];
beforeEach(() => {
  folder = makeFolder();
  dataDirectory = join(folder, "data");
  cluster = join(dataDirectory, "postgres");
  servers = [];
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const server of servers) await server.close();
  await until(() => processesOn(folder).length === 0, 20_000);
  rmSync(folder, { recursive: true, force: true });
});

const copyTemplate = () => execFileSync("cp", ["-a", join(template, "data"), dataDirectory]);
async function start(settings: Record<string, string> = {}, binaries?: PostgresBinaries): Promise<EmbeddedPostgres> {
  const options = { dataDirectory, log, settings: { ...quick, ...settings }, ...(binaries && { binaries }) };
  const server = await startEmbeddedPostgres(options);
  servers.push(server);
  return server;
}
/** The pid file of the server, or "". */
const pidFile = (): string => {
  const path = join(cluster, "postmaster.pid");
  return existsSync(path) ? readFileSync(path, "utf8") : "";
};
const pidOf = (): number => Number(pidFile().split("\n")[0]);
const reason = (starting: Promise<unknown>): Promise<string> =>
  starting.then(
    () => expect.fail("should not have started"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(StartError);
      return (error as StartError).message;
    },
  );

async function run<T>({ host, port, user }: EmbeddedAddress, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres({ host, port, user, database: "postgres", max: 1, onnotice: () => {} });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
const write = (address: EmbeddedAddress, n: number) =>
  run(address, (sql) => sql.unsafe(`create table if not exists kept (n int); insert into kept values (${n})`));
const read = (address: EmbeddedAddress): Promise<number[]> =>
  run(address, (sql) => sql<{ n: number }[]>`select n from kept order by n`.then((rows) => rows.map(({ n }) => n)));

/** Another program on the same folder, of the sources and not of an older build; says how it went, and lives until it is ended. */
function startElsewhere(): { readonly child: ChildProcess; readonly said: () => string } {
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { pino } from "pino";
       import { createServer } from "vite";
       const server = { middlewareMode: true, ws: false, watch: null };
       const vite = await createServer({ configFile: false, appType: "custom", logLevel: "silent", server, optimizeDeps: { noDiscovery: true } });
       const module = await vite.ssrLoadModule(${JSON.stringify(fileURLToPath(new URL("embedded.ts", import.meta.url)))});
       try {
         await module.startEmbeddedPostgres({ dataDirectory: ${JSON.stringify(dataDirectory)}, log: pino({ level: "silent" }), settings: ${JSON.stringify(quick)} });
         console.log("started");
         setInterval(() => {}, 1e9);
       } catch (error) { console.log("refused: " + error.message); }`,
    ],
    { stdio: ["ignore", "pipe", "inherit"], cwd: fileURLToPath(new URL("../..", import.meta.url)) },
  );
  children.push(child);
  let said = "";
  child.stdout?.on("data", (data) => (said += data));
  return { child, said: () => said };
}

const started = async (): Promise<ChildProcess> => {
  const { child, said } = startElsewhere();
  await until(() => said() !== "", 20_000);
  expect(said()).toBe("started\n");
  return child;
};
async function killHard(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await until(() => child.signalCode !== null);
}

describe("the embedded Postgres", () => {
  test("starts on an empty folder, keeps its data, and leaves no process behind", async () => {
    mkdirSync(cluster, { recursive: true });
    const first = await start();
    await write(first, 1);
    expect((await attachEmbeddedPostgres(dataDirectory))?.host).toBe(first.host);
    await first.close();
    expect(processesOn(folder)).toEqual([]);
    expect(await attachEmbeddedPostgres(dataDirectory)).toBeNull();
    expect(liveOwner(dataDirectory)).toBeNull();
    // The claim stays, and names nobody.
    expect(readdirSync(dataDirectory).sort()).toEqual(["owner.1.json", "postgres", "run"]);

    const second = await start();
    // A second time, it must not wait for the successor or stop it.
    await first.close();
    expect(await read(second)).toEqual([1]);
  });

  test("comes back by itself with what was committed, when the server is killed", async () => {
    copyTemplate();
    const server = await start();
    await write(server, 1);
    const first = pidOf();
    process.kill(first, "SIGKILL");
    await until(() => pidOf() !== first && pidFile().includes("ready"), 20_000);
    expect(await read(server)).toEqual([1]);
  });

  // The race: the server is told to stop before it listens to signals; this one takes its time until it does.
  test("can be closed while it comes back", async () => {
    copyTemplate();
    const real = await findBinaries();
    const slow = join(folder, "slow-postgres");
    const script = `#!/bin/sh\n[ -e "${folder}/is-slow" ] && sleep 0.5\nexec "${real.postgres}" "$@"\n`;
    writeFileSync(slow, script, { mode: 0o755 });
    const server = await start({}, { initdb: real.initdb, postgres: slow });
    writeFileSync(join(folder, "is-slow"), "");
    process.kill(pidOf(), "SIGKILL");
    await until(() => processesOn(folder).some((line) => line.includes(`/bin/sh ${slow} -D`)), 20_000);
    const complaint = vi.spyOn(log, "error");
    await server.close();
    expect(complaint).not.toHaveBeenCalledWith(expect.anything(), "postgres.does-not-stop");
    expect(processesOn(folder)).toEqual([]);
  });

  test("ends with the program that is killed, and the next start finds what was committed", async () => {
    copyTemplate();
    const child = await started();
    const running = await attachEmbeddedPostgres(dataDirectory);
    if (running === null) throw new Error("not running");
    await write(running, 7);
    expect(await reason(start())).toMatch(new RegExp(`another tradegraph \\(pid ${child.pid}\\) is already running`));
    await killHard(child);
    await until(() => processesOn(folder).length === 0, 20_000);
    expect(await read(await start())).toEqual([7]);
  });

  // The race: the server is told to stop before it listens to signals.
  test("ends with a program that is killed while it starts", async () => {
    copyTemplate();
    for (let round = 0; round < 2; round++) {
      const { child } = startElsewhere();
      await until(() => processesOn(folder).some((line) => !line.includes("--eval")), 20_000);
      await killHard(child);
      await until(() => processesOn(folder).length === 0, 20_000);
    }
    await start();
  });

  // The race: the initdb of the killed program is still at work when the next one begins.
  test("starts at once after a program was killed while it made the cluster", async () => {
    const { child } = startElsewhere();
    const half = () =>
      (existsSync(dataDirectory) ? readdirSync(dataDirectory) : []).find((name) => name.startsWith("initdb"));
    await until(() => existsSync(join(dataDirectory, half() ?? "none", "global", "pg_control")), 20_000);
    await killHard(child);
    await start();
    expect(half()).toBeUndefined();
  });

  // The race: all of them find the same dead owner, and each could take its place.
  test("of several starts at once on the folder of a dead owner, exactly one wins", async () => {
    copyTemplate();
    writeFileSync(join(dataDirectory, "owner.1.json"), JSON.stringify({ pid: process.pid, startedAt: "long ago" }));
    const all = Array.from({ length: 3 }, startElsewhere);
    await until(() => all.every(({ said }) => said() !== ""), 20_000);
    const outcomes = all.map(({ said }) => /^(started|refused: another tradegraph)/.exec(said())?.[0] ?? said());
    expect(outcomes.sort()).toEqual(["refused: another tradegraph", "refused: another tradegraph", "started"]);
  });

  test("refuses a start whose look at the claims is older than another start", () => {
    mkdirSync(dataDirectory);
    let release = () => {};
    meanwhile.happens = () => {
      release = claimOwnership(dataDirectory);
    };
    expect(() => claimOwnership(dataDirectory)).toThrow(`another tradegraph (pid ${process.pid})`);
    release();
    // The same number is free again, because another start came and went.
    meanwhile.happens = () => {
      claimOwnership(dataDirectory)();
      claimOwnership(dataDirectory);
    };
    expect(() => claimOwnership(dataDirectory)).toThrow(`another tradegraph (pid ${process.pid})`);
    expect(readdirSync(dataDirectory)).toEqual(["owner.3.json"]);
  });

  test("tells the server's own reason when it does not start, and gives the folder free", async () => {
    copyTemplate();
    expect(await reason(start({ shared_buffers: "nonsense" }))).toMatch(/shared_buffers/);
    expect(processesOn(folder)).toEqual([]);
    await start();
  });

  test("refuses data of another version, and files that are no cluster, and leaves them as they are", async () => {
    mkdirSync(cluster, { recursive: true });
    writeFileSync(join(cluster, "precious"), "data");
    expect(await reason(start())).toMatch(/holds files but is no Postgres cluster/);
    writeFileSync(join(cluster, "PG_VERSION"), "9.6\n");
    expect(await reason(start())).toMatch(/made by PostgreSQL 9\.6/);
    expect(readdirSync(cluster)).toEqual(["PG_VERSION", "precious"]);
    expect(readFileSync(join(cluster, "precious"), "utf8")).toBe("data");
  });

  test("signals no process that is not its own, whatever the pid file says", async () => {
    copyTemplate();
    const neighbour = await start();
    const neighbourPid = pidOf();
    const foreign = pidFile();
    dataDirectory = join(folder, "other");
    cluster = join(dataDirectory, "postgres");
    copyTemplate();
    writeFileSync(join(cluster, "postmaster.pid"), foreign);
    // Postgres itself refuses the pid file of a live server.
    expect(await reason(start())).toMatch(/postmaster\.pid/);
    expect(await run(neighbour, (sql) => sql`select 1 as one`)).toMatchObject([{ one: 1 }]);
    expect(processesOn(folder).some((line) => Number.parseInt(line, 10) === neighbourPid)).toBe(true);
  });
});
