import type { ExchangeMinute, MinuteSource } from "../feed.js";
import { collectMinutes, downloadKlines, minutesIn, soundMinute, soundMinutes } from "../read-minutes.js";
import type { Untrusted } from "../reading.js";

/**
 * Oldest first. Neither trades are counted nor takers told apart.
 * `[1640804880000,"47482.36","47482.36","47416.57","47436.1","3.550717",1640804940000,"168387.3"]`
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
];

/** The documentation has said 1000 and 500. */
const maxPerRequest = 500;

/** Each request weighs 1 of the 500 in ten seconds that the address has. */
export const minutes: MinuteSource = {
  maxPerRequest,
  requestGapMs: 50,
  async fetch(endpoint, log, { symbol, fromMs, toMs, signal }) {
    const limit = minutesIn({ fromMs, toMs }, maxPerRequest);
    // The end is inclusive.
    const range = `startTime=${fromMs}&endTime=${toMs - 1}&limit=${limit}`;
    const query = `symbol=${encodeURIComponent(symbol.ticker)}&interval=1m&${range}`;
    const klines = await downloadKlines(endpoint, `/api/v3/klines?${query}`, signal);
    return soundMinutes(collectMinutes(klines, { fromMs, toMs }, "oldest-first", readKline), endpoint, log);
  },
};

export function readKline(kline: unknown): ExchangeMinute | string {
  if (!Array.isArray(kline)) return "kline";
  const [openTimeMs, open, high, low, close, volume, , quoteVolume] = kline as unknown as Untrusted<Kline>;
  return soundMinute({ openTimeMs, open, high, low, close, volume, quoteVolume });
}
