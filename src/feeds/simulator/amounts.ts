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
