import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { decimalText } from "../src/core/decimal.js";
import { globalId } from "../src/core/ids.js";
import { startTestApp, type TestApp } from "./support/app.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

interface Bulk {
  quotes: { price: string }[];
}

/** Large messages fill the buffers of the system quickly: 400 symbols, each with a long description. */
const count = 400;
const bulk = `subscription ($ids: [ID!]) { quotes(symbolIds: $ids, intervalMs: 0) { symbol { ticker description } price } }`;
/** Closes who does not answer its pings soon. */
let impatient: TestApp;
/** Closes nobody, however slow the machine is. */
let patient: TestApp;

beforeAll(async () => {
  [impatient, patient] = await Promise.all([startBulk(1_500), startBulk(120_000)]);
});
afterAll(() => Promise.all([impatient?.close(), patient?.close()]));

async function startBulk(keepAliveMs: number): Promise<TestApp> {
  const app = await startTestApp({ config: { roles: new Set(["api"]), keepAliveMs } });
  await app.database.owner.sql`
    insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, price_precision, quantity_precision, tick_size, step_size, description)
    select market_id, asset_class_id, 'BULK' || n, 'Bulk ' || n, 'BULK' || n, 'USDT', 2, 2, 0.01, 0.01, repeat('long ', 80)
    from symbols, generate_series(1, ${count}) n where is_default and ticker = 'BTCUSDT'`;
  await until(() => app.app.catalogue.symbolByTicker("BINANCE_SPOT", `BULK${count}`) !== undefined);
  return app;
}

const idsOf = ({ app }: TestApp): number[] =>
  app.catalogue.symbols.filter((symbol) => symbol.ticker.startsWith("BULK")).map((symbol) => symbol.id);
const variablesOf = (of: TestApp) => ({ ids: idsOf(of).map((id) => globalId("Symbol", id)) });

let lastMs = Date.now();
async function setAll(of: TestApp, round: number): Promise<void> {
  const providerId = of.app.catalogue.providerByCode("BINANCE_SPOT_SIM")?.id ?? 0;
  lastMs = Math.max(lastMs + 1, Date.now());
  for (const symbolId of idsOf(of)) {
    of.app.quotes.apply(
      {
        kind: "trade",
        symbolId,
        price: decimalText(String(round)),
        quantity: decimalText("1"),
        side: "BUY",
        tradeId: "1",
        tradeCount: 1,
        exchangeSequence: 1,
        exchangeTimeMs: lastMs,
        receivedAtMs: lastMs,
      },
      providerId,
    );
  }
  await new Promise((resolve) => setImmediate(resolve));
}

const last = (message: Bulk | undefined) => message?.quotes.at(-1)?.price;

test("a reader that pauses gets fewer and newer messages when it comes back; others are not held up; nothing piles up", async () => {
  const rounds = 150;
  const variables = variablesOf(patient);
  const slow = new WebSocket(patient.websocketUrl, "graphql-transport-ws");
  const received: Bulk[] = [];
  slow.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: string; payload: { data: Bulk } };
    if (message.type === "connection_ack")
      slow.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query: bulk, variables } }));
    if (message.type === "next") received.push(message.payload.data);
  });
  await new Promise((resolve) => slow.once("open", resolve));
  slow.send(JSON.stringify({ type: "connection_init" }));
  await setAll(patient, 1);
  await until(() => received.length > 0);
  const healthy = openStream<Bulk>(patient.websocketUrl, bulk, variables);
  await healthy.find(() => true, 10_000);

  slow.pause();
  const before = received.length;
  for (let round = 2; round <= rounds; round++) {
    await setAll(patient, round);
    await until(() => last(healthy.messages.at(-1)) === String(round));
  }
  slow.resume();
  await until(() => last(received.at(-1)) === String(rounds));
  expect(healthy.messages.length).toBeGreaterThanOrEqual(rounds - 1);
  expect(received.length - before).toBeLessThan(rounds);
  await healthy.close();
  slow.close();
  await new Promise((resolve) => slow.once("close", resolve));
});

test("a reader that stops for good is closed, and leaves nothing behind", async () => {
  const variables = variablesOf(impatient);
  const dead = new WebSocket(impatient.websocketUrl, "graphql-transport-ws");
  dead.on("message", (data: Buffer) => {
    const { type } = JSON.parse(data.toString()) as { type: string };
    if (type === "connection_ack")
      dead.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query: bulk, variables } }));
    if (type === "next") dead.pause();
  });
  await new Promise((resolve) => dead.once("open", resolve));
  dead.send(JSON.stringify({ type: "connection_init" }));
  await until(() => impatient.app.quotes.watcherCount === count);
  let round = 1_000;
  await until(async () => {
    await setAll(impatient, ++round);
    return impatient.app.quotes.watcherCount === 0;
  }, 20_000);
  dead.terminate();
});

test("a reader that stops for good over SSE is closed as well, and leaves nothing behind", async () => {
  const response = await new Promise<IncomingMessage>((resolve) => {
    const request = httpRequest(
      `${impatient.url}/graphql/stream`,
      { method: "POST", headers: { "content-type": "application/json", accept: "text/event-stream" } },
      resolve,
    );
    request.on("error", () => {});
    request.end(JSON.stringify({ query: bulk, variables: variablesOf(impatient) }));
  });
  response.on("error", () => {});
  response.pause();
  await until(() => impatient.app.quotes.watcherCount === count);
  let round = 2_000;
  await until(async () => {
    await setAll(impatient, ++round);
    return impatient.app.quotes.watcherCount === 0;
  }, 20_000);
  response.destroy();
});
