import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  boolean,
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { exchanges, symbols } from "../catalogue/tables.js";
import { decimal, exact, instant, percent } from "../db/columns.js";
import { orderSideEnum } from "../market-data/tables.js";
import { users } from "../people/tables.js";

export const accountEnvironmentEnum = pgEnum("account_environment_enum", ["PAPER", "TESTNET", "PRODUCTION"]);
export const accountStatusEnum = pgEnum("account_status_enum", ["ACTIVE", "INACTIVE", "ERROR", "EXPIRED"]);
export const syncStatusEnum = pgEnum("sync_status_enum", ["PENDING", "SYNCING", "SYNCED", "ERROR", "DISABLED"]);
export const positionModeEnum = pgEnum("position_mode_enum", ["ONE_WAY", "HEDGE"]);
export const positionSideEnum = pgEnum("position_side_enum", ["LONG", "SHORT", "BOTH"]);
export const positionStatusEnum = pgEnum("position_status_enum", ["OPEN", "CLOSED", "LIQUIDATED"]);
export const marginModeEnum = pgEnum("margin_mode_enum", ["ISOLATED", "CROSS"]);
export const orderTypeEnum = pgEnum("order_type_enum", [
  "MARKET",
  "LIMIT",
  "LIMIT_MAKER",
  "STOP_MARKET",
  "STOP_LIMIT",
  "TAKE_PROFIT",
  "TAKE_PROFIT_LIMIT",
  "TRAILING_STOP",
]);
export const orderStatusEnum = pgEnum("order_status_enum", [
  "PENDING",
  "NEW",
  "PARTIALLY_FILLED",
  "FILLED",
  "CANCELLED",
  "REJECTED",
  "EXPIRED",
]);
export const timeInForceEnum = pgEnum("time_in_force_enum", ["GTC", "IOC", "FOK", "GTX", "DAY"]);
export const ledgerReasonEnum = pgEnum("ledger_reason_enum", [
  "DEPOSIT",
  "WITHDRAWAL",
  "RESERVE",
  "RELEASE",
  "TRADE",
  "FEE",
  "FUNDING",
  "LIQUIDATION",
  "ADJUSTMENT",
]);
export const riskScopeEnum = pgEnum("risk_scope_enum", ["GLOBAL", "USER", "ACCOUNT", "STRATEGY"]);
export const riskLimitAuthorEnum = pgEnum("risk_limit_author_enum", ["OPERATOR", "USER"]);

const id = () => uuid("id").primaryKey();
const userId = () => uuid("user_id").notNull();
const accountId = () => uuid("account_id").notNull();
const symbolId = () => integer("symbol_id").notNull();
const asset = () => varchar("asset", { length: 20 }).notNull();
const createdAt = () => instant("created_at").notNull().defaultNow();
const updatedAt = () => instant("updated_at").notNull().defaultNow();
/** What a sealed secret of `core/key-ring.ts` looks like, so that no plain one is ever stored in its place. */
const sealed = (column: AnyPgColumn) => sql`${column} ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$'`;
const assetFormat = (column: AnyPgColumn) => sql`${column} ~ '^[A-Z0-9][A-Z0-9._-]*$'`;

/** A row of an account belongs to the account's user, so that a policy need not look the account up. */
const ofAccount = (table: string, columns: [AnyPgColumn, AnyPgColumn]) =>
  foreignKey({
    name: `fk_${table}_account_id_user_id`,
    columns,
    foreignColumns: [accounts.id, accounts.userId],
  });
/** Of the same user as the row. */
const ofStrategy = (table: string, columns: [AnyPgColumn, AnyPgColumn]) =>
  foreignKey({
    name: `fk_${table}_strategy_id_user_id`,
    columns,
    foreignColumns: [strategies.id, strategies.userId],
  });
const ofSymbol = (table: string, column: AnyPgColumn) =>
  foreignKey({ name: `fk_${table}_symbol_id`, columns: [column], foreignColumns: [symbols.id] });

export const accounts = pgTable(
  "accounts",
  {
    id: id(),
    userId: userId(),
    exchangeId: integer("exchange_id").notNull(),
    name: varchar("name", { length: 100 }).notNull(),
    environment: accountEnvironmentEnum("environment").notNull(),
    status: accountStatusEnum("status").notNull().default("ACTIVE"),
    positionMode: positionModeEnum("position_mode").notNull().default("ONE_WAY"),
    syncStatus: syncStatusEnum("sync_status").notNull().default("PENDING"),
    lastSyncAt: instant("last_sync_at"),
    syncError: varchar("sync_error", { length: 500 }),
    permissions: text("permissions").array().notNull().default([]),
    sealedApiKey: text("sealed_api_key"),
    sealedApiSecret: text("sealed_api_secret"),
    sealedPassphrase: text("sealed_passphrase"),
    /** First and last characters of the key. */
    apiKeyHint: varchar("api_key_hint", { length: 20 }),
    /** When the keys were last replaced by others; null while they are those that it was opened with. */
    keysUpdatedAt: instant("keys_updated_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: instant("deleted_at"),
  },
  (t) => [
    foreignKey({ name: "fk_accounts_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    foreignKey({ name: "fk_accounts_exchange_id", columns: [t.exchangeId], foreignColumns: [exchanges.id] }),
    unique("uk_accounts_id_user_id").on(t.id, t.userId),
    uniqueIndex("uk_accounts_user_id_name").on(t.userId, t.name).where(sql`deleted_at is null`),
    check("ck_accounts_name", sql`length(btrim(${t.name})) > 0`),
    check("ck_accounts_sealed_api_key", sealed(t.sealedApiKey)),
    check("ck_accounts_sealed_api_secret", sealed(t.sealedApiSecret)),
    check("ck_accounts_sealed_passphrase", sealed(t.sealedPassphrase)),
    // A paper account has nothing to sign in to; every other has all that it takes, until it has ended and they are forgotten.
    check(
      "ck_accounts_credentials",
      sql`case when ${t.environment} = 'PAPER' or (${t.status} = 'INACTIVE' and ${t.sealedApiKey} is null) then num_nonnulls(${t.sealedApiKey}, ${t.sealedApiSecret}, ${t.sealedPassphrase}, ${t.apiKeyHint}) = 0 else num_nonnulls(${t.sealedApiKey}, ${t.sealedApiSecret}, ${t.apiKeyHint}) = 3 end`,
    ),
    // A key that can take money away is not one to trade with.
    check("ck_accounts_permissions", sql`not 'WITHDRAW' = any (${t.permissions})`),
    check("ck_accounts_deleted_at", sql`${t.deletedAt} is null or ${t.status} <> 'ACTIVE'`),
    index("idx_accounts_user_id_exchange_id").on(t.userId, t.exchangeId),
  ],
);

/** What a user calls the orders that belong together; limits may bind them. */
export const strategies = pgTable(
  "strategies",
  {
    id: id(),
    userId: userId(),
    name: varchar("name", { length: 100 }).notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: instant("deleted_at"),
  },
  (t) => [
    foreignKey({ name: "fk_strategies_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    unique("uk_strategies_id_user_id").on(t.id, t.userId),
    uniqueIndex("uk_strategies_user_id_name").on(t.userId, t.name).where(sql`deleted_at is null`),
    check("ck_strategies_name", sql`length(btrim(${t.name})) > 0`),
  ],
);

/**
 * One narrow row per account: every change of the account's orders, balances and positions takes its lock first and its next
 * number. So all changes of an account come one after the other, in the order of their numbers.
 */
export const accountSequences = pgTable(
  "account_sequences",
  {
    accountId: uuid("account_id").primaryKey(),
    userId: userId(),
    /** Of the newest event. */
    sequence: bigint("sequence", { mode: "number" }).notNull().default(0),
    /** What the account was worth when it was first asked about on that day (UTC), and the most that it ever was. */
    equityDay: date("equity_day"),
    equityAtMidnight: decimal("equity_at_midnight"),
    highestEquity: decimal("highest_equity"),
  },
  (t) => [
    ofAccount("account_sequences", [t.accountId, t.userId]),
    check("ck_account_sequences_sequence", sql`${t.sequence} >= 0`),
    index("idx_account_sequences_user_id").on(t.userId),
  ],
);

/** The sum of an asset's ledger entries, kept by the database with each of them. */
export const accountBalances = pgTable(
  "account_balances",
  {
    accountId: accountId(),
    userId: userId(),
    asset: asset(),
    available: decimal("available").notNull(),
    locked: decimal("locked").notNull(),
    /** Of the account's event that it is as of. */
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    updatedAt: updatedAt(),
  },
  (t) => [
    primaryKey({ name: "pk_account_balances", columns: [t.accountId, t.asset] }),
    ofAccount("account_balances", [t.accountId, t.userId]),
    check("ck_account_balances_available", sql`${t.available} >= 0`),
    check("ck_account_balances_locked", sql`${t.locked} >= 0`),
  ],
);

export const positions = pgTable(
  "positions",
  {
    id: id(),
    userId: userId(),
    accountId: accountId(),
    symbolId: symbolId(),
    side: positionSideEnum("side").notNull(),
    status: positionStatusEnum("status").notNull(),
    quantity: decimal("quantity").notNull(),
    /** What the quantity cost, in quote currency; the entry price follows from it, rounded. */
    entryCost: decimal("entry_cost").notNull(),
    entryPrice: decimal("entry_price"),
    liquidationPrice: decimal("liquidation_price"),
    leverage: smallint("leverage").notNull(),
    marginMode: marginModeEnum("margin_mode").notNull(),
    /** In quote currency, part of the account's locked balance. */
    marginUsed: decimal("margin_used").notNull(),
    realizedPnl: decimal("realized_pnl").notNull(),
    stopLoss: decimal("stop_loss"),
    takeProfit: decimal("take_profit"),
    /** Number of changes so far. */
    version: integer("version").notNull(),
    /** Of the account's event that it is as of. */
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    openedAt: instant("opened_at").notNull(),
    closedAt: instant("closed_at"),
    updatedAt: instant("updated_at").notNull(),
    deletedAt: instant("deleted_at"),
  },
  (t) => [
    ofAccount("positions", [t.accountId, t.userId]),
    ofSymbol("positions", t.symbolId),
    unique("uk_positions_id_account_id").on(t.id, t.accountId),
    // One-way mode has one position of a symbol, hedge mode a long and a short one.
    uniqueIndex("uk_positions_open").on(t.accountId, t.symbolId, t.side).where(sql`status = 'OPEN'`),
    check("ck_positions_leverage", sql`${t.leverage} between 1 and 125`),
    check("ck_positions_margin_used", sql`${t.marginUsed} >= 0`),
    check("ck_positions_side", sql`${t.side} <> 'BOTH'`),
    check("ck_positions_prices", sql`${t.entryPrice} > 0 and ${t.liquidationPrice} > 0 and ${t.entryCost} >= 0`),
    check("ck_positions_triggers", sql`${t.stopLoss} > 0 and ${t.takeProfit} > 0`),
    check(
      "ck_positions_status",
      sql`case when ${t.status} = 'OPEN' then ${t.quantity} > 0 and ${t.entryPrice} is not null and ${t.closedAt} is null else ${t.quantity} = 0 and ${t.entryCost} = 0 and ${t.marginUsed} = 0 and ${t.closedAt} is not null end`,
    ),
    check("ck_positions_closed_at", sql`${t.closedAt} >= ${t.openedAt}`),
    check("ck_positions_version", sql`${t.version} > 0`),
    // Ids sort by age.
    index("idx_positions_user_id").on(t.userId, t.id),
    index("idx_positions_account_id").on(t.accountId, t.id),
  ],
);

export const orders = pgTable(
  "orders",
  {
    id: id(),
    userId: userId(),
    accountId: accountId(),
    symbolId: symbolId(),
    positionId: uuid("position_id"),
    strategyId: uuid("strategy_id"),
    clientOrderId: varchar("client_order_id", { length: 64 }).notNull(),
    exchangeOrderId: varchar("exchange_order_id", { length: 100 }),
    side: orderSideEnum("side").notNull(),
    positionSide: positionSideEnum("position_side").notNull(),
    orderType: orderTypeEnum("order_type").notNull(),
    status: orderStatusEnum("status").notNull(),
    timeInForce: timeInForceEnum("time_in_force").notNull(),
    quantity: decimal("quantity").notNull(),
    price: decimal("price"),
    stopPrice: decimal("stop_price"),
    callbackRate: percent("callback_rate"),
    icebergQuantity: decimal("iceberg_quantity"),
    leverage: smallint("leverage").notNull(),
    marginMode: marginModeEnum("margin_mode").notNull(),
    reduceOnly: boolean("reduce_only").notNull(),
    postOnly: boolean("post_only").notNull(),
    stopLoss: decimal("stop_loss"),
    takeProfit: decimal("take_profit"),
    /** The order whose fills this one protects. */
    parentOrderId: uuid("parent_order_id"),
    /** The venue did not answer in time: it may or may not know the order. */
    isUnconfirmed: boolean("is_unconfirmed").notNull(),
    triggeredAt: instant("triggered_at"),
    cancelRequestedAt: instant("cancel_requested_at"),
    /** A replacement that the venue has not answered yet. */
    pendingReplacement: jsonb("pending_replacement").$type<Record<string, string | null>>(),
    filledQuantity: decimal("filled_quantity").notNull(),
    /** Sum of price × quantity over the fills, with every digit. */
    filledQuote: exact("filled_quote").notNull(),
    /** Volume-weighted, rounded; follows from the two above. */
    avgFillPrice: decimal("avg_fill_price"),
    /** One entry per asset: `[{asset, amount}]`. */
    commissions: jsonb("commissions").$type<readonly { asset: string; amount: string }[]>().notNull(),
    /** What its reservation is reckoned with where it has no price of its own. */
    reservePrice: decimal("reserve_price"),
    /** Of the account's locked balance, what is held for this order, or after its end for those that protect its fills. */
    reservedAsset: varchar("reserved_asset", { length: 20 }),
    reserved: decimal("reserved").notNull(),
    rejectCode: varchar("reject_code", { length: 40 }),
    rejectReason: varchar("reject_reason", { length: 500 }),
    /** What the venue keeps of it between two quotes: whether it has triggered, the extreme of a trailing stop … */
    venueState: jsonb("venue_state").$type<Record<string, unknown>>().notNull().default({}),
    /** What was asked for with its client order id. */
    contentHash: varchar("content_hash", { length: 64 }).notNull(),
    /** Of its newest event. */
    version: integer("version").notNull(),
    /** Of the account's event that it is as of. */
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    createdAt: instant("created_at").notNull(),
    updatedAt: instant("updated_at").notNull(),
    replacedAt: instant("replaced_at"),
    lastFillAt: instant("last_fill_at"),
    filledAt: instant("filled_at"),
    cancelledAt: instant("cancelled_at"),
    deletedAt: instant("deleted_at"),
  },
  (t) => [
    ofAccount("orders", [t.accountId, t.userId]),
    ofSymbol("orders", t.symbolId),
    ofStrategy("orders", [t.strategyId, t.userId]),
    foreignKey({
      name: "fk_orders_position_id_account_id",
      columns: [t.positionId, t.accountId],
      foreignColumns: [positions.id, positions.accountId],
    }),
    unique("uk_orders_id_account_id").on(t.id, t.accountId),
    foreignKey({
      name: "fk_orders_parent_order_id_account_id",
      columns: [t.parentOrderId, t.accountId],
      foreignColumns: [t.id, t.accountId],
    }),
    unique("uk_orders_account_id_client_order_id").on(t.accountId, t.clientOrderId),
    uniqueIndex("uk_orders_account_id_exchange_order_id")
      .on(t.accountId, t.symbolId, t.exchangeOrderId)
      .where(sql`exchange_order_id is not null`),
    check("ck_orders_client_order_id", sql`length(${t.clientOrderId}) > 0`),
    check("ck_orders_quantity", sql`${t.quantity} > 0`),
    check("ck_orders_filled_quantity", sql`${t.filledQuantity} between 0 and ${t.quantity}`),
    check(
      "ck_orders_prices",
      sql`${t.price} > 0 and ${t.stopPrice} > 0 and ${t.stopLoss} > 0 and ${t.takeProfit} > 0 and ${t.reservePrice} > 0`,
    ),
    check(
      "ck_orders_price",
      sql`(${t.orderType} in ('LIMIT', 'LIMIT_MAKER', 'STOP_LIMIT', 'TAKE_PROFIT_LIMIT')) = (${t.price} is not null)`,
    ),
    check(
      "ck_orders_stop_price",
      sql`case when ${t.orderType} in ('STOP_MARKET', 'STOP_LIMIT', 'TAKE_PROFIT', 'TAKE_PROFIT_LIMIT') then ${t.stopPrice} is not null when ${t.orderType} = 'TRAILING_STOP' then true else ${t.stopPrice} is null end`,
    ),
    check(
      "ck_orders_callback_rate",
      sql`(${t.orderType} = 'TRAILING_STOP') = (${t.callbackRate} is not null) and (${t.callbackRate} is null or ${t.callbackRate} > 0 and ${t.callbackRate} < 100)`,
    ),
    check("ck_orders_iceberg_quantity", sql`${t.icebergQuantity} > 0 and ${t.icebergQuantity} <= ${t.quantity}`),
    check(
      "ck_orders_filled_quote",
      sql`(${t.filledQuantity} > 0) = (${t.filledQuote} > 0) and (jsonb_typeof(${t.commissions}) = 'array')`,
    ),
    check("ck_orders_leverage", sql`${t.leverage} between 1 and 125`),
    check("ck_orders_post_only", sql`not ${t.postOnly} or ${t.price} is not null`),
    check(
      "ck_orders_avg_fill_price",
      sql`(${t.filledQuantity} > 0) = (${t.avgFillPrice} is not null) and (${t.avgFillPrice} is null or ${t.avgFillPrice} > 0)`,
    ),
    check("ck_orders_reserved", sql`${t.reserved} >= 0 and (${t.reserved} = 0 or ${t.reservedAsset} is not null)`),
    check(
      "ck_orders_status",
      sql`case ${t.status} when 'PENDING' then ${t.filledQuantity} = 0 when 'NEW' then ${t.filledQuantity} = 0 when 'PARTIALLY_FILLED' then ${t.filledQuantity} > 0 and (${t.filledQuantity} < ${t.quantity} or ${t.pendingReplacement} is not null) when 'FILLED' then ${t.filledQuantity} = ${t.quantity} else true end`,
    ),
    check("ck_orders_filled_at", sql`(${t.status} = 'FILLED') = (${t.filledAt} is not null)`),
    check("ck_orders_cancelled_at", sql`(${t.status} = 'CANCELLED') = (${t.cancelledAt} is not null)`),
    check("ck_orders_reject_reason", sql`(${t.status} = 'REJECTED') = (${t.rejectCode} is not null)`),
    check("ck_orders_version", sql`${t.version} > 0`),
    // Ids sort by age.
    index("idx_orders_user_id").on(t.userId, t.id),
    index("idx_orders_account_id").on(t.accountId, t.id),
    index("idx_orders_parent_order_id").on(t.parentOrderId).where(sql`parent_order_id is not null`),
    index("idx_orders_position_id").on(t.positionId).where(sql`position_id is not null`),
    index("idx_orders_strategy_id").on(t.strategyId, t.id).where(sql`strategy_id is not null`),
    index("idx_orders_waiting")
      .on(t.accountId)
      .where(
        sql`status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') and (status = 'PENDING' or cancel_requested_at is not null or pending_replacement is not null)`,
      ),
    index("idx_orders_open").on(t.accountId, t.symbolId).where(sql`status in ('PENDING', 'NEW', 'PARTIALLY_FILLED')`),
  ],
);

/** Executions of orders. Rows are only ever added. */
export const orderFills = pgTable(
  "order_fills",
  {
    id: id(),
    userId: userId(),
    accountId: accountId(),
    orderId: uuid("order_id").notNull(),
    symbolId: symbolId(),
    positionId: uuid("position_id"),
    exchangeFillId: varchar("exchange_fill_id", { length: 100 }).notNull(),
    price: decimal("price").notNull(),
    quantity: decimal("quantity").notNull(),
    commission: decimal("commission").notNull(),
    commissionAsset: varchar("commission_asset", { length: 20 }),
    realizedPnl: decimal("realized_pnl").notNull(),
    isMaker: boolean("is_maker").notNull(),
    filledAt: instant("filled_at").notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    ofAccount("order_fills", [t.accountId, t.userId]),
    ofSymbol("order_fills", t.symbolId),
    foreignKey({
      name: "fk_order_fills_order_id_account_id",
      columns: [t.orderId, t.accountId],
      foreignColumns: [orders.id, orders.accountId],
    }),
    foreignKey({
      name: "fk_order_fills_position_id_account_id",
      columns: [t.positionId, t.accountId],
      foreignColumns: [positions.id, positions.accountId],
    }),
    unique("uk_order_fills_account_id_exchange_fill_id").on(t.accountId, t.symbolId, t.exchangeFillId),
    check("ck_order_fills_price", sql`${t.price} > 0`),
    check("ck_order_fills_quantity", sql`${t.quantity} > 0`),
    check("ck_order_fills_commission_asset", sql`${t.commission} = 0 or ${t.commissionAsset} is not null`),
    // Clocks differ a little.
    check("ck_order_fills_filled_at", sql`${t.filledAt} <= ${t.createdAt} + interval '5 minutes'`),
    index("idx_order_fills_order_id").on(t.orderId, t.id),
    index("idx_order_fills_position_id").on(t.positionId, t.id).where(sql`position_id is not null`),
  ],
);

/** Every movement of every asset. Rows are only ever added. */
export const ledgerEntries = pgTable(
  "ledger_entries",
  {
    id: id(),
    userId: userId(),
    accountId: accountId(),
    /** The account's event that it belongs to, and its place in it. */
    accountSequence: bigint("account_sequence", { mode: "number" }).notNull(),
    ordinal: smallint("ordinal").notNull(),
    asset: asset(),
    reason: ledgerReasonEnum("reason").notNull(),
    availableChange: decimal("available_change").notNull(),
    lockedChange: decimal("locked_change").notNull(),
    orderId: uuid("order_id"),
    fillId: uuid("fill_id"),
    occurredAt: instant("occurred_at").notNull(),
  },
  (t) => [
    ofAccount("ledger_entries", [t.accountId, t.userId]),
    foreignKey({
      name: "fk_ledger_entries_order_id_account_id",
      columns: [t.orderId, t.accountId],
      foreignColumns: [orders.id, orders.accountId],
    }),
    foreignKey({ name: "fk_ledger_entries_fill_id", columns: [t.fillId], foreignColumns: [orderFills.id] }),
    unique("uk_ledger_entries_account_id_account_sequence").on(t.accountId, t.accountSequence, t.ordinal),
    check("ck_ledger_entries_asset", assetFormat(t.asset)),
    check("ck_ledger_entries_changes", sql`${t.availableChange} <> 0 or ${t.lockedChange} <> 0`),
    // To reserve and to release moves money within the account, and to pay in or out moves none that is held back.
    check(
      "ck_ledger_entries_reason",
      sql`case ${t.reason} when 'RESERVE' then ${t.lockedChange} > 0 and ${t.availableChange} = -${t.lockedChange} when 'RELEASE' then ${t.lockedChange} < 0 and ${t.availableChange} = -${t.lockedChange} when 'DEPOSIT' then ${t.availableChange} > 0 and ${t.lockedChange} = 0 when 'WITHDRAWAL' then ${t.availableChange} < 0 and ${t.lockedChange} = 0 else true end`,
    ),
    // A liquidation costs a fee, and has no order.
    check("ck_ledger_entries_order_id", sql`${t.reason} <> 'TRADE' or ${t.orderId} is not null`),
    check("ck_ledger_entries_ordinal", sql`${t.ordinal} >= 0 and ${t.accountSequence} > 0`),
    index("idx_ledger_entries_account_id_asset").on(t.accountId, t.asset, t.accountSequence),
    index("idx_ledger_entries_order_id").on(t.orderId).where(sql`order_id is not null`),
  ],
);

/** What orders may not exceed; of several that apply, the strictest counts. Amounts in quote currency. */
export const riskLimits = pgTable(
  "risk_limits",
  {
    id: id(),
    scope: riskScopeEnum("scope").notNull(),
    /** Users set limits for themselves beside those of operators; both count. */
    setBy: riskLimitAuthorEnum("set_by").notNull().default("OPERATOR"),
    userId: uuid("user_id"),
    accountId: uuid("account_id"),
    strategyId: uuid("strategy_id"),
    maxOrderSize: decimal("max_order_size"),
    maxPositionSize: decimal("max_position_size"),
    maxLeverage: smallint("max_leverage"),
    maxDailyLoss: decimal("max_daily_loss"),
    /** In per cent of the equity at midnight. */
    maxDailyLossPercent: percent("max_daily_loss_percent"),
    /** In per cent of the highest equity. */
    maxDrawdownPercent: percent("max_drawdown_percent"),
    maxOpenPositions: integer("max_open_positions"),
    isEnabled: boolean("is_enabled").notNull().default(true),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: instant("deleted_at"),
  },
  (t) => [
    foreignKey({ name: "fk_risk_limits_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    ofAccount("risk_limits", [t.accountId, t.userId]),
    ofStrategy("risk_limits", [t.strategyId, t.userId]),
    check("ck_risk_limits_set_by", sql`${t.setBy} = 'OPERATOR' or ${t.scope} <> 'GLOBAL'`),
    check(
      "ck_risk_limits_scope",
      sql`case ${t.scope} when 'GLOBAL' then num_nonnulls(${t.userId}, ${t.accountId}, ${t.strategyId}) = 0 when 'USER' then ${t.userId} is not null and num_nonnulls(${t.accountId}, ${t.strategyId}) = 0 when 'ACCOUNT' then num_nonnulls(${t.userId}, ${t.accountId}) = 2 and ${t.strategyId} is null else num_nonnulls(${t.userId}, ${t.strategyId}) = 2 end`,
    ),
    check(
      "ck_risk_limits_amounts",
      sql`${t.maxOrderSize} >= 0 and ${t.maxPositionSize} >= 0 and ${t.maxDailyLoss} >= 0 and ${t.maxOpenPositions} >= 0`,
    ),
    check("ck_risk_limits_max_leverage", sql`${t.maxLeverage} between 1 and 125`),
    check("ck_risk_limits_percent", sql`${t.maxDailyLossPercent} >= 0 and ${t.maxDrawdownPercent} >= 0`),
    index("idx_risk_limits_user_id").on(t.userId).where(sql`deleted_at is null`),
  ],
);
// One living row per author and target is a rule of migration 0012: drizzle cannot say NULLS NOT DISTINCT of an index.

/** Orders that a limit has stopped. Rows are only ever added. */
export const riskViolations = pgTable(
  "risk_violations",
  {
    id: id(),
    userId: userId(),
    accountId: accountId(),
    symbolId: symbolId(),
    /** Of the order that was stopped. */
    strategyId: uuid("strategy_id"),
    limitName: varchar("limit_name", { length: 40 }).notNull(),
    scope: riskScopeEnum("scope").notNull(),
    limitValue: decimal("limit_value").notNull(),
    value: decimal("value").notNull(),
    clientOrderId: varchar("client_order_id", { length: 64 }),
    occurredAt: instant("occurred_at").notNull(),
  },
  (t) => [
    ofAccount("risk_violations", [t.accountId, t.userId]),
    ofSymbol("risk_violations", t.symbolId),
    ofStrategy("risk_violations", [t.strategyId, t.userId]),
    // Ids sort by age.
    index("idx_risk_violations_user_id").on(t.userId, t.id),
    index("idx_risk_violations_account_id_occurred_at").on(t.accountId, t.occurredAt.desc(), t.id.desc()),
  ],
);

/** Balances over time. No policy, because it may be compressed: the program reads it through `own_balance_snapshots`. */
export const balanceSnapshots = pgTable(
  "balance_snapshots",
  {
    accountId: accountId(),
    asset: asset(),
    takenAt: instant("taken_at").notNull(),
    available: decimal("available").notNull(),
    locked: decimal("locked").notNull(),
  },
  (t) => [
    primaryKey({ name: "pk_balance_snapshots", columns: [t.accountId, t.asset, t.takenAt] }),
    foreignKey({ name: "fk_balance_snapshots_account_id", columns: [t.accountId], foreignColumns: [accounts.id] }),
    check("ck_balance_snapshots_amounts", sql`${t.available} >= 0 and ${t.locked} >= 0`),
    // Rows are added in the order of time, and deleted by age.
    index("idx_balance_snapshots_taken_at").using("brin", t.takenAt),
  ],
);
