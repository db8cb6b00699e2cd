import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  uuid,
} from "drizzle-orm/pg-core";
import { dataProviders, symbols } from "../catalogue/tables.js";
import { decimal, instant, instantRanges, percent, ratio } from "../db/columns.js";
import type { BookLevel } from "./events.js";

/** The latest quote of each symbol: one narrow row, kept apart from the wide and much indexed `symbols` row. */
export const symbolQuotes = pgTable(
  "symbol_quotes",
  {
    symbolId: integer("symbol_id").primaryKey(),
    price: decimal("price").notNull(),
    bid: decimal("bid"),
    bidQuantity: decimal("bid_quantity"),
    ask: decimal("ask"),
    askQuantity: decimal("ask_quantity"),
    open24h: decimal("open_24h"),
    high24h: decimal("high_24h"),
    low24h: decimal("low_24h"),
    change24h: decimal("change_24h"),
    changePercent24h: percent("change_percent_24h"),
    volume24h: decimal("volume_24h"),
    quoteVolume24h: decimal("quote_volume_24h"),
    marketCap: decimal("market_cap"),
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    providerId: integer("provider_id").notNull(),
    exchangeTime: instant("exchange_time").notNull(),
    receivedAt: instant("received_at").notNull(),
    lastBroadcastAt: instant("last_broadcast_at"),
  },
  (t) => [
    foreignKey({ name: "fk_symbol_quotes_symbol_id", columns: [t.symbolId], foreignColumns: [symbols.id] }),
    foreignKey({ name: "fk_symbol_quotes_provider_id", columns: [t.providerId], foreignColumns: [dataProviders.id] }),
    check("ck_symbol_quotes_price", sql`${t.price} > 0`),
    check("ck_symbol_quotes_bid", sql`${t.bid} > 0 and ${t.bidQuantity} > 0`),
    check("ck_symbol_quotes_bid_pair", sql`(${t.bid} is null) = (${t.bidQuantity} is null)`),
    check("ck_symbol_quotes_ask", sql`${t.ask} > 0 and ${t.askQuantity} > 0`),
    check("ck_symbol_quotes_ask_pair", sql`(${t.ask} is null) = (${t.askQuantity} is null)`),
    check("ck_symbol_quotes_sequence", sql`${t.sequence} > 0`),
    check(
      "ck_symbol_quotes_24h",
      sql`${t.low24h} > 0 and ${t.low24h} <= ${t.high24h} and ${t.open24h} > 0 and ${t.volume24h} >= 0 and ${t.quoteVolume24h} >= 0`,
    ),
    check("ck_symbol_quotes_market_cap", sql`${t.marketCap} >= 0`),
  ],
);

export const orderSideEnum = pgEnum("order_side_enum", ["BUY", "SELL"]);

/*
 * The series. Their key is symbol, time and the exchange's sequence, so that storing a row again changes nothing. The second
 * of their migrations makes hypertables of them where there is TimescaleDB, and the roll-ups of the candles.
 */

const sequence = () => bigint("sequence", { mode: "number" }).notNull();
const ofSymbol = (table: string, column: AnyPgColumn) =>
  foreignKey({ name: `fk_${table}_symbol_id`, columns: [column], foreignColumns: [symbols.id] });

/** Trades on the exchanges, of anybody. */
export const marketTrades = pgTable(
  "market_trades",
  {
    symbolId: integer("symbol_id").notNull(),
    /** Exchange time. */
    tradedAt: instant("traded_at").notNull(),
    receivedAt: instant("received_at").notNull(),
    sequence: sequence(),
    /**
     * The exchange's; tells apart trades of one millisecond, and those to which it gives one sequence number. Not varchar:
     * TimescaleDB cannot plan an order by such a column over compressed chunks.
     */
    tradeId: text("trade_id").notNull(),
    /** How many of the exchange's trades it stands for. */
    tradeCount: integer("trade_count").notNull(),
    /** Of the taker. */
    side: orderSideEnum("side").notNull(),
    price: decimal("price").notNull(),
    quantity: decimal("quantity").notNull(),
  },
  (t) => [
    primaryKey({ name: "pk_market_trades", columns: [t.symbolId, t.tradedAt, t.sequence, t.tradeId] }),
    ofSymbol("market_trades", t.symbolId),
    check("ck_market_trades_trade_id", sql`length(${t.tradeId}) between 1 and 64`),
    check("ck_market_trades_price", sql`${t.price} > 0`),
    check("ck_market_trades_quantity", sql`${t.quantity} > 0`),
    check("ck_market_trades_trade_count", sql`${t.tradeCount} > 0`),
    check("ck_market_trades_sequence", sql`${t.sequence} >= 0`),
  ],
);

/** Best bid and offer over time; a side is null when it was empty. */
export const bookTickers = pgTable(
  "book_tickers",
  {
    symbolId: integer("symbol_id").notNull(),
    /** In the key in place of the exchange's time, which some exchanges do not send. */
    receivedAt: instant("received_at").notNull(),
    sequence: sequence(),
    exchangeTime: instant("exchange_time"),
    bid: decimal("bid"),
    bidQuantity: decimal("bid_quantity"),
    ask: decimal("ask"),
    askQuantity: decimal("ask_quantity"),
  },
  (t) => [
    primaryKey({ name: "pk_book_tickers", columns: [t.symbolId, t.receivedAt, t.sequence] }),
    ofSymbol("book_tickers", t.symbolId),
    check("ck_book_tickers_bid", sql`${t.bid} > 0 and ${t.bidQuantity} > 0`),
    check("ck_book_tickers_bid_pair", sql`(${t.bid} is null) = (${t.bidQuantity} is null)`),
    check("ck_book_tickers_ask", sql`${t.ask} > 0 and ${t.askQuantity} > 0`),
    check("ck_book_tickers_ask_pair", sql`(${t.ask} is null) = (${t.askQuantity} is null)`),
    check("ck_book_tickers_sequence", sql`${t.sequence} >= 0`),
  ],
);

/** Candles of one minute. A minute without a trade has no row. Longer ones are in candles_5m to candles_1w. */
export const candles = pgTable(
  "candles",
  {
    symbolId: integer("symbol_id").notNull(),
    openTime: instant("open_time").notNull(),
    open: decimal("open").notNull(),
    high: decimal("high").notNull(),
    low: decimal("low").notNull(),
    close: decimal("close").notNull(),
    volume: decimal("volume").notNull(),
    quoteVolume: decimal("quote_volume").notNull(),
    /** The exchange's trades; 0 where the minute came from an exchange that does not count them. */
    tradeCount: bigint("trade_count", { mode: "number" }).notNull(),
    takerBuyVolume: decimal("taker_buy_volume").notNull(),
    takerBuyQuoteVolume: decimal("taker_buy_quote_volume").notNull(),
    /** The highest sequence in it; null when the minute came from the exchange and holds all its trades. */
    throughSequence: bigint("through_sequence", { mode: "number" }),
  },
  (t) => [
    primaryKey({ name: "pk_candles", columns: [t.symbolId, t.openTime] }),
    ofSymbol("candles", t.symbolId),
    check(
      "ck_candles_open_time",
      sql`${t.openTime} = date_bin('1 minute', ${t.openTime}, timestamptz '2000-01-03 00:00:00+00')`,
    ),
    check("ck_candles_low", sql`${t.low} > 0 and ${t.low} <= ${t.open} and ${t.low} <= ${t.close}`),
    check("ck_candles_high", sql`${t.high} >= ${t.open} and ${t.high} >= ${t.close}`),
    check("ck_candles_volume", sql`${t.volume} > 0 and ${t.quoteVolume} >= 0`),
    check(
      "ck_candles_taker_buy",
      sql`${t.takerBuyVolume} between 0 and ${t.volume} and ${t.takerBuyQuoteVolume} between 0 and ${t.quoteVolume}`,
    ),
    check("ck_candles_trade_count", sql`${t.tradeCount} >= 0`),
    check("ck_candles_through_sequence", sql`${t.throughSequence} >= 0`),
  ],
);

/**
 * Since when, and with which holes, the minutes of a symbol are complete: stored with all their trades, or known to have
 * none. It cannot be told from the candles, because a minute without a trade has no row.
 */
export const candleCoverage = pgTable(
  "candle_coverage",
  {
    symbolId: integer("symbol_id").notNull(),
    complete: instantRanges("complete").notNull(),
  },
  (t) => [
    primaryKey({ name: "pk_candle_coverage", columns: [t.symbolId] }),
    ofSymbol("candle_coverage", t.symbolId),
    check("ck_candle_coverage_complete", sql`not lower_inf(${t.complete}) and not upper_inf(${t.complete})`),
  ],
);

/** Funding of perpetuals: one row per payment, which holds the estimate until it is paid. */
export const fundingRates = pgTable(
  "funding_rates",
  {
    symbolId: integer("symbol_id").notNull(),
    fundingTime: instant("funding_time").notNull(),
    nextFundingTime: instant("next_funding_time"),
    /** A fraction; negative when shorts pay. Not `ratio`: exchanges send up to 18 digits, and money depends on them. */
    rate: decimal("rate").notNull(),
    markPrice: decimal("mark_price"),
    indexPrice: decimal("index_price"),
    exchangeTime: instant("exchange_time").notNull(),
    receivedAt: instant("received_at").notNull(),
  },
  (t) => [
    primaryKey({ name: "pk_funding_rates", columns: [t.symbolId, t.fundingTime] }),
    ofSymbol("funding_rates", t.symbolId),
    check("ck_funding_rates_rate", sql`${t.rate} > -1 and ${t.rate} < 1`),
    check("ck_funding_rates_next_funding_time", sql`${t.nextFundingTime} > ${t.fundingTime}`),
    check("ck_funding_rates_prices", sql`${t.markPrice} > 0 and ${t.indexPrice} > 0`),
  ],
);

/** The best levels of order books over time, best first. */
export const orderBookSnapshots = pgTable(
  "order_book_snapshots",
  {
    symbolId: integer("symbol_id").notNull(),
    receivedAt: instant("received_at").notNull(),
    sequence: sequence(),
    exchangeTime: instant("exchange_time"),
    bids: jsonb("bids").$type<readonly BookLevel[]>().notNull(),
    asks: jsonb("asks").$type<readonly BookLevel[]>().notNull(),
    totalBidQuantity: decimal("total_bid_quantity").notNull(),
    totalAskQuantity: decimal("total_ask_quantity").notNull(),
  },
  (t) => [
    primaryKey({ name: "pk_order_book_snapshots", columns: [t.symbolId, t.receivedAt, t.sequence] }),
    ofSymbol("order_book_snapshots", t.symbolId),
    check(
      "ck_order_book_snapshots_levels",
      sql`jsonb_typeof(${t.bids}) = 'array' and jsonb_typeof(${t.asks}) = 'array' and jsonb_array_length(${t.bids}) <= 50 and jsonb_array_length(${t.asks}) <= 50`,
    ),
    check(
      "ck_order_book_snapshots_totals",
      sql`(${t.totalBidQuantity} > 0) = (jsonb_array_length(${t.bids}) > 0) and (${t.totalAskQuantity} > 0) = (jsonb_array_length(${t.asks}) > 0) and ${t.totalBidQuantity} >= 0 and ${t.totalAskQuantity} >= 0`,
    ),
    check("ck_order_book_snapshots_crossed", sql`(${t.bids} #>> '{0,0}')::numeric < (${t.asks} #>> '{0,0}')::numeric`),
    check("ck_order_book_snapshots_sequence", sql`${t.sequence} >= 0`),
  ],
);

/** Order flow of the window that ends at `measuredAt`. */
export const orderFlowMetrics = pgTable(
  "order_flow_metrics",
  {
    symbolId: integer("symbol_id").notNull(),
    measuredAt: instant("measured_at").notNull(),
    windowMs: integer("window_ms").notNull(),
    ofi: decimal("ofi").notNull(),
    microprice: decimal("microprice").notNull(),
    volumeImbalance: ratio("volume_imbalance").notNull(),
  },
  (t) => [
    primaryKey({ name: "pk_order_flow_metrics", columns: [t.symbolId, t.measuredAt, t.windowMs] }),
    ofSymbol("order_flow_metrics", t.symbolId),
    check("ck_order_flow_metrics_window_ms", sql`${t.windowMs} > 0`),
    check("ck_order_flow_metrics_microprice", sql`${t.microprice} > 0`),
    check("ck_order_flow_metrics_volume_imbalance", sql`${t.volumeImbalance} between -1 and 1`),
  ],
);

/** From its opening to its end; follows the last prices while it is open. */
export const arbitrageOpportunities = pgTable(
  "arbitrage_opportunities",
  {
    id: uuid("id").notNull(),
    detectedAt: instant("detected_at").notNull(),
    closedAt: instant("closed_at"),
    buySymbolId: integer("buy_symbol_id").notNull(),
    sellSymbolId: integer("sell_symbol_id").notNull(),
    buyPrice: decimal("buy_price").notNull(),
    sellPrice: decimal("sell_price").notNull(),
    spreadBps: ratio("spread_bps").notNull(),
    netSpreadBps: ratio("net_spread_bps").notNull(),
    maxQuantity: decimal("max_quantity").notNull(),
  },
  (t) => [
    // A unique key of a hypertable must contain the time.
    primaryKey({ name: "pk_arbitrage_opportunities", columns: [t.id, t.detectedAt] }),
    foreignKey({
      name: "fk_arbitrage_opportunities_buy_symbol_id",
      columns: [t.buySymbolId],
      foreignColumns: [symbols.id],
    }),
    foreignKey({
      name: "fk_arbitrage_opportunities_sell_symbol_id",
      columns: [t.sellSymbolId],
      foreignColumns: [symbols.id],
    }),
    check("ck_arbitrage_opportunities_symbols", sql`${t.buySymbolId} <> ${t.sellSymbolId}`),
    check("ck_arbitrage_opportunities_prices", sql`${t.buyPrice} > 0 and ${t.sellPrice} > ${t.buyPrice}`),
    check("ck_arbitrage_opportunities_spread", sql`${t.netSpreadBps} >= 0 and ${t.netSpreadBps} <= ${t.spreadBps}`),
    check("ck_arbitrage_opportunities_max_quantity", sql`${t.maxQuantity} > 0`),
    check("ck_arbitrage_opportunities_closed_at", sql`${t.closedAt} >= ${t.detectedAt}`),
    index("idx_arbitrage_opportunities_detected_at").on(t.detectedAt),
  ],
);
