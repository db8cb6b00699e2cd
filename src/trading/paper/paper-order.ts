import type { Decimal } from "../../core/decimal.js";
import { larger, smaller } from "../money.js";
import type { Order } from "../order.js";
import { hasLimitPrice } from "../order-fields.js";
import { triggersAbove } from "../order-rules.js";

/** An open order of the paper venue. */
export interface PaperOrder {
  order: Order;
  /** By time of arrival; an order that changes its price, or shows a new part of an iceberg, goes to the end. */
  sequence: number;
  /** Of a trailing stop, once it trails: the best price since. */
  extreme: Decimal | null;
  /** What is left of the part of an iceberg that is shown. */
  shown: Decimal | null;
  /** End of the day of a DAY order; null when it has none. */
  readonly expiresAt: Date | null;
}

/** Whether it refuses to take. */
export const isMakerOnly = ({ orderType, timeInForce, postOnly }: Order): boolean =>
  orderType === "LIMIT_MAKER" || timeInForce === "GTX" || postOnly;

/** Whether what is not filled at once waits in the book. */
export const mayRest = ({ orderType, timeInForce }: Order): boolean =>
  hasLimitPrice(orderType) && timeInForce !== "IOC" && timeInForce !== "FOK";

/**
 * Whether the price triggers the order. A trailing stop follows the best price from its activation on, and is triggered when
 * the price comes back from there by the callback rate.
 */
export function isTriggeredAt(paper: PaperOrder, price: Decimal): boolean {
  const { order } = paper;
  if (order.orderType !== "TRAILING_STOP") {
    if (order.stopPrice === null) return false;
    return triggersAbove(order) ? price.gte(order.stopPrice) : price.lte(order.stopPrice);
  }
  const isSale = order.side === "SELL";
  if (paper.extreme === null) {
    const isActive = order.stopPrice === null || (isSale ? price.gte(order.stopPrice) : price.lte(order.stopPrice));
    if (isActive) paper.extreme = price;
    return false;
  }
  paper.extreme = isSale ? larger(paper.extreme, price) : smaller(paper.extreme, price);
  const distance = paper.extreme.times(order.callbackRate ?? 0).div(100);
  return isSale ? price.lte(paper.extreme.minus(distance)) : price.gte(paper.extreme.plus(distance));
}
