import { type Decimal, decimalText, fitsNumeric38 } from "../core/decimal.js";
import { badInput, type DomainError } from "../core/errors.js";
import {
  type NewOrder,
  type OrderTerms,
  type OrderType,
  orderAmounts,
  type PositionMode,
  type TimeInForce,
} from "./order.js";
import { hasTrigger } from "./order-life.js";
import { directionOf, type Position } from "./position.js";
import { isReducing } from "./reservation.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";

export interface AccountView {
  readonly positionMode: PositionMode;
  /** The open positions of the order's symbol. */
  readonly positions: readonly Position[];
}

export const hasLimitPrice = (type: OrderType): boolean =>
  type === "LIMIT" || type === "LIMIT_MAKER" || type === "STOP_LIMIT" || type === "TAKE_PROFIT_LIMIT";

const callbackRate = { least: 0.1, most: 10 };

/** IOC and FOK are for orders that can be executed at once, and GTX for those that could rest. */
const allowedTimes: Readonly<Record<OrderType, readonly TimeInForce[]>> = {
  MARKET: ["GTC", "IOC", "FOK"],
  LIMIT: ["GTC", "IOC", "FOK", "GTX", "DAY"],
  LIMIT_MAKER: ["GTC", "DAY"],
  STOP_MARKET: ["GTC", "DAY"],
  STOP_LIMIT: ["GTC", "IOC", "FOK", "DAY"],
  TAKE_PROFIT: ["GTC", "DAY"],
  TAKE_PROFIT_LIMIT: ["GTC", "IOC", "FOK", "DAY"],
  TRAILING_STOP: ["GTC", "DAY"],
};

/** Fields that are missing, out of place or contradict each other: BAD_USER_INPUT with the field's name, in the order of the fields. */
export function fieldFaults(order: NewOrder, symbol: TradingSymbol, account: AccountView): DomainError[] {
  return [
    ...amountFaults(order),
    ...presenceFaults(order),
    ...(order.callbackRate === null ? [] : callbackFaults(order.callbackRate)),
    ...icebergFaults(order),
    ...timeFaults(order),
    ...(isFutures(symbol) ? futuresFaults(order, symbol, account) : spotFaults(order)),
    ...protectionFaults(order),
  ];
}

function amountFaults(order: OrderTerms): DomainError[] {
  return orderAmounts.flatMap((name) => {
    const amount: Decimal | null = order[name];
    if (amount === null) return [];
    if (!amount.isFinite() || amount.lte(0)) return [badInput(name, `${name} must be more than zero`)];
    if (fitsNumeric38(decimalText(amount))) return [];
    return [badInput(name, `${name} has more than 20 digits before the point or 18 after it`)];
  });
}

function presenceFaults({ orderType, price, stopPrice, callbackRate }: OrderTerms): DomainError[] {
  const check = (name: string, isThere: boolean, isRequired: boolean, isAllowed = isRequired): DomainError[] => {
    if (!isThere && isRequired) return [badInput(name, `a ${orderType} order needs ${name}`)];
    return isThere && !isAllowed ? [badInput(name, `a ${orderType} order has no ${name}`)] : [];
  };
  const isTrailing = orderType === "TRAILING_STOP";
  return [
    ...check("price", price !== null, hasLimitPrice(orderType)),
    // A trailing stop may have one: from where on it trails.
    ...check("stopPrice", stopPrice !== null, hasTrigger(orderType) && !isTrailing, hasTrigger(orderType)),
    ...check("callbackRate", callbackRate !== null, isTrailing),
  ];
}

function callbackFaults(rate: Decimal): DomainError[] {
  if (rate.gte(callbackRate.least) && rate.lte(callbackRate.most) && rate.decimalPlaces() <= 2) return [];
  const range = `${callbackRate.least} to ${callbackRate.most} per cent`;
  return [badInput("callbackRate", `callbackRate must be from ${range}, with at most two decimals`)];
}

function icebergFaults({ icebergQuantity, orderType, quantity, timeInForce }: OrderTerms): DomainError[] {
  if (icebergQuantity === null) return [];
  const fault = (message: string) => [badInput("icebergQuantity", message)];
  if (!hasLimitPrice(orderType)) return fault("only orders with a price can show a part of their quantity");
  if (timeInForce === "IOC" || timeInForce === "FOK")
    return fault(`an order that never rests (${timeInForce}) shows nothing`);
  return icebergQuantity.gt(quantity) ? fault("icebergQuantity must not be more than quantity") : [];
}

function timeFaults({ orderType, timeInForce, postOnly }: OrderTerms): DomainError[] {
  const faults: DomainError[] = [];
  if (!allowedTimes[orderType].includes(timeInForce)) {
    const allowed = allowedTimes[orderType].join(", ");
    faults.push(badInput("timeInForce", `a ${orderType} order cannot be ${timeInForce}: use ${allowed}`));
  }
  if (postOnly) {
    if (orderType !== "LIMIT" && orderType !== "LIMIT_MAKER") {
      faults.push(badInput("postOnly", "only LIMIT and LIMIT_MAKER orders can be post-only"));
    } else if (timeInForce === "IOC" || timeInForce === "FOK") {
      faults.push(badInput("postOnly", `an order that never rests (${timeInForce}) cannot be post-only`));
    }
  }
  return faults;
}

function spotFaults(order: OrderTerms): DomainError[] {
  const faults: DomainError[] = [];
  if (order.leverage !== 1) faults.push(badInput("leverage", "there is leverage on futures only"));
  if (order.reduceOnly) faults.push(badInput("reduceOnly", "there are positions to reduce on futures only"));
  if (order.positionSide !== "BOTH") faults.push(badInput("positionSide", "there are positions on futures only"));
  return faults;
}

function futuresFaults(order: NewOrder, symbol: TradingSymbol, account: AccountView): DomainError[] {
  const faults: DomainError[] = [];
  const fault = (field: string, message: string) => faults.push(badInput(field, message));
  if (!Number.isInteger(order.leverage) || order.leverage < 1 || order.leverage > symbol.maxLeverage) {
    fault("leverage", `leverage must be a whole number from 1 to ${symbol.maxLeverage}`);
  }
  if (account.positionMode === "ONE_WAY" && order.positionSide !== "BOTH") {
    fault("positionSide", "the account keeps one position per symbol: use BOTH");
  }
  if (account.positionMode === "HEDGE" && order.positionSide === "BOTH") {
    fault("positionSide", "the account keeps long and short apart: use LONG or SHORT");
  }
  const moves = directionOf(order.side);
  const isOpening = order.positionSide !== "BOTH" && order.positionSide === moves;
  const reduced = account.positions.find(
    ({ side }) => side === (order.positionSide === "BOTH" ? opposite(moves) : order.positionSide),
  );
  if (order.reduceOnly && isOpening) {
    fault("reduceOnly", `${order.side} does not reduce a ${order.positionSide} position`);
  } else if (isReducing(order) && !isOpening && reduced === undefined && order.parentOrderId === null) {
    fault(order.reduceOnly ? "reduceOnly" : "positionSide", "there is no open position to reduce");
  }
  const other = account.positions.find(({ marginMode }) => marginMode !== order.marginMode);
  if (other !== undefined && !isReducing(order)) {
    fault("marginMode", `the open position of this symbol is ${other.marginMode}`);
  }
  return faults;
}

/** Protection closes what the order opened: there is none for an order that itself closes or gives away. */
function protectionFaults(order: OrderTerms): DomainError[] {
  const names = (["stopLoss", "takeProfit"] as const).filter((name) => order[name] !== null);
  return isReducing(order)
    ? names.map((name) => badInput(name, "an order that reduces a position needs no protection"))
    : [];
}

const opposite = (side: "LONG" | "SHORT"): "LONG" | "SHORT" => (side === "LONG" ? "SHORT" : "LONG");
