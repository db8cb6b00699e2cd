import type { Logger } from "../../core/logger.js";
import { AttemptWindow } from "../attempt-window.js";
import type { ConnectionStatus, Feed, FeedOptions, FeedSymbol } from "../feed.js";
import { FeedCounters } from "../feed-counters.js";
import { type GatedEvent, SequenceGate } from "../sequence-gate.js";
import { ContractSizeLoader } from "./contract-sizes.js";
import { FeedBooks } from "./feed-books.js";
import type { BookMessage, Decoded, Protocol, Route, StreamSymbol } from "./protocol.js";
import { routeUrl } from "./route-url.js";
import type { Session } from "./session.js";
import { Shard, type ShardContext, type ShardState } from "./shard.js";
import type { StreamTuning } from "./tuning.js";

/**
 * The market events of the given symbols, as the protocol subscribes and decodes them. Symbols are spread in their order
 * over as many connections as the exchange's limits ask for, on each of its routes.
 */
export function startStreamFeed(protocol: Protocol, options: FeedOptions, tuning: Partial<StreamTuning> = {}): Feed {
  return new StreamFeed(protocol, options, { ...protocol.tuning, ...tuning });
}

/** The connections of one route. */
interface Lane {
  readonly context: ShardContext;
  readonly symbolsPerShard: number;
  shards: Shard[];
}

class StreamFeed implements Feed {
  readonly stats: FeedCounters;
  readonly #protocol: Protocol;
  readonly #options: FeedOptions;
  readonly #log: Logger;
  readonly #gate: SequenceGate;
  readonly #lanes: readonly Lane[];
  readonly #contractSizes: ContractSizeLoader | null;
  readonly #books: FeedBooks | null;
  /** Every ticker that was ever wanted; see {@link StreamSymbol.id}. */
  readonly #symbols = new Map<string, StreamSymbol>();
  /** Of the symbols that are wanted now, by id. */
  #tickers: ReadonlyMap<number, string> = new Map();
  #wanted: readonly FeedSymbol[];
  readonly #sockets = new Set<Promise<void>>();
  #status: ConnectionStatus | null = null;
  #detail: string | null = null;
  #closed = false;

  constructor(protocol: Protocol, options: FeedOptions, tuning: StreamTuning) {
    const { endpoint } = options;
    this.#protocol = protocol;
    this.#options = options;
    this.#wanted = options.symbols;
    this.#log = options.log.child({ provider: endpoint.code });
    this.stats = new FeedCounters(this.#log);
    this.#gate = new SequenceGate(tuning.lateForMs);

    if (routeUrl(endpoint.websocketUrl, "") === null) {
      this.#lanes = [];
      this.#contractSizes = null;
      this.#books = null;
      this.#report("ERROR", "the provider's WebSocket address is not a ws:// or wss:// URL");
      return;
    }
    this.#contractSizes = this.#contractSizeLoader(tuning);
    this.#books = this.#keepBooks();
    this.#lanes = this.#openLanes(tuning);
    if (this.#contractSizes === null) this.setSymbols(options.symbols);
    else {
      this.#report("CONNECTING", "loading the contract sizes");
      this.#contractSizes.start();
    }
  }

  setSymbols(symbols: readonly FeedSymbol[]): void {
    this.#wanted = symbols;
    if (this.#closed || this.#lanes.length === 0 || this.#contractSizes?.ready === false) return;
    const wanted = new Map<string, number>();
    for (const { ticker, id } of symbols) if (!wanted.has(ticker)) wanted.set(ticker, id);
    this.#contractSizes?.expect(wanted.keys());
    this.#tickers = new Map([...wanted].map(([ticker, id]) => [id, ticker]));
    const renamed = this.#rename(wanted);
    for (const lane of this.#lanes) this.#spread(lane, wanted);
    this.#followConfirmed(renamed);
    this.#updateStatus();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#books?.close();
    for (const { shards } of this.#lanes) for (const shard of shards) shard.close();
    await Promise.all([...this.#sockets, this.#contractSizes?.close()]);
  }

  #contractSizeLoader(tuning: StreamTuning): ContractSizeLoader | null {
    const { endpoint, clock, random } = this.#options;
    const { fetchContractSizes } = this.#protocol;
    if (fetchContractSizes === null) return null;
    return new ContractSizeLoader({
      load: (signal) => fetchContractSizes(endpoint, this.#log, signal),
      clock,
      log: this.#log,
      random,
      retryDelayMs: endpoint.retryDelayMs,
      maxRetryDelayMs: tuning.maxRetryDelayMs,
      onReady: () => this.setSymbols(this.#wanted),
      onUnavailable: (detail) => this.#report("CONNECTING", detail),
    });
  }

  #keepBooks(): FeedBooks | null {
    const { endpoint, clock, random, onEvent } = this.#options;
    const { books } = this.#protocol;
    if (books === undefined) return null;
    const feedBooks = new FeedBooks({
      books,
      endpoint,
      contractSizes: this.#contractSizes?.sizes ?? null,
      clock,
      log: this.#log,
      random,
      tickerOf: (symbolId) => this.#tickers.get(symbolId),
      renew: (ticker) =>
        this.#lanes.some(
          (lane) =>
            lane.context.route.hasBooks &&
            lane.shards.some((shard) => shard.tickers.includes(ticker) && shard.renewBook(ticker)),
        ),
      onEvent: (event) => {
        this.stats.events++;
        onEvent(event);
      },
    });
    this.stats.books = feedBooks.stats;
    return feedBooks;
  }

  #openLanes(tuning: StreamTuning): Lane[] {
    const { endpoint, clock, random } = this.#options;
    const backup = endpoint.backupWebsocketUrl;
    if (backup !== null && routeUrl(backup, "") === null) this.#log.warn({}, "feed.backup-url-invalid");
    const shared = {
      protocol: this.#protocol,
      timeoutMs: endpoint.timeoutMs,
      retryDelayMs: endpoint.retryDelayMs,
      staleAfterMs: endpoint.staleAfterMs,
      attempts: new AttemptWindow(tuning.attemptLimit, tuning.attemptWindowMs, clock),
      symbols: this.#symbols,
      contractSizes: this.#contractSizes?.sizes ?? new Map<string, never>(),
      tuning,
      clock,
      random,
      log: this.#log,
      onFrame: () => {
        this.stats.messages++;
      },
      onDecoded: (decoded: Decoded, session: Session) => this.#take(decoded, session),
      onRejected: (what: string) => this.stats.reject(what),
      onReconnect: () => {
        this.stats.reconnects++;
      },
      onState: () => this.#updateStatus(),
      onSession: (session: Session) => this.#track(session),
    };
    return this.#protocol.routes.flatMap((route) => {
      const url = routeUrl(endpoint.websocketUrl, route.path);
      if (url === null) return [];
      const backupUrl = backup === null ? null : routeUrl(backup, route.path);
      const context: ShardContext = {
        ...shared,
        route,
        urls: backupUrl === null ? [url] : [url, backupUrl],
        ...this.#bookListeners(route),
      };
      const symbolsPerShard = Math.max(1, Math.floor(tuning.maxStreamsPerConnection / route.streamsPerSymbol));
      return [{ context, symbolsPerShard, shards: [] }];
    });
  }

  #bookListeners({ hasBooks }: Route): Pick<ShardContext, "onSubscribed" | "onLost"> {
    const books = this.#books;
    if (books === null || !hasBooks) return { onSubscribed() {}, onLost() {} };
    return {
      onSubscribed: (tickers) => {
        for (const ticker of tickers) this.#follow(ticker);
      },
      onLost: (tickers, { delivering }) => {
        for (const ticker of tickers) {
          const id = this.#symbols.get(ticker)?.id ?? null;
          if (id !== null) books.disconnected(id, delivering);
        }
      },
    };
  }

  #follow(ticker: string): void {
    const id = this.#symbols.get(ticker)?.id ?? null;
    if (id !== null) this.#books?.follow(id);
  }

  /** A symbol that comes back before it was taken off, or under another id, is not confirmed once more. */
  #followConfirmed(tickers: readonly string[]): void {
    for (const { context, shards } of this.#lanes) {
      if (!context.route.hasBooks) continue;
      for (const ticker of tickers) {
        if (shards.some((shard) => shard.tickers.includes(ticker) && shard.confirms(ticker))) this.#follow(ticker);
      }
    }
  }

  #spread(lane: Lane, wanted: ReadonlyMap<string, number>): void {
    const added = new Set(wanted.keys());
    const kept: Shard[] = [];
    for (const shard of lane.shards) {
      const tickers = shard.tickers.filter((ticker) => wanted.has(ticker));
      for (const ticker of tickers) added.delete(ticker);
      if (tickers.length === 0) {
        shard.close();
        continue;
      }
      if (tickers.length !== shard.tickers.length) shard.want(tickers);
      kept.push(shard);
    }
    lane.shards = kept;
    place(lane, [...added]);
  }

  /** Returns the tickers that have an id now which they did not have. */
  #rename(wanted: ReadonlyMap<string, number>): string[] {
    const renamed: string[] = [];
    for (const [ticker, symbol] of this.#symbols) {
      const id = wanted.get(ticker) ?? null;
      if (id === symbol.id) continue;
      if (symbol.id !== null) {
        this.#gate.forget(symbol.id);
        this.#books?.forget(symbol.id);
      }
      this.#symbols.set(ticker, { ...symbol, id });
      if (id !== null) renamed.push(ticker);
    }
    for (const [ticker, id] of wanted) {
      if (this.#symbols.has(ticker)) continue;
      this.#symbols.set(ticker, { id, streamPrefix: this.#protocol.streamPrefix(ticker) });
    }
    return renamed;
  }

  #take(decoded: Decoded, session: Session): void {
    const { stats } = this;
    switch (decoded.kind) {
      case "bookTicker":
      case "trade":
      case "ticker24h":
      case "fundingRate":
        this.#takeGated(decoded, session);
        return;
      case "orderBook":
      case "orderBookLost":
        stats.events++;
        this.#options.onEvent(decoded);
        return;
      case "book":
        this.#takeBook(decoded, session);
        return;
      case "skipped":
        stats.skip(decoded.what);
        return;
      case "rejected":
        stats.reject(decoded.what);
        return;
      case "answer":
        if (decoded.error === null) stats.skip("subscribe-response");
        else {
          stats.reject("subscribe-refused");
          this.#log.warn({ error: decoded.error }, "feed.subscribe-refused");
        }
        return;
      case "shutdown":
        stats.skip("serverShutdown");
    }
  }

  #takeGated(event: GatedEvent, session: Session): void {
    if (this.#gate.admit(event, session)) {
      this.stats.events++;
      this.#options.onEvent(event);
    } else {
      this.stats.skip(outOfDate[event.kind]);
    }
  }

  #takeBook(message: BookMessage, session: Session): void {
    if (this.#books?.take(message, session) !== true) this.stats.skip("book-not-followed");
  }

  #track(session: Session): void {
    this.#sockets.add(session.closed);
    void session.closed.then(() => this.#sockets.delete(session.closed));
  }

  /** The worst state of any connection is the feed's. */
  #updateStatus(): void {
    if (this.#closed) return;
    const shards = this.#lanes.flatMap((lane) => lane.shards);
    if (shards.length === 0) {
      this.#report("DISCONNECTED", "no symbols to watch");
      return;
    }
    const worst = statesWorstFirst.find((state) => shards.some((shard) => shard.state === state)) ?? "CONNECTED";
    const explained = shards.find((shard) => shard.state === worst && shard.detail !== null);
    this.#report(worst, explained?.detail ?? null);
  }

  #report(status: ConnectionStatus, detail: string | null): void {
    if (status === this.#status && detail === this.#detail) return;
    this.#status = status;
    this.#detail = detail;
    this.#options.onStatus(status, detail);
  }
}

/** Gives new symbols the free places of open connections in their order, then new connections. */
function place(lane: Lane, tickers: readonly string[]): void {
  let next = 0;
  for (const shard of lane.shards) {
    const free = lane.symbolsPerShard - shard.tickers.length;
    if (free <= 0 || next >= tickers.length) continue;
    shard.want([...shard.tickers, ...tickers.slice(next, next + free)]);
    next += free;
  }
  for (; next < tickers.length; next += lane.symbolsPerShard) {
    const shard = new Shard(tickers.slice(next, next + lane.symbolsPerShard), lane.context);
    lane.shards.push(shard);
    shard.start();
  }
}

const statesWorstFirst: readonly ShardState[] = ["STALE", "RECONNECTING", "CONNECTING", "CONNECTED"];

const outOfDate = {
  bookTicker: "out-of-date-bookTicker",
  trade: "out-of-date-trade",
  ticker24h: "out-of-date-ticker24h",
  fundingRate: "out-of-date-fundingRate",
} as const;
