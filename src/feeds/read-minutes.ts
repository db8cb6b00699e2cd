import type { DecimalText } from "../core/decimal.js";
import { toFixedPoint } from "../core/fixed-point.js";
import type { Logger } from "../core/logger.js";
import { minuteMs } from "../market-data/candle-intervals.js";
import type { ExchangeMinute } from "../market-data/exchange-minutes.js";
import type { FeedEndpoint, MinuteRequest } from "./feed.js";
import { amount, isNegative, isSequence, positiveAmount, type Untrusted } from "./reading.js";
import { download, parseList, unavailable } from "./rest.js";

/** The answer to a request for klines, parsed. @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function downloadKlines(endpoint: FeedEndpoint, path: string, signal: AbortSignal): Promise<unknown> {
  return parseList(await download(endpoint, path, signal, "klines"), "klines");
}

/** How many minutes are asked for. @throws {RangeError} when these are more than the exchange gives, or no whole ones */
export function minutesIn({ fromMs, toMs }: Pick<MinuteRequest, "fromMs" | "toMs">, maxPerRequest: number): number {
  const count = (toMs - fromMs) / minuteMs;
  if (fromMs % minuteMs !== 0 || !Number.isInteger(count) || count < 1 || count > maxPerRequest) {
    throw new RangeError(`from 1 to ${maxPerRequest} whole minutes can be asked for, not ${count}`);
  }
  return count;
}

/** Where in the answer the oldest minute is. */
export type MinuteOrder = "oldest-first" | "newest-first";

export interface ReadMinutes {
  /** Oldest first. */
  readonly minutes: ExchangeMinute[];
  /** How many entries were broken, by reason. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/**
 * Reads the entries of a page one by one: one that gives a text is broken for that reason; one that gives null is not over
 * yet. An entry that was not asked for, or that does not come after the sound one before it, is broken as well: no candle is
 * better than a wrong one.
 * @throws {DomainError} PROVIDER_UNAVAILABLE when it is no list, or nothing in it is sound
 */
export function collectMinutes(
  entries: unknown,
  { fromMs, toMs }: Pick<MinuteRequest, "fromMs" | "toMs">,
  order: MinuteOrder,
  read: (entry: unknown) => ExchangeMinute | string | null,
): ReadMinutes {
  if (!Array.isArray(entries)) throw unavailable("the response holds no klines");
  const minutes: ExchangeMinute[] = [];
  const leftOut = new Map<string, number>();
  let forming = 0;
  for (const entry of entries as unknown[]) {
    const minute = read(entry);
    if (minute === null) {
      forming++;
      continue;
    }
    const reason = typeof minute === "string" ? minute : misplaced(minute.openTimeMs, minutes.at(-1)?.openTimeMs);
    if (reason !== null) leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
    else minutes.push(minute as ExchangeMinute);
  }
  // Taken for an answer, it would read as "nothing was traded".
  if (minutes.length === 0 && leftOut.size > 0 && forming === 0)
    throw unavailable(`the klines are all broken: ${[...leftOut.keys()].join(", ")}`);
  return { minutes: order === "oldest-first" ? minutes : minutes.reverse(), leftOut };

  function misplaced(openTimeMs: number, previousMs: number | undefined): string | null {
    if (openTimeMs < fromMs || openTimeMs >= toMs) return "not-asked-for";
    if (previousMs === undefined) return null;
    const isNext = order === "oldest-first" ? openTimeMs > previousMs : openTimeMs < previousMs;
    return isNext ? null : "out-of-order";
  }
}

/** Why entries are broken goes to the log. */
export function soundMinutes({ minutes, leftOut }: ReadMinutes, endpoint: FeedEndpoint, log: Logger): ExchangeMinute[] {
  if (leftOut.size > 0) log.warn({ provider: endpoint.code, leftOut: Object.fromEntries(leftOut) }, "klines.left-out");
  return minutes;
}

/** A minute of an exchange that tells neither its trades nor who took: what is left out is null. */
export type UntrustedMinute = Untrusted<ExchangeMinute> & { readonly openTimeMs: unknown };

/** Judges the parts of a minute; the name of what is wrong where one breaks a rule. */
export function soundMinute(raw: UntrustedMinute): ExchangeMinute | string {
  const { openTimeMs, tradeCount = null } = raw;
  if (!isSequence(openTimeMs) || openTimeMs % minuteMs !== 0) return "open-time";
  const [open, high, low, close] = [raw.open, raw.high, raw.low, raw.close].map(positiveAmount);
  if (open == null || high == null || low == null || close == null) return "price";
  const [lowest, highest] = [toFixedPoint(low), toFixedPoint(high)];
  const isInside = (price: DecimalText) => toFixedPoint(price) >= lowest && toFixedPoint(price) <= highest;
  if (!isInside(open) || !isInside(close)) return "high-low";
  const volume = notNegative(raw.volume);
  const quoteVolume = notNegative(raw.quoteVolume);
  if (volume === null || quoteVolume === null) return "volume";
  if (tradeCount !== null && !isSequence(tradeCount)) return "trade-count";
  const takerBuyVolume = partOf(volume, raw.takerBuyVolume);
  const takerBuyQuoteVolume = partOf(quoteVolume, raw.takerBuyQuoteVolume);
  if (takerBuyVolume === "broken" || takerBuyQuoteVolume === "broken") return "taker-volume";
  return {
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
  };
}

function notNegative(raw: unknown): DecimalText | null {
  const text = amount(raw);
  return text === null || isNegative(text) ? null : text;
}

function partOf(whole: DecimalText, raw: unknown): DecimalText | null | "broken" {
  if (raw === undefined) return null;
  const part = notNegative(raw);
  return part === null || toFixedPoint(part) > toFixedPoint(whole) ? "broken" : part;
}

/** Start of a minute that is told in seconds. */
export const secondsToMs = (seconds: unknown): unknown => (typeof seconds === "number" ? seconds * 1000 : undefined);
