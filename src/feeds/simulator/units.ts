import { Decimal } from "../../core/decimal.js";

/** Money and quantities inside the simulator are whole numbers of 10⁻⁸, because the exchange writes eight decimals. */
const decimals = 8;

/** @throws {RangeError} when `text` has more than eight decimals, is not positive, or is too large to be exact. */
export function parseUnits(text: string): number {
  const units = new Decimal(text).times(10 ** decimals).toNumber();
  if (!Number.isSafeInteger(units) || units <= 0) throw new RangeError(`not a positive number of 1e-8: ${text}`);
  return units;
}

/** `123450000` is "1.23450000". Works on the digits: dividing by 10⁸ would round near 2⁵³. */
export function formatUnits(units: number | bigint): string {
  const digits = String(units);
  const sign = digits.startsWith("-") ? "-" : "";
  const magnitude = digits.slice(sign.length).padStart(decimals + 1, "0");
  return `${sign}${magnitude.slice(0, -decimals)}.${magnitude.slice(-decimals)}`;
}

/** `count` times `sizeUnits` as text, also where the product is beyond 2⁵³. */
export function formatMultiple(count: number, sizeUnits: number): string {
  const units = count * sizeUnits;
  return formatUnits(Number.isSafeInteger(units) ? units : BigInt(count) * BigInt(sizeUnits));
}
