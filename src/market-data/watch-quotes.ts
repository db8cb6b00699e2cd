import type { Quote, QuoteBoard } from "./quotes.js";

export interface QuoteWatchOptions {
  readonly symbolIds: Iterable<number>;
  /** At most one batch per this time; 0: as soon as the reader asks. */
  readonly intervalMs: number;
}

/**
 * The changes of some quotes as an async iterator of batches. The first batch holds every watched symbol that has a quote,
 * each later one those that changed since.
 *
 * Bounded: it remembers only which symbols changed, never values, so a reader that is slow or has stopped costs one
 * number per symbol and finds the newest values when it comes back (conflation).
 *
 * An iterator object and not an async generator: `return()` must settle a waiting `next()` at once, or a closed socket
 * would leave its listeners behind.
 */
export class QuoteWatch implements AsyncIterableIterator<Quote[]> {
  readonly #stops = new Map<number, () => void>();
  readonly #changed = new Set<number>();
  #waiting: ((result: IteratorResult<Quote[]>) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastBatchMs: number | null = null;
  #closed = false;
  #onEnd: () => void = () => {};

  constructor(
    private readonly board: QuoteBoard,
    private readonly options: QuoteWatchOptions,
  ) {
    this.setSymbols(options.symbolIds);
  }

  /** Replaces the watched symbols on the open stream; new ones come with the next batch. */
  setSymbols(symbolIds: Iterable<number>): void {
    if (this.#closed) return;
    const wanted = new Set(symbolIds);
    for (const [id, stop] of this.#stops) {
      if (wanted.has(id)) continue;
      stop();
      this.#stops.delete(id);
      this.#changed.delete(id);
    }
    for (const id of wanted) {
      if (this.#stops.has(id)) continue;
      this.#stops.set(id, this.board.watch(id, this.#onChange));
      this.#changed.add(id);
    }
    if (this.#lastBatchMs !== null && this.#changed.size > 0) this.#deliver();
  }

  /** Has a function called when the stream ends, e.g. to stop following what decides its symbols. */
  onEnd(callback: () => void): void {
    if (this.#closed) callback();
    else this.#onEnd = callback;
  }

  next(): Promise<IteratorResult<Quote[]>> {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#deliver();
    });
  }

  return(): Promise<IteratorResult<Quote[]>> {
    if (!this.#closed) this.#onEnd();
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const stop of this.#stops.values()) stop();
    this.#stops.clear();
    this.#changed.clear();
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<Quote[]>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #onChange = (quote: Quote): void => {
    this.#changed.add(quote.symbolId);
    if (this.#waiting !== undefined && this.#timer === undefined) this.#deliver();
  };

  /** Hands a batch to a waiting reader when there is one, something changed, and the interval is over. */
  #deliver(): void {
    if (this.#waiting === undefined || this.#timer !== undefined) return;
    const first = this.#lastBatchMs === null;
    if (this.#changed.size === 0 && !first) return;
    const nowMs = performance.now();
    const waitMs = this.#lastBatchMs === null ? 0 : this.#lastBatchMs + this.options.intervalMs - nowMs;
    if (waitMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#deliver();
      }, waitMs);
      return;
    }
    const batch: Quote[] = [];
    for (const id of this.#changed) {
      const quote = this.board.get(id);
      if (quote !== undefined) batch.push(quote);
    }
    this.#changed.clear();
    // Watched symbols without a quote are no reason for an empty message, except that the first one is always sent.
    if (batch.length === 0 && !first) return;
    this.#lastBatchMs = nowMs;
    const resolve = this.#waiting;
    this.#waiting = undefined;
    resolve({ done: false, value: batch });
  }
}
