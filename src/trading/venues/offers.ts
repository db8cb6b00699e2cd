import type { MarginMode, OrderTerms, OrderType, PositionMode, TimeInForce } from "../order.js";

/** Exchanges on which accounts can trade, by their code. */
export const tradedExchanges = ["BINANCE", "BYBIT", "OKX", "MEXC", "GATEIO"] as const;
export type TradedExchange = (typeof tradedExchanges)[number];

/** Where an exchange keeps them apart: other symbols, another wallet, another stream. */
export type MarketKind = "spot" | "futures";

export const kindOf = (marketType: string): MarketKind => (marketType === "FUTURES" ? "futures" : "spot");

/** What an exchange's market for perpetual contracts, settled in USDT, takes from us. */
interface FuturesOffer {
  readonly types: ReadonlySet<OrderType>;
  readonly marginModes: ReadonlySet<MarginMode>;
  readonly positionModes: ReadonlySet<PositionMode>;
  readonly maxLeverage: number;
  /** There is one with play money that the library can reach. */
  readonly testnet: boolean;
  /** What it holds is not among the balances of the spot market. */
  readonly hasOwnWallet: boolean;
}

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
  /** Null where no futures can be traded. */
  readonly futures: FuturesOffer | null;
}

const plain: readonly OrderType[] = ["MARKET", "LIMIT", "LIMIT_MAKER"];
const stops: readonly OrderType[] = ["STOP_MARKET", "STOP_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];

const bothMargins = new Set<MarginMode>(["CROSS", "ISOLATED"]);
const bothPositions = new Set<PositionMode>(["ONE_WAY", "HEDGE"]);
const perpetuals: FuturesOffer = {
  types: new Set(plain),
  marginModes: bothMargins,
  positionModes: bothPositions,
  maxLeverage: 125,
  testnet: true,
  hasOwnWallet: true,
};

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
    futures: { ...perpetuals, testnet: false },
  },
  BYBIT: {
    name: "Bybit",
    types: new Set([...plain, ...stops]),
    iceberg: false,
    buysByQuantity: true,
    testnet: true,
    replaces: "amend",
    futures: {
      ...perpetuals,
      types: new Set([...plain, ...stops]),
      // The margin mode is one for the whole account there.
      marginModes: new Set<MarginMode>(["CROSS"]),
      maxLeverage: 100,
      hasOwnWallet: false,
    },
  },
  OKX: {
    name: "OKX",
    types: new Set(plain),
    iceberg: false,
    buysByQuantity: true,
    testnet: true,
    replaces: "amend",
    futures: { ...perpetuals, hasOwnWallet: false },
  },
  MEXC: {
    name: "MEXC",
    types: new Set(plain),
    iceberg: false,
    buysByQuantity: true,
    testnet: false,
    replaces: "newOrder",
    futures: null,
  },
  GATEIO: {
    name: "Gate.io",
    types: new Set(plain),
    iceberg: false,
    buysByQuantity: false,
    testnet: true,
    replaces: "amend",
    futures: {
      ...perpetuals,
      positionModes: new Set<PositionMode>(["ONE_WAY"]),
      maxLeverage: 100,
    },
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
  | "marginMode"
  | "reduceOnly"
  | "postOnly"
  | "stopLoss"
  | "takeProfit"
>;

/** How an exchange gives an order other terms. */
export const replacesBy = (exchange: TradedExchange, kind: MarketKind): Offer["replaces"] =>
  kind === "futures" ? "amend" : offers[exchange].replaces;

/** Of the account that an order is for. */
export interface OfferedAccount {
  readonly positionMode: PositionMode;
  /** At the exchange's own testnet; the simulated exchange is none. */
  readonly isTestnet: boolean;
}

/** Why an exchange cannot take an order, in words for its owner; null when it can. */
export function refusalOf(
  exchange: TradedExchange,
  marketType: string,
  terms: OfferedTerms,
  account: OfferedAccount = { positionMode: "ONE_WAY", isTestnet: false },
): string | null {
  const { name, types, iceberg, buysByQuantity } = offers[exchange];
  const { orderType, timeInForce } = terms;
  if (marketType === "FUTURES") return futuresRefusal(exchange, terms, account);
  if (marketType !== "SPOT") return `trading on ${name} is for spot and futures markets only`;
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

function futuresRefusal(exchange: TradedExchange, terms: OfferedTerms, account: OfferedAccount): string | null {
  const { name, futures } = offers[exchange];
  const { orderType, timeInForce, marginMode, leverage } = terms;
  if (futures === null) return `${name} takes no futures orders from programs; futures are for paper accounts there`;
  if (account.isTestnet && !futures.testnet) return `the testnet of ${name} takes no futures orders`;
  if (!futures.types.has(orderType)) return `${name} is not offered ${orderType} orders for futures`;
  if (timeInForce === "DAY") return `${name} has no DAY orders: use GTC and cancel`;
  const rule = timeRule(orderType, timeInForce, terms.postOnly);
  if (rule !== null) return rule;
  if (terms.icebergQuantity !== null) return `${name} is not offered iceberg orders for futures`;
  if (!futures.marginModes.has(marginMode)) return `${name} is not offered ${marginMode} margin`;
  if (!futures.positionModes.has(account.positionMode))
    return `${name} is not offered ${account.positionMode} accounts`;
  if (leverage > futures.maxLeverage) return `${name} takes a leverage of at most ${futures.maxLeverage}`;
  const { stopLoss, takeProfit } = terms;
  if (stopLoss !== null && !futures.types.has("STOP_MARKET"))
    return `${name} has no stop order to protect this one with`;
  if (takeProfit !== null && !futures.types.has("TAKE_PROFIT"))
    return `${name} has no stop order to protect this one with`;
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
