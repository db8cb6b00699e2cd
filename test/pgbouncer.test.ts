import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type App, startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { noRateLimits, operatorHeaders, operatorToken, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { signUp } from "./support/people.js";
import { findPgBouncer, type PgBouncer, startPgBouncer } from "./support/pgbouncer.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

// Whole programs start and stop here, some of them several times.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const path = findPgBouncer();
const login = `pooled_${randomBytes(4).toString("hex")}`;

describe.skipIf(path === null)("the program behind PgBouncer in transaction mode", () => {
  let database: TestDatabase;
  let pooler: PgBouncer;
  let app: App;

  const settings = () => {
    const { host, port, user, database: name } = database.address;
    const direct = `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
    return {
      ...parseConfig({
        ...fewPrices,
        PORT: "0",
        OPERATOR_TOKEN: operatorToken,
        QUOTE_FLUSH_MS: "20",
        DATABASE_URL: pooler.url,
        DATABASE_DIRECT_URL: direct,
      }),
      rateLimits: noRateLimits,
    };
  };
  const start = () => startApp(settings(), pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" }));
  const url = () => app.url ?? "";
  const ask = async (text: string, variables: Record<string, unknown>, headers: Record<string, string>) => {
    const { data, errors } = await query(url(), text, variables, headers);
    expect(errors).toBeUndefined();
    return data;
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.owner.sql.unsafe(`create role ${login} login in role tradegraph_app`);
    pooler = await startPgBouncer(path ?? "", database.address, login);
  });
  afterAll(async () => {
    await app?.close();
    await pooler?.remove();
    await database?.owner.sql.unsafe(`drop role ${login}`);
    await database?.close();
  });

  test("a login without the role and the limits of the program is refused, with what to do", async () => {
    await expect(start()).rejects.toThrow(/alter role pooled_\w+ set role = 'tradegraph_app'/);
    for (const setting of [
      "role = 'tradegraph_app'",
      "statement_timeout = '30s'",
      "idle_in_transaction_session_timeout = '60s'",
    ])
      await database.owner.sql.unsafe(`alter role ${login} set ${setting}`);
    await pooler.kill();
    await pooler.start();
    app = await start();
  });

  test("users, dashboards, orders and streams work, also with many at once on few connections", async () => {
    const isPriced = '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id quote { price bid isStale } } }';
    await until(async () => {
      const { quote } = (await ask(isPriced, {}, {})).symbol;
      return quote?.bid != null && !quote.isStale;
    }, 30_000);
    const { symbol } = await ask(isPriced, {}, {});
    const users = await Promise.all(Array.from({ length: 5 }, () => signUp(url())));
    await Promise.all(
      users.map(async ({ headers, userId }) => {
        const { createAccount } = await ask(
          'mutation { createAccount(input: { exchange: "BINANCE", name: "pooled", environment: PAPER }) { id sequence } }',
          {},
          headers,
        );
        const stream = openStream(
          `${url().replace("http", "ws")}/graphql`,
          "subscription ($id: ID!, $after: String) { orderUpdated(accountId: $id, after: $after) { id status sequence } }",
          { id: createAccount.id, after: createAccount.sequence },
          { authorization: headers.authorization },
        );
        for (let n = 0; n < 5; n++) {
          const input = {
            accountId: createAccount.id,
            symbolId: symbol.id,
            side: "BUY",
            orderType: "MARKET",
            quantity: "0.001",
            clientOrderId: `order-${n}`,
          };
          // On a busy machine a price may be out of date for a moment: nothing has happened then, and clients ask again.
          await until(async () => {
            const { errors = [] } = await query(
              url(),
              "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status } }",
              { input },
              headers,
            );
            const codes = errors.map(({ extensions }) => extensions?.code);
            expect(codes.filter((code) => code !== "NO_QUOTE")).toEqual([]);
            return codes.length === 0;
          }, 60_000);
        }
        await until(
          () => stream.messages.filter(({ orderUpdated }) => orderUpdated.status === "FILLED").length === 5,
          30_000,
        );
        await stream.close();
        await ask(
          "mutation ($id: ID!) { addDashboardItem(input: { symbolId: $id }) { id } }",
          { id: symbol.id },
          headers,
        );
        // Nobody sees what belongs to somebody else, although all share the connections.
        const { viewer } = await ask(
          "{ viewer { id accounts { id } dashboard { id } orders(first: 50) { nodes { id } } } }",
          {},
          headers,
        );
        expect(viewer.id).toBe(userId);
        expect(viewer.accounts).toHaveLength(1);
        expect(viewer.dashboard).toHaveLength(1);
        expect(viewer.orders.nodes).toHaveLength(5);
      }),
    );
  });

  test("a change by SQL is heard past the pooler, and nothing is left in the sessions that everybody shares", async () => {
    await database.owner.sql`update symbols set is_popular = not is_popular where ticker = 'BTCUSDT'`;
    const before = app.catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.isPopular;
    await database.owner.sql`update symbols set is_popular = ${before === false} where ticker = 'BTCUSDT'`;
    await until(() => app.catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.isPopular === (before === false));
    const left = await database.owner.sql`
      select l.locktype, a.query from pg_locks l join pg_stat_activity a using (pid)
      where a.usename = ${login} and a.state = 'idle' and l.locktype = 'advisory'`;
    expect(left).toEqual([]);
    const pooled = await database.owner.sql<{ count: number }[]>`
      select count(*)::int as count from pg_stat_activity where usename = ${login}`;
    expect(pooled[0]?.count).toBeLessThanOrEqual(6);
    // One past the pooler, to listen.
    const listening = await database.owner.sql<{ count: number }[]>`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and application_name = 'tradegraph' and usename <> ${login}`;
    expect(listening[0]?.count).toBe(1);
  });

  test("race: the pooler is killed while the node leads; it comes back, and so do orders and prices", async () => {
    await pooler.kill();
    await until(
      async () =>
        (await query(url(), "{ health { checks { name status } } }")).data.health.checks.some(
          ({ name, status }: { name: string; status: string }) => name === "database" && status !== "OK",
        ),
      20_000,
    );
    await pooler.start();
    await until(async () => {
      const { data } = await query(
        url(),
        "{ defaultSymbols { quote { isStale } } health { checks { name status } } }",
        {},
        operatorHeaders,
      );
      return (
        data.health.checks.every(
          ({ name, status }: { name: string; status: string }) => name !== "database" || status === "OK",
        ) && data.defaultSymbols.every(({ quote }: { quote: { isStale: boolean } | null }) => quote?.isStale === false)
      );
    }, 40_000);
    await signUp(url());
  });

  test("it closes while the pooler is gone", async () => {
    await pooler.kill();
    await app.close();
  }, 45_000);
});
