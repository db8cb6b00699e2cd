import type { Catalogue, DataProvider } from "../catalogue/catalogue.js";
import type { Clock } from "../core/time.js";
import { type ArbitrageOpportunity, ArbitrageWatch } from "./arbitrage-watch.js";
import type { CandleInterval } from "./candle-intervals.js";
import { type Candle, CandleBuilder, type StoredCandle, type TradeOutcome } from "./candles.js";
import type { BookTickerEvent, FundingRateEvent, MarketEvent, OrderBookEvent, TradeEvent } from "./events.js";
import { LatestBoard } from "./latest-board.js";
import { OpportunityBoard } from "./opportunity-board.js";
import { OrderFlowBoard } from "./order-flow-board.js";
import type { Quote, QuoteBoard } from "./quotes.js";
import { TradeTape } from "./trade-tape.js";

export interface LiveMarketOptions {
  readonly catalogue: Catalogue;
  readonly quotes: QuoteBoard;
  readonly clock: Clock;
  readonly newId: () => string;
}

export const candleKey = (symbolId: number, interval: CandleInterval): string => `${symbolId} ${interval}`;

/** Candles that changed are worked out and told this often. */
const candlesEveryMs = 100;

/** Everything that is known of the markets now. Takes the feeds' events, in their order, and hands each to who needs it. */
export class LiveMarket {
  readonly books = new LatestBoard<number, OrderBookEvent>();
  readonly tape = new TradeTape();
  readonly flows: OrderFlowBoard;
  readonly arbitrage: ArbitrageWatch;
  readonly opportunities = new OpportunityBoard();
  /** The newest candle of each symbol and interval, by {@link candleKey}; a new one comes with its first trade. */
  readonly candles = new LatestBoard<string, Candle>();
  readonly builder = new CandleBuilder();
  readonly #quotes: QuoteBoard;
  readonly #stopListening: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #candleListeners = new Set<(changed: readonly StoredCandle[]) => void>();
  readonly #fundingListeners = new Set<(event: FundingRateEvent) => void>();
  readonly #lateListeners = new Set<(trade: TradeEvent) => void>();
  readonly #outcomes = new Map<TradeOutcome, number>();

  constructor({ catalogue, quotes, clock, newId }: LiveMarketOptions) {
    this.#quotes = quotes;
    this.flows = new OrderFlowBoard(catalogue, clock);
    this.arbitrage = new ArbitrageWatch({
      catalogue,
      clock,
      newId,
      onChange: (opportunity) => this.opportunities.tell(opportunity),
    });
    this.#timer = setInterval(() => this.flushCandles(), candlesEveryMs);
    // Whoever finds a provider silent or gone marks its quotes; what else is known of the symbol is as old.
    this.#stopListening = quotes.onChange((quote) => {
      // What another node tells is lost or not by its word: a quote may look stale here while a second has not passed there.
      if (quote.isStale && !this.books.isSupplied) this.#lost(quote);
    });
  }

  take(event: MarketEvent, provider: DataProvider): void {
    switch (event.kind) {
      case "bookTicker":
        this.#quotes.apply(event, provider.id);
        this.flows.apply(event);
        if (this.books.get(event.symbolId) === undefined) this.arbitrage.update(event.symbolId, topOf(event));
        return;
      case "trade":
        this.#quotes.apply(event, provider.id);
        this.tape.publish(event);
        this.#takeTrade(event);
        return;
      case "ticker24h":
        this.#quotes.apply(event, provider.id);
        return;
      case "orderBook":
        this.books.set(event.symbolId, event);
        this.arbitrage.update(event.symbolId, event);
        return;
      case "orderBookLost":
        this.books.delete(event.symbolId);
        this.arbitrage.update(event.symbolId, null);
        if (event.reason === "disconnected") {
          // What the connection carried beside it is lost as well.
          this.#quotes.loseBook(event.symbolId);
          this.flows.interrupt(event.symbolId);
          this.tape.interrupt(event.symbolId);
        }
        return;
      case "fundingRate":
        for (const listener of this.#fundingListeners) listener(event);
    }
  }

  /** Calls back with every statement about a funding payment. Returns the function that ends it. */
  onFundingRate(listener: (event: FundingRateEvent) => void): () => void {
    this.#fundingListeners.add(listener);
    return () => this.#fundingListeners.delete(listener);
  }

  /** Calls back when an opportunity opens, changes or closes. Returns the function that ends it. */
  onArbitrage(listener: (opportunity: ArbitrageOpportunity) => void): () => void {
    return this.opportunities.listen(listener);
  }

  /** Calls back with all candles that changed, longest first. Returns the function that ends it. */
  onCandles(listener: (changed: readonly StoredCandle[]) => void): () => void {
    this.#candleListeners.add(listener);
    return () => this.#candleListeners.delete(listener);
  }

  /** Calls back with each trade whose minute is to be asked for: {@link TradeOutcome} `tooLate`. Returns the function that ends it. */
  onTooLate(listener: (trade: TradeEvent) => void): () => void {
    this.#lateListeners.add(listener);
    return () => this.#lateListeners.delete(listener);
  }

  /** What became of the trades, since start. */
  get tradeOutcomes(): ReadonlyMap<TradeOutcome, number> {
    return this.#outcomes;
  }

  /** Tells the candles that changed since it was last called. */
  flushCandles(): void {
    const changed = this.builder.takeChanged();
    if (changed.length === 0) return;
    for (const candle of changed) {
      const key = candleKey(candle.symbolId, candle.interval);
      // A corrected older candle is for the store; a stream shows the newest.
      if (candle.openTimeMs >= (this.candles.get(key)?.openTimeMs ?? 0)) this.candles.set(key, candle);
    }
    for (const listener of this.#candleListeners) listener(changed);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopListening();
    this.arbitrage.close();
    this.flushCandles();
  }

  #takeTrade(trade: TradeEvent): void {
    const outcome = this.builder.apply(trade);
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    if (outcome === "tooLate") for (const listener of this.#lateListeners) listener(trade);
  }

  #lost({ symbolId }: Quote): void {
    this.flows.interrupt(symbolId);
    this.books.delete(symbolId);
    this.arbitrage.update(symbolId, null);
  }
}

/** Where there is no book, its best levels stand in for it. */
function topOf({ bid, bidQuantity, ask, askQuantity }: BookTickerEvent) {
  return {
    bids: bid === null || bidQuantity === null ? [] : [[bid, bidQuantity] as const],
    asks: ask === null || askQuantity === null ? [] : [[ask, askQuantity] as const],
  };
}
