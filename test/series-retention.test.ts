import { expect, test } from "vitest";
import { dropOldSeries } from "../src/db/time-series.js";
import { dropOldSeries as dropOldSeriesJob } from "../src/jobs/drop-old-series.js";
import { describeSeries, dropOld, newSymbol, type SeriesDatabase } from "./support/series-storage.js";

/** How many days each is kept, and how many more TimescaleDB takes to be rid of a whole chunk. */
const kept = [
  ["market_trades", "traded_at", 14, 1],
  ["book_tickers", "received_at", 14, 1],
  ["candles", "open_time", 30, 1],
  ["funding_rates", "funding_time", 1_826, 180],
  ["order_book_snapshots", "received_at", 30, 1],
  ["order_flow_metrics", "measured_at", 30, 1],
  ["arbitrage_opportunities", "detected_at", 30, 1],
] as const;
type Table = (typeof kept)[number][0];

/** One row of each series. */
const rows: Record<Table, string> = {
  market_trades: "$1, $2, $2, 1, 't', 1, 'BUY', 1, 1",
  book_tickers: "$1, $2, 1, null, 1, 1, null, null",
  candles: "$1, date_trunc('minute', $2::timestamptz), 1, 1, 1, 1, 1, 1, 1, 0, 0, null",
  funding_rates: "$1, $2, null, 0.1, null, null, $2, $2",
  order_book_snapshots: `$1, $2, 1, null, '[["1","1"]]', '[]', 1, 0`,
  order_flow_metrics: "$1, $2, 1000, 1, 1, 0",
  arbitrage_opportunities: "gen_random_uuid(), $2, null, $1, 1, 1, 2, 1, 1, 1",
};

async function insertAged({ owner: { sql } }: SeriesDatabase, table: Table, symbolId: number, days: number) {
  await sql.unsafe(`insert into ${table} values (${rows[table]})`, [
    symbolId,
    new Date(Date.now() - days * 86_400_000).toISOString(),
  ]);
}

async function agesOf({ owner: { sql } }: SeriesDatabase, table: Table, time: string, symbolId: number) {
  const symbol = table === "arbitrage_opportunities" ? "buy_symbol_id" : "symbol_id";
  const found = await sql.unsafe<{ days: number }[]>(
    `select round(extract(epoch from now() - ${time}) / 86400)::int as days from ${table} where ${symbol} = $1 order by 1`,
    [symbolId],
  );
  return found.map(({ days }) => days);
}

describeSeries("retention", (on, storage) => {
  test.each(kept)("%s: what is older than it is kept goes, and nothing else", async (table, time, days, chunkDays) => {
    const symbolId = await newSymbol(on);
    for (const age of [0, days - 1, days + 1 + chunkDays, days + 400]) await insertAged(on, table, symbolId, age);
    await dropOld(on);
    expect(await agesOf(on, table, time, symbolId)).toEqual([0, days - 1]);
  });

  test("whoever holds the lock deletes alone, in steps that can be ended", async () => {
    if (storage === "timescaledb") {
      expect(await dropOldSeries(on.app.sql)).toBe(0);
      return;
    }
    const symbolId = await newSymbol(on);
    await insertAged(on, "market_trades", symbolId, 20);
    expect(await dropOldSeries(on.app.sql, () => true)).toBe(0);
    await on.owner.sql.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(hashtext('tradegraph.drop_old_series'))`;
      expect(await dropOldSeries(on.app.sql)).toBe(0);
    });
    expect(await dropOldSeries(on.app.sql)).toBe(1);
    expect(await agesOf(on, "market_trades", "traded_at", symbolId)).toEqual([]);
  });

  test("the job deletes until it may not go on", async () => {
    if (storage === "timescaledb") return; // Its own policies do it.
    const symbolId = await newSymbol(on);
    const isGone = async () => (await agesOf(on, "candles", "open_time", symbolId)).length === 0;
    await insertAged(on, "candles", symbolId, 40);
    const job = dropOldSeriesJob(on.app);
    expect(await job.work({ at: new Date(), mayGoOn: () => true })).toEqual({ rows: 1 });
    expect(await isGone()).toBe(true);
    await insertAged(on, "candles", symbolId, 42);
    expect(await job.work({ at: new Date(), mayGoOn: () => false })).toEqual({ rows: 0 });
    expect(await isGone()).toBe(false);
  });
});
