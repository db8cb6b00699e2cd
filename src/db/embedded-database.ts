import postgres from "postgres";
import type { Logger } from "../core/logger.js";
import type { DatabaseAddress } from "./connect.js";
import { attachEmbeddedPostgres, startEmbeddedPostgres } from "./embedded.js";

export interface EmbeddedDatabase {
  readonly address: DatabaseAddress;
  /** Stops the server, unless another process runs it. */
  close(): Promise<void>;
}

interface OpenOptions {
  /** Use the server that `npm start` runs in another terminal, if there is one. */
  readonly attach: boolean;
}

/** The database of one source of prices in the embedded Postgres; simulated and live prices have one each. */
export async function openEmbeddedDatabase(
  dataDirectory: string,
  mode: "simulated" | "live",
  log: Logger,
  options: OpenOptions = { attach: false },
): Promise<EmbeddedDatabase> {
  const running = options.attach ? await attachEmbeddedPostgres(dataDirectory) : null;
  const started = running === null ? await startEmbeddedPostgres({ dataDirectory, log }) : null;
  const server = running ?? started;
  if (server === null) throw new Error("unreachable");
  const database = `tradegraph_${mode}`;
  const { host, port, user } = server;
  try {
    await createDatabase({ host, port, user }, database);
  } catch (error) {
    await started?.close();
    throw error;
  }
  return { address: { host, port, user, database }, close: async () => started?.close() };
}

async function createDatabase(server: { host: string; port: number; user: string }, name: string): Promise<void> {
  const sql = postgres({ ...server, database: "postgres", max: 1, onnotice: () => {} });
  try {
    const [known] = await sql`select from pg_database where datname = ${name}`;
    if (known === undefined) await sql`create database ${sql(name)}`;
  } finally {
    await sql.end();
  }
}
