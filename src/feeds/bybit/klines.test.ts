import { describe, expect, test } from "vitest";
import { changed, expectBadValuesOut, fetchFrom, firstMs, minute } from "../../../test/support/klines.js";
import { futuresMinutes, readKline, spotMinutes } from "./klines.js";

const kline = (n: number): unknown[] => [
  String(firstMs + n * minute),
  "17071",
  "17073.50",
  "17027",
  "17055.5",
  "268611",
  "15.74462667",
];
const answer = (list: unknown, more: object = {}) =>
  JSON.stringify({ retCode: 0, retMsg: "OK", result: { symbol: "BTCUSDT", category: "linear", list }, ...more });

describe("klines", () => {
  test.each([
    ["spot", spotMinutes],
    ["linear", futuresMinutes],
  ])("of %s come newest first and do not tell who took", async (category, source) => {
    const { found, paths } = await fetchFrom(source, "BTCUSDT", () => answer([kline(2), kline(0)]));
    expect(paths).toEqual([
      `/v5/market/kline?category=${category}&symbol=BTCUSDT&interval=1&start=${firstMs}&end=${firstMs + 3 * minute - 1}&limit=3`,
    ]);
    expect(found).toEqual([
      {
        openTimeMs: firstMs,
        open: "17071",
        high: "17073.5",
        low: "17027",
        close: "17055.5",
        volume: "268611",
        quoteVolume: "15.74462667",
        tradeCount: null,
        takerBuyVolume: null,
        takerBuyQuoteVolume: null,
      },
      expect.objectContaining({ openTimeMs: firstMs + 2 * minute }),
    ]);
  });

  test("with bad values are left out", () => {
    const read = (change: Record<number | string, unknown>) => readKline(changed(kline(0), change));
    expectBadValuesOut(read, { prices: [1, 2, 3, 4], volumes: [5, 6] });
    for (const time of [undefined, null, firstMs, "", "-60000", String(firstMs + 1), "1e40"])
      expect(read({ 0: time })).toBe("open-time");
    for (const wrong of [null, undefined, {}, "x", 5]) expect(readKline(wrong)).toBe("kline");
    expect(readKline([])).toBe("open-time");
  });

  test("that are refused are an error that says how long to wait", async () => {
    const refused = async (body: string) => (await fetchFrom(spotMinutes, "BTCUSDT", () => body)).found;
    const limited = answer([], { retCode: 10_006, retMsg: "Too many visits!" });
    expect(await refused(limited)).toMatchObject({ code: "PROVIDER_UNAVAILABLE", details: { retryAfterSeconds: 5 } });
    expect(await refused(answer([], { retCode: 10_018 }))).toMatchObject({ details: { retryAfterSeconds: 600 } });
    const unknown = await refused(answer([], { retCode: 10_001, retMsg: "Not supported symbols" }));
    expect(unknown).toMatchObject({
      message: expect.stringContaining("Not supported symbols"),
      details: { status: 200 },
    });
    for (const body of ["", "[]", "null", answer(null), answer([], { result: null })])
      expect(await refused(body)).toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
  });
});
