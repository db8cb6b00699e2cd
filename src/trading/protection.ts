import type { Decimal } from "../core/decimal.js";
import { smaller } from "./money.js";
import type { NewOrder, Order } from "./order.js";
import { directionOf } from "./position.js";
import { reservePriceOf } from "./reserve-price.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";

/**
 * The stop-loss and take-profit that an order has brought along, for what it has filled. They are one-cancels-other: they
 * share their parent and what is reserved for it. They are placed without asking the rules of prices again, because the
 * price may have passed them already; then they are triggered at once.
 * @param quantity of the fills; a commission that was paid in the base currency is not there to be sold
 * @param available what the account has free of the base currency: without positions, what was sold meanwhile is not there either
 * @param identity of each order, in turn
 * @returns none when nothing of a whole step is left
 */
export function protectionOrders(
  parent: Order,
  quantity: Decimal,
  symbol: TradingSymbol,
  available: Decimal,
  identity: () => Pick<NewOrder, "id" | "clientOrderId">,
): NewOrder[] {
  const inBase = parent.commissions.find(({ asset }) => asset === symbol.baseAsset)?.amount;
  const owned = inBase === undefined ? quantity : smaller(quantity, parent.filledQuantity.minus(inBase));
  const free = isFutures(symbol) ? owned : smaller(owned, available);
  const protectedQuantity = free.div(symbol.stepSize).floor().times(symbol.stepSize);
  if (protectedQuantity.lte(0)) return [];
  const legs = [
    { orderType: "STOP_MARKET", stopPrice: parent.stopLoss },
    { orderType: "TAKE_PROFIT", stopPrice: parent.takeProfit },
  ] as const;
  return legs.flatMap(({ orderType, stopPrice }) => {
    if (stopPrice === null) return [];
    const terms = {
      accountId: parent.accountId,
      symbolId: parent.symbolId,
      strategyId: parent.strategyId,
      side: parent.side === "BUY" ? "SELL" : "BUY",
      positionSide: parent.positionSide === "BOTH" ? "BOTH" : directionOf(parent.side),
      orderType,
      timeInForce: "GTC",
      quantity: protectedQuantity,
      price: null,
      stopPrice,
      callbackRate: null,
      icebergQuantity: null,
      leverage: parent.leverage,
      marginMode: parent.marginMode,
      reduceOnly: isFutures(symbol),
      postOnly: false,
      stopLoss: null,
      takeProfit: null,
    } as const;
    return [{ ...terms, ...identity(), parentOrderId: parent.id, reservePrice: reservePriceOf(terms, symbol, null) }];
  });
}
