import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  bookFrame,
  type FakeBinance,
  roundTrip,
  startFakeBinance,
  tradeFrame,
} from "../../../test/support/fake-binance.js";
import { startTestFeed, symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import type { Feed } from "../feed.js";
import { spotTuning } from "./protocol.js";

let exchange: FakeBinance;
let feeds: Feed[];

beforeEach(async () => {
  feeds = [];
  exchange = await startFakeBinance();
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(feeds.map((feed) => feed.close()));
  await exchange.close();
});

const start: typeof startTestFeed = (...args) => {
  const started = startTestFeed(...args);
  feeds.push(started.feed);
  return started;
};
const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
const streamsOf = (...tickers: string[]) =>
  tickers.flatMap((t) =>
    ["bookTicker", "aggTrade", "ticker", "depth@100ms"].map((channel) => `${t.toLowerCase()}@${channel}`),
  );

describe("subscribing", () => {
  test.each(["", "/", "/stream", "/stream/"])(
    "connects to the combined endpoint of an address ending in %j",
    async (end) => {
      const { statuses } = start({ websocketUrl: exchange.url + end }, symbolsOf("BTCUSDT"));
      await until(() => statuses.includes("CONNECTED"));
      expect(exchange.latest().path).toBe("/stream");
      expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
    },
  );

  test("keeps the broadcast order, whole symbols per message, and the limit of names per message", async () => {
    const tickers = Array.from({ length: 150 }, (_, i) => `COIN${(i * 37) % 150}USDT`);
    const { statuses } = start({ websocketUrl: exchange.url }, symbolsOf(...tickers));
    await until(() => statuses.includes("CONNECTED"));
    const { requests } = exchange.latest();
    expect(requests.map(({ params }) => params.length)).toEqual([200, 200, 200]);
    expect(requests.flatMap(({ params }) => params)).toEqual(streamsOf(...tickers));
    expect(new Set(requests.map(({ id }) => id)).size).toBe(3);
  });

  test("spreads symbols over connections of at most 1024 streams, in order", async () => {
    const tickers = Array.from({ length: 700 }, (_, i) => `C${i}USDT`);
    const { statuses } = start({ websocketUrl: exchange.url }, symbolsOf(...tickers));
    await until(() => statuses.includes("CONNECTED"));
    const sizes = exchange.connections.map(({ streams }) => streams.size);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([752, 1024, 1024]);
    expect(new Set(exchange.connections.flatMap(({ streams }) => [...streams]))).toEqual(
      new Set(streamsOf(...tickers)),
    );
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
  });

  test("never more than 4 client messages in any second, pongs counted, at the real pace", async () => {
    const { statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B", "C", "D", "E", "F"), {
      maxNamesPerRequest: 4,
      requestGapMs: spotTuning.requestGapMs,
    });
    await until(() => (exchange.connections[0]?.requests.length ?? 0) === 2);
    exchange.latest().socket.ping();
    await until(() => statuses.includes("CONNECTED"));
    const { requests, pongsAtMs } = exchange.latest();
    expect(pongsAtMs).toHaveLength(1);
    const times = [...requests.map(({ atMs }) => atMs), ...pongsAtMs].toSorted((a, b) => a - b);
    for (const from of times) expect(times.filter((t) => t >= from && t < from + 1_000).length).toBeLessThanOrEqual(4);
  });

  test("an unanswered request loses the connection, which is opened anew", async () => {
    exchange.answer = ({ id }) => (exchange.connections.length === 1 ? null : { result: null, id });
    const { statuses, details } = start({ websocketUrl: exchange.url, timeoutMs: 1_000 }, symbolsOf("BTCUSDT"));
    await until(() => statuses.includes("CONNECTED"));
    expect(statuses).toEqual(["CONNECTING", "RECONNECTING", "CONNECTED"]);
    expect(details[1]).toContain("not answered within 1000 ms");
  });

  test("a refused request is counted, logged and shown, and does not silence the symbols that are not at fault", async () => {
    exchange.answer = ({ id, params }) =>
      params.some((name) => name.startsWith("bad"))
        ? { error: { code: 2, msg: "Invalid symbol" }, id }
        : { result: null, id };
    const tickers = ["AUSDT", "BUSDT", "BADUSDT", "CUSDT", "DUSDT"];
    const { feed, events, statuses, details, logged } = start({ websocketUrl: exchange.url }, symbolsOf(...tickers));
    await until(() => statuses.includes("CONNECTED"));
    expect(exchange.latest().streams).toEqual(new Set(streamsOf("AUSDT", "BUSDT", "CUSDT", "DUSDT")));
    expect(details.at(-1)).toBe("SUBSCRIBE refused: Invalid symbol (2)");
    expect(feed.stats.rejected.get("subscribe-refused")).toBeGreaterThan(1);
    expect(logged.some(({ msg, error }) => msg === "feed.subscribe-refused" && error === "Invalid symbol (2)")).toBe(
      true,
    );
    exchange.latest().socket.send(bookFrame("DUSDT", 1));
    await until(() => events.length === 1);

    // Without the bad symbol there is nothing left to complain about.
    feed.setSymbols(symbolsOf("AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT"));
    await until(() => details.at(-1) === null);
    expect(statuses.at(-1)).toBe("CONNECTED");
  });
});

describe("changing the symbols", () => {
  test("removing a symbol that was about to be tried again settles the rest", async () => {
    exchange.answer = ({ id, params }) =>
      params.length > 4 ? { error: { code: 2, msg: "no" }, id } : { result: null, id };
    const { feed, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B"), { requestGapMs: 150 });
    await until(() => exchange.connections[0]?.streams.has("a@ticker") === true);
    await roundTrip(exchange.latest());
    feed.setSymbols(symbolsOf("A"));
    await until(() => statuses.includes("CONNECTED"));
    expect(exchange.latest().streams.size).toBe(4);
  });

  test("subscribes and unsubscribes on the open connection, new ones in order", async () => {
    const { feed, events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B", "C"));
    await until(() => statuses.includes("CONNECTED"));
    const { requests, socket } = exchange.latest();
    feed.setSymbols(symbolsOf("Z", "C", "A", "Y"));
    await until(() => requests.length === 3);
    expect(requests.slice(1)).toMatchObject([
      { method: "UNSUBSCRIBE", params: streamsOf("B") },
      { method: "SUBSCRIBE", params: streamsOf("Z", "Y") },
    ]);
    socket.send(bookFrame("B", 1));
    socket.send(bookFrame("Y", 1));
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ symbolId: 3 }]);
    expect(feed.stats.skipped.get("unsubscribed-symbol")).toBe(1);
    expect(exchange.connections).toHaveLength(1);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
  });

  test("fills free places, opens further connections, closes empty ones, and leaves the others alone", async () => {
    const { feed, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B", "C", "D"), {
      maxStreamsPerConnection: 8,
    });
    await until(() => statuses.includes("CONNECTED"));
    const has = (ticker: string) => exchange.connections.find(({ streams }) => streams.has(`${ticker}@ticker`));
    const [ab, cd] = [has("a"), has("c")];
    expect([...(ab?.streams ?? [])]).toEqual(streamsOf("A", "B"));
    feed.setSymbols(symbolsOf("C", "D", "E", "F", "G"));
    await until(() => exchange.connections.length === 4 && statuses.at(-1) === "CONNECTED");
    await until(() => ab?.socket.readyState === 3);
    expect(cd?.socket.readyState).toBe(1);
    expect(cd?.requests).toHaveLength(1);
    feed.setSymbols(symbolsOf("C", "H", "E", "F", "G", "I"));
    await until(() => ["h", "i"].every((ticker) => has(ticker) !== undefined));
    expect([...(cd?.streams ?? [])]).toEqual(streamsOf("C", "H"));
    expect(exchange.connections).toHaveLength(4);
  });

  test("no symbols: no connection; the first one opens it", async () => {
    const { feed, statuses } = start({ websocketUrl: exchange.url }, []);
    expect(statuses).toEqual(["DISCONNECTED"]);
    feed.setSymbols(symbolsOf("A"));
    await until(() => statuses.includes("CONNECTED"));
    feed.setSymbols([]);
    await until(() => exchange.latest().socket.readyState === 3);
    expect(statuses).toEqual(["DISCONNECTED", "CONNECTING", "CONNECTED", "DISCONNECTED"]);
  });

  test("changes made before the connection is open are subscribed once", async () => {
    const { feed, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B"));
    feed.setSymbols(symbolsOf("B", "C"));
    await until(() => statuses.includes("CONNECTED"));
    expect(exchange.latest().requests).toMatchObject([{ method: "SUBSCRIBE", params: streamsOf("B", "C") }]);
  });
});

describe("what the exchange sends", () => {
  test("garbage, half and binary frames are counted and logged once per kind, and the stream goes on", async () => {
    const { feed, events, statuses, logged } = start({ websocketUrl: exchange.url }, symbolsOf("A"));
    await until(() => statuses.includes("CONNECTED"));
    const { socket } = exchange.latest();
    for (const text of ["garbage", bookFrame("A", 1).slice(0, 50), "{}", bookFrame("X", 1), bookFrame("A", 1, "-5")]) {
      socket.send(text);
    }
    socket.send(Buffer.from([1, 2, 3]), { binary: true });
    socket.send(bookFrame("A", 2));
    await until(() => events.length === 1);
    expect(Object.fromEntries(feed.stats.rejected)).toEqual({
      "not-json": 2,
      "not-a-frame": 1,
      "unknown-symbol": 1,
      "bookTicker-price": 1,
      "binary-frame": 1,
    });
    expect(logged.filter(({ msg }) => msg === "feed.frame-rejected")).toHaveLength(5);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
    expect(feed.stats).toMatchObject({ messages: 7, events: 1, reconnects: 0 });
  });

  test("events that are not newer than the last one of their symbol and kind are dropped", async () => {
    const { feed, events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A", "B"));
    await until(() => statuses.includes("CONNECTED"));
    const { socket } = exchange.latest();
    for (const u of [5, 5, 4, 6]) socket.send(bookFrame("A", u));
    for (const a of [5, 3, 5, 6]) socket.send(tradeFrame("A", a));
    socket.send(bookFrame("B", 1));
    await until(() => events.length === 5);
    expect(events.map((e) => [e.symbolId, e.kind, "exchangeSequence" in e && e.exchangeSequence])).toEqual([
      [0, "bookTicker", 5],
      [0, "bookTicker", 6],
      [0, "trade", 5],
      [0, "trade", 6],
      [1, "bookTicker", 1],
    ]);
    expect(feed.stats.skipped.get("out-of-date-bookTicker")).toBe(2);
    expect(feed.stats.skipped.get("out-of-date-trade")).toBe(2);
  });
});

describe("configuration and closing", () => {
  test.each(["", "stream.binance.com", "https://stream.binance.com"])(
    "address %j is an ERROR",
    async (websocketUrl) => {
      const { feed, statuses } = start({ websocketUrl }, symbolsOf("A"));
      feed.setSymbols(symbolsOf("A", "B"));
      expect(statuses).toEqual(["ERROR"]);
      await feed.close();
    },
  );

  test("close() ends sockets and timers, and nothing is called afterwards", async () => {
    const { feed, events, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A"));
    await until(() => statuses.includes("CONNECTED"));
    const { socket } = exchange.latest();
    for (let u = 1; u <= 50; u++) socket.send(bookFrame("A", u));
    const before = [events.length, statuses.length];
    const closing = feed.close();
    for (let u = 51; u <= 100; u++) socket.send(bookFrame("A", u));
    await closing;
    feed.setSymbols(symbolsOf("A", "B"));
    await until(() => socket.readyState === 3);
    expect([events.length, statuses.length]).toEqual(before);
    expect(exchange.connections).toHaveLength(1);
    expect(openSockets()).toBe(0);
  });

  test("close() waits until an exchange that does not say goodbye has been cut", async () => {
    const { feed, statuses } = start({ websocketUrl: exchange.url }, symbolsOf("A"), { closeGraceMs: 30 });
    await until(() => statuses.includes("CONNECTED"));
    exchange.latest().socket.pause();
    expect(openSockets()).toBe(2);
    await feed.close();
    expect(openSockets()).toBe(1);
  });

  test.each(["being connected", "waiting for an answer", "waiting to reconnect"])(
    "close() while %s",
    async (moment) => {
      // Nothing here waits for a timer: those that are still set at the end would have been left behind.
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      exchange.answer = () => null;
      const endpoint = { websocketUrl: exchange.url, timeoutMs: 60_000, retryDelayMs: 60_000, staleAfterMs: 60_000 };
      const { feed, statuses } = start(endpoint, symbolsOf("A"));
      if (moment !== "being connected") await until(() => exchange.connections[0]?.requests.length === 1);
      if (moment === "waiting to reconnect") {
        exchange.latest().socket.terminate();
        await until(() => statuses.includes("RECONNECTING"));
      }
      const before = statuses.length;
      await feed.close();
      expect(vi.getTimerCount()).toBe(0);
      expect(statuses).toHaveLength(before);
    },
  );

  test("close() from inside an event stops the events that follow it", async () => {
    const started = start({ websocketUrl: exchange.url }, symbolsOf("A"));
    await until(() => started.statuses.includes("CONNECTED"));
    const push = started.events.push.bind(started.events);
    let closing: Promise<void> | undefined;
    started.events.push = (event) => {
      closing = started.feed.close();
      return push(event);
    };
    for (let u = 1; u <= 5; u++) exchange.latest().socket.send(bookFrame("A", u));
    await until(() => closing !== undefined);
    await closing;
    expect(started.events).toHaveLength(1);
  });
});
