import type { Catalogue, MarketSymbol } from "../catalogue/catalogue.js";

/** One symbol on a dashboard. Items of the defaults belong to nobody and are made from the default symbols. */
export interface DashboardItem {
  readonly id: string;
  readonly symbol: MarketSymbol;
  readonly displayOrder: number;
  readonly isVisible: boolean;
  readonly isPinned: boolean;
  readonly customAlias: string | null;
  readonly notes: string | null;
  readonly widgetType: string;
  readonly widgetConfig: object;
  readonly category: string | null;
  readonly isCustom: boolean;
}

const defaultItem = (symbol: MarketSymbol, position: number): DashboardItem => ({
  id: `default-${symbol.id}`,
  symbol,
  displayOrder: position + 1,
  isVisible: true,
  isPinned: false,
  customAlias: null,
  notes: null,
  widgetType: "QUOTE",
  widgetConfig: {},
  category: null,
  isCustom: false,
});

/** The dashboard of an anonymous visitor: the default symbols in display order. */
export const defaultDashboard = (catalogue: Catalogue): DashboardItem[] => catalogue.defaultSymbols.map(defaultItem);

/** An item of the defaults by the key of its id, or null when there is none. */
export function findDefaultItem(catalogue: Catalogue, key: string): DashboardItem | null {
  return defaultDashboard(catalogue).find((item) => item.id === key) ?? null;
}
