import { describe, expect, test } from "vitest";
import { changed, expectBadValuesOut, fetchFrom, firstMs, minute } from "../../../test/support/klines.js";
import { decimalText } from "../../core/decimal.js";
import { toFixedPoint } from "../../core/fixed-point.js";
import { futuresMinutes, readFuturesCandlestick, readSpotCandlestick, spotMinutes } from "./klines.js";

const seconds = (n: number) => (firstMs + n * minute) / 1000;
const range = `from=${seconds(0)}&to=${seconds(2)}&interval=1m`;

describe("candlesticks of spot", () => {
  const candlestick = (n: number): unknown[] => [
    String(seconds(n)),
    "971519.677",
    "0.0021724",
    "0.0021922",
    "0.0021720",
    "0.0021737",
    "447205.91",
    "true",
  ];

  test("have an order of their own", async () => {
    const { found, paths } = await fetchFrom(spotMinutes, "BTC_USDT", () =>
      JSON.stringify([candlestick(0), candlestick(2)]),
    );
    expect(paths).toEqual([`/api/v4/spot/candlesticks?currency_pair=BTC_USDT&${range}`]);
    expect(found).toEqual([
      {
        openTimeMs: firstMs,
        open: "0.0021737",
        high: "0.0021922",
        low: "0.002172",
        close: "0.0021724",
        volume: "447205.91",
        quoteVolume: "971519.677",
        tradeCount: null,
        takerBuyVolume: null,
        takerBuyQuoteVolume: null,
      },
      expect.objectContaining({ openTimeMs: firstMs + 2 * minute }),
    ]);
  });

  test("with bad values are left out, and the one that is forming", () => {
    const read = (change: Record<number | string, unknown>) => readSpotCandlestick(changed(candlestick(0), change));
    expectBadValuesOut(read, { prices: [2, 3, 4, 5], volumes: [1, 6] });
    for (const time of [
      undefined,
      null,
      seconds(0),
      "",
      "-60",
      String(seconds(0) + 1),
      String(firstMs).concat("1"),
      "1e40",
    ])
      expect(read({ 0: time })).toBe("open-time");
    expect(read({ 7: "false" })).toBeNull();
    for (const isClosed of [undefined, null, true, ""]) expect(read({ 7: isClosed })).toBe("is-closed");
    for (const wrong of [null, undefined, {}, "x", 5]) expect(readSpotCandlestick(wrong)).toBe("kline");
  });
});

describe("candlesticks of futures", () => {
  const candlestick = (n: number) => ({
    t: seconds(n),
    v: 97_151,
    c: "1.032",
    h: "1.04",
    l: "1.03",
    o: "1.033",
    sum: "3580.5",
  });
  const contract = JSON.stringify({ name: "BTC_USDT", type: "direct", quanto_multiplier: "0.0001" });

  test("count contracts, whose size is asked for with them", async () => {
    const { found, paths } = await fetchFrom(futuresMinutes, "BTC_USDT", (path) =>
      path.includes("/contracts/") ? contract : JSON.stringify([candlestick(0), candlestick(1)]),
    );
    expect(paths).toEqual([
      "/api/v4/futures/usdt/contracts/BTC_USDT",
      `/api/v4/futures/usdt/candlesticks?contract=BTC_USDT&${range}`,
    ]);
    expect(found).toMatchObject([
      {
        openTimeMs: firstMs,
        open: "1.033",
        high: "1.04",
        low: "1.03",
        close: "1.032",
        volume: "9.7151",
        quoteVolume: "3580.5",
      },
      { openTimeMs: firstMs + minute },
    ]);
  });

  test("of a contract without a size are not mapped", async () => {
    for (const size of ["0", "-1", null, "1e40"]) {
      const { found } = await fetchFrom(futuresMinutes, "BTC_USDT", () => JSON.stringify({ quanto_multiplier: size }));
      expect(found).toMatchObject({ message: "the contract has no size", details: { status: 200 } });
    }
  });

  test("with bad values are left out", () => {
    const size = toFixedPoint(decimalText("0.0001"));
    const read = (change: object) => readFuturesCandlestick({ ...candlestick(0), ...change }, size);
    expectBadValuesOut(read, { prices: ["o", "h", "l", "c"], volumes: ["sum"] });
    for (const v of [undefined, null, "x", -1, 1e40, 2 ** 53, true, {}]) expect(read({ v })).toBe("volume");
    for (const t of [undefined, null, String(seconds(0)), -60, 1.5, seconds(0) + 1, firstMs * 1e9, 1e40])
      expect(read({ t })).toBe("open-time");
    expect(read({ v: "97151" })).toMatchObject({ volume: "9.7151" });
    for (const wrong of [null, undefined, [], "x", 5])
      expect(typeof readFuturesCandlestick(wrong, size)).toBe("string");
  });
});
