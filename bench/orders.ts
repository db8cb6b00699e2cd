import { globalId, parseGlobalId } from "../src/core/ids.js";
import { post, register } from "./api.js";
import { type BenchCase, type BenchResult, figure } from "./case.js";
import { type BenchDatabase, fillSymbols, openBenchDatabase } from "./database.js";
import { Helper } from "./helper.js";
import type { Ask, Load, LoadInput } from "./http-load.js";
import { orderScript } from "./order-rows.js";
import { findProgram, pgbench } from "./postgres-programs.js";
import { costOf } from "./queries.js";

const clientCounts = [1, 8, 64] as const;
const mostClients = 64;
const seconds = 5;
/** Until the code of both sorts of order is compiled, which a server that runs for days does once. */
const firstWarmUpMs = 10_000;

const placeOrder =
  "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status filledQuantity avgFillPrice version } }";

/** The prices of the bench's traffic begin at 100,000: one order waits far below them, and one is filled at once. */
const kinds = {
  "limit, resting": { orderType: "LIMIT", side: "BUY", quantity: "0.001", price: "50000" },
  "market, filled on paper": { orderType: "MARKET", side: "BUY", quantity: "0.001" },
} as const;
const statusOf = { "limit, resting": "NEW", "market, filled on paper": "FILLED" } as const;
type Kind = keyof typeof kinds;

interface Trader {
  readonly headers: Readonly<Record<string, string>>;
  readonly userId: string;
  readonly accountId: string;
}

/** Users with an account each, which no order of the bench empties. */
async function openAccounts(url: string, { owner }: BenchDatabase): Promise<Trader[]> {
  const traders: Trader[] = [];
  for (let n = 0; n < mostClients; n++) {
    const { headers, id } = await register(url);
    const { createAccount } = await post<{ createAccount: { id: string } }>(
      url,
      "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id } }",
      {
        input: {
          exchange: "BINANCE",
          name: "bench",
          environment: "PAPER",
          initialBalances: [{ asset: "USDT", amount: "1000000000" }],
        },
      },
      headers,
    );
    traders.push({ headers, userId: keyOf(id), accountId: keyOf(createAccount.id) });
  }
  await owner.sql`create table bench_clients (n integer primary key, user_id uuid not null, account_id uuid not null)`;
  await owner.sql`grant select on bench_clients to tradegraph_app`;
  for (const [n, { userId, accountId }] of traders.entries())
    await owner.sql`insert into bench_clients values (${n}, ${userId}, ${accountId})`;
  return traders;
}

const keyOf = (id: string): string => parseGlobalId(id)?.key ?? "";

export const ordersCase: BenchCase = {
  name: "orders",
  async run() {
    const database = await openBenchDatabase();
    const server = Helper.start("server", "live/server.js", "tradegraph");
    const loader = Helper.start("clients", "http-load.js");
    try {
      const [symbol] = await fillSymbols(database.owner, 9);
      if (symbol === undefined) throw new Error("there is no symbol");
      const url = await server.ask<string>("start", { address: database.address, exchange: null, trades: true });
      // So that the price is never stale.
      await server.ask("traffic", { perSecond: 1, symbolIds: [symbol.id] });
      const traders = await openAccounts(url, database);
      const path = await findProgram("pgbench");
      const results: BenchResult[] = [];
      for (const kind of Object.keys(kinds) as Kind[]) {
        const asks = traders.map(({ headers, accountId }): Ask => {
          const ids = { accountId: globalId("Account", accountId), symbolId: globalId("Symbol", symbol.id) };
          return {
            headers,
            body: JSON.stringify({ query: placeOrder, variables: { input: { ...kinds[kind], ...ids } } }),
          };
        });
        await loader.ask<Load>("run", { url, asks, connections: 8, forMs: firstWarmUpMs } satisfies LoadInput);
        // As the server itself does for a table that has grown, within a minute.
        await database.owner.sql`analyze`;
        for (const clients of clientCounts) {
          const ours = await costOf(server, loader, { url, asks, connections: clients }, 2_000, seconds * 1_000);
          const orderId = placedOrder(ours.load, kind);
          // Right after what it is compared with: other work on the machine comes and goes.
          const limit =
            path === null
              ? {}
              : {
                  limit: await pgbench(path, database.address, {
                    text: await orderScript(database.owner.sql, orderId),
                    clients,
                    seconds,
                  }),
                };
          results.push({
            case: `order ${kind}, ${clients} client${clients === 1 ? "" : "s"}`,
            unit: "orders/s",
            better: "more",
            ours: ours.answersPerSecond,
            ...limit,
            reach: clients === 8 ? { limit: 0.5 } : {},
            growsWith: "orders",
            note: `${figure(ours.cpuUsPerAnswer)} µs of the server's CPU for an order, p99 ${figure(ours.load.p99Ms)} ms`,
          });
        }
      }
      return results;
    } finally {
      await Promise.all([server.stop(), loader.stop()]);
      await database.close();
    }
  },
};

/** The id of the order that the last answer is about. @throws when it is not what was to be placed */
function placedOrder({ body }: Load, kind: Kind): string {
  const { data } = JSON.parse(body) as { data: { placeOrder: { id: string; status: string } } | null };
  if (data?.placeOrder.status !== statusOf[kind]) throw new Error(`the order is not placed: ${body}`);
  return keyOf(data.placeOrder.id);
}
