import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTradesAndKlines, tradesBetween } from "../../test/support/recorded-klines.js";
import { recordingsFolder } from "../../test/support/recordings.js";
import { Decimal, type DecimalText, decimalText } from "../core/decimal.js";
import { type CandleInterval, candleIntervalMs, candleIntervals, openTimeOf } from "./candle-intervals.js";
import {
  type Candle,
  CandleBuilder,
  keptMinutes,
  maxRememberedTrades,
  type StoredCandle,
  seedRanges,
} from "./candles.js";
import type { TradeEvent } from "./events.js";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** 20 minutes before a Monday begins, so that every interval ends on the way. */
const startMs = Date.UTC(2026, 10, 22, 23, 40);
const mondayMs = Date.UTC(2026, 10, 23);

interface Draft {
  readonly price: string;
  readonly quantity: string;
  readonly isBuy: boolean;
  readonly count: number;
}

const amounts = fc
  .tuple(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 0, max: 18 }))
  .map(([digits, places]) => decimalText(new Decimal(digits).div(new Decimal(10).pow(places))));
/** Few prices, so that they repeat, and some with so many digits that the product has more than the database holds. */
const drafts: fc.Arbitrary<Draft> = fc.record({
  price: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 95, max: 105 }).map(String) }, amounts),
  quantity: amounts,
  isBuy: fc.boolean(),
  count: fc.integer({ min: 1, max: 5 }),
});

const tradeOf = (draft: Draft, sequence: number, timeMs: number, change: Partial<TradeEvent> = {}): TradeEvent => ({
  kind: "trade",
  symbolId: 1,
  price: draft.price as DecimalText,
  quantity: draft.quantity as DecimalText,
  side: draft.isBuy ? "BUY" : "SELL",
  tradeId: String(sequence),
  tradeCount: draft.count,
  exchangeSequence: sequence,
  exchangeTimeMs: timeMs,
  receivedAtMs: timeMs,
  ...change,
});
const aTrade = (sequence: number, timeMs: number, change: Partial<TradeEvent> = {}): TradeEvent =>
  tradeOf({ price: "100", quantity: "1", isBuy: true, count: 1 }, sequence, timeMs, change);

const keyOf = ({ symbolId, interval, openTimeMs }: Candle): string => `${symbolId} ${interval} ${openTimeMs}`;
const byKey = <T extends Candle>(candles: readonly T[]): Map<string, T> => new Map(candles.map((c) => [keyOf(c), c]));
const withoutMark = ({ throughSequence: _throughSequence, ...candle }: StoredCandle): Candle => candle;
const plain = (candles: Iterable<StoredCandle>): Map<string, Candle> => byKey([...candles].map(withoutMark));

/** Where a candle opens, by the calendar. */
function naiveOpenTime(interval: CandleInterval, timeMs: number): number {
  if (interval !== "W1") return timeMs - (timeMs % candleIntervalMs[interval]);
  const date = new Date(timeMs);
  const daysSinceMonday = (date.getUTCDay() + 6) % 7;
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() - daysSinceMonday);
}

/** Groups all trades anew for every interval, with decimals. @param trades distinct; of equal keys the order counts */
function naiveCandles(trades: readonly TradeEvent[]): Map<string, Candle> {
  const groups = new Map<string, TradeEvent[]>();
  for (const interval of candleIntervals) {
    for (const trade of trades) {
      const key = `${trade.symbolId} ${interval} ${naiveOpenTime(interval, trade.exchangeTimeMs)}`;
      const group = groups.get(key) ?? [];
      group.push(trade);
      groups.set(key, group);
    }
  }
  return new Map([...groups].map(([key, group]) => [key, naiveCandle(key, group)]));
}

function naiveCandle(key: string, trades: readonly TradeEvent[]): Candle {
  const sorted = [...trades].sort(
    (a, b) => a.exchangeTimeMs - b.exchangeTimeMs || a.exchangeSequence - b.exchangeSequence,
  );
  const prices = sorted.map(({ price }) => new Decimal(price));
  const base = ({ quantity }: TradeEvent) => new Decimal(quantity);
  const quote = ({ price, quantity }: TradeEvent) =>
    new Decimal(price).times(quantity).toDecimalPlaces(18, Decimal.ROUND_DOWN);
  const sum = (of: readonly TradeEvent[], amount: (trade: TradeEvent) => Decimal) =>
    decimalText(of.reduce((total, trade) => total.plus(amount(trade)), new Decimal(0)));
  const bought = sorted.filter(({ side }) => side === "BUY");
  const [symbolId, interval, openTimeMs] = key.split(" ");
  return {
    symbolId: Number(symbolId),
    interval: interval as CandleInterval,
    openTimeMs: Number(openTimeMs),
    open: decimalText(prices.at(0) ?? "0"),
    high: decimalText(Decimal.max(...prices)),
    low: decimalText(Decimal.min(...prices)),
    close: decimalText(prices.at(-1) ?? "0"),
    volume: sum(sorted, base),
    quoteVolume: sum(sorted, quote),
    tradeCount: sorted.reduce((total, trade) => total + trade.tradeCount, 0),
    takerBuyVolume: sum(bought, base),
    takerBuyQuoteVolume: sum(bought, quote),
  };
}

/** Whoever stores candles: the newest state of each. */
class Store {
  readonly candles = new Map<string, StoredCandle>();

  take(builder: CandleBuilder): StoredCandle[] {
    const changed = builder.takeChanged();
    expect(new Set(changed.map(keyOf)).size).toBe(changed.length);
    for (const candle of changed) this.candles.set(keyOf(candle), candle);
    return changed;
  }

  inRanges(nowMs: number): StoredCandle[] {
    const ranges = seedRanges(nowMs);
    return [...this.candles.values()].filter(({ interval, openTimeMs: t }) =>
      ranges.some((range) => range.interval === interval && t >= range.fromMs && t < range.toMs),
    );
  }

  plain(): Map<string, Candle> {
    return plain(this.candles.values());
  }
}

const differing = (before: Map<string, Candle>, after: Map<string, Candle>): string[] =>
  [...after].filter(([key, candle]) => JSON.stringify(candle) !== JSON.stringify(before.get(key))).map(([key]) => key);

describe("trades in any order", () => {
  /** All within the kept minutes. `sharesSequence`: has the number of the one before, as where only ids tell trades apart. */
  const tradesOfAnHour = fc
    .array(
      fc.record({
        draft: drafts,
        gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 10 * minuteMs })),
        jitterMs: fc.integer({ min: 0, max: 3_000 }),
        sequenceGap: fc.integer({ min: 1, max: 3 }),
        symbolId: fc.integer({ min: 1, max: 2 }),
      }),
      { maxLength: 50 },
    )
    .map((steps) => {
      let [timeMs, sequence] = [startMs, 1_000];
      const trades: TradeEvent[] = [];
      for (const { draft, gapMs, jitterMs, sequenceGap, symbolId } of steps) {
        timeMs += gapMs;
        sequence += sequenceGap;
        const exchangeTimeMs = timeMs + jitterMs;
        if (exchangeTimeMs >= startMs + keptMinutes * minuteMs) break;
        trades.push(tradeOf(draft, sequence, exchangeTimeMs, { symbolId }));
      }
      return trades;
    });
  const withArrival = (trades: readonly TradeEvent[]) =>
    fc
      .record({
        order: fc.shuffledSubarray([...trades.keys(), ...trades.keys()], { minLength: trades.length * 2 }),
        takeAfter: fc.array(fc.boolean(), { minLength: trades.length * 2, maxLength: trades.length * 2 }),
      })
      .map(({ order, takeAfter }) => ({
        arrivals: order.flatMap((index) => trades[index] ?? []),
        takeAfter,
        trades,
      }));

  test("and twice each give the candles of all trades, and what changed is told exactly", () => {
    fc.assert(
      fc.property(tradesOfAnHour.chain(withArrival), ({ arrivals, takeAfter, trades }) => {
        const builder = new CandleBuilder();
        const store = new Store();
        const applied = new Set<TradeEvent>();
        let before = naiveCandles([]);
        arrivals.forEach((trade, n) => {
          expect(builder.apply(trade)).toBe(applied.has(trade) ? "duplicate" : "applied");
          applied.add(trade);
          // Looking on in between changes nothing.
          if (n % 3 === 0) for (const interval of candleIntervals) builder.newest(trade.symbolId, interval);
          if (takeAfter[n] !== true) return;
          const after = naiveCandles([...applied]);
          expect(store.take(builder).map(keyOf).sort()).toEqual(differing(before, after).sort());
          before = after;
        });
        store.take(builder);
        expect(store.plain()).toEqual(naiveCandles(trades));
        expect(builder.takeChanged()).toEqual([]);
        expect(builder.leftUntaken).toBe(0);
        for (const symbolId of new Set(trades.map((trade) => trade.symbolId))) {
          for (const interval of candleIntervals) {
            const all = [...store.candles.values()].filter((c) => c.symbolId === symbolId && c.interval === interval);
            const newest = all.reduce((a, b) => (a.openTimeMs > b.openTimeMs ? a : b));
            expect(builder.newest(symbolId, interval)).toEqual(newest);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("that share a number are told apart by their ids, and count in the order they came", () => {
    const sharing = fc.array(
      fc.record({ draft: drafts, sequence: fc.integer({ min: 1, max: 6 }), offset: fc.integer({ min: 0, max: 3 }) }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(sharing, (steps) => {
        const builder = new CandleBuilder();
        const trades = steps.map(({ draft, sequence, offset }, n) =>
          tradeOf(draft, sequence, mondayMs + offset, { tradeId: `trade-${n}` }),
        );
        for (const trade of trades) expect(builder.apply(trade)).toBe("applied");
        for (const trade of trades) expect(builder.apply(trade)).toBe("duplicate");
        expect(plain(builder.takeChanged())).toEqual(naiveCandles(trades));
      }),
    );
  });
});

/** In the exchange's order, with pauses of up to days. */
const tradesOfWeeks = fc
  .array(
    fc.record({
      draft: drafts,
      gapMs: fc.oneof(
        fc.integer({ min: 0, max: 30_000 }),
        fc.integer({ min: 0, max: 20 * minuteMs }),
        fc.integer({ min: 0, max: 5 * 60 * minuteMs }),
        fc.integer({ min: 0, max: 3 * dayMs }),
      ),
      sequenceGap: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) => {
    let [timeMs, sequence] = [startMs - 2 * dayMs, 1_000];
    return steps.map(({ draft, gapMs, sequenceGap }) => {
      timeMs += gapMs;
      sequence += sequenceGap;
      return tradeOf(draft, sequence, timeMs);
    });
  });

/** The oldest moment that is still kept once this one has been seen. */
const naiveKeptFrom = (timeMs: number): number => {
  const hourBeforeMs = timeMs - keptMinutes * minuteMs;
  return hourBeforeMs - (hourBeforeMs % (5 * minuteMs));
};

/** A late trade is one that comes after up to so many later ones. */
function arrivalOf(trades: readonly TradeEvent[], lateBy: readonly number[]): TradeEvent[] {
  return trades
    .map((trade, n) => ({ trade, place: n + (lateBy[n] ?? 0) + 0.5 * Math.sign(lateBy[n] ?? 0) }))
    .sort((a, b) => a.place - b.place)
    .map(({ trade }) => trade);
}
const delays = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 6 })), {
  minLength: 60,
  maxLength: 60,
});

describe("over weeks", () => {
  test("every interval holds the trades of its time, but for those reported as too late", () => {
    let tooLate = 0;
    fc.assert(
      fc.property(tradesOfWeeks, delays, (trades, lateBy) => {
        const builder = new CandleBuilder();
        const store = new Store();
        const applied: TradeEvent[] = [];
        let keptFromMs = Number.NEGATIVE_INFINITY;
        for (const trade of arrivalOf(trades, lateBy)) {
          const isTooLate = trade.exchangeTimeMs < keptFromMs;
          expect(builder.apply(trade)).toBe(isTooLate ? "tooLate" : "applied");
          store.take(builder);
          if (isTooLate) tooLate++;
          else applied.push(trade);
          keptFromMs = Math.max(keptFromMs, naiveKeptFrom(trade.exchangeTimeMs));
        }
        expect(store.plain()).toEqual(naiveCandles(applied));
        expect(builder.leftUntaken).toBe(0);
      }),
      { numRuns: 300 },
    );
    expect(tooLate).toBeGreaterThan(100);
  });

  test("stopping anywhere, even again and again, and going on from the store is as if nothing had happened", () => {
    let resent = 0;
    const stops = fc.array(fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, fc.integer({ min: 0, max: 5 })), {
      minLength: 60,
      maxLength: 60,
    });
    fc.assert(
      fc.property(tradesOfWeeks, stops, (trades, resendAfterStop) => {
        let builder = new CandleBuilder();
        const uninterrupted = new CandleBuilder();
        const store = new Store();
        trades.forEach((trade, n) => {
          uninterrupted.apply(trade);
          expect(builder.apply(trade)).toBe("applied");
          store.take(builder);
          const resend = resendAfterStop[n];
          if (resend === null || resend === undefined) return;
          builder = new CandleBuilder();
          expect(builder.seed(1, trade.exchangeTimeMs, store.inRanges(trade.exchangeTimeMs))).toBe(true);
          expect(builder.takeChanged()).toEqual([]);
          for (const again of trades.slice(Math.max(0, n + 1 - resend), n + 1)) {
            const isKept = again.exchangeTimeMs >= naiveKeptFrom(trade.exchangeTimeMs);
            expect(builder.apply(again)).toBe(isKept ? "duplicate" : "tooLate");
            resent++;
          }
        });
        store.take(builder);
        expect(store.plain()).toEqual(naiveCandles(trades));
        for (const interval of candleIntervals) {
          expect(builder.newest(1, interval)).toEqual(uninterrupted.newest(1, interval));
        }
      }),
      { numRuns: 300 },
    );
    expect(resent).toBeGreaterThan(500);
  });

  test("an older minute that was corrected in the store corrects the candles above it", () => {
    let corrected = 0;
    fc.assert(
      fc.property(tradesOfWeeks, fc.nat(), fc.integer({ min: 1, max: 59 }), drafts, (trades, at, which, draft) => {
        const builder = new CandleBuilder();
        const store = new Store();
        const known = [...trades];
        const [middle, old] = [trades[at % trades.length], trades[which % trades.length]];
        for (const trade of trades) {
          expect(builder.apply(trade)).toBe("applied");
          store.take(builder);
          if (trade !== middle || old === undefined || old.exchangeTimeMs >= naiveKeptFrom(trade.exchangeTimeMs))
            continue;
          // The exchange knows of one more trade, and does not know one that we have: highs and lows may shrink too.
          const { exchangeTimeMs } = old;
          known.splice(known.indexOf(old), 1, tradeOf(draft, 1, exchangeTimeMs, { tradeId: "late" }));
          const upToNow = known.filter((one) => one.exchangeTimeMs <= trade.exchangeTimeMs);
          const seen = new Set(trades.slice(0, trades.indexOf(trade) + 1));
          const correctedTrades = upToNow.filter((one) => seen.has(one) || one.tradeId === "late");
          const keptFromMs = naiveKeptFrom(trade.exchangeTimeMs);
          for (const [key, candle] of naiveCandles(correctedTrades)) {
            // What is still forming is told by the builder.
            if (candle.openTimeMs + candleIntervalMs[candle.interval] > keptFromMs) continue;
            const inStore = store.candles.get(key);
            store.candles.set(key, { ...candle, throughSequence: inStore?.throughSequence ?? null });
          }
          expect(builder.seed(1, trade.exchangeTimeMs, store.inRanges(trade.exchangeTimeMs))).toBe(true);
          store.take(builder);
          expect(store.plain()).toEqual(naiveCandles(correctedTrades));
          corrected++;
        }
        expect(store.plain()).toEqual(naiveCandles(known));
      }),
      { numRuns: 300 },
    );
    expect(corrected).toBeGreaterThan(50);
  });

  test("what was read before the kept minutes moved on is refused", () => {
    const builder = new CandleBuilder();
    builder.apply(aTrade(1, mondayMs + 4 * minuteMs));
    expect(builder.seed(1, mondayMs, [])).toBe(true);
    builder.apply(aTrade(2, mondayMs + 5 * minuteMs));
    const before = builder.newest(1, "W1");
    expect(builder.seed(1, mondayMs, [])).toBe(false);
    expect(builder.newest(1, "W1")).toEqual(before);
  });
});

describe("seeding", () => {
  test("needs every moment from the Monday on once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 14 * dayMs }), (offsetMs) => {
        const nowMs = mondayMs + offsetMs;
        const ranges = seedRanges(nowMs).sort((a, b) => a.fromMs - b.fromMs);
        expect(ranges[0]?.fromMs).toBe(naiveOpenTime("W1", naiveKeptFrom(nowMs)));
        ranges.forEach(({ interval, fromMs, toMs }, n) => {
          expect(fromMs).toBeLessThan(toMs);
          expect(toMs).toBe(ranges[n + 1]?.fromMs ?? Number.POSITIVE_INFINITY);
          expect(fromMs).toBe(openTimeOf(interval, fromMs));
        });
        const last = ranges.at(-1);
        expect([last?.interval, last?.fromMs]).toEqual(["M1", naiveKeptFrom(nowMs)]);
      }),
    );
  });

  test("ignores what it does not need", () => {
    const builder = new CandleBuilder();
    const trades = [aTrade(1, mondayMs - 2 * dayMs), aTrade(2, mondayMs - 1), aTrade(3, mondayMs + 90 * minuteMs)];
    const store = new Store();
    for (const trade of trades) {
      builder.apply(trade);
      store.take(builder);
    }
    const again = new CandleBuilder();
    const others = [...store.candles.values()].map((candle) => ({ ...candle, symbolId: 2 }));
    again.seed(1, mondayMs + 90 * minuteMs, [...others, ...store.candles.values()]);
    for (const interval of candleIntervals) expect(again.newest(1, interval)).toEqual(builder.newest(1, interval));
    expect(again.newest(2, "W1")).toBeNull();
  });
});

describe("a minute from the exchange", () => {
  test("takes the place of what was built, and corrects what lies above", () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant("trade" as const), minute: fc.nat(59), draft: drafts }) },
        fc.record({
          kind: fc.constant("replace" as const),
          minute: fc.nat(59),
          drafts: fc.array(drafts, { minLength: 1, maxLength: 3 }),
        }),
      ),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), (all, takeAfter) => {
        const builder = new CandleBuilder();
        const store = new Store();
        const minutes = new Map<number, { sealed: boolean; trades: TradeEvent[] }>();
        const naive = () => naiveCandles([...minutes.values()].flatMap(({ trades }) => trades));
        let sequence = 0;
        all.forEach((step, n) => {
          const openTimeMs = startMs + step.minute * minuteMs;
          const minute = minutes.get(openTimeMs) ?? { sealed: false, trades: [] };
          const before = naive();
          if (step.kind === "trade") {
            const trade = tradeOf(step.draft, ++sequence, openTimeMs + (sequence % 7));
            expect(builder.apply(trade)).toBe(minute.sealed ? "duplicate" : "applied");
            if (!minute.sealed) minutes.set(openTimeMs, { sealed: false, trades: [...minute.trades, trade] });
          } else {
            const trades = step.drafts.map((draft) => tradeOf(draft, ++sequence, openTimeMs + sequence));
            const key = `1 M1 ${openTimeMs}`;
            const candle = naiveCandles(trades).get(key);
            if (candle === undefined) throw new Error("no candle");
            const isSame = differing(before, new Map([[key, candle]])).length === 0;
            expect(builder.replaceMinute(candle)).toBe(isSame ? "unchanged" : "applied");
            minutes.set(openTimeMs, { sealed: true, trades });
            expect(builder.replaceMinute(candle)).toBe("unchanged");
          }
          if (takeAfter[n] === true) {
            store.take(builder);
            expect(store.plain()).toEqual(naive());
          }
        });
        store.take(builder);
        expect(store.plain()).toEqual(naive());
      }),
      { numRuns: 300 },
    );
  });

  const minute = (openTimeMs: number, change: Partial<Candle> = {}): Candle => {
    const candle = naiveCandles([aTrade(1, openTimeMs)]).get(`1 M1 ${openTimeMs}`);
    if (candle === undefined) throw new Error("no candle");
    return { ...candle, ...change };
  };

  test("stays whole after a restart", () => {
    const builder = new CandleBuilder();
    expect(builder.replaceMinute(minute(mondayMs))).toBe("applied");
    const stored = builder.takeChanged();
    expect(stored.map(({ throughSequence }) => throughSequence)).toEqual(candleIntervals.map(() => null));
    const again = new CandleBuilder();
    again.seed(1, mondayMs + minuteMs, stored);
    expect(again.apply(aTrade(99, mondayMs + 5))).toBe("duplicate");
  });

  test("tells no change of what adds up to the same", () => {
    const builder = new CandleBuilder();
    const replace = (first: number, second: number) => [
      builder.replaceMinute(minute(mondayMs, { tradeCount: first })),
      builder.replaceMinute(minute(mondayMs + minuteMs, { tradeCount: second })),
    ];
    expect(replace(1, 2)).toEqual(["applied", "applied"]);
    expect(builder.takeChanged()).toHaveLength(9);
    expect(replace(2, 1)).toEqual(["applied", "applied"]);
    expect(builder.takeChanged().map(({ interval }) => interval)).toEqual(["M1", "M1"]);
  });

  test("that is no longer kept, or has no trade, or is no minute", () => {
    const builder = new CandleBuilder();
    builder.apply(aTrade(1, mondayMs));
    builder.takeChanged();
    expect(builder.replaceMinute(minute(mondayMs - 61 * minuteMs))).toBe("tooLate");
    expect(builder.replaceMinute(minute(mondayMs, { volume: decimalText("0") }))).toBe("unchanged");
    expect(() => builder.replaceMinute(minute(mondayMs, { interval: "M5" }))).toThrow(RangeError);
    expect(builder.takeChanged()).toEqual([]);
  });
});

describe("bounds", () => {
  const inMinute = (n: number) => mondayMs + n * minuteMs;

  test("numbers without gaps are remembered without end", () => {
    const builder = new CandleBuilder();
    const count = maxRememberedTrades + 10_000;
    for (let n = 0; n < count; n++) expect(builder.apply(aTrade(n, inMinute(0) + (n % 60_000)))).toBe("applied");
    for (let n = 0; n < count; n += 1_000) {
      expect(builder.apply(aTrade(n, inMinute(0) + (n % 60_000)))).toBe("duplicate");
    }
  });

  test("gaps that close are forgotten", () => {
    const builder = new CandleBuilder();
    const gaps = maxRememberedTrades - 1;
    for (const odd of [0, 1]) for (let n = 0; n < gaps; n++) builder.apply(aTrade(2 * n + odd, inMinute(0)));
    for (let n = 0; n < gaps; n++) builder.apply(aTrade(2 * (gaps + n), inMinute(1)));
    for (const n of [0, 1, 2 * gaps - 1]) expect(builder.apply(aTrade(n, inMinute(0)))).toBe("duplicate");
  });

  test.each([
    ["numbers with gaps", (n: number): Partial<TradeEvent> => ({ exchangeSequence: 2 * n, tradeId: String(2 * n) })],
    ["ids", (n: number): Partial<TradeEvent> => ({ exchangeSequence: n, tradeId: `id-${n}` })],
  ])("%s are remembered up to a bound; then what comes late for the oldest minute is too late", (_, numbered) => {
    const builder = new CandleBuilder();
    const send = (n: number, timeMs: number) => builder.apply(aTrade(n, timeMs, numbered(n)));
    for (let n = 0; n < 1_000; n++) expect(send(2 * n, inMinute(0))).toBe("applied");
    for (let n = 0; n < maxRememberedTrades - 1_000; n++) expect(send(10_000 + n, inMinute(1))).toBe("applied");
    expect([send(2, inMinute(0)), send(10_000, inMinute(1))]).toEqual(["duplicate", "duplicate"]);
    const before = builder.newest(1, "W1")?.tradeCount;

    expect(send(100_000, inMinute(2))).toBe("applied");
    expect([send(2, inMinute(0)), send(3, inMinute(0))]).toEqual(["tooLate", "tooLate"]);
    expect([send(10_000, inMinute(1)), send(100_000, inMinute(2))]).toEqual(["duplicate", "duplicate"]);
    expect(send(9_000, inMinute(0))).toBe("applied");
    expect(builder.newest(1, "W1")?.tradeCount).toBe(Number(before) + 2);
  });

  test("one minute alone can reach the bound, and goes on", () => {
    const builder = new CandleBuilder();
    for (let n = 0; n <= maxRememberedTrades; n++) expect(builder.apply(aTrade(2 * n, inMinute(0)))).toBe("applied");
    expect(builder.apply(aTrade(1, inMinute(0)))).toBe("tooLate");
    expect(builder.apply(aTrade(1_000_000, inMinute(0)))).toBe("applied");
    expect(builder.apply(aTrade(1_000_000, inMinute(0)))).toBe("duplicate");
    expect(builder.newest(1, "M1")?.tradeCount).toBe(maxRememberedTrades + 2);
  });

  test("what nobody takes is bounded by what is kept", () => {
    const builder = new CandleBuilder();
    const store = new Store();
    for (let n = 0; n < 3 * 24 * 60; n++) builder.apply(aTrade(n, inMinute(n)));
    const taken = store.take(builder);
    expect(taken.length).toBeLessThan(keptMinutes + 5 + 3 + 2 + 2 + 2 + 4 + 6 + 7 + 1 + 20);
    const all = naiveCandles(Array.from({ length: 3 * 24 * 60 }, (_, n) => aTrade(n, inMinute(n))));
    expect(builder.leftUntaken).toBe(all.size - taken.length);
    for (const [key, candle] of store.plain()) expect(candle).toEqual(all.get(key));
  });

  test("a time far ahead is not believed, so that the present stays kept", () => {
    const builder = new CandleBuilder();
    const ahead = (ms: number) => aTrade(1, mondayMs + ms, { receivedAtMs: mondayMs });
    expect(builder.apply(ahead(61 * minuteMs))).toBe("tooEarly");
    expect(builder.takeChanged()).toEqual([]);
    expect(builder.apply(ahead(60 * minuteMs))).toBe("applied");
    expect(builder.apply(aTrade(2, mondayMs))).toBe("applied");
  });

  test("a forgotten symbol is gone", () => {
    const builder = new CandleBuilder();
    builder.apply(aTrade(1, mondayMs));
    builder.forget(1);
    expect([builder.takeChanged(), builder.newest(1, "M1")]).toEqual([[], null]);
    expect(builder.apply(aTrade(1, mondayMs))).toBe("applied");
  });
});

describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
  test.each([
    ["binance-spot.ws.txt", { frames: 1, symbols: 1 }],
    ["binance-futures.ws.txt", { frames: 15, symbols: 3 }],
  ])("%s: candles of the recorded trades are the exchange's to the last digit", (name, compared) => {
    const { trades, klines } = readTradesAndKlines(name);
    const seen = { frames: 0, symbols: new Set<number>() };
    for (const { candle, firstTradeId, lastTradeId } of klines) {
      const inside = tradesBetween(trades, candle.symbolId, firstTradeId, lastTradeId);
      if (inside === null) continue;
      const builder = new CandleBuilder();
      for (const { event } of [...inside, ...inside].reverse()) builder.apply(event);
      const minute = builder.newest(candle.symbolId, "M1");
      expect(minute === null ? null : withoutMark(minute)).toEqual(candle);
      seen.frames++;
      seen.symbols.add(candle.symbolId);
    }
    expect({ frames: seen.frames, symbols: seen.symbols.size }).toEqual(compared);
  });

  test("binance-futures.ws.txt: continuing from a frame of the exchange leads to its later frames and the closed minute", () => {
    const { trades, klines } = readTradesAndKlines("binance-futures.ws.txt");
    const seen = { frames: 0, closed: 0, symbols: new Set<number>() };
    for (const start of klines) {
      const { symbolId, openTimeMs } = start.candle;
      const last = trades.find((t) => t.event.symbolId === symbolId && t.lastTradeId === start.lastTradeId);
      if (last === undefined) continue;
      for (const end of klines) {
        if (end.candle.symbolId !== symbolId || end.candle.openTimeMs !== openTimeMs) continue;
        const rest = tradesBetween(trades, symbolId, start.lastTradeId + 1, end.lastTradeId);
        if (end.lastTradeId <= start.lastTradeId || rest === null) continue;
        const builder = new CandleBuilder();
        builder.seed(symbolId, openTimeMs, [{ ...start.candle, throughSequence: last.event.exchangeSequence }]);
        expect(builder.apply(last.event)).toBe("duplicate");
        for (const { event } of rest) expect(builder.apply(event)).toBe("applied");
        const minute = builder.newest(symbolId, "M1");
        expect(minute === null ? null : withoutMark(minute)).toEqual(end.candle);
        seen.frames++;
        if (end.isClosed) seen.closed++;
        seen.symbols.add(symbolId);
      }
    }
    expect({ ...seen, symbols: seen.symbols.size }).toEqual({ frames: 294, closed: 30, symbols: 4 });
  });
});
