import { Decimal, type DecimalText, decimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";
import { isUuid, parseGlobalId } from "../core/ids.js";
import type { Page } from "../core/pagination.js";
import type { PageInfoType } from "../graphql/node.js";
import type { BalanceRow, EntryRow, FillRow, PositionRow } from "./ledger-rows.js";
import type { OrderRow } from "./order-row.js";

/*
 * Rows as the API shows them. The database pads its numbers with zeros; the API's are canonical.
 */

const text = (value: string): DecimalText => decimalText(value);
const textOrNull = (value: string | null): DecimalText | null => (value === null ? null : decimalText(value));

export function orderNode(row: OrderRow) {
  const [commission] = row.commissions;
  return {
    __typename: "Order" as const,
    id: row.id,
    accountId: row.account_id,
    symbolId: row.symbol_id,
    positionId: row.position_id,
    strategyId: row.strategy_id ?? null,
    clientOrderId: row.client_order_id,
    exchangeOrderId: row.exchange_order_id,
    side: row.side,
    positionSide: row.position_side,
    orderType: row.order_type,
    status: row.status,
    timeInForce: row.time_in_force,
    quantity: text(row.quantity),
    price: textOrNull(row.price),
    stopPrice: textOrNull(row.stop_price),
    callbackRate: textOrNull(row.callback_rate),
    icebergQuantity: textOrNull(row.iceberg_quantity),
    leverage: row.leverage,
    marginMode: row.margin_mode,
    reduceOnly: row.reduce_only,
    postOnly: row.post_only,
    stopLoss: textOrNull(row.stop_loss),
    takeProfit: textOrNull(row.take_profit),
    filledQuantity: text(row.filled_quantity),
    remainingQuantity: decimalText(new Decimal(row.quantity).minus(row.filled_quantity)),
    avgFillPrice: textOrNull(row.avg_fill_price),
    commission: commission === undefined ? decimalText("0") : text(commission.amount),
    commissionAsset: commission?.asset ?? null,
    rejectReason: row.reject_code === null ? null : [row.reject_code, row.reject_reason].filter(Boolean).join(": "),
    version: row.version,
    sequence: String(row.sequence),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    filledAt: row.filled_at,
    cancelledAt: row.cancelled_at,
  };
}
export type OrderNode = ReturnType<typeof orderNode>;

export const fillNode = (row: FillRow) => ({
  __typename: "OrderFill" as const,
  id: row.id,
  orderId: row.order_id,
  price: text(row.price),
  quantity: text(row.quantity),
  commission: text(row.commission),
  commissionAsset: row.commission_asset,
  realizedPnl: text(row.realized_pnl),
  isMaker: row.is_maker,
  exchangeFillId: row.exchange_fill_id,
  filledAt: row.filled_at,
});
export type FillNode = ReturnType<typeof fillNode>;

export const positionNode = (row: PositionRow) => ({
  __typename: "Position" as const,
  id: row.id,
  accountId: row.account_id,
  symbolId: row.symbol_id,
  side: row.side,
  status: row.status,
  quantity: text(row.quantity),
  entryPrice: text(row.entry_price),
  liquidationPrice: textOrNull(row.liquidation_price),
  leverage: row.leverage,
  marginMode: row.margin_mode,
  marginUsed: text(row.margin_used),
  realizedPnl: text(row.realized_pnl),
  stopLoss: textOrNull(row.stop_loss),
  takeProfit: textOrNull(row.take_profit),
  version: row.version,
  sequence: String(row.sequence),
  openedAt: row.opened_at,
  closedAt: row.closed_at,
  updatedAt: row.updated_at,
  row,
});
export type PositionNode = ReturnType<typeof positionNode>;

export const balanceNode = (accountId: string, row: BalanceRow) => ({
  accountId,
  asset: row.asset,
  available: text(row.available),
  locked: text(row.locked),
  total: decimalText(new Decimal(row.available).plus(row.locked)),
  sequence: String(row.sequence),
  updatedAt: row.updated_at,
});
export type BalanceNode = ReturnType<typeof balanceNode>;

export const entryNode = (row: EntryRow) => ({
  __typename: "LedgerEntry" as const,
  id: row.id,
  accountId: row.account_id,
  asset: row.asset,
  reason: row.reason,
  availableChange: text(row.available_change),
  lockedChange: text(row.locked_change),
  sequence: String(row.account_sequence),
  orderId: row.order_id,
  fillId: row.fill_id,
  occurredAt: row.occurred_at,
});
export type EntryNode = ReturnType<typeof entryNode>;

export function connectionOf<Row, Node extends object>(page: Page<Row>, nodeOf: (row: Row) => Node) {
  const edges = page.edges.map(({ cursor, node }) => ({ cursor, node: nodeOf(node) }));
  const pageInfo: PageInfoType = {
    hasNextPage: page.hasNextPage,
    hasPreviousPage: page.hasPreviousPage,
    startCursor: edges[0]?.cursor ?? null,
    endCursor: edges.at(-1)?.cursor ?? null,
  };
  return { edges, nodes: edges.map(({ node }) => node), pageInfo };
}

/** The key of a global id of this type. @throws {DomainError} BAD_USER_INPUT */
export function keyOf(type: keyof typeof article, field: string, id: string): string {
  const parsed = parseGlobalId(id);
  if (parsed?.type !== type || !isUuid(parsed.key)) throw badInput(field, `${field} is not the id of ${article[type]}`);
  return parsed.key;
}
const article = {
  Account: "an account",
  Order: "an order",
  Position: "a position",
  RiskLimit: "a risk limit",
  Strategy: "a strategy",
  User: "a user",
} as const;
