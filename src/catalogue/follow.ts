import { inArray } from "drizzle-orm";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import type { Catalogue, CatalogueRows, CatalogueTable } from "./catalogue.js";
import { assetClasses, dataProviders, exchanges, marketHolidays, markets, symbols, tradingSessions } from "./tables.js";

/** In the order of their references, so that a row's parents are there before it. */
const tables = {
  asset_classes: assetClasses,
  exchanges,
  markets,
  trading_sessions: tradingSessions,
  market_holidays: marketHolidays,
  data_providers: dataProviders,
  symbols,
} as const;
const tableNames = Object.keys(tables) as CatalogueTable[];

const channel = "tradegraph_catalogue";
/** Changes that arrive within this time are read together. */
const gatherMs = 20;
const retryMs = 500;

async function readTable(
  database: Database,
  table: CatalogueTable,
  ids: readonly number[] | null,
): Promise<CatalogueRows[CatalogueTable][]> {
  const source = tables[table] as typeof symbols;
  const query = database.db.select().from(source);
  return (await (ids === null
    ? query
    : query.where(inArray(source.id, [...ids])))) as unknown as CatalogueRows[CatalogueTable][];
}

/** Reads everything once. */
export async function readCatalogue(database: Database, catalogue: Catalogue): Promise<void> {
  for (const table of tableNames) catalogue.apply(table, null, await readTable(database, table, null));
}

export interface CatalogueFollower {
  /** Reads the given rows again at once, for a writer that wants to see its own change. */
  refresh(table: CatalogueTable, ids: readonly number[]): Promise<void>;
  refreshAll(table: CatalogueTable): Promise<void>;
  close(): Promise<void>;
}

/**
 * Fills the catalogue and keeps it fresh by change notifications, whoever made the change. A lost listening connection
 * is made anew by the driver, and everything is read again then, because notifications may have been missed.
 */
export async function followCatalogue(
  database: Database,
  catalogue: Catalogue,
  log: Logger,
): Promise<CatalogueFollower> {
  /** Rows to read again, by table; null: all rows. Bounded by the number of rows. */
  const wanted = new Map<CatalogueTable, Set<number> | null>();
  let timer: NodeJS.Timeout | undefined;
  let reading = Promise.resolve();
  let closed = false;

  async function read(table: CatalogueTable, ids: readonly number[] | null): Promise<void> {
    const rows = await readTable(database, table, ids);
    if (!closed) catalogue.apply(table, ids, rows);
  }

  async function readWanted(): Promise<void> {
    for (const table of tableNames) {
      const ids = wanted.get(table);
      if (ids === undefined) continue;
      wanted.delete(table);
      try {
        await read(table, ids === null ? null : [...ids]);
      } catch (error) {
        if (closed) return;
        log.warn({ table, error: errorMessage(error) }, "catalogue.read-failed");
        want(table, ids === null ? null : [...ids], retryMs);
      }
    }
  }

  function want(table: CatalogueTable, ids: readonly number[] | null, delayMs = gatherMs): void {
    // The driver cannot end a listening that it made anew: notifications may still come.
    if (closed) return;
    const known = wanted.get(table);
    if (ids === null || known === null) wanted.set(table, null);
    else wanted.set(table, new Set([...(known ?? []), ...ids]));
    timer ??= setTimeout(() => {
      timer = undefined;
      reading = reading.then(readWanted);
    }, delayMs);
  }

  const listening = await database.sql.listen(
    channel,
    (payload) => {
      const change = readChange(payload);
      if (change === null) log.warn({ length: payload.length }, "catalogue.unknown-notification");
      else want(change.table, change.ids);
    },
    // Also runs after every reconnect of the listening connection.
    () => {
      for (const table of tableNames) want(table, null);
    },
  );
  // Later reads wait for this one, or its older rows could replace newer ones. What was heard until now is in it.
  wanted.clear();
  const firstRead = readCatalogue(database, catalogue);
  reading = firstRead.catch(() => {});
  await firstRead;

  const readNow = (table: CatalogueTable, ids: readonly number[] | null): Promise<void> => {
    const mine = reading.then(() => read(table, ids));
    reading = mine.catch(() => {});
    return mine;
  };
  return {
    refresh: readNow,
    refreshAll: (table) => readNow(table, null),
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await reading;
      await listening.unlisten().catch(() => {});
    },
  };
}

/** The rows that a notification names, null ids: all of the table; null when it is none of ours, as anyone may notify. */
function readChange(payload: string): { table: CatalogueTable; ids: readonly number[] | null } | null {
  let change: { table?: unknown; ids?: unknown } | null;
  try {
    change = JSON.parse(payload);
  } catch {
    return null;
  }
  const table = tableNames.find((name) => name === change?.table);
  const ids = change?.ids;
  if (table === undefined) return null;
  if (ids === null) return { table, ids };
  return Array.isArray(ids) && ids.every(Number.isInteger) ? { table, ids } : null;
}
