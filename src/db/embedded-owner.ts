import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../core/errors.js";

interface Owner {
  readonly pid: number;
  /** When the process was started, as the system tells it: a pid that was given to another process is no owner. */
  readonly startedAt: string;
}

const ownerFile = (dataDirectory: string): string => join(dataDirectory, "owner.json");

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

/** What a process runs, e.g. "postgres"; null when there is no such process. */
export function programOf(pid: number): string | null {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    return (
      execFileSync("ps", ["-o", "comm=", "-p", String(pid)], { encoding: "utf8" })
        .trim()
        .split("/")
        .at(-1) || null
    );
  } catch {
    return null;
  }
}

function readOwner(dataDirectory: string): Owner | null {
  try {
    return JSON.parse(readFileSync(ownerFile(dataDirectory), "utf8")) as Owner;
  } catch {
    // Missing, or cut short by a crash: nobody's.
    return null;
  }
}

/** The process that runs a program on this folder now, or null. */
export function liveOwner(dataDirectory: string): number | null {
  const owner = readOwner(dataDirectory);
  return owner !== null && startOf(owner.pid) === owner.startedAt ? owner.pid : null;
}

/** Long enough for another start that saw the same dead owner to have written its claim over ours. */
const settleMs = 50;

/**
 * Makes this process the owner of the folder, and returns the function that gives it up.
 * @throws {StartError} when another live process is the owner
 */
export async function claimOwnership(dataDirectory: string): Promise<() => void> {
  const file = ownerFile(dataDirectory);
  const mine = JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid), nonce: Math.random() });
  const taken = (pid: number | null): StartError =>
    new StartError(
      `another tradegraph (pid ${pid ?? "unknown"}) is already running on ${dataDirectory}; stop it, or set TRADEGRAPH_DATA_DIR to another folder`,
    );
  const owner = liveOwner(dataDirectory);
  if (owner !== null) throw taken(owner);
  if (existsSync(file)) rmSync(file, { force: true });
  try {
    writeFileSync(file, mine, { flag: "wx", mode: 0o600 });
  } catch {
    throw taken(liveOwner(dataDirectory));
  }
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const holdsMine = () => existsSync(file) && readFileSync(file, "utf8") === mine;
  if (!holdsMine()) throw taken(liveOwner(dataDirectory));
  return () => {
    if (holdsMine()) rmSync(file, { force: true });
  };
}
