import type { Clock } from "../../core/time.js";

export interface SnapshotRequestLimits {
  /** Requests under way at once. */
  readonly maxConcurrent: number;
  /** Between the starts of two requests: what the exchange's rate limit leaves to order books. */
  readonly gapMs: number;
  /** A request that takes longer has failed. */
  readonly timeoutMs: number;
}

export interface SnapshotRequestsOptions<Snapshot> {
  readonly limits: SnapshotRequestLimits;
  readonly clock: Clock;
  readonly fetch: (symbolId: number, signal: AbortSignal) => Promise<Snapshot>;
  readonly onAnswer: (symbolId: number, snapshot: Snapshot) => void;
  readonly onFailure: (symbolId: number, cause: unknown) => void;
}

/**
 * Requests for many symbols under a limit of rate and concurrency: one per symbol at most, in the order in which they were
 * asked for. Bounded by the number of symbols. An answer that nobody wants any more is dropped.
 */
export class SnapshotRequests<Snapshot> {
  readonly #options: SnapshotRequestsOptions<Snapshot>;
  /** Symbols that wait for their turn, with the earliest time for it. */
  readonly #waiting = new Map<number, number>();
  readonly #underWay = new Map<number, AbortController>();
  #nextStartMs = 0;
  /** How long it was to `#nextStartMs` when that was set. */
  #longestWaitMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SnapshotRequestsOptions<Snapshot>) {
    this.#options = options;
  }

  /** Does nothing for a symbol that is waiting or under way already. */
  request(symbolId: number, delayMs: number): void {
    if (this.#closed || this.#waiting.has(symbolId) || this.#underWay.has(symbolId)) return;
    this.#waiting.set(symbolId, this.#options.clock.nowMs() + delayMs);
    this.#startDue();
  }

  /** Starts nothing for so long: the exchange asks us to. */
  pause(forMs: number): void {
    if (this.#nextStartMs - this.#options.clock.nowMs() < forMs) this.#waitFor(forMs);
  }

  cancel(symbolId: number): void {
    this.#waiting.delete(symbolId);
    const request = this.#underWay.get(symbolId);
    this.#underWay.delete(symbolId);
    request?.abort();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
    for (const symbolId of this.#underWay.keys()) this.cancel(symbolId);
  }

  #startDue(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { limits, clock } = this.#options;
    while (!this.#closed && this.#waiting.size > 0 && this.#underWay.size < limits.maxConcurrent) {
      const nowMs = clock.nowMs();
      const [symbolId, dueMs] = this.#firstDue(nowMs);
      // A clock that was set back must not keep us waiting for longer than was meant.
      const gapLeftMs = Math.min(this.#nextStartMs - nowMs, this.#longestWaitMs);
      const waitMs = Math.max(dueMs - nowMs, gapLeftMs);
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#startDue(), waitMs);
        return;
      }
      this.#waiting.delete(symbolId);
      this.#waitFor(limits.gapMs);
      void this.#run(symbolId);
    }
  }

  #waitFor(ms: number): void {
    this.#nextStartMs = this.#options.clock.nowMs() + ms;
    this.#longestWaitMs = ms;
  }

  /** The first in line that may go now, or else the one that may go soonest. */
  #firstDue(nowMs: number): [symbolId: number, dueMs: number] {
    let soonest: [number, number] = [-1, Number.POSITIVE_INFINITY];
    for (const entry of this.#waiting) {
      if (entry[1] <= nowMs) return entry;
      if (entry[1] < soonest[1]) soonest = entry;
    }
    return soonest;
  }

  async #run(symbolId: number): Promise<void> {
    const { fetch, limits, onAnswer, onFailure } = this.#options;
    const request = new AbortController();
    this.#underWay.set(symbolId, request);
    let finish: () => void;
    try {
      const snapshot = await withTimeout(fetch(symbolId, request.signal), limits.timeoutMs, request);
      finish = () => onAnswer(symbolId, snapshot);
    } catch (cause) {
      finish = () => onFailure(symbolId, cause);
    }
    if (this.#underWay.get(symbolId) !== request) {
      this.#startDue();
      return;
    }
    this.#underWay.delete(symbolId);
    finish();
    this.#startDue();
  }
}

/** Settles with the promise, or fails when the time is up or the request is aborted, whatever the promise then does. */
async function withTimeout<T>(promise: Promise<T>, timeoutMs: number, request: AbortController): Promise<T> {
  const timer = setTimeout(() => request.abort(new Error(`no snapshot within ${timeoutMs} ms`)), timeoutMs);
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(request.signal.reason);
    };
    request.signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    clearTimeout(timer);
  }
}
