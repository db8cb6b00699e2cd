import type { Catalogue, MarketSymbol } from "../catalogue/catalogue.js";
import type { MarketStatus } from "../catalogue/market-hours.js";
import { isMarketOpen, nextStatusChangeOfMarket, statusOfMarket } from "../catalogue/market-status.js";
import { Decimal } from "../core/decimal.js";
import { notFound } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import type { LiveMarket } from "../market-data/live-market.js";
import type { QuoteBoard } from "../market-data/quotes.js";
import type { Balances } from "./balances.js";
import { type MarketView, marketViewOf } from "./market-view.js";
import { zero } from "./money.js";
import { type Position, unrealizedPnl } from "./position.js";
import { type TradingSymbol, tradingSymbolOf } from "./trading-symbol.js";

const one = new Decimal(1);

/** What the rules ask about symbols and their markets, as this node knows it now. */
export class TradingMarkets {
  /** Kept with the rows that they were made of; as many as symbols that were traded. */
  readonly #symbols = new Map<
    number,
    { readonly row: MarketSymbol; readonly version: number; readonly symbol: TradingSymbol }
  >();

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

  /** When the trading day in which an order was placed ends: with the next change of the hours, or at midnight UTC. */
  dayEnd(symbolId: number, placedAt: Date): Date {
    const market = this.catalogue.market(this.symbol(symbolId).marketId);
    const midnight = new Date(Date.UTC(placedAt.getUTCFullYear(), placedAt.getUTCMonth(), placedAt.getUTCDate() + 1));
    let atMs = placedAt.getTime();
    // Hours before and after the main session belong to the day: it ends where there is no trading of any kind.
    for (let changes = 0; changes < 8; changes++) {
      const next = nextStatusChangeOfMarket(this.catalogue, market, atMs);
      if (next === null) return midnight;
      if (!isMarketOpen(this.catalogue, market.id, next.getTime())) return next;
      atMs = next.getTime();
    }
    return midnight;
  }

  /** In which an account at the exchange is reckoned, whatever it trades; null at an exchange without a market. */
  currencyOf(exchangeId: number): string | null {
    return this.catalogue.marketsOf({ exchangeId })[0]?.primaryCurrency ?? null;
  }

  /**
   * What balances and positions are worth in a currency: assets by their last price at the exchange, and what has none counts
   * for nothing.
   */
  equity(exchangeId: number, currency: string, balances: Balances, positions: Iterable<Position>): Decimal {
    let total = zero;
    for (const [asset, { available, locked }] of balances) {
      const rate = asset === currency ? one : this.#rateOf(exchangeId, asset, currency);
      if (rate !== null) total = total.plus(available.plus(locked).times(rate));
    }
    for (const position of positions) {
      const price = this.quotes.get(position.symbolId)?.price;
      if (position.status === "OPEN" && price !== undefined && this.symbol(position.symbolId).quoteAsset === currency)
        total = total.plus(unrealizedPnl(position, new Decimal(price)));
    }
    return total.toDecimalPlaces(18, Decimal.ROUND_DOWN);
  }

  /** Whether there is a price for everything of them that has a market at the exchange, so that their worth is known. */
  isPriced(exchangeId: number, currency: string, balances: Balances, positions: Iterable<Position>): boolean {
    for (const [asset, { available, locked }] of balances) {
      if (asset === currency || available.plus(locked).isZero() || this.#rateOf(exchangeId, asset, currency) !== null)
        continue;
      const markets = this.catalogue.marketsOf({ exchangeId });
      if (markets.some(({ code }) => this.catalogue.symbolByTicker(code, `${asset}${currency}`) !== undefined))
        return false;
    }
    for (const { symbolId, status } of positions)
      if (status === "OPEN" && this.quotes.get(symbolId)?.price === undefined) return false;
    return true;
  }

  #rateOf(exchangeId: number, asset: string, currency: string): Decimal | null {
    for (const { code } of this.catalogue.marketsOf({ exchangeId })) {
      const symbol = this.catalogue.symbolByTicker(code, `${asset}${currency}`);
      const price = symbol === undefined ? undefined : this.quotes.get(symbol.id)?.price;
      if (price !== undefined) return new Decimal(price);
    }
    return null;
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
