import type { Decimal } from "../../../core/decimal.js";

export type Side = "BUY" | "SELL";

export const orderTypes = [
  "LIMIT",
  "LIMIT_MAKER",
  "MARKET",
  "STOP_LOSS",
  "STOP_LOSS_LIMIT",
  "TAKE_PROFIT",
  "TAKE_PROFIT_LIMIT",
] as const;
export type SimulatedOrderType = (typeof orderTypes)[number];

export const timesInForce = ["GTC", "IOC", "FOK"] as const;
export type SimulatedTimeInForce = (typeof timesInForce)[number];

export type SimulatedStatus = "NEW" | "PARTIALLY_FILLED" | "FILLED" | "CANCELED" | "EXPIRED";

/** What a client asks for, read and complete for its type. */
export interface OrderRequest {
  readonly symbol: string;
  readonly clientOrderId: string;
  readonly side: Side;
  readonly type: SimulatedOrderType;
  readonly timeInForce: SimulatedTimeInForce;
  readonly quantity: Decimal;
  readonly price: Decimal | null;
  readonly stopPrice: Decimal | null;
  /** In hundredths of a per cent. */
  readonly trailingDelta: number | null;
  readonly icebergQuantity: Decimal | null;
}

export interface SimulatedTrade {
  readonly id: number;
  readonly symbol: string;
  readonly orderId: number;
  readonly price: Decimal;
  readonly quantity: Decimal;
  readonly commission: Decimal;
  readonly commissionAsset: string;
  readonly atMs: number;
  readonly isBuyer: boolean;
  readonly isMaker: boolean;
}

export class SimulatedOrder implements OrderRequest {
  readonly symbol: string;
  readonly clientOrderId: string;
  readonly side: Side;
  readonly type: SimulatedOrderType;
  readonly timeInForce: SimulatedTimeInForce;
  readonly quantity: Decimal;
  readonly price: Decimal | null;
  readonly stopPrice: Decimal | null;
  readonly trailingDelta: number | null;
  readonly icebergQuantity: Decimal | null;
  status: SimulatedStatus = "NEW";
  executed: Decimal;
  /** In the quote currency. */
  value: Decimal;
  /** What is reserved for it, in the asset that it gives. */
  locked: Decimal;
  /** False until the stop price is reached. */
  isWorking: boolean;
  /** Of a trailing order: the best price since it was placed. */
  extreme: Decimal | null = null;
  /** By which the client called the cancellation. */
  cancelId: string | null = null;
  updatedAtMs: number;

  constructor(
    readonly id: number,
    request: OrderRequest,
    readonly createdAtMs: number,
    zero: Decimal,
  ) {
    this.symbol = request.symbol;
    this.clientOrderId = request.clientOrderId;
    this.side = request.side;
    this.type = request.type;
    this.timeInForce = request.timeInForce;
    this.quantity = request.quantity;
    this.price = request.price;
    this.stopPrice = request.stopPrice;
    this.trailingDelta = request.trailingDelta;
    this.icebergQuantity = request.icebergQuantity;
    this.executed = this.value = this.locked = zero;
    this.isWorking = request.stopPrice === null && request.trailingDelta === null;
    this.updatedAtMs = createdAtMs;
  }

  get isOpen(): boolean {
    return this.status === "NEW" || this.status === "PARTIALLY_FILLED";
  }

  get remaining(): Decimal {
    return this.quantity.minus(this.executed);
  }
}

/** A request that the exchange refuses, in its own words. */
export class Refused extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly status = 400,
    readonly data: object | null = null,
  ) {
    super(message);
  }
}
