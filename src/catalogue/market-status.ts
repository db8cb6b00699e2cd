import type { Catalogue, Market } from "./catalogue.js";
import { type MarketStatus, marketStatusAt, nextStatusChangeAt } from "./market-hours.js";

/** HALTED or MAINTENANCE while an operator says so, else what sessions and holidays give at that instant. */
export function statusOfMarket(catalogue: Catalogue, market: Market, atMs: number): MarketStatus {
  return market.operatorStatus ?? marketStatusAt(catalogue.calendarOf(market.id), atMs);
}

/** Whether there is trading of any kind: the hours before and after the main session count. */
export function isMarketOpen(catalogue: Catalogue, marketId: number, atMs: number): boolean {
  const status = statusOfMarket(catalogue, catalogue.market(marketId), atMs);
  return status === "OPEN" || status === "PRE_MARKET" || status === "POST_MARKET";
}

/** Next instant at which the status changes by itself; null for a 24x7 market and while an operator holds the status. */
export function nextStatusChangeOfMarket(catalogue: Catalogue, market: Market, atMs: number): Date | null {
  if (market.operatorStatus !== null) return null;
  const nextMs = nextStatusChangeAt(catalogue.calendarOf(market.id), atMs);
  return nextMs === null ? null : new Date(nextMs);
}
