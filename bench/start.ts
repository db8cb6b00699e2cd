import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { type BenchCase, type BenchResult, figure, median } from "./case.js";
import { sleep } from "./helper.js";
import { listenOnce } from "./load/waiting.js";

const warmStarts = 5;
const question = JSON.stringify({ query: "{ defaultSymbols { id ticker quote { price } } }" });
const warmUpMs = 15_000;
const observedMs = 90_000;
const sampleEveryMs = 10_000;

/** The built program as its users start it, in a process group of its own. */
class Program {
  readonly #startedMs = performance.now();

  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
  ) {}

  static start(command: readonly string[], dataDirectory: string, port: number): Program {
    const [file = "", ...args] = command;
    const env = { ...process.env, TRADEGRAPH_DATA_DIR: dataDirectory, PORT: String(port), LOG_LEVEL: "error" };
    const child = spawn(file, args, { env, detached: true, stdio: "ignore" });
    return new Program(child, `http://127.0.0.1:${port}/graphql`);
  }

  /** @returns milliseconds from the start to the answer of the first query */
  async answered(): Promise<number> {
    for (;;) {
      if (this.child.exitCode !== null) throw new Error(`the program ended with ${this.child.exitCode}`);
      const answer = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: question,
      }).then(
        (response) => response.text(),
        () => "",
      );
      if (answer.includes('"ticker"')) return performance.now() - this.#startedMs;
      await sleep(5);
    }
  }

  /** CPU time of the group so far, in milliseconds: npm's, and the program's; the database has a group of its own. */
  cpuMs(): number {
    let ticks = 0;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const fields = readStat(pid);
      if (Number(fields[2]) === this.child.pid) ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks * 10;
  }

  async stop(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined || this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    process.kill(-pid, "SIGTERM");
    await ended;
    // npm ends before the program that it has started.
    while (isThere(-pid)) await sleep(20);
  }
}

function isThere(group: number): boolean {
  try {
    return process.kill(group, 0);
  } catch {
    return false;
  }
}

/** What follows the name in parentheses: state, parent, group … */
function readStat(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return [];
  }
}

async function inFolder<T>(work: (dataDirectory: string) => Promise<T>): Promise<T> {
  if (!existsSync("dist/main.js")) throw new Error("the program is not built: npm run build");
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-bench-"));
  await chmod(folder, 0o755);
  try {
    return await work(join(folder, "data"));
  } finally {
    // The database may still be writing its last.
    await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

const start: BenchCase = {
  name: "start",
  run: () =>
    inFolder(async (dataDirectory) => {
      const takenMs: number[] = [];
      const cpuMs: number[] = [];
      // The first one is cold: it makes the database.
      for (let n = 0; n <= warmStarts; n++) {
        const program = Program.start(["npm", "start", "--silent"], dataDirectory, await listenOnce());
        try {
          takenMs.push(await program.answered());
          cpuMs.push(program.cpuMs());
        } finally {
          await program.stop();
        }
      }
      const [coldMs = 0, ...warmMs] = takenMs;
      const result: BenchResult = {
        case: "start, warm, to the first answered query",
        unit: "ms",
        better: "less",
        ours: median(warmMs),
        reach: { figure: 1_500 },
        note: `npm start; cold ${figure(coldMs)} ms; ${figure(median(cpuMs.slice(1)))} ms of CPU time when warm, npm's included and the database's not; quickest ${figure(Math.min(...warmMs))} ms`,
      };
      return [result];
    }),
};

/** The heap after a collection, in bytes, asked by the debugger's protocol. */
async function openHeap(port: number): Promise<{ used(): Promise<number>; close(): void }> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? "");
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  let id = 0;
  const ask = (method: string): Promise<{ usedSize: number }> =>
    new Promise((resolve) => {
      const own = ++id;
      const onMessage = (data: Buffer) => {
        const message = JSON.parse(data.toString()) as { id?: number; result: { usedSize: number } };
        if (message.id !== own) return;
        socket.off("message", onMessage);
        resolve(message.result);
      };
      socket.on("message", onMessage);
      socket.send(JSON.stringify({ id: own, method }));
    });
  return {
    used: async () => {
      await ask("HeapProfiler.collectGarbage");
      return (await ask("Runtime.getHeapUsage")).usedSize;
    },
    close: () => socket.terminate(),
  };
}

/** By least squares, per step. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const above = values.reduce((sum, value, n) => sum + (n - middle) * (value - mean), 0);
  return above / values.reduce((sum, _, n) => sum + (n - middle) ** 2, 0);
}

const memory: BenchCase = {
  name: "memory",
  run: () =>
    inFolder(async (dataDirectory) => {
      const inspected = await listenOnce();
      const command = [process.execPath, `--inspect=127.0.0.1:${inspected}`, "dist/main.js", "serve"];
      const program = Program.start(command, dataDirectory, await listenOnce());
      try {
        await program.answered();
        await sleep(warmUpMs);
        const heap = await openHeap(inspected);
        const megabytes: number[] = [];
        for (let atMs = 0; atMs <= observedMs; atMs += sampleEveryMs) {
          if (atMs > 0) await sleep(sampleEveryMs);
          megabytes.push((await heap.used()) / 2 ** 20);
        }
        heap.close();
        const perMinute = (slopeOf(megabytes) * 60_000) / sampleEveryMs;
        const result: BenchResult = {
          case: "memory at rest, live simulated feed",
          unit: "MB of heap more per minute",
          better: "less",
          // Less than nothing is nothing.
          ours: Math.max(perMinute, 0.001),
          reach: { figure: 0.5 },
          note: `after a collection each ${sampleEveryMs / 1000} s: ${megabytes.map((value) => value.toFixed(1)).join(", ")} MB`,
        };
        return [result];
      } finally {
        await program.stop();
      }
    }),
};

export const startCases: readonly BenchCase[] = [start, memory];
