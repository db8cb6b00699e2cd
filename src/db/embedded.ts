import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import postgres from "postgres";
import { errorMessage, StartError } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import {
  copyBinaries,
  findBinaries,
  findServerUser,
  isReachable,
  majorVersion,
  type PostgresBinaries,
  type ServerUser,
} from "./embedded-binaries.js";
import { claimOwnership, liveOwner, servesCluster } from "./embedded-owner.js";
import { archiveSettings } from "./wal-archive.js";

export interface EmbeddedAddress {
  /** Folder of the unix socket; there is no TCP. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

export interface EmbeddedPostgres extends EmbeddedAddress {
  /** Fast shutdown; resolves when the server is gone. */
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  /** The cluster is in `postgres/` below it. */
  readonly dataDirectory: string;
  readonly log: Logger;
  readonly settings?: Readonly<Record<string, string>>;
  /** In place of the ones that are installed with this program. */
  readonly binaries?: PostgresBinaries;
  /** A restore takes longer than a start does. */
  readonly startTimeoutMs?: number;
}

const port = 5432;
const user = "tradegraph";
const defaultStartTimeoutMs = 30_000;
const stopTimeoutMs = 10_000;
const maxRestartDelayMs = 2_000;
const keptLogLines = 50;
/** Longest path of a unix socket. */
const maxSocketPath = 107;

/**
 * Runs Postgres and stops it when this process ends in any way, also by kill -9: the server then finds the end of the pipe
 * that only this process holds. The server has a process group of its own, so that Ctrl-C reaches this program alone,
 * which drains before it stops the database. The signal is repeated, because a server that has just begun does not take it yet.
 */
const supervisorScript = `
exec 3<&0
"$@" <&- 3<&- &
server=$!
( read -r _ <&3; while kill -INT $server; do sleep 0.2; done ) 2>/dev/null &
reader=$!
exec 3<&-
wait $server
status=$?
kill $reader 2>/dev/null
exit $status`;

interface Place {
  readonly binaries: PostgresBinaries;
  readonly serverUser: ServerUser | null;
  readonly cluster: string;
  readonly socketFolder: string;
}

/** @throws {StartError} with the server's own reason when it cannot start */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { dataDirectory, log } = options;
  mkdirSync(dataDirectory, { recursive: true, mode: 0o755 });
  const releaseOwnership = claimOwnership(dataDirectory);
  try {
    const place = await preparePlace(options);
    await stopOrphan(place.cluster, log);
    await initialise(place, log);
    const server = new Server(place, options);
    await server.start();
    let closing: Promise<void> | undefined;
    return {
      host: place.socketFolder,
      port,
      user,
      // Once: a second time it could be a successor's server that runs there.
      close: () => {
        closing ??= server.close().then(releaseOwnership);
        return closing;
      },
    };
  } catch (error) {
    releaseOwnership();
    throw error;
  }
}

/** The server that another process runs on this folder now, or null; for commands beside a running program. */
export async function attachEmbeddedPostgres(dataDirectory: string): Promise<EmbeddedAddress | null> {
  if (liveOwner(dataDirectory) === null) return null;
  const host = readPidFile(join(dataDirectory, "postgres"))?.socketFolder;
  if (host === undefined) return null;
  const address = { host, port, user };
  return (await answers(address)) ? address : null;
}

/** Decides where things lie, and makes the folders. */
async function preparePlace({ dataDirectory, binaries: given }: EmbeddedOptions): Promise<Place> {
  const binaries = given ?? (await findBinaries());
  const serverUser = await findServerUser();
  const link = join(dataDirectory, "postgres");
  if (serverUser === null)
    return { binaries, serverUser, cluster: link, socketFolder: socketFolderFor(dataDirectory, null) };

  if (isReachable(join(link, "PG_VERSION"), serverUser) && isReachable(binaries.postgres, serverUser)) {
    return { binaries, serverUser, cluster: link, socketFolder: socketFolderFor(dataDirectory, serverUser) };
  }
  // Root works in a folder that is closed to others, such as /root; the server, which must not be root, could not even
  // read its own program there. So both live where it can, and the data folder holds a link.
  const shared = "/var/lib/tradegraph";
  const home = join(shared, hashOf(dataDirectory));
  const cluster = join(home, "postgres");
  mkdirSync(home, { recursive: true, mode: 0o755 });
  if (!existsSync(cluster) && existsSync(link) && lstatSync(link).isDirectory()) renameSync(link, cluster);
  const isLink = lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  if (isLink && readlinkSync(link) !== cluster) rmSync(link);
  if (!isLink || !existsSync(link)) symlinkSync(cluster, link);
  return {
    binaries: given ?? copyBinaries(binaries, shared),
    serverUser,
    cluster,
    socketFolder: socketFolderFor(home, serverUser),
  };
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** A folder that only the server's user may enter; in it, whoever can open the socket may sign in. */
function socketFolderFor(folder: string, owner: ServerUser | null): string {
  const near = join(folder, "run");
  const socket = (path: string) => join(path, `.s.PGSQL.${port}`);
  const path = socket(near).length <= maxSocketPath ? near : join(tmpdir(), `tradegraph-${hashOf(folder)}`);
  makePrivate(path, owner);
  return path;
}

function makePrivate(path: string, owner: ServerUser | null): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (owner !== null && process.getuid?.() === 0 && lstatSync(path).uid === 0) lchownSync(path, owner.uid, owner.gid);
  const expected = owner?.uid ?? process.getuid?.();
  if (expected !== undefined && lstatSync(path).uid !== expected) {
    throw new StartError(`${path} belongs to another user; remove it, or set TRADEGRAPH_DATA_DIR to another folder`);
  }
}

interface PidFile {
  readonly pid: number;
  readonly socketFolder: string;
}

function readPidFile(cluster: string): PidFile | null {
  try {
    const lines = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n");
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 1 ? { pid, socketFolder: lines[4] ?? "" } : null;
  } catch {
    return null;
  }
}

/** The pid of the server that runs on the cluster now, or null. */
function livePostmaster(cluster: string): number | null {
  const pid = readPidFile(cluster)?.pid;
  return pid !== undefined && servesCluster(pid, cluster) ? pid : null;
}

async function waitUntilGone(cluster: string, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (livePostmaster(cluster) !== null) {
    if (performance.now() > deadlineMs) return false;
    await pause(20);
  }
  return true;
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It may go between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A server without an owner is one that is still shutting down, or whose supervisor was killed too. */
async function stopOrphan(cluster: string, log: Logger): Promise<void> {
  if (await waitUntilGone(cluster, 2_000)) return;
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    const pid = livePostmaster(cluster);
    if (pid === null) return;
    log.warn({ pid, signal }, "postgres.stopping-orphan");
    sendSignal(pid, signal);
    if (await waitUntilGone(cluster, stopTimeoutMs)) return;
  }
  throw new StartError(`a Postgres without an owner (pid ${livePostmaster(cluster)}) does not stop; end it by hand`);
}

/** Makes the cluster. It gets its name only when it is complete, so that a kill in the middle leaves nothing in the way. */
async function initialise({ cluster, binaries, serverUser }: Place, log: Logger): Promise<void> {
  const major = await majorVersion(binaries);
  const versionFile = join(cluster, "PG_VERSION");
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, "utf8").trim();
    if (found !== String(major)) {
      throw new StartError(
        `the data in ${cluster} was made by PostgreSQL ${found.slice(0, 20)}, and this program brings ${major}; move the folder away, or use DATABASE_URL with a server of that version`,
      );
    }
    return;
  }
  if (existsSync(cluster) && readdirSync(cluster).length > 0) {
    throw new StartError(
      `${cluster} holds files but is no Postgres cluster (PG_VERSION is missing); move it away, or put PG_VERSION back`,
    );
  }
  removeHalfMade(cluster);
  // A name of its own: the initdb of a start that was killed may still be at work for a moment.
  const half = mkdtempSync(halfMade(cluster));
  makePrivate(half, serverUser);
  const locale =
    major >= 17 ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"] : ["--locale=C.UTF-8"];
  const access = ["--auth-local=trust", "--auth-host=reject", `--username=${user}`];
  log.info({ cluster }, "postgres.initialising");
  try {
    await promisify(execFile)(
      binaries.initdb,
      ["-D", half, "--encoding=UTF8", "--data-checksums", "--no-sync", ...locale, ...access],
      {
        cwd: "/",
        ...serverUser,
      },
    );
  } catch (error) {
    throw new StartError(`initdb failed: ${((error as { stderr?: string }).stderr || errorMessage(error)).trim()}`);
  }
  if (lstatSync(cluster, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(cluster);
  // This replaces an empty folder, and fails on one that was filled meanwhile.
  renameSync(half, cluster);
  removeHalfMade(cluster);
}

const halfMade = (cluster: string): string => join(dirname(cluster), "initdb-");

function removeHalfMade(cluster: string): void {
  const folder = dirname(cluster);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    // An initdb that still writes there gives up when its files are gone.
    if (path.startsWith(halfMade(cluster))) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function answers(address: EmbeddedAddress): Promise<boolean> {
  const sql = postgres({ ...address, database: "postgres", max: 1, connect_timeout: 5, onnotice: () => {} });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** One server process and its successors: one that dies by itself is started again. */
class Server {
  #process: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #restarting: Promise<void> = Promise.resolve();
  #closed = false;
  /** The newest lines of the server's log, for error messages. */
  readonly #lastLines: string[] = [];

  constructor(
    private readonly place: Place,
    private readonly options: EmbeddedOptions,
  ) {}

  async start(): Promise<void> {
    const child = this.#launch();
    const address = { host: this.place.socketFolder, port, user };
    const deadlineMs = performance.now() + (this.options.startTimeoutMs ?? defaultStartTimeoutMs);
    while (child.exitCode === null && child.signalCode === null) {
      if (this.#saysReady && (await answers(address))) {
        child.once("exit", () => this.#onExit());
        // It may have died between the answer and the listener.
        if (child.exitCode !== null || child.signalCode !== null) this.#onExit();
        return;
      }
      if (this.#closed || performance.now() > deadlineMs) break;
      await pause(5);
    }
    await this.#stop();
    throw new StartError(`the embedded Postgres did not start: ${this.#reason()}`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#restarting;
    await this.#stop();
  }

  get #saysReady(): boolean {
    return this.#lastLines.some((line) => line.includes("database system is ready to accept connections"));
  }

  /** The lines that say why, without the server's prefix. */
  #reason(): string {
    const told = this.#lastLines.filter((line) => /FATAL|PANIC|HINT|DETAIL|could not|not found/.test(line));
    return (
      (told.length > 0 ? told : this.#lastLines.slice(-3))
        .map((line) => line.replace(/^[\d-]+ [\d:.]+ \w+ \[\d+\] /, ""))
        .join("; ") || "it said nothing"
    );
  }

  #launch(): ChildProcess {
    const { binaries, cluster, socketFolder, serverUser } = this.place;
    const settings = {
      listen_addresses: "",
      unix_socket_directories: socketFolder,
      unix_socket_permissions: "0700",
      port: String(port),
      log_line_prefix: "%m [%p] ",
      ...archiveSettings(cluster),
      ...this.options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    this.#lastLines.length = 0;
    const child = spawn(
      "/bin/sh",
      ["-c", supervisorScript, "tradegraph-postgres", binaries.postgres, "-D", cluster, ...flags],
      {
        cwd: "/",
        detached: true,
        stdio: ["pipe", "ignore", "pipe"],
        ...serverUser,
      },
    );
    // The pipe breaks when the server dies first.
    child.stdin?.on("error", () => {});
    if (child.stderr) {
      createInterface({ input: child.stderr }).on("line", (line) => {
        this.#lastLines.push(line);
        if (this.#lastLines.length > keptLogLines) this.#lastLines.shift();
        if (line.includes("PANIC:")) this.options.log.error({ line }, "postgres.log");
        else this.options.log.debug({ line }, "postgres.log");
      });
    }
    this.#process = child;
    this.#exited = new Promise((resolve) => {
      child.once("exit", resolve);
      child.once("error", (error) => {
        this.#lastLines.push(`could not run /bin/sh: ${error.message}`);
        resolve(error);
      });
    });
    return child;
  }

  #onExit(): void {
    if (this.#closed) return;
    this.options.log.error({ reason: this.#lastLines.at(-1) }, "postgres.died");
    this.#restarting = this.#restart();
  }

  /** Until it works: what the old server left behind (its last processes, its shared memory) goes away within moments. */
  async #restart(): Promise<void> {
    for (let delayMs = 50; !this.#closed; delayMs = Math.min(delayMs * 2, maxRestartDelayMs)) {
      try {
        await this.start();
        this.options.log.warn({}, "postgres.restarted");
        return;
      } catch (error) {
        if (this.#closed) return;
        this.options.log.error({ error: errorMessage(error) }, "postgres.restart-failed");
        await pause(delayMs);
      }
    }
  }

  async #stop(): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) return;
    // The end of the pipe is the signal to stop; the supervisor repeats it until the server is gone.
    child.stdin?.end();
    for (const signal of ["SIGQUIT", "SIGKILL"] as const) {
      if (await this.#isGoneWithin(stopTimeoutMs)) return;
      this.options.log.error({ group: child.pid, signal }, "postgres.does-not-stop");
      // To the supervisor and the server, also one that has no pid file yet.
      sendSignal(-child.pid, signal);
    }
    await this.#isGoneWithin(stopTimeoutMs);
  }

  async #isGoneWithin(ms: number): Promise<boolean> {
    const deadlineMs = performance.now() + ms;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const hasExited = await Promise.race([this.#exited.then(() => true), tooLate]);
    clearTimeout(timer);
    // The supervisor may have been killed before its server.
    return hasExited && (await waitUntilGone(this.place.cluster, deadlineMs - performance.now()));
  }
}
