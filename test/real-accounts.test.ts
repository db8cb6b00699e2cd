import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Decimal } from "../src/core/decimal.js";
import { KeyRing } from "../src/core/key-ring.js";
import { systemClock } from "../src/core/time.js";
import { type Simulator, startSimulator } from "../src/feeds/simulator/simulator.js";
import { simulatedTrader, type TradingDesk } from "../src/feeds/simulator/trading/desk.js";
import { rebuild } from "../src/trading/rebuild.js";
import { query, startTestApp, type TestApp } from "./support/app.js";
import { signIn, signUp } from "./support/people.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

/** Each test has a key of its own, which is for the spot market alone. */
const { futures: _futures, ...spotTrader } = simulatedTrader;
const keys = Array.from({ length: 20 }, (_, n) => ({ ...spotTrader, apiKey: `simulated-api-key-${n}` }));
let key: (typeof keys)[number] = spotTrader;
let used = 0;
const patience = { timeout: 25_000 };
const encryptionKeys = KeyRing.parse(`test:${Buffer.alloc(32, 7).toString("base64")}`);
const spotId = (of: TestApp) => of.app.catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.id ?? 0;

let exchange: Simulator;
let on: TestApp;
let user: Awaited<ReturnType<typeof signUp>>;
let btc: string;
let price: number;

async function startProgram(database?: TestApp["database"]): Promise<TestApp> {
  const started = await startTestApp({
    config: { encryptionKeys },
    overrides: { exchange, accountSyncMs: 500, ...(database === undefined ? {} : { database: database.address }) },
  });
  const id = spotId(started);
  await until(() => started.app.quotes.get(id)?.isStale === false && started.app.quotes.get(id)?.bid !== null, 20_000);
  return started;
}

beforeAll(async () => {
  const log = pino({ level: "silent" });
  exchange = await startSimulator({ port: 0, seed: 7, clock: systemClock, log, accounts: keys });
  on = await startProgram();
  const { data } = await query(on.url, '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id } }');
  btc = data.symbol.id;
  price = Number(on.app.quotes.get(spotId(on))?.price);
}, 60_000);
afterAll(async () => {
  await on.close();
  await exchange.close();
});
afterEach(() => desk().faults.clear());

const desk = (): TradingDesk => exchange.trading as TradingDesk;
const ask = (text: string, variables: Record<string, unknown> = {}) => query(on.url, text, variables, user.headers);

const create = (input: Record<string, unknown> = {}) =>
  ask("mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id status syncStatus } }", {
    input: {
      exchange: "BINANCE",
      name: "mine",
      environment: "TESTNET",
      apiKey: key.apiKey,
      apiSecret: key.secret,
      ...input,
    },
  });

const accountOf = async (id: string) =>
  (
    await ask(
      "query ($id: ID!) { account(id: $id) { status syncStatus syncError lastSyncAt permissions balances { asset available locked total } } }",
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

/** A user of their own, with an account that the exchange has taken. */
async function open(): Promise<string> {
  user = await signUp(on.url);
  key = keys[used++] ?? spotTrader;
  const { data, errors } = await create();
  expect(errors).toBeUndefined();
  const { id } = data.createAccount;
  await expect.poll(async () => (await accountOf(id)).syncStatus, patience).toBe("SYNCED");
  return id;
}

const place = (accountId: string, input: Record<string, unknown>) =>
  ask("mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status } }", {
    input: { accountId, symbolId: btc, side: "BUY", orderType: "LIMIT", quantity: "0.01", ...input },
  });
async function placed(accountId: string, input: Record<string, unknown> = {}): Promise<string> {
  const { data, errors } = await place(accountId, { price: low(), ...input });
  expect(errors).toBeUndefined();
  return data.placeOrder.id;
}
/** Far below the market. */
const low = (): string => String(Math.floor(price * 0.7));
const becomes = (id: string, status: string) =>
  expect.poll(async () => (await orderOf(id)).status, patience).toBe(status);
/** What was placed in the first second of a session may have been sent by the one before, so it is rejected in the end. */
async function resting(accountId: string): Promise<string> {
  for (let tries = 0; tries < 3; tries++) {
    const order = await placed(accountId);
    await expect.poll(async () => (await orderOf(order)).status, patience).not.toBe("PENDING");
    if ((await orderOf(order)).status === "NEW") return order;
  }
  throw new Error("no order rests");
}
const trader = () => {
  const account = desk().accounts.get(key.apiKey);
  if (account === undefined) throw new Error("no account");
  return account;
};
/** Sums of an asset here and at the exchange, which must be the same in the end. */
async function expectSameBalances(accountId: string): Promise<void> {
  await expect
    .poll(async () => {
      const { balances } = await accountOf(accountId);
      return balances
        .filter(({ asset }: { asset: string }) => ["BTC", "USDT"].includes(asset))
        .map(({ asset, total }: { asset: string; total: string }) => {
          const { free, locked } = trader().holding(asset);
          return Number(total) - Number(free.plus(locked));
        });
    }, patience)
    .toEqual([0, 0]);
}

describe("an account at an exchange", () => {
  test("is opened with the balances that the exchange has, as deposits", async () => {
    const id = await open();
    const account = await accountOf(id);
    expect(account).toMatchObject({ status: "ACTIVE", syncError: null, permissions: ["READ", "TRADE"] });
    expect(account.lastSyncAt).not.toBeNull();
    await expectSameBalances(id);
    const { data } = await ask("query ($id: ID!) { ledgerEntries(accountId: $id) { nodes { reason } } }", { id });
    expect(new Set(data.ledgerEntries.nodes.map(({ reason }: { reason: string }) => reason))).toEqual(
      new Set(["DEPOSIT"]),
    );
  });

  test("with a key that the exchange refuses is in error, says why, and takes no orders", async () => {
    user = await signUp(on.url);
    const { data } = await create({ apiSecret: "not-the-secret-of-it" });
    const { id } = data.createAccount;
    await expect.poll(async () => (await accountOf(id)).status, patience).toBe("ERROR");
    expect(await accountOf(id)).toMatchObject({
      syncStatus: "ERROR",
      syncError: expect.stringContaining("refuses the key"),
      balances: [],
    });
    expect((await accountOf(id)).syncError).not.toContain("not-the-secret");
    expect((await place(id, { price: low() })).errors?.[0]?.extensions.code).toBe("CONFLICT");
  });

  test("that the exchange refuses for a while is tried again, and active when it is taken", async () => {
    user = await signUp(on.url);
    key = keys[used++] ?? spotTrader;
    const { secret } = trader();
    Object.assign(trader(), { secret: "not known yet" });
    const { id } = (await create()).data.createAccount;
    await expect.poll(async () => (await accountOf(id)).status, patience).toBe("ERROR");
    Object.assign(trader(), { secret });
    await expect
      .poll(async () => accountOf(id), patience)
      .toMatchObject({ status: "ACTIVE", syncStatus: "SYNCED", syncError: null });
    await resting(id);
  });

  test("gets other keys: they are checked at once, the old ones are used no more, and it is written down", async () => {
    user = await signUp(on.url);
    key = keys[used++] ?? spotTrader;
    const update = (id: string, input: Record<string, unknown>) =>
      ask(
        "mutation ($id: ID!, $input: AccountKeysInput!) { updateAccountKeys(id: $id, input: $input) { id syncStatus syncError apiKeyHint } }",
        { id, input: { apiKey: key.apiKey, apiSecret: key.secret, ...input } },
      );
    const { id } = (await create({ apiSecret: "not-the-secret-of-it" })).data.createAccount;
    await expect.poll(async () => (await accountOf(id)).status, patience).toBe("ERROR");
    expect((await update(id, { apiSecret: "short" })).errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      field: "apiSecret",
    });
    const { data } = await update(id, {});
    expect(data.updateAccountKeys).toMatchObject({ id, syncStatus: "PENDING", syncError: null });
    await expect.poll(async () => accountOf(id), patience).toMatchObject({ status: "ACTIVE", syncStatus: "SYNCED" });
    const order = await resting(id);
    const { sql } = on.database.owner;
    const [{ sealed } = { sealed: "" }] = await sql`
      select sealed_api_key || sealed_api_secret as sealed from accounts where keys_updated_at is not null order by created_at desc limit 1`;
    expect(sealed).not.toContain(key.secret);
    const audit =
      await sql`select action, details::text as details from audit_events where action = 'account.update-keys'`;
    expect(audit).toHaveLength(1);
    expect(audit[0]?.details).not.toContain(key.secret);
    expect(audit[0]?.details).not.toContain(key.apiKey);

    // From now on with a key that the exchange does not know: what is open with the old one is closed.
    const streams = desk().subscriptions;
    await update(id, { apiKey: "nobody-has-this-key" });
    await expect
      .poll(async () => accountOf(id), patience)
      .toMatchObject({
        status: "ERROR",
        syncError: expect.stringContaining("refuses the key"),
      });
    expect(desk().subscriptions).toBeLessThan(streams);
    await update(id, {});
    await expect.poll(async () => (await accountOf(id)).status, patience).toBe("ACTIVE");
    await becomes(order, "NEW");
    const stranger = await signUp(on.url);
    const text = "mutation ($id: ID!, $input: AccountKeysInput!) { updateAccountKeys(id: $id, input: $input) { id } }";
    const input = { apiKey: key.apiKey, apiSecret: key.secret };
    const refused = await query(on.url, text, { id, input }, stranger.headers);
    expect(refused.errors?.[0]?.extensions.code).toBe("NOT_FOUND");
    await ask("mutation ($id: ID!) { deactivateAccount(id: $id) { id } }", { id });
    expect((await update(id, {})).errors?.[0]?.extensions.code).toBe("CONFLICT");
  });

  test.each([
    ["production where markets are simulated", { environment: "PRODUCTION" }, "environment", true],
    ["an exchange that the simulated one does not speak for", { exchange: "BYBIT" }, "exchange", false],
  ])("is refused: %s", async (_, input, field, isVerified) => {
    user = await signUp(on.url);
    if (isVerified) {
      await on.database.owner.sql`
        update users set status = 'ACTIVE', email_verified_at = now() where email = ${user.email}`;
      user = await signIn(on.url, user.email);
    }
    expect((await create(input)).errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field });
  });

  test("is refused in production to whoever has not confirmed their address", async () => {
    user = await signUp(on.url);
    expect((await create({ environment: "PRODUCTION" })).errors?.[0]).toMatchObject({
      message: expect.stringContaining("confirm your e-mail address"),
      extensions: { code: "FORBIDDEN" },
    });
  });

  test("what the exchange does not take is refused before anything is held for it", async () => {
    const id = await open();
    const before = await accountOf(id);
    const refused = await place(id, { price: low(), timeInForce: "DAY" });
    expect(refused.errors?.[0]).toMatchObject({
      message: expect.stringContaining("no DAY orders"),
      extensions: { code: "BAD_USER_INPUT" },
    });
    expect((await accountOf(id)).balances).toEqual(before.balances);
    const input = { accountId: id, symbolId: btc, side: "BUY", orderType: "LIMIT", quantity: "0.01", price: low() };
    const estimate = (more: object) =>
      ask("query ($input: PlaceOrderInput!) { estimateOrder(input: $input) { notional violations } }", {
        input: { ...input, ...more },
      });
    const { message, extensions } = refused.errors?.[0] ?? {};
    expect((await estimate({ timeInForce: "DAY" })).errors?.[0]).toMatchObject({
      message,
      extensions: { code: extensions?.code, field: extensions?.field },
    });
    expect((await estimate({})).data.estimateOrder.violations).toEqual([]);
  });
});

describe("orders", () => {
  test("a market order is filled, and whoever listens hears of the order and the balances", async () => {
    const id = await open();
    const { authorization } = user.headers;
    const watch = (text: string) => openStream(on.websocketUrl, text, { id }, { authorization });
    const orders = watch('subscription ($id: ID!) { orderUpdated(accountId: $id, after: "1") { id status } }');
    const balances = watch(
      'subscription ($id: ID!) { balanceUpdated(accountId: $id, after: "1") { asset available } }',
    );
    const order = await placed(id, { orderType: "MARKET", price: null });
    await becomes(order, "FILLED");
    await orders.find(({ orderUpdated }) => orderUpdated.status === "FILLED");
    await balances.find(({ balanceUpdated }) => balanceUpdated.asset === "BTC");
    expect([orders.errors, balances.errors]).toEqual([[], []]);
    await Promise.all([orders.close(), balances.close()]);
    await expectSameBalances(id);
  });

  test("a limit order rests, is replaced and cancelled; nothing stays held", async () => {
    const id = await open();
    const order = await placed(id);
    await becomes(order, "NEW");
    const better = String(Math.floor(price * 0.75));
    const replaced = await ask("mutation ($input: ReplaceOrderInput!) { replaceOrder(input: $input) { id } }", {
      input: { orderId: order, price: better, quantity: "0.02" },
    });
    expect(replaced.errors).toBeUndefined();
    await expect
      .poll(async () => orderOf(order), patience)
      .toMatchObject({ status: "NEW", price: better, quantity: "0.02" });
    expect((await cancel(order)).errors).toBeUndefined();
    await becomes(order, "CANCELLED");
    expect((await accountOf(id)).balances.every(({ locked }: { locked: string }) => locked === "0")).toBe(true);
    expect(trader().openOrders.size).toBe(0);
    await expectSameBalances(id);
  });

  test("what the exchange refuses is rejected with its reason, and nothing stays held", async () => {
    const id = await open();
    trader().lock("USDT", trader().holding("USDT").free);
    const order = await placed(id);
    await becomes(order, "REJECTED");
    expect(await orderOf(order)).toMatchObject({ rejectReason: expect.stringContaining("insufficient balance") });
    expect((await accountOf(id)).balances.every(({ locked }: { locked: string }) => locked === "0")).toBe(true);
  });

  test.each(["lostAnswer", "unknownStatus"] as const)(
    "%s: the order is found, and filled exactly once",
    async (kind) => {
      const id = await open();
      desk().faults.add("POST", "/api/v3/order", { kind });
      const order = await placed(id, { orderType: "MARKET", price: null });
      await becomes(order, "FILLED");
      expect(trader().orders.size).toBe(1);
      expect(await filledOf(order)).toBe(0.01);
      await expectSameBalances(id);
    },
  );

  test("a request that was lost on the way is not sent again: the order is rejected", async () => {
    const id = await open();
    desk().faults.add("POST", "/api/v3/order", { kind: "lostRequest" });
    const order = await placed(id);
    // As long as the client waits for the answer, and then until the request can not arrive any more.
    await expect.poll(async () => (await orderOf(order)).status, { timeout: 50_000 }).toBe("REJECTED");
    expect(trader().orders.size).toBe(0);
    expect((await accountOf(id)).balances.every(({ locked }: { locked: string }) => locked === "0")).toBe(true);
  }, 60_000);

  test("what was paid in at the exchange itself comes as an adjustment", async () => {
    const id = await open();
    const usdt = trader().holding("USDT");
    usdt.free = usdt.free.plus(250);
    await expectSameBalances(id);
    const { data } = await ask(
      'query ($id: ID!) { ledgerEntries(accountId: $id, asset: "USDT") { nodes { reason availableChange } } }',
      { id },
    );
    expect(data.ledgerEntries.nodes[0]).toEqual({ reason: "ADJUSTMENT", availableChange: "250" });
  });

  test("what is paid in or out at the exchange itself is no profit and no loss to the limits", async () => {
    const id = await open();
    const { sql } = on.database.owner;
    const usdt = trader().holding("USDT");
    const limit = { scope: "ACCOUNT", accountId: id, maxDailyLoss: "3000", maxDrawdownPercent: "4" };
    await ask("mutation ($input: SetRiskLimitInput!) { setRiskLimit(input: $input) { id } }", { input: limit });
    await placed(id);
    usdt.free = usdt.free.minus(60_000);
    await expectSameBalances(id);
    await placed(id);
    // As after a loss.
    await sql`
      update account_sequences set equity_at_midnight = equity_at_midnight + 5000
      where account_id = (select id from accounts order by created_at desc limit 1)`;
    const refusal = async () => (await place(id, { price: low() })).errors?.[0]?.extensions;
    expect(await refusal()).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", limit: "maxDailyLoss" });
    usdt.free = usdt.free.plus(100_000);
    await expectSameBalances(id);
    expect(await refusal()).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", limit: "maxDailyLoss" });
  });

  test("the end of an account cancels its orders at the exchange", async () => {
    const id = await open();
    const order = await placed(id);
    await becomes(order, "NEW");
    // A refusal is not the end of it: nobody else would ask again.
    desk().faults.add("DELETE", "/api/v3/order", { kind: "limited", status: 429, retryAfterSeconds: 1 });
    const ended = await ask("mutation ($id: ID!) { deactivateAccount(id: $id) { status syncStatus } }", { id });
    expect(ended.data.deactivateAccount).toEqual({ status: "INACTIVE", syncStatus: "DISABLED" });
    await becomes(order, "CANCELLED");
    expect(trader().openOrders.size).toBe(0);
    expect((await accountOf(id)).syncStatus).toBe("DISABLED");
  });
});

test("an execution that does not fit the order becomes a sync error, and the account goes on", async () => {
  const id = await open();
  const order = await placed(id);
  await becomes(order, "NEW");
  const [there] = trader().openOrders.values();
  if (there?.price == null) throw new Error("no order");
  // An exchange that executes twice of what was wanted.
  const more = there.price.times(there.quantity);
  trader().lock("USDT", more);
  Object.assign(there, { quantity: there.quantity.times(2), locked: there.locked.plus(more) });
  desk().engine.fill(trader(), there, there.quantity);
  await expect
    .poll(async () => (await accountOf(id)).syncError, patience)
    .toContain("does not fit the order here (OVERFILL)");
  const next = await placed(id);
  await becomes(next, "NEW");
});

describe("the program begins anew", () => {
  test("and finds what happened meanwhile: one order filled, one cancelled, one whose answer was lost", async () => {
    const id = await open();
    const resting = await placed(id);
    const gone = await placed(id);
    for (const order of [resting, gone]) await becomes(order, "NEW");
    desk().faults.add("POST", "/api/v3/order", { kind: "silence", isDone: true });
    const unanswered = await placed(id, { orderType: "MARKET", price: null });
    await until(() => trader().orders.size === 3, 20_000);
    const before = on;
    await before.app.close();
    const [filling, cancelling] = [...trader().openOrders.values()];
    if (filling === undefined || cancelling === undefined) throw new Error("no orders");
    desk().engine.fill(trader(), filling, filling.quantity);
    desk().engine.cancel(trader(), cancelling, null);
    on = await startProgram(before.database);
    await becomes(unanswered, "FILLED");
    await becomes(resting, "FILLED");
    await becomes(gone, "CANCELLED");
    expect([await filledOf(unanswered), await filledOf(resting), await filledOf(gone)]).toEqual([0.01, 0.01, 0]);
    expect(trader().orders.size).toBe(3);
    await expectSameBalances(id);
  }, 60_000);
});

test("what the events make is what is stored", async () => {
  expect((await rebuild(on.database.owner, false)).differences).toEqual([]);
});

const cancel = (id: string) => ask("mutation ($id: ID!) { cancelOrder(id: $id) { status } }", { id });
async function filledOf(id: string): Promise<number> {
  const { fills } = await orderOf(id);
  const quantities = fills.map(({ quantity }: { quantity: string }) => quantity);
  return Decimal.sum(0, ...quantities).toNumber();
}
