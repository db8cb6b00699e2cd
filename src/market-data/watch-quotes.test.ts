import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decimalText } from "../core/decimal.js";
import { type Quote, QuoteBoard } from "./quotes.js";
import { QuoteWatch } from "./watch-quotes.js";

function boardOf(symbolIds: readonly number[]) {
  let nowMs = 1_000_000;
  const board = new QuoteBoard({ nowMs: () => ++nowMs });
  const setPrice = (symbolId: number, price: string) =>
    board.apply(
      {
        kind: "trade",
        symbolId,
        price: decimalText(price),
        quantity: decimalText("1"),
        side: "BUY",
        tradeId: "1",
        tradeCount: 1,
        exchangeSequence: 1,
        exchangeTimeMs: ++nowMs,
        receivedAtMs: nowMs,
      },
      1,
    );
  for (const id of symbolIds) setPrice(id, "1");
  return { board, setPrice };
}

const prices = (result: IteratorResult<Quote[]>) =>
  result.done ? null : Object.fromEntries(result.value.map((quote) => [quote.symbolId, quote.price]));

describe("a quote watch", () => {
  test("begins with all that is known and goes on with what changed", async () => {
    const { board, setPrice } = boardOf([1, 2]);
    const watch = new QuoteWatch(board, { symbolIds: [1, 2, 3], intervalMs: 0 });
    expect(prices(await watch.next())).toEqual({ 1: "1", 2: "1" });
    setPrice(2, "5");
    expect(prices(await watch.next())).toEqual({ 2: "5" });
    const waiting = watch.next();
    setPrice(3, "7");
    expect(prices(await waiting)).toEqual({ 3: "7" });
    await watch.return();
  });

  test("sends the first message even when nothing is known yet", async () => {
    const { board } = boardOf([]);
    const watch = new QuoteWatch(board, { symbolIds: [1], intervalMs: 1_000 });
    expect(prices(await watch.next())).toEqual({});
    await watch.return();
  });

  test("keeps the interval and conflates within it", async () => {
    const { board, setPrice } = boardOf([1]);
    const watch = new QuoteWatch(board, { symbolIds: [1], intervalMs: 40 });
    await watch.next();
    const sentMs = performance.now();
    const waiting = watch.next();
    for (let n = 2; n <= 9; n++) setPrice(1, String(n));
    expect(prices(await waiting)).toEqual({ 1: "9" });
    // A timer may fire a fraction of a millisecond early.
    expect(performance.now() - sentMs).toBeGreaterThan(38);
    await watch.return();
  });

  test("a reader that is away finds the newest values, and nothing was kept for it but which symbols changed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 2, max: 99 })), {
          minLength: 1,
          maxLength: 200,
        }),
        async (changes) => {
          const { board, setPrice } = boardOf([1, 2, 3, 4, 5]);
          const watch = new QuoteWatch(board, { symbolIds: [1, 2, 3, 4, 5], intervalMs: 0 });
          await watch.next();
          for (const [id, price] of changes) setPrice(id, String(price));
          expect(prices(await watch.next())).toEqual(
            Object.fromEntries(changes.map(([id, price]) => [id, String(price)])),
          );
          await watch.return();
        },
      ),
    );
  });

  test("a symbol added on the open stream comes at once, one taken away comes no more", async () => {
    const { board, setPrice } = boardOf([1, 2]);
    const watch = new QuoteWatch(board, { symbolIds: [1], intervalMs: 0 });
    await watch.next();
    const waiting = watch.next();
    watch.setSymbols([2]);
    expect(prices(await waiting)).toEqual({ 2: "1" });
    setPrice(1, "5");
    setPrice(2, "6");
    expect(prices(await watch.next())).toEqual({ 2: "6" });
    await watch.return();
  });

  test("race: the stream is closed while its reader waits; the reader is released and nothing stays behind", async () => {
    const { board, setPrice } = boardOf([1]);
    const watch = new QuoteWatch(board, { symbolIds: [1], intervalMs: 0 });
    let ended = 0;
    watch.onEnd(() => ended++);
    await watch.next();
    const waiting = watch.next();
    await watch.return();
    await watch.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(ended).toBe(1);
    setPrice(1, "2");
    expect(await watch.next()).toEqual({ done: true, value: undefined });
    expect(board.watcherCount).toBe(0);
  });
});
