import { crc32 } from "node:zlib";
import { plain, priceText, quantityText, valueText, volumeText } from "../amounts.js";
import { best, type Level, type Levels } from "../depth.js";
import type { BookState, BookStep, DayStep, DepthStep, Funding, MarketScale, TradeStep } from "../market.js";
import type { Minute } from "../rolling-day.js";
import { formatUnits } from "../units.js";

// The text is put together by hand, in the exchange's order of fields. All numbers are text, without zeros at the end.

/** How a symbol is written, and what it counts in. */
export interface OkxSymbol {
  readonly instId: string;
  readonly scale: MarketScale;
  /** Of a swap: how many steps one contract is; null for spot, which counts in the base currency. */
  readonly stepsPerContract: number | null;
}

const price = ({ scale }: OkxSymbol, ticks: number): string => plain(priceText(scale, ticks));

function size({ scale, stepsPerContract }: OkxSymbol, steps: number): string {
  if (stepsPerContract === null) return plain(quantityText(scale, steps));
  return contracts(BigInt(steps), stepsPerContract);
}

/** In hundred-millionths of a contract, which are more than enough for the parts that a step can be. */
const contracts = (steps: bigint, stepsPerContract: number): string =>
  plain(formatUnits((steps * 100_000_000n) / BigInt(stepsPerContract)));

const baseVolume = ({ scale }: OkxSymbol, steps: bigint): string => plain(volumeText(scale, steps));
const volume = (symbol: OkxSymbol, steps: bigint): string =>
  symbol.stepsPerContract === null ? baseVolume(symbol, steps) : contracts(steps, symbol.stepsPerContract);
const value = ({ scale }: OkxSymbol, sum: bigint): string => plain(valueText(scale, sum));

const push = (channel: string, { instId }: OkxSymbol, data: string, action = ""): string =>
  `{"arg":{"channel":"${channel}","instId":"${instId}"},${action}"data":[${data}]}`;

/** `{"asks":[["64000.2","0.75","0","3"]],"bids":[["64000.1","1.5","0","7"]],"ts":"1700000000120","seqId":363996337}` */
export function bboFrame(symbol: OkxSymbol, step: BookStep): string {
  const { ask, askQuantity, bid, bidQuantity } = step;
  const level = (at: number, steps: number) => `[["${price(symbol, at)}","${size(symbol, steps)}","0","1"]]`;
  return push(
    "bbo-tbt",
    symbol,
    `{"asks":${level(ask, askQuantity)},"bids":${level(bid, bidQuantity)},"ts":"${step.atMs}","seqId":${step.updateId}}`,
  );
}

/** `{"instId":"BTC-USDT","tradeId":"130639474","px":"64000.1","sz":"0.02","side":"sell","ts":"1700000000120","count":"2","source":"0","seqId":1234}` */
export function tradeFrame(symbol: OkxSymbol, step: TradeStep): string {
  const count = step.lastTradeId - step.firstTradeId + 1;
  return push(
    "trades",
    symbol,
    `{"instId":"${symbol.instId}","tradeId":"${step.lastTradeId}","px":"${price(symbol, step.price)}","sz":"${size(symbol, step.quantity)}","side":"${step.buyerIsMaker ? "sell" : "buy"}","ts":"${step.atMs}","count":"${count}","source":"0","seqId":${step.aggregateId}}`,
  );
}

/** See the payload in `../../okx/wire.ts`. */
export function tickerFrame(symbol: OkxSymbol, step: DayStep): string {
  const { book } = step;
  const isSwap = symbol.stepsPerContract !== null;
  return push(
    "tickers",
    symbol,
    `{"instType":"${isSwap ? "SWAP" : "SPOT"}","instId":"${symbol.instId}","last":"${price(symbol, step.last)}","lastSz":"${size(symbol, step.lastQuantity)}"` +
      `,"askPx":"${price(symbol, book.ask)}","askSz":"${size(symbol, book.askQuantity)}","bidPx":"${price(symbol, book.bid)}","bidSz":"${size(symbol, book.bidQuantity)}"` +
      `,"open24h":"${price(symbol, step.open)}","high24h":"${price(symbol, step.high)}","low24h":"${price(symbol, step.low)}","sodUtc0":"${price(symbol, step.open)}","sodUtc8":"${price(symbol, step.open)}"` +
      `,"volCcy24h":"${isSwap ? baseVolume(symbol, step.volume) : value(symbol, step.value)}","vol24h":"${volume(symbol, step.volume)}","ts":"${step.atMs}"}`,
  );
}

/** `{"fundingRate":"0.0001","fundingTime":"1700006400000","instId":"BTC-USDT-SWAP","instType":"SWAP","method":"current_period","nextFundingRate":"","nextFundingTime":"1700035200000","settState":"settled","ts":"1700000000123"}` */
export function fundingFrame(symbol: OkxSymbol, atMs: number, funding: Funding): string {
  return push(
    "funding-rate",
    symbol,
    `{"fundingRate":"${plain(formatUnits(funding.rate))}","fundingTime":"${funding.atMs}","instId":"${symbol.instId}","instType":"SWAP","method":"current_period","nextFundingRate":"","nextFundingTime":"${funding.atMs + funding.intervalMs}","settState":"settled","ts":"${atMs}"}`,
  );
}

/** `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["64000.2","0.75","0","1"]],"bids":[],"ts":"1700000000120","checksum":1054815633,"prevSeqId":-1,"seqId":363996337}]}` */
export function bookSnapshotFrame(symbol: OkxSymbol, book: BookState): string {
  // Changes since the last message are in it already, and come again with the next one.
  return bookFrame(symbol, "snapshot", book, book, book.atMs, -1, book.toldUpdateId);
}

/** @param book after the change */
export function bookUpdateFrame(symbol: OkxSymbol, step: DepthStep, book: Levels): string {
  return bookFrame(symbol, "update", step, book, step.atMs, step.previousUpdateId, step.updateId);
}

function bookFrame(
  symbol: OkxSymbol,
  action: string,
  told: Levels,
  book: Levels,
  atMs: number,
  previous: number,
  sequence: number,
): string {
  const checksum = checksumOf(symbol, book);
  const data = `{${levels(symbol, told)},"ts":"${atMs}","checksum":${checksum},"prevSeqId":${previous},"seqId":${sequence}}`;
  return push("books", symbol, data, `"action":"${action}",`);
}

const levels = (symbol: OkxSymbol, { bids, asks }: Levels): string =>
  `"asks":[${side(symbol, asks)}],"bids":[${side(symbol, bids)}]`;
const side = (symbol: OkxSymbol, of: readonly Level[]): string =>
  of.map(([at, steps]) => `["${price(symbol, at)}","${size(symbol, steps)}","0","${steps === 0 ? 0 : 1}"]`).join(",");

/** Signed CRC-32 of the best 25 levels, bid and ask in turn; the longer side goes on alone. */
function checksumOf(symbol: OkxSymbol, book: Levels): number {
  const { bids, asks } = best(book, 25);
  const parts: string[] = [];
  for (let i = 0; i < Math.max(bids.length, asks.length); i++) {
    for (const level of [bids[i], asks[i]]) {
      if (level !== undefined) parts.push(price(symbol, level[0]), size(symbol, level[1]));
    }
  }
  return crc32(parts.join(":")) | 0;
}

/** `["1597026383085","3.721","3.743","3.677","3.708","8422410","22698348.04828491","12698348.04828491","0"]`: in contracts for swaps, then in base (swaps) or quote, then in quote; at last whether it is complete. */
export function candleRow(symbol: OkxSymbol, bar: Minute, isComplete: boolean): string[] {
  const turnover = value(symbol, bar.value);
  return [
    String(bar.startMs),
    ...[bar.open, bar.high, bar.low, bar.close].map((ticks) => price(symbol, ticks)),
    volume(symbol, bar.volume),
    symbol.stepsPerContract === null ? turnover : baseVolume(symbol, bar.volume),
    turnover,
    isComplete ? "1" : "0",
  ];
}

/** `{"asks":[["41006.8","0.60038921","0","1"]],"bids":[["41006.3","0.30178218","0","2"]],"ts":"1629966436396","seqId":3235851742}` */
export const bookAnswer = (symbol: OkxSymbol, book: BookState, depth: number): string =>
  `{"code":"0","msg":"","data":[{${levels(symbol, best(book, depth))},"ts":"${book.atMs}","seqId":${book.updateId}}]}`;
