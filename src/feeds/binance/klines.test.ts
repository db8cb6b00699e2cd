import { describe, expect, test } from "vitest";
import {
  badMinuteTimes,
  changed,
  expectBadValuesOut,
  fetchFrom,
  firstMs,
  minute,
} from "../../../test/support/klines.js";
import { minutes as futuresMinutes } from "../binance-futures/klines.js";
import { minutes, readKline } from "./klines.js";

const kline = (n: number): unknown[] => [
  firstMs + n * minute,
  "0.01634790",
  "0.80000000",
  "0.01575800",
  "0.01577100",
  "148976.11427815",
  firstMs + (n + 1) * minute - 1,
  "2434.19055334",
  308,
  "1756.87402397",
  "28.46694368",
  "0",
];

describe("klines", () => {
  test.each([
    ["spot", minutes, "/api/v3/klines"],
    ["futures", futuresMinutes, "/fapi/v1/klines"],
  ])("of %s are asked for by the page and mapped with all they tell", async (_, source, path) => {
    const { found, paths, logged } = await fetchFrom(source, "BTCUSDT", () => JSON.stringify([kline(0), kline(2)]));
    expect(paths).toEqual([
      `${path}?symbol=BTCUSDT&interval=1m&startTime=${firstMs}&endTime=${firstMs + 3 * minute - 1}&limit=3`,
    ]);
    expect(found).toEqual([
      {
        openTimeMs: firstMs,
        open: "0.0163479",
        high: "0.8",
        low: "0.015758",
        close: "0.015771",
        volume: "148976.11427815",
        quoteVolume: "2434.19055334",
        tradeCount: 308,
        takerBuyVolume: "1756.87402397",
        takerBuyQuoteVolume: "28.46694368",
      },
      expect.objectContaining({ openTimeMs: firstMs + 2 * minute }),
    ]);
    expect(logged).toEqual([]);
  });

  test("with bad values are left out", () => {
    const read = (change: Record<number | string, unknown>) => readKline(changed(kline(0), change));
    expectBadValuesOut(read, { prices: [1, 2, 3, 4], volumes: [5, 7] });
    for (const time of badMinuteTimes) expect(read({ 0: time })).toBe("open-time");
    for (const count of [undefined, null, "308", -1, 1.5, 1e40]) expect(read({ 8: count })).toBe("trade-count");
    for (const field of [9, 10])
      for (const part of [undefined, null, 1, "-1", "148976.2", "1e40"])
        expect(read({ [field]: part })).toBe("taker-volume");
    for (const wrong of [null, undefined, {}, "x", 5]) expect(readKline(wrong)).toBe("kline");
    expect(readKline([])).toBe("trade-count");
  });

  test("that are left out are logged", async () => {
    const klines = [kline(0), changed(kline(1), { 2: "0.001" }), changed(kline(2), { 4: null })];
    const { found, logged } = await fetchFrom(minutes, "BTCUSDT", () => JSON.stringify(klines));
    expect(found).toMatchObject([{ openTimeMs: firstMs }]);
    expect(logged).toMatchObject([{ leftOut: { "high-low": 1, price: 1 } }]);
  });

  test("that do not come are an error with a reason", async () => {
    const answers = { "": "not JSON", "{}": "no klines", '{"code":-1121,"msg":"Invalid symbol."}': "no klines" };
    for (const [body, reason] of Object.entries(answers)) {
      const { found } = await fetchFrom(minutes, "BTCUSDT", () => body);
      expect(found).toMatchObject({ code: "PROVIDER_UNAVAILABLE", message: expect.stringContaining(reason) });
    }
    const { found } = await fetchFrom(minutes, "BTCUSDT", () => null);
    expect(found).toMatchObject({ code: "PROVIDER_UNAVAILABLE", details: { status: 500 } });
    expect((await fetchFrom(minutes, "BTCUSDT", () => "[]", 1_001)).found).toBeInstanceOf(RangeError);
  });
});
