import { join, resolve } from "node:path";
import type { Config } from "./config.js";
import { StartError } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { systemClock } from "./core/time.js";
import { uuidV7 } from "./core/uuid.js";
import { programVersion } from "./core/version.js";
import { withOwner } from "./database-commands.js";
import { backUp } from "./db/back-up.js";
import { recordPgBackRest } from "./db/backups.js";
import { readMigrations } from "./db/migrations.js";
import { restore } from "./db/restore.js";
import { readInput } from "./standard-input.js";

export interface BackupCommandOptions {
  readonly to?: string | undefined;
  readonly keep?: string | undefined;
  readonly record?: boolean | undefined;
  readonly from?: string | undefined;
  readonly at?: string | undefined;
  readonly wal?: string | undefined;
}

const defaultKept = 3;
/** `pgbackrest info` of some hundred backups. */
const maxInfoBytes = 4 * 1024 * 1024;

/** Backs the embedded database up, or takes over what pgBackRest says of its backups of another one. */
export async function runBackup(
  { to, keep, record }: BackupCommandOptions,
  config: Config,
  log: Logger,
  input: NodeJS.ReadStream,
  print: (line: string) => void,
): Promise<void> {
  const clock = systemClock;
  if (record) {
    const text = await readInput(input, maxInfoBytes);
    const newId = () => uuidV7(clock.nowMs());
    const count = await withOwner(config, log, ({ sql }) => recordPgBackRest(sql, text, { newId, programVersion }));
    return print(`${count} backups of pgBackRest are recorded`);
  }
  requireEmbedded(config);
  const kept = keptOf(keep);
  const { dataDirectory } = config;
  const folder = resolve(to ?? join(dataDirectory, "backups"));
  const made = await withOwner(config, log, (database) =>
    backUp({ database, dataDirectory, folder, kept, programVersion, clock }),
  );
  print(`backed up ${megabytes(made.sizeBytes)} into ${made.location}`);
  print(
    `  it can be restored to any time from ${made.restorableFrom} on, as far as the WAL in ${made.walArchive} goes`,
  );
  for (const dropped of made.dropped) print(`  dropped ${dropped}`);
}

/** Makes the embedded database anew from a backup, in a data folder that has none. */
export async function runRestore(
  { from, at, to, wal }: BackupCommandOptions,
  config: Config,
  log: Logger,
  print: (line: string) => void,
): Promise<void> {
  requireEmbedded(config);
  if (from === undefined) throw new StartError("--from DIR must say which backup");
  const dataDirectory = to === undefined ? config.dataDirectory : resolve(to);
  const manifest = await restore({
    backup: resolve(from),
    dataDirectory,
    at: at === undefined ? null : instantOf(at),
    walArchive: wal === undefined ? null : resolve(wal),
    knownMigrations: (await readMigrations()).length,
    log,
    nowMs: systemClock.nowMs(),
  });
  print(
    `restored the backup of ${manifest.startedAt}${at === undefined ? "" : `, up to ${at},`} into ${dataDirectory}`,
  );
  print("  The file with the encryption keys is not part of a backup: put it there too.");
  const place = to === undefined ? "" : `TRADEGRAPH_DATA_DIR=${dataDirectory} `;
  print(`  Next: ${place}node dist/main.js validate, and a new backup, which the WAL from now on goes with.`);
}

function requireEmbedded({ databaseUrl }: Config): void {
  if (databaseUrl !== null)
    throw new StartError(
      "this is for the embedded Postgres; a database at DATABASE_URL is backed up with pgBackRest, see the README",
    );
}

function keptOf(keep: string | undefined): number {
  const count = Number(keep ?? defaultKept);
  if (!Number.isInteger(count) || count < 1) throw new StartError("--keep must be a whole number from 1");
  return count;
}

/** With its zone: local time would be another one on another machine. */
function instantOf(text: string): Date {
  const isWhole = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const instant = new Date(text);
  if (!isWhole || Number.isNaN(instant.getTime()))
    throw new StartError(`--at must be an instant with its zone, such as 2026-03-01T14:30:00Z, and not "${text}"`);
  return instant;
}

const megabytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
