import { type BookLevels, defaultLevelLimit, OrderBook } from "./book.js";
import type { BookRule } from "./rules.js";

/** A whole book, as of the change with number `sequence`. */
export interface BookSnapshot extends BookLevels {
  readonly sequence: number;
  /** How many levels a side were asked for; null when the exchange keeps the book within a depth itself. */
  readonly depthLimit: number | null;
  /** Null or 0 where the exchange sends none. */
  readonly checksum: number | null;
  readonly exchangeTimeMs: number | null;
}

/** Changes of a book. Which of the numbers an exchange sends, and what they mean, is in its {@link BookRule}. */
export interface BookDiff extends BookLevels {
  /** Number of the first change in it. */
  readonly first: number | null;
  /** Number of the last change in it. */
  readonly last: number;
  /** Number of the last change of the diff before it. */
  readonly previous: number | null;
  readonly checksum: number | null;
  readonly exchangeTimeMs: number | null;
}

/**
 * - applied: the book is whole and current.
 * - ignored: nothing new for a whole and current book.
 * - waiting: kept until a snapshot comes.
 * - gap: something is missing (a diff before this one, or the snapshot is older than the diffs that are kept).
 * - wrong-checksum: the book is not the exchange's.
 *
 * After the last two there is no book until the next snapshot.
 */
export type BookOutcome = "applied" | "ignored" | "waiting" | "gap" | "wrong-checksum";

/** Kept before the snapshot: a minute of ten a second. Beyond it the oldest go; a snapshot that needed them is a gap. */
const maxBufferedDiffs = 600;

/**
 * So many old diffs in a row mean that the exchange numbers anew, not that they are late: overlapping connections deliver
 * old ones among new ones. Without this a symbol that starts again at 1 would stand still for ever.
 */
const maxOldInARow = 100;

/** Brings the snapshots and diffs of one symbol together into a book, by the exchange's rule. No clock, no I/O. */
export class BookSync {
  readonly #rule: BookRule;
  readonly #book: OrderBook;
  #state: "waiting" | "live" | "refreshing" = "waiting";
  #sequence = 0;
  #exchangeTimeMs: number | null = null;
  /** Whether a diff was applied since the snapshot. */
  #joined = false;
  #oldInARow = 0;
  /** Diffs that a snapshot yet to come may need: all while waiting, those also applied while refreshing. */
  #buffered: BookDiff[] = [];

  constructor(rule: BookRule, levelLimit: number = defaultLevelLimit) {
    this.#rule = rule;
    this.#book = new OrderBook(levelLimit);
  }

  /** Null unless it is whole and current. */
  get book(): OrderBook | null {
    return this.#state === "waiting" ? null : this.#book;
  }

  /** Number of the last change in the book. */
  get sequence(): number {
    return this.#sequence;
  }

  get exchangeTimeMs(): number | null {
    return this.#exchangeTimeMs;
  }

  get needsSnapshot(): boolean {
    return this.#state !== "live";
  }

  onSnapshot(snapshot: BookSnapshot): BookOutcome {
    if (this.#state !== "waiting" && !this.#mayReplaceBook(snapshot)) return "ignored";
    const later = this.#buffered;
    this.#buffered = [];
    this.#book.snapshot(snapshot, snapshot.depthLimit);
    this.#sequence = snapshot.sequence;
    this.#exchangeTimeMs = snapshot.exchangeTimeMs;
    this.#joined = false;
    this.#oldInARow = 0;
    this.#state = "live";
    if (!this.#matches(snapshot.checksum)) return this.#lose("wrong-checksum");
    for (const [index, diff] of later.entries()) {
      this.#oldInARow = 0;
      const outcome = this.#take(diff);
      if (outcome === "applied" || outcome === "ignored") continue;
      if (outcome === "gap") this.#buffered = later.slice(index);
      return outcome;
    }
    return "applied";
  }

  onDiff(diff: BookDiff): BookOutcome {
    if (this.#state === "waiting") {
      this.#keep(diff);
      return "waiting";
    }
    const outcome = this.#take(diff);
    if (outcome === "gap" || this.#state === "refreshing") this.#keep(diff);
    return outcome;
  }

  /** Asks for a new snapshot while the book goes on, because what is known of it no longer reaches deep enough. */
  refresh(): void {
    if (this.#state === "live" && this.#rule.snapshotsCome === "by-request") this.#state = "refreshing";
  }

  /** Forgets the book and what is kept, e.g. because the connection ended. */
  reset(): void {
    this.#state = "waiting";
    this.#buffered = [];
    this.#book.clear();
  }

  #take(diff: BookDiff): BookOutcome {
    const place = this.#rule.place(diff, this.#sequence, this.#joined);
    if (place === "gap") return this.#lose("gap");
    if (place === "old") return ++this.#oldInARow > maxOldInARow ? this.#lose("gap") : "ignored";
    this.#oldInARow = 0;
    if (place === "unchanged") return "ignored";
    this.#book.apply(diff.bids, diff.asks);
    this.#sequence = diff.last;
    this.#exchangeTimeMs = diff.exchangeTimeMs;
    this.#joined = true;
    return this.#matches(diff.checksum) ? "applied" : this.#lose("wrong-checksum");
  }

  /**
   * Whether the book can go on from this snapshot without a gap: an answer by REST may be older than what we have. In a
   * stream a snapshot is what holds from here on, also when its number is lower.
   */
  #mayReplaceBook(snapshot: BookSnapshot): boolean {
    if (this.#rule.snapshotsCome === "in-stream") return true;
    const [oldest] = this.#buffered;
    if (oldest === undefined) return snapshot.sequence >= this.#sequence;
    return this.#rule.place(oldest, snapshot.sequence, false) !== "gap";
  }

  #matches(checksum: number | null): boolean {
    const { checksumOf } = this.#rule;
    return checksumOf === null || checksum === null || checksum === 0 || checksumOf(this.#book) === checksum;
  }

  #keep(diff: BookDiff): void {
    if (this.#rule.snapshotsCome === "in-stream") return;
    this.#buffered.push(diff);
    if (this.#buffered.length > maxBufferedDiffs) this.#buffered.shift();
  }

  #lose(outcome: "gap" | "wrong-checksum"): BookOutcome {
    this.reset();
    return outcome;
  }
}
