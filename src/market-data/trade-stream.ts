import type { TradeEvent } from "./events.js";

/** Trades as they come, told to whoever listens to their symbol. Holds none of them. */
export class TradeTape {
  readonly #listeners = new Map<number, Set<(trade: TradeEvent) => void>>();

  publish(trade: TradeEvent): void {
    const listeners = this.#listeners.get(trade.symbolId);
    if (listeners !== undefined) for (const listener of listeners) listener(trade);
  }

  /** Returns the function that ends it. */
  listen(symbolId: number, listener: (trade: TradeEvent) => void): () => void {
    const listeners = this.#listeners.get(symbolId) ?? new Set();
    this.#listeners.set(symbolId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(symbolId) === listeners) this.#listeners.delete(symbolId);
    };
  }
}

/** The reader did not keep up; everything up to this trade was delivered. */
export interface TradeOverflow {
  readonly overflow: true;
  /** Null when nothing was delivered. */
  readonly lastTradeId: string | null;
}

/** Trades that wait for one reader; then it is told that it lost the thread. */
const maxWaiting = 5_000;
const maxPerBatch = 500;

/**
 * Every trade of one symbol, none skipped, as an async iterator of batches in the order of arrival. Bounded: a reader that
 * lets {@link maxWaiting} trades pile up gets a {@link TradeOverflow} as the last item, after those that still fit.
 */
export class TradeStream implements AsyncIterableIterator<readonly TradeEvent[] | TradeOverflow> {
  readonly #stop: () => void;
  #queue: TradeEvent[] = [];
  #overflowed = false;
  #lastTradeId: string | null = null;
  #waiting: ((result: IteratorResult<readonly TradeEvent[] | TradeOverflow>) => void) | undefined;
  #closed = false;

  constructor(tape: TradeTape, symbolId: number) {
    this.#stop = tape.listen(symbolId, (trade) => this.#take(trade));
  }

  next(): Promise<IteratorResult<readonly TradeEvent[] | TradeOverflow>> {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#deliver();
    });
  }

  return(): Promise<IteratorResult<readonly TradeEvent[] | TradeOverflow>> {
    this.#closed = true;
    this.#stop();
    this.#queue = [];
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<readonly TradeEvent[] | TradeOverflow>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(trade: TradeEvent): void {
    if (this.#overflowed) return;
    if (this.#queue.length >= maxWaiting) {
      this.#overflowed = true;
      this.#stop();
      return;
    }
    this.#queue.push(trade);
    this.#deliver();
  }

  #deliver(): void {
    if (this.#waiting === undefined) return;
    const resolve = this.#waiting;
    if (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, maxPerBatch);
      this.#lastTradeId = batch.at(-1)?.tradeId ?? null;
      this.#waiting = undefined;
      resolve({ done: false, value: batch });
    } else if (this.#overflowed) {
      this.#closed = true;
      this.#waiting = undefined;
      resolve({ done: false, value: { overflow: true, lastTradeId: this.#lastTradeId } });
    }
  }
}
