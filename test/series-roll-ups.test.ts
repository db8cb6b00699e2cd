import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import { Decimal, type DecimalText, decimalText } from "../src/core/decimal.js";
import { groupBy } from "../src/core/group-by.js";
import { dropOldSeries } from "../src/db/time-series.js";
import { type CandleInterval, candleIntervalMs, candleIntervals } from "../src/market-data/candle-intervals.js";
import type { StoredCandle } from "../src/market-data/candles.js";
import { readCandles } from "../src/market-data/series/read-series.js";
import { CandleWriter } from "../src/market-data/series/writers.js";
import {
  compress,
  describeSeries,
  dropOld,
  newSymbol,
  refreshRollUps,
  type SeriesDatabase,
} from "./support/series-storage.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const log = pino({ level: "silent" });

// The database deletes and refreshes by its own clock, so the minutes lie around the real present.
const presentMs = Math.floor(Date.now() / minuteMs) * minuteMs;
const lastMondayMs = openTime("W1", presentMs);

/** What a minute says, apart from when. */
type Draft = Pick<StoredCandle, "open" | "high" | "low" | "close" | "volume" | "quoteVolume" | "tradeCount"> &
  Pick<StoredCandle, "takerBuyVolume" | "takerBuyQuoteVolume">;

const amounts = fc
  .tuple(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 0, max: 18 }))
  .map(([digits, places]) => decimalText(new Decimal(digits).div(new Decimal(10).pow(places))));
const drafts: fc.Arbitrary<Draft> = fc
  .record({
    prices: fc.tuple(amounts, amounts, amounts, amounts),
    isRising: fc.boolean(),
    volume: amounts,
    quoteVolume: amounts,
    tradeCount: fc.integer({ min: 0, max: 10 ** 6 }),
    takerBuys: fc.constantFrom("0", "0.5", "1"),
  })
  .map(({ prices, isRising, volume, quoteVolume, tradeCount, takerBuys }) => {
    const [low, a, b, high] = prices.toSorted((x, y) => new Decimal(x).comparedTo(y)) as [
      DecimalText,
      DecimalText,
      DecimalText,
      DecimalText,
    ];
    const partOf = (whole: DecimalText) =>
      decimalText(new Decimal(whole).times(takerBuys).toFixed(18, Decimal.ROUND_DOWN));
    return {
      ...(isRising ? { open: a, close: b } : { open: b, close: a }),
      high,
      low,
      volume,
      quoteVolume,
      tradeCount,
      takerBuyVolume: partOf(volume),
      takerBuyQuoteVolume: partOf(quoteVolume),
    };
  });

/** Few enough that minutes meet in a bucket and are corrected again. */
const minutesAround = (middleMs: number) => fc.integer({ min: -9, max: 9 }).map((n) => middleMs + n * minuteMs);
const youngMinutes = fc.oneof(minutesAround(presentMs - 10 * minuteMs), minutesAround(presentMs - 80 * minuteMs));
const anyMinutes = fc.oneof(
  youngMinutes,
  minutesAround(presentMs - 5 * hourMs),
  minutesAround(lastMondayMs),
  minutesAround(lastMondayMs - 7 * dayMs),
  minutesAround(presentMs - 27 * dayMs),
);
type Batch = readonly { readonly openTimeMs: number; readonly draft: Draft }[];
const batchOf = (openTimeMs: fc.Arbitrary<number>): fc.Arbitrary<Batch> =>
  fc.uniqueArray(fc.record({ openTimeMs, draft: drafts }), {
    minLength: 1,
    maxLength: 12,
    selector: (m) => m.openTimeMs,
  });
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: batchOf(anyMinutes) },
    fc.constantFrom("refresh" as const, "compress" as const, "dropOld" as const),
  ),
  { minLength: 1, maxLength: 6 },
);

/** The exchange's own version of a minute, which takes the place of any other. */
const minuteOf = (symbolId: number, openTimeMs: number, draft: Draft): StoredCandle => ({
  symbolId,
  interval: "M1",
  openTimeMs,
  ...draft,
  throughSequence: null,
});

async function store({ app }: SeriesDatabase, minutes: readonly StoredCandle[]): Promise<void> {
  const writer = new CandleWriter(app, { log });
  for (const minute of minutes) writer.add(minute);
  await writer.close();
  expect(writer.stats).toMatchObject({ written: minutes.length, refused: 0, waiting: 0 });
}

/** By the calendar. */
function openTime(interval: CandleInterval, timeMs: number): number {
  if (interval !== "W1") return timeMs - (timeMs % candleIntervalMs[interval]);
  const date = new Date(timeMs);
  const daysSinceMonday = (date.getUTCDay() + 6) % 7;
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() - daysSinceMonday);
}

/** All of one interval made anew from the minutes. */
function naiveRollUp(minutes: readonly StoredCandle[], interval: CandleInterval): StoredCandle[] {
  const buckets = groupBy(
    minutes.toSorted((a, b) => a.openTimeMs - b.openTimeMs),
    (minute) => openTime(interval, minute.openTimeMs),
  );
  const sum = (bucket: StoredCandle[], field: keyof StoredCandle) =>
    decimalText(bucket.reduce((total, minute) => total.plus(minute[field] as string), new Decimal(0)));
  return [...buckets].map(([openTimeMs, bucket]) => ({
    symbolId: bucket[0]?.symbolId ?? 0,
    interval,
    openTimeMs,
    open: bucket[0]?.open as DecimalText,
    high: decimalText(Decimal.max(...bucket.map((minute) => minute.high))),
    low: decimalText(Decimal.min(...bucket.map((minute) => minute.low))),
    close: bucket.at(-1)?.close as DecimalText,
    volume: sum(bucket, "volume"),
    quoteVolume: sum(bucket, "quoteVolume"),
    tradeCount: bucket.reduce((total, minute) => total + minute.tradeCount, 0),
    takerBuyVolume: sum(bucket, "takerBuyVolume"),
    takerBuyQuoteVolume: sum(bucket, "takerBuyQuoteVolume"),
    throughSequence: null,
  }));
}

const rollUpIntervals = candleIntervals.filter((interval) => interval !== "M1");

async function readAll({ app }: SeriesDatabase, symbolId: number, interval: CandleInterval): Promise<StoredCandle[]> {
  const found = await readCandles(app, [symbolId], { interval, fromMs: null, toMs: null, limit: 1_000 });
  return found.get(symbolId) ?? [];
}

async function expectRollUpsOf(on: SeriesDatabase, symbolId: number, minutes: Iterable<StoredCandle>): Promise<void> {
  const all = [...minutes];
  for (const interval of rollUpIntervals) {
    expect(await readAll(on, symbolId, interval)).toEqual(naiveRollUp(all, interval));
  }
}

const anyDraft = (): Draft => fc.sample(drafts, 1)[0] as Draft;

describeSeries("roll-ups", (on, storage) => {
  test("are those of the minutes, however these are corrected; corrections of the last two hours show at once", async () => {
    await fc.assert(
      fc.asyncProperty(steps, batchOf(youngMinutes), async (before, correction) => {
        const symbolId = await newSymbol(on);
        const minutes = new Map<number, StoredCandle>();
        const take = async (batch: Batch) => {
          const versions = batch.map(({ openTimeMs, draft }) => minuteOf(symbolId, openTimeMs, draft));
          for (const version of versions) minutes.set(version.openTimeMs, version);
          await store(on, versions);
        };
        for (const step of before) {
          if (step === "refresh") await refreshRollUps(on);
          else if (step === "compress") await compress(on, "candles");
          else if (step === "dropOld") await dropOldSeries(on.app.sql);
          else await take(step);
        }
        await refreshRollUps(on);
        await expectRollUpsOf(on, symbolId, minutes.values());
        await take(correction);
        await expectRollUpsOf(on, symbolId, minutes.values());
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  test("before anything was ever refreshed are there too", async () => {
    const symbolId = await newSymbol(on);
    const minutes = Array.from({ length: 40 }, (_, n) => minuteOf(symbolId, presentMs - n * 3 * minuteMs, anyDraft()));
    await store(on, minutes.toReversed());
    await expectRollUpsOf(on, symbolId, minutes);
  });

  test("weeks begin on Monday at midnight UTC", async () => {
    const symbolId = await newSymbol(on);
    const sunday = minuteOf(symbolId, lastMondayMs - minuteMs, anyDraft());
    const monday = minuteOf(symbolId, lastMondayMs, anyDraft());
    await store(on, [sunday, monday]);
    await refreshRollUps(on);
    const weeks = await readAll(on, symbolId, "W1");
    expect(weeks.map((week) => new Date(week.openTimeMs).getUTCDay())).toEqual([1, 1]);
    expect(weeks.map((week) => week.open)).toEqual([sunday.open, monday.open]);
  });

  test("an older correction shows in all of them after one run of the job", async () => {
    const symbolId = await newSymbol(on);
    const old = [3 * hourMs, 26 * hourMs, 9 * dayMs, 27 * dayMs].map((ageMs) =>
      minuteOf(symbolId, presentMs - ageMs, anyDraft()),
    );
    await store(on, old);
    await refreshRollUps(on);
    await compress(on, "candles");
    const corrected = old.map((minute) => minuteOf(symbolId, minute.openTimeMs, anyDraft()));
    await store(on, corrected);
    expect(await readAll(on, symbolId, "M1")).toEqual(corrected.toReversed());
    await refreshRollUps(on);
    await expectRollUpsOf(on, symbolId, corrected);
  });

  test("outlive the minutes they were made from, and a minute that comes later still does not spoil them", async () => {
    const symbolId = await newSymbol(on);
    const openMs = openTime("D1", presentMs - 45 * dayMs);
    const old = [0, 1, 7, 600].map((n) => minuteOf(symbolId, openMs + n * minuteMs, anyDraft()));
    const young = minuteOf(symbolId, presentMs - dayMs, anyDraft());
    await rollUpAsOfThen(old);
    await store(on, [young]);
    await refreshRollUps(on);
    await dropOld(on);
    expect(await readAll(on, symbolId, "M1")).toEqual([young]);
    await expectRollUpsOf(on, symbolId, [...old, young]);
    await store(on, [minuteOf(symbolId, openMs + 2 * minuteMs, anyDraft())]);
    await refreshRollUps(on);
    await expectRollUpsOf(on, symbolId, [...old, young]);
  });

  /** Stores minutes and their roll-ups as they were when the minutes were young. */
  async function rollUpAsOfThen(minutes: readonly StoredCandle[]): Promise<void> {
    await store(on, minutes);
    const { sql } = on.owner;
    for (const interval of rollUpIntervals) {
      const table = tableOf(interval);
      if (storage === "timescaledb")
        await sql.unsafe(`call refresh_continuous_aggregate('${table}', null, now() - interval '2 hours')`);
      else {
        for (const c of naiveRollUp(minutes, interval)) {
          await sql`insert into ${sql(table)} values (${c.symbolId}, ${new Date(c.openTimeMs).toISOString()}, ${c.open},
            ${c.high}, ${c.low}, ${c.close}, ${c.volume}, ${c.quoteVolume}, ${c.tradeCount}, ${c.takerBuyVolume},
            ${c.takerBuyQuoteVolume})`;
        }
      }
    }
  }

  const tableOf = (interval: CandleInterval): string => `candles_${interval.slice(1)}${interval[0]?.toLowerCase()}`;
});
