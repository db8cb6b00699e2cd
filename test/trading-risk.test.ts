import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { query } from "./support/app.js";
import { startTradingApp, type Trader, type TradingApp } from "./support/trading-app.js";

const noonMs = Date.UTC(2026, 10, 20, 12);

let on: TradingApp;
let trader: Trader;
beforeAll(async () => {
  on = await startTradingApp(noonMs);
});
afterAll(() => on.close());
beforeEach(async () => {
  on.clock.atMs = noonMs;
  on.setPrice("50000");
  trader = await on.trader();
});
afterEach(async () => {
  const { data } = await on.operate("{ riskLimits(first: 500) { nodes { id } } }");
  for (const { id } of data.riskLimits.nodes)
    await on.operate("mutation ($id: ID!) { removeRiskLimit(id: $id) }", { id });
});

const limitFields =
  "id scope setBy userId accountId strategyId maxOrderSize maxPositionSize maxLeverage maxDailyLoss maxDailyLossPercent maxDrawdownPercent maxOpenPositions isEnabled";
const setText = `mutation ($input: SetRiskLimitInput!) { setRiskLimit(input: $input) { ${limitFields} } }`;

type Scope = "GLOBAL" | "USER" | "ACCOUNT" | "STRATEGY";
const targetOf = (scope: Scope, { user, accountId, strategyId }: Trader): object =>
  ({ GLOBAL: {}, USER: { userId: user.userId }, ACCOUNT: { accountId }, STRATEGY: { strategyId } })[scope];

async function setLimit(scope: Scope, limits: object, whose = trader): Promise<{ id: string }> {
  const { data, errors } = await on.operate(setText, { input: { scope, ...targetOf(scope, whose), ...limits } });
  expect(errors).toBeUndefined();
  expect(data.setRiskLimit).toMatchObject({ scope, setBy: "OPERATOR", isEnabled: true, ...limits });
  return data.setRiskLimit;
}

interface Kind {
  readonly limits: object;
  readonly field: string;
  /** All of them are taken. */
  readonly within: readonly Record<string, unknown>[];
  /** Happens between those and the next one. */
  readonly afterwards?: () => void;
  /** Refused. */
  readonly beyond: Record<string, unknown>;
}

const futures = (symbol: "futures" | "otherFutures" = "futures") => ({ symbolId: on.symbols[symbol] });

/** Limits that stop the first order beyond them, each of which is worth 490 when nothing else is said. */
const kinds: Record<string, () => Kind> = {
  maxOrderSize: () => ({
    limits: { maxOrderSize: "980" },
    field: "quantity",
    within: [{}, { quantity: "0.02" }],
    beyond: { quantity: "0.02001" },
  }),
  // Open orders count: if all are filled, so much is held.
  maxPositionSize: () => ({
    limits: { maxPositionSize: "980" },
    field: "quantity",
    within: [{}, {}],
    beyond: { quantity: "0.001" },
  }),
  maxLeverage: () => ({
    limits: { maxLeverage: 5 },
    field: "leverage",
    within: [{ ...futures(), leverage: 5 }],
    beyond: { ...futures(), leverage: 6 },
  }),
  maxOpenPositions: () => ({
    limits: { maxOpenPositions: 1 },
    field: "symbolId",
    within: [
      { ...futures(), orderType: "MARKET" },
      { ...futures(), orderType: "MARKET" },
    ],
    beyond: { ...futures("otherFutures"), orderType: "MARKET" },
  }),
  maxDailyLoss: () => ({
    limits: { maxDailyLoss: "1000" },
    field: "accountId",
    within: [{ orderType: "MARKET", quantity: "1" }, {}],
    afterwards: () => on.setPrice("49000"),
    beyond: {},
  }),
  maxDailyLossPercent: () => ({
    limits: { maxDailyLossPercent: "1" },
    field: "accountId",
    within: [{ orderType: "MARKET", quantity: "1" }, {}],
    afterwards: () => on.setPrice("49000"),
    beyond: {},
  }),
  maxDrawdownPercent: () => ({
    limits: { maxDrawdownPercent: "1" },
    field: "accountId",
    within: [{ orderType: "MARKET", quantity: "1" }, {}],
    afterwards: () => on.setPrice("49000"),
    beyond: {},
  }),
};

const scopes: readonly Scope[] = ["GLOBAL", "USER", "ACCOUNT", "STRATEGY"];
const cases = Object.keys(kinds).flatMap((limit) => scopes.map((scope) => [limit, scope] as const));

describe("the first order beyond a limit", () => {
  test.each(cases)("%s, %s: is refused, recorded and changes nothing", async (limit, scope) => {
    const { limits, field, within, afterwards, beyond } = (kinds[limit] as () => Kind)();
    await setLimit(scope, limits);
    for (const order of within) expect((await trader.place(order)).errors).toBeUndefined();
    afterwards?.();
    const before = await trader.state();
    const refused = await trader.place({ ...beyond, clientOrderId: "beyond" });
    expect(refused.data).toBeNull();
    expect(refused.errors?.[0]?.extensions).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", field, limit, scope });
    expect(await trader.state()).toBe(before);

    const violation = { scope, limit, clientOrderId: "beyond", strategyId: trader.strategyId };
    const fields = "scope limit clientOrderId strategyId";
    const own = await trader.ask(
      `query ($id: ID!) { account(id: $id) { riskViolations { ${fields} } } riskViolations { nodes { ${fields} } } }`,
      { id: trader.accountId },
    );
    expect(own.data).toEqual({
      account: { riskViolations: [violation] },
      riskViolations: { nodes: [violation] },
    });
    const operators = await on.operate(
      `query ($id: ID!) { riskViolations(filter: { userId: $id }) { nodes { ${fields} userId accountId } } }`,
      { id: trader.user.userId },
    );
    expect(operators.data.riskViolations.nodes).toEqual([
      { ...violation, userId: trader.user.userId, accountId: trader.accountId },
    ]);
  });

  test("limits of others do not bind", async () => {
    const other = await on.trader();
    for (const scope of ["USER", "ACCOUNT", "STRATEGY"] as const) await setLimit(scope, { maxOrderSize: "1" }, other);
    expect((await trader.place()).errors).toBeUndefined();
    // An order of another strategy, or of none, is not bound by the strategy's.
    await setLimit("STRATEGY", { maxOrderSize: "1" });
    expect((await trader.place({ strategyId: null })).errors).toBeUndefined();
    const { data } = await trader.ask('mutation { createStrategy(name: "other") { id } }');
    const placed = await trader.place({ strategyId: data.createStrategy.id });
    expect(placed.data.placeOrder.strategy).toEqual({ id: data.createStrategy.id });
  });

  test("of several that are exceeded the widest is told, and all are recorded", async () => {
    await setLimit("STRATEGY", { maxOrderSize: "1", maxPositionSize: "1" });
    await setLimit("GLOBAL", { maxOrderSize: "2" });
    const refused = await trader.place();
    expect(refused.errors?.[0]?.extensions).toMatchObject({ scope: "GLOBAL", limit: "maxOrderSize", allowed: "2" });
    const { data } = await trader.ask("{ riskViolations { nodes { scope limit } } }");
    expect(data.riskViolations.nodes).toHaveLength(3);
  });

  test("what makes a position smaller is let through, whatever is lost", async () => {
    await trader.place({ ...futures(), orderType: "MARKET", quantity: "0.1", leverage: 5 });
    await setLimit("ACCOUNT", { maxDailyLoss: "0", maxOrderSize: "0", maxPositionSize: "0", maxOpenPositions: 0 });
    expect((await trader.place({ ...futures(), orderType: "MARKET" })).errors?.[0]?.extensions.code).toBe(
      "RISK_LIMIT_EXCEEDED",
    );
    const reduce = { ...futures(), orderType: "MARKET", side: "SELL" };
    expect((await trader.place({ ...reduce, quantity: "0.05" })).errors).toBeUndefined();
    expect((await trader.place({ ...reduce, quantity: "0.05", reduceOnly: true })).errors).toBeUndefined();
  });
});

describe("whichever way an order goes", () => {
  const market = { orderType: "MARKET" };
  const none = { maxOrderSize: null, maxPositionSize: null, maxLeverage: null, maxDailyLoss: null };
  const limitOf = async (order: Record<string, unknown>) =>
    (await trader.place({ ...futures(), ...order })).errors?.[0]?.extensions;

  test("a sale is worth what it would get, and a purchase its price at most", async () => {
    await setLimit("ACCOUNT", { maxOrderSize: "1000", maxPositionSize: "1000" });
    const sale = { side: "SELL", quantity: "0.03" };
    for (const [order, value] of [
      [{ ...sale, ...market }, "1500"],
      [{ ...sale, price: "30000" }, "1500"],
      [{ ...sale, orderType: "STOP_LIMIT", stopPrice: "45000", price: "30000" }, "1350"],
      [{ ...sale, orderType: "TAKE_PROFIT_LIMIT", stopPrice: "60000", price: "30000" }, "1800"],
      [{ quantity: "0.02", price: "60000" }, "1200"],
    ] as const)
      expect(await limitOf(order)).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", limit: "maxOrderSize", value });
    expect(await limitOf({ side: "SELL", quantity: "0.02", price: "30000" })).toBeUndefined();
    expect(await limitOf({ quantity: "0.02", price: "40000" })).toBeUndefined();
  });

  test("what turns a position round is held to every limit by what it opens", async () => {
    expect(await limitOf({ ...market, side: "SELL", quantity: "0.045" })).toBeUndefined();
    for (const [limit, allowed] of [
      ["maxOrderSize", "1000"],
      ["maxPositionSize", "1000"],
      ["maxLeverage", 2],
      ["maxDailyLoss", "0"],
    ] as const) {
      await setLimit("ACCOUNT", { ...none, [limit]: allowed });
      expect(await limitOf({ ...market, quantity: "0.089", leverage: 125 })).toMatchObject({ limit });
    }
    await setLimit("ACCOUNT", { ...none, maxOrderSize: "1000", maxPositionSize: "1000", maxLeverage: 2 });
    expect(await limitOf({ ...market, quantity: "0.064" })).toBeUndefined();
    const { data } = await trader.ask("{ positions(filter: { statuses: [OPEN] }) { nodes { side quantity } } }");
    expect(data.positions.nodes).toEqual([{ side: "LONG", quantity: "0.019" }]);
    await setLimit("ACCOUNT", { maxDailyLoss: "0" });
    expect(await limitOf({ ...market, side: "SELL", quantity: "0.019", leverage: 125 })).toBeUndefined();
  });

  test("orders that would each only close a position do not turn it round together", async () => {
    await limitOf({ ...market, side: "SELL", quantity: "0.02" });
    await setLimit("ACCOUNT", { maxLeverage: 2 });
    expect(await limitOf({ quantity: "0.02", price: "40000", leverage: 5 })).toBeUndefined();
    expect(await limitOf({ ...market, quantity: "0.02", leverage: 5 })).toMatchObject({ limit: "maxLeverage" });
    expect(await limitOf({ ...market, quantity: "0.02", leverage: 5, reduceOnly: true })).toBeUndefined();
  });
});

describe("new terms of an open order", () => {
  const replace = (input: object) =>
    trader.ask("mutation ($input: ReplaceOrderInput!) { replaceOrder(input: $input) { quantity price } }", { input });

  test("are held to the limits, also those of its strategy", async () => {
    const { data } = await trader.place();
    const orderId = data.placeOrder.id;
    await setLimit("STRATEGY", { maxOrderSize: "490", maxPositionSize: "490" });
    const before = await trader.state();
    for (const terms of [{ quantity: "0.02" }, { price: "49001" }]) {
      const refused = await replace({ orderId, ...terms });
      expect(refused.errors?.[0]?.extensions).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", field: "quantity" });
    }
    expect(await trader.state()).toBe(before);
    // It does not count beside itself.
    const kept = await replace({ orderId, price: "48000" });
    expect(kept.data.replaceOrder).toEqual({ quantity: "0.01", price: "48000" });
    expect((await replace({ orderId, price: "49000" })).errors).toBeUndefined();
  });

  test("may risk less when nothing more may be risked", async () => {
    const { data } = await trader.place();
    await setLimit("USER", { maxDailyLoss: "0" });
    expect((await replace({ orderId: data.placeOrder.id, quantity: "0.005" })).errors).toBeUndefined();
    expect((await replace({ orderId: data.placeOrder.id, quantity: "0.006" })).errors?.[0]?.extensions.code).toBe(
      "RISK_LIMIT_EXCEEDED",
    );
  });
});

describe("at the same time", () => {
  test("race: sixteen orders at once hold as much as the limit allows, and no more", async () => {
    await setLimit("ACCOUNT", { maxPositionSize: String(5 * 490) });
    const answers = await Promise.all(Array.from({ length: 16 }, () => trader.place()));
    expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(5);
    for (const { errors } of answers)
      if (errors !== undefined) expect(errors[0]?.extensions).toMatchObject({ code: "RISK_LIMIT_EXCEEDED" });
  });

  test("a limit that one node has set binds the next order of another, and one that is gone does not", async () => {
    const other = await startTradingApp(noonMs, on.database);
    try {
      const placeThere = () =>
        query(
          other.url,
          "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id } }",
          { input: trader.order() },
          trader.user.headers,
        );
      for (const scope of scopes) {
        expect((await placeThere()).errors).toBeUndefined();
        const { id } = await setLimit(scope, { maxOrderSize: "1" });
        expect((await placeThere()).errors?.[0]?.extensions).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", scope });
        await on.operate("mutation ($id: ID!) { removeRiskLimit(id: $id) }", { id });
      }
    } finally {
      await other.app.close();
    }
  });
});

describe("the loss of a day", () => {
  test("begins anew at midnight UTC, and with what the account was worth then", async () => {
    on.clock.atMs = Date.UTC(2026, 10, 20, 23, 58);
    on.setPrice("50000");
    trader = await on.trader();
    await setLimit("ACCOUNT", { maxDailyLoss: "1000" });
    expect((await trader.place({ orderType: "MARKET", quantity: "1" })).errors).toBeUndefined();
    on.setPrice("48000");
    expect((await trader.place({ price: "47000" })).errors?.[0]?.extensions.code).toBe("RISK_LIMIT_EXCEEDED");
    on.clock.atMs = Date.UTC(2026, 10, 20, 23, 59, 59, 999);
    on.setPrice("48000");
    expect((await trader.place({ price: "47000" })).errors?.[0]?.extensions.code).toBe("RISK_LIMIT_EXCEEDED");
    on.clock.atMs = Date.UTC(2026, 10, 21);
    on.setPrice("48000");
    expect((await trader.place({ price: "47000" })).errors).toBeUndefined();
    on.setPrice("47001");
    expect((await trader.place({ price: "46500" })).errors).toBeUndefined();
    on.setPrice("46900");
    expect((await trader.place({ price: "46500" })).errors?.[0]?.extensions).toMatchObject({
      code: "RISK_LIMIT_EXCEEDED",
      limit: "maxDailyLoss",
    });
  });

  test("counts from midnight also when the first order of the day comes later, or is refused", async () => {
    on.clock.atMs = Date.UTC(2026, 10, 20, 23, 58);
    on.setPrice("50000");
    trader = await on.trader();
    expect((await trader.place({ orderType: "MARKET", quantity: "1" })).errors).toBeUndefined();
    on.clock.atMs = Date.UTC(2026, 10, 21, 0, 0, 1);
    on.setPrice("50000");
    await setLimit("ACCOUNT", { maxDailyLoss: "1000", maxOrderSize: "1000" });
    // Too large: nothing of it is kept, but what the account was worth is.
    expect((await trader.place({ quantity: "1" })).errors?.[0]?.extensions).toMatchObject({ limit: "maxOrderSize" });
    on.setPrice("48900");
    expect((await trader.place({ price: "48000" })).errors?.[0]?.extensions).toMatchObject({ limit: "maxDailyLoss" });
  });
});
