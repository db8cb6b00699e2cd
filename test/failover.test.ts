import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { globalId } from "../src/core/ids.js";
import { type Simulator, startSimulator } from "../src/feeds/simulator/simulator.js";
import { operatorHeaders, operatorToken, query, startTestApp, type TestApp } from "./support/app.js";
import { openStream, type Stream } from "./support/stream.js";
import { until } from "./support/until.js";

interface Quotes {
  quotes: { price: string; isStale: boolean; sequence: string; provider: { code: string } }[];
}
interface ProviderStatus {
  providerStatus: { code: string; connectionStatus: string; lastError: string | null };
}

const main = "BINANCE_SPOT_SIM";
const standIn = "BINANCE_SPOT_SIM_2";
/** Both exchanges send several frames a second. */
const staleAfterMs = 1_000;

let app: TestApp;
let exchanges: readonly [Simulator, Simulator];
let quotes: Stream<Quotes>;
let statuses: Stream<ProviderStatus>;
let trades: Stream<{ trades: { tradeId: string }[] }>;

beforeAll(async () => {
  const start = (seed: number) =>
    startSimulator({ port: 0, seed, clock: { nowMs: () => Date.now() }, log: pino({ level: "silent" }) });
  exchanges = await Promise.all([start(1), start(2)]);
  const [first, second] = exchanges;
  app = await startTestApp({ overrides: { exchange: first } });
  await app.database.owner.sql`update data_providers set stale_after_ms = ${staleAfterMs} where code = ${main}`;
  // Lower priorities come later: the last one must never be asked.
  await app.database.owner.sql`
    insert into data_providers (market_id, code, name, provider_type, feed_type, endpoint_url, websocket_url, stale_after_ms, priority)
    select market_id, row.code, row.code, 'SIMULATED', 'WEBSOCKET', ${second.url}, row.url, ${staleAfterMs}, row.priority
    from data_providers, (values (${standIn}, ${second.websocketUrl}, 50), ('BINANCE_SPOT_SIM_3', 'ws://127.0.0.1:9', 40)) as row (code, url, priority)
    where data_providers.code = ${main}`;
  await app.database.owner.sql`update data_providers set priority = 90 where code = ${main}`;
  const authorization = { authorization: `Bearer ${operatorToken}` };
  statuses = openStream(
    app.websocketUrl,
    "subscription { providerStatus { code connectionStatus lastError } }",
    {},
    authorization,
  );
  quotes = openStream(
    app.websocketUrl,
    "subscription { quotes(intervalMs: 0) { price isStale sequence provider { code } } }",
  );
  const bitcoin = app.app.catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.id ?? 0;
  trades = openStream(app.websocketUrl, "subscription ($id: ID!) { trades(symbolId: $id) { tradeId } }", {
    id: globalId("Symbol", bitcoin),
  });
});
afterAll(async () => {
  await trades.close();
  await quotes.close();
  await statuses.close();
  await app.close();
  await Promise.all(exchanges.map((exchange) => exchange.close()));
});

const statusOf = (code: string): string | undefined =>
  statuses.messages.findLast(({ providerStatus }) => providerStatus.code === code)?.providerStatus.connectionStatus;
const read = async () =>
  (
    await query(
      app.url,
      `{ dataProviders(market: "BINANCE_SPOT") { code connectionStatus } defaultSymbols { quote { isStale provider { code } } } }`,
      {},
      operatorHeaders,
    )
  ).data;
/** All default symbols have a fresh quote of the provider. */
const isServedBy = async (code: string): Promise<boolean> =>
  (await read()).defaultSymbols.every(
    ({ quote }: { quote: Quotes["quotes"][number] | null }) =>
      quote !== null && !quote.isStale && quote.provider.code === code,
  );

test("a silent provider is replaced by the market's next one, and gets its symbols back when it is well again", async () => {
  const [first, second] = exchanges;
  await until(() => isServedBy(main), 15_000);
  expect(second.connections).toBe(0);
  await until(() => trades.messages.length > 0, 15_000);

  const silentSinceMs = performance.now();
  first.goSilent(true);
  await until(() => isServedBy(standIn), 15_000);
  const tookMs = performance.now() - silentSinceMs;
  // The stale time, and then no more than a connection takes.
  expect(tookMs).toBeGreaterThan(staleAfterMs / 2);
  expect(tookMs).toBeLessThan(staleAfterMs + 4_000);
  await until(() => statusOf(standIn) === "CONNECTED");
  // STALE, and RECONNECTING as soon as it tries a new connection.
  await until(() => ["STALE", "RECONNECTING"].includes(statusOf(main) ?? ""));
  // What the first one would have told is lost, and every trade is promised.
  await until(() => trades.isComplete);
  const lastTrade = trades.messages.at(-1)?.trades.at(-1)?.tradeId;
  expect(trades.errors).toMatchObject([{ extensions: { code: "STREAM_OVERFLOW", resumeFrom: lastTrade } }]);

  const reasons = statuses.messages.map(({ providerStatus: { code, lastError } }) => `${code} ${lastError}`);
  expect(reasons).toContain(`${main} silent for ${staleAfterMs} ms`);

  // Quotes carry on: newer ones keep coming from the stand-in, on the stream that was open all along.
  const heard = quotes.messages.length;
  await until(() => quotes.messages.length > heard + 5);
  const codes = new Set(
    quotes.messages.slice(heard).flatMap((message) => message.quotes.map(({ provider }) => provider.code)),
  );
  expect([...codes]).toEqual([standIn]);

  first.goSilent(false);
  await until(() => isServedBy(main), 40_000);
  await until(() => statusOf(standIn) === "DISCONNECTED" && second.connections === 0);
  expect(statusOf(main)).toBe("CONNECTED");
  expect(quotes.errors).toEqual([]);
  expect(statuses.messages.some(({ providerStatus }) => providerStatus.code === "BINANCE_SPOT_SIM_3")).toBe(true);
  expect(
    statuses.messages.filter(
      ({ providerStatus: { code, connectionStatus } }) =>
        code === "BINANCE_SPOT_SIM_3" && connectionStatus !== "DISCONNECTED",
    ),
  ).toEqual([]);
}, 90_000);
