import { decimalText } from "../core/decimal.js";
import { type CandleInterval, candleIntervalMs, openTimeOf } from "./candle-intervals.js";
import type { Candle } from "./candles.js";

/** Open times from `fromMs` to `lastMs`, both included. */
export interface CandleWindow {
  readonly interval: CandleInterval;
  readonly fromMs: number;
  readonly lastMs: number;
}

/** The newest `limit` intervals that open in [fromMs, toMs) and not after now; null when there is none. */
export function windowOf(
  {
    interval,
    fromMs,
    toMs,
    limit,
  }: { interval: CandleInterval; fromMs: number | null; toMs: number | null; limit: number },
  nowMs: number,
): CandleWindow | null {
  const lengthMs = candleIntervalMs[interval];
  const lastMs = openTimeOf(interval, Math.min(nowMs, (toMs ?? Number.POSITIVE_INFINITY) - 1));
  const newestMs = lastMs - (limit - 1) * lengthMs;
  const firstMs = fromMs === null ? newestMs : Math.max(newestMs, openTimeOf(interval, fromMs + lengthMs - 1));
  return firstMs > lastMs ? null : { interval, fromMs: firstMs, lastMs };
}

/**
 * One candle for every interval of the window: where nothing was traded, one that stays at the price before it. Intervals
 * before the first known price have none.
 * @param candles those of the window, oldest first
 * @param before the newest one before the window
 */
export function fillCandles(candles: readonly Candle[], before: Candle | null, window: CandleWindow): Candle[] {
  const filled: Candle[] = [];
  let next = 0;
  let previous = before;
  for (let openTimeMs = window.fromMs; openTimeMs <= window.lastMs; openTimeMs += candleIntervalMs[window.interval]) {
    const traded = candles[next];
    if (traded?.openTimeMs === openTimeMs) {
      next++;
      previous = traded;
    } else if (previous !== null) {
      previous = untraded(previous, openTimeMs);
    }
    if (previous !== null) filled.push(previous);
  }
  return filled;
}

const zero = decimalText("0");

const untraded = ({ symbolId, interval, close }: Candle, openTimeMs: number): Candle => ({
  symbolId,
  interval,
  openTimeMs,
  open: close,
  high: close,
  low: close,
  close,
  volume: zero,
  quoteVolume: zero,
  tradeCount: 0,
  takerBuyVolume: zero,
  takerBuyQuoteVolume: zero,
});
