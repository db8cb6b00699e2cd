/**
 * Owns whatever was started, and closes it last-in first-out. Every closer runs even when one fails;
 * the failures are thrown together at the end. Closing twice is harmless.
 */
export class Closers {
  readonly #closers: { name: string; close: () => Promise<void> | void }[] = [];
  #closed: Promise<void> | undefined;
  #closing: string | null = null;

  /** What is being closed now, for whoever waits for it too long. */
  get closing(): string | null {
    return this.#closing;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    const failures: Error[] = [];
    for (let closer = this.#closers.pop(); closer; closer = this.#closers.pop()) {
      this.#closing = closer.name;
      try {
        await closer.close();
      } catch (cause) {
        failures.push(new Error(`closing ${closer.name} failed`, { cause }));
      }
    }
    this.#closing = null;
    if (failures.length > 0) throw new AggregateError(failures, failures.map((f) => f.message).join("; "));
  }
}
