import { describe, expect, test } from "vitest";
import { recordedFrames, recordedResponse, recordingsFolder } from "../../../test/support/recordings.js";
import { SequenceGate } from "../sequence-gate.js";
import { decodeFrame, type SpotSymbol } from "./map.js";
import { readInstruments } from "./rest.js";

const tickersIn = (bodies: readonly string[]): Map<string, SpotSymbol> => {
  const tickers = new Set(bodies.map((body) => (JSON.parse(body) as { data: { s: string } }).data.s));
  return new Map([...tickers].map((ticker, id) => [ticker, { id, streamPrefix: ticker.toLowerCase() }]));
};

function countsOf(name: string): { counts: Record<string, number>; outOfDate: number; symbols: number } {
  const frames = recordedFrames(name);
  const symbols = tickersIn(frames.map(({ body }) => body));
  const gate = new SequenceGate(5_000);
  const source = { ended: false };
  const counts: Record<string, number> = {};
  let outOfDate = 0;
  for (const { timeMs, body } of frames) {
    const decoded = decodeFrame(body, timeMs, symbols);
    const what = "what" in decoded ? `${decoded.kind} ${decoded.what}` : decoded.kind;
    counts[what] = (counts[what] ?? 0) + 1;
    const isEvent = decoded.kind === "bookTicker" || decoded.kind === "trade" || decoded.kind === "ticker24h";
    if (isEvent && !gate.admit(decoded, source)) outOfDate++;
  }
  return { counts, outOfDate, symbols: symbols.size };
}

describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
  test("every frame of the spot recording is understood or knowingly skipped", () => {
    expect(countsOf("binance-spot.ws.txt")).toEqual({
      counts: { bookTicker: 84, trade: 2, book: 177, "skipped kline": 2 },
      outOfDate: 0,
      symbols: 4,
    });
  });

  test("the futures recording, whose frames have more fields, is understood too", () => {
    expect(countsOf("binance-futures.ws.txt")).toEqual({
      counts: { bookTicker: 613, trade: 91, book: 764, "skipped kline": 67 },
      outOfDate: 0,
      symbols: 4,
    });
  });

  test("every instrument of the recorded list is read", () => {
    const text = recordedResponse("binance-spot.exchangeInfo.http.txt.gz");
    const { instruments, leftOut } = readInstruments(text);
    expect(instruments).toHaveLength(1695);
    expect(leftOut.size).toBe(0);
    expect(instruments.filter(({ status }) => status === "TRADING")).toHaveLength(1262);
    expect(instruments.filter(({ status }) => status === "HALT")).toHaveLength(433);

    const raw = JSON.parse(text) as { symbols: { symbol: string; filters: Record<string, string>[] }[] };
    const filters = raw.symbols.find(({ symbol }) => symbol === "BTCUSDT")?.filters ?? [];
    const rawValue = (type: string, field: string) => filters.find((f) => f.filterType === type)?.[field];
    expect(rawValue("PRICE_FILTER", "tickSize")).toBe("0.01000000");
    expect(rawValue("LOT_SIZE", "stepSize")).toBe("0.00001000");
    expect(rawValue("MIN_NOTIONAL", "minNotional")).toBe("10.00000000");
    expect(instruments.find(({ ticker }) => ticker === "BTCUSDT")).toEqual({
      ticker: "BTCUSDT",
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      status: "TRADING",
      tickSize: "0.01",
      stepSize: "0.00001",
      minQuantity: "0.00001",
      maxQuantity: "9000",
      minOrderValue: "10",
      maxOrderValue: null,
    });
  });
});
