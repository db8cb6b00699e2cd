import { describe, expect, test } from "vitest";
import { changed, expectBadValuesOut, fetchFrom, firstMs, minute } from "../../../test/support/klines.js";
import { readCandle, spotMinutes, swapMinutes } from "./klines.js";

const candle = (n: number): unknown[] => [
  String(firstMs + n * minute),
  "3.721",
  "3.743",
  "3.677",
  "3.708",
  "8422410",
  "22698348.04828491",
  "12698348.04828491",
  "1",
];
const answer = (data: unknown, code = "0") => JSON.stringify({ code, msg: code === "0" ? "" : "refused", data });

describe("candles", () => {
  const all = answer([candle(2), candle(1), candle(0)]);
  const path = (name: string, to: number) =>
    `/api/v5/market/${name}?instId=BTC-USDT&bar=1m&after=${firstMs + to * minute}&before=${firstMs - 1}&limit=100`;

  test("of spot count in the base currency, of swaps in contracts, which are passed over", async () => {
    const spot = await fetchFrom(spotMinutes, "BTC-USDT", () => all);
    expect(spot.paths).toEqual([path("candles", 3)]);
    expect(spot.found).toHaveLength(3);
    expect(spot.found).toMatchObject([
      {
        openTimeMs: firstMs,
        open: "3.721",
        high: "3.743",
        low: "3.677",
        close: "3.708",
        volume: "8422410",
        quoteVolume: "12698348.04828491",
        tradeCount: null,
      },
      {},
      {},
    ]);
    const swap = await fetchFrom(swapMinutes, "BTC-USDT-SWAP", () => all);
    expect(swap.found).toMatchObject([{ volume: "22698348.04828491", quoteVolume: "12698348.04828491" }, {}, {}]);
  });

  test("that are too old for the newest come from the history", async () => {
    const { found, paths } = await fetchFrom(spotMinutes, "BTC-USDT", (asked) =>
      asked.includes("history") ? answer([candle(1), candle(0)]) : answer([candle(2)]),
    );
    expect(paths).toEqual([path("candles", 3), path("history-candles", 2)]);
    expect((found as { openTimeMs: number }[]).map(({ openTimeMs }) => (openTimeMs - firstMs) / minute)).toEqual([
      0, 1, 2,
    ]);
  });

  test("that are not confirmed are not over", async () => {
    const { found, logged } = await fetchFrom(spotMinutes, "BTC-USDT", () =>
      answer([changed(candle(2), { 8: "0" }), candle(1), candle(0)]),
    );
    expect(found).toHaveLength(2);
    expect(logged).toEqual([]);
  });

  test("with bad values are left out", () => {
    const readSpot = (change: Record<number | string, unknown>) => readCandle(changed(candle(0), change), "SPOT");
    const readSwap = (change: Record<number | string, unknown>) => readCandle(changed(candle(0), change), "SWAP");
    expectBadValuesOut(readSpot, { prices: [1, 2, 3, 4], volumes: [5, 7] });
    expectBadValuesOut(readSwap, { prices: [1, 2, 3, 4], volumes: [6, 7] });
    for (const time of [undefined, null, firstMs, "", "-60000", String(firstMs + 1), "1e40"])
      expect(readSpot({ 0: time })).toBe("open-time");
    for (const confirm of [undefined, null, 1, true, "", "2"]) expect(readSpot({ 8: confirm })).toBe("confirm");
    for (const wrong of [null, undefined, {}, "x", 5]) expect(readCandle(wrong, "SPOT")).toBe("kline");
  });

  test("that are refused are an error", async () => {
    for (const body of ["", "[]", "null", answer(null), answer([], "51001")])
      expect((await fetchFrom(spotMinutes, "BTC-USDT", () => body)).found).toMatchObject({
        code: "PROVIDER_UNAVAILABLE",
      });
    expect((await fetchFrom(spotMinutes, "X", () => answer([], "51001"))).found).toMatchObject({
      details: { status: 200 },
    });
  });
});
