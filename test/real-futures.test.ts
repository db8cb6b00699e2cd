import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { KeyRing } from "../src/core/key-ring.js";
import { systemClock } from "../src/core/time.js";
import type { FuturesAccount } from "../src/feeds/simulator/futures/account.js";
import type { FuturesDesk } from "../src/feeds/simulator/futures/desk.js";
import { type Simulator, startSimulator } from "../src/feeds/simulator/simulator.js";
import { simulatedTrader } from "../src/feeds/simulator/trading/desk.js";
import { rebuild } from "../src/trading/rebuild.js";
import { query, startTestApp, type TestApp } from "./support/app.js";
import { signUp } from "./support/people.js";
import { until } from "./support/until.js";

const keys = Array.from({ length: 20 }, (_, n) => ({ ...simulatedTrader, apiKey: `simulated-futures-key-${n}` }));
let key = simulatedTrader;
let used = 0;
const patience = { timeout: 30_000 };
const encryptionKeys = KeyRing.parse(`test:${Buffer.alloc(32, 7).toString("base64")}`);
const symbolOf = (of: TestApp) => of.app.catalogue.symbolByTicker("BINANCE_FUTURES", "BTCUSDT");

let exchange: Simulator;
let on: TestApp;
/** Of the first start; the others use it too. */
let home: TestApp["database"];
let user: Awaited<ReturnType<typeof signUp>>;
let btc: string;
let price: number;

async function startProgram(database?: TestApp["database"]): Promise<TestApp> {
  const futuresExchange = exchange.addresses.get("BINANCE_FUTURES");
  if (futuresExchange === undefined) throw new Error("no futures");
  const started = await startTestApp({
    config: { encryptionKeys },
    overrides: {
      exchange,
      futuresExchange,
      accountSyncMs: 500,
      ...(database === undefined ? {} : { database: database.address }),
    },
  });
  const id = symbolOf(started)?.id ?? 0;
  await until(() => started.app.quotes.get(id)?.isStale === false && started.app.quotes.get(id)?.bid !== null, 30_000);
  return started;
}

beforeAll(async () => {
  const log = pino({ level: "silent" });
  exchange = await startSimulator({ port: 0, seed: 7, clock: systemClock, log, accounts: keys });
  on = await startProgram();
  home = on.database;
  const { data } = await query(on.url, '{ symbol(market: "BINANCE_FUTURES", ticker: "BTCUSDT") { id } }');
  btc = data.symbol.id;
  price = Number(on.app.quotes.get(symbolOf(on)?.id ?? 0)?.price);
}, 60_000);
afterAll(async () => {
  await on?.close();
  await exchange?.close();
});
afterEach(() => desk().faults.clear());

const desk = (): FuturesDesk => exchange.futures as FuturesDesk;
const trader = (): FuturesAccount => desk().accounts.get(key.apiKey) as FuturesAccount;
const ask = (text: string, variables: Record<string, unknown> = {}) => query(on.url, text, variables, user.headers);

const accountOf = async (id: string) =>
  (
    await ask(
      "query ($id: ID!) { account(id: $id) { status syncStatus syncError balances { asset available locked total } } }",
      { id },
    )
  ).data.account;
const orderOf = async (id: string) =>
  (
    await ask(
      "query ($id: ID!) { order(id: $id) { status filledQuantity quantity price rejectReason fills { price quantity } events { type } } }",
      { id },
    )
  ).data.order;
const positionsOf = async (accountId: string, statuses = ["OPEN"]) =>
  (
    await ask(
      "query ($filter: PositionFilter) { positions(filter: $filter) { nodes { id side quantity entryPrice leverage marginMode marginUsed realizedPnl status } } }",
      { filter: { accountId, statuses } },
    )
  ).data.positions.nodes;
const reasonsOf = async (id: string, reason: string) => {
  const { data } = await ask(
    "query ($id: ID!) { ledgerEntries(accountId: $id, first: 100) { nodes { reason availableChange } } }",
    { id },
  );
  return data.ledgerEntries.nodes.filter((entry: { reason: string }) => entry.reason === reason);
};

/** A user of their own, with an account that the exchange has taken, and a session that sends what is new at once. */
async function open(input: Record<string, unknown> = {}): Promise<string> {
  user = await signUp(on.url);
  key = keys[used++] ?? simulatedTrader;
  const { data, errors } = await ask("mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id } }", {
    input: {
      exchange: "BINANCE",
      name: "futures",
      environment: "TESTNET",
      apiKey: key.apiKey,
      apiSecret: key.secret,
      ...input,
    },
  });
  expect(errors).toBeUndefined();
  const { id } = data.createAccount;
  await expect.poll(async () => (await accountOf(id)).syncStatus, patience).toBe("SYNCED");
  await until(() => desk().subscriptions >= used, 30_000);
  return id;
}

const place = (accountId: string, input: Record<string, unknown>) =>
  ask("mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status } }", {
    input: { accountId, symbolId: btc, side: "BUY", orderType: "MARKET", quantity: "0.01", leverage: 10, ...input },
  });
async function placed(accountId: string, input: Record<string, unknown> = {}): Promise<string> {
  const { data, errors } = await place(accountId, input);
  expect(errors).toBeUndefined();
  return data.placeOrder.id;
}
const low = (factor = 0.97): string => String(Math.floor(price * factor));
const becomes = (id: string, status: string) =>
  expect.poll(async () => orderOf(id), patience).toMatchObject({ status });
const byValue = (a: number, b: number): number => a - b;
const quantitiesThere = () =>
  trader()
    .openPositions()
    .map(({ amount }) => amount.toNumber());

/** Sums of USDT here and in both wallets there, and the positions, which must be the same in the end. */
async function expectSame(accountId: string): Promise<void> {
  await expect
    .poll(async () => {
      const { balances } = await accountOf(accountId);
      const usdt = balances.find(({ asset }: { asset: string }) => asset === "USDT");
      const spot = exchange.trading?.accounts.get(key.apiKey)?.holding("USDT");
      const there = Number(spot?.free.plus(spot.locked).plus(trader().wallet));
      const positions = (await positionsOf(accountId)).map(({ side, quantity }: { side: string; quantity: string }) =>
        side === "LONG" ? Number(quantity) : -Number(quantity),
      );
      return [Number((Number(usdt.total) - there).toFixed(6)), ...positions.sort(byValue)];
    }, patience)
    .toEqual([0, ...quantitiesThere().sort(byValue)]);
}
/** What only a comparison of sums would book. */
const expectNoAdjustments = async (id: string) => {
  expect(await reasonsOf(id, "ADJUSTMENT")).toEqual([]);
  const [row] = await home.owner.sql`
    select count(*)::int as taken from event_store where event_type = 'positionTaken'
      and account_id = (select id from accounts order by created_at desc limit 1)`;
  expect(row?.taken).toBe(0);
};

describe("futures at an exchange", () => {
  test("an order opens a position with its leverage and margin mode, and closing it brings the profit", async () => {
    const id = await open();
    await becomes(await placed(id, { leverage: 7, marginMode: "ISOLATED" }), "FILLED");
    expect(trader().leverageOf("BTCUSDT")).toBe(7);
    expect([...trader().isolated]).toEqual(["BTCUSDT"]);
    expect(quantitiesThere()).toEqual([0.01]);
    const [position] = await positionsOf(id);
    expect(position).toMatchObject({ side: "LONG", quantity: "0.01", leverage: 7, marginMode: "ISOLATED" });
    await expectSame(id);
    const closed = await ask("mutation ($id: ID!) { closePosition(id: $id) { id } }", { id: position.id });
    expect(closed.errors).toBeUndefined();
    await becomes(closed.data.closePosition.id, "FILLED");
    expect(quantitiesThere()).toEqual([]);
    expect(await positionsOf(id)).toEqual([]);
    await expectSame(id);
    await expectNoAdjustments(id);
  });

  test("a limit order rests, is changed in its place and cancelled; nothing stays held", async () => {
    const id = await open();
    const order = await placed(id, { orderType: "LIMIT", price: low() });
    await becomes(order, "NEW");
    const replaced = await ask("mutation ($input: ReplaceOrderInput!) { replaceOrder(input: $input) { id } }", {
      input: { orderId: order, price: low(0.98), quantity: "0.02" },
    });
    expect(replaced.errors).toBeUndefined();
    await expect
      .poll(async () => orderOf(order), patience)
      .toMatchObject({ status: "NEW", price: low(0.98), quantity: "0.02" });
    expect(desk().done.get("PUT /fapi/v1/order")).toBeGreaterThan(0);
    await ask("mutation ($id: ID!) { cancelOrder(id: $id) { status } }", { id: order });
    await becomes(order, "CANCELLED");
    expect((await accountOf(id)).balances.every(({ locked }: { locked: string }) => locked === "0")).toBe(true);
    await expectSame(id);
  });

  test("in hedge mode both sides are open at once, and each is closed by itself", async () => {
    const id = await open({ positionMode: "HEDGE" });
    const opening = { leverage: 20, marginMode: "ISOLATED" };
    await becomes(await placed(id, { positionSide: "LONG", ...opening }), "FILLED");
    await becomes(await placed(id, { positionSide: "SHORT", side: "SELL", quantity: "0.02", ...opening }), "FILLED");
    expect(trader().isHedged).toBe(true);
    expect(quantitiesThere().sort(byValue)).toEqual([-0.02, 0.01]);
    await expectSame(id);
    // Who closes says nothing of margin and leverage: those of what is open stay.
    await becomes(await placed(id, { positionSide: "LONG", side: "SELL", leverage: undefined }), "FILLED");
    expect(quantitiesThere()).toEqual([-0.02]);
    expect(trader().leverageOf("BTCUSDT")).toBe(20);
    expect([...trader().isolated]).toEqual(["BTCUSDT"]);
    await expectSame(id);
    await expectNoAdjustments(id);
  });

  test("what only reduces does not turn a position round", async () => {
    const id = await open();
    await becomes(await placed(id), "FILLED");
    const order = await placed(id, { side: "SELL", reduceOnly: true, orderType: "LIMIT", price: low() });
    await becomes(order, "FILLED");
    expect(quantitiesThere()).toEqual([]);
    await expectSame(id);
  });

  test.each([
    ["a stop order", { orderType: "STOP_MARKET", stopPrice: "1" }, "STOP_MARKET orders for futures"],
    ["a DAY order", { orderType: "LIMIT", price: "50000", timeInForce: "DAY" }, "no DAY orders"],
    ["protection", { stopLoss: "1" }, "no stop order"],
  ])("refuses before anything is sent: %s", async (_, input, words) => {
    if (user === undefined) await open();
    const { data } = await ask("{ accounts { id } }");
    const refused = await place(data.accounts[0].id, input);
    expect(refused.errors?.[0]).toMatchObject({
      message: expect.stringContaining(words),
      extensions: { code: "BAD_USER_INPUT" },
    });
  });

  test("what the exchange does not set is not traded: the order is rejected with the reason", async () => {
    const id = await open();
    await becomes(await placed(id, { marginMode: "CROSS", orderType: "LIMIT", price: low() }), "NEW");
    const order = await placed(id, { marginMode: "ISOLATED" });
    await becomes(order, "REJECTED");
    expect((await orderOf(order)).rejectReason).toContain("cannot be changed");
    expect(trader().orders.size).toBe(1);
    await expectSame(id);
  });
});

describe("what the exchange does by itself is booked once", () => {
  test("funding payments, whatever is asked how often, and after a restart", async () => {
    const id = await open();
    await becomes(await placed(id), "FILLED");
    desk().engine.fund(trader(), "BTCUSDT", "0.0001");
    desk().engine.fund(trader(), "BTCUSDT", "-0.0003");
    await expect.poll(async () => (await reasonsOf(id, "FUNDING")).length, patience).toBe(2);
    const paid = trader().income.map(({ amount }) => amount.toNumber());
    const booked = async () =>
      (await reasonsOf(id, "FUNDING")).map(({ availableChange }: { availableChange: string }) =>
        Number(availableChange),
      );
    expect((await booked()).sort(byValue)).toEqual(paid.sort(byValue));
    await expectSame(id);
    await on.app.close();
    desk().engine.fund(trader(), "BTCUSDT", "0.0002");
    on = await startProgram(home);
    await expect.poll(async () => (await booked()).length, patience).toBe(3);
    await expectSame(id);
    // A second look tells the same payments once more.
    const looks = desk().done.get("GET /fapi/v1/income") ?? 0;
    const spot = exchange.trading?.accounts.get(key.apiKey)?.holding("USDT");
    if (spot === undefined) throw new Error("no account");
    spot.free = spot.free.plus(5);
    await until(() => (desk().done.get("GET /fapi/v1/income") ?? 0) > looks, 30_000);
    await expectSame(id);
    expect(await booked()).toHaveLength(3);
  }, 90_000);

  test("a liquidation in several trades closes the position, which is then LIQUIDATED", async () => {
    const id = await open();
    await becomes(await placed(id, { quantity: "0.03" }), "FILLED");
    desk().engine.liquidate(trader(), "BTCUSDT", low(0.9), 3);
    await expect.poll(async () => (await positionsOf(id, ["LIQUIDATED"])).length, patience).toBe(1);
    expect(await positionsOf(id)).toEqual([]);
    await expectSame(id);
    const [row] = await home.owner.sql`
      select count(*)::int as events, count(distinct data ->> 'venueId')::int as ids from event_store
      where event_type = 'liquidation' and account_id = (select id from accounts order by created_at desc limit 1)`;
    expect(row).toEqual({ events: 3, ids: 3 });
    await expectNoAdjustments(id);
  });

  test("a race: two processes book the same payment, and the database takes it once", async () => {
    const { sql } = home.owner;
    const again = sql`
      insert into event_store (id, stream_type, stream_id, version, event_type, data, user_id, account_id, account_sequence, occurred_at)
      select gen_random_uuid(), e.stream_type, e.stream_id, s.version + 1, e.event_type, e.data, e.user_id, e.account_id,
        s.account_sequence + 1, e.occurred_at
      from (select * from event_store where event_type = 'funding' limit 1) e,
        lateral (select max(version) as version, max(account_sequence) as account_sequence from event_store x
          where x.account_id = e.account_id and x.stream_id = e.stream_id) s`;
    await expect(again).rejects.toMatchObject({ constraint_name: "uk_event_store_account_id_venue_id" });
  });

  test("a position that was opened by hand is taken, and one that was closed by hand ends", async () => {
    const id = await open();
    const marks = { equity_day: new Date().toISOString().slice(0, 10), equity_at_midnight: "1000" };
    const where = home.owner.sql`account_id = (select id from accounts order by created_at desc limit 1)`;
    await home.owner.sql`
      update account_sequences set equity_day = ${marks.equity_day}, equity_at_midnight = ${marks.equity_at_midnight},
        highest_equity = 1000 where ${where}`;
    desk().engine.place(trader(), {
      symbol: "ETHUSDT",
      clientOrderId: "web_by_hand",
      side: "SELL",
      positionSide: "BOTH",
      type: "MARKET",
      timeInForce: "GTC",
      quantity: trader().wallet.times(0).plus("0.5"),
      price: null,
      reduceOnly: false,
    });
    await expectSame(id);
    expect(await positionsOf(id)).toMatchObject([{ side: "SHORT", quantity: "0.5" }]);
    desk().engine.liquidate(trader(), "ETHUSDT", "3000");
    trader().liquidations.length = 0;
    await expectSame(id);
    expect(await positionsOf(id)).toEqual([]);
    // What that brought or cost is profit and loss.
    expect(await reasonsOf(id, "ADJUSTMENT")).not.toEqual([]);
    const stored = await home.owner.sql`
      select equity_day::text, equity_at_midnight::float8::text from account_sequences where ${where}`;
    expect(stored).toEqual([marks]);
  });
});

describe("faults", () => {
  test.each(["lostAnswer", "unknownStatus", "doubled"] as const)("%s of an order: it is there once", async (kind) => {
    const id = await open();
    await becomes(await placed(id), "FILLED");
    desk().faults.add("POST", "/fapi/v1/order", { kind });
    const order = await placed(id, { orderType: "LIMIT", price: low() });
    await becomes(order, "NEW");
    expect(trader().openOrders()).toHaveLength(1);
    const [there] = trader().openOrders();
    if (there === undefined) throw new Error("no order");
    desk().engine.fill(trader(), there, there.quantity);
    await becomes(order, "FILLED");
    await expectSame(id);
    await expectNoAdjustments(id);
  });

  test("the answer to a change is lost: what the exchange has is found out", async () => {
    const id = await open();
    const order = await placed(id, { orderType: "LIMIT", price: low() });
    await becomes(order, "NEW");
    desk().faults.add("PUT", "/fapi/v1/order", { kind: "lostAnswer" });
    await ask("mutation ($input: ReplaceOrderInput!) { replaceOrder(input: $input) { id } }", {
      input: { orderId: order, price: low(0.98) },
    });
    // Only when nothing that was sent can arrive any more.
    await expect
      .poll(async () => orderOf(order), { ...patience, timeout: 90_000 })
      .toMatchObject({ status: "NEW", price: low(0.98) });
    await expectSame(id);
  }, 150_000);

  test("fills while the stream is cut are found when it is back", async () => {
    const id = await open();
    const order = await placed(id, { orderType: "LIMIT", price: low() });
    await becomes(order, "NEW");
    exchange.refuseConnections(true, "BINANCE_FUTURES");
    exchange.disconnectAll("BINANCE_FUTURES");
    const [there] = trader().openOrders();
    if (there === undefined) throw new Error("no order");
    desk().engine.fill(trader(), there, there.quantity.div(2));
    desk().engine.fill(trader(), there, there.quantity.div(2));
    exchange.refuseConnections(false, "BINANCE_FUTURES");
    await becomes(order, "FILLED");
    expect((await orderOf(order)).fills).toHaveLength(2);
    await expectSame(id);
    await expectNoAdjustments(id);
  });
});

test("what the events make is what is stored", async () => {
  expect((await rebuild(home.owner, false)).differences).toEqual([]);
});
