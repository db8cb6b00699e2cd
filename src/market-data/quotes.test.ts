import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decimalText } from "../core/decimal.js";
import type { BookTickerEvent, QuoteEvent, Ticker24hEvent, TradeEvent } from "./events.js";
import { type Quote, QuoteBoard } from "./quotes.js";

const provider = 7;
const startMs = Date.UTC(2026, 10, 20, 10);

const trade = (price: string, atMs = startMs, symbolId = 1): TradeEvent => ({
  kind: "trade",
  symbolId,
  price: decimalText(price),
  quantity: decimalText("1"),
  side: "BUY",
  tradeId: "1",
  tradeCount: 1,
  exchangeSequence: 1,
  exchangeTimeMs: atMs,
  receivedAtMs: atMs + 5,
});
const book = (bid: string, ask: string, symbolId = 1): BookTickerEvent => ({
  kind: "bookTicker",
  symbolId,
  bid: decimalText(bid),
  bidQuantity: decimalText("2"),
  ask: decimalText(ask),
  askQuantity: decimalText("3"),
  exchangeSequence: 1,
  exchangeTimeMs: null,
  receivedAtMs: startMs + 5,
});
const ticker = (last: string, atMs = startMs): Ticker24hEvent => ({
  kind: "ticker24h",
  symbolId: 1,
  last: decimalText(last),
  open: decimalText("90"),
  high: decimalText("110"),
  low: decimalText("80"),
  change: decimalText("10"),
  changePercent: decimalText("11.111"),
  volume: decimalText("5"),
  quoteVolume: decimalText("500"),
  exchangeTimeMs: atMs,
  receivedAtMs: atMs + 5,
});

function boardAt(nowMs = startMs) {
  const clock = { nowMs: () => nowMs };
  return { board: new QuoteBoard(clock), advance: (ms: number) => (nowMs += ms) };
}

describe("the quote of a symbol", () => {
  test("begins with the first price, and takes along the book that came before it", () => {
    const { board } = boardAt();
    board.apply(book("99", "101"), provider);
    expect(board.get(1)).toBeUndefined();
    board.apply(trade("100"), provider);
    expect(board.get(1)).toMatchObject({
      price: "100",
      bid: "99",
      ask: "101",
      bidQuantity: "2",
      askQuantity: "3",
      providerId: provider,
    });
  });

  test("takes the 24 h statistics and their last price", () => {
    const { board } = boardAt();
    board.apply(ticker("100"), provider);
    expect(board.get(1)).toMatchObject({
      price: "100",
      open24h: "90",
      high24h: "110",
      low24h: "80",
      changePercent24h: "11.111",
    });
  });

  test("a trade or ticker that is older than the price does not change it", () => {
    const { board } = boardAt();
    board.apply(trade("100", startMs), provider);
    board.apply(trade("50", startMs - 1), provider);
    board.apply(ticker("60", startMs - 1), provider);
    expect(board.get(1)).toMatchObject({ price: "100", open24h: null });
  });

  test("a message that changes no value keeps the quote fresh without a change", () => {
    const { board } = boardAt();
    board.apply(trade("100"), provider);
    const changes: number[] = [];
    board.onChange((quote) => changes.push(quote.sequence));
    board.apply(trade("100", startMs + 1_000), provider);
    expect(changes).toEqual([]);
    expect(board.get(1)?.receivedAtMs).toBe(startMs + 1_005);
  });

  test("turns stale once, says so, and is fresh again with the next message", () => {
    const { board } = boardAt();
    board.apply(trade("100"), provider);
    const seen: boolean[] = [];
    board.onChange((quote) => seen.push(quote.isStale));
    board.markStale(() => true);
    board.markStale(() => true);
    board.apply(trade("100", startMs + 1), provider);
    expect(seen).toEqual([true, false]);
  });
});

describe("the best bid and offer that nobody brings any more", () => {
  const sides = (board: QuoteBoard) => {
    const { bid, bidQuantity, ask, askQuantity, isStale } = board.get(1) as Quote;
    return { bid, bidQuantity, ask, askQuantity, isStale };
  };
  const none = { bid: null, bidQuantity: null, ask: null, askQuantity: null, isStale: false };
  const first = { bid: "99", bidQuantity: "2", ask: "101", askQuantity: "3" };
  const known = () => {
    const { board } = boardAt();
    board.apply(trade("100"), provider);
    board.apply(book("99", "101"), provider);
    const seen: number[] = [];
    board.onChange(({ sequence }) => seen.push(sequence));
    return { board, seen };
  };

  test("are gone at once from a fresh quote, until they come again", () => {
    const { board, seen } = known();
    const { sequence } = board.get(1) as Quote;
    board.loseBook(1);
    board.loseBook(1);
    expect(sides(board)).toEqual(none);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toBeGreaterThan(sequence);
    board.apply(trade("98", startMs + 1), provider);
    expect(sides(board)).toEqual(none);
    board.apply(book("97", "99"), provider);
    expect(sides(board)).toMatchObject({ bid: "97", ask: "99" });
  });

  test("stay with a stale quote, and go when a price alone makes it fresh", () => {
    const { board, seen } = known();
    board.markStale(() => true);
    board.loseBook(1);
    expect(sides(board)).toEqual({ ...first, isStale: true });
    expect(seen).toHaveLength(1);
    board.apply(ticker("80", startMs + 1), provider);
    expect(sides(board)).toEqual(none);
  });

  test("do not flicker when they are the first to come again", () => {
    const { board } = known();
    board.markStale(() => true);
    board.loseBook(1);
    board.apply(book("99", "101"), provider);
    board.apply(trade("100", startMs + 1), provider);
    expect(sides(board)).toEqual({ ...first, isStale: false });
  });

  test("stay when there was only silence on a connection that lives", () => {
    const { board } = known();
    board.markStale(() => true);
    board.apply(trade("100", startMs + 1), provider);
    expect(sides(board)).toEqual({ ...first, isStale: false });
  });

  test("are not another provider's", () => {
    const { board } = known();
    board.apply(ticker("80", startMs + 1), provider + 1);
    expect(sides(board)).toEqual(none);
  });

  test("are not taken along by the first price", () => {
    const { board } = boardAt();
    board.apply(book("99", "101"), provider);
    board.loseBook(1);
    board.apply(trade("100"), provider);
    expect(sides(board)).toEqual(none);
  });

  test("do not come back to life from the store", () => {
    const { board: before } = known();
    const { board } = boardAt();
    board.goOn([{ ...(before.get(1) as Quote) }]);
    expect(sides(board)).toEqual({ ...first, isStale: true });
    board.apply(trade("80", startMs + 1), provider);
    expect(sides(board)).toEqual(none);
  });
});

describe("the sequence", () => {
  const events: fc.Arbitrary<QuoteEvent> = fc.oneof(
    fc.integer({ min: 1, max: 9 }).map((n) => trade(String(n), startMs + n)),
    fc.integer({ min: 1, max: 9 }).map((n) => book(String(n), String(n + 1))),
    fc.integer({ min: 1, max: 9 }).map((n) => ticker(String(n), startMs + n)),
  );

  test("grows with every change and never otherwise, whatever the clock does, also over a restart from older values", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            event: events,
            clockMs: fc.integer({ min: -5_000, max: 5_000 }),
            loss: fc.boolean(),
            restart: fc.boolean(),
          }),
          { maxLength: 40 },
        ),
        (steps) => {
          let nowMs = startMs;
          const clock = { nowMs: () => nowMs };
          let board = new QuoteBoard(clock);
          let stored: Quote | undefined;
          let last = 0;
          const follow = () =>
            board.onChange((quote) => {
              expect(quote.sequence).toBeGreaterThan(last);
              expect(Number.isSafeInteger(quote.sequence)).toBe(true);
              last = quote.sequence;
            });
          follow();
          for (const { event, clockMs, loss, restart } of steps) {
            nowMs += clockMs;
            const before = last;
            // What is stored is older than what was sent, by one change and up to five seconds; the clock may go back, too.
            const known = board.get(1);
            if (known !== undefined) stored = { ...known };
            board.apply(event, provider);
            if (loss) board.loseBook(1);
            if (restart && stored !== undefined) {
              board = new QuoteBoard(clock);
              board.goOn([stored]);
              follow();
            }
            expect(last).toBeGreaterThanOrEqual(before);
          }
        },
      ),
    );
  });
});

test("a quote of another node is taken over when it is newer, and ignored when it is not", () => {
  const { board } = boardAt();
  board.apply(trade("100"), provider);
  const mine = { ...(board.get(1) as Quote) };
  const seen: string[] = [];
  board.watch(1, (quote) => seen.push(quote.price));
  board.replace({ ...mine, price: decimalText("1"), sequence: mine.sequence - 1 });
  board.replace({ ...mine, price: decimalText("2"), sequence: mine.sequence + 1 });
  expect(seen).toEqual(["2"]);
});

test("a standby node that goes on with the feed is ahead of all that it has heard and all that is stored, and stale until the feed speaks", () => {
  const { board: source } = boardAt();
  source.apply(trade("100"), provider);
  const stored = { ...(source.get(1) as Quote) };
  source.apply(trade("101"), provider);
  const heard = { ...(source.get(1) as Quote) };
  const { board: standby } = boardAt(startMs - 50_000);
  standby.restore([stored]);
  standby.replace(heard);
  standby.goOn([stored]);
  const taken = { ...(standby.get(1) as Quote) };
  expect(taken).toMatchObject({ price: "101", isStale: true });
  // What the leader told after that, before it died, is passed over too.
  expect(taken.sequence).toBeGreaterThan(heard.sequence + 50_000_000);
  standby.apply(trade("102"), provider);
  expect(standby.get(1)).toMatchObject({ price: "102", isStale: false });
  expect(standby.get(1)?.sequence).toBeGreaterThan(taken.sequence);
});

test("a node without a feed counts a quote as fresh while its source receives, and again after it took it for stale", () => {
  const { board: source, advance } = boardAt();
  source.apply(trade("100"), provider);
  const { board } = boardAt(startMs - 60_000);
  board.replace({ ...(source.get(1) as Quote) });
  const seen: [boolean, number][] = [];
  board.watch(1, ({ isStale, sequence }) => seen.push([isStale, sequence]));
  const { sequence, receivedAtMs } = source.get(1) as Quote;

  source.apply(trade("100", startMs + 10), provider);
  board.replace({ ...(source.get(1) as Quote) });
  expect(board.get(1)?.receivedAtMs).toBe(receivedAtMs + 10);
  expect(seen).toEqual([]);

  board.markStale(() => true);
  board.replace({ ...(source.get(1) as Quote) });
  advance(5);
  source.apply(trade("101", startMs + 20), provider);
  board.replace({ ...(source.get(1) as Quote) });
  expect(seen.map(([isStale]) => isStale)).toEqual([true, false, false]);
  expect(seen.map(([, n]) => n)).toEqual([sequence + 1, sequence + 2, sequence + 5_000]);
});

test("tells when a symbol begins and ceases to be watched, and when its quote was broadcast", () => {
  const { board, advance } = boardAt();
  const told: [number, boolean][] = [];
  const stop = board.onWatch((...change) => told.push(change));
  board.apply(trade("100"), provider);
  expect(board.get(1)?.lastBroadcastAtMs).toBeNull();
  const [first, second] = [board.watch(1, () => {}), board.watch(1, () => {})];
  advance(7);
  board.apply(trade("101"), provider);
  expect(board.get(1)?.lastBroadcastAtMs).toBe(startMs + 7);
  first();
  first();
  expect(told).toEqual([[1, true]]);
  second();
  expect(told).toEqual([
    [1, true],
    [1, false],
  ]);
  stop();
  board.watch(2, () => {});
  expect(told).toHaveLength(2);
  board.onWatch((...change) => told.push(change));
  expect(told.at(-1)).toEqual([2, true]);
});
