import { DomainError, errorMessage } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import { backoffDelayMs, type Clock } from "../../core/time.js";
import type { OrderBookEvent, OrderBookLostEvent } from "../../market-data/events.js";
import { defaultLevelLimit } from "./book.js";
import type { BookRule } from "./rules.js";
import { type SnapshotRequestLimits, SnapshotRequests } from "./snapshot-requests.js";
import { type BookDiff, type BookOutcome, type BookSnapshot, BookSync } from "./sync.js";

export interface BookKeeperTuning extends SnapshotRequestLimits {
  /** Delay before a snapshot is asked for again; grows with each failure up to the cap, with jitter. */
  readonly retryDelayMs: number;
  readonly maxRetryDelayMs: number;
  /** A book that lasted this long starts over with the shortest delay when it is lost. */
  readonly steadyAfterMs: number;
  /** At most one event per symbol within this time. */
  readonly publishGapMs: number;
  /** At most one snapshot per symbol within this time only because the book got shallow. */
  readonly refreshGapMs: number;
  /** Levels kept on a side. */
  readonly levelLimit: number;
}

/** For Binance spot: a depth of 1000 weighs 50 of 6000 a minute, so this takes at most half of the limit. */
export const defaultBookKeeperTuning: BookKeeperTuning = {
  maxConcurrent: 4,
  gapMs: 1_000,
  timeoutMs: 10_000,
  retryDelayMs: 1_000,
  maxRetryDelayMs: 60_000,
  steadyAfterMs: 60_000,
  publishGapMs: 100,
  refreshGapMs: 10_000,
  levelLimit: defaultLevelLimit,
};

export interface BookKeeperOptions {
  readonly rule: BookRule;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); jitter comes from here. */
  readonly random: () => number;
  /**
   * Fetches a snapshot by REST. Where snapshots come in the stream, it makes the exchange send one (by subscribing again) and
   * gives null: the snapshot then comes through {@link BookKeeper.onSnapshot}. Called for those only when a book was lost or
   * the snapshot stays away. Its failures are counted and retried.
   */
  readonly fetchSnapshot: (symbolId: number, signal: AbortSignal) => Promise<BookSnapshot | null>;
  /** Called synchronously or from a timer. Must not throw. */
  readonly onEvent: (event: OrderBookEvent | OrderBookLostEvent) => void;
  readonly tuning: BookKeeperTuning;
}

/** Counters since the start; they only grow. */
export interface BookKeeperStats {
  diffs: number;
  ignored: number;
  snapshots: number;
  failedSnapshots: number;
  published: number;
  lost: Record<OrderBookLostEvent["reason"], number>;
}

/** What is published of a book. */
const publishedDepth = 50;

interface Track {
  readonly symbolId: number;
  readonly sync: BookSync;
  /** Snapshots that failed or did not last, one after the other. */
  attempt: number;
  /** Null while there is no book. */
  wholeSinceMs: number | null;
  lastSnapshotMs: number;
  receivedAtMs: number;
  /** Whether the last event of the symbol was a book. */
  isShown: boolean;
  lastPublishedMs: number | null;
  publishTimer: NodeJS.Timeout | undefined;
  /** Where snapshots come in the stream: until when this one must have come. */
  snapshotTimer: NodeJS.Timeout | undefined;
}

/**
 * The order books of one feed, without its sockets: it is told what came in and asks for the snapshots it needs. Of each
 * book it publishes the best levels, only the newest at a time, and when it is lost. What is lost is built anew.
 */
export class BookKeeper {
  readonly stats: BookKeeperStats = {
    diffs: 0,
    ignored: 0,
    snapshots: 0,
    failedSnapshots: 0,
    published: 0,
    lost: { disconnected: 0, "sequence-gap": 0, "wrong-checksum": 0, crossed: 0 },
  };
  readonly #options: BookKeeperOptions;
  readonly #tracks = new Map<number, Track>();
  readonly #requests: SnapshotRequests<BookSnapshot | null>;

  constructor(options: BookKeeperOptions) {
    this.#options = options;
    this.#requests = new SnapshotRequests({
      limits: options.tuning,
      clock: options.clock,
      fetch: options.fetchSnapshot,
      onAnswer: (symbolId, snapshot) => this.#onAnswer(symbolId, snapshot),
      onFailure: (symbolId, cause) => this.#onFailure(symbolId, cause),
    });
  }

  /** The exchange has confirmed the subscription: from here on the symbol's diffs come in. */
  follow(symbolId: number): void {
    if (this.#tracks.has(symbolId)) return;
    const { rule, tuning, clock } = this.#options;
    const track: Track = {
      symbolId,
      sync: new BookSync(rule, tuning.levelLimit),
      attempt: 0,
      wholeSinceMs: null,
      lastSnapshotMs: 0,
      receivedAtMs: clock.nowMs(),
      isShown: false,
      lastPublishedMs: null,
      publishTimer: undefined,
      snapshotTimer: undefined,
    };
    this.#tracks.set(symbolId, track);
    if (rule.snapshotsCome === "in-stream") this.#awaitSnapshot(track);
    else this.#requests.request(symbolId, 0);
  }

  /** The symbol is no longer wanted; nothing is published about it any more. */
  forget(symbolId: number): void {
    const track = this.#tracks.get(symbolId);
    if (track === undefined) return;
    this.#tracks.delete(symbolId);
    this.#requests.cancel(symbolId);
    clearTimeout(track.publishTimer);
    clearTimeout(track.snapshotTimer);
  }

  /**
   * The connection that carried the symbol has ended: its book is lost until {@link follow} is called again.
   * @returns whether that was told: not of a book that was never shown
   */
  disconnected(symbolId: number, atMs: number): boolean {
    const track = this.#tracks.get(symbolId);
    if (track === undefined) return false;
    this.forget(symbolId);
    this.#publishLost(track, "disconnected", atMs);
    return track.isShown;
  }

  /** A snapshot that came in the stream. */
  onSnapshot(symbolId: number, snapshot: BookSnapshot, receivedAtMs: number): void {
    const track = this.#tracks.get(symbolId);
    if (track !== undefined) this.#takeSnapshot(track, snapshot, receivedAtMs);
  }

  onDiff(symbolId: number, diff: BookDiff, receivedAtMs: number): void {
    const track = this.#tracks.get(symbolId);
    if (track === undefined) return;
    this.stats.diffs++;
    this.#settle(track, track.sync.onDiff(diff), receivedAtMs);
  }

  /** Ends all requests and timers; nothing is published afterwards. */
  close(): void {
    for (const symbolId of this.#tracks.keys()) this.forget(symbolId);
    this.#requests.close();
  }

  #onAnswer(symbolId: number, snapshot: BookSnapshot | null): void {
    const track = this.#tracks.get(symbolId);
    if (track === undefined) return;
    if (snapshot !== null) this.#takeSnapshot(track, snapshot, this.#options.clock.nowMs());
    else if (track.sync.needsSnapshot) this.#awaitSnapshot(track);
  }

  #onFailure(symbolId: number, cause: unknown): void {
    this.stats.failedSnapshots++;
    const track = this.#tracks.get(symbolId);
    // Said once; a symbol that the exchange no longer knows goes on failing.
    const level = track === undefined || track.attempt > 0 ? "debug" : "warn";
    this.#options.log[level]({ symbolId, error: errorMessage(cause) }, "order-book.snapshot-failed");
    const pauseMs = requestedPauseMs(cause);
    if (pauseMs !== null) this.#requests.pause(pauseMs);
    if (track !== undefined) this.#requestAgain(track);
  }

  #takeSnapshot(track: Track, snapshot: BookSnapshot, receivedAtMs: number): void {
    this.stats.snapshots++;
    const nowMs = this.#options.clock.nowMs();
    const outcome = track.sync.onSnapshot(snapshot);
    if (outcome === "applied") {
      clearTimeout(track.snapshotTimer);
      this.#requests.cancel(track.symbolId);
      track.lastSnapshotMs = nowMs;
      if (track.wholeSinceMs !== null) track.attempt = 0;
      track.wholeSinceMs ??= nowMs;
    }
    this.#settle(track, outcome, receivedAtMs);
    // A refresh that was too old for the diffs we have: the book goes on, and we ask once more.
    if (outcome === "ignored" && track.sync.needsSnapshot) this.#requestAgain(track);
  }

  #settle(track: Track, outcome: BookOutcome, receivedAtMs: number): void {
    if (outcome === "ignored") this.stats.ignored++;
    else if (outcome === "gap") this.#lose(track, "sequence-gap", receivedAtMs);
    else if (outcome === "wrong-checksum") this.#lose(track, "wrong-checksum", receivedAtMs);
    if (outcome !== "applied") return;
    if (track.sync.book?.isCrossed === true) {
      track.sync.reset();
      this.#lose(track, "crossed", receivedAtMs);
      return;
    }
    track.receivedAtMs = receivedAtMs;
    this.#refreshIfShallow(track);
    this.#publishSoon(track);
  }

  #lose(track: Track, reason: OrderBookLostEvent["reason"], atMs: number): void {
    const { clock, tuning, log } = this.#options;
    log.info({ symbolId: track.symbolId, reason }, "order-book.lost");
    this.#publishLost(track, reason, atMs);
    track.isShown = false;
    if (track.wholeSinceMs !== null && clock.nowMs() - track.wholeSinceMs >= tuning.steadyAfterMs) track.attempt = 0;
    track.wholeSinceMs = null;
    // What is under way answers to a book that is gone; its answer could be older than what comes next.
    this.#requests.cancel(track.symbolId);
    this.#requestAgain(track);
  }

  #requestAgain(track: Track): void {
    const { tuning, random } = this.#options;
    const delayMs = backoffDelayMs(track.attempt++, tuning.retryDelayMs, tuning.maxRetryDelayMs, random);
    this.#requests.request(track.symbolId, delayMs);
  }

  /** The stream owes us a snapshot; when it does not come, we have the exchange send one again. */
  #awaitSnapshot(track: Track): void {
    clearTimeout(track.snapshotTimer);
    track.snapshotTimer = setTimeout(() => this.#requestAgain(track), this.#options.tuning.timeoutMs);
  }

  #refreshIfShallow(track: Track): void {
    const { clock, tuning } = this.#options;
    if (track.sync.needsSnapshot || track.sync.book?.isWholeTo(publishedDepth) !== false) return;
    const dueInMs = track.lastSnapshotMs + tuning.refreshGapMs - clock.nowMs();
    if (dueInMs > 0 && dueInMs <= tuning.refreshGapMs) return;
    track.sync.refresh();
    if (track.sync.needsSnapshot) this.#requests.request(track.symbolId, 0);
  }

  #publishSoon(track: Track): void {
    if (track.publishTimer !== undefined) return;
    const { publishGapMs } = this.#options.tuning;
    const sinceMs = track.lastPublishedMs === null ? publishGapMs : this.#options.clock.nowMs() - track.lastPublishedMs;
    if (sinceMs >= publishGapMs) {
      this.#publish(track);
      return;
    }
    track.publishTimer = setTimeout(
      () => {
        track.publishTimer = undefined;
        this.#publish(track);
      },
      // At most the gap, should the clock have been set back.
      Math.min(publishGapMs - sinceMs, publishGapMs),
    );
  }

  #publish(track: Track): void {
    const { sync, symbolId, receivedAtMs } = track;
    // It may have been lost since it was due.
    if (sync.book === null) return;
    track.lastPublishedMs = this.#options.clock.nowMs();
    track.isShown = true;
    this.stats.published++;
    this.#options.onEvent({
      kind: "orderBook",
      symbolId,
      ...sync.book.best(publishedDepth),
      exchangeSequence: sync.sequence,
      exchangeTimeMs: sync.exchangeTimeMs,
      receivedAtMs,
    });
  }

  #publishLost(track: Track, reason: OrderBookLostEvent["reason"], receivedAtMs: number): void {
    this.stats.lost[reason]++;
    // Whoever was never shown the book has nothing to take back.
    if (track.isShown) this.#options.onEvent({ kind: "orderBookLost", symbolId: track.symbolId, reason, receivedAtMs });
  }
}

/** The exchange limits or bans our address: it says for how long, or else a minute, over which most limits are counted. */
function requestedPauseMs(cause: unknown): number | null {
  if (!(cause instanceof DomainError)) return null;
  const { status, retryAfterSeconds } = cause.details;
  if (status !== 418 && status !== 429) return null;
  return Math.min(typeof retryAfterSeconds === "number" ? retryAfterSeconds * 1_000 : 60_000, maxPauseMs);
}

/** Bans last up to three days; a header that says more is not believed. */
const maxPauseMs = 3 * 24 * 60 * 60_000;
