import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  linkSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { StartError } from "../core/errors.js";

interface Owner {
  readonly pid: number;
  /** When the process was started, as the system tells it: a pid that was given to another process is no owner. */
  readonly startedAt: string;
}

const nobody: Owner = { pid: 0, startedAt: "" };

/** When a process was started, in a form that differs for another process of the same pid; null when it is gone. */
function startOf(pid: number): string | null {
  try {
    if (process.platform === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // The name in field 2 may hold spaces and brackets; the start time is the 20th field after it.
      const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // A zombie is dead, and waits for a parent that may never ask.
      return state === "Z" ? null : (fields[18] ?? null);
    }
    // Written in the language and time zone of whoever asks, who may not be the one who wrote the claim.
    const ps = ["LC_ALL=C", "TZ=UTC", "ps", "-o", "lstart=", "-p", String(pid)];
    return execFileSync("env", ps, { encoding: "utf8" }).trim() || null;
  } catch {
    return null;
  }
}

/** Whether the process is a Postgres server on that cluster: the pid of an old file may be anybody's now. */
export function servesCluster(pid: number, cluster: string): boolean {
  try {
    if (process.platform === "linux") {
      if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== "postgres") return false;
      const folder = workingFolder(pid);
      // The server changes into its data folder.
      if (folder !== null) return folder === realpathSync(cluster);
    }
    return commandLine(pid).includes(` -D ${cluster} `);
  } catch {
    return false;
  }
}

/** Null when it is hidden: root in a container may not look at another user's process (no CAP_SYS_PTRACE). */
function workingFolder(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch (error) {
    if (["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

const commandLine = (pid: number): string =>
  process.platform === "linux"
    ? readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    : execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" });

/**
 * Claims are files `owner.<n>.json`; the highest number is the one that counts. Whoever finds its owner dead makes the next
 * number, by a link, which fails when that file is there: of several starts that found the same dead owner exactly one
 * succeeds. A claim is given up by emptying it, and removed only when a higher one is there. So whoever judged long ago, and
 * makes a number that others have taken, given up and removed meanwhile, still finds a higher one when it looks again.
 */
const claimName = /^owner\.(\d+)\.json$/;
const claimFile = (dataDirectory: string, n: number): string => join(dataDirectory, `owner.${n}.json`);

function newestClaim(dataDirectory: string): { readonly n: number; readonly owner: Owner; readonly older: number[] } {
  const [n = 0, ...older] = readdirSync(dataDirectory)
    .flatMap((name) => Number(claimName.exec(name)?.[1] ?? []))
    .toSorted((a, b) => b - a);
  try {
    return { n, owner: JSON.parse(readFileSync(claimFile(dataDirectory, n), "utf8")) as Owner, older };
  } catch {
    // There is none, or its content was lost in a power cut.
    return { n, owner: nobody, older };
  }
}

const isAlive = ({ pid, startedAt }: Owner): boolean => pid > 0 && startOf(pid) === startedAt;

/** The process that runs a program on this folder now, or null. */
export function liveOwner(dataDirectory: string): number | null {
  try {
    const { owner } = newestClaim(dataDirectory);
    return isAlive(owner) ? owner.pid : null;
  } catch {
    return null;
  }
}

/**
 * Makes this process the owner of the folder, and returns the function that gives it up.
 * @throws {StartError} when another live process is the owner
 */
export function claimOwnership(dataDirectory: string): () => void {
  const taken = (pid: number | null): StartError =>
    new StartError(
      `another tradegraph (pid ${pid ?? "unknown"}) is already running on ${dataDirectory}; stop it, or set TRADEGRAPH_DATA_DIR to another folder`,
    );
  const { n, owner, older } = newestClaim(dataDirectory);
  if (isAlive(owner)) throw taken(owner.pid);
  const mine = claimFile(dataDirectory, n + 1);
  // The file gets its name when it is complete, so that nobody reads half a claim.
  const place = (content: Owner, put: (from: string) => void): void => {
    const draft = join(dataDirectory, `owner.${randomUUID()}.draft`);
    writeFileSync(draft, JSON.stringify(content), { mode: 0o600 });
    try {
      put(draft);
    } finally {
      rmSync(draft, { force: true });
    }
  };
  try {
    place({ pid: process.pid, startedAt: startOf(process.pid) ?? "" }, (draft) => linkSync(draft, mine));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw taken(liveOwner(dataDirectory));
  }
  if (newestClaim(dataDirectory).n !== n + 1) {
    rmSync(mine, { force: true });
    throw taken(liveOwner(dataDirectory));
  }
  for (const old of [n, ...older]) rmSync(claimFile(dataDirectory, old), { force: true });
  return () => place(nobody, (draft) => renameSync(draft, mine));
}
