import type { OrderTerms, OrderType, TimeInForce } from "../order.js";

/** Exchanges on which accounts can trade, by their code. */
export const tradedExchanges = ["BINANCE", "BYBIT", "OKX", "MEXC", "GATEIO"] as const;
export type TradedExchange = (typeof tradedExchanges)[number];

/** What an exchange's spot market takes from us. */
interface Offer {
  readonly name: string;
  readonly types: ReadonlySet<OrderType>;
  readonly iceberg: boolean;
  /** Market orders to buy name what to get, and not what to spend. */
  readonly buysByQuantity: boolean;
  /** There is a separate exchange with play money. */
  readonly testnet: boolean;
  /** How an order gets other terms. */
  readonly replaces: "amend" | "newOrder";
}

const plain: readonly OrderType[] = ["MARKET", "LIMIT", "LIMIT_MAKER"];
const stops: readonly OrderType[] = ["STOP_MARKET", "STOP_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];

/**
 * Only what can be found again by the name that we give it: a stop order of OKX or Gate.io is a plan that becomes another
 * order, without our name, so after a lost answer nobody could say what became of it. MEXC has no stop orders.
 */
export const offers: Readonly<Record<TradedExchange, Offer>> = {
  BINANCE: {
    name: "Binance",
    types: new Set<OrderType>([...plain, ...stops, "TRAILING_STOP"]),
    iceberg: true,
    buysByQuantity: true,
    testnet: true,
    replaces: "newOrder",
  },
  BYBIT: {
    name: "Bybit",
    types: new Set([...plain, ...stops]),
    iceberg: false,
    buysByQuantity: true,
    testnet: true,
    replaces: "amend",
  },
  OKX: {
    name: "OKX",
    types: new Set(plain),
    iceberg: false,
    buysByQuantity: true,
    testnet: true,
    replaces: "amend",
  },
  MEXC: {
    name: "MEXC",
    types: new Set(plain),
    iceberg: false,
    buysByQuantity: true,
    testnet: false,
    replaces: "newOrder",
  },
  GATEIO: {
    name: "Gate.io",
    types: new Set(plain),
    iceberg: false,
    buysByQuantity: false,
    testnet: true,
    replaces: "amend",
  },
};

export type OfferedTerms = Pick<
  OrderTerms,
  | "side"
  | "positionSide"
  | "orderType"
  | "timeInForce"
  | "icebergQuantity"
  | "leverage"
  | "reduceOnly"
  | "postOnly"
  | "stopLoss"
  | "takeProfit"
>;

/** Why an exchange cannot take an order, in words for its owner; null when it can. */
export function refusalOf(exchange: TradedExchange, marketType: string, terms: OfferedTerms): string | null {
  const { name, types, iceberg, buysByQuantity } = offers[exchange];
  const { orderType, timeInForce } = terms;
  if (marketType !== "SPOT") return `trading on ${name} is for spot markets only; futures are for paper accounts`;
  if (!types.has(orderType)) return `${name} is not offered ${orderType} orders`;
  if (timeInForce === "DAY") return `${name} has no DAY orders: use GTC and cancel`;
  const rule = timeRule(orderType, timeInForce, terms.postOnly);
  if (rule !== null) return rule;
  if (orderType === "MARKET" && terms.side === "BUY" && !buysByQuantity) {
    return `${name} takes market orders to buy by cost only: use a LIMIT order with IOC`;
  }
  if (terms.icebergQuantity !== null && !iceberg) return `${name} is not offered iceberg orders`;
  if (terms.icebergQuantity !== null && timeInForce !== "GTC") return "an iceberg order is GTC";
  if (terms.reduceOnly) return "reduceOnly is for futures";
  if (terms.leverage !== 1) return "a spot market has no leverage";
  if (terms.positionSide !== "BOTH") return "a spot market has no position sides";
  const { stopLoss, takeProfit } = terms;
  if (stopLoss !== null && takeProfit !== null) {
    return `${name} would reserve the balance for both: give a stop-loss or a take-profit`;
  }
  if (stopLoss !== null && !types.has("STOP_MARKET")) return `${name} has no stop order to protect this one with`;
  if (takeProfit !== null && !types.has("TAKE_PROFIT")) return `${name} has no stop order to protect this one with`;
  return null;
}

const atMarket: ReadonlySet<OrderType> = new Set<OrderType>(["MARKET", "STOP_MARKET", "TAKE_PROFIT", "TRAILING_STOP"]);

function timeRule(orderType: OrderType, timeInForce: TimeInForce, postOnly: boolean): string | null {
  const isMaker = orderType === "LIMIT_MAKER" || timeInForce === "GTX" || postOnly;
  if (isMaker && orderType !== "LIMIT" && orderType !== "LIMIT_MAKER") return `${orderType} orders cannot be post-only`;
  if (isMaker && (timeInForce === "IOC" || timeInForce === "FOK")) return `a post-only order cannot be ${timeInForce}`;
  if (atMarket.has(orderType) && orderType !== "MARKET" && timeInForce !== "GTC") return `${orderType} orders are GTC`;
  return null;
}
