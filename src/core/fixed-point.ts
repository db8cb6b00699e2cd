import type { DecimalText } from "./decimal.js";

/**
 * A `numeric(38,18)` value as a whole number of 10⁻¹⁸: exact sums and comparisons on paths where a `Decimal` object per
 * step would be too dear.
 */
export type FixedPoint = bigint;

const places = 18;
export const fixedPointOne: FixedPoint = 10n ** BigInt(places);

/** @param text at most 18 digits after the point, as feeds and the database guarantee; more are cut off */
export function toFixedPoint(text: DecimalText): FixedPoint {
  const point = text.indexOf(".");
  if (point === -1) return BigInt(text) * fixedPointOne;
  const fraction = text.slice(point + 1, point + 1 + places);
  return BigInt(text.slice(0, point) + fraction.padEnd(places, "0"));
}

export function fromFixedPoint(value: FixedPoint): DecimalText {
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(places + 1, "0");
  let end = digits.length;
  const point = digits.length - places;
  while (end > point && digits.charCodeAt(end - 1) === 48) end--;
  const text = end === point ? digits.slice(0, point) : `${digits.slice(0, point)}.${digits.slice(point, end)}`;
  return (negative ? `-${text}` : text) as DecimalText;
}

/** The product, rounded toward zero at the 18th place. */
export const multiplyFixedPoint = (a: FixedPoint, b: FixedPoint): FixedPoint => (a * b) / fixedPointOne;

/** The quotient, rounded toward zero at the 18th place. @param divisor not zero */
export const divideFixedPoint = (dividend: FixedPoint, divisor: FixedPoint): FixedPoint =>
  (dividend * fixedPointOne) / divisor;
