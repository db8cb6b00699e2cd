import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type App, startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { noRateLimits, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { findNats, type NatsServer, startNats } from "./support/nats.js";
import { signUp } from "./support/people.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const natsPath = findNats();

describe.skipIf(natsPath === null)("an order on one node, executed on a second, watched on a third", () => {
  let nats: NatsServer;
  let database: TestDatabase;
  const nodes: App[] = [];

  const startNode = async (roles: string): Promise<App> => {
    const app = await startApp(
      {
        ...parseConfig({ ...fewPrices, PORT: "0", ROLES: roles, NATS_URL: nats.url, QUOTE_FLUSH_MS: "20" }),
        rateLimits: noRateLimits,
      },
      pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" }),
      () => {},
      { database: database.address },
    );
    nodes.unshift(app);
    return app;
  };

  beforeAll(async () => {
    nats = await startNats(natsPath ?? "");
    database = await createTestDatabase();
  });
  afterAll(async () => {
    for (const node of nodes) await node.close();
    await database?.close();
    await nats?.kill();
  });

  test("is told from its placing to its end, also when the broker dies meanwhile", async () => {
    await startNode("feed,worker");
    const [taking, watching] = [(await startNode("api")).url ?? "", (await startNode("api")).url ?? ""];
    const { headers } = await signUp(taking);
    const ask = async (text: string, variables: Record<string, unknown> = {}) => {
      const { data, errors } = await query(taking, text, variables, headers);
      expect(errors).toBeUndefined();
      return data;
    };
    const isPriced = '{ symbol(market: "BINANCE_SPOT", ticker: "BTCUSDT") { id quote { price bid isStale } } }';
    await until(async () => {
      const { quote } = (await ask(isPriced)).symbol;
      return quote?.bid != null && !quote.isStale;
    }, 20_000);
    const { symbol } = await ask(isPriced);
    const opened = await ask(
      'mutation { createAccount(input: { exchange: "BINANCE", name: "nodes", environment: PAPER }) { id sequence } }',
    );
    const accountId: string = opened.createAccount.id;
    const place = (more: object) =>
      ask("mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status } }", {
        input: { accountId, symbolId: symbol.id, side: "BUY", quantity: "0.01", ...more },
      });
    const stream = openStream(
      `${watching.replace("http", "ws")}/graphql`,
      "subscription ($id: ID!, $after: String) { orderUpdated(accountId: $id, after: $after) { id status version sequence } }",
      { id: accountId, after: opened.createAccount.sequence },
      { authorization: headers.authorization },
    );
    const told = (id: string, status: string) =>
      stream.find(({ orderUpdated }) => orderUpdated.id === id && orderUpdated.status === status, 15_000);

    const market = (await place({ orderType: "MARKET" })).placeOrder;
    expect(market.status).toBe("PENDING");
    await told(market.id, "FILLED");

    await nats.kill();
    const limit = (await place({ orderType: "LIMIT", price: String(Math.floor(Number(symbol.quote.price) * 0.8)) }))
      .placeOrder;
    await told(limit.id, "NEW");
    await ask("mutation ($id: ID!) { cancelOrder(id: $id) { status } }", { id: limit.id });
    await told(limit.id, "CANCELLED");

    const sequences = stream.messages.map(({ orderUpdated }) => Number(orderUpdated.sequence));
    expect(sequences).toEqual(sequences.map((_, n) => n + 2));
    expect(stream.errors).toEqual([]);
    await stream.close();
  }, 90_000);
});
