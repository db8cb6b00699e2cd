/**
 * Gathers the keys that are asked for within one turn of the event loop, and loads each once. It keeps nothing, so that a
 * long subscription sees what is new. Bounded by what one operation may select.
 */
export class BatchLoader<K, V> {
  #batch: { readonly keys: Set<K>; readonly values: Promise<ReadonlyMap<K, V>> } | undefined;

  constructor(private readonly load: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>) {}

  async get(key: K): Promise<V | undefined> {
    if (this.#batch === undefined) {
      const keys = new Set<K>();
      const values = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        this.#batch = undefined;
        return this.load([...keys]);
      });
      this.#batch = { keys, values };
    }
    const { keys, values } = this.#batch;
    keys.add(key);
    return (await values).get(key);
  }
}
