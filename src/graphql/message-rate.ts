/**
 * How fast one client may speak: `perSecond` messages, and up to `burst` more after a silence. Who goes on speaking without
 * being heard uses up what is left of our patience, which is as much again.
 */
export class MessageRate {
  readonly #capacity: number;
  #left: number;
  #lastMs: number;

  constructor(
    private readonly perSecond: number,
    burst: number,
    nowMs: number,
  ) {
    this.#capacity = perSecond + burst;
    this.#left = this.#capacity;
    this.#lastMs = nowMs;
  }

  /** Counts a message. Returns 0 when it may be heard, else in how many milliseconds one may; null when it is enough. */
  take(nowMs: number): number | null {
    const earned = ((nowMs - this.#lastMs) * this.perSecond) / 1_000;
    this.#lastMs = nowMs;
    this.#left = Math.min(this.#capacity, this.#left + earned) - 1;
    if (this.#left >= 0) return 0;
    return this.#left < -this.#capacity ? null : Math.ceil((-this.#left / this.perSecond) * 1_000);
  }
}
