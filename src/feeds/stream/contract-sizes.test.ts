import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DecimalText } from "../../core/decimal.js";
import { type FixedPoint, fixedPointOne } from "../../core/fixed-point.js";
import { ContractSizeLoader, toBaseQuantity } from "./contract-sizes.js";

test.each([
  ["5", fixedPointOne, "5"],
  ["5", fixedPointOne / 10_000n, "0.0005"],
  ["0.5", 10n * fixedPointOne, "5"],
  ["1", 1n, "0.000000000000000001"],
  ["0.1", 1n, "0"],
  ["99999999999999999999", 10n * fixedPointOne, null],
])("%s contracts of %s", (contracts, size, expected) => {
  expect(toBaseQuantity(contracts as DecimalText, size)).toBe(expected);
});

describe("loading", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const minuteMs = 60_000;
  const started = async () => {
    const load = vi.fn(async () => new Map<string, FixedPoint>([["A", fixedPointOne]]));
    const onReady = vi.fn();
    const loader = new ContractSizeLoader({
      load,
      clock: { nowMs: () => Date.now() },
      log: pino({ level: "silent" }),
      random: () => 0.5,
      retryDelayMs: 1_000,
      maxRetryDelayMs: 30_000,
      onReady,
      onUnavailable: () => {},
    });
    loader.start();
    await vi.advanceTimersByTimeAsync(0);
    return { loader, load, onReady };
  };

  test("again every hour", async () => {
    const { loader, load, onReady } = await started();
    await vi.advanceTimersByTimeAsync(3 * 60 * minuteMs);
    expect(load).toHaveBeenCalledTimes(4);
    expect(onReady).toHaveBeenCalledTimes(1);
    await loader.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("for an unknown symbol once a minute has passed, however often it is asked for", async () => {
    const { loader, load } = await started();
    for (let i = 0; i < 10; i++) loader.expect(["A", "B"]);
    loader.expect(["A"]);
    await vi.advanceTimersByTimeAsync(minuteMs - 1);
    expect(load).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(load).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(10 * minuteMs);
    expect(load).toHaveBeenCalledTimes(2);
    loader.expect(["B"]);
    await vi.advanceTimersByTimeAsync(0);
    expect(load).toHaveBeenCalledTimes(3);
    await loader.close();
  });

  test("a failure later on is tried again, and the sizes stay", async () => {
    const { loader, load } = await started();
    load.mockRejectedValueOnce(new Error("down"));
    await vi.advanceTimersByTimeAsync(60 * minuteMs);
    expect(loader.ready).toBe(true);
    expect(loader.sizes.get("A")).toBe(fixedPointOne);
    await vi.advanceTimersByTimeAsync(minuteMs);
    expect(load).toHaveBeenCalledTimes(3);
    await loader.close();
  });
});
