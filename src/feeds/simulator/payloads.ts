import type { BookStep, DayStep, MarketScale, TradeStep } from "./market.js";
import { dayMs } from "./rolling-day.js";
import { formatMultiple, formatUnits } from "./units.js";

// The text is put together by hand: field order and number format are the exchange's, and nothing in it needs escaping.

const price = (scale: MarketScale, ticks: number): string => formatMultiple(ticks, scale.tickUnits);
const quantity = (scale: MarketScale, steps: number): string => formatMultiple(steps, scale.stepUnits);

/** `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}` */
export function bookTickerPayload(scale: MarketScale, step: BookStep): string {
  return `{"u":${step.updateId},"s":"${scale.ticker}","b":"${price(scale, step.bid)}","B":"${quantity(scale, step.bidQuantity)}","a":"${price(scale, step.ask)}","A":"${quantity(scale, step.askQuantity)}"}`;
}

/** `{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.00100000","q":"100.00000000","f":100,"l":105,"T":1672515782136,"m":true,"M":true}` */
export function aggTradePayload(scale: MarketScale, step: TradeStep): string {
  return `{"e":"aggTrade","E":${step.atMs},"s":"${scale.ticker}","a":${step.aggregateId},"p":"${price(scale, step.price)}","q":"${quantity(scale, step.quantity)}","f":${step.firstTradeId},"l":${step.lastTradeId},"T":${step.atMs},"m":${step.buyerIsMaker},"M":true}`;
}

/** `24hrTicker`: see the payload in `binance/wire.ts`. */
export function tickerPayload(scale: MarketScale, step: DayStep): string {
  const { open, last, book } = step;
  const volume = step.volume * BigInt(scale.stepUnits);
  const value = step.value * scale.valueUnits;
  const average = volume === 0n ? 0n : (value * 100_000_000n) / volume;
  return (
    `{"e":"24hrTicker","E":${step.atMs},"s":"${scale.ticker}","p":"${price(scale, last - open)}","P":"${percent(last - open, open)}"` +
    `,"w":"${formatUnits(average)}","x":"${price(scale, step.previousClose)}","c":"${price(scale, last)}","Q":"${quantity(scale, step.lastQuantity)}"` +
    `,"b":"${price(scale, book.bid)}","B":"${quantity(scale, book.bidQuantity)}","a":"${price(scale, book.ask)}","A":"${quantity(scale, book.askQuantity)}"` +
    `,"o":"${price(scale, open)}","h":"${price(scale, step.high)}","l":"${price(scale, step.low)}","v":"${formatUnits(volume)}","q":"${formatUnits(value)}"` +
    `,"O":${step.atMs - dayMs},"C":${step.atMs},"F":${step.lastTradeId - step.trades + 1},"L":${step.lastTradeId},"n":${step.trades}}`
  );
}

/** To three decimals, halves away from zero. */
function percent(part: number, whole: number): string {
  const doubled = (BigInt(Math.abs(part)) * 200_000n) / BigInt(whole);
  const thousandths = String((doubled + 1n) / 2n).padStart(4, "0");
  const sign = part < 0 && thousandths !== "0000" ? "-" : "";
  return `${sign}${thousandths.slice(0, -3)}.${thousandths.slice(-3)}`;
}

/** How a payload is sent on `/stream`. */
export const combinedFrame = (stream: string, payload: string): string => `{"stream":"${stream}","data":${payload}}`;
