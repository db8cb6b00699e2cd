import { Catalogue } from "./catalogue/catalogue.js";
import { readCatalogue } from "./catalogue/follow.js";
import { seedReferenceData } from "./catalogue/seed.js";
import type { Config } from "./config.js";
import { StartError } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { systemClock } from "./core/time.js";
import { severities } from "./db/checks/data-check.js";
import { connect, type Database, waitForDatabase } from "./db/connect.js";
import { openEmbeddedDatabase } from "./db/embedded-database.js";
import { migrate, rollback } from "./db/migrations.js";
import { openKeyRing } from "./encryption-keys.js";
import { dataChecks } from "./jobs/checks.js";
import { formatReport } from "./jobs/format-checks.js";
import { syncInstruments } from "./jobs/sync-instruments.js";
import { everything, validate } from "./jobs/validate.js";
import { openProviderAccess } from "./provider-access.js";
import { rebuild } from "./trading/rebuild.js";

export interface DatabaseCommandOptions {
  readonly steps?: string | undefined;
  readonly all?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly sync?: string | undefined;
  readonly json?: boolean | undefined;
  readonly write?: boolean | undefined;
  readonly days?: string | undefined;
  readonly severity?: string | undefined;
}

const maxDifferences = 50;

/** Runs a command that works on the database alone, as its owner. Returns the exit status. */
export async function runDatabaseCommand(
  command: "migrate" | "rollback" | "seed" | "validate" | "rebuild",
  options: DatabaseCommandOptions,
  config: Config,
  log: Logger,
  print: (line: string) => void,
): Promise<number> {
  return withOwner(config, log, async (database) => {
    switch (command) {
      case "migrate": {
        const applied = await migrate(database.sql, log);
        print(applied.length === 0 ? "nothing to migrate" : `applied ${applied.join(", ")}`);
        return 0;
      }
      case "rollback": {
        const reverted = await rollback(database.sql, { steps: stepsOf(options), force: options.force ?? false }, log);
        print(reverted.length === 0 ? "nothing to roll back" : `took back ${reverted.join(", ")}`);
        return 0;
      }
      case "seed": {
        await seedReferenceData(database, config.mode);
        print("reference data is complete");
        if (options.sync !== undefined) {
          const catalogue = new Catalogue();
          await readCatalogue(database, catalogue);
          const access = openProviderAccess(database, catalogue, await openKeyRing(config), systemClock, log);
          try {
            const changed = await syncInstruments(database, catalogue, options.sync, log, access);
            print(`${options.sync}: ${changed} symbols added or changed`);
          } finally {
            await access.close();
          }
        }
        return 0;
      }
      case "rebuild": {
        const { accounts, events, differences } = await rebuild(database, options.write ?? false);
        print(`${accounts} accounts made anew from ${events} events`);
        for (const difference of differences.slice(0, maxDifferences)) print(`  ${difference}`);
        if (differences.length === 0) print("orders, positions and balances are what the events say");
        else if (options.write) print(`${differences.length} differences, put right`);
        else print(`${differences.length} differences; --write puts in what the events say`);
        return differences.length === 0 || options.write ? 0 : 1;
      }
      case "validate": {
        const keyRing = await openKeyRing(config);
        const { since, checks } = checksOf(options);
        const report = await validate(database, { ...everything, since, keyIds: keyRing?.ids ?? [] }, checks);
        print(options.json ? JSON.stringify(report, null, 2) : formatReport(report));
        return report.every((result) => result.passed) ? 0 : 1;
      }
    }
  });
}

/** What is asked for of the checks, and how far they look back. */
function checksOf({ days, severity = "low" }: DatabaseCommandOptions) {
  const count = Number(days ?? Number.NaN);
  if (days !== undefined && !(Number.isInteger(count) && count > 0))
    throw new StartError("--days must be a whole number from 1");
  const least = (severities as readonly string[]).indexOf(severity.toUpperCase());
  if (least === -1) throw new StartError(`--severity must be one of ${severities.join(", ").toLowerCase()}`);
  return {
    since: days === undefined ? null : new Date(systemClock.nowMs() - count * dayMs),
    checks: dataChecks.filter((check) => severities.indexOf(check.severity) <= least),
  };
}

const dayMs = 86_400_000;

function stepsOf({ steps, all }: DatabaseCommandOptions): number {
  if (all) return Number.POSITIVE_INFINITY;
  const count = Number(steps ?? "1");
  if (!Number.isInteger(count) || count < 1) throw new StartError("--steps must be a whole number from 1");
  return count;
}

/** The database as the owner of its tables; the embedded one is started for the time of the work where nobody runs it. */
export async function withOwner<T>(config: Config, log: Logger, work: (database: Database) => Promise<T>): Promise<T> {
  const url = config.migrationDatabaseUrl;
  const embedded =
    url === null ? await openEmbeddedDatabase(config.dataDirectory, config.mode, log, { attach: true }) : null;
  const address = embedded?.address ?? { url: url ?? "" };
  const database = connect({ address, role: null, poolSize: 2, applicationName: "tradegraph command" });
  try {
    await waitForDatabase(database, address, config.databaseWaitMs, log);
    return await work(database);
  } finally {
    await database.close();
    await embedded?.close();
  }
}
