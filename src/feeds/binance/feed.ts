import { AttemptWindow } from "../attempt-window.js";
import type { ConnectionStatus, Feed, FeedOptions, FeedSymbol } from "../feed.js";
import { FeedCounters } from "../feed-counters.js";
import { SequenceGate } from "../sequence-gate.js";
import type { Decoded, SpotSymbol } from "./map.js";
import type { Session } from "./session.js";
import { Shard, type ShardContext, type ShardState } from "./shard.js";
import { channels, type SpotTuning, spotTuning } from "./tuning.js";

/**
 * Best bid and offer, trades and 24 h statistics of the given symbols from Binance spot's combined streams. Symbols are
 * spread in their order over as many connections as the exchange's limits ask for.
 */
export function startBinanceSpotFeed(options: FeedOptions, tuning: Partial<SpotTuning> = {}): Feed {
  return new BinanceSpotFeed(options, { ...spotTuning, ...tuning });
}

class BinanceSpotFeed implements Feed {
  readonly stats: FeedCounters;
  readonly #options: FeedOptions;
  readonly #gate: SequenceGate;
  readonly #symbolsPerShard: number;
  readonly #shardContext: ShardContext | null;
  /** Every ticker that was ever wanted; see {@link SpotSymbol.id}. */
  readonly #symbols = new Map<string, SpotSymbol>();
  #shards: Shard[] = [];
  readonly #sockets = new Set<Promise<void>>();
  #status: ConnectionStatus | null = null;
  #detail: string | null = null;
  #closed = false;

  constructor(options: FeedOptions, tuning: SpotTuning) {
    const { endpoint, clock, random } = options;
    const log = options.log.child({ provider: endpoint.code });
    this.#options = options;
    this.stats = new FeedCounters(log);
    this.#gate = new SequenceGate(tuning.lateForMs);
    this.#symbolsPerShard = Math.max(1, Math.floor(tuning.maxStreamsPerConnection / channels.length));

    const url = streamUrl(endpoint.websocketUrl);
    if (url === null) {
      this.#shardContext = null;
      this.#report("ERROR", "the provider's WebSocket address is not a ws:// or wss:// URL");
      return;
    }
    const backupUrl = endpoint.backupWebsocketUrl === null ? null : streamUrl(endpoint.backupWebsocketUrl);
    if (endpoint.backupWebsocketUrl !== null && backupUrl === null) log.warn({}, "feed.backup-url-invalid");
    this.#shardContext = {
      urls: backupUrl === null ? [url] : [url, backupUrl],
      timeoutMs: endpoint.timeoutMs,
      retryDelayMs: endpoint.retryDelayMs,
      staleAfterMs: endpoint.staleAfterMs,
      attempts: new AttemptWindow(tuning.attemptLimit, tuning.attemptWindowMs, clock),
      symbols: this.#symbols,
      tuning,
      clock,
      random,
      log,
      onDecoded: (decoded, session) => this.#take(decoded, session),
      onRejected: (what) => this.stats.reject(what),
      onReconnect: () => {
        this.stats.reconnects++;
      },
      onState: () => this.#updateStatus(),
      onSession: (session) => this.#track(session),
    };
    this.setSymbols(options.symbols);
  }

  setSymbols(symbols: readonly FeedSymbol[]): void {
    if (this.#closed || this.#shardContext === null) return;
    const wanted = new Map<string, number>();
    for (const { ticker, id } of symbols) if (!wanted.has(ticker)) wanted.set(ticker, id);
    this.#rename(wanted);

    const added = new Set(wanted.keys());
    const kept: Shard[] = [];
    for (const shard of this.#shards) {
      const tickers = shard.tickers.filter((ticker) => wanted.has(ticker));
      for (const ticker of tickers) added.delete(ticker);
      if (tickers.length === 0) {
        shard.close();
        continue;
      }
      if (tickers.length !== shard.tickers.length) shard.want(tickers);
      kept.push(shard);
    }
    this.#shards = kept;
    this.#place([...added]);
    this.#updateStatus();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const shard of this.#shards) shard.close();
    await Promise.all(this.#sockets);
  }

  /** Gives new symbols the free places of open connections in their order, then new connections. */
  #place(tickers: readonly string[]): void {
    let next = 0;
    for (const shard of this.#shards) {
      const free = this.#symbolsPerShard - shard.tickers.length;
      if (free <= 0 || next >= tickers.length) continue;
      shard.want([...shard.tickers, ...tickers.slice(next, next + free)]);
      next += free;
    }
    for (; next < tickers.length && this.#shardContext !== null; next += this.#symbolsPerShard) {
      const shard = new Shard(tickers.slice(next, next + this.#symbolsPerShard), this.#shardContext);
      this.#shards.push(shard);
      shard.start();
    }
  }

  #rename(wanted: ReadonlyMap<string, number>): void {
    for (const [ticker, symbol] of this.#symbols) {
      const id = wanted.get(ticker) ?? null;
      if (id === symbol.id) continue;
      if (symbol.id !== null) this.#gate.forget(symbol.id);
      this.#symbols.set(ticker, { ...symbol, id });
    }
    for (const [ticker, id] of wanted) {
      if (!this.#symbols.has(ticker)) this.#symbols.set(ticker, { id, streamPrefix: ticker.toLowerCase() });
    }
  }

  #take(decoded: Decoded, session: Session): void {
    const { stats } = this;
    stats.messages++;
    switch (decoded.kind) {
      case "bookTicker":
      case "trade":
      case "ticker24h":
        if (this.#gate.admit(decoded, session)) {
          stats.events++;
          this.#options.onEvent(decoded);
        } else {
          stats.skip(outOfDate[decoded.kind]);
        }
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
          this.#shardContext?.log.warn({ error: decoded.error }, "feed.subscribe-refused");
        }
        return;
      case "shutdown":
        stats.skip("serverShutdown");
    }
  }

  #track(session: Session): void {
    this.#sockets.add(session.closed);
    void session.closed.then(() => this.#sockets.delete(session.closed));
  }

  /** The worst state of any connection is the feed's. */
  #updateStatus(): void {
    if (this.#closed) return;
    if (this.#shards.length === 0) {
      this.#report("DISCONNECTED", "no symbols to watch");
      return;
    }
    const worst = statesWorstFirst.find((state) => this.#shards.some((shard) => shard.state === state)) ?? "CONNECTED";
    const explained = this.#shards.find((shard) => shard.state === worst && shard.detail !== null);
    this.#report(worst, explained?.detail ?? null);
  }

  #report(status: ConnectionStatus, detail: string | null): void {
    if (status === this.#status && detail === this.#detail) return;
    this.#status = status;
    this.#detail = detail;
    this.#options.onStatus(status, detail);
  }
}

const statesWorstFirst: readonly ShardState[] = ["STALE", "RECONNECTING", "CONNECTING", "CONNECTED"];

const outOfDate = {
  bookTicker: "out-of-date-bookTicker",
  trade: "out-of-date-trade",
  ticker24h: "out-of-date-ticker24h",
} as const;

/** The combined stream address of a base address, which may already end in `/` or `/stream`; null when it is no WebSocket URL. */
function streamUrl(base: string): string | null {
  if (!URL.canParse(base)) return null;
  const url = new URL(base);
  if (url.protocol !== "ws:" && url.protocol !== "wss:") return null;
  const path = url.pathname.endsWith("/") ? url.pathname.slice(0, -1) : url.pathname;
  url.pathname = path.endsWith("/stream") ? path : `${path}/stream`;
  url.hash = "";
  return url.href;
}
