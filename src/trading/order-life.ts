import type { ErrorCode } from "../core/errors.js";
import type { Fill, Order } from "./order.js";
import type { OrderEvent } from "./order-event.js";

/** What has to be done in the same transaction as the event, in this order; `send` and `protect` after it has committed. */
export type OrderEffect =
  /** Lock what the order needs now: for all of it when placed, for the dearer of both terms while a replacement is asked for. */
  | { readonly kind: "reserve" }
  /** Book the fill. A late one came after the end of the order, when its reservation was already released. */
  | { readonly kind: "settle"; readonly fill: Fill; readonly isLate: boolean }
  /** Free whatever is still locked beyond what the order needs now; all of it when it is final. */
  | { readonly kind: "release" }
  | { readonly kind: "send"; readonly command: "place" | "cancel" | "replace" }
  /** Place the attached stop-loss and take-profit for what was filled (`protection.ts`). */
  | { readonly kind: "protect" };

export type Transition =
  /** Store the event with `order.version`. */
  | { readonly kind: "changed"; readonly order: Order; readonly effects: readonly OrderEffect[] }
  /** The event says what is known already: store nothing. */
  | { readonly kind: "unchanged" }
  /** The event cannot be: store nothing. `code` goes to the caller when it was his request. */
  | { readonly kind: "refused"; readonly code: OrderRefusal; readonly message: string };

/** OVERFILL and OUT_OF_ORDER are faults of a venue: to be logged and shown as the account's sync error. */
export type OrderRefusal =
  | Extract<ErrorCode, "ORDER_NOT_OPEN" | "QUANTITY_OUT_OF_RANGE" | "CONFLICT">
  | "OVERFILL"
  | "OUT_OF_ORDER";

/** The life of an order: pure and total. @param order null before its first event */
export declare function transition(order: Order | null, event: OrderEvent): Transition;
