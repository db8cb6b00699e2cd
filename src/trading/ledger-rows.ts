import type { EventData } from "./order-event-data.js";
import type { OrderRow } from "./order-row.js";
import type { RiskScope } from "./risk-rules.js";

/*
 * Rows as they are written, and as they travel to the clients: numbers and times as text. Names are the columns'.
 */

interface OfAccount {
  readonly user_id: string;
  readonly account_id: string;
}

export interface FillRow extends OfAccount {
  readonly id: string;
  readonly order_id: string;
  readonly symbol_id: number;
  readonly position_id: string | null;
  readonly exchange_fill_id: string;
  readonly price: string;
  readonly quantity: string;
  readonly commission: string;
  readonly commission_asset: string | null;
  readonly realized_pnl: string;
  readonly is_maker: boolean;
  readonly filled_at: string;
  readonly created_at: string;
}

export interface EventRow extends OfAccount {
  readonly id: string;
  readonly account_sequence: number;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly version: number;
  readonly event_type: string;
  readonly data: EventData;
  readonly occurred_at: string;
  readonly recorded_at: string;
}

export interface EntryRow extends OfAccount {
  readonly id: string;
  readonly account_sequence: number;
  readonly ordinal: number;
  readonly asset: string;
  readonly reason: string;
  readonly available_change: string;
  readonly locked_change: string;
  readonly order_id: string | null;
  readonly fill_id: string | null;
  readonly occurred_at: string;
}

export interface BalanceRow {
  readonly asset: string;
  readonly available: string;
  readonly locked: string;
  readonly sequence: number;
  readonly updated_at: string;
}

/** What clients are told of one event. */
export interface LedgerMessage {
  readonly kind: string;
  readonly order: OrderRow | null;
  readonly fill: FillRow | null;
  readonly positions: readonly PositionRow[];
  /** Of the assets that moved. */
  readonly balances: readonly BalanceRow[];
}

export interface QueueRow extends OfAccount {
  readonly event_id: string;
  readonly account_sequence: number;
  readonly payload: LedgerMessage;
  readonly created_at: string;
}

export interface PositionRow extends OfAccount {
  readonly id: string;
  readonly symbol_id: number;
  readonly side: "LONG" | "SHORT";
  readonly status: "OPEN" | "CLOSED" | "LIQUIDATED";
  readonly quantity: string;
  readonly entry_cost: string;
  readonly entry_price: string;
  readonly liquidation_price: string | null;
  readonly leverage: number;
  readonly margin_mode: "ISOLATED" | "CROSS";
  readonly margin_used: string;
  readonly realized_pnl: string;
  readonly stop_loss: string | null;
  readonly take_profit: string | null;
  readonly version: number;
  readonly sequence: number;
  readonly opened_at: string;
  readonly closed_at: string | null;
  readonly updated_at: string;
  readonly deleted_at: null;
}

/** A limit that has stopped an order. */
export interface ViolationRow extends OfAccount {
  readonly id: string;
  readonly symbol_id: number;
  readonly strategy_id: string | null;
  readonly limit_name: string;
  readonly scope: RiskScope;
  readonly limit_value: string;
  readonly value: string;
  readonly client_order_id: string | null;
  readonly occurred_at: string;
}

/** Everything of one change; what is empty is left out. */
export interface LedgerChange {
  readonly equity?: readonly object[];
  readonly positions: readonly PositionRow[];
  readonly orders: readonly OrderRow[];
  readonly fills: readonly FillRow[];
  readonly events: readonly EventRow[];
  readonly queue: readonly QueueRow[];
  readonly entries: readonly EntryRow[];
  readonly violations?: readonly ViolationRow[];
}

/** A change as the database takes it; what is empty is left out. */
export function textOfChange(change: LedgerChange): string {
  const filled = Object.entries(change).filter(([, rows]) => (rows as readonly unknown[]).length > 0);
  return JSON.stringify(Object.fromEntries(filled));
}

/** What a limit binds, as an order is measured by it. */
export interface LimitRow {
  readonly scope: RiskScope;
  readonly max_order_size: string | null;
  readonly max_position_size: string | null;
  readonly max_leverage: number | null;
  readonly max_daily_loss: string | null;
  readonly max_daily_loss_percent: string | null;
  readonly max_drawdown_percent: string | null;
  readonly max_open_positions: number | null;
}
