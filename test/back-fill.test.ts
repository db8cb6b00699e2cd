import { fc } from "@fast-check/vitest";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Catalogue, type DataProvider, type Market, type MarketSymbol } from "../src/catalogue/catalogue.js";
import { TimeRanges } from "../src/core/time-ranges.js";
import type { Database } from "../src/db/connect.js";
import { absentAfterMs, BackFill, finalAfterMs } from "../src/feeds/back-fill.js";
import { binanceMinutes } from "../src/feeds/binance/klines.js";
import { readCoverage } from "../src/market-data/candle-coverage.js";
import { candleKey, LiveMarket } from "../src/market-data/live-market.js";
import { QuoteBoard } from "../src/market-data/quotes.js";
import { MarketRecorder } from "../src/market-data/record-market.js";
import { readCandles, readSeedCandles } from "../src/market-data/series/read-series.js";
import { MinuteStore } from "../src/market-data/store-minutes.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { asEvent, type ExchangeTrade, type KlineExchange, startKlineExchange } from "./support/kline-exchange.js";
import { restEndpoint } from "./support/klines.js";
import { until } from "./support/until.js";

const minute = 60_000;
const staleAfterMs = 5_000;
/** A Friday, so that the week began days before. */
const startMs = Date.UTC(2026, 10, 20, 10) + 30_000;
const tickers = ["AUSDT", "BUSDT"];

let database: TestDatabase;
let exchange: KlineExchange;
let ids: number[];
let nowMs: number;
let programs: Program[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  exchange = await startKlineExchange();
  ids = (await database.owner.sql<{ id: number }[]>`select id from symbols order by id limit 2`).map(({ id }) => id);
});
afterAll(async () => {
  await exchange.close();
  await database.close();
});
beforeEach(reset);
afterEach(stopAll);

async function reset(): Promise<void> {
  await stopAll();
  programs = [];
  nowMs = exchange.nowMs = startMs;
  Object.assign(exchange, {
    trades: tickers.flatMap((ticker, n) => tradesOf(ticker, n + 1)),
    refuse: () => false,
    tellsEmpty: true,
  });
  exchange.requests.length = 0;
  await database.owner.sql`truncate candles, candles_5m, candles_15m, candles_30m, candles_1h, candles_4h, candles_1d,
    candles_1w, candle_coverage`;
}

async function stopAll(): Promise<void> {
  for (const program of programs) await program.close();
}

/** From half a day before the start until two hours after it, from a few seconds to a few minutes apart. */
function tradesOf(ticker: string, seed: number): ExchangeTrade[] {
  const trades: ExchangeTrade[] = [];
  let random = seed;
  const next = (below: number) => {
    random = (random * 48_271) % 2_147_483_647;
    return random % below;
  };
  for (let atMs = startMs - 720 * minute, id = 1; atMs < startMs + 120 * minute; id++) {
    atMs += 1 + next(next(4) === 0 ? 200_000 : 30_000);
    const price = `${100 + next(50)}.${1 + next(9)}`;
    trades.push({ ticker, atMs, id, price, quantity: `${1 + next(5)}.5`, side: next(2) === 0 ? "BUY" : "SELL" });
  }
  return trades;
}

const market = { id: 1, code: "BINANCE_SPOT", isActive: true, displayOrder: 1 } as Market;
const provider = {
  id: 1,
  code: "TEST",
  marketId: 1,
  priority: 1,
  isPrimary: true,
  isActive: true,
  staleAfterMs,
} as DataProvider;
const symbolAt = (n: number) =>
  ({
    id: ids[n],
    ticker: tickers[n],
    baseCurrency: tickers[n],
    quoteCurrency: "USDT",
    marketId: 1,
    isActive: true,
    isTracked: true,
    dataProviderId: null,
    broadcastPriority: 9 - n,
    displayOrder: n,
  }) as MarketSymbol;

/** A database that can be taken away, as it is for a program that was killed. */
function withSwitch(real: Database) {
  const state = { away: false, isFull: false };
  const refuse = () => {
    const refused = Promise.reject(new Error("gone"));
    // A part of a statement is refused too, and nobody waits for it.
    refused.catch(() => {});
    return refused;
  };
  const sql = new Proxy(real.sql, {
    apply: (target, self, args) => (state.away ? refuse() : Reflect.apply(target, self, args)),
    get: (target, name) => ((state.away || state.isFull) && name === "unsafe" ? refuse : Reflect.get(target, name)),
  });
  return { state, database: { ...real, sql } };
}

interface Options {
  readonly depthMinutes?: number;
  readonly maxPerRequest?: number;
}

/** As much of the program as knows of candles, with a feed that does what the test says. */
class Program {
  readonly catalogue = new Catalogue();
  readonly live: LiveMarket;
  readonly backFill: BackFill;
  readonly logged: { msg: string; symbol?: string }[] = [];
  looks = 0;
  isConnected = false;
  readonly #switch = withSwitch(database.app);
  readonly #recorder: MarketRecorder;
  #isClosed = false;

  private constructor({ depthMinutes = 120, maxPerRequest = 50 }: Options) {
    const clock = { nowMs: () => nowMs };
    const log = pino({}, { write: (line: string) => void this.logged.push(JSON.parse(line) as never) });
    this.catalogue.apply("markets", null, [market]);
    this.catalogue.apply("data_providers", null, [provider]);
    this.catalogue.apply("symbols", null, [symbolAt(0), symbolAt(1)]);
    const quotes = new QuoteBoard(clock);
    this.live = new LiveMarket({ catalogue: this.catalogue, quotes, clock, newId: () => "" });
    this.#recorder = new MarketRecorder(this.live, this.#switch.database, log);
    const source = binanceMinutes("/api/v3/klines", { maxPerRequest, requestGapMs: 1 });
    const endpoint = restEndpoint(exchange.url, { staleAfterMs });
    this.backFill = new BackFill({
      catalogue: this.catalogue,
      keeper: new MinuteStore(this.live, this.#recorder, this.#switch.database, clock, log),
      servingOf: () => {
        this.looks++;
        return provider;
      },
      sourceOf: () => ({ source, endpoint }),
      depthMs: depthMinutes * minute,
      clock,
      log,
      random: () => 0.5,
      tickMs: 3,
      ticksPerCheckpoint: 3,
    });
    this.live.onTooLate((trade) => this.backFill.tradeTooLate(trade.symbolId, trade.exchangeTimeMs));
    programs.push(this);
  }

  static async start(options: Options = {}): Promise<Program> {
    const seeds = await readSeedCandles(database.app, ids, nowMs);
    const program = new Program(options);
    for (const id of ids) program.live.builder.seed(id, nowMs, seeds.get(id) ?? []);
    return program;
  }

  connect(): void {
    this.isConnected = true;
    this.backFill.statusChanged(provider, "CONNECTED");
  }

  disconnect(status: "RECONNECTING" | "STALE" = "RECONNECTING"): void {
    this.isConnected = false;
    this.backFill.statusChanged(provider, status);
  }

  deliver(trade: ExchangeTrade): void {
    this.live.take(asEvent(trade, ids[tickers.indexOf(trade.ticker)] ?? 0), provider);
  }

  /** It has looked around for something to do a few times. */
  async idles(): Promise<void> {
    const before = this.looks;
    await until(() => this.looks > before + 20);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.backFill.close();
    this.live.close();
    await this.#recorder.close();
  }

  /** From now on the database takes none of its series. */
  refuseSeries(): void {
    this.#switch.state.isFull = true;
  }

  /** From now on nothing of it reaches the database. */
  async kill(): Promise<void> {
    this.#switch.state.away = true;
    await this.close();
  }
}

/** Time passes, and who is connected hears the trades. */
function pass(ms: number, program?: Program): void {
  const untilMs = nowMs + ms;
  const trades = exchange.trades.filter(({ atMs }) => atMs > nowMs && atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
  for (const trade of trades) {
    nowMs = trade.atMs;
    exchange.nowMs = nowMs;
    if (program?.isConnected) program.deliver(trade);
  }
  nowMs = untilMs;
  exchange.nowMs = nowMs;
}

const closedMs = (): number => Math.floor((nowMs - finalAfterMs) / minute) * minute;

/** All minutes up to now are known to be complete. */
const isFilled = async (fromMs: number, toMs = closedMs()): Promise<boolean> => {
  const coverage = await readCoverage(database.app, ids);
  return ids.every((id) => coverage.get(id)?.missingIn({ fromMs, toMs }).length === 0);
};

async function storedMinutes(n: number, fromMs: number, toMs: number) {
  const id = ids[n] ?? 0;
  const found = await readCandles(database.app, [id], { interval: "M1", fromMs, toMs, limit: 10_000 });
  return (found.get(id) ?? []).map(
    ({ symbolId: _symbolId, interval: _interval, throughSequence: _throughSequence, ...candle }) => candle,
  );
}

async function expectAsExchange(fromMs: number, toMs = closedMs()): Promise<void> {
  for (const [n, ticker] of tickers.entries())
    expect(await storedMinutes(n, fromMs, toMs)).toEqual(exchange.minutesOf(ticker, fromMs, toMs));
}

const isDisjoint = (ticker: string): boolean => {
  const seen = new TimeRanges();
  return exchange.requests
    .filter((request) => request.ticker === ticker)
    .every((range) => {
      const isNew =
        seen.missingIn(range).reduce((sum, part) => sum + part.toMs - part.fromMs, 0) === range.toMs - range.fromMs;
      seen.add(range);
      return isNew;
    });
};

describe("back-fill", () => {
  test("of new symbols: the last hour of each first, then the history, newest first, nothing twice", async () => {
    const fromMs = startMs - 30_000 - 500 * minute;
    const program = await Program.start({ depthMinutes: 500, maxPerRequest: 100 });
    await until(() => isFilled(fromMs));
    expect(exchange.requests.map(({ ticker }) => ticker)).toEqual([
      "AUSDT",
      "BUSDT",
      ...Array.from({ length: 4 }, () => "AUSDT"),
      ...Array.from({ length: 4 }, () => "BUSDT"),
    ]);
    for (const ticker of tickers) {
      const ends = exchange.requests.filter((request) => request.ticker === ticker).map(({ toMs }) => toMs);
      expect(ends).toEqual([...ends].sort((a, b) => b - a));
      expect(isDisjoint(ticker)).toBe(true);
    }
    await expectAsExchange(fromMs);
    // What is not over yet has its history too.
    const total = exchange.minutesOf("AUSDT", fromMs, closedMs()).reduce((sum, { tradeCount }) => sum + tradeCount, 0);
    program.live.flushCandles();
    for (const interval of ["D1", "W1"] as const)
      expect(program.live.candles.get(candleKey(ids[0] ?? 0, interval))?.tradeCount).toBe(total);
    await program.idles();
    expect(exchange.requests).toHaveLength(10);
  });

  test("of a gap: the minutes that it touched are replaced, those before and after are not asked for", async () => {
    const program = await Program.start();
    program.connect();
    pass(5 * minute, program);
    await until(() => isFilled(startMs - 100 * minute, startMs + 4 * minute));
    exchange.requests.length = 0;
    program.disconnect();
    pass(3 * minute);
    program.connect();
    pass(6 * minute, program);
    await until(() => isFilled(startMs - 100 * minute, closedMs() - minute));
    await expectAsExchange(startMs - 100 * minute, closedMs() - minute);
    for (const { fromMs, toMs } of exchange.requests) {
      expect(fromMs).toBeGreaterThanOrEqual(startMs + 3 * minute);
      expect(toMs).toBeLessThanOrEqual(startMs + 9 * minute);
    }
    expect(exchange.requests.length).toBeGreaterThan(0);
  });

  test("of a connection that was dead before anybody noticed, though a minute ended meanwhile", async () => {
    const program = await Program.start();
    const lost = {
      ticker: "AUSDT",
      atMs: startMs + 5 * minute + 28_000,
      id: 1e6,
      price: "99.5",
      quantity: "1",
    } as const;
    exchange.trades = [...exchange.trades, { ...lost, side: "BUY" as const }].sort((a, b) => a.atMs - b.atMs);
    program.connect();
    pass(5 * minute + 27_000, program);
    program.isConnected = false;
    pass(staleAfterMs);
    await program.idles();
    program.disconnect("STALE");
    pass(2 * minute);
    await until(() => isFilled(startMs - 100 * minute));
    await expectAsExchange(startMs - 100 * minute);
  });

  test("race: killed in the middle of a minute, the rest of which comes from the exchange", async () => {
    const first = await Program.start();
    first.connect();
    pass(5 * minute + 10_000, first);
    await until(() => isFilled(startMs - 100 * minute, startMs + 3 * minute));
    await first.kill();
    pass(15_000);
    exchange.requests.length = 0;
    const second = await Program.start();
    second.connect();
    pass(3 * minute, second);
    await until(() => isFilled(startMs - 100 * minute, closedMs() - minute));
    await expectAsExchange(startMs - 100 * minute, closedMs() - minute);
    for (const { fromMs } of exchange.requests) expect(fromMs).toBeGreaterThan(startMs + 2 * minute);
    // The minutes of the hour are being built from it as well.
    const id = ids[0] ?? 0;
    const openTimeMs = startMs + 5 * minute - 30_000;
    expect(second.live.builder.minute(id, openTimeMs)).toMatchObject(
      exchange.minutesOf("AUSDT", openTimeMs, openTimeMs + 1)[0] ?? {},
    );
  });

  test("never asks for a minute before it is over and final", async () => {
    const program = await Program.start();
    await until(() => isFilled(startMs - 30_000 - 120 * minute));
    exchange.requests.length = 0;
    const openMs = closedMs();
    pass(openMs + minute + finalAfterMs - 1 - nowMs);
    await program.idles();
    expect(exchange.requests).toEqual([]);
    pass(1);
    await until(() => isFilled(openMs));
    expect(exchange.requests).toEqual(tickers.map((ticker) => ({ ticker, fromMs: openMs, toMs: openMs + minute })));
  });

  test("asks again for a minute that the exchange does not have yet, until it is old enough to have had no trade", async () => {
    const openMs = closedMs();
    exchange.tellsEmpty = false;
    exchange.trades = exchange.trades.filter(({ atMs }) => atMs < openMs - 5 * minute || atMs > openMs + 5 * minute);
    const program = await Program.start({ depthMinutes: 20 });
    await until(() => isFilled(openMs - 20 * minute, openMs - 2 * minute));
    await program.idles();
    expect(await isFilled(openMs - 20 * minute, openMs)).toBe(false);
    pass(absentAfterMs + 20_000);
    await until(() => isFilled(openMs - 20 * minute, openMs));
  });

  test("of a trade that came too late: its minute is asked for again, and all candles above are corrected", async () => {
    const program = await Program.start({ depthMinutes: 200 });
    program.connect();
    await until(() => isFilled(startMs - 200 * minute));
    exchange.requests.length = 0;
    const late: ExchangeTrade = {
      ticker: "AUSDT",
      atMs: startMs - 100 * minute,
      id: 1e6,
      price: "500.5",
      quantity: "7",
      side: "BUY",
    };
    exchange.trades = [...exchange.trades, late].sort((a, b) => a.atMs - b.atMs);
    program.deliver(late);
    await until(() => program.live.builder.newest(ids[0] ?? 0, "D1")?.high === "500.5");
    await expectAsExchange(startMs - 200 * minute);
    expect(exchange.requests).toEqual([{ ticker: "AUSDT", fromMs: late.atMs - 30_000, toMs: late.atMs + 30_000 }]);
    const [day] = await database.app.sql<{ high: string }[]>`
      select high from candles_1d where symbol_id = ${ids[0] ?? 0} order by open_time desc limit 1`;
    expect(Number(day?.high)).toBe(500.5);
    await program.idles();
    expect(exchange.requests).toHaveLength(1);
  });

  test("waits as long as the exchange says", async () => {
    exchange.refuse = (response) => {
      response.writeHead(429, { "retry-after": "30" }).end();
      return true;
    };
    const program = await Program.start();
    await until(() => exchange.requests.length === 1);
    await program.idles();
    pass(29_999);
    await program.idles();
    expect(exchange.requests).toHaveLength(1);
    exchange.refuse = () => false;
    pass(1_001);
    await until(() => isFilled(startMs - 100 * minute));
    await expectAsExchange(startMs - 100 * minute);
  });

  test("says once that a server has no klines, and asks it rarely", async () => {
    exchange.refuse = (response) => {
      response.writeHead(404).end();
      return true;
    };
    const program = await Program.start();
    for (let n = 1; n <= 3; n++) {
      await until(() => exchange.requests.length === n);
      await program.idles();
      pass(9 * minute);
      await program.idles();
      expect(exchange.requests).toHaveLength(n);
      pass(11 * minute);
    }
    expect(program.logged.filter(({ msg }) => msg === "back-fill.failed")).toHaveLength(1);
    exchange.refuse = () => false;
    pass(20 * minute);
    await until(() => isFilled(startMs - 30 * minute));
  });

  test("of the others goes on when one symbol is refused, and when the server breaks it is tried again", async () => {
    let broken = 3;
    exchange.refuse = (response, { ticker }) => {
      const status = ticker === "AUSDT" ? 400 : broken-- > 0 ? 500 : 200;
      if (status !== 200) response.writeHead(status).end();
      return status !== 200;
    };
    const program = await Program.start();
    const isFilledB = async () =>
      ((await readCoverage(database.app, [ids[1] ?? 0])).get(ids[1] ?? 0)?.list.length ?? 0) > 0;
    await until(async () => {
      pass(1_000);
      return isFilledB();
    });
    expect(program.logged.map(({ symbol }) => symbol)).toContain("AUSDT");
  });

  test("race: killed while candles wait for the database", async () => {
    const first = await Program.start();
    first.connect();
    await until(() => isFilled(startMs - 100 * minute));
    first.refuseSeries();
    pass(5 * minute, first);
    await first.idles();
    await first.kill();
    expect(await isFilled(startMs - 100 * minute)).toBe(false);
    await Program.start();
    await until(() => isFilled(startMs - 100 * minute));
    await expectAsExchange(startMs - 100 * minute);
  });

  const step = fc.record({
    does: fc.constantFrom("connect", "disconnect", "silence", "stop", "kill", "nothing" as const),
    seconds: fc.integer({ min: 1, max: 200 }),
    settles: fc.boolean(),
  });
  /** The newest minutes of a quiet symbol are not told for a while: that once kept its history waiting. */
  const quietSymbol: [{ does: "connect" | "nothing" | "stop"; seconds: number; settles: boolean }[], boolean] = [
    [
      { does: "connect", seconds: 119, settles: true },
      { does: "nothing", seconds: 150, settles: false },
      { does: "stop", seconds: 86, settles: true },
    ],
    false,
  ];
  test("whatever the downtimes were, in the end the stored minutes are the exchange's", {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.boolean(), async (steps, tellsEmpty) => {
        await reset();
        exchange.tellsEmpty = tellsEmpty;
        let program = await Program.start({ depthMinutes: 240, maxPerRequest: 200 });
        for (const { does, seconds, settles } of steps) {
          if (does === "connect") program.connect();
          else if (does === "disconnect") program.disconnect();
          else if (does === "silence" && program.isConnected) {
            program.isConnected = false;
            pass(staleAfterMs);
            program.disconnect("STALE");
          } else if (does === "stop" || does === "kill") {
            await (does === "stop" ? program.close() : program.kill());
            pass(seconds * 1_000);
            program = await Program.start({ depthMinutes: 240, maxPerRequest: 200 });
          }
          pass(seconds * 1_000, program);
          if (settles) await program.idles();
        }
        program.disconnect();
        const range = [startMs - 110 * minute, closedMs()] as const;
        pass(absentAfterMs + minute);
        let secondsLeft = 60;
        await until(() => {
          // What the exchange does not have is asked for again a little later.
          if (secondsLeft-- > 0) pass(1_000);
          return isFilled(...range);
        });
        await expectAsExchange(...range);
        await stopAll();
      }),
      { numRuns: 15, endOnFailure: true, examples: [quietSymbol] },
    );
  });
});
