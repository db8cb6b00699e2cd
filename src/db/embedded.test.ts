import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { processesOn } from "../../test/support/program.js";
import { until } from "../../test/support/until.js";
import { StartError } from "../core/errors.js";
import { attachEmbeddedPostgres, type EmbeddedAddress, startEmbeddedPostgres } from "./embedded.js";

const log = pino({ level: "silent" });
let folder: string;
let dataDirectory: string;
let cluster: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tradegraph-embedded-"));
  // The server may run as another user.
  chmodSync(folder, 0o755);
  dataDirectory = join(folder, "data");
  cluster = join(dataDirectory, "postgres");
});
afterEach(async () => {
  await until(() => processesOn(folder).length === 0, 20_000);
  rmSync(folder, { recursive: true, force: true });
});

const start = (settings: Record<string, string> = {}) => startEmbeddedPostgres({ dataDirectory, log, settings });
const pidOf = (): number => Number(readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")[0]);
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

/** Another program on the same folder; says how it went, and lives until it is ended. */
function startElsewhere(): { readonly child: ChildProcess; readonly said: () => string } {
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { pino } from "pino";
       import { startEmbeddedPostgres } from ${JSON.stringify(fileURLToPath(new URL("../../dist/db/embedded.js", import.meta.url)))};
       try {
         await startEmbeddedPostgres({ dataDirectory: ${JSON.stringify(dataDirectory)}, log: pino({ level: "silent" }) });
         console.log("started");
         setInterval(() => {}, 1e9);
       } catch (error) { console.log("refused: " + error.message); }`,
    ],
    { stdio: ["ignore", "pipe", "inherit"], cwd: fileURLToPath(new URL("../..", import.meta.url)) },
  );
  let said = "";
  child.stdout?.on("data", (data) => (said += data));
  return { child, said: () => said };
}

describe("the embedded Postgres", () => {
  test("starts on an empty folder, keeps its data, and leaves no process behind", async () => {
    const first = await start();
    await write(first, 1);
    expect((await attachEmbeddedPostgres(dataDirectory))?.host).toBe(first.host);
    await first.close();
    expect(processesOn(folder)).toEqual([]);
    expect(await attachEmbeddedPostgres(dataDirectory)).toBeNull();

    const second = await start();
    expect(await read(second)).toEqual([1]);
    await second.close();
  });

  test("comes back by itself with what was committed, when the server is killed", async () => {
    const server = await start();
    await write(server, 1);
    const killed = pidOf();
    process.kill(killed, "SIGKILL");
    await until(async () => (await read(server).catch(() => [])).length === 1, 20_000);
    expect(pidOf()).not.toBe(killed);
    await server.close();
    expect(processesOn(folder)).toEqual([]);
  });

  test("ends with the program that is killed, and the next start finds what was committed", async () => {
    const { child, said } = startElsewhere();
    await until(() => said().includes("started"), 20_000);
    const running = await attachEmbeddedPostgres(dataDirectory);
    if (running === null) throw new Error("not running");
    await write(running, 7);
    expect(await reason(start())).toMatch(new RegExp(`another tradegraph \\(pid ${child.pid}\\) is already running`));
    child.kill("SIGKILL");
    await until(() => processesOn(folder).length === 0, 20_000);
    const next = await start();
    expect(await read(next)).toEqual([7]);
    await next.close();
  });

  // The race: the server is told to stop before it listens to signals.
  test("ends with a program that is killed while it starts", async () => {
    await (await start()).close();
    for (let round = 0; round < 3; round++) {
      const { child } = startElsewhere();
      await until(() => processesOn(folder).some((line) => !line.includes("--eval")), 20_000);
      child.kill("SIGKILL");
      await until(() => processesOn(folder).length === 0, 20_000);
    }
    await (await start()).close();
  });

  // The race: all of them find the same dead owner, and each could take its place.
  test("of several starts at once on the folder of a dead owner, exactly one wins", async () => {
    const dead = startElsewhere();
    await until(() => dead.said().includes("started"), 20_000);
    dead.child.kill("SIGKILL");
    await until(() => processesOn(folder).length === 0, 20_000);

    const all = Array.from({ length: 4 }, startElsewhere);
    await until(() => all.every(({ said }) => said() !== ""), 30_000);
    const outcomes = all.map(({ said }) =>
      said().startsWith("refused: another tradegraph") ? "refused" : said().trim(),
    );
    expect(outcomes.filter((outcome) => outcome === "started")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "refused")).toHaveLength(3);
    for (const { child } of all) child.kill("SIGKILL");
    await until(() => all.every(({ child }) => child.exitCode !== null || child.signalCode !== null));
  });

  test("tells the server's own reason when it does not start, and gives the folder free", async () => {
    expect(await reason(start({ shared_buffers: "nonsense" }))).toMatch(/shared_buffers/);
    expect(processesOn(folder)).toEqual([]);
    await (await start()).close();
  });

  test("refuses data of another version, and files that are no cluster, and leaves them as they are", async () => {
    mkdirSync(cluster, { recursive: true });
    writeFileSync(join(cluster, "precious"), "data");
    expect(await reason(start())).toMatch(/holds files but is no Postgres cluster/);
    writeFileSync(join(cluster, "PG_VERSION"), "9.6\n");
    expect(await reason(start())).toMatch(/made by PostgreSQL 9\.6/);
    expect(readdirSync(cluster)).toEqual(["PG_VERSION", "precious"]);
  });

  test("signals no process that is not its own, whatever the pid file says", async () => {
    await (await start()).close();
    const other = mkdtempSync(join(tmpdir(), "tradegraph-embedded-"));
    chmodSync(other, 0o755);
    const neighbour = await startEmbeddedPostgres({ dataDirectory: other, log });
    const neighbourPid = readFileSync(join(other, "postgres", "postmaster.pid"), "utf8");
    writeFileSync(join(cluster, "postmaster.pid"), neighbourPid);
    // Postgres itself refuses the foreign pid file; what matters is that the neighbour lives.
    await start().then(
      (server) => server.close(),
      () => {},
    );
    expect(await run(neighbour, (sql) => sql`select 1 as one`)).toMatchObject([{ one: 1 }]);
    await neighbour.close();
    rmSync(other, { recursive: true, force: true });
  });
});
