import { Decimal, decimalText } from "../core/decimal.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import type { LedgerDraft } from "./ledger-draft.js";
import { larger, zero } from "./money.js";
import type { NewOrder } from "./order.js";
import { referencePrice } from "./order-rules.js";
import { directionOf } from "./position.js";
import type { RiskExposure, RiskViolation } from "./risk-rules.js";
import type { TradingMarkets } from "./trading-markets.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";

/** Carries what was exceeded out of a change that is thereby thrown away. */
export class RiskRefusal extends Error {
  override readonly name = "RiskRefusal";
  constructor(readonly violations: readonly RiskViolation[]) {
    super("an order exceeds a limit");
  }
}

/** What an order would do to its account, and where that stands; marks the equity of the day on the way. */
export function exposureOf(
  draft: LedgerDraft,
  order: NewOrder,
  symbol: TradingSymbol,
  markets: TradingMarkets,
): RiskExposure {
  const view = markets.view(symbol.id);
  const reference = referencePrice(order, view) ?? zero;
  const open = [...draft.positions()].map(({ position }) => position).filter(({ status }) => status === "OPEN");
  const before = heldOf(draft, open, symbol);
  const moves = order.quantity.times(order.side === "BUY" ? 1 : -1);
  const isHedged = draft.account.positionMode === "HEDGE" && isFutures(symbol);
  const side = order.positionSide === "BOTH" ? directionOf(order.side) : order.positionSide;
  const ofSide = open.find((position) => position.symbolId === symbol.id && position.side === side)?.quantity ?? zero;
  const opens = side === directionOf(order.side);
  const [quantityBefore, quantityAfter] = isHedged
    ? [ofSide, larger(zero, opens ? ofSide.plus(order.quantity) : ofSide.minus(order.quantity))]
    : [before.abs(), before.plus(moves).abs()];
  const equity = markets.equity(draft.account.exchangeId, symbol.quoteAsset, draft.balances, open);
  const marks = marksOf(draft, equity);
  const isNew = isFutures(symbol) && quantityBefore.isZero() && !order.reduceOnly;
  return {
    orderValue: order.quantity.times(reference),
    leverage: order.leverage,
    positionValueBefore: quantityBefore.times(reference),
    positionValueAfter: quantityAfter.times(reference),
    openPositionsAfter: open.length + (isNew ? 1 : 0),
    equity,
    equityAtMidnight: marks.atMidnight,
    highestEquity: marks.highest,
  };
}

/** With its sign: a short one is below zero. Of a spot market, what the account has of the base asset. */
function heldOf(
  draft: LedgerDraft,
  open: readonly { symbolId: number; side: string; quantity: Decimal }[],
  symbol: TradingSymbol,
): Decimal {
  if (!isFutures(symbol)) {
    const balance = draft.balances.get(symbol.baseAsset);
    return balance === undefined ? zero : balance.available.plus(balance.locked);
  }
  return open
    .filter(({ symbolId }) => symbolId === symbol.id)
    .reduce((sum, { side, quantity }) => (side === "LONG" ? sum.plus(quantity) : sum.minus(quantity)), zero);
}

function marksOf(draft: LedgerDraft, equity: Decimal): { atMidnight: Decimal; highest: Decimal } {
  const day = draft.now.toISOString().slice(0, 10);
  const known = draft.equity;
  const atMidnight = known.day === day ? (known.atMidnight ?? equity) : equity;
  const highest = larger(known.highest ?? equity, equity);
  if (known.day !== day || !highest.eq(known.highest ?? new Decimal(-1))) draft.equity = { day, atMidnight, highest };
  return { atMidnight, highest };
}

/** Which limits have stopped an order. */
export async function recordViolations(
  database: Database,
  clock: Clock,
  userId: string,
  asked: { readonly accountId: string; readonly symbolId: number; readonly clientOrderId?: string | null },
  violations: readonly RiskViolation[],
): Promise<void> {
  const nowMs = clock.nowMs();
  const rows = violations.map(({ scope, limit, value, allowed }) => ({
    id: uuidV7(nowMs),
    user_id: userId,
    account_id: asked.accountId,
    symbol_id: asked.symbolId,
    limit_name: limit,
    scope,
    limit_value: decimalText(allowed.toDecimalPlaces(18)),
    value: decimalText(value.toDecimalPlaces(18)),
    client_order_id: asked.clientOrderId ?? null,
    occurred_at: new Date(nowMs).toISOString(),
  }));
  await asUserAtOnce(database, userId, (sql) => [
    sql`
      insert into risk_violations
      select * from jsonb_populate_recordset(null::risk_violations, ${JSON.stringify(rows)}::text::jsonb)`,
  ]);
}
