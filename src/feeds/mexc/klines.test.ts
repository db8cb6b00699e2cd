import { describe, expect, test } from "vitest";
import {
  badMinuteTimes,
  changed,
  expectBadValuesOut,
  fetchFrom,
  firstMs,
  minute,
} from "../../../test/support/klines.js";
import { minutes, readKline } from "./klines.js";

const kline = (n: number): unknown[] => [
  firstMs + n * minute,
  "47482.36",
  "47482.36",
  "47416.57",
  "47436.10",
  "3.550717",
  firstMs + (n + 1) * minute,
  "168387.3",
];

describe("klines", () => {
  test("come oldest first and tell neither trades nor who took", async () => {
    const { found, paths } = await fetchFrom(minutes, "BTCUSDT", () => JSON.stringify([kline(0), kline(2)]));
    expect(paths).toEqual([
      `/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=${firstMs}&endTime=${firstMs + 3 * minute - 1}&limit=3`,
    ]);
    expect(found).toEqual([
      {
        openTimeMs: firstMs,
        open: "47482.36",
        high: "47482.36",
        low: "47416.57",
        close: "47436.1",
        volume: "3.550717",
        quoteVolume: "168387.3",
        tradeCount: null,
        takerBuyVolume: null,
        takerBuyQuoteVolume: null,
      },
      expect.objectContaining({ openTimeMs: firstMs + 2 * minute }),
    ]);
  });

  test("with bad values are left out", () => {
    const read = (change: Record<number | string, unknown>) => readKline(changed(kline(0), change));
    expectBadValuesOut(read, { prices: [1, 2, 3, 4], volumes: [5, 7] });
    for (const time of badMinuteTimes) expect(read({ 0: time })).toBe("open-time");
    expect(read({ 2: "47482.35" })).toBe("high-low");
    expect(read({ 3: "47436.2" })).toBe("high-low");
    for (const wrong of [null, undefined, {}, "x", 5]) expect(readKline(wrong)).toBe("kline");
  });

  test("too large a page is refused, and an error of the exchange is no page", async () => {
    expect((await fetchFrom(minutes, "BTCUSDT", () => "[]", 501)).found).toBeInstanceOf(RangeError);
    const { found } = await fetchFrom(minutes, "NONE", () => '{"code":-1121,"msg":"Invalid symbol."}');
    expect(found).toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
  });
});
