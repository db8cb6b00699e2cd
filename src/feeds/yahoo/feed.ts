import { DomainError, errorMessage } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import { backoffDelayMs } from "../../core/time.js";
import type { BookTickerEvent } from "../../market-data/events.js";
import type { ConnectionStatus, Feed, FeedOptions, FeedSymbol } from "../feed.js";
import { FeedCounters } from "../feed-counters.js";
import { isObject } from "../reading.js";
import type { Decoded } from "../stream/protocol.js";
import type { FetchQuotes } from "./client.js";
import { decodeQuote, yahooSymbol } from "./map.js";

/** Our patience; Yahoo states no limits. Tests shrink it. */
export interface YahooTuning {
  /** How often it is looked whether something is due. */
  readonly tickMs: number;
  readonly openEveryMs: number;
  /** For late corrections, and for symbols that are new. */
  readonly closedEveryMs: number;
  readonly symbolsPerRequest: number;
  /** First pause after a refusal for too many requests; it doubles from there. */
  readonly limitedDelayMs: number;
  readonly maxRetryDelayMs: number;
}

const tuningOfYahoo: YahooTuning = {
  tickMs: 1_000,
  openEveryMs: 15_000,
  closedEveryMs: 15 * 60_000,
  symbolsPerRequest: 50,
  limitedDelayMs: 60_000,
  maxRetryDelayMs: 30 * 60_000,
};

/** Asks for the quotes of all symbols in rounds, one request at a time: often while the market is open, rarely otherwise. */
export function startYahooFeed(
  marketCode: string,
  fetchQuotes: FetchQuotes,
  options: FeedOptions,
  tuning: Partial<YahooTuning> = {},
): Feed {
  return new YahooFeed(marketCode, fetchQuotes, options, { ...tuningOfYahoo, ...tuning });
}

class YahooFeed implements Feed {
  readonly stats: FeedCounters;
  readonly #marketCode: string;
  readonly #fetchQuotes: FetchQuotes;
  readonly #options: FeedOptions;
  readonly #tuning: YahooTuning;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #ticks: NodeJS.Timeout;
  /** Wanted ids by Yahoo's name. */
  #symbols: ReadonlyMap<string, number> = new Map();
  /** What the current round has still to ask for. */
  #left: string[] = [];
  #request: Promise<void> | null = null;
  /** When the last request ended, and how long to wait from there. */
  #endedAtMs = 0;
  #pauseMs = 0;
  #isOpen = false;
  /** Since the last answer. */
  #failures = 0;
  #answeredAtMs: number;
  #unknown = new Set<string>();
  /** Ids of symbols whose best bid and offer were told last. */
  readonly #quoted = new Set<number>();
  #status: ConnectionStatus | null = null;
  #detail: string | null = null;

  constructor(marketCode: string, fetchQuotes: FetchQuotes, options: FeedOptions, tuning: YahooTuning) {
    this.#marketCode = marketCode;
    this.#fetchQuotes = fetchQuotes;
    this.#options = options;
    this.#tuning = tuning;
    this.#log = options.log.child({ provider: options.endpoint.code });
    this.stats = new FeedCounters(this.#log);
    this.#answeredAtMs = options.clock.nowMs();
    this.#report("CONNECTING", null);
    this.setSymbols(options.symbols);
    this.#ticks = setInterval(() => this.#tick(), tuning.tickMs);
  }

  setSymbols(symbols: readonly FeedSymbol[]): void {
    const before = this.#symbols;
    this.#symbols = new Map(symbols.map(({ ticker, id }) => [yahooSymbol(this.#marketCode, ticker), id]));
    // New ones need not wait for the next round, but they do wait after a failure.
    const added = [...this.#symbols.keys()].filter((name) => !before.has(name));
    this.#left = [...new Set([...this.#left, ...added])].filter((name) => this.#symbols.has(name));
    if (added.length > 0 && this.#failures === 0) this.#pauseMs = Math.min(this.#pauseMs, this.#requestGapMs());
    for (const name of this.#unknown) if (!this.#symbols.has(name)) this.#unknown.delete(name);
    const ids = new Set(this.#symbols.values());
    for (const id of this.#quoted) if (!ids.has(id)) this.#quoted.delete(id);
    if (this.#symbols.size === 0) this.#report("DISCONNECTED", "no symbols to watch");
    else if (this.#status === "DISCONNECTED") this.#report("CONNECTING", null);
  }

  async close(): Promise<void> {
    clearInterval(this.#ticks);
    this.#closing.abort();
    await this.#request;
  }

  #tick(): void {
    const { clock, isMarketOpen, endpoint } = this.#options;
    const isOpen = isMarketOpen?.() ?? true;
    if (isOpen && !this.#isOpen) {
      // The night was no silence.
      this.#answeredAtMs = clock.nowMs();
      if (this.#failures === 0) this.#pauseMs = 0;
    }
    this.#isOpen = isOpen;
    if (isOpen && this.#failures > 0 && clock.nowMs() - this.#answeredAtMs > endpoint.staleAfterMs) {
      this.#report("STALE", this.#detail);
    }
    if (this.#request !== null || this.#symbols.size === 0) return;
    const sinceMs = clock.nowMs() - this.#endedAtMs;
    // Before zero: the clock was set back, and the pause cannot be told.
    if (sinceMs >= 0 && sinceMs < this.#pauseMs) return;
    if (this.#left.length === 0) this.#left = [...this.#symbols.keys()];
    this.#request = this.#ask(this.#left.slice(0, this.#tuning.symbolsPerRequest)).finally(() => {
      this.#endedAtMs = clock.nowMs();
      this.#request = null;
    });
  }

  /** Never rejects. */
  async #ask(names: readonly string[]): Promise<void> {
    const { signal } = this.#closing;
    const { clock } = this.#options;
    if (this.#failures > 0) this.stats.reconnects++;
    try {
      const quotes = await this.#fetchQuotes(names, signal);
      if (signal.aborted) return;
      this.stats.messages++;
      this.#failures = 0;
      this.#answeredAtMs = clock.nowMs();
      this.#takeAll(names, quotes);
      const asked = new Set(names);
      this.#left = this.#left.filter((name) => !asked.has(name));
      this.#pauseMs = this.#left.length > 0 ? this.#requestGapMs() : this.#roundPauseMs();
      if (this.#symbols.size === 0) return;
      this.#report("CONNECTED", this.#unknown.size === 0 ? null : `unknown to Yahoo: ${someOf(this.#unknown)}`);
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const { endpoint, random } = this.#options;
    const { limitedDelayMs, maxRetryDelayMs } = this.#tuning;
    const details = error instanceof DomainError ? error.details : {};
    const isLimited = details.status === 429;
    this.stats.reject(isLimited ? "rate-limited" : "request-failed");
    const baseMs = isLimited ? Math.max(limitedDelayMs, endpoint.retryDelayMs) : endpoint.retryDelayMs;
    const backoffMs = backoffDelayMs(this.#failures++, baseMs, maxRetryDelayMs, random);
    const askedMs = typeof details.retryAfterSeconds === "number" ? details.retryAfterSeconds * 1000 : 0;
    this.#pauseMs = Math.max(backoffMs, Math.min(askedMs, maxRetryDelayMs));
    this.#log.warn({ error: errorMessage(error), pauseMs: this.#pauseMs }, "feed.request-failed");
    if (this.#symbols.size === 0) return;
    this.#report(this.#status === "STALE" ? "STALE" : "RECONNECTING", errorMessage(error));
  }

  #takeAll(names: readonly string[], quotes: readonly unknown[]): void {
    const receivedAtMs = this.#options.clock.nowMs();
    const missing = new Set(names);
    for (const quote of quotes) {
      const name = isObject(quote) && "symbol" in quote ? quote.symbol : undefined;
      // Also false when it was not asked for, or comes twice.
      if (typeof name !== "string" || !missing.delete(name)) {
        this.stats.reject("unknown-symbol");
        continue;
      }
      this.#unknown.delete(name);
      const symbolId = this.#symbols.get(name);
      if (symbolId === undefined) this.stats.skip("unsubscribed-symbol");
      else for (const decoded of decodeQuote(quote, symbolId, receivedAtMs)) this.#take(decoded);
    }
    for (const name of missing) {
      if (!this.#symbols.has(name)) continue;
      this.stats.reject("symbol-missing");
      this.#unknown.add(name);
    }
  }

  #take(decoded: Decoded): void {
    if (decoded.kind === "rejected") this.stats.reject(decoded.what);
    else if (decoded.kind === "skipped") this.stats.skip(decoded.what);
    else if (decoded.kind === "ticker24h" || (decoded.kind === "bookTicker" && this.#isNews(decoded))) {
      this.stats.events++;
      this.#options.onEvent(decoded);
    }
  }

  /** Many symbols never have a bid and an ask: that they are gone is told where they were told before. */
  #isNews({ symbolId, bid, ask }: BookTickerEvent): boolean {
    if (bid === null && ask === null) return this.#quoted.delete(symbolId);
    this.#quoted.add(symbolId);
    return true;
  }

  /** Between two requests, so that all of them stay within the provider's limit. */
  #requestGapMs(): number {
    const { rateLimitPerMinute } = this.#options.endpoint;
    return rateLimitPerMinute ? Math.ceil(60_000 / rateLimitPerMinute) : 0;
  }

  #roundPauseMs(): number {
    const { openEveryMs, closedEveryMs } = this.#tuning;
    return Math.max(this.#isOpen ? openEveryMs : closedEveryMs, this.#requestGapMs());
  }

  #report(status: ConnectionStatus, detail: string | null): void {
    if (status === this.#status && detail === this.#detail) return;
    this.#status = status;
    this.#detail = detail;
    this.#options.onStatus(status, detail);
  }
}

const someOf = (names: ReadonlySet<string>): string =>
  [...names].slice(0, 5).join(", ") + (names.size > 5 ? ` and ${names.size - 5} more` : "");
