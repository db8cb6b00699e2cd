import { Decimal, decimalText } from "../core/decimal.js";
import type { PositionRow } from "./ledger-rows.js";
import type { Position } from "./position.js";

/** A position with what the ledger knows of it beside its life. */
export interface KeptPosition {
  readonly id: string;
  readonly userId: string;
  /** Number of its changes. */
  readonly version: number;
  /** Of the account's event that it is as of. */
  readonly sequence: number;
  readonly position: Position;
  /** Of what is open; of a closed one the last that it had. */
  readonly entryPrice: Decimal;
  /** As of its last change. */
  readonly liquidationPrice: Decimal | null;
  readonly stopLoss: Decimal | null;
  readonly takeProfit: Decimal | null;
}

const decimalOf = (text: string | null): Decimal | null => (text === null ? null : new Decimal(text));
const textOf = (value: Decimal | null): string | null => (value === null ? null : decimalText(value));

export const keptPositionOfRow = (row: PositionRow): KeptPosition => ({
  id: row.id,
  userId: row.user_id,
  version: row.version,
  sequence: Number(row.sequence),
  position: {
    accountId: row.account_id,
    symbolId: row.symbol_id,
    side: row.side,
    status: row.status,
    quantity: new Decimal(row.quantity),
    entryCost: new Decimal(row.entry_cost),
    leverage: row.leverage,
    marginMode: row.margin_mode,
    marginUsed: new Decimal(row.margin_used),
    realizedPnl: new Decimal(row.realized_pnl),
    openedAt: new Date(row.opened_at),
    updatedAt: new Date(row.updated_at),
    closedAt: row.closed_at === null ? null : new Date(row.closed_at),
  },
  entryPrice: new Decimal(row.entry_price),
  liquidationPrice: decimalOf(row.liquidation_price),
  stopLoss: decimalOf(row.stop_loss),
  takeProfit: decimalOf(row.take_profit),
});

export const rowOfPosition = ({ position, ...kept }: KeptPosition): PositionRow => ({
  id: kept.id,
  user_id: kept.userId,
  account_id: position.accountId,
  symbol_id: position.symbolId,
  side: position.side,
  status: position.status,
  quantity: decimalText(position.quantity),
  entry_cost: decimalText(position.entryCost),
  entry_price: decimalText(kept.entryPrice),
  liquidation_price: textOf(kept.liquidationPrice),
  leverage: position.leverage,
  margin_mode: position.marginMode,
  margin_used: decimalText(position.marginUsed),
  realized_pnl: decimalText(position.realizedPnl),
  stop_loss: textOf(kept.stopLoss),
  take_profit: textOf(kept.takeProfit),
  version: kept.version,
  sequence: kept.sequence,
  opened_at: position.openedAt.toISOString(),
  closed_at: position.closedAt?.toISOString() ?? null,
  updated_at: position.updatedAt.toISOString(),
  deleted_at: null,
});
