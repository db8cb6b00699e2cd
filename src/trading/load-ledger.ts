import type postgres from "postgres";
import { Decimal } from "../core/decimal.js";
import { notFound } from "../core/errors.js";
import { columnsOf } from "../db/columns.js";
import type { LedgerAccount, LedgerState, WaitingOrders } from "./ledger-draft.js";
import type { LimitRow, PositionRow } from "./ledger-rows.js";
import { keptOrderOfRow, type OrderRow } from "./order-row.js";
import { keptPositionOfRow } from "./position-row.js";
import { orders, positions } from "./tables.js";

/** What of an account a change needs to see. Balances and open positions are always there. */
export interface LedgerScope {
  readonly accountId: string;
  /** With all orders that share a reservation with them. */
  readonly orderIds?: readonly string[];
  readonly clientOrderIds?: readonly string[];
  /** All open orders of the symbol; "all": of the account. */
  readonly openOrdersOf?: number | "all" | null;
  /** Whether the change has an event of the account itself. */
  readonly ofAccount?: boolean;
  /** Whether limits are asked about. */
  readonly withRisk?: boolean;
  /** Of the order that is asked about. */
  readonly strategyId?: string | null;
  /** An open order that does not count as waiting: it is the one that is asked about. */
  readonly replacing?: string;
  /** Fills that a venue reports, perhaps again. */
  readonly exchangeFillIds?: readonly string[];
}

const uuids = (ids: readonly string[]): string => `{${ids.join()}}`;

const texts = (values: readonly string[]): string =>
  `{${values.map((value) => `"${value.replace(/["\\]/g, "\\$&")}"`).join()}}`;

interface AccountRow {
  readonly id: string;
  readonly user_id: string;
  readonly exchange_id: number;
  readonly environment: LedgerAccount["environment"];
  readonly status: LedgerAccount["status"];
  readonly position_mode: LedgerAccount["positionMode"];
  /** The one that was asked for, if the user has it. */
  readonly strategy_id: string | null;
}

interface WaitingRow {
  readonly symbol_id: number;
  readonly side: WaitingOrders["side"];
  readonly position_side: WaitingOrders["positionSide"];
  readonly quantity: string;
}

interface SequenceRow {
  readonly sequence: string;
  readonly equity_day: string | null;
  readonly equity_at_midnight: string | null;
  readonly highest_equity: string | null;
}

const decimalOf = (text: string | null): Decimal | null => (text === null ? null : new Decimal(text));

type Statement<Row extends object> = postgres.PendingQuery<Row[]>;

/**
 * The statements that take the account's lock and read what the scope names, in this order, to be sent at once: each of them
 * sees what was committed until the lock was had. Null: there is nothing to ask. What was not asked for is no part of a
 * statement either, because a plan that is prepared for everything looks through everything.
 */
export function ledgerStatements(sql: postgres.ReservedSql, scope: LedgerScope) {
  const { accountId, ofAccount = false, withRisk = false, strategyId = null, replacing = nobody } = scope;
  return [
    sql<SequenceRow[]>`
      select sequence, equity_day::text as equity_day, equity_at_midnight, highest_equity from account_sequences where account_id = ${accountId} for no key update`,
    sql<AccountRow[]>`
      select id, user_id, exchange_id, environment, status, position_mode,
        ${strategyId === null ? sql`null::uuid` : sql`(select s.id from strategies s where s.id = ${strategyId} and s.deleted_at is null)`} as strategy_id
      from accounts where id = ${accountId} and deleted_at is null`,
    ofAccount
      ? sql<{ version: number }[]>`
          select version from event_store where stream_id = ${accountId} order by version desc limit 1`
      : null,
    sql<{ asset: string; available: string; locked: string }[]>`
      select asset, available, locked from account_balances where account_id = ${accountId}`,
    selectOrders(sql, scope),
    sql<
      PositionRow[]
    >`select ${columnsOf(sql, positions)} from positions where account_id = ${accountId} and status = 'OPEN'`,
    selectFills(sql, scope),
    withRisk
      ? sql<LimitRow[]>`
          select scope, max_order_size, max_position_size, max_leverage, max_daily_loss, max_daily_loss_percent,
            max_drawdown_percent, max_open_positions
          from risk_limits where ${isLimit(sql, scope)}`
      : null,
    // What may still be filled counts as if it were, where there is a limit of what is held.
    withRisk
      ? sql<WaitingRow[]>`
          select symbol_id, side, position_side, sum(quantity - filled_quantity) as quantity from orders
          where account_id = ${accountId} and status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') and not reduce_only
            and parent_order_id is null and id <> ${replacing}
            and exists (
              select from risk_limits
              where ${isLimit(sql, scope)} and (max_position_size is not null or max_open_positions is not null))
          group by symbol_id, side, position_side`
      : null,
  ] as const;
}

type Fragment = Statement<postgres.Row>;

const nobody = "00000000-0000-0000-0000-000000000000";

/** Of the limits those that bind an order of the scope. */
const isLimit = (sql: postgres.ReservedSql, { accountId, strategyId = null }: LedgerScope): Fragment =>
  sql`is_enabled and deleted_at is null and (account_id is null or account_id = ${accountId})
    and ${strategyId === null ? sql`strategy_id is null` : sql`(strategy_id is null or strategy_id = ${strategyId})`}`;

/** The rows of all that are there. */
const together = (sql: postgres.ReservedSql, parts: readonly (Fragment | null)[], by: Fragment): Fragment | null =>
  parts.reduce((all, part) => (all === null || part === null ? (all ?? part) : sql`${all} ${by} ${part}`), null);

/** Of the account's open orders those that the scope names. */
const isNamedOpen = (sql: postgres.ReservedSql, { accountId, openOrdersOf }: LedgerScope): Fragment =>
  sql`o.account_id = ${accountId} and o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') ${
    openOrdersOf === "all" ? sql`` : sql`and o.symbol_id = ${openOrdersOf ?? 0}`
  }`;

function selectOrders(sql: postgres.ReservedSql, scope: LedgerScope): Statement<OrderRow> | null {
  const { accountId, orderIds = [], clientOrderIds = [], openOrdersOf = null } = scope;
  const select = sql`select o.id, coalesce(o.parent_order_id, o.id) as owner from`;
  const parts = [
    orderIds.length === 0
      ? null
      : sql`
          ${select} unnest(${uuids(orderIds)}::text::uuid[]) as wanted (id)
          cross join lateral (select * from orders where id = wanted.id offset 0) o where o.account_id = ${accountId}`,
    clientOrderIds.length === 0
      ? null
      : sql`
          ${select} unnest(${texts(clientOrderIds)}::text::text[]) as wanted (client_order_id)
          cross join lateral (
            select * from orders where account_id = ${accountId} and client_order_id = wanted.client_order_id offset 0
          ) o`,
    openOrdersOf === null ? null : sql`${select} orders o where ${isNamedOpen(sql, scope)}`,
  ];
  const named = together(sql, parts, sql`union`);
  if (named === null) return null;
  // Row by row, by keys: a plan is made once for the connection, at a time when there may be hardly any orders, and the tables
  // that were then small enough to be read whole grow under it.
  const columns = columnsOf(sql, orders);
  return sql<OrderRow[]>`
    with named as materialized (${named})
    select o.* from (select id from named union select owner from named) known
    cross join lateral (select ${columns} from orders where id = known.id offset 0) o
    union all
    select o.* from (select distinct owner from named) known
    cross join lateral (select ${columns} from orders where parent_order_id = known.owner offset 0) o
    where o.id not in (select id from named)`;
}

/** A venue may tell everything that it knows of an order once more. */
function selectFills(
  sql: postgres.ReservedSql,
  scope: LedgerScope,
): Statement<{ order_id: string; exchange_fill_id: string }> | null {
  const { accountId, orderIds = [], exchangeFillIds = [], openOrdersOf = null } = scope;
  const ofOrder = sql`cross join lateral (select * from order_fills where order_id = o.id offset 0) f`;
  const parts = [
    exchangeFillIds.length === 0
      ? null
      : sql`
          select f.order_id, f.exchange_fill_id from unnest(${texts(exchangeFillIds)}::text::text[]) as wanted (id)
          cross join lateral (
            select * from order_fills where account_id = ${accountId} and exchange_fill_id = wanted.id offset 0
          ) f`,
    orderIds.length === 0
      ? null
      : sql`
          select f.order_id, f.exchange_fill_id from unnest(${uuids(orderIds)}::text::uuid[]) as o (id) ${ofOrder}
          where f.account_id = ${accountId}`,
    openOrdersOf === null
      ? null
      : sql`select f.order_id, f.exchange_fill_id from orders o ${ofOrder} where ${isNamedOpen(sql, scope)}`,
  ];
  const fills = together(sql, parts, sql`union all`);
  return fills && sql<{ order_id: string; exchange_fill_id: string }[]>`${fills}`;
}

/** Of the statements in turn; nothing for those that were not asked. */
export type LedgerAnswers = {
  -readonly [K in keyof ReturnType<typeof ledgerStatements>]: Awaited<
    NonNullable<ReturnType<typeof ledgerStatements>[K]>
  >;
};

/** @throws {DomainError} NOT_FOUND when the user has no such account */
export function ledgerStateOf([
  sequences,
  accounts,
  versions,
  balances,
  orderRows,
  positionRows,
  fills,
  limits,
  waiting,
]: LedgerAnswers): LedgerState {
  const [account] = accounts;
  const [sequence] = sequences;
  if (account === undefined || sequence === undefined) throw notFound("account");
  const fillsOf = new Map<string, Set<string>>();
  for (const { order_id, exchange_fill_id } of fills) {
    const known = fillsOf.get(order_id);
    if (known === undefined) fillsOf.set(order_id, new Set([exchange_fill_id]));
    else known.add(exchange_fill_id);
  }
  return {
    account: {
      id: account.id,
      userId: account.user_id,
      exchangeId: account.exchange_id,
      environment: account.environment,
      status: account.status,
      positionMode: account.position_mode,
    },
    sequence: Number(sequence.sequence),
    accountVersion: versions[0]?.version ?? 0,
    balances: new Map(
      balances.map(({ asset, available, locked }) => [
        asset,
        { available: new Decimal(available), locked: new Decimal(locked) },
      ]),
    ),
    positions: positionRows.map(keptPositionOfRow),
    limits: limits.map((row) => ({
      scope: row.scope,
      maxOrderSize: decimalOf(row.max_order_size),
      maxPositionSize: decimalOf(row.max_position_size),
      maxLeverage: row.max_leverage,
      maxDailyLoss: decimalOf(row.max_daily_loss),
      maxDailyLossPercent: decimalOf(row.max_daily_loss_percent),
      maxDrawdownPercent: decimalOf(row.max_drawdown_percent),
      maxOpenPositions: row.max_open_positions,
    })),
    strategyId: account.strategy_id,
    waiting: waiting.map((row) => ({
      symbolId: row.symbol_id,
      side: row.side,
      positionSide: row.position_side,
      quantity: new Decimal(row.quantity),
    })),
    equity: {
      day: sequence.equity_day,
      atMidnight: decimalOf(sequence.equity_at_midnight),
      highest: decimalOf(sequence.highest_equity),
    },
    orders: orderRows.map((row) => keptOrderOfRow(row, fillsOf.get(row.id))),
  };
}
