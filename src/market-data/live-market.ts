import type { Catalogue, DataProvider } from "../catalogue/catalogue.js";
import type { Clock } from "../core/time.js";
import { type ArbitrageOpportunity, ArbitrageWatch } from "./arbitrage-watch.js";
import type { BookTickerEvent, MarketEvent, OrderBookEvent } from "./events.js";
import { LatestBoard } from "./latest-board.js";
import { OrderFlowBoard } from "./order-flow-board.js";
import type { Quote, QuoteBoard } from "./quotes.js";
import { TradeTape } from "./trade-stream.js";

export interface LiveMarketOptions {
  readonly catalogue: Catalogue;
  readonly quotes: QuoteBoard;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly onArbitrage: (opportunity: ArbitrageOpportunity) => void;
}

/** Everything that is known of the markets now. Takes the feeds' events, in their order, and hands each to who needs it. */
export class LiveMarket {
  readonly books = new LatestBoard<number, OrderBookEvent>();
  readonly tape = new TradeTape();
  readonly flows: OrderFlowBoard;
  readonly arbitrage: ArbitrageWatch;
  readonly #quotes: QuoteBoard;
  readonly #stopListening: () => void;

  constructor({ catalogue, quotes, clock, newId, onArbitrage }: LiveMarketOptions) {
    this.#quotes = quotes;
    this.flows = new OrderFlowBoard(catalogue, clock);
    this.arbitrage = new ArbitrageWatch({ catalogue, clock, newId, onChange: onArbitrage });
    // Whoever finds a provider silent or gone marks its quotes; what else is known of the symbol is as old.
    this.#stopListening = quotes.onChange((quote) => {
      if (quote.isStale) this.#lost(quote);
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
        return;
      case "fundingRate":
    }
  }

  close(): void {
    this.#stopListening();
    this.arbitrage.close();
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
