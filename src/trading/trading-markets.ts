import type { Catalogue, MarketSymbol } from "../catalogue/catalogue.js";
import type { MarketStatus } from "../catalogue/market-hours.js";
import { nextStatusChangeOfMarket, statusOfMarket } from "../catalogue/market-status.js";
import { notFound } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import type { LiveMarket } from "../market-data/live-market.js";
import type { QuoteBoard } from "../market-data/quotes.js";
import { type MarketView, marketViewOf } from "./market-view.js";
import { type TradingSymbol, tradingSymbolOf } from "./trading-symbol.js";

/** What the rules ask about symbols and their markets, as this node knows it now. */
export class TradingMarkets {
  /** Kept with the rows that they were made of; as many as symbols that were traded. */
  readonly #symbols = new Map<number, { readonly row: MarketSymbol; readonly version: number; readonly symbol: TradingSymbol }>();

  constructor(
    readonly catalogue: Catalogue,
    private readonly quotes: QuoteBoard,
    private readonly books: LiveMarket["books"],
    private readonly clock: Clock,
  ) {}

  /** @throws {DomainError} NOT_FOUND */
  symbol(id: number): TradingSymbol {
    const row = this.catalogue.findSymbol(id);
    if (row === undefined) throw notFound("symbol");
    const known = this.#symbols.get(id);
    if (known !== undefined && known.row === row && known.version === this.catalogue.version) return known.symbol;
    const symbol = tradingSymbolOf(row, this.catalogue.market(row.marketId));
    this.#symbols.set(id, { row, version: this.catalogue.version, symbol });
    return symbol;
  }

  exchangeIdOf(symbol: TradingSymbol): number {
    return this.catalogue.market(symbol.marketId).exchangeId;
  }

  /** Null before the first price. */
  view(symbolId: number): MarketView | null {
    const quote = this.quotes.get(symbolId);
    return quote === undefined ? null : marketViewOf(quote, this.books.get(symbolId) ?? null);
  }

  status(symbol: TradingSymbol): { marketStatus: MarketStatus; nextStatusChangeAt: Date | null } {
    const market = this.catalogue.market(symbol.marketId);
    const nowMs = this.clock.nowMs();
    return {
      marketStatus: statusOfMarket(this.catalogue, market, nowMs),
      nextStatusChangeAt: nextStatusChangeOfMarket(this.catalogue, market, nowMs),
    };
  }
}
