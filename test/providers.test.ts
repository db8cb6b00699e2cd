import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Simulator, startSimulator } from "../src/feeds/simulator/simulator.js";
import { operatorHeaders, operatorToken, query, startTestApp, type TestApp } from "./support/app.js";
import { openStream, type Stream } from "./support/stream.js";
import { until } from "./support/until.js";

interface MarketStatus {
  marketStatus: { code: string; status: string; nextStatusChangeAt: string | null };
}
interface ProviderStatus {
  providerStatus: { code: string; connectionStatus: string; lastError: string | null; errorCountHourly: number | null };
}

const code = "BINANCE_SPOT_SIM";
/** A Friday, one minute before the bell in New York. */
const startMs = Date.UTC(2026, 10, 20, 14, 29, 0);
let aheadMs = 0;
let app: TestApp;
let exchange: Simulator;
beforeAll(async () => {
  const offsetMs = startMs - Date.now();
  const clock = { nowMs: () => Date.now() + offsetMs + aheadMs };
  exchange = await startSimulator({ port: 0, seed: 1, clock, log: pino({ level: "silent" }) });
  app = await startTestApp({ clock, overrides: { exchange } });
  await until(() => provider()?.connectionStatus === "CONNECTED");
});
afterAll(async () => {
  await app.close();
  await exchange.close();
});

const open: Stream<unknown>[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((stream) => stream.close()));
});
const subscribe = <T>(text: string, variables = {}, params = {}): Stream<T> => {
  const stream = openStream<T>(app.websocketUrl, text, variables, params);
  open.push(stream as Stream<unknown>);
  return stream;
};
const asOperator = (text: string, variables = {}) => query(app.url, text, variables, operatorHeaders);
const provider = () => app.app.catalogue.providerByCode(code);

describe("marketStatus", () => {
  const text =
    "subscription ($markets: [String!]) { marketStatus(markets: $markets) { code status nextStatusChangeAt } }";
  const set = (market: string, status: string | null) =>
    asOperator("mutation ($m: String!, $s: MarketStatus) { setMarketStatus(market: $m, status: $s) { status } }", {
      m: market,
      s: status,
    });

  test("begins with each asked market as it is, in the order of the catalogue", async () => {
    const stream = subscribe<MarketStatus>(text, { markets: ["NYSE_EQUITY", "BIST_EQUITY", "OKX_SPOT"] });
    await until(() => stream.messages.length === 3);
    expect(stream.messages.map(({ marketStatus: { code, status } }) => [code, status])).toEqual([
      ["OKX_SPOT", "OPEN"],
      ["BIST_EQUITY", "OPEN"],
      ["NYSE_EQUITY", "PRE_MARKET"],
    ]);
  });

  test("without markets it tells of all that are active", async () => {
    const stream = subscribe<MarketStatus>(text);
    await until(() => stream.messages.length === app.app.catalogue.markets.length);
  });

  test("an operator's halt shows at once, and its end; other markets stay silent", async () => {
    const halted = subscribe<MarketStatus>(text, { markets: ["OKX_SPOT"] });
    const other = subscribe<MarketStatus>(text, { markets: ["BYBIT_SPOT"] });
    await until(() => halted.messages.length === 1 && other.messages.length === 1);
    await set("OKX_SPOT", "HALTED");
    await until(() => halted.messages.length === 2, 500);
    await set("OKX_SPOT", null);
    await until(() => halted.messages.length === 3, 500);
    expect(halted.messages.map(({ marketStatus }) => marketStatus.status)).toEqual(["OPEN", "HALTED", "OPEN"]);
    expect(other.messages).toHaveLength(1);
  });

  test("the bell rings by the clock", async () => {
    const stream = subscribe<MarketStatus>(text, { markets: ["NASDAQ_EQUITY"] });
    await stream.find(({ marketStatus }) => marketStatus.status === "PRE_MARKET");
    aheadMs += 60_000;
    const { marketStatus } = await stream.find((message) => message.marketStatus.status === "OPEN");
    expect(marketStatus.nextStatusChangeAt).toBe("2026-11-20T21:00:00.000Z");
    aheadMs += 6.5 * 3_600_000;
    await stream.find((message) => message.marketStatus.status === "POST_MARKET");
    expect(stream.messages).toHaveLength(3);
  });

  test("of an unknown market it is refused", async () => {
    const stream = subscribe<MarketStatus>(text, { markets: ["OKX_SPOT", "NOPE_SPOT"] });
    await until(() => stream.errors.length > 0);
    expect(stream.errors[0]?.extensions.code).toBe("NOT_FOUND");
    expect(stream.messages).toEqual([]);
  });
});

describe("providerStatus", () => {
  const text = "subscription { providerStatus { code connectionStatus lastError errorCountHourly } }";
  const ofSimulator = (stream: Stream<ProviderStatus>) =>
    stream.messages.flatMap(({ providerStatus }) => (providerStatus.code === code ? [providerStatus] : []));

  test("begins with every provider as it is", async () => {
    const stream = subscribe<ProviderStatus>(text);
    const { length } = app.app.catalogue.providers;
    await until(() => new Set(stream.messages.map(({ providerStatus }) => providerStatus.code)).size === length);
    expect(ofSimulator(stream)[0]?.connectionStatus).toBe("CONNECTED");
    await stream.find(({ providerStatus }) => providerStatus.connectionStatus === "DISCONNECTED");
  });

  test("tells of a cut and of its end; why is for operators", async () => {
    const visitor = subscribe<ProviderStatus>(text);
    const operator = subscribe<ProviderStatus>(text, {}, { authorization: `Bearer ${operatorToken}` });
    await until(() => ofSimulator(visitor).length > 0 && ofSimulator(operator).length > 0);
    exchange.refuseConnections(true);
    exchange.disconnectAll();
    const lost = await operator.find(
      ({ providerStatus }) => providerStatus.code === code && providerStatus.connectionStatus === "RECONNECTING",
    );
    expect(lost.providerStatus.lastError).toMatch(/\S/);
    expect(lost.providerStatus.errorCountHourly).toBeGreaterThan(0);
    exchange.refuseConnections(false);
    await until(() => ofSimulator(visitor).at(-1)?.connectionStatus === "CONNECTED", 20_000);
    expect(ofSimulator(visitor).map(({ connectionStatus }) => connectionStatus)).toContain("RECONNECTING");
    for (const { lastError, errorCountHourly } of ofSimulator(visitor)) {
      expect([lastError, errorCountHourly]).toEqual([null, null]);
    }
  });
});

describe("a provider", () => {
  const read = async () =>
    (
      await asOperator(
        `{ dataProvider(code: "${code}") { connectionStatus lastMessageAt lastError errorCountHourly messagesPerSecond monthlyLimit monthlyUsage } }`,
      )
    ).data.dataProvider;
  const limit = (requests: number | null) =>
    app.database.owner.sql`update data_providers set monthly_limit = ${requests} where code = ${code}`;
  const sync = () => asOperator(`mutation { syncSymbols(market: "BINANCE_SPOT") }`);

  test("shows its messages, also to nodes that do not feed it", async () => {
    await until(() => (provider()?.messagesPerSecond ?? 0) > 1 && provider()?.lastMessageAt != null, 20_000);
    const { lastMessageAt, messagesPerSecond } = await read();
    expect(Date.parse(lastMessageAt)).toBeGreaterThan(startMs);
    expect(messagesPerSecond).toBeGreaterThan(1);
  });

  test("counts frames that make no sense as errors, by kind", async () => {
    const { errorCountHourly } = await read();
    exchange.sendRaw("no json at all");
    await until(async () => (await read()).errorCountHourly > errorCountHourly);
    expect((await read()).lastError).toMatch(/^rejected frames since the start: \S+ 1/);
  });

  test("counts its REST requests, and is left alone when the month's are used up", async () => {
    // Order books and past minutes are asked for as well.
    await until(async () => (await read()).monthlyUsage > 0);
    const { monthlyUsage } = await read();
    for (let n = 0; n < 3; n++) expect((await sync()).errors).toBeUndefined();
    await until(async () => (await read()).monthlyUsage >= monthlyUsage + 3);
    expect((await query(app.url, `{ dataProvider(code: "${code}") { monthlyUsage monthlyLimit } }`)).data).toEqual({
      dataProvider: { monthlyUsage: null, monthlyLimit: null },
    });

    await limit(1);
    await until(async () => (await read()).connectionStatus === "ERROR");
    expect(await read()).toMatchObject({
      monthlyLimit: 1,
      lastError: "the limit of 1 requests a month is reached; used again from 2026-12-01 (UTC)",
    });
    await until(() => exchange.connections === 0);
    expect((await sync()).errors?.[0]).toMatchObject({
      message: expect.stringContaining("the limit of 1 requests a month is reached"),
      extensions: { code: "PROVIDER_UNAVAILABLE" },
    });
    const health = (await query(app.url, "{ health { status checks { name status detail } } }")).data.health;
    expect(health.checks).toContainEqual({ name: `feed ${code}`, status: "DEGRADED", detail: "ERROR, 0 symbols" });

    await limit(1_000_000);
    await until(async () => (await read()).connectionStatus === "CONNECTED");
    expect((await sync()).errors).toBeUndefined();
  });
});
