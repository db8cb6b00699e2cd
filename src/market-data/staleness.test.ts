import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Catalogue, type DataProvider, type Market, type TradingSession } from "../catalogue/catalogue.js";
import { decimalText } from "../core/decimal.js";
import { QuoteBoard } from "./quotes.js";
import { watchStaleness } from "./staleness.js";

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 5, 15) });
});
afterEach(() => {
  vi.useRealTimers();
});

const market = (id: number, is24x7: boolean) =>
  ({
    id,
    code: `M${id}_EQUITY`,
    timezone: "UTC",
    is24x7,
    operatorStatus: null,
    isActive: true,
    displayOrder: id,
  }) as Market;

test("silence makes a quote stale, but not while its market is closed", () => {
  const catalogue = new Catalogue();
  catalogue.apply("markets", null, [market(1, true), market(2, false)]);
  const session = { id: 1, marketId: 2, sessionType: "OPEN", dayOfWeek: 1, startTime: "14:00", endTime: "16:00" };
  catalogue.apply("trading_sessions", null, [session as TradingSession]);
  const providers = [1, 2].map((id) => ({ id, marketId: id, code: `P${id}`, staleAfterMs: 30_000 }) as DataProvider);
  catalogue.apply("data_providers", null, providers);
  const clock = { nowMs: () => Date.now() };
  const board = new QuoteBoard(clock);
  const stop = watchStaleness(board, catalogue, clock);
  const tick = (symbolId: number) => {
    const price = decimalText("1");
    const atMs = Date.now();
    const trade = {
      kind: "trade",
      symbolId,
      price,
      quantity: price,
      side: "BUY",
      tradeId: "1",
      tradeCount: 1,
    } as const;
    board.apply({ ...trade, exchangeSequence: atMs, exchangeTimeMs: atMs, receivedAtMs: atMs }, symbolId);
  };
  const stale = () => [...board.all()].map(({ isStale }) => isStale);

  for (const symbolId of [1, 2]) tick(symbolId);
  vi.advanceTimersByTime(30_000);
  expect(stale()).toEqual([false, false]);
  vi.advanceTimersByTime(1_000);
  expect(stale()).toEqual([true, true]);

  vi.setSystemTime(Date.UTC(2026, 0, 5, 15, 59, 50));
  for (const symbolId of [1, 2]) tick(symbolId);
  vi.advanceTimersByTime(3_600_000);
  expect(stale()).toEqual([true, false]);
  stop();
});
