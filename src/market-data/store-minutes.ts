import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { TimeRanges } from "../core/time-ranges.js";
import type { Database } from "../db/connect.js";
import { readCoverage, storeCoverage } from "./candle-coverage.js";
import { minuteMs, openTimeOf } from "./candle-intervals.js";
import { type Candle, keptMinutes } from "./candles.js";
import { completeMinute, type ExchangeMinute } from "./exchange-minutes.js";
import type { LiveMarket } from "./live-market.js";
import type { MarketRecorder } from "./record-market.js";
import { readCandles, readSeedCandles } from "./series/read-series.js";
import { insertCandles } from "./series/writers.js";

/** Time goes on while candles are read; more often than this it does not. */
const maxSeedAttempts = 3;

/** Where past minutes go: into the store, and, as far as they are kept, into the candles that are being built. */
export class MinuteStore {
  constructor(
    private readonly live: LiveMarket,
    private readonly recorder: MarketRecorder,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  readCoverage(symbolIds: readonly number[]): Promise<Map<number, TimeRanges>> {
    return readCoverage(this.database, symbolIds);
  }

  storeCoverage(coverage: ReadonlyMap<number, TimeRanges>): Promise<void> {
    return storeCoverage(this.database, coverage);
  }

  /** See {@link MarketRecorder.flushCandles}. */
  flush(): Promise<{ readonly isStored: boolean; readonly lost: number }> {
    return this.recorder.flushCandles();
  }

  /**
   * Puts in minutes of one symbol as the exchange has them, oldest first, and corrects the longer candles above them.
   * Resolves when they are stored; doing it again changes nothing.
   */
  async put(symbolId: number, minutes: readonly ExchangeMinute[]): Promise<void> {
    const traded = minutes.filter(({ volume }) => volume !== "0");
    const [first] = traded;
    if (first === undefined) return;
    const ours = await this.#ours(symbolId, traded);
    const candles = traded.map((minute) => completeMinute(symbolId, minute, ours.get(minute.openTimeMs)));
    // The store first: what the builder does with them reaches the store only later, and in an order that does not matter.
    await insertCandles(this.database, candles);
    const nowMs = this.clock.nowMs();
    let isBelowKept = false;
    for (const candle of candles) {
      const isKept = candle.openTimeMs >= nowMs - keptMinutes * minuteMs;
      if (!isKept || this.live.builder.replaceMinute(candle) === "tooLate") isBelowKept = true;
    }
    // The candles that are not over yet began on Monday at the earliest.
    const isOfThisWeek = (candles.at(-1)?.openTimeMs ?? 0) >= openTimeOf("W1", nowMs);
    if (isBelowKept && isOfThisWeek) await this.#seedAgain(symbolId);
  }

  /** Our own versions of minutes whose trades the exchange does not count. */
  async #ours(symbolId: number, minutes: readonly ExchangeMinute[]): Promise<Map<number, Candle>> {
    const ours = new Map<number, Candle>();
    const uncounted = minutes.filter(({ tradeCount }) => tradeCount === null).map(({ openTimeMs }) => openTimeMs);
    const [fromMs] = uncounted;
    const toMs = (uncounted.at(-1) ?? 0) + minuteMs;
    if (fromMs === undefined) return ours;
    const range = { interval: "M1" as const, fromMs, toMs, limit: (toMs - fromMs) / minuteMs };
    const stored = await readCandles(this.database, [symbolId], range);
    for (const candle of stored.get(symbolId) ?? []) ours.set(candle.openTimeMs, candle);
    for (const openTimeMs of uncounted) {
      const building = this.live.builder.minute(symbolId, openTimeMs);
      if (building !== undefined) ours.set(openTimeMs, building);
    }
    return ours;
  }

  async #seedAgain(symbolId: number): Promise<void> {
    try {
      for (let attempt = 0; attempt < maxSeedAttempts; attempt++) {
        await this.recorder.flushCandles();
        const nowMs = this.clock.nowMs();
        const seeds = await readSeedCandles(this.database, [symbolId], nowMs);
        if (this.live.builder.seed(symbolId, nowMs, seeds.get(symbolId) ?? [])) return;
      }
    } catch (error) {
      // Their history is stored; the longer candles of this moment follow with the next page or at the next start.
      this.log.warn({ symbolId, error: errorMessage(error) }, "candles.seed-failed");
    }
  }
}
