import type { Decimal } from "../../core/decimal.js";
import type { Order, ReplaceableTerms } from "../order.js";
import { isReducing } from "../reservation.js";
import type { TradedExchange } from "./offers.js";

/** What an order for futures needs beside its terms. */
export interface FuturesTerms {
  /** Coins in one contract. */
  readonly contractSize: Decimal;
  readonly isHedged: boolean;
}

/** What ccxt is asked for. Numbers are decimal text. */
export interface CcxtOrderRequest {
  readonly type: string;
  readonly side: "buy" | "sell";
  readonly amount: string;
  readonly price: string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
}

const hasPrice: ReadonlySet<string> = new Set(["LIMIT", "LIMIT_MAKER", "STOP_LIMIT", "TAKE_PROFIT_LIMIT"]);

/**
 * An order that {@link refusalOf} lets pass, in ccxt's words.
 * @param terms in place of the order's own
 */
export function ccxtOrder(
  exchange: TradedExchange,
  order: Order,
  clientOrderId: string,
  terms: ReplaceableTerms = order,
  futures: FuturesTerms | null = null,
): CcxtOrderRequest {
  const { orderType, timeInForce } = order;
  const { quantity, price, stopPrice } = terms;
  const isPriced = hasPrice.has(orderType);
  const isMaker = orderType === "LIMIT_MAKER" || timeInForce === "GTX" || order.postOnly;
  const trigger = stopPrice?.toFixed();
  return {
    type: isPriced ? "limit" : "market",
    side: order.side === "BUY" ? "buy" : "sell",
    amount: (futures === null ? quantity : quantity.div(futures.contractSize)).toFixed(),
    price: isPriced ? price?.toFixed() : undefined,
    params: {
      clientOrderId,
      ...(isPriced && isMaker ? { postOnly: true } : {}),
      ...(isPriced && !isMaker ? { timeInForce } : {}),
      ...triggerOf(exchange, order, trigger, futures !== null),
      ...(futures === null ? {} : positionOf(exchange, order, futures)),
      ...(order.icebergQuantity === null ? {} : { icebergAmount: order.icebergQuantity.toFixed() }),
    },
  };
}

/** Which position it opens or closes. In hedge mode whoever closes says so in place of the side, in ccxt's words too. */
function positionOf(exchange: TradedExchange, order: Order, { isHedged }: FuturesTerms): object {
  return {
    ...(isHedged ? { hedged: true } : {}),
    ...(order.reduceOnly || (isHedged && isReducing(order)) ? { reduceOnly: true } : {}),
    // Elsewhere the symbol, or the whole account, has a margin mode.
    ...(exchange === "OKX" ? { marginMode: order.marginMode === "ISOLATED" ? "isolated" : "cross" } : {}),
  };
}

function triggerOf(
  exchange: TradedExchange,
  { orderType, side, callbackRate }: Order,
  trigger: string | undefined,
  isFutures: boolean,
): object {
  switch (orderType) {
    case "STOP_MARKET":
    case "STOP_LIMIT":
    case "TAKE_PROFIT":
    case "TAKE_PROFIT_LIMIT": {
      const isStop = orderType === "STOP_MARKET" || orderType === "STOP_LIMIT";
      // Bybit has one kind of trigger: in its spot market the direction follows from the price of now, elsewhere it is told. What
      // ccxt calls a stop-loss there would close a position, whatever the order is for.
      if (exchange !== "BYBIT") return isStop ? { triggerPrice: trigger } : { takeProfitPrice: trigger };
      const direction = (side === "BUY") === isStop ? "ascending" : "descending";
      return { triggerPrice: trigger, ...(isFutures ? { triggerDirection: direction } : {}) };
    }
    case "TRAILING_STOP":
      return {
        trailingPercent: callbackRate?.toFixed(),
        stopLossOrTakeProfit: "stopLoss",
        ...(trigger === undefined ? {} : { trailingTriggerPrice: trigger }),
      };
    case "MARKET":
    case "LIMIT":
    case "LIMIT_MAKER":
      return {};
    default:
      return orderType satisfies never;
  }
}

/** How Binance calls a type where ccxt does not translate it. */
export const binanceTypes: Readonly<Record<string, string>> = {
  LIMIT: "limit",
  LIMIT_MAKER: "LIMIT_MAKER",
  STOP_MARKET: "STOP_LOSS",
  STOP_LIMIT: "STOP_LOSS_LIMIT",
  TAKE_PROFIT: "TAKE_PROFIT",
  TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
};
