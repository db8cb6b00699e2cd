import { beforeEach, describe, expect, test, vi } from "vitest";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { Catalogue } from "../catalogue/catalogue.js";
import { decimalText } from "../core/decimal.js";
import type { SharedWatch } from "../core/shared-watch.js";
import type { TradeEvent } from "./events.js";
import { LatestBoard } from "./latest-board.js";
import { type Quote, QuoteBoard } from "./quotes.js";
import { latestOf } from "./shared-latest.js";
import { defaultSymbolList, quotesOf, quotesOfList } from "./shared-quotes.js";
import { tradesOf } from "./shared-trades.js";
import { TradeTape } from "./trade-tape.js";

const trade = (symbolId: number, n: number): TradeEvent => ({
  kind: "trade",
  symbolId,
  price: decimalText(String(n)),
  quantity: decimalText("1"),
  side: "BUY",
  tradeId: String(n),
  tradeCount: 1,
  exchangeSequence: n,
  exchangeTimeMs: n,
  receivedAtMs: n,
});

/** Follows, and returns the keys that changed. */
function follow<K, V>(watch: SharedWatch<K, V>) {
  const changed: K[] = [];
  const onGap = vi.fn<() => void>();
  const stop = watch.follow((key) => changed.push(key), onGap);
  return { changed, onGap, stop };
}

describe("quotes", () => {
  let board: QuoteBoard;
  const price = (symbolId: number, n: number) => board.apply(trade(symbolId, n), 1);
  beforeEach(() => {
    board = new QuoteBoard({ nowMs: () => 1_000 });
  });

  test("of some symbols: one name for one choice, in any order and however often", () => {
    expect(quotesOf(board, [3, 1, 3], 0).name).toBe(quotesOf(board, [1, 3], 0).name);
    expect(quotesOf(board, [1, 33], 0).name).not.toBe(quotesOf(board, [13, 3], 0).name);
    expect([...quotesOf(board, [3, 1, 3], 0).keys()]).toEqual([3, 1]);
  });

  test("of some symbols tell each change of theirs until they are left, and every change is another version", () => {
    const watch = quotesOf(board, [1, 2], 0);
    const { changed, stop } = follow(watch);
    price(1, 5);
    price(3, 5);
    const before = watch.versionOf(watch.valueOf(1) as Quote);
    price(1, 6);
    expect(watch.versionOf(watch.valueOf(1) as Quote)).not.toBe(before);
    expect([watch.valueOf(2), changed]).toEqual([undefined, [1, 1]]);
    stop();
    price(1, 7);
    expect([changed.length, board.watcherCount]).toEqual([2, 0]);
  });

  test("of the defaults follow what operators make of them", () => {
    const catalogue = new Catalogue();
    const symbol = (id: number, isDefault: boolean) =>
      ({ id, marketId: 1, ticker: `S${id}`, isActive: true, isDefault, displayOrder: id }) as MarketSymbol;
    catalogue.apply("symbols", null, [symbol(1, true), symbol(2, false)]);
    const watch = quotesOfList(board, defaultSymbolList(catalogue), 0);
    const { changed, stop } = follow(watch);
    price(1, 5);
    price(2, 5);
    expect([changed, [...watch.keys()]]).toEqual([[1], [1]]);
    catalogue.apply("symbols", null, [symbol(1, false), symbol(2, true)]);
    // The new one is news; the old one is not theirs any more, also where its change has not been sent yet.
    expect([changed, [...watch.keys()], watch.valueOf(1)]).toEqual([[1, 2], [2], undefined]);
    price(1, 6);
    price(2, 6);
    expect(changed).toEqual([1, 2, 2]);
    stop();
    catalogue.apply("symbols", null, [symbol(1, true), symbol(2, true)]);
    expect([changed.length, board.watcherCount]).toEqual([3, 0]);
  });
});

test("the latest of a board: its value now, and that it is lost", () => {
  const board = new LatestBoard<string, number>();
  board.set("a", 1);
  const watch = latestOf(board, "a", 0);
  const { changed, stop } = follow(watch);
  expect([[...watch.keys()], watch.valueOf("a")]).toEqual([["a"], 1]);
  board.set("a", 2);
  board.set("b", 3);
  expect([changed, watch.valueOf("a")]).toEqual([["a"], 2]);
  board.delete("a");
  expect(watch.valueOf("a")).toBeUndefined();
  stop();
  board.set("a", 4);
  expect([changed, board.watcherCount]).toEqual([["a", "a"], 0]);
});

test("trades: each is a thing of its own, a gap is told, and whoever ends learns from where to go on", () => {
  const tape = new TradeTape();
  const watch = tradesOf(tape, 1);
  const { changed, onGap, stop } = follow(watch);
  tape.publish(trade(1, 1));
  tape.publish(trade(2, 1));
  tape.publish(trade(1, 1));
  expect([[...watch.keys()], changed.length, new Set(changed).size]).toEqual([[], 2, 2]);
  tape.interrupt(1);
  expect(onGap).toHaveBeenCalledOnce();
  expect(watch.overflow?.error("lost", trade(1, 7))).toMatchObject({
    code: "STREAM_OVERFLOW",
    message: expect.stringContaining("lost"),
    details: { resumeFrom: "7" },
  });
  expect(watch.overflow?.error("slow", null)).toMatchObject({ details: { resumeFrom: null } });
  stop();
  expect(tape.listenerCount).toBe(0);
});
