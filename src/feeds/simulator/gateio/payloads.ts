import { percent, plain, priceText, quantityText, valueText, volumeText } from "../amounts.js";
import { best, type Level, type Levels } from "../depth.js";
import type { BookState, BookStep, DayStep, DepthStep, Funding, MarketScale, TradeStep } from "../market.js";
import type { Minute } from "../rolling-day.js";
import { formatUnits } from "../units.js";

// The text is put together by hand, in the exchange's order of fields. Prices are text, without zeros at the end;
// quantities are text on spot, and whole numbers of contracts, which are our steps, on futures.

/** How a pair is written. */
export interface GateSymbol {
  readonly name: string;
  readonly scale: MarketScale;
}

const price = ({ scale }: GateSymbol, ticks: number): string => plain(priceText(scale, ticks));
const amount = ({ scale }: GateSymbol, steps: number): string => plain(quantityText(scale, steps));

/** `{"time":1700000000,"time_ms":1700000000123,"channel":"spot.trades","event":"update","result":{…}}` */
const update = (channel: string, atMs: number, result: string): string =>
  `{"time":${Math.floor(atMs / 1000)},"time_ms":${atMs},"channel":"${channel}","event":"update","result":${result}}`;

/** `{"t":1700000000120,"u":48733182,"s":"BTC_USDT","b":"64000.1","B":"1.5","a":"64000.2","A":"0.75"}`; futures have `"B":13855` */
function bookTicker(symbol: GateSymbol, step: BookStep, size: (steps: number) => string): string {
  return `{"t":${step.atMs},"u":${step.updateId},"s":"${symbol.name}","b":"${price(symbol, step.bid)}","B":${size(step.bidQuantity)},"a":"${price(symbol, step.ask)}","A":${size(step.askQuantity)}}`;
}

export const spotBookTickerFrame = (symbol: GateSymbol, step: BookStep): string =>
  update(
    "spot.book_ticker",
    step.atMs,
    bookTicker(symbol, step, (steps) => `"${amount(symbol, steps)}"`),
  );
export const futuresBookTickerFrame = (symbol: GateSymbol, step: BookStep): string =>
  update("futures.book_ticker", step.atMs, bookTicker(symbol, step, String));

/** `{"id":309143071,"create_time":1700000000,"create_time_ms":"1700000000120.4578","side":"sell","currency_pair":"BTC_USDT","amount":"0.02","price":"64000.1","range":"2390902-2390902"}` */
export function spotTradeFrame(symbol: GateSymbol, step: TradeStep): string {
  const { atMs, aggregateId: id } = step;
  return update(
    "spot.trades",
    atMs,
    `{"id":${id},"create_time":${Math.floor(atMs / 1000)},"create_time_ms":"${atMs}.0","side":"${step.buyerIsMaker ? "sell" : "buy"}","currency_pair":"${symbol.name}","amount":"${amount(symbol, step.quantity)}","price":"${price(symbol, step.price)}","range":"${id}-${id}"}`,
  );
}

/** A list of `{"size":-108,"id":27753479,"create_time":1700000000,"create_time_ms":1700000000120,"price":"64000.1","contract":"BTC_USDT"}` */
export function futuresTradeFrame(symbol: GateSymbol, step: TradeStep): string {
  const { atMs } = step;
  return update(
    "futures.trades",
    atMs,
    `[{"size":${step.buyerIsMaker ? -step.quantity : step.quantity},"id":${step.aggregateId},"create_time":${Math.floor(atMs / 1000)},"create_time_ms":${atMs},"price":"${price(symbol, step.price)}","contract":"${symbol.name}"}]`,
  );
}

/** `{"currency_pair":"BTC_USDT","last":"64000.1","lowest_ask":"64000.2","highest_bid":"64000.1","change_percentage":"-0.188","base_volume":"1234.5","quote_volume":"79012345.6","high_24h":"64500","low_24h":"63500"}` */
export function spotTickerFrame(symbol: GateSymbol, step: DayStep): string {
  const { scale } = symbol;
  return update(
    "spot.tickers",
    step.atMs,
    `{"currency_pair":"${symbol.name}","last":"${price(symbol, step.last)}","lowest_ask":"${price(symbol, step.book.ask)}","highest_bid":"${price(symbol, step.book.bid)}","change_percentage":"${percent(step.last - step.open, step.open)}","base_volume":"${plain(volumeText(scale, step.volume))}","quote_volume":"${plain(valueText(scale, step.value))}","high_24h":"${price(symbol, step.high)}","low_24h":"${price(symbol, step.low)}"}`,
  );
}

/** A list of one, see the payload in `../../gateio/wire.ts`. */
export function futuresTickerFrame(symbol: GateSymbol, step: DayStep, funding: Funding): string {
  const { scale } = symbol;
  const value = plain(valueText(scale, step.value));
  const volume = plain(volumeText(scale, step.volume));
  return update(
    "futures.tickers",
    step.atMs,
    `[{"contract":"${symbol.name}","last":"${price(symbol, step.last)}","change_percentage":"${percent(step.last - step.open, step.open)}","total_size":"${step.volume}","volume_24h":"${step.volume}","volume_24h_base":"${volume}","volume_24h_quote":"${value}","volume_24h_settle":"${value}"` +
      `,"mark_price":"${price(symbol, funding.mark)}","funding_rate":"${plain(formatUnits(funding.rate))}","index_price":"${price(symbol, funding.index)}","low_24h":"${price(symbol, step.low)}","high_24h":"${price(symbol, step.high)}","price_type":"last","change_from":"24h","change_price":"${price(symbol, step.last - step.open)}"` +
      `,"t":${step.atMs},"funding_interval":${funding.intervalMs / 1000},"funding_next_apply":${funding.atMs / 1000}}]`,
  );
}

/** `{"t":1606294781123,"e":"depthUpdate","E":1606294781,"s":"BTC_USDT","U":48776301,"u":48776306,"b":[["19137.74","0.0001"]],"a":[["19137.75","0.6135"]]}` */
export function spotDepthFrame(symbol: GateSymbol, step: DepthStep): string {
  const { atMs, previousUpdateId, updateId } = step;
  return update(
    "spot.order_book_update",
    atMs,
    `{"t":${atMs},"e":"depthUpdate","E":${Math.floor(atMs / 1000)},"s":"${symbol.name}","U":${previousUpdateId + 1},"u":${updateId},"b":[${spotLevels(symbol, step.bids)}],"a":[${spotLevels(symbol, step.asks)}]}`,
  );
}

/** `{"U":203083177,"a":[{"p":"0.2983","s":0}],"b":[],"s":"RDNT_USDT","t":1684930165217,"u":203083177}` */
export function futuresDepthFrame(symbol: GateSymbol, step: DepthStep): string {
  return update(
    "futures.order_book_update",
    step.atMs,
    `{"U":${step.previousUpdateId + 1},"a":[${futuresLevels(symbol, step.asks)}],"b":[${futuresLevels(symbol, step.bids)}],"s":"${symbol.name}","t":${step.atMs},"u":${step.updateId}}`,
  );
}

const spotLevels = (symbol: GateSymbol, levels: readonly Level[]): string =>
  levels.map(([at, steps]) => `["${price(symbol, at)}","${amount(symbol, steps)}"]`).join(",");
const futuresLevels = (symbol: GateSymbol, levels: readonly Level[]): string =>
  levels.map(([at, steps]) => `{"p":"${price(symbol, at)}","s":${steps}}`).join(",");

/** `{"id":123456,"current":1623898993123,"update":1623898993121,"asks":[["1.52","1.151"]],"bids":[["1.17","201.863"]]}`; the id only on request */
export function spotBookAnswer(symbol: GateSymbol, book: BookState, limit: number, withId: boolean): string {
  const { bids, asks }: Levels = best(book, limit);
  return `{${withId ? `"id":${book.updateId},` : ""}"current":${book.atMs},"update":${book.atMs},"asks":[${spotLevels(symbol, asks)}],"bids":[${spotLevels(symbol, bids)}]}`;
}

/** `{"id":123456,"current":1684930166.384,"update":1684930166.35,"asks":[{"s":803,"p":"0.2974"}],"bids":[]}` */
export function futuresBookAnswer(symbol: GateSymbol, book: BookState, limit: number, withId: boolean): string {
  const { bids, asks }: Levels = best(book, limit);
  const atSeconds = book.atMs / 1000;
  return `{${withId ? `"id":${book.updateId},` : ""}"current":${atSeconds},"update":${atSeconds},"asks":[${futuresLevels(symbol, asks)}],"bids":[${futuresLevels(symbol, bids)}]}`;
}

/** `["1539852480","971519.677","0.0021724","0.0021922","0.0021724","0.0021737","123.45","true"]`: start, turnover, close, high, low, open, volume, whether it is complete */
export function spotCandle(symbol: GateSymbol, bar: Minute, isComplete: boolean): unknown {
  return [
    String(bar.startMs / 1000),
    plain(valueText(symbol.scale, bar.value)),
    ...[bar.close, bar.high, bar.low, bar.open].map((ticks) => price(symbol, ticks)),
    plain(volumeText(symbol.scale, bar.volume)),
    String(isComplete),
  ];
}

/** `{"t":1539852480,"v":97151,"c":"1.032","h":"1.032","l":"1.032","o":"1.032","sum":"3580"}`: v in contracts, sum in dollars */
export function futuresCandle(symbol: GateSymbol, bar: Minute): unknown {
  return {
    t: bar.startMs / 1000,
    v: Number(bar.volume),
    c: price(symbol, bar.close),
    h: price(symbol, bar.high),
    l: price(symbol, bar.low),
    o: price(symbol, bar.open),
    sum: plain(valueText(symbol.scale, bar.value)),
  };
}
