import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { at, d, fillOf, laterEvents, newOrder, placed } from "../../test/support/orders.js";
import { isOpen, type Order, type OrderStatus } from "./order.js";
import type { OrderEvent } from "./order-event.js";
import { type OrderEffect, orderFrom, transition } from "./order-life.js";

const accepted: OrderEvent = { kind: "accepted", at: at(1), exchangeOrderId: "x-1" };
const filled = (id: string, quantity: number): OrderEvent => ({
  kind: "filled",
  at: at(10),
  fill: fillOf({ exchangeFillId: id, quantity: d(quantity) }),
});
const cancelled: OrderEvent = { kind: "cancelled", at: at(20), reason: "on request" };

/** An order of each status; 2 at 100, one of them filled where it is partly filled. */
const orders: Record<OrderStatus, Order> = {
  PENDING: orderFrom([placed()]),
  NEW: orderFrom([placed(), accepted]),
  PARTIALLY_FILLED: orderFrom([placed(), accepted, filled("a", 1)]),
  FILLED: orderFrom([placed(), accepted, filled("a", 2)]),
  CANCELLED: orderFrom([placed(), accepted, filled("a", 1), cancelled]),
  REJECTED: orderFrom([placed(), { kind: "rejected", at: at(1), code: "WOULD_TAKE", reason: "would take" }]),
  EXPIRED: orderFrom([placed(), accepted, { kind: "expired", at: at(20), reason: "day is over" }]),
};

const events: Record<Exclude<OrderEvent["kind"], "filled">, OrderEvent> & Record<"filled" | "overfilled", OrderEvent> =
  {
    placed: placed(),
    unconfirmed: { kind: "unconfirmed", at: at(30), reason: "timeout" },
    cancelRequested: { kind: "cancelRequested", at: at(30) },
    replaceRequested: {
      kind: "replaceRequested",
      at: at(30),
      terms: { quantity: d(3), price: d(101), stopPrice: null },
    },
    accepted: { kind: "accepted", at: at(30), exchangeOrderId: "x-1" },
    rejected: { kind: "rejected", at: at(30), code: "VENUE_REJECTED", reason: "no" },
    triggered: { kind: "triggered", at: at(30), price: d(99) },
    filled: filled("b", 1),
    overfilled: filled("b", 3),
    cancelled: { kind: "cancelled", at: at(30), reason: "on request" },
    expired: { kind: "expired", at: at(30), reason: "day is over" },
    cancelRefused: { kind: "cancelRefused", at: at(30), reason: "too late" },
    replaced: {
      kind: "replaced",
      at: at(30),
      terms: { quantity: d(3), price: d(101), stopPrice: null },
      exchangeOrderId: null,
    },
    replaceRefused: { kind: "replaceRefused", at: at(30), reason: "too late" },
  };

/** The status afterwards, "=" when nothing changes, or the code of the refusal. */
const table: Record<keyof typeof events, readonly string[]> = {
  //                 PENDING             NEW                 PARTIALLY_FILLED    FILLED            CANCELLED         REJECTED          EXPIRED
  placed: [
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
  ],
  unconfirmed: ["PENDING", "NEW", "PARTIALLY_FILLED", "=", "=", "=", "="],
  cancelRequested: [
    "PENDING",
    "NEW",
    "PARTIALLY_FILLED",
    "ORDER_NOT_OPEN",
    "ORDER_NOT_OPEN",
    "ORDER_NOT_OPEN",
    "ORDER_NOT_OPEN",
  ],
  replaceRequested: [
    "CONFLICT",
    "NEW",
    "PARTIALLY_FILLED",
    "ORDER_NOT_OPEN",
    "ORDER_NOT_OPEN",
    "ORDER_NOT_OPEN",
    "ORDER_NOT_OPEN",
  ],
  accepted: ["NEW", "=", "=", "=", "=", "OUT_OF_ORDER", "="],
  rejected: ["REJECTED", "REJECTED", "OUT_OF_ORDER", "OUT_OF_ORDER", "OUT_OF_ORDER", "=", "OUT_OF_ORDER"],
  triggered: [
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
    "OUT_OF_ORDER",
  ],
  filled: ["PARTIALLY_FILLED", "PARTIALLY_FILLED", "FILLED", "OVERFILL", "CANCELLED", "REJECTED", "EXPIRED"],
  overfilled: ["OVERFILL", "OVERFILL", "OVERFILL", "OVERFILL", "OVERFILL", "OVERFILL", "OVERFILL"],
  cancelled: ["CANCELLED", "CANCELLED", "CANCELLED", "OUT_OF_ORDER", "=", "=", "="],
  expired: ["EXPIRED", "EXPIRED", "EXPIRED", "OUT_OF_ORDER", "=", "=", "="],
  cancelRefused: ["=", "=", "=", "=", "=", "=", "="],
  replaced: ["PENDING", "NEW", "PARTIALLY_FILLED", "OUT_OF_ORDER", "=", "=", "="],
  replaceRefused: ["=", "=", "=", "=", "=", "=", "="],
};

const outcome = (order: Order | null, event: OrderEvent): string => {
  const next = transition(order, event);
  if (next.kind === "changed") return next.order.status;
  return next.kind === "unchanged" ? "=" : next.code;
};
const effectsOf = (order: Order, event: OrderEvent): readonly OrderEffect[] => {
  const next = transition(order, event);
  return next.kind === "changed" ? next.effects : [];
};
const afterwards = (order: Order, ...happened: OrderEvent[]): Order =>
  happened.reduce((state, event) => {
    const next = transition(state, event);
    return next.kind === "changed" ? next.order : state;
  }, order);

describe("every event in every status", () => {
  for (const [name, expected] of Object.entries(table) as [keyof typeof events, readonly string[]][]) {
    test(name, () => {
      expect(Object.values(orders).map((order) => outcome(order, events[name]))).toEqual(expected);
      expect(outcome(null, events[name])).toBe(name === "placed" ? "PENDING" : "OUT_OF_ORDER");
    });
  }
});

describe("what has to be done", () => {
  const kinds = (order: Order, event: OrderEvent) =>
    effectsOf(order, event).map((effect) => (effect.kind === "send" ? effect.command : effect.kind));

  test("placing reserves, then sends; cancelling sends and reserves nothing", () => {
    const born = transition(null, placed());
    expect(born.kind === "changed" && born.effects).toEqual([{ kind: "reserve" }, { kind: "send", command: "place" }]);
    expect(kinds(orders.NEW, events.cancelRequested)).toEqual(["cancel"]);
    expect(kinds(orders.NEW, events.replaceRequested)).toEqual(["reserve", "replace"]);
  });

  test("a fill is booked before anything is released, and every end releases", () => {
    expect(kinds(orders.NEW, events.filled)).toEqual(["settle", "release"]);
    expect(kinds(orders.PARTIALLY_FILLED, events.filled)).toEqual(["settle", "release"]);
    for (const end of [events.cancelled, events.expired, events.rejected]) {
      expect(kinds(orders.NEW, end)).toEqual(["release"]);
    }
  });

  test("a fill after a final status is booked as late, and the status stays", () => {
    expect(effectsOf(orders.CANCELLED, events.filled)).toMatchObject([{ kind: "settle", isLate: true }]);
    const late = afterwards(orders.CANCELLED, events.filled);
    expect([late.status, late.filledQuantity.toFixed(), late.filledAt]).toEqual(["CANCELLED", "2", null]);
    expect(late.cancelledAt).toEqual(at(20));
  });

  test("protection is placed once the order has ended, for what was filled", () => {
    const parent = orderFrom([placed({ stopLoss: d(90) }), accepted, filled("a", 1)]);
    expect(effectsOf(parent, cancelled)).toEqual([{ kind: "release" }, { kind: "protect", quantity: d(1) }]);
    expect(effectsOf(afterwards(parent, cancelled), filled("b", 1))).toMatchObject([
      { kind: "settle" },
      { kind: "protect", quantity: d(1) },
    ]);
    const untouched = orderFrom([placed({ stopLoss: d(90) }), accepted]);
    expect(effectsOf(untouched, cancelled)).toEqual([{ kind: "release" }]);
  });
});

describe("races with the venue", () => {
  test("a fill overtakes the acceptance", () => {
    const order = afterwards(orders.PENDING, filled("a", 1), accepted);
    expect([order.status, order.exchangeOrderId, order.isUnconfirmed]).toEqual(["PARTIALLY_FILLED", "x-1", false]);
    expect(afterwards(orders.PENDING, filled("a", 2), accepted)).toMatchObject({
      status: "FILLED",
      exchangeOrderId: "x-1",
    });
  });

  test("a fill comes twice, by the answer and by the stream", () => {
    expect(outcome(orders.PARTIALLY_FILLED, filled("a", 1))).toBe("=");
    expect(outcome(orders.FILLED, filled("a", 2))).toBe("=");
  });

  test("a fill overtakes the news of the replacement that made room for it", () => {
    const asked = afterwards(orders.PARTIALLY_FILLED, events.replaceRequested);
    const order = afterwards(asked, filled("b", 2));
    expect(order).toMatchObject({ status: "FILLED", pendingReplacement: null });
    expect([order.quantity.toFixed(), order.price?.toFixed()]).toEqual(["3", "101"]);
    expect(outcome(order, events.replaced)).toBe("=");
  });

  test("the old quantity is filled while a larger one is asked for: the venue's answer decides", () => {
    const full = afterwards(orders.NEW, events.replaceRequested, filled("a", 2));
    expect(full.status).toBe("PARTIALLY_FILLED");
    expect(afterwards(full, events.replaceRefused)).toMatchObject({ status: "FILLED", filledAt: at(10) });
    const grown = afterwards(full, events.replaced);
    expect([grown.status, grown.quantity.toFixed()]).toEqual(["PARTIALLY_FILLED", "3"]);
  });

  test("a replacement down to what is filled completes the order", () => {
    const smaller = { quantity: d(1), price: d(100), stopPrice: null };
    const order = afterwards(orders.PARTIALLY_FILLED, {
      kind: "replaced",
      at: at(40),
      terms: smaller,
      exchangeOrderId: null,
    });
    expect([order.status, order.filledAt]).toEqual(["FILLED", at(10)]);
  });

  test("the news of an old replacement comes again after a newer one", () => {
    const first: OrderEvent = {
      kind: "replaced",
      at: at(40),
      terms: { quantity: d(3), price: d(101), stopPrice: null },
      exchangeOrderId: "x-2",
    };
    const second: OrderEvent = {
      kind: "replaced",
      at: at(50),
      terms: { quantity: d(4), price: d(102), stopPrice: null },
      exchangeOrderId: "x-3",
    };
    const order = afterwards(orders.NEW, first, second, first, accepted);
    expect([order.quantity.toFixed(), order.price?.toFixed(), order.exchangeOrderId]).toEqual(["4", "102", "x-3"]);
  });

  test("an order is cancelled and replaced at once, or replaced twice: the second waits", () => {
    expect(outcome(afterwards(orders.NEW, events.cancelRequested), events.replaceRequested)).toBe("CONFLICT");
    expect(outcome(afterwards(orders.NEW, events.replaceRequested), events.replaceRequested)).toBe("CONFLICT");
    expect(outcome(afterwards(orders.NEW, events.replaceRequested), events.cancelRequested)).toBe("NEW");
  });

  test("cancelling again after the venue refused", () => {
    const order = afterwards(orders.NEW, events.cancelRequested);
    expect(outcome(order, events.cancelRequested)).toBe("=");
    expect(effectsOf(afterwards(order, events.cancelRefused), events.cancelRequested)).toHaveLength(1);
  });

  test("replacing below or at the filled quantity, and a stop that was reached, is refused", () => {
    const ask = (quantity: number, stopPrice: number | null = null): OrderEvent => ({
      kind: "replaceRequested",
      at: at(30),
      terms: { quantity: d(quantity), price: d(100), stopPrice: stopPrice === null ? null : d(stopPrice) },
    });
    expect(outcome(orders.PARTIALLY_FILLED, ask(1))).toBe("QUANTITY_OUT_OF_RANGE");
    expect(outcome(orders.PARTIALLY_FILLED, ask(2))).toBe("=");
    const stop = orderFrom([placed({ orderType: "STOP_LIMIT", stopPrice: d(105) }), accepted, events.triggered]);
    expect(stop.triggeredAt).toEqual(at(30));
    expect(outcome(stop, ask(2, 106))).toBe("CONFLICT");
    expect(outcome(stop, ask(1, 105))).toBe("NEW");
  });

  test("commissions in different assets are never added", () => {
    const paid = (id: string, asset: string): OrderEvent => ({
      kind: "filled",
      at: at(10),
      fill: fillOf({ exchangeFillId: id, quantity: d("0.5"), commissionAsset: asset }),
    });
    const order = afterwards(orders.NEW, paid("a", "USDT"), paid("b", "BNB"), paid("c", "USDT"));
    expect(order.commissions).toEqual([
      { asset: "USDT", amount: d("0.2") },
      { asset: "BNB", amount: d("0.1") },
    ]);
  });

  test("a fill without quantity or price is no fill", () => {
    const bad = (change: object): OrderEvent => ({ kind: "filled", at: at(10), fill: fillOf(change) });
    expect(outcome(orders.NEW, bad({ quantity: d(0) }))).toBe("INVALID_FILL");
    expect(outcome(orders.NEW, bad({ price: d(-1) }))).toBe("INVALID_FILL");
  });
});

/** Runs a history as the ledger would, and gives the stored events, the effects and every state. */
function live(history: readonly OrderEvent[]) {
  const states: Order[] = [];
  const stored: OrderEvent[] = [];
  const effects: OrderEffect[] = [];
  let order: Order | null = null;
  for (const event of [placed({ quantity: d(3), stopPrice: null }), ...history]) {
    const next = transition(order, event);
    if (next.kind !== "changed") continue;
    order = next.order;
    states.push(order);
    stored.push(event);
    effects.push(...next.effects);
  }
  return { order: states.at(-1) as Order, states, stored, effects };
}

describe("any history", () => {
  const histories = fc.array(laterEvents, { maxLength: 40, size: "max" });

  test("the order row is the fold of its events, versions 1 to n", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { order, states, stored } = live(history);
        expect(states.map(({ version }) => version)).toEqual(states.map((_, index) => index + 1));
        expect(orderFrom(stored)).toEqual(order);
      }),
    );
  });

  test("a final status never changes, and filled never exceeds the quantity", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { states } = live(history);
        for (const [index, state] of states.entries()) {
          const before = states[index - 1];
          if (before !== undefined && !isOpen(before)) expect(state.status).toBe(before.status);
          expect(state.filledQuantity.lte(state.quantity)).toBe(true);
          expect(state.status === "FILLED").toBe(state.filledAt !== null);
          expect(state.status === "CANCELLED").toBe(state.cancelledAt !== null);
          if (state.status === "FILLED") expect(state.filledQuantity).toEqual(state.quantity);
          if (state.status === "PENDING" || state.status === "NEW") expect(state.filledQuantity.isZero()).toBe(true);
          if (!isOpen(state)) expect([state.pendingReplacement, state.isUnconfirmed]).toEqual([null, false]);
        }
      }),
    );
  });

  test("totals are the sums of the fills that are booked, each once", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { order, effects } = live(history);
        const booked = effects.flatMap((effect) => (effect.kind === "settle" ? [effect.fill] : []));
        const sum = (values: (typeof order.filledQuote)[]) => values.reduce((total, value) => total.plus(value), d(0));
        expect(new Set(booked.map(({ exchangeFillId }) => exchangeFillId)).size).toBe(booked.length);
        expect(order.filledQuantity).toEqual(sum(booked.map(({ quantity }) => quantity)));
        expect(order.filledQuote).toEqual(sum(booked.map(({ quantity, price }) => quantity.times(price))));
        expect(sum(order.commissions.map(({ amount }) => amount))).toEqual(
          sum(booked.map(({ commission }) => commission)),
        );
      }),
    );
  });

  test("every event that is delivered again at once changes nothing", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const once = live(history);
        const reports = history.flatMap((event) =>
          /Requested$|unconfirmed/.test(event.kind) ? [event] : [event, event],
        );
        expect(live(reports).order).toEqual(once.order);
      }),
    );
  });

  test("the reports of one venue, in any order and any number of times, end in the same order", () => {
    const truth: readonly OrderEvent[] = [accepted, filled("a", 1), filled("b", 1), { ...cancelled, at: at(90) }];
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...truth], { minLength: 4 }),
        fc.array(fc.constantFrom(...truth)),
        (first, again) => {
          const order = afterwards(orderFrom([placed({ quantity: d(3) })]), ...first, ...again);
          expect([order.status, order.filledQuantity.toFixed(), order.exchangeOrderId]).toEqual([
            "CANCELLED",
            "2",
            "x-1",
          ]);
        },
      ),
    );
  });
});

test("what is not a stream of one order is not folded", () => {
  expect(() => orderFrom([])).toThrow(RangeError);
  expect(() => orderFrom([accepted])).toThrow(RangeError);
  expect(() => orderFrom([placed(), accepted, accepted])).toThrow(RangeError);
  expect(orderFrom([placed(), accepted])).toMatchObject({ ...newOrder(), version: 2 });
});
