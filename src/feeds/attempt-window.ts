import type { Clock } from "../core/time.js";

/** Counts connection attempts in a sliding window, for exchanges that ban addresses which connect too often. */
export class AttemptWindow {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  #attemptsMs: number[] = [];

  constructor(limit: number, windowMs: number, clock: Clock) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  /** Takes one attempt and returns 0, or returns how long to wait before asking again. */
  take(): number {
    const nowMs = this.#clock.nowMs();
    // Entries of the future come from a clock that was set back; waiting for them could take for ever.
    this.#attemptsMs = this.#attemptsMs.filter((atMs) => atMs > nowMs - this.#windowMs && atMs <= nowMs);
    const oldestMs = this.#attemptsMs[0];
    if (oldestMs !== undefined && this.#attemptsMs.length >= this.#limit) return oldestMs + this.#windowMs - nowMs;
    this.#attemptsMs.push(nowMs);
    return 0;
  }
}
