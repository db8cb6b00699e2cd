import { expect } from "vitest";
import type { Decoded } from "../../src/feeds/stream/protocol.js";

/*
 * What exchanges have sent, or could send, in place of a sound value. A mapping has to reject each of them by name.
 */

const noText = [undefined, null, 5, true, {}, []];
const noNumber = [
  " 1",
  "+1",
  "1e5",
  "1e40",
  "NaN",
  "0x10",
  "1,5",
  ".5",
  "--1",
  "9".repeat(21),
  "0.1234567890123456789",
];

/** No decimal number in text that the database can hold. */
export const badAmounts: readonly unknown[] = [...noText, ...noNumber, "9".repeat(400)];
/** No price or quantity. */
export const badPrices: readonly unknown[] = [...badAmounts, "0.00", "-1", "-0.00000001"];
/** No order number. */
export const badSequences: readonly unknown[] = [undefined, null, "41", 1.5, -1, 2 ** 53, 1e40, true, [41]];
/** As {@link badSequences} where the exchange sends text. */
export const badSequenceTexts: readonly unknown[] = [undefined, null, 41, "", "1.5", "-1", "9007199254740993", "1e40"];

export const badTimes = (nowMs: number): readonly unknown[] => [
  undefined,
  null,
  String(nowMs),
  0,
  -1,
  Math.floor(nowMs / 1000),
  nowMs * 1000,
  nowMs + 86_400_001,
  1e40,
];

export const badTimeTexts = (nowMs: number): readonly unknown[] => [
  undefined,
  null,
  nowMs,
  "",
  "0",
  "-1",
  String(Math.floor(nowMs / 1000)),
  String(nowMs * 1000),
  String(nowMs + 86_400_001),
  "1e40",
];

export type Fields = Record<string, unknown>;

/** Rows of a table test: the frame with each of the values in each of the fields, and the expected reason. */
export const table = (
  frame: (change: Fields) => string,
  fields: readonly string[],
  values: readonly unknown[],
  what: string,
): [name: string, frame: string, what: string][] =>
  fields.flatMap((field) =>
    values.map((value): [string, string, string] => [
      `${field} = ${JSON.stringify(value)?.slice(0, 40)}`,
      frame({ [field]: value }),
      what,
    ]),
  );

export const listOf = (decoded: Decoded | readonly Decoded[]): readonly Decoded[] =>
  "kind" in decoded ? [decoded] : decoded;

const positive = /^(?!0+(\.0+)?$)(0|[1-9]\d{0,19})(\.\d{0,17}[1-9])?$/;

/** What every consumer of events relies on, written independently of the mappings. */
export function expectSound(decoded: Decoded): void {
  switch (decoded.kind) {
    case "bookTicker":
      for (const text of [decoded.bid, decoded.bidQuantity, decoded.ask, decoded.askQuantity]) {
        if (text !== null) expect(text).toMatch(positive);
      }
      expect(decoded.bid === null).toBe(decoded.bidQuantity === null);
      expect(decoded.ask === null).toBe(decoded.askQuantity === null);
      expect(Number.isSafeInteger(decoded.exchangeSequence)).toBe(true);
      return;
    case "trade":
      expect(decoded.price).toMatch(positive);
      expect(decoded.quantity).toMatch(positive);
      expect(decoded.tradeId).not.toBe("");
      expect(decoded.tradeCount).toBeGreaterThan(0);
      expect(Number.isSafeInteger(decoded.exchangeSequence)).toBe(true);
      return;
    case "ticker24h":
      for (const text of [decoded.last, decoded.open, decoded.high, decoded.low]) expect(text).toMatch(positive);
      for (const text of [decoded.volume, decoded.quoteVolume]) expect(text).toMatch(/^\d+(\.\d{1,18})?$/);
      for (const text of [decoded.change, decoded.changePercent]) expect(text).toMatch(/^-?\d+(\.\d{1,18})?$/);
      return;
    case "fundingRate":
      expect(decoded.rate).toMatch(/^-?\d+(\.\d{1,18})?$/);
      for (const text of [decoded.markPrice, decoded.indexPrice]) if (text !== null) expect(text).toMatch(positive);
      return;
    case "book": {
      const levels = decoded.message.kind === "diff" ? decoded.message.diff : decoded.message.snapshot;
      for (const [price, quantity] of [...levels.bids, ...levels.asks]) {
        expect(price).toMatch(positive);
        if (quantity !== "0") expect(quantity).toMatch(positive);
      }
      return;
    }
    case "skipped":
    case "rejected":
      expect(decoded.what.length).toBeGreaterThan(2);
  }
}
