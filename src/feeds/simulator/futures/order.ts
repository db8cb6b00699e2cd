import { Decimal } from "../../../core/decimal.js";

export type PositionSide = "LONG" | "SHORT" | "BOTH";
export const futuresTimesInForce = ["GTC", "IOC", "FOK", "GTX"] as const;

/** What a client asks for. */
export interface FuturesOrderRequest {
  readonly symbol: string;
  readonly clientOrderId: string;
  readonly side: "BUY" | "SELL";
  readonly positionSide: PositionSide;
  readonly type: "LIMIT" | "MARKET";
  readonly timeInForce: (typeof futuresTimesInForce)[number];
  readonly quantity: Decimal;
  readonly price: Decimal | null;
  readonly reduceOnly: boolean;
}

export interface FuturesTrade {
  readonly id: number;
  readonly orderId: number;
  readonly symbol: string;
  readonly side: "BUY" | "SELL";
  readonly positionSide: PositionSide;
  readonly price: Decimal;
  readonly quantity: Decimal;
  readonly commission: Decimal;
  readonly realizedPnl: Decimal;
  readonly isMaker: boolean;
  readonly atMs: number;
}

export class FuturesOrder implements FuturesOrderRequest {
  readonly symbol: string;
  readonly clientOrderId: string;
  readonly side: "BUY" | "SELL";
  readonly positionSide: PositionSide;
  readonly type: "LIMIT" | "MARKET";
  readonly timeInForce: (typeof futuresTimesInForce)[number];
  readonly reduceOnly: boolean;
  quantity: Decimal;
  price: Decimal | null;
  status: "NEW" | "PARTIALLY_FILLED" | "FILLED" | "CANCELED" | "EXPIRED" = "NEW";
  executed = new Decimal(0);
  value = new Decimal(0);
  updatedAtMs: number;

  constructor(
    readonly id: number,
    request: FuturesOrderRequest,
    readonly createdAtMs: number,
  ) {
    this.symbol = request.symbol;
    this.clientOrderId = request.clientOrderId;
    this.side = request.side;
    this.positionSide = request.positionSide;
    this.type = request.type;
    this.timeInForce = request.timeInForce;
    this.quantity = request.quantity;
    this.price = request.price;
    this.reduceOnly = request.reduceOnly;
    this.updatedAtMs = createdAtMs;
  }

  get isOpen(): boolean {
    return this.status === "NEW" || this.status === "PARTIALLY_FILLED";
  }

  get remaining(): Decimal {
    return this.quantity.minus(this.executed);
  }
}
