import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import postgres from "postgres";
import { startEmbeddedPostgres } from "../../src/db/embedded.js";
import { listenOnce, until } from "./waiting.js";

/** Something that can be killed and comes back, as under a supervisor. */
export interface Part {
  readonly name: string;
  /** kill -9. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again, and waits until it works. */
  start(): Promise<void>;
}

export interface SystemOptions {
  readonly apis: number;
  readonly feeds: number;
  readonly workers: number;
  /** The compiled program. */
  readonly main: string;
  readonly natsServer: string;
}

/** Nodes of each role over one Postgres and one NATS server, each a process, all on this machine. */
export interface System {
  readonly urls: readonly string[];
  readonly databaseUrl: string;
  readonly parts: readonly Part[];
  /** As the owner of the tables. */
  readonly owner: postgres.Sql;
  /** What the nodes said of warnings and errors. */
  readonly log: () => string;
  close(): Promise<void>;
}

/** Clients share one address here; each of them has his own limits as ever. */
const environment = {
  RATE_LIMIT_COST_PER_ADDRESS: "1000000000",
  RATE_LIMIT_MUTATIONS_PER_ADDRESS: "1000000000",
  RATE_LIMIT_CONNECTIONS_PER_ADDRESS: "1000000000",
  RATE_LIMIT_SIGN_INS_PER_ADDRESS: "100000",
  MAX_CONNECTIONS_PER_ADDRESS: "100000",
  LOG_LEVEL: "warn",
};
const patienceMs = 60_000;

class Process implements Part {
  #child: ChildProcess | undefined;
  output = "";
  errors = "";

  constructor(
    readonly name: string,
    private readonly command: string,
    private readonly args: readonly string[],
    private readonly env: NodeJS.ProcessEnv,
    private readonly isReady: (process: Process) => boolean | Promise<boolean>,
  ) {}

  async start(): Promise<void> {
    this.output = "";
    const child = spawn(this.command, this.args, { env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.on("data", (data) => {
      this.output += data;
    });
    child.stderr.on("data", (data) => {
      // The newest of it.
      this.errors = (this.errors + data).slice(-20_000);
    });
    await until(() => {
      if (child.exitCode !== null) throw new Error(`${this.name} ended: ${this.errors}${this.output}`);
      return this.isReady(this);
    }, patienceMs);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }

  kill(): Promise<void> {
    return this.end("SIGKILL");
  }
}

export async function startSystem(options: SystemOptions): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-load-"));
  // The server may run as another user than this one.
  await chmod(folder, 0o755);
  const cluster = await startEmbeddedPostgres({
    dataDirectory: join(folder, "data"),
    log: pino({ level: "silent" }),
    settings: { max_connections: "300" },
  });
  const name = "tradegraph_load";
  const { host, port, user } = cluster;
  const sqlOptions = { host, port, user, max: 2, onnotice: () => {} };
  const admin = postgres({ ...sqlOptions, database: "postgres" });
  await admin`create database ${admin(name)}`;
  await admin.end();
  const owner = postgres({ ...sqlOptions, database: name });
  const databaseUrl = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;

  const natsPort = await listenOnce();
  const nats = new Process(
    "nats",
    options.natsServer,
    ["--addr", "127.0.0.1", "--port", String(natsPort), "--jetstream", "--store_dir", join(folder, "nats")],
    process.env,
    () => greets(natsPort),
  );
  const started: Process[] = [nats];
  const urls: string[] = [];
  const node = async (role: string, number: number): Promise<Process> => {
    const apiPort = await listenOnce();
    if (role === "api") urls.push(`http://127.0.0.1:${apiPort}`);
    const env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...environment,
      DATABASE_URL: databaseUrl,
      NATS_URL: `nats://127.0.0.1:${natsPort}`,
      ROLES: role,
      PORT: String(apiPort),
      TRADEGRAPH_DATA_DIR: join(folder, `${role}-${number}`),
    };
    const one = new Process(`${role} ${number}`, process.execPath, [options.main, "serve"], env, (self) =>
      self.output.includes("Ctrl-C stops it"),
    );
    started.push(one);
    return one;
  };
  const close = async () => {
    for (const one of [...started].reverse()) await one.end("SIGTERM");
    await owner.end({ timeout: 5 });
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await nats.start();
    // One after the other: the first one migrates.
    for (const [role, count] of [
      ["feed", options.feeds],
      ["worker", options.workers],
      ["api", options.apis],
    ] as const)
      for (let number = 1; number <= count; number++) await (await node(role, number)).start();
  } catch (error) {
    await close();
    throw error;
  }
  const database: Part = {
    name: "postgres",
    kill: async () => {
      const pid = Number((await readFile(join(folder, "data", "postgres", "postmaster.pid"), "utf8")).split("\n")[0]);
      process.kill(pid, "SIGKILL");
    },
    // Whoever started it starts it again by itself.
    start: () => until(() => owner`select 1`.then(Boolean, () => false), patienceMs),
  };
  return {
    urls,
    databaseUrl,
    parts: [...started, database],
    owner,
    log: () => started.map((one) => `--- ${one.name}\n${one.errors}`).join("\n"),
    close,
  };
}

/** The server greets whoever connects. */
const greets = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("data", () => settle(true)).once("error", () => settle(false));
  });
