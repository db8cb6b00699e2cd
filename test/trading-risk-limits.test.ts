import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { query } from "./support/app.js";
import { startTradingApp, type Trader, type TradingApp } from "./support/trading-app.js";

let on: TradingApp;
let trader: Trader;
beforeAll(async () => {
  on = await startTradingApp(Date.UTC(2026, 10, 20, 12));
});
afterAll(() => on.close());
beforeEach(async () => {
  trader = await on.trader();
});
afterEach(async () => {
  const { data } = await on.operate("{ riskLimits(first: 500) { nodes { id } } }");
  for (const { id } of data.riskLimits.nodes) await remove(id);
});

const limitFields =
  "id scope setBy userId accountId strategyId maxOrderSize maxPositionSize maxLeverage maxDailyLoss maxDailyLossPercent maxDrawdownPercent maxOpenPositions isEnabled";
const setText = `mutation ($input: SetRiskLimitInput!) { setRiskLimit(input: $input) { ${limitFields} } }`;
const removeText = "mutation ($id: ID!) { removeRiskLimit(id: $id) }";
const set = (input: object) => on.operate(setText, { input });
const setOwn = (input: object) => trader.ask(setText, { input });
const remove = (id: string) => on.operate(removeText, { id });
const refusal = (answer: { errors?: readonly { extensions: object }[] }) => answer.errors?.[0]?.extensions;

describe("operators", () => {
  test("change what they name, leave the rest, take single limits away, and see everybody's", async () => {
    const { accountId, user } = trader;
    const first = await set({ scope: "ACCOUNT", accountId, maxOrderSize: "1000.50", maxLeverage: 10 });
    expect(first.data.setRiskLimit).toEqual({
      id: expect.any(String),
      scope: "ACCOUNT",
      setBy: "OPERATOR",
      userId: user.userId,
      accountId,
      strategyId: null,
      maxOrderSize: "1000.5",
      maxPositionSize: null,
      maxLeverage: 10,
      maxDailyLoss: null,
      maxDailyLossPercent: null,
      maxDrawdownPercent: null,
      maxOpenPositions: null,
      isEnabled: true,
    });
    const second = await set({ scope: "ACCOUNT", accountId, maxLeverage: null, maxDrawdownPercent: "12.5" });
    expect(second.data.setRiskLimit).toEqual({
      ...first.data.setRiskLimit,
      maxLeverage: null,
      maxDrawdownPercent: "12.5",
    });
    const off = await set({ scope: "ACCOUNT", accountId, isEnabled: false });
    expect(off.data.setRiskLimit).toEqual({ ...second.data.setRiskLimit, isEnabled: false });
    expect((await trader.place({ quantity: "1" })).errors).toBeUndefined();
    // Ids of one millisecond have no order.
    on.clock.atMs += 1_000;
    await set({ scope: "GLOBAL", maxOpenPositions: 3 });
    const listed = await on.operate(
      `query ($id: ID!) { riskLimits(first: 1) { nodes { scope } pageInfo { hasNextPage endCursor } }
        of: riskLimits(filter: { accountId: $id }) { nodes { ${limitFields} } } }`,
      { id: accountId },
    );
    expect(listed.data.riskLimits).toMatchObject({ nodes: [{ scope: "GLOBAL" }], pageInfo: { hasNextPage: true } });
    expect(listed.data.of.nodes).toEqual([off.data.setRiskLimit]);
    const next = await on.operate(
      "query ($after: String) { riskLimits(first: 5, after: $after) { nodes { scope } } }",
      {
        after: listed.data.riskLimits.pageInfo.endCursor,
      },
    );
    expect(next.data.riskLimits.nodes).toEqual([{ scope: "ACCOUNT" }]);
  });

  test("are written down with what they did", async () => {
    // Ids of one millisecond have no order.
    on.clock.atMs += 1_000;
    const { data } = await set({ scope: "USER", userId: trader.user.userId, maxDailyLoss: "100" });
    on.clock.atMs += 1_000;
    expect((await remove(data.setRiskLimit.id)).errors).toBeUndefined();
    expect(refusal(await remove(data.setRiskLimit.id))).toMatchObject({ code: "NOT_FOUND" });
    const events = await on.operate("{ auditEvents(first: 2) { nodes { action details } } }");
    const target = expect.stringMatching(/^USER [0-9a-f-]{36}$/);
    expect(events.data.auditEvents.nodes).toEqual([
      { action: "risk-limit.remove", details: expect.objectContaining({ target, by: "operator-token" }) },
      { action: "risk-limit.set", details: expect.objectContaining({ target, maxDailyLoss: "100" }) },
    ]);
  });

  test.each<[object, string, string]>([
    [{ scope: "GLOBAL" }, "BAD_USER_INPUT", "input"],
    [{ scope: "GLOBAL", maxOrderSize: "-1" }, "BAD_USER_INPUT", "maxOrderSize"],
    [{ scope: "GLOBAL", maxPositionSize: `1${"0".repeat(20)}` }, "BAD_USER_INPUT", "maxPositionSize"],
    [{ scope: "GLOBAL", maxDailyLoss: `0.${"0".repeat(18)}1` }, "BAD_USER_INPUT", "maxDailyLoss"],
    [{ scope: "GLOBAL", maxLeverage: 0 }, "BAD_USER_INPUT", "maxLeverage"],
    [{ scope: "GLOBAL", maxLeverage: 126 }, "BAD_USER_INPUT", "maxLeverage"],
    [{ scope: "GLOBAL", maxOpenPositions: -1 }, "BAD_USER_INPUT", "maxOpenPositions"],
    [{ scope: "GLOBAL", maxDailyLossPercent: "100.1" }, "BAD_USER_INPUT", "maxDailyLossPercent"],
    [{ scope: "GLOBAL", maxDrawdownPercent: "1.1234567" }, "BAD_USER_INPUT", "maxDrawdownPercent"],
    [{ scope: "GLOBAL", userId: "nonsense", maxLeverage: 1 }, "BAD_USER_INPUT", "userId"],
    [{ scope: "USER", maxLeverage: 1 }, "BAD_USER_INPUT", "userId"],
    [{ scope: "USER", userId: "nonsense", maxLeverage: 1 }, "BAD_USER_INPUT", "userId"],
    [{ scope: "ACCOUNT", maxLeverage: 1 }, "BAD_USER_INPUT", "accountId"],
    [{ scope: "STRATEGY", maxLeverage: 1 }, "BAD_USER_INPUT", "strategyId"],
  ])("%j is %s, and nothing is changed", async (input, code, field) => {
    expect(refusal(await set(input))).toMatchObject({ code, field });
    const { data } = await on.operate("{ riskLimits { nodes { id } } }");
    expect(data.riskLimits.nodes).toEqual([]);
  });

  test("set none of what is not there", async () => {
    const gone = Buffer.from("Account:019b0000-0000-7000-8000-000000000001").toString("base64url");
    const answer = await set({ scope: "ACCOUNT", accountId: gone, maxLeverage: 1 });
    expect(refusal(answer)).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("users", () => {
  test("set tighter limits for themselves, which bind them, and take them away again", async () => {
    const { accountId, strategyId } = trader;
    await set({ scope: "GLOBAL", maxOrderSize: "600" });
    for (const [scope, target] of [
      ["USER", {}],
      ["ACCOUNT", { accountId }],
      ["STRATEGY", { strategyId }],
    ] as const) {
      expect((await trader.place()).errors).toBeUndefined();
      const { data, errors } = await setOwn({ scope, ...target, maxOrderSize: "100" });
      expect(errors).toBeUndefined();
      expect(data.setRiskLimit).toMatchObject({ scope, setBy: "USER", maxOrderSize: "100" });
      expect(refusal(await trader.place())).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", scope, allowed: "100" });
      expect((await trader.ask(removeText, { id: data.setRiskLimit.id })).data.removeRiskLimit).toBe(
        data.setRiskLimit.id,
      );
    }
    expect((await trader.place()).errors).toBeUndefined();
  });

  test("set none that is looser than an operator's, and an operator's later one binds beside theirs", async () => {
    const { accountId } = trader;
    await set({ scope: "GLOBAL", maxLeverage: 20 });
    await set({ scope: "ACCOUNT", accountId, maxOrderSize: "600", maxDrawdownPercent: "10" });
    for (const [field, limits] of [
      ["maxOrderSize", { maxOrderSize: "600.01" }],
      ["maxDrawdownPercent", { maxDrawdownPercent: "11" }],
      ["maxLeverage", { maxLeverage: 21 }],
    ] as const)
      expect(refusal(await setOwn({ scope: "ACCOUNT", accountId, ...limits }))).toMatchObject({
        code: "BAD_USER_INPUT",
        field,
      });
    expect((await setOwn({ scope: "ACCOUNT", accountId, maxOrderSize: "600" })).errors).toBeUndefined();
    await set({ scope: "ACCOUNT", accountId, maxOrderSize: "10" });
    expect(refusal(await trader.place())).toMatchObject({ code: "RISK_LIMIT_EXCEEDED", allowed: "10" });
  });

  test("neither set nor see what is others', and touch no operator's", async () => {
    const other = await on.trader();
    const { accountId, strategyId, user } = other;
    const operators = await set({ scope: "USER", userId: trader.user.userId, maxOrderSize: "600" });
    const theirs = await set({ scope: "ACCOUNT", accountId, maxOrderSize: "600" });
    expect(refusal(await setOwn({ scope: "GLOBAL", maxLeverage: 1 }))).toMatchObject({ code: "FORBIDDEN" });
    expect(refusal(await setOwn({ scope: "USER", userId: user.userId, maxLeverage: 1 }))).toMatchObject({
      code: "FORBIDDEN",
    });
    expect(refusal(await setOwn({ scope: "ACCOUNT", accountId, maxLeverage: 1 }))).toMatchObject({ code: "NOT_FOUND" });
    expect(refusal(await setOwn({ scope: "STRATEGY", strategyId, maxLeverage: 1 }))).toMatchObject({
      code: "NOT_FOUND",
    });
    for (const id of [operators.data.setRiskLimit.id, theirs.data.setRiskLimit.id])
      expect(refusal(await trader.ask(removeText, { id }))).toMatchObject({ code: "NOT_FOUND" });
    const { data } = await trader.ask("{ riskLimits { nodes { id } } }");
    expect(data.riskLimits.nodes).toEqual([{ id: operators.data.setRiskLimit.id }]);
    const asked = await trader.ask("query ($id: ID!) { riskViolations(filter: { userId: $id }) { nodes { id } } }", {
      id: user.userId,
    });
    expect(refusal(asked)).toMatchObject({ code: "BAD_USER_INPUT", field: "filter.userId" });
  });

  test("need a session: a key that trades cannot loosen what holds it back", async () => {
    const { data } = await trader.ask('mutation { createApiKey(name: "bot", scopes: [READ, TRADE]) { secret } }');
    const headers = { authorization: `Bearer ${data.createApiKey.secret}` };
    const input = { scope: "ACCOUNT", accountId: trader.accountId, maxLeverage: 1 };
    expect(refusal(await trader.ask(setText, { input }, headers))).toMatchObject({ code: "FORBIDDEN" });
    const own = await setOwn(input);
    const byKey = await trader.ask(removeText, { id: own.data.setRiskLimit.id }, headers);
    expect(refusal(byKey)).toMatchObject({ code: "FORBIDDEN" });
    expect(refusal(await query(on.url, setText, { input }))).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(refusal(await query(on.url, "{ riskLimits { nodes { id } } }"))).toMatchObject({ code: "UNAUTHENTICATED" });
  });
});

describe("strategies", () => {
  test("have names of their own, belong to their user, and end without their orders", async () => {
    const { strategyId } = trader;
    expect(refusal(await trader.ask('mutation { createStrategy(name: " trend ") { id } }'))).toMatchObject({
      code: "CONFLICT",
      field: "name",
    });
    expect(refusal(await trader.ask('mutation { createStrategy(name: " ") { id } }'))).toMatchObject({
      code: "BAD_USER_INPUT",
      field: "name",
    });
    const placed = await trader.place();
    const other = await on.trader();
    const before = await other.state();
    expect(refusal(await other.place({ strategyId }))).toMatchObject({ code: "NOT_FOUND", field: "strategyId" });
    expect(await other.state()).toBe(before);
    expect(
      refusal(await other.ask("mutation ($id: ID!) { removeStrategy(id: $id) }", { id: strategyId })),
    ).toMatchObject({ code: "NOT_FOUND" });
    expect((await trader.ask("mutation ($id: ID!) { removeStrategy(id: $id) }", { id: strategyId })).errors).toBe(
      undefined,
    );
    expect(refusal(await trader.place())).toMatchObject({ code: "NOT_FOUND", field: "strategyId" });
    const { data } = await trader.ask(
      `query ($id: ID!) { strategies { id } orders(filter: { strategyId: $id }) { nodes { id strategy { id name } } }
        node(id: $id) { ... on Strategy { name } } }`,
      { id: strategyId },
    );
    expect(data).toEqual({
      strategies: [],
      orders: { nodes: [{ id: placed.data.placeOrder.id, strategy: { id: strategyId, name: "trend" } }] },
      node: { name: "trend" },
    });
    const seen = await other.ask("query ($id: ID!) { node(id: $id) { id } }", { id: strategyId });
    expect(seen.data.node).toBeNull();
  });

  test("are part of what an idempotency key stands for", async () => {
    const [first, again] = [await trader.place({ clientOrderId: "k" }), await trader.place({ clientOrderId: "k" })];
    expect(again.data.placeOrder.id).toBe(first.data.placeOrder.id);
    expect(refusal(await trader.place({ clientOrderId: "k", strategyId: null }))).toMatchObject({
      code: "IDEMPOTENCY_CONFLICT",
    });
  });
});
