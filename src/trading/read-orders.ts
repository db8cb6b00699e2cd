import type postgres from "postgres";
import { type Keyset, keysetOf, keysetPage, uuidPattern } from "../core/keyset-page.js";
import type { Page, PageArguments } from "../core/pagination.js";
import { asUserAtOnce, readAsUser, type UserRows } from "../db/as-user.js";
import { columnsOf } from "../db/columns.js";
import type { Database } from "../db/connect.js";
import type { FillRow } from "./ledger-rows.js";
import type { OrderSide, OrderStatus } from "./order.js";
import type { OrderRow } from "./order-row.js";
import { orderFills, orders } from "./tables.js";

export interface OrderSearch {
  readonly accountId?: string | null;
  readonly symbolId?: number | null;
  readonly strategyId?: string | null;
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

/**
 * The user's orders, newest first, with at least the columns of these fields of the API.
 * @throws {DomainError} BAD_USER_INPUT for wrong page arguments
 */
export async function listOrders(
  database: Database,
  userId: string,
  search: OrderSearch,
  args: PageArguments,
  fields: ReadonlySet<string>,
): Promise<Page<OrderRow>> {
  const keyset = keysetOf(args, "orders", uuidPattern);
  const { rows, values } = pageOfOrders(userId, search, keyset, fields);
  return keysetPage(await readAsUser<OrderRow>(database, userId, rows, values), keyset, "orders", (row) => row.id);
}

/** What a list of orders always reads: what most lists show, and what leads to other things. */
const basics: readonly (keyof OrderRow)[] = [
  "id",
  "account_id",
  "symbol_id",
  "position_id",
  "strategy_id",
  "client_order_id",
  "side",
  "order_type",
  "status",
  "quantity",
  "price",
  "filled_quantity",
  "created_at",
];
/**
 * The other columns that are shown, by the fields that are made of them. They are read by the group and not one by one: each
 * connection keeps the statements that it has prepared, so there must be only a few.
 */
const groups: readonly Readonly<Record<string, readonly (keyof OrderRow)[]>>[] = [
  {
    timeInForce: ["time_in_force"],
    stopPrice: ["stop_price"],
    callbackRate: ["callback_rate"],
    icebergQuantity: ["iceberg_quantity"],
    positionSide: ["position_side"],
    leverage: ["leverage"],
    marginMode: ["margin_mode"],
    reduceOnly: ["reduce_only"],
    postOnly: ["post_only"],
    stopLoss: ["stop_loss"],
    takeProfit: ["take_profit"],
  },
  {
    exchangeOrderId: ["exchange_order_id"],
    avgFillPrice: ["avg_fill_price"],
    commission: ["commissions"],
    commissionAsset: [],
    rejectReason: ["reject_code", "reject_reason"],
    version: ["version"],
    sequence: ["sequence"],
    updatedAt: ["updated_at"],
    filledAt: ["filled_at"],
    cancelledAt: ["cancelled_at"],
  },
];

const basicColumns = basics.join(", ");
const columnGroups = groups.map((group) => ({
  fields: Object.keys(group),
  columns: Object.values(group).flat().join(", "),
}));

const columnsOfFields = (selected: ReadonlySet<string>): string => {
  const asked = columnGroups.filter(({ fields }) => fields.some((field) => selected.has(field)));
  return [basicColumns, ...asked.map(({ columns }) => columns)].join(", ");
};

/** The statement of a page for `readAsUser`, with one row more than asked for. */
export function pageOfOrders(
  userId: string,
  { accountId, symbolId, strategyId, statuses, side, from, to }: OrderSearch,
  { limit, isBackwards, after, before }: Keyset,
  fields: ReadonlySet<string>,
): { readonly rows: UserRows; readonly values: (string | number)[] } {
  const values: (string | number)[] = [];
  // The user's own id is the first value of the statement.
  const place = (value: string | number): string => `$${values.push(value) + 1}`;
  const conditions = [accountId == null ? `user_id = ${place(userId)}` : `account_id = ${place(accountId)}`];
  if (symbolId != null) conditions.push(`symbol_id = ${place(symbolId)}`);
  if (strategyId != null) conditions.push(`strategy_id = ${place(strategyId)}`);
  if (statuses != null) conditions.push(`status = any (${place(`{${statuses.join()}}`)}::text::order_status_enum[])`);
  if (side != null) conditions.push(`side = ${place(side)}`);
  if (from != null) conditions.push(`created_at >= ${place(from.toISOString())}`);
  if (to != null) conditions.push(`created_at < ${place(to.toISOString())}`);
  if (after !== null) conditions.push(`id < ${place(after)}`);
  if (before !== null) conditions.push(`id > ${place(before)}`);
  conditions.push("deleted_at is null");
  return {
    rows: {
      rows: `select ${columnsOfFields(fields)} from orders where ${conditions.join(" and ")}`,
      order: isBackwards ? "id" : "id desc",
      limit: place(limit + 1),
    },
    values,
  };
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
