import { describe, expect, test } from "vitest";
import { recordedFrames, recordedResponse, recordingsFolder } from "../../../test/support/recordings.js";
import { DomainError } from "../../core/errors.js";
import { type GatedEvent, SequenceGate } from "../sequence-gate.js";
import { decodeFrame } from "./map.js";
import { readInstruments } from "./rest.js";

const tickers = ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"];
const context = {
  symbols: new Map(tickers.map((ticker, id) => [ticker, { id, streamPrefix: ticker.toLowerCase() }])),
  contractSizes: new Map(),
};

describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
  test("every frame is understood or knowingly skipped", () => {
    const gate = new SequenceGate(5_000);
    const source = { ended: false };
    const counts: Record<string, number> = {};
    const events: GatedEvent[] = [];
    for (const { timeMs, body } of recordedFrames("binance-futures.ws.txt")) {
      const decoded = decodeFrame(body, timeMs, context);
      const what = "what" in decoded ? `${decoded.kind} ${decoded.what}` : decoded.kind;
      counts[what] = (counts[what] ?? 0) + 1;
      if (decoded.kind === "bookTicker" || decoded.kind === "trade") events.push(decoded);
    }
    expect(counts).toEqual({ bookTicker: 613, trade: 91, book: 764, "skipped kline": 67 });
    expect(events.filter((event) => !gate.admit(event, source))).toEqual([]);
    expect(
      events.every(({ exchangeTimeMs, receivedAtMs }) => Math.abs(receivedAtMs - Number(exchangeTimeMs)) < 5_000),
    ).toBe(true);
  });

  test("the perpetuals of the recorded list are read", () => {
    const { instruments, leftOut } = readInstruments(recordedResponse("binance-futures.exchangeInfo.http.txt.gz"));
    expect(leftOut.size).toBe(0);
    expect(instruments).toHaveLength(119);
    expect(instruments.find(({ ticker }) => ticker === "BTCUSDT")).toEqual({
      ticker: "BTCUSDT",
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      status: "TRADING",
      tickSize: "0.01",
      stepSize: "0.001",
      minQuantity: "0.001",
      maxQuantity: "1000",
      minOrderValue: "5",
      maxOrderValue: null,
    });
  });
});

describe("the instrument list", () => {
  const entry = {
    symbol: "BTCUSDT",
    contractType: "PERPETUAL",
    status: "TRADING",
    baseAsset: "BTC",
    quoteAsset: "USDT",
    filters: [
      { filterType: "PRICE_FILTER", tickSize: "0.10" },
      { filterType: "LOT_SIZE", stepSize: "0.001", minQty: "0.001", maxQty: "1000" },
      { filterType: "MIN_NOTIONAL", notional: "100" },
    ],
  };
  const read = (change: object) => readInstruments(JSON.stringify({ symbols: [{ ...entry, ...change }] }));

  test("only perpetuals that trade", () => {
    expect(read({}).instruments).toMatchObject([{ ticker: "BTCUSDT", tickSize: "0.1", minOrderValue: "100" }]);
    for (const change of [
      { contractType: "CURRENT_QUARTER" },
      { contractType: "TRADIFI_PERPETUAL" },
      { contractType: "", status: "PENDING_TRADING" },
      { status: "SETTLING" },
      { status: "CLOSE" },
    ]) {
      expect(read(change)).toEqual({ instruments: [], brokenTickers: [], leftOut: new Map() });
    }
  });

  test.each([
    [{ contractType: null }, "names"],
    [{ status: 1 }, "names"],
    [{ baseAsset: "" }, "names"],
    [{ filters: [] }, "price-filter"],
    [{ filters: [entry.filters[0], entry.filters[1], { filterType: "MIN_NOTIONAL", notional: "1e40" }] }, "notional"],
  ])("a broken entry is left out: %j", (change, reason) => {
    expect(read(change)).toMatchObject({ instruments: [], leftOut: new Map([[reason, 1]]) });
  });

  test("no list at all", () => {
    for (const text of ["", "null", "{}", '{"code":-1003}']) expect(() => readInstruments(text)).toThrow(DomainError);
  });
});
