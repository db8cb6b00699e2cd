import { constants } from "node:fs";
import { chmod, copyFile, lchown, mkdir, open, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { StartError } from "../core/errors.js";
import type { ServerUser } from "./embedded-binaries.js";

/** What a backup says of itself. It is written last: a folder without it is no backup. */
export interface BackupManifest {
  readonly format: 1;
  readonly id: string;
  readonly programVersion: string;
  /** Number of the newest migration that the database had. */
  readonly migration: number;
  readonly postgresMajor: number;
  /** Where the row of this backup is. */
  readonly database: string;
  /** ISO instants; it can be restored to any later one that the archive reaches. */
  readonly startedAt: string;
  readonly restorableFrom: string;
  /** Segments of the WAL that the backup needs, and has. */
  readonly firstSegment: string;
  readonly lastSegment: string;
  readonly walArchive: string;
  readonly files: number;
  readonly sizeBytes: number;
}

const manifestName = "backup.json";
export const clusterFolder = (backup: string): string => join(backup, "cluster");
export const walFolder = (backup: string): string => join(backup, "wal");

/** @throws {StartError} when the folder holds no whole backup */
export async function readManifest(backup: string): Promise<BackupManifest> {
  let manifest: BackupManifest;
  try {
    manifest = JSON.parse(await readFile(join(backup, manifestName), "utf8")) as BackupManifest;
  } catch {
    throw new StartError(`${backup} is no whole backup: it has no readable ${manifestName}`);
  }
  if (manifest.format !== 1)
    throw new StartError(
      `the backup in ${backup} was made by a newer program (${manifest.programVersion}); restore it with that one`,
    );
  return manifest;
}

export async function writeManifest(backup: string, manifest: BackupManifest): Promise<void> {
  const draft = join(backup, `${manifestName}.part`);
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, join(backup, manifestName));
}

export interface Copied {
  files: number;
  bytes: number;
}

/** Folders whose content the next start makes anew, or that go another way. */
const emptied = new Set([
  "pg_wal",
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
]);
const leftOut = new Set([
  "postmaster.pid",
  "postmaster.opts",
  "backup_label",
  "backup_label.old",
  "recovery.signal",
  "standby.signal",
]);

/**
 * Copies a cluster, also one that a server is writing to: files may go meanwhile, and what changes is put right from the WAL.
 * @throws {StartError} for a cluster with tablespaces, whose files lie elsewhere
 */
export async function copyCluster(from: string, to: string): Promise<Copied> {
  const copied: Copied = { files: 0, bytes: 0 };
  if ((await readdir(join(from, "pg_tblspc")).catch(() => [])).length > 0)
    throw new StartError("the cluster has tablespaces, and those cannot be backed up here: use pgBackRest");
  await copyFolder(from, to, null, copied, (name, depth) =>
    depth === 0 && emptied.has(name)
      ? "empty"
      : (depth === 0 && leftOut.has(name)) || /^(pgsql_tmp|pg_internal\.init)/.test(name)
        ? "skip"
        : "copy",
  );
  // The server looks for it.
  await mkdir(join(to, "pg_wal", "archive_status"), { recursive: true, mode: 0o700 });
  return copied;
}

/** Copies everything, for `owner` where that is not this user. */
export async function copyTree(from: string, to: string, owner: ServerUser | null): Promise<Copied> {
  const copied: Copied = { files: 0, bytes: 0 };
  await copyFolder(from, to, owner, copied, () => "copy");
  return copied;
}

type Choice = (name: string, depth: number) => "copy" | "empty" | "skip";

async function copyFolder(
  from: string,
  to: string,
  owner: ServerUser | null,
  copied: Copied,
  choose: Choice,
  depth = 0,
): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  if (owner !== null) await lchown(to, owner.uid, owner.gid);
  for (const entry of await readdir(from, { withFileTypes: true }).catch(ifGone([]))) {
    const choice = choose(entry.name, depth);
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (choice === "empty") await mkdir(target, { mode: 0o700 });
    else if (choice === "copy" && entry.isDirectory())
      await copyFolder(source, target, owner, copied, choose, depth + 1);
    else if (choice === "copy" && entry.isFile()) {
      const isThere = await copyFile(source, target, constants.COPYFILE_FICLONE).then(() => true, ifGone(false));
      if (!isThere) continue;
      await chmod(target, 0o600);
      if (owner !== null) await lchown(target, owner.uid, owner.gid);
      copied.files++;
      copied.bytes += (await stat(target)).size;
    }
  }
}

const ifGone =
  <T>(instead: T) =>
  (error: unknown): T => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return instead;
    throw error;
  };
