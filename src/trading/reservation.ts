import type { Decimal } from "../core/decimal.js";
import { type Balances, balanceOf, MovementDraft } from "./balances.js";
import { cut, larger, notionalOf, roundedUp, smaller, sumOf, zero } from "./money.js";
import { type Fill, isOpen, type Order, type ReplaceableTerms } from "./order.js";
import { reservedPrice } from "./reserve-price.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";

export interface Need {
  readonly asset: string;
  readonly amount: Decimal;
}

export interface Booking {
  readonly movements: MovementDraft["movements"];
  /** What is locked for the order, or its group, afterwards. */
  readonly held: Decimal;
  /** What had to be added because the account did not have it; empty on paper. To be shown as the account's sync error. */
  readonly shortfalls: ReadonlyMap<string, Decimal>;
}

export type Reserving =
  | { readonly kind: "reserved"; readonly booking: Booking }
  | { readonly kind: "insufficient"; readonly asset: string; readonly required: Decimal; readonly available: Decimal };

/**
 * Under whose id money is locked: orders that are one-cancels-other share what is held, because only one of them will use
 * it; it is kept with their parent, whose own part is used up by then.
 */
export const reservationOwner = (order: Pick<Order, "id" | "parentOrderId">): string => order.parentOrderId ?? order.id;

/**
 * What has to be locked for an order from now on: for a purchase the remaining quantity at its price with the taker's fee,
 * for a sale the remaining quantity itself, for futures the margin and the fee. While a replacement is asked for, what the
 * dearest course of things would take; an order that has ended, or only reduces a position, needs nothing.
 */
export function needOf(order: Order, symbol: TradingSymbol): Need {
  const asset = order.side === "SELL" && !isFutures(symbol) ? symbol.baseAsset : symbol.quoteAsset;
  return { asset, amount: isOpen(order) ? amountOf(order, symbol) : zero };
}

function amountOf(order: Order, symbol: TradingSymbol): Decimal {
  const then = order.pendingReplacement ?? order;
  const remaining = (terms: ReplaceableTerms) => larger(zero, terms.quantity.minus(order.filledQuantity));
  const [left, leftThen] = [remaining(order), remaining(then)];
  const most = larger(left, leftThen);
  if (most.isZero() || (isFutures(symbol) && isReducing(order))) return zero;
  if (order.side === "SELL" && !isFutures(symbol)) return most;
  const [price, priceThen] = [reservedPrice(order, order, symbol), reservedPrice(order, then, symbol)];
  // Until the replacement is answered fills may come at the old price, and the rest of the new quantity at the new one.
  const filledBefore = smaller(left, leftThen);
  const mixed = price.times(filledBefore).plus(priceThen.times(leftThen.minus(filledBefore)));
  const value = larger(larger(price.times(left), priceThen.times(leftThen)), mixed);
  const charged = sumOf(
    order.commissions.flatMap(({ asset, amount }) => (asset === symbol.quoteAsset ? [amount] : [])),
  );
  const fee = value.times(symbol.takerFee).plus(larger(zero, symbol.minCommission.minus(charged)));
  return roundedUp(isFutures(symbol) ? value.div(order.leverage).plus(fee) : value.plus(fee));
}

/** Whether it can only make a position smaller: its fee is paid from what that sets free. */
export const isReducing = (order: Pick<Order, "reduceOnly" | "positionSide" | "side">): boolean =>
  order.reduceOnly ||
  (order.positionSide === "LONG" && order.side === "SELL") ||
  (order.positionSide === "SHORT" && order.side === "BUY");

/** Of orders that share what is held; they are of one side and symbol. @param orders at least one */
export function needOfGroup(orders: readonly Order[], symbol: TradingSymbol): Need {
  const needs = orders.map((order) => needOf(order, symbol));
  const [first] = needs;
  if (first === undefined) throw new RangeError("a group has at least one order");
  return { asset: first.asset, amount: needs.reduce((most, { amount }) => larger(most, amount), zero) };
}

/** Locks what is missing for a need. @param held what is locked for it already */
export function reserve(need: Need, held: Decimal, balances: Balances): Reserving {
  const missing = need.amount.minus(held);
  const { available } = balanceOf(balances, need.asset);
  if (missing.gt(available)) {
    return { kind: "insufficient", asset: need.asset, required: missing, available };
  }
  const draft = new MovementDraft(balances);
  if (missing.gt(0)) draft.lock(need.asset, missing);
  return { kind: "reserved", booking: bookingOf(draft, larger(held, need.amount)) };
}

/** Frees what is held beyond a need. */
export function release(need: Need, held: Decimal, balances: Balances): Booking {
  const draft = new MovementDraft(balances);
  if (held.gt(need.amount)) draft.unlock(need.asset, held.minus(need.amount));
  return bookingOf(draft, smaller(held, need.amount));
}

/**
 * What a fill on a market without positions moves: one currency goes, the other comes, and the commission is paid in
 * whatever asset the venue says.
 * @param held what is locked for the order; a late fill finds nothing there and is paid from what is available
 */
export function settleSpot(
  order: Pick<Order, "side">,
  fill: Fill,
  symbol: TradingSymbol,
  held: Decimal,
  balances: Balances,
): Booking {
  const draft = new MovementDraft(balances);
  const value = notionalOf(fill);
  const isPurchase = order.side === "BUY";
  const [given, received] = isPurchase ? [symbol.quoteAsset, symbol.baseAsset] : [symbol.baseAsset, symbol.quoteAsset];
  let left = held.minus(draft.pay(given, "TRADE", isPurchase ? value : fill.quantity, held));
  draft.receive(received, "TRADE", isPurchase ? fill.quantity : value);
  left = left.minus(payCommission(draft, fill, given, left));
  return bookingOf(draft, left);
}

/**
 * Returns what it took of `held`, which is of `heldAsset`. A rebate is received.
 * @param reason FEE is for fills of orders here
 */
export function payCommission(
  draft: MovementDraft,
  fill: Pick<Fill, "commission" | "commissionAsset">,
  heldAsset: string,
  held: Decimal,
  reason: "FEE" | "LIQUIDATION" = "FEE",
): Decimal {
  const asset = fill.commissionAsset;
  const amount = cut(fill.commission);
  if (asset === null) return zero;
  if (amount.gt(0)) return draft.pay(asset, reason, amount, asset === heldAsset ? held : zero);
  draft.receive(asset, reason, amount.neg());
  return zero;
}

export const bookingOf = (draft: MovementDraft, held: Decimal): Booking => ({
  movements: draft.movements,
  held,
  shortfalls: draft.shortfalls,
});
