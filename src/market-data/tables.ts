import { sql } from "drizzle-orm";
import { bigint, check, foreignKey, integer, pgTable } from "drizzle-orm/pg-core";
import { dataProviders, symbols } from "../catalogue/tables.js";
import { decimal, instant, percent } from "../db/columns.js";

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
