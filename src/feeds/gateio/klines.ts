import type { DecimalText } from "../../core/decimal.js";
import { type FixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import { minuteMs } from "../../market-data/candle-intervals.js";
import type { ExchangeMinute, FeedEndpoint, MinuteSource } from "../feed.js";
import { collectMinutes, downloadKlines, minutesIn, secondsToMs, soundMinute, soundMinutes } from "../read-minutes.js";
import { amount, isNegative, isObject, numberAsText, type Untrusted, wholeNumber } from "../reading.js";
import { size, unavailable } from "../rest.js";
import { toBaseQuantity } from "../stream/contract-sizes.js";
import type { Contract } from "./wire.js";

/**
 * Spot, oldest first, in an order of its own; the last is "true" when the minute is over.
 * `["1539852480","971519.677","0.0021724","0.0021922","0.0021724","0.0021737","447205.91","true"]`
 */
export type SpotCandlestick = [
  openTimeSeconds: string,
  quoteVolume: string,
  close: string,
  high: string,
  low: string,
  open: string,
  volume: string,
  isClosed: "true" | "false",
];

/**
 * Futures, oldest first: `v` counts contracts, `sum` is in the quote currency.
 * `{"t":1539852480,"v":97151,"c":"1.032","h":"1.032","l":"1.032","o":"1.032","sum":"3580"}`
 */
export interface FuturesCandlestick {
  t: number;
  v: number;
  c: string;
  h: string;
  l: string;
  o: string;
  sum: string;
}

/** The exchange refuses what is more than 10,000 minutes old; some are left for the time that a request takes. */
const maxAgeMs = 9_990 * minuteMs;
/** The exchange allows 200 requests in ten seconds, of each kind. */
const requestGapMs = 100;

const rangeIn = (fromMs: number, toMs: number): string =>
  // The end is inclusive.
  `from=${fromMs / 1000}&to=${(toMs - minuteMs) / 1000}&interval=1m`;

export const spotMinutes: MinuteSource = {
  maxPerRequest: 1_000,
  requestGapMs,
  maxAgeMs,
  async fetch(endpoint, log, { symbol, fromMs, toMs, signal }) {
    minutesIn({ fromMs, toMs }, this.maxPerRequest);
    const query = `currency_pair=${encodeURIComponent(symbol.ticker)}&${rangeIn(fromMs, toMs)}`;
    const entries = await downloadKlines(endpoint, `/api/v4/spot/candlesticks?${query}`, signal);
    const found = collectMinutes(entries, { fromMs, toMs }, "oldest-first", readSpotCandlestick);
    return soundMinutes(found, endpoint, log);
  },
};

export const futuresMinutes: MinuteSource = {
  maxPerRequest: 2_000,
  requestGapMs,
  maxAgeMs,
  async fetch(endpoint, log, { symbol, fromMs, toMs, signal }) {
    minutesIn({ fromMs, toMs }, this.maxPerRequest);
    const contract = encodeURIComponent(symbol.ticker);
    const contractSize = await fetchContractSize(endpoint, contract, signal);
    const path = `/api/v4/futures/usdt/candlesticks?contract=${contract}&${rangeIn(fromMs, toMs)}`;
    const entries = await downloadKlines(endpoint, path, signal);
    const read = (entry: unknown) => readFuturesCandlestick(entry, contractSize);
    return soundMinutes(collectMinutes(entries, { fromMs, toMs }, "oldest-first", read), endpoint, log);
  },
};

/** Asked for with every page, which are few: so it is never out of date. */
async function fetchContractSize(endpoint: FeedEndpoint, contract: string, signal: AbortSignal): Promise<FixedPoint> {
  const answer = await downloadKlines(endpoint, `/api/v4/futures/usdt/contracts/${contract}`, signal);
  const { quanto_multiplier } = (isObject(answer) ? answer : {}) as Untrusted<Contract>;
  const multiplier = size(quanto_multiplier);
  if (multiplier === null) throw unavailable("the contract has no size", { status: 200 });
  return toFixedPoint(multiplier);
}

export function readSpotCandlestick(entry: unknown): ExchangeMinute | string | null {
  if (!Array.isArray(entry)) return "kline";
  const [seconds, quoteVolume, close, high, low, open, volume, isClosed] =
    entry as unknown as Untrusted<SpotCandlestick>;
  if (isClosed === "false") return null;
  if (isClosed !== "true") return "is-closed";
  const openTimeMs = secondsToMs(wholeNumber(seconds));
  return soundMinute({ openTimeMs, open, high, low, close, volume, quoteVolume });
}

export function readFuturesCandlestick(entry: unknown, contractSize: FixedPoint): ExchangeMinute | string {
  if (!isObject(entry)) return "kline";
  const { t, v, c, h, l, o, sum } = entry as Untrusted<FuturesCandlestick>;
  const contracts = amount(numberAsText(v));
  const volume: DecimalText | null =
    contracts === null || isNegative(contracts) ? null : toBaseQuantity(contracts, contractSize);
  return soundMinute({ openTimeMs: secondsToMs(t), open: o, high: h, low: l, close: c, volume, quoteVolume: sum });
}
