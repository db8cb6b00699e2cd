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
  /** Of an order that is to be placed: one that has it already is there alone. */
  readonly newClientOrderId?: string;
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

/** Of `load_account`, all null when the user has no such account. */
interface AccountRow {
  readonly sequence: string;
  readonly equity_day: string | null;
  readonly equity_at_midnight: string | null;
  readonly highest_equity: string | null;
  readonly exchange_id: number | null;
  readonly environment: LedgerAccount["environment"];
  readonly status: LedgerAccount["status"];
  readonly position_mode: LedgerAccount["positionMode"];
  readonly version: number | null;
  /** Each asset with what is available and what is locked. */
  readonly balances: readonly (readonly [string, string, string])[] | null;
  readonly limits: readonly LimitRow[] | null;
  readonly waiting: readonly WaitingRow[] | null;
  /** The one that was asked for, if the user has it. */
  readonly strategy_id: string | null;
  /** Of the order that has the new client order id. */
  readonly known_order_id: string | null;
}

interface WaitingRow {
  readonly symbol_id: number;
  readonly side: WaitingOrders["side"];
  readonly position_side: WaitingOrders["positionSide"];
  readonly quantity: string;
}

const decimalOf = (text: string | null): Decimal | null => (text === null ? null : new Decimal(text));

type Statement<Row extends object> = postgres.PendingQuery<Row[]>;

/** A transaction that says nothing for so long is ended by the server: whoever stands still does not keep others waiting. */
const silence = "3s";

/**
 * The statements that take the account's lock and read what the scope names, in this order, to be sent at once: each of them
 * sees what was committed until the lock was had. Null: there is nothing to ask. What was not asked for is no part of a
 * statement either, because a plan that is prepared for everything looks through everything.
 */
export function ledgerStatements(sql: postgres.ReservedSql, userId: string, scope: LedgerScope) {
  const { accountId, ofAccount = false, withRisk = false, strategyId = null, replacing = null } = scope;
  return [
    sql<AccountRow[]>`
      select * from load_account(${userId}, ${accountId}, ${silence}, ${ofAccount}, ${withRisk}, ${strategyId}, ${replacing},
        ${scope.newClientOrderId ?? null})`,
    selectOrders(sql, scope),
    sql<
      PositionRow[]
    >`select ${columnsOf(sql, positions)} from positions where account_id = ${accountId} and status = 'OPEN'`,
    selectFills(sql, scope),
  ] as const;
}

/** The one that has the new client order id, if there is one; asked for in the same transaction. */
export function selectKnownOrder(sql: postgres.ReservedSql, [[account]]: LedgerAnswers): Statement<OrderRow> | null {
  const id = account?.known_order_id ?? null;
  return id === null ? null : sql<OrderRow[]>`select ${columnsOf(sql, orders)} from orders where id = ${id}`;
}

/**
 * What open orders may still add where the account's row was asked for limits and does not tell it; asked for in the same
 * transaction. Where something is open both ways go through it, whatever the limits are about: orders that would each only
 * close it may turn it round together.
 */
export function selectWaiting(
  sql: postgres.ReservedSql,
  scope: LedgerScope,
  [[account], , open]: LedgerAnswers,
): Statement<WaitingRow> | null {
  const { accountId, replacing = null } = scope;
  const limits = account?.limits ?? [];
  const isTold = limits.some((limit) => limit.max_position_size !== null || limit.max_open_positions !== null);
  if (limits.length === 0 || isTold || open.length === 0) return null;
  return sql<WaitingRow[]>`
    select o.symbol_id, o.side, o.position_side, sum(o.quantity - o.filled_quantity)::text as quantity from orders o
    where o.account_id = ${accountId} and o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') and not o.reduce_only
      and o.parent_order_id is null and o.id is distinct from ${replacing}::uuid
    group by o.symbol_id, o.side, o.position_side`;
}

type Fragment = Statement<postgres.Row>;

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
export function ledgerStateOf(
  userId: string,
  { accountId }: LedgerScope,
  [[account], orderRows, positionRows, fills]: LedgerAnswers,
  known: readonly OrderRow[],
  waiting: readonly WaitingRow[],
): LedgerState {
  if (account === undefined || account.exchange_id === null) throw notFound("account");
  const fillsOf = new Map<string, Set<string>>();
  for (const { order_id, exchange_fill_id } of fills) {
    const ids = fillsOf.get(order_id);
    if (ids === undefined) fillsOf.set(order_id, new Set([exchange_fill_id]));
    else ids.add(exchange_fill_id);
  }
  return {
    account: {
      id: accountId,
      userId,
      exchangeId: account.exchange_id,
      environment: account.environment,
      status: account.status,
      positionMode: account.position_mode,
    },
    sequence: Number(account.sequence),
    accountVersion: account.version ?? 0,
    balances: new Map(
      account.balances?.map(([asset, available, locked]) => [
        asset,
        { available: new Decimal(available), locked: new Decimal(locked) },
      ]),
    ),
    positions: positionRows.map(keptPositionOfRow),
    limits: (account.limits ?? []).map((row) => ({
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
    waiting: (account.waiting ?? waiting).map((row) => ({
      symbolId: row.symbol_id,
      side: row.side,
      positionSide: row.position_side,
      quantity: new Decimal(row.quantity),
    })),
    equity: {
      day: account.equity_day,
      atMidnight: decimalOf(account.equity_at_midnight),
      highest: decimalOf(account.highest_equity),
    },
    orders: [...orderRows, ...known].map((row) => keptOrderOfRow(row, fillsOf.get(row.id))),
  };
}
