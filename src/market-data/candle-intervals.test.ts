import fc from "fast-check";
import { expect, test } from "vitest";
import { candleIntervalMs, candleIntervals, closeTimeOf, openTimeOf } from "./candle-intervals.js";

const at = (iso: string): number => Date.parse(iso);

test.each([
  ["M1", "2026-11-22T23:59:59.999Z", "2026-11-22T23:59:00Z", "2026-11-23T00:00:00Z"],
  ["M5", "2026-11-22T23:59:59.999Z", "2026-11-22T23:55:00Z", "2026-11-23T00:00:00Z"],
  ["M15", "2026-11-22T23:44:00Z", "2026-11-22T23:30:00Z", "2026-11-22T23:45:00Z"],
  ["M30", "2026-11-22T23:30:00Z", "2026-11-22T23:30:00Z", "2026-11-23T00:00:00Z"],
  ["H1", "2026-11-22T23:30:00Z", "2026-11-22T23:00:00Z", "2026-11-23T00:00:00Z"],
  ["H4", "2026-11-22T19:59:59.999Z", "2026-11-22T16:00:00Z", "2026-11-22T20:00:00Z"],
  ["D1", "2026-11-22T23:30:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"],
  // The 22nd of November 2026 is a Sunday.
  ["W1", "2026-11-22T23:59:59.999Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"],
  ["W1", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"],
  ["W1", "2027-01-01T12:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"],
] as const)("%s of %s", (interval, time, open, close) => {
  expect(openTimeOf(interval, at(time))).toBe(at(open));
  expect(closeTimeOf(interval, at(time))).toBe(at(close));
});

const times = fc.integer({ min: at("1960-01-01T00:00:00Z"), max: at("2100-01-01T00:00:00Z") });

test("every moment is in exactly one candle, and that is where the calendar puts it", () => {
  fc.assert(
    fc.property(times, fc.constantFrom(...candleIntervals), (timeMs, interval) => {
      const open = openTimeOf(interval, timeMs);
      const close = closeTimeOf(interval, timeMs);
      expect(open <= timeMs && timeMs < close).toBe(true);
      expect(close - open).toBe(candleIntervalMs[interval]);
      expect(openTimeOf(interval, close)).toBe(close);
      expect(openTimeOf(interval, close - 1)).toBe(open);
      const date = new Date(open);
      if (interval === "W1") expect(date.getUTCDay()).toBe(1);
      if (interval === "W1" || interval === "D1") expect(date.toISOString()).toMatch(/T00:00:00\.000Z$/);
    }),
  );
});

test("longer candles consist of whole shorter ones", () => {
  fc.assert(
    fc.property(times, (timeMs) => {
      candleIntervals.slice(1).forEach((longer, n) => {
        const shorter = candleIntervals[n] ?? "M1";
        const open = openTimeOf(longer, timeMs);
        expect(openTimeOf(shorter, open)).toBe(open);
        expect(openTimeOf(longer, openTimeOf(shorter, timeMs))).toBe(open);
      });
    }),
  );
});
