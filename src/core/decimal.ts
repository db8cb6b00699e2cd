import { Decimal as DecimalJs } from "decimal.js";

/**
 * Exact decimal arithmetic: 60 significant digits hold any product of two `numeric(38,18)` values that fits the
 * database again. This file is the only importer of the decimal library.
 */
export const Decimal = DecimalJs.clone({ precision: 60, toExpNeg: -60, toExpPos: 60 });
export type Decimal = DecimalJs;

/**
 * A decimal number as canonical text: plain notation, no exponent, no leading `+`, no superfluous zeros ("0.3521", "-12").
 * The live path passes prices through as text, because it never calculates with them and text keeps every digit;
 * whoever calculates makes a {@link Decimal} of it.
 */
export type DecimalText = string & { readonly __decimal: unique symbol };

const plainDecimal = /^-?\d{1,40}(?:\.\d{1,40})?$/;

/** Canonical text of a number in plain notation, or null when `raw` is anything else (also for exponents and NaN). */
export function parseDecimalText(raw: unknown): DecimalText | null {
  if (typeof raw !== "string" || !plainDecimal.test(raw)) return null;
  return canonical(raw);
}

/** Canonical text of a decimal that is known to be valid, such as a `numeric` read from Postgres. */
export function decimalText(value: string | Decimal): DecimalText {
  const text = typeof value === "string" ? parseDecimalText(value) : canonical(value.toFixed());
  if (text === null) throw new RangeError(`not a decimal number: ${String(value).slice(0, 60)}`);
  return text;
}

function canonical(raw: string): DecimalText {
  let start = raw.charCodeAt(0) === 45 ? 1 : 0;
  const negative = start === 1;
  while (raw.charCodeAt(start) === 48 && raw.charCodeAt(start + 1) !== 46 && start < raw.length - 1) start++;
  let end = raw.length;
  if (raw.includes(".")) {
    while (raw.charCodeAt(end - 1) === 48) end--;
    if (raw.charCodeAt(end - 1) === 46) end--;
  }
  const magnitude = raw.slice(start, end);
  return (negative && magnitude !== "0" ? `-${magnitude}` : magnitude) as DecimalText;
}

/** What `numeric(38,18)` holds: at most 20 digits before the point and 18 after it. */
export function fitsNumeric38(text: DecimalText): boolean {
  const unsigned = text.startsWith("-") ? text.slice(1) : text;
  const point = unsigned.indexOf(".");
  return point === -1 ? unsigned.length <= 20 : point <= 20 && unsigned.length - point - 1 <= 18;
}

export function isPositive(text: DecimalText): boolean {
  return text !== "0" && !text.startsWith("-");
}

/** Number of digits after the point, e.g. 2 for a tick size of "0.01". */
export function decimalPlaces(text: DecimalText): number {
  const point = text.indexOf(".");
  return point === -1 ? 0 : text.length - point - 1;
}
