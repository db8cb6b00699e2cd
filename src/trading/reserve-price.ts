import { Decimal } from "../core/decimal.js";
import { type MarketView, oppositeLevels, takerPrice } from "./market-view.js";
import { larger, zero } from "./money.js";
import type { NewOrder, OrderTerms, ReplaceableTerms } from "./order.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";

/** Prices move between the estimate and the fill; what is reserved too much comes free with the fill. */
const buffer = new Decimal("1.01");

/**
 * The price that is reserved for a unit of an order whose own price does not bound it: for a market order the worst level of
 * the book that its quantity reaches, for a stop its stop price, each with a buffer of one per cent. Null where the order's
 * price, or its quantity alone, says what it needs.
 * @param view null when there is no quote
 */
export function reservePriceOf(
  terms: Pick<OrderTerms, "side" | "orderType" | "quantity" | "price" | "stopPrice" | "callbackRate">,
  symbol: TradingSymbol,
  view: MarketView | null,
): Decimal | null {
  // A sale on futures at a better price needs more margin.
  if (terms.price !== null) {
    if (terms.side === "BUY" || !isFutures(symbol) || view === null) return null;
    return larger(terms.price, takerPrice(view, "SELL"));
  }
  if (terms.side === "SELL" && !isFutures(symbol)) return null;
  const price = unbufferedPrice(terms, view);
  return price === null ? null : upToTick(price.times(buffer), symbol.tickSize);
}

/** What is reserved for a unit under these terms, which may be a replacement of those that the order has. */
export function reservedPrice(order: NewOrder, terms: ReplaceableTerms, symbol: TradingSymbol): Decimal {
  const follows = terms.price === null && terms.stopPrice !== null && order.orderType !== "TRAILING_STOP";
  const reserve = follows ? reservePriceOf({ ...order, ...terms }, symbol, null) : order.reservePrice;
  return larger(terms.price ?? zero, reserve ?? zero);
}

function unbufferedPrice(
  terms: Pick<OrderTerms, "side" | "orderType" | "quantity" | "stopPrice" | "callbackRate">,
  view: MarketView | null,
): Decimal | null {
  if (terms.orderType === "TRAILING_STOP") {
    if (view === null) return null;
    const start = larger(view.price, terms.stopPrice ?? zero);
    const rate = (terms.callbackRate ?? zero).div(100);
    return terms.side === "BUY" ? start.times(rate.plus(1)) : start;
  }
  if (terms.stopPrice !== null) return terms.stopPrice;
  if (view === null) return null;
  // The first level that is reached has the best price, and for a sale on futures that is the dearest.
  if (terms.side === "SELL") return takerPrice(view, "SELL");
  let [left, worst] = [terms.quantity, takerPrice(view, "BUY")];
  for (const level of oppositeLevels(view, terms.side)) {
    worst = larger(worst, level.price);
    left = left.minus(level.quantity);
    if (left.lte(0)) break;
  }
  return worst;
}

const upToTick = (price: Decimal, tick: Decimal): Decimal => price.div(tick).ceil().times(tick);
