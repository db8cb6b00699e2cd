import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { copyFile, mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type postgres from "postgres";
import { errorMessage, StartError } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import { type BackupManifest, clusterFolder, copyCluster, walFolder, writeManifest } from "./backup-files.js";
import {
  finishedBackups,
  forgetBackup,
  recordFailure,
  recordForgotten,
  recordStart,
  recordSuccess,
} from "./backups.js";
import type { Database } from "./connect.js";
import { findServerUser } from "./embedded-binaries.js";
import {
  archivedSegments,
  backupLabel,
  dropSegmentsBefore,
  firstNeededSegment,
  liftLimit,
  openWalArchive,
} from "./wal-archive.js";

export interface BackUp {
  /** The embedded database, as its owner. */
  readonly database: Database;
  readonly dataDirectory: string;
  /** Each backup gets a folder of its own in it. */
  readonly folder: string;
  /** How many backups stay in the folder, with this one; older ones go, and the WAL that only they needed. */
  readonly kept: number;
  readonly programVersion: string;
  readonly clock: Clock;
}

export interface MadeBackup extends BackupManifest {
  readonly location: string;
  /** Folders of older backups that were taken away. */
  readonly dropped: readonly string[];
}

/** Any number will do, as long as every version of the program takes the same. */
const backupLockKey = 7_261_542;

/**
 * Copies the embedded server's cluster while it runs, with the WAL that makes the copy whole, and has the server keep its WAL from
 * then on, so that the copy can be restored to any later time.
 * @throws {StartError} when another backup is under way. A backup that fails leaves no folder, and a row that says why.
 */
export async function backUp(options: BackUp): Promise<MadeBackup> {
  const { database, dataDirectory, folder, kept, clock } = options;
  const session = await database.sql.reserve();
  try {
    await session`set statement_timeout = 0`;
    const [lock] = await session<{ taken: boolean }[]>`select pg_try_advisory_lock(${backupLockKey}) as taken`;
    if (!lock?.taken) throw new StartError("another backup is being made; wait for its end");
    try {
      await recordForgotten(session, clock.nowMs());
      const cluster = realpathSync(join(dataDirectory, "postgres"));
      const made = await recorded(session, cluster, options);
      return { ...made, dropped: await dropOld(session, { folder, kept, archive: made.walArchive }) };
    } finally {
      await session`select pg_advisory_unlock(${backupLockKey})`.catch(() => {});
    }
  } finally {
    session.release();
  }
}

async function recorded(
  session: postgres.ReservedSql,
  cluster: string,
  { folder, clock, programVersion }: BackUp,
): Promise<BackupManifest & { location: string }> {
  const startedAtMs = clock.nowMs();
  const id = uuidV7(startedAtMs);
  const location = join(folder, new Date(startedAtMs).toISOString().replace(/[-:.]/g, ""));
  await recordStart(session, { id, kind: "FULL", location, startedAtMs, programVersion });
  try {
    await requireArchiving(session);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Fails where it is there: a backup is never written over another one.
    await mkdir(location, { mode: 0o700 });
    const manifest = await copyRunning(session, { id, location, cluster, startedAtMs, programVersion });
    await recordSuccess(session, id, manifest.sizeBytes, Math.max(startedAtMs, clock.nowMs()));
    return { ...manifest, location };
  } catch (error) {
    await session`select pg_backup_stop(false)`.catch(() => {});
    await recordFailure(session, id, errorMessage(error), Math.max(startedAtMs, clock.nowMs()));
    // Where its folder cannot be made, it cannot be removed either.
    await rm(location, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

async function requireArchiving(session: postgres.ReservedSql): Promise<void> {
  const [row] = await session<{ mode: string }[]>`select current_setting('archive_mode') as mode`;
  if (row?.mode !== "on")
    throw new StartError("the server keeps no WAL: it was started by an older program, so start that anew first");
}

interface BackupToMake {
  readonly id: string;
  readonly location: string;
  readonly cluster: string;
  readonly startedAtMs: number;
  readonly programVersion: string;
}

async function copyRunning(session: postgres.ReservedSql, backup: BackupToMake): Promise<BackupManifest> {
  const walArchive = openWalArchive(backup.cluster, await findServerUser());
  const restoreLimit = liftLimit(walArchive);
  try {
    return await copyWithWal(session, backup, walArchive);
  } finally {
    restoreLimit();
  }
}

async function copyWithWal(
  session: postgres.ReservedSql,
  { id, location, cluster, startedAtMs, programVersion }: BackupToMake,
  walArchive: string,
): Promise<BackupManifest> {
  await session`select pg_backup_start(${backupLabel(id)}, fast => true)`;
  const copied = await copyCluster(cluster, clusterFolder(location));
  // Waits until the WAL of the backup is in the archive.
  const [end] = await session<{ label: string; segment: string }[]>`
    select labelfile as label, pg_walfile_name(lsn) as segment from pg_backup_stop(true)`;
  const [state] = await session<{ now: string; database: string; version: number; migration: number }[]>`
    select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as now, current_database() as database,
      current_setting('server_version_num')::int as version, (select max(id) from schema_migrations) as migration`;
  const firstSegment = /START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)/.exec(end?.label ?? "")?.[1];
  if (end === undefined || state === undefined || firstSegment === undefined)
    throw new Error("the server did not say where its backup begins");
  await writeSynced(join(clusterFolder(location), "backup_label"), end.label);
  const wal = await copySegments(walArchive, walFolder(location), firstSegment, end.segment);
  // Once for all of the files.
  await promisify(execFile)("sync");
  const manifest: BackupManifest = {
    format: 1,
    id,
    programVersion,
    migration: state.migration,
    postgresMajor: Math.floor(state.version / 10_000),
    database: state.database,
    startedAt: new Date(startedAtMs).toISOString(),
    restorableFrom: state.now,
    firstSegment,
    lastSegment: end.segment,
    walArchive,
    files: copied.files,
    sizeBytes: copied.bytes + wal,
  };
  await writeManifest(location, manifest);
  return manifest;
}

/** @returns how many bytes they take @throws when the archive has not all of them */
async function copySegments(archive: string, to: string, first: string, last: string): Promise<number> {
  const segments = archivedSegments(archive, first, last);
  if (segments[0] !== first || segments.at(-1) !== last)
    throw new StartError(`the WAL of the backup is not in ${archive}: somebody has removed files`);
  await mkdir(to, { mode: 0o700 });
  let bytes = 0;
  for (const segment of segments) {
    const target = join(to, `${segment}.gz`);
    await copyFile(join(archive, `${segment}.gz`), target);
    bytes += (await stat(target)).size;
  }
  return bytes;
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Backups elsewhere stay, and so does the WAL that they go on with, also while their disk is not there. */
async function dropOld(
  session: postgres.ReservedSql,
  { folder, kept, archive }: { folder: string; kept: number; archive: string },
): Promise<string[]> {
  const backups = (await finishedBackups(session)).filter(({ location }) => !location.startsWith("pgbackrest:"));
  const old = backups.filter(({ location }) => join(location, "..") === join(folder)).slice(kept);
  for (const { id, location } of old) {
    await rm(location, { recursive: true, force: true });
    await forgetBackup(session, id);
  }
  const remaining = backups.filter((backup) => !old.includes(backup)).map(({ id }) => id);
  const firstNeeded = firstNeededSegment(archive, remaining);
  if (firstNeeded !== null) dropSegmentsBefore(archive, firstNeeded);
  return old.map(({ location }) => location);
}
