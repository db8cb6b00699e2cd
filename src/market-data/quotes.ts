import type { DecimalText } from "../core/decimal.js";
import type { Clock } from "../core/time.js";
import type { QuoteEvent } from "./events.js";

/**
 * The latest values of one symbol; one object per symbol, updated in place. Prices in quote currency, quantities in base
 * currency, times in Unix milliseconds.
 */
export interface Quote {
  readonly symbolId: number;
  providerId: number;
  /** Last traded price. A symbol has no quote before the first one is known: a book alone is not a price. */
  price: DecimalText;
  bid: DecimalText | null;
  bidQuantity: DecimalText | null;
  ask: DecimalText | null;
  askQuantity: DecimalText | null;
  open24h: DecimalText | null;
  high24h: DecimalText | null;
  low24h: DecimalText | null;
  change24h: DecimalText | null;
  changePercent24h: DecimalText | null;
  volume24h: DecimalText | null;
  quoteVolume24h: DecimalText | null;
  marketCap: DecimalText | null;
  /** Grows with every change and never goes back, also across restarts; see {@link nextSequence}. */
  sequence: number;
  /** The newest time that the exchange stated for any of the values. */
  exchangeTimeMs: number;
  /** When the price was made, by the exchange's clock: an older trade or ticker is history, not the last price. */
  priceTimeMs: number;
  receivedAtMs: number;
  /** When it was last handed to subscribers or to other nodes. */
  lastBroadcastAtMs: number | null;
  /** The provider is silent or gone, so the values may be out of date. */
  isStale: boolean;
}

/**
 * The next sequence after `last`: one more, or the clock in microseconds where that is ahead. So a restart that lost the
 * newest unsaved values, or another node that takes over the feed, still goes forward, without asking anybody.
 * A clock that was set back meanwhile is covered by {@link restartMargin}.
 */
const nextSequence = (last: number, nowMs: number): number => Math.max(last + 1, nowMs * 1000);

/**
 * Added to a stored sequence at a restart, in microseconds: values that were sent but not yet stored when the program died
 * are passed over even when the clock was set back, as long as that is less than this.
 */
const restartMargin = 60_000_000;

export type QuoteListener = (quote: Quote) => void;
/** Told when a symbol gets its first watcher and when it loses its last one. */
export type WatchListener = (symbolId: number, isWatched: boolean) => void;

/**
 * The last value of every symbol of this process. Bounded by the number of symbols.
 * A change is announced synchronously, in order, to the listeners (the writer, the bus) and to the watchers of that symbol.
 */
export class QuoteBoard {
  readonly #quotes = new Map<number, Quote>();
  /** Book sides that came before the first price. */
  readonly #earlyBooks = new Map<number, BookSides>();
  /** Of stale quotes: whose sides are only what was last known. They go when anything but new sides makes the quote fresh. */
  readonly #lostBooks = new Set<number>();
  readonly #listeners = new Set<QuoteListener>();
  readonly #watchers = new Map<number, Set<QuoteListener>>();
  readonly #watchListeners = new Set<WatchListener>();
  #version = 0;

  constructor(private readonly clock: Clock) {}

  get(symbolId: number): Quote | undefined {
    return this.#quotes.get(symbolId);
  }

  /** Grows with every change that shows in any quote, also of the times alone. */
  get version(): number {
    return this.#version;
  }

  all(): Iterable<Quote> {
    return this.#quotes.values();
  }

  /** Number of watches that are open now, over all symbols. */
  get watcherCount(): number {
    let count = 0;
    for (const watchers of this.#watchers.values()) count += watchers.size;
    return count;
  }

  /** Puts in stored quotes at start, whose sequences come from another node until {@link goOn}. */
  restore(quotes: readonly Quote[]): void {
    this.#version++;
    for (const quote of quotes) this.#quotes.set(quote.symbolId, { ...quote });
  }

  /**
   * From now on the sequences go on here: from what is stored or from what was heard, whichever is newer, and ahead of what
   * the node before may have told last. Until the feeds have spoken, the values are stale.
   */
  goOn(stored: readonly Quote[]): void {
    this.#version++;
    for (const quote of stored) {
      const known = this.#quotes.get(quote.symbolId);
      if (known === undefined) this.#quotes.set(quote.symbolId, { ...quote });
      else if (known.sequence < quote.sequence) Object.assign(known, quote);
    }
    for (const quote of this.#quotes.values()) {
      quote.sequence += restartMargin;
      quote.isStale = true;
      this.#lostBooks.add(quote.symbolId);
      this.#announce(quote);
    }
  }

  /** Takes over a quote that another node published. One that is not newer than ours only proves that ours is fresh. */
  replace(quote: Quote): void {
    this.#version++;
    const known = this.#quotes.get(quote.symbolId);
    if (known === undefined) {
      this.#quotes.set(quote.symbolId, quote);
      this.#announce(quote);
    } else if (known.sequence < quote.sequence) {
      this.#announce(Object.assign(known, quote));
    } else if (known.isStale && !quote.isStale && quote.receivedAtMs >= known.receivedAtMs) {
      // It was this node that took it for stale, and counted on by one.
      this.#announce(Object.assign(known, quote, { sequence: known.sequence + 1 }));
    } else {
      known.receivedAtMs = Math.max(known.receivedAtMs, quote.receivedAtMs);
    }
  }

  /** Applies an event of a feed to the symbol's quote. An event that changes no value only proves that the quote is fresh. */
  apply(event: QuoteEvent, providerId: number): void {
    let quote = this.#quotes.get(event.symbolId);
    if (quote === undefined) {
      if (event.kind === "bookTicker") {
        this.#earlyBooks.set(event.symbolId, bookOf(event));
        return;
      }
      quote = emptyQuote(event, providerId, this.#earlyBooks.get(event.symbolId));
      this.#earlyBooks.delete(event.symbolId);
      this.#quotes.set(event.symbolId, quote);
    }
    this.#version++;
    const isOfAnother = quote.providerId !== providerId;
    const isBookLost = this.#lostBooks.delete(event.symbolId) || isOfAnother;
    if (isBookLost && event.kind !== "bookTicker") Object.assign(quote, noSides);
    const changed = applyEvent(quote, event) || quote.isStale || isOfAnother || quote.sequence === 0;
    quote.receivedAtMs = Math.max(quote.receivedAtMs, event.receivedAtMs);
    if (event.exchangeTimeMs !== null) quote.exchangeTimeMs = Math.max(quote.exchangeTimeMs, event.exchangeTimeMs);
    if (!changed) return;
    quote.providerId = providerId;
    quote.isStale = false;
    quote.sequence = nextSequence(quote.sequence, this.clock.nowMs());
    this.#announce(quote);
  }

  /**
   * The best bid and offer are not known any more: nobody brings them now, or somebody else will. A stale quote keeps them
   * as its last ones, so that a short loss changes no price; a fresh one has none until they come again.
   */
  loseBook(symbolId: number): void {
    this.#earlyBooks.delete(symbolId);
    const quote = this.#quotes.get(symbolId);
    if (quote === undefined) return;
    if (quote.isStale) {
      this.#lostBooks.add(symbolId);
    } else if (quote.bid !== null || quote.ask !== null) {
      this.#version++;
      Object.assign(quote, noSides);
      quote.sequence = nextSequence(quote.sequence, this.clock.nowMs());
      this.#announce(quote);
    }
  }

  /** Marks quotes as stale, e.g. when their provider was lost; each one that was fresh changes. */
  markStale(isStale: (quote: Quote) => boolean): void {
    for (const quote of this.#quotes.values()) {
      if (quote.isStale || !isStale(quote)) continue;
      this.#version++;
      quote.isStale = true;
      // Not by the clock: on a node without a feed, the sequence must stay below the source's next one.
      quote.sequence++;
      this.#announce(quote);
    }
  }

  /** Calls back after every change of any quote. Returns the function that ends it. */
  onChange(listener: QuoteListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back after every change of one symbol's quote. Returns the function that ends it. */
  watch(symbolId: number, listener: QuoteListener): () => void {
    let watchers = this.#watchers.get(symbolId);
    if (watchers === undefined) {
      watchers = new Set();
      this.#watchers.set(symbolId, watchers);
      for (const told of this.#watchListeners) told(symbolId, true);
    }
    const all = watchers.add(listener);
    return () => {
      all.delete(listener);
      if (all.size > 0 || this.#watchers.get(symbolId) !== all) return;
      this.#watchers.delete(symbolId);
      for (const told of this.#watchListeners) told(symbolId, false);
    };
  }

  /** Calls back when a symbol begins and ceases to be watched, and now for those that are. Returns the function that ends it. */
  onWatch(listener: WatchListener): () => void {
    this.#watchListeners.add(listener);
    for (const symbolId of this.#watchers.keys()) listener(symbolId, true);
    return () => this.#watchListeners.delete(listener);
  }

  #announce(quote: Quote): void {
    const watchers = this.#watchers.get(quote.symbolId);
    if (watchers !== undefined) quote.lastBroadcastAtMs = this.clock.nowMs();
    for (const listener of this.#listeners) listener(quote);
    if (watchers !== undefined) for (const listener of watchers) listener(quote);
  }
}

type BookSides = Pick<Quote, "bid" | "bidQuantity" | "ask" | "askQuantity">;

const noSides: BookSides = { bid: null, bidQuantity: null, ask: null, askQuantity: null };

function bookOf(event: Extract<QuoteEvent, { kind: "bookTicker" }>): BookSides {
  return { bid: event.bid, bidQuantity: event.bidQuantity, ask: event.ask, askQuantity: event.askQuantity };
}

function emptyQuote(
  event: Exclude<QuoteEvent, { kind: "bookTicker" }>,
  providerId: number,
  book: BookSides = noSides,
): Quote {
  return {
    symbolId: event.symbolId,
    providerId,
    price: event.kind === "trade" ? event.price : event.last,
    ...book,
    open24h: null,
    high24h: null,
    low24h: null,
    change24h: null,
    changePercent24h: null,
    volume24h: null,
    quoteVolume24h: null,
    marketCap: null,
    sequence: 0,
    exchangeTimeMs: 0,
    priceTimeMs: 0,
    receivedAtMs: 0,
    lastBroadcastAtMs: null,
    isStale: false,
  };
}

/** Returns whether a value that clients see changed. */
function applyEvent(quote: Quote, event: QuoteEvent): boolean {
  switch (event.kind) {
    case "bookTicker": {
      const same =
        quote.bid === event.bid &&
        quote.bidQuantity === event.bidQuantity &&
        quote.ask === event.ask &&
        quote.askQuantity === event.askQuantity;
      if (same) return false;
      Object.assign(quote, bookOf(event));
      return true;
    }
    case "trade": {
      if (event.exchangeTimeMs < quote.priceTimeMs) return false;
      quote.priceTimeMs = event.exchangeTimeMs;
      if (quote.price === event.price) return false;
      quote.price = event.price;
      return true;
    }
    case "ticker24h": {
      if (event.exchangeTimeMs < quote.priceTimeMs) return false;
      quote.priceTimeMs = event.exchangeTimeMs;
      const same =
        quote.price === event.last &&
        quote.open24h === event.open &&
        quote.high24h === event.high &&
        quote.low24h === event.low &&
        quote.change24h === event.change &&
        quote.changePercent24h === event.changePercent &&
        quote.volume24h === event.volume &&
        quote.quoteVolume24h === event.quoteVolume;
      if (same) return false;
      quote.price = event.last;
      quote.open24h = event.open;
      quote.high24h = event.high;
      quote.low24h = event.low;
      quote.change24h = event.change;
      quote.changePercent24h = event.changePercent;
      quote.volume24h = event.volume;
      quote.quoteVolume24h = event.quoteVolume;
      return true;
    }
  }
}
