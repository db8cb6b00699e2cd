import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { VenueBench } from "../../../test/support/venue-bench.js";
import { Decimal } from "../../core/decimal.js";
import type { OrderReport } from "../order-event.js";
import type { ExchangeFill, ExchangeOrder } from "./read-answers.js";
import { TrackedOrder } from "./tracked-order.js";

const nowMs = 1_700_000_000_000;
const bench = new VenueBench();

function track(quantity: string) {
  const told: OrderReport[] = [];
  const tracked = new TrackedOrder(bench.newOrder({ quantity }).order, (report) => told.push(report));
  return { tracked, told, kinds: () => told.map(({ kind }) => kind) };
}
const seen = (filled: number, state: ExchangeOrder["state"] = "open", id = "1"): ExchangeOrder => ({
  exchangeOrderId: id,
  clientId: null,
  state,
  filled: new Decimal(filled),
  quantity: null,
  price: null,
  atMs: nowMs,
});
const fillOf = (quantity: number, id: string, exchangeOrderId = "1"): ExchangeFill => ({
  exchangeOrderId,
  fill: {
    exchangeFillId: id,
    price: new Decimal(1),
    quantity: new Decimal(quantity),
    commission: new Decimal(0),
    commissionAsset: null,
    isMaker: true,
    filledAt: new Date(nowMs),
  },
});

type Told = { readonly order: ExchangeOrder } | { readonly fill: ExchangeFill };

/** What an exchange tells of one order, each thing once or more, in any order. */
const histories = fc
  .record({
    fills: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 6 }),
    rest: fc.integer({ min: 0, max: 5 }),
    end: fc.constantFrom("cancelled" as const, "expired" as const),
  })
  .filter(({ fills, rest }) => fills.length > 0 || rest > 0)
  .chain(({ fills, rest, end }) => {
    const total = fills.reduce((sum, lot) => sum + lot, 0);
    const all: Told[] = [{ order: seen(0) }];
    let filled = 0;
    for (const [i, lot] of fills.entries()) {
      filled += lot;
      all.push({ fill: fillOf(lot, `f${i}`) }, { order: seen(filled) });
    }
    all.push({ order: seen(total, rest === 0 ? "filled" : end) });
    const again = fc.array(fc.constantFrom(...all), { maxLength: 10 });
    return again
      .chain((more) => fc.shuffledSubarray([...all, ...more], { minLength: all.length + more.length }))
      .map((history) => ({ history, fills, quantity: total + rest, end: rest === 0 ? null : end }));
  });

property.prop([histories])("each thing is reported once, and the end last", ({ history, fills, quantity, end }) => {
  const { tracked, told, kinds } = track(String(quantity));
  for (const each of history) {
    if ("order" in each) tracked.sawOrder(each.order, nowMs);
    else tracked.sawFill(each.fill);
    if (told.length > 0) expect(kinds()[0]).toBe("accepted");
  }
  const ids = told.flatMap((report) => (report.kind === "filled" ? [report.fill.exchangeFillId] : []));
  expect(ids.sort()).toEqual(fills.map((_, i) => `f${i}`));
  expect(kinds().filter((kind) => kind !== "filled")).toEqual(["accepted", ...(end === null ? [] : [end])]);
  if (end !== null) expect(kinds().at(-1)).toBe(end);
  expect(tracked.isEnded).toBe(true);
  expect(tracked.reports).toEqual(told);
});

describe("a replacement by a new order", () => {
  const terms = { quantity: new Decimal(3), price: new Decimal(2), stopPrice: null };
  const replaced = () => {
    const all = track("2");
    all.tracked.sawOrder(seen(0), nowMs);
    all.tracked.replacement = { clientId: "next", terms };
    return all;
  };

  test("the end of the old one is no end of the order", () => {
    const { tracked, kinds } = replaced();
    tracked.sawOrder(seen(1, "cancelled"), nowMs);
    tracked.sawFill(fillOf(1, "a"));
    tracked.replaced(seen(0, "open", "2"), terms, nowMs);
    tracked.sawFill(fillOf(2, "b", "2"));
    tracked.sawOrder(seen(2, "filled", "2"), nowMs);
    expect(kinds()).toEqual(["accepted", "filled", "replaced", "filled"]);
    expect(tracked.isEnded).toBe(true);
  });

  test("that fails is refused, and then the order has ended", () => {
    const { tracked, kinds } = replaced();
    tracked.sawOrder(seen(0, "cancelled"), nowMs);
    const refusal = tracked.replacementFailed("no", nowMs);
    expect(kinds()).toEqual(["accepted", "replaceRefused", "cancelled"]);
    expect(tracked.answerWith(refusal).map(({ kind }) => kind)).toEqual(kinds());
    // Told again, a refusal would look like the answer to another request.
    expect(tracked.answerWith(null).map(({ kind }) => kind)).toEqual(["accepted", "cancelled"]);
  });

  test("a late fill of the old one still counts", () => {
    const { tracked, kinds } = replaced();
    tracked.replaced(seen(0, "open", "2"), terms, nowMs);
    tracked.sawFill(fillOf(1, "late"));
    tracked.sawOrder(seen(2, "filled", "2"), nowMs);
    expect(tracked.missingFillsOf).toEqual(["2"]);
    tracked.sawFill(fillOf(2, "b", "2"));
    expect(kinds()).toEqual(["accepted", "replaced", "filled", "filled"]);
  });

  test("of two, an answer brings the last", () => {
    const { tracked } = replaced();
    tracked.replaced(seen(0, "open", "2"), terms, nowMs);
    tracked.amended({ ...terms, quantity: new Decimal(5) }, nowMs);
    const told = tracked.answerWith(null);
    expect(told).toMatchObject([{ kind: "accepted" }, { kind: "replaced", terms: { quantity: new Decimal(5) } }]);
  });
});
