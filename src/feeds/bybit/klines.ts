import type { ExchangeMinute, MinuteSource } from "../feed.js";
import { collectMinutes, downloadKlines, minutesIn, soundMinute, soundMinutes } from "../read-minutes.js";
import { isObject, type Untrusted, wholeNumber } from "../reading.js";
import { unavailable } from "../rest.js";
import type { BybitCategory } from "./rest.js";

/**
 * Newest first. Turnover is in the quote currency, the volume in the base currency, also of linear contracts.
 * `{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"linear","list":[["1670608800000","17071","17073","17027","17055.5","268611","15.74462667"]]},"retExtInfo":{},"time":1672025956592}`
 */
export interface KlinePage {
  retCode: number;
  retMsg: string;
  result: {
    list: [
      startTime: string,
      open: string,
      high: string,
      low: string,
      close: string,
      volume: string,
      turnover: string,
    ][];
  };
}

/** The exchange allows 600 requests in five seconds. */
const limits = { maxPerRequest: 1_000, requestGapMs: 100 };

/** Codes of an answer that is a limit in other words: of the address, and of the service. */
const limitCodes: ReadonlyMap<unknown, number> = new Map([
  [10_018, 600],
  [10_006, 5],
]);

export const spotMinutes = bybitMinutes("spot");
export const futuresMinutes = bybitMinutes("linear");

function bybitMinutes(category: BybitCategory): MinuteSource {
  return {
    ...limits,
    async fetch(endpoint, log, { symbol, fromMs, toMs, signal }) {
      const limit = minutesIn({ fromMs, toMs }, limits.maxPerRequest);
      // The end is inclusive.
      const range = `start=${fromMs}&end=${toMs - 1}&limit=${limit}`;
      const query = `category=${category}&symbol=${encodeURIComponent(symbol.ticker)}&interval=1&${range}`;
      const page = await downloadKlines(endpoint, `/v5/market/kline?${query}`, signal);
      return soundMinutes(collectMinutes(klinesIn(page), { fromMs, toMs }, "newest-first", readKline), endpoint, log);
    },
  };
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when the exchange refused */
function klinesIn(page: unknown): unknown {
  const { retCode, retMsg, result } = (isObject(page) ? page : {}) as Untrusted<KlinePage>;
  if (retCode !== 0) {
    const retryAfterSeconds = limitCodes.get(retCode);
    throw unavailable(
      `the exchange refused the klines: ${String(retMsg ?? retCode).slice(0, 200)}`,
      retryAfterSeconds === undefined ? { status: 200 } : { retryAfterSeconds },
    );
  }
  return isObject(result) ? (result as Untrusted<KlinePage["result"]>).list : undefined;
}

export function readKline(kline: unknown): ExchangeMinute | string {
  if (!Array.isArray(kline)) return "kline";
  const [startTime, open, high, low, close, volume, quoteVolume] = kline as unknown as Untrusted<
    KlinePage["result"]["list"][number]
  >;
  return soundMinute({ openTimeMs: wholeNumber(startTime), open, high, low, close, volume, quoteVolume });
}
