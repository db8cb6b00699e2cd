import type { TradeEvent } from "./events.js";
import type { Supplier } from "./latest-board.js";

export interface TradeListener {
  onTrade(trade: TradeEvent): void;
  /** Trades were lost on the way here: what comes next does not follow what came before. */
  onGap?(): void;
}

/** Trades as they come, told to whoever listens to their symbol. Holds none of them. */
export class TradeTape {
  readonly #listeners = new Map<number, Set<TradeListener>>();
  #supplier: Pick<Supplier<number>, "setWanted"> | null = null;

  /** Number of listeners now, over all symbols. */
  get listenerCount(): number {
    let count = 0;
    for (const listeners of this.#listeners.values()) count += listeners.size;
    return count;
  }

  /** Where the trades come from if another node has the feed. */
  supplyFrom(supplier: Pick<Supplier<number>, "setWanted"> | null): void {
    this.#supplier = supplier;
  }

  publish(trade: TradeEvent): void {
    const listeners = this.#listeners.get(trade.symbolId);
    if (listeners !== undefined) for (const listener of listeners) listener.onTrade(trade);
  }

  /** Trades of the symbol were lost before they could be published here. */
  interrupt(symbolId: number): void {
    for (const listener of this.#listeners.get(symbolId) ?? []) listener.onGap?.();
  }

  /** Returns the function that ends it. */
  listen(symbolId: number, listener: TradeListener): () => void {
    const listeners = this.#listeners.get(symbolId) ?? new Set();
    this.#listeners.set(symbolId, listeners);
    listeners.add(listener);
    if (listeners.size === 1) this.#supplier?.setWanted(symbolId, true);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(symbolId);
      this.#supplier?.setWanted(symbolId, false);
    };
  }
}

/** The stream cannot go on without a gap; everything up to this trade was delivered. */
export interface TradeOverflow {
  readonly overflow: true;
  /** `slow`: the reader did not keep up. `lost`: the node of the feed went away, or was away for too long. */
  readonly reason: "slow" | "lost";
  /** Null when nothing was delivered. */
  readonly lastTradeId: string | null;
}

/** Trades that wait for one reader; then it is told that it lost the thread. */
const maxWaiting = 5_000;
const maxPerBatch = 500;

/**
 * Every trade of one symbol, none skipped, as an async iterator of batches in the order of arrival. Bounded: a reader that
 * lets {@link maxWaiting} trades pile up gets a {@link TradeOverflow} as the last item, after those that still fit. So does
 * one whose next trades were lost before they came here.
 */
export class TradeStream implements AsyncIterableIterator<readonly TradeEvent[] | TradeOverflow> {
  readonly #stop: () => void;
  #queue: TradeEvent[] = [];
  #ended: TradeOverflow["reason"] | null = null;
  #lastTradeId: string | null = null;
  #waiting: ((result: IteratorResult<readonly TradeEvent[] | TradeOverflow>) => void) | undefined;
  #closed = false;

  constructor(tape: TradeTape, symbolId: number) {
    this.#stop = tape.listen(symbolId, {
      onTrade: (trade) => this.#take(trade),
      onGap: () => this.#end("lost"),
    });
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
    if (this.#ended !== null) return;
    if (this.#queue.length >= maxWaiting) {
      this.#end("slow");
    } else {
      this.#queue.push(trade);
      this.#deliver();
    }
  }

  #end(reason: TradeOverflow["reason"]): void {
    this.#ended ??= reason;
    this.#stop();
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
    } else if (this.#ended !== null) {
      this.#closed = true;
      this.#waiting = undefined;
      resolve({ done: false, value: { overflow: true, reason: this.#ended, lastTradeId: this.#lastTradeId } });
    }
  }
}
