import { lchownSync, mkdirSync, readdirSync, readFileSync, rmSync, utimes, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { systemClock } from "../core/time.js";

/** What the archive may hold; then it takes no more, so that it never fills the disk, until a backup makes older WAL needless. */
const maxArchiveKilobytes = 8 * 1024 * 1024;
/** What a quiet database has written is in the archive after this at the latest. */
const archiveTimeoutSeconds = 60;
/** While this file is there and young, a backup is under way. */
const underWayName = ".backup-under-way";
const underWayMinutes = 5;
const markRenewalMs = 60_000;
/** What the file of a segment is called: its timeline, and where in it. */
const segmentName = /^[0-9A-F]{24}$/;
/** What the server has archived when a backup was finished: the segment that it begins with, and where in that. */
const backupStartName = /^[0-9A-F]{24}\.[0-9A-F]{8}\.backup\.gz$/;
const archiveName = "wal-archive";

/** The cluster's WAL since its oldest kept backup, compressed, beside the cluster. */
const walArchiveOf = (cluster: string): string => join(dirname(cluster), archiveName);

/**
 * Has the server keep its WAL for restores, from the first backup on: before that there is no archive, and nothing is kept.
 * Where the archive is full, WAL is let go rather than kept in the cluster for ever; the next backup, whose own WAL is taken
 * nevertheless, is then a new beginning.
 * A file that is there already is this one, from before a crash, or it is torn, and written anew. Where it is of another life of
 * the cluster, the server keeps its WAL and says so in its log: neither is given up.
 */
export function archiveSettings(cluster: string, maxKilobytes = maxArchiveKilobytes): Record<string, string> {
  const folder = quoted(walArchiveOf(cluster));
  const command = [
    `a=${folder}`,
    '[ -d "$a" ] || exit 0',
    'if gzip -t "$a/%f.gz" 2>/dev/null; then gzip -dc "$a/%f.gz" | cmp -s - "%p" && exit 0; echo "the WAL archive has another %f" >&2; exit 1; fi',
    `if [ "$(du -sk "$a" | cut -f1)" -ge ${maxKilobytes} ] && [ -z "$(find "$a/${underWayName}" -mmin -${underWayMinutes} 2>/dev/null)" ]`,
    'then echo "the WAL archive is full" >&2; exit 0; fi',
    'gzip -1 -c "%p" > "$a/.%f.part" && mv "$a/.%f.part" "$a/%f.gz"',
  ].join("; ");
  return { archive_mode: "on", archive_timeout: String(archiveTimeoutSeconds), archive_command: command };
}

/**
 * Where a restore finds WAL, below the cluster, in which the server runs this. The server also asks for the histories of timelines
 * that follow, to go on with a new one: each counts as there of which the archive beside the cluster has a file, so that no segment
 * gets the name of one from an earlier life of the cluster. `backupSegment`: one of the timeline that is restored.
 */
export function restoreCommand(folder: string, backupSegment: string): string {
  const isTaken = `set -- ../${archiveName}/"$(basename "%f" .history)"*; [ -e "$1" ] && : > "%p"; exit`;
  return [
    `case "%f" in ${timelineOf(backupSegment)}.history) exit 1;; *.history) ${isTaken};; esac`,
    `gzip -dc "${folder}/%f.gz" > "%p"`,
  ].join("; ");
}

/** For the shell, and for the server, which takes a per cent sign for a placeholder. */
const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''").replaceAll("%", "%%")}'`;

/** Makes the archive, from when on WAL is kept. `owner`: whom the server runs as, where that is not this user. */
export function openWalArchive(cluster: string, owner: { readonly uid: number; readonly gid: number } | null): string {
  const folder = walArchiveOf(cluster);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (owner !== null) lchownSync(folder, owner.uid, owner.gid);
  return folder;
}

/**
 * Has the archive take WAL also where it is full: a backup cannot do without its own. Returns what ends that; where the program dies
 * before, it ends by itself after minutes.
 */
export function liftLimit(folder: string): () => void {
  const mark = join(folder, underWayName);
  writeFileSync(mark, "", { mode: 0o600 });
  const renewing = setInterval(() => {
    const now = systemClock.nowMs() / 1000;
    // One that is gone is not made anew.
    utimes(mark, now, now, () => {});
  }, markRenewalMs);
  return () => {
    clearInterval(renewing);
    rmSync(mark, { force: true });
  };
}

/** Names of the segments that are kept from `first` to `last`, in order, all of the same timeline. */
export function archivedSegments(
  folder: string,
  first: string,
  last = `${timelineOf(first)}${"F".repeat(16)}`,
): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".gz"))
    .map((file) => file.slice(0, -".gz".length))
    .filter((name) => segmentName.test(name) && name >= first && name <= last)
    .toSorted();
}

const timelineOf = (segment: string): string => segment.slice(0, 8);
/** Numbers go on when the timeline changes. */
const positionOf = (segment: string): string => segment.slice(8);

/** What a backup is called in the file that the server archives when it is finished. */
export const backupLabel = (id: string): string => `tradegraph ${id}`;

/**
 * Where the oldest of these backups begins that goes on with this archive; null when none does. The archive itself knows: the
 * backups may be on a disk that is not there just now.
 */
export function firstNeededSegment(folder: string, backups: readonly string[]): string | null {
  const labels = backups.map((id) => `\nLABEL: ${backupLabel(id)}\n`);
  const isNeeded = (file: string): boolean => {
    try {
      const told = gunzipSync(readFileSync(join(folder, file))).toString();
      return labels.some((label) => told.includes(label));
    } catch {
      // Whose it is cannot be said.
      return true;
    }
  };
  const starts = readdirSync(folder).filter((file) => backupStartName.test(file) && isNeeded(file));
  return starts.map((file) => file.slice(0, 24)).toSorted(byPosition)[0] ?? null;
}

const byPosition = (one: string, other: string): number => (positionOf(one) < positionOf(other) ? -1 : 1);

/** Drops what no backup needs that begins with `first` or later. */
export function dropSegmentsBefore(folder: string, first: string): void {
  for (const file of readdirSync(folder)) {
    const name = file.slice(0, 24);
    if (segmentName.test(name) && positionOf(name) < positionOf(first)) rmSync(join(folder, file), { force: true });
  }
}
