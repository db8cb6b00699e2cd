import type { MarketScale } from "./market.js";
import { formatMultiple, formatUnits } from "./units.js";

/* The market's whole numbers as the text that exchanges write, with eight decimals. */

export const priceText = (scale: MarketScale, ticks: number): string => formatMultiple(ticks, scale.tickUnits);
export const quantityText = (scale: MarketScale, steps: number): string => formatMultiple(steps, scale.stepUnits);
/** In the base currency. */
export const volumeText = (scale: MarketScale, steps: bigint): string => formatUnits(steps * BigInt(scale.stepUnits));
/** In the quote currency. */
export const valueText = (scale: MarketScale, value: bigint): string => formatUnits(value * scale.valueUnits);

export const eightDecimals = (text: string): string => text;

/** "1.50000000" is "1.5", and "2.00000000" is "2". */
export function plain(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end--;
  return text.slice(0, text.charCodeAt(end - 1) === 46 ? end - 1 : end);
}

/** What part is of the whole, to three decimals, halves away from zero. */
export function percent(part: number, whole: number): string {
  const doubled = (BigInt(Math.abs(part)) * 200_000n) / BigInt(whole);
  const thousandths = String((doubled + 1n) / 2n).padStart(4, "0");
  const sign = part < 0 && thousandths !== "0000" ? "-" : "";
  return `${sign}${thousandths.slice(0, -3)}.${thousandths.slice(-3)}`;
}
