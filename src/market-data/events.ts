import type { DecimalText } from "../core/decimal.js";

/**
 * What a feed yields. `symbolId` is our own id; prices and quantities are canonical decimal text in units of the quote
 * and base currency; times are Unix milliseconds; `receivedAtMs` is when the frame left the socket, by the feed's clock.
 * Feeds have checked shapes and ranges (prices and quantities positive unless said otherwise, all within `numeric(38,18)`),
 * so a consumer can store them as they are.
 */
export type MarketEvent = BookTickerEvent | TradeEvent | Ticker24hEvent;

/** Best bid and offer. A side is null when it is empty. */
export interface BookTickerEvent {
  readonly kind: "bookTicker";
  readonly symbolId: number;
  readonly bid: DecimalText | null;
  readonly bidQuantity: DecimalText | null;
  readonly ask: DecimalText | null;
  readonly askQuantity: DecimalText | null;
  /** The exchange's own ordering: grows per symbol. An event with a smaller number than the last one is out of date. */
  readonly exchangeSequence: number;
  /** Null where the exchange sends no time with it (Binance spot). */
  readonly exchangeTimeMs: number | null;
  readonly receivedAtMs: number;
}

export interface TradeEvent {
  readonly kind: "trade";
  readonly symbolId: number;
  readonly price: DecimalText;
  readonly quantity: DecimalText;
  /** The taker's side: BUY when the buyer crossed the spread. */
  readonly side: "BUY" | "SELL";
  readonly tradeId: string;
  /** Grows per symbol, as `exchangeSequence` of the book ticker. */
  readonly exchangeSequence: number;
  readonly exchangeTimeMs: number;
  readonly receivedAtMs: number;
}

/** Statistics of the rolling 24 hours. Changes may be negative; volumes may be zero. */
export interface Ticker24hEvent {
  readonly kind: "ticker24h";
  readonly symbolId: number;
  readonly last: DecimalText;
  readonly open: DecimalText;
  readonly high: DecimalText;
  readonly low: DecimalText;
  readonly change: DecimalText;
  /** In percent: "1.25" is one and a quarter per cent. */
  readonly changePercent: DecimalText;
  readonly volume: DecimalText;
  readonly quoteVolume: DecimalText;
  readonly exchangeTimeMs: number;
  readonly receivedAtMs: number;
}
