import { plain, priceText, quantityText, valueText, volumeText } from "../amounts.js";
import type { Level, Levels } from "../depth.js";
import type { BookState, BookStep, DayStep, DepthStep, Funding, MarketScale, TradeStep } from "../market.js";
import type { Minute } from "../rolling-day.js";
import { formatUnits } from "../units.js";

// The text is put together by hand, in the exchange's order of fields. Amounts are text, without zeros at the end.

const price = (scale: MarketScale, ticks: number): string => plain(priceText(scale, ticks));
const quantity = (scale: MarketScale, steps: number): string => plain(quantityText(scale, steps));

/** `{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1700000000123,"data":{"s":"BTCUSDT","b":[["64000.1","1.5"]],"a":[["64000.2","0.75"]],"u":173678160,"seq":814547787693},"cts":1700000000120}` */
export function bestFrame(topic: string, scale: MarketScale, step: BookStep): string {
  const levels = { bids: [[step.bid, step.bidQuantity]], asks: [[step.ask, step.askQuantity]] } as const;
  return bookFrame(topic, "snapshot", scale, levels, step.atMs, step.updateId, step.updateId);
}

/** Changes since the last message are in it already, and come again with the next one. */
export const bookSnapshotFrame = (topic: string, scale: MarketScale, book: BookState): string =>
  bookFrame(topic, "snapshot", scale, book, book.atMs, book.toldDepthId, book.toldUpdateId);

export const bookDeltaFrame = (topic: string, scale: MarketScale, step: DepthStep): string =>
  bookFrame(topic, "delta", scale, step, step.atMs, step.depthId, step.updateId);

function bookFrame(
  topic: string,
  type: string,
  scale: MarketScale,
  levels: Levels,
  atMs: number,
  u: number,
  seq: number,
): string {
  return `{"topic":"${topic}","type":"${type}","ts":${atMs},"data":{"s":"${scale.ticker}",${sides(scale, levels)},"u":${u},"seq":${seq}},"cts":${atMs}}`;
}

const sides = (scale: MarketScale, { bids, asks }: Levels): string =>
  `"b":[${side(scale, bids)}],"a":[${side(scale, asks)}]`;
const side = (scale: MarketScale, levels: readonly Level[]): string =>
  levels.map(([at, steps]) => `["${price(scale, at)}","${quantity(scale, steps)}"]`).join(",");

/** `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1700000000123,"data":[{"T":1700000000120,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"64000.1","L":"PlusTick","i":"2290000000061666327","BT":false,"seq":1783284617}]}` */
export function tradeFrame(topic: string, scale: MarketScale, step: TradeStep): string {
  const side = step.buyerIsMaker ? "Sell" : "Buy";
  return `{"topic":"${topic}","type":"snapshot","ts":${step.atMs},"data":[{"T":${step.atMs},"s":"${scale.ticker}","S":"${side}","v":"${quantity(scale, step.quantity)}","p":"${price(scale, step.price)}","L":"${step.buyerIsMaker ? "MinusTick" : "PlusTick"}","i":"${step.aggregateId}","BT":false,"seq":${step.aggregateId}}]}`;
}

/** The fields of a ticker, in the exchange's order; see the payloads in `../../bybit/wire.ts`. */
export function tickerFields(scale: MarketScale, step: DayStep, funding: Funding | null): Map<string, string> {
  const { last, open, high, low, book } = step;
  const common = [
    ["lastPrice", price(scale, last)],
    ["highPrice24h", price(scale, high)],
    ["lowPrice24h", price(scale, low)],
    ["prevPrice24h", price(scale, open)],
    ["volume24h", plain(volumeText(scale, step.volume))],
    ["turnover24h", plain(valueText(scale, step.value))],
    ["price24hPcnt", ((last - open) / open).toFixed(6)],
  ] as const;
  if (funding === null) return new Map([...common, ["usdIndexPrice", ""]]);
  return new Map([
    ...common,
    ["markPrice", price(scale, funding.mark)],
    ["indexPrice", price(scale, funding.index)],
    ["nextFundingTime", String(funding.atMs)],
    ["fundingRate", plain(formatUnits(funding.rate))],
    ["bid1Price", price(scale, book.bid)],
    ["bid1Size", quantity(scale, book.bidQuantity)],
    ["ask1Price", price(scale, book.ask)],
    ["ask1Size", quantity(scale, book.askQuantity)],
  ]);
}

/** `{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","lastPrice":"64000.1",…},"cs":24987956059,"ts":1700000000123}` */
export function tickerFrame(
  topic: string,
  type: "snapshot" | "delta",
  { scale, atMs, sequence }: { scale: MarketScale; atMs: number; sequence: number },
  fields: ReadonlyMap<string, string>,
): string {
  const data = [...fields].map(([name, text]) => `,"${name}":"${text}"`).join("");
  return `{"topic":"${topic}","type":"${type}","data":{"symbol":"${scale.ticker}"${data}},"cs":${sequence},"ts":${atMs}}`;
}

/** `["1670608800000","17071","17073","17027","17055.5","268611","15.74462667"]`: start, prices, volume, turnover. */
export const klineRow = (scale: MarketScale, bar: Minute): string[] => [
  String(bar.startMs),
  ...[bar.open, bar.high, bar.low, bar.close].map((ticks) => price(scale, ticks)),
  plain(volumeText(scale, bar.volume)),
  plain(valueText(scale, bar.value)),
];

/** `{"s":"BTCUSDT","a":[["65557.7","16.606555"]],"b":[["65485.47","47.081829"]],"ts":1716863719031,"u":230704,"seq":1432604333,"cts":1716863718905}` */
export const bookAnswer = (scale: MarketScale, book: BookState, levels: Levels): string =>
  `{"s":"${scale.ticker}",${sides(scale, levels)},"ts":${book.atMs},"u":${book.toldDepthId},"seq":${book.toldUpdateId},"cts":${book.atMs}}`;
