import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { type SimulatedInstrument, simulatedInstruments, tickerOf } from "./instruments.js";
import { type MarketOptions, type MarketStep, SymbolMarket } from "./market.js";
import { aggTradePayload, bookTickerPayload, tickerPayload } from "./payloads.js";
import { dayMs } from "./rolling-day.js";
import { parseUnits } from "./units.js";

const startMs = Date.UTC(2025, 5, 1);
const [btc] = simulatedInstruments as [SimulatedInstrument];
const trading = simulatedInstruments.filter(({ status }) => status === "TRADING");

const payloadOf = (market: SymbolMarket, step: MarketStep): string => {
  if (step.kind === "book") return bookTickerPayload(market.scale, step);
  return step.kind === "trade" ? aggTradePayload(market.scale, step) : tickerPayload(market.scale, step);
};

/** What a market says when it is moved to these times. */
function payloads(
  instrument: SimulatedInstrument,
  options: Partial<MarketOptions>,
  timesMs: readonly number[],
): string[] {
  const market = new SymbolMarket(instrument, { seed: 1, startMs, updatesPerSecond: 5, ...options });
  const texts: string[] = [];
  for (const timeMs of timesMs) market.advance(timeMs, (step) => texts.push(payloadOf(market, step)));
  return texts;
}

const every = (intervalMs: number, untilMs: number): number[] =>
  Array.from({ length: untilMs / intervalMs }, (_, index) => startMs + (index + 1) * intervalMs);

describe("the same seed", () => {
  test("gives the same frames", () => {
    expect(payloads(btc, {}, every(100, 60_000))).toEqual(payloads(btc, {}, every(100, 60_000)));
  });

  test("gives the same frames however often the market is moved", () => {
    expect(payloads(btc, {}, every(25, 60_000))).toEqual(payloads(btc, {}, every(4_000, 60_000)));
  });

  test("gives each symbol a walk of its own", () => {
    const eth = { ...btc, base: "ETH" };
    expect(payloads(eth, {}, every(100, 10_000))).not.toEqual(
      payloads(btc, {}, every(100, 10_000)).map((text) => text.replace("BTCUSDT", "ETHUSDT")),
    );
  });

  test("and another seed gives other frames", () => {
    expect(payloads(btc, { seed: 2 }, every(100, 10_000))).not.toEqual(payloads(btc, {}, every(100, 10_000)));
  });
});

test("the rate of updates is about the one asked for, with trades and one ticker a second", () => {
  const texts = payloads(btc, { updatesPerSecond: 20 }, every(1_000, 600_000));
  const tickers = texts.filter((text) => text.includes("24hrTicker")).length;
  const trades = texts.filter((text) => text.includes("aggTrade")).length;
  expect(tickers).toBeGreaterThanOrEqual(599);
  expect(tickers).toBeLessThanOrEqual(600);
  expect((texts.length - tickers - trades) / 600).toBeCloseTo(20, -0.5);
  expect(trades / 600).toBeGreaterThan(4);
});

test("a symbol on a break says nothing", () => {
  const halted = simulatedInstruments.find(({ status }) => status === "BREAK") as SimulatedInstrument;
  expect(tickerOf(halted)).toBe("MATICUSDT");
  expect(payloads(halted, {}, every(100, 10_000))).toEqual([]);
});

test("the price goes on from the time that has passed unseen", () => {
  const market = new SymbolMarket(btc, { seed: 1, startMs, updatesPerSecond: 5 });
  const books: (MarketStep & { kind: "book" })[] = [];
  const collect = (step: MarketStep) => {
    if (step.kind === "book") books.push(step);
  };
  market.advance(startMs + 2_000, collect);
  const before = books.at(-1);
  const laterMs = startMs + 90 * dayMs;
  market.advance(laterMs, collect);
  expect(books.at(-1)).toBe(before);
  market.advance(laterMs + 2_000, collect);
  const after = books.at(-1);
  expect(after?.bid).not.toBe(before?.bid);
  expect(after?.atMs).toBeGreaterThan(laterMs);
  expect(Math.abs(Math.log((after?.bid ?? 0) / (before?.bid ?? 1)))).toBeLessThan(0.5);
});

test("an instrument whose amounts need more than eight decimals is refused", () => {
  const fine = { ...btc, tickSize: "0.0001", stepSize: "0.00001" };
  expect(() => new SymbolMarket(fine, { seed: 1, startMs, updatesPerSecond: 5 })).toThrow("more than 8 decimals");
});

interface Payload {
  readonly e?: "aggTrade" | "24hrTicker";
  readonly [field: string]: unknown;
}

/** Text with eight decimals as a whole number of 10⁻⁸. */
function units(value: unknown): bigint {
  expect(value).toMatch(/^-?\d+\.\d{8}$/);
  return BigInt(String(value).replace(".", ""));
}

/** Every rule that holds for each frame, and between a frame and those before it. */
class Checker {
  #updateId = 0;
  #aggregateId = 0;
  #tradeId = 0;
  #atMs = 0;
  #tickerAtMs = 0;
  #latestTrade: string | null = null;
  #skipped = true;
  readonly counts = { book: 0, trade: 0, ticker: 0 };
  readonly #tick: bigint;
  readonly #step: bigint;

  constructor(instrument: SimulatedInstrument) {
    this.#tick = BigInt(parseUnits(instrument.tickSize));
    this.#step = BigInt(parseUnits(instrument.stepSize));
  }

  /** Numbers may be left out now, because time passed unseen. */
  skipped(): void {
    this.#skipped = true;
    this.#latestTrade = null;
  }

  frame(payload: Payload): void {
    if (payload.e === "aggTrade") this.#trade(payload);
    else if (payload.e === "24hrTicker") this.#ticker(payload);
    else this.#book(payload);
  }

  #price(value: unknown): bigint {
    const price = units(value);
    expect(price).toBeGreaterThan(0n);
    expect(price % this.#tick).toBe(0n);
    return price;
  }

  #quantity(value: unknown): bigint {
    const quantity = units(value);
    expect(quantity).toBeGreaterThan(0n);
    expect(quantity % this.#step).toBe(0n);
    return quantity;
  }

  #book({ u, b, B, a, A }: Payload): void {
    this.counts.book++;
    expect(u).toBeGreaterThan(this.#updateId);
    this.#updateId = u as number;
    expect(Number.isSafeInteger(u)).toBe(true);
    const spread = this.#price(a) - this.#price(b);
    expect(spread).toBeGreaterThanOrEqual(this.#tick);
    expect(spread).toBeLessThanOrEqual(3n * this.#tick);
    this.#quantity(B);
    this.#quantity(A);
  }

  #trade({ E, T, a, f, l, p, q }: Payload): void {
    this.counts.trade++;
    if (this.#skipped) expect(a).toBeGreaterThan(this.#aggregateId);
    else expect(a).toBe(this.#aggregateId + 1);
    if (!this.#skipped) expect(f).toBe(this.#tradeId + 1);
    expect(l).toBeGreaterThanOrEqual(f as number);
    this.#aggregateId = a as number;
    this.#tradeId = l as number;
    this.#skipped = false;
    expect(T).toBeGreaterThanOrEqual(this.#atMs);
    expect(E).toBe(T);
    this.#atMs = T as number;
    this.#price(p);
    this.#quantity(q);
    this.#latestTrade = p as string;
  }

  #ticker({ E, p, P, w, x, c, o, h, l, v, q, b, a, O, C, F, L, n }: Payload): void {
    this.counts.ticker++;
    expect(E).toBeGreaterThan(this.#tickerAtMs);
    this.#tickerAtMs = E as number;
    expect(E).toBeGreaterThanOrEqual(this.#atMs);
    expect(C).toBe(E);
    expect(O).toBe((E as number) - dayMs);
    const [open, last, high, low] = [this.#price(o), this.#price(c), this.#price(h), this.#price(l)];
    this.#price(x);
    if (this.#latestTrade !== null) expect(c).toBe(this.#latestTrade);
    for (const price of [open, last]) {
      expect(price).toBeGreaterThanOrEqual(low);
      expect(price).toBeLessThanOrEqual(high);
    }
    expect(units(p)).toBe(last - open);
    expect(P).toMatch(/^-?\d+\.\d{3}$/);
    expect(Number(P)).toBeCloseTo((Number(last - open) / Number(open)) * 100, 2.9);
    expect(this.#price(a)).toBeGreaterThan(this.#price(b));
    const [volume, value, average] = [units(v), units(q), units(w)];
    expect(volume % this.#step).toBe(0n);
    expect(n).toBe((L as number) - (F as number) + 1);
    if (volume === 0n) {
      expect([value, average, n]).toEqual([0n, 0n, 0]);
    } else {
      expect(average).toBe((value * 100_000_000n) / volume);
      expect(average).toBeGreaterThanOrEqual(low);
      expect(average).toBeLessThanOrEqual(high);
      expect(n).toBeGreaterThan(0);
    }
  }
}

const passages = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 5_000 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("skip" as const), ms: fc.integer({ min: 1, max: 3 * dayMs }) }),
    },
  ),
  { minLength: 1, maxLength: 30 },
);

describe("whatever happens", () => {
  test.prop(
    [
      fc.constantFrom(...trading),
      fc.integer(),
      fc.integer({ min: 0, max: 10 * dayMs }),
      passages,
      fc.constantFrom(0.001, 0.5, 5, 100),
    ],
    { numRuns: 150 },
  )("books, trades and statistics are consistent", (instrument, seed, offsetMs, steps, updatesPerSecond) => {
    let nowMs = startMs + offsetMs;
    const market = new SymbolMarket(instrument, { seed, startMs: nowMs, updatesPerSecond });
    const checker = new Checker(instrument);
    const fromMs = nowMs;
    for (const { kind, ms } of steps) {
      nowMs += ms;
      if (kind === "skip") {
        market.skipTo(nowMs);
        checker.skipped();
      }
      market.advance(nowMs, (step) => {
        expect(step.atMs).toBeGreaterThanOrEqual(fromMs);
        expect(step.atMs).toBeLessThanOrEqual(nowMs);
        checker.frame(JSON.parse(payloadOf(market, step)) as Payload);
      });
    }
    expect(checker.counts.ticker).toBeLessThanOrEqual(1 + (nowMs - fromMs) / 1_000);
  });

  test.prop([fc.constantFrom(...trading), fc.integer(), fc.integer({ min: 10, max: 2 * dayMs })], { numRuns: 50 })(
    "after a restart all numbers are above the earlier ones",
    (instrument, seed, ranMs) => {
      const latest: Record<string, number> = {};
      const earliest: Record<string, number> = {};
      const before = new SymbolMarket(instrument, { seed, startMs, updatesPerSecond: 100 });
      const number = (step: MarketStep) =>
        step.kind === "book" ? step.updateId : step.kind === "trade" ? step.aggregateId : step.atMs;
      before.skipTo(startMs + ranMs);
      before.advance(startMs + ranMs + 4_000, (step) => {
        latest[step.kind] = number(step);
      });
      const restartMs = startMs + ranMs + 4_000;
      const after = new SymbolMarket(instrument, { seed, startMs: restartMs, updatesPerSecond: 100 });
      after.advance(restartMs + 4_000, (step) => {
        earliest[step.kind] ??= number(step);
      });
      for (const kind of ["book", "trade", "day"]) expect(earliest[kind]).toBeGreaterThan(latest[kind] as number);
    },
  );
});

test("the rolling day forgets what is older", () => {
  const market = new SymbolMarket(btc, { seed: 7, startMs, updatesPerSecond: 5 });
  let latest: (MarketStep & { kind: "day" }) | undefined;
  const collect = (step: MarketStep) => {
    if (step.kind === "day") latest = step;
  };
  market.advance(startMs + 1_500, collect);
  const tradesOfFirstDay = latest?.trades ?? 0;
  market.skipTo(startMs + 5 * dayMs);
  market.advance(startMs + 5 * dayMs + 1_500, collect);
  expect(tradesOfFirstDay).toBeGreaterThan(100_000);
  expect(latest?.trades).toBeGreaterThan(tradesOfFirstDay / 2);
  expect(latest?.trades).toBeLessThan(tradesOfFirstDay * 2);
});
