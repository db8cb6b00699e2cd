import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decimalText } from "../../core/decimal.js";
import { DomainError } from "../../core/errors.js";
import type { OrderBookEvent, OrderBookLostEvent } from "../../market-data/events.js";
import type { LevelUpdate } from "./book.js";
import { BookKeeper, type BookKeeperTuning } from "./keeper.js";
import { type BookRule, binanceSpotRule, okxRule } from "./rules.js";
import type { BookDiff, BookSnapshot } from "./sync.js";

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 10, 20, 10) }));
afterEach(() => void vi.useRealTimers());

const level = (price: number, quantity: number): LevelUpdate => [
  decimalText(String(price)),
  decimalText(String(quantity)),
];
const ladder = (from: number, step: number, count: number) =>
  Array.from({ length: count }, (_, i) => level(from + step * i, 1));
const snapshotAt = (sequence: number, levels: Partial<BookSnapshot> = {}): BookSnapshot => ({
  sequence,
  depthLimit: null,
  bids: [level(99, 1)],
  asks: [level(101, 1)],
  checksum: null,
  exchangeTimeMs: null,
  ...levels,
});
const diffOf = (sequence: number, levels: Partial<BookDiff> = {}): BookDiff => ({
  first: sequence,
  last: sequence,
  previous: sequence - 1,
  bids: [level(98, sequence)],
  asks: [],
  checksum: null,
  exchangeTimeMs: null,
  ...levels,
});

const tuning: BookKeeperTuning = {
  maxConcurrent: 2,
  gapMs: 50,
  timeoutMs: 5_000,
  retryDelayMs: 1_000,
  maxRetryDelayMs: 8_000,
  steadyAfterMs: 60_000,
  publishGapMs: 100,
  refreshGapMs: 10_000,
  levelLimit: 1_000,
};

interface Request {
  readonly symbolId: number;
  readonly atMs: number;
  readonly signal: AbortSignal;
  readonly answer: (snapshot: BookSnapshot | null) => Promise<void>;
  readonly fail: (cause?: Error) => Promise<void>;
}

function keeperOf(rule: BookRule = binanceSpotRule, changes: Partial<BookKeeperTuning> = {}) {
  const startMs = Date.now();
  const requests: Request[] = [];
  const events: ((OrderBookEvent | OrderBookLostEvent) & { readonly atMs: number })[] = [];
  const keeper = new BookKeeper({
    rule,
    clock: { nowMs: () => Date.now() },
    log: pino({ level: "silent" }),
    random: () => 1,
    onEvent: (event) => events.push({ ...event, atMs: Date.now() - startMs }),
    fetchSnapshot: (symbolId, signal) =>
      new Promise((resolve, reject) => {
        const settle = async (how: () => void) => {
          how();
          await vi.advanceTimersByTimeAsync(0);
        };
        requests.push({
          symbolId,
          atMs: Date.now() - startMs,
          signal,
          answer: (snapshot) => settle(() => resolve(snapshot)),
          fail: (cause = new Error("HTTP 500")) => settle(() => reject(cause)),
        });
      }),
    tuning: { ...tuning, ...changes },
  });
  const request = (index: number): Request => requests[index] ?? expect.unreachable(`no request ${index}`);
  const diff = (symbolId: number, sequence: number, levels: Partial<BookDiff> = {}) =>
    keeper.onDiff(symbolId, diffOf(sequence, levels), Date.now());
  return { keeper, requests, request, events, diff };
}

/** A keeper with one whole book as of number 10. */
async function wholeBook(changes: Partial<BookKeeperTuning> = {}) {
  const subject = keeperOf(binanceSpotRule, changes);
  subject.keeper.follow(1);
  await subject.request(0).answer(snapshotAt(10));
  return subject;
}

describe("a book", () => {
  test("is fetched when its symbol is followed, joined with what came meanwhile, and published", async () => {
    const { keeper, request, requests, events, diff } = keeperOf();
    keeper.follow(1);
    keeper.follow(1);
    diff(1, 10);
    diff(1, 11);
    expect(events).toEqual([]);
    await request(0).answer(snapshotAt(10));
    expect(requests).toHaveLength(1);
    expect(events).toEqual([
      {
        kind: "orderBook",
        symbolId: 1,
        bids: [level(99, 1), level(98, 11)],
        asks: [level(101, 1)],
        exchangeSequence: 11,
        exchangeTimeMs: null,
        receivedAtMs: Date.now(),
        atMs: 0,
      },
    ]);
  });

  test("is published at most once in a while, then as it is by now", async () => {
    const { events, diff } = await wholeBook();
    for (let sequence = 11; sequence <= 70; sequence++) {
      await vi.advanceTimersByTimeAsync(10);
      diff(1, sequence);
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(events.map(({ atMs }) => atMs)).toEqual([0, 100, 200, 300, 400, 500, 600, 700]);
    expect(events.at(-1)).toMatchObject({ exchangeSequence: 70, bids: [level(99, 1), level(98, 70)] });
    diff(1, 71);
    expect(events).toHaveLength(9);
  });

  test("is published with its best 50 levels a side", async () => {
    const { keeper, request, events } = keeperOf();
    keeper.follow(1);
    await request(0).answer(snapshotAt(10, { bids: ladder(500, -1, 60), asks: ladder(501, 1, 70) }));
    expect(events).toMatchObject([{ bids: ladder(500, -1, 50), asks: ladder(501, 1, 50) }]);
  });

  test("of a symbol that nobody follows is not kept", () => {
    const { keeper, events, diff } = keeperOf();
    diff(7, 1);
    keeper.onSnapshot(7, snapshotAt(1), 0);
    keeper.disconnected(7, 0);
    expect(events).toEqual([]);
    expect(keeper.stats.diffs).toBe(0);
  });
});

describe("a book is lost, once, and built anew", () => {
  test("at a gap, with growing delays until it lasts", async () => {
    const { keeper, events, requests, request, diff } = await wholeBook();
    diff(1, 12);
    diff(1, 13);
    expect(events.slice(1)).toEqual([
      { kind: "orderBookLost", symbolId: 1, reason: "sequence-gap", receivedAtMs: Date.now(), atMs: 0 },
    ]);
    await vi.advanceTimersByTimeAsync(999);
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    await request(1).answer(snapshotAt(11));
    expect(events.at(-1)).toMatchObject({ kind: "orderBook", exchangeSequence: 13 });

    diff(1, 15);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(request(2).atMs).toBe(1_000 + 2_000);
    await request(2).answer(snapshotAt(15));
    await vi.advanceTimersByTimeAsync(60_000);
    diff(1, 17);
    const lostAtMs = events.at(-1)?.atMs ?? 0;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(request(3).atMs).toBe(lostAtMs + 1_000);
    expect(keeper.stats.lost["sequence-gap"]).toBe(3);
  });

  test("when it is crossed", async () => {
    const { events, requests, diff } = await wholeBook();
    diff(1, 11, { bids: [level(101, 1)] });
    expect(events.at(-1)).toMatchObject({ kind: "orderBookLost", reason: "crossed" });
    diff(1, 12);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(events).toHaveLength(2);
    expect(requests).toHaveLength(2);
  });

  test("with what was about to be published", async () => {
    const { events, diff } = await wholeBook();
    await vi.advanceTimersByTimeAsync(50);
    diff(1, 11);
    diff(1, 13);
    await vi.advanceTimersByTimeAsync(500);
    expect(events.map(({ kind }) => kind)).toEqual(["orderBook", "orderBookLost"]);
  });

  test("when the connection ends: then nothing is fetched until the symbol is followed again", async () => {
    const { keeper, events, requests, request } = await wholeBook();
    keeper.disconnected(1, 4_711);
    keeper.disconnected(1, 4_712);
    expect(events.slice(1)).toMatchObject([{ kind: "orderBookLost", reason: "disconnected", receivedAtMs: 4_711 }]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(1);
    keeper.follow(1);
    await request(1).answer(snapshotAt(3));
    expect(events.at(-1)).toMatchObject({ kind: "orderBook", exchangeSequence: 3 });
  });

  test("and not once more when the next snapshot cannot be joined either", async () => {
    const { keeper, events, request, diff } = await wholeBook();
    diff(1, 12);
    await vi.advanceTimersByTimeAsync(1_000);
    await request(1).answer(snapshotAt(10));
    expect(keeper.stats.lost["sequence-gap"]).toBe(2);
    expect(events.map(({ kind }) => kind)).toEqual(["orderBook", "orderBookLost"]);
    await vi.advanceTimersByTimeAsync(2_000);
    await request(2).answer(snapshotAt(12));
    expect(events.at(-1)).toMatchObject({ kind: "orderBook", exchangeSequence: 12 });
  });

  test("and a book that was never published is not taken back", async () => {
    const { keeper, events, request, diff } = keeperOf();
    keeper.follow(1);
    diff(1, 20);
    await request(0).answer(snapshotAt(10));
    expect(keeper.stats.lost["sequence-gap"]).toBe(1);
    expect(events).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    await request(1).answer(snapshotAt(20));
    expect(events).toHaveLength(1);
  });
});

describe("snapshots", () => {
  test("are asked for in turn, a gap apart, and only some at once", async () => {
    const { keeper, requests, request } = keeperOf();
    for (let symbolId = 1; symbolId <= 5; symbolId++) keeper.follow(symbolId);
    await vi.advanceTimersByTimeAsync(500);
    expect(requests.map(({ symbolId, atMs }) => [symbolId, atMs])).toEqual([
      [1, 0],
      [2, 50],
    ]);
    await request(1).answer(snapshotAt(1));
    await request(0).fail();
    await vi.advanceTimersByTimeAsync(500);
    expect(requests.slice(2).map(({ symbolId, atMs }) => [symbolId, atMs])).toEqual([
      [3, 500],
      [4, 550],
    ]);
  });

  test("that fail or hang are asked for again, later each time, up to a limit", async () => {
    const { keeper, requests, request } = keeperOf();
    keeper.follow(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(request(0).signal.aborted).toBe(true);
    for (let attempt = 1; attempt <= 6; attempt++) {
      await vi.advanceTimersByTimeAsync(8_000);
      await request(attempt).fail();
    }
    const started = requests.map(({ atMs }) => atMs);
    expect(started[1]).toBe(6_000);
    expect(keeper.stats.failedSnapshots).toBe(7);
    await request(0).answer(snapshotAt(10));
    expect(keeper.stats.snapshots).toBe(0);
  });

  test.each([
    [429, 7, 7_000],
    [418, null, 60_000],
  ])("wait when the exchange says HTTP %i, retry after %s s: all of them", async (status, retryAfterSeconds, ms) => {
    const { keeper, requests, request } = keeperOf(binanceSpotRule, { maxConcurrent: 1, timeoutMs: 100_000 });
    for (let symbolId = 1; symbolId <= 3; symbolId++) keeper.follow(symbolId);
    await request(0).fail(new DomainError("PROVIDER_UNAVAILABLE", "too many", { status, retryAfterSeconds }));
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(requests).toHaveLength(2);
  });

  test("are not waited for when the symbol is forgotten, and a late answer is dropped", async () => {
    const { keeper, events, request } = keeperOf();
    keeper.follow(1);
    keeper.forget(1);
    expect(request(0).signal.aborted).toBe(true);
    await request(0).answer(snapshotAt(10));
    expect(events).toEqual([]);
  });

  test("of a symbol that is followed again at once come from a new request", async () => {
    const { keeper, events, requests, request } = keeperOf();
    keeper.follow(1);
    keeper.disconnected(1, 0);
    keeper.follow(1);
    await request(0).answer(snapshotAt(10));
    await vi.advanceTimersByTimeAsync(50);
    expect(requests).toHaveLength(2);
    expect(events).toEqual([]);
    expect(keeper.stats.failedSnapshots).toBe(0);
    await request(1).answer(snapshotAt(20));
    expect(events).toMatchObject([{ exchangeSequence: 20 }]);
  });

  test("that are cut off are fetched anew before the best levels run out, while the book goes on", async () => {
    const { keeper, events, requests, request, diff } = keeperOf();
    keeper.follow(1);
    const cut = { depthLimit: 60, bids: ladder(500, -1, 60), asks: ladder(501, 1, 60) };
    await request(0).answer(snapshotAt(10, cut));
    await vi.advanceTimersByTimeAsync(20_000);
    diff(1, 11, { asks: ladder(501, 1, 10).map(([price]) => [price, decimalText("0")]) });
    expect(requests).toHaveLength(1);
    diff(1, 12, { asks: [[decimalText("511"), decimalText("0")]] });
    expect(requests).toHaveLength(2);
    diff(1, 13, { asks: [level(511, 7)] });
    await vi.advanceTimersByTimeAsync(100);
    expect(events.at(-1)).toMatchObject({ exchangeSequence: 13 });
    await request(1).answer(snapshotAt(12, { ...cut, asks: ladder(512, 1, 60) }));
    await vi.advanceTimersByTimeAsync(100);
    expect(events.at(-1)).toMatchObject({ exchangeSequence: 13, asks: [level(511, 7), ...ladder(512, 1, 49)] });
    expect(events.every(({ kind }) => kind === "orderBook")).toBe(true);
  });
});

describe("a refresh of a book that got shallow", () => {
  /** Cut off at 60 levels, of which 11 asks are gone after number 12; request 1 is under way for it. */
  async function shallow() {
    const subject = keeperOf();
    subject.keeper.follow(1);
    const cut = { depthLimit: 60, bids: ladder(500, -1, 60), asks: ladder(501, 1, 60) };
    await subject.request(0).answer(snapshotAt(11, cut));
    await vi.advanceTimersByTimeAsync(20_000);
    subject.diff(1, 12, { asks: ladder(501, 1, 11).map(([price]) => [price, decimalText("0")]) });
    expect(subject.requests).toHaveLength(2);
    return { ...subject, cut: { ...cut, asks: ladder(512, 1, 60) } };
  }

  test("is asked for again when the answer is older than the book", async () => {
    const { events, requests, request, cut, diff } = await shallow();
    await request(1).answer(snapshotAt(11, cut));
    diff(1, 13);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(requests).toHaveLength(3);
    await request(2).answer(snapshotAt(13, cut));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(events.at(-1)).toMatchObject({ exchangeSequence: 13, asks: ladder(512, 1, 50) });
    expect(events.every(({ kind }) => kind === "orderBook")).toBe(true);
  });

  test("does not follow another at once, however shallow the snapshot is", async () => {
    const { requests, request, cut, diff } = await shallow();
    await request(1).answer(snapshotAt(12, { ...cut, depthLimit: 20, asks: ladder(512, 1, 20) }));
    for (let sequence = 13; sequence <= 111; sequence++) {
      await vi.advanceTimersByTimeAsync(100);
      diff(1, sequence);
    }
    expect(requests).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(100);
    diff(1, 112);
    expect(requests).toHaveLength(3);
  });

  test("gives way to the delay after a gap", async () => {
    const { events, requests, request, diff } = await shallow();
    diff(1, 14);
    expect(request(1).signal.aborted).toBe(true);
    expect(events.at(-1)).toMatchObject({ reason: "sequence-gap" });
    await vi.advanceTimersByTimeAsync(999);
    expect(requests).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(requests).toHaveLength(3);
  });
});

describe("where snapshots come in the stream", () => {
  test("none is asked for unless it stays away", async () => {
    const { keeper, events, requests, request } = keeperOf(okxRule);
    keeper.follow(1);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(requests).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_001);
    await request(0).answer(null);
    await vi.advanceTimersByTimeAsync(5_000 + 2_000);
    await request(1).answer(null);
    keeper.onSnapshot(1, snapshotAt(10), Date.now());
    expect(events).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(2);
  });

  test("the exchange is made to send one after a wrong checksum", async () => {
    const { keeper, events, requests, request, diff } = keeperOf(okxRule);
    keeper.follow(1);
    keeper.onSnapshot(1, snapshotAt(10), Date.now());
    diff(1, 11, { checksum: 12_345 });
    expect(events.at(-1)).toMatchObject({ kind: "orderBookLost", reason: "wrong-checksum" });
    diff(1, 12);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(requests).toHaveLength(1);
    await request(0).answer(null);
    keeper.onSnapshot(1, snapshotAt(12), Date.now());
    expect(events.at(-1)).toMatchObject({ kind: "orderBook", exchangeSequence: 12 });
  });
});

test("after close() nothing is asked for or published, and no timer is left", async () => {
  const { keeper, events, requests, request, diff } = await wholeBook();
  for (let symbolId = 2; symbolId <= 6; symbolId++) keeper.follow(symbolId);
  await vi.advanceTimersByTimeAsync(60);
  diff(1, 11);
  keeper.close();
  expect(vi.getTimerCount()).toBe(0);
  expect(requests.slice(1).every(({ signal }) => signal.aborted)).toBe(true);
  const count = requests.length;
  await request(1).answer(snapshotAt(10));
  diff(1, 12);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(events).toHaveLength(1);
  expect(requests).toHaveLength(count);
});
