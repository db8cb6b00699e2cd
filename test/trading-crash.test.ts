import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { query } from "./support/app.js";
import { fewPrices } from "./support/few-prices.js";
import { signIn, signUp } from "./support/people.js";
import {
  announcement,
  createDataFolder,
  type DataFolder,
  freePort,
  type Program,
  processesOn,
  runProgram,
  runToEnd,
} from "./support/program.js";
import { until } from "./support/until.js";

/** How often the program, its database or both are killed; more often with CRASH_ROUNDS. */
const rounds = Number(process.env.CRASH_ROUNDS ?? 3);
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
const users = 2;
const clientsPerUser = 3;

let folder: DataFolder;
let data: { TRADEGRAPH_DATA_DIR: string };
let running: Program | undefined;
beforeAll(async () => {
  folder = await createDataFolder();
  data = { TRADEGRAPH_DATA_DIR: join(folder.path, "data") };
});
afterEach(async () => {
  running?.signal("SIGKILL");
  await running?.exit;
  await until(() => processesOn(folder.path).length === 0, 15_000);
});
afterAll(() => folder.remove());

/** As fast as the clients can: what is tested is not how often they may. */
const unlimited = {
  RATE_LIMIT_COST_PER_ADDRESS: "0",
  RATE_LIMIT_COST_PER_USER: "0",
  RATE_LIMIT_MUTATIONS_PER_ADDRESS: "0",
  RATE_LIMIT_MUTATIONS_PER_USER: "0",
};

async function serve(): Promise<string> {
  running = runProgram(["serve"], { ...fewPrices, ...data, ...unlimited, PORT: String(await freePort()) });
  const url = await running.printed(announcement, 120_000);
  await untilQuoted(url);
  return url;
}

async function untilQuoted(url: string): Promise<void> {
  await until(async () => {
    const { data: seen } = await query(
      url,
      '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { quote { bid ask isStale } } }',
    );
    return seen?.symbol?.quote?.bid != null && !seen.symbol.quote.isStale;
  }, 120_000);
}

interface Answered {
  readonly id: string;
  readonly status: string;
  readonly filledQuantity: string;
  readonly fills: readonly { id: string }[];
}

interface User {
  readonly email: string;
  readonly accountId: string;
  headers: { readonly authorization: string };
  /** Everything that was asked for, by client order id; each at most once by content. */
  readonly asked: Map<string, object>;
  /** The newest answer that each of them got. */
  readonly answered: Map<string, Answered>;
  /** Refused for good, with the code. */
  readonly refused: Map<string, string>;
}

const orderFields = "id status filledQuantity fills { id }";
const place = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { ${orderFields} } }`;
const cancel = `mutation ($id: ID!) { cancelOrder(id: $id) { ${orderFields} } }`;

/** Numbers from 0 to 1 that a seed repeats. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

async function newUser(url: string): Promise<User> {
  const { email, headers } = await signUp(url);
  const { data: opened } = await query(
    url,
    'mutation { createAccount(input: { exchange: "BINANCE", name: "crash", environment: PAPER, initialBalances: [{ asset: "USDT", amount: "100000000" }] }) { id } }',
    {},
    headers,
  );
  return {
    email,
    headers,
    accountId: opened.createAccount.id,
    asked: new Map(),
    answered: new Map(),
    refused: new Map(),
  };
}

/** How often there was no answer, by why: for the report of a failure. */
const unanswered = new Map<string, number>();
const noAnswer = (why: string): false => {
  unanswered.set(why, (unanswered.get(why) ?? 0) + 1);
  return false;
};

/** Tells with a time-out what the clients got instead, and what the program said last. */
async function untilTaken(predicate: () => boolean | Promise<boolean>, doing: string): Promise<void> {
  unanswered.clear();
  await until(predicate, 120_000).catch((error: unknown) => {
    const said = `${running?.output() ?? ""}${running?.errors() ?? ""}`.slice(-3_000);
    throw new Error(`${doing}: ${JSON.stringify([...unanswered])}\n${said}`, { cause: error });
  });
}

/** Places an order, perhaps again. Whether there was an answer of any kind. */
async function ask(url: string, user: User, clientOrderId: string): Promise<boolean> {
  try {
    const answer = await query(url, place, { input: user.asked.get(clientOrderId) }, user.headers);
    if (answer.data?.placeOrder) {
      user.answered.set(clientOrderId, answer.data.placeOrder);
      return true;
    }
    const code = answer.errors?.[0]?.extensions.code ?? "";
    // A killed database leaves open whether the order is stored; everything else is for good.
    if (["PROVIDER_UNAVAILABLE", "NO_QUOTE", "UNAUTHENTICATED", "INTERNAL"].includes(code)) return false;
    user.refused.set(clientOrderId, code);
    return true;
  } catch (error) {
    // The connection died.
    return noAnswer(String((error as Error).cause ?? error));
  }
}

/** Every order with its fills that the program has of these. */
async function requireAll(url: string, user: User, clientOrderIds: readonly string[]): Promise<void> {
  for (let from = 0; from < clientOrderIds.length; from += 100) {
    const some = clientOrderIds.slice(from, from + 100);
    const known = some.map((id) => user.answered.get(id) as Answered);
    const { data: found, errors } = await query(
      url,
      `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { clientOrderId ${orderFields} } } }`,
      { ids: known.map(({ id }) => id) },
      user.headers,
    );
    expect(errors).toBeUndefined();
    for (const [at, order] of known.entries()) {
      const now = found.nodes[at];
      expect(now?.clientOrderId).toBe(some[at]);
      const fills = now.fills.map(({ id }: { id: string }) => id);
      for (const { id } of order.fills) expect(fills.filter((other: string) => other === id)).toHaveLength(1);
      expect(Number(now.filledQuantity)).toBeGreaterThanOrEqual(Number(order.filledQuantity));
      if (["FILLED", "CANCELLED"].includes(order.status)) expect(now.status).toBe(order.status);
    }
  }
}

test(
  `kill -9 of program and database, ${rounds} times: no acknowledged order or fill is lost or doubled (CRASH_SEED=${seed})`,
  async () => {
    const random = randomOf(seed);
    let url = await serve();
    const all = [];
    for (let n = 0; n < users; n++) all.push(await newUser(url));
    let sent = 0;
    for (let round = 0; round < rounds; round++) {
      const { data: quoted } = await query(
        url,
        `{ spot: symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id quote { price } }
           futures: symbol(market: "BINANCE_FUTURES", ticker: "BTCUSDT") { id } }`,
      );
      const low = String(Math.floor(Number(quoted.spot.quote.price) * 0.9));
      let isKilled = false;
      let answers = 0;
      const client = async (user: User): Promise<void> => {
        while (!isKilled) {
          const n = ++sent;
          const clientOrderId = `c${n}`;
          const isLimit = n % 3 === 0;
          const isFutures = n % 5 === 0;
          user.asked.set(clientOrderId, {
            accountId: user.accountId,
            symbolId: isFutures ? quoted.futures.id : quoted.spot.id,
            side: isFutures && n % 2 === 0 ? "SELL" : "BUY",
            quantity: "0.01",
            clientOrderId,
            ...(isLimit && !isFutures ? { orderType: "LIMIT", price: low } : { orderType: "MARKET" }),
          });
          if (await ask(url, user, clientOrderId)) answers++;
          const order = user.answered.get(clientOrderId);
          if (isLimit && n % 2 === 0 && order?.status === "NEW" && !isKilled) {
            const answer = await query(url, cancel, { id: order.id }, user.headers).catch(() => null);
            if (answer?.data?.cancelOrder) user.answered.set(clientOrderId, answer.data.cancelOrder);
          }
        }
      };
      const clients = all.flatMap((user) => Array.from({ length: clientsPerUser }, () => client(user)));
      // At another instant each time, under load: after some answers, and a while that is no multiple of anything.
      const enough = 5 + Math.floor(random() * 50);
      await untilTaken(() => answers >= enough, `round ${round}, before the kill`);
      await new Promise((resolve) => setTimeout(resolve, random() * 25));
      const kind = (["both", "program", "database"] as const)[(round + seed) % 3] ?? "both";
      const postmaster = Number(
        readFileSync(join(data.TRADEGRAPH_DATA_DIR, "postgres", "postmaster.pid"), "utf8").split("\n")[0],
      );
      if (kind !== "program") process.kill(postmaster, "SIGKILL");
      if (kind !== "database") running?.signal("SIGKILL");
      if (kind === "database") {
        // The program lives on, and so do its clients: until orders are taken again.
        const before = answers;
        await untilTaken(() => answers > before + 20, `round ${round}, without the database`);
        isKilled = true;
        await Promise.all(clients);
        await untilQuoted(url);
      } else {
        isKilled = true;
        await running?.exit;
        await Promise.all(clients);
        await until(() => processesOn(folder.path).length === 0, 60_000);
        url = await serve();
        for (const user of all) user.headers = (await signIn(url, user.email)).headers;
      }
      for (const user of all) {
        const open = [...user.asked.keys()].filter((id) => !user.answered.has(id) && !user.refused.has(id));
        // Who got no answer asks again with the same key: the order is there once, whatever became of the first request.
        for (const id of open) await untilTaken(() => ask(url, user, id), `round ${round}, ${id} again`);
        await requireAll(url, user, [...user.answered.keys()].slice(-200));
      }
    }
    for (const user of all) {
      expect([...user.refused]).toEqual([]);
      await requireAll(url, user, [...user.answered.keys()]);
      // One order for each key, and none that nobody asked for.
      expect(new Set([...user.answered.values()].map(({ id }) => id)).size).toBe(user.asked.size);
    }
    const asked = all.reduce((sum, user) => sum + user.asked.size, 0);
    const [stored] = await folder.sql("tradegraph_simulated", (sql) => sql`select count(*)::int as orders from orders`);
    expect(stored?.orders).toBe(asked);
    console.info(`${rounds} kills, ${asked} orders`);
    await running?.stop();
    const rebuilt = await runToEnd(["rebuild"], data);
    expect(rebuilt.output + rebuilt.errors).toContain("orders, positions and balances are what the events say");
    expect(rebuilt.status).toBe(0);
    const { output } = await runToEnd(["validate", "--json"], data);
    const failed = (JSON.parse(output) as { name: string; passed: boolean; severity: string }[]).filter(
      ({ passed, severity }) => !passed && severity === "CRITICAL",
    );
    expect(failed).toEqual([]);
  },
  180_000 + rounds * 60_000,
);
