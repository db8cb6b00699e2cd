import type { Logger } from "../core/logger.js";
import type { FeedStats } from "./feed.js";
import type { BookKeeperStats } from "./order-books/keeper.js";

/** The counters of one feed; a rejected kind is logged when it is seen for the first time. */
export class FeedCounters implements FeedStats {
  readonly #log: Logger;
  messages = 0;
  events = 0;
  reconnects = 0;
  books: BookKeeperStats | null = null;
  readonly skipped = new Map<string, number>();
  readonly rejected = new Map<string, number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `what` must come from a fixed list, not from the frame: it is kept for ever. */
  skip(what: string): void {
    this.skipped.set(what, (this.skipped.get(what) ?? 0) + 1);
  }

  /** `what` as in {@link skip}. */
  reject(what: string): void {
    const count = this.rejected.get(what) ?? 0;
    this.rejected.set(what, count + 1);
    if (count === 0) this.#log.warn({ rejected: what }, "feed.frame-rejected");
  }
}
