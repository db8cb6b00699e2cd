import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type App, startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { noRateLimits, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { findNats, type NatsServer, startNats } from "./support/nats.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const natsPath = findNats();
const prices = "{ defaultSymbols { ticker quote { price sequence isStale } } }";

interface Priced {
  readonly ticker: string;
  readonly quote: { readonly price: string; readonly sequence: string; readonly isStale: boolean } | null;
}

describe.skipIf(natsPath === null)("an API node without a feed, beside one with it", () => {
  let nats: NatsServer;
  let database: TestDatabase;
  let feed: App;
  let api: App;

  const startNode = (roles: string) =>
    startApp(
      {
        ...parseConfig({ ...fewPrices, PORT: "0", ROLES: roles, NATS_URL: nats.url, QUOTE_FLUSH_MS: "20" }),
        rateLimits: noRateLimits,
      },
      pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" }),
      () => {},
      { database: database.address },
    );
  const apiUrl = () => api.url ?? "";
  const quotes = async () => (await query<{ defaultSymbols: Priced[] }>(apiUrl(), prices)).data.defaultSymbols;
  const allFresh = async () => (await quotes()).every(({ quote }) => quote !== null && !quote.isStale);
  const allStale = async () => (await quotes()).every(({ quote }) => quote?.isStale === true);

  beforeAll(async () => {
    nats = await startNats(natsPath ?? "");
    database = await createTestDatabase();
    // The API node is first: nothing may depend on the order in which nodes come up.
    api = await startNode("api");
    feed = await startNode("feed");
  });
  afterAll(async () => {
    await api?.close();
    await feed?.close();
    await database?.close();
    await nats?.kill();
  });

  test("answers queries with the feed's prices, and with its sequences", async () => {
    await until(allFresh, 15_000);
    for (const { ticker, quote } of await quotes()) {
      const symbol = feed.catalogue.symbolByTicker("BINANCE_SPOT", ticker);
      expect(Number(quote?.sequence)).toBeLessThanOrEqual(feed.quotes.get(symbol?.id ?? 0)?.sequence ?? 0);
      expect(Number(quote?.sequence)).toBeGreaterThan(0);
    }
  });

  test("streams changes to its clients, newer ones only", async () => {
    const stream = openStream<{ quotes: { symbol: { ticker: string }; price: string; sequence: string }[] }>(
      `${apiUrl().replace("http", "ws")}/graphql`,
      "subscription ($ids: [ID!]!) { quotes(symbolIds: $ids) { symbol { ticker } price sequence } }",
      {
        ids: (await query(apiUrl(), "{ defaultSymbols { id } }")).data.defaultSymbols.map((s: { id: string }) => s.id),
      },
    );
    await until(() => stream.messages.length >= 20, 15_000);
    await stream.close();
    const seen = new Map<string, number>();
    for (const { symbol, sequence } of stream.messages.flatMap((message) => message.quotes)) {
      expect(Number(sequence)).toBeGreaterThan(seen.get(symbol.ticker) ?? 0);
      seen.set(symbol.ticker, Number(sequence));
    }
  });

  test("shows prices as stale while the broker is away, and fresh ones when it is back", async () => {
    await nats.kill();
    await until(allStale, 15_000);
    const health = await query(apiUrl(), "{ health { status checks { name status } } }");
    expect(health.data.health.status).toBe("DEGRADED");
    await nats.start();
    await until(allFresh, 15_000);
  });

  test("shows prices as stale when the feed's node has ended, and fresh ones from its successor", async () => {
    await feed.close();
    await until(allStale, 15_000);
    feed = await startNode("feed");
    await until(allFresh, 15_000);
  });
});
