import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { groupBy } from "../src/core/group-by.js";
import { KeyRing } from "../src/core/key-ring.js";
import { query, startTestApp, type TestApp } from "./support/app.js";
import { signUp } from "./support/people.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

let on: TestApp;
let user: Awaited<ReturnType<typeof signUp>>;
let btc: string;

beforeAll(async () => {
  on = await startTestApp({
    config: { encryptionKeys: KeyRing.parse(`test:${Buffer.alloc(32, 7).toString("base64")}`) },
  });
  user = await signUp(on.url);
  const id = on.app.catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.id ?? 0;
  await until(() => on.app.quotes.get(id)?.isStale === false && on.app.quotes.get(id)?.bid !== null, 20_000);
  const { data } = await query(on.url, '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id } }');
  btc = data.symbol.id;
});
afterAll(() => on.close());

const ask = (text: string, variables: Record<string, unknown> = {}) => query(on.url, text, variables, user.headers);

let names = 0;
async function openAccount(exchange = "BINANCE"): Promise<string> {
  const answer = await ask(
    "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id name status environment positionMode exchange { code } balances { asset available locked total } } }",
    { input: { exchange, name: `account ${++names}`, environment: "PAPER" } },
  );
  expect(answer.errors).toBeUndefined();
  expect(answer.data.createAccount).toMatchObject({
    status: "ACTIVE",
    environment: "PAPER",
    positionMode: "ONE_WAY",
    exchange: { code: exchange },
    balances: [{ asset: "USDT", available: "100000", locked: "0", total: "100000" }],
  });
  return answer.data.createAccount.id;
}

const placeOrder = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) {
  id clientOrderId status filledQuantity remainingQuantity avgFillPrice commission commissionAsset version
  account { id } symbol { ticker } fills { price quantity isMaker order { id } } events { version type } } }`;

describe("a trading day", () => {
  beforeEach(async () => {
    user = await signUp(on.url);
  });

  test("a paper account buys at the market and sells by a limit; the ledger adds up", async () => {
    const accountId = await openAccount();
    const bought = await ask(placeOrder, {
      input: { accountId, symbolId: btc, side: "BUY", orderType: "MARKET", quantity: "0.01" },
    });
    expect(bought.errors).toBeUndefined();
    const order = bought.data.placeOrder;
    expect(order).toMatchObject({
      status: "FILLED",
      filledQuantity: "0.01",
      account: { id: accountId },
      symbol: { ticker: "BTCUSDT" },
    });
    expect(order.events.map((event: { type: string }) => event.type)).toEqual([
      "placed",
      "accepted",
      ...order.fills.map(() => "filled"),
    ]);
    expect(order.fills[0].order.id).toBe(order.id);

    const resting = await ask(placeOrder, {
      input: {
        accountId,
        symbolId: btc,
        side: "SELL",
        orderType: "LIMIT",
        quantity: "0.005",
        price: String(Math.ceil(Number(order.avgFillPrice) * 2)),
        clientOrderId: "mine",
      },
    });
    expect(resting.data.placeOrder).toMatchObject({ status: "NEW", clientOrderId: "mine" });
    const { data } = await ask(
      `query ($id: ID!) { account(id: $id) { sequence balances { asset available locked } }
        orders(first: 1) { nodes { id status } pageInfo { hasNextPage endCursor } }
        ledgerEntries(accountId: $id, asset: "USDT") { nodes { asset reason availableChange lockedChange order { id } fill { id } } }
        viewer { orders { nodes { id } } accounts { id } positions { nodes { id } } } }`,
      { id: accountId },
    );
    expect(data.orders.nodes).toEqual([{ id: resting.data.placeOrder.id, status: "NEW" }]);
    expect(data.orders.pageInfo.hasNextPage).toBe(true);
    expect(data.viewer.orders.nodes).toHaveLength(2);
    const usdt = data.account.balances.find((balance: { asset: string }) => balance.asset === "USDT");
    const sum = data.ledgerEntries.nodes.reduce(
      (total: number, entry: { availableChange: string }) => total + Number(entry.availableChange),
      0,
    );
    expect(sum).toBeCloseTo(Number(usdt.available), 6);
    expect(usdt.locked).toBe("0");
    expect(data.account.balances.find((balance: { asset: string }) => balance.asset === "BTC")).toMatchObject({
      available: "0.005",
      locked: "0.005",
    });

    const next = await ask("query ($after: String) { orders(first: 5, after: $after) { nodes { id } } }", {
      after: data.orders.pageInfo.endCursor,
    });
    expect(next.data.orders.nodes).toEqual([{ id: order.id }]);

    const cancelled = await ask("mutation ($id: ID!) { cancelOrder(id: $id) { status cancelledAt } }", {
      id: resting.data.placeOrder.id,
    });
    expect(cancelled.data.cancelOrder.status).toBe("CANCELLED");
    const again = await ask("mutation ($id: ID!) { cancelOrder(id: $id) { status } }", {
      id: resting.data.placeOrder.id,
    });
    expect(again.errors?.[0]?.extensions.code).toBe("ORDER_NOT_OPEN");
  });

  test("a list shows each field of an order as the order itself does, also when nothing else is asked for", async () => {
    const accountId = await openAccount();
    const place = async (input: object): Promise<string> => {
      const { data, errors } = await ask(placeOrder, { input: { accountId, symbolId: btc, side: "BUY", ...input } });
      expect(errors).toBeUndefined();
      return data.placeOrder.id;
    };
    const ids = [
      await place({ orderType: "MARKET", quantity: "0.002" }),
      await place({
        orderType: "LIMIT",
        quantity: "0.005",
        price: "50000",
        icebergQuantity: "0.001",
        stopLoss: "40000",
        takeProfit: "900000",
        postOnly: true,
      }),
      await place({
        orderType: "TRAILING_STOP",
        side: "SELL",
        quantity: "0.001",
        stopPrice: "900000",
        callbackRate: "1.5",
      }),
    ].toReversed();
    await ask("mutation ($id: ID!) { cancelOrder(id: $id) { status } }", { id: ids[0] });

    const { data } = await ask('{ __type(name: "Order") { fields { name type { kind ofType { kind } } } } }');
    const leaf = new Set(["SCALAR", "ENUM"]);
    const fields = (data.__type.fields as { name: string; type: { kind: string; ofType: { kind: string } | null } }[])
      .filter(({ type }) => leaf.has((type.ofType ?? type).kind))
      .map(({ name }) => name);
    expect(fields.length).toBeGreaterThan(30);
    const alone = await Promise.all(
      ids.map(
        async (id) => (await ask(`query ($id: ID!) { order(id: $id) { ${fields.join(" ")} } }`, { id })).data.order,
      ),
    );
    const orderAs = async (selection: string) =>
      (
        await ask(
          `{ viewer { orders(first: 3) { edges { ...E } } } } fragment E on OrderEdge { node { ${selection} } }`,
        )
      ).data.viewer.orders.edges;
    for (const field of fields)
      expect(await orderAs(`shown: ${field}`)).toEqual(alone.map((order) => ({ node: { shown: order[field] } })));
    const together = await ask(
      `{ orders(first: 3) { nodes { id } } orders(first: 3) { nodes { ${fields.join(" ")} } } }`,
    );
    expect(together.data.orders.nodes).toEqual(alone);
    // Not only empty ones were compared.
    expect(fields.filter((field) => alone.every((order) => order[field] === null))).toEqual(["rejectReason"]);
  });

  test("an estimate says what would happen, and changes nothing", async () => {
    const accountId = await openAccount();
    const { data, errors } = await ask(
      "query ($input: PlaceOrderInput!) { estimateOrder(input: $input) { notional estimatedPrice fee feeAsset marginRequired availableAfter violations } }",
      { input: { accountId, symbolId: btc, side: "BUY", orderType: "MARKET", quantity: "1000" } },
    );
    expect(errors).toBeUndefined();
    expect(data.estimateOrder.violations).toContain("INSUFFICIENT_BALANCE");
    expect(data.estimateOrder.feeAsset).toBe("USDT");
  });

  test("a real account keeps its keys sealed, and needs a confirmed address in production", async () => {
    const create = (environment: string) =>
      ask("mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id apiKeyHint syncStatus } }", {
        input: {
          exchange: "BINANCE",
          name: environment,
          environment,
          apiKey: "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
          apiSecret: "secretsecretsecret",
        },
      });
    expect((await create("PRODUCTION")).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    const { data, errors } = await create("TESTNET");
    expect(errors).toBeUndefined();
    expect(data.createAccount).toMatchObject({ apiKeyHint: "AbCd…6789", syncStatus: "PENDING" });
    const [row] = await on.database.owner
      .sql`select sealed_api_key, sealed_api_secret from accounts where environment = 'TESTNET'`;
    expect(row?.sealed_api_key).toMatch(/^v1[.]/);
    expect(JSON.stringify(row)).not.toContain("secretsecret");
  });

  test("a limit stops an order before anything happens, and what it stopped can be seen", async () => {
    const accountId = await openAccount();
    const [{ user_id: userId, id }] = await on.database.owner.sql<[{ user_id: string; id: string }]>`
      select user_id, id from accounts order by created_at desc limit 1`;
    await on.database.owner.sql`
      insert into risk_limits (id, scope, user_id, account_id, max_order_size)
      values (gen_random_uuid(), 'USER', ${userId}, null, 100000), (gen_random_uuid(), 'ACCOUNT', ${userId}, ${id}, 10)`;
    const placed = await ask(placeOrder, {
      input: { accountId, symbolId: btc, side: "BUY", orderType: "MARKET", quantity: "0.01", clientOrderId: "large" },
    });
    expect(placed.errors?.[0]?.extensions).toMatchObject({
      code: "RISK_LIMIT_EXCEEDED",
      limit: "maxOrderSize",
      scope: "ACCOUNT",
      allowed: "10",
    });
    const { data } = await ask(
      "query ($id: ID!) { account(id: $id) { riskViolations { scope limit allowed clientOrderId symbol { ticker } } balances { available } } orders { nodes { id } } }",
      { id: accountId },
    );
    expect(data).toEqual({
      account: {
        riskViolations: [
          {
            scope: "ACCOUNT",
            limit: "maxOrderSize",
            allowed: "10",
            clientOrderId: "large",
            symbol: { ticker: "BTCUSDT" },
          },
        ],
        balances: [{ available: "100000" }],
      },
      orders: { nodes: [] },
    });
    const { data: estimated } = await ask(
      "query ($input: PlaceOrderInput!) { estimateOrder(input: $input) { violations } }",
      {
        input: { accountId, symbolId: btc, side: "BUY", orderType: "MARKET", quantity: "0.01" },
      },
    );
    expect(estimated.estimateOrder.violations).toEqual(["RISK_LIMIT_EXCEEDED"]);
  });

  test("another user sees nothing of it, and a visitor is asked to sign in", async () => {
    const accountId = await openAccount();
    const { data } = await ask(placeOrder, {
      input: { accountId, symbolId: btc, side: "BUY", orderType: "MARKET", quantity: "0.01" },
    });
    const other = await signUp(on.url);
    const id = data.placeOrder.id;
    const seen = await query(
      on.url,
      "query ($id: ID!, $account: ID!) { node(id: $id) { id } nodes(ids: [$id, $account]) { id } order(id: $id) { id } account(id: $account) { id } orders { nodes { id } } }",
      { id, account: accountId },
      other.headers,
    );
    expect(seen.data).toEqual({ node: null, nodes: [null, null], order: null, account: null, orders: { nodes: [] } });
    const cancel = await query(on.url, "mutation ($id: ID!) { cancelOrder(id: $id) { id } }", { id }, other.headers);
    expect(cancel.errors?.[0]?.extensions.code).toBe("NOT_FOUND");
    const anonymous = await query(on.url, "{ orders { nodes { id } } }");
    expect(anonymous.errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
    expect((await ask("query ($id: ID!) { node(id: $id) { __typename id } }", { id })).data.node).toEqual({
      __typename: "Order",
      id,
    });
  });
});

describe("subscriptions", () => {
  test("every change is told in the order of versions, and a stream resumes where another one ended", async () => {
    user = await signUp(on.url);
    const accountId = await openAccount();
    const authorization = user.headers.authorization;
    const subscription =
      "subscription ($id: ID, $after: String) { orderUpdated(accountId: $id, after: $after) { id status version sequence clientOrderId } }";
    const live = openStream(on.websocketUrl, subscription, { id: accountId }, { authorization });
    const balances = openStream(
      on.websocketUrl,
      "subscription { balanceUpdated { asset available locked sequence account { id } } }",
      {},
      { authorization },
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let n = 0; n < 5; n++) {
      const placed = await ask(placeOrder, {
        input: {
          accountId,
          symbolId: btc,
          side: "BUY",
          orderType: "LIMIT",
          quantity: "0.01",
          price: "1000",
          clientOrderId: `o${n}`,
        },
      });
      expect(placed.errors?.[0]?.extensions ?? null).toMatchObject({ code: "PRICE_OUT_OF_RANGE" });
      const market = await ask(placeOrder, {
        input: { accountId, symbolId: btc, side: "BUY", orderType: "MARKET", quantity: "0.01", clientOrderId: `m${n}` },
      });
      expect(market.errors).toBeUndefined();
    }
    const { data } = await ask("query ($id: ID!) { account(id: $id) { sequence } }", { id: accountId });
    const last = data.account.sequence;
    await live.find((message) => message.orderUpdated.sequence === last);
    await balances.find((message) => message.balanceUpdated.sequence === last);
    const sequences = live.messages.map((message) => Number(message.orderUpdated.sequence));
    expect(sequences).toEqual(Array.from({ length: Number(last) - 1 }, (_, n) => n + 2));
    const byOrder = groupBy(live.messages, (message) => message.orderUpdated.id);
    for (const messages of byOrder.values())
      expect(messages.map((message) => message.orderUpdated.version)).toEqual(messages.map((_, n) => n + 1));
    const resumed = openStream(on.websocketUrl, subscription, { id: accountId, after: "4" }, { authorization });
    await resumed.find((message) => message.orderUpdated.sequence === last);
    expect(resumed.messages).toEqual(live.messages.filter((message) => Number(message.orderUpdated.sequence) > 4));
    expect([live.errors, balances.errors, resumed.errors]).toEqual([[], [], []]);
    await Promise.all([live.close(), balances.close(), resumed.close()]);
  });
});
