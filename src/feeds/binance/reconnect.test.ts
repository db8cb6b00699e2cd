import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bookFrame, type FakeBinance, roundTrip, startFakeBinance } from "../../../test/support/fake-binance.js";
import { startTestFeed, symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import type { MarketEvent } from "../../market-data/events.js";

let exchange: FakeBinance;
let closers: (() => Promise<unknown>)[];

beforeEach(async () => {
  closers = [];
  exchange = await startFakeBinance();
});
afterEach(async () => {
  for (const close of closers.toReversed()) await close();
  await exchange.close();
});

const start: typeof startTestFeed = (...args) => {
  const started = startTestFeed(...args);
  closers.push(() => started.feed.close());
  return started;
};
const sequences = (events: MarketEvent[]) => events.map((e) => ("exchangeSequence" in e ? e.exchangeSequence : null));

/** Accepts TCP connections and never says a word. */
async function startMuteServer(): Promise<{ url: string; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}

describe("a lost connection", () => {
  test("is opened anew and everything that is wanted now is subscribed again", async () => {
    const { feed, events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B"));
    await until(() => statuses.includes("CONNECTED"));
    feed.setSymbols(symbolsOf("B", "C"));
    await until(() => exchange.latest().streams.has("c@ticker"));
    exchange.latest().socket.terminate();
    await until(() => statuses.filter((s) => s === "CONNECTED").length === 2);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED", "RECONNECTING", "CONNECTED"]);
    expect([...exchange.latest().streams]).toEqual(
      ["b", "c"].flatMap((t) => [`${t}@bookTicker`, `${t}@aggTrade`, `${t}@ticker`, `${t}@depth@100ms`]),
    );
    exchange.latest().socket.send(bookFrame("C", 9));
    await until(() => events.length === 1);
    expect(feed.stats.reconnects).toBe(1);
  });

  test("only the lost one of several connections is opened anew", async () => {
    const { statuses, details } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B"), {
      maxStreamsPerConnection: 4,
    });
    await until(() => statuses.includes("CONNECTED"));
    exchange.connections.find(({ streams }) => streams.has("b@ticker"))?.socket.close(1001, "maintenance");
    await until(() => exchange.connections.length === 3 && statuses.at(-1) === "CONNECTED");
    expect([...exchange.latest().streams][0]).toBe("b@bookTicker");
    expect(details[2]).toBe("closed by the exchange (1001, maintenance)");
  });

  test("an oversized frame is counted and costs the connection, not the feed", async () => {
    const { feed, events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A"), { maxFrameBytes: 2_000 });
    await until(() => statuses.includes("CONNECTED"));
    exchange.latest().socket.send("x".repeat(2_001));
    await until(() => statuses.filter((s) => s === "CONNECTED").length === 2);
    exchange.latest().socket.send(bookFrame("A", 1));
    await until(() => events.length === 1);
    expect(feed.stats.rejected.get("oversized-frame")).toBe(1);
  });

  test("retries with growing pauses while the exchange is away, and says so once", async () => {
    const port = Number(new URL(exchange.url).port);
    await exchange.close();
    const { feed, statuses, details } = start({ websocketUrl: `ws://127.0.0.1:${port}` }, symbolsOf("A"));
    await until(() => feed.stats.reconnects >= 4);
    expect(statuses).toEqual(["CONNECTING", "RECONNECTING"]);
    expect(details).toEqual([null, "connection refused"]);
    exchange = await startFakeBinance(port);
    await until(() => statuses.at(-1) === "CONNECTED");
  });

  test("the pauses start anew after a connection has delivered something", async () => {
    const { events, logged } = start({ websocketUrl: exchange.url, retryDelayMs: 2 }, symbolsOf("A"));
    const attempts = () => logged.filter(({ msg }) => msg === "feed.retry-scheduled").map(({ attempt }) => attempt);
    for (let n = 1; n <= 3; n++) {
      await until(() => (exchange.connections[n - 1]?.streams.size ?? 0) === 4);
      exchange.latest().socket.terminate();
    }
    await until(() => (exchange.connections[3]?.streams.size ?? 0) === 4);
    expect(attempts()).toEqual([0, 1, 2]);
    exchange.latest().socket.send(bookFrame("A", 1));
    await until(() => events.length === 1);
    exchange.latest().socket.terminate();
    await until(() => attempts().length === 4);
    expect(attempts().at(-1)).toBe(0);
  });

  test("the backup address is tried in turn with the first one", async () => {
    const mute = await startMuteServer();
    const { statuses, details } = start(
      { websocketUrl: mute.url, backupWebsocketUrl: exchange.url, timeoutMs: 100 },
      symbolsOf("A"),
    );
    await until(() => statuses.includes("CONNECTED"));
    expect(mute.sockets).toHaveLength(1);
    expect(details[1]).toBe("no connection within 100 ms");
    // It delivered nothing before it was lost: back to the first address.
    exchange.latest().socket.terminate();
    await until(() => mute.sockets.length === 2);
    await until(() => exchange.connections.length === 2);
  });

  test("no more attempts than the exchange allows", async () => {
    const mute = await startMuteServer();
    const { details } = start({ websocketUrl: mute.url, timeoutMs: 5, retryDelayMs: 1 }, symbolsOf("A"), {
      attemptLimit: 3,
      attemptWindowMs: 60_000,
    });
    await until(() => details.at(-1) === "waiting: too many connection attempts");
    expect(mute.sockets.length).toBeLessThanOrEqual(3);
  });
});

describe("a silent connection", () => {
  test("is STALE, then replaced", async () => {
    const { statuses, details } = start({ websocketUrl: exchange.url, staleAfterMs: 80 }, symbolsOf("A"));
    await until(() => exchange.connections.length === 2 && statuses.at(-1) === "CONNECTED");
    expect(statuses.slice(0, 5)).toEqual(["CONNECTING", "CONNECTED", "STALE", "RECONNECTING", "CONNECTED"]);
    expect(details[2]).toBe("silent for 80 ms");
  });

  test("pings keep it alive", async () => {
    const { statuses } = start({ websocketUrl: exchange.url, staleAfterMs: 200 }, symbolsOf("A"));
    await until(() => statuses.includes("CONNECTED"));
    const connection = exchange.latest();
    const pinging = setInterval(() => connection.socket.ping(), 20);
    await until(() => connection.pongsAtMs.length >= 30);
    clearInterval(pinging);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
    await until(() => statuses.includes("STALE"));
  });
});

describe("an expiring connection", () => {
  test.each(["age", "shutdown"])(
    "is replaced without a gap (%s): the old one goes when the new one delivers",
    async (why) => {
      const aged = why === "age" ? { maxConnectionAgeMs: 100 } : {};
      const { feed, events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B"), {
        ...aged,
        maxNamesPerRequest: 4,
        requestGapMs: 20,
        overlapMs: 0,
      });
      await until(() => statuses.includes("CONNECTED"));
      const old = exchange.latest();
      // The replacement is not told that its subscriptions are done until the test says so.
      const held: object[] = [];
      exchange.answer = ({ id }) => {
        held.push({ result: null, id });
        return null;
      };
      old.socket.send(bookFrame("A", 1));
      if (why === "shutdown") old.socket.send('{"e":"serverShutdown","E":1700000000000}');
      await until(() => exchange.connections.length === 2 && held.length === 2);
      const replacement = exchange.latest();
      old.socket.send(bookFrame("A", 2));
      replacement.socket.send(bookFrame("A", 2));
      replacement.socket.send(bookFrame("A", 3));
      await until(() => events.length === 3);
      // It delivers, but not everything is subscribed: the old one must go on.
      old.socket.send(bookFrame("B", 1));
      await until(() => events.length === 4);
      for (let i = 0; i < 10; i++) await roundTrip(old);
      expect(old.socket.readyState).toBe(1);
      for (const answer of held) replacement.socket.send(JSON.stringify(answer));
      exchange.answer = ({ id }) => ({ result: null, id });
      await until(() => old.socket.readyState === 3);
      replacement.socket.send(bookFrame("A", 4));
      replacement.socket.send(bookFrame("B", 2));
      await until(() => events.length === 6);
      expect(sequences(events)).toEqual([1, 2, 3, 1, 4, 2]);
      expect(feed.stats.skipped.get("out-of-date-bookTicker")).toBe(1);
      expect(feed.stats.reconnects).toBe(0);
      expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
    },
  );

  test("a replacement that delivers nothing yet does not end the old connection", async () => {
    const { events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A"), {
      maxConnectionAgeMs: 60,
      overlapMs: 0,
    });
    await until(() => statuses.includes("CONNECTED"));
    const old = exchange.latest();
    await until(() => exchange.connections.length === 2 && exchange.latest().streams.size === 4);
    const replacement = exchange.latest();
    await roundTrip(replacement);
    for (let i = 0; i < 10; i++) await roundTrip(old);
    old.socket.send(bookFrame("A", 1));
    await until(() => events.length === 1);
    expect(old.socket.readyState).toBe(1);
    replacement.socket.send(bookFrame("A", 2));
    await until(() => old.socket.readyState === 3);
    expect(sequences(events)).toEqual([1, 2]);
  });

  test("if the old connection ends first, the replacement takes over", async () => {
    const { events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A"), { maxConnectionAgeMs: 60 });
    await until(() => statuses.includes("CONNECTED"));
    const old = exchange.latest();
    await until(() => exchange.connections.length === 2 && exchange.latest().streams.size === 4);
    const replacement = exchange.latest();
    await roundTrip(replacement);
    old.socket.close();
    await until(() => old.socket.readyState === 3);
    await roundTrip(replacement);
    replacement.socket.send(bookFrame("A", 1));
    await until(() => events.length === 1);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
  });

  test("if the replacement fails, the old connection goes on and another one is tried", async () => {
    const { events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A"), { maxConnectionAgeMs: 60 });
    await until(() => statuses.includes("CONNECTED"));
    const old = exchange.latest();
    old.socket.send(bookFrame("A", 1));
    await until(() => exchange.connections.length === 2);
    exchange.latest().socket.terminate();
    await until(() => exchange.connections.length === 3);
    old.socket.send(bookFrame("A", 2));
    await until(() => events.length === 2);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
  });
});

test("an exchange that numbers anew after a reconnect is heard at once", async () => {
  const { events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A"));
  await until(() => statuses.includes("CONNECTED"));
  exchange.latest().socket.send(bookFrame("A", 1_000));
  await until(() => events.length === 1);
  exchange.latest().socket.terminate();
  await until(() => exchange.connections.length === 2 && statuses.at(-1) === "CONNECTED");
  exchange.latest().socket.send(bookFrame("A", 1));
  exchange.latest().socket.send(bookFrame("A", 2));
  // The second is that the best bid and offer were lost.
  await until(() => events.length === 4);
  expect(sequences(events)).toEqual([1_000, null, 1, 2]);
});
