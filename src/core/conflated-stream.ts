/**
 * The newest values of several keys as an async iterator, one at a time, in the order in which their keys changed. A value
 * that waits is replaced by a newer one of its key. Bounded: of more than `maxKeys` that wait, the oldest is dropped.
 *
 * An iterator object and not an async generator: `return()` must settle a waiting `next()` at once, or a closed socket
 * would leave its listeners behind.
 */
export class ConflatedStream<K, V> implements AsyncIterableIterator<V> {
  readonly #values = new Map<K, V>();
  readonly #stop: () => void;
  #waiting: ((result: IteratorResult<V>) => void) | undefined;
  #closed = false;

  /** @param listen starts telling changes to the function that it gets, at once if it likes; returns what ends it */
  constructor(
    listen: (push: (key: K, value: V) => void) => () => void,
    private readonly maxKeys: number,
  ) {
    this.#stop = listen((key, value) => this.#push(key, value));
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
    this.#values.clear();
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

  #push(key: K, value: V): void {
    if (this.#closed) return;
    this.#values.set(key, value);
    if (this.#values.size > this.maxKeys) {
      const [oldest] = this.#values.keys();
      if (oldest !== undefined) this.#values.delete(oldest);
    }
    this.#deliver();
  }

  #deliver(): void {
    if (this.#waiting === undefined) return;
    const [first] = this.#values;
    if (first === undefined) return;
    this.#values.delete(first[0]);
    const resolve = this.#waiting;
    this.#waiting = undefined;
    resolve({ done: false, value: first[1] });
  }
}
