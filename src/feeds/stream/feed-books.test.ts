import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { roundTrip } from "../../../test/support/fake-binance.js";
import { type ExchangeConnection, type FakeExchange, startFakeExchange } from "../../../test/support/fake-exchange.js";
import { startTestFeed, symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import type { MarketEvent } from "../../market-data/events.js";
import type { Feed } from "../feed.js";
import { defaultBookKeeperTuning } from "../order-books/keeper.js";
import { type BookRule, binanceSpotRule, okxRule } from "../order-books/rules.js";
import type { BookSnapshot } from "../order-books/sync.js";
import { download } from "../rest.js";
import { bookDiffOf, bookSnapshotOf, levelInList, requestedSnapshot } from "./books.js";
import { findSymbol, reasonsOf } from "./events.js";
import type { BookProtocol, Decoded, Message, Protocol, WriteRequests } from "./protocol.js";
import type { StreamTuning } from "./tuning.js";
import { commonTuning } from "./tuning.js";

let exchange: FakeExchange;
let feeds: Feed[];

beforeEach(async () => {
  feeds = [];
  exchange = await startFakeExchange();
  exchange.reply = (text) => [`ok ${text.slice(1).split(" ")[0]}`];
});
afterEach(async () => {
  await Promise.all(feeds.map((feed) => feed.close()));
  await exchange.close();
});

/*
 * A protocol made up for these tests: requests are `+id A,B` and `-id A,B`, those for books alone `+id A.book`; answers are
 * `ok id` and `no id`, announced ends `bye`, changes `diff A 5` (5 is the only bid's quantity, too) and snapshots `snap A 5`.
 */
const requests =
  (suffix: string): WriteRequests =>
  (method, tickers, nextId): Message[] => {
    const id = nextId();
    const names = tickers.map((ticker) => ticker + suffix).join(",");
    return [{ id, text: `${method === "SUBSCRIBE" ? "+" : "-"}${id} ${names}`, answers: 1 }];
  };

const reasons = reasonsOf("book");
const levelsAt = (number: string) => ({
  bids: [["1", number]],
  asks: [["2", "1"]],
  readLevel: levelInList,
  checksum: null,
});

function protocolOf(rule: BookRule, fetchSnapshot: BookProtocol["fetchSnapshot"]): Protocol {
  return {
    routes: [
      { path: "/a", streamsPerSymbol: 2, hasBooks: true, requests: requests(""), bookRequests: requests(".book") },
      { path: "/b", streamsPerSymbol: 1, hasBooks: false, requests: requests("") },
    ],
    tuning: {
      ...commonTuning,
      maxStreamsPerConnection: 20,
      maxNamesPerRequest: 20,
      requestGapMs: 1,
      attemptLimit: 100,
      attemptWindowMs: 1_000,
    },
    streamPrefix: (ticker) => ticker,
    decoder:
      (context) =>
      (text, receivedAtMs): Decoded => {
        const [word = "", first = "", number = ""] = text.split(" ");
        if (word === "ok" || word === "no") {
          return { kind: "answer", id: Number(first), error: word === "ok" ? null : "unknown" };
        }
        if (word === "bye") return { kind: "shutdown" };
        const known = findSymbol(first, context, false);
        if ("kind" in known) return known;
        const raw = { ...levelsAt(number), exchangeTimeMs: receivedAtMs };
        const last = Number(number);
        return word === "snap"
          ? bookSnapshotOf(known, { ...raw, sequence: last, depthLimit: null }, receivedAtMs, reasons)
          : bookDiffOf(known, { ...raw, first: last, last, previous: last - 1 }, receivedAtMs, reasons);
      },
    ping: null,
    fetchContractSizes: null,
    books: {
      rule,
      tuning: { ...defaultBookKeeperTuning, gapMs: 1, retryDelayMs: 2, maxRetryDelayMs: 4, publishGapMs: 1 },
      fetchSnapshot,
    },
  };
}

const inStream = protocolOf(okxRule, null);
/** The body of a response is the number of the snapshot. */
const byRequest = protocolOf(
  binanceSpotRule,
  async (endpoint, ticker, _contractSize, signal): Promise<BookSnapshot> => {
    const number = await download(endpoint, `/${ticker}`, signal);
    return requestedSnapshot({ ...levelsAt(number), sequence: Number(number), depthLimit: 1_000 }, null);
  },
);

const start = (protocol: Protocol, symbols = symbolsOf("A", "B"), tuning: Partial<StreamTuning> = {}) => {
  const endpoint = { websocketUrl: exchange.url, endpointUrl: exchange.restUrl };
  const started = startTestFeed(endpoint, symbols, tuning, protocol);
  feeds.push(started.feed);
  return started;
};
const connected = ({ statuses }: { statuses: string[] }) => until(() => statuses.at(-1) === "CONNECTED");
const send = (connection: ExchangeConnection, ...frames: string[]) => {
  for (const frame of frames) connection.socket.send(frame);
};
/** What was said of books: `0 at 5`, `0 lost: disconnected`. */
const said = (events: readonly MarketEvent[]): string[] =>
  events.flatMap((event) => {
    if (event.kind === "orderBook") return [`${event.symbolId} at ${event.exchangeSequence}`];
    return event.kind === "orderBookLost" ? [`${event.symbolId} lost: ${event.reason}`] : [];
  });

describe("snapshots by request", () => {
  test("are asked for when the exchange has confirmed the subscription, and not before", async () => {
    const held: string[] = [];
    exchange.reply = (text, { path }) => {
      if (path === "/a") held.push(text);
      return path === "/a" ? [] : [`ok ${text.slice(1).split(" ")[0]}`];
    };
    exchange.body = () => "4";
    const { feed, events } = start(byRequest);
    await until(() => held.length === 1);
    send(exchange.latest("/a"), "diff A 5");
    await until(() => feed.stats.skipped.get("book-not-followed") === 1);
    expect(exchange.requestedPaths).toEqual([]);
    send(exchange.latest("/a"), "ok 1");
    await until(() => said(events).length === 2);
    expect(exchange.requestedPaths.toSorted()).toEqual(["/A", "/B"]);
    send(exchange.latest("/a"), "diff A 5");
    await until(() => said(events).length === 3);
    expect(said(events)).toEqual(["0 at 4", "1 at 4", "0 at 5"]);
    expect(feed.stats).toMatchObject({ events: 3, books: { snapshots: 2, diffs: 1, published: 3 } });
  });

  test("a gap loses the book until the next snapshot", async () => {
    exchange.body = () => "4";
    const started = start(byRequest, symbolsOf("A"));
    const { events, feed } = started;
    await until(() => said(events).length === 1);
    exchange.body = () => "6";
    send(exchange.latest("/a"), "diff A 7");
    await until(() => said(events).length === 3);
    expect(said(events)).toEqual(["0 at 4", "0 lost: sequence-gap", "0 at 7"]);
    expect(events.at(-1)).toMatchObject({ bids: [["1", "7"]], asks: [["2", "1"]] });
    expect(feed.stats.books?.lost["sequence-gap"]).toBe(1);
  });

  test("a symbol that the exchange does not know is asked for again at growing intervals, and holds up no other", async () => {
    const { books } = byRequest;
    if (books === undefined) return expect.unreachable();
    const patient = { ...byRequest, books: { ...books, tuning: { ...books.tuning, maxRetryDelayMs: 60_000 } } };
    exchange.body = (path) => (path === "/A" ? { status: 400 } : "4");
    const { events, feed } = start(patient);
    await until(() => exchange.requestedPaths.filter((path) => path === "/A").length === 5);
    expect(said(events)).toEqual(["1 at 4"]);
    expect(feed.stats.books?.failedSnapshots).toBeGreaterThanOrEqual(4);
    expect(exchange.requestedPaths.filter((path) => path === "/B")).toHaveLength(1);
  });

  test("close() ends the one that is under way, and nothing is said afterwards", async () => {
    let answer: (snapshot: BookSnapshot) => void = () => {};
    let stopped = false;
    const protocol = protocolOf(
      binanceSpotRule,
      (_endpoint, _ticker, _contractSize, signal) =>
        new Promise((resolve) => {
          answer = resolve;
          signal.addEventListener("abort", () => {
            stopped = true;
          });
        }),
    );
    const { feed, events } = start(protocol, symbolsOf("A"));
    await until(() => exchange.connections.some(({ received }) => received.length > 0));
    await until(() => feed.stats.skipped.get("subscribe-response") === 2);
    await feed.close();
    expect(stopped).toBe(true);
    answer(requestedSnapshot({ ...levelsAt("4"), sequence: 4, depthLimit: 10 }, null));
    await Promise.resolve();
    expect(events).toEqual([]);
  });
});

describe("snapshots in the stream", () => {
  test("count also when they come before the answer to the subscription", async () => {
    exchange.reply = (text, { path }) => (path === "/a" ? ["snap A 4", "diff A 5"] : [`ok ${text.slice(1, 2)}`]);
    const { events } = start(inStream, symbolsOf("A"));
    await until(() => said(events).includes("0 at 5"));
  });

  test("a lost book is put off and on again, and nothing else is", async () => {
    const started = start(inStream);
    const { events } = started;
    await connected(started);
    const connection = exchange.latest("/a");
    send(connection, "snap A 4", "snap B 4", "diff A 6");
    await until(() => connection.received.length === 3);
    expect(connection.received).toEqual(["+1 A,B", "-2 A.book", "+3 A.book"]);
    send(connection, "diff A 7", "snap A 8", "diff A 9");
    await until(() => said(events).includes("0 at 9"));
    const ofA = said(events).filter((text) => text.startsWith("0"));
    expect(ofA.slice(0, 2)).toEqual(["0 at 4", "0 lost: sequence-gap"]);
    expect(ofA).not.toContain("0 at 7");
    expect(started.statuses.at(-1)).toBe("CONNECTED");
  });

  test("books that are lost soon after another are renewed together", async () => {
    const started = start(inStream, symbolsOf("A", "B", "C"), { bookRenewalGapMs: 100 });
    await connected(started);
    const connection = exchange.latest("/a");
    send(connection, "snap A 4", "snap B 4", "snap C 4", "diff A 6");
    await until(() => connection.received.length === 3);
    send(connection, "diff B 6", "diff C 6");
    await until(() => connection.received.length === 5);
    expect(connection.received.slice(1)).toEqual(["-2 A.book", "+3 A.book", "-4 B.book,C.book", "+5 B.book,C.book"]);
  });

  test("a renewal in the middle of subscribing does not hide that everything is subscribed", async () => {
    exchange.reply = (text, { path }) =>
      path === "/a" && !text.startsWith("+1") ? [] : [`ok ${text.slice(1).split(" ")[0]}`];
    const started = start(inStream, symbolsOf("A", "B"), { maxNamesPerRequest: 2 });
    await until(() => exchange.connections.some(({ path, received }) => path === "/a" && received.length === 2));
    const connection = exchange.latest("/a");
    send(connection, "snap A 4", "diff A 6");
    await until(() => connection.received.length === 4);
    expect(connection.received).toEqual(["+1 A", "+2 B", "-3 A.book", "+4 A.book"]);
    send(connection, "ok 2", "ok 3", "ok 4");
    await until(() => started.statuses.at(-1) === "CONNECTED", 1_500);
    expect(started.statuses).toEqual(["CONNECTING", "CONNECTED"]);
  });

  test("a refused renewal is tried again", async () => {
    exchange.reply = (text) => [`${text.includes(".book") ? "no" : "ok"} ${text.slice(1).split(" ")[0]}`];
    const { books } = inStream;
    if (books === undefined) return expect.unreachable();
    const impatient = { ...inStream, books: { ...books, tuning: { ...books.tuning, timeoutMs: 10 } } };
    const started = start(impatient, symbolsOf("A"));
    const { events, feed, details } = started;
    await connected(started);
    const connection = exchange.latest("/a");
    send(connection, "snap A 4", "diff A 6");
    await until(() => connection.received.length >= 5);
    expect(feed.stats.rejected.get("subscribe-refused")).toBeGreaterThanOrEqual(2);
    expect(connection.received.slice(1).every((text) => text.endsWith(" A.book"))).toBe(true);
    expect(details.at(-1)).toBeNull();
    send(connection, "snap A 8", "diff A 9");
    await until(() => said(events).includes("0 at 9"));
  });

  test("while one connection replaces another, each symbol's book comes from one of them", async () => {
    // Every connection is old at once, so that the first two are seen side by side.
    const { events, feed } = start(inStream, symbolsOf("A"), { maxConnectionAgeMs: 100, overlapMs: 50 });
    const [first, second] = await bothOf("/a");
    send(first, "snap A 4", "diff A 5");
    await until(() => said(events).includes("0 at 5"));
    send(second, "snap A 8");
    await until(() => said(events).includes("0 at 8"));
    send(first, "diff A 6", "diff A 7");
    await roundTrip(first).catch(() => {});
    send(second, "diff A 9");
    await until(() => said(events).includes("0 at 9"));
    expect(feed.stats.books?.lost).toEqual({ disconnected: 0, "sequence-gap": 0, "wrong-checksum": 0, crossed: 0 });
  });

  async function bothOf(path: string): Promise<[ExchangeConnection, ExchangeConnection]> {
    const ofPath = () => exchange.connections.filter((c) => c.path === path && c.received.length > 0);
    await until(() => ofPath().length === 2);
    const [first, second] = ofPath();
    if (first === undefined || second === undefined) throw new Error("unreachable");
    return [first, second];
  }
});

describe("symbols", () => {
  test("a connection that breaks loses its books, and they come back with it", async () => {
    const started = start(inStream);
    const { events } = started;
    await connected(started);
    send(exchange.latest("/a"), "snap A 4");
    await until(() => said(events).length === 1);
    exchange.latest("/b").socket.terminate();
    await until(() => exchange.connections.length === 3);
    exchange.latest("/a").socket.terminate();
    await until(() => exchange.connections.length === 4);
    await connected(started);
    send(exchange.latest("/a"), "snap A 2");
    await until(() => said(events).length === 4);
    // B had no book that anyone knew of, but may have had a best bid and offer.
    expect(said(events)).toEqual(["0 at 4", "0 lost: disconnected", "1 lost: disconnected", "0 at 2"]);
  });

  test("what came before the subscription was confirmed is lost with its connection, too", async () => {
    exchange.reply = () => [];
    const { feed, events, statuses } = start(inStream, symbolsOf("A"));
    const opened = () =>
      exchange.connections.filter(({ path, received }) => path === "/a" && received.length > 0).length;
    await until(() => opened() === 1);
    send(exchange.latest("/a"), "diff A 5");
    await until(() => feed.stats.skipped.get("book-not-followed") === 1);
    exchange.latest("/a").socket.terminate();
    await until(() => opened() === 2);
    // Nothing came on this one.
    exchange.latest("/a").socket.terminate();
    await until(() => opened() === 3);
    expect(said(events)).toEqual(["0 lost: disconnected"]);
    expect(statuses).not.toContain("CONNECTED");
  });

  test("what is no longer wanted is forgotten", async () => {
    exchange.body = () => "4";
    const { events, feed } = start(byRequest);
    await until(() => said(events).length === 2);
    feed.setSymbols(symbolsOf("A"));
    send(exchange.latest("/a"), "diff B 5", "diff A 5");
    await until(() => said(events).length === 3);
    expect(said(events).at(-1)).toBe("0 at 5");
    expect(feed.stats.skipped.get("unsubscribed-symbol")).toBe(1);
  });

  test("what comes back before it was taken off has a book again, also under another id", async () => {
    exchange.body = () => "4";
    const started = start(byRequest);
    const { events, feed } = started;
    await until(() => said(events).length === 2);
    const connection = exchange.latest("/a");
    feed.setSymbols(symbolsOf("A"));
    feed.setSymbols(symbolsOf("A", "B"));
    await until(() => said(events).length === 3);
    feed.setSymbols([
      { id: 0, ticker: "A" },
      { id: 7, ticker: "B" },
    ]);
    await until(() => said(events).length === 4);
    expect(said(events).slice(2)).toEqual(["1 at 4", "7 at 4"]);
    expect(connection.received.length).toBeLessThanOrEqual(3);
  });

  test("what the replacement of a broken connection has confirmed already is not waited for", async () => {
    exchange.body = () => "4";
    // The second connection confirms A alone: B waits.
    exchange.reply = (text, connection) => {
      const isSecond = exchange.connections.filter(({ path }) => path === "/a")[1] === connection;
      return isSecond && text.includes("B") ? [] : [`ok ${text.slice(1).split(" ")[0]}`];
    };
    const { events } = start(byRequest, symbolsOf("A", "B"), { maxNamesPerRequest: 2 });
    await until(() => said(events).length === 2);
    send(exchange.latest("/a"), "bye");
    await until(() => exchange.connections.filter((c) => c.path === "/a" && c.received.length === 2).length === 2);
    await roundTrip(exchange.latest("/a"));
    exchange.connections.find(({ path }) => path === "/a")?.socket.terminate();
    // Before the request for B is given up, which would ask for everything anew.
    await until(() => said(events).length === 5, 1_500);
    expect(said(events).slice(2).toSorted()).toEqual(["0 at 4", "0 lost: disconnected", "1 lost: disconnected"]);
  });
});
