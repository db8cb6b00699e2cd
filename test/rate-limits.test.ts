import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { operatorHeaders, query } from "./support/app.js";
import { createTestDatabase } from "./support/database.js";
import { RawClient } from "./support/http.js";
import { findNats, startNats } from "./support/nats.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const costLimit = 2_000;
let app: QuietApp;
let client: RawClient;
beforeAll(async () => {
  app = await startQuietApp({
    rateLimits: {
      costPerAddress: costLimit,
      costPerUser: costLimit,
      mutationsPerAddress: 5,
      mutationsPerUser: 6,
      connectionsPerAddress: 10,
      badCredentialsPerAddress: 5,
    },
  });
  client = new RawClient(app.url);
});
afterAll(async () => {
  client.close();
  await app.close();
});
// Every test begins with full buckets.
afterEach(() => {
  app.clock.atMs += 180_000;
});

/** 2 + 30 × 2 + … as `cost.ts` counts it; never kept, because it names the viewer's own errors. */
const costly = "{ dataProviders { code lastError } symbols(first: 100) { nodes { ticker } } }";
const cheap = "{ markets { code } }";
const ways = { "the short way": "application/json", "the full way": "application/json; full=way" };
const ask = (query: string, headers: Record<string, string> = {}) => client.post({ query }, headers);
const errorOf = (body: Buffer) =>
  (JSON.parse(body.toString()) as { errors: { extensions: { code: string; retryAfterMs: number } }[] }).errors[0]
    ?.extensions;
const remainingOf = (header: unknown): number => Number(/;r=(\d+)/.exec(String(header))?.[1]);

describe.each(Object.entries(ways))("over %s", (_name, type) => {
  const headers = { "content-type": type };

  test("what a query costs is taken, told, and refused when nothing is left", async () => {
    const first = await ask(costly, headers);
    expect(first.status).toBe(200);
    expect(first.headers["ratelimit-policy"]).toBe(`"cost-per-address";q=${costLimit};w=60`);
    const cost = costLimit - remainingOf(first.headers.ratelimit);
    expect(cost).toBeGreaterThan(100);
    expect(first.headers.ratelimit).toBe(
      `"cost-per-address";r=${costLimit - cost};t=${Math.ceil((cost / costLimit) * 60)}`,
    );
    let answer = first;
    for (let n = 0; n < Math.ceil(costLimit / cost) && answer.status === 200; n++) answer = await ask(costly, headers);
    expect(answer.status).toBe(429);
    const refusal = errorOf(answer.body);
    expect(refusal?.code).toBe("RATE_LIMITED");
    expect(answer.headers["retry-after"]).toBe(String(Math.ceil((refusal?.retryAfterMs ?? 0) / 1_000)));
    // It may come again when it was told to, and not before. The first time its cost may not have been looked at.
    for (let n = 0; n < 2 && answer.status === 429; n++) {
      const waitMs = errorOf(answer.body)?.retryAfterMs ?? 0;
      app.clock.atMs += waitMs - 1;
      expect((await ask(costly, headers)).status).toBe(429);
      app.clock.atMs += 1;
      answer = await ask(costly, headers);
    }
    expect(answer.status).toBe(200);
  });

  test("each field of a mutation counts", async () => {
    const mutation = `mutation { ${[1, 2, 3].map((n) => `a${n}: setMarketStatus(market: "BINANCE_SPOT") { code }`).join(" ")} }`;
    const first = await ask(mutation, { ...headers, ...operatorHeaders });
    expect([first.status, first.headers.ratelimit]).toEqual([200, '"mutations-per-user";r=3;t=30']);
    expect((await ask(mutation, { ...headers, ...operatorHeaders })).status).toBe(200);
    const refused = await ask(mutation, { ...headers, ...operatorHeaders });
    expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "30"]);
    expect(refused.headers["ratelimit-policy"]).toBe('"mutations-per-user";q=6;w=60');
    // What was refused has changed nothing of what is left, and queries go on.
    expect((await ask(cheap, { ...headers, ...operatorHeaders })).status).toBe(200);
  });

  test("what is no operation costs too, so that floods of it end", async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 25; n++) statuses.push((await ask(`{ nothing${n} }`, headers)).status);
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(400));
    expect(statuses.slice(20)).toEqual(Array(5).fill(429));
    // Nothing more is read from there.
    expect((await ask(cheap, headers)).status).toBe(429);
  });

  test("visitors and those who have signed in do not use up each other's share", async () => {
    let status = 200;
    while (status === 200) status = (await ask(costly, headers)).status;
    const other = await ask(costly, { ...headers, ...operatorHeaders });
    expect([other.status, other.headers["ratelimit-policy"]]).toEqual([200, `"cost-per-user";q=${costLimit};w=60`]);
  });

  test("credentials that are not valid are looked at a few times", async () => {
    const guess = (n: number) => ask(cheap, { ...headers, authorization: `Bearer nonsense-nonsense-nonsense-${n}` });
    for (let n = 0; n < 5; n++) expect((await guess(n)).status).toBe(401);
    const refused = await guess(6);
    expect([refused.status, refused.headers["retry-after"], errorOf(refused.body)?.code]).toEqual([
      429,
      "12",
      "RATE_LIMITED",
    ]);
    expect((await ask(cheap, headers)).status).toBe(200);
    // Nobody is shut out who has signed in before.
    expect((await ask(cheap, { ...headers, ...operatorHeaders })).status).toBe(200);
  });
});

test("an answer that is there already costs 1, and says nothing about one client to the caches on the way", async () => {
  const get = () =>
    client.send({
      method: "GET",
      path: `/graphql?query=${encodeURIComponent(cheap)}`,
      headers: { "content-type": "application/json" },
    });
  const first = await get();
  expect(first.headers["cache-control"]).toMatch(/^public/);
  expect(first.headers.ratelimit).toBeUndefined();
  const before = remainingOf((await ask(cheap)).headers.ratelimit);
  await get();
  expect(remainingOf((await ask(cheap)).headers.ratelimit)).toBe(before - 2);
});

test("a question that goes from the short way to the full way is paid once", async () => {
  const query = "query ($n: Int!) { symbols(first: $n) { totalCount } }";
  const before = remainingOf((await ask("{ health { status } }")).headers.ratelimit);
  const wrong = await client.post({ query, variables: { n: "many" } });
  expect(wrong.status).toBe(400);
  const after = remainingOf((await ask("{ health { status } }")).headers.ratelimit);
  const again = remainingOf((await ask("{ health { status } }")).headers.ratelimit);
  expect(before - after).toBeLessThanOrEqual(faultFree + (after - again));
});
/** More than the cost of the question, less than twice of it. */
const faultFree = 5;

describe("over a WebSocket", () => {
  test("operations are refused one by one, and the socket stays open", async () => {
    const streams = Array.from({ length: 2 }, () => openStream(app.websocketUrl, costly));
    await Promise.all(streams.map((stream) => until(() => stream.isComplete)));
    let refused = streams.flatMap(({ errors }) => errors);
    for (let n = 0; n < 30 && refused.length === 0; n++) {
      await ask(costly);
      if ((await ask(costly)).status !== 429) continue;
      const stream = openStream(app.websocketUrl, costly);
      await until(() => stream.isComplete);
      refused = stream.errors;
      await stream.close();
    }
    expect(refused[0]?.extensions).toEqual({ code: "RATE_LIMITED", retryAfterMs: expect.any(Number) as number });
    for (const stream of streams) await stream.close();
  });

  const refusalOf = (headers: Record<string, string> = {}) =>
    new Promise<[number | undefined, string | undefined]>((resolve) => {
      const socket = new WebSocket(app.websocketUrl, "graphql-transport-ws", { headers });
      socket.on("error", () => {});
      socket.once("open", () => {
        socket.terminate();
        resolve([101, undefined]);
      });
      socket.once("unexpected-response", (_request, response) => {
        resolve([response.statusCode, response.headers["retry-after"]]);
        response.destroy();
      });
    });

  test("who opens one after the other is told to wait", async () => {
    for (let n = 0; n < 10; n++) expect(await refusalOf()).toEqual([101, undefined]);
    expect(await refusalOf()).toEqual([429, "6"]);
    const stream = await client.send({ method: "GET", path: `/graphql/stream?query=${encodeURIComponent(cheap)}` });
    expect([stream.status, stream.headers["retry-after"]]).toEqual([429, "6"]);
  });

  test("who guesses credentials is told to come later, which the public clients do", async () => {
    const closes: string[] = [];
    for (let n = 0; n < 6; n++) {
      const stream = openStream(app.websocketUrl, cheap, {}, { authorization: "Bearer nonsense-nonsense-nonsense" });
      await until(() => stream.errors.length > 0);
      closes.push(stream.errors[0]?.extensions.code ?? "");
      await stream.close();
    }
    expect(closes).toEqual([...Array<string>(5).fill("4403"), "1013"]);
  });
});

const natsPath = findNats();
test.skipIf(natsPath === null)("nodes count together, over NATS", async () => {
  const nats = await startNats(natsPath ?? "");
  const database = await createTestDatabase();
  const node = () =>
    startApp(
      parseConfig({ PORT: "0", ROLES: "api", NATS_URL: nats.url, RATE_LIMIT_COST_PER_ADDRESS: "2000" }),
      pino({ level: "silent" }),
      () => {},
      { database: database.address },
    );
  const nodes = [await node(), await node()];
  const remaining = async (n: number) => {
    const answer = await fetch(`${nodes[n]?.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "{ health { checks { name status } } }" }),
    });
    return remainingOf(answer.headers.get("ratelimit"));
  };
  const isOnBus = async (n: number) => {
    const { data } = await query(nodes[n]?.url ?? "", "{ health { checks { name status } } }");
    return data.health.checks.some(
      (check: { name: string; status: string }) => check.name === "bus" && check.status === "OK",
    );
  };
  for (const n of [0, 1]) await until(() => isOnBus(n));
  for (let n = 0; n < 6; n++) await query(nodes[0]?.url ?? "", costly);
  const there = await remaining(0);
  expect(there).toBeLessThan(1_400);
  // Meanwhile a little grows back.
  await expect.poll(() => remaining(1), { timeout: 5_000 }).toBeLessThan(there + 200);
  for (const one of nodes) await one.close();
  await database.close();
  await nats.kill();
});
