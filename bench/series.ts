import { once } from "node:events";
import { pino } from "pino";
import { decimalText } from "../src/core/decimal.js";
import type { Database } from "../src/db/connect.js";
import type { TradeEvent } from "../src/market-data/events.js";
import { readCandles } from "../src/market-data/series/read-series.js";
import { TradeWriter } from "../src/market-data/series/writers.js";
import { type BenchCase, type BenchResult, median, timesOf } from "./case.js";
import { openBenchDatabase } from "./database.js";

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

const ingest: BenchCase = {
  name: "ingest",
  async run() {
    const database = await openBenchDatabase();
    try {
      const count = 50_000;
      const rates = { ours: [] as number[], copy: [] as number[] };
      const startMs = Date.now() - 12 * 3_600_000;
      for (let round = 0; round < 7; round++) {
        // Each round on new rows, and in turns, so that both meet tables of the same size.
        const ours = trades(count, startMs + round * 1_000_001);
        const theirs = ours.map((trade) => ({ ...trade, tradeId: `c${trade.tradeId}` }));
        const [oursMs = 0] = await timesOf(1, () => write(database.app, ours));
        const [copyMs = 0] = await timesOf(1, () => copy(database.app, theirs));
        if (round === 0) continue;
        rates.ours.push((count / oursMs) * 1000);
        rates.copy.push((count / copyMs) * 1000);
      }
      return [
        {
          case: "ingest",
          unit: "rows/s",
          ours: median(rates.ours),
          peer: null,
          limit: median(rates.copy),
          target: "≥ 0.5× COPY",
        },
      ];
    } finally {
      await database.close();
    }
  },
};

const insert100: BenchCase = {
  name: "insert-100",
  async run() {
    const database = await openBenchDatabase();
    try {
      const rounds = 300;
      const all = trades(rounds * 200, Date.now() - 3_600_000);
      let next = 0;
      const batch = () => all.slice(next, (next += 100));
      const writer = new TradeWriter(database.app, { log, flushMs: 60_000 });
      const ours = await timesOf(rounds, () => {
        for (const row of batch()) writer.add(row);
        return writer.flush();
      });
      await writer.close();
      const copied = await timesOf(rounds, () => copy(database.app, batch()));
      return [
        {
          case: "insert-100",
          unit: "100 rows/s",
          ours: 1000 / median(ours.slice(20)),
          peer: null,
          limit: 1000 / median(copied.slice(20)),
          target: `< 5 ms: ${median(ours.slice(20)).toFixed(2)} ms`,
        },
      ];
    } finally {
      await database.close();
    }
  },
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
    const database = await openBenchDatabase();
    try {
      const results: BenchResult[] = [];
      const measure = async (interval: "M1" | "M5") => {
        const query = () => readCandles(database.app, [1], { interval, fromMs: null, toMs: null, limit: 500 });
        await timesOf(50, query);
        return 1000 / median(await timesOf(300, query));
      };
      const both = async () => ({ M1: await measure("M1"), M5: await measure("M5") });
      await fillCandles(database.owner, 20_000 / 8, [1, 2, 3, 4, 5, 6, 7, 8]);
      const few = await both();
      const symbolIds = Array.from({ length: Math.ceil(2_000_000 / minutesOfMonth) }, (_, n) => n + 1);
      await fillCandles(database.owner, minutesOfMonth, symbolIds);
      const many = await both();
      for (const interval of ["M1", "M5"] as const) {
        results.push({
          case: `candles: 500 ${interval}, 2,000,000 stored against 20,000`,
          unit: "queries/s",
          ours: many[interval],
          peer: null,
          limit: few[interval],
          target: "as fast",
        });
      }
      return results;
    } finally {
      await database.close();
    }
  },
};

export const seriesCases: readonly BenchCase[] = [ingest, insert100, candles];
