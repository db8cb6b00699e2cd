import { afterEach, describe, expect, test } from "vitest";
import { until } from "../../../test/support/until.js";
import { accountId, type PartialTerms, VenueBench } from "../../../test/support/venue-bench.js";
import { Decimal } from "../../core/decimal.js";
import type { RequestFault } from "../../feeds/simulator/trading/faults.js";

const benches: VenueBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) {
    bench.expectNoSecrets();
    await bench.close();
  }
});
async function start(...tuning: Parameters<typeof VenueBench.start>): Promise<VenueBench> {
  const bench = await VenueBench.start(...tuning);
  benches.push(bench);
  return bench;
}
const terms = (quantity: string, price: string | null, stopPrice: string | null = null) => ({
  quantity: new Decimal(quantity),
  price: price === null ? null : new Decimal(price),
  stopPrice: stopPrice === null ? null : new Decimal(stopPrice),
});
/** The stream alone brings what happens. */
const noPolls = { pollMs: 3_600_000 };

describe("the life of an order", () => {
  test("it rests, is filled in parts and cancelled", async () => {
    const bench = await start(noPolls);
    await bench.watch();
    const resting = await bench.placed();
    expect(resting.status).toBe("NEW");
    bench.fill(resting, "0.004");
    await expect.poll(() => resting.status).toBe("PARTIALLY_FILLED");
    expect(await bench.ask(resting, "cancel")).toBe("answered");
    expect(resting.status).toBe("CANCELLED");
    expect([...resting.fills.values()]).toMatchObject([{ isMaker: true, commissionAsset: "BTC" }]);
    await bench.expectSame();
    expect(bench.ledger.gaps).toEqual(["the account is watched from now on"]);
  });

  test.each<[string, PartialTerms, string]>([
    ["a market order", { orderType: "MARKET", quantity: "0.02" }, "FILLED"],
    ["a market order to sell", { orderType: "MARKET", side: "SELL", quantity: "0.02" }, "FILLED"],
    ["a limit order that takes", { price: "100000", quantity: "0.001" }, "FILLED"],
    ["IOC far from the market", { timeInForce: "IOC" }, "EXPIRED"],
    ["FOK far from the market", { timeInForce: "FOK" }, "EXPIRED"],
    ["GTX that rests", { timeInForce: "GTX" }, "NEW"],
    ["GTX that would take", { timeInForce: "GTX", price: "100000" }, "REJECTED"],
    ["LIMIT_MAKER that rests", { orderType: "LIMIT_MAKER", side: "SELL", price: "150000" }, "NEW"],
    ["LIMIT_MAKER that would take", { orderType: "LIMIT_MAKER", price: "100000" }, "REJECTED"],
    ["a stop", { orderType: "STOP_MARKET", stopPrice: "150000", quantity: "0.001" }, "NEW"],
    ["a stop with a limit", { orderType: "STOP_LIMIT", side: "SELL", stopPrice: "60000", price: "59000" }, "NEW"],
    ["a take-profit", { orderType: "TAKE_PROFIT", side: "SELL", stopPrice: "150000" }, "NEW"],
    [
      "a take-profit with a limit",
      { orderType: "TAKE_PROFIT_LIMIT", side: "SELL", stopPrice: "150000", price: "149000" },
      "NEW",
    ],
    ["a trailing stop", { orderType: "TRAILING_STOP", side: "SELL", callbackRate: new Decimal("1.5") }, "NEW"],
    ["more than there is", { quantity: "5" }, "REJECTED"],
    ["too little", { quantity: "0.00001" }, "REJECTED"],
    ["a quantity between two steps", { quantity: "0.010001" }, "REJECTED"],
    ["a price between two ticks", { price: "50000.001" }, "REJECTED"],
    ["a price far away", { price: "999999" }, "REJECTED"],
    ["what the exchange does not have", { timeInForce: "DAY" }, "REJECTED"],
  ])("%s", async (_, order, status) => {
    const bench = await start(noPolls);
    expect((await bench.placed(order)).status).toBe(status);
    await bench.expectSame();
  });

  test("why an order is refused has a code", async () => {
    const bench = await start();
    const code = async (order: PartialTerms) => (await bench.placed(order)).rejectCode;
    expect(await code({ quantity: "5" })).toBe("INSUFFICIENT_BALANCE");
    expect(await code({ quantity: "0.00001" })).toBe("MIN_NOTIONAL");
    expect(await code({ quantity: "0.010001" })).toBe("QUANTITY_OUT_OF_RANGE");
    expect(await code({ price: "50000.001" })).toBe("PRICE_OUT_OF_RANGE");
    expect(await code({ price: "999999" })).toBe("PRICE_OUT_OF_RANGE");
    expect(await code({ timeInForce: "GTX", price: "100000" })).toBe("WOULD_TAKE");
    expect(await code({ timeInForce: "DAY" })).toBe("VENUE_REJECTED");
  });

  test("an order that is placed again is told of, and not placed", async () => {
    const bench = await start();
    const order = await bench.placed();
    const filled = await bench.placed({ orderType: "MARKET" });
    for (const known of [order, filled]) expect(await bench.ask(known, "place")).toBe("answered");
    await bench.restart();
    for (const known of [order, filled]) expect(await bench.ask(known, "place")).toBe("answered");
    expect(bench.account.orders.size).toBe(2);
    await bench.expectSame();
  });

  test("an order that has ended is not cancelled", async () => {
    const bench = await start();
    const order = await bench.placed({ orderType: "MARKET" });
    expect(await bench.ask(order, "cancel")).toBe("answered");
    expect(order).toMatchObject({ status: "FILLED", refusals: ["the order has ended"] });
    await bench.restart();
    expect(await bench.ask(order, "cancel")).toBe("answered");
    expect(order.refusals).toHaveLength(2);
    await bench.expectSame();
  });
});

test("an order that the exchange has forgotten is cancelled, after a while, with the fills that there were", async () => {
  const bench = await start();
  const order = await bench.placed();
  bench.fill(order, "0.004");
  const { last } = bench.atExchange(order);
  if (last === undefined) throw new Error("the order is not at the exchange");
  bench.account.orders.delete(last.id);
  bench.account.openOrders.delete(last.id);
  expect(await bench.ask(order, "find")).toBe("unknown");
  bench.time.aheadMs += 61_000;
  await bench.restart();
  bench.time.aheadMs += 61_000;
  expect(await bench.ask(order, "find")).toBe("answered");
  expect(order.status).toBe("CANCELLED");
  expect(order.filled.toString()).toBe("0.004");
});

describe("replacing", () => {
  test("an untouched order, in one request", async () => {
    const bench = await start(noPolls);
    await bench.watch();
    const order = await bench.placed();
    expect(await bench.askReplace(order, terms("0.02", "51000"))).toBe("answered");
    expect(order).toMatchObject({ status: "NEW", refusals: [], pendingReplacement: null });
    expect(order.terms.quantity.toString()).toBe("0.02");
    expect(bench.desk.done.get("POST /api/v3/order/cancelReplace")).toBe(1);
    bench.fill(order, "0.02");
    await bench.expectSame();
    expect(order.status).toBe("FILLED");
  });

  test("an order that is filled in part: the new one is for the rest", async () => {
    const bench = await start();
    await bench.watch();
    const order = await bench.placed();
    bench.fill(order, "0.004");
    await expect.poll(() => order.filled.toString()).toBe("0.004");
    expect(await bench.askReplace(order, terms("0.03", "51000"))).toBe("answered");
    expect(bench.atExchange(order).last?.quantity.toString()).toBe("0.026");
    bench.fill(order, "0.026");
    await bench.expectSame();
    expect(order.status).toBe("FILLED");
  });

  test("a race: it is filled in part just before", async () => {
    const bench = await start(noPolls);
    const order = await bench.placed();
    bench.fill(order, "0.004");
    expect(await bench.askReplace(order, terms("0.03", "51000"))).toBe("answered");
    expect(bench.atExchange(order).last?.quantity.toString()).toBe("0.026");
    await bench.expectSame();
  });

  test("a race: it is filled just before", async () => {
    const bench = await start(noPolls);
    const order = await bench.placed();
    bench.fill(order, "0.01");
    expect(await bench.askReplace(order, terms("0.03", "51000"))).toBe("answered");
    expect(order).toMatchObject({ status: "FILLED", pendingReplacement: null });
    expect(order.refusals).toHaveLength(1);
    await bench.expectSame();
  });

  test("by what the exchange refuses: the order is gone, and told as gone", async () => {
    const bench = await start();
    const order = await bench.placed();
    expect(await bench.askReplace(order, terms("4", "51000"))).toBe("answered");
    expect(order.status).toBe("CANCELLED");
    expect(order.refusals).toEqual(["Account has insufficient balance for requested action."]);
    await bench.expectSame();
  });

  test("by what cannot be: nothing is sent", async () => {
    const bench = await start();
    const order = await bench.placed();
    expect(await bench.askReplace(order, terms("0.0100001", "51000"))).toBe("answered");
    expect(order).toMatchObject({ status: "NEW" });
    expect(order.refusals).toHaveLength(1);
    await bench.expectSame();
  });

  test("twice, and after a restart", async () => {
    const bench = await start();
    const order = await bench.placed();
    await bench.askReplace(order, terms("0.02", "51000"));
    await bench.askReplace(order, terms("0.03", "52000"));
    expect(order.refusals).toEqual([]);
    bench.fill(order, "0.01");
    await bench.restart();
    expect(await bench.ask(order, "find")).toBe("answered");
    await bench.askReplace(order, terms("0.04", "53000"));
    expect(bench.differences()).toEqual([]);
    bench.fill(order, "0.03");
    expect(await bench.ask(order, "find")).toBe("answered");
    expect(order.status).toBe("FILLED");
    await bench.expectSame();
  });
});

const faults: readonly RequestFault[] = [
  { kind: "lostRequest" },
  { kind: "lostAnswer" },
  { kind: "silence", isDone: true },
  { kind: "silence", isDone: false },
  { kind: "delayed" },
  { kind: "doubled" },
  { kind: "unknownStatus" },
  { kind: "garbled", isDone: true },
  { kind: "garbled", isDone: false },
];
const named = faults.map((fault): [string, RequestFault] => [JSON.stringify(fault), fault]);

describe("a fault while an order is placed: it is there once", () => {
  test.each(named)("%s", async (_, fault) => {
    const bench = await start();
    bench.desk.faults.add("POST", "/api/v3/order", fault);
    const order = bench.newOrder();
    const kind = await bench.ask(order, "place");
    expect(kind).toBe(fault.kind === "doubled" ? "answered" : "unknown");
    if (kind === "unknown") await bench.resolve(order);
    bench.desk.faults.release();
    expect(order.status).toBe("NEW");
    expect(bench.account.orders.size).toBe(1);
    await bench.expectSame();
  });

  test.each(named)("at the market, %s", async (_, fault) => {
    const bench = await start();
    bench.desk.faults.add("POST", "/api/v3/order", fault);
    const order = bench.newOrder({ orderType: "MARKET" });
    if ((await bench.ask(order, "place")) === "unknown") await bench.resolve(order);
    bench.desk.faults.release();
    expect(order.status).toBe("FILLED");
    // Somebody on the way who sends a market order twice makes two of it: the exchange refuses a name only while it is open.
    if (fault.kind === "doubled") return;
    expect(bench.account.orders.size).toBe(1);
    await bench.expectSame();
  });

  test("a race: the delayed request arrives while the order is looked for", async () => {
    const bench = await start();
    bench.desk.faults.add("POST", "/api/v3/order", { kind: "delayed" });
    const order = bench.newOrder();
    expect(await bench.ask(order, "place")).toBe("unknown");
    expect(await bench.ask(order, "find")).toBe("unknown");
    expect(await bench.ask(order, "place")).toBe("unknown");
    bench.desk.faults.release();
    expect(await bench.ask(order, "find")).toBe("answered");
    expect(bench.account.orders.size).toBe(1);
    await bench.expectSame();
  });

  test("nobody listens at the exchange: refused, because nothing was sent", async () => {
    const bench = await start();
    await bench.placed();
    await bench.simulator.close();
    // The first one may find a connection that was open before.
    await bench.ask(bench.newOrder(), "place");
    const order = bench.newOrder();
    expect(await bench.ask(order, "place")).toBe("answered");
    expect(order).toMatchObject({ status: "REJECTED", rejectCode: "VENUE_REJECTED" });
  });
});

describe("a fault while an order is cancelled", () => {
  test.each(named)("%s", async (_, fault) => {
    const bench = await start();
    const order = await bench.placed();
    bench.fill(order, "0.004");
    bench.desk.faults.add("DELETE", "/api/v3/order", fault);
    const kind = await bench.ask(order, "cancel");
    if (kind === "unknown") await bench.resolve(order);
    bench.desk.faults.release();
    if (order.isOpen) await bench.ask(order, "cancel");
    expect(order).toMatchObject({ status: "CANCELLED" });
    expect(order.fills.size).toBe(1);
    await bench.expectSame();
  });
});

describe("a fault while an order is replaced", () => {
  const paths: [method: string, path: string, filled: string][] = [
    ["POST", "/api/v3/order/cancelReplace", "0"],
    ["DELETE", "/api/v3/order", "0.004"],
    ["POST", "/api/v3/order", "0.004"],
  ];
  test.each(paths.flatMap((path) => named.map(([name, fault]) => [...path, name, fault] as const)))(
    "%s %s, filled %s, %s",
    async (method, path, filled, _, fault) => {
      const bench = await start();
      await bench.watch();
      const order = await bench.placed();
      if (filled !== "0") {
        bench.fill(order, filled);
        await expect.poll(() => order.filled.toString()).toBe(filled);
      }
      bench.desk.faults.add(method, path, fault);
      if ((await bench.askReplace(order, terms("0.02", "51000"))) === "unknown") await bench.resolve(order);
      bench.desk.faults.release();
      expect(order.pendingReplacement).toBeNull();
      await bench.expectSame();
    },
  );
});

describe("a fault of the stream: nothing is missing in the end", () => {
  const trade = async (bench: VenueBench): Promise<void> => {
    const first = await bench.placed();
    const second = await bench.placed({ ticker: "ETHUSDT", quantity: "1", price: "2000" });
    bench.fill(first, "0.003");
    bench.fill(second, "1");
    bench.fill(first, "0.007");
    const third = await bench.placed({ orderType: "MARKET", quantity: "0.005" });
    const fourth = await bench.placed({ side: "SELL", price: "150000" });
    bench.fill(fourth, "0.001");
    await bench.ask(fourth, "cancel");
    expect(third.status).toBe("FILLED");
  };

  test("events come twice", async () => {
    const bench = await start();
    await bench.watch();
    bench.desk.streamFaults.doubled = true;
    await trade(bench);
    await bench.expectSame();
  });

  test("events change places", async () => {
    const bench = await start();
    await bench.watch();
    bench.desk.streamFaults.swapped = true;
    await trade(bench);
    bench.desk.flush();
    await bench.expectSame();
  });

  test.each([1, 3, 100])("%i events are lost", async (lost) => {
    const bench = await start();
    await bench.watch();
    bench.desk.streamFaults.lost = lost;
    await trade(bench);
    await bench.expectSame();
  });

  test("the connection is cut, and again while it is opened", async () => {
    const bench = await start(noPolls);
    await bench.watch();
    const order = await bench.placed();
    bench.simulator.refuseConnections(true, "BINANCE_SPOT");
    bench.simulator.disconnectAll("BINANCE_SPOT");
    bench.fill(order, "0.003");
    await until(() => bench.logged.some((line) => line.includes("venue.stream-lost")));
    bench.simulator.refuseConnections(false, "BINANCE_SPOT");
    await until(() => bench.desk.subscriptions > 0);
    bench.simulator.disconnectAll("BINANCE_SPOT");
    bench.fill(order, "0.007");
    await bench.expectSame();
    expect(order.status).toBe("FILLED");
  });

  test("it is silent, and the comparison finds everything", async () => {
    const bench = await start();
    await bench.watch();
    const order = await bench.placed();
    bench.simulator.goSilent(true, "BINANCE_SPOT");
    bench.fill(order, "0.01");
    await bench.expectSame();
  });
});

describe("a restart", () => {
  test("orders go on, whatever happened meanwhile", async () => {
    const bench = await start();
    await bench.watch();
    const filled = await bench.placed();
    const cancelled = await bench.placed();
    const resting = await bench.placed();
    await bench.restart();
    bench.fill(filled, "0.01");
    bench.fill(resting, "0.002");
    bench.desk.engine.cancel(bench.account, bench.atExchange(cancelled).last, null);
    await bench.watch();
    // As the ledger does after a gap.
    for (const known of [filled, cancelled, resting]) expect(await bench.ask(known, "find")).toBe("answered");
    expect([filled.status, cancelled.status, resting.status]).toEqual(["FILLED", "CANCELLED", "PARTIALLY_FILLED"]);
    bench.fill(resting, "0.008");
    await bench.expectSame();
  });

  test("an order that was sent just before the end is found by its name, and not placed twice", async () => {
    const bench = await start();
    bench.desk.faults.add("POST", "/api/v3/order", { kind: "silence", isDone: true });
    const order = bench.newOrder();
    const asked = bench.venue.place(order.current);
    await until(() => bench.account.orders.size === 1);
    await bench.restart();
    await asked;
    expect(await bench.ask(order, "place")).toBe("answered");
    expect(bench.account.orders.size).toBe(1);
    await bench.expectSame();
  });

  test("an order that may still be on its way is not placed", async () => {
    const bench = await start();
    bench.desk.faults.add("POST", "/api/v3/order", { kind: "delayed" });
    const order = bench.newOrder();
    await bench.venue.place(order.current);
    await bench.restart();
    expect(await bench.ask(order, "place")).toBe("unknown");
    bench.time.aheadMs += 60_000;
    expect(await bench.ask(order, "find")).toBe("missing");
    bench.desk.faults.release();
    expect(await bench.ask(order, "place")).toBe("answered");
    expect(bench.account.orders.size).toBe(1);
    await bench.expectSame();
  });

  test("orders of ours are found among those that are open", async () => {
    const bench = await start();
    const order = await bench.placed();
    await bench.restart();
    await bench.watch();
    await bench.expectSame();
    expect(await bench.venue.openOrders(order.order.accountId)).toEqual({
      kind: "answered",
      orders: [{ clientOrderId: order.order.clientOrderId, exchangeOrderId: order.exchangeOrderId }],
    });
  });
});

describe("limits and keys", () => {
  test.each([429, 418] as const)("HTTP %i: nothing is sent until the time is over", async (status) => {
    const bench = await start();
    await bench.placed();
    bench.simulator.limitRequests({ status, retryAfterSeconds: 30 }, "BINANCE_SPOT");
    const refused = bench.newOrder();
    expect(await bench.ask(refused, "place")).toBe("answered");
    expect(refused.status).toBe("REJECTED");
    bench.simulator.limitRequests(null, "BINANCE_SPOT");
    const other = bench.newOrder();
    await bench.ask(other, "place");
    expect(other.status).toBe("REJECTED");
    await expect(bench.venue.balances(other.order.accountId)).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    expect(bench.desk.done.get("POST /api/v3/order")).toBe(1);
    bench.time.aheadMs += 30_000;
    expect((await bench.placed()).status).toBe("NEW");
    await bench.expectSame();
  });

  test("a wrong clock is set right", async () => {
    const bench = await start();
    await bench.placed();
    bench.clientAheadMs = 90_000;
    expect((await bench.placed()).status).toBe("NEW");
    bench.clientAheadMs = -90_000;
    expect((await bench.placed()).status).toBe("NEW");
    await bench.expectSame();
  });

  test("what a key may do, and one that is wrong", async () => {
    const bench = await start();
    expect(await bench.venue.permissions(accountId)).toEqual(["READ", "TRADE"]);
    bench.keys.secret = "AnotherSecret";
    await bench.venue.forget(accountId);
    await expect(bench.venue.permissions(accountId)).rejects.toMatchObject({
      code: "BAD_USER_INPUT",
      details: { field: "apiKey" },
    });
    const order = bench.newOrder();
    bench.time.aheadMs += 30_000;
    expect(await bench.ask(order, "place")).not.toBe("missing");
  });
});
