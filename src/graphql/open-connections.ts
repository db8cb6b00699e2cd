/** When whoever is refused for too many connections may try again. */
export const retryAfterMs = 5_000;

/** Streams and sockets that are open at a time, by whose they are. Bounded by the number of them. */
export class OpenConnections {
  readonly #open = new Map<string, number>();

  constructor(private readonly max: number) {}

  /** Takes a place. Returns the function that gives it back, to be called once, or null when there is none left. */
  enter(owner: string): (() => void) | null {
    const count = this.#open.get(owner) ?? 0;
    if (count >= this.max) return null;
    this.#open.set(owner, count + 1);
    return () => {
      const left = (this.#open.get(owner) ?? 1) - 1;
      if (left > 0) this.#open.set(owner, left);
      else this.#open.delete(owner);
    };
  }
}
