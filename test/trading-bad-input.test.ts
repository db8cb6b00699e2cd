import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Decimal } from "../src/core/decimal.js";
import { globalId } from "../src/core/ids.js";
import { startTradingApp, type Trader, type TradingApp } from "./support/trading-app.js";
import { until } from "./support/until.js";

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

type Fields = Record<string, unknown>;
interface Asked {
  readonly errors?: readonly { readonly extensions: { readonly code: string; readonly field?: string } }[];
}

/** Refused with the code and the field, and nothing is changed. */
async function expectRefused(ask: () => Promise<Asked>, code: string, field: string | undefined): Promise<void> {
  const before = await trader.state();
  const { errors } = await ask();
  expect(errors?.[0]?.extensions).toMatchObject({ code, ...(field === undefined ? {} : { field }) });
  expect(JSON.stringify(errors)).not.toMatch(/node_modules|at .*\.ts|stack|constraint|ck_/i);
  expect(await trader.state()).toBe(before);
}

const replaceText = "mutation ($input: ReplaceOrderInput!) { replaceOrder(input: $input) { id quantity price } }";
const cancelText = "mutation ($id: ID!) { cancelOrder(id: $id) { id status } }";
const nobodys = "019b0000-0000-7000-8000-000000000001";

describe("an order that is not one is refused, and nothing is changed", () => {
  const futures = { futures: true, orderType: "MARKET" };
  test.each<[string, Fields, string, string | undefined]>([
    ["quantity zero", { quantity: "0" }, "BAD_USER_INPUT", "quantity"],
    ["quantity negative", { quantity: "-0.01" }, "BAD_USER_INPUT", "quantity"],
    ["quantity finer than a step", { quantity: "0.010000001" }, "QUANTITY_OUT_OF_RANGE", "quantity"],
    ["quantity finer than can be kept", { quantity: `0.01${"0".repeat(17)}1` }, "BAD_USER_INPUT", "quantity"],
    ["quantity larger than the market takes", { quantity: "10000000000000000" }, "QUANTITY_OUT_OF_RANGE", "quantity"],
    ["quantity larger than can be kept", { quantity: `1${"0".repeat(20)}` }, "BAD_USER_INPUT", "quantity"],
    ["quantity of a thousand digits", { quantity: "9".repeat(1_000) }, "BAD_USER_INPUT", undefined],
    ["quantity that is no number", { quantity: "NaN" }, "BAD_USER_INPUT", undefined],
    ["quantity that is infinite", { quantity: "Infinity" }, "BAD_USER_INPUT", undefined],
    ["quantity worth too little", { quantity: "0.00001" }, "MIN_NOTIONAL", "quantity"],
    ["price zero", { price: "0" }, "BAD_USER_INPUT", "price"],
    ["price negative", { price: "-49000" }, "BAD_USER_INPUT", "price"],
    ["price finer than a tick", { price: "49000.001" }, "PRICE_OUT_OF_RANGE", "price"],
    ["price finer than can be kept", { price: `49000.${"0".repeat(18)}1` }, "BAD_USER_INPUT", "price"],
    ["price far from the market's", { price: "1" }, "PRICE_OUT_OF_RANGE", "price"],
    ["price far above the market's", { price: "100000000000" }, "PRICE_OUT_OF_RANGE", "price"],
    ["price larger than can be kept", { price: `1${"0".repeat(20)}` }, "BAD_USER_INPUT", "price"],
    ["price missing", { price: null }, "BAD_USER_INPUT", "price"],
    ["price that a market order has not", { orderType: "MARKET", price: "49000" }, "BAD_USER_INPUT", "price"],
    ["stop price missing", { orderType: "STOP_MARKET" }, "BAD_USER_INPUT", "stopPrice"],
    ["stop price zero", { orderType: "STOP_MARKET", stopPrice: "0" }, "BAD_USER_INPUT", "stopPrice"],
    ["stop of a purchase below", { orderType: "STOP_MARKET", stopPrice: "49000" }, "PRICE_OUT_OF_RANGE", "stopPrice"],
    ["profit of a purchase above", { orderType: "TAKE_PROFIT", stopPrice: "51000" }, "PRICE_OUT_OF_RANGE", "stopPrice"],
    ["stop-loss of a purchase above", { stopLoss: "51000" }, "PRICE_OUT_OF_RANGE", "stopLoss"],
    ["take-profit of a purchase below", { takeProfit: "48000" }, "PRICE_OUT_OF_RANGE", "takeProfit"],
    ["callback rate missing", { orderType: "TRAILING_STOP" }, "BAD_USER_INPUT", "callbackRate"],
    ["callback rate too large", { orderType: "TRAILING_STOP", callbackRate: "50" }, "BAD_USER_INPUT", "callbackRate"],
    ["iceberg larger than the order", { icebergQuantity: "0.02" }, "BAD_USER_INPUT", "icebergQuantity"],
    ["leverage on spot", { leverage: 2 }, "BAD_USER_INPUT", "leverage"],
    ["leverage zero", { ...futures, leverage: 0 }, "BAD_USER_INPUT", "leverage"],
    ["leverage too high", { ...futures, leverage: 126 }, "BAD_USER_INPUT", "leverage"],
    ["nothing to reduce", { ...futures, reduceOnly: true }, "BAD_USER_INPUT", "reduceOnly"],
    ["side of a position in one-way mode", { ...futures, positionSide: "LONG" }, "BAD_USER_INPUT", "positionSide"],
    ["money that is not there", { quantity: "100" }, "INSUFFICIENT_BALANCE", undefined],
    ["asset that is not there", { side: "SELL", price: "51000" }, "INSUFFICIENT_BALANCE", undefined],
    ["client order id empty", { clientOrderId: "" }, "BAD_USER_INPUT", "clientOrderId"],
    ["client order id too long", { clientOrderId: "x".repeat(65) }, "BAD_USER_INPUT", "clientOrderId"],
    ["client order id with a space", { clientOrderId: "a b" }, "BAD_USER_INPUT", "clientOrderId"],
    ["symbol that is none", { symbolId: "nonsense" }, "BAD_USER_INPUT", "symbolId"],
    ["symbol that is not there", { symbolId: globalId("Symbol", 999_999) }, "NOT_FOUND", undefined],
    ["account that is none", { accountId: "nonsense" }, "BAD_USER_INPUT", "accountId"],
    ["account that is not there", { accountId: globalId("Account", nobodys) }, "NOT_FOUND", undefined],
    ["strategy that is not there", { strategyId: globalId("Strategy", nobodys) }, "NOT_FOUND", "strategyId"],
  ])("%s", async (_, { futures: isFutures, ...more }, code, field) => {
    const symbolId = isFutures ? { symbolId: on.symbols.futures } : {};
    await expectRefused(() => trader.place({ ...symbolId, ...more }), code, field);
  });

  test("would take, and must not: the venue rejects it, and nothing stays locked", async () => {
    const { data, errors } = await trader.place({ orderType: "LIMIT_MAKER", price: "50100" });
    expect(errors).toBeUndefined();
    const seen = await trader.ask(
      "query ($id: ID!, $account: ID!) { order(id: $id) { status rejectReason } account(id: $account) { balances { asset available locked } } }",
      { id: data.placeOrder.id, account: trader.accountId },
    );
    expect(seen.data).toEqual({
      order: { status: "REJECTED", rejectReason: expect.stringMatching(/^WOULD_TAKE/) },
      account: { balances: [{ asset: "USDT", available: "100000", locked: "0" }] },
    });
  });

  test("somebody else's account", async () => {
    const other = await on.trader();
    await expectRefused(() => other.ask(placeText, { input: trader.order() }), "NOT_FOUND", undefined);
    const { data } = await trader.place();
    const { id } = data.placeOrder;
    await expectRefused(() => other.ask(cancelText, { id }), "NOT_FOUND", undefined);
    await expectRefused(
      () => other.ask(replaceText, { input: { orderId: id, quantity: "1" } }),
      "NOT_FOUND",
      undefined,
    );
    await expectRefused(
      () => other.ask("mutation ($id: ID!) { cancelAllOrders(accountId: $id) { id } }", { id: trader.accountId }),
      "NOT_FOUND",
      undefined,
    );
    await expectRefused(
      () => other.ask("mutation ($id: ID!) { deactivateAccount(id: $id) { id } }", { id: trader.accountId }),
      "NOT_FOUND",
      undefined,
    );
  });

  test("a closed market, and a symbol that is not trading", async () => {
    const setStatus = async (status: string | null) => {
      const { errors } = await on.operate(
        'mutation ($status: MarketStatus) { setMarketStatus(market: "BINANCE_SPOT", status: $status) { id } }',
        { status },
      );
      expect(errors).toBeUndefined();
    };
    const update = async (status: string) => {
      const { errors } = await on.operate(
        "mutation ($input: UpdateSymbolInput!) { updateSymbol(input: $input) { id } }",
        {
          input: { symbolId: on.symbols.spot, status },
        },
      );
      expect(errors).toBeUndefined();
    };
    await setStatus("HALTED");
    await expectRefused(() => trader.place(), "MARKET_CLOSED", undefined);
    await setStatus(null);
    await update("HALT");
    await expectRefused(() => trader.place(), "SYMBOL_NOT_TRADING", undefined);
    await update("TRADING");
    expect((await trader.place()).errors).toBeUndefined();
  });

  test("a quote that is old", async () => {
    on.clock.atMs += 10 * 60_000;
    await until(() => on.app.quotes.get(on.keys.spot)?.isStale === true);
    await expectRefused(() => trader.place({ orderType: "MARKET" }), "NO_QUOTE", undefined);
  });
});

const placeText = "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status } }";

describe("an order that is already there", () => {
  test("race: one client id at once with the same content is one order, with other content a conflict", async () => {
    const same = await Promise.all(Array.from({ length: 16 }, () => trader.place({ clientOrderId: "same" })));
    expect(new Set(same.map(({ data }) => data.placeOrder.id)).size).toBe(1);
    const other = await Promise.all(
      Array.from({ length: 16 }, (_, n) => trader.place({ clientOrderId: "other", quantity: `0.0${n + 10}` })),
    );
    expect(other.filter(({ errors }) => errors === undefined)).toHaveLength(1);
    for (const { errors } of other)
      if (errors !== undefined)
        expect(errors[0]?.extensions).toMatchObject({ code: "IDEMPOTENCY_CONFLICT", field: "clientOrderId" });
    const { data } = await trader.ask("{ orders { nodes { clientOrderId } } }");
    expect(data.orders.nodes).toHaveLength(2);
  });

  test("is not cancelled or replaced after its end", async () => {
    const filled = await trader.place({ orderType: "MARKET" });
    expect(filled.data.placeOrder.status).toBe("FILLED");
    const { id } = filled.data.placeOrder;
    await expectRefused(() => trader.ask(cancelText, { id }), "ORDER_NOT_OPEN", undefined);
    await expectRefused(
      () => trader.ask(replaceText, { input: { orderId: id, quantity: "1" } }),
      "ORDER_NOT_OPEN",
      undefined,
    );
    const resting = (await trader.place()).data.placeOrder.id;
    await trader.ask(cancelText, { id: resting });
    await expectRefused(() => trader.ask(cancelText, { id: resting }), "ORDER_NOT_OPEN", undefined);
  });

  test("is not replaced by what is no order, nor below what is filled of it", async () => {
    trader = await on.trader({ balance: "1000000000" });
    // A thousand are offered.
    const { data, errors } = await trader.place({ quantity: "1500", price: "50010" });
    expect(errors).toBeUndefined();
    expect(data.placeOrder).toMatchObject({ status: "PARTIALLY_FILLED", filledQuantity: "1000" });
    const orderId = data.placeOrder.id;
    for (const [terms, code, field] of [
      [{ quantity: "999" }, "QUANTITY_OUT_OF_RANGE", "quantity"],
      [{ quantity: "1000" }, "QUANTITY_OUT_OF_RANGE", "quantity"],
      [{ quantity: "0" }, "BAD_USER_INPUT", "quantity"],
      [{ quantity: "-1" }, "BAD_USER_INPUT", "quantity"],
      [{ quantity: "1200.000001" }, "QUANTITY_OUT_OF_RANGE", "quantity"],
      [{ quantity: `1${"0".repeat(20)}` }, "BAD_USER_INPUT", "quantity"],
      [{ price: "0" }, "BAD_USER_INPUT", "price"],
      [{ price: "49000.001" }, "PRICE_OUT_OF_RANGE", "price"],
      [{ price: "1" }, "PRICE_OUT_OF_RANGE", "price"],
      [{ stopPrice: "51000" }, "BAD_USER_INPUT", "stopPrice"],
      [{}, "BAD_USER_INPUT", "input"],
    ] as const)
      await expectRefused(() => trader.ask(replaceText, { input: { orderId, ...terms } }), code, field);
    const replaced = await trader.ask(replaceText, { input: { orderId, quantity: "1200", price: "49000" } });
    expect(replaced.data.replaceOrder).toMatchObject({ quantity: "1200", price: "49000" });
  });
});

describe("one balance", () => {
  test("race: 64 clients that hammer it over HTTP never overspend, and spend all that can be spent", async () => {
    trader = await on.trader({ balance: "3000" });
    const one = () => trader.place({ quantity: "0.001", price: "49000" });
    // Each of them goes on until it is refused; then what one cancels another one has.
    const placed: string[] = [];
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        for (let n = 0; n < 3; n++) {
          const { data, errors } = await one();
          if (errors === undefined) placed.push(data.placeOrder.id);
          else expect(errors[0]?.extensions).toMatchObject({ code: "INSUFFICIENT_BALANCE" });
          const given = n === 1 ? placed.pop() : undefined;
          if (given !== undefined) expect((await trader.ask(cancelText, { id: given })).errors).toBeUndefined();
        }
      }),
    );
    while ((await one()).errors === undefined) placed.push("");
    const { data } = await trader.ask(
      `query ($id: ID!) { account(id: $id) { balances { asset available locked } }
        orders(filter: { statuses: [NEW] }, first: 500) { nodes { id } } }`,
      { id: trader.accountId },
    );
    const [usdt] = data.account.balances;
    const each = new Decimal(usdt.locked).div(data.orders.nodes.length);
    expect(data.orders.nodes).toHaveLength(placed.length);
    expect(new Decimal(usdt.available).plus(usdt.locked).toFixed()).toBe("3000");
    expect(new Decimal(usdt.available).gte(0)).toBe(true);
    expect(new Decimal(usdt.available).lt(each)).toBe(true);
    expect(data.orders.nodes).toHaveLength(new Decimal(3_000).div(each).floor().toNumber());
  }, 180_000);
});
