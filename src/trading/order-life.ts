import type { Decimal } from "../core/decimal.js";
import { assertNever, type ErrorCode } from "../core/errors.js";
import { type Fill, isOpen, type NewOrder, type Order, type OrderType, type ReplaceableTerms } from "./order.js";
import type { OrderEvent } from "./order-event.js";

/** What has to be done in the same transaction as the event, in this order; only `send` follows after it has committed. */
export type OrderEffect =
  /** Lock what the order needs now: for all of it when placed, for old and new terms while a replacement is asked for. */
  | { readonly kind: "reserve" }
  /** Book the fill. A late one came after the end of the order, when its reservation was already released. */
  | { readonly kind: "settle"; readonly fill: Fill; readonly isLate: boolean }
  /** Free whatever is locked beyond what the order needs now; all of it when it is final. */
  | { readonly kind: "release" }
  | { readonly kind: "send"; readonly command: "place" | "cancel" | "replace" }
  /** Place the attached stop-loss and take-profit for this much of what was filled. */
  | { readonly kind: "protect"; readonly quantity: Decimal };

export type Transition =
  /** Store the event with `order.version`. */
  | { readonly kind: "changed"; readonly order: Order; readonly effects: readonly OrderEffect[] }
  /** The event says what is known already: store nothing. */
  | { readonly kind: "unchanged" }
  /** The event cannot be: store nothing. `code` goes to the caller when it was his request. */
  | { readonly kind: "refused"; readonly code: OrderRefusal; readonly message: string };

/** The last three are faults of a venue: to be logged and shown as the account's sync error. */
export type OrderRefusal =
  | Extract<ErrorCode, "ORDER_NOT_OPEN" | "QUANTITY_OUT_OF_RANGE" | "CONFLICT">
  | "OVERFILL"
  | "INVALID_FILL"
  | "OUT_OF_ORDER";

const unchanged: Transition = { kind: "unchanged" };
const refused = (code: OrderRefusal, message: string): Transition => ({ kind: "refused", code, message });

/**
 * The life of an order: pure and total. Reports of a venue may come late, twice and in another order than they happened;
 * a final status never changes, though a fill that comes after it is still booked, because the money has moved.
 * @param order null before its first event
 */
export function transition(order: Order | null, event: OrderEvent): Transition {
  if (event.kind === "placed") {
    if (order !== null) return refused("OUT_OF_ORDER", "the order is placed already");
    return {
      kind: "changed",
      order: born(event.order, event.at),
      effects: [{ kind: "reserve" }, { kind: "send", command: "place" }],
    };
  }
  if (order === null) return refused("OUT_OF_ORDER", `an order's life does not begin with ${event.kind}`);
  switch (event.kind) {
    case "unconfirmed":
      return isOpen(order) && !order.isUnconfirmed ? changed(order, event.at, { isUnconfirmed: true }) : unchanged;
    case "cancelRequested":
      return requestCancel(order, event.at);
    case "replaceRequested":
      return requestReplacement(order, event.terms, event.at);
    case "accepted":
      return accept(order, event.exchangeOrderId, event.at);
    case "rejected":
      if (order.status === "REJECTED") return unchanged;
      if (order.status !== "PENDING" && order.status !== "NEW") {
        return refused("OUT_OF_ORDER", `rejected when it was ${order.status}`);
      }
      return end(order, event.at, { status: "REJECTED", rejectCode: event.code, rejectReason: event.reason });
    case "triggered":
      if (!hasTrigger(order.orderType)) return refused("OUT_OF_ORDER", `${order.orderType} orders have no trigger`);
      return isOpen(order) && order.triggeredAt === null
        ? changed(order, event.at, { triggeredAt: event.at })
        : unchanged;
    case "filled":
      return fill(order, event.fill, event.at);
    case "cancelled":
    case "expired":
      if (order.status === "FILLED") return refused("OUT_OF_ORDER", `${event.kind} when it was filled`);
      if (!isOpen(order)) return unchanged;
      return event.kind === "cancelled"
        ? end(order, event.at, { status: "CANCELLED", cancelledAt: event.at })
        : end(order, event.at, { status: "EXPIRED" });
    case "cancelRefused":
      if (!isOpen(order) || order.cancelRequestedAt === null) return unchanged;
      return changed(order, event.at, { cancelRequestedAt: null, isUnconfirmed: false });
    case "replaced":
      return replace(order, event.terms, event.exchangeOrderId, event.at);
    case "replaceRefused":
      if (!isOpen(order) || order.pendingReplacement === null) return unchanged;
      return goOn(order, event.at, { pendingReplacement: null, isUnconfirmed: false });
    default:
      return assertNever(event);
  }
}

/** The order that its events make. @throws {RangeError} when they are not the stream of an order, from its first event on */
export function orderFrom(events: Iterable<OrderEvent>): Order {
  let order: Order | null = null;
  for (const event of events) {
    const next = transition(order, event);
    if (next.kind !== "changed") throw new RangeError(`event ${event.kind} after version ${order?.version ?? 0}`);
    order = next.order;
  }
  if (order === null) throw new RangeError("an order has at least one event");
  return order;
}

/** Whether it rests until the market reaches a price. */
export const hasTrigger = (type: OrderType): boolean =>
  type === "STOP_MARKET" ||
  type === "STOP_LIMIT" ||
  type === "TAKE_PROFIT" ||
  type === "TAKE_PROFIT_LIMIT" ||
  type === "TRAILING_STOP";

function born(order: NewOrder, at: Date): Order {
  const zero = order.quantity.minus(order.quantity);
  return {
    ...order,
    version: 1,
    status: "PENDING",
    exchangeOrderId: null,
    isUnconfirmed: false,
    triggeredAt: null,
    cancelRequestedAt: null,
    pendingReplacement: null,
    replacedAt: null,
    filledQuantity: zero,
    filledQuote: zero,
    commissions: [],
    fillIds: new Set(),
    rejectCode: null,
    rejectReason: null,
    createdAt: at,
    updatedAt: at,
    lastFillAt: null,
    filledAt: null,
    cancelledAt: null,
  };
}

function next(order: Order, at: Date, change: Partial<Order>): Order {
  return { ...order, ...change, version: order.version + 1, updatedAt: later(order.updatedAt, at) };
}

function changed(order: Order, at: Date, change: Partial<Order>, effects: readonly OrderEffect[] = []): Transition {
  return { kind: "changed", order: next(order, at, change), effects };
}

function requestCancel(order: Order, at: Date): Transition {
  if (!isOpen(order)) return refused("ORDER_NOT_OPEN", `the order is ${order.status}`);
  if (order.cancelRequestedAt !== null) return unchanged;
  return changed(order, at, { cancelRequestedAt: at }, [{ kind: "send", command: "cancel" }]);
}

function requestReplacement(order: Order, terms: ReplaceableTerms, at: Date): Transition {
  if (!isOpen(order)) return refused("ORDER_NOT_OPEN", `the order is ${order.status}`);
  if (order.status === "PENDING") return refused("CONFLICT", "the venue has not acknowledged the order yet");
  if (order.cancelRequestedAt !== null) return refused("CONFLICT", "the order is being cancelled");
  if (order.pendingReplacement !== null) return refused("CONFLICT", "the order is being replaced");
  if (order.triggeredAt !== null && !same(order.stopPrice, terms.stopPrice)) {
    return refused("CONFLICT", "the stop price was reached already");
  }
  if (terms.quantity.lte(order.filledQuantity)) {
    return refused("QUANTITY_OUT_OF_RANGE", `${order.filledQuantity.toFixed()} is filled already`);
  }
  if (sameTerms(order, terms)) return unchanged;
  return changed(order, at, { pendingReplacement: terms }, [{ kind: "reserve" }, { kind: "send", command: "replace" }]);
}

function accept(order: Order, exchangeOrderId: string, at: Date): Transition {
  if (order.status === "PENDING") return changed(order, at, { status: "NEW", exchangeOrderId, isUnconfirmed: false });
  if (order.status === "REJECTED") return refused("OUT_OF_ORDER", "accepted when it was rejected");
  // A known id stays: the first one comes again after a replacement has brought a new one.
  return order.exchangeOrderId === null ? changed(order, at, { exchangeOrderId, isUnconfirmed: false }) : unchanged;
}

function fill(order: Order, execution: Fill, at: Date): Transition {
  if (order.fillIds.has(execution.exchangeFillId)) return unchanged;
  if (!execution.quantity.gt(0) || !execution.price.gt(0)) {
    return refused("INVALID_FILL", "price and quantity of a fill are positive");
  }
  const filledQuantity = order.filledQuantity.plus(execution.quantity);
  let before = order;
  if (filledQuantity.gt(order.quantity)) {
    // More than the old terms allow: the venue has replaced the order, and says so later.
    if (order.pendingReplacement === null || filledQuantity.gt(order.pendingReplacement.quantity)) {
      return refused("OVERFILL", `${filledQuantity.toFixed()} of ${order.quantity.toFixed()} filled`);
    }
    before = { ...order, ...order.pendingReplacement, pendingReplacement: null };
  }
  const isLate = !isOpen(before);
  const filled: Partial<Order> = {
    filledQuantity,
    filledQuote: before.filledQuote.plus(execution.price.times(execution.quantity)),
    commissions: withCommission(before.commissions, execution),
    fillIds: new Set(before.fillIds).add(execution.exchangeFillId),
    lastFillAt: before.lastFillAt === null ? execution.filledAt : later(before.lastFillAt, execution.filledAt),
  };
  const settle: OrderEffect = { kind: "settle", fill: execution, isLate };
  if (isLate) return changed(before, at, filled, [settle, ...protection(before, execution.quantity)]);
  // A fill says as well that the venue has the order.
  const wasUnconfirmed = before.status === "PENDING" ? { isUnconfirmed: false } : {};
  return goOn(before, at, { ...filled, ...wasUnconfirmed }, [settle]);
}

function replace(order: Order, terms: ReplaceableTerms, exchangeOrderId: string | null, at: Date): Transition {
  if (!isOpen(order)) {
    return order.status === "FILLED" && terms.quantity.gt(order.quantity)
      ? refused("OUT_OF_ORDER", "replaced when it was filled")
      : unchanged;
  }
  if (terms.quantity.lt(order.filledQuantity)) return refused("OUT_OF_ORDER", "replaced below what is filled");
  const isExpected = order.pendingReplacement !== null && sameTerms(order.pendingReplacement, terms);
  if (!isExpected) {
    const isOld = order.replacedAt !== null && at <= order.replacedAt;
    const isKnown = exchangeOrderId === null || exchangeOrderId === order.exchangeOrderId;
    if (isOld || (isKnown && sameTerms(order, terms))) return unchanged;
  }
  return goOn(order, at, {
    quantity: terms.quantity,
    price: terms.price,
    stopPrice: terms.stopPrice,
    // Another replacement than the one asked for leaves that one open.
    ...(isExpected ? { pendingReplacement: null } : {}),
    isUnconfirmed: false,
    replacedAt: order.replacedAt === null ? at : later(order.replacedAt, at),
    exchangeOrderId: exchangeOrderId ?? order.exchangeOrderId,
  });
}

/** An open order after a fill, or with new terms: filled when nothing remains, open otherwise. */
function goOn(order: Order, at: Date, change: Partial<Order>, effects: readonly OrderEffect[] = []): Transition {
  const after = { ...order, ...change };
  // While a larger quantity is asked for, a complete fill may be a part of it: the venue's answer decides.
  const mayGrow = after.pendingReplacement?.quantity.gt(after.filledQuantity) ?? false;
  if (after.filledQuantity.eq(after.quantity) && !mayGrow) {
    const filled: Partial<Order> = { ...change, status: "FILLED", filledAt: after.lastFillAt };
    return end(order, at, filled, effects);
  }
  const status = after.filledQuantity.isZero() ? after.status : "PARTIALLY_FILLED";
  return changed(order, at, { ...change, status }, [...effects, { kind: "release" }]);
}

function end(order: Order, at: Date, change: Partial<Order>, effects: readonly OrderEffect[] = []): Transition {
  const ended = next(order, at, {
    ...change,
    isUnconfirmed: false,
    cancelRequestedAt: change.status === "CANCELLED" ? order.cancelRequestedAt : null,
    pendingReplacement: null,
  });
  return {
    kind: "changed",
    order: ended,
    effects: [...effects, { kind: "release" }, ...protection(ended, ended.filledQuantity)],
  };
}

function protection(order: Order, quantity: Decimal): OrderEffect[] {
  const isProtected = order.stopLoss !== null || order.takeProfit !== null;
  return isProtected && quantity.gt(0) ? [{ kind: "protect", quantity }] : [];
}

function withCommission(known: Order["commissions"], { commission, commissionAsset }: Fill): Order["commissions"] {
  if (commissionAsset === null || commission.isZero()) return known;
  const found = known.find(({ asset }) => asset === commissionAsset);
  if (found === undefined) return [...known, { asset: commissionAsset, amount: commission }];
  return known.map((entry) => (entry === found ? { ...entry, amount: entry.amount.plus(commission) } : entry));
}

const sameTerms = (a: ReplaceableTerms, b: ReplaceableTerms): boolean =>
  a.quantity.eq(b.quantity) && same(a.price, b.price) && same(a.stopPrice, b.stopPrice);

const same = (a: Decimal | null, b: Decimal | null): boolean => (a === null || b === null ? a === b : a.eq(b));

const later = (a: Date, b: Date): Date => (a > b ? a : b);
