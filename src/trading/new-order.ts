import type { Decimal } from "../core/decimal.js";
import type { MarketView } from "./market-view.js";
import {
  type MarginMode,
  type NewOrder,
  type OrderSide,
  type OrderTerms,
  type OrderType,
  orderAmounts,
  type PositionSide,
  type TimeInForce,
} from "./order.js";
import { reservePriceOf } from "./reserve-price.js";
import type { TradingSymbol } from "./trading-symbol.js";

/** An order as it is asked for; what is left out has a default. */
export interface PlaceOrder {
  readonly accountId: string;
  readonly symbolId: number;
  readonly strategyId?: string | null;
  readonly side: OrderSide;
  readonly orderType: OrderType;
  readonly quantity: Decimal;
  readonly price?: Decimal | null;
  readonly stopPrice?: Decimal | null;
  readonly callbackRate?: Decimal | null;
  readonly icebergQuantity?: Decimal | null;
  readonly timeInForce?: TimeInForce | null;
  readonly positionSide?: PositionSide | null;
  readonly leverage?: number | null;
  readonly marginMode?: MarginMode | null;
  readonly reduceOnly?: boolean | null;
  readonly postOnly?: boolean | null;
  readonly stopLoss?: Decimal | null;
  readonly takeProfit?: Decimal | null;
}

/** Fills in the defaults and what has to be reserved; whether it may be placed is said by `order-rules.ts`. */
export function newOrderOf(
  asked: PlaceOrder,
  identity: Pick<NewOrder, "id" | "clientOrderId"> & { readonly parentOrderId?: string | null },
  symbol: TradingSymbol,
  view: MarketView | null,
): NewOrder {
  const terms: OrderTerms = {
    accountId: asked.accountId,
    symbolId: asked.symbolId,
    strategyId: asked.strategyId ?? null,
    side: asked.side,
    positionSide: asked.positionSide ?? "BOTH",
    orderType: asked.orderType,
    timeInForce: asked.timeInForce ?? "GTC",
    quantity: asked.quantity,
    price: asked.price ?? null,
    stopPrice: asked.stopPrice ?? null,
    callbackRate: asked.callbackRate ?? null,
    icebergQuantity: asked.icebergQuantity ?? null,
    leverage: asked.leverage ?? 1,
    marginMode: asked.marginMode ?? "CROSS",
    reduceOnly: asked.reduceOnly ?? false,
    postOnly: asked.postOnly ?? false,
    stopLoss: asked.stopLoss ?? null,
    takeProfit: asked.takeProfit ?? null,
  };
  return {
    ...terms,
    id: identity.id,
    clientOrderId: identity.clientOrderId,
    parentOrderId: identity.parentOrderId ?? null,
    reservePrice: reservePriceOf(terms, symbol, view),
  };
}

const words = [
  "accountId",
  "symbolId",
  "strategyId",
  "side",
  "positionSide",
  "orderType",
  "timeInForce",
  "leverage",
  "marginMode",
  "reduceOnly",
  "postOnly",
] as const satisfies readonly (keyof OrderTerms)[];

/**
 * Whether two orders ask for the same: what an idempotency key that comes again is compared by. Of a known order, compare
 * as it was placed, without its replacements.
 */
export function hasSameTerms(a: OrderTerms, b: OrderTerms): boolean {
  const isSame = (x: Decimal | null, y: Decimal | null) => (x === null || y === null ? x === y : x.eq(y));
  return words.every((name) => a[name] === b[name]) && orderAmounts.every((name) => isSame(a[name], b[name]));
}
