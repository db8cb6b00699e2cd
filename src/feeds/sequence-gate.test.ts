import { describe, expect, test } from "vitest";
import type { DecimalText } from "../core/decimal.js";
import type { MarketEvent } from "../market-data/events.js";
import { SequenceGate } from "./sequence-gate.js";

const lateForMs = 5_000;
const price = "1" as DecimalText;
const book = (exchangeSequence: number, receivedAtMs = 0, symbolId = 1): MarketEvent => ({
  kind: "bookTicker",
  symbolId,
  bid: price,
  bidQuantity: price,
  ask: price,
  askQuantity: price,
  exchangeSequence,
  exchangeTimeMs: null,
  receivedAtMs,
});
const statistics = (exchangeTimeMs: number): MarketEvent => ({
  kind: "ticker24h",
  symbolId: 1,
  last: price,
  open: price,
  high: price,
  low: price,
  change: price,
  changePercent: price,
  volume: price,
  quoteVolume: price,
  exchangeTimeMs,
  receivedAtMs: 0,
});

describe("sequence gate", () => {
  test("only what is newer passes, per symbol and kind", () => {
    const gate = new SequenceGate(lateForMs);
    const source = { ended: false };
    expect([5, 5, 4, 6, 6].map((n) => gate.admit(book(n), source))).toEqual([true, false, false, true, false]);
    expect(gate.admit(book(1, 0, 2), source)).toBe(true);
    expect([5, 5, 4, 6].map((ms) => gate.admit(statistics(ms), source))).toEqual([true, false, false, true]);
  });

  test("a second connection that is behind stays dropped while the one ahead is open, however far and long", () => {
    const gate = new SequenceGate(lateForMs);
    const ahead = { ended: false };
    const behind = { ended: false };
    gate.admit(book(1_000), ahead);
    expect(gate.admit(book(1, 0), behind)).toBe(false);
    expect(gate.admit(book(2, 60_000), behind)).toBe(false);
    expect(gate.admit(book(1_001, 60_000), behind)).toBe(true);
  });

  test("after the connection ended, another one with less than half the number is a new numbering", () => {
    const gate = new SequenceGate(lateForMs);
    gate.admit(book(1_000), { ended: true });
    const next = { ended: false };
    expect([499, 498, 500].map((n) => gate.admit(book(n), next))).toEqual([true, false, true]);
  });

  test("after the connection ended, another one slightly behind is late at first, and believed when it stays so", () => {
    const gate = new SequenceGate(lateForMs);
    gate.admit(book(1_000), { ended: true });
    const next = { ended: false };
    expect(gate.admit(book(900, 10_000), next)).toBe(false);
    expect(gate.admit(book(950, 14_999), next)).toBe(false);
    expect(gate.admit(book(951, 15_000), next)).toBe(true);
    expect(gate.admit(book(952, 15_001), next)).toBe(true);
  });

  test("lateness is counted anew after something newer came", () => {
    const gate = new SequenceGate(lateForMs);
    const source = { ended: false };
    gate.admit(book(1_000, 0), source);
    expect(gate.admit(book(999, 1_000), source)).toBe(false);
    expect(gate.admit(book(1_001, 3_000), source)).toBe(true);
    expect(gate.admit(book(998, 7_000), source)).toBe(false);
  });

  test("a single absurdly high number mutes its symbol for a while only", () => {
    const gate = new SequenceGate(lateForMs);
    const source = { ended: false };
    gate.admit(book(1_000, 0), source);
    gate.admit(book(Number.MAX_SAFE_INTEGER, 1), source);
    expect([2, 3_000, 5_002].map((ms, i) => gate.admit(book(1_001 + i, ms), source))).toEqual([false, false, true]);
  });

  test("the last number itself is never repeated", () => {
    const gate = new SequenceGate(lateForMs);
    const source = { ended: false };
    gate.admit(book(5), source);
    expect([0, 60_000, 120_000].map((ms) => gate.admit(book(5, ms), source))).toEqual([false, false, false]);
  });

  test("a forgotten symbol starts anew", () => {
    const gate = new SequenceGate(lateForMs);
    const source = { ended: false };
    gate.admit(book(5), source);
    gate.forget(1);
    expect(gate.admit(book(1), source)).toBe(true);
  });
});
