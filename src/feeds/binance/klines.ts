import type { ExchangeMinute, MinuteSource } from "../feed.js";
import { collectMinutes, downloadKlines, minutesIn, soundMinute, soundMinutes } from "../read-minutes.js";
import type { Untrusted } from "../reading.js";

/**
 * Oldest first; minutes without a trade repeat the last price and have a volume of zero.
 * `[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499040059999,"2434.19055334",308,"1756.87402397","28.46694368","0"]`
 */
export type Kline = [
  openTime: number,
  open: string,
  high: string,
  low: string,
  close: string,
  volume: string,
  closeTime: number,
  quoteVolume: string,
  tradeCount: number,
  takerBuyVolume: string,
  takerBuyQuoteVolume: string,
  unused: string,
];

/** Each request weighs 2 of the 6,000 a minute that the address has for everything: at most a fifth of them goes here. */
export const minutes: MinuteSource = binanceMinutes("/api/v3/klines", { maxPerRequest: 1_000, requestGapMs: 100 });

/** Spot and futures differ only in where and how much. */
export function binanceMinutes(
  path: string,
  limits: Pick<MinuteSource, "maxPerRequest" | "requestGapMs">,
): MinuteSource {
  return {
    ...limits,
    async fetch(endpoint, log, { symbol, fromMs, toMs, signal }) {
      const limit = minutesIn({ fromMs, toMs }, limits.maxPerRequest);
      // The end is inclusive.
      const range = `startTime=${fromMs}&endTime=${toMs - 1}&limit=${limit}`;
      const query = `symbol=${encodeURIComponent(symbol.ticker)}&interval=1m&${range}`;
      const klines = await downloadKlines(endpoint, `${path}?${query}`, signal);
      return soundMinutes(collectMinutes(klines, { fromMs, toMs }, "oldest-first", readKline), endpoint, log);
    },
  };
}

export function readKline(kline: unknown): ExchangeMinute | string {
  if (!Array.isArray(kline)) return "kline";
  const [openTimeMs, open, high, low, close, volume, , quoteVolume, tradeCount, takerBuyVolume, takerBuyQuoteVolume] =
    kline as unknown as Untrusted<Kline>;
  if (tradeCount === undefined || tradeCount === null) return "trade-count";
  if (takerBuyVolume === undefined || takerBuyQuoteVolume === undefined) return "taker-volume";
  return soundMinute({
    openTimeMs,
    open,
    high,
    low,
    close,
    volume,
    quoteVolume,
    tradeCount,
    takerBuyVolume,
    takerBuyQuoteVolume,
  });
}
