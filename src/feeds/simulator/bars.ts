import type { SymbolMarket } from "./market.js";
import type { Minute } from "./rolling-day.js";

/**
 * Candles of a width in whole minutes, oldest first, that begin in [fromMs, toMs) and in the last 24 hours; the latest one
 * may still grow.
 */
export function barsOf(market: SymbolMarket, widthMs: number, fromMs: number, toMs: number): Minute[] {
  const bars: Minute[] = [];
  const firstMs = Math.ceil(fromMs / widthMs) * widthMs;
  const endMs = Math.ceil(toMs / widthMs) * widthMs;
  for (const minute of market.minutes(firstMs, endMs)) {
    const startMs = minute.startMs - (minute.startMs % widthMs);
    const latest = bars.at(-1);
    if (latest?.startMs === startMs) bars[bars.length - 1] = joined(latest, minute);
    else bars.push({ ...minute, startMs });
  }
  return bars;
}

function joined(earlier: Minute, later: Minute): Minute {
  const { startMs } = earlier;
  // A minute without trades has a price, which nobody traded at.
  if (later.trades === 0) return earlier;
  if (earlier.trades === 0) return { ...later, startMs };
  return {
    startMs,
    open: earlier.open,
    high: Math.max(earlier.high, later.high),
    low: Math.min(earlier.low, later.low),
    close: later.close,
    trades: earlier.trades + later.trades,
    volume: earlier.volume + later.volume,
    value: earlier.value + later.value,
    takerBuyVolume: earlier.takerBuyVolume + later.takerBuyVolume,
    takerBuyValue: earlier.takerBuyValue + later.takerBuyValue,
  };
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** The widths that all exchanges have, in Binance's words. */
export const intervals: ReadonlyMap<string, number> = new Map([
  ["1m", minuteMs],
  ["3m", 3 * minuteMs],
  ["5m", 5 * minuteMs],
  ["15m", 15 * minuteMs],
  ["30m", 30 * minuteMs],
  ["1h", hourMs],
  ["2h", 2 * hourMs],
  ["4h", 4 * hourMs],
  ["6h", 6 * hourMs],
  ["12h", 12 * hourMs],
  ["1d", 24 * hourMs],
]);

/** A whole number that is not negative, `fallback` when there is none, null when it is something else. */
export function readNumber(query: URLSearchParams, name: string, fallback: number): number | null {
  const text = query.get(name);
  if (text === null || text === "") return fallback;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
