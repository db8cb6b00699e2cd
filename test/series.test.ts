import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { decimalText } from "../src/core/decimal.js";
import { connect, type Database } from "../src/db/connect.js";
import { migrate, readMigrations, rollback } from "../src/db/migrations.js";
import { seriesStorage } from "../src/db/time-series.js";
import type { ArbitrageOpportunity } from "../src/market-data/arbitrage-watch.js";
import { CandleBuilder, type StoredCandle } from "../src/market-data/candles.js";
import type { BookTickerEvent, FundingRateEvent, OrderBookEvent, TradeEvent } from "../src/market-data/events.js";
import type { OrderFlow } from "../src/market-data/order-flow.js";
import { closeForgottenOpportunities } from "../src/market-data/record-market.js";
import {
  readCandles,
  readFundingRates,
  readOpportunities,
  readOpportunity,
  readSeedCandles,
  readTrades,
  type StoredTrade,
  type TradePosition,
} from "../src/market-data/series/read-series.js";
import {
  ArbitrageWriter,
  BookTickerWriter,
  CandleWriter,
  FundingWriter,
  OrderBookWriter,
  OrderFlowWriter,
  TradeWriter,
} from "../src/market-data/series/writers.js";
import { startCutOff } from "./support/cut-off.js";
import { readTradesAndKlines, tradesBetween } from "./support/recorded-klines.js";
import { recordingsFolder } from "./support/recordings.js";
import { schemaOf } from "./support/schema-of.js";
import {
  compress,
  createTimescaleDatabase,
  describeSeries,
  hasTimescale,
  newSymbol,
  refreshRollUps,
  type SeriesDatabase,
} from "./support/series-storage.js";
import { until } from "./support/until.js";

const log = pino({ level: "silent" });
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
// Roll-ups and retention go by the database's own clock.
const presentMs = Math.floor(Date.now() / minuteMs) * minuteMs - 30 * minuteMs;
const price = decimalText;

const aTrade = (symbolId: number, sequence: number, change: Partial<TradeEvent> = {}): TradeEvent => ({
  kind: "trade",
  symbolId,
  price: price("65000.12"),
  quantity: price("0.000000000000000001"),
  side: sequence % 2 === 0 ? "BUY" : "SELL",
  tradeId: `t${sequence}`,
  tradeCount: 2,
  exchangeSequence: sequence,
  exchangeTimeMs: presentMs + sequence,
  receivedAtMs: presentMs + sequence + 7,
  ...change,
});
const stored = ({ kind: _kind, ...event }: TradeEvent): StoredTrade => event;
const storedFunding = ({ kind: _kind, ...event }: FundingRateEvent) => event;

const aMinute = (symbolId: number, openTimeMs: number, change: Partial<StoredCandle> = {}): StoredCandle => ({
  symbolId,
  interval: "M1",
  openTimeMs,
  open: price("10"),
  high: price("12"),
  low: price("9"),
  close: price("11"),
  volume: price("3.5"),
  quoteVolume: price("36"),
  tradeCount: 4,
  takerBuyVolume: price("1"),
  takerBuyQuoteVolume: price("10"),
  throughSequence: 100,
  ...change,
});

const aFunding = (symbolId: number, n: number, change: Partial<FundingRateEvent> = {}): FundingRateEvent => ({
  kind: "fundingRate",
  symbolId,
  rate: price("-0.000123456789012345"),
  fundingTimeMs: presentMs + n * 8 * 60 * minuteMs,
  nextFundingTimeMs: presentMs + (n + 1) * 8 * 60 * minuteMs,
  markPrice: price("100.5"),
  indexPrice: price("100.4"),
  exchangeTimeMs: presentMs,
  receivedAtMs: presentMs + 3,
  ...change,
});

const aTicker = (symbolId: number, sequence: number, change: Partial<BookTickerEvent> = {}): BookTickerEvent => ({
  kind: "bookTicker",
  symbolId,
  bid: price(String(100 + sequence)),
  bidQuantity: price("1"),
  ask: null,
  askQuantity: null,
  exchangeSequence: sequence,
  exchangeTimeMs: null,
  receivedAtMs: presentMs + sequence,
  ...change,
});

const aBook = (symbolId: number, sequence: number): OrderBookEvent => ({
  kind: "orderBook",
  symbolId,
  bids: [
    [price("99"), price("0.1")],
    [price("98.5"), price("0.2")],
  ],
  asks: [],
  exchangeSequence: sequence,
  exchangeTimeMs: presentMs,
  receivedAtMs: presentMs + sequence,
});

const aFlow = (symbolId: number, n: number): OrderFlow => ({
  symbolId,
  windowMs: 1_000,
  ofi: price("-3.25"),
  microprice: price("100.01"),
  volumeImbalance: price("-0.5"),
  atMs: presentMs + n * 1_000,
});

let opportunities = 0;
const anOpportunity = (symbolId: number, change: Partial<ArbitrageOpportunity> = {}): ArbitrageOpportunity => ({
  id: `00000000-0000-7000-8000-${String(++opportunities).padStart(12, "0")}`,
  detectedAtMs: presentMs + opportunities,
  closedAtMs: null,
  buySymbolId: symbolId,
  sellSymbolId: 1,
  buyPrice: price("100"),
  sellPrice: price("101"),
  spreadBps: price("100"),
  netSpreadBps: price("80"),
  maxQuantity: price("2"),
  ...change,
});

/** What each series is written with: rows of a symbol, in the order of their key. */
const allSeries = {
  market_trades: {
    writer: (app: Database) => new TradeWriter(app, { log }),
    rows: (id: number) => [aTrade(id, 1), aTrade(id, 2), aTrade(id, 2, { tradeId: "u" }), aTrade(id, 3)],
    key: "symbol_id, traded_at, sequence, trade_id",
    time: "traded_at",
  },
  book_tickers: {
    writer: (app: Database) => new BookTickerWriter(app, { log }),
    rows: (id: number) => [aTicker(id, 1), aTicker(id, 2)],
    key: "symbol_id, received_at, sequence",
    time: "received_at",
  },
  candles: {
    writer: (app: Database) => new CandleWriter(app, { log }),
    rows: (id: number) => [aMinute(id, presentMs), aMinute(id, presentMs + minuteMs, { throughSequence: null })],
    key: "symbol_id, open_time",
    time: "open_time",
  },
  funding_rates: {
    writer: (app: Database) => new FundingWriter(app, { log }),
    rows: (id: number) => [aFunding(id, 0), aFunding(id, 1, { nextFundingTimeMs: null, markPrice: null })],
    key: "symbol_id, funding_time",
    time: "funding_time",
  },
  order_book_snapshots: {
    writer: (app: Database) => new OrderBookWriter(app, { log }),
    rows: (id: number) => [aBook(id, 1), aBook(id, 2)],
    key: "symbol_id, received_at, sequence",
    time: "received_at",
  },
  order_flow_metrics: {
    writer: (app: Database) => new OrderFlowWriter(app, { log }),
    rows: (id: number) => [aFlow(id, 1), aFlow(id, 2)],
    key: "symbol_id, measured_at, window_ms",
    time: "measured_at",
  },
  arbitrage_opportunities: {
    writer: (app: Database) => new ArbitrageWriter(app, { log }),
    rows: (id: number) => {
      opportunities = 0;
      return [anOpportunity(id), anOpportunity(id, { closedAtMs: presentMs + minuteMs })];
    },
    key: "id, detected_at",
    time: "detected_at",
  },
};
type SeriesName = keyof typeof allSeries;
const seriesNames = Object.keys(allSeries) as SeriesName[];

interface AnyWriter {
  add(row: unknown): void;
  flush(): Promise<void>;
  close(): Promise<void>;
  readonly stats: { readonly written: number; readonly refused: number; readonly waiting: number };
}

/** With a flush after each row, because samplers keep only the newest of a symbol. */
async function write(writer: object, rows: readonly unknown[]): Promise<AnyWriter["stats"]> {
  const any = writer as AnyWriter;
  for (const row of rows) {
    any.add(row);
    await any.flush();
  }
  await any.close();
  return any.stats;
}

const rowsOf = ({ owner: { sql } }: SeriesDatabase, table: SeriesName, symbolId: number) =>
  sql.unsafe(
    `select * from ${table} where ${table === "arbitrage_opportunities" ? "buy_symbol_id" : "symbol_id"} = $1 order by ${allSeries[table].key}`,
    [symbolId],
  );

if (!hasTimescale) {
  test.skip("the series on TimescaleDB");
  console.warn("SKIPPED: the tests of the series on TimescaleDB, because TEST_TIMESCALE_URL is not set.");
}

describeSeries("the series", (on, storage) => {
  test("are stored as this storage does it", async () => {
    expect(await seriesStorage(on.owner.sql)).toBe(storage);
  });

  describe("storing", () => {
    test.each(seriesNames)("%s: the same rows twice are there once", async (table) => {
      const symbolId = await newSymbol(on);
      const { writer, rows } = allSeries[table];
      const all = rows(symbolId);
      expect(await write(writer(on.app), all)).toMatchObject({ written: all.length, refused: 0, waiting: 0 });
      const first = await rowsOf(on, table, symbolId);
      expect(first).toHaveLength(all.length);
      await write(writer(on.app), all.toReversed());
      expect(await rowsOf(on, table, symbolId)).toEqual(first);
    });

    test.each(seriesNames)("%s: the key is symbol, time and what orders rows of one time", async (table) => {
      const [index] = await on.owner.sql`select indexdef from pg_indexes where indexname = ${`pk_${table}`}`;
      expect(index?.indexdef).toContain(`(${allSeries[table].key})`);
    });

    test("every field arrives", async () => {
      const symbolId = await newSymbol(on);
      const { sql } = on.owner;
      await write(allSeries.book_tickers.writer(on.app), [aTicker(symbolId, 5, { exchangeTimeMs: presentMs - 1 })]);
      const [ticker] =
        await sql`select bid, bid_quantity, ask, sequence, exchange_time from book_tickers where symbol_id = ${symbolId}`;
      expect(ticker).toEqual({
        bid: "105.000000000000000000",
        bid_quantity: "1.000000000000000000",
        ask: null,
        sequence: "5",
        exchange_time: `${new Date(presentMs - 1).toISOString().replace("T", " ").replace(/0*Z$/, "")}+00`,
      });
      await write(allSeries.order_book_snapshots.writer(on.app), [aBook(symbolId, 1)]);
      const [book] =
        await sql`select bids, asks, total_bid_quantity, total_ask_quantity from order_book_snapshots where symbol_id = ${symbolId}`;
      expect(book).toEqual({
        bids: [
          ["99", "0.1"],
          ["98.5", "0.2"],
        ],
        asks: [],
        total_bid_quantity: "0.300000000000000000",
        total_ask_quantity: "0.000000000000000000",
      });
      await write(allSeries.order_flow_metrics.writer(on.app), [aFlow(symbolId, 0)]);
      const [flow] =
        await sql`select window_ms, ofi, microprice, volume_imbalance from order_flow_metrics where symbol_id = ${symbolId}`;
      expect(flow).toEqual({
        window_ms: 1_000,
        ofi: "-3.250000000000000000",
        microprice: "100.010000000000000000",
        volume_imbalance: "-0.5000000000",
      });
    });

    test("a ticker that says the same again is not stored again", async () => {
      const symbolId = await newSymbol(on);
      const same = aTicker(symbolId, 1);
      await write(allSeries.book_tickers.writer(on.app), [
        same,
        { ...same, exchangeSequence: 2, receivedAtMs: presentMs + 9 },
      ]);
      expect(await rowsOf(on, "book_tickers", symbolId)).toHaveLength(1);
    });

    test("of two of our minutes the one with more volume stays, and the exchange's own stands above both", async () => {
      const symbolId = await newSymbol(on);
      const versions = {
        early: aMinute(symbolId, presentMs, { volume: price("2"), throughSequence: 50 }),
        late: aMinute(symbolId, presentMs, { volume: price("3"), throughSequence: 60 }),
        exchange: aMinute(symbolId, presentMs, { volume: price("2.5"), throughSequence: null }),
        exchangeAgain: aMinute(symbolId, presentMs, { volume: price("2.4"), throughSequence: null }),
      };
      const storing = async (...minutes: StoredCandle[]) => {
        await write(new CandleWriter(on.app, { log }), minutes);
        return (await readCandles(on.app, [symbolId], allMinutes)).get(symbolId);
      };
      expect(await storing(versions.early, versions.late)).toEqual([versions.late]);
      expect(await storing(versions.early)).toEqual([versions.late]);
      expect(await storing(versions.exchange)).toEqual([versions.exchange]);
      expect(await storing(versions.late)).toEqual([versions.exchange]);
      expect(await storing(versions.exchangeAgain)).toEqual([versions.exchangeAgain]);
    });

    test("longer candles are passed over", async () => {
      const symbolId = await newSymbol(on);
      const stats = await write(new CandleWriter(on.app, { log }), [
        { ...aMinute(symbolId, presentMs), interval: "H1" },
      ]);
      expect(stats.written).toBe(0);
    });

    test("of a payment the newest estimate stays, with the last known prices", async () => {
      const symbolId = await newSymbol(on);
      const estimate = aFunding(symbolId, 0);
      const paid = aFunding(symbolId, 0, { rate: price("0.0002"), markPrice: null, exchangeTimeMs: presentMs + 5 });
      const older = aFunding(symbolId, 0, { rate: price("0.5"), exchangeTimeMs: presentMs + 4 });
      await write(new FundingWriter(on.app, { log }), [estimate, paid, older]);
      expect((await readFundingRates(on.app, [symbolId], { limit: 5 })).get(symbolId)).toEqual([
        storedFunding({ ...paid, markPrice: estimate.markPrice }),
      ]);
    });

    test("an opportunity follows its prices until it is closed, and then stays", async () => {
      const symbolId = await newSymbol(on);
      const open = anOpportunity(symbolId);
      const moved = { ...open, maxQuantity: price("1.5") };
      const closed = { ...moved, closedAtMs: open.detectedAtMs + 10 };
      await write(new ArbitrageWriter(on.app, { log }), [open, moved]);
      expect(await readOpportunity(on.app, open.id)).toEqual(moved);
      await write(new ArbitrageWriter(on.app, { log }), [closed, { ...open, maxQuantity: price("9") }]);
      expect(await readOpportunity(on.app, open.id)).toEqual(closed);
    });

    test("what was open when the program died is closed at its next start, compressed or not", async () => {
      const symbolId = await newSymbol(on);
      const ended = {
        ...anOpportunity(symbolId, { detectedAtMs: presentMs - 9 * dayMs }),
        closedAtMs: presentMs - 8 * dayMs,
      };
      const forgotten = [anOpportunity(symbolId, { detectedAtMs: presentMs - 9 * dayMs }), anOpportunity(symbolId)];
      const nowMs = presentMs + minuteMs;
      await closeForgottenOpportunities(on.app, nowMs);
      await write(new ArbitrageWriter(on.app, { log }), [ended, ...forgotten]);
      // More than TimescaleDB would unpack for one statement.
      if (storage === "timescaledb") {
        await on.owner
          .sql`insert into arbitrage_opportunities select gen_random_uuid(), detected_at + n * interval '1 ms',
            closed_at, buy_symbol_id, sell_symbol_id, buy_price, sell_price, spread_bps, net_spread_bps, max_quantity
          from arbitrage_opportunities, generate_series(1, 100001) n where id = ${ended.id}`;
      }
      await compress(on, "arbitrage_opportunities");
      expect(await closeForgottenOpportunities(on.app, nowMs)).toBe(2);
      for (const { id } of forgotten) {
        expect((await readOpportunity(on.app, id))?.closedAtMs).toBe(nowMs);
      }
      expect(await readOpportunity(on.app, ended.id)).toEqual(ended);
    });

    test("an impossible row is left out and counted, and the others of its batch are stored", async () => {
      const symbolId = await newSymbol(on);
      const writer = new TradeWriter(on.app, { log, flushMs: 60_000 });
      const impossible = [
        aTrade(symbolId, 10, { quantity: price("0") }),
        aTrade(symbolId, 20, { price: price("-1") }),
        aTrade(symbolId, 30, { price: price(`1${"0".repeat(20)}`) }),
        aTrade(symbolId, 40, { tradeId: "x".repeat(65) }),
        aTrade(symbolId, 50, { exchangeTimeMs: Number.NaN }),
        aTrade(2_000_000_000, 60),
      ];
      for (let n = 0; n < 100; n++)
        writer.add(impossible.find((row) => row.exchangeSequence === n) ?? aTrade(symbolId, n));
      await writer.close();
      expect(writer.stats).toEqual({ written: 94, failures: 0, refused: 6, dropped: 0, waiting: 0 });
      expect(await rowsOf(on, "market_trades", symbolId)).toHaveLength(94);
    });

    test("a text with quotes, backslashes and braces is stored as it is", async () => {
      const symbolId = await newSymbol(on);
      const trade = aTrade(symbolId, 1, { tradeId: `a"b\\c{d},null e'f` });
      await write(new TradeWriter(on.app, { log }), [trade]);
      expect((await readTrades(on.app, [symbolId], { limit: 1 })).get(symbolId)).toEqual([stored(trade)]);
    });

    test("late rows join compressed ones, once, and correct them where they may", async () => {
      const symbolId = await newSymbol(on);
      const agoMs = 9 * dayMs;
      const trades = [1, 2, 3].map((n) => aTrade(symbolId, n, { exchangeTimeMs: presentMs - agoMs + n }));
      const minutes = [0, 1, 2].map((n) => aMinute(symbolId, presentMs - agoMs + n * minuteMs));
      const funding = aFunding(symbolId, 0, { fundingTimeMs: presentMs - 200 * dayMs, nextFundingTimeMs: null });
      const opportunity = anOpportunity(symbolId, { detectedAtMs: presentMs - agoMs });
      await write(new TradeWriter(on.app, { log }), [trades[0], trades[2]]);
      await write(new CandleWriter(on.app, { log }), [minutes[0], minutes[2]]);
      await write(new FundingWriter(on.app, { log }), [funding]);
      await write(new ArbitrageWriter(on.app, { log }), [opportunity]);
      for (const table of ["market_trades", "candles", "funding_rates", "arbitrage_opportunities"])
        await compress(on, table);

      const corrected = aMinute(symbolId, minutes[2]?.openTimeMs ?? 0, { volume: price("5"), throughSequence: 200 });
      const paid = { ...funding, rate: price("0.0003"), exchangeTimeMs: funding.exchangeTimeMs + 1 };
      const closed = { ...opportunity, closedAtMs: opportunity.detectedAtMs + 5 };
      const written = [
        await write(new TradeWriter(on.app, { log }), trades),
        await write(new CandleWriter(on.app, { log }), [minutes[0], minutes[1], corrected]),
        await write(new FundingWriter(on.app, { log }), [paid]),
        await write(new ArbitrageWriter(on.app, { log }), [closed]),
      ];
      expect(written.map((stats) => stats.refused + stats.waiting)).toEqual([0, 0, 0, 0]);
      expect((await readTrades(on.app, [symbolId], { limit: 9 })).get(symbolId)).toEqual(
        trades.map(stored).toReversed(),
      );
      expect((await readCandles(on.app, [symbolId], allMinutes)).get(symbolId)).toEqual([
        minutes[0],
        minutes[1],
        corrected,
      ]);
      expect((await readFundingRates(on.app, [symbolId], { limit: 9 })).get(symbolId)).toEqual([storedFunding(paid)]);
      expect(await readOpportunity(on.app, opportunity.id)).toEqual(closed);
    });

    test("race: two writers store the same minutes of one bucket at the same time", async () => {
      const symbolId = await newSymbol(on);
      const minutes = Array.from({ length: 30 }, (_, n) =>
        aMinute(symbolId, presentMs - n * minuteMs, { throughSequence: null }),
      );
      await Promise.all(
        [minutes, minutes.toReversed()].map(async (rows) => {
          const writer = new CandleWriter(on.app, { log, rowsPerStatement: 3 });
          for (const row of rows) writer.add(row);
          await writer.close();
          expect(writer.stats).toMatchObject({ written: 30, waiting: 0 });
        }),
      );
      const hours = (await readCandles(on.app, [symbolId], { ...allMinutes, interval: "H1" })).get(symbolId) ?? [];
      expect(hours.reduce((count, hour) => count + hour.tradeCount, 0)).toBe(30 * 4);
    });

    test("while the database is away the oldest are dropped and counted, and what waits is stored when it is back", async () => {
      const symbolId = await newSymbol(on);
      const way = await startCutOff(on.address);
      const database = connect({
        address: way.address,
        role: "tradegraph_app",
        poolSize: 1,
        applicationName: "test cut",
      });
      const writer = new TradeWriter(database, { log, flushMs: 10, rowsPerStatement: 50, maxWaiting: 300 });
      const addUpTo = (from: number, to: number) => {
        for (let n = from; n <= to; n++) {
          writer.add(aTrade(symbolId, n));
          expect(writer.stats.waiting).toBeLessThanOrEqual(300);
        }
      };
      addUpTo(1, 100);
      await until(() => writer.stats.written === 100);
      await way.cut();
      addUpTo(101, 120);
      await until(() => writer.stats.failures > 0);
      addUpTo(121, 1_100);
      const { dropped, waiting } = writer.stats;
      expect(dropped + waiting).toBe(1_000);
      expect(waiting).toBeGreaterThan(300 - 50);
      await way.mend();
      await until(() => writer.stats.waiting === 0, 20_000);
      await writer.close();
      await database.close();
      await way.close();
      expect(writer.stats).toMatchObject({ written: 1_100 - dropped, dropped, refused: 0 });
      const found = (await readTrades(on.app, [symbolId], { limit: 2_000 })).get(symbolId) ?? [];
      const sequences = found.map((trade) => trade.exchangeSequence).toReversed();
      expect(sequences).toHaveLength(1_100 - dropped);
      expect(sequences.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
      expect(sequences.slice(-200)).toEqual(Array.from({ length: 200 }, (_, n) => n + 901));
    });
  });

  describe("reading", () => {
    test("trades: newest first, by cursor page after page, each once, also those of one millisecond", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.tuple(fc.nat(3), fc.nat(2), fc.constantFrom("a", "b")), {
            minLength: 1,
            maxLength: 20,
            selector: String,
          }),
          fc.integer({ min: 1, max: 5 }),
          async (places, limit) => {
            const symbolId = await newSymbol(on);
            const trades = places.map(([ms, sequence, tradeId]) =>
              aTrade(symbolId, sequence, { tradeId, exchangeTimeMs: presentMs + ms }),
            );
            await write(new TradeWriter(on.app, { log }), trades);
            const pages: StoredTrade[] = [];
            let before: TradePosition | null = null;
            while (pages.length <= trades.length) {
              const page: StoredTrade[] = (await readTrades(on.app, [symbolId], { limit, before })).get(symbolId) ?? [];
              expect(page.length).toBeLessThanOrEqual(limit);
              pages.push(...page);
              if (page.length < limit) break;
              before = page.at(-1) ?? null;
            }
            const newestFirst = trades.toSorted(
              (a, b) =>
                b.exchangeTimeMs - a.exchangeTimeMs ||
                b.exchangeSequence - a.exchangeSequence ||
                (b.tradeId > a.tradeId ? 1 : -1),
            );
            expect(pages).toEqual(newestFirst.map(stored));
          },
        ),
        { numRuns: 15 },
      );
    });

    test("candles: the newest of a half-open range, oldest first, whatever gaps there are", async () => {
      const symbols = [await newSymbol(on), await newSymbol(on), await newSymbol(on)];
      const ages = [0, 1, 2, 3, 7, 8, 60, 61, 3_000, 3_001, 20_000];
      const minutes = ages.map((age) => presentMs - age * minuteMs).toReversed();
      for (const symbolId of symbols.slice(0, 2)) {
        await write(
          new CandleWriter(on.app, { log }),
          minutes.map((openTimeMs) => aMinute(symbolId, openTimeMs)),
        );
      }
      const bounds = fc.option(fc.constantFrom(...ages, 4, 100_000, -5).map((age) => presentMs - age * minuteMs));
      await fc.assert(
        fc.asyncProperty(bounds, bounds, fc.integer({ min: 1, max: 12 }), async (fromMs, toMs, limit) => {
          const found = await readCandles(on.app, symbols, { interval: "M1", fromMs, toMs, limit });
          const expected = minutes
            .filter((ms) => (fromMs === null || ms >= fromMs) && (toMs === null || ms < toMs))
            .slice(-limit);
          for (const symbolId of symbols.slice(0, 2)) {
            expect(found.get(symbolId) ?? []).toEqual(expected.map((openTimeMs) => aMinute(symbolId, openTimeMs)));
          }
          expect(found.has(symbols[2] ?? 0)).toBe(false);
        }),
        { numRuns: 60 },
      );
    });

    test("funding rates: newest first, as many as asked", async () => {
      const symbolId = await newSymbol(on);
      const rates = [0, 1, 2, 3].map((n) => aFunding(symbolId, n));
      await write(new FundingWriter(on.app, { log }), rates);
      const found = await readFundingRates(on.app, [symbolId], { limit: 3 });
      expect(found.get(symbolId)).toEqual(rates.slice(1).map(storedFunding).toReversed());
    });

    test("opportunities: newest first, those that leave enough", async () => {
      const symbolId = await newSymbol(on);
      const all = ["1", "5", "3", "5"].map((bps, n) =>
        anOpportunity(symbolId, { netSpreadBps: price(bps), detectedAtMs: presentMs + dayMs + n }),
      );
      await write(new ArbitrageWriter(on.app, { log }), all);
      const found = await readOpportunities(on.app, { minNetSpreadBps: price("3"), limit: 2 });
      expect(found).toEqual([all[3], all[2]]);
      expect(await readOpportunity(on.app, "00000000-0000-7000-8000-999999999999")).toBeNull();
    });
  });

  test("a restart in the middle of a minute counts every trade once", async () => {
    const symbolId = await newSymbol(on);
    const trades = Array.from({ length: 12 }, (_, n) =>
      aTrade(symbolId, n, { exchangeTimeMs: presentMs - (11 - n) * 3 * 60 * minuteMs, quantity: price("1") }),
    );
    const newest = trades.at(-1)?.exchangeTimeMs ?? 0;
    const ofNow = [20, 21, 22, 23, 24].map((n) =>
      aTrade(symbolId, n, { exchangeTimeMs: newest + n, quantity: price("0.1") }),
    );
    const whole = new CandleBuilder();
    for (const trade of [...trades, ...ofNow]) whole.apply(trade);

    const before = new CandleBuilder();
    for (const trade of [...trades, ...ofNow.slice(0, 3)]) {
      before.apply(trade);
      await write(new CandleWriter(on.app, { log }), before.takeChanged());
    }
    await refreshRollUps(on);
    const after = new CandleBuilder();
    const seeds = await readSeedCandles(on.app, [symbolId], newest);
    expect(after.seed(symbolId, newest, seeds.get(symbolId) ?? [])).toBe(true);
    expect(ofNow.map((trade) => after.apply(trade))).toEqual([
      "duplicate",
      "duplicate",
      "duplicate",
      "applied",
      "applied",
    ]);
    await write(new CandleWriter(on.app, { log }), after.takeChanged());
    for (const interval of ["M1", "M5", "H1", "D1", "W1"] as const) {
      const expected = whole.newest(symbolId, interval);
      expect(after.newest(symbolId, interval)).toEqual(expected);
      const found = await readCandles(on.app, [symbolId], { ...allMinutes, interval, limit: 1 });
      expect(found.get(symbolId)).toEqual([expected]);
    }
  });

  describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
    test.each([
      ["binance-spot.ws.txt", 1],
      ["binance-futures.ws.txt", 15],
    ])(
      "%s: replayed twice it is stored once, and its candles are the exchange's to the last digit",
      async (name, compared) => {
        const recorded = readTradesAndKlines(name);
        const symbols = await Promise.all(Array.from({ length: recorded.symbols }, () => newSymbol(on)));
        const trades = recorded.trades.map(({ event }) => ({
          ...event,
          symbolId: symbols[event.symbolId] ?? 0,
          receivedAtMs: Math.floor(event.receivedAtMs),
        }));
        for (const again of [trades, trades.toReversed()]) {
          const writer = new TradeWriter(on.app, { log });
          for (const trade of again) writer.add(trade);
          await writer.close();
          expect(writer.stats).toMatchObject({ refused: 0, waiting: 0 });
        }
        const found = await readTrades(on.app, symbols, { limit: 1_000_000 });
        const fromStore = [...found.values()].flat();
        const keyOf = (trade: StoredTrade) => `${trade.symbolId} ${trade.tradeId}`;
        expect(new Map(fromStore.map((trade) => [keyOf(trade), trade]))).toEqual(
          new Map(trades.map((trade) => [keyOf(trade), stored(trade)])),
        );
        expect(fromStore).toHaveLength(trades.length);

        let equal = 0;
        for (const { candle, firstTradeId, lastTradeId } of recorded.klines) {
          const inside = tradesBetween(recorded.trades, candle.symbolId, firstTradeId, lastTradeId);
          if (inside === null) continue;
          const symbolId = await newSymbol(on);
          const builder = new CandleBuilder();
          const ids = new Set(inside.map(({ event }) => event.tradeId));
          for (const trade of found.get(symbols[candle.symbolId] ?? 0)?.toReversed() ?? []) {
            if (ids.has(trade.tradeId)) builder.apply({ ...trade, kind: "trade", symbolId });
          }
          await write(new CandleWriter(on.app, { log }), builder.takeChanged());
          const [minute] = (await readCandles(on.app, [symbolId], allMinutes)).get(symbolId) ?? [];
          expect(minute).toEqual({ ...candle, symbolId, throughSequence: minute?.throughSequence });
          equal++;
        }
        expect(equal).toBe(compared);
      },
    );
  });

  test("the program may read and add, replace where a newer state counts, and delete nothing", async () => {
    const rollUps = ["5m", "15m", "30m", "1h", "4h", "1d", "1w"].map((length) => `candles_${length}`);
    const replaced = ["candles", "funding_rates", "arbitrage_opportunities"];
    const rights = async (role: string) => {
      const rows = await on.owner.sql<{ name: string; rights: string }[]>`
        select name, string_agg(privilege, ' ' order by privilege) as rights from unnest(${[...seriesNames, ...rollUps]}::text[]) name,
          unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) privilege
        where has_table_privilege(${role}, name, privilege) group by name`;
      return Object.fromEntries(rows.map((row) => [row.name, row.rights]));
    };
    const expected = Object.fromEntries([
      ...seriesNames.map((name) => [name, replaced.includes(name) ? "INSERT SELECT UPDATE" : "INSERT SELECT"]),
      ...rollUps.map((name) => [name, "SELECT"]),
    ]);
    expect(await rights("tradegraph_app")).toEqual(expected);
    expect(await rights("tradegraph_admin")).toEqual(expected);
    for (const role of ["tradegraph_readonly", "tradegraph_monitor"])
      expect(await rights(role)).toEqual(Object.fromEntries([...seriesNames, ...rollUps].map((n) => [n, "SELECT"])));

    const roles = await on.owner.sql<{ role: string }[]>`
      select role from unnest(array['tradegraph_app', 'tradegraph_admin', 'tradegraph_readonly', 'tradegraph_monitor']) role
      where has_function_privilege(role, 'drop_old_series(integer)', 'execute')`;
    expect(roles.map(({ role }) => role)).toEqual(["tradegraph_app", "tradegraph_admin"]);
  });

  test("there is no way around these rights", async () => {
    const symbolId = await newSymbol(on);
    await write(new TradeWriter(on.app, { log }), [aTrade(symbolId, 1)]);
    await write(new CandleWriter(on.app, { log }), [aMinute(symbolId, presentMs)]);
    const [target] = await on.owner
      .sql`select tableoid::regclass::text as name from market_trades where symbol_id = ${symbolId}`;
    const attempts = [
      "delete from market_trades",
      "delete from candles",
      "delete from candles_1d",
      "truncate candles",
      "update market_trades set price = 1",
      "insert into candles_1h select * from candles_1h",
      `delete from ${target?.name}`,
      ...(storage === "tables"
        ? ["create temporary table t (a int); create trigger t after insert on t execute function roll_up_candles()"]
        : [
            "select drop_chunks('market_trades', older_than => now())",
            "select compress_chunk(c) from show_chunks('candles') c",
            "select delete_job(job_id) from timescaledb_information.jobs where proc_name = 'refresh_roll_ups'",
            "select add_retention_policy('candles', interval '1 hour', if_not_exists => true)",
            "call refresh_continuous_aggregate('candles_5m', null, null)",
          ]),
    ];
    for (const attempt of attempts) {
      await expect(on.app.sql.unsafe(attempt), attempt).rejects.toThrow(
        /permission denied|must be owner|insufficient permissions|not owner|cannot (delete|insert)/,
      );
    }
    await expect(on.owner.sql`update market_trades set price = 1`).rejects.toThrow(/rows of \S+ are never changed/);
  });

  // On plain Postgres: src/db/migrations.test.ts.
  if (storage === "timescaledb") {
    test("up, down and up again leaves the same schema, also while the jobs run", { timeout: 60_000 }, async () => {
      const database = await createTimescaleDatabase();
      const { sql } = database.owner;
      const names = (await readMigrations()).map((migration) => migration.name);
      const empty = await schemaOf(sql);
      await migrate(sql, log);
      const first = await schemaOf(sql);
      expect(first.filter((line) => /^(hypertable|aggregate)/.test(line))).toHaveLength(15);
      await rollback(sql, { steps: names.length, force: false }, log);
      expect(await schemaOf(sql)).toEqual(empty);
      await migrate(sql, log);
      expect(await schemaOf(sql)).toEqual(first);
      await database.close();
    });
  }
});

const allMinutes = { interval: "M1" as const, fromMs: null, toMs: null, limit: 1_000 };
