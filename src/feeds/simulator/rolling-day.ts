/** Prices in ticks, quantities in steps, as everywhere in the market model. */
export interface DayStatistics {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly last: number;
  /** Price of the last trade before the 24 hours. */
  readonly previousClose: number;
  readonly trades: number;
  readonly volume: bigint;
  /** Sum of price × quantity. */
  readonly value: bigint;
}

/** One trade, or many of the same minute taken together. */
export interface Trading {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly trades: number;
  readonly volume: bigint;
  readonly value: bigint;
  /** What of it was bought by takers. */
  readonly takerBuyVolume: bigint;
  readonly takerBuyValue: bigint;
}

export interface Minute extends Trading {
  readonly startMs: number;
}

type GrowingMinute = { -readonly [K in keyof Minute]: Minute[K] };

const minuteMs = 60_000;
export const dayMs = 24 * 60 * minuteMs;

/**
 * Statistics of the last 24 hours, kept by the minute: a minute leaves as a whole as soon as its start is a day old, so
 * the window is up to a minute short. Times must not go backwards.
 */
export class RollingDay {
  readonly #minutes: GrowingMinute[] = [];
  #previousClose: number;
  #last: number;
  #high = 0;
  #low = 0;
  #trades = 0;
  #volume = 0n;
  #value = 0n;

  constructor(price: number) {
    this.#previousClose = price;
    this.#last = price;
  }

  get last(): number {
    return this.#last;
  }

  add(atMs: number, trading: Trading): void {
    const startMs = atMs - (atMs % minuteMs);
    const latest = this.#minutes.at(-1);
    if (latest?.startMs === startMs) {
      latest.high = Math.max(latest.high, trading.high);
      latest.low = Math.min(latest.low, trading.low);
      latest.close = trading.close;
      latest.trades += trading.trades;
      latest.volume += trading.volume;
      latest.value += trading.value;
      latest.takerBuyVolume += trading.takerBuyVolume;
      latest.takerBuyValue += trading.takerBuyValue;
    } else {
      this.#minutes.push({ startMs, ...trading });
    }
    const isFirst = this.#trades === 0;
    this.#high = isFirst ? trading.high : Math.max(this.#high, trading.high);
    this.#low = isFirst ? trading.low : Math.min(this.#low, trading.low);
    this.#last = trading.close;
    this.#trades += trading.trades;
    this.#volume += trading.volume;
    this.#value += trading.value;
    this.#forget(atMs);
  }

  /**
   * Those that begin in [fromMs, toMs) and not after now, oldest first and none left out: a minute without trading stands
   * where the price stood.
   */
  minutes(fromMs: number, toMs: number, nowMs: number): Minute[] {
    this.#forget(nowMs);
    const [oldest] = this.#minutes;
    if (oldest === undefined) return [];
    let startMs = Math.max(oldest.startMs, Math.ceil(fromMs / minuteMs) * minuteMs);
    const found: Minute[] = [];
    const later = this.#minutes.findIndex((minute) => minute.startMs >= startMs);
    let index = later === -1 ? this.#minutes.length : later;
    let price = this.#minutes[index - 1]?.close ?? this.#previousClose;
    for (; startMs < toMs && startMs <= nowMs; startMs += minuteMs) {
      const minute = this.#minutes[index];
      if (minute?.startMs === startMs) {
        found.push({ ...minute });
        price = minute.close;
        index++;
      } else {
        found.push(emptyMinute(startMs, price));
      }
    }
    return found;
  }

  statistics(nowMs: number): DayStatistics {
    this.#forget(nowMs);
    const isEmpty = this.#trades === 0;
    return {
      open: this.#minutes[0]?.open ?? this.#last,
      high: isEmpty ? this.#last : this.#high,
      low: isEmpty ? this.#last : this.#low,
      last: this.#last,
      previousClose: this.#previousClose,
      trades: this.#trades,
      volume: this.#volume,
      value: this.#value,
    };
  }

  #forget(nowMs: number): void {
    const firstMs = nowMs - dayMs;
    let count = 0;
    for (const minute of this.#minutes) {
      if (minute.startMs >= firstMs) break;
      this.#previousClose = minute.close;
      this.#trades -= minute.trades;
      this.#volume -= minute.volume;
      this.#value -= minute.value;
      count++;
    }
    if (count === 0) return;
    this.#minutes.splice(0, count);
    this.#high = this.#minutes.reduce((high, minute) => Math.max(high, minute.high), 0);
    this.#low = this.#minutes.reduce((low, minute) => Math.min(low, minute.low), Number.MAX_SAFE_INTEGER);
  }
}

const emptyMinute = (startMs: number, price: number): Minute => ({
  startMs,
  open: price,
  high: price,
  low: price,
  close: price,
  trades: 0,
  volume: 0n,
  value: 0n,
  takerBuyVolume: 0n,
  takerBuyValue: 0n,
});
