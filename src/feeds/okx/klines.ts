import type { ExchangeMinute, MinuteRequest, MinuteSource } from "../feed.js";
import { collectMinutes, downloadKlines, minutesIn, soundMinute, soundMinutes } from "../read-minutes.js";
import { isObject, type Untrusted, wholeNumber } from "../reading.js";
import { unavailable } from "../rest.js";
import type { OkxMarket } from "./map.js";

/**
 * Newest first. `volume` is in the base currency on spot and in contracts of swaps; `volumeInCurrency` in the quote currency
 * on spot and in the base currency of swaps; `confirm` is "0" while the minute is not over.
 * `{"code":"0","msg":"","data":[["1597026383085","3.721","3.743","3.677","3.708","8422410","22698348.04828491","12698348.04828491","1"]]}`
 */
export interface CandlePage {
  code: string;
  msg: string;
  data: [
    openTime: string,
    open: string,
    high: string,
    low: string,
    close: string,
    volume: string,
    volumeInCurrency: string,
    quoteVolume: string,
    confirm: "0" | "1",
  ][];
}

/** `candles` gives 300 of the newest 1,440 and may be asked 40 times in two seconds, `history-candles` 100, 20 times. */
const limits = { maxPerRequest: 100, requestGapMs: 200 };

export const spotMinutes = okxMinutes("SPOT");
export const swapMinutes = okxMinutes("SWAP");

function okxMinutes(market: OkxMarket): MinuteSource {
  return {
    ...limits,
    async fetch(endpoint, log, request) {
      minutesIn(request, limits.maxPerRequest);
      const ask = async (path: string, { symbol, fromMs, toMs, signal }: MinuteRequest) => {
        // Both ends are exclusive; "after" is what comes after it on the way into the past.
        const range = `after=${toMs}&before=${fromMs - 1}&limit=${limits.maxPerRequest}`;
        const query = `instId=${encodeURIComponent(symbol.ticker)}&bar=1m&${range}`;
        const page = await downloadKlines(endpoint, `/api/v5/market/${path}?${query}`, signal);
        const read = (entry: unknown) => readCandle(entry, market);
        return soundMinutes(collectMinutes(candlesIn(page), { fromMs, toMs }, "newest-first", read), endpoint, log);
      };
      const newest = await ask("candles", request);
      // It leaves out no minute, so what is missing before its oldest one is too old for it.
      const restToMs = newest[0]?.openTimeMs ?? request.toMs;
      if (restToMs <= request.fromMs) return newest;
      return [...(await ask("history-candles", { ...request, toMs: restToMs })), ...newest];
    },
  };
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when the exchange refused */
function candlesIn(page: unknown): unknown {
  const { code, msg, data } = (isObject(page) ? page : {}) as Untrusted<CandlePage>;
  if (code !== "0")
    throw unavailable(`the exchange refused the klines: ${String(msg ?? code).slice(0, 200)}`, { status: 200 });
  return data;
}

export function readCandle(candle: unknown, market: OkxMarket): ExchangeMinute | string | null {
  if (!Array.isArray(candle)) return "kline";
  const [openTime, open, high, low, close, inBaseOrContracts, inCurrency, quoteVolume, confirm] =
    candle as unknown as Untrusted<CandlePage["data"][number]>;
  if (confirm === "0") return null;
  if (confirm !== "1") return "confirm";
  const volume = market === "SPOT" ? inBaseOrContracts : inCurrency;
  return soundMinute({ openTimeMs: wholeNumber(openTime), open, high, low, close, volume, quoteVolume });
}
