import { createHash } from "node:crypto";
import { connect } from "node:net";
import { getIntrospectionQuery } from "graphql";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { parseConfig } from "../src/config.js";
import { PersistedDocuments } from "../src/graphql/persisted.js";
import { OperationPreparer } from "../src/graphql/prepare.js";
import { buildSchema } from "../src/graphql/schema.js";
import { query, startTestApp, type TestApp } from "./support/app.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      roles: new Set(["api"]),
      keepAliveMs: 1_500,
      maxConnectionsPerAddress: 8,
      maxMessagesPerSecond: 20,
      maxSubscriptionsPerConnection: 10,
    },
  });
});
afterAll(() => app.close());

interface Refusal {
  readonly message: string;
  readonly extensions: Record<string, unknown>;
}

/** How each transport refuses an operation. */
const transports: Record<string, (text: string, variables?: Record<string, unknown>) => Promise<readonly Refusal[]>> = {
  "HTTP POST": async (text, variables = {}) => {
    const { status, errors } = await query(app.url, text, variables);
    expect(status).toBe(400);
    return (errors ?? []) as unknown as Refusal[];
  },
  WebSocket: async (text, variables = {}) => {
    const stream = openStream(app.websocketUrl, text, variables);
    await until(() => stream.errors.length > 0);
    await stream.close();
    expect(stream.messages).toEqual([]);
    return stream.errors;
  },
  "server-sent events": async (text, variables = {}) => {
    const response = await fetch(`${app.url}/graphql/stream`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: text, variables }),
    });
    const [, data] = /^event: next\ndata: (.*)\n/.exec(await response.text()) ?? [];
    return (JSON.parse(data ?? "{}") as { errors: Refusal[] }).errors;
  },
};

const doubling = (levels: number): string => {
  const fragments = Array.from(
    { length: levels },
    (_, n) => `fragment F${n} on Health { ...F${n + 1} ...F${n + 1} }`,
  ).join(" ");
  return `{ health { ...F0 } } ${fragments} fragment F${levels} on Health { status }`;
};

describe.each(Object.keys(transports))("over %s", (name) => {
  const refuse = (text: string, variables?: Record<string, unknown>) =>
    transports[name]?.(text, variables) ?? Promise.reject(new Error("no such transport"));

  test.each([
    [
      "nesting",
      `{ ${"markets { exchange { ".repeat(8)} code ${"} }".repeat(8)} }`,
      { code: "DEPTH_LIMIT", depth: 17, limit: 12 },
    ],
    [
      "a thousand aliases",
      `{ health { ${Array.from({ length: 1_000 }, (_, n) => `a${n}: status`).join(" ")} } }`,
      { code: "FIELD_LIMIT", fields: 1_001, limit: 1_000 },
    ],
    [
      "two hundred aliases",
      `{ health { ${Array.from({ length: 200 }, (_, n) => `a${n}: status`).join(" ")} } }`,
      { code: "ALIAS_LIMIT", aliases: 200, limit: 100 },
    ],
    ["root fields", `{ ${"health { status } ".repeat(51)} }`, { code: "FIELD_LIMIT", rootFields: 51, limit: 50 }],
    ["fragments that double", doubling(60), { code: "FIELD_LIMIT", fields: 2 ** 60 + 1, limit: 1_000 }],
    [
      "lists in lists",
      "{ symbols(first: 500) { nodes { candles(interval: M1, limit: 1500) { open } } } }",
      { code: "COST_LIMIT", cost: 2 + 500 * 1_600, limit: 50_000 },
    ],
  ])("%s is refused", async (_what, text, extensions) => {
    const [refusal] = await refuse(text);
    expect(refusal?.extensions).toEqual(extensions);
    expect(refusal?.message).toContain(`at most ${extensions.limit} are allowed`);
  });

  test("what the variables ask for is counted", async () => {
    const text = `query ($n: Int) { symbols(first: $n) { nodes { candles(interval: M1) { open } } } }`;
    const [refusal] = await refuse(text, { n: 100 });
    expect(refusal?.extensions).toEqual({ code: "COST_LIMIT", cost: 2 + 100 * 600, limit: 50_000 });
  });

  test.each([
    ["quotes { symbol { candles(interval: M1) { close } } }", "Symbol.candles"],
    [
      'orderBook(symbolId: "U3ltYm9sOjE", intervalMs: 0) { symbol { ...S } } } fragment S on Symbol { trades(limit: 1) { price }',
      "Symbol.trades",
    ],
    [
      'trades(symbolId: "U3ltYm9sOjE") { symbol { ... on Symbol { fundingRates(limit: 1) { rate } } } }',
      "Symbol.fundingRates",
    ],
  ])("a stream that would ask the database with each change is refused: %s", async (stream, field) => {
    const [refusal] = await refuse(`subscription { ${stream} }`);
    expect(refusal?.extensions).toEqual({ code: "COST_LIMIT", field, cost: 100, limit: 99 });
    expect(refusal?.message).toContain(`${field} asks the database`);
  });

  test("circular fragments are refused", async () => {
    const [refusal] = await refuse(
      "{ health { ...A } } fragment A on Health { ...B } fragment B on Health { status ...A }",
    );
    expect(refusal?.extensions.code).toBe("GRAPHQL_VALIDATION_FAILED");
  });

  test("too many values in the variables are refused", async () => {
    const ids = Array.from({ length: 6_000 }, () => 1);
    const [refusal] = await refuse("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", { ids });
    expect(refusal?.extensions).toEqual({ code: "BAD_USER_INPUT", field: "variables" });
  });

  test("five thousand times the same field are refused before anything compares them", async () => {
    // Compared with each other, they take seconds each time; a busy machine is slow only now and then.
    const tookMs: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      const startMs = performance.now();
      const [refusal] = await refuse(`{ health { ${"status ".repeat(4_990 - attempt)} } }`);
      tookMs.push(performance.now() - startMs);
      expect(refusal?.extensions.code).toBe("FIELD_LIMIT");
    }
    expect(Math.min(...tookMs)).toBeLessThan(700);
  });
});

describe("requests", () => {
  const post = (body: string) =>
    fetch(`${app.url}/graphql`, { method: "POST", headers: { "content-type": "application/json" }, body });

  test("of several operations are refused", async () => {
    const response = await post(JSON.stringify(Array(100).fill({ query: "{ health { status } }" })));
    expect(response.status).toBe(400);
    expect(((await response.json()) as { errors: Refusal[] }).errors[0]?.extensions.code).toBe("BAD_REQUEST");
  });

  test("may ask the database beside a stream that does not", async () => {
    const query =
      "query A { symbols(first: 1) { nodes { candles(interval: M1, limit: 1) { close } } } } subscription B { quotes { price } }";
    const response = await post(JSON.stringify({ query, operationName: "A" }));
    expect(await response.json()).toMatchObject({ data: { symbols: { nodes: [{}] } } });
    const search = new URLSearchParams({ query, operationName: "B" });
    const ending = new AbortController();
    const stream = await fetch(`${app.url}/graphql/stream?${search.toString()}`, { signal: ending.signal });
    const first = await stream.body?.getReader().read();
    expect(Buffer.from(first?.value ?? []).toString()).not.toContain("errors");
    ending.abort();
  });

  test("of a megabyte are refused before they are read", async () => {
    const response = await post(JSON.stringify({ query: `{ health { status } } # ${"x".repeat(1_000_000)}` }));
    expect(response.status).toBe(413);
  });

  test("that Apollo knows by their hash are held to the same limits", async () => {
    const text = `query ($n: Int) { symbols(first: $n) { nodes { candles(interval: M1) { open } } } }`;
    const extensions = {
      persistedQuery: { version: 1, sha256Hash: createHash("sha256").update(text).digest("hex") },
    };
    const ask = async (body: object) => {
      const response = await post(JSON.stringify({ ...body, extensions }));
      return { status: response.status, ...((await response.json()) as { errors?: Refusal[] }) };
    };
    expect((await ask({ query: text, variables: { n: 0 } })).errors).toBeUndefined();
    expect((await ask({ variables: { n: 0 } })).errors).toBeUndefined();
    const { status, errors } = await ask({ variables: { n: 500 } });
    expect([status, errors?.[0]?.extensions.code]).toEqual([400, "COST_LIMIT"]);
  });

  test("with ten thousand different texts leave nothing behind", async () => {
    const preparer = new OperationPreparer(
      buildSchema(),
      parseConfig({}),
      new PersistedDocuments(null),
      pino({ level: "silent" }),
    );
    for (let n = 0; n < 10_000; n++) {
      // Alternately right, wrong and broken; each is kept for a while.
      const text = [`{ health { status } } # ${n}`, `{ health { nothing${n} } }`, `{ health { ${n} }`][n % 3] ?? "";
      preparer.prepare({ query: text });
      expect(preparer.textCount).toBeLessThanOrEqual(2_000);
    }
  });
});

describe("introspection", () => {
  test("is open where it is on, and within the limits", async () => {
    const { data, errors } = await query(app.url, getIntrospectionQuery());
    expect(errors).toBeUndefined();
    expect(data.__schema.types.length).toBeGreaterThan(20);
  });

  test("is refused where it is off, over every transport", async () => {
    const open = app;
    app = await startTestApp({ config: { roles: new Set(["api"]), introspection: false } });
    try {
      for (const refuse of Object.values(transports)) {
        for (const text of [
          "{ __schema { queryType { name } } }",
          '{ ... on Query { __type(name: "Query") { name } } }',
        ]) {
          const [refusal] = await refuse(text);
          expect(refusal?.extensions.code).toBe("INTROSPECTION_DISABLED");
        }
      }
      expect((await query(app.url, "{ __typename }")).data.__typename).toBe("Query");
    } finally {
      await app.close();
      app = open;
    }
  });
});

interface Client {
  readonly socket: WebSocket;
  readonly messages: { type: string; id?: string; payload?: Refusal[] }[];
  readonly closed: Promise<number>;
  send(message: object): void;
}

async function openClient(): Promise<Client> {
  const socket = new WebSocket(app.websocketUrl, "graphql-transport-ws");
  const messages: Client["messages"] = [];
  socket.on("error", () => {});
  socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString())));
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await Promise.race([new Promise((resolve) => socket.once("open", resolve)), closed]);
  const send = (message: object) => socket.send(JSON.stringify(message));
  if (socket.readyState === WebSocket.OPEN) {
    send({ type: "connection_init" });
    await until(() => messages.some(({ type }) => type === "connection_ack"));
  }
  return { socket, messages, closed, send };
}

const close = async ({ socket, closed }: Client) => {
  socket.terminate();
  await closed;
};
const watch = (id: string) => ({ id, type: "subscribe", payload: { query: "subscription { quotes { price } }" } });

/** That others are served as ever. */
async function expectService(): Promise<void> {
  expect((await query(app.url, "{ health { status } }")).data.health.status).toMatch(/OK|DEGRADED/);
}

describe("one client", () => {
  test("that asks for ten thousand streams gets its share, is told when to come back, and is cut off", async () => {
    const client = await openClient();
    for (let n = 0; n < 10_000; n++) client.send(watch(`s${n}`));
    expect(await client.closed).toBe(1008);
    const refused = client.messages
      .filter(({ type }) => type === "error")
      .map(({ payload }) => payload?.[0]?.extensions);
    expect(refused.every((extensions) => extensions?.code === "RATE_LIMITED")).toBe(true);
    expect(refused.some((extensions) => Number(extensions?.retryAfterMs) > 0)).toBe(true);
    // The rate and the burst, and as much again.
    expect(refused.length).toBeLessThanOrEqual(2 * 30);
    await until(() => app.app.quotes.watcherCount === 0);
    await expectService();
  });

  test("that comes too often is refused, and let in again when it has gone", async () => {
    const clients: Client[] = [];
    for (let n = 0; n < 8; n++) clients.push(await openClient());
    const status = await new Promise((resolve) => {
      const refused = new WebSocket(app.websocketUrl, "graphql-transport-ws");
      refused.on("error", () => {});
      refused.once("unexpected-response", (_request, response) => {
        resolve([response.statusCode, response.headers["retry-after"]]);
        response.destroy();
      });
    });
    expect(status).toEqual([429, "5"]);
    const stream = await fetch(`${app.url}/graphql/stream?query=${encodeURIComponent("{ health { status } }")}`);
    expect(stream.status).toBe(429);
    const { errors } = (await stream.json()) as { errors: Refusal[] };
    expect(errors[0]?.extensions).toEqual({ code: "RATE_LIMITED", retryAfterMs: 5_000 });
    await expectService();
    await Promise.all(clients.map(close));
    await until(async () => {
      const again = await openClient();
      const isIn = again.socket.readyState === WebSocket.OPEN;
      await close(again);
      return isIn;
    });
  });

  test("that asks and never reads the answers is not heard any further, and is closed", async () => {
    // As many messages as it likes, so that nothing but their answers holds it up.
    const tolerant = await startTestApp({
      config: { roles: new Set(["api"]), keepAliveMs: 1_500, maxMessagesPerSecond: 100_000 },
    });
    const socket = connect(Number(new URL(tolerant.url).port), "127.0.0.1");
    socket.on("error", () => {});
    const isGone = new Promise((resolve) => socket.once("close", resolve));
    socket.write(
      "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n",
    );
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    const frame = maskedText({ type: "ping", payload: { x: "y".repeat(90_000) } });
    const saysMore = () => {
      while (!socket.destroyed && socket.write(frame));
    };
    socket.on("drain", saysMore);
    saysMore();
    let [hasEnded, mostWaiting] = [false, 0];
    void isGone.then(() => {
      hasEnded = true;
    });
    await until(async () => {
      const text = await (await fetch(`${tolerant.url}/metrics`)).text();
      mostWaiting = Math.max(mostWaiting, Number(/^tradegraph_waiting_bytes (\d+)/m.exec(text)?.[1]));
      return hasEnded;
    }, 10_000);
    expect(mostWaiting).toBeGreaterThan(0);
    // What was read of it before the network was full, and no more.
    expect(mostWaiting).toBeLessThan(1_000_000);
    await tolerant.close();
  });

  test("that connects and says nothing, or a letter at a time, is sent away", async () => {
    const port = Number(new URL(app.url).port);
    const silent = connect(port, "127.0.0.1");
    const slow = connect(port, "127.0.0.1");
    const letters = "GET /graphql HTTP/1.1\r\nhost: x\r\nx-more: ".padEnd(10_000, "x").split("");
    const typing = setInterval(() => slow.write(letters.shift() ?? "x"), 50);
    const isGone = [silent, slow].map((socket) => {
      socket.on("error", () => {});
      socket.resume();
      return new Promise((resolve) => socket.once("close", resolve));
    });
    await Promise.all(isGone);
    clearInterval(typing);
    await expectService();
  });

  test("that speaks garbage instead of HTTP is sent away", async () => {
    const port = Number(new URL(app.url).port);
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    const answer: Buffer[] = [];
    socket.on("data", (data) => answer.push(data));
    const isGone = new Promise((resolve) => socket.once("close", resolve));
    socket.write(Buffer.alloc(100_000, 0xfe));
    await isGone;
    expect(Buffer.concat(answer).toString()).toMatch(/^HTTP\/1.1 4\d\d/);
    await expectService();
  });
});

/** A frame as a client sends it, RFC 6455. */
function maskedText(message: object): Buffer {
  const payload = Buffer.from(JSON.stringify(message));
  const header = Buffer.alloc(14);
  header[0] = 0x81;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(payload.length), 2);
  // A mask of zeros changes nothing.
  return Buffer.concat([header, payload]);
}
