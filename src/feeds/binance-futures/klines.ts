import { binanceMinutes } from "../binance/klines.js";
import type { MinuteSource } from "../feed.js";

/**
 * Klines as on spot. Up to 499 of them weigh 2 of the 2,400 a minute that the address has for everything, 1,000 weigh 5.
 * At most a quarter of those goes here.
 */
export const minutes: MinuteSource = binanceMinutes("/fapi/v1/klines", { maxPerRequest: 499, requestGapMs: 200 });
