import { Decimal, decimalText } from "../core/decimal.js";
import type { Balances } from "./balances.js";
import type { LedgerDraft } from "./ledger-draft.js";
import type { ViolationRow } from "./ledger-rows.js";
import { type MarketView, takerPrice } from "./market-view.js";
import { larger, smaller, zero } from "./money.js";
import type { NewOrder, Order, PositionSide } from "./order.js";
import { referencePrice } from "./order-rules.js";
import { directionOf, type Position } from "./position.js";
import { isReducing } from "./reservation.js";
import type { RiskExposure, RiskViolation } from "./risk-rules.js";
import type { TradingMarkets } from "./trading-markets.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";

/** Carries what was exceeded out of a change that is thereby thrown away. */
export class RiskRefusal extends Error {
  override readonly name = "RiskRefusal";
  constructor(
    readonly order: NewOrder,
    readonly violations: readonly RiskViolation[],
  ) {
    super("an order exceeds a limit");
  }
}

/**
 * What an order would do to its account, together with the open orders that do the same, and where the account stands; marks
 * the equity of the day on the way.
 * @param filled of it already: that is part of what is held
 */
export function exposureOf(
  draft: LedgerDraft,
  order: RiskedOrder,
  symbol: TradingSymbol,
  markets: TradingMarkets,
  filled: Decimal = zero,
): RiskExposure {
  const worth = worthOf(order, markets.view(symbol.id));
  const open = openPositions(draft);
  const isHedged = draft.account.positionMode === "HEDGE" && isFutures(symbol);
  const side = isHedged ? order.positionSide : "BOTH";
  const held = isHedged
    ? (open.find((position) => position.symbolId === symbol.id && position.side === side)?.quantity ?? zero)
    : heldOf(draft, open, symbol);
  // In the direction in which the position grows.
  const sign = isHedged && side === "SHORT" ? -1 : 1;
  const signed = (quantity: Decimal) => quantity.times(order.side === "BUY" ? sign : -sign);
  const alike = draft.waiting.filter(
    (waiting) =>
      waiting.symbolId === symbol.id && waiting.side === order.side && (!isHedged || waiting.positionSide === side),
  );
  const asked = order.quantity.minus(filled);
  const waiting = alike.reduce((sum, { quantity }) => sum.plus(quantity), zero);
  const after = held.plus(signed(asked)).plus(signed(waiting));
  // What is held the other way is closed first, by the open orders and then by this one; only what is left of it opens.
  const opposite = larger(zero, signed(held).neg());
  const beyond = asked.plus(waiting).minus(opposite);
  const opening = opposite.isZero() ? order.quantity : smaller(asked, beyond);
  const equity = equityOf(draft, symbol.quoteAsset, markets);
  const marks = markEquity(draft, equity);
  const isNew = isFutures(symbol) && held.isZero() && !order.reduceOnly;
  return {
    onlyReduces: isReducing(order) || (opposite.gt(0) && beyond.lte(0)),
    orderValue: opening.times(worth),
    leverage: order.leverage,
    positionValueBefore: held.abs().times(worth),
    positionValueAfter: (isHedged ? larger(zero, after) : after.abs()).times(worth),
    openPositionsAfter: open.length + (isNew ? 1 : 0) + openedByWaiting(draft, open, symbol, side, markets),
    equity,
    equityAtMidnight: marks.atMidnight,
    highestEquity: marks.highest,
  };
}

/** Of an open order it counts whether its stop price was reached. */
type RiskedOrder = NewOrder & Partial<Pick<Order, "triggeredAt">>;

/**
 * What a unit of an order is worth, as far as anybody can know. A purchase is never dearer than its limit, but a sale below what
 * is bid brings what is bid: now, or at its stop price.
 */
function worthOf(order: RiskedOrder, view: MarketView | null): Decimal {
  const reference = referencePrice(order, view) ?? zero;
  if (order.side === "BUY") return reference;
  const isStop = order.stopPrice !== null && order.triggeredAt == null;
  const bid = isStop ? order.stopPrice : view === null ? null : takerPrice(view, "SELL");
  return larger(reference, bid ?? zero);
}

/** What an account is worth, in the currency of its exchange; where that has none, in the other one. */
function equityOf(draft: LedgerDraft, otherCurrency: string, markets: TradingMarkets): Decimal {
  const { exchangeId } = draft.account;
  const currency = markets.currencyOf(exchangeId) ?? otherCurrency;
  return markets.equity(exchangeId, currency, draft.balances, openPositions(draft));
}

/** Marks the equity of the day without an order, unless a price is missing that it hangs on. */
export function markPricedEquity(draft: LedgerDraft, markets: TradingMarkets): void {
  const { exchangeId } = draft.account;
  const currency = markets.currencyOf(exchangeId);
  const open = openPositions(draft);
  if (currency !== null && markets.isPriced(exchangeId, currency, draft.balances, open))
    markEquity(draft, markets.equity(exchangeId, currency, draft.balances, open));
}

/**
 * After balances changed by what is no profit and no loss, such as a deposit: since midnight the same amount is lost as before,
 * and of the highest equity the same share. Where a price is missing nobody knows what an asset is worth that came or went: then
 * the marks are raised by what is known and never lowered, so that limits stop too early rather than too late.
 * @param before the balances as they were
 */
export function shiftEquity(draft: LedgerDraft, before: Balances, markets: TradingMarkets): void {
  const { exchangeId } = draft.account;
  const { day, atMidnight, highest } = draft.equity;
  const currency = markets.currencyOf(exchangeId);
  if (currency === null || atMidnight === null || highest === null) return;
  const open = openPositions(draft);
  const isPriced = [before, draft.balances].every((all) => markets.isPriced(exchangeId, currency, all, open));
  const [had, has] = [before, draft.balances].map((all) => markets.equity(exchangeId, currency, all, open)) as [
    Decimal,
    Decimal,
  ];
  const change = has.minus(had);
  if (change.isZero() || (!isPriced && change.lt(0))) return;
  const isShare = isPriced && had.gt(0) && has.gte(0);
  draft.equity = {
    day,
    atMidnight: atMidnight.plus(change),
    highest: isShare ? highest.times(has).div(had).toDecimalPlaces(18) : highest.plus(change),
  };
}

/** What an account was worth before it was first compared with its exchange says nothing. */
export function forgetEquity(draft: LedgerDraft): void {
  if (draft.equity.day !== null) draft.equity = { day: null, atMidnight: null, highest: null };
}

const openPositions = (draft: LedgerDraft): Position[] =>
  [...draft.positions()].map(({ position }) => position).filter(({ status }) => status === "OPEN");

/** How many positions there would be besides if the open orders were filled; in one-way mode every side is BOTH. */
function openedByWaiting(
  draft: LedgerDraft,
  open: readonly Position[],
  symbol: TradingSymbol,
  side: PositionSide,
  markets: TradingMarkets,
): number {
  const isHedge = draft.account.positionMode === "HEDGE";
  const keyOf = (symbolId: number, of: PositionSide) => `${symbolId} ${isHedge ? of : "BOTH"}`;
  const known = new Set(open.map((position) => keyOf(position.symbolId, position.side)));
  known.add(keyOf(symbol.id, side));
  const opened = new Set<string>();
  for (const waiting of draft.waiting) {
    if (!isFutures(markets.symbol(waiting.symbolId))) continue;
    const reduces = waiting.positionSide !== "BOTH" && waiting.positionSide !== directionOf(waiting.side);
    const key = keyOf(waiting.symbolId, waiting.positionSide);
    if (!reduces && !known.has(key)) opened.add(key);
  }
  return opened.size;
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

/** Keeps the first equity of a day (UTC), and the highest of all. */
function markEquity(draft: LedgerDraft, equity: Decimal): { atMidnight: Decimal; highest: Decimal } {
  const day = draft.now.toISOString().slice(0, 10);
  const known = draft.equity;
  const atMidnight = known.day === day ? (known.atMidnight ?? equity) : equity;
  const highest = larger(known.highest ?? equity, equity);
  if (known.day !== day || !highest.eq(known.highest ?? new Decimal(-1))) draft.equity = { day, atMidnight, highest };
  return { atMidnight, highest };
}

/** Which limits have stopped an order, as it is written down. */
export function violationRows(draft: LedgerDraft, { order, violations }: RiskRefusal): ViolationRow[] {
  return violations.map(({ scope, limit, value, allowed }) => ({
    id: draft.newId(),
    user_id: draft.account.userId,
    account_id: draft.account.id,
    symbol_id: order.symbolId,
    strategy_id: order.strategyId,
    limit_name: limit,
    scope,
    limit_value: decimalText(allowed.toDecimalPlaces(18)),
    value: decimalText(value.toDecimalPlaces(18)),
    client_order_id: order.clientOrderId,
    occurred_at: draft.now.toISOString(),
  }));
}
