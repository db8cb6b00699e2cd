import type { Decimal } from "../core/decimal.js";
import type { MarginMode, Order, PositionSide, ReplaceableTerms } from "./order.js";
import type { OrderReport } from "./order-event.js";

/**
 * Where orders are executed: the paper venue, or an exchange. Orders are known by their client order id, unique per
 * account, and every call may be repeated: placing an order that the venue already has tells what became of it.
 *
 * No call rejects because of the network or the exchange: a timeout, a lost connection or an answer that cannot be read is
 * "unknown", because the venue may have acted. Whoever gets "unknown" asks with `find` until there is an answer.
 */
export interface Venue {
  place(order: Order): Promise<VenueAnswer>;
  /** @param terms what the order shall have afterwards; its filled quantity is part of `quantity` */
  replace(order: Order, terms: ReplaceableTerms): Promise<VenueAnswer>;
  cancel(order: Order): Promise<VenueAnswer>;
  /** Everything that the venue knows of an order, in order from its acceptance on; "missing" when it has never had it. */
  find(order: Order): Promise<VenueAnswer | { readonly kind: "missing" }>;
  /** Client order ids of the orders that are open at the venue, also of those that others placed there. */
  openOrders(accountId: string): Promise<OpenOrders>;
  /**
   * Hands over every event of an account, one at a time, in the venue's order and at least once: the next one follows when
   * the promise of the last is fulfilled; one whose promise rejects is handed over again. Events that an answer has
   * already brought may come again.
   */
  watch(accountId: string, onEvent: (event: VenueEvent) => Promise<void>): VenueWatch;
}

export interface VenueWatch {
  /** Fulfilled when the last event is handed over; none follows. */
  close(): Promise<void>;
}

/** The reports may come again by {@link Venue.watch}. A refusal by the venue is one of them. */
export type VenueAnswer = { readonly kind: "answered"; readonly reports: readonly OrderReport[] } | VenueUnknown;

export interface VenueUnknown {
  readonly kind: "unknown";
  /** For the log and the account's sync error; without secrets. */
  readonly reason: string;
}

export type OpenOrders =
  | {
      readonly kind: "answered";
      readonly orders: readonly { readonly clientOrderId: string | null; readonly exchangeOrderId: string }[];
    }
  | VenueUnknown;

export type VenueEvent =
  | {
      readonly kind: "order";
      readonly accountId: string;
      readonly clientOrderId: string;
      readonly report: OrderReport;
    }
  | FundingEvent
  | LiquidationEvent
  /** Events may be missing before this one: compare orders, fills and balances with the venue. */
  | { readonly kind: "gap"; readonly accountId: string; readonly at: Date; readonly reason: string };

/** A funding payment of one position. */
export interface FundingEvent {
  readonly kind: "funding";
  readonly accountId: string;
  readonly symbolId: number;
  /** LONG or SHORT; null where the venue does not say. */
  readonly side: Exclude<PositionSide, "BOTH"> | null;
  /** Unique per account. */
  readonly exchangePaymentId: string;
  /** A fraction; positive: longs pay shorts. Null where the venue does not say. */
  readonly rate: Decimal | null;
  readonly markPrice: Decimal | null;
  /** Received; negative when paid. */
  readonly amount: Decimal;
  readonly asset: string;
  readonly at: Date;
}

/** What an exchange says that a position is, where the fills that are known here make something else of it. */
export interface PositionTold {
  readonly symbolId: number;
  readonly side: Exclude<PositionSide, "BOTH">;
  /** Zero when there is none. */
  readonly quantity: Decimal;
  readonly entryPrice: Decimal;
  readonly leverage: number;
  readonly marginMode: MarginMode;
  readonly at: Date;
}

/** The venue closed all or part of a position because its margin was used up. */
export interface LiquidationEvent {
  readonly kind: "liquidation";
  readonly accountId: string;
  readonly symbolId: number;
  readonly side: Exclude<PositionSide, "BOTH">;
  /** Unique per account, as fills are. */
  readonly exchangeFillId: string;
  readonly price: Decimal;
  readonly quantity: Decimal;
  readonly commission: Decimal;
  readonly commissionAsset: string | null;
  readonly at: Date;
}
