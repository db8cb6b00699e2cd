import type postgres from "postgres";
import { keysetOf, keysetPage, uuidPattern } from "../core/keyset-page.js";
import type { Page, PageArguments } from "../core/pagination.js";
import { asUserAtOnce } from "../db/as-user.js";
import { columnsOf } from "../db/columns.js";
import type { Database } from "../db/connect.js";
import type { FillRow } from "./ledger-rows.js";
import type { OrderSide, OrderStatus } from "./order.js";
import type { OrderRow } from "./order-row.js";
import { orderFills, orders } from "./tables.js";

export interface OrderSearch {
  readonly accountId?: string | null;
  readonly symbolId?: number | null;
  readonly statuses?: readonly OrderStatus[] | null;
  readonly side?: OrderSide | null;
  /** From this instant on, and before the other: by the time of creation. */
  readonly from?: Date | null;
  readonly to?: Date | null;
}

type Condition = postgres.PendingQuery<postgres.Row[]>;

/** Conditions that are there, each behind its `and`. */
export function conditionsOf(sql: postgres.ReservedSql, parts: readonly (Condition | null)[]): Condition {
  return parts.reduce<Condition>((all, part) => (part === null ? all : sql`${all} and ${part}`), sql`true`);
}

const uuids = (ids: readonly string[]): string => `{${ids.join()}}`;

/** The user's orders, newest first. @throws {DomainError} BAD_USER_INPUT for wrong page arguments */
export async function listOrders(
  database: Database,
  userId: string,
  search: OrderSearch,
  args: PageArguments,
): Promise<Page<OrderRow>> {
  const keyset = keysetOf(args, "orders", uuidPattern);
  const { accountId, symbolId, statuses, side, from, to } = search;
  const [rows] = await asUserAtOnce(database, userId, (sql) => {
    const where = conditionsOf(sql, [
      accountId == null ? sql`user_id = ${userId}` : sql`account_id = ${accountId}`,
      symbolId == null ? null : sql`symbol_id = ${symbolId}`,
      statuses == null ? null : sql`status = any (${`{${statuses.join()}}`}::text::order_status_enum[])`,
      side == null ? null : sql`side = ${side}`,
      from == null ? null : sql`created_at >= ${from.toISOString()}`,
      to == null ? null : sql`created_at < ${to.toISOString()}`,
      keyset.after === null ? null : sql`id < ${keyset.after}`,
      keyset.before === null ? null : sql`id > ${keyset.before}`,
      sql`deleted_at is null`,
    ]);
    return [
      sql<OrderRow[]>`
        select ${columnsOf(sql, orders)} from orders where ${where} order by id ${keyset.isBackwards ? sql`asc` : sql`desc`} limit ${keyset.limit + 1}`,
    ];
  });
  return keysetPage(rows, keyset, "orders", (row) => row.id);
}

/** Those of the ids that are the user's, by id. */
export async function ordersByIds(
  database: Database,
  userId: string,
  ids: readonly string[],
): Promise<Map<string, OrderRow>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<
      OrderRow[]
    >`select ${columnsOf(sql, orders)} from orders where id = any (${uuids(ids)}::text::uuid[]) and deleted_at is null`,
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** By its client order id, which is unique within its account; without an account the newest one. */
export async function orderByClientId(
  database: Database,
  userId: string,
  clientOrderId: string,
  accountId: string | null,
): Promise<OrderRow | null> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    accountId === null
      ? sql<OrderRow[]>`
          select ${columnsOf(sql, orders, "o")} from accounts a join orders o on o.account_id = a.id and o.client_order_id = ${clientOrderId}
          where a.user_id = ${userId} order by o.id desc limit 1`
      : sql<
          OrderRow[]
        >`select ${columnsOf(sql, orders)} from orders where account_id = ${accountId} and client_order_id = ${clientOrderId}`,
  ]);
  return rows[0] ?? null;
}

/** The first fills of each of the orders, by order, in the order in which they happened. */
export async function fillsOfOrders(
  database: Database,
  userId: string,
  orderIds: readonly string[],
  limit: number,
): Promise<Map<string, FillRow[]>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<FillRow[]>`
      select ${columnsOf(sql, orderFills, "f")} from unnest(${uuids(orderIds)}::text::uuid[]) as wanted (id)
      cross join lateral (select ${columnsOf(sql, orderFills)} from order_fills where order_id = wanted.id order by filled_at, id limit ${limit}) f`,
  ]);
  return groupedBy(orderIds, rows, (row) => row.order_id);
}

export async function fillsByIds(
  database: Database,
  userId: string,
  ids: readonly string[],
): Promise<Map<string, FillRow>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<FillRow[]>`select ${columnsOf(sql, orderFills)} from order_fills where id = any (${uuids(ids)}::text::uuid[])`,
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}

export interface OrderEventRow {
  readonly stream_id: string;
  readonly version: number;
  readonly event_type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly occurred_at: string;
}

/** What happened to each of the orders, by order, from its first event on. */
export async function eventsOfOrders(
  database: Database,
  userId: string,
  orderIds: readonly string[],
): Promise<Map<string, OrderEventRow[]>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<OrderEventRow[]>`
      select stream_id, version, event_type, data, occurred_at from event_store
      where stream_id = any (${uuids(orderIds)}::text::uuid[]) order by stream_id, version`,
  ]);
  return groupedBy(orderIds, rows, (row) => row.stream_id);
}

function groupedBy<T>(keys: readonly string[], rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>(keys.map((key) => [key, []]));
  for (const row of rows) groups.get(keyOf(row))?.push(row);
  return groups;
}
