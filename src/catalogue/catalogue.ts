import { groupBy } from "../core/group-by.js";
import type { MarketCalendar } from "./market-hours.js";
import type {
  assetClasses,
  dataProviders,
  exchanges,
  marketHolidays,
  markets,
  symbols,
  tradingSessions,
} from "./tables.js";

export type AssetClass = typeof assetClasses.$inferSelect;
export type Exchange = typeof exchanges.$inferSelect;
export type Market = typeof markets.$inferSelect;
export type TradingSession = typeof tradingSessions.$inferSelect;
export type MarketHoliday = typeof marketHolidays.$inferSelect;
export type DataProvider = typeof dataProviders.$inferSelect;
/** A row of `symbols`; not called Symbol, because JavaScript has one. */
export type MarketSymbol = typeof symbols.$inferSelect;

/** The rows of each table of the catalogue. */
export interface CatalogueRows {
  asset_classes: AssetClass;
  exchanges: Exchange;
  markets: Market;
  trading_sessions: TradingSession;
  market_holidays: MarketHoliday;
  data_providers: DataProvider;
  symbols: MarketSymbol;
}
export type CatalogueTable = keyof CatalogueRows;

export interface CatalogueChange {
  readonly table: CatalogueTable;
  readonly ids: readonly number[];
}

const byDisplayOrder = (a: { displayOrder: number; id: number }, b: { displayOrder: number; id: number }) =>
  a.displayOrder - b.displayOrder || a.id - b.id;

/** Order in which the feed serves symbols: priority, then the order in which they are shown. */
const byBroadcastOrder = (a: MarketSymbol, b: MarketSymbol) =>
  b.broadcastPriority - a.broadcastPriority || byDisplayOrder(a, b);

/**
 * The reference data of this process, in memory: every lookup is a map access, and no request waits for the database.
 * Bounded by the number of rows of the catalogue tables. It is filled and kept fresh by `follow.ts`.
 */
export class Catalogue {
  readonly #rows: { [T in CatalogueTable]: Map<number, CatalogueRows[T]> } = {
    asset_classes: new Map(),
    exchanges: new Map(),
    markets: new Map(),
    trading_sessions: new Map(),
    market_holidays: new Map(),
    data_providers: new Map(),
    symbols: new Map(),
  };
  #version = 0;
  readonly #assetClassByCode = new Map<string, AssetClass>();
  readonly #exchangeByCode = new Map<string, Exchange>();
  readonly #marketByCode = new Map<string, Market>();
  readonly #providerByCode = new Map<string, DataProvider>();
  readonly #symbolsByTicker = new Map<number, Map<string, MarketSymbol>>();
  readonly #listeners = new Set<(change: CatalogueChange) => void>();
  /** Lists and groups derived from the rows; thrown away table by table when rows change. */
  readonly #derived = new Map<string, { readonly tables: readonly CatalogueTable[]; readonly value: unknown }>();

  assetClass(id: number): AssetClass {
    return required(this.#rows.asset_classes.get(id), "asset class", id);
  }
  exchange(id: number): Exchange {
    return required(this.#rows.exchanges.get(id), "exchange", id);
  }
  market(id: number): Market {
    return required(this.#rows.markets.get(id), "market", id);
  }

  /** Grows with every change of any row. */
  get version(): number {
    return this.#version;
  }

  findAssetClass(id: number): AssetClass | undefined {
    return this.#rows.asset_classes.get(id);
  }
  findExchange(id: number): Exchange | undefined {
    return this.#rows.exchanges.get(id);
  }
  findMarket(id: number): Market | undefined {
    return this.#rows.markets.get(id);
  }
  findSession(id: number): TradingSession | undefined {
    return this.#rows.trading_sessions.get(id);
  }
  findProvider(id: number): DataProvider | undefined {
    return this.#rows.data_providers.get(id);
  }
  findSymbol(id: number): MarketSymbol | undefined {
    return this.#rows.symbols.get(id);
  }

  assetClassByCode(code: string): AssetClass | undefined {
    return this.#assetClassByCode.get(code);
  }
  exchangeByCode(code: string): Exchange | undefined {
    return this.#exchangeByCode.get(code);
  }
  marketByCode(code: string): Market | undefined {
    return this.#marketByCode.get(code);
  }
  providerByCode(code: string): DataProvider | undefined {
    return this.#providerByCode.get(code);
  }
  symbolByTicker(marketCode: string, ticker: string): MarketSymbol | undefined {
    const market = this.#marketByCode.get(marketCode);
    return market === undefined ? undefined : this.#symbolsByTicker.get(market.id)?.get(ticker);
  }

  get assetClasses(): readonly AssetClass[] {
    return this.#derive("assetClasses", ["asset_classes"], () =>
      [...this.#rows.asset_classes.values()].sort(byDisplayOrder),
    );
  }
  get exchanges(): readonly Exchange[] {
    return this.#derive("exchanges", ["exchanges"], () => [...this.#rows.exchanges.values()].sort(byDisplayOrder));
  }
  get markets(): readonly Market[] {
    return this.#derive("markets", ["markets"], () => [...this.#rows.markets.values()].sort(byDisplayOrder));
  }
  get symbols(): readonly MarketSymbol[] {
    return this.#derive("symbols", ["symbols"], () => [...this.#rows.symbols.values()].sort(byDisplayOrder));
  }
  get symbolsByTickerOrder(): readonly MarketSymbol[] {
    return this.#derive("symbolsByTickerOrder", ["symbols"], () =>
      [...this.#rows.symbols.values()].sort((a, b) => compareText(a.ticker, b.ticker) || a.id - b.id),
    );
  }
  get symbolsByBroadcastOrder(): readonly MarketSymbol[] {
    return this.#derive("symbolsByBroadcastOrder", ["symbols"], () =>
      [...this.#rows.symbols.values()].sort(byBroadcastOrder),
    );
  }
  /** Highest priority first. */
  get providers(): readonly DataProvider[] {
    return this.#derive("providers", ["data_providers"], () =>
      [...this.#rows.data_providers.values()].sort((a, b) => b.priority - a.priority || a.id - b.id),
    );
  }
  /** What anonymous visitors see. */
  get defaultSymbols(): readonly MarketSymbol[] {
    return this.#derive("defaultSymbols", ["symbols"], () =>
      this.symbols.filter((symbol) => symbol.isDefault && symbol.isActive),
    );
  }
  /** All symbols that are fed: active and tracked, on an active market. There is no limit, so none starves. */
  get trackedSymbols(): readonly MarketSymbol[] {
    return this.#derive("trackedSymbols", ["symbols", "markets"], () =>
      this.symbolsByBroadcastOrder.filter(
        (symbol) => symbol.isActive && symbol.isTracked && this.market(symbol.marketId).isActive,
      ),
    );
  }

  sessionsOf(marketId: number): readonly TradingSession[] {
    const groups = this.#derive("sessionsByMarket", ["trading_sessions"], () =>
      groupBy(
        [...this.#rows.trading_sessions.values()].sort(
          (a, b) => a.dayOfWeek - b.dayOfWeek || compareText(a.startTime, b.startTime),
        ),
        (session) => session.marketId,
      ),
    );
    return groups.get(marketId) ?? [];
  }

  /** The same object until the market's hours change, so that what is computed from it can be kept with it. */
  calendarOf(marketId: number): MarketCalendar {
    const calendars = this.#derive("calendars", ["markets", "trading_sessions", "market_holidays"], () => {
      const holidays = groupBy(this.#rows.market_holidays.values(), (holiday) => holiday.marketId);
      return new Map(
        this.markets.map((market): [number, MarketCalendar] => [
          market.id,
          {
            timezone: market.timezone,
            is24x7: market.is24x7,
            // A check constraint of the table leaves only the three types that a session may have.
            sessions: this.sessionsOf(market.id) as MarketCalendar["sessions"],
            holidays: holidays.get(market.id) ?? [],
          },
        ]),
      );
    });
    return required(calendars.get(marketId), "market", marketId);
  }

  marketsOf(filter: { exchangeId?: number; assetClassId?: number }): readonly Market[] {
    return this.markets.filter(
      (market) =>
        (filter.exchangeId === undefined || market.exchangeId === filter.exchangeId) &&
        (filter.assetClassId === undefined || market.assetClassId === filter.assetClassId),
    );
  }

  providersOf(marketId: number): readonly DataProvider[] {
    return (
      this.#derive("providersByMarket", ["data_providers"], () =>
        groupBy(this.providers, (provider) => provider.marketId),
      ).get(marketId) ?? []
    );
  }

  primaryProviderOf(marketId: number): DataProvider | undefined {
    return this.providersOf(marketId).find((provider) => provider.isPrimary && provider.isActive);
  }

  /** The symbol's own provider while that is active, else the primary one of its market. */
  providerOf(symbol: MarketSymbol): DataProvider | undefined {
    const own = symbol.dataProviderId === null ? undefined : this.findProvider(symbol.dataProviderId);
    return own?.isActive ? own : this.primaryProviderOf(symbol.marketId);
  }

  /** The symbols that the given provider is to feed, in broadcast order. */
  trackedSymbolsOf(providerId: number): readonly MarketSymbol[] {
    return (
      this.#derive("trackedByProvider", ["symbols", "markets", "data_providers"], () =>
        groupBy(this.trackedSymbols, (symbol) => this.providerOf(symbol)?.id),
      ).get(providerId) ?? []
    );
  }

  /** Calls back after every change. Returns the function that ends it. */
  onChange(listener: (change: CatalogueChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Puts in the rows as they now are; of the `ids` asked for, those that did not come back are gone. */
  apply<T extends CatalogueTable>(table: T, ids: readonly number[] | null, rows: readonly CatalogueRows[T][]): void {
    const stored = this.#rows[table];
    const present = new Set(rows.map((row) => row.id));
    const gone = [...(ids ?? stored.keys())].filter((id) => !present.has(id) && stored.has(id));
    for (const id of gone) this.#remove(table, id);
    for (const row of rows) {
      this.#remove(table, row.id);
      stored.set(row.id, row);
      this.#index(table, row, true);
    }
    for (const [key, { tables }] of this.#derived) {
      if (tables.includes(table)) this.#derived.delete(key);
    }
    const changed = [...gone, ...present];
    this.#version++;
    if (changed.length > 0) for (const listener of this.#listeners) listener({ table, ids: changed });
  }

  #remove(table: CatalogueTable, id: number): void {
    const row = this.#rows[table].get(id);
    if (row === undefined) return;
    this.#index(table, row, false);
    this.#rows[table].delete(id);
  }

  #index(table: CatalogueTable, row: CatalogueRows[CatalogueTable], present: boolean): void {
    const put = <K, V>(map: Map<K, V>, key: K, value: V) => (present ? map.set(key, value) : map.delete(key));
    if (table === "asset_classes") put(this.#assetClassByCode, (row as AssetClass).code, row as AssetClass);
    else if (table === "exchanges") put(this.#exchangeByCode, (row as Exchange).code, row as Exchange);
    else if (table === "markets") put(this.#marketByCode, (row as Market).code, row as Market);
    else if (table === "data_providers") put(this.#providerByCode, (row as DataProvider).code, row as DataProvider);
    else if (table === "symbols") {
      const symbol = row as MarketSymbol;
      const tickers = this.#symbolsByTicker.get(symbol.marketId) ?? new Map();
      this.#symbolsByTicker.set(symbol.marketId, tickers);
      put(tickers, symbol.ticker, symbol);
    }
  }

  #derive<T>(key: string, tables: readonly CatalogueTable[], make: () => T): T {
    const known = this.#derived.get(key);
    if (known !== undefined) return known.value as T;
    const value = make();
    this.#derived.set(key, { tables, value });
    return value;
  }
}

/** Code-unit order: the same on every machine, which cursors need. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function required<T>(value: T | undefined, what: string, id: number): T {
  if (value === undefined) throw new Error(`the catalogue has no ${what} ${id}`);
  return value;
}
