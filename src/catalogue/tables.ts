import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  boolean,
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  real,
  smallint,
  text,
  time,
  unique,
  uniqueIndex,
  varchar,
} from "drizzle-orm/pg-core";
import { decimal, instant, ratio } from "../db/columns.js";

export const marketTypeEnum = pgEnum("market_type_enum", ["SPOT", "MARGIN", "FUTURES", "EQUITY"]);
export const marketStatusEnum = pgEnum("market_status_enum", [
  "PRE_MARKET",
  "OPEN",
  "POST_MARKET",
  "CLOSED",
  "HALTED",
  "MAINTENANCE",
]);
export const symbolStatusEnum = pgEnum("symbol_status_enum", ["TRADING", "HALT", "DELISTED"]);
export const providerTypeEnum = pgEnum("provider_type_enum", ["REALTIME", "DELAYED", "HISTORICAL", "SIMULATED"]);
export const feedTypeEnum = pgEnum("feed_type_enum", ["WEBSOCKET", "REST"]);
export const connectionStatusEnum = pgEnum("connection_status_enum", [
  "DISCONNECTED",
  "CONNECTING",
  "CONNECTED",
  "RECONNECTING",
  "STALE",
  "ERROR",
]);

const id = () => integer("id").primaryKey().generatedAlwaysAsIdentity();
const createdAt = () => instant("created_at").notNull().defaultNow();
const updatedAt = () => instant("updated_at").notNull().defaultNow();
const isActive = () => boolean("is_active").notNull().default(true);
const displayOrder = () => integer("display_order").notNull().default(0);
/** What a sealed secret of `core/key-ring.ts` looks like, so that no plain one is ever stored in its place. */
const sealed = (column: AnyPgColumn) => sql`${column} ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$'`;
const codeFormat = (column: AnyPgColumn) => sql`${column} ~ '^[A-Z][A-Z0-9_]*$'`;

export const assetClasses = pgTable(
  "asset_classes",
  {
    id: id(),
    code: varchar("code", { length: 20 }).notNull(),
    name: varchar("name", { length: 100 }).notNull(),
    nameTr: varchar("name_tr", { length: 100 }),
    description: varchar("description", { length: 500 }),
    primaryCurrency: varchar("primary_currency", { length: 12 }).notNull(),
    defaultPricePrecision: smallint("default_price_precision").notNull(),
    defaultQuantityPrecision: smallint("default_quantity_precision").notNull(),
    supports24x7Trading: boolean("supports_24x7_trading").notNull().default(false),
    supportsFractional: boolean("supports_fractional").notNull().default(false),
    minTradeAmount: decimal("min_trade_amount"),
    regulatoryClass: varchar("regulatory_class", { length: 50 }),
    isActive: isActive(),
    displayOrder: displayOrder(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    unique("uk_asset_classes_code").on(t.code),
    check("ck_asset_classes_code", codeFormat(t.code)),
    check("ck_asset_classes_price_precision", sql`${t.defaultPricePrecision} between 0 and 18`),
    check("ck_asset_classes_quantity_precision", sql`${t.defaultQuantityPrecision} between 0 and 18`),
    check("ck_asset_classes_min_trade_amount", sql`${t.minTradeAmount} > 0`),
  ],
);

export const exchanges = pgTable(
  "exchanges",
  {
    id: id(),
    code: varchar("code", { length: 20 }).notNull(),
    name: varchar("name", { length: 100 }).notNull(),
    supportsSpot: boolean("supports_spot").notNull().default(false),
    supportsFutures: boolean("supports_futures").notNull().default(false),
    isActive: isActive(),
    displayOrder: displayOrder(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [unique("uk_exchanges_code").on(t.code), check("ck_exchanges_code", sql`${t.code} ~ '^[A-Z0-9]+$'`)],
);

export const markets = pgTable(
  "markets",
  {
    id: id(),
    exchangeId: integer("exchange_id").notNull(),
    /** The market's main asset class; a symbol has its own, because an exchange may list several kinds. */
    assetClassId: integer("asset_class_id").notNull(),
    code: varchar("code", { length: 40 }).notNull(),
    name: varchar("name", { length: 200 }).notNull(),
    nameTr: varchar("name_tr", { length: 200 }),
    description: varchar("description", { length: 1000 }),
    marketType: marketTypeEnum("market_type").notNull(),
    countryCode: varchar("country_code", { length: 2 }),
    timezone: varchar("timezone", { length: 50 }).notNull(),
    primaryCurrency: varchar("primary_currency", { length: 12 }).notNull(),
    marketMaker: varchar("market_maker", { length: 50 }),
    defaultCommissionRate: ratio("default_commission_rate").notNull(),
    minCommission: decimal("min_commission"),
    marketConfig: jsonb("market_config").notNull().default({}),
    /** True: never closes, and has no sessions. False with no session that applies: CLOSED. */
    is24x7: boolean("is_24x7").notNull().default(false),
    /** HALTED or MAINTENANCE while an operator says so; null: the status follows from sessions and holidays. */
    operatorStatus: marketStatusEnum("operator_status"),
    statusUpdatedAt: instant("status_updated_at"),
    isActive: isActive(),
    hasRealtimeData: boolean("has_realtime_data").notNull().default(false),
    dataDelayMinutes: integer("data_delay_minutes").notNull().default(0),
    displayOrder: displayOrder(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({ name: "fk_markets_exchange_id", columns: [t.exchangeId], foreignColumns: [exchanges.id] }),
    foreignKey({ name: "fk_markets_asset_class_id", columns: [t.assetClassId], foreignColumns: [assetClasses.id] }),
    unique("uk_markets_code").on(t.code),
    unique("uk_markets_exchange_id_market_type").on(t.exchangeId, t.marketType),
    check("ck_markets_code", sql`${t.code} ~ '^[A-Z0-9]+_(SPOT|MARGIN|FUTURES|EQUITY)$'`),
    check("ck_markets_code_market_type", sql`split_part(${t.code}, '_', 2) = ${t.marketType}::text`),
    check("ck_markets_country_code", sql`${t.countryCode} ~ '^[A-Z]{2}$'`),
    check("ck_markets_commission_rate", sql`${t.defaultCommissionRate} >= 0 and ${t.defaultCommissionRate} < 1`),
    check("ck_markets_min_commission", sql`${t.minCommission} >= 0`),
    check("ck_markets_operator_status", sql`${t.operatorStatus} in ('HALTED', 'MAINTENANCE')`),
    check("ck_markets_data_delay_minutes", sql`${t.dataDelayMinutes} >= 0`),
    index("idx_markets_asset_class_id").on(t.assetClassId),
  ],
);

export const tradingSessions = pgTable(
  "trading_sessions",
  {
    id: id(),
    marketId: integer("market_id").notNull(),
    name: varchar("name", { length: 100 }).notNull(),
    sessionType: marketStatusEnum("session_type").notNull(),
    /** ISO 8601: 1 Monday to 7 Sunday, the local day on which the session starts. */
    dayOfWeek: smallint("day_of_week").notNull(),
    /** Local time in the market's zone. An end that is not after the start is on the next day. */
    startTime: time("start_time").notNull(),
    endTime: time("end_time").notNull(),
    isPrimary: boolean("is_primary").notNull().default(false),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({ name: "fk_trading_sessions_market_id", columns: [t.marketId], foreignColumns: [markets.id] }),
    unique("uk_trading_sessions_market_id_day_of_week_start_time").on(t.marketId, t.dayOfWeek, t.startTime),
    check("ck_trading_sessions_day_of_week", sql`${t.dayOfWeek} between 1 and 7`),
    check("ck_trading_sessions_session_type", sql`${t.sessionType} in ('PRE_MARKET', 'OPEN', 'POST_MARKET')`),
  ],
);

export const marketHolidays = pgTable(
  "market_holidays",
  {
    id: id(),
    marketId: integer("market_id").notNull(),
    date: date("date", { mode: "string" }).notNull(),
    name: varchar("name", { length: 100 }).notNull(),
    nameTr: varchar("name_tr", { length: 100 }),
    /** With none of the three times the market is closed all day; with one of them the day is shortened. */
    openTime: time("open_time"),
    closeTime: time("close_time"),
    /** Until when POST_MARKET lasts on a day that closes early; null: no POST_MARKET that day. */
    postMarketCloseTime: time("post_market_close_time"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({ name: "fk_market_holidays_market_id", columns: [t.marketId], foreignColumns: [markets.id] }),
    unique("uk_market_holidays_market_id_date").on(t.marketId, t.date),
    check("ck_market_holidays_times", sql`${t.openTime} < ${t.closeTime}`),
    check(
      "ck_market_holidays_post_market",
      sql`${t.postMarketCloseTime} is null or (${t.closeTime} is not null and ${t.postMarketCloseTime} > ${t.closeTime})`,
    ),
  ],
);

export const dataProviders = pgTable(
  "data_providers",
  {
    id: id(),
    marketId: integer("market_id").notNull(),
    code: varchar("code", { length: 50 }).notNull(),
    name: varchar("name", { length: 200 }).notNull(),
    description: varchar("description", { length: 1000 }),
    providerType: providerTypeEnum("provider_type").notNull(),
    feedType: feedTypeEnum("feed_type").notNull(),
    endpointUrl: varchar("endpoint_url", { length: 500 }),
    websocketUrl: varchar("websocket_url", { length: 500 }),
    backupWebsocketUrl: varchar("backup_websocket_url", { length: 500 }),
    rateLimitPerMinute: integer("rate_limit_per_minute"),
    timeoutMs: integer("timeout_ms").notNull().default(10_000),
    maxRetries: integer("max_retries").notNull().default(3),
    retryDelayMs: integer("retry_delay_ms").notNull().default(500),
    staleAfterMs: integer("stale_after_ms").notNull().default(30_000),
    dataDelayMinutes: integer("data_delay_minutes").notNull().default(0),
    supportedDataTypes: text("supported_data_types").array().notNull().default([]),
    providerConfig: jsonb("provider_config").notNull().default({}),
    connectionStatus: connectionStatusEnum("connection_status").notNull().default("DISCONNECTED"),
    lastConnectedAt: instant("last_connected_at"),
    lastMessageAt: instant("last_message_at"),
    lastError: varchar("last_error", { length: 1000 }),
    errorCountHourly: integer("error_count_hourly").notNull().default(0),
    /** As the node that feeds it last measured. */
    messagesPerSecond: real("messages_per_second"),
    isActive: isActive(),
    isPrimary: boolean("is_primary").notNull().default(false),
    priority: smallint("priority").notNull().default(50),
    costPer1kCalls: ratio("cost_per_1k_calls"),
    monthlyLimit: integer("monthly_limit"),
    /** Requests in `usage_month`; in any other month there were none yet. */
    monthlyUsage: integer("monthly_usage").notNull().default(0),
    /** First day, in UTC. */
    usageMonth: date("usage_month", { mode: "string" }),
    sealedApiKey: text("sealed_api_key"),
    sealedApiSecret: text("sealed_api_secret"),
    sealedPassphrase: text("sealed_passphrase"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({ name: "fk_data_providers_market_id", columns: [t.marketId], foreignColumns: [markets.id] }),
    unique("uk_data_providers_code").on(t.code),
    // Lets a symbol's foreign key say that its provider serves the symbol's own market.
    unique("uk_data_providers_id_market_id").on(t.id, t.marketId),
    uniqueIndex("uk_data_providers_primary").on(t.marketId).where(sql`is_primary`),
    check("ck_data_providers_code", codeFormat(t.code)),
    check("ck_data_providers_priority", sql`${t.priority} between 0 and 100`),
    check(
      "ck_data_providers_websocket_url",
      sql`${t.feedType} <> 'WEBSOCKET' or ${t.providerType} = 'SIMULATED' or ${t.websocketUrl} is not null`,
    ),
    check("ck_data_providers_timeout_ms", sql`${t.timeoutMs} between 100 and 300000`),
    check("ck_data_providers_retry", sql`${t.maxRetries} >= 0 and ${t.retryDelayMs} >= 0`),
    check("ck_data_providers_stale_after_ms", sql`${t.staleAfterMs} between 100 and 86400000`),
    check("ck_data_providers_data_delay_minutes", sql`${t.dataDelayMinutes} >= 0`),
    check("ck_data_providers_rate_limit_per_minute", sql`${t.rateLimitPerMinute} > 0`),
    check(
      "ck_data_providers_counts",
      sql`${t.errorCountHourly} >= 0 and ${t.monthlyUsage} >= 0 and ${t.monthlyLimit} >= 0`,
    ),
    check("ck_data_providers_cost_per_1k_calls", sql`${t.costPer1kCalls} >= 0`),
    check("ck_data_providers_messages_per_second", sql`${t.messagesPerSecond} >= 0`),
    check("ck_data_providers_usage_month", sql`extract(day from ${t.usageMonth}) = 1`),
    check("ck_data_providers_sealed_api_key", sealed(t.sealedApiKey)),
    check("ck_data_providers_sealed_api_secret", sealed(t.sealedApiSecret)),
    check("ck_data_providers_sealed_passphrase", sealed(t.sealedPassphrase)),
    // A secret or passphrase belongs to a key.
    check(
      "ck_data_providers_sealed_set",
      sql`${t.sealedApiKey} is not null or (${t.sealedApiSecret} is null and ${t.sealedPassphrase} is null)`,
    ),
  ],
);

export const symbols = pgTable(
  "symbols",
  {
    id: id(),
    marketId: integer("market_id").notNull(),
    assetClassId: integer("asset_class_id").notNull(),
    /** Null: the primary provider of the market. */
    dataProviderId: integer("data_provider_id"),
    /** The exchange's own name, e.g. BTCUSDT. */
    ticker: varchar("ticker", { length: 50 }).notNull(),
    displayName: varchar("display_name", { length: 100 }).notNull(),
    fullName: varchar("full_name", { length: 200 }),
    fullNameTr: varchar("full_name_tr", { length: 200 }),
    description: varchar("description", { length: 500 }),
    baseCurrency: varchar("base_currency", { length: 20 }).notNull(),
    quoteCurrency: varchar("quote_currency", { length: 20 }).notNull(),
    sector: varchar("sector", { length: 100 }),
    industry: varchar("industry", { length: 100 }),
    country: varchar("country", { length: 2 }),
    isin: varchar("isin", { length: 12 }),
    status: symbolStatusEnum("status").notNull().default("TRADING"),
    isActive: isActive(),
    isTracked: boolean("is_tracked").notNull().default(false),
    isPopular: boolean("is_popular").notNull().default(false),
    isDefault: boolean("is_default").notNull().default(false),
    /** 0 to 100, higher is served earlier. */
    broadcastPriority: smallint("broadcast_priority").notNull().default(50),
    displayOrder: displayOrder(),
    pricePrecision: smallint("price_precision").notNull(),
    quantityPrecision: smallint("quantity_precision").notNull(),
    tickSize: decimal("tick_size").notNull(),
    stepSize: decimal("step_size").notNull(),
    minQuantity: decimal("min_quantity"),
    maxQuantity: decimal("max_quantity"),
    minOrderValue: decimal("min_order_value"),
    maxOrderValue: decimal("max_order_value"),
    tradingConfig: jsonb("trading_config").notNull().default({}),
    metadata: jsonb("metadata"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({ name: "fk_symbols_market_id", columns: [t.marketId], foreignColumns: [markets.id] }),
    foreignKey({ name: "fk_symbols_asset_class_id", columns: [t.assetClassId], foreignColumns: [assetClasses.id] }),
    foreignKey({
      name: "fk_symbols_data_provider_id_market_id",
      columns: [t.dataProviderId, t.marketId],
      foreignColumns: [dataProviders.id, dataProviders.marketId],
    }),
    unique("uk_symbols_market_id_ticker").on(t.marketId, t.ticker),
    check("ck_symbols_ticker", sql`${t.ticker} ~ '^[A-Z0-9][A-Z0-9._:/-]*$'`),
    check("ck_symbols_default_active", sql`not ${t.isDefault} or ${t.isActive}`),
    check("ck_symbols_broadcast_priority", sql`${t.broadcastPriority} between 0 and 100`),
    check(
      "ck_symbols_precision",
      sql`${t.pricePrecision} between 0 and 18 and ${t.quantityPrecision} between 0 and 18`,
    ),
    check("ck_symbols_tick_size", sql`${t.tickSize} > 0`),
    check("ck_symbols_step_size", sql`${t.stepSize} > 0`),
    check("ck_symbols_quantity_range", sql`${t.minQuantity} >= 0 and ${t.maxQuantity} > 0`),
    check("ck_symbols_quantity_order", sql`${t.minQuantity} <= ${t.maxQuantity}`),
    check("ck_symbols_order_value_range", sql`${t.minOrderValue} >= 0 and ${t.maxOrderValue} > 0`),
    check("ck_symbols_order_value_order", sql`${t.minOrderValue} <= ${t.maxOrderValue}`),
    check("ck_symbols_country", sql`${t.country} ~ '^[A-Z]{2}$'`),
    check("ck_symbols_isin", sql`${t.isin} ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$'`),
    index("idx_symbols_defaults").on(t.displayOrder, t.id).where(sql`is_default and is_active`),
    index("idx_symbols_broadcast_active").on(t.broadcastPriority.desc(), t.id).where(sql`is_active and is_tracked`),
    index("idx_symbols_asset_class_id").on(t.assetClassId),
    index("idx_symbols_data_provider_id").on(t.dataProviderId).where(sql`data_provider_id is not null`),
    index("idx_symbols_ticker_prefix").using("btree", t.ticker.op("varchar_pattern_ops")),
    index("idx_symbols_search").using(
      "gin",
      sql`symbol_search_text(ticker, display_name, full_name, full_name_tr) gin_trgm_ops`,
    ),
  ],
);
