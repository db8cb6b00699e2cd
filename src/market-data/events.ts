import type { DecimalText } from "../core/decimal.js";

/**
 * What a feed yields. `symbolId` is our own id; prices and quantities are canonical decimal text in units of the quote
 * and base currency; times are Unix milliseconds; `receivedAtMs` is when the frame left the socket, by the feed's clock.
 * Feeds have checked shapes and ranges (prices and quantities positive unless said otherwise, all within `numeric(38,18)`),
 * so a consumer can store them as they are.
 */
export type MarketEvent =
  | BookTickerEvent
  | TradeEvent
  | Ticker24hEvent
  | OrderBookEvent
  | OrderBookLostEvent
  | FundingRateEvent;

/** What a quote is made of. */
export type QuoteEvent = BookTickerEvent | TradeEvent | Ticker24hEvent;

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
  /** How many of the exchange's trades this one stands for: more than one where the exchange aggregates. */
  readonly tradeCount: number;
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

/** Price and quantity of one level; the quantity is positive. */
export type BookLevel = readonly [price: DecimalText, quantity: DecimalText];

/** The best levels of a whole and current book, best first, at most 50 on a side; the feed sends at most ten per second and symbol. */
export interface OrderBookEvent {
  readonly kind: "orderBook";
  readonly symbolId: number;
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
  /** The exchange's number of the last change that is in it. */
  readonly exchangeSequence: number;
  readonly exchangeTimeMs: number | null;
  readonly receivedAtMs: number;
}

/**
 * The book cannot be trusted (connection lost, gap in the sequence, wrong checksum) until the next {@link OrderBookEvent}.
 * When it is lost because it was disconnected, nor can the best bid and offer until the next {@link BookTickerEvent}; that is
 * told also where no book was.
 */
export interface OrderBookLostEvent {
  readonly kind: "orderBookLost";
  readonly symbolId: number;
  readonly reason: "disconnected" | "sequence-gap" | "wrong-checksum" | "crossed";
  readonly receivedAtMs: number;
}

/** Funding of a perpetual. */
export interface FundingRateEvent {
  readonly kind: "fundingRate";
  readonly symbolId: number;
  /** A fraction, e.g. "0.0001"; may be negative. */
  readonly rate: DecimalText;
  /** When it was, or will be, paid. */
  readonly fundingTimeMs: number;
  readonly nextFundingTimeMs: number | null;
  readonly markPrice: DecimalText | null;
  readonly indexPrice: DecimalText | null;
  readonly exchangeTimeMs: number;
  readonly receivedAtMs: number;
}
