import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, test, vi } from "vitest";
import { recordedFrames, recordingsFolder } from "../../../test/support/recordings.js";
import { parseDecimalText } from "../../core/decimal.js";
import type { OrderBookEvent, OrderBookLostEvent } from "../../market-data/events.js";
import type { LevelUpdate, OrderBook } from "./book.js";
import { BookKeeper, defaultBookKeeperTuning } from "./keeper.js";
import { type BookRule, binanceSpotRule, binanceUsdmRule, gateRule, okxRule } from "./rules.js";
import { type BookDiff, type BookOutcome, type BookSnapshot, BookSync } from "./sync.js";

/** What a recording says about books, in the order in which it came. */
type BookMessage = { readonly symbol: string; readonly atMs: number } & (
  | { readonly kind: "snapshot"; readonly snapshot: BookSnapshot }
  | { readonly kind: "diff"; readonly diff: BookDiff }
  | { readonly kind: "ticker"; readonly ticker: Ticker }
);

/** Best bid and offer after the change with this number, as the exchange says in another stream. */
interface Ticker {
  readonly sequence: number;
  readonly bid: LevelUpdate;
  readonly ask: LevelUpdate;
}

const text = (raw: unknown) => {
  const canonical = parseDecimalText(String(raw));
  if (canonical === null) throw new Error(`not a decimal: ${String(raw)}`);
  return canonical;
};
const level = ([price, quantity]: readonly unknown[]): LevelUpdate => [text(price), text(quantity)];
const originalLevel = ([price, quantity]: readonly unknown[]): LevelUpdate => [
  text(price),
  text(quantity),
  `${String(price)}:${String(quantity)}`,
];
// biome-ignore lint/suspicious/noExplicitAny: bodies of many exchanges, read field by field
type Body = any;

/** All messages of the stream and, with the time of their arrival, the REST snapshots: `URL -> T: BODY`. */
function messagesOf(
  name: string,
  decode: (body: Body, atMs: number) => BookMessage[],
  snapshots?: { symbol: RegExp; decode: (body: Body) => BookSnapshot },
): BookMessage[] {
  const messages = recordedFrames(`${name}.ws.txt`).flatMap(({ timeMs, body }) => decode(JSON.parse(body), timeMs));
  if (snapshots === undefined) return messages;
  const lines = readFileSync(join(recordingsFolder() ?? "", `${name}.depth.http.txt`), "utf8").split("\n");
  for (const line of lines) {
    const [, url, seconds, body] = /^(\S+) -> (\d+(?:\.\d+)?): (.*)$/.exec(line) ?? [];
    if (url === undefined || body === undefined) continue;
    const symbol = snapshots.symbol.exec(url)?.[1] ?? "";
    const snapshot = snapshots.decode(JSON.parse(body));
    messages.push({ kind: "snapshot", symbol, atMs: Number(seconds) * 1000, snapshot });
  }
  return messages.sort((a, b) => a.atMs - b.atMs);
}

function binance(name: "binance-spot" | "binance-futures"): BookMessage[] {
  return messagesOf(
    name,
    ({ stream, data }, atMs): BookMessage[] => {
      if (stream.endsWith("@bookTicker")) {
        const ticker = { sequence: data.u, bid: level([data.b, data.B]), ask: level([data.a, data.A]) };
        return [{ kind: "ticker", symbol: data.s, atMs, ticker }];
      }
      if (data.e !== "depthUpdate") return [];
      const diff: BookDiff = {
        first: data.U,
        last: data.u,
        previous: data.pu ?? null,
        bids: data.b.map(level),
        asks: data.a.map(level),
        checksum: null,
        exchangeTimeMs: data.E,
      };
      return [{ kind: "diff", symbol: data.s, atMs, diff }];
    },
    {
      symbol: /symbol=(\w+)/,
      decode: (body) => ({
        sequence: body.lastUpdateId,
        depthLimit: 1_000,
        bids: body.bids.map(level),
        asks: body.asks.map(level),
        checksum: null,
        exchangeTimeMs: null,
      }),
    },
  );
}

function gateFutures(): BookMessage[] {
  // Sizes are in contracts here: what they are worth does not matter for the book.
  const contracts = ({ p, s }: Body) => level([p, s]);
  return messagesOf(
    "gateio-futures",
    ({ channel, event, result }, atMs): BookMessage[] => {
      if (event !== "update") return [];
      if (channel === "futures.book_ticker") {
        const ticker = { sequence: result.u, bid: level([result.b, result.B]), ask: level([result.a, result.A]) };
        return [{ kind: "ticker", symbol: result.s, atMs, ticker }];
      }
      if (channel !== "futures.order_book_update") return [];
      const diff: BookDiff = {
        first: result.U,
        last: result.u,
        previous: null,
        bids: result.b.map(contracts),
        asks: result.a.map(contracts),
        checksum: null,
        exchangeTimeMs: result.t,
      };
      return [{ kind: "diff", symbol: result.s, atMs, diff }];
    },
    {
      symbol: /contract=(\w+)/,
      decode: (body) => ({
        sequence: body.id,
        depthLimit: 100,
        bids: body.bids.map(contracts),
        asks: body.asks.map(contracts),
        checksum: null,
        exchangeTimeMs: null,
      }),
    },
  );
}

/** Of 2022: with checksums, without numbers. */
function okx(): BookMessage[] {
  return messagesOf("okx", ({ arg, action, data }, atMs): BookMessage[] => {
    if (arg?.channel !== "books" || data === undefined) return [];
    const [body] = data;
    const levels = { bids: body.bids.map(originalLevel), asks: body.asks.map(originalLevel) };
    const common = { ...levels, checksum: body.checksum, exchangeTimeMs: Number(body.ts) };
    if (action === "snapshot") {
      const snapshot: BookSnapshot = { ...common, sequence: 0, depthLimit: null };
      return [{ kind: "snapshot", symbol: arg.instId, atMs, snapshot }];
    }
    const diff: BookDiff = { ...common, first: null, last: 0, previous: null };
    return [{ kind: "diff", symbol: arg.instId, atMs, diff }];
  });
}

interface Replay {
  readonly outcomes: Record<string, number>;
  /** Outcomes of diffs that lost the book, by place in the recording. */
  readonly losses: { at: number; symbol: string; outcome: BookOutcome }[];
  readonly syncs: Map<string, BookSync>;
  readonly crossed: number;
}

/** Runs messages through one machine per symbol; `onBook` sees the book after each change. */
function replay(
  messages: readonly BookMessage[],
  rule: BookRule,
  onBook: (symbol: string, book: OrderBook, sequence: number) => void = () => {},
): Replay {
  const syncs = new Map<string, BookSync>();
  const outcomes: Record<string, number> = {};
  const losses: Replay["losses"] = [];
  let crossed = 0;
  for (const [at, message] of messages.entries()) {
    if (message.kind === "ticker") continue;
    const { symbol } = message;
    const sync = syncs.get(symbol) ?? new BookSync(rule);
    syncs.set(symbol, sync);
    const outcome = message.kind === "snapshot" ? sync.onSnapshot(message.snapshot) : sync.onDiff(message.diff);
    const key = `${message.kind} ${outcome}`;
    outcomes[key] = (outcomes[key] ?? 0) + 1;
    if (outcome === "gap" || outcome === "wrong-checksum") losses.push({ at, symbol, outcome });
    if (sync.book?.isCrossed === true) crossed++;
    if (sync.book !== null && outcome === "applied") onBook(symbol, sync.book, sync.sequence);
  }
  return { outcomes, losses, syncs, crossed };
}

/**
 * Compares the best levels after each change with the newest ticker up to its number: tickers come with every change of
 * the best prices and quantities, so that is what they then are. `exact` counts the ones with the very same number.
 */
function compareWithTickers(messages: readonly BookMessage[], rule: BookRule) {
  const tickersOf = new Map<string, Ticker[]>();
  for (const message of messages) {
    if (message.kind !== "ticker") continue;
    const tickers = tickersOf.get(message.symbol) ?? [];
    tickersOf.set(message.symbol, tickers);
    tickers.push(message.ticker);
  }
  const result = { exact: 0, compared: 0, differed: 0, symbols: new Set<string>() };
  replay(messages, rule, (symbol, book, sequence) => {
    const ticker = tickersOf.get(symbol)?.findLast((candidate) => candidate.sequence <= sequence);
    if (ticker === undefined) return;
    result.symbols.add(symbol);
    result.compared++;
    if (ticker.sequence === sequence) result.exact++;
    const { bids, asks } = book.best(1);
    if (JSON.stringify([bids, asks]) !== JSON.stringify([[ticker.bid], [ticker.ask]])) result.differed++;
  });
  return { ...result, symbols: result.symbols.size };
}

/**
 * Leaves out each diff that was applied, one at a time, and says how many of those losses were noticed at the symbol's next
 * diff, how many later, how many not at all but with the same book in the end, and how many not although the book is
 * another. The last diff of a symbol is not left out: nothing comes after it.
 */
function leaveOutEach(messages: readonly BookMessage[], rule: BookRule) {
  const result = { left: 0, atOnce: 0, later: 0, harmless: 0, unnoticed: 0 };
  for (const symbol of new Set(messages.map((message) => message.symbol))) {
    const own = messages.filter((message) => message.symbol === symbol && message.kind !== "ticker");
    const begin = new BookSync(rule);
    const applied = own.map((message) =>
      message.kind === "snapshot"
        ? begin.onSnapshot(message.snapshot) === "waiting"
        : message.kind === "diff" && begin.onDiff(message.diff) === "applied",
    );
    for (const [at, wasApplied] of applied.slice(0, -1).entries()) {
      if (!wasApplied) continue;
      const run = replay(own.toSpliced(at, 1), rule);
      const [loss] = run.losses;
      const isSame = JSON.stringify(booksOf(run)[symbol]) === JSON.stringify(begin.book?.best(10_000));
      result.left++;
      if (loss !== undefined) result[loss.at === at ? "atOnce" : "later"]++;
      else result[isSame ? "harmless" : "unnoticed"]++;
    }
  }
  return result;
}

/** The snapshot of each symbol comes only after `diffs` diffs have followed it. */
function withLateSnapshots(messages: readonly BookMessage[], diffs: number): BookMessage[] {
  return [...new Set(messages.map((message) => message.symbol))].flatMap((symbol) => {
    const own = messages.filter((message) => message.symbol === symbol && message.kind !== "ticker");
    const snapshotAt = own.findIndex(({ kind }) => kind === "snapshot");
    return [
      ...own.slice(0, snapshotAt),
      ...own.slice(snapshotAt + 1, snapshotAt + 1 + diffs),
      ...own.slice(snapshotAt, snapshotAt + 1),
      ...own.slice(snapshotAt + 1 + diffs),
    ];
  });
}

const booksOf = ({ syncs }: Replay) =>
  Object.fromEntries([...syncs].map(([symbol, sync]) => [symbol, sync.book?.best(10_000)]));

const byRequest = [
  {
    name: "Binance spot",
    read: () => binance("binance-spot"),
    rule: binanceSpotRule,
    outcomes: { "snapshot applied": 4, "diff waiting": 4, "diff ignored": 1, "diff applied": 172 },
    tickers: { exact: 26, compared: 159, differed: 0, symbols: 3 },
    leftOut: { left: 168, atOnce: 168, later: 0, harmless: 0, unnoticed: 0 },
  },
  {
    name: "Binance USD-M futures",
    read: () => binance("binance-futures"),
    rule: binanceUsdmRule,
    outcomes: { "snapshot applied": 4, "diff waiting": 4, "diff ignored": 8, "diff applied": 752 },
    tickers: { exact: 50, compared: 746, differed: 0, symbols: 4 },
    // Three of them end with the very change that the snapshot ends with, so it holds all they say.
    leftOut: { left: 748, atOnce: 745, later: 0, harmless: 3, unnoticed: 0 },
  },
  {
    name: "Gate.io futures",
    read: gateFutures,
    rule: gateRule,
    outcomes: { "snapshot applied": 10, "diff waiting": 10, "diff ignored": 26, "diff applied": 316 },
    tickers: { exact: 18, compared: 194, differed: 0, symbols: 5 },
    leftOut: { left: 307, atOnce: 307, later: 0, harmless: 0, unnoticed: 0 },
  },
];

/** Lets a keeper live through a recording, whose snapshots answer its requests at the time when they came. */
async function keep(messages: readonly BookMessage[], rule: BookRule) {
  const symbols = [...new Set(messages.map(({ symbol }) => symbol))];
  const answers = new Map<number, (snapshot: BookSnapshot) => void>();
  const events: (OrderBookEvent | OrderBookLostEvent)[] = [];
  const publishedMs = symbols.map((): number[] => []);
  vi.useFakeTimers({ now: (messages[0]?.atMs ?? 0) - 10_000 });
  const keeper = new BookKeeper({
    rule,
    clock: { nowMs: () => Date.now() },
    log: pino({ level: "silent" }),
    random: Math.random,
    fetchSnapshot: (symbolId) => new Promise((resolve) => answers.set(symbolId, resolve)),
    onEvent: (event) => {
      events.push(event);
      publishedMs[event.symbolId]?.push(Date.now());
    },
    tuning: { ...defaultBookKeeperTuning, maxConcurrent: 100, timeoutMs: 600_000 },
  });
  try {
    for (const symbolId of symbols.keys()) keeper.follow(symbolId);
    for (const message of messages) {
      await vi.advanceTimersByTimeAsync(Math.max(0, message.atMs - Date.now()));
      const symbolId = symbols.indexOf(message.symbol);
      if (message.kind === "diff") keeper.onDiff(symbolId, message.diff, message.atMs);
      else if (message.kind === "snapshot") answers.get(symbolId)?.(message.snapshot);
    }
    await vi.advanceTimersByTimeAsync(1_000);
    const last = symbols.map((symbol, symbolId) => [symbol, events.findLast((event) => event.symbolId === symbolId)]);
    const gapsMs = publishedMs.flatMap((times) => times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0)));
    return { events, last: Object.fromEntries(last), gapsMs, stats: keeper.stats };
  } finally {
    keeper.close();
    vi.useRealTimers();
  }
}

describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
  describe.each(byRequest)("of $name", ({ read, rule, outcomes, tickers, leftOut }) => {
    test("joins snapshot and diffs, without a gap and never crossed", () => {
      const run = replay(read(), rule);
      expect(run.outcomes).toEqual(outcomes);
      expect(run.crossed).toBe(0);
    });

    test("has the best prices and quantities that the exchange says", () => {
      expect(compareWithTickers(read(), rule)).toEqual(tickers);
    });

    test("gives the same book when the snapshot comes late", () => {
      const messages = read();
      const punctual = replay(messages, rule);
      for (const diffs of [1, 3, 40]) {
        const late = replay(withLateSnapshots(messages, diffs), rule);
        expect(late.losses).toEqual([]);
        expect(late.outcomes["diff waiting"]).toBeGreaterThan(outcomes["diff waiting"]);
        expect(booksOf(late)).toEqual(booksOf(punctual));
      }
    });

    test("is kept by a keeper to the end, ten times a second at most", async () => {
      const messages = read();
      const { events, last, gapsMs, stats } = await keep(messages, rule);
      expect(events.filter(({ kind }) => kind === "orderBookLost")).toEqual([]);
      expect(events.length).toBeGreaterThan(100);
      expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(100);
      expect(stats.diffs).toBe(messages.filter(({ kind }) => kind === "diff").length);
      for (const [symbol, sync] of replay(messages, rule).syncs) {
        expect(last[symbol]).toMatchObject({ ...sync.book?.best(50), exchangeSequence: sync.sequence });
      }
    });

    test("shows the loss of any diff at the next one", { timeout: 60_000 }, () => {
      expect(leaveOutEach(read(), rule)).toEqual(leftOut);
    });
  });

  describe("of OKX", () => {
    test("matches every checksum", () => {
      let verified = 0;
      const checksumOf = okxRule.checksumOf;
      if (checksumOf === null) throw new Error("OKX has checksums");
      const counting: BookRule = {
        ...okxRule,
        checksumOf: (book) => {
          verified++;
          return checksumOf(book);
        },
      };
      const { outcomes, crossed } = replay(okx(), counting);
      expect(outcomes).toEqual({ "snapshot applied": 3, "diff applied": 287 });
      expect(verified).toBe(290);
      expect(crossed).toBe(0);
    });

    test("shows the loss of a diff by the next checksum, unless nothing among the best 25 levels is otherwise", () => {
      const seen = { left: 284, atOnce: 272, later: 1, harmless: 11, unnoticed: 0 };
      expect(leaveOutEach(okx(), okxRule)).toEqual(seen);
    });

    test("shows the loss of any diff at the next one by today's numbers", () => {
      const last = new Map<string, number>();
      const numbered = okx().map((message): BookMessage => {
        const previous = last.get(message.symbol) ?? -1;
        const sequence = previous + 3;
        last.set(message.symbol, sequence);
        if (message.kind === "snapshot")
          return { ...message, snapshot: { ...message.snapshot, sequence, checksum: 0 } };
        if (message.kind !== "diff") return message;
        return { ...message, diff: { ...message.diff, previous, last: sequence, checksum: 0 } };
      });
      expect(replay(numbered, okxRule).losses).toEqual([]);
      expect(leaveOutEach(numbered, okxRule)).toEqual({ left: 284, atOnce: 284, later: 0, harmless: 0, unnoticed: 0 });
    });
  });
});
