/** What is to be done at the end of an interval. */
export interface Flushable {
  /** @param atMs the moment of the flush: counted between these, an interval is never short by more than {@link timerSlackMs} */
  flush(atMs: number): void;
}

/** Timers may be early by a part of a millisecond. */
export const timerSlackMs = 1;

interface Interval {
  readonly due: Set<Flushable>;
  lastMs: number;
  isScheduled: boolean;
  timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
}

/**
 * Has things flushed at most once per interval, those of one interval together, so that a connection with several of them
 * gets one write. The first change after a quiet time is flushed at once, after whatever else came in the same turn of the
 * event loop. Bounded by the number of different intervals that have something waiting or had a moment ago.
 */
export class FlushClock {
  readonly #intervals = new Map<number, Interval>();

  /** Calls `flush` when an interval has passed since its last ones were. */
  schedule(intervalMs: number, flushable: Flushable): void {
    let interval = this.#intervals.get(intervalMs);
    if (interval === undefined) {
      interval = { due: new Set(), lastMs: Number.NEGATIVE_INFINITY, isScheduled: false, timer: undefined };
      this.#intervals.set(intervalMs, interval);
    }
    interval.due.add(flushable);
    if (!interval.isScheduled) this.#schedule(intervalMs, interval);
  }

  cancel(intervalMs: number, flushable: Flushable): void {
    this.#intervals.get(intervalMs)?.due.delete(flushable);
  }

  close(): void {
    for (const { timer } of this.#intervals.values()) {
      clearTimeout(timer as NodeJS.Timeout | undefined);
      clearImmediate(timer as NodeJS.Immediate | undefined);
    }
    this.#intervals.clear();
  }

  #schedule(intervalMs: number, interval: Interval): void {
    interval.isScheduled = true;
    const waitMs = interval.lastMs + intervalMs - performance.now();
    const flush = () => this.#flush(intervalMs, interval);
    interval.timer = waitMs > 0 ? setTimeout(flush, waitMs) : setImmediate(flush);
  }

  #flush(intervalMs: number, interval: Interval): void {
    interval.isScheduled = false;
    interval.timer = undefined;
    const nowMs = performance.now();
    // A timer counts from when the turn began that set it, in whole milliseconds: after a long turn it is too early.
    if (nowMs - interval.lastMs < intervalMs - timerSlackMs) {
      this.#schedule(intervalMs, interval);
      return;
    }
    if (interval.due.size === 0) {
      this.#intervals.delete(intervalMs);
      return;
    }
    interval.lastMs = nowMs;
    const due = [...interval.due];
    interval.due.clear();
    for (const flushable of due) flushable.flush(nowMs);
    // Once more when the interval is over: for what comes until then, or to be forgotten.
    if (!interval.isScheduled) this.#schedule(intervalMs, interval);
  }
}
