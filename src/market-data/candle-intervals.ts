/** Lengths of candles, shortest first. Each begins with one of the next shorter one, so that longer candles are made of whole shorter ones. */
export const candleIntervals = ["M1", "M5", "M15", "M30", "H1", "H4", "D1", "W1"] as const;
export type CandleInterval = (typeof candleIntervals)[number];

export const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

export const candleIntervalMs: Record<CandleInterval, number> = {
  M1: minuteMs,
  M5: 5 * minuteMs,
  M15: 15 * minuteMs,
  M30: 30 * minuteMs,
  H1: hourMs,
  H4: 4 * hourMs,
  D1: dayMs,
  W1: 7 * dayMs,
};

/** The epoch was a Thursday. */
const firstMondayMs = 4 * dayMs;

/** When the candle that holds a moment opens, in UTC. Weeks start on Monday at 00:00. */
export function openTimeOf(interval: CandleInterval, timeMs: number): number {
  const lengthMs = candleIntervalMs[interval];
  const originMs = interval === "W1" ? firstMondayMs : 0;
  return Math.floor((timeMs - originMs) / lengthMs) * lengthMs + originMs;
}

/** When the candle that holds a moment closes, which is when the next one opens and no longer part of it. */
export const closeTimeOf = (interval: CandleInterval, timeMs: number): number =>
  openTimeOf(interval, timeMs) + candleIntervalMs[interval];
