import type { DecimalText } from "../../core/decimal.js";
import { fromFixedPoint, toFixedPoint } from "../../core/fixed-point.js";
import type { Logger } from "../../core/logger.js";
import type { Database } from "../../db/connect.js";
import type { ArbitrageOpportunity } from "../arbitrage-watch.js";
import type { StoredCandle } from "../candles.js";
import type { BookLevel, BookTickerEvent, FundingRateEvent, OrderBookEvent, TradeEvent } from "../events.js";
import type { OrderFlow } from "../order-flow.js";
import { BatchWriter } from "./batch-writer.js";
import { insertInto, instantText, instantTextOrNull } from "./insert.js";
import { Sampler } from "./sampler.js";

export interface SeriesWriterOptions {
  readonly log: Logger;
  readonly flushMs?: number;
  /** Rows of one statement. */
  readonly rowsPerStatement?: number;
  /** Rows that may wait while the database is away; then the oldest are dropped and counted. */
  readonly maxWaiting?: number;
}

const withDefaults = (options: SeriesWriterOptions) => ({
  flushMs: 250,
  rowsPerStatement: 1_000,
  // Some 20 MB of trades: a minute and a half of 1,000 a second.
  maxWaiting: 100_000,
  ...options,
});

const insertTrades = insertInto<TradeEvent>({
  table: "market_trades",
  columns: [
    { name: "symbol_id", type: "integer", of: (trade) => trade.symbolId },
    { name: "traded_at", type: "timestamptz", of: (trade) => instantText(trade.exchangeTimeMs) },
    { name: "received_at", type: "timestamptz", of: (trade) => instantText(trade.receivedAtMs) },
    { name: "sequence", type: "bigint", of: (trade) => trade.exchangeSequence },
    { name: "trade_id", type: "text", of: (trade) => trade.tradeId },
    { name: "trade_count", type: "integer", of: (trade) => trade.tradeCount },
    { name: "side", type: "order_side_enum", of: (trade) => trade.side },
    { name: "price", type: "numeric", of: (trade) => trade.price },
    { name: "quantity", type: "numeric", of: (trade) => trade.quantity },
  ],
  onConflict: "do nothing",
});

/** Stores every trade once. */
export class TradeWriter extends BatchWriter<TradeEvent> {
  constructor(database: Database, options: SeriesWriterOptions) {
    super({ ...withDefaults(options), name: "market-trades", write: (rows) => insertTrades(database, rows) });
  }
}

const insertBookTickers = insertInto<BookTickerEvent>({
  table: "book_tickers",
  columns: [
    { name: "symbol_id", type: "integer", of: (ticker) => ticker.symbolId },
    { name: "received_at", type: "timestamptz", of: (ticker) => instantText(ticker.receivedAtMs) },
    { name: "sequence", type: "bigint", of: (ticker) => ticker.exchangeSequence },
    { name: "exchange_time", type: "timestamptz", of: (ticker) => instantTextOrNull(ticker.exchangeTimeMs) },
    { name: "bid", type: "numeric", of: (ticker) => ticker.bid },
    { name: "bid_quantity", type: "numeric", of: (ticker) => ticker.bidQuantity },
    { name: "ask", type: "numeric", of: (ticker) => ticker.ask },
    { name: "ask_quantity", type: "numeric", of: (ticker) => ticker.askQuantity },
  ],
  onConflict: "do nothing",
});

/**
 * Stores the best bid and offer when it has changed, at most once per symbol and second by default. Exchanges send hundreds
 * a second, most of which only move a quantity: all of them would be most of the database, and those who need each one
 * (order flow, arbitrage) follow the feed.
 */
export class BookTickerWriter extends Sampler<BookTickerEvent> {
  constructor(database: Database, options: SeriesWriterOptions & { readonly everyMs?: number }) {
    super({
      everyMs: 1_000,
      ...withDefaults(options),
      name: "book-tickers",
      isSame: (a, b) =>
        a.bid === b.bid && a.bidQuantity === b.bidQuantity && a.ask === b.ask && a.askQuantity === b.askQuantity,
      write: (rows) => insertBookTickers(database, rows),
    });
  }
}

/** The rows must be of different minutes. */
export const insertCandles = insertInto<StoredCandle>({
  table: "candles",
  columns: [
    { name: "symbol_id", type: "integer", of: (candle) => candle.symbolId },
    { name: "open_time", type: "timestamptz", of: (candle) => instantText(candle.openTimeMs) },
    { name: "open", type: "numeric", of: (candle) => candle.open },
    { name: "high", type: "numeric", of: (candle) => candle.high },
    { name: "low", type: "numeric", of: (candle) => candle.low },
    { name: "close", type: "numeric", of: (candle) => candle.close },
    { name: "volume", type: "numeric", of: (candle) => candle.volume },
    { name: "quote_volume", type: "numeric", of: (candle) => candle.quoteVolume },
    { name: "trade_count", type: "bigint", of: (candle) => candle.tradeCount },
    { name: "taker_buy_volume", type: "numeric", of: (candle) => candle.takerBuyVolume },
    { name: "taker_buy_quote_volume", type: "numeric", of: (candle) => candle.takerBuyQuoteVolume },
    { name: "through_sequence", type: "bigint", of: (candle) => candle.throughSequence },
  ],
  // The exchange's own minute stands above one of ours. Of two of ours the one with more volume is the newer: trades only
  // ever join, and a version that is written late or again must not take them away.
  onConflict: `(symbol_id, open_time) do update set open = excluded.open, high = excluded.high, low = excluded.low,
      close = excluded.close, volume = excluded.volume, quote_volume = excluded.quote_volume,
      trade_count = excluded.trade_count, taker_buy_volume = excluded.taker_buy_volume,
      taker_buy_quote_volume = excluded.taker_buy_quote_volume, through_sequence = excluded.through_sequence
    where stored is distinct from excluded and (excluded.through_sequence is null
      or (stored.through_sequence is not null and stored.volume <= excluded.volume))`,
});

/**
 * Stores the newest version of every minute. Longer candles are passed over: the database makes them from the minutes, so
 * that a late correction, a restart and a replay all come to the same.
 */
export class CandleWriter extends BatchWriter<StoredCandle> {
  constructor(database: Database, options: SeriesWriterOptions) {
    super({
      ...withDefaults({ flushMs: 1_000, ...options }),
      name: "candles",
      keyOf: (candle) => `${candle.symbolId} ${candle.openTimeMs}`,
      write: (rows) => insertCandles(database, rows),
    });
  }

  override add(candle: StoredCandle): void {
    if (candle.interval === "M1") super.add(candle);
  }
}

const insertFundingRates = insertInto<FundingRateEvent>({
  table: "funding_rates",
  columns: [
    { name: "symbol_id", type: "integer", of: (funding) => funding.symbolId },
    { name: "funding_time", type: "timestamptz", of: (funding) => instantText(funding.fundingTimeMs) },
    { name: "next_funding_time", type: "timestamptz", of: (funding) => instantTextOrNull(funding.nextFundingTimeMs) },
    { name: "rate", type: "numeric", of: (funding) => funding.rate },
    { name: "mark_price", type: "numeric", of: (funding) => funding.markPrice },
    { name: "index_price", type: "numeric", of: (funding) => funding.indexPrice },
    { name: "exchange_time", type: "timestamptz", of: (funding) => instantText(funding.exchangeTimeMs) },
    { name: "received_at", type: "timestamptz", of: (funding) => instantText(funding.receivedAtMs) },
  ],
  onConflict: `(symbol_id, funding_time) do update set next_funding_time = excluded.next_funding_time, rate = excluded.rate,
      mark_price = coalesce(excluded.mark_price, stored.mark_price),
      index_price = coalesce(excluded.index_price, stored.index_price),
      exchange_time = excluded.exchange_time, received_at = excluded.received_at
    where stored.exchange_time <= excluded.exchange_time and stored is distinct from excluded`,
});

/** Stores the newest estimate of each payment, and at last what was paid. */
export class FundingWriter extends BatchWriter<FundingRateEvent> {
  constructor(database: Database, options: SeriesWriterOptions) {
    super({
      // Estimates change every second or so, and only the last one counts.
      ...withDefaults({ flushMs: 5_000, ...options }),
      name: "funding-rates",
      keyOf: (funding) => `${funding.symbolId} ${funding.fundingTimeMs}`,
      write: (rows) => insertFundingRates(database, rows),
    });
  }
}

const totalOf = (levels: readonly BookLevel[]): DecimalText =>
  fromFixedPoint(levels.reduce((sum, [, quantity]) => sum + toFixedPoint(quantity), 0n));

const insertOrderBooks = insertInto<OrderBookEvent>({
  table: "order_book_snapshots",
  columns: [
    { name: "symbol_id", type: "integer", of: (book) => book.symbolId },
    { name: "received_at", type: "timestamptz", of: (book) => instantText(book.receivedAtMs) },
    { name: "sequence", type: "bigint", of: (book) => book.exchangeSequence },
    { name: "exchange_time", type: "timestamptz", of: (book) => instantTextOrNull(book.exchangeTimeMs) },
    { name: "bids", type: "jsonb", of: (book) => JSON.stringify(book.bids) },
    { name: "asks", type: "jsonb", of: (book) => JSON.stringify(book.asks) },
    { name: "total_bid_quantity", type: "numeric", of: (book) => totalOf(book.bids) },
    { name: "total_ask_quantity", type: "numeric", of: (book) => totalOf(book.asks) },
  ],
  onConflict: "do nothing",
});

/** Stores the book of each symbol once a minute by default, if it has changed. */
export class OrderBookWriter extends Sampler<OrderBookEvent> {
  constructor(database: Database, options: SeriesWriterOptions & { readonly everyMs?: number }) {
    super({
      everyMs: 60_000,
      // A book is some 5 kB.
      ...withDefaults({ maxWaiting: 5_000, rowsPerStatement: 200, ...options }),
      name: "order-book-snapshots",
      write: (rows) => insertOrderBooks(database, rows),
    });
  }
}

const insertOrderFlows = insertInto<OrderFlow>({
  table: "order_flow_metrics",
  columns: [
    { name: "symbol_id", type: "integer", of: (flow) => flow.symbolId },
    { name: "measured_at", type: "timestamptz", of: (flow) => instantText(flow.atMs) },
    { name: "window_ms", type: "integer", of: (flow) => flow.windowMs },
    { name: "ofi", type: "numeric", of: (flow) => flow.ofi },
    { name: "microprice", type: "numeric", of: (flow) => flow.microprice },
    { name: "volume_imbalance", type: "numeric", of: (flow) => flow.volumeImbalance },
  ],
  onConflict: "do nothing",
});

/** Stores what it is given, which shall be one window after the other of each symbol. */
export class OrderFlowWriter extends BatchWriter<OrderFlow> {
  constructor(database: Database, options: SeriesWriterOptions) {
    super({ ...withDefaults(options), name: "order-flow-metrics", write: (rows) => insertOrderFlows(database, rows) });
  }
}

export const insertOpportunities = insertInto<ArbitrageOpportunity>({
  table: "arbitrage_opportunities",
  columns: [
    { name: "id", type: "uuid", of: (opportunity) => opportunity.id },
    { name: "detected_at", type: "timestamptz", of: (opportunity) => instantText(opportunity.detectedAtMs) },
    { name: "closed_at", type: "timestamptz", of: (opportunity) => instantTextOrNull(opportunity.closedAtMs) },
    { name: "buy_symbol_id", type: "integer", of: (opportunity) => opportunity.buySymbolId },
    { name: "sell_symbol_id", type: "integer", of: (opportunity) => opportunity.sellSymbolId },
    { name: "buy_price", type: "numeric", of: (opportunity) => opportunity.buyPrice },
    { name: "sell_price", type: "numeric", of: (opportunity) => opportunity.sellPrice },
    { name: "spread_bps", type: "numeric", of: (opportunity) => opportunity.spreadBps },
    { name: "net_spread_bps", type: "numeric", of: (opportunity) => opportunity.netSpreadBps },
    { name: "max_quantity", type: "numeric", of: (opportunity) => opportunity.maxQuantity },
  ],
  onConflict: `(id, detected_at) do update set closed_at = excluded.closed_at, buy_price = excluded.buy_price,
      sell_price = excluded.sell_price, spread_bps = excluded.spread_bps, net_spread_bps = excluded.net_spread_bps,
      max_quantity = excluded.max_quantity
    where stored.closed_at is null and stored is distinct from excluded`,
});

/** Stores each opportunity in its newest state; once closed it stays as it is. */
export class ArbitrageWriter extends BatchWriter<ArbitrageOpportunity> {
  constructor(database: Database, options: SeriesWriterOptions) {
    super({
      ...withDefaults(options),
      name: "arbitrage-opportunities",
      keyOf: (opportunity) => opportunity.id,
      write: (rows) => insertOpportunities(database, rows),
    });
  }
}
