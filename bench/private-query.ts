import { globalId, parseGlobalId } from "../src/core/ids.js";
import { post, register } from "./api.js";
import { type BenchCase, type BenchResult, figure } from "./case.js";
import { fillSymbols, openBenchDatabase } from "./database.js";
import type { PeerInput } from "./peers/peer.js";
import { selectDashboard } from "./peers/stored-schema.js";
import { findPgbench, pgbench } from "./pgbench.js";
import { type Asked, costOfQuery } from "./queries.js";

const query =
  "{ dashboard { id displayOrder isVisible isPinned customAlias widgetType symbol { id ticker displayName " +
  "quote { price bid ask change24h volume24h sequence exchangeTime } } } }";
const itemCount = 20;
const connections = 8;
const pgbenchSeconds = 8;

/** Registers a user and fills his dashboard by the API. */
async function signUp(url: string, symbolIds: readonly number[]) {
  const { headers, id: userId } = await register(url);
  for (const id of symbolIds)
    await post(
      url,
      "mutation ($input: AddDashboardItemInput!) { addDashboardItem(input: $input) { id } }",
      { input: { symbolId: globalId("Symbol", id), customAlias: `Alias ${id}` } },
      headers,
    );
  return { headers, userId: parseGlobalId(userId)?.key ?? "" };
}

interface Answered {
  readonly data: { readonly dashboard: readonly { id: string; symbol: object }[] };
}

export const privateQuery: BenchCase = {
  name: "private-query",
  async run() {
    const database = await openBenchDatabase();
    try {
      const symbols = await fillSymbols(database.owner, itemCount);
      const input: PeerInput = { address: database.address, exchange: null };
      let userId = "";
      const asked = (connections: number): Asked => ({
        query,
        connections,
        headersFor: async (url) => {
          const user = await signUp(
            url,
            symbols.map(({ id }) => id),
          );
          userId = user.userId;
          return user.headers;
        },
      });
      const path = await findPgbench();
      const limitOf = async (count: number) =>
        path === null
          ? {}
          : {
              limit: await pgbench(path, database.address, {
                text: `begin;\nselect set_config('app.user_id', :user_id, true);\n${selectDashboard(":user_id")};\ncommit;\n`,
                clients: count,
                seconds: pgbenchSeconds,
                variables: { user_id: userId },
              }),
            };
      // Each right after what it is compared with: other work on the machine comes and goes.
      const alone = await costOfQuery("tradegraph", input, asked(1));
      const aloneLimit = await limitOf(1);
      const ours = await costOfQuery("tradegraph", input, asked(connections));
      const limit = await limitOf(connections);
      const headersFor = async () => ({ "x-user-id": userId });
      const mercurius = await costOfQuery("mercurius-stored", input, { query, connections, headersFor });
      const idsOf = (body: string) => (JSON.parse(body) as Answered).data.dashboard.map(({ id }) => id).join();
      if (idsOf(ours.load.body) !== idsOf(mercurius.load.body) || !idsOf(ours.load.body).includes(","))
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
          case: "private query, against mercurius with JIT",
          unit: "CPU µs per answer",
          better: "less",
          ours: ours.cpuUsPerAnswer,
          peers: { mercurius: mercurius.cpuUsPerAnswer },
          reach: { peer: 1.5 },
          growsWith: "rows returned",
          note: `a dashboard of ${itemCount} items with quotes, ${figure(ours.load.bytes)} bytes, ${figure(ours.answersPerSecond)} answers/s, mercurius ${figure(mercurius.answersPerSecond)}; mercurius takes the user's id unchecked; the database's own CPU is not counted`,
        },
        {
          ...perSecond,
          case: "private query, against pgbench, 1 client",
          ours: alone.answersPerSecond,
          ...aloneLimit,
        },
        {
          ...perSecond,
          case: `private query, against pgbench, ${connections} clients`,
          ours: ours.answersPerSecond,
          ...limit,
        },
      ];
      return results;
    } finally {
      await database.close();
    }
  },
};
