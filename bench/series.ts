import { once } from "node:events";
import { pino } from "pino";
import { decimalText } from "../src/core/decimal.js";
import { connect, type Database } from "../src/db/connect.js";
import type { TradeEvent } from "../src/market-data/events.js";
import { readCandles } from "../src/market-data/series/read-series.js";
import { TradeWriter } from "../src/market-data/series/writers.js";
import { type BenchCase, type BenchResult, median, timeOf, timesInTurns } from "./case.js";
import { type BenchDatabase, openBenchDatabase } from "./database.js";
import { findProgram, psqlTimes } from "./postgres-programs.js";

const log = pino({ level: "silent" });

/** Trades of the seeded symbols as they come, some hundred a second, with prices and quantities of usual length. */
function trades(count: number, startMs: number): TradeEvent[] {
  return Array.from({ length: count }, (_, n) => ({
    kind: "trade",
    symbolId: 1 + (n % 9),
    price: decimalText((65_000 + ((n * 7_919) % 10_000) / 100).toFixed(2)),
    quantity: decimalText((((n * 104_729) % 100_000) / 100_000 + 0.00001).toFixed(5)),
    side: n % 2 === 0 ? "BUY" : "SELL",
    tradeId: String(3_000_000_000 + n),
    tradeCount: 1 + (n % 3),
    exchangeSequence: 3_000_000_000 + n,
    exchangeTimeMs: startMs + n * 2,
    receivedAtMs: startMs + n * 2 + 40,
  }));
}

const columns = "symbol_id, traded_at, received_at, sequence, trade_id, trade_count, side, price, quantity";

/** What psql's \copy sends, in one go. */
async function copy({ sql }: Database, rows: readonly TradeEvent[]): Promise<void> {
  const lines = rows.map((t) =>
    [
      t.symbolId,
      new Date(t.exchangeTimeMs).toISOString(),
      new Date(t.receivedAtMs).toISOString(),
      t.exchangeSequence,
      t.tradeId,
      t.tradeCount,
      t.side,
      t.price,
      t.quantity,
    ].join("\t"),
  );
  const stream = await sql`copy market_trades (${sql.unsafe(columns)}) from stdin`.writable();
  stream.end(`${lines.join("\n")}\n`);
  await once(stream, "finish");
}

async function write(database: Database, rows: readonly TradeEvent[]): Promise<void> {
  const writer = new TradeWriter(database, { log });
  for (const row of rows) {
    writer.add(row);
    // A feed's rows come with time between them, in which the writer writes.
    if (writer.stats.waiting >= 50_000) await writer.flush();
  }
  await writer.close();
  if (writer.stats.written !== rows.length) throw new Error(`stored ${writer.stats.written} of ${rows.length}`);
}

/** Rows of the writer against the same number by COPY, each time new ones, into one table. */
async function againstCopy(
  name: string,
  rowsEach: number,
  rounds: number,
  reach: BenchResult["reach"],
): Promise<BenchResult> {
  const database = await openBenchDatabase();
  try {
    const startMs = Date.now() - 12 * 3_600_000;
    let next = 0;
    const newTrades = () => trades(rowsEach, startMs + next++ * (rowsEach * 2 + 1));
    const { oursMs, otherMs } = await timesInTurns(
      rounds,
      Math.ceil(rounds / 10),
      () => write(database.app, newTrades()),
      () => copy(database.app, newTrades()),
    );
    const perSecond = (ms: number) => (rowsEach / ms) * 1000;
    return {
      case: name,
      unit: "rows/s",
      better: "more",
      ours: perSecond(oursMs),
      limit: perSecond(otherMs),
      reach,
      growsWith: "rows",
      note: `${oursMs.toFixed(1)} ms, COPY ${otherMs.toFixed(1)} ms`,
    };
  } finally {
    await database.close();
  }
}

const ingest: BenchCase = {
  name: "ingest",
  run: async () => [await againstCopy("ingest", 50_000, 7, { limit: 0.5 })],
};

const insert100: BenchCase = {
  name: "insert-100",
  run: async () => [await againstCopy("insert-100", 100, 300, { figure: 100 / 0.005 })],
};

const minutesOfMonth = 30 * 24 * 60;

/** Minutes and their roll-ups as months of trading leave them, without the work of the trigger for each. */
async function fillCandles({ sql }: Database, minutes: number, symbolIds: readonly number[]): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local statement_timeout = 0`;
    // The symbols of the larger table exist nowhere else, and the roll-ups are made at once below.
    await tx`set local session_replication_role = replica`;
    await tx`
      insert into candles select s, date_trunc('minute', now()) - n * interval '1 minute', 65000.12, 65010.5, 64990.25, 65001.75, 12.34567,
        802345.1234, 900, 6.1, 400000.5, n
      from unnest(${[...symbolIds]}::int[]) s, generate_series(1, ${minutes}) n order by 2, 1 on conflict do nothing`;
    await tx`
      insert into candles_5m select symbol_id, date_bin('5 minutes', open_time, timestamptz '2000-01-03 00:00:00+00'), 65000.12, 65010.5,
        64990.25, 65001.75, sum(volume), sum(quote_volume), sum(trade_count), sum(taker_buy_volume), sum(taker_buy_quote_volume)
      from candles group by 1, 2 order by 2, 1 on conflict do nothing`;
  });
  await sql`vacuum (analyze) candles`;
  await sql`vacuum (analyze) candles_5m`;
}

const candles: BenchCase = {
  name: "candles",
  async run() {
    const [few, many] = await Promise.all([openBenchDatabase(), openBenchDatabase()]);
    try {
      await fillCandles(few.owner, 20_000 / 8, symbolIdsUpTo(8));
      await fillCandles(many.owner, minutesOfMonth, symbolIdsUpTo(Math.ceil(2_000_000 / minutesOfMonth)));
      const results: BenchResult[] = [];
      for (const interval of ["M1", "M5"] as const) {
        const readFrom = (database: Database) =>
          readCandles(database, [1], { interval, fromMs: null, toMs: null, limit: 500 });
        const { oursMs, otherMs } = await timesInTurns(
          300,
          50,
          () => readFrom(many.app),
          () => readFrom(few.app),
        );
        results.push({
          case: `candles: 500 ${interval} of 2,000,000 against of 20,000`,
          unit: "ms",
          better: "less",
          ours: oursMs,
          limit: otherMs,
          reach: { limit: 0.75 },
          growsWith: "candles returned",
        });
        results.push(await againstPsql(interval, many));
      }
      return results;
    } finally {
      await Promise.all([few.close(), many.close()]);
    }
  },
};

/** In the order of the statement's placeholders: of one symbol, without bounds, 500; of M5 with the time in which they should be. */
const candleValues = {
  M1: ["{1}", "-infinity", "-infinity", "infinity", 500, "-infinity", "infinity", "-infinity", 500],
  M5: ["{1}", "-infinity", "infinity", 300_000, "infinity", 500, "-infinity", "infinity", "infinity", 300_000, 500],
} as const;

/** The statement that the program sends, as often by it and by psql. */
async function againstPsql(interval: "M1" | "M5", { address }: BenchDatabase): Promise<BenchResult> {
  const range = { interval, fromMs: null, toMs: null, limit: 500 };
  const app = connect({ address, role: "tradegraph_app", poolSize: 1, applicationName: "bench candles" });
  const known = (await readCandles(app, [1], range)).get(1) ?? [];
  if (known.length !== 500) throw new Error(`there are ${known.length} candles`);
  const [statement] = await app.sql<{ text: string }[]>`
    select statement as text from pg_prepared_statements where statement like '%recent as materialized%' and statement not like '%prepared_statements%'`;
  const path = await findProgram("psql");
  const oursMs: number[] = [];
  const psqlMs: number[] = [];
  // In turns: other work on the machine comes and goes.
  for (let round = 0; round < 6; round++) {
    for (let n = -20; n < 60; n++) {
      const ms = await timeOf(() => readCandles(app, [1], range));
      if (n >= 0) oursMs.push(ms);
    }
    if (path !== null && statement !== undefined)
      psqlMs.push(...(await psqlTimes(path, address, { ...statement, values: candleValues[interval] }, 80)).slice(20));
  }
  await app.close();
  return {
    case: `candles: 500 ${interval} of 2,000,000 against psql`,
    unit: "ms",
    better: "less",
    ours: median(oursMs),
    ...(psqlMs.length === 0 ? {} : { limit: median(psqlMs) }),
    reach: { limit: 1 / 1.3 },
    growsWith: "candles returned",
    note: "2,000,000 minutes hold 100 million trades at 50 a minute; psql throws the rows away",
  };
}

const symbolIdsUpTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

export const seriesCases: readonly BenchCase[] = [ingest, insert100, candles];
