import type { SimulatedInstrument } from "./instruments.js";

/** A pseudo-random generator (mulberry32): the same seed gives the same numbers in [0, 1) on every machine. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a: every symbol has a walk of its own, whatever other symbols there are. */
function seedOf(seed: number, ticker: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const character of ticker) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

const hourMs = 3_600_000;
/** Buckets of the rolling day: 24 whole hours and the current one. */
const bucketCount = 25;
/** Standard deviation of one second's relative move, and how strongly the price is drawn back to where it began. */
const volatilityPerSecond = 0.0004;
const reversionPerSecond = 0.0002;
const maxSpreadTicks = 3;
const tradeProbability = 0.6;
/** Binance shows everything with eight decimal places. */
const shownDecimals = 8;

interface Bucket {
  readonly hour: number;
  readonly open: number;
  high: number;
  low: number;
  volume: number;
  /** Ticks × steps. */
  quoteVolume: bigint;
  trades: number;
}

export interface Step {
  readonly bookTicker: string;
  readonly aggTrade: string | null;
}

/**
 * The simulated market of one instrument: a seeded random walk in whole ticks. All amounts are integers (ticks and steps),
 * so nothing that is sent was ever a float. Pure but for its own state: the time comes with every call.
 */
export class SimulatedMarket {
  readonly ticker: string;
  readonly #random: () => number;
  readonly #buckets: Bucket[] = [];
  #priceTicks: number;
  #bidTicks: number;
  #askTicks: number;
  #bidSteps = 1;
  #askSteps = 1;
  #lastTradeTicks: number;
  #lastTradeSteps = 1;
  #atMs: number;
  #updateId: number;
  #tradeId: number;

  constructor(
    readonly instrument: SimulatedInstrument,
    seed: number,
    startMs: number,
  ) {
    this.ticker = `${instrument.base}${instrument.quote}`;
    this.#random = generator(seedOf(seed, this.ticker));
    this.#priceTicks = Math.max(maxSpreadTicks * 2, Math.round(instrument.price * 10 ** instrument.priceDecimals));
    this.#bidTicks = this.#priceTicks - 1;
    this.#askTicks = this.#priceTicks;
    this.#lastTradeTicks = this.#bidTicks;
    // Numbers that begin with the clock go on growing when the simulator is started again.
    this.#updateId = startMs * 1_000;
    this.#tradeId = startMs * 1_000;
    this.#atMs = startMs - (bucketCount - 1) * hourMs;
    while (this.#atMs + hourMs <= startMs) {
      this.#move(this.#atMs + hourMs);
      for (let trade = 0; trade < 20; trade++) this.#trade();
    }
    this.#atMs = startMs;
  }

  /** Moves the market to `nowMs` and tells what happened, as payloads of the streams. */
  step(nowMs: number): Step {
    this.#move(Math.max(nowMs, this.#atMs));
    const trade = this.#random() < tradeProbability ? this.#trade() : null;
    return { bookTicker: this.bookTicker(), aggTrade: trade };
  }

  /** Payload of `<symbol>@bookTicker`. */
  bookTicker(): string {
    return JSON.stringify({
      u: ++this.#updateId,
      s: this.ticker,
      b: this.#price(this.#bidTicks),
      B: this.#quantity(this.#bidSteps),
      a: this.#price(this.#askTicks),
      A: this.#quantity(this.#askSteps),
    });
  }

  /** Payload of `<symbol>@ticker`, the statistics of the rolling 24 hours. */
  ticker24h(nowMs: number): string {
    this.#atMs = Math.max(nowMs, this.#atMs);
    const bucket = this.#bucket();
    const first = this.#buckets[0] ?? bucket;
    const high = Math.max(...this.#buckets.map((b) => b.high));
    const low = Math.min(...this.#buckets.map((b) => b.low));
    const volume = this.#buckets.reduce((sum, b) => sum + b.volume, 0);
    const quoteVolume = this.#buckets.reduce((sum, b) => sum + b.quoteVolume, 0n);
    const trades = this.#buckets.reduce((sum, b) => sum + b.trades, 0);
    const change = this.#lastTradeTicks - first.open;
    return JSON.stringify({
      e: "24hrTicker",
      E: this.#atMs,
      s: this.ticker,
      p: this.#price(change),
      P: fixed(BigInt(Math.round((change / first.open) * 100_000)), 3, 3),
      w: this.#price(Number(volume === 0 ? BigInt(first.open) : quoteVolume / BigInt(volume))),
      x: this.#price(first.open),
      c: this.#price(this.#lastTradeTicks),
      Q: this.#quantity(this.#lastTradeSteps),
      b: this.#price(this.#bidTicks),
      B: this.#quantity(this.#bidSteps),
      a: this.#price(this.#askTicks),
      A: this.#quantity(this.#askSteps),
      o: this.#price(first.open),
      h: this.#price(high),
      l: this.#price(low),
      v: this.#quantity(volume),
      q: fixed(quoteVolume, this.instrument.priceDecimals + this.instrument.quantityDecimals, shownDecimals),
      O: this.#atMs - 24 * hourMs,
      C: this.#atMs,
      F: this.#tradeId - trades,
      L: this.#tradeId,
      n: trades,
    });
  }

  #price(ticks: number): string {
    return fixed(BigInt(ticks), this.instrument.priceDecimals, shownDecimals);
  }

  #quantity(steps: number): string {
    return fixed(BigInt(steps), this.instrument.quantityDecimals, shownDecimals);
  }

  #move(toMs: number): void {
    const seconds = Math.max(0.001, (toMs - this.#atMs) / 1_000);
    this.#atMs = toMs;
    const start = this.instrument.price * 10 ** this.instrument.priceDecimals;
    // Twelve uniform numbers less six are as good as normal.
    let normal = -6;
    for (let i = 0; i < 12; i++) normal += this.#random();
    const drawnBack = -Math.min(0.5, reversionPerSecond * seconds) * (this.#priceTicks / start - 1);
    const relative = normal * volatilityPerSecond * Math.sqrt(Math.min(seconds, 900)) + drawnBack;
    const spread = 1 + Math.floor(this.#random() * maxSpreadTicks);
    this.#priceTicks = Math.max(
      maxSpreadTicks * 2,
      Math.round(this.#priceTicks * (1 + relative) + (this.#random() - 0.5)),
    );
    this.#bidTicks = this.#priceTicks - Math.ceil(spread / 2);
    this.#askTicks = this.#bidTicks + spread;
    this.#bidSteps = this.#someSteps();
    this.#askSteps = this.#someSteps();
  }

  /** A quantity worth up to some thousand units of the quote currency. */
  #someSteps(): number {
    const unit = 10 ** this.instrument.quantityDecimals / this.instrument.price;
    return Math.max(1, Math.round(unit * 4_000 * this.#random() ** 2));
  }

  /** Payload of `<symbol>@aggTrade`: somebody takes the bid or the ask. */
  #trade(): string {
    const buyerIsMaker = this.#random() < 0.5;
    const ticks = buyerIsMaker ? this.#bidTicks : this.#askTicks;
    const steps = Math.max(1, Math.round((buyerIsMaker ? this.#bidSteps : this.#askSteps) * this.#random()));
    const bucket = this.#bucket(ticks);
    bucket.high = Math.max(bucket.high, ticks);
    bucket.low = Math.min(bucket.low, ticks);
    bucket.volume += steps;
    bucket.quoteVolume += BigInt(ticks) * BigInt(steps);
    bucket.trades++;
    this.#lastTradeTicks = ticks;
    this.#lastTradeSteps = steps;
    const id = ++this.#tradeId;
    return JSON.stringify({
      e: "aggTrade",
      E: this.#atMs,
      s: this.ticker,
      a: id,
      p: this.#price(ticks),
      q: this.#quantity(steps),
      f: id,
      l: id,
      T: this.#atMs,
      m: buyerIsMaker,
      M: true,
    });
  }

  /** The bucket of the current hour; buckets that left the rolling day are dropped. */
  #bucket(openTicks: number = this.#lastTradeTicks): Bucket {
    const hour = Math.floor(this.#atMs / hourMs);
    let bucket = this.#buckets.at(-1);
    if (bucket?.hour !== hour) {
      bucket = { hour, open: openTicks, high: openTicks, low: openTicks, volume: 0, quoteVolume: 0n, trades: 0 };
      this.#buckets.push(bucket);
      while ((this.#buckets[0]?.hour ?? hour) <= hour - bucketCount) this.#buckets.shift();
    }
    return bucket;
  }
}

/** An integer of 10^-decimals units as text with `shown` decimal places. */
function fixed(value: bigint, decimals: number, shown: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits
    .slice(digits.length - decimals)
    .padEnd(shown, "0")
    .slice(0, shown);
  return `${value < 0n ? "-" : ""}${whole}.${fraction}`;
}
