/** Up to so many keys are looked through one by one, which is faster than a set and takes a tenth of its memory. */
const fewKeys = 16;

/** What has changed since it was taken last, each key once, in the order of the first changes. */
export class ChangedKeys<K> {
  /** Made with its first key: an empty list that grows takes much more memory, and there are many. */
  #keys: K[] | null = null;
  #known: Set<K> | null = null;

  get size(): number {
    return this.#keys?.length ?? 0;
  }

  /** Until the next change. */
  get all(): readonly K[] {
    return this.#keys ?? [];
  }

  add(key: K): void {
    const keys = this.#keys;
    if (keys === null) {
      this.#keys = [key];
      return;
    }
    if (this.#known === null ? keys.includes(key) : this.#known.has(key)) return;
    keys.push(key);
    this.#known?.add(key);
    if (keys.length === fewKeys) this.#known = new Set(keys);
  }

  take(): readonly K[] {
    const keys = this.all;
    this.#keys = this.#known = null;
    return keys;
  }
}
