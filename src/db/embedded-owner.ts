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

/** When a process was started, in a form that differs for another process of the same pid; null when there is none. */
function startOf(pid: number): string | null {
  try {
    if (process.platform === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // The name in field 2 may hold spaces and brackets; the start time is the 20th field after it.
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
    }
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || null;
  } catch {
    return null;
  }
}

/** Whether the process is a Postgres server on that cluster: the pid of an old file may be anybody's now. */
export function servesCluster(pid: number, cluster: string): boolean {
  try {
    if (process.platform === "linux") {
      // The server changes into its data folder.
      return (
        readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "postgres" &&
        readlinkSync(`/proc/${pid}/cwd`) === realpathSync(cluster)
      );
    }
    const command = execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
    return command.includes("postgres") && command.includes(cluster);
  } catch {
    return false;
  }
}

/**
 * Claims are files `owner.<n>.json`; the highest number is the one that counts. Whoever finds its owner dead makes the next
 * number, by a link, which fails when that file is there: of several starts that found the same dead owner exactly one
 * succeeds. A claim is given up by emptying it and never by removing it, so that a number is not given out twice.
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
  for (const old of [n, ...older]) rmSync(claimFile(dataDirectory, old), { force: true });
  return () => place(nobody, (draft) => renameSync(draft, mine));
}
