import { Decimal, decimalText } from "../core/decimal.js";
import { avgFillPrice, type Order, type ReplaceableTerms } from "./order.js";

/**
 * An order as the database keeps it and as it travels to the clients: numbers and times as text, so that none is rounded.
 * Names are the columns'.
 */
export interface OrderRow {
  readonly id: string;
  readonly user_id: string;
  readonly account_id: string;
  readonly symbol_id: number;
  readonly strategy_id: string | null;
  readonly position_id: string | null;
  readonly client_order_id: string;
  readonly exchange_order_id: string | null;
  readonly side: Order["side"];
  readonly position_side: Order["positionSide"];
  readonly order_type: Order["orderType"];
  readonly status: Order["status"];
  readonly time_in_force: Order["timeInForce"];
  readonly quantity: string;
  readonly price: string | null;
  readonly stop_price: string | null;
  readonly callback_rate: string | null;
  readonly iceberg_quantity: string | null;
  readonly leverage: number;
  readonly margin_mode: Order["marginMode"];
  readonly reduce_only: boolean;
  readonly post_only: boolean;
  readonly stop_loss: string | null;
  readonly take_profit: string | null;
  readonly parent_order_id: string | null;
  readonly is_unconfirmed: boolean;
  readonly triggered_at: string | null;
  readonly cancel_requested_at: string | null;
  readonly pending_replacement: PendingReplacementRow | null;
  readonly filled_quantity: string;
  readonly filled_quote: string;
  readonly avg_fill_price: string | null;
  readonly commissions: readonly { readonly asset: string; readonly amount: string }[];
  readonly reserve_price: string | null;
  readonly reserved_asset: string | null;
  readonly reserved: string;
  readonly reject_code: string | null;
  readonly reject_reason: string | null;
  readonly venue_state: Readonly<Record<string, unknown>>;
  readonly content_hash: string;
  readonly version: number;
  readonly sequence: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly replaced_at: string | null;
  readonly last_fill_at: string | null;
  readonly filled_at: string | null;
  readonly cancelled_at: string | null;
  readonly deleted_at: null;
}

interface PendingReplacementRow {
  readonly quantity: string;
  readonly price: string | null;
  readonly stopPrice: string | null;
}

/** What of an order is the ledger's and not part of its life. */
export interface OrderKeeping {
  readonly userId: string;
  readonly contentHash: string;
  readonly positionId: string | null;
  readonly reservedAsset: string | null;
  readonly reserved: Decimal;
  readonly venueState: Readonly<Record<string, unknown>>;
  /** Of the account's event that it is as of. */
  readonly sequence: number;
}

export interface KeptOrder extends OrderKeeping {
  readonly order: Order;
}

const decimalOf = (text: string | null): Decimal | null => (text === null ? null : new Decimal(text));
const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text));
const textOf = (value: Decimal | null): string | null => (value === null ? null : decimalText(value));
const timeOf = (value: Date | null): string | null => (value === null ? null : value.toISOString());

const termsOf = (row: PendingReplacementRow | null): ReplaceableTerms | null =>
  row === null
    ? null
    : {
        quantity: new Decimal(row.quantity),
        price: decimalOf(row.price),
        stopPrice: decimalOf(row.stopPrice),
      };

/** @param fillIds of the fills that are in it, where the caller needs them */
function orderOfRow(row: OrderRow, fillIds: ReadonlySet<string> = new Set()): Order {
  return {
    id: row.id,
    accountId: row.account_id,
    symbolId: row.symbol_id,
    // A message that a node of the release before has sent knows of no strategy.
    strategyId: row.strategy_id ?? null,
    clientOrderId: row.client_order_id,
    exchangeOrderId: row.exchange_order_id,
    parentOrderId: row.parent_order_id,
    side: row.side,
    positionSide: row.position_side,
    orderType: row.order_type,
    timeInForce: row.time_in_force,
    status: row.status,
    quantity: new Decimal(row.quantity),
    price: decimalOf(row.price),
    stopPrice: decimalOf(row.stop_price),
    callbackRate: decimalOf(row.callback_rate),
    icebergQuantity: decimalOf(row.iceberg_quantity),
    leverage: row.leverage,
    marginMode: row.margin_mode,
    reduceOnly: row.reduce_only,
    postOnly: row.post_only,
    stopLoss: decimalOf(row.stop_loss),
    takeProfit: decimalOf(row.take_profit),
    version: row.version,
    isUnconfirmed: row.is_unconfirmed,
    triggeredAt: dateOf(row.triggered_at),
    cancelRequestedAt: dateOf(row.cancel_requested_at),
    pendingReplacement: termsOf(row.pending_replacement),
    filledQuantity: new Decimal(row.filled_quantity),
    filledQuote: new Decimal(row.filled_quote),
    commissions: row.commissions.map(({ asset, amount }) => ({ asset, amount: new Decimal(amount) })),
    fillIds,
    rejectCode: row.reject_code,
    rejectReason: row.reject_reason,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    reservePrice: decimalOf(row.reserve_price),
    replacedAt: dateOf(row.replaced_at),
    lastFillAt: dateOf(row.last_fill_at),
    filledAt: dateOf(row.filled_at),
    cancelledAt: dateOf(row.cancelled_at),
  };
}

export const keptOrderOfRow = (row: OrderRow, fillIds?: ReadonlySet<string>): KeptOrder => ({
  order: orderOfRow(row, fillIds),
  userId: row.user_id,
  contentHash: row.content_hash,
  positionId: row.position_id,
  reservedAsset: row.reserved_asset,
  reserved: new Decimal(row.reserved),
  venueState: row.venue_state,
  sequence: Number(row.sequence),
});

export function rowOfOrder({ order, ...kept }: KeptOrder): OrderRow {
  return {
    id: order.id,
    user_id: kept.userId,
    account_id: order.accountId,
    symbol_id: order.symbolId,
    strategy_id: order.strategyId,
    position_id: kept.positionId,
    client_order_id: order.clientOrderId,
    exchange_order_id: order.exchangeOrderId,
    side: order.side,
    position_side: order.positionSide,
    order_type: order.orderType,
    status: order.status,
    time_in_force: order.timeInForce,
    quantity: decimalText(order.quantity),
    price: textOf(order.price),
    stop_price: textOf(order.stopPrice),
    callback_rate: textOf(order.callbackRate),
    iceberg_quantity: textOf(order.icebergQuantity),
    leverage: order.leverage,
    margin_mode: order.marginMode,
    reduce_only: order.reduceOnly,
    post_only: order.postOnly,
    stop_loss: textOf(order.stopLoss),
    take_profit: textOf(order.takeProfit),
    parent_order_id: order.parentOrderId,
    is_unconfirmed: order.isUnconfirmed,
    triggered_at: timeOf(order.triggeredAt),
    cancel_requested_at: timeOf(order.cancelRequestedAt),
    pending_replacement:
      order.pendingReplacement === null
        ? null
        : {
            quantity: decimalText(order.pendingReplacement.quantity),
            price: textOf(order.pendingReplacement.price),
            stopPrice: textOf(order.pendingReplacement.stopPrice),
          },
    filled_quantity: decimalText(order.filledQuantity),
    filled_quote: decimalText(order.filledQuote),
    avg_fill_price: textOf(avgFillPrice(order)),
    commissions: order.commissions.map(({ asset, amount }) => ({ asset, amount: decimalText(amount) })),
    reserve_price: textOf(order.reservePrice),
    reserved_asset: kept.reservedAsset,
    reserved: decimalText(kept.reserved),
    reject_code: order.rejectCode,
    reject_reason: order.rejectReason?.slice(0, 500) ?? null,
    venue_state: kept.venueState,
    content_hash: kept.contentHash,
    version: order.version,
    sequence: kept.sequence,
    created_at: order.createdAt.toISOString(),
    updated_at: order.updatedAt.toISOString(),
    replaced_at: timeOf(order.replacedAt),
    last_fill_at: timeOf(order.lastFillAt),
    filled_at: timeOf(order.filledAt),
    cancelled_at: timeOf(order.cancelledAt),
    deleted_at: null,
  };
}
