import { decimalText } from "../../src/core/decimal.js";
import { decodeFrame } from "../../src/feeds/binance-futures/map.js";
import type { Candle } from "../../src/market-data/candles.js";
import type { TradeEvent } from "../../src/market-data/events.js";
import { recordedFrames } from "./recordings.js";

export interface RecordedKline {
  readonly firstTradeId: number;
  readonly lastTradeId: number;
  readonly isClosed: boolean;
  readonly candle: Candle;
}
export interface RecordedTrade {
  readonly firstTradeId: number;
  readonly lastTradeId: number;
  readonly event: TradeEvent;
}
interface Frame {
  readonly data: {
    readonly e?: string;
    readonly s: string;
    readonly f: number;
    readonly l: number;
    readonly k: Record<"o" | "h" | "l" | "c" | "v" | "q" | "V" | "Q", string> &
      Record<"t" | "f" | "L" | "n", number> & { readonly x: boolean };
  };
}

/** What a recording of Binance holds; symbols are numbered from 0 in the order of their first frames. */
export function readTradesAndKlines(name: string): {
  symbols: number;
  trades: RecordedTrade[];
  klines: RecordedKline[];
} {
  const frames = recordedFrames(name).map(({ timeMs, body }) => ({ timeMs, body, ...(JSON.parse(body) as Frame) }));
  const tickers = [...new Set(frames.map(({ data }) => data.s))];
  const symbols = new Map(tickers.map((ticker, id) => [ticker, { id, streamPrefix: ticker.toLowerCase() }]));
  const trades: RecordedTrade[] = [];
  const klines: RecordedKline[] = [];
  for (const { timeMs, body, data } of frames) {
    const event = decodeFrame(body, timeMs, { symbols, contractSizes: new Map() });
    if (event.kind === "trade") trades.push({ firstTradeId: data.f, lastTradeId: data.l, event });
    if (data.e !== "kline") continue;
    const { t, f, L, n, x, o, h, l, c, v, q, V, Q } = data.k;
    const candle: Candle = {
      symbolId: tickers.indexOf(data.s),
      interval: "M1",
      openTimeMs: t,
      open: decimalText(o),
      high: decimalText(h),
      low: decimalText(l),
      close: decimalText(c),
      volume: decimalText(v),
      quoteVolume: decimalText(q),
      tradeCount: n,
      takerBuyVolume: decimalText(V),
      takerBuyQuoteVolume: decimalText(Q),
    };
    klines.push({ firstTradeId: f, lastTradeId: L, isClosed: x, candle });
  }
  return { symbols: tickers.length, trades, klines };
}

/** The recorded trades with the exchange's ids from the first to the last; null unless they are all there and whole. */
export function tradesBetween(trades: readonly RecordedTrade[], symbolId: number, first: number, last: number) {
  const inside = trades.filter(
    (t) => t.event.symbolId === symbolId && t.firstTradeId >= first && t.lastTradeId <= last,
  );
  const isWhole = inside.reduce((next, t) => (t.firstTradeId === next ? t.lastTradeId + 1 : Number.NaN), first);
  return isWhole === last + 1 ? inside : null;
}
