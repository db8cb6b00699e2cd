import { once } from "node:events";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { noRateLimits, query } from "./support/app.js";
import { type CutOff, startCutOff } from "./support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { goodPassword, signUp } from "./support/people.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

let database: TestDatabase;
let way: CutOff;
beforeAll(async () => {
  database = await createTestDatabase();
  way = await startCutOff(database.address);
});
afterAll(async () => {
  await way.close();
  await database.close();
});

const read = "{ accounts { id } orders(first: 1) { pageInfo { hasNextPage } } }";
const login =
  "mutation ($email: String!, $password: String!) { login(email: $email, password: $password) { accessToken } }";

test("while the database is away, who needs it is told so, the rest is answered, and afterwards everything is as before", async () => {
  const written: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void written.push(line) });
  const config = { ...parseConfig({ ...fewPrices, PORT: "0" }), rateLimits: noRateLimits };
  const app = await startApp(config, log, () => {}, { database: way.address });
  try {
    const url = app.url ?? "";
    const { headers, email } = await signUp(url);
    // Nobody has come with it yet, so it must be looked up.
    const made = await query<{ createApiKey: { secret: string } }>(
      url,
      'mutation { createApiKey(name: "k", scopes: [READ]) { secret } }',
      {},
      headers,
    );
    const authorization = `Bearer ${made.data.createApiKey.secret}`;
    await way.cut();
    const refused = await query(url, read, {}, headers);
    expect(refused.errors?.[0]?.extensions.code).toBe("PROVIDER_UNAVAILABLE");
    const stranger = await query(url, login, { email, password: goodPassword });
    expect(stranger.errors?.[0]?.extensions.code).toBe("PROVIDER_UNAVAILABLE");
    for (const path of ["/graphql", "/graphql/stream"]) {
      const answer = await fetch(`${url}${path}?query=${encodeURIComponent("{ accounts { id } }")}`, {
        headers: { authorization },
      });
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code: "PROVIDER_UNAVAILABLE" } }] });
    }
    // With 4500 the usual clients would give up for good.
    const socket = new WebSocket(`${url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
    socket.once("open", () => socket.send(JSON.stringify({ type: "connection_init", payload: { authorization } })));
    expect(await new Promise((resolve) => socket.once("close", resolve))).toBe(1013);
    const prices = await query(url, "{ defaultSymbols { ticker } }");
    expect([prices.errors, prices.data.defaultSymbols.length]).toEqual([undefined, 9]);
    // It is no fault of ours.
    expect(written.join("")).not.toContain("internal-error");
    await way.mend();
    await until(async () => (await query(url, read, {}, headers)).errors === undefined);
    await until(async () => (await query(url, login, { email, password: goodPassword })).errors === undefined);
  } finally {
    await app.close();
  }
});

test("a database that is away for longer than a lease: prices and trades go on for clients, and what was traded meanwhile is stored afterwards", async () => {
  const written: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void written.push(line) });
  const config = { ...parseConfig({ ...fewPrices, PORT: "0" }), rateLimits: noRateLimits };
  const app = await startApp(config, log, () => {}, { database: way.address });
  const quotes = async () => {
    const { data } = await query<{
      defaultSymbols: { id: string; quote: { isStale: boolean; sequence: string } | null }[];
    }>(app.url ?? "", "{ defaultSymbols { id quote { isStale sequence } } }");
    return new Map(data.defaultSymbols.map(({ id, quote }) => [id, quote]));
  };
  const areFresh = async () => [...(await quotes()).values()].every((quote) => quote?.isStale === false);
  try {
    await until(areFresh, 30_000);
    const [id] = [...(await quotes()).keys()];
    const stream = openStream<{ trades: { tradeId: string }[] }>(
      `${(app.url ?? "").replace("http", "ws")}/graphql`,
      "subscription ($id: ID!) { trades(symbolId: $id) { tradeId } }",
      { id },
    );
    await until(() => stream.messages.length > 0, 30_000);
    await way.cut();
    // What may be done by one node only has ended: nobody can tell any more who leads.
    await until(() => written.some((line) => /leadership\.lost/.test(line) && /venue paper/.test(line)), 20_000);
    const [before, traded] = [await quotes(), stream.messages.length];
    await until(async () => {
      const now = await quotes();
      return [...now].every(([id, quote]) => BigInt(quote?.sequence ?? 0) > BigInt(before.get(id)?.sequence ?? 0));
    }, 60_000);
    await until(() => stream.messages.length > traded + 2, 30_000);
    expect(await areFresh()).toBe(true);
    const seen = stream.messages.flatMap(({ trades }) => trades.map(({ tradeId }) => tradeId));
    await way.mend();
    const stored = async () =>
      await database.owner.sql<
        { trade_id: string }[]
      >`select trade_id from market_trades where trade_id = any (${seen})`;
    await until(async () => new Set((await stored()).map((row) => row.trade_id)).size === seen.length, 30_000);
    expect(written.filter((line) => /feeds\.led-here/.test(line))).toHaveLength(1);
    expect(written.filter((line) => /lost-at-close|dropping-oldest/.test(line))).toEqual([]);
    expect(stream.errors).toEqual([]);
    await stream.close();
  } finally {
    await app.close();
  }
}, 120_000);

test("a program that stands still for longer than its lease, and leads all the same, has missed no trade", async () => {
  const config = { ...parseConfig({ SIMULATOR_UPDATES_PER_SECOND: "20", PORT: "0" }), rateLimits: noRateLimits };
  const other = await createTestDatabase();
  const app = await startApp(config, pino({ level: "silent" }), () => {}, { database: other.address });
  const { sql } = other.owner;
  const [provider] = await sql<{ url: string }[]>`
    select websocket_url as url from data_providers where code = 'BINANCE_SPOT_SIM'`;
  const exchange = new WebSocket(`${provider?.url}/stream`);
  try {
    const traded: string[] = [];
    exchange.on("message", (data: Buffer) => {
      const { data: trade } = JSON.parse(data.toString()) as { data?: { a: number } };
      if (trade !== undefined) traded.push(String(trade.a));
    });
    await once(exchange, "open");
    exchange.send(JSON.stringify({ method: "SUBSCRIBE", params: ["btcusdt@aggTrade"], id: 1 }));
    const stored = async () =>
      new Set((await sql<{ id: string }[]>`select trade_id as id from market_trades`).map(({ id }) => id));
    await until(async () => traded.length > 10 && (await stored()).has(traded.at(-1) ?? ""), 30_000);
    const [first, before] = [traded.length, traded.length + 20];
    // The exchange, on a thread of its own, goes on, and what it sends waits in the sockets.
    const stillUntilMs = performance.now() + 3_500;
    while (performance.now() < stillUntilMs);
    await until(() => traded.length > before, 30_000);
    const seen = traded.slice(first);
    await until(async () => {
      const ids = await stored();
      return seen.every((id) => ids.has(id));
    }, 20_000);
  } finally {
    exchange.terminate();
    await app.close();
    await other.close();
  }
}, 90_000);

test("a database that falls silent, and is replaced: nobody waits for ever, also not for what others tell by it", async () => {
  const log = pino({ level: "silent" });
  const config = { ...parseConfig({ ...fewPrices, PORT: "0" }), rateLimits: noRateLimits };
  const silent = await startCutOff(database.address);
  const app = await startApp(config, log, () => {}, { database: silent.address });
  try {
    const url = app.url ?? "";
    const { headers } = await signUp(url);
    await query(url, read, {}, headers);
    silent.silence();
    // More than there are connections.
    const answers = await Promise.all(Array.from({ length: 30 }, () => query(url, read, {}, headers)));
    expect(new Set(answers.map(({ errors }) => errors?.[0]?.extensions.code))).toEqual(
      new Set(["PROVIDER_UNAVAILABLE"]),
    );
    silent.endSilence();
    await until(async () => (await query(url, read, {}, headers)).errors === undefined, 30_000);
    // It is told by notifications, which the connection that fell silent will never bring.
    await database.owner.sql`update symbols set status = 'HALT' where ticker = 'UNIUSDT'`;
    const isHeard = async () => {
      const { data } = await query<{ symbol: { status: string } }>(
        url,
        '{ symbol(market: "BINANCE_SPOT", ticker: "UNIUSDT") { status } }',
      );
      return data.symbol.status === "HALT";
    };
    await until(isHeard, 60_000);
  } finally {
    await app.close();
    await silent.close();
  }
}, 120_000);
