import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CandleInterval, candleIntervalMs, candleIntervals, openTimeOf } from "./candle-intervals.js";
import type { Candle } from "./candles.js";
import { fillCandles, windowOf } from "./fill-candles.js";

const noonMs = Date.parse("2026-03-04T12:00:00Z");

const candleAt = (interval: CandleInterval, openTimeMs: number, close: number): Candle =>
  ({
    symbolId: 7,
    interval,
    openTimeMs,
    open: "1",
    high: String(close + 1),
    low: "1",
    close: String(close),
    volume: "3",
    quoteVolume: "9",
    tradeCount: 2,
    takerBuyVolume: "1",
    takerBuyQuoteVolume: "3",
  }) as Candle;

describe("the window", () => {
  const request = { interval: "M1" as const, fromMs: null, toMs: null, limit: 3 };
  const minutes = (window: ReturnType<typeof windowOf>) =>
    window && [(window.fromMs - noonMs) / 60_000, (window.lastMs - noonMs) / 60_000];

  test.each([
    ["ends with the forming one", {}, [-2, 0]],
    ["begins where it is asked to, when that is newer", { fromMs: noonMs - 60_000 }, [-1, 0]],
    ["holds no interval that opens before it is asked to", { fromMs: noonMs - 60_001 }, [-1, 0]],
    ["ends before it is asked to", { toMs: noonMs }, [-3, -1]],
    ["holds an interval that opens just before its end", { toMs: noonMs - 59_999 }, [-3, -1]],
    ["never reaches into the future", { toMs: noonMs + 3_600_000 }, [-2, 0]],
    ["of the future is none", { fromMs: noonMs + 60_000 }, null],
  ])("%s", (_, change, expected) => {
    expect(minutes(windowOf({ ...request, ...change }, noonMs + 30_000))).toEqual(expected);
  });

  test("of weeks begins on a Monday", () => {
    const window = windowOf({ ...request, interval: "W1", limit: 2 }, noonMs);
    expect(new Date(window?.fromMs ?? 0).toISOString()).toBe("2026-02-23T00:00:00.000Z");
    expect(new Date(window?.lastMs ?? 0).toISOString()).toBe("2026-03-02T00:00:00.000Z");
  });
});

describe("filling", () => {
  const anyCase = fc.record({
    interval: fc.constantFrom(...candleIntervals),
    traded: fc.array(fc.option(fc.integer({ min: 1, max: 1_000 })), { minLength: 1, maxLength: 40 }),
    before: fc.option(fc.integer({ min: 1, max: 1_000 })),
  });

  test("every interval has one candle: what was traded, else the price before it", () => {
    fc.assert(
      fc.property(anyCase, ({ interval, traded, before }) => {
        const lengthMs = candleIntervalMs[interval];
        const fromMs = openTimeOf(interval, noonMs);
        const window = { interval, fromMs, lastMs: fromMs + (traded.length - 1) * lengthMs };
        const candles = traded.flatMap((close, n) =>
          close === null ? [] : [candleAt(interval, fromMs + n * lengthMs, close)],
        );
        const earlier = before === null ? null : candleAt(interval, fromMs - 5 * lengthMs, before);
        const filled = fillCandles(candles, earlier, window);

        let price = before;
        const expected = traded.flatMap((close, n) => {
          price = close ?? price;
          return price === null ? [] : [[fromMs + n * lengthMs, String(price), close === null ? "0" : "3"]];
        });
        expect(filled.map(({ openTimeMs, close, volume }) => [openTimeMs, close, volume])).toEqual(expected);
        for (const candle of filled) {
          if (candle.volume !== "0") expect(candles).toContain(candle);
          else {
            const { open, high, low, close, tradeCount, quoteVolume, takerBuyVolume, takerBuyQuoteVolume } = candle;
            expect([open, high, low]).toEqual([close, close, close]);
            expect([tradeCount, quoteVolume, takerBuyVolume, takerBuyQuoteVolume]).toEqual([0, "0", "0", "0"]);
          }
        }
      }),
    );
  });
});
