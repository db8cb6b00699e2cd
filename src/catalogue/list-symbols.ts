import { badInput } from "../core/errors.js";
import { type CursorKey, type Page, type PageArguments, type PageOrder, pageOf } from "../core/pagination.js";
import { type Catalogue, compareText, type MarketSymbol } from "./catalogue.js";

/** Conditions that a symbol must all meet; codes as in the API. Null and undefined do not count. */
export interface SymbolConditions {
  readonly assetClass?: string | null;
  readonly market?: string | null;
  readonly exchange?: string | null;
  readonly quoteCurrency?: string | null;
  readonly status?: MarketSymbol["status"] | null;
  readonly isActive?: boolean | null;
  readonly isTracked?: boolean | null;
  readonly isPopular?: boolean | null;
  readonly isDefault?: boolean | null;
}

export type SymbolPage = Page<MarketSymbol> & { readonly totalCount: number };

/** The symbols that meet the conditions, in their given order. @throws {DomainError} BAD_USER_INPUT for an unknown code */
export function filterSymbols(
  catalogue: Catalogue,
  sorted: readonly MarketSymbol[],
  conditions: SymbolConditions | null | undefined,
): readonly MarketSymbol[] {
  if (conditions == null) return sorted;
  const idOf = (field: string, code: string | null | undefined, find: (code: string) => { id: number } | undefined) => {
    if (code == null) return null;
    const found = find(code);
    if (found === undefined) throw badInput(`filter.${field}`, `there is no ${field} "${code.slice(0, 50)}"`);
    return found.id;
  };
  const assetClassId = idOf("assetClass", conditions.assetClass, (code) => catalogue.assetClassByCode(code));
  const marketId = idOf("market", conditions.market, (code) => catalogue.marketByCode(code));
  const exchangeId = idOf("exchange", conditions.exchange, (code) => catalogue.exchangeByCode(code));
  const { quoteCurrency, status, isActive, isTracked, isPopular, isDefault } = conditions;
  return sorted.filter(
    (symbol) =>
      (assetClassId === null || symbol.assetClassId === assetClassId) &&
      (marketId === null || symbol.marketId === marketId) &&
      (exchangeId === null || catalogue.market(symbol.marketId).exchangeId === exchangeId) &&
      (quoteCurrency == null || symbol.quoteCurrency === quoteCurrency) &&
      (status == null || symbol.status === status) &&
      (isActive == null || symbol.isActive === isActive) &&
      (isTracked == null || symbol.isTracked === isTracked) &&
      (isPopular == null || symbol.isPopular === isPopular) &&
      (isDefault == null || symbol.isDefault === isDefault),
  );
}

export function pageOfSymbols(
  symbols: readonly MarketSymbol[],
  args: PageArguments,
  order: PageOrder<MarketSymbol>,
): SymbolPage {
  return { ...pageOf(symbols, args, order), totalCount: symbols.length };
}

export const byDisplayOrder: PageOrder<MarketSymbol> = {
  name: "DISPLAY_ORDER",
  keyOf: (symbol) => [symbol.displayOrder, symbol.id],
  compare: compareNumbers,
};

export const byTicker: PageOrder<MarketSymbol> = {
  name: "TICKER",
  keyOf: (symbol) => [symbol.ticker, symbol.id],
  compare: ([a, aId], [b, bId]) => compareText(String(a), String(b)) || Number(aId) - Number(bId),
};

/** The order in which the feed subscribes and serves: highest priority first. */
export const byBroadcastPriority: PageOrder<MarketSymbol> = {
  name: "BROADCAST_PRIORITY",
  keyOf: (symbol) => [-symbol.broadcastPriority, symbol.displayOrder, symbol.id],
  compare: compareNumbers,
};

function compareNumbers(a: CursorKey, b: CursorKey): number {
  for (let i = 0; i < a.length; i++) {
    const difference = Number(a[i]) - Number(b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
