import { describe, expect, test } from "vitest";
import { decimalText } from "../core/decimal.js";
import type { TradeEvent } from "./events.js";
import { LatestBoard, LatestWatch } from "./latest-board.js";
import { TradeStream, TradeTape } from "./trade-stream.js";

describe("the latest value of a key", () => {
  test("comes at once when there is one, and after that only when it changed, the newest of several", async () => {
    const board = new LatestBoard<string, number>();
    board.set("a", 1);
    const watch = new LatestWatch(board, "a", 0);
    expect(await watch.next()).toEqual({ done: false, value: 1 });
    board.set("b", 9);
    board.set("a", 2);
    board.set("a", 3);
    expect(await watch.next()).toEqual({ done: false, value: 3 });
    const waiting = watch.next();
    board.set("a", 4);
    expect(await waiting).toEqual({ done: false, value: 4 });
    await watch.return();
  });

  test("comes at most once per interval, then the newest", async () => {
    const board = new LatestBoard<string, number>();
    board.set("a", 1);
    const watch = new LatestWatch(board, "a", 30);
    const startMs = performance.now();
    await watch.next();
    const waiting = watch.next();
    board.set("a", 2);
    board.set("a", 3);
    expect(await waiting).toEqual({ done: false, value: 3 });
    // A timer may fire a little before its time.
    expect(performance.now() - startMs).toBeGreaterThan(28);
    await watch.return();
  });

  test("is passed over when it was lost before it could be told", async () => {
    const board = new LatestBoard<string, number>();
    board.set("a", 1);
    const watch = new LatestWatch(board, "a", 0);
    board.delete("a");
    const waiting = watch.next();
    board.set("a", 2);
    expect(await waiting).toEqual({ done: false, value: 2 });
    await watch.return();
  });

  test("return() settles a waiting reader and stops listening", async () => {
    const board = new LatestBoard<string, number>();
    const watch = new LatestWatch(board, "a", 0);
    const waiting = watch.next();
    await watch.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    board.set("a", 1);
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });
});

describe("the trades of a symbol", () => {
  const trade = (n: number, symbolId = 1): TradeEvent => ({
    kind: "trade",
    symbolId,
    price: decimalText("1"),
    quantity: decimalText("1"),
    side: "BUY",
    tradeId: String(n),
    tradeCount: 1,
    exchangeSequence: n,
    exchangeTimeMs: n,
    receivedAtMs: n,
  });

  test("come all and in order, also to a reader that pauses", async () => {
    const tape = new TradeTape();
    const stream = new TradeStream(tape, 1);
    const seen: string[] = [];
    for (let n = 1; n <= 1_200; n++) {
      tape.publish(trade(n));
      tape.publish(trade(n, 2));
    }
    while (seen.length < 1_200) {
      const { value } = await stream.next();
      if (Array.isArray(value)) seen.push(...value.map((t: TradeEvent) => t.tradeId));
    }
    expect(seen).toEqual(Array.from({ length: 1_200 }, (_, n) => String(n + 1)));
    await stream.return();
  });

  test("a reader that does not keep up gets what fits, then is told the last trade that it has, then the end", async () => {
    const tape = new TradeTape();
    const stream = new TradeStream(tape, 1);
    for (let n = 1; n <= 6_000; n++) tape.publish(trade(n));
    let count = 0;
    for await (const item of stream) {
      if ("overflow" in item) expect(item).toEqual({ overflow: true, reason: "slow", lastTradeId: "5000" });
      else count += item.length;
    }
    expect(count).toBe(5_000);
  });
});
