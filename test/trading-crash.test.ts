import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { query } from "./support/app.js";
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

/** How often the program and its database are killed; more of them with CRASH_ROUNDS. */
const rounds = Number(process.env.CRASH_ROUNDS ?? 2);
const clients = 4;

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

async function serve(): Promise<string> {
  running = runProgram(["serve"], { ...data, PORT: String(await freePort()) });
  const url = await running.printed(announcement);
  await until(async () => {
    const { data: seen } = await query(
      url,
      '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { quote { bid ask isStale } } }',
    );
    return seen.symbol.quote?.bid != null && !seen.symbol.quote.isStale;
  }, 30_000);
  return url;
}

interface Acknowledged {
  readonly id: string;
  readonly clientOrderId: string;
  readonly filledQuantity: string;
  readonly fills: readonly { id: string }[];
}

const orderFields = "id clientOrderId filledQuantity fills { id }";
const place = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { ${orderFields} } }`;

test("kill -9 of the program and of the database loses no acknowledged order and doubles none", async () => {
  let url = await serve();
  const { email } = await signUp(url);
  let headers = (await signIn(url, email)).headers;
  const { data: opened } = await query(
    url,
    'mutation { createAccount(input: { exchange: "BINANCE", name: "crash", environment: PAPER, initialBalances: [{ asset: "USDT", amount: "100000000" }] }) { id } }',
    {},
    headers,
  );
  const accountId: string = opened.createAccount.id;
  const acknowledged = new Map<string, Acknowledged>();
  let sent = 0;

  for (let round = 0; round < rounds; round++) {
    const { data: symbol } = await query(
      url,
      '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id quote { price } } }',
    );
    const low = String(Math.floor(Number(symbol.symbol.quote.price) * 0.9));
    let isKilled = false;
    const before = acknowledged.size;
    const client = async (): Promise<void> => {
      while (!isKilled) {
        const n = ++sent;
        const terms = n % 3 === 0 ? { orderType: "LIMIT", price: low } : { orderType: "MARKET" };
        const input = {
          accountId,
          symbolId: symbol.symbol.id,
          side: "BUY",
          quantity: "0.001",
          clientOrderId: `c${n}`,
          ...terms,
        };
        try {
          const answer = await query(url, place, { input }, headers);
          if (answer.data?.placeOrder) acknowledged.set(input.clientOrderId, answer.data.placeOrder);
        } catch {
          // The connection died: nothing was acknowledged.
        }
      }
    };
    const all = Array.from({ length: clients }, client);
    // At another instant each time, under load.
    await until(() => acknowledged.size >= before + 20 + 17 * round, 30_000);
    const postmaster = Number(
      readFileSync(join(data.TRADEGRAPH_DATA_DIR, "postgres", "postmaster.pid"), "utf8").split("\n")[0],
    );
    if (round % 2 === 0) process.kill(postmaster, "SIGKILL");
    running?.signal("SIGKILL");
    isKilled = true;
    await running?.exit;
    await Promise.all(all);
    await until(() => processesOn(folder.path).length === 0, 15_000);

    url = await serve();
    headers = (await signIn(url, email)).headers;
    for (const order of acknowledged.values()) {
      const { data: found } = await query(
        url,
        `query ($id: String!, $account: ID!) { order(clientOrderId: $id, accountId: $account) { ${orderFields} } }`,
        { id: order.clientOrderId, account: accountId },
        headers,
      );
      expect(found.order?.id).toBe(order.id);
      const fills = found.order.fills.map(({ id }: { id: string }) => id);
      for (const { id } of order.fills) expect(fills.filter((other: string) => other === id)).toHaveLength(1);
      expect(Number(found.order.filledQuantity)).toBeGreaterThanOrEqual(Number(order.filledQuantity));
    }
  }
  await running?.stop();
  const rebuilt = await runToEnd(["rebuild"], data);
  expect(rebuilt.output + rebuilt.errors).toContain("orders, positions and balances are what the events say");
  expect(rebuilt.status).toBe(0);
  const { output } = await runToEnd(["validate", "--json"], data);
  const failed = (JSON.parse(output) as { name: string; passed: boolean; severity: string }[]).filter(
    ({ passed, severity }) => !passed && severity === "CRITICAL",
  );
  expect(failed).toEqual([]);
}, 300_000);
