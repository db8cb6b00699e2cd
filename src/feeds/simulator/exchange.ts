import type { Clock } from "../../core/time.js";
import { type SimulatedInstrument, tickerOf } from "./instruments.js";
import { type MarketStep, SymbolMarket } from "./market.js";
import { aggTradePayload, bookTickerPayload, tickerPayload } from "./payloads.js";
import type { Stream, StreamIndex } from "./streams.js";

const tickMs = 25;
/** Making up the past day of a market takes some milliseconds; a few at a time leave room for everything else. */
const maxWakesPerTick = 3;

/** A symbol's market and the streams that tell of it. */
class SymbolChannels {
  readonly #market: SymbolMarket;
  readonly #book: Stream;
  readonly #trades: Stream;
  readonly #ticker: Stream;
  isAwake = false;

  constructor(market: SymbolMarket, streams: StreamIndex) {
    const prefix = market.scale.ticker.toLowerCase();
    this.#market = market;
    this.#book = streams.known(`${prefix}@bookTicker`);
    this.#trades = streams.known(`${prefix}@aggTrade`);
    this.#ticker = streams.known(`${prefix}@ticker`);
  }

  get isWatched(): boolean {
    return this.#book.clients.size + this.#trades.clients.size + this.#ticker.clients.size > 0;
  }

  /** While nobody listens, time only passes; it is made up for in one go when somebody comes. */
  wake(nowMs: number): void {
    this.#market.skipTo(nowMs);
    this.isAwake = true;
  }

  advance(nowMs: number): void {
    this.#market.advance(nowMs, this.#publish);
  }

  sleep(): void {
    this.isAwake = false;
  }

  readonly #publish = (step: MarketStep): void => {
    const { scale } = this.#market;
    if (step.kind === "book") {
      if (this.#book.clients.size > 0) this.#book.publish(bookTickerPayload(scale, step));
    } else if (step.kind === "trade") {
      if (this.#trades.clients.size > 0) this.#trades.publish(aggTradePayload(scale, step));
    } else if (this.#ticker.clients.size > 0) {
      this.#ticker.publish(tickerPayload(scale, step));
    }
  };
}

/** All markets of the simulated exchange, moved by one timer. */
export class MarketPublisher {
  readonly #time: SteadyTime;
  readonly #symbols: SymbolChannels[];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    instruments: readonly SimulatedInstrument[],
    streams: StreamIndex,
    { seed, clock, updatesPerSecond }: { seed: number; clock: Clock; updatesPerSecond: number },
  ) {
    this.#time = new SteadyTime(clock);
    const startMs = this.#time.nowMs();
    const tickers = new Set(instruments.map(tickerOf));
    if (tickers.size < instruments.length) throw new RangeError("an instrument is listed twice");
    this.#symbols = instruments.map(
      (instrument) => new SymbolChannels(new SymbolMarket(instrument, { seed, startMs, updatesPerSecond }), streams),
    );
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      const nowMs = this.#time.nowMs();
      let woken = 0;
      for (const symbol of this.#symbols) {
        if (!symbol.isWatched) symbol.sleep();
        else if (symbol.isAwake) symbol.advance(nowMs);
        else if (woken++ < maxWakesPerTick) symbol.wake(nowMs);
      }
    }, tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const symbol of this.#symbols) symbol.sleep();
  }
}

/** A clock that is never set back: after a correction it goes on from where it was. */
class SteadyTime {
  readonly #clock: Clock;
  #lastMs: number;
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.nowMs();
  }

  nowMs(): number {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#lastMs) this.#aheadMs += this.#lastMs - nowMs;
    this.#lastMs = nowMs;
    return Math.floor(nowMs + this.#aheadMs);
  }
}
