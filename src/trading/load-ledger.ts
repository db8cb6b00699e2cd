import type postgres from "postgres";
import { Decimal } from "../core/decimal.js";
import { notFound } from "../core/errors.js";
import { columnsOf } from "../db/columns.js";
import type { LedgerAccount, LedgerState } from "./ledger-draft.js";
import type { PositionRow } from "./ledger-rows.js";
import { keptOrderOfRow, type OrderRow } from "./order-row.js";
import { keptPositionOfRow } from "./position-row.js";
import type { RiskScope } from "./risk-rules.js";
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
  /** Fills that a venue reports, perhaps again. */
  readonly exchangeFillIds?: readonly string[];
}

const nobody = "00000000-0000-0000-0000-000000000000";
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
}

interface SequenceRow {
  readonly sequence: string;
  readonly equity_day: string | null;
  readonly equity_at_midnight: string | null;
  readonly highest_equity: string | null;
}

interface RiskLimitRow {
  readonly scope: RiskScope;
  readonly max_order_size: string | null;
  readonly max_position_size: string | null;
  readonly max_leverage: number | null;
  readonly max_daily_loss: string | null;
  readonly max_daily_loss_percent: string | null;
  readonly max_drawdown_percent: string | null;
  readonly max_open_positions: number | null;
}

const decimalOf = (text: string | null): Decimal | null => (text === null ? null : new Decimal(text));

/**
 * The statements that take the account's lock and read what the scope names, in this order, to be sent at once: each of them
 * sees what was committed until the lock was had.
 */
export function ledgerStatements(sql: postgres.ReservedSql, scope: LedgerScope) {
  const {
    accountId,
    exchangeFillIds = [],
    orderIds = [],
    clientOrderIds = [],
    openOrdersOf = null,
    ofAccount = false,
    withRisk = false,
  } = scope;
  const symbolId = openOrdersOf === null ? -1 : openOrdersOf === "all" ? 0 : openOrdersOf;
  return [
    sql<SequenceRow[]>`
      select sequence, equity_day::text as equity_day, equity_at_midnight, highest_equity from account_sequences where account_id = ${accountId} for no key update`,
    sql<AccountRow[]>`
      select id, user_id, exchange_id, environment, status, position_mode from accounts
      where id = ${accountId} and deleted_at is null`,
    sql<{ version: number }[]>`
      select version from event_store where stream_id = ${ofAccount ? accountId : nobody} order by version desc limit 1`,
    sql<{ asset: string; available: string; locked: string }[]>`
      select asset, available, locked from account_balances where account_id = ${accountId}`,
    sql<OrderRow[]>`
      with named as (
        select id, coalesce(parent_order_id, id) as owner from orders
        where id = any (${uuids(orderIds)}::text::uuid[]) and account_id = ${accountId}
        union
        select id, coalesce(parent_order_id, id) from orders where account_id = ${accountId} and client_order_id = any (${texts(clientOrderIds)}::text::text[])
        union
        select id, coalesce(parent_order_id, id) from orders
        where account_id = ${accountId} and status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') and (symbol_id = ${symbolId} or ${symbolId} = 0)
      )
      select ${columnsOf(sql, orders)} from orders where id in (select id from named union select owner from named)
      union all
      select o.${columnsOf(sql, orders)} from orders o
      where o.parent_order_id in (select owner from named) and o.id not in (select id from named)`,
    sql<
      PositionRow[]
    >`select ${columnsOf(sql, positions)} from positions where account_id = ${accountId} and status = 'OPEN'`,
    // A venue may tell everything that it knows of an order once more.
    sql<{ order_id: string; exchange_fill_id: string }[]>`
      select order_id, exchange_fill_id from order_fills
      where account_id = ${accountId} and exchange_fill_id = any (${texts(exchangeFillIds)}::text::text[])
      union all
      select f.order_id, f.exchange_fill_id from orders o join order_fills f on f.order_id = o.id
      where o.id = any (${uuids(orderIds)}::text::uuid[]) and o.account_id = ${accountId}
      union all
      select f.order_id, f.exchange_fill_id from orders o join order_fills f on f.order_id = o.id
      where o.account_id = ${accountId} and o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED')
        and (o.symbol_id = ${symbolId} or ${symbolId} = 0)`,
    sql<RiskLimitRow[]>`
      select scope, max_order_size, max_position_size, max_leverage, max_daily_loss, max_daily_loss_percent,
        max_drawdown_percent, max_open_positions
      from risk_limits
      where ${withRisk} and is_enabled and deleted_at is null and scope <> 'STRATEGY'
        and (account_id is null or account_id = ${accountId})`,
  ] as const;
}

type Answers = {
  -readonly [K in keyof ReturnType<typeof ledgerStatements>]: Awaited<ReturnType<typeof ledgerStatements>[K]>;
};

/** @throws {DomainError} NOT_FOUND when the user has no such account */
export function ledgerStateOf([
  sequences,
  accounts,
  versions,
  balances,
  orders,
  positions,
  fills,
  limits,
]: Answers): LedgerState {
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
    positions: positions.map(keptPositionOfRow),
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
    equity: {
      day: sequence.equity_day,
      atMidnight: decimalOf(sequence.equity_at_midnight),
      highest: decimalOf(sequence.highest_equity),
    },
    orders: orders.map((row) => keptOrderOfRow(row, fillsOf.get(row.id))),
  };
}
