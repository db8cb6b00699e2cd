import { Depth, type Levels } from "./depth.js";
import { type SimulatedInstrument, tickerOf } from "./instruments.js";
import { Random } from "./random.js";
import { type DayStatistics, dayMs, type Minute, RollingDay } from "./rolling-day.js";
import { parseUnits } from "./units.js";
import { Wander } from "./wander.js";

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

/** All changes of the book since the step of this kind before it. */
export interface DepthStep extends Levels {
  readonly kind: "depth";
  readonly atMs: number;
  /** Steps of this kind, counted. */
  readonly depthId: number;
  /** Of the step before. */
  readonly previousUpdateId: number;
  readonly updateId: number;
}

/** Something that the exchange would tell its clients. */
export type MarketStep = BookStep | TradeStep | DayStep | DepthStep;

/** The whole book. */
export interface BookState extends Levels {
  readonly atMs: number;
  readonly updateId: number;
  /** Of the last {@link DepthStep}, which the next one will name. */
  readonly toldUpdateId: number;
  readonly toldDepthId: number;
}

export interface Funding {
  /** In 10⁻⁸. */
  readonly rate: number;
  /** When it will be paid, and how long after that again. */
  readonly atMs: number;
  readonly intervalMs: number;
  /** In ticks. */
  readonly mark: number;
  readonly index: number;
}

export interface MarketOptions {
  /** Each exchange has deviations and orders of its own around the prices that all share. */
  readonly venue?: string;
  readonly seed: number;
  readonly startMs: number;
  /** Of the book. */
  readonly updatesPerSecond: number;
}

const dayStepMs = 1_000;
const depthStepMs = 100;
const minuteMs = 60_000;
/** Being further behind than this is made up for in minutes and without steps, as after a suspended machine. */
const maxStepsBehindMs = 5_000;
/** Share of book updates that come from a trade. */
const tradeShare = 0.35;
/** Of the logarithm of a currency's price, which all exchanges share. */
const walk = { perDay: 0.04, shortestMs: 200, longestMs: 4 * dayMs };
/**
 * Of an exchange's price from that: mostly less than the fees of two trades, so that it pays only now and then to buy here
 * and sell there.
 */
const ownWay = { perDay: 0.012, shortestMs: 1_600, longestMs: 15 * minuteMs };
const fundingIntervalMs = 8 * 60 * minuteMs;
const fundingWalk = { perDay: 0.000_08, shortestMs: minuteMs, longestMs: 2 * dayMs };
const typicalFunding = 0.000_05;
/** The distance of levels behind the best ones, as a part of the price. */
const levelGap = 2e-5;
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
 * One symbol's market on one exchange: a price that wanders (by the currencies' common walk and a little of its own), a
 * spread of one to three ticks with levels behind it, trades at bid or ask, and the last 24 hours by the minute. Everything
 * follows from the seed, the exchange, the ticker, the start time and the times of {@link skipTo}; how often {@link advance}
 * is called makes no difference.
 */
export class SymbolMarket {
  readonly scale: MarketScale;
  /** False: nothing ever happens in it. */
  readonly isTrading: boolean;
  readonly #random: Random;
  readonly #updatesPerMs: number;
  /** In ticks. */
  readonly #basePrice: number;
  /** In steps. */
  readonly #smallestQuantity: number;
  readonly #day: RollingDay;
  /** Logarithms of prices. Floating point is harmless: prices are made from them anew each time. */
  readonly #baseWalk: Wander;
  readonly #quoteWalk: Wander | null;
  readonly #ownWalk: Wander;
  readonly #fundingWalk: Wander;
  readonly #depth: Depth;
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
  /** Infinite while there is nothing to tell. */
  #nextDepthStepMs = Number.POSITIVE_INFINITY;
  #depthId = 0;
  #depthUpdateId = 0;

  /** @throws {RangeError} when the instrument's numbers cannot be represented exactly */
  constructor(instrument: SimulatedInstrument, { venue = "", seed, startMs, updatesPerSecond }: MarketOptions) {
    this.scale = scaleOf(instrument);
    const { ticker, tickUnits, stepUnits } = this.scale;
    if (!(updatesPerSecond > 0)) throw new RangeError("updatesPerSecond must be positive");
    this.isTrading = instrument.status === "TRADING";
    this.#random = new Random(`${seed}:${venue}:${ticker}`);
    this.#baseWalk = new Wander(`${seed}:price:${instrument.base}`, walk);
    // Dollars stand still.
    this.#quoteWalk = instrument.quote === "USDT" ? null : new Wander(`${seed}:price:${instrument.quote}`, walk);
    this.#ownWalk = new Wander(`${seed}:${venue}:${ticker}`, ownWay);
    this.#fundingWalk = new Wander(`${seed}:funding:${venue}:${ticker}`, fundingWalk);
    this.#updatesPerMs = updatesPerSecond / 1000;
    this.#basePrice = parseUnits(instrument.price) / tickUnits;
    const smallestUnits = (parseUnits(instrument.minNotional) / parseUnits(instrument.price)) * 1e8;
    this.#smallestQuantity = Math.max(1, Math.ceil(smallestUnits / stepUnits));
    const gapTicks = Math.max(1, Math.round(this.#basePrice * levelGap));
    this.#depth = new Depth(gapTicks, this.#random, () => this.#quantity(typicalLevel));
    this.#startMs = startMs;
    this.#nowMs = this.#walkedMs = startMs - dayMs;
    this.#day = new RollingDay(this.#roundPrice());
  }

  /** As it is now; call {@link skipTo} before when nobody calls {@link advance}. */
  get book(): BookState {
    return {
      atMs: Math.floor(this.#nowMs),
      updateId: this.#updateId,
      toldUpdateId: this.#depthUpdateId,
      toldDepthId: this.#depthId,
      ...this.#depth.levels,
    };
  }

  /** The 24 hours up to now and what else a {@link DayStep} has. */
  get day(): DayStep {
    return this.#dayStep(Math.floor(this.#nowMs));
  }

  get top(): BookStep {
    return { kind: "book", atMs: Math.floor(this.#nowMs), updateId: this.#updateId, ...this.#book };
  }

  /** Minutes that begin in [fromMs, toMs), oldest first, as far as the last 24 hours have them; also those without trades. */
  minutes(fromMs: number, toMs: number): Minute[] {
    return this.isTrading ? this.#day.minutes(fromMs, toMs, Math.floor(this.#nowMs)) : [];
  }

  funding(): Funding {
    const nowMs = Math.floor(this.#nowMs);
    const rate = typicalFunding + this.#fundingWalk.at(nowMs);
    return {
      rate: Math.round(rate * 1e8),
      atMs: nowMs - (nowMs % fundingIntervalMs) + fundingIntervalMs,
      intervalMs: fundingIntervalMs,
      mark: this.#roundPrice(),
      index: Math.max(1, Math.round(this.#commonPrice())),
    };
  }

  /** Tells `emit`, in order, what happens up to and including `toMs`. Does nothing when that is not later than the last time. */
  advance(toMs: number, emit: (step: MarketStep) => void): void {
    this.#begin();
    if (toMs - this.#nowMs > maxStepsBehindMs) this.#pass(toMs);
    if (toMs <= this.#nowMs || !this.isTrading) return;
    for (;;) {
      const nextMs = Math.min(this.#nextUpdateMs, this.#nextDayStepMs, this.#nextDepthStepMs);
      if (nextMs > toMs) break;
      if (this.#nextDepthStepMs === nextMs) this.#tellDepth(emit);
      else if (this.#nextDayStepMs === nextMs) this.#tellDay(emit);
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
    this.#updateId = this.#aggregateId = this.#tradeId = this.#depthUpdateId = this.#startMs * idsPerMs;
  }

  #pass(toMs: number): void {
    if (toMs <= this.#nowMs || !this.isTrading) return;
    const unseenMs = toMs - dayMs - this.#walkedMs;
    if (unseenMs > 0) {
      const updates = Math.ceil(unseenMs * this.#updatesPerMs);
      this.#walkedMs = this.#walkedMs + unseenMs;
      this.#count(updates, Math.ceil(updates * tradeShare));
    }
    while (this.#walkedMs < toMs) {
      this.#passMinute(Math.min(toMs, this.#walkedMs + minuteMs - (this.#walkedMs % minuteMs)));
    }
    this.#requote();
    // Nobody is told of these changes: the numbers have a hole, by which whoever kept a book sees that it is out of date.
    this.#updateId += 2;
    this.#depthId += 2;
    this.#depthUpdateId = this.#updateId;
    this.#depth.forgetChanges();
    this.#nextDepthStepMs = Number.POSITIVE_INFINITY;
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
    this.#walkedMs = updateMs;
    this.#requote();
    this.#updateId += 1 + this.#random.integer(5);
    this.#changed = true;
    if (this.#nextDepthStepMs === Number.POSITIVE_INFINITY) {
      this.#nextDepthStepMs = atMs - (atMs % depthStepMs) + depthStepMs;
    }
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
    this.#day.add(atMs, {
      open: price,
      high: price,
      low: price,
      close: price,
      trades: fills,
      volume,
      value,
      takerBuyVolume: buyerIsMaker ? 0n : volume,
      takerBuyValue: buyerIsMaker ? 0n : value,
    });
    const lastTradeId = this.#tradeId;
    const aggregateId = this.#aggregateId;
    emit({ kind: "trade", atMs, aggregateId, firstTradeId, lastTradeId, price, quantity, buyerIsMaker });
  }

  #tellDay(emit: (step: MarketStep) => void): void {
    const atMs = this.#nextDayStepMs;
    this.#nextDayStepMs += dayStepMs;
    if (!this.#changed) return;
    this.#changed = false;
    emit(this.#dayStep(atMs));
  }

  #dayStep(atMs: number): DayStep {
    const book = this.#book;
    const lastTradeId = this.#tradeId;
    const lastQuantity = this.#lastQuantity;
    return { kind: "day", atMs, lastTradeId, lastQuantity, book, ...this.#day.statistics(atMs) };
  }

  #tellDepth(emit: (step: MarketStep) => void): void {
    const atMs = this.#nextDepthStepMs;
    this.#nextDepthStepMs = Number.POSITIVE_INFINITY;
    const changes = this.#depth.takeChanges();
    if (changes === null) return;
    const previousUpdateId = this.#depthUpdateId;
    this.#depthUpdateId = this.#updateId;
    const depthId = ++this.#depthId;
    emit({ kind: "depth", atMs, depthId, previousUpdateId, updateId: this.#updateId, ...changes });
  }

  /** A minute, or the rest of one, with its trades taken together. */
  #passMinute(toMs: number): void {
    const fromMs = this.#walkedMs;
    const updates = Math.floor(
      (toMs - fromMs) * this.#updatesPerMs * (0.5 + this.#random.next()) + this.#random.next(),
    );
    const trades = Math.floor(updates * tradeShare + this.#random.next());
    this.#walkedMs = toMs;
    this.#count(updates, trades);
    if (trades === 0) return;
    const close = this.#roundPrice();
    const open = trades === 1 ? close : this.#day.last;
    const wick = () => (trades === 1 ? 0 : Math.round((Math.abs(this.#random.normal()) * this.#basePrice) / 5_000));
    const smallest = trades * this.#smallestQuantity;
    const volume = BigInt(smallest + Math.round(smallest * typicalTrade * (0.5 + this.#random.next())));
    const value = BigInt(Math.round((open + close) / 2)) * volume;
    const bought = BigInt(30 + this.#random.integer(41));
    this.#lastQuantity = this.#quantity(typicalTrade);
    this.#day.add(Math.floor(fromMs), {
      open,
      high: Math.max(open, close) + wick(),
      low: Math.max(1, Math.min(open, close) - wick()),
      close,
      trades,
      volume,
      value,
      takerBuyVolume: (volume * bought) / 100n,
      takerBuyValue: (value * bought) / 100n,
    });
  }

  /** Numbers that were given to what nobody saw. */
  #count(updates: number, trades: number): void {
    this.#updateId += updates;
    this.#aggregateId += trades;
    this.#tradeId += trades;
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
    const book = this.#book;
    this.#depth.quote([book.bid, book.bidQuantity], [book.ask, book.askQuantity]);
  }

  /** Middle of the market in ticks, not rounded. */
  #price(): number {
    return this.#commonPrice() * Math.exp(this.#ownWalk.at(this.#walkedMs));
  }

  /** What all exchanges agree on. */
  #commonPrice(): number {
    const atMs = this.#walkedMs;
    return this.#basePrice * Math.exp(this.#baseWalk.at(atMs) - (this.#quoteWalk?.at(atMs) ?? 0));
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
