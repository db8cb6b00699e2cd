import type { FixedPoint } from "../../core/fixed-point.js";
import type { Logger } from "../../core/logger.js";
import type { Clock } from "../../core/time.js";
import type { OrderBookEvent, OrderBookLostEvent } from "../../market-data/events.js";
import type { FeedEndpoint } from "../feed.js";
import { BookKeeper, type BookKeeperStats } from "../order-books/keeper.js";
import type { BookSnapshot } from "../order-books/sync.js";
import { unavailable } from "../rest.js";
import type { EventSource } from "../sequence-gate.js";
import type { ContractSizes } from "./contract-sizes.js";
import type { BookMessage, BookProtocol } from "./protocol.js";

export interface FeedBooksOptions {
  readonly books: BookProtocol;
  readonly endpoint: FeedEndpoint;
  /** Null where the exchange counts in the base currency. */
  readonly contractSizes: ContractSizes | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** The exchange's name for a symbol that is wanted. */
  readonly tickerOf: (symbolId: number) => string | undefined;
  /** Has the exchange send the book of a symbol anew; false when no connection carries it now. */
  readonly renew: (ticker: string) => boolean;
  readonly onEvent: (event: OrderBookEvent | OrderBookLostEvent) => void;
}

/** The order books of a feed: gives the keeper what comes through the feed's connections, and gets it the snapshots it asks for. */
export class FeedBooks {
  readonly #options: FeedBooksOptions;
  readonly #keeper: BookKeeper;
  /** The connection that sent a symbol's latest snapshot; null when it came by REST. */
  readonly #sources = new Map<number, EventSource | null>();

  constructor(options: FeedBooksOptions) {
    const { books, clock, log, random, onEvent } = options;
    this.#options = options;
    this.#keeper = new BookKeeper({
      rule: books.rule,
      clock,
      log,
      random,
      fetchSnapshot: (symbolId, signal) => this.#fetchSnapshot(symbolId, signal),
      onEvent,
      tuning: books.tuning,
    });
  }

  get stats(): BookKeeperStats {
    return this.#keeper.stats;
  }

  /** The exchange sends the symbol's book from here on. */
  follow(symbolId: number): void {
    if (this.#sources.has(symbolId)) return;
    this.#sources.set(symbolId, null);
    this.#keeper.follow(symbolId);
  }

  forget(symbolId: number): void {
    this.#sources.delete(symbolId);
    this.#keeper.forget(symbolId);
  }

  /** @param hasDelivered whether anything came on the connection */
  disconnected(symbolId: number, hasDelivered: boolean): void {
    const { clock, onEvent } = this.#options;
    const receivedAtMs = clock.nowMs();
    this.#sources.delete(symbolId);
    const isTold = this.#keeper.disconnected(symbolId, receivedAtMs);
    // Best bids and offers may have come where no book was shown, also before the subscription was confirmed.
    if (!isTold && hasDelivered) onEvent({ kind: "orderBookLost", symbolId, reason: "disconnected", receivedAtMs });
  }

  /** Returns false when the message is not used. */
  take({ symbolId, message, receivedAtMs }: BookMessage, source: EventSource): boolean {
    if (message.kind === "snapshot") return this.#takeSnapshot(symbolId, message.snapshot, receivedAtMs, source);
    const of = this.#sources.get(symbolId);
    if (of === undefined) return false;
    // Two connections overlap when one replaces the other: what one has sent since does not fit the other one's snapshot.
    if (of !== null && of !== source && !of.ended) return false;
    this.#keeper.onDiff(symbolId, message.diff, receivedAtMs);
    return true;
  }

  close(): void {
    this.#keeper.close();
  }

  #takeSnapshot(symbolId: number, snapshot: BookSnapshot, receivedAtMs: number, source: EventSource): boolean {
    // Where snapshots come in the stream, one says as well as the answer that the subscription stands, and may come before it.
    if (this.#options.books.rule.snapshotsCome === "in-stream") this.follow(symbolId);
    if (!this.#sources.has(symbolId)) return false;
    this.#sources.set(symbolId, source);
    this.#keeper.onSnapshot(symbolId, snapshot, receivedAtMs);
    return true;
  }

  async #fetchSnapshot(symbolId: number, signal: AbortSignal): Promise<BookSnapshot | null> {
    const { books, endpoint, contractSizes, tickerOf, renew } = this.#options;
    const ticker = tickerOf(symbolId);
    if (ticker === undefined) throw unavailable("the symbol is no longer wanted");
    if (books.fetchSnapshot === null) {
      if (!renew(ticker)) throw unavailable("no connection carries the symbol");
      return null;
    }
    let contractSize: FixedPoint | null = null;
    if (contractSizes !== null) {
      contractSize = contractSizes.get(ticker) ?? null;
      if (contractSize === null) throw unavailable("the contract size is not known");
    }
    return books.fetchSnapshot(endpoint, ticker, contractSize, signal);
  }
}
