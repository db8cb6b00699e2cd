import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { systemClock } from "../src/core/time.js";
import { type Simulator, startSimulator } from "../src/feeds/simulator/simulator.js";
import type { SimulatedAccount } from "../src/feeds/simulator/trading/account.js";
import { simulatedTrader, type TradingDesk } from "../src/feeds/simulator/trading/desk.js";
import { rebuild } from "../src/trading/rebuild.js";
import { orderIdOf } from "../src/trading/venues/client-ids.js";
import { noRateLimits, operatorToken, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { findNats, type NatsServer, startNats } from "./support/nats.js";
import { signUp } from "./support/people.js";
import { until } from "./support/until.js";

/** How often the program is killed; more of them with CRASH_ROUNDS. */
const rounds = Number(process.env.CRASH_ROUNDS ?? 2);
const clients = 3;
const natsPath = findNats();
const script = fileURLToPath(new URL("./support/venue-node.mjs", import.meta.url));
const keys = Array.from({ length: 3 }, (_, n) => ({
  ...simulatedTrader,
  apiKey: `simulated-crash-key-${n}`,
  balances: { USDT: "10000000", BTC: "100" },
}));

interface Node {
  readonly process: ChildProcess;
  readonly url: string;
}

let exchange: Simulator;
/** One node leads the feeds; the second one has its prices from there. */
let nats: NatsServer | undefined;
let database: TestDatabase;
const running = new Set<ChildProcess>();
let used = 0;
let key = keys[0] as (typeof keys)[number];

beforeAll(async () => {
  const log = pino({ level: "silent" });
  exchange = await startSimulator({ port: 0, seed: 7, clock: systemClock, log, accounts: keys });
  database = await createTestDatabase();
  if (natsPath !== null) nats = await startNats(natsPath);
}, 60_000);
afterEach(async () => {
  desk().faults.clear();
  await Promise.all([...running].map(kill));
});
afterAll(async () => {
  await exchange?.close();
  await database?.close();
  await nats?.remove();
});

const desk = (): TradingDesk => exchange.trading as TradingDesk;
const trader = (): SimulatedAccount => desk().accounts.get(key.apiKey) as SimulatedAccount;

async function startNode(): Promise<Node> {
  const { url, websocketUrl } = exchange;
  const environment = {
    ...fewPrices,
    PORT: "0",
    OPERATOR_TOKEN: operatorToken,
    ENCRYPTION_KEYS: `test:${Buffer.alloc(32, 7).toString("base64")}`,
    ...(nats === undefined ? {} : { NATS_URL: nats.url }),
  };
  const overrides = { database: database.address, exchange: { url, websocketUrl }, accountSyncMs: 1_000 };
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, VENUE_NODE: JSON.stringify({ environment, rateLimits: noRateLimits, overrides }) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let [output, errors] = ["", ""];
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  child.once("close", () => running.delete(child));
  await until(() => {
    if (!running.has(child)) throw new Error(`the node ended: ${errors}${output}`);
    return /ready (http\S+)/.test(output);
  }, 60_000);
  const address = /ready (http\S+)/.exec(output)?.[1] ?? "";
  await until(async () => {
    const { data } = await query(
      address,
      `{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { quote { bid isStale } } }`,
    );
    return data.symbol.quote?.bid != null && !data.symbol.quote.isStale;
  }, 60_000);
  return { process: child, url: address };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("close", resolve));
  if (!running.has(child)) return;
  child.kill("SIGKILL");
  await ended;
}

interface Account {
  readonly id: string;
  readonly headers: Record<string, string>;
  readonly symbolId: string;
  readonly low: string;
}

async function openAccount({ url }: Node): Promise<Account> {
  const { headers } = await signUp(url);
  key = keys[used++] as (typeof keys)[number];
  const { data, errors } = await query(
    url,
    "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id } }",
    {
      input: {
        exchange: "BINANCE",
        name: "crash",
        environment: "TESTNET",
        apiKey: key.apiKey,
        apiSecret: key.secret,
      },
    },
    headers,
  );
  expect(errors).toBeUndefined();
  const { id } = data.createAccount;
  const read = "query ($id: ID!) { account(id: $id) { syncStatus } }";
  await until(async () => (await query(url, read, { id }, headers)).data.account.syncStatus === "SYNCED", 60_000);
  const { data: market } = await query(
    url,
    '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id quote { price } } }',
  );
  return { id, headers, symbolId: market.symbol.id, low: String(Math.floor(Number(market.symbol.quote.price) * 0.8)) };
}

const acknowledged = new Set<string>();
let sent = 0;

/** Null when nobody has acknowledged it. */
async function place({ url }: Node, account: Account, terms: Record<string, unknown>): Promise<string | null> {
  const clientOrderId = `c${++sent}`;
  const input = {
    accountId: account.id,
    symbolId: account.symbolId,
    side: "BUY",
    quantity: "0.001",
    clientOrderId,
    ...terms,
  };
  try {
    const text = "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { clientOrderId } }";
    const { data } = await query(url, text, { input }, account.headers);
    if (data?.placeOrder == null) return null;
    acknowledged.add(clientOrderId);
    return clientOrderId;
  } catch {
    return null;
  }
}

interface Stored {
  readonly id: string;
  readonly client_order_id: string;
  readonly status: string;
  readonly filled: string;
  readonly fills: number;
}
const stored = (): Promise<Stored[]> =>
  database.owner.sql<Stored[]>`
    select o.id, o.client_order_id, o.status, o.filled_quantity::text as filled,
      (select count(*)::int from order_fills f where f.order_id = o.id) as fills
    from orders o where o.account_id = (select id from accounts order by created_at desc limit 1)`;

/** Every acknowledged order is here once, every order there is one of ours, and both have the same fills. */
async function differences(): Promise<string[]> {
  const found: string[] = [];
  const orders = await stored();
  const legs = [...trader().orders.values()];
  for (const clientOrderId of acknowledged) {
    const same = orders.filter(({ client_order_id }) => client_order_id === clientOrderId);
    if (same.length !== 1) found.push(`${clientOrderId} is here ${same.length} times`);
  }
  for (const { id, client_order_id, status, filled, fills } of orders) {
    const there = legs.filter(({ clientOrderId }) => orderIdOf("BINANCE", clientOrderId) === id);
    const [leg] = there;
    if (there.length > 1) found.push(`${client_order_id} is there ${there.length} times`);
    if (status === "PENDING") found.push(`${client_order_id} is pending`);
    if (leg === undefined && status !== "REJECTED") found.push(`${client_order_id} is ${status} and not there`);
    if (leg === undefined) continue;
    const trades = trader().trades.filter(({ orderId }) => orderId === leg.id);
    if (Number(filled) !== leg.executed.toNumber())
      found.push(`${client_order_id}: ${filled} of ${leg.executed.toFixed()}`);
    if (fills !== trades.length) found.push(`${client_order_id}: ${fills} of ${trades.length} fills`);
    if (status === "REJECTED") found.push(`${client_order_id} is there, and rejected here`);
  }
  for (const { clientOrderId } of legs)
    if (!orders.some(({ id }) => id === orderIdOf("BINANCE", clientOrderId)))
      found.push(`${clientOrderId} is not ours`);
  return found;
}
const expectSame = () => expect.poll(differences, { timeout: 90_000, interval: 200 }).toEqual([]);

/** The node that works for accounts at exchanges; null while nobody does. */
const holder = async (): Promise<string | null> => {
  const [row] = await database.owner.sql<{ holder: string }[]>`
    select holder::text from leases where name = 'venue exchanges' and expires_at > clock_timestamp()`;
  return row?.holder ?? null;
};
/** Whether somebody else than `before` works for accounts. */
const isTaken = async (before: string | null): Promise<boolean> => ![null, before].includes(await holder());

test("kill -9 while orders are in flight: after the restart every acknowledged order and fill is there once", async () => {
  let node = await startNode();
  const account = await openAccount(node);
  acknowledged.clear();
  for (let round = 0; round < rounds; round++) {
    let isKilled = false;
    const before = acknowledged.size;
    const load = async (): Promise<void> => {
      for (let n = 0; !isKilled; n++) {
        // Answers that the exchange owes at the instant of the kill.
        if (n % 4 === 3) desk().faults.add("POST", "/api/v3/order", { kind: "silence", isDone: n % 8 === 3 });
        await place(node, account, n % 3 === 0 ? { orderType: "LIMIT", price: account.low } : { orderType: "MARKET" });
      }
    };
    const all = Array.from({ length: clients }, load);
    await until(() => acknowledged.size >= before + 12 + randomInt(20), 60_000);
    node.process.kill("SIGKILL");
    isKilled = true;
    await kill(node.process);
    await Promise.all(all);
    desk().faults.clear();
    node = await startNode();
    await expectSame();
  }
  expect(trader().trades.length).toBeGreaterThan(0);
}, 400_000);

test.skipIf(natsPath === null)(
  "a race: the leader is killed under load, the other takes over, and no order is sent twice",
  async () => {
    const first = await startNode();
    const second = await startNode();
    const account = await openAccount(first);
    acknowledged.clear();
    let isDone = false;
    const load = async (node: Node): Promise<void> => {
      while (!isDone && running.has(node.process)) await place(node, account, { orderType: "MARKET" });
    };
    const all = [load(first), load(second)];
    await until(() => acknowledged.size >= 15, 60_000);
    // The first one that was started has the lease.
    const before = await holder();
    expect(before).not.toBeNull();
    first.process.kill("SIGKILL");
    await until(() => isTaken(before));
    const taken = acknowledged.size;
    await until(() => acknowledged.size >= taken + 10, 60_000);
    isDone = true;
    await Promise.all(all);
    await expectSame();
  },
  200_000,
);

test.skipIf(natsPath === null)(
  "a race: the leader stands still, another one takes over, and its late answer is not booked twice",
  async () => {
    const first = await startNode();
    const account = await openAccount(first);
    const second = await startNode();
    acknowledged.clear();
    const before = await holder();
    expect(before).not.toBeNull();
    const orders = Array.from({ length: 6 }, () => place(first, account, { orderType: "MARKET" }));
    await until(() => trader().orders.size > 0, 30_000);
    first.process.kill("SIGSTOP");
    await until(() => isTaken(before));
    await place(second, account, { orderType: "MARKET" });
    await until(async () => (await stored()).some(({ status }) => status === "FILLED"), 30_000);
    first.process.kill("SIGCONT");
    await Promise.all(orders);
    await place(first, account, { orderType: "MARKET" });
    await expectSame();
  },
  280_000,
);

test("what the events make is what is stored", async () => {
  expect((await rebuild(database.owner, false)).differences).toEqual([]);
});
