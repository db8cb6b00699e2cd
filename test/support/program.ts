import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { until } from "./until.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "dist", "main.js");

/** The program as users run it is the compiled one; this makes sure that it is that of the sources under test. */
export function buildProgram(): void {
  const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: root });
  run(join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json");
  run(join(root, "scripts", "bundle.mjs"));
}

export interface Program {
  readonly pid: number;
  /** What it printed so far. */
  readonly output: () => string;
  readonly errors: () => string;
  /** Waits until the output matches, and returns the first group. @throws when the program ends before */
  printed(pattern: RegExp, timeoutMs?: number): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** Asks it to stop, and waits until it has. @throws with all that it told when it did not end well */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** The exit status, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
}

/** What the program prints when it is up; the group is its address. */
export const announcement = /GraphiQL +(http:\S+)\/graphiql.*Ctrl-C stops it/s;

/** Only what a newcomer's shell would have: no variable of the test run reaches the program. */
const cleanEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH, HOME: process.env.HOME });

export function runProgram(args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child: ChildProcess = spawn(process.execPath, [main, ...args], {
    cwd: root,
    env: { ...cleanEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  let ended = false;
  child.stdout?.on("data", (data) => {
    output += data;
  });
  child.stderr?.on("data", (data) => {
    errors += data;
  });
  const exit = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => {
      ended = true;
      resolve(code ?? signal ?? 1);
    });
  });
  return {
    pid: child.pid ?? 0,
    output: () => output,
    errors: () => errors,
    exit,
    signal: (signal) => child.kill(signal),
    stop: async (signal = "SIGINT") => {
      child.kill(signal);
      const status = await exit;
      if (status !== 0) throw new Error(`the program ended with ${status}: ${errors}${output}`);
    },
    printed: async (pattern, timeoutMs = 45_000) => {
      await until(() => {
        if (ended && !pattern.test(output)) throw new Error(`the program ended: ${errors}${output}`);
        return pattern.test(output);
      }, timeoutMs);
      return pattern.exec(output)?.[1] ?? "";
    },
  };
}

export interface Finished {
  readonly status: number | NodeJS.Signals;
  readonly output: string;
  readonly errors: string;
}

export async function runToEnd(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const program = runProgram(args, env);
  return { status: await program.exit, output: program.output(), errors: program.errors() };
}

export interface DataFolder {
  readonly path: string;
  /** Runs statements on the embedded server that is running there. */
  sql<T>(database: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

export async function createDataFolder(): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), "tradegraph-program-"));
  execFileSync("chmod", ["755", path]);
  return {
    path,
    sql: async (database, work) => {
      const sql = postgres({
        host: join(path, "data", "run"),
        port: 5432,
        user: "tradegraph",
        database,
        max: 1,
        onnotice: () => {},
      });
      try {
        return await work(sql);
      } finally {
        await sql.end();
      }
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** A port that is free now; the system gives the same one out again only after many others. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** Processes whose command line names the folder: the servers that run on it. */
export function processesOn(folder: string): string[] {
  const lines = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes(folder) && /postgres/.test(line));
}
