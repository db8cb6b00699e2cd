import type { Decimal } from "../core/decimal.js";
import { type Balances, MovementDraft } from "./balances.js";
import { cut, larger, notionalOf, smaller, zero } from "./money.js";
import type { Fill, Order } from "./order.js";
import { type Execution, openOrAdd, type Position, type Reduction, reduce, splitFill } from "./position.js";
import { type Booking, bookingOf, payCommission } from "./reservation.js";
import type { TradingSymbol } from "./trading-symbol.js";
import type { LiquidationEvent, PositionTold } from "./venue.js";

export interface PositionBooking extends Booking {
  /** As they are afterwards: the one that was reduced, then the one that was opened or added to. */
  readonly positions: readonly Position[];
  readonly realizedPnl: Decimal;
}

/**
 * What a fill of a futures order moves. The part that reduces sets margin free and books its profit; the part that opens
 * takes its margin from what the order holds, and from what is available where the price was dearer than reserved. Where
 * that is not enough, the position has less margin and is nearer to its liquidation. The commission is paid in any case.
 * @param positions the open positions of the account and symbol
 * @param held what is locked for the order
 * @param isExact whether positions are as the venue has them; otherwise they are compared with it later
 * @throws {RangeError} when in hedge mode more is closed than is open, and they are exact
 */
export function settleFutures(
  order: Pick<Order, "accountId" | "symbolId" | "side" | "positionSide" | "leverage" | "marginMode">,
  fill: Fill,
  positions: readonly Position[],
  symbol: TradingSymbol,
  held: Decimal,
  balances: Balances,
  isExact = true,
): PositionBooking {
  const draft = new MovementDraft(balances);
  const asset = symbol.quoteAsset;
  const split = splitFill(order, fill.quantity, positions, isExact);
  const part = (quantity: Decimal): Execution => ({ price: fill.price, quantity, at: fill.filledAt });
  const changed: Position[] = [];
  let realizedPnl = zero;
  if (split.reduced !== null && split.reducing.gt(0)) {
    const reduction = reduce(split.reduced, part(split.reducing));
    ({ realizedPnl } = reduction);
    settleReduction(draft, asset, reduction.releasedMargin, realizedPnl, "TRADE");
    changed.push(reduction.position);
  }
  let left = held.minus(payCommission(draft, fill, asset, held));
  if (split.opening.gt(0)) {
    const execution = part(split.opening);
    const wanted = cut(notionalOf(execution).div(order.leverage));
    const fromHeld = smaller(wanted, left);
    const fromAvailable = smaller(wanted.minus(fromHeld), draft.available(asset));
    draft.lock(asset, fromAvailable);
    left = left.minus(fromHeld);
    const { accountId, symbolId, leverage, marginMode } = order;
    const opening = {
      accountId,
      symbolId,
      side: order.side === "BUY" ? "LONG" : "SHORT",
      leverage,
      marginMode,
    } as const;
    changed.push(openOrAdd(split.added, opening, execution, fromHeld.plus(fromAvailable)));
  }
  return { ...bookingOf(draft, left), positions: changed, realizedPnl };
}

/**
 * The venue has closed a position, or a part of it. Of an isolated one no more is lost than its margin: what the price took
 * beyond that is an ADJUSTMENT, paid by the venue's insurance fund.
 */
export function settleLiquidation(
  event: LiquidationEvent,
  position: Position,
  symbol: TradingSymbol,
  balances: Balances,
): PositionBooking {
  const draft = new MovementDraft(balances);
  const asset = symbol.quoteAsset;
  const quantity = smaller(event.quantity, position.quantity);
  const reduction = reduce(position, { price: event.price, quantity, at: event.at }, "LIQUIDATED");
  const { releasedMargin, realizedPnl } = reduction;
  const commission = event.commissionAsset === asset ? event.commission : zero;
  draft.receive(asset, "ADJUSTMENT", beyondMargin(position, reduction, commission));
  settleReduction(draft, asset, releasedMargin, realizedPnl, "LIQUIDATION");
  payCommission(draft, event, asset, zero, "LIQUIDATION");
  return { ...bookingOf(draft, zero), positions: [reduction.position], realizedPnl };
}

/** What a liquidation takes beyond the margin of an isolated position, and the insurance fund pays; zero of a cross one. */
export const beyondMargin = (
  { marginMode }: Position,
  { releasedMargin, realizedPnl }: Reduction,
  commission: Decimal,
): Decimal => (marginMode === "ISOLATED" ? larger(zero, commission.minus(realizedPnl).minus(releasedMargin)) : zero);

/**
 * A funding payment: received, or paid from what is available and then from the position's margin.
 * @param amount as the venue says; on paper `fundingAmount`
 * @param position null when it is closed already, or nobody says which one it is
 */
export function settleFunding(
  amount: Decimal,
  position: Position | null,
  asset: string,
  balances: Balances,
): PositionBooking {
  const draft = new MovementDraft(balances);
  let marginUsed = position?.marginUsed ?? zero;
  if (amount.gte(0)) draft.receive(asset, "FUNDING", cut(amount));
  else {
    const owed = cut(amount.neg());
    const fromMargin = smaller(larger(zero, owed.minus(draft.available(asset))), marginUsed);
    draft.pay(asset, "FUNDING", owed, fromMargin);
    marginUsed = marginUsed.minus(fromMargin);
  }
  const positions = position === null ? [] : [{ ...position, marginUsed }];
  return { ...bookingOf(draft, zero), positions, realizedPnl: zero };
}

/**
 * Makes a position what the exchange says that it is. Its margin follows, as far as there is something to lock; what was won or
 * lost on the way nobody told, and the balances show it when they are compared.
 * @param known the open position of that side; null when there is none here
 */
export function settleTold(
  told: PositionTold,
  accountId: string,
  known: Position | null,
  asset: string,
  balances: Balances,
): PositionBooking {
  const draft = new MovementDraft(balances);
  const { quantity, entryPrice, leverage, marginMode, symbolId, side, at } = told;
  const entryCost = notionalOf({ price: entryPrice, quantity });
  const marginBefore = known?.marginUsed ?? zero;
  const more = cut(entryCost.div(leverage)).minus(marginBefore);
  const locked = more.gt(0) ? smaller(more, draft.available(asset)) : more;
  if (locked.gt(0)) draft.lock(asset, locked);
  else draft.unlock(asset, locked.neg());
  const isOver = quantity.isZero();
  const position: Position = {
    accountId,
    symbolId,
    side,
    realizedPnl: zero,
    openedAt: at,
    ...known,
    leverage,
    marginMode,
    quantity,
    entryCost,
    marginUsed: marginBefore.plus(locked),
    status: isOver ? "CLOSED" : "OPEN",
    closedAt: isOver ? at : null,
    updatedAt: at,
  };
  return { ...bookingOf(draft, zero), positions: [position], realizedPnl: zero };
}

/** Margin comes free first, so that a loss can be paid from it. */
function settleReduction(
  draft: MovementDraft,
  asset: string,
  releasedMargin: Decimal,
  realizedPnl: Decimal,
  reason: "TRADE" | "LIQUIDATION",
): void {
  draft.unlock(asset, releasedMargin);
  if (realizedPnl.gte(0)) draft.receive(asset, reason, realizedPnl);
  else draft.pay(asset, reason, realizedPnl.neg());
}
