/** Brings the values of a board from another node, for as long as somebody here wants them. */
export interface Supplier<K> {
  /** Told when the first watcher of a value has come and when the last one has left. */
  setWanted(key: K, isWanted: boolean): void;
  /** Settled when the value that is here is the newest, or when none can be had. Undefined when that is so already. */
  refresh(key: K): Promise<void> | undefined;
}

/**
 * The latest value of everything that has a key. Bounded by the number of keys. A change is announced synchronously to the
 * watchers of that key.
 */
export class LatestBoard<K, V> {
  readonly #values = new Map<K, V>();
  readonly #watchers = new Map<K, Set<() => void>>();
  #supplier: Supplier<K> | null = null;

  /** Whether the values come from another node. */
  get isSupplied(): boolean {
    return this.#supplier !== null;
  }

  /** Number of watches that are open now, over all keys. */
  get watcherCount(): number {
    let count = 0;
    for (const watchers of this.#watchers.values()) count += watchers.size;
    return count;
  }

  /** From now on the supplier sets the values; null: nobody but the owner of this board does. */
  supplyFrom(supplier: Supplier<K> | null): void {
    this.#supplier = supplier;
    for (const key of this.#watchers.keys()) supplier?.setWanted(key, true);
  }

  get(key: K): V | undefined {
    return this.#values.get(key);
  }

  /** The newest value; from another node it may take a moment. */
  read(key: K): V | undefined | Promise<V | undefined> {
    const refreshed = this.#supplier?.refresh(key);
    return refreshed === undefined ? this.get(key) : refreshed.then(() => this.get(key));
  }

  set(key: K, value: V): void {
    this.#values.set(key, value);
    this.#announce(key);
  }

  /** There is no current value any more. */
  delete(key: K): void {
    if (this.#values.delete(key)) this.#announce(key);
  }

  /** Calls back after every change of one value, also when it is lost. Returns the function that ends it. */
  watch(key: K, listener: () => void): () => void {
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers);
    watchers.add(listener);
    if (watchers.size === 1) this.#supplier?.setWanted(key, true);
    return () => {
      if (!watchers.delete(listener) || watchers.size > 0) return;
      this.#watchers.delete(key);
      this.#supplier?.setWanted(key, false);
    };
  }

  #announce(key: K): void {
    const watchers = this.#watchers.get(key);
    if (watchers !== undefined) for (const listener of watchers) listener();
  }
}
