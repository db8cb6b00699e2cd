import { globalId, parseGlobalId } from "../src/core/ids.js";
import { keysetOf } from "../src/core/keyset-page.js";
import { textOfRead } from "../src/db/as-user.js";
import { ownItems } from "../src/people/read-dashboard.js";
import { pageOfOrders } from "../src/trading/read-orders.js";
import { post, register } from "./api.js";
import { type BenchCase, type BenchResult, figure } from "./case.js";
import { type BenchDatabase, type BenchSymbol, fillSymbols, openBenchDatabase } from "./database.js";
import type { PeerInput } from "./peers/peer.js";
import { findProgram, pgbench } from "./postgres-programs.js";
import { costOfQuery } from "./queries.js";

const itemCount = 20;
/** More than are asked for, as most users have. */
const orderCount = 30;
const connections = 8;
const pgbenchSeconds = 4;

interface PrivateQuery {
  readonly name: string;
  readonly query: string;
  /** The statement that answers it, for pgbench. */
  readonly statement: string;
  readonly idsOf: (data: never) => readonly string[];
}

const inScript = (text: string, values: readonly string[]): string =>
  `${text.replaceAll(/\$(\d+)/g, (_, n: string) => values[Number(n) - 1] ?? "")};\n`;

const orderFields = "id clientOrderId side orderType status quantity price filledQuantity createdAt";

function ordersStatement(): string {
  const fields = new Set(orderFields.split(" "));
  const { rows, values } = pageOfOrders("", {}, keysetOf({ first: itemCount }, "orders", /./), fields);
  return inScript(textOfRead(rows), [":user_id", ":user_id", ...values.slice(1).map(String)]);
}

const dashboard: PrivateQuery = {
  name: "dashboard with quotes",
  query:
    "{ dashboard { id displayOrder isVisible isPinned customAlias widgetType symbol { id ticker displayName " +
    "quote { price bid ask change24h volume24h sequence exchangeTime } } } }",
  statement: inScript(textOfRead(ownItems), [":user_id", ":user_id"]),
  idsOf: ({ dashboard: items }: { dashboard: { id: string }[] }) => items.map(({ id }) => id),
};

const orders: PrivateQuery = {
  name: "orders",
  query: `{ orders(first: ${itemCount}) { nodes { ${orderFields} symbol { id ticker displayName } } } }`,
  statement: ordersStatement(),
  idsOf: ({ orders: { nodes } }: { orders: { nodes: { id: string }[] } }) => nodes.map(({ id }) => id),
};

/** Registers a user, fills his dashboard, and has him place orders that wait, all by the API. */
async function signUp(url: string, symbols: readonly BenchSymbol[]) {
  const { headers, id: userId } = await register(url);
  for (const { id } of symbols)
    await post(
      url,
      "mutation ($input: AddDashboardItemInput!) { addDashboardItem(input: $input) { id } }",
      { input: { symbolId: globalId("Symbol", id), customAlias: `Alias ${id}` } },
      headers,
    );
  const { createAccount } = await post<{ createAccount: { id: string } }>(
    url,
    "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { id } }",
    { input: { exchange: "BINANCE", name: "bench", environment: "PAPER" } },
    headers,
  );
  const [symbol] = symbols;
  const order = { accountId: createAccount.id, symbolId: globalId("Symbol", symbol?.id ?? 0), side: "BUY" };
  for (let n = 0; n < orderCount; n++)
    await post(
      url,
      "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id } }",
      { input: { ...order, orderType: "LIMIT", quantity: "0.001", price: "50000" } },
      headers,
    );
  return { headers, userId: parseGlobalId(userId)?.key ?? "" };
}

async function compare(
  database: BenchDatabase,
  symbols: readonly BenchSymbol[],
  { name, query, statement, idsOf }: PrivateQuery,
): Promise<{ readonly results: BenchResult[]; readonly userId: string }> {
  const input: PeerInput = { address: database.address, exchange: null };
  let userId = "";
  const headersFor = async (url: string) => {
    const user = await signUp(url, symbols);
    userId = user.userId;
    return user.headers;
  };
  const path = await findProgram("pgbench");
  const limitOf = async (clients: number) => {
    if (path === null) return {};
    const script = { text: statement, clients, seconds: pgbenchSeconds, variables: { user_id: userId } };
    return { limit: await pgbench(path, database.address, script) };
  };
  // Each right after what it is compared with: other work on the machine comes and goes.
  const alone = await costOfQuery("tradegraph", input, { query, connections: 1, headersFor });
  const aloneLimit = await limitOf(1);
  const ours = await costOfQuery("tradegraph", input, { query, connections, headersFor });
  const limit = await limitOf(connections);
  const unchecked = async () => ({ "x-user-id": userId });
  const mercurius = await costOfQuery("mercurius-stored", input, { query, connections, headersFor: unchecked });
  const idsIn = (body: string) => idsOf((JSON.parse(body) as { data: never }).data).join();
  if (idsIn(ours.load.body) !== idsIn(mercurius.load.body) || !idsIn(ours.load.body).includes(","))
    console.log(`  the answers differ:\n${mercurius.load.body}\n${ours.load.body}`);
  const perSecond = {
    unit: "answers/s",
    better: "more",
    reach: { limit: 0.5 },
    growsWith: "rows returned",
    ...(path === null ? { note: "there is no pgbench on this machine" } : {}),
  } as const;
  const results: BenchResult[] = [
    {
      case: `private query, ${name}, against mercurius with JIT`,
      unit: "CPU µs per answer",
      better: "less",
      ours: ours.cpuUsPerAnswer,
      peers: { mercurius: mercurius.cpuUsPerAnswer },
      reach: { peer: 1.5 },
      growsWith: "rows returned",
      note: `${itemCount} items, ${figure(ours.load.bytes)} bytes, ${figure(ours.answersPerSecond)} answers/s, mercurius ${figure(mercurius.answersPerSecond)}; mercurius takes the user's id unchecked; the database's own CPU is not counted`,
    },
    {
      ...perSecond,
      case: `private query, ${name}, against pgbench, 1 client`,
      ours: alone.answersPerSecond,
      ...aloneLimit,
    },
    {
      ...perSecond,
      case: `private query, ${name}, against pgbench, ${connections} clients`,
      ours: ours.answersPerSecond,
      ...limit,
    },
  ];
  return { results, userId };
}

export const privateQuery: BenchCase = {
  name: "private-query",
  async run() {
    const database = await openBenchDatabase();
    try {
      const symbols = await fillSymbols(database.owner, itemCount);
      const { results, userId } = await compare(database, symbols, dashboard);
      const input: PeerInput = { address: database.address, exchange: null };
      const headersFor = async () => ({ "x-user-id": userId });
      const bare = await costOfQuery("bare-stored", input, { query: dashboard.query, connections, headersFor });
      const [ofDashboard] = results;
      if (ofDashboard === undefined) throw new Error("there is no result");
      results[0] = {
        ...ofDashboard,
        note: `${ofDashboard.note}; a Node server that does nothing but that statement and JSON of its rows takes ${figure(bare.cpuUsPerAnswer)} µs and gives ${figure(bare.answersPerSecond)} answers/s`,
      };
      return [...results, ...(await compare(database, symbols, orders)).results];
    } finally {
      await database.close();
    }
  },
};
