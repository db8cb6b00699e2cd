/**
 * The latest value of everything that has a key. Bounded by the number of keys. A change is announced synchronously to the
 * watchers of that key.
 */
export class LatestBoard<K, V> {
  readonly #values = new Map<K, V>();
  readonly #watchers = new Map<K, Set<() => void>>();

  get(key: K): V | undefined {
    return this.#values.get(key);
  }

  set(key: K, value: V): void {
    this.#values.set(key, value);
    this.#announce(key);
  }

  /** There is no current value any more; watchers get the next one. */
  delete(key: K): void {
    this.#values.delete(key);
  }

  /** Calls back after every change of one value. Returns the function that ends it. */
  watch(key: K, listener: () => void): () => void {
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers);
    watchers.add(listener);
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0 && this.#watchers.get(key) === watchers) this.#watchers.delete(key);
    };
  }

  #announce(key: K): void {
    const watchers = this.#watchers.get(key);
    if (watchers !== undefined) for (const listener of watchers) listener();
  }
}

/**
 * The values of one key as an async iterator: the one that is there now, then the newest after each change, at most one
 * per interval. It holds no value while nobody asks, so a slow reader costs nothing and finds the newest when it comes back.
 *
 * An iterator object and not an async generator: `return()` must settle a waiting `next()` at once.
 */
export class LatestWatch<K, V> implements AsyncIterableIterator<V> {
  readonly #stop: () => void;
  #hasNews: boolean;
  #waiting: ((result: IteratorResult<V>) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastMs: number | null = null;
  #closed = false;

  constructor(
    private readonly board: LatestBoard<K, V>,
    private readonly key: K,
    private readonly intervalMs: number,
  ) {
    this.#hasNews = board.get(key) !== undefined;
    this.#stop = board.watch(key, () => {
      this.#hasNews = true;
      this.#deliver();
    });
  }

  next(): Promise<IteratorResult<V>> {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#deliver();
    });
  }

  return(): Promise<IteratorResult<V>> {
    this.#closed = true;
    this.#stop();
    clearTimeout(this.#timer);
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<V>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #deliver(): void {
    if (this.#waiting === undefined || !this.#hasNews || this.#timer !== undefined) return;
    const nowMs = performance.now();
    const waitMs = this.#lastMs === null ? 0 : this.#lastMs + this.intervalMs - nowMs;
    if (waitMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#deliver();
      }, waitMs);
      return;
    }
    const value = this.board.get(this.key);
    this.#hasNews = false;
    // It was lost between the change and now.
    if (value === undefined) return;
    this.#lastMs = nowMs;
    const resolve = this.#waiting;
    this.#waiting = undefined;
    resolve({ done: false, value });
  }
}
