import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noTracer } from "../src/core/tracer.js";
import { OperationWatch } from "../src/graphql/operation-watch.js";
import { query, startTestApp, type TestApp } from "./support/app.js";
import { createTestDatabase } from "./support/database.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const read = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${url}/metrics`, { headers });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
};

/** The value of one line. */
const numberOf = (text: string, line: string): number => {
  const found = text.split("\n").find((candidate) => candidate.startsWith(`${line} `));
  return found === undefined ? Number.NaN : Number(found.slice(line.length + 1));
};

describe("/metrics", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.close());

  test("counts operations by name, kind and outcome, over every transport", async () => {
    const outcome = (name: string, kind: string, value: string) =>
      `tradegraph_operations_total{name="${name}",kind="${kind}",outcome="${value}"}`;
    await query(app.url, "query Status { health { status } }");
    await query(app.url, "query Status { health { status } }");
    await query(app.url, 'query Wrong { symbol(id: "x") { id } }');
    const before = numberOf((await read(app.url)).text, outcome("", "unknown", "refused")) || 0;
    await query(app.url, "{ nothing }");
    const stream = openStream(app.websocketUrl, "subscription Prices { quotes { price } }");
    await stream.find(() => true);
    const asked = openStream(app.websocketUrl, "query Status { health { status } }");
    await asked.find(() => true);
    // The second connection ends with its answer.
    const connections = async () =>
      numberOf((await read(app.url)).text, 'tradegraph_connections{transport="websocket"}');
    await until(async () => (await connections()) === 1);
    const { status, type, text } = await read(app.url);
    expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(numberOf(text, outcome("Status", "query", "ok"))).toBe(3);
    expect(numberOf(text, outcome("Wrong", "query", "error"))).toBe(1);
    expect(numberOf(text, outcome("", "unknown", "refused"))).toBe(before + 1);
    expect(numberOf(text, outcome("Prices", "subscription", "ok"))).toBe(1);
    expect(numberOf(text, 'tradegraph_operation_seconds_count{kind="query"}')).toBeGreaterThanOrEqual(4);
    expect(numberOf(text, 'tradegraph_operation_seconds_bucket{kind="query",le="+Inf"}')).toBe(
      numberOf(text, 'tradegraph_operation_seconds_count{kind="query"}'),
    );
    expect(numberOf(text, "tradegraph_subscribers")).toBe(1);
    expect(numberOf(text, "tradegraph_streams")).toBe(1);
    expect(numberOf(text, "tradegraph_messages_total")).toBeGreaterThanOrEqual(2);
    expect(numberOf(text, "tradegraph_waiting_bytes")).toBe(0);
    await Promise.all([stream.close(), asked.close()]);
    await until(async () => numberOf((await read(app.url)).text, "tradegraph_subscribers") === 0);
  });

  test("shows the feeds, the writers, the database and the process", async () => {
    const provider = 'provider="BINANCE_SPOT_SIM"';
    await until(async () => {
      const { text } = await read(app.url);
      return (
        numberOf(text, `tradegraph_feed_status{${provider},status="CONNECTED"}`) === 1 &&
        numberOf(text, `tradegraph_feed_lag_seconds_count{${provider}}`) > 0 &&
        numberOf(text, 'tradegraph_writer_written_total{writer="trades"}') > 0 &&
        numberOf(text, 'tradegraph_writer_written_total{writer="quotes"}') > 0
      );
    }, 15_000);
    const { text } = await read(app.url);
    // The simulated exchange has our clock.
    expect(numberOf(text, `tradegraph_feed_lag_seconds_bucket{${provider},le="60"}`)).toBe(
      numberOf(text, `tradegraph_feed_lag_seconds_count{${provider}}`),
    );
    expect(numberOf(text, `tradegraph_feed_messages_total{${provider}}`)).toBeGreaterThan(0);
    expect(numberOf(text, "tradegraph_database_statements_total")).toBeGreaterThan(0);
    expect(numberOf(text, "tradegraph_database_statement_seconds_count")).toBeGreaterThan(0);
    expect(numberOf(text, "tradegraph_database_pool_size")).toBe(10);
    expect(numberOf(text, 'tradegraph_catalogue_rows{table="symbols"}')).toBeGreaterThan(9);
    expect(numberOf(text, 'tradegraph_writer_dropped_total{writer="trades"}')).toBe(0);
    for (const name of ["process_cpu_seconds_total", "process_resident_memory_bytes", "nodejs_eventloop_lag_seconds"])
      expect(numberOf(text, name)).toBeGreaterThanOrEqual(0);
  });

  test("is for this machine alone, not for whom a proxy on it lets in", async () => {
    for (const header of ["x-forwarded-for", "forwarded", "via"])
      expect((await read(app.url, { [header]: "127.0.0.1" })).status).toBe(403);
  });
});

test("with a token, /metrics is for who sends it, and the token opens nothing else", async () => {
  const metricsToken = "metrics-token-0123456789012345";
  const app = await startTestApp({ config: { roles: new Set(["api"]), metricsToken } });
  const authorization = `Bearer ${metricsToken}`;
  expect((await read(app.url)).status).toBe(401);
  expect((await read(app.url, { authorization: "Bearer wrong" })).status).toBe(401);
  expect((await read(app.url, { authorization, "x-forwarded-for": "1.1.1.1" })).status).toBe(200);
  expect((await query(app.url, "{ health { status } }", {}, { authorization })).status).toBe(401);
  await app.close();
});

test("on a port of its own, /metrics is not on the API's", async () => {
  const metricsPort = await freePort();
  const app = await startTestApp({ config: { roles: new Set(["api"]), metricsPort } });
  expect((await read(app.url)).status).toBe(404);
  const { status, text } = await read(`http://127.0.0.1:${metricsPort}`);
  expect(status).toBe(200);
  expect(text).toContain("tradegraph_info{");
  await app.close();
  await expect(read(`http://127.0.0.1:${metricsPort}`)).rejects.toThrow();
});

test("the database counts statements and transactions while they last, and those that failed", async () => {
  const database = await createTestDatabase();
  const { sql, db, stats } = database.app;
  const start = stats.statements;
  const answer = sql`select ${1}::int as n where ${sql`true`}`.execute();
  expect([stats.statements - start, stats.underWay]).toEqual([1, 1]);
  expect([...(await answer)]).toEqual([{ n: 1 }]);
  expect([stats.failures, stats.underWay]).toEqual([0, 0]);
  await expect(sql`select 1 / 0`).rejects.toThrow();
  expect([stats.failures, stats.underWay]).toEqual([1, 0]);
  await sql.begin(async (transaction) => {
    await transaction`select 1`;
    await transaction.unsafe("select 2");
    expect(stats.underWay).toBe(1);
  });
  await db.transaction(async (transaction) => {
    await transaction.execute("select 3");
  });
  await expect(
    sql.begin(async (transaction) => {
      await transaction`select 1 / 0`;
    }),
  ).rejects.toThrow();
  expect([stats.statements - start, stats.failures, stats.underWay]).toEqual([6, 2, 0]);
  expect(stats.latency.counts.reduce((a, b) => a + b, 0)).toBe(stats.statements);
  await database.close();
});

test("names of operations are bounded, however many clients make up", () => {
  const watch = new OperationWatch(noTracer);
  for (let n = 0; n < 10_000; n++) watch.ended(`Name${n}`, "query", "ok", 1);
  watch.ended("x".repeat(1_000), "mutation", "ok", 1);
  const counts = [...watch.counts];
  expect(counts.length).toBeLessThanOrEqual(205);
  expect(counts.find(({ name, kind }) => name === "other" && kind === "query")?.outcomes.ok).toBe(9_800);
  expect(counts.every(({ name }) => name.length <= 100)).toBe(true);
});

interface SpanData {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
  readonly status: { code?: number; message?: string };
}

/** A collector of traces, as OTLP over HTTP with JSON has it. */
async function startCollector(): Promise<{ server: Server; url: string; spans: SpanData[]; service: Set<string> }> {
  const spans: SpanData[] = [];
  const service = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.url === "/v1/traces") {
        const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString());
        for (const { resource, scopeSpans } of resourceSpans) {
          for (const { key, value } of resource.attributes) if (key === "service.name") service.add(value.stringValue);
          for (const scope of scopeSpans) spans.push(...scope.spans);
        }
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, service };
}

const attribute = ({ attributes }: SpanData, name: string): unknown => {
  const value = attributes.find(({ key }) => key === name)?.value;
  return value?.stringValue ?? value?.intValue;
};

test("traces tell of requests, operations, statements without their values, and connections to exchanges", async () => {
  const collector = await startCollector();
  const app = await startTestApp({ config: { otlpEndpoint: collector.url, otelServiceName: "traced" } });
  await query(app.url, 'query Find { searchSymbols(query: "a-secret-value") { id } }');
  await query(app.url, "query Refused { nothing }");
  const stream = openStream(app.websocketUrl, "subscription Prices { quotes { price } }");
  await stream.find(() => true);
  await stream.close();
  // A stop sends what is waiting.
  await app.close();

  expect([...collector.service]).toEqual(["traced"]);
  const named = (name: string) => collector.spans.filter((span) => span.name === name);
  const [find] = named("query Find");
  if (find === undefined) throw new Error("no span of the query");
  expect(attribute(find, "tradegraph.outcome")).toBe("ok");
  expect(attribute(find, "http.response.status_code")).toBe(200);
  const statement = named("postgres").find(({ parentSpanId }) => parentSpanId === find.spanId);
  expect(statement?.traceId).toBe(find.traceId);
  expect(attribute(statement ?? find, "db.query.text")).toMatch(/select .*\$1/);
  const refused = collector.spans.find((span) => attribute(span, "tradegraph.outcome") === "refused");
  expect(attribute(refused ?? find, "http.response.status_code")).toBe(400);
  expect(named("subscription Prices")).toHaveLength(1);
  expect(named("feed connect").map((span) => attribute(span, "feed.provider"))).toContain("BINANCE_SPOT_SIM");
  expect(JSON.stringify(collector.spans)).not.toContain("a-secret-value");
  await new Promise((resolve) => collector.server.close(resolve));
});

test("a collector that is away holds nothing up", async () => {
  const otlpEndpoint = `http://127.0.0.1:${await freePort()}`;
  const app = await startTestApp({ config: { roles: new Set(["api"]), otlpEndpoint } });
  expect((await query(app.url, "{ health { status } }")).status).toBe(200);
  const startMs = performance.now();
  await app.close();
  expect(performance.now() - startMs).toBeLessThan(8_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
