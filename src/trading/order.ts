import type { Decimal } from "../core/decimal.js";

export const orderSides = ["BUY", "SELL"] as const;
export type OrderSide = (typeof orderSides)[number];

/** BOTH in one-way mode; in hedge mode an order says which of the two positions it opens or reduces. */
export const positionSides = ["LONG", "SHORT", "BOTH"] as const;
export type PositionSide = (typeof positionSides)[number];

export const orderTypes = [
  "MARKET",
  "LIMIT",
  "LIMIT_MAKER",
  "STOP_MARKET",
  "STOP_LIMIT",
  "TAKE_PROFIT",
  "TAKE_PROFIT_LIMIT",
  "TRAILING_STOP",
] as const;
export type OrderType = (typeof orderTypes)[number];

/** PENDING is stored and not yet acknowledged by the venue; the last four are final. */
export const orderStatuses = [
  "PENDING",
  "NEW",
  "PARTIALLY_FILLED",
  "FILLED",
  "CANCELLED",
  "REJECTED",
  "EXPIRED",
] as const;
export type OrderStatus = (typeof orderStatuses)[number];

/** GTX is good till cancelled and never takes; DAY ends with the trading day of the market. */
export const timesInForce = ["GTC", "IOC", "FOK", "GTX", "DAY"] as const;
export type TimeInForce = (typeof timesInForce)[number];

export const marginModes = ["ISOLATED", "CROSS"] as const;
export type MarginMode = (typeof marginModes)[number];

export const positionModes = ["ONE_WAY", "HEDGE"] as const;
export type PositionMode = (typeof positionModes)[number];

/** The amounts among the terms of an order. */
export const orderAmounts = [
  "quantity",
  "price",
  "stopPrice",
  "callbackRate",
  "icebergQuantity",
  "stopLoss",
  "takeProfit",
] as const satisfies readonly (keyof OrderTerms)[];

/** What the user asks for. Prices in quote currency, quantities in base currency, the callback rate in per cent. */
export interface OrderTerms {
  readonly accountId: string;
  readonly symbolId: number;
  /** The user's strategy that it belongs to. */
  readonly strategyId: string | null;
  readonly side: OrderSide;
  readonly positionSide: PositionSide;
  readonly orderType: OrderType;
  readonly timeInForce: TimeInForce;
  readonly quantity: Decimal;
  readonly price: Decimal | null;
  readonly stopPrice: Decimal | null;
  readonly callbackRate: Decimal | null;
  readonly icebergQuantity: Decimal | null;
  /** 1 to 125; 1 where there is no leverage. */
  readonly leverage: number;
  readonly marginMode: MarginMode;
  readonly reduceOnly: boolean;
  readonly postOnly: boolean;
  /** Prices of the protection that is placed for what this order fills. */
  readonly stopLoss: Decimal | null;
  readonly takeProfit: Decimal | null;
}

/** An order before its life begins. */
export interface NewOrder extends OrderTerms {
  /** UUID v7. */
  readonly id: string;
  /** Unique per account. */
  readonly clientOrderId: string;
  /** Types without a price: what is locked for a unit, and no fill on paper is dearer; null for the others. */
  readonly reservePrice: Decimal | null;
  /** The order whose fills this one protects. Orders with the same parent are one-cancels-other. */
  readonly parentOrderId: string | null;
}

/** What a replacement may change; always all three, as they shall be afterwards. */
export type ReplaceableTerms = Pick<OrderTerms, "quantity" | "price" | "stopPrice">;

export interface Commission {
  readonly asset: string;
  /** A rebate is negative. */
  readonly amount: Decimal;
}

/** An order as its events made it. */
export interface Order extends NewOrder {
  /** Of its last event; the first one is 1. */
  readonly version: number;
  readonly status: OrderStatus;
  readonly exchangeOrderId: string | null;
  /** The venue did not answer in time: it may or may not know the order. */
  readonly isUnconfirmed: boolean;
  /** Stop, take-profit and trailing orders: when the stop price was reached. */
  readonly triggeredAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  /** A replacement that the venue has not answered yet. */
  readonly pendingReplacement: ReplaceableTerms | null;
  readonly replacedAt: Date | null;
  readonly filledQuantity: Decimal;
  /** Sum of price × quantity over the fills; the average price is a quotient of this, and is not stored rounded. */
  readonly filledQuote: Decimal;
  /** One entry per asset: amounts of different assets are never added. */
  readonly commissions: readonly Commission[];
  /** The fills that are in it. Who loads an order from a row may leave out all but those of the event at hand. */
  readonly fillIds: ReadonlySet<string>;
  readonly rejectCode: string | null;
  readonly rejectReason: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The newest time of its fills; null before the first one. */
  readonly lastFillAt: Date | null;
  /** The same, once it is FILLED; null before. */
  readonly filledAt: Date | null;
  /** Null unless CANCELLED. */
  readonly cancelledAt: Date | null;
}

/** One execution. It never changes. */
export interface Fill {
  /** Unique per account. */
  readonly exchangeFillId: string;
  readonly price: Decimal;
  readonly quantity: Decimal;
  /** A rebate is negative. */
  readonly commission: Decimal;
  /** Null only where the commission is zero. */
  readonly commissionAsset: string | null;
  readonly isMaker: boolean;
  /** By the venue's clock. */
  readonly filledAt: Date;
}

const open: ReadonlySet<OrderStatus> = new Set<OrderStatus>(["PENDING", "NEW", "PARTIALLY_FILLED"]);
export const isOpen = (order: Pick<Order, "status">): boolean => open.has(order.status);

export const remainingQuantity = (order: Pick<Order, "quantity" | "filledQuantity">): Decimal =>
  order.quantity.minus(order.filledQuantity);

/** Volume-weighted, rounded to the 18 places that the database keeps; null before the first fill. */
export const avgFillPrice = (order: Pick<Order, "filledQuantity" | "filledQuote">): Decimal | null =>
  order.filledQuantity.isZero() ? null : order.filledQuote.div(order.filledQuantity).toDecimalPlaces(18);
