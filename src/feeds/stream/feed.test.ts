import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { roundTrip } from "../../../test/support/fake-binance.js";
import { type FakeExchange, startFakeExchange } from "../../../test/support/fake-exchange.js";
import { startTestFeed, symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import type { DecimalText } from "../../core/decimal.js";
import { fixedPointOne } from "../../core/fixed-point.js";
import type { Feed } from "../feed.js";
import { findSymbol, reasonsOf, tradeOf } from "./events.js";
import type { Decoded, Message, Protocol, Route } from "./protocol.js";
import { commonTuning } from "./tuning.js";

let exchange: FakeExchange;
let feeds: Feed[];

beforeEach(async () => {
  feeds = [];
  exchange = await startFakeExchange();
});
afterEach(async () => {
  await Promise.all(feeds.map((feed) => feed.close()));
  await exchange.close();
});

const startFeed = (
  protocol: Protocol,
  symbols = symbolsOf("A", "B"),
  endpoint: Partial<Parameters<typeof startTestFeed>[0]> = {},
) => {
  const started = startTestFeed({ websocketUrl: exchange.url, ...endpoint }, symbols, {}, protocol);
  feeds.push(started.feed);
  return started;
};

/*
 * A protocol made up for these tests: requests are `+id A,B` and `-id A,B`, answers `ok id` and `no id`, trades
 * `trade A 5 7` (number, contracts).
 */
const route = (path: string, change: Partial<Route> = {}): Route => ({
  path,
  streamsPerSymbol: 1,
  hasBooks: false,
  requests(method, tickers, nextId): Message[] {
    const id = nextId();
    return [{ id, text: `${method === "SUBSCRIBE" ? "+" : "-"}${id} ${tickers.join(",")}`, answers: 1 }];
  },
  ...change,
});
const protocolWith = (change: Partial<Protocol> = {}): Protocol => ({
  routes: [route("/made-up")],
  tuning: {
    ...commonTuning,
    maxStreamsPerConnection: 10,
    maxNamesPerRequest: 10,
    requestGapMs: 1,
    attemptLimit: 100,
    attemptWindowMs: 1_000,
  },
  streamPrefix: (ticker) => ticker,
  decoder:
    (context) =>
    (text, receivedAtMs): Decoded | readonly Decoded[] => {
      const [word = "", first = "", number = "", contracts = ""] = text.split(" ");
      if (word === "ok" || word === "no") {
        return { kind: "answer", id: Number(first), error: word === "ok" ? null : "unknown" };
      }
      if (word === "pong") return { kind: "skipped", what: "pong" };
      const known = findSymbol(first, context, change.fetchContractSizes !== undefined);
      if ("kind" in known) return known;
      const last = Number(number);
      const raw = { price: "1", quantity: contracts, side: "BUY" as const, count: 1, exchangeTimeMs: receivedAtMs };
      const trades = [0, 1].map((i) =>
        tradeOf(known, { ...raw, id: `${last}-${i}`, sequence: last }, receivedAtMs, reasonsOf("trade")),
      );
      return trades;
    },
  ping: null,
  fetchContractSizes: null,
  ...change,
});
const accept = (text: string): string[] => (/^[+-]\d/.test(text) ? [`ok ${text.slice(1).split(" ")[0]}`] : []);

describe("requests", () => {
  test("the messages of one request all have to be answered", async () => {
    exchange.reply = (text) => (text.startsWith("+3") ? [] : accept(text));
    const requests: Route["requests"] = (_method, tickers, nextId) =>
      [1, 2, 3].map(() => {
        const id = nextId();
        return { id, text: `+${id} ${tickers.join(",")}`, answers: 1 };
      });
    const { statuses } = startFeed(protocolWith({ routes: [route("/made-up", { requests })] }));
    await until(() => exchange.connections[0]?.received.length === 3);
    await roundTrip(exchange.latest());
    expect(statuses).toEqual(["CONNECTING"]);
    exchange.latest().socket.send("ok 3");
    await until(() => statuses.includes("CONNECTED"));
    expect(exchange.latest().received).toEqual(["+1 A,B", "+2 A,B", "+3 A,B"]);
  });

  test("a message may be answered in parts", async () => {
    exchange.reply = (text) => accept(text);
    const requests: Route["requests"] = (method, tickers, nextId) =>
      route("")
        .requests(method, tickers, nextId, 0)
        .map((message) => ({ ...message, answers: tickers.length }));
    const { statuses } = startFeed(protocolWith({ routes: [route("/made-up", { requests })] }));
    await until(() => exchange.connections[0]?.received.length === 1);
    await roundTrip(exchange.latest());
    expect(statuses).toEqual(["CONNECTING"]);
    exchange.latest().socket.send("ok 1");
    await until(() => statuses.includes("CONNECTED"));
  });

  test("one refusal is enough, and the symbol at fault is found", async () => {
    exchange.reply = (text) => (text.includes("B") ? ["ok 0", `no ${text.slice(1).split(" ")[0]}`] : accept(text));
    const { statuses, details } = startFeed(protocolWith(), symbolsOf("A", "B", "C"));
    await until(() => statuses.includes("CONNECTED"));
    expect(exchange.latest().received).toEqual(["+1 A,B,C", "+2 A,B", "+3 C", "+4 A", "+5 B"]);
    expect(details.at(-1)).toBe("SUBSCRIBE refused: unknown");
  });

  test("an exchange that does not answer is not waited for", async () => {
    const requests: Route["requests"] = (method, tickers, nextId) =>
      route("")
        .requests(method, tickers, nextId, 0)
        .map((message) => ({ ...message, answers: 0 }));
    const { statuses } = startFeed(protocolWith({ routes: [route("/made-up", { requests })] }));
    await until(() => statuses.includes("CONNECTED") && exchange.connections[0]?.received.length === 1);
    expect(exchange.latest().received).toEqual(["+1 A,B"]);
  });

  test("pings go out by the clock and their answers are skipped", async () => {
    exchange.reply = (text) => (text === "ping" ? ["pong"] : accept(text));
    const { feed } = startFeed(protocolWith({ ping: { everyMs: 10, text: () => "ping" } }));
    await until(() => (feed.stats.skipped.get("pong") ?? 0) >= 3);
    expect(exchange.connections).toHaveLength(1);
  });
});

describe("routes", () => {
  const routes: Protocol["routes"] = [route("/fast/"), route("/slow/stream")];

  test.each(["", "/", "/slow/stream", "/slow/stream/"])(
    "every symbol is asked for on each; address %j",
    async (end) => {
      exchange.reply = accept;
      const protocol = end.startsWith("/slow")
        ? protocolWith({ routes: [route("/slow/stream")] })
        : protocolWith({ routes });
      const { statuses } = startFeed(protocol, symbolsOf("A", "B"), { websocketUrl: exchange.url + end });
      await until(() => statuses.includes("CONNECTED"));
      const paths = exchange.connections.map(({ path }) => path);
      expect(paths.toSorted()).toEqual(end.startsWith("/slow") ? ["/slow/stream"] : ["/fast/", "/slow/stream"]);
      expect(exchange.connections.every(({ received }) => received[0] === "+1 A,B")).toBe(true);
    },
  );

  test("the worst route is the feed's state, and the other goes on", async () => {
    exchange.reply = accept;
    const { statuses, events } = startFeed(protocolWith({ routes }));
    await until(() => statuses.includes("CONNECTED"));
    exchange.reply = () => [];
    exchange.latest("/slow/stream").socket.terminate();
    await until(() => statuses.at(-1) === "RECONNECTING");
    exchange.latest("/fast/").socket.send("trade A 5 1");
    await until(() => events.length === 2);
    expect(exchange.connections.filter(({ path }) => path === "/fast/")).toHaveLength(1);
  });
});

describe("events of one frame", () => {
  test("share their sequence and are counted as one message", async () => {
    exchange.reply = accept;
    const { feed, statuses, events } = startFeed(protocolWith());
    await until(() => statuses.includes("CONNECTED"));
    const { socket } = exchange.latest();
    for (const text of ["trade A 5 1", "trade A 5 1", "trade A 4 1", "trade B 1 1"]) socket.send(text);
    await until(() => events.length === 4);
    expect(feed.stats).toMatchObject({ messages: 5, events: 4 });
    expect(feed.stats.skipped.get("out-of-date-trade")).toBe(4);
  });

  test("close() from inside the first one stops the second", async () => {
    exchange.reply = accept;
    const { feed, statuses, events } = startFeed(protocolWith());
    await until(() => statuses.includes("CONNECTED"));
    const push = events.push.bind(events);
    let closing: Promise<void> | undefined;
    events.push = (event) => {
      closing = feed.close();
      return push(event);
    };
    exchange.latest().socket.send("trade A 5 1");
    await until(() => closing !== undefined);
    await closing;
    expect(events).toHaveLength(1);
  });
});

describe("contract sizes", () => {
  const ten = 10n * fixedPointOne;

  test("are here before anything is subscribed, however often it takes", async () => {
    exchange.reply = accept;
    const load = vi
      .fn<() => Promise<Map<string, bigint>>>()
      .mockRejectedValueOnce(new Error("down"))
      .mockResolvedValue(new Map([["A", ten]]));
    const { feed, statuses, details, events } = startFeed(protocolWith({ fetchContractSizes: load }));
    feed.setSymbols(symbolsOf("A", "B", "C"));
    await until(() => statuses.includes("CONNECTED"));
    expect(details).toEqual(["loading the contract sizes", "down", null, null]);
    expect(load).toHaveBeenCalledTimes(2);
    expect(exchange.latest().received).toEqual(["+1 A,B,C"]);
    exchange.latest().socket.send("trade B 5 7");
    exchange.latest().socket.send("trade A 5 7");
    await until(() => events.length === 2);
    expect(events[0]).toMatchObject({ quantity: "70" as DecimalText });
    expect(feed.stats.rejected.get("unknown-contract-size")).toBe(1);
  });

  test("close() while they are loading", async () => {
    let stopped = false;
    const { feed, statuses } = startFeed(
      protocolWith({
        fetchContractSizes: (_endpoint, _log, signal) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              stopped = true;
              reject(signal.reason);
            });
          }),
      }),
    );
    await feed.close();
    expect(stopped).toBe(true);
    expect(statuses).toEqual(["CONNECTING"]);
    expect(exchange.connections).toEqual([]);
  });
});
