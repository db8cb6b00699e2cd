import { createHmac } from "node:crypto";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { until } from "../../../../test/support/until.js";
import { Decimal } from "../../../core/decimal.js";
import { type Simulator, startSimulator } from "../simulator.js";
import { simulatedTrader } from "./desk.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

const reader = { apiKey: "reader", secret: "s", balances: { USDT: "1000" }, canTrade: false };

async function start() {
  const clock = { aheadMs: 0, nowMs: () => Date.now() + clock.aheadMs };
  const log = pino({ level: "silent" });
  const simulator = await startSimulator({ port: 0, seed: 1, clock, log, accounts: [simulatedTrader, reader] });
  closers.push(() => simulator.close());
  return { simulator, clock };
}

const sign = (payload: string, secret = simulatedTrader.secret): string =>
  createHmac("sha256", secret).update(payload).digest("hex");

type Answer = Readonly<Record<string, unknown>> & { readonly status: number };

/** A signed request. */
async function ask(
  { url }: Simulator,
  request: string,
  parameters: Readonly<Record<string, string>> = {},
  { apiKey = simulatedTrader.apiKey, secret = simulatedTrader.secret as string | null, timestamp = Date.now() } = {},
): Promise<Answer> {
  const [method = "GET", path = ""] = request.split(" ");
  const payload = new URLSearchParams({ timestamp: String(timestamp), ...parameters }).toString();
  const query = secret === null ? payload : `${payload}&signature=${sign(payload, secret)}`;
  const isInBody = method === "POST";
  const response = await fetch(`${url}${path}${isInBody ? "" : `?${query}`}`, {
    method,
    headers: apiKey === "" ? {} : { "X-MBX-APIKEY": apiKey },
    ...(isInBody ? { body: query } : {}),
  });
  const body = (await response.json()) as object;
  return { http: response.status, ...body } as unknown as Answer;
}

const limit = {
  symbol: "BTCUSDT",
  side: "BUY",
  type: "LIMIT",
  timeInForce: "GTC",
  quantity: "0.01",
  price: "50000",
};
const order = "POST /api/v3/order";

describe("who asks", () => {
  test.each<[string, Parameters<typeof ask>[3], object]>([
    ["nobody", { apiKey: "" }, { http: 401, code: -2014 }],
    ["somebody else", { apiKey: "x" }, { http: 401, code: -2015 }],
    ["somebody with another secret", { secret: "x" }, { http: 400, code: -1022 }],
    ["nobody signed", { secret: null }, { http: 400, code: -1102 }],
    ["too late", { timestamp: Date.now() - 60_000 }, { http: 400, code: -1021 }],
    ["too early", { timestamp: Date.now() + 60_000 }, { http: 400, code: -1021 }],
    ["whoever may read only", { apiKey: "reader", secret: "s" }, { http: 401, code: -2015 }],
  ])("%s", async (_, who, expected) => {
    const { simulator } = await start();
    expect(await ask(simulator, order, limit, who)).toMatchObject(expected);
    expect(simulator.trading?.accounts.get(simulatedTrader.apiKey)?.orders.size).toBe(0);
  });

  test("the window is the client's, up to a minute", async () => {
    const { simulator } = await start();
    const account = "GET /api/v3/account";
    const old = { timestamp: Date.now() - 30_000 };
    expect(await ask(simulator, account, {}, old)).toMatchObject({ code: -1021 });
    expect(await ask(simulator, account, { recvWindow: "50000" }, old)).toMatchObject({ canTrade: true });
    expect(await ask(simulator, account, { recvWindow: "60001" })).toMatchObject({ code: -1131 });
    expect(await ask(simulator, account, { recvWindow: "x" })).toMatchObject({ code: -1100 });
  });
});

test.each<[Readonly<Record<string, string | undefined>>, number, string?]>([
  [{ symbol: undefined }, -1102],
  [{ symbol: "NOSUCH" }, -1121],
  [{ symbol: "MATICUSDT", price: "0.3", quantity: "100" }, -1013, "Market is closed."],
  [{ side: "HOLD" }, -1117],
  [{ type: "ICE" }, -1116],
  [{ type: "MARKET" }, -1106],
  [{ timeInForce: undefined }, -1102],
  [{ timeInForce: "DAY" }, -1115],
  [{ price: undefined }, -1102],
  [{ stopPrice: "40000" }, -1106],
  [{ type: "STOP_LOSS_LIMIT" }, -1102],
  [{ quantity: undefined }, -1102],
  [{ quantity: "0" }, -1013],
  [{ quantity: "-1" }, -1100],
  [{ quantity: "1e3" }, -1100],
  [{ quantity: "0.000000001" }, -1111],
  [{ quantity: "0.000001" }, -1013, "Filter failure: LOT_SIZE"],
  [{ quantity: "0.00001" }, -1013, "Filter failure: NOTIONAL"],
  [{ price: "50000.001" }, -1013, "Filter failure: PRICE_FILTER"],
  [{ price: "999999" }, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"],
  [{ icebergQty: "0.0001" }, -1013, "Filter failure: ICEBERG_PARTS"],
  [{ newClientOrderId: "no spaces" }, -1100],
  [{ quantity: "10" }, -2010, "Account has insufficient balance for requested action."],
  [
    { type: "LIMIT_MAKER", timeInForce: undefined, price: "150000", quantity: "0.0001" },
    -2010,
    "Order would immediately match and take.",
  ],
  [{ type: "STOP_LOSS_LIMIT", stopPrice: "50000" }, -2010, "Stop price would trigger immediately."],
])("an order with %j is refused with %i", async (changes, code, msg) => {
  const { simulator } = await start();
  const given = Object.entries({ ...limit, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const answer = await ask(simulator, order, Object.fromEntries(given));
  expect(answer).toMatchObject({ http: 400, code, ...(msg === undefined ? {} : { msg }) });
  const account = simulator.trading?.accounts.get(simulatedTrader.apiKey);
  expect(account?.orders.size).toBe(0);
  expect([...(account?.holdings.values() ?? [])].every(({ locked }) => locked.isZero())).toBe(true);
});

describe("orders", () => {
  test("are placed, told of and cancelled, and their balance is locked meanwhile", async () => {
    const { simulator } = await start();
    const placed = await ask(simulator, order, { ...limit, newClientOrderId: "mine" });
    expect(placed).toMatchObject({ status: "NEW", clientOrderId: "mine", executedQty: "0.00000000", fills: [] });
    const name = { symbol: "BTCUSDT", origClientOrderId: "mine" };
    expect(await ask(simulator, "GET /api/v3/order", name)).toMatchObject({ status: "NEW", isWorking: true });
    const balances = async () => (await ask(simulator, "GET /api/v3/account")).balances;
    expect(await balances()).toContainEqual({ asset: "USDT", free: "99500.00000000", locked: "500.00000000" });
    expect(await ask(simulator, order, { ...limit, newClientOrderId: "mine" })).toMatchObject({
      code: -2010,
      msg: "Duplicate order sent.",
    });
    expect(await ask(simulator, "DELETE /api/v3/order", name)).toMatchObject({
      status: "CANCELED",
      origClientOrderId: "mine",
    });
    expect(await ask(simulator, "DELETE /api/v3/order", name)).toMatchObject({
      code: -2011,
      msg: "Unknown order sent.",
    });
    expect(await balances()).toContainEqual({ asset: "USDT", free: "100000.00000000", locked: "0.00000000" });
    // A name is free again when its order has ended.
    expect(await ask(simulator, order, { ...limit, newClientOrderId: "mine" })).toMatchObject({ status: "NEW" });
    expect(await ask(simulator, "GET /api/v3/order", { symbol: "BTCUSDT" })).toMatchObject({ code: -1102 });
    expect(await ask(simulator, "GET /api/v3/order", { symbol: "BTCUSDT", orderId: "1" })).toMatchObject({
      code: -2013,
    });
  });

  test("at the market pay the book and a commission in what they get", async () => {
    const { simulator } = await start();
    const bought = await ask(simulator, order, { symbol: "BTCUSDT", side: "BUY", type: "MARKET", quantity: "0.02" });
    expect(bought).toMatchObject({ status: "FILLED", executedQty: "0.02000000" });
    const trades = (await ask(simulator, "GET /api/v3/myTrades", { symbol: "BTCUSDT" })) as unknown as object;
    const [trade] = Object.values(trades).filter((value) => typeof value === "object") as Record<string, string>[];
    expect(trade).toMatchObject({ commissionAsset: "BTC", isBuyer: true, isMaker: false });
    const holding = simulator.trading?.accounts.get(simulatedTrader.apiKey)?.holding("BTC");
    expect(holding?.free.toString()).toBe("1.01998");
  });

  test("are replaced in one request, or not at all", async () => {
    const { simulator } = await start();
    const desk = simulator.trading;
    const account = desk?.accounts.get(simulatedTrader.apiKey);
    const path = "POST /api/v3/order/cancelReplace";
    const { orderId } = await ask(simulator, order, limit);
    const by = { ...limit, cancelOrderId: String(orderId), cancelReplaceMode: "STOP_ON_FAILURE", quantity: "0.02" };
    expect(await ask(simulator, path, { ...by, quantity: "10" })).toMatchObject({
      http: 409,
      code: -2021,
      data: { cancelResult: "SUCCESS", newOrderResult: "FAILURE", newOrderResponse: { code: -2010 } },
    });
    expect(await ask(simulator, path, by)).toMatchObject({
      http: 400,
      code: -2022,
      data: { cancelResult: "FAILURE", newOrderResult: "NOT_ATTEMPTED", cancelResponse: { code: -2011 } },
    });
    const second = await ask(simulator, order, limit);
    const open = account?.orders.get(Number(second.orderId));
    if (open !== undefined && account !== undefined) desk?.engine.fill(account, open, new Decimal("0.001"));
    const touched = { ...by, cancelOrderId: String(second.orderId) };
    expect(await ask(simulator, path, { ...touched, cancelRestrictions: "ONLY_NEW" })).toMatchObject({ code: -2022 });
    expect(await ask(simulator, path, touched)).toMatchObject({
      cancelResult: "SUCCESS",
      newOrderResult: "SUCCESS",
      newOrderResponse: { origQty: "0.02000000" },
    });
    expect(account?.openOrders.size).toBe(1);
  });

  test("rest until the price comes to them", async () => {
    const { simulator } = await start();
    const market = (await (await fetch(`${simulator.url}/api/v3/depth?symbol=BTCUSDT&limit=5`)).json()) as {
      bids: [string, string][];
      asks: [string, string][];
    };
    // It wanders, so it comes to one of them before long.
    const near = { BUY: market.bids[0]?.[0] ?? "", SELL: market.asks[0]?.[0] ?? "" };
    const placed = Object.entries(near).map(([side, price]) =>
      ask(simulator, order, { ...limit, side, price, quantity: "0.001" }),
    );
    const ids = (await Promise.all(placed)).map(({ orderId }) => Number(orderId));
    const account = simulator.trading?.accounts.get(simulatedTrader.apiKey);
    await until(() => ids.some((id) => account?.orders.get(id)?.status === "FILLED"));
  });
});

describe("the stream of an account", () => {
  async function connect(simulator: Simulator) {
    const socket = new WebSocket(`${simulator.websocketUrl}/ws-api/v3`);
    closers.push(() => socket.terminate());
    const frames: Record<string, unknown>[] = [];
    socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as Record<string, unknown>));
    await until(() => socket.readyState === socket.OPEN);
    const send = async (request: object | string) => {
      const before = frames.length;
      socket.send(typeof request === "string" ? request : JSON.stringify(request));
      await until(() => frames.length > before);
      return frames[before];
    };
    return { frames, send };
  }
  const subscribing = (secret = simulatedTrader.secret) => {
    const params = { apiKey: simulatedTrader.apiKey, recvWindow: 5_000, timestamp: Date.now() };
    const payload = Object.entries(params).map(([name, value]) => `${name}=${value}`);
    return {
      id: "1",
      method: "userDataStream.subscribe.signature",
      params: { ...params, signature: sign(payload.join("&"), secret) },
    };
  };

  test("tells its owner of every change, and of the balances after it", async () => {
    const { simulator } = await start();
    const { frames, send } = await connect(simulator);
    expect(await send(subscribing())).toMatchObject({ id: "1", status: 200, result: { subscriptionId: 0 } });
    await ask(simulator, order, { symbol: "BTCUSDT", side: "BUY", type: "MARKET", quantity: "0.001" });
    await until(() => frames.length >= 5);
    expect(frames.slice(1, 5)).toMatchObject([
      { subscriptionId: 0, event: { e: "executionReport", x: "NEW", X: "NEW" } },
      { event: { e: "outboundAccountPosition" } },
      { event: { e: "executionReport", x: "TRADE", X: "FILLED", l: "0.00100000", N: "BTC", m: false } },
      { event: { e: "outboundAccountPosition", B: [{ a: "BTC", f: "1.00099900" }, { a: "USDT" }] } },
    ]);
  });

  test.each<[object | string, object]>([
    ["{", { status: 400, error: { code: -1000 } }],
    [
      { id: 7, method: "nothing" },
      { id: 7, error: { code: -1020 } },
    ],
    [
      { id: 7, method: "ping" },
      { id: 7, status: 200, result: {} },
    ],
    [
      { id: 7, method: "userDataStream.subscribe.signature" },
      { status: 401, error: { code: -2014 } },
    ],
    [subscribing("another"), { status: 400, error: { code: -1022 } }],
  ])("%j", async (request, expected) => {
    const { simulator } = await start();
    const { send } = await connect(simulator);
    expect(await send(request)).toMatchObject(expected);
    expect(simulator.trading?.subscriptions).toBe(0);
  });
});
