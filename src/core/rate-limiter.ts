import type { Clock } from "./time.js";

/** So much in each window: at once, or bit by bit, as it grows back evenly. */
export interface RatePolicy {
  /** As clients see it, e.g. "cost-per-user". */
  readonly name: string;
  /** In any unit; 0: there is no limit. */
  readonly limit: number;
  readonly windowMs: number;
}

/** What one client has left (a token bucket, kept as the instant at which it is full again: GCRA). */
export class RateBucket {
  #fullAtMs = 0;
  /** Taken here since it was last asked for, to be told to other nodes. */
  #unshared = 0;

  constructor(private readonly policy: RatePolicy) {}

  /**
   * In how many milliseconds `amount` may be taken; 0: now. More than the limit may be taken when nothing has been taken before.
   */
  waitMs(amount: number, nowMs: number): number {
    const { limit, windowMs } = this.policy;
    const needed = Math.min(amount, limit);
    // Instants of today hold no small parts of a millisecond.
    return Math.max(0, Math.round(this.#fullAtMs + (needed / limit) * windowMs - windowMs - nowMs));
  }

  take(amount: number, nowMs: number): void {
    this.#unshared += amount;
    this.#spend(amount, nowMs);
  }

  /** Counts what was taken elsewhere. What is owed for it is paid within a window, whatever was said. */
  takenElsewhere(amount: number, nowMs: number): void {
    this.#spend(amount, nowMs);
    this.#fullAtMs = Math.min(this.#fullAtMs, nowMs + 2 * this.policy.windowMs);
  }

  /** What was taken here since this last gave something; 0 while it is less than `minAmount`. */
  share(minAmount: number): number {
    const amount = this.#unshared;
    if (amount < minAmount) return 0;
    this.#unshared = 0;
    return amount;
  }

  remaining(nowMs: number): number {
    const { limit, windowMs } = this.policy;
    const owedMs = Math.max(0, this.#fullAtMs - nowMs);
    return Math.max(0, Math.floor(limit * (1 - owedMs / windowMs)));
  }

  /** In how many milliseconds everything is there again. */
  fullInMs(nowMs: number): number {
    return Math.max(0, this.#fullAtMs - nowMs);
  }

  #spend(amount: number, nowMs: number): void {
    const { limit, windowMs } = this.policy;
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + (amount / limit) * windowMs;
  }
}

/**
 * One bucket for each client, by any key. Of more than `maxKeys` clients those are forgotten that were not heard of for longest:
 * they begin with a full bucket again. So whoever speaks with that many addresses gains nothing that he has not by having them.
 */
export class RateLimiter {
  /** Two generations: when the younger one is full, it becomes the older one, and what nobody asked for meanwhile is gone. */
  #young = new Map<string, RateBucket>();
  #old = new Map<string, RateBucket>();

  constructor(
    readonly policy: RatePolicy,
    private readonly clock: Clock,
    private readonly maxKeys: number,
  ) {}

  get isOn(): boolean {
    return this.policy.limit > 0;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  bucketOf(key: string): RateBucket {
    return this.#young.get(key) ?? this.#remember(key);
  }

  /** Takes 1, or says in how many milliseconds it may be taken. */
  take(key: string): number {
    if (!this.isOn) return 0;
    const nowMs = this.clock.nowMs();
    const bucket = this.bucketOf(key);
    const waitMs = bucket.waitMs(1, nowMs);
    if (waitMs === 0) bucket.take(1, nowMs);
    return waitMs;
  }

  /** Clients that took at least `minAmount` here that has not been given yet, with what they took. */
  *share(minAmount: number): Iterable<readonly [key: string, amount: number]> {
    for (const generation of [this.#young, this.#old]) {
      for (const [key, bucket] of generation) {
        const amount = bucket.share(minAmount);
        if (amount > 0) yield [key, amount];
      }
    }
  }

  #remember(key: string): RateBucket {
    const bucket = this.#old.get(key) ?? new RateBucket(this.policy);
    this.#old.delete(key);
    if (this.#young.size >= this.maxKeys / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, bucket);
    return bucket;
  }
}
