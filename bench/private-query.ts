import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { globalId, parseGlobalId } from "../src/core/ids.js";
import type { DatabaseAddress } from "../src/db/connect.js";
import { type BenchCase, type BenchResult, figure } from "./case.js";
import { fillSymbols, openBenchDatabase } from "./database.js";
import type { PeerInput } from "./peers/peer.js";
import { selectDashboard } from "./peers/stored-schema.js";
import { type Asked, costOfQuery } from "./queries.js";

const query =
  "{ dashboard { id displayOrder isVisible isPinned customAlias widgetType symbol { id ticker displayName " +
  "quote { price bid ask change24h volume24h sequence exchangeTime } } } }";
const itemCount = 20;
const connections = 8;
const pgbenchSeconds = 8;

async function post<T>(url: string, text: string, variables: object, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query: text, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

let users = 0;

/** Registers a user and fills his dashboard by the API. */
async function signUp(url: string, symbolIds: readonly number[]) {
  const { register } = await post<{ register: { accessToken: string; user: { id: string } } }>(
    url,
    "mutation ($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }",
    { input: { email: `bench-${++users}@example.com`, password: "wandering copper lighthouse" } },
  );
  const headers = { authorization: `Bearer ${register.accessToken}` };
  for (const id of symbolIds)
    await post(
      url,
      "mutation ($input: AddDashboardItemInput!) { addDashboardItem(input: $input) { id } }",
      { input: { symbolId: globalId("Symbol", id), customAlias: `Alias ${id}` } },
      headers,
    );
  return { headers, userId: parseGlobalId(register.user.id)?.key ?? "" };
}

/** The one on the path, or of an installed Postgres; null without any. */
async function findPgbench(): Promise<string | null> {
  const versions = await readdir("/usr/lib/postgresql").catch(() => []);
  const paths = ["pgbench", ...versions.map((version) => `/usr/lib/postgresql/${version}/bin/pgbench`)];
  for (const path of paths) if (await promisify(execFile)(path, ["--version"]).then(Boolean, () => false)) return path;
  return null;
}

/** Transactions a second of the same statements, as the same role. */
async function pgbench(path: string, address: DatabaseAddress, userId: string, connections: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-pgbench-"));
  try {
    const script = join(folder, "dashboard.sql");
    const statements = [
      "begin",
      "select set_config('app.user_id', :user_id, true)",
      selectDashboard(":user_id"),
      "commit",
    ];
    await writeFile(script, statements.map((statement) => `${statement};\n`).join(""));
    const database =
      "url" in address
        ? [address.url]
        : ["-h", address.host, "-p", String(address.port), "-U", address.user, address.database];
    const options = ["-n", "-M", "prepared", "-c", connections, "-j", 1, "-T", pgbenchSeconds].map(String);
    const { stdout } = await promisify(execFile)(
      path,
      [...options, "-D", `user_id=${userId}`, "-f", script, ...database],
      {
        env: { ...process.env, PGOPTIONS: "-c role=tradegraph_app" },
      },
    );
    const [, tps] = /^tps = ([\d.]+) \(without/m.exec(stdout) ?? [];
    if (tps === undefined) throw new Error(`pgbench says\n${stdout}`);
    return Number(tps);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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
        path === null ? {} : { limit: await pgbench(path, database.address, userId, count) };
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
