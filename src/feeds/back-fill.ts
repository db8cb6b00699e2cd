import type { Catalogue, DataProvider, MarketSymbol } from "../catalogue/catalogue.js";
import { DomainError, errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { rest } from "../core/rest.js";
import { backoffDelayMs, type Clock } from "../core/time.js";
import type { TimeRange, TimeRanges } from "../core/time-ranges.js";
import { minuteMs } from "../market-data/candle-intervals.js";
import type { ConnectionStatus, ExchangeMinute, FeedEndpoint, MinuteSource } from "./feed.js";
import { SymbolMinutes } from "./symbol-minutes.js";

/** Where minutes go, and what is remembered of them. */
export interface MinuteKeeper {
  /** What is complete of each symbol that is known. */
  readCoverage(symbolIds: readonly number[]): Promise<ReadonlyMap<number, TimeRanges>>;
  storeCoverage(coverage: ReadonlyMap<number, TimeRanges>): Promise<void>;
  /** Stores the minutes that trades have made: whether all are stored now, and how many were lost since start. */
  flush(): Promise<{ readonly isStored: boolean; readonly lost: number }>;
  /** Resolves when they are stored. Doing it again changes nothing. */
  put(symbolId: number, minutes: readonly ExchangeMinute[]): Promise<void>;
}

export interface BackFillOptions {
  readonly catalogue: Catalogue;
  readonly keeper: MinuteKeeper;
  /** Who serves the symbol now. */
  readonly servingOf: (symbolId: number) => DataProvider | undefined;
  readonly sourceOf: (provider: DataProvider) => { source: MinuteSource; endpoint: FeedEndpoint } | null;
  /** How far back to go for a symbol that was never tracked. */
  readonly depthMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); jitter comes from here. */
  readonly random: () => number;
  /** How often it looks for something to do; and after so many looks it stores what is known to be complete. */
  readonly tickMs?: number;
  readonly ticksPerCheckpoint?: number;
}

/** What the exchange tells of a minute is final so long after its end. */
export const finalAfterMs = 10_000;
/** A minute that the exchange does not tell may come later; when it is so old, nothing was traded in it. */
export const absentAfterMs = 2 * minuteMs;
const absentAgainMs = 10_000;
const settledAfterMs = 5 * minuteMs;
/** New symbols are subscribed within this time on a connection that is already there. */
const subscribedWithinMs = 60_000;
/** Gaps of the last hour go before the history of any symbol. */
const recentMs = 60 * minuteMs;
/** The store keeps minutes for 30 days, and rolls them up for 29. */
const keptMs = 29 * 24 * 60 * minuteMs;
const maxRetryMs = 5 * 60_000;
const maxSymbolRetryMs = 60 * 60_000;
const missingRetryMs = 10 * 60_000;

/** What is waiting is not a queue: it follows from what is complete, so it is bounded by the number of tracked symbols. */
interface Tracked {
  readonly minutes: SymbolMinutes;
  isRestored: boolean;
  isChanged: boolean;
  providerId: number | null;
  /** Since when the provider serves it. */
  servedSinceMs: number;
  /** What the feed brought before has been lost. */
  trustedFromMs: number;
  failures: number;
  notBeforeMs: number;
  /** Minutes from here on were not there yet when they were asked for, and are asked for again at that time. */
  late: { readonly fromMs: number; readonly notBeforeMs: number } | null;
}

/** One provider's requests, one after the other. */
interface Lane {
  working: Promise<void> | null;
  failures: number;
  notBeforeMs: number;
  hasAnswered: boolean;
  isMissingLogged: boolean;
}

interface Job {
  readonly lane: Lane;
  readonly tracked: Tracked;
  readonly symbol: MarketSymbol;
  readonly range: TimeRange;
}

/**
 * Fetches the minutes that the feeds did not bring, or not as a whole, from the exchanges' klines: those before a symbol was
 * tracked, while the program was down, and while a connection was. Of the symbols in broadcast order those with a gap in
 * the last hour come first, then their history, each from the newest backwards.
 */
export class BackFill {
  readonly #symbols = new Map<number, Tracked>();
  readonly #lanes = new Map<number, Lane>();
  readonly #connectedSince = new Map<number, number>();
  readonly #closing = new AbortController();
  readonly #ticks: NodeJS.Timeout;
  readonly #ticksPerCheckpoint: number;
  #ticksLeft: number;
  #restoring: Promise<void> | null = null;
  #checkpointing: Promise<void> | null = null;
  #lostCandles = 0;

  constructor(private readonly options: BackFillOptions) {
    this.#ticksPerCheckpoint = options.ticksPerCheckpoint ?? 15;
    this.#ticksLeft = this.#ticksPerCheckpoint;
    this.#ticks = setInterval(() => this.#tick(), options.tickMs ?? 1_000);
    this.#tick();
  }

  /** What is tracked, how much of it has gaps, and whom the last question to failed, by code. */
  standing(): { readonly symbols: number; readonly incomplete: number; readonly failing: readonly string[] } {
    const { catalogue, clock, depthMs } = this.options;
    const nowMs = clock.nowMs();
    // What is newer may be on its way.
    const window = { fromMs: nowMs - depthMs, toMs: nowMs - settledAfterMs, limitMs: nowMs - keptMs };
    const incomplete = [...this.#symbols.values()].filter(({ minutes }) => minutes.newestMissing(window) !== null);
    const failing = [...this.#lanes].flatMap(([id, { failures }]) =>
      failures > 0 ? (catalogue.findProvider(id)?.code ?? []) : [],
    );
    return { symbols: this.#symbols.size, incomplete: incomplete.length, failing };
  }

  statusChanged({ id }: DataProvider, status: ConnectionStatus): void {
    if (status === "CONNECTED") {
      if (!this.#connectedSince.has(id)) this.#connectedSince.set(id, this.options.clock.nowMs());
      return;
    }
    this.#connectedSince.delete(id);
    for (const tracked of this.#symbols.values()) if (tracked.providerId === id) tracked.minutes.interrupt();
  }

  /** A trade of this time came when its minute could not be corrected any more. */
  tradeTooLate(symbolId: number, exchangeTimeMs: number): void {
    const tracked = this.#symbols.get(symbolId);
    if (tracked === undefined) return;
    tracked.minutes.doubt(exchangeTimeMs);
    tracked.isChanged = true;
  }

  /** Stores what is complete. Call it before the feeds end. */
  async close(): Promise<void> {
    clearInterval(this.#ticks);
    this.#closing.abort();
    await Promise.all([this.#restoring, this.#checkpointing, ...[...this.#lanes.values()].map((lane) => lane.working)]);
    await this.#checkpoint();
  }

  #tick(): void {
    this.#follow();
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = null;
    });
    for (const provider of this.options.catalogue.providers) this.#wake(provider);
    if (--this.#ticksLeft > 0 || this.#checkpointing !== null) return;
    this.#ticksLeft = this.#ticksPerCheckpoint;
    this.#checkpointing = this.#checkpoint().finally(() => {
      this.#checkpointing = null;
    });
  }

  /** Who is tracked, by whom it is served, and since when it is listened to. */
  #follow(): void {
    const { catalogue, clock, servingOf } = this.options;
    const nowMs = clock.nowMs();
    const wanted = new Set(catalogue.trackedSymbols.map(({ id }) => id));
    for (const id of this.#symbols.keys()) if (!wanted.has(id)) this.#symbols.delete(id);
    for (const id of wanted) {
      const tracked = this.#symbols.get(id) ?? newlyTracked();
      this.#symbols.set(id, tracked);
      const providerId = servingOf(id)?.id ?? null;
      if (providerId !== tracked.providerId) {
        Object.assign(tracked, { providerId, servedSinceMs: nowMs });
        tracked.minutes.interrupt();
      }
      const connectedSinceMs = providerId === null ? undefined : this.#connectedSince.get(providerId);
      if (connectedSinceMs === undefined || tracked.minutes.isListening) continue;
      // A connection that came later carried the symbol from its beginning.
      const sinceMs =
        connectedSinceMs >= tracked.servedSinceMs ? connectedSinceMs : tracked.servedSinceMs + subscribedWithinMs;
      tracked.minutes.listen(Math.max(sinceMs, tracked.trustedFromMs));
    }
  }

  async #restore(): Promise<void> {
    const ids = [...this.#symbols].flatMap(([id, { isRestored }]) => (isRestored ? [] : [id]));
    if (ids.length === 0) return;
    try {
      const coverage = await this.options.keeper.readCoverage(ids);
      for (const id of ids) {
        const tracked = this.#symbols.get(id);
        if (tracked === undefined) continue;
        const complete = coverage.get(id);
        if (complete !== undefined) tracked.minutes.restore(complete);
        tracked.isRestored = true;
      }
    } catch (error) {
      this.options.log.warn({ error: errorMessage(error) }, "back-fill.restore-failed");
    }
  }

  /** Nothing counts as complete before it is stored. */
  async #checkpoint(): Promise<void> {
    const { catalogue, keeper, clock, log } = this.options;
    const nowMs = clock.nowMs();
    const heard = [...this.#symbols.values()].flatMap((tracked) => {
      const provider = tracked.providerId === null ? undefined : catalogue.findProvider(tracked.providerId);
      // A connection that has gone silent is noticed only after this time.
      const range = tracked.minutes.heardUntil(nowMs - (provider?.staleAfterMs ?? 0) - finalAfterMs);
      return range === null || !tracked.isRestored ? [] : [{ tracked, range }];
    });
    try {
      const { isStored, lost } = await keeper.flush();
      if (lost > this.#lostCandles) this.#distrust(lost);
      else if (isStored) {
        for (const { tracked, range } of heard) if (tracked.minutes.believe(range)) tracked.isChanged = true;
      }
      const changed = [...this.#symbols].filter(([, { isChanged, isRestored }]) => isChanged && isRestored);
      if (changed.length === 0) return;
      for (const [, tracked] of changed) {
        tracked.minutes.forgetBefore(nowMs - keptMs);
        tracked.isChanged = false;
      }
      await keeper.storeCoverage(new Map(changed.map(([id, { minutes }]) => [id, minutes.complete])));
    } catch (error) {
      for (const tracked of this.#symbols.values()) tracked.isChanged = true;
      log.warn({ error: errorMessage(error) }, "back-fill.checkpoint-failed");
    }
  }

  /** Candles were given up because the database was away: whatever was not complete before is missing. */
  #distrust(lost: number): void {
    this.#lostCandles = lost;
    for (const tracked of this.#symbols.values()) {
      tracked.trustedFromMs = this.options.clock.nowMs();
      tracked.minutes.interrupt();
    }
  }

  #wake(provider: DataProvider): void {
    let lane = this.#lanes.get(provider.id);
    if (lane === undefined) {
      lane = { working: null, failures: 0, notBeforeMs: 0, hasAnswered: false, isMissingLogged: false };
      this.#lanes.set(provider.id, lane);
    }
    if (lane.working !== null || lane.notBeforeMs > this.options.clock.nowMs()) return;
    const found = this.options.sourceOf(provider);
    if (found === null) return;
    const { source, endpoint } = found;
    const job = this.#nextJob(provider, source, lane);
    if (job === null) return;
    const { signal } = this.#closing;
    lane.working = this.#fill(job, source, endpoint)
      // An aborted pause rejects.
      .then(() => rest(source.requestGapMs, signal))
      .finally(() => {
        lane.working = null;
        if (!signal.aborted) this.#wake(provider);
      });
  }

  #nextJob(provider: DataProvider, source: MinuteSource, lane: Lane): Job | null {
    const { catalogue, clock, depthMs } = this.options;
    const nowMs = clock.nowMs();
    const window = {
      fromMs: nowMs - depthMs,
      toMs: nowMs - finalAfterMs,
      limitMs: nowMs - Math.min(keptMs, source.maxAgeMs ?? keptMs),
    };
    let history: Job | null = null;
    for (const symbol of catalogue.trackedSymbols) {
      const tracked = this.#symbols.get(symbol.id);
      if (tracked?.providerId !== provider.id || !tracked.isRestored || tracked.notBeforeMs > nowMs) continue;
      const { late } = tracked;
      // What is only late must not keep the history of a quiet symbol waiting.
      const untilMs = late !== null && late.notBeforeMs > nowMs ? Math.min(window.toMs, late.fromMs) : window.toMs;
      const missing = tracked.minutes.newestMissing({ ...window, toMs: untilMs });
      if (missing === null) continue;
      const { toMs } = missing;
      const range = { fromMs: Math.max(missing.fromMs, toMs - source.maxPerRequest * minuteMs), toMs };
      const job = { lane, tracked, symbol, range };
      if (toMs > nowMs - recentMs) return job;
      history ??= job;
    }
    return history;
  }

  async #fill(job: Job, source: MinuteSource, endpoint: FeedEndpoint): Promise<void> {
    const { lane, tracked, symbol, range } = job;
    const { keeper, log } = this.options;
    const { signal } = this.#closing;
    try {
      const minutes = await source.fetch(endpoint, log, { symbol, ...range, signal });
      lane.hasAnswered = true;
      lane.isMissingLogged = false;
      if (signal.aborted || this.#symbols.get(symbol.id) !== tracked) return;
      await keeper.put(symbol.id, minutes);
      this.#told(tracked, range, minutes);
      lane.failures = tracked.failures = 0;
    } catch (error) {
      if (!signal.aborted) this.#failed(job, endpoint, error);
    }
  }

  #told(tracked: Tracked, { fromMs, toMs }: TimeRange, minutes: readonly ExchangeMinute[]): void {
    const nowMs = this.options.clock.nowMs();
    const told = new Set(minutes.map(({ openTimeMs }) => openTimeMs));
    let untilMs = toMs;
    // The newest ones may only be late.
    for (let openTimeMs = toMs - minuteMs; openTimeMs >= fromMs; openTimeMs -= minuteMs) {
      if (openTimeMs + minuteMs + absentAfterMs <= nowMs) break;
      if (!told.has(openTimeMs)) untilMs = openTimeMs;
    }
    tracked.minutes.tell({ fromMs, toMs: untilMs });
    tracked.isChanged = true;
    if (untilMs < toMs) tracked.late = { fromMs: untilMs, notBeforeMs: nowMs + absentAgainMs };
  }

  /** What keeps the exchange from answering delays all its symbols, what is wrong with a symbol only that one. */
  #failed({ lane, tracked, symbol, range }: Job, { code, retryDelayMs }: FeedEndpoint, error: unknown): void {
    const { clock, log, random } = this.options;
    const nowMs = clock.nowMs();
    const { status, retryAfterSeconds } = error instanceof DomainError ? error.details : {};
    const isMissing = status === 404 && !lane.hasAnswered;
    if (typeof retryAfterSeconds === "number") {
      lane.notBeforeMs = nowMs + (retryAfterSeconds + random()) * 1_000;
    } else if (isMissing) {
      lane.notBeforeMs = nowMs + missingRetryMs * (1 + random());
    } else if (typeof status === "number" && status < 500 && !limitStatuses.has(status)) {
      tracked.notBeforeMs = nowMs + backoffDelayMs(tracked.failures++, 10_000, maxSymbolRetryMs, random);
    } else {
      lane.notBeforeMs = nowMs + backoffDelayMs(lane.failures++, retryDelayMs, maxRetryMs, random);
    }
    if (isMissing && lane.isMissingLogged) return;
    lane.isMissingLogged = isMissing;
    const minutes = (range.toMs - range.fromMs) / minuteMs;
    log.warn({ provider: code, symbol: symbol.ticker, minutes, error: errorMessage(error) }, "back-fill.failed");
  }
}

/** Some exchanges refuse with 403 those who ask too often. */
const limitStatuses: ReadonlySet<number> = new Set([403, 418, 429]);

const newlyTracked = (): Tracked => ({
  minutes: new SymbolMinutes(),
  isRestored: false,
  isChanged: false,
  providerId: null,
  servedSinceMs: 0,
  trustedFromMs: 0,
  failures: 0,
  notBeforeMs: 0,
  late: null,
});
