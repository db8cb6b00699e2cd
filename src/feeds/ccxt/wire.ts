/*
 * ccxt's own words for what all exchanges send, as far as we use them: numbers are floats, and what an exchange does not
 * tell is undefined. Nothing of it is trusted: the mapping reads these types through `Untrusted`.
 * https://docs.ccxt.com/#/README?id=market-structure
 */

export interface CcxtMarket {
  /** The exchange's own name. */
  id: string;
  /** ccxt's name, the same for all exchanges. */
  symbol: string;
  base: string;
  quote: string;
  active: boolean;
  spot: boolean;
  swap: boolean;
  linear: boolean;
  contractSize: number;
  precision: { price: number; amount: number };
  limits: { amount: { min: number; max: number }; cost: { min: number; max: number } };
}

export interface CcxtTicker {
  symbol: string;
  timestamp: number;
  last: number;
  open: number;
  high: number;
  low: number;
  percentage: number;
  baseVolume: number;
  quoteVolume: number;
  bid: number;
  bidVolume: number;
  ask: number;
  askVolume: number;
}

export interface CcxtTrade {
  symbol: string;
  id: string;
  timestamp: number;
  side: string;
  price: number;
  amount: number;
}

/** Sides are best first; each level is price and amount, after which some exchanges put more. */
export interface CcxtOrderBook {
  symbol: string;
  timestamp: number;
  bids: number[][];
  asks: number[][];
}
