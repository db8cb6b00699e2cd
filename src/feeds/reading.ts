import { Decimal, type DecimalText, fitsNumeric38, isPositive, parseDecimalText } from "../core/decimal.js";
import {
  divideFixedPoint,
  type FixedPoint,
  fromFixedPoint,
  multiplyFixedPoint,
  toFixedPoint,
} from "../core/fixed-point.js";

/** How the mappings of all exchanges judge what came over the wire: nothing of it is trusted. */
export type Untrusted<T> = { readonly [K in keyof T]?: unknown };

export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Canonical text of an amount that the database can hold; the sign is not judged here. */
export function amount(raw: unknown): DecimalText | null {
  const text = parseDecimalText(raw);
  return text !== null && fitsNumeric38(text) ? text : null;
}

/** For exchanges that send some amounts as JSON numbers: their text, unless digits may have been lost. */
export function numberAsText(raw: unknown): unknown {
  if (typeof raw !== "number") return raw;
  return Number.isInteger(raw) && !Number.isSafeInteger(raw) ? null : String(raw);
}

/**
 * For libraries that give money as floats: the shortest decimal text that reads as the same float, without an exponent. That
 * is what the exchange wrote, as long as it wrote at most fifteen digits. What is no number stays what it is.
 */
export function floatAsText(raw: unknown): unknown {
  if (typeof raw !== "number") return raw;
  return Number.isFinite(raw) ? new Decimal(raw).toFixed() : null;
}

export function positiveAmount(raw: unknown): DecimalText | null {
  const text = amount(raw);
  return text !== null && isPositive(text) ? text : null;
}

export const isNegative = (text: DecimalText): boolean => text.charCodeAt(0) === 45;

export const withoutSign = (text: DecimalText): DecimalText =>
  isNegative(text) ? (text.slice(1) as DecimalText) : text;

export const isSequence = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A whole number that the exchange sends as text; null when it is anything else. */
export const wholeNumber = (raw: unknown): number | null => {
  if (typeof raw !== "string" || !/^\d{1,16}$/.test(raw)) return null;
  const value = Number(raw);
  return Number.isSafeInteger(value) ? value : null;
};

const earliestTimeMs = Date.UTC(2010, 0);
const dayMs = 24 * 60 * 60 * 1000;

/** Milliseconds since the epoch, neither before there were such exchanges nor a day ahead of us: seconds and microseconds fail. */
export const isPlausibleTime = (value: unknown, nowMs: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= earliestTimeMs && (value as number) <= nowMs + dayMs;

/** As {@link isPlausibleTime} for what will happen, such as a funding: within a month. */
export const isPlausibleFutureTime = (value: unknown, nowMs: number): value is number =>
  isPlausibleTime(value, nowMs + 30 * dayMs);

/** No order fills more than this many others. */
const maxTradeCount = 1_000_000;

export const isTradeCount = (value: number): boolean =>
  Number.isSafeInteger(value) && value > 0 && value <= maxTradeCount;

const hundred: FixedPoint = toFixedPoint("100" as DecimalText);
/** Digits after the point of what we work out ourselves. */
const percentDigits = 4;
const priceDigits = 12;

export interface Change {
  readonly open: DecimalText;
  readonly change: DecimalText;
  readonly changePercent: DecimalText;
}

/** For exchanges that send where the day began, but not the change since. @param open positive */
export function changeSince(open: DecimalText, last: DecimalText): Change {
  const change = toFixedPoint(last) - toFixedPoint(open);
  const percent = divideFixedPoint(multiplyFixedPoint(change, hundred), toFixedPoint(open));
  return { open, change: fromFixedPoint(change), changePercent: fromFixedPoint(rounded(percent, percentDigits)) };
}

/**
 * For exchanges that send the change in percent, but not where the day began. What comes out is as exact as that percentage.
 * Null when there is no such beginning, because the change is -100 % or below.
 */
export function changeByPercent(last: DecimalText, changePercent: DecimalText): Change | null {
  const ofOpen = hundred + toFixedPoint(changePercent);
  if (ofOpen <= 0n) return null;
  const exactOpen = divideFixedPoint(multiplyFixedPoint(toFixedPoint(last), hundred), ofOpen);
  const open = fromFixedPoint(rounded(exactOpen, priceDigits));
  if (!isPositive(open) || !fitsNumeric38(open)) return null;
  const change = fromFixedPoint(toFixedPoint(last) - toFixedPoint(open));
  return { open, change, changePercent };
}

/** The nearest number with so many digits after the point; halves go away from zero. */
function rounded(value: FixedPoint, digits: number): FixedPoint {
  const unit = 10n ** BigInt(18 - digits);
  const half = value < 0n ? -unit / 2n : unit / 2n;
  return ((value + half) / unit) * unit;
}
