import type { Sql } from "./connect.js";

/** How this database stores the series, as the migration found it. Only reports and tests need to know. */
export async function seriesStorage(sql: Sql): Promise<"timescaledb" | "tables"> {
  const [row] = await sql<
    { aggregated: boolean }[]
  >`select relkind = 'v' as aggregated from pg_class where oid = 'candles_5m'::regclass`;
  return row?.aggregated === true ? "timescaledb" : "tables";
}

/** Deleted in one transaction from each of the series: some hundred milliseconds of work. */
const rowsPerStep = 10_000;

/**
 * Deletes what is older than its series keeps, in short transactions, until nothing is left or `isCancelled` says so.
 * Returns how many rows went. Where TimescaleDB has its own policies, and while another process is at it, there are none.
 */
export async function dropOldSeries(sql: Sql, isCancelled: () => boolean = () => false): Promise<number> {
  let total = 0;
  while (!isCancelled()) {
    const [row] = await sql<{ deleted: string }[]>`select drop_old_series(${rowsPerStep}) as deleted`;
    const deleted = Number(row?.deleted ?? 0);
    if (deleted === 0) break;
    total += deleted;
  }
  return total;
}
