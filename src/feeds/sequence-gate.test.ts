import { describe, expect, test } from "vitest";
import type { DecimalText } from "../core/decimal.js";
import type { TradeEvent } from "../market-data/events.js";
import { type GatedEvent, SequenceGate } from "./sequence-gate.js";

const lateForMs = 5_000;
const price = "1" as DecimalText;
const book = (exchangeSequence: number, receivedAtMs = 0, symbolId = 1): GatedEvent => ({
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
const statistics = (exchangeTimeMs: number): GatedEvent => ({
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

const trade = (exchangeSequence: number, tradeId: string): TradeEvent => ({
  kind: "trade",
  symbolId: 1,
  price,
  quantity: price,
  side: "BUY",
  tradeId,
  tradeCount: 1,
  exchangeSequence,
  exchangeTimeMs: 0,
  receivedAtMs: 0,
});

describe("sequence gate", () => {
  test("trades with one number pass once each, whichever connection brings them", () => {
    const gate = new SequenceGate(lateForMs);
    const [old, fresh] = [{ ended: false }, { ended: false }];
    expect(["a", "b", "c", "b", "a"].map((id) => gate.admit(trade(7, id), old))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(["a", "b", "c", "d"].map((id) => gate.admit(trade(7, id), fresh))).toEqual([false, false, false, true]);
    expect(gate.admit(trade(8, "a"), fresh)).toBe(true);
    expect(gate.admit(trade(7, "e"), fresh)).toBe(false);
  });

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
