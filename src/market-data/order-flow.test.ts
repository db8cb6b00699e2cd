import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Decimal, decimalText } from "../core/decimal.js";
import { fromFixedPoint, toFixedPoint } from "../core/fixed-point.js";
import type { BookTickerEvent } from "./events.js";
import { MicropriceModel } from "./microprice.js";
import { OrderFlowMeter } from "./order-flow.js";

const startMs = Date.UTC(2026, 10, 20, 10);
const windowMs = 1_000;
const tick = decimalText("0.01");

const book = (bid: number, bidQuantity: number, ask: number, askQuantity: number, atMs = startMs): BookTickerEvent => ({
  kind: "bookTicker",
  symbolId: 1,
  bid: decimalText((bid / 100).toFixed(2)),
  bidQuantity: decimalText(String(bidQuantity)),
  ask: decimalText((ask / 100).toFixed(2)),
  askQuantity: decimalText(String(askQuantity)),
  exchangeSequence: 1,
  exchangeTimeMs: atMs,
  receivedAtMs: atMs,
});
const meter = () => new OrderFlowMeter(1, windowMs, tick);
const flowOf = (...events: BookTickerEvent[]) => {
  const subject = meter();
  for (const event of events) subject.apply(event);
  return subject.measure(startMs);
};

describe("order-flow imbalance", () => {
  const before = book(10_000, 5, 10_002, 7);
  test.each([
    ["more is bid at the same price", book(10_000, 8, 10_002, 7), "3"],
    ["less is bid at the same price", book(10_000, 1, 10_002, 7), "-4"],
    ["a better bid counts whole", book(10_001, 2, 10_002, 7), "2"],
    ["a worse bid takes away what was there", book(9_999, 9, 10_002, 7), "-5"],
    ["more is asked at the same price", book(10_000, 5, 10_002, 10), "-3"],
    ["a better ask counts whole", book(10_000, 5, 10_001, 4), "-4"],
    ["a worse ask takes away what was there", book(10_000, 5, 10_003, 1), "7"],
    ["nothing changed", before, "0"],
  ])("%s", (_, now, ofi) => {
    expect(flowOf(before, now)?.ofi).toBe(ofi);
  });

  test("there is none while a side is empty, and what changed meanwhile does not count", () => {
    const oneSided = { ...before, bid: null, bidQuantity: null };
    expect(flowOf(before, oneSided)).toBeNull();
    expect(flowOf(before, oneSided, book(10_001, 100, 10_002, 7))?.ofi).toBe("0");
  });

  test("reset forgets the window and what was last seen", () => {
    const subject = meter();
    subject.apply(before);
    subject.apply(book(10_000, 8, 10_002, 7));
    subject.reset();
    subject.apply(book(10_000, 50, 10_002, 7));
    expect(subject.measure(startMs)?.ofi).toBe("0");
  });

  test("is the sum over the window, whatever comes when", () => {
    const steps = fc.array(
      fc.record({
        bid: fc.integer({ min: 9_990, max: 10_000 }),
        bidQuantity: fc.integer({ min: 1, max: 50 }),
        spread: fc.integer({ min: 1, max: 3 }),
        askQuantity: fc.integer({ min: 1, max: 50 }),
        gapMs: fc.integer({ min: 0, max: 400 }),
      }),
      { minLength: 2, maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const subject = meter();
        let nowMs = startMs;
        const contributions: { atMs: number; e: Decimal }[] = [];
        let last: (typeof all)[number] | undefined;
        for (const step of all) {
          nowMs += step.gapMs;
          subject.apply(book(step.bid, step.bidQuantity, step.bid + step.spread, step.askQuantity, nowMs));
          if (last !== undefined) {
            const [ask, lastAsk] = [step.bid + step.spread, last.bid + last.spread];
            const e =
              (step.bid >= last.bid ? step.bidQuantity : 0) -
              (step.bid <= last.bid ? last.bidQuantity : 0) -
              (ask <= lastAsk ? step.askQuantity : 0) +
              (ask >= lastAsk ? last.askQuantity : 0);
            contributions.push({ atMs: nowMs, e: new Decimal(e) });
          }
          last = step;
        }
        // The window moves in whole twentieths.
        const partOf = (atMs: number) => Math.floor(atMs / (windowMs / 20));
        const inside = contributions.filter(({ atMs }) => partOf(atMs) > partOf(nowMs) - 20);
        const expected = inside.reduce((sum, { e }) => sum.plus(e), new Decimal(0));
        expect(subject.measure(nowMs)?.ofi).toBe(decimalText(expected));
      }),
    );
  });

  test("volume imbalance is the quantity that is bid more, as a share of both", () => {
    expect(flowOf(book(10_000, 3, 10_002, 1))?.volumeImbalance).toBe("0.5");
    expect(flowOf(book(10_000, 1, 10_002, 3))?.volumeImbalance).toBe("-0.5");
  });
});

describe("the microprice", () => {
  const fixed = (n: number) => toFixedPoint(decimalText(n.toFixed(2)));
  const quantity = (n: number) => toFixedPoint(decimalText(n.toFixed(4)));

  test("is the weighted mid price before anything is learned", () => {
    expect(flowOf(book(10_000, 3, 10_002, 1))?.microprice).toBe("100.015");
  });

  /** After each book the mid price moves a tick: up with a probability that grows with what is bid. Then all is forgotten. */
  function learned(): MicropriceModel {
    const model = new MicropriceModel(toFixedPoint(tick));
    let seed = 42;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    let bid = 100;
    for (let n = 0; n < 60_000; n++) {
      const share = (Math.floor(random() * 10) + 0.5) / 10;
      model.observe(fixed(bid), quantity(share), fixed(bid + 0.01), quantity(1 - share));
      bid += random() < share ? 0.01 : -0.01;
    }
    return model;
  }

  test("is what the mid price is expected to become", () => {
    const model = learned();
    const adjustment = (share: number) =>
      Number(fromFixedPoint(model.price(fixed(100), quantity(share), fixed(100.01), quantity(1 - share)))) - 100.005;
    // Up by a tick with probability p, down with 1 − p: 2p − 1 ticks, but never beyond the best prices.
    for (const share of [0.35, 0.45, 0.55, 0.65]) expect(adjustment(share) / 0.01).toBeCloseTo(2 * share - 1, 1);
    expect(adjustment(0.95)).toBeCloseTo(0.005, 10);
    for (const share of [0.55, 0.65]) expect(adjustment(share)).toBeCloseTo(-adjustment(1 - share), 10);
  });

  test("stays between the best prices, and finite, for any book", () => {
    const model = learned();
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 10_000 }),
        (bidTicks, spread, bidQuantity, askQuantity) => {
          const [bid, ask] = [fixed(bidTicks / 100), fixed((bidTicks + spread) / 100)];
          const price = model.price(bid, quantity(bidQuantity), ask, quantity(askQuantity));
          expect(price >= bid && price <= ask).toBe(true);
        },
      ),
    );
  });
});
