import { type Decimal, type DecimalText, decimalText } from "../core/decimal.js";
import type { LedgerDraft } from "./ledger-draft.js";
import { type MarketView, oppositeLevels } from "./market-view.js";
import { larger, roundedUp, smaller, zero } from "./money.js";
import type { NewOrder } from "./order.js";
import { transition } from "./order-life.js";
import { referencePrice } from "./order-rules.js";
import { directionOf, liquidationPrice, openOrAdd } from "./position.js";
import { isReducing, needOf } from "./reservation.js";
import { commissionOf, isFutures, type TradingSymbol } from "./trading-symbol.js";

export interface OrderEstimate {
  readonly notional: DecimalText;
  readonly estimatedPrice: DecimalText;
  readonly fee: DecimalText;
  readonly feeAsset: string;
  readonly marginRequired: DecimalText | null;
  readonly liquidationPrice: DecimalText | null;
  readonly availableAfter: DecimalText;
  readonly violations: readonly string[];
}

/** @param broken codes of the rules that it breaks, besides money */
export function estimateOf(
  order: NewOrder,
  symbol: TradingSymbol,
  view: MarketView | null,
  draft: LedgerDraft,
  broken: readonly string[],
): OrderEstimate {
  const price = priceNow(order, view);
  const notional = price.times(order.quantity);
  const fee = commissionOf(symbol, notional, false, zero);
  const born = transition(null, { kind: "placed", at: draft.now, order });
  if (born.kind !== "changed") throw new Error("an order begins with its placing");
  const need = needOf(born.order, symbol);
  const available = draft.balances.get(need.asset)?.available ?? zero;
  const after = available.minus(need.amount);
  const opens = isFutures(symbol) && !isReducing(order);
  const margin = opens ? roundedUp(notional.div(larger(zero.plus(1), zero.plus(order.leverage)))) : null;
  return {
    notional: text(notional),
    estimatedPrice: text(price),
    fee: text(fee),
    feeAsset: symbol.quoteAsset,
    marginRequired: margin === null ? null : text(margin),
    liquidationPrice: margin === null || price.isZero() ? null : liquidation(order, price, margin, after, symbol),
    availableAfter: text(after),
    violations: [...new Set([...broken, ...(after.lt(0) ? ["INSUFFICIENT_BALANCE"] : [])])],
  };
}

const text = (value: Decimal): DecimalText => decimalText(value.toDecimalPlaces(18));

/** What the quantity would cost on average if it were executed now: its own limit where it would rest. */
function priceNow(order: NewOrder, view: MarketView | null): Decimal {
  const reference = referencePrice(order, view) ?? zero;
  if (view === null || order.stopPrice !== null) return reference;
  let [left, value] = [order.quantity, zero];
  for (const level of oppositeLevels(view, order.side)) {
    const isWithin =
      order.price === null || (order.side === "BUY" ? level.price.lte(order.price) : level.price.gte(order.price));
    if (!isWithin || left.lte(0)) break;
    const quantity = smaller(left, level.quantity);
    value = value.plus(quantity.times(level.price));
    left = left.minus(quantity);
  }
  if (!order.quantity.gt(0)) return reference;
  return value.plus(left.times(reference)).div(order.quantity).toDecimalPlaces(18);
}

function liquidation(
  order: NewOrder,
  price: Decimal,
  margin: Decimal,
  availableAfter: Decimal,
  symbol: TradingSymbol,
): DecimalText | null {
  const { accountId, symbolId, leverage, marginMode, quantity } = order;
  const opening = { accountId, symbolId, side: directionOf(order.side), leverage, marginMode };
  const position = openOrAdd(null, opening, { price, quantity, at: new Date(0) }, margin);
  const collateral = marginMode === "ISOLATED" ? margin : margin.plus(larger(zero, availableAfter));
  const found = liquidationPrice([position], collateral, symbol.maintenanceMarginRate);
  return found === null ? null : text(found);
}
