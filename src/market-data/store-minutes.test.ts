import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { asEvent } from "../../test/support/kline-exchange.js";
import { Catalogue, type DataProvider } from "../catalogue/catalogue.js";
import { decimalText } from "../core/decimal.js";
import { TimeRanges } from "../core/time-ranges.js";
import { readCoverage, storeCoverage } from "./candle-coverage.js";
import type { ExchangeMinute } from "./exchange-minutes.js";
import { LiveMarket } from "./live-market.js";
import { QuoteBoard } from "./quotes.js";
import { MarketRecorder } from "./record-market.js";
import { readCandles } from "./series/read-series.js";
import { MinuteStore } from "./store-minutes.js";

const openTimeMs = Date.UTC(2026, 10, 20, 10);
const provider = { id: 1 } as DataProvider;
let database: TestDatabase;
let symbolId: number;
let nowMs: number;
let live: LiveMarket;
let recorder: MarketRecorder;
let store: MinuteStore;

beforeEach(async () => {
  database = await createTestDatabase();
  const [symbol] = await database.owner.sql<{ id: number }[]>`select id from symbols limit 1`;
  symbolId = symbol?.id ?? 0;
  nowMs = openTimeMs + 90_000;
  const clock = { nowMs: () => nowMs };
  const log = pino({ level: "silent" });
  live = new LiveMarket({ catalogue: new Catalogue(), quotes: new QuoteBoard(clock), clock, newId: () => "" });
  recorder = new MarketRecorder(live, database.app, log);
  store = new MinuteStore(live, recorder, database.app, clock, log);
});
afterEach(async () => {
  live.close();
  await recorder.close();
  await database.close();
});

/** Two trades: 1.5 bought at 100.5, 2 sold at 101. */
function trade(): void {
  const common = { ticker: "", atMs: openTimeMs + 1_000 };
  live.take(asEvent({ ...common, id: 1, price: "100.5", quantity: "1.5", side: "BUY" }, symbolId), provider);
  live.take(asEvent({ ...common, id: 2, price: "101", quantity: "2", side: "SELL" }, symbolId), provider);
}

/** The same as the exchange has it, rounded, and without a count. */
const minute = (change: Partial<Record<keyof ExchangeMinute, unknown>> = {}): ExchangeMinute =>
  ({
    openTimeMs,
    open: "100.5",
    high: "101",
    low: "100.5",
    close: "101",
    volume: "3.5",
    quoteVolume: "352.7",
    tradeCount: null,
    takerBuyVolume: null,
    takerBuyQuoteVolume: null,
    ...change,
  }) as ExchangeMinute;

async function stored() {
  await recorder.flushCandles();
  const found = await readCandles(database.app, [symbolId], { interval: "M1", fromMs: null, toMs: null, limit: 9 });
  return found.get(symbolId) ?? [];
}

describe("minutes of an exchange that does not count trades", () => {
  const ours = { tradeCount: 2, takerBuyVolume: "1.5", quoteVolume: "352.75", throughSequence: null };

  test("keep the count of those who saw all of them", async () => {
    trade();
    await store.put(symbolId, [minute()]);
    expect(await stored()).toMatchObject([ours]);
    trade();
    expect(live.tradeOutcomes.get("duplicate")).toBe(2);
  });

  test("keep it also when the minute is in the store only", async () => {
    trade();
    await recorder.flushCandles();
    live.builder.forget(symbolId);
    await store.put(symbolId, [minute()]);
    expect(await stored()).toMatchObject([ours]);
  });

  test.each([
    ["volume", { volume: "3.6", quoteVolume: "362" }],
    ["high", { high: "101.5" }],
    ["open", { open: "101" }],
  ])("have none when some were missed: another %s", async (_, change) => {
    trade();
    await store.put(symbolId, [minute(change)]);
    expect(await stored()).toMatchObject([
      { ...change, tradeCount: 0, takerBuyVolume: "0", takerBuyQuoteVolume: "0", throughSequence: null },
    ]);
    expect(live.builder.minute(symbolId, openTimeMs)).toMatchObject(change);
  });

  test("have none when nobody saw them", async () => {
    await store.put(symbolId, [minute()]);
    expect(await stored()).toMatchObject([{ tradeCount: 0, quoteVolume: "352.7" }]);
  });
});

test("a count of the exchange stands above ours, and a minute without a trade says nothing", async () => {
  trade();
  const counted = { tradeCount: 5, takerBuyVolume: decimalText("1"), takerBuyQuoteVolume: decimalText("100") };
  await store.put(symbolId, [
    minute(counted),
    minute({ openTimeMs: openTimeMs + 60_000, volume: "0", quoteVolume: "0" }),
  ]);
  expect(await stored()).toMatchObject([counted]);
});

test("a version of the minute from trades that is written later does not take its place", async () => {
  trade();
  await store.put(symbolId, [minute({ volume: "2", quoteVolume: "201" })]);
  expect(await stored()).toMatchObject([{ volume: "2", throughSequence: null }]);
});

test("what is complete comes back as it was stored", async () => {
  const complete = new TimeRanges([
    { fromMs: openTimeMs, toMs: openTimeMs + 60_000 },
    { fromMs: openTimeMs + 600_000, toMs: openTimeMs + 6_000_000 },
  ]);
  await storeCoverage(database.app, new Map([[symbolId, complete]]));
  expect((await readCoverage(database.app, [symbolId])).get(symbolId)?.list).toEqual(complete.list);
  complete.remove({ fromMs: 0, toMs: openTimeMs + 300_000 });
  await storeCoverage(database.app, new Map([[symbolId, complete]]));
  expect((await readCoverage(database.app, [symbolId])).get(symbolId)?.list).toEqual(complete.list);
  await storeCoverage(database.app, new Map([[symbolId, new TimeRanges()]]));
  expect(await readCoverage(database.app, [symbolId, 999_999])).toEqual(new Map());
});
