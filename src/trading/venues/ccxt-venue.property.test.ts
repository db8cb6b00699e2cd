import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import { VenueBench } from "../../../test/support/venue-bench.js";
import type { LedgerOrder } from "../../../test/support/venue-ledger.js";
import { Decimal } from "../../core/decimal.js";
import type { RequestFault } from "../../feeds/simulator/trading/faults.js";

type Step =
  | { readonly do: "place"; readonly isMarket: boolean; readonly isSell: boolean; readonly steps: number }
  | { readonly do: "cancel" | "find" | "placeAgain"; readonly which: number }
  | { readonly do: "replace"; readonly which: number; readonly steps: number; readonly price: number }
  | { readonly do: "fill"; readonly which: number; readonly parts: number }
  | { readonly do: "fault"; readonly at: string; readonly fault: RequestFault }
  | { readonly do: "stream"; readonly fault: "doubled" | "swapped"; readonly on: boolean }
  | { readonly do: "lose"; readonly events: number }
  | { readonly do: "race"; readonly which: number; readonly parts: number }
  | { readonly do: "disconnect" | "release" | "restart" };

const which = fc.nat(5);
const faults: readonly RequestFault[] = [
  { kind: "lostRequest" },
  { kind: "lostAnswer" },
  { kind: "silence", isDone: true },
  { kind: "silence", isDone: false },
  { kind: "delayed" },
  { kind: "unknownStatus" },
  { kind: "garbled", isDone: true },
  { kind: "garbled", isDone: false },
];
const paths = [
  "POST /api/v3/order",
  "DELETE /api/v3/order",
  "POST /api/v3/order/cancelReplace",
  "GET /api/v3/order",
  "GET /api/v3/myTrades",
  "GET /api/v3/openOrders",
];
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("place" as const),
      isMarket: fc.boolean(),
      isSell: fc.boolean(),
      steps: fc.integer({ min: 10, max: 50 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "find" as const, "placeAgain" as const), which }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("replace" as const),
      which,
      steps: fc.integer({ min: 10, max: 80 }),
      price: fc.integer({ min: 40, max: 60 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("fill" as const), which, parts: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      at: fc.constantFrom(...paths),
      fault: fc.constantFrom(...faults),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("stream" as const),
      fault: fc.constantFrom("doubled" as const, "swapped" as const),
      on: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const), events: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("race" as const), which, parts: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("disconnect" as const, "release" as const, "restart" as const) }),
  },
);

const quantityOf = (lots: number): string => new Decimal(lots).times("0.001").toFixed();

/** A third, two thirds or all of what rests, if it does. */
function fill(bench: VenueBench, known: LedgerOrder, parts: number): void {
  const { last } = bench.atExchange(known);
  if (last === undefined || !last.isOpen || last.price === null) return;
  const part = last.remaining.times(parts).div(3).toDecimalPlaces(5, Decimal.ROUND_DOWN);
  bench.fill(known, (part.isZero() ? last.remaining : part).toFixed());
}

async function run(bench: VenueBench, step: Step): Promise<void> {
  const all = [...bench.ledger.orders.values()];
  const known = "which" in step ? all[step.which % Math.max(1, all.length)] : undefined;
  if ("which" in step && known === undefined) return;
  const order = known as LedgerOrder;
  switch (step.do) {
    case "place": {
      const side = step.isSell ? "SELL" : "BUY";
      const price = step.isMarket ? null : step.isSell ? "150000" : "50000";
      const orderType = step.isMarket ? "MARKET" : "LIMIT";
      await bench.ask(bench.newOrder({ side, price, orderType, quantity: quantityOf(step.steps) }), "place");
      return;
    }
    case "placeAgain":
      await bench.ask(order, "place");
      return;
    case "cancel":
    case "find":
      if (order.isOpen) await bench.ask(order, step.do);
      return;
    case "replace": {
      // The ledger asks for one thing at a time, of orders that it knows to rest.
      if (!order.isOpen || order.status === "PENDING" || order.pendingReplacement !== null) return;
      const price = new Decimal(step.price).times(order.order.side === "SELL" ? 3_000 : 1_000);
      const quantity = new Decimal(quantityOf(step.steps));
      if (order.order.orderType === "LIMIT") await bench.askReplace(order, { quantity, price, stopPrice: null });
      return;
    }
    case "fill":
      fill(bench, order, step.parts);
      return;
    case "race": {
      if (!order.isOpen) return;
      const cancelled = bench.ask(order, "cancel");
      fill(bench, order, step.parts);
      await cancelled;
      return;
    }
    case "fault": {
      const [method = "", path = ""] = step.at.split(" ");
      bench.desk.faults.add(method, path, step.fault);
      return;
    }
    case "stream":
      bench.desk.streamFaults[step.fault] = step.on;
      return;
    case "lose":
      bench.desk.streamFaults.lost += step.events;
      return;
    case "disconnect":
      bench.simulator.disconnectAll("BINANCE_SPOT");
      return;
    case "release":
      bench.desk.faults.release();
      return;
    case "restart":
      await bench.restart();
      await bench.watch();
      return;
    default:
      step satisfies never;
  }
}

/** The exchange behaves from now on, and every question has its answer. */
async function calm(bench: VenueBench): Promise<void> {
  const { desk } = bench;
  const delayed = desk.faults.waiting;
  if (delayed > 0) desk.faults.release();
  desk.faults.clear();
  Object.assign(desk.streamFaults, { doubled: false, swapped: false, lost: 0 });
  desk.flush();
  for (const known of bench.ledger.orders.values()) {
    if (known.status === "PENDING" || known.isOpen || known.pendingReplacement !== null) await bench.resolve(known);
  }
}

test.prop([fc.array(steps, { minLength: 8, maxLength: 24 })], { numRuns: 12, endOnFailure: true })(
  "whatever fails, in the end the ledger has every order and every fill of the exchange once",
  async (history) => {
    const bench = await VenueBench.start();
    try {
      await bench.watch();
      for (const step of history) await run(bench, step);
      await calm(bench);
      await bench.expectSame();
      bench.expectNoSecrets();
      expect(bench.ledger.faults).toEqual([]);
    } finally {
      await bench.close();
    }
  },
  120_000,
);
