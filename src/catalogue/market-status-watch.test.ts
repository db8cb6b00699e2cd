import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Catalogue, type Market, type TradingSession } from "./catalogue.js";
import { MarketStatusWatch } from "./market-status-watch.js";

const startMs = Date.UTC(2026, 10, 20, 8, 59, 58);
beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
});
afterEach(() => {
  vi.useRealTimers();
});

const market = (operatorStatus: string | null = null) =>
  ({
    id: 1,
    code: "XX_EQUITY",
    timezone: "UTC",
    is24x7: false,
    isActive: true,
    displayOrder: 1,
    operatorStatus,
  }) as Market;
const session = (startTime: string) =>
  ({
    id: 1,
    marketId: 1,
    sessionType: "OPEN",
    dayOfWeek: 5,
    startTime,
    endTime: "17:00",
    isActive: true,
  }) as unknown as TradingSession;

function start() {
  const catalogue = new Catalogue();
  catalogue.apply("markets", null, [market()]);
  catalogue.apply("trading_sessions", null, [session("09:00")]);
  const watch = new MarketStatusWatch(catalogue, { nowMs: () => Date.now() });
  const told: string[] = [];
  watch.onChange(({ code }) => told.push(`${code} ${new Date().toISOString().slice(11, 19)}`));
  return { catalogue, watch, told };
}

test("tells when a market opens by its hours, once and within a second", async () => {
  const { watch, told } = start();
  await vi.advanceTimersByTimeAsync(1_500);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^XX_EQUITY 09:00:0[01]$/);
  watch.close();
});

test("tells at once when an operator halts it, and when its hours are changed", () => {
  const { catalogue, watch, told } = start();
  catalogue.apply("markets", [1], [market("HALTED")]);
  expect(told).toHaveLength(1);
  catalogue.apply("markets", [1], [market()]);
  expect(told).toHaveLength(2);
  catalogue.apply("trading_sessions", [1], [session("08:00")]);
  expect(told).toHaveLength(3);
  catalogue.apply("trading_sessions", [1], [session("08:00")]);
  expect(told).toHaveLength(3);
  watch.close();
});

test("tells nothing after it was closed", async () => {
  const { catalogue, watch, told } = start();
  watch.close();
  catalogue.apply("markets", [1], [market("HALTED")]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
