import { type SimulatedInstrument, tickerOf } from "./instruments.js";
import { Random } from "./random.js";
import { type DayStatistics, dayMs, RollingDay } from "./rolling-day.js";
import { parseUnits } from "./units.js";

/** Prices are whole ticks and quantities whole steps; both sizes are in 10⁻⁸ (see {@link parseUnits}). */
export interface MarketScale {
  readonly ticker: string;
  readonly tickUnits: number;
  readonly stepUnits: number;
  /** What one tick times one step is worth. */
  readonly valueUnits: bigint;
}

export interface Book {
  readonly bid: number;
  readonly bidQuantity: number;
  readonly ask: number;
  readonly askQuantity: number;
}

export interface BookStep extends Book {
  readonly kind: "book";
  readonly atMs: number;
  readonly updateId: number;
}

export interface TradeStep {
  readonly kind: "trade";
  readonly atMs: number;
  readonly aggregateId: number;
  readonly firstTradeId: number;
  readonly lastTradeId: number;
  readonly price: number;
  readonly quantity: number;
  /** The taker sold, at the bid. */
  readonly buyerIsMaker: boolean;
}

export interface DayStep extends DayStatistics {
  readonly kind: "day";
  readonly atMs: number;
  readonly lastTradeId: number;
  readonly lastQuantity: number;
  readonly book: Book;
}

/** Something that the exchange would tell its clients. */
export type MarketStep = BookStep | TradeStep | DayStep;

export interface MarketOptions {
  readonly seed: number;
  readonly startMs: number;
  /** Of the book. */
  readonly updatesPerSecond: number;
}

const dayStepMs = 1_000;
const minuteMs = 60_000;
/** Being further behind than this is made up for in minutes and without steps, as after a suspended machine. */
const maxStepsBehindMs = 5_000;
/** Share of book updates that come from a trade. */
const tradeShare = 0.35;
/** Standard deviation of the logarithm of the price over a day, and the part of the way back to the base price in a day. */
const dailyVolatility = 0.04;
const dailyReversion = 0.5;
const widestSpread = 3;
/** Typical values in multiples of the smallest allowed order. */
const typicalTrade = 40;
const typicalLevel = 400;
const quantitySpread = 1.1;
/**
 * Numbers start at the start time in microseconds. They grow slower than that, so after a restart they are above all
 * earlier ones, and a client that remembers the last one is not muted.
 */
const idsPerMs = 1_000;

/**
 * One symbol's market: a price that wanders (log-normal steps, pulled back to the base price), a spread of one to three
 * ticks, trades at bid or ask, and the last 24 hours. Everything follows from the seed, the ticker, the start time and
 * the times of {@link skipTo}; how often {@link advance} is called makes no difference.
 */
export class SymbolMarket {
  readonly scale: MarketScale;
  readonly #isTrading: boolean;
  readonly #random: Random;
  readonly #updatesPerMs: number;
  /** In ticks. */
  readonly #basePrice: number;
  /** In steps. */
  readonly #smallestQuantity: number;
  readonly #day: RollingDay;
  /** Logarithm of the price relative to the base price. Floating point is harmless: prices are made from it anew each time. */
  #deviation: number;
  #spread = 1;
  #book: Book = { bid: 0, bidQuantity: 0, ask: 0, askQuantity: 0 };
  readonly #startMs: number;
  #hasBegun = false;
  #updateId = 0;
  #aggregateId = 0;
  #tradeId = 0;
  #lastQuantity = 1;
  #changed = true;
  /** Everything up to here has been told. */
  #nowMs: number;
  /** The price has wandered up to here. */
  #walkedMs: number;
  #nextUpdateMs = 0;
  #nextDayStepMs = 0;

  /** @throws {RangeError} when the instrument's numbers cannot be represented exactly */
  constructor(instrument: SimulatedInstrument, { seed, startMs, updatesPerSecond }: MarketOptions) {
    this.scale = scaleOf(instrument);
    const { ticker, tickUnits, stepUnits } = this.scale;
    if (!(updatesPerSecond > 0)) throw new RangeError("updatesPerSecond must be positive");
    this.#isTrading = instrument.status === "TRADING";
    this.#random = new Random(`${seed}:${ticker}`);
    this.#updatesPerMs = updatesPerSecond / 1000;
    this.#basePrice = parseUnits(instrument.price) / tickUnits;
    const smallestUnits = (parseUnits(instrument.minNotional) / parseUnits(instrument.price)) * 1e8;
    this.#smallestQuantity = Math.max(1, Math.ceil(smallestUnits / stepUnits));
    this.#deviation = (this.#random.normal() * dailyVolatility) / 2;
    this.#day = new RollingDay(this.#roundPrice());
    this.#startMs = startMs;
    this.#nowMs = this.#walkedMs = startMs - dayMs;
  }

  /** Tells `emit`, in order, what happens up to and including `toMs`. Does nothing when that is not later than the last time. */
  advance(toMs: number, emit: (step: MarketStep) => void): void {
    this.#begin();
    if (toMs - this.#nowMs > maxStepsBehindMs) this.#pass(toMs);
    if (toMs <= this.#nowMs || !this.#isTrading) return;
    for (;;) {
      const nextMs = Math.min(this.#nextUpdateMs, this.#nextDayStepMs);
      if (nextMs > toMs) break;
      if (this.#nextDayStepMs === nextMs) this.#tellDay(emit);
      else this.#update(emit);
    }
    this.#nowMs = toMs;
  }

  /** Lets time pass with trading but without telling of it, minute by minute; of more than a day, only the last. */
  skipTo(toMs: number): void {
    this.#begin();
    this.#pass(toMs);
  }

  /** The day before the start. Made when it is first needed: most markets are never looked at. */
  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#pass(this.#startMs);
    this.#updateId = this.#aggregateId = this.#tradeId = this.#startMs * idsPerMs;
  }

  #pass(toMs: number): void {
    if (toMs <= this.#nowMs || !this.#isTrading) return;
    const unseenMs = toMs - dayMs - this.#walkedMs;
    if (unseenMs > 0) {
      const updates = Math.ceil(unseenMs * this.#updatesPerMs);
      this.#wander(this.#walkedMs + unseenMs);
      this.#count(updates, Math.ceil(updates * tradeShare));
    }
    while (this.#walkedMs < toMs) {
      this.#passMinute(Math.min(toMs, this.#walkedMs + minuteMs - (this.#walkedMs % minuteMs)));
    }
    this.#requote();
    this.#changed = true;
    this.#nowMs = toMs;
    this.#nextUpdateMs = toMs + this.#random.waitMs(this.#updatesPerMs);
    // Each symbol has its own moment within the second.
    this.#nextDayStepMs = toMs + 1 + this.#random.integer(dayStepMs);
  }

  #update(emit: (step: MarketStep) => void): void {
    const updateMs = this.#nextUpdateMs;
    const atMs = Math.floor(updateMs);
    this.#nextUpdateMs += this.#random.waitMs(this.#updatesPerMs);
    if (this.#random.next() < tradeShare) this.#trade(atMs, emit);
    this.#wander(updateMs);
    this.#requote();
    this.#updateId += 1 + this.#random.integer(5);
    this.#changed = true;
    emit({ kind: "book", atMs, updateId: this.#updateId, ...this.#book });
  }

  #trade(atMs: number, emit: (step: MarketStep) => void): void {
    const { bid, bidQuantity, ask, askQuantity } = this.#book;
    const buyerIsMaker = this.#random.next() < 0.5;
    const price = buyerIsMaker ? bid : ask;
    const resting = buyerIsMaker ? bidQuantity : askQuantity;
    const quantity = Math.min(resting, this.#quantity(typicalTrade));
    const fills = Math.min(quantity, 1 + this.#random.integer(3));
    if (buyerIsMaker) this.#book = { ...this.#book, bidQuantity: resting - quantity };
    else this.#book = { ...this.#book, askQuantity: resting - quantity };

    const firstTradeId = this.#tradeId + 1;
    this.#tradeId += fills;
    this.#aggregateId += 1;
    this.#lastQuantity = quantity;
    const volume = BigInt(quantity);
    const value = BigInt(price) * volume;
    this.#day.add(atMs, { open: price, high: price, low: price, close: price, trades: fills, volume, value });
    const lastTradeId = this.#tradeId;
    const aggregateId = this.#aggregateId;
    emit({ kind: "trade", atMs, aggregateId, firstTradeId, lastTradeId, price, quantity, buyerIsMaker });
  }

  #tellDay(emit: (step: MarketStep) => void): void {
    const atMs = this.#nextDayStepMs;
    this.#nextDayStepMs += dayStepMs;
    if (!this.#changed) return;
    this.#changed = false;
    const book = this.#book;
    const lastTradeId = this.#tradeId;
    const lastQuantity = this.#lastQuantity;
    emit({ kind: "day", atMs, lastTradeId, lastQuantity, book, ...this.#day.statistics(atMs) });
  }

  /** A minute, or the rest of one, with its trades taken together. */
  #passMinute(toMs: number): void {
    const fromMs = this.#walkedMs;
    const updates = Math.floor(
      (toMs - fromMs) * this.#updatesPerMs * (0.5 + this.#random.next()) + this.#random.next(),
    );
    const trades = Math.floor(updates * tradeShare + this.#random.next());
    this.#wander(toMs);
    this.#count(updates, trades);
    if (trades === 0) return;
    const close = this.#roundPrice();
    const open = trades === 1 ? close : this.#day.last;
    const wick = () => (trades === 1 ? 0 : Math.round((Math.abs(this.#random.normal()) * this.#basePrice) / 5_000));
    const smallest = trades * this.#smallestQuantity;
    const volume = BigInt(smallest + Math.round(smallest * typicalTrade * (0.5 + this.#random.next())));
    this.#lastQuantity = this.#quantity(typicalTrade);
    this.#day.add(Math.floor(fromMs), {
      open,
      high: Math.max(open, close) + wick(),
      low: Math.max(1, Math.min(open, close) - wick()),
      close,
      trades,
      volume,
      value: BigInt(Math.round((open + close) / 2)) * volume,
    });
  }

  /** Numbers that were given to what nobody saw. */
  #count(updates: number, trades: number): void {
    this.#updateId += updates;
    this.#aggregateId += trades;
    this.#tradeId += trades;
  }

  /** Ornstein-Uhlenbeck on the logarithm, exact for any length of time. */
  #wander(toMs: number): void {
    const days = (toMs - this.#walkedMs) / dayMs;
    const kept = Math.exp(-dailyReversion * days);
    const deviation = dailyVolatility * Math.sqrt((1 - kept * kept) / (2 * dailyReversion));
    this.#deviation = this.#deviation * kept + deviation * this.#random.normal();
    this.#walkedMs = toMs;
  }

  /** A new book around the price. It always differs from the old one, because only changes are told. */
  #requote(): void {
    const turn = this.#random.next();
    if (turn < 0.15) this.#spread = Math.min(widestSpread, this.#spread + 1);
    else if (turn < 0.4) this.#spread = Math.max(1, this.#spread - 1);
    const old = this.#book;
    const bid = Math.max(1, Math.round(this.#price() - this.#spread / 2));
    const ask = bid + this.#spread;
    const isUnmoved = bid === old.bid && ask === old.ask;
    const keepsBid = bid === old.bid && old.bidQuantity > 0 && !isUnmoved;
    const keepsAsk = ask === old.ask && old.askQuantity > 0;
    this.#book = {
      bid,
      bidQuantity: keepsBid ? old.bidQuantity : this.#quantity(typicalLevel, old.bidQuantity),
      ask,
      askQuantity: keepsAsk ? old.askQuantity : this.#quantity(typicalLevel),
    };
  }

  /** Middle of the market in ticks, not rounded. */
  #price(): number {
    return this.#basePrice * Math.exp(this.#deviation);
  }

  #roundPrice(): number {
    return Math.max(1, Math.round(this.#price()));
  }

  #quantity(typical: number, otherThan = 0): number {
    const factor = typical * Math.exp(this.#random.normal() * quantitySpread);
    const quantity = Math.ceil(this.#smallestQuantity * Math.max(1, factor));
    return quantity === otherThan ? quantity + 1 : quantity;
  }
}

function scaleOf(instrument: SimulatedInstrument): MarketScale {
  const tickUnits = parseUnits(instrument.tickSize);
  const stepUnits = parseUnits(instrument.stepSize);
  const value = BigInt(tickUnits) * BigInt(stepUnits);
  const ticker = tickerOf(instrument);
  if (value % 100_000_000n !== 0n) throw new RangeError(`${ticker}: tick and step together have more than 8 decimals`);
  return { ticker, tickUnits, stepUnits, valueUnits: value / 100_000_000n };
}
