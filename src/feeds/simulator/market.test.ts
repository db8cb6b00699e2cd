import assert from "node:assert/strict";
import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { aggTradePayload, bookTickerPayload, depthPayload, tickerPayload } from "./binance/payloads.js";
import { type SimulatedInstrument, simulatedInstruments, tickerOf } from "./instruments.js";
import { type MarketOptions, type MarketStep, SymbolMarket } from "./market.js";
import { dayMs } from "./rolling-day.js";
import { parseUnits } from "./units.js";

const startMs = Date.UTC(2025, 5, 1);
const [btc] = simulatedInstruments as [SimulatedInstrument];
const trading = simulatedInstruments.filter(({ status }) => status === "TRADING");

const payloadOf = (market: SymbolMarket, step: MarketStep): string => {
  if (step.kind === "depth") return depthPayload(market.scale, step);
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
  const texts = payloads(btc, { updatesPerSecond: 20 }, every(1_000, 600_000)).filter(
    (text) => !text.includes("depthUpdate"),
  );
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

type Numbers<K extends string> = Readonly<Record<K, number>>;
type Texts<K extends string> = Readonly<Record<K, string>>;
type BookPayload = Numbers<"u"> & Texts<"b" | "B" | "a" | "A">;
type TradePayload = Numbers<"E" | "T" | "a" | "f" | "l"> & Texts<"p" | "q">;
type TickerPayload = Numbers<"E" | "O" | "C" | "F" | "L" | "n"> &
  Texts<"p" | "P" | "w" | "x" | "c" | "o" | "h" | "l" | "v" | "q" | "b" | "a">;

/** Text with eight decimals as a whole number of 10⁻⁸. */
function units(value: string): bigint {
  assert.match(value, /^-?\d+\.\d{8}$/);
  return BigInt(value.replace(".", ""));
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
  readonly counts = { book: 0, trade: 0, ticker: 0, depth: 0 };
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

  // Plain assertions: `expect` would take most of the time.
  frame(text: string): void {
    const payload = JSON.parse(text) as { e?: string };
    if (payload.e === "aggTrade") this.#trade(payload as TradePayload & { e: string });
    else if (payload.e === "24hrTicker") this.#ticker(payload as TickerPayload & { e: string });
    else if (payload.e === "depthUpdate") this.counts.depth++;
    else this.#book(payload as BookPayload & { e?: string });
  }

  #price(value: string): bigint {
    const price = units(value);
    assert.ok(price > 0n);
    assert.equal(price % this.#tick, 0n);
    return price;
  }

  #quantity(value: string): bigint {
    const quantity = units(value);
    assert.ok(quantity > 0n);
    assert.equal(quantity % this.#step, 0n);
    return quantity;
  }

  #book({ u, b, B, a, A }: BookPayload): void {
    this.counts.book++;
    assert.ok(u > this.#updateId);
    this.#updateId = u;
    assert.ok(Number.isSafeInteger(u));
    const spread = this.#price(a) - this.#price(b);
    assert.ok(spread >= this.#tick);
    assert.ok(spread <= 3n * this.#tick);
    this.#quantity(B);
    this.#quantity(A);
  }

  #trade({ E, T, a, f, l, p, q }: TradePayload): void {
    this.counts.trade++;
    if (this.#skipped) assert.ok(a > this.#aggregateId);
    else assert.equal(a, this.#aggregateId + 1);
    if (!this.#skipped) assert.equal(f, this.#tradeId + 1);
    assert.ok(l >= f);
    this.#aggregateId = a;
    this.#tradeId = l;
    this.#skipped = false;
    assert.ok(T >= this.#atMs);
    assert.equal(E, T);
    this.#atMs = T;
    this.#price(p);
    this.#quantity(q);
    this.#latestTrade = p;
  }

  #ticker({ E, p, P, w, x, c, o, h, l, v, q, b, a, O, C, F, L, n }: TickerPayload): void {
    this.counts.ticker++;
    assert.ok(E > this.#tickerAtMs);
    this.#tickerAtMs = E;
    assert.ok(E >= this.#atMs);
    assert.equal(C, E);
    assert.equal(O, E - dayMs);
    const [open, last, high, low] = [this.#price(o), this.#price(c), this.#price(h), this.#price(l)];
    this.#price(x);
    if (this.#latestTrade !== null) assert.equal(c, this.#latestTrade);
    for (const price of [open, last]) {
      assert.ok(price >= low);
      assert.ok(price <= high);
    }
    assert.equal(units(p), last - open);
    assert.match(P, /^-?\d+\.\d{3}$/);
    assert.ok(Math.abs(Number(P) - (Number(last - open) / Number(open)) * 100) < 0.000_51);
    assert.ok(this.#price(a) > this.#price(b));
    const [volume, value, average] = [units(v), units(q), units(w)];
    assert.equal(volume % this.#step, 0n);
    assert.equal(n, L - F + 1);
    if (volume === 0n) {
      assert.deepEqual([value, average, n], [0n, 0n, 0]);
    } else {
      assert.equal(average, (value * 100_000_000n) / volume);
      assert.ok(average >= low);
      assert.ok(average <= high);
      assert.ok(n > 0);
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
        assert.ok(step.atMs >= fromMs && step.atMs <= nowMs);
        checker.frame(payloadOf(market, step));
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
        step.kind === "book" || step.kind === "depth"
          ? step.updateId
          : step.kind === "trade"
            ? step.aggregateId
            : step.atMs;
      before.skipTo(startMs + ranMs);
      before.advance(startMs + ranMs + 4_000, (step) => {
        latest[step.kind] = number(step);
      });
      const restartMs = startMs + ranMs + 4_000;
      const after = new SymbolMarket(instrument, { seed, startMs: restartMs, updatesPerSecond: 100 });
      after.advance(restartMs + 4_000, (step) => {
        earliest[step.kind] ??= number(step);
      });
      for (const kind of ["book", "trade", "day", "depth"])
        expect(earliest[kind]).toBeGreaterThan(latest[kind] as number);
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
