import type { MarketStatus } from "../catalogue/market-hours.js";
import type { Decimal } from "../core/decimal.js";
import { DomainError, type ErrorCode } from "../core/errors.js";
import { type MarketView, takerPrice } from "./market-view.js";
import { larger, smaller } from "./money.js";
import type { NewOrder, Order, ReplaceableTerms } from "./order.js";
import { type AccountView, fieldFaults, hasLimitPrice } from "./order-fields.js";
import { hasTrigger } from "./order-life.js";
import { isReducing } from "./reservation.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";

export interface MarketConditions {
  readonly symbol: TradingSymbol;
  readonly marketStatus: MarketStatus;
  /** When the status changes next; null when nobody knows, or never. */
  readonly nextStatusChangeAt: Date | null;
  /** Null when there is no quote. */
  readonly view: MarketView | null;
  readonly account: AccountView;
}

/**
 * Every rule that an order breaks, the gravest first: fields, then the market, then prices, then quantities. Each error
 * names the rule and, where there is one, the nearest value that it allows: `rule` and `nearest` beside the code.
 * Money and risk limits are not among them.
 */
export function brokenRules(order: NewOrder, conditions: MarketConditions): DomainError[] {
  return rulesBrokenBy(order, conditions, false);
}

/** The same for an order with new terms; of a stop that was reached the side is not asked any more. */
export function brokenReplacementRules(
  order: Order,
  terms: ReplaceableTerms,
  conditions: MarketConditions,
): DomainError[] {
  return rulesBrokenBy({ ...order, ...terms }, conditions, order.triggeredAt !== null);
}

/** @throws {DomainError} the gravest of the broken rules */
export function requireNone(rules: readonly DomainError[]): void {
  const [first] = rules;
  if (first !== undefined) throw first;
}

function rulesBrokenBy(order: NewOrder, conditions: MarketConditions, isTriggered: boolean): DomainError[] {
  const { symbol, account } = conditions;
  const faults = fieldFaults(order, symbol, account);
  if (!isFutures(symbol) && order.side === "SELL") {
    for (const field of ["stopLoss", "takeProfit"] as const) {
      if (order[field] !== null)
        faults.push(broken("BAD_USER_INPUT", field, "protection", "a sale opens nothing to protect"));
    }
  }
  // With fields missing or senseless the other rules have nothing to compare.
  if (faults.length > 0) return faults;
  return [
    ...marketRules(order, conditions),
    ...priceRules(order, conditions, isTriggered),
    ...quantityRules(order, symbol, account, referencePrice(order, conditions.view)),
  ];
}

function broken(code: ErrorCode, field: string, rule: string, message: string, nearest?: Decimal): DomainError {
  const value = nearest?.toFixed();
  const hint = value === undefined ? "" : `; the nearest is ${value}`;
  return new DomainError(code, `${message}${hint}`, {
    field,
    rule,
    ...(value === undefined ? {} : { nearest: value }),
  });
}

function marketRules(
  order: NewOrder,
  { symbol, marketStatus, nextStatusChangeAt, view }: MarketConditions,
): DomainError[] {
  const rules: DomainError[] = [];
  if (!symbol.isTrading) rules.push(new DomainError("SYMBOL_NOT_TRADING", `${symbol.ticker} is not trading`));
  const isExtended = marketStatus === "PRE_MARKET" || marketStatus === "POST_MARKET";
  if (marketStatus !== "OPEN" && !(isExtended && order.orderType.startsWith("LIMIT"))) {
    const message = isExtended ? `only limit orders are taken in ${marketStatus}` : `the market is ${marketStatus}`;
    const changesAt = nextStatusChangeAt?.toISOString() ?? null;
    rules.push(new DomainError("MARKET_CLOSED", message, { status: marketStatus, changesAt }));
  }
  const needsQuote = order.orderType === "MARKET" || hasTrigger(order.orderType);
  if (needsQuote && (view === null || view.isStale)) {
    const message = view === null ? "there is no price" : "the price is out of date";
    rules.push(new DomainError("NO_QUOTE", `${message}: ${symbol.ticker}`));
  }
  return rules;
}

/** What the order is worth a unit, as far as anybody can know; null without any price. */
export const referencePrice = (
  order: Pick<NewOrder, "side" | "price" | "stopPrice">,
  view: MarketView | null,
): Decimal | null => order.price ?? order.stopPrice ?? (view === null ? null : takerPrice(view, order.side));

function priceRules(order: NewOrder, { symbol, view }: MarketConditions, isTriggered: boolean): DomainError[] {
  const rules: DomainError[] = [];
  for (const field of ["price", "stopPrice", "stopLoss", "takeProfit"] as const) {
    const price = order[field];
    if (price === null || price.mod(symbol.tickSize).isZero()) continue;
    const message = `${field} must be a multiple of the tick size ${symbol.tickSize.toFixed()}`;
    rules.push(broken("PRICE_OUT_OF_RANGE", field, "tickSize", message, nearestMultiple(price, symbol.tickSize)));
  }
  if (view !== null && !view.isStale) {
    rules.push(...bandRules(order, symbol, view.price));
    if (!isTriggered) rules.push(...stopRules(order, symbol, view.price));
  }
  const reference = referencePrice(order, view);
  return reference === null ? rules : [...rules, ...protectionRules(order, symbol, reference)];
}

function bandRules(order: NewOrder, symbol: TradingSymbol, current: Decimal): DomainError[] {
  if (order.price === null || !hasLimitPrice(order.orderType)) return [];
  // A stop's limit is compared with the price at which it will count.
  const base = order.stopPrice ?? current;
  // Of a price of few ticks the next one is never too far.
  const lowest = smaller(base.times(symbol.lowestPriceFactor), base.minus(symbol.tickSize));
  const highest = larger(base.times(symbol.highestPriceFactor), base.plus(symbol.tickSize));
  if (order.price.gte(lowest) && order.price.lte(highest)) return [];
  const nearest = order.price.lt(lowest) ? upTo(lowest, symbol.tickSize) : downTo(highest, symbol.tickSize);
  return [broken("PRICE_OUT_OF_RANGE", "price", "priceBand", `price is too far from ${base.toFixed()}`, nearest)];
}

/** A stop lies where the price has not been yet; on the wrong side it would be triggered at once. */
function stopRules(order: NewOrder, symbol: TradingSymbol, current: Decimal): DomainError[] {
  if (order.stopPrice === null) return [];
  const isAbove = triggersAbove(order);
  if (isAbove ? order.stopPrice.gt(current) : order.stopPrice.lt(current)) return [];
  // From where a trailing stop trails may be where the price is now.
  if (order.orderType === "TRAILING_STOP" && order.stopPrice.eq(current)) return [];
  const nearest = isAbove
    ? downTo(current, symbol.tickSize).plus(symbol.tickSize)
    : upTo(current, symbol.tickSize).minus(symbol.tickSize);
  const message = `stopPrice of a ${order.side} ${order.orderType} must be ${isAbove ? "above" : "below"} the price ${current.toFixed()}`;
  return [broken("PRICE_OUT_OF_RANGE", "stopPrice", "stopSide", message, nearest.gt(0) ? nearest : undefined)];
}

/** Whether its stop price is reached from below. For a trailing stop: from where on it trails. */
export function triggersAbove(order: Pick<NewOrder, "side" | "orderType">): boolean {
  const isStop = order.orderType === "STOP_MARKET" || order.orderType === "STOP_LIMIT";
  return (order.side === "BUY") === isStop;
}

function protectionRules(order: NewOrder, symbol: TradingSymbol, reference: Decimal): DomainError[] {
  const check = (field: "stopLoss" | "takeProfit", isBelow: boolean): DomainError[] => {
    const price = order[field];
    if (price === null || (isBelow ? price.lt(reference) : price.gt(reference))) return [];
    const nearest = isBelow
      ? upTo(reference, symbol.tickSize).minus(symbol.tickSize)
      : downTo(reference, symbol.tickSize).plus(symbol.tickSize);
    const message = `${field} of a ${order.side} order must be ${isBelow ? "below" : "above"} ${reference.toFixed()}`;
    return [broken("PRICE_OUT_OF_RANGE", field, "protectionSide", message, nearest.gt(0) ? nearest : undefined)];
  };
  const isPurchase = order.side === "BUY";
  return [...check("stopLoss", isPurchase), ...check("takeProfit", !isPurchase)];
}

function quantityRules(
  order: NewOrder,
  symbol: TradingSymbol,
  account: AccountView,
  reference: Decimal | null,
): DomainError[] {
  const rules: DomainError[] = [];
  const { stepSize, minQuantity, maxQuantity, minNotional, maxNotional } = symbol;
  const refuse = (code: ErrorCode, rule: string, message: string, nearest: Decimal, field = "quantity") =>
    rules.push(broken(code, field, rule, message, nearest.gt(0) ? nearest : undefined));
  const least = minQuantity === null ? stepSize : larger(stepSize, upTo(minQuantity, stepSize));
  // The last of a position can be closed, however little it is.
  const closesAll = isReducing(order) && account.positions.some(({ quantity }) => quantity.eq(order.quantity));
  if (!order.quantity.mod(stepSize).isZero() && !closesAll) {
    const nearest = larger(least, downTo(order.quantity, stepSize));
    refuse(
      "QUANTITY_OUT_OF_RANGE",
      "stepSize",
      `quantity must be a multiple of the step size ${stepSize.toFixed()}`,
      nearest,
    );
  }
  if (order.icebergQuantity !== null && !order.icebergQuantity.mod(stepSize).isZero()) {
    const nearest = larger(least, downTo(order.icebergQuantity, stepSize));
    const message = `icebergQuantity must be a multiple of the step size ${stepSize.toFixed()}`;
    refuse("QUANTITY_OUT_OF_RANGE", "stepSize", message, nearest, "icebergQuantity");
  }
  if (minQuantity !== null && order.quantity.lt(minQuantity) && !closesAll) {
    refuse("QUANTITY_OUT_OF_RANGE", "minQuantity", `quantity must be at least ${minQuantity.toFixed()}`, least);
  }
  if (maxQuantity !== null && order.quantity.gt(maxQuantity)) {
    const message = `quantity must be at most ${maxQuantity.toFixed()}`;
    refuse("QUANTITY_OUT_OF_RANGE", "maxQuantity", message, downTo(maxQuantity, stepSize));
  }
  if (reference === null) return rules;
  const value = order.quantity.times(reference);
  if (minNotional !== null && value.lt(minNotional) && !isReducing(order)) {
    const message = `the order must be worth at least ${minNotional.toFixed()} ${symbol.quoteAsset}`;
    refuse("MIN_NOTIONAL", "minNotional", message, larger(least, upTo(minNotional.div(reference), stepSize)));
  }
  const most = maxNotional ?? highestNotional(reference);
  if (value.gt(most)) {
    const message = `the order must be worth at most ${most.toFixed()} ${symbol.quoteAsset}`;
    refuse("QUANTITY_OUT_OF_RANGE", "maxNotional", message, downTo(most.div(reference), stepSize));
  }
  return rules;
}

/** What the ledger can keep, with room for commissions. */
const highestNotional = (reference: Decimal): Decimal => reference.minus(reference).plus("1e19");

const downTo = (value: Decimal, step: Decimal): Decimal => value.div(step).floor().times(step);
const upTo = (value: Decimal, step: Decimal): Decimal => value.div(step).ceil().times(step);
/** At least one step. */
const nearestMultiple = (value: Decimal, step: Decimal): Decimal => larger(step, value.div(step).round().times(step));
