import { once } from "node:events";
import { connect } from "node:net";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startTestFeed, symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import { systemClock } from "../../core/time.js";
import { fetchInstruments } from "../binance/rest.js";
import { simulatedInstruments } from "./instruments.js";
import { type Simulator, type SimulatorOptions, startSimulator } from "./simulator.js";

/** Long enough for a busy machine; nothing waits for it to pass. */
const patienceMs = 10_000;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

async function start(options: Partial<SimulatorOptions> = {}): Promise<Simulator> {
  const log = pino({ level: "silent" });
  const simulator = await startSimulator({
    port: 0,
    seed: 1,
    clock: systemClock,
    log,
    updatesPerSecond: 100,
    ...options,
  });
  closers.push(() => simulator.close());
  return simulator;
}

interface Frame {
  readonly stream?: string;
  readonly data?: Record<string, unknown>;
  readonly id?: unknown;
  readonly [field: string]: unknown;
}

/** A client that remembers everything. */
class TestClient {
  readonly texts: string[] = [];
  pings = 0;
  closed: { code: number; reason: string } | null = null;

  constructor(readonly socket: WebSocket) {
    socket.on("message", (data: Buffer) => this.texts.push(data.toString()));
    socket.on("ping", () => this.pings++);
    socket.on("error", () => {});
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    closers.push(() => socket.terminate());
  }

  get frames(): Frame[] {
    return this.texts.map((text) => JSON.parse(text) as Frame);
  }

  streams(): Set<unknown> {
    return new Set(this.frames.map(({ stream }) => stream));
  }

  async ask(method: string, params: unknown[] | undefined, id: number): Promise<Frame> {
    this.socket.send(JSON.stringify({ method, params, id }));
    const answer = () => this.frames.find((frame) => frame.id === id);
    await until(() => answer() !== undefined, patienceMs);
    return answer() as Frame;
  }
}

async function join(
  simulator: Simulator,
  path = "/stream",
  options: WebSocket.ClientOptions = {},
): Promise<TestClient> {
  const client = new TestClient(new WebSocket(simulator.websocketUrl + path, options));
  await once(client.socket, "open");
  return client;
}

/** HTTP status with which a WebSocket is refused. */
async function refusal(simulator: Simulator, path: string): Promise<number | undefined> {
  const { socket } = new TestClient(new WebSocket(simulator.websocketUrl + path));
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode?: number }];
  return response.statusCode;
}

describe("streams", () => {
  test("of the address are served in envelopes", async () => {
    const client = await join(await start(), "/stream?streams=btcusdt@bookTicker/btcusdt@aggTrade/ethusdt@ticker");
    await until(() => client.streams().size === 3, patienceMs);
    expect(client.frames.find(({ stream }) => stream === "btcusdt@bookTicker")?.data).toMatchObject({ s: "BTCUSDT" });
    expect(client.frames.find(({ stream }) => stream === "btcusdt@aggTrade")?.data).toMatchObject({ e: "aggTrade" });
    expect(client.frames.find(({ stream }) => stream === "ethusdt@ticker")?.data).toMatchObject({ e: "24hrTicker" });
    expect(client.texts[0]).toMatch(/^\{"stream":"[a-z]+@\w+","data":\{.*\}\}$/);
  });

  test("of the raw address are served bare, and SET_PROPERTY changes that", async () => {
    const client = await join(await start(), "/ws/btcusdt@bookTicker");
    await until(() => client.texts.length > 0, patienceMs);
    expect(client.frames[0]).toMatchObject({ s: "BTCUSDT", u: expect.any(Number) as number });
    expect((await client.ask("GET_PROPERTY", ["combined"], 1)).result).toBe(false);
    expect((await client.ask("SET_PROPERTY", ["combined", true], 2)).result).toBeNull();
    await until(() => client.streams().has("btcusdt@bookTicker"), patienceMs);
    expect((await client.ask("GET_PROPERTY", ["combined"], 3)).result).toBe(true);
  });

  test("are subscribed, listed and unsubscribed on an open connection", async () => {
    const client = await join(await start(), "/ws");
    expect(await client.ask("SUBSCRIBE", ["btcusdt@bookTicker", "ethusdt@bookTicker"], 1)).toEqual({
      result: null,
      id: 1,
    });
    await until(() => new Set(client.frames.map(({ s }) => s)).size === 3, patienceMs);
    expect(await client.ask("UNSUBSCRIBE", ["btcusdt@bookTicker"], 2)).toEqual({ result: null, id: 2 });
    const seen = client.texts.length;
    await until(() => client.texts.length > seen + 10, patienceMs);
    expect(new Set(client.frames.slice(seen).map(({ s }) => s))).toEqual(new Set(["ETHUSDT"]));
    expect((await client.ask("LIST_SUBSCRIPTIONS", undefined, 3)).result).toEqual(["ethusdt@bookTicker"]);
  });

  test("that do not exist are accepted and silent, as is a symbol on a break", async () => {
    const client = await join(await start());
    const names = ["nosuchusdt@bookTicker", "BTCUSDT@bookTicker", "btcusdt@depth", "maticusdt@bookTicker"];
    expect(await client.ask("SUBSCRIBE", names, 1)).toEqual({ result: null, id: 1 });
    expect(await client.ask("SUBSCRIBE", ["btcusdt@bookTicker"], 2)).toEqual({ result: null, id: 2 });
    await until(() => client.texts.length > 30, patienceMs);
    expect(client.streams()).toEqual(new Set([undefined, "btcusdt@bookTicker"]));
  });

  test("say the same to every client", async () => {
    const simulator = await start();
    const [first, second] = [await join(simulator), await join(simulator)];
    await first.ask("SUBSCRIBE", ["btcusdt@aggTrade"], 1);
    await second.ask("SUBSCRIBE", ["btcusdt@aggTrade"], 1);
    await until(() => second.texts.length > 10, patienceMs);
    const later = second.texts.slice(1, 10);
    await until(() => first.texts.includes(later.at(-1) as string), patienceMs);
    const from = first.texts.indexOf(later[0] as string);
    expect(first.texts.slice(from, from + later.length)).toEqual(later);
  });

  test("follow the given clock, and go on when it is set back", async () => {
    let nowMs = Date.UTC(2025, 0, 1);
    const client = await join(await start({ clock: { nowMs: () => nowMs } }), "/ws");
    await client.ask("SUBSCRIBE", ["btcusdt@ticker"], 1);
    const timer = setInterval(() => {
      nowMs += 500;
    }, 5);
    closers.push(() => clearInterval(timer));
    await until(() => client.texts.length > 5, patienceMs);
    nowMs -= 3_600_000;
    const seen = client.texts.length;
    await until(() => client.texts.length > seen + 5, patienceMs);
    const times = client.frames.slice(1).map(({ E }) => E as number);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBeLessThan(Date.UTC(2025, 0, 2));
  });
});

describe("limits", () => {
  test("too many streams in a request are refused, in an address too", async () => {
    const simulator = await start({ limits: { maxStreams: 2 } });
    const client = await join(simulator, "/stream?streams=a@b/c@d");
    expect((await client.ask("SUBSCRIBE", ["e@f"], 1)).error).toEqual({ code: 4, msg: "Too many subscriptions" });
    expect(await refusal(simulator, "/stream?streams=a@b/c@d/e@f")).toBe(400);
  });

  test("five messages in a second are answered, a sixth ends the connection, and pings count", async () => {
    const simulator = await start();
    const request = (id: number) => `{"method":"LIST_SUBSCRIPTIONS","id":${id}}`;
    const modest = await join(simulator);
    for (let id = 1; id <= 5; id++) modest.socket.send(request(id));
    await until(() => modest.texts.length === 5, patienceMs);

    const greedy = await join(simulator);
    for (let id = 1; id <= 5; id++) greedy.socket.send(request(id));
    greedy.socket.ping();
    await until(() => greedy.closed !== null, patienceMs);
    expect(greedy.closed).toEqual({ code: 1008, reason: "Too many requests" });
    expect(modest.closed).toBeNull();
    await until(() => simulator.connections === 1, patienceMs);
  });

  test("a client that answers pings stays, one that does not is disconnected", async () => {
    const limits = { pingIntervalMs: 250, pongTimeoutMs: 600 };
    const simulator = await start({ limits });
    const answering = await join(simulator);
    const mute = await join(simulator, "/stream", { autoPong: false });
    await until(() => mute.closed !== null, patienceMs);
    expect(mute.closed).toEqual({ code: 1008, reason: "Pong timeout" });
    await until(() => answering.pings > 5, patienceMs);
    expect(answering.closed).toBeNull();
  });

  test("an unsolicited pong is allowed and is no answer", async () => {
    const simulator = await start({ limits: { pingIntervalMs: 100, pongTimeoutMs: 300 } });
    const client = await join(simulator, "/stream", { autoPong: false });
    client.socket.pong();
    await until(() => client.closed !== null, patienceMs);
    expect(client.closed?.reason).toBe("Pong timeout");
  });

  test("a connection ends when it is old", async () => {
    const client = await join(await start({ limits: { maxConnectionAgeMs: 100 } }));
    await until(() => client.closed !== null, patienceMs);
    expect(client.closed).toEqual({ code: 1001, reason: "Connection expired" });
  });

  test("a client that does not read costs a bounded amount of memory and is disconnected", async () => {
    const limits = { maxBufferedBytes: 100_000, slowClientGraceMs: 300 };
    const simulator = await start({ limits });
    const client = await join(simulator);
    client.socket.pause();
    const frame = "x".repeat(50_000);
    let most = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 50; i++) simulator.sendRaw(frame);
      most = Math.max(most, simulator.bufferedBytes);
    }, 1);
    closers.push(() => clearInterval(timer));
    await until(() => simulator.connections === 0, patienceMs);
    expect(most).toBeGreaterThan(limits.maxBufferedBytes);
    expect(most).toBeLessThan(limits.maxBufferedBytes + 2 * frame.length);
    expect(simulator.droppedUpdates).toBeGreaterThan(0);
  });
});

describe("REST", () => {
  const get = async (url: string): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(url);
    return { status: response.status, body: await response.json() };
  };

  test("answers as the exchange does", async () => {
    const { url } = await start({ clock: { nowMs: () => 1_700_000_000_000 } });
    expect(await get(`${url}/api/v3/ping`)).toEqual({ status: 200, body: {} });
    expect(await get(`${url}/api/v3/time`)).toEqual({ status: 200, body: { serverTime: 1_700_000_000_000 } });
    expect(await get(`${url}/api/v3/exchangeInfo?symbol=BTCUSDT`)).toMatchObject({
      status: 200,
      body: { symbols: [{ symbol: "BTCUSDT", status: "TRADING", baseAsset: "BTC", quoteAsset: "USDT" }] },
    });
    const two = encodeURIComponent('["ETHBTC","BTCUSDT"]');
    expect(await get(`${url}/api/v3/exchangeInfo?symbols=${two}`)).toMatchObject({
      body: { symbols: [{ symbol: "BTCUSDT" }, { symbol: "ETHBTC" }] },
    });
    expect(await get(`${url}/api/v3/exchangeInfo?symbolStatus=BREAK`)).toMatchObject({
      body: { symbols: [{ symbol: "MATICUSDT" }] },
    });
  });

  test.each([
    ["/api/v3/exchangeInfo?symbol=NOSUCH", 400, -1121],
    ["/api/v3/exchangeInfo?symbols=[", 400, -1100],
    ["/api/v3/exchangeInfo?symbol=BTCUSDT&symbolStatus=BREAK", 400, -1128],
    ["/api/v3/nothing", 404, -1020],
    ["/", 404, -1020],
  ])("%s is an error in its form", async (path, status, code) => {
    const { url } = await start();
    expect(await get(url + path)).toEqual({ status, body: { code, msg: expect.any(String) as string } });
  });

  test("other methods are refused, and a WebSocket elsewhere too", async () => {
    const simulator = await start();
    const response = await fetch(`${simulator.url}/api/v3/ping`, { method: "POST", body: "{}" });
    expect(response.status).toBe(405);
    await response.body?.cancel();
    expect(await refusal(simulator, "/nothing")).toBe(404);
  });
});

describe("our own adapter", () => {
  test("understands everything that is sent", async () => {
    const simulator = await start();
    const tickers = ["BTCUSDT", "ETHUSDT", "SHIBUSDT", "PEPEUSDT", "ETHBTC", "SOLBTC"];
    const endpoint = { websocketUrl: simulator.websocketUrl, endpointUrl: simulator.url };
    const { feed, events, details } = startTestFeed(endpoint, symbolsOf(...tickers));
    closers.push(() => feed.close());
    const kinds = ["bookTicker", "ticker24h", "trade", "orderBook"];
    const wanted = tickers.flatMap((_, symbolId) => kinds.map((kind) => `${kind} ${symbolId}`));
    const isAllThere = () => {
      const seen = new Set(events.map(({ kind, symbolId }) => `${kind} ${symbolId}`));
      return wanted.every((name) => seen.has(name));
    };
    await until(isAllThere);
    expect([...feed.stats.rejected]).toEqual([]);
    expect(details.filter((detail) => detail !== null)).toEqual([]);
  });

  test("reads all instruments", async () => {
    const { url, websocketUrl } = await start();
    const endpoint = {
      code: "SIM",
      websocketUrl,
      backupWebsocketUrl: null,
      endpointUrl: url,
      timeoutMs: 5_000,
      retryDelayMs: 10,
      staleAfterMs: 10_000,
    };
    const { instruments, brokenTickers } = await fetchInstruments(endpoint, pino({ level: "silent" }));
    expect(brokenTickers).toEqual([]);
    expect(instruments).toHaveLength(simulatedInstruments.length);
    expect(instruments.filter(({ status }) => status === "HALT").map(({ ticker }) => ticker)).toEqual(["MATICUSDT"]);
    expect(instruments.slice(0, 9).map(({ baseCurrency }) => baseCurrency)).toEqual(
      "BTC ETH XRP SOL AVAX SUI ENA UNI BNB".split(" "),
    );
    expect(instruments[0]).toEqual({
      ticker: "BTCUSDT",
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      status: "TRADING",
      tickSize: "0.01",
      stepSize: "0.00001",
      minQuantity: "0.00001",
      maxQuantity: "100000000",
      minOrderValue: "5",
      maxOrderValue: "9000000",
    });
  });
});

describe("faults", () => {
  test("disconnectAll cuts every connection without a goodbye, and the exchange goes on", async () => {
    const simulator = await start();
    const clients = [await join(simulator), await join(simulator)];
    simulator.disconnectAll();
    await until(() => clients.every(({ closed }) => closed?.code === 1006), patienceMs);
    expect(simulator.connections).toBe(0);
    const again = await join(simulator, "/ws/btcusdt@bookTicker");
    await until(() => again.texts.length > 0, patienceMs);
  });

  test("goSilent sends nothing, not even a pong, until it is over", async () => {
    const simulator = await start();
    const client = await join(simulator, "/ws/btcusdt@bookTicker");
    await until(() => client.texts.length > 0, patienceMs);
    simulator.goSilent(true);
    let pongs = 0;
    client.socket.on("pong", () => pongs++);
    client.socket.ping();
    client.socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}');
    // The REST answers show that the server has had time to answer the others.
    for (let i = 0; i < 20; i++) await (await fetch(`${simulator.url}/api/v3/ping`)).text();
    const seen = client.texts.length;
    for (let i = 0; i < 50; i++) await (await fetch(`${simulator.url}/api/v3/ping`)).text();
    expect(client.texts).toHaveLength(seen);
    expect(pongs).toBe(0);
    expect(client.closed).toBeNull();
    simulator.goSilent(false);
    await until(() => client.texts.length > seen, patienceMs);
  });

  test("sendRaw reaches every client as it is", async () => {
    const simulator = await start();
    const clients = [await join(simulator), await join(simulator, "/ws")];
    simulator.sendRaw("{garbage");
    await until(() => clients.every(({ texts }) => texts.includes("{garbage")), patienceMs);
  });

  test("refuseConnections answers 503 and leaves open connections alone", async () => {
    const simulator = await start();
    const client = await join(simulator);
    simulator.refuseConnections(true);
    expect(await refusal(simulator, "/stream")).toBe(503);
    expect((await fetch(`${simulator.url}/api/v3/ping`)).status).toBe(503);
    expect((await client.ask("LIST_SUBSCRIPTIONS", undefined, 1)).result).toEqual([]);
    simulator.refuseConnections(false);
    await join(simulator);
  });

  test("rejectNextSubscribe refuses one request", async () => {
    const simulator = await start();
    const client = await join(simulator);
    simulator.rejectNextSubscribe();
    expect((await client.ask("LIST_SUBSCRIPTIONS", undefined, 1)).result).toEqual([]);
    expect(await client.ask("SUBSCRIBE", ["btcusdt@bookTicker"], 2)).toEqual({
      error: { code: 2, msg: "Invalid request: invalid stream" },
      id: 2,
    });
    expect((await client.ask("SUBSCRIBE", ["btcusdt@bookTicker"], 3)).result).toBeNull();
  });
});

describe("closing", () => {
  test("ends all connections and frees the port, also with clients that say nothing", async () => {
    const simulator = await start();
    const port = Number(new URL(simulator.url).port);
    const client = await join(simulator, "/ws/btcusdt@bookTicker");
    await (await fetch(`${simulator.url}/api/v3/ping`)).text();
    const mute = connect(port, "127.0.0.1");
    mute.on("error", () => {});
    await once(mute, "connect");
    await simulator.close();
    await until(() => client.closed !== null && mute.destroyed, patienceMs);
    await (await start({ port })).close();
    await simulator.close();
  });

  test("a taken port is said in words", async () => {
    const { url } = await start();
    await expect(start({ port: Number(new URL(url).port) })).rejects.toThrow(/port \d+ is taken/);
  });
});
