import { connect as connectTcp } from "node:net";
import { createClient as createSseClient } from "graphql-sse";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { decimalText } from "../src/core/decimal.js";
import { globalId } from "../src/core/ids.js";
import { operatorHeaders, operatorToken, query, startTestApp, type TestApp } from "./support/app.js";
import { openStream, type Stream } from "./support/stream.js";
import { until } from "./support/until.js";

interface QuoteFields {
  symbol: { id: string; ticker: string };
  price: string;
  sequence: string;
}
interface Quotes {
  quotes: QuoteFields[];
}

let app: TestApp;
let btc: number;
let eth: number;
let providerId: number;
beforeAll(async () => {
  // No simulated exchange interferes: these tests set the prices themselves.
  app = await startTestApp({
    config: { roles: new Set(["api"]), keepAliveMs: 1_500, maxSubscriptionsPerConnection: 5, maxConnections: 50 },
  });
  btc = app.app.catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.id ?? 0;
  eth = app.app.catalogue.symbolByTicker("BINANCE_SPOT", "ETHUSDT")?.id ?? 0;
  providerId = app.app.catalogue.providerByCode("BINANCE_SPOT_SIM")?.id ?? 0;
  for (const symbol of app.app.catalogue.defaultSymbols) setPrice(symbol.id, "1");
});
afterAll(() => app.close());

const open: Stream<unknown>[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((stream) => stream.close()));
  await until(() => app.app.quotes.watcherCount === 0, 15_000);
});

const subscribe = <T = Quotes>(text: string, variables = {}, params = {}): Stream<T> => {
  const stream = openStream<T>(app.websocketUrl, text, variables, params);
  open.push(stream as Stream<unknown>);
  return stream;
};

let lastMs = Date.now();
function setPrice(symbolId: number, price: string): void {
  lastMs = Math.max(lastMs + 1, Date.now());
  app.app.quotes.apply(
    {
      kind: "trade",
      symbolId,
      price: decimalText(price),
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

const fields = "symbol { id ticker } price sequence";
const allQuotes = `subscription ($ids: [ID!], $ms: Int) { quotes(symbolIds: $ids, intervalMs: $ms) { ${fields} } }`;

describe("live quotes over WebSocket", () => {
  test("begin with every default symbol, then carry only what changed", async () => {
    const stream = subscribe(allQuotes, { ms: 0 });
    const first = await stream.find(() => true);
    expect(first.quotes.map((quote) => quote.symbol.ticker)).toHaveLength(9);
    setPrice(btc, "64123.12");
    const next = await stream.find((message) => message.quotes.some((quote) => quote.price === "64123.12"));
    expect(next.quotes.map((quote) => quote.symbol.ticker)).toEqual(["BTCUSDT"]);
    const before = first.quotes.find((quote) => quote.symbol.ticker === "BTCUSDT")?.sequence ?? "0";
    expect(BigInt(next.quotes[0]?.sequence ?? "0")).toBeGreaterThan(BigInt(before));
  });

  test("of chosen symbols only", async () => {
    const stream = subscribe(allQuotes, { ids: [globalId("Symbol", eth)], ms: 0 });
    await stream.find(() => true);
    setPrice(btc, "2");
    setPrice(eth, "3.5");
    await stream.find((message) => message.quotes[0]?.price === "3.5");
    expect(new Set(stream.messages.flatMap((message) => message.quotes.map((quote) => quote.symbol.ticker)))).toEqual(
      new Set(["ETHUSDT"]),
    );
  });

  test("keep the interval, and conflate within it", async () => {
    const stream = subscribe(allQuotes, { ids: [globalId("Symbol", btc)], ms: 100 });
    await stream.find(() => true);
    const startMs = performance.now();
    let n = 100;
    while (performance.now() - startMs < 350) {
      setPrice(btc, String(++n));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stream.find((message) => message.quotes[0]?.price === String(n));
    const elapsedMs = performance.now() - startMs;
    // The first message, and at most one for each interval that has passed.
    expect(stream.messages.length).toBeLessThanOrEqual(2 + elapsedMs / 100);
    expect(n).toBeGreaterThan(150);
  });

  test("follow the defaults when operators change them on the open stream", async () => {
    const stream = subscribe<{ dashboardQuotes: QuoteFields[] }>(
      `subscription { dashboardQuotes(intervalMs: 0) { ${fields} } }`,
    );
    await stream.find(() => true);
    const ada = app.app.catalogue.symbolByTicker("BINANCE_SPOT", "ADAUSDT")?.id ?? 0;
    setPrice(ada, "0.45");
    const update = (input: object) =>
      query(
        app.url,
        "mutation ($input: UpdateSymbolInput!) { updateSymbol(input: $input) { id } }",
        { input },
        operatorHeaders,
      );
    await update({ symbolId: globalId("Symbol", ada), isActive: true, isDefault: true });
    await stream.find((message) => message.dashboardQuotes.some((quote) => quote.symbol.ticker === "ADAUSDT"));
    await update({ symbolId: globalId("Symbol", ada), isDefault: false });
    const seen = stream.messages.length;
    setPrice(ada, "0.46");
    setPrice(btc, "77");
    await stream.find((message) => message.dashboardQuotes.some((quote) => quote.price === "77"));
    expect(
      stream.messages.slice(seen).flatMap((message) => message.dashboardQuotes.map((quote) => quote.symbol.ticker)),
    ).toEqual(["BTCUSDT"]);
  });

  test("begin with what is true then, also where no quote has changed since", async () => {
    const text = `subscription ($ids: [ID!]) { quotes(symbolIds: $ids) { price symbol { market { status } } } }`;
    const statusFor = async () => {
      const stream = subscribe<{ quotes: { symbol: { market: { status: string } } }[] }>(text, {
        ids: [globalId("Symbol", btc)],
      });
      return (await stream.find(() => true)).quotes[0]?.symbol.market.status;
    };
    const set = (status: string | null) =>
      query(
        app.url,
        'mutation ($status: MarketStatus) { setMarketStatus(market: "BINANCE_SPOT", status: $status) { status } }',
        { status },
        operatorHeaders,
      );
    expect(await statusFor()).toBe("OPEN");
    await set("HALTED");
    const halted = await statusFor();
    await set(null);
    expect(halted).toBe("HALTED");
  });

  test("tell when they turn stale", async () => {
    const stream = subscribe<{ quotes: { isStale: boolean }[] }>(
      `subscription ($ids: [ID!]) { quotes(symbolIds: $ids, intervalMs: 0) { isStale } }`,
      {
        ids: [globalId("Symbol", btc)],
      },
    );
    setPrice(btc, "5");
    await stream.find((message) => message.quotes[0]?.isStale === false);
    app.app.quotes.markStale((quote) => quote.symbolId === btc);
    await stream.find((message) => message.quotes[0]?.isStale === true);
  });

  test("an operation that is named by nothing is refused, and breaks no stream of others", async () => {
    const text = "subscription { quotes(intervalMs: 0) { symbol { ticker } price } }";
    const nameless = openStream(app.websocketUrl, text, {}, {}, { operationName: "" });
    open.push(nameless);
    await until(() => nameless.errors.length > 0, 15_000);
    const stream = subscribe(text);
    await until(() => stream.messages.length + stream.errors.length > 0, 15_000);
    expect(nameless.errors[0]?.extensions.code).toBe("OPERATION_RESOLUTION_FAILURE");
    expect([stream.errors, stream.messages[0]?.quotes.length]).toEqual([[], 9]);
    for (const path of ["/graphql", "/graphql/stream"]) {
      const body = JSON.stringify({ query: "{ health { simulated } }", operationName: "" });
      const answer = await fetch(`${app.url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      expect(await answer.text()).toContain('"code":"OPERATION_RESOLUTION_FAILURE"');
    }
  });

  test("queries work on the same socket", async () => {
    const stream = subscribe<{ health: { status: string } }>("{ health { status } }");
    expect((await stream.find(() => true)).health.status).toMatch(/OK|DEGRADED/);
    await until(() => stream.isComplete, 15_000);
  });

  test.each([
    [allQuotes, { ids: ["nonsense"] }, "BAD_USER_INPUT"],
    [allQuotes, { ids: [globalId("Symbol", 999_999)] }, "NOT_FOUND"],
    [allQuotes, { ms: -1 }, "BAD_USER_INPUT"],
    [allQuotes, { ms: 60_001 }, "BAD_USER_INPUT"],
    [allQuotes, { ms: "soon" }, "BAD_USER_INPUT"],
    [allQuotes, { ids: Array.from({ length: 501 }, () => globalId("Symbol", 1)) }, "BAD_USER_INPUT"],
    ["subscription { nothing }", {}, "GRAPHQL_VALIDATION_FAILED"],
    ["subscription {", {}, "GRAPHQL_PARSE_FAILED"],
    ["query A { health { status } } query B { health { status } }", {}, "OPERATION_RESOLUTION_FAILURE"],
  ])("%s with %j is refused as %s", async (text, variables, code) => {
    const stream = subscribe(text, variables);
    await until(() => stream.errors.length > 0, 15_000);
    expect(stream.errors[0]?.extensions.code).toBe(code);
    expect(stream.messages).toEqual([]);
  });

  test("an operator signs in by connectionParams", async () => {
    const text = "{ broadcastList(first: 1) { ticker } }";
    const refused = subscribe(text);
    await until(() => refused.errors.length > 0, 15_000);
    expect(refused.errors[0]?.extensions.code).toBe("UNAUTHENTICATED");
    const allowed = subscribe(text, {}, { authorization: `Bearer ${operatorToken}` });
    await allowed.find(() => true);
    expect(allowed.errors).toEqual([]);
  });
});

describe("the protocol's own rules", () => {
  const connect = (protocol = "graphql-transport-ws", path = "") => {
    const socket = new WebSocket(`${app.websocketUrl}${path}`, protocol);
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    const opened = new Promise<void>((resolve) => socket.once("open", () => resolve()));
    const messages: { type: string; id?: string; payload?: unknown }[] = [];
    socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString())));
    const send = (message: unknown) => socket.send(typeof message === "string" ? message : JSON.stringify(message));
    return { socket, opened, closed, messages, send };
  };
  const initialised = async () => {
    const client = connect();
    await client.opened;
    client.send({ type: "connection_init" });
    await until(() => client.messages.some((message) => message.type === "connection_ack"), 15_000);
    return client;
  };
  const watch = (id: string) => ({ id, type: "subscribe", payload: { query: "subscription { quotes { price } }" } });

  test("who never initialises is closed with 4408", async () => expect(await connect().closed).toBe(4408));

  test("who speaks before initialising is closed with 4401", async () => {
    const client = connect();
    await client.opened;
    client.send(watch("1"));
    expect(await client.closed).toBe(4401);
  });

  test("a wrong credential is closed with 4403", async () => {
    const client = connect();
    await client.opened;
    client.send({ type: "connection_init", payload: { authorization: "Bearer wrong" } });
    expect(await client.closed).toBe(4403);
  });

  test.each(["garbage", "{}", '{"type":"unknown"}', "[]", "null", ""])("%j is closed with 4400", async (text) => {
    const client = await initialised();
    client.send(text);
    expect(await client.closed).toBe(4400);
  });

  test("initialising twice is closed with 4429", async () => {
    const client = await initialised();
    client.send({ type: "connection_init" });
    expect(await client.closed).toBe(4429);
  });

  test("the same operation id twice is closed with 4409", async () => {
    const client = await initialised();
    client.send(watch("1"));
    client.send(watch("1"));
    expect(await client.closed).toBe(4409);
  });

  test("nothing follows the close frame, also while the client does not answer it", async () => {
    const { hostname, port } = new URL(app.url);
    const socket = connectTcp(Number(port), hostname);
    let received = Buffer.alloc(0);
    socket.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
    });
    socket.write(
      "GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    // Masked with zeros, and less than 126 bytes.
    const send = (message: unknown) => {
      const text = Buffer.from(JSON.stringify(message));
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
    };
    const opcodes = () => {
      const found: number[] = [];
      for (let at = received.indexOf("\r\n\r\n") + 4; at >= 4 && at < received.length; ) {
        found.push((received[at] ?? 0) & 0x0f);
        const length = received[at + 1] ?? 0;
        at += length === 126 ? 4 + received.readUInt16BE(at + 2) : 2 + length;
      }
      return found;
    };
    const query = "subscription { quotes(intervalMs: 0) { price } }";
    send({ type: "connection_init" });
    await until(() => opcodes().length === 1);
    send({ id: "1", type: "subscribe", payload: { query } });
    await until(() => opcodes().length === 2);
    send({ id: "1", type: "subscribe", payload: { query } });
    await until(() => opcodes().includes(8));
    const other = subscribe(query);
    await other.find(() => true);
    for (const price of ["501", "502", "503"]) {
      setPrice(btc, price);
      await other.find((message) => message.quotes[0]?.price === price);
    }
    expect(opcodes()).toEqual([1, 1, 8]);
    socket.destroy();
  });

  test("binary messages are closed with 1003, too large ones with 1009", async () => {
    const binary = await initialised();
    binary.socket.send(Buffer.from([1, 2, 3]));
    expect(await binary.closed).toBe(1003);
    const large = await initialised();
    large.send("x".repeat(200_000));
    expect(await large.closed).toBe(1009);
  });

  test("more operations than allowed are refused one by one, and the others go on", async () => {
    const client = await initialised();
    for (let n = 1; n <= 8; n++) client.send(watch(String(n)));
    await until(() => client.messages.filter((message) => message.type === "error").length === 3, 15_000);
    const refused = client.messages.filter((message) => message.type === "error");
    expect(refused.map((message) => message.id)).toEqual(expect.arrayContaining(["6", "7", "8"]));
    expect(refused[0]?.payload).toMatchObject([{ extensions: { code: "RATE_LIMITED" } }]);
    expect(client.messages.filter((message) => message.type === "next").length).toBe(5);
    client.socket.close();
    await client.closed;
  });

  test("another path or protocol is refused", async () => {
    const elsewhere = connect("graphql-transport-ws", "/elsewhere");
    expect(await elsewhere.closed).toBe(1006);
    const old = connect("graphql-ws");
    expect([1006, 4406]).toContain(await old.closed);
  });

  test("an operation that the client completes stops", async () => {
    const client = await initialised();
    client.send(watch("1"));
    await until(() => client.messages.some((message) => message.type === "next"), 15_000);
    client.send({ id: "1", type: "complete" });
    await until(() => app.app.quotes.watcherCount === 0, 15_000);
    client.socket.close();
    await client.closed;
  });
});

describe("live quotes over server-sent events", () => {
  test("reach the public graphql-sse client, and stop with it", async () => {
    const client = createSseClient({ url: `${app.url}/graphql/stream`, retryAttempts: 0 });
    const messages: Quotes[] = [];
    const stop = client.subscribe<Quotes>(
      { query: allQuotes, variables: { ms: 0 } },
      { next: (result) => result.data && messages.push(result.data), error: () => {}, complete: () => {} },
    );
    await until(() => messages.length > 0, 15_000);
    setPrice(btc, "12345.6");
    await until(() => messages.some((message) => message.quotes.some((quote) => quote.price === "12345.6")), 15_000);
    stop();
    client.dispose();
    await until(() => app.app.quotes.watcherCount === 0, 15_000);
  });

  const read = async (url: string, init?: RequestInit) => {
    const response = await fetch(url, init);
    return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
  };

  test("a plain GET works, and a query completes", async () => {
    const { status, type, text } = await read(
      `${app.url}/graphql/stream?query=${encodeURIComponent("{ health { simulated } }")}`,
    );
    expect([status, type]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect(text).toBe('event: next\ndata: {"data":{"health":{"simulated":true}}}\n\nevent: complete\ndata:\n\n');
  });

  test("what is wrong with an operation is told on the stream, what is wrong with the request by its status", async () => {
    const { text } = await read(`${app.url}/graphql/stream?query=${encodeURIComponent("subscription { nothing }")}`);
    expect(text).toContain('"code":"GRAPHQL_VALIDATION_FAILED"');
    expect(text).toMatch(/event: complete\ndata:\n\n$/);
    expect((await read(`${app.url}/graphql/stream`)).status).toBe(400);
    expect((await read(`${app.url}/graphql/stream?query=x&variables=nonsense`)).status).toBe(400);
    const post = (body: string) =>
      read(`${app.url}/graphql/stream`, { method: "POST", headers: { "content-type": "application/json" }, body });
    expect((await post("[1]")).status).toBe(400);
    expect((await post('{"query":1}')).status).toBe(400);
    expect((await post('{"query":"{ health { status } }","variables":[]}')).status).toBe(400);
  });
});
