import { describe, expect, test } from "vitest";
import { listOf } from "../../../test/support/bad-values.js";
import { recordedFrames, recordedResponse, recordingsFolder } from "../../../test/support/recordings.js";
import type { BookTickerEvent } from "../../market-data/events.js";
import { SequenceGate } from "../sequence-gate.js";
import { decodeFrame } from "./map.js";
import { readContractSizes, readContracts } from "./rest.js";

describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
  test("every frame of the futures recording is understood or knowingly skipped", () => {
    const contractSizes = readContractSizes(recordedResponse("gateio-futures.contracts.http.txt.gz"));
    const symbols = new Map([...contractSizes.keys()].map((ticker, id) => [ticker, { id, streamPrefix: ticker }]));
    const gate = new SequenceGate(5_000);
    const source = { ended: false };
    const counts: Record<string, number> = {};
    const books: BookTickerEvent[] = [];
    for (const { timeMs, body } of recordedFrames("gateio-futures.ws.txt")) {
      for (const decoded of listOf(decodeFrame(body, timeMs, { symbols, contractSizes }))) {
        const what = "what" in decoded ? `${decoded.kind} ${decoded.what}` : decoded.kind;
        counts[what] = (counts[what] ?? 0) + 1;
        if (decoded.kind === "bookTicker") books.push(decoded);
      }
    }
    expect(counts).toEqual({
      answer: 22,
      book: 352,
      bookTicker: 75,
      "skipped futures.candlesticks": 1,
    });
    expect(books.filter((event) => !gate.admit(event, source))).toEqual([]);
    // The first one: 814 contracts of 1 PHB each.
    const [first] = books;
    expect(first).toMatchObject({ bid: "0.7379", bidQuantity: "814", ask: "0.739", askQuantity: "677" });
  });

  test("every contract of the recorded list is read", () => {
    const text = recordedResponse("gateio-futures.contracts.http.txt.gz");
    const { instruments, brokenTickers, leftOut } = readContracts(text);
    expect(instruments).toHaveLength(302);
    expect(brokenTickers).toEqual([]);
    expect(leftOut.size).toBe(0);
    expect(readContractSizes(text).size).toBe(302);
    expect(instruments.find(({ ticker }) => ticker === "BTC_USDT")).toEqual({
      ticker: "BTC_USDT",
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      status: "TRADING",
      tickSize: "0.1",
      stepSize: "0.0001",
      minQuantity: "0.0001",
      maxQuantity: "100",
      minOrderValue: null,
      maxOrderValue: null,
    });
  });
});
