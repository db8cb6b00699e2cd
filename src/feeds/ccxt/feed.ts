import { setTimeout as pause, setImmediate as untilNextTurn } from "node:timers/promises";
import { errorMessage } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import { backoffDelayMs } from "../../core/time.js";
import type { ConnectionStatus, Feed, FeedOptions, FeedSymbol } from "../feed.js";
import { FeedCounters } from "../feed-counters.js";
import { isObject } from "../reading.js";
import { SequenceGate } from "../sequence-gate.js";
import type { Known } from "../stream/events.js";
import { type Decoded, rejected } from "../stream/protocol.js";
import type { CcxtExchange, OpenExchange } from "./library.js";
import { readBook, readTrade, sortedTrades, tickerBookOf, tickerOf } from "./map.js";
import { type CcxtMarketType, listMarkets } from "./markets.js";

/** Tests shrink it. */
export interface CcxtTuning {
  /** What events allow: ten books a second. */
  readonly bookEveryMs: number;
  /** Exchanges limit how many names a subscription takes; what ccxt does not split itself is split here. */
  readonly symbolsPerWatch: number;
  readonly maxRetryDelayMs: number;
  readonly lateForMs: number;
}

const tuningOfCcxt: CcxtTuning = { bookEveryMs: 100, symbolsPerWatch: 50, maxRetryDelayMs: 30_000, lateForMs: 5_000 };

/** Market events of one exchange by ccxt, which connects, subscribes and keeps the books. */
export function startCcxtFeed(
  exchangeId: string,
  type: CcxtMarketType,
  open: OpenExchange,
  options: FeedOptions,
  tuning: Partial<CcxtTuning> = {},
): Feed {
  return new CcxtFeed(() => open(exchangeId, options.endpoint.timeoutMs), type, options, {
    ...tuningOfCcxt,
    ...tuning,
  });
}

/** What is watched together, from the opening of the exchange until the symbols change or it falls silent. */
interface Run {
  readonly ending: AbortController;
  /** Watches that have failed and not delivered since, with the latest reason. */
  readonly failing: Map<object, string>;
  hasDelivered: boolean;
}

class CcxtFeed implements Feed {
  readonly stats: FeedCounters;
  readonly #open: () => Promise<CcxtExchange>;
  readonly #type: CcxtMarketType;
  readonly #options: FeedOptions;
  readonly #tuning: CcxtTuning;
  readonly #log: Logger;
  readonly #gate: SequenceGate;
  /** The gate knows one connection: ccxt never lets two overlap. */
  readonly #source = { ended: false };
  readonly #bookTimer: NodeJS.Timeout;
  readonly #silenceTimer: NodeJS.Timeout;
  /** Wanted symbols by ccxt's name, and books of theirs that have changed since they were last told. */
  #known = new Map<string, Known>();
  readonly #changedBooks = new Map<string, unknown>();
  #exchange: CcxtExchange | null = null;
  #wanted: readonly FeedSymbol[] = [];
  #run: Run | null = null;
  /** Ends of runs, one after the other: a new one begins when the old one's sockets are gone. */
  #restarting: Promise<void> = Promise.resolve();
  #lastSequence = 0;
  #heardAtMs: number;
  #closed = false;
  #unknown: readonly string[] = [];
  #status: ConnectionStatus | null = null;
  #detail: string | null = null;

  constructor(open: () => Promise<CcxtExchange>, type: CcxtMarketType, options: FeedOptions, tuning: CcxtTuning) {
    this.#open = open;
    this.#type = type;
    this.#options = options;
    this.#tuning = tuning;
    this.#log = options.log.child({ provider: options.endpoint.code });
    this.stats = new FeedCounters(this.#log);
    this.#gate = new SequenceGate(tuning.lateForMs);
    this.#heardAtMs = options.clock.nowMs();
    this.#bookTimer = setInterval(() => this.#tellBooks(), tuning.bookEveryMs);
    this.#silenceTimer = setInterval(() => this.#checkSilence(), Math.ceil(options.endpoint.staleAfterMs / 4));
    this.setSymbols(options.symbols);
  }

  /** ccxt has no common way to change what is subscribed: with other symbols, all connections are made anew. */
  setSymbols(symbols: readonly FeedSymbol[]): void {
    if (this.#closed || (this.#run !== null && textOf(symbols) === textOf(this.#wanted))) return;
    const wanted = new Set(symbols.map(({ id }) => id));
    for (const { id } of this.#wanted) if (!wanted.has(id)) this.#gate.forget(id);
    this.#wanted = symbols;
    this.#restart(
      symbols.length === 0 ? "DISCONNECTED" : "CONNECTING",
      symbols.length === 0 ? "no symbols to watch" : null,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#bookTimer);
    clearInterval(this.#silenceTimer);
    this.#run?.ending.abort();
    await this.#restarting;
    await this.#closeExchange();
  }

  #restart(status: ConnectionStatus, detail: string | null): void {
    this.#run?.ending.abort();
    const hasDelivered = this.#run?.hasDelivered === true;
    const run: Run = { ending: new AbortController(), failing: new Map(), hasDelivered: false };
    this.#run = run;
    this.#heardAtMs = this.#options.clock.nowMs();
    this.#report(status, detail);
    if (hasDelivered) this.#tellLostBooks();
    this.#restarting = this.#restarting.then(async () => {
      await this.#closeExchange();
      // Not awaited: a run goes on until it is ended.
      if (!run.ending.signal.aborted && this.#wanted.length > 0) void this.#start(run);
    });
  }

  async #closeExchange(): Promise<void> {
    try {
      await this.#exchange?.close();
    } catch (error) {
      this.#log.warn({ error: errorMessage(error) }, "feed.close-failed");
    }
  }

  /** Never rejects. */
  async #start(run: Run): Promise<void> {
    const exchange = await this.#retrying(run, async () => {
      this.#exchange ??= await this.#open();
      run.ending.signal.throwIfAborted();
      this.#options.endpoint.budget?.take();
      this.#know(await this.#exchange.loadMarkets(true));
      return this.#exchange;
    });
    if (exchange === null) return;
    const names = [...this.#known.keys()];
    if (names.length === 0) {
      this.#report("ERROR", `unknown to the exchange: ${this.#unknown.slice(0, 5).join(", ")}`);
      return;
    }
    const { has } = exchange;
    const takeTickers = (raw: unknown) => this.#takeTickers(raw, has.watchOrderBook !== true);
    const takeTrades = (raw: unknown) => {
      for (const trade of sortedTrades(raw)) this.#take(trade, (known, nowMs) => readTrade(known, trade, nowMs));
    };
    const takeBook = (book: unknown) => {
      const name = isObject(book) && "symbol" in book ? book.symbol : undefined;
      if (typeof name === "string" && this.#known.has(name)) this.#changedBooks.set(name, book);
      else this.stats.reject("unknown-symbol");
    };
    this.#watchAll(run, names, takeTickers, [
      has.watchTickers === true && ((some) => exchange.watchTickers(some)),
      has.watchTicker === true && ((one) => exchange.watchTicker(one)),
    ]);
    this.#watchAll(run, names, takeTrades, [
      has.watchTradesForSymbols === true && ((some) => exchange.watchTradesForSymbols(some)),
      has.watchTrades === true && ((one) => exchange.watchTrades(one)),
    ]);
    this.#watchAll(run, names, takeBook, [
      has.watchOrderBookForSymbols === true && ((some) => exchange.watchOrderBookForSymbols(some)),
      has.watchOrderBook === true && ((one) => exchange.watchOrderBook(one)),
    ]);
  }

  #know(markets: Readonly<Record<string, unknown>>): void {
    const listed = listMarkets(markets, this.#type);
    this.#known = new Map();
    this.#changedBooks.clear();
    for (const { id, ticker } of this.#wanted) {
      const market = listed.get(ticker);
      if (market !== undefined) this.#known.set(market.symbol, { symbolId: id, contractSize: market.contractSize });
    }
    this.#unknown = this.#wanted.flatMap(({ ticker }) => (listed.has(ticker) ? [] : [ticker]));
  }

  /** By what the exchange can do: several symbols at once, or one by one, or not at all. */
  #watchAll(
    run: Run,
    names: readonly string[],
    take: (answer: unknown) => void,
    [some, one]: [false | ((names: string[]) => Promise<unknown>), false | ((name: string) => Promise<unknown>)],
  ): void {
    const { symbolsPerWatch } = this.#tuning;
    if (some !== false) {
      for (let from = 0; from < names.length; from += symbolsPerWatch) {
        const part = names.slice(from, from + symbolsPerWatch);
        void this.#watch(run, () => some(part), take);
      }
    } else if (one !== false) {
      for (const name of names) void this.#watch(run, () => one(name), take);
    }
  }

  /** Asks for the next answer again and again. Never rejects. */
  async #watch(run: Run, next: () => Promise<unknown>, take: (answer: unknown) => void): Promise<void> {
    const { signal } = run.ending;
    while (!signal.aborted) {
      const answer = await this.#retrying(run, next);
      if (signal.aborted) return;
      this.stats.messages++;
      this.#heardAtMs = this.#options.clock.nowMs();
      run.hasDelivered = true;
      this.#updateStatus(run);
      take(answer);
      // An answer that is always there at once must not hold up everyone else.
      await untilNextTurn();
    }
  }

  /** The first answer that is none of an error; null when the run ends before. Never rejects. */
  async #retrying<T>(run: Run, ask: () => Promise<T>): Promise<T | null> {
    const { signal } = run.ending;
    const { endpoint, random } = this.#options;
    const key = {};
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const answer = await ask();
        if (run.failing.delete(key)) this.#updateStatus(run);
        return answer;
      } catch (error) {
        if (signal.aborted) break;
        this.stats.reject("request-failed");
        const delayMs = backoffDelayMs(attempt, endpoint.retryDelayMs, this.#tuning.maxRetryDelayMs, random);
        this.#log.warn({ error: errorMessage(error), delayMs }, "feed.request-failed");
        run.failing.set(key, errorMessage(error).slice(0, 200));
        this.#updateStatus(run);
        try {
          await pause(delayMs, undefined, { signal });
        } catch {
          break;
        }
        this.stats.reconnects++;
      }
    }
    return null;
  }

  #takeTickers(raw: unknown, withBook: boolean): void {
    if (!isObject(raw)) {
      this.#count(notTickers);
      return;
    }
    // One ticker, or several by their symbols.
    for (const ticker of "symbol" in raw && typeof raw.symbol === "string" ? [raw] : Object.values(raw)) {
      this.#take(ticker, (known, nowMs) => tickerOf(known, ticker, nowMs));
      if (withBook) this.#take(ticker, (known, nowMs) => tickerBookOf(known, ticker, this.#nextSequence(nowMs), nowMs));
    }
  }

  #take(raw: unknown, read: (known: Known, receivedAtMs: number) => Decoded | null): void {
    const name = isObject(raw) && "symbol" in raw ? raw.symbol : undefined;
    const known = typeof name === "string" ? this.#known.get(name) : undefined;
    const decoded = known === undefined ? unknownSymbol : read(known, this.#options.clock.nowMs());
    if (decoded !== null) this.#count(decoded);
  }

  /** ccxt hands out the book that it keeps: what is told is its state now, however often it changed. */
  #tellBooks(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [name, book] of this.#changedBooks) {
      const known = this.#known.get(name);
      if (known === undefined) continue;
      for (const decoded of readBook(known, book, this.#nextSequence(nowMs), nowMs)) this.#count(decoded);
    }
    this.#changedBooks.clear();
  }

  /** Not every exchange numbers its books; what ccxt hands out is in order, so our own number does. */
  #nextSequence(nowMs: number): number {
    this.#lastSequence = Math.max(this.#lastSequence + 1, nowMs);
    return this.#lastSequence;
  }

  #count(decoded: Decoded): void {
    const { stats } = this;
    switch (decoded.kind) {
      case "rejected":
        stats.reject(decoded.what);
        return;
      case "skipped":
        stats.skip(decoded.what);
        return;
      case "trade":
        // After a reconnect an exchange may begin with trades that we had.
        if (!this.#gate.admit(decoded, this.#source)) {
          stats.skip("out-of-date-trade");
          return;
        }
        break;
      default:
    }
    if (
      decoded.kind === "trade" ||
      decoded.kind === "ticker24h" ||
      decoded.kind === "bookTicker" ||
      decoded.kind === "orderBook"
    ) {
      stats.events++;
      this.#options.onEvent(decoded);
    }
  }

  #checkSilence(): void {
    const { clock, endpoint } = this.#options;
    // Whoever fails is at it already.
    if (this.#wanted.length === 0 || this.#status === "ERROR" || this.#run?.failing.size !== 0) return;
    if (clock.nowMs() - this.#heardAtMs <= endpoint.staleAfterMs) return;
    this.stats.reconnects++;
    this.#restart("STALE", `silent for ${endpoint.staleAfterMs} ms`);
  }

  #tellLostBooks(): void {
    const receivedAtMs = this.#options.clock.nowMs();
    for (const { symbolId } of this.#known.values()) {
      this.stats.events++;
      this.#options.onEvent({ kind: "orderBookLost", symbolId, reason: "disconnected", receivedAtMs });
    }
  }

  #updateStatus(run: Run): void {
    if (run !== this.#run || this.#closed) return;
    const [failure] = run.failing.values();
    if (failure !== undefined) {
      const wasConnected = this.#status === "CONNECTED";
      this.#report("RECONNECTING", failure);
      if (wasConnected) this.#tellLostBooks();
    } else if (run.hasDelivered) {
      const unknown = this.#unknown.slice(0, 5).join(", ");
      this.#report("CONNECTED", unknown === "" ? null : `unknown to the exchange: ${unknown}`);
    }
  }

  #report(status: ConnectionStatus, detail: string | null): void {
    if (this.#closed || (status === this.#status && detail === this.#detail)) return;
    this.#status = status;
    this.#detail = detail;
    this.#options.onStatus(status, detail);
  }
}

/** In any order the same. */
const textOf = (symbols: readonly FeedSymbol[]): string =>
  JSON.stringify([...symbols].sort((a, b) => a.id - b.id).map(({ id, ticker }) => [id, ticker]));

const unknownSymbol = rejected("unknown-symbol");
const notTickers = rejected("not-a-ticker");
