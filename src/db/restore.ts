import { existsSync, lstatSync, readdirSync } from "node:fs";
import { copyFile, lchown, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, StartError } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { type BackupManifest, clusterFolder, copyTree, readManifest, walFolder } from "./backup-files.js";
import { recordForgotten, recordSuccess } from "./backups.js";
import { connect } from "./connect.js";
import { startEmbeddedPostgres } from "./embedded.js";
import { findBinaries, findServerUser, majorVersion, type PostgresBinaries } from "./embedded-binaries.js";
import { liveOwner } from "./embedded-owner.js";
import { archivedSegments, restoreCommand } from "./wal-archive.js";

export interface Restore {
  /** The folder of one backup. */
  readonly backup: string;
  /** Gets the cluster; has none yet. */
  readonly dataDirectory: string;
  /** Everything up to this instant is restored, and nothing later; null: all that there is. */
  readonly at: Date | null;
  /** In place of the archive that the backup names. */
  readonly walArchive: string | null;
  /** How many migrations this program knows. */
  readonly knownMigrations: number;
  readonly log: Logger;
  readonly nowMs: number;
  readonly binaries?: PostgresBinaries;
}

/** WAL of many days takes its time. */
const recoveryTimeoutMs = 6 * 60 * 60_000;
/** Below the cluster, while it is being restored. */
const walToRestore = "wal-to-restore";

/**
 * Makes the cluster of a backup anew in an empty data folder, and brings it to the asked time. The server is stopped at the end.
 * @throws {StartError} with the reason; the data folder is then as it was
 */
export async function restore(options: Restore): Promise<BackupManifest> {
  const { backup, dataDirectory, at, log } = options;
  const manifest = await readManifest(backup);
  await requireRestorable(manifest, options);
  const cluster = join(dataDirectory, "postgres");
  await mkdir(dataDirectory, { recursive: true, mode: 0o755 });
  const half = await mkdtemp(join(dataDirectory, "restore-"));
  try {
    await fill(half, manifest, options);
    // Fails where a cluster has come meanwhile.
    await rename(half, cluster);
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    throw error;
  }
  try {
    const server = await startEmbeddedPostgres({
      dataDirectory,
      log,
      startTimeoutMs: recoveryTimeoutMs,
      settings: {
        restore_command: restoreCommand(walToRestore, manifest.firstSegment),
        // Another life that began from this backup is none of it.
        recovery_target_timeline: "current",
        recovery_target_action: "promote",
        // Nobody is let in before everything is there.
        hot_standby: "off",
        // The server knows no zones by name yet when it reads this.
        ...(at === null ? {} : { recovery_target_time: at.toISOString().replace("T", " ").replace("Z", "+00") }),
      },
      ...(options.binaries === undefined ? {} : { binaries: options.binaries }),
    });
    try {
      await tidy({ ...server, database: manifest.database }, manifest, options);
    } finally {
      await server.close();
    }
    await rm(join(cluster, walToRestore), { recursive: true, force: true });
    return manifest;
  } catch (error) {
    await removeCluster(cluster);
    throw explained(error, at);
  }
}

async function requireRestorable(manifest: BackupManifest, options: Restore): Promise<void> {
  const { backup, dataDirectory, at, knownMigrations, nowMs } = options;
  const owner = liveOwner(dataDirectory);
  if (owner !== null)
    throw new StartError(`a tradegraph (pid ${owner}) is running on ${dataDirectory}; stop it, and move its data away`);
  if (isFilled(join(dataDirectory, "postgres")))
    throw new StartError(
      `${dataDirectory} has a database already, which nothing is restored over; name another folder by --to, or move it away`,
    );
  if (manifest.migration >= knownMigrations)
    throw new StartError(
      `the backup in ${backup} is of tradegraph ${manifest.programVersion}, which is newer: its schema has ${manifest.migration + 1} migrations, this program knows ${knownMigrations}`,
    );
  const major = await majorVersion(options.binaries ?? (await findBinaries()));
  if (manifest.postgresMajor !== major)
    throw new StartError(
      `the backup in ${backup} was made by PostgreSQL ${manifest.postgresMajor}, and this program brings ${major}`,
    );
  if (at === null) return;
  if (at.getTime() < Date.parse(manifest.restorableFrom))
    throw new StartError(`this backup can be restored to ${manifest.restorableFrom} or later; take an older one`);
  if (at.getTime() > nowMs) throw new StartError("--at is in the future");
}

/** A link that leads nowhere is none. */
const isFilled = (cluster: string): boolean =>
  existsSync(cluster) && (!lstatSync(cluster).isDirectory() || readdirSync(cluster).length > 0);

/** The cluster's files, and in them for a while the WAL to be replayed, where the server may read it. */
async function fill(folder: string, manifest: BackupManifest, { backup, walArchive }: Restore): Promise<void> {
  const user = await findServerUser();
  const copied = await copyTree(clusterFolder(backup), folder, user);
  // The label was written after they were counted.
  if (copied.files !== manifest.files + 1)
    throw new StartError(`the backup in ${backup} is not whole: it has ${copied.files - 1} of ${manifest.files} files`);
  const wal = join(folder, walToRestore);
  await copyTree(walFolder(backup), wal, user);
  const archive = walArchive ?? manifest.walArchive;
  if (walArchive !== null && !existsSync(walArchive)) throw new StartError(`there is no folder ${walArchive}`);
  if (existsSync(archive)) {
    for (const segment of archivedSegments(archive, manifest.firstSegment)) {
      const target = join(wal, `${segment}.gz`);
      await copyFile(join(archive, `${segment}.gz`), target);
      if (user !== null) await lchown(target, user.uid, user.gid);
    }
  }
  const signal = join(folder, "recovery.signal");
  await writeFile(signal, "", { mode: 0o600 });
  if (user !== null) await lchown(signal, user.uid, user.gid);
}

/** In the copy the backup that it came from is still being made. */
async function tidy(
  address: { host: string; port: number; user: string; database: string },
  manifest: BackupManifest,
  { nowMs }: Restore,
): Promise<void> {
  const { host, port, user, database } = address;
  const owner = connect({
    address: { host, port, user, database },
    role: null,
    poolSize: 1,
    applicationName: "tradegraph restore",
  });
  try {
    await recordSuccess(owner.sql, manifest.id, manifest.sizeBytes, Date.parse(manifest.restorableFrom));
    await recordForgotten(owner.sql, nowMs);
  } finally {
    await owner.close();
  }
}

/** Root's clusters may lie behind a link. */
async function removeCluster(cluster: string): Promise<void> {
  if (lstatSync(cluster, { throwIfNoEntry: false })?.isSymbolicLink()) {
    for (const name of existsSync(cluster) ? readdirSync(cluster) : [])
      await rm(join(cluster, name), { recursive: true, force: true });
  }
  await rm(cluster, { recursive: true, force: true });
}

function explained(error: unknown, at: Date | null): unknown {
  if (at !== null && errorMessage(error).includes("recovery ended before configured recovery target"))
    return new StartError(
      `the kept WAL ends before ${at.toISOString()}, or nothing was written after that; without --at everything is restored that there is`,
    );
  return error;
}
