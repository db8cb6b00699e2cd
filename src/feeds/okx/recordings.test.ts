import { describe, expect, test } from "vitest";
import { listOf } from "../../../test/support/bad-values.js";
import { recordedFrames, recordedResponse, recordingsFolder } from "../../../test/support/recordings.js";
import { fixedPointOne } from "../../core/fixed-point.js";
import { SequenceGate } from "../sequence-gate.js";
import { decodeFrame, type OkxMarket } from "./map.js";
import { readContractSizes, readSpotInstruments, readSwapInstruments } from "./rest.js";

const tickers = ["BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"];
const context = {
  symbols: new Map(tickers.map((ticker, id) => [ticker, { id, streamPrefix: ticker }])),
  contractSizes: new Map(tickers.map((ticker) => [ticker, fixedPointOne])),
};

function countsOf(market: OkxMarket): { counts: Record<string, number>; outOfDate: number } {
  const gate = new SequenceGate(5_000);
  const source = { ended: false };
  const counts: Record<string, number> = {};
  let outOfDate = 0;
  for (const { timeMs, body } of recordedFrames("okx.ws.txt")) {
    for (const decoded of listOf(decodeFrame(body, timeMs, market, context))) {
      const what = "what" in decoded ? `${decoded.kind} ${decoded.what}` : decoded.kind;
      counts[what] = (counts[what] ?? 0) + 1;
      const isEvent = decoded.kind === "trade" || decoded.kind === "ticker24h";
      if (isEvent && !gate.admit(decoded, source)) outOfDate++;
    }
  }
  return { counts, outOfDate };
}

describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
  test.each(["SPOT", "SWAP"] as const)("every frame is understood or knowingly skipped: %s", (market) => {
    expect(countsOf(market)).toEqual({
      counts: { answer: 18, ticker24h: 28, trade: 74, book: 290 },
      outOfDate: 0,
    });
  });

  test("every spot instrument of the recorded list is read", () => {
    const { instruments, leftOut } = readSpotInstruments(
      recordedResponse("okx.instruments.http.txt.gz", "instType=SPOT"),
    );
    expect(instruments).toHaveLength(513);
    expect(leftOut.size).toBe(0);
    expect(instruments.every(({ status }) => status === "TRADING")).toBe(true);
    expect(instruments.find(({ ticker }) => ticker === "BTC-USDT")).toEqual({
      ticker: "BTC-USDT",
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      status: "TRADING",
      tickSize: "0.1",
      stepSize: "0.00000001",
      minQuantity: "0.00001",
      maxQuantity: "9999999999",
      minOrderValue: null,
      maxOrderValue: null,
    });
  });

  test("of the swaps the linear ones are read, in base currency", () => {
    const text = recordedResponse("okx.instruments.http.txt.gz", "instType=SWAP");
    const { instruments, leftOut } = readSwapInstruments(text);
    expect(instruments).toHaveLength(126);
    expect(leftOut.size).toBe(0);
    expect(instruments.find(({ ticker }) => ticker === "BTC-USDT-SWAP")).toEqual({
      ticker: "BTC-USDT-SWAP",
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      status: "TRADING",
      tickSize: "0.1",
      stepSize: "0.01",
      minQuantity: "0.01",
      maxQuantity: "1000000",
      minOrderValue: null,
      maxOrderValue: null,
    });
    const sizes = readContractSizes(text);
    expect(sizes.size).toBe(126);
    expect(sizes.get("BTC-USDT-SWAP")).toBe(fixedPointOne / 100n);
  });
});
