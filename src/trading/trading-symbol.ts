import type { Market, MarketSymbol } from "../catalogue/catalogue.js";
import { Decimal } from "../core/decimal.js";
import { cut, larger, smaller } from "./money.js";

/** What the rules of trading need to know of a symbol. Prices and values in quote currency, quantities in base currency. */
export interface TradingSymbol {
  readonly id: number;
  readonly ticker: string;
  readonly marketId: number;
  readonly marketType: Market["marketType"];
  readonly baseAsset: string;
  readonly quoteAsset: string;
  /** Listed, in use and not halted. */
  readonly isTrading: boolean;
  readonly tickSize: Decimal;
  readonly stepSize: Decimal;
  readonly minQuantity: Decimal | null;
  readonly maxQuantity: Decimal | null;
  readonly minNotional: Decimal | null;
  readonly maxNotional: Decimal | null;
  /** Fractions of the value of a fill, paid in quote currency. */
  readonly makerFee: Decimal;
  readonly takerFee: Decimal;
  /** An order that fills at all costs at least this. */
  readonly minCommission: Decimal;
  /** A limit price is at least, and at most, this many times the current price. */
  readonly lowestPriceFactor: Decimal;
  readonly highestPriceFactor: Decimal;
  /** Futures: the fraction of a position's value below which its margin must not fall. */
  readonly maintenanceMarginRate: Decimal;
  /** 1 where there is no leverage. */
  readonly maxLeverage: number;
}

const highestLeverage = 125;
const defaults = { lowestPriceFactor: "0.2", highestPriceFactor: "5", maintenanceMarginRate: "0.004" };

/**
 * The symbol's own terms: `makerFee`, `takerFee`, `lowestPriceFactor`, `highestPriceFactor`, `maintenanceMarginRate` and
 * `maxLeverage` of its trading configuration, where they are set, then of its market's; fees are the market's commission
 * otherwise.
 */
export function tradingSymbolOf(symbol: MarketSymbol, market: Market): TradingSymbol {
  const setting = (name: string): string | undefined =>
    textOf(symbol.tradingConfig, name) ?? textOf(market.marketConfig, name);
  const decimalOf = (name: string, otherwise: string): Decimal => new Decimal(setting(name) ?? otherwise);
  return {
    id: symbol.id,
    ticker: symbol.ticker,
    marketId: market.id,
    marketType: market.marketType,
    baseAsset: symbol.baseCurrency,
    quoteAsset: symbol.quoteCurrency,
    isTrading: symbol.status === "TRADING" && symbol.isActive && market.isActive,
    tickSize: new Decimal(symbol.tickSize),
    stepSize: new Decimal(symbol.stepSize),
    minQuantity: orNull(symbol.minQuantity),
    maxQuantity: orNull(symbol.maxQuantity),
    minNotional: orNull(symbol.minOrderValue),
    maxNotional: orNull(symbol.maxOrderValue),
    makerFee: decimalOf("makerFee", market.defaultCommissionRate),
    takerFee: decimalOf("takerFee", market.defaultCommissionRate),
    minCommission: new Decimal(market.minCommission ?? 0),
    lowestPriceFactor: decimalOf("lowestPriceFactor", defaults.lowestPriceFactor),
    highestPriceFactor: decimalOf("highestPriceFactor", defaults.highestPriceFactor),
    maintenanceMarginRate: decimalOf("maintenanceMarginRate", defaults.maintenanceMarginRate),
    maxLeverage: market.marketType === "FUTURES" ? Number(setting("maxLeverage") ?? highestLeverage) : 1,
  };
}

export const isFutures = (symbol: Pick<TradingSymbol, "marketType">): boolean => symbol.marketType === "FUTURES";

/**
 * What a fill on paper costs, in quote currency: never more than it is worth. The least commission of an order is charged
 * with its first fills.
 * @param charged what the order's earlier fills have cost
 */
export function commissionOf(
  symbol: Pick<TradingSymbol, "makerFee" | "takerFee" | "minCommission">,
  notional: Decimal,
  isMaker: boolean,
  charged: Decimal,
): Decimal {
  const byRate = cut(notional.times(isMaker ? symbol.makerFee : symbol.takerFee));
  return smaller(notional, larger(byRate, symbol.minCommission.minus(charged)));
}

function textOf(config: unknown, name: string): string | undefined {
  const value = typeof config === "object" && config !== null ? (config as Record<string, unknown>)[name] : undefined;
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

const orNull = (text: string | null): Decimal | null => (text === null ? null : new Decimal(text));
