import { describe, expect, test } from "vitest";
import { firstMs, minute } from "../../test/support/klines.js";
import { DomainError } from "../core/errors.js";
import type { ExchangeMinute } from "./feed.js";
import { collectMinutes, minutesIn, soundMinute } from "./read-minutes.js";

const raw = { open: "2", high: "3", low: "1", close: "2.50", volume: "10", quoteVolume: "20" };
const at = (n: number) => soundMinute({ ...raw, openTimeMs: firstMs + n * minute });
const page = { fromMs: firstMs, toMs: firstMs + 5 * minute };
const timesOf = (minutes: readonly ExchangeMinute[]) => minutes.map((m) => (m.openTimeMs - firstMs) / minute);
const collect = (times: (number | string | null)[], order: "oldest-first" | "newest-first" = "oldest-first") => {
  const found = collectMinutes(times, page, order, (n) => (typeof n === "number" ? at(n) : (n as string | null)));
  return { times: timesOf(found.minutes), leftOut: Object.fromEntries(found.leftOut) };
};

describe("a page of klines", () => {
  test("comes out oldest first", () => {
    expect(collect([0, 1, 4])).toEqual({ times: [0, 1, 4], leftOut: {} });
    expect(collect([4, 1, 0], "newest-first")).toEqual({ times: [0, 1, 4], leftOut: {} });
    expect(collect([])).toEqual({ times: [], leftOut: {} });
  });

  test("loses what is twice there, out of order or was not asked for", () => {
    expect(collect([0, 2, 2, 1, 3])).toEqual({ times: [0, 2, 3], leftOut: { "out-of-order": 2 } });
    expect(collect([3, 3, 4, 1], "newest-first")).toEqual({ times: [1, 3], leftOut: { "out-of-order": 2 } });
    expect(collect([-1, 0, 5, 1])).toEqual({ times: [0, 1], leftOut: { "not-asked-for": 2 } });
  });

  test("loses what is broken, each counted by its reason, and what is not over", () => {
    expect(collect(["price", 0, "price", "volume", null])).toEqual({ times: [0], leftOut: { price: 2, volume: 1 } });
  });

  test("is no answer when all of it is broken, or when it is no list", () => {
    expect(() => collect(["price", "volume"])).toThrow(DomainError);
    for (const entries of [null, undefined, {}, "[]", 5])
      expect(() => collectMinutes(entries, page, "oldest-first", () => "x")).toThrow("the response holds no klines");
  });

  test("is of whole minutes, and no more than the exchange gives", () => {
    expect(minutesIn(page, 5)).toBe(5);
    for (const wrong of [page, { fromMs: firstMs + 1, toMs: firstMs + minute + 1 }, { fromMs: firstMs, toMs: firstMs }])
      expect(() => minutesIn(wrong, 4)).toThrow(RangeError);
  });
});

describe("a minute", () => {
  test("is canonical, and null where the exchange does not tell", () => {
    expect(at(0)).toEqual({
      ...raw,
      openTimeMs: firstMs,
      close: "2.5",
      tradeCount: null,
      takerBuyVolume: null,
      takerBuyQuoteVolume: null,
    });
  });

  test.each([
    ["high-low", { high: "2.4" }],
    ["high-low", { low: "2.1" }],
    ["high-low", { high: "1", low: "3" }],
    ["high-low", { open: "3.000000000000000001" }],
    ["open-time", { openTimeMs: firstMs + 1_000 }],
    ["open-time", { openTimeMs: String(firstMs) }],
    ["trade-count", { tradeCount: -1 }],
    ["trade-count", { tradeCount: 1.5 }],
    ["trade-count", { tradeCount: "5" }],
    ["taker-volume", { takerBuyVolume: "10.1" }],
    ["taker-volume", { takerBuyVolume: "-1" }],
    ["taker-volume", { takerBuyQuoteVolume: null }],
  ])("%s: %j", (reason, change) => {
    expect(soundMinute({ ...raw, openTimeMs: firstMs, ...change })).toBe(reason);
  });
});
