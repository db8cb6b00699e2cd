import { expect, test } from "vitest";
import type { Database } from "../src/db/connect.js";
import type { CandleInterval } from "../src/market-data/candle-intervals.js";
import { readCandles, readTrades } from "../src/market-data/series/read-series.js";
import { SeriesReader } from "../src/market-data/series/series-reader.js";
import { describeSeries, newSymbol, refreshRollUps, type SeriesDatabase, watch } from "./support/series-storage.js";

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly Plan[];
}

interface Work {
  /** Read from tables, before any filter or limit. */
  readonly rows: number;
  /** Of 8 kB, without those of planning. */
  readonly pages: number;
  readonly sequentialScans: string[];
}

/** What the database does for the statements that a function sends. */
async function workOf(on: SeriesDatabase, read: (database: Database) => Promise<unknown>): Promise<Work> {
  const database = await watch(on);
  await read(database);
  const sent = [...database.statements];
  const work: Work[] = [];
  for (const { text, parameters } of sent) {
    const [row] = await database.sql.unsafe<{ "QUERY PLAN": { Plan: Plan }[] }[]>(
      `explain (analyze, buffers, timing off, format json) ${text}`,
      parameters as never[],
    );
    const plan = row?.["QUERY PLAN"][0]?.Plan;
    if (plan === undefined) throw new Error("no plan");
    const scans = scansOf(plan);
    work.push({
      rows: scans.reduce((sum, scan) => sum + scan["Actual Rows"] * scan["Actual Loops"], 0),
      pages: plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
      sequentialScans: scans.filter((scan) => scan["Node Type"] === "Seq Scan" && scan["Actual Loops"] > 0).map(String),
    });
  }
  await database.close();
  expect(work).toHaveLength(1);
  return work[0] as Work;
}

const scansOf = (plan: Plan): Plan[] => [
  ...(plan["Relation Name"] !== undefined && plan["Node Type"] !== "Custom Scan" ? [plan] : []),
  ...(plan.Plans ?? []).flatMap(scansOf),
];

/** Fills minutes of the present and before, without the roll-ups of plain Postgres, which would take a minute. */
async function fillCandles({ owner: { sql }, storage }: SeriesDatabase, symbolIds: readonly number[], minutes: number) {
  if (storage === "tables") await sql`alter table candles disable trigger user`;
  await sql`
    insert into candles select s, date_trunc('minute', now()) - n * interval '1 minute', 5, 6, 4, 5, 1, 5, 1, 0, 0, n
    from generate_series(1, ${minutes}) n, unnest(${[...symbolIds]}::int[]) s on conflict do nothing`;
  if (storage === "tables") {
    await sql`alter table candles enable trigger user`;
    await sql`
      insert into candles_5m select symbol_id, date_bin('5 minutes', open_time, timestamptz '2000-01-03 00:00:00+00'), 5, 6, 4, 5,
        sum(volume), sum(quote_volume), sum(trade_count), 0, 0
      from candles group by 1, 2 on conflict do nothing`;
  }
}

describeSeries("growth of the series", (on) => {
  test("500 candles take the same work out of 100,000 as out of 10,000", { timeout: 120_000 }, async () => {
    const symbols = await Promise.all(Array.from({ length: 4 }, () => newSymbol(on)));
    const measure = async (interval: CandleInterval): Promise<Work> => {
      await on.owner.sql`analyze candles, candles_5m`;
      const reading = { interval, fromMs: null, toMs: null, limit: 500 };
      return workOf(on, (database) => readCandles(database, symbols.slice(0, 1), reading));
    };
    for (const minutes of [2_500, 25_000]) {
      await fillCandles(on, symbols, minutes);
      await refreshRollUps(on);
      const ofMinutes = await measure("M1");
      expect(ofMinutes.rows).toBe(500);
      const ofRollUps = await measure("M5");
      // At most twice as many are looked at, and what is not refreshed yet is made of the minutes of two hours.
      expect(ofRollUps.rows).toBeLessThanOrEqual(1_000 + 130);
      for (const work of [ofMinutes, ofRollUps]) {
        expect(work.pages).toBeLessThanOrEqual(work.rows + 50);
        expect(work.sequentialScans).toEqual([]);
      }
    }
  });

  test("a page of trades takes the same work from any place", { timeout: 60_000 }, async () => {
    const symbols = await Promise.all(Array.from({ length: 10 }, () => newSymbol(on)));
    const startMs = Date.now() - 10 * 86_400_000;
    await on.owner.sql`
      insert into market_trades select s, ${new Date(startMs).toISOString()}::timestamptz + n * interval '1 minute', now(), n, n::text, 1,
        'BUY', 1, 1 from generate_series(1, 12000) n, unnest(${symbols}::int[]) s`;
    await on.owner.sql`analyze market_trades`;
    const page = (before: number | null) =>
      workOf(on, (database) =>
        readTrades(database, symbols.slice(0, 1), {
          limit: 100,
          before:
            before === null
              ? null
              : { exchangeTimeMs: startMs + before * 60_000, exchangeSequence: before, tradeId: String(before) },
        }),
      );
    const newest = await page(null);
    for (const work of [newest, await page(11_000), await page(3_000)]) {
      expect(work.rows).toBeLessThanOrEqual(101);
      // Newer chunks are not even looked into.
      expect(work.pages).toBeLessThanOrEqual(newest.pages + 8);
      expect(work.sequentialScans).toEqual([]);
    }
    expect(newest.pages).toBeLessThanOrEqual(40);
  });

  test("a list of symbols is one statement for each question", async () => {
    const database = await watch(on);
    const reader = new SeriesReader(database);
    const ids = Array.from({ length: 300 }, (_, n) => n + 1);
    await Promise.all(
      ids.flatMap((symbolId): Promise<unknown>[] => [
        reader.candles({ symbolId, interval: "H1", fromMs: null, toMs: null, limit: 10 }),
        reader.candles({ symbolId, interval: "M1", fromMs: null, toMs: null, limit: 10 }),
        reader.trades({ symbolId, limit: 5 }),
        reader.fundingRates({ symbolId, limit: 5 }),
      ]),
    );
    expect(database.statements).toHaveLength(4);
    expect(await reader.trades({ symbolId: 1, limit: 5 })).toEqual([]);
    expect(database.statements).toHaveLength(5);
    await database.close();
  });
});
