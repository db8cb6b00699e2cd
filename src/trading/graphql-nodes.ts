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

/** What an order that is shown may be made of. */
type ShownOrder = Omit<
  OrderRow,
  "user_id" | "is_unconfirmed" | "venue_state" | "content_hash" | "reserved" | "pending_replacement" | "deleted_at"
>;

/**
 * An order in the words of the API, each field made when it is asked for: a list shows some of them for many orders, and may
 * have read only the columns of those.
 */
export class OrderNode {
  readonly __typename = "Order";
  readonly #row: ShownOrder;

  constructor(row: ShownOrder) {
    this.#row = row;
  }

  get id(): string {
    return this.#row.id;
  }
  get accountId(): string {
    return this.#row.account_id;
  }
  get symbolId(): number {
    return this.#row.symbol_id;
  }
  get positionId(): string | null {
    return this.#row.position_id;
  }
  get strategyId(): string | null {
    return this.#row.strategy_id ?? null;
  }
  get clientOrderId(): string {
    return this.#row.client_order_id;
  }
  get exchangeOrderId(): string | null {
    return this.#row.exchange_order_id;
  }
  get side(): string {
    return this.#row.side;
  }
  get positionSide(): string {
    return this.#row.position_side;
  }
  get orderType(): string {
    return this.#row.order_type;
  }
  get status(): string {
    return this.#row.status;
  }
  get timeInForce(): string {
    return this.#row.time_in_force;
  }
  get quantity(): DecimalText {
    return text(this.#row.quantity);
  }
  get price(): DecimalText | null {
    return textOrNull(this.#row.price);
  }
  get stopPrice(): DecimalText | null {
    return textOrNull(this.#row.stop_price);
  }
  get callbackRate(): DecimalText | null {
    return textOrNull(this.#row.callback_rate);
  }
  get icebergQuantity(): DecimalText | null {
    return textOrNull(this.#row.iceberg_quantity);
  }
  get leverage(): number {
    return this.#row.leverage;
  }
  get marginMode(): string {
    return this.#row.margin_mode;
  }
  get reduceOnly(): boolean {
    return this.#row.reduce_only;
  }
  get postOnly(): boolean {
    return this.#row.post_only;
  }
  get stopLoss(): DecimalText | null {
    return textOrNull(this.#row.stop_loss);
  }
  get takeProfit(): DecimalText | null {
    return textOrNull(this.#row.take_profit);
  }
  get filledQuantity(): DecimalText {
    return text(this.#row.filled_quantity);
  }
  get remainingQuantity(): DecimalText {
    return decimalText(new Decimal(this.#row.quantity).minus(this.#row.filled_quantity));
  }
  get avgFillPrice(): DecimalText | null {
    return textOrNull(this.#row.avg_fill_price);
  }
  get commission(): DecimalText {
    return text(this.#row.commissions[0]?.amount ?? "0");
  }
  get commissionAsset(): string | null {
    return this.#row.commissions[0]?.asset ?? null;
  }
  get rejectReason(): string | null {
    const { reject_code: code, reject_reason: reason } = this.#row;
    return code === null ? null : [code, reason].filter(Boolean).join(": ");
  }
  get version(): number {
    return this.#row.version;
  }
  get sequence(): string {
    return String(this.#row.sequence);
  }
  get createdAt(): string {
    return this.#row.created_at;
  }
  get updatedAt(): string {
    return this.#row.updated_at;
  }
  get filledAt(): string | null {
    return this.#row.filled_at;
  }
  get cancelledAt(): string | null {
    return this.#row.cancelled_at;
  }
}

export const orderNode = (row: ShownOrder): OrderNode => new OrderNode(row);

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
