import type { Catalogue, MarketSymbol } from "../catalogue/catalogue.js";
import {
  byBroadcastPriority,
  byDisplayOrder,
  byTicker,
  filterSymbols,
  pageOfSymbols,
  type SymbolConditions,
  type SymbolPage,
} from "../catalogue/list-symbols.js";
import { Decimal, type DecimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";
import { maxPageSize, type PageArguments, type PageOrder } from "../core/pagination.js";
import type { Quote, QuoteBoard } from "./quotes.js";

export const symbolOrders = [
  "DISPLAY_ORDER",
  "TICKER",
  "BROADCAST_PRIORITY",
  "VOLUME_24H",
  "CHANGE_PERCENT_24H",
] as const;
export type SymbolOrder = (typeof symbolOrders)[number];

/** One page of the symbols that meet the conditions. @throws {DomainError} BAD_USER_INPUT */
export function listSymbols(
  catalogue: Catalogue,
  quotes: QuoteBoard,
  conditions: SymbolConditions | null,
  orderBy: SymbolOrder,
  page: PageArguments,
): SymbolPage {
  const filtered = (symbols: readonly MarketSymbol[]) => filterSymbols(catalogue, symbols, conditions);
  switch (orderBy) {
    case "DISPLAY_ORDER":
      return pageOfSymbols(filtered(catalogue.symbols), page, byDisplayOrder);
    case "TICKER":
      return pageOfSymbols(filtered(catalogue.symbolsByTickerOrder), page, byTicker);
    case "BROADCAST_PRIORITY":
      return pageOfSymbols(filtered(catalogue.symbolsByBroadcastOrder), page, byBroadcastPriority);
    case "VOLUME_24H":
      return pageByQuote(filtered(catalogue.symbols), page, orderBy, (id) => quotes.get(id)?.volume24h ?? null);
    case "CHANGE_PERCENT_24H":
      return pageByQuote(filtered(catalogue.symbols), page, orderBy, (id) => quotes.get(id)?.changePercent24h ?? null);
  }
}

/** Largest value first, those without one last. The cursor holds the value, so that a page goes on where the last one ended. */
function pageByQuote(
  symbols: readonly MarketSymbol[],
  page: PageArguments,
  name: SymbolOrder,
  valueFor: (symbolId: number) => DecimalText | null,
): SymbolPage {
  const numbers = new Map(symbols.map((symbol) => [symbol.id, valueFor(symbol.id)]));
  const order: PageOrder<MarketSymbol> = {
    name,
    keyOf: (symbol) => [numbers.get(symbol.id) ?? null, symbol.id],
    compare: ([a, aId], [b, bId]) => compareDescending(a ?? null, b ?? null) || Number(aId) - Number(bId),
  };
  const sorted = [...symbols].sort((a, b) => order.compare(order.keyOf(a), order.keyOf(b)));
  return pageOfSymbols(sorted, page, order);
}

function compareDescending(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a === b ? 0 : new Decimal(b).comparedTo(new Decimal(a));
}

/** Tracked symbols, highest priority first, within it the longest not broadcast, never broadcast ones foremost. @throws {DomainError} BAD_USER_INPUT */
export function broadcastList(catalogue: Catalogue, quotes: QuoteBoard, first: number): MarketSymbol[] {
  if (!Number.isInteger(first) || first < 1 || first > maxPageSize)
    throw badInput("first", `first must be from 1 to ${maxPageSize}`);
  const lastBroadcast = (symbol: MarketSymbol): number =>
    (quotes.get(symbol.id) as Quote | undefined)?.lastBroadcastAtMs ?? 0;
  return [...catalogue.trackedSymbols]
    .sort((a, b) => b.broadcastPriority - a.broadcastPriority || lastBroadcast(a) - lastBroadcast(b) || a.id - b.id)
    .slice(0, first);
}
