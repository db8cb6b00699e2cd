import type { IncomingMessage } from "node:http";

/** When whoever is refused for too many connections may try again. */
export const retryAfterMs = 5_000;

/** Streams and sockets that are open at a time, by the address they come from. Bounded by the number of them. */
export class AddressLimit {
  readonly #open = new Map<string, number>();

  constructor(
    private readonly max: number,
    /** Whether a proxy in front of us says who is asking. */
    private readonly trustProxy: boolean,
  ) {}

  /** Takes a place. Returns the function that gives it back, or null when the address has none left. */
  enter(request: IncomingMessage): (() => void) | null {
    const address = this.#addressOf(request);
    const count = this.#open.get(address) ?? 0;
    if (count >= this.max) return null;
    this.#open.set(address, count + 1);
    return () => {
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left > 0) this.#open.set(address, left);
      else this.#open.delete(address);
    };
  }

  #addressOf({ headers, socket }: IncomingMessage): string {
    // The last one is what our own proxy saw; anybody can write what stands before it.
    const [forwarded] = this.trustProxy ? [headers["x-forwarded-for"]].flat() : [];
    return forwarded?.split(",").at(-1)?.trim() || (socket.remoteAddress ?? "");
  }
}
