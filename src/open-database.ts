import { seedReferenceData } from "./catalogue/seed.js";
import type { Config } from "./config.js";
import { requireFreePort } from "./core/listen.js";
import type { Logger } from "./core/logger.js";
import { connect, type DatabaseAddress, waitForDatabase } from "./db/connect.js";
import { openEmbeddedDatabase } from "./db/embedded-database.js";
import { type Migration, migrate } from "./db/migrations.js";

export interface OpenDatabase {
  readonly address: DatabaseAddress;
  /** Stops the embedded server, where that is the one. */
  close(): Promise<void>;
}

/**
 * The database that the program serves, migrated and seeded where it does that itself. Knows little of the program, so that it
 * is at work while the rest of it is being loaded. `given` takes the place of the embedded server and of DATABASE_URL.
 */
export async function openDatabase(
  config: Config,
  log: Logger,
  given?: DatabaseAddress,
  known?: readonly Migration[],
): Promise<OpenDatabase> {
  // Said at once, before a database is started for nothing.
  if (config.roles.has("api") && config.port !== 0) await requireFreePort(config);
  const opened = await findDatabase(config, log, given);
  try {
    if (config.autoMigrate) await prepareDatabase(config, opened.address, log, known);
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function findDatabase(config: Config, log: Logger, given?: DatabaseAddress): Promise<OpenDatabase> {
  const address = given ?? (config.databaseUrl === null ? null : { url: config.databaseUrl });
  if (address !== null) return { address, close: async () => {} };
  return openEmbeddedDatabase(config.dataDirectory, config.mode, log.child({ room: "postgres" }));
}

/** Migrations and reference data, as the owner of the tables. */
async function prepareDatabase(
  config: Config,
  served: DatabaseAddress,
  log: Logger,
  known: readonly Migration[] | undefined,
): Promise<void> {
  const { migrationDatabaseUrl } = config;
  const address = "url" in served && migrationDatabaseUrl ? { url: migrationDatabaseUrl } : served;
  const owner = connect({ address, role: null, poolSize: 1, applicationName: "tradegraph migrate" });
  try {
    await waitForDatabase(owner, address, config.databaseWaitMs, log);
    await migrate(owner.sql, log, { known });
    await seedReferenceData(owner, config.mode);
  } finally {
    await owner.close();
  }
}
