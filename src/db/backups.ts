import type postgres from "postgres";
import { StartError } from "../core/errors.js";
import type { Sql } from "./connect.js";

type AnySql = Sql | postgres.ReservedSql;

export type BackupKind = "FULL" | "DIFFERENTIAL" | "INCREMENTAL";

/** How long ago the newest backup that succeeded was finished, in milliseconds; null: there is none. */
export async function newestBackupAgeMs(sql: Sql, nowMs: number): Promise<number | null> {
  const [row] = await sql<{ finished_ms: string | null }[]>`
    select (extract(epoch from max(finished_at)) * 1000)::bigint::text as finished_ms from backups where status = 'SUCCEEDED'`;
  return row?.finished_ms == null ? null : nowMs - Number(row.finished_ms);
}

export interface BackupStart {
  readonly id: string;
  readonly kind: BackupKind;
  readonly location: string;
  readonly startedAtMs: number;
  readonly programVersion: string;
}

export async function recordStart(sql: AnySql, backup: BackupStart): Promise<void> {
  const { id, kind, location, startedAtMs, programVersion } = backup;
  await sql`insert into backups (id, kind, status, location, started_at, program_version)
    values (${id}, ${kind}, 'RUNNING', ${location}, ${instantOf(startedAtMs)}, ${programVersion})`;
}

export async function recordSuccess(sql: AnySql, id: string, sizeBytes: number, finishedAtMs: number): Promise<void> {
  await sql`update backups set status = 'SUCCEEDED', size_bytes = ${sizeBytes}, finished_at = ${instantOf(finishedAtMs)}, error = null
    where id = ${id}`;
}

export async function recordFailure(sql: AnySql, id: string, error: string, finishedAtMs: number): Promise<void> {
  await sql`update backups set status = 'FAILED', error = ${error.slice(0, 1_000)}, finished_at = ${instantOf(finishedAtMs)}
    where id = ${id}`;
}

/** Those that nobody is making any more; the caller knows that no backup is under way. */
export async function recordForgotten(sql: AnySql, nowMs: number): Promise<void> {
  await sql`update backups set status = 'FAILED', finished_at = greatest(started_at, ${instantOf(nowMs)}),
    error = 'the program ended before the backup was finished' where status = 'RUNNING'`;
}

/** Newest first. */
export async function finishedBackups(sql: AnySql): Promise<{ id: string; location: string }[]> {
  return sql<
    { id: string; location: string }[]
  >`select id::text as id, location from backups where status = 'SUCCEEDED' order by started_at desc, id desc`;
}

export async function forgetBackup(sql: AnySql, id: string): Promise<void> {
  await sql`delete from backups where id = ${id}`;
}

const instantOf = (ms: number): string => new Date(ms).toISOString();

/** What `pgbackrest info --output=json` says, as far as it is used here. */
interface Stanza {
  readonly name: string;
  readonly backup: readonly {
    readonly label: string;
    readonly type: "full" | "diff" | "incr";
    readonly error: boolean | null;
    readonly timestamp: { readonly start: number; readonly stop: number };
    readonly info: { readonly size: number; readonly repository?: { readonly delta?: number } };
  }[];
}

const kinds = { full: "FULL", diff: "DIFFERENTIAL", incr: "INCREMENTAL" } as const;

/**
 * Takes over what pgBackRest says of its backups: new ones come in, expired ones go. Returns how many there are.
 * @throws {StartError} when the text is not what `pgbackrest info --output=json` prints
 */
export async function recordPgBackRest(
  sql: Sql,
  text: string,
  { newId, programVersion }: { newId: () => string; programVersion: string },
): Promise<number> {
  const stanzas = parseStanzas(text);
  const rows = stanzas.flatMap(({ name, backup }) =>
    backup.map(({ label, type, error, timestamp, info }) => ({
      location: `pgbackrest:${name}/${label}`,
      kind: kinds[type],
      startedAt: instantOf(timestamp.start * 1000),
      finishedAt: instantOf(timestamp.stop * 1000),
      // What it added to the repository.
      size: info.repository?.delta ?? info.size,
      error: error ? "pgBackRest found pages with a wrong checksum" : null,
    })),
  );
  await sql.begin(async (tx) => {
    for (const { location, kind, startedAt, finishedAt, size, error } of rows)
      await tx`insert into backups (id, kind, status, location, started_at, finished_at, size_bytes, error, program_version)
        values (${newId()}, ${kind}, ${error === null ? "SUCCEEDED" : "FAILED"}, ${location}, ${startedAt}, ${finishedAt}, ${size}, ${error},
          ${programVersion})
        on conflict (location) do update set status = excluded.status, error = excluded.error`;
    const locations = new Set(rows.map(({ location }) => location));
    for (const { name } of stanzas) {
      const prefix = `pgbackrest:${name}/`;
      const known = await tx<
        { id: string; location: string }[]
      >`select id::text as id, location from backups where starts_with(location, ${prefix})`;
      for (const { id, location } of known)
        if (!locations.has(location)) await tx`delete from backups where id = ${id}`;
    }
  });
  return rows.length;
}

function parseStanzas(text: string): readonly Stanza[] {
  try {
    const stanzas = JSON.parse(text) as readonly Stanza[];
    const isSound = stanzas.every(
      ({ name, backup }) =>
        typeof name === "string" &&
        backup.every(
          ({ label, type, timestamp, info }) =>
            typeof label === "string" &&
            Object.hasOwn(kinds, type) &&
            Number.isInteger(timestamp.start) &&
            Number.isInteger(timestamp.stop) &&
            Number.isInteger(info.size),
        ),
    );
    if (isSound) return stanzas;
  } catch {
    // As anything else that is not it.
  }
  throw new StartError("standard input is not what `pgbackrest info --output=json` prints");
}
