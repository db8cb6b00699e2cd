import { eightDecimals, percent, plain, priceText, quantityText, valueText, volumeText } from "../amounts.js";
import { best, type Level, type Levels } from "../depth.js";
import type { BookState, BookStep, DayStep, DepthStep, Funding, MarketScale, TradeStep } from "../market.js";
import { dayMs, type Minute } from "../rolling-day.js";
import { formatUnits } from "../units.js";

// The text is put together by hand: field order and number format are the exchange's, and nothing in it needs escaping.

const price = priceText;
const quantity = quantityText;

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
  return (
    `{"e":"24hrTicker","E":${step.atMs},"s":"${scale.ticker}","p":"${price(scale, last - open)}","P":"${percent(last - open, open)}"` +
    `,"w":"${averageText(scale, step)}","x":"${price(scale, step.previousClose)}","c":"${price(scale, last)}","Q":"${quantity(scale, step.lastQuantity)}"` +
    `,"b":"${price(scale, book.bid)}","B":"${quantity(scale, book.bidQuantity)}","a":"${price(scale, book.ask)}","A":"${quantity(scale, book.askQuantity)}"` +
    `,"o":"${price(scale, open)}","h":"${price(scale, step.high)}","l":"${price(scale, step.low)}","v":"${volumeText(scale, step.volume)}","q":"${valueText(scale, step.value)}"` +
    `,"O":${step.atMs - dayMs},"C":${step.atMs},"F":${step.lastTradeId - step.trades + 1},"L":${step.lastTradeId},"n":${step.trades}}`
  );
}

function averageText(scale: MarketScale, step: DayStep): string {
  const volume = step.volume * BigInt(scale.stepUnits);
  return formatUnits(volume === 0n ? 0n : (step.value * scale.valueUnits * 100_000_000n) / volume);
}

/** `{"e":"depthUpdate","E":1633998512068,"s":"NKNUSDT","U":499869750,"u":499869752,"b":[["0.35130000","6195.00000000"]],"a":[]}` */
export function depthPayload(scale: MarketScale, step: DepthStep): string {
  return `{"e":"depthUpdate","E":${step.atMs},"s":"${scale.ticker}","U":${step.previousUpdateId + 1},"u":${step.updateId},${levels(scale, step, "b", "a", eightDecimals)}}`;
}

/** `{"lastUpdateId":499869752,"bids":[["0.35210000","672.00000000"]],"asks":[["0.35290000","1144.00000000"]]}` */
export function depthAnswer(scale: MarketScale, book: BookState, limit: number): string {
  return `{"lastUpdateId":${book.updateId},${levels(scale, best(book, limit), "bids", "asks", eightDecimals)}}`;
}

/** `[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","0"]` */
export function klinePayload(scale: MarketScale, bar: Minute, widthMs: number, digits = eightDecimals): string {
  const text = (ticks: number) => digits(price(scale, ticks));
  return (
    `[${bar.startMs},"${text(bar.open)}","${text(bar.high)}","${text(bar.low)}","${text(bar.close)}","${digits(volumeText(scale, bar.volume))}"` +
    `,${bar.startMs + widthMs - 1},"${digits(valueText(scale, bar.value))}",${bar.trades}` +
    `,"${digits(volumeText(scale, bar.takerBuyVolume))}","${digits(valueText(scale, bar.takerBuyValue))}","0"]`
  );
}

// Futures, whose numbers have no zeros at the end.

/** `{"e":"bookTicker","u":600859600576,"s":"SUSHIUSDT","b":"7.611","B":"2","a":"7.612","A":"297","T":1626992741012,"E":1626992741017}` */
export function futuresBookTickerPayload(scale: MarketScale, step: BookStep): string {
  const { bid, bidQuantity, ask, askQuantity } = step;
  return `{"e":"bookTicker","u":${step.updateId},"s":"${scale.ticker}","b":"${plain(price(scale, bid))}","B":"${plain(quantity(scale, bidQuantity))}","a":"${plain(price(scale, ask))}","A":"${plain(quantity(scale, askQuantity))}","T":${step.atMs},"E":${step.atMs}}`;
}

/** `{"e":"aggTrade","E":1626992741575,"a":16599292,"s":"CTKUSDT","p":"1.011","q":"10","f":23961322,"l":23961322,"T":1626992741421,"m":false}` */
export function futuresTradePayload(scale: MarketScale, step: TradeStep): string {
  return `{"e":"aggTrade","E":${step.atMs},"a":${step.aggregateId},"s":"${scale.ticker}","p":"${plain(price(scale, step.price))}","q":"${plain(quantity(scale, step.quantity))}","f":${step.firstTradeId},"l":${step.lastTradeId},"T":${step.atMs},"m":${step.buyerIsMaker}}`;
}

/** As spot's, without best bid and offer and the close before. */
export function futuresTickerPayload(scale: MarketScale, step: DayStep): string {
  const { open, last } = step;
  const text = (ticks: number) => plain(price(scale, ticks));
  return (
    `{"e":"24hrTicker","E":${step.atMs},"s":"${scale.ticker}","p":"${text(last - open)}","P":"${percent(last - open, open)}"` +
    `,"w":"${plain(averageText(scale, step))}","c":"${text(last)}","Q":"${plain(quantity(scale, step.lastQuantity))}","o":"${text(open)}","h":"${text(step.high)}","l":"${text(step.low)}"` +
    `,"v":"${plain(volumeText(scale, step.volume))}","q":"${plain(valueText(scale, step.value))}"` +
    `,"O":${step.atMs - dayMs},"C":${step.atMs},"F":${step.lastTradeId - step.trades + 1},"L":${step.lastTradeId},"n":${step.trades}}`
  );
}

/** `{"e":"markPriceUpdate","E":1700000000123,"s":"BTCUSDT","p":"64001.15000000","P":"64010.25641265","i":"64002.62659091","r":"0.00010000","T":1700006400000}` */
export function markPricePayload(
  scale: MarketScale,
  atMs: number,
  { mark, index, rate, atMs: nextMs }: Funding,
): string {
  return `{"e":"markPriceUpdate","E":${atMs},"s":"${scale.ticker}","p":"${price(scale, mark)}","P":"${price(scale, mark)}","i":"${price(scale, index)}","r":"${formatUnits(rate)}","T":${nextMs}}`;
}

/** `{"e":"depthUpdate","E":1626992741037,"T":1626992741024,"s":"SUSHIUSDT","U":600859599090,"u":600859600917,"pu":600859598061,"b":[["7.504","813"],["7.609","0"]],"a":[]}` */
export function futuresDepthPayload(scale: MarketScale, step: DepthStep): string {
  return `{"e":"depthUpdate","E":${step.atMs},"T":${step.atMs},"s":"${scale.ticker}","U":${step.previousUpdateId + 1},"u":${step.updateId},"pu":${step.previousUpdateId},${levels(scale, step, "b", "a", plain)}}`;
}

/** `{"lastUpdateId":600859605926,"E":1626992741264,"T":1626992741261,"bids":[["7.611","6"]],"asks":[["7.612","297"]]}` */
export function futuresDepthAnswer(scale: MarketScale, book: BookState, limit: number): string {
  return `{"lastUpdateId":${book.updateId},"E":${book.atMs},"T":${book.atMs},${levels(scale, best(book, limit), "bids", "asks", plain)}}`;
}

function levels(
  scale: MarketScale,
  book: Levels,
  bids: string,
  asks: string,
  digits: (text: string) => string,
): string {
  const text = (side: readonly Level[]) =>
    side.map(([at, size]) => `["${digits(price(scale, at))}","${digits(quantity(scale, size))}"]`).join(",");
  return `"${bids}":[${text(book.bids)}],"${asks}":[${text(book.asks)}]`;
}

/** How a payload is sent on `/stream`. */
export const combinedFrame = (stream: string, payload: string): string => `{"stream":"${stream}","data":${payload}}`;
