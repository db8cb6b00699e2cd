import { crc32 } from "node:zlib";
import { fc, test } from "@fast-check/vitest";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { badPrices, expectSound, listOf } from "../../test/support/bad-values.js";
import {
  type BookDialect,
  type BookPart,
  bookDialects,
  impatient,
  type Level,
} from "../../test/support/book-dialects.js";
import { type FakeExchange, startFakeExchange } from "../../test/support/fake-exchange.js";
import { startTestFeed, symbolsOf } from "../../test/support/spot-feed.js";
import { until } from "../../test/support/until.js";
import { Catalogue, type DataProvider } from "../catalogue/catalogue.js";
import { fixedPointOne } from "../core/fixed-point.js";
import type { MarketEvent, OrderBookEvent } from "../market-data/events.js";
import { LiveMarket } from "../market-data/live-market.js";
import { QuoteBoard } from "../market-data/quotes.js";
import { binanceFuturesProtocol } from "./binance-futures/protocol.js";
import type { Feed } from "./feed.js";
import { okxFuturesProtocol, okxSpotProtocol } from "./okx/protocol.js";
import { startStreamFeed } from "./stream/feed.js";

/* The books of each exchange through its whole feed, against an exchange on loopback that speaks as the real one does. */

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

const booksIn = (events: readonly MarketEvent[]): OrderBookEvent[] =>
  events.flatMap((event) => (event.kind === "orderBook" ? [event] : []));
const lostIn = (events: readonly MarketEvent[]): string[] =>
  events.flatMap((event) => (event.kind === "orderBookLost" ? [event.reason] : []));

const bookChannel = /"books"|orderbook\.50|order_book_update|depth@100ms/;

/** A feed, and its exchange; `whole` is the snapshot that comes when it is asked for. */
function startBooks(dialect: BookDialect, whole: BookPart, ...otherTickers: string[]) {
  const subject = { whole, snapshots: 0 };
  exchange.reply = (text) => {
    const answers = dialect.reply(text);
    if (dialect.snapshotFrame === null || !bookChannel.test(text) || /"unsubscribe"/.test(text)) return answers;
    subject.snapshots++;
    return [...answers, dialect.snapshotFrame(subject.whole)];
  };
  exchange.body = (path) => {
    if (path !== dialect.snapshotPath || dialect.snapshotBody === null) return dialect.otherBody(path);
    subject.snapshots++;
    return JSON.stringify(dialect.snapshotBody(subject.whole));
  };
  const endpoint = { websocketUrl: exchange.url, endpointUrl: exchange.restUrl };
  const started = startTestFeed(endpoint, symbolsOf(dialect.ticker, ...otherTickers), {}, impatient(dialect.protocol));
  feeds.push(started.feed);
  return Object.assign(subject, {
    ...started,
    send: (frame: object) => exchange.latest(dialect.path).socket.send(JSON.stringify(frame)),
    sequence: () => booksIn(started.events).at(-1)?.exchangeSequence,
  });
}

const ladder = (from: number, step: number, count: number): Level[] =>
  Array.from({ length: count }, (_, i): Level => [(from + i * step).toFixed(2), "3"]);
const small: BookPart = { number: 10, bids: [["99.50", "1"]], asks: [["100.50", "2"]] };

describe.each(bookDialects)("$name", (dialect) => {
  const inBase = (quantity: number): string => (dialect.unit === 0 ? String(quantity) : (quantity / 10).toString());

  test("gives the best 50 levels of a side, in base currency, and follows the changes", async () => {
    const { events, send, feed, sequence } = startBooks(dialect, {
      number: 10,
      bids: ladder(99, -0.01, 60),
      asks: ladder(100, 0.01, 60),
    });
    await until(() => sequence() === 10);
    const [first] = booksIn(events);
    expect([first?.bids.length, first?.asks.length]).toEqual([50, 50]);
    expect([first?.bids[0], first?.bids[49]]).toEqual([
      ["99", inBase(3)],
      ["98.51", inBase(3)],
    ]);
    expect([first?.asks[0], first?.asks[49]]).toEqual([
      ["100", inBase(3)],
      ["100.49", inBase(3)],
    ]);
    send(
      dialect.diff({
        number: 11,
        bids: [
          ["99.00", "0"],
          ["99.50", "7"],
        ],
        asks: [["100.00", "4"]],
      }),
    );
    await until(() => sequence() === 11);
    const last = booksIn(events).at(-1);
    expect(last?.bids.slice(0, 2)).toEqual([
      ["99.5", inBase(7)],
      ["98.99", inBase(3)],
    ]);
    expect(last?.asks.slice(0, 2)).toEqual([
      ["100", inBase(4)],
      ["100.01", inBase(3)],
    ]);
    expect(Math.abs(Date.now() - (last?.exchangeTimeMs ?? 0))).toBeLessThan(10_000);
    expect(feed.stats.books).toMatchObject({ snapshots: 1, diffs: 1, failedSnapshots: 0 });
    expect(feed.stats.events).toBe(events.length);
  });

  test("a gap loses the book, and another snapshot brings it back", async () => {
    const subject = startBooks(dialect, small);
    const { events, send, sequence, feed } = subject;
    await until(() => sequence() === 10);
    const messages = exchange.latest(dialect.path).received.length;
    subject.whole = { ...small, number: 13, bids: [["99.40", "5"]] };
    send(dialect.diff({ number: 12, bids: [["99.60", "1"]] }));
    await until(() => sequence() === 13);
    expect(lostIn(events)).toEqual(["sequence-gap"]);
    expect(booksIn(events).at(-1)?.bids).toEqual([["99.4", inBase(5)]]);
    expect(subject.snapshots).toBe(2);
    expect(feed.stats.books?.lost["sequence-gap"]).toBe(1);
    const renewal = exchange.latest(dialect.path).received.slice(messages);
    // Only the book's channel is put off and on again, and only where that brings the snapshot.
    expect(renewal).toHaveLength(dialect.snapshotFrame === null ? 0 : 2);
    expect(renewal.filter((text) => /trade|ticker/i.test(text))).toEqual([]);
  });

  test("a crossed book is lost and built anew", async () => {
    const subject = startBooks(dialect, small);
    const { events, send, sequence } = subject;
    await until(() => sequence() === 10);
    subject.whole = { ...small, number: 20 };
    send(dialect.diff({ number: 11, bids: [["100.50", "1"]] }));
    await until(() => sequence() === 20);
    expect(lostIn(events)).toEqual(["crossed"]);
    expect(booksIn(events).every(({ bids, asks }) => Number(bids[0]?.[0]) < Number(asks[0]?.[0]))).toBe(true);
  });

  test("what is no sound change is counted and changes nothing", async () => {
    const { events, send, sequence, feed } = startBooks(dialect, small);
    await until(() => sequence() === 10);
    const { levels, numbers, time } = dialect.fields;
    const changes: [field: string, value: unknown][] = [
      ...levels.flatMap((field) =>
        [
          undefined,
          null,
          "99.60",
          {},
          [null],
          ["99.60"],
          [[]],
          ...badPrices.map((price) => [dialect.level(price, "1")]),
          ...[undefined, null, "-1", "1e5", "NaN", true, {}, "9".repeat(21)].map((q) => [dialect.level("99.60", q)]),
          // One bad level among good ones.
          [dialect.level("99.60", "1"), dialect.level("0", "1")],
        ].map((value): [string, unknown] => [field, value]),
      ),
      ...numbers.flatMap((field) =>
        [undefined, null, "11", 1.5, -7, 2 ** 53, 1e40, true, [11]].map((value): [string, unknown] => [field, value]),
      ),
      ...(time === "" ? [] : [undefined, null, 0, -1, 1e40].map((value): [string, unknown] => [time, value])),
    ];
    for (const [field, value] of changes) {
      const frame = dialect.diff({ number: 11, bids: [["99.90", "9"]], asks: [["100.10", "9"]] });
      dialect.payloadOf(frame)[field] = value;
      send(frame);
    }
    const sound = dialect.diff({ number: 11, bids: [["99.50", "8"]] });
    dialect.payloadOf(sound).unknownField = { anything: [null] };
    send(sound);
    await until(() => sequence() === 11);
    const rejected = [...feed.stats.rejected.values()].reduce((sum, count) => sum + count, 0);
    expect(rejected).toBe(changes.length);
    expect(lostIn(events)).toEqual([]);
    expect(booksIn(events).at(-1)).toMatchObject({ bids: [["99.5", inBase(8)]], asks: [["100.5", inBase(2)]] });
    expect(booksIn(events)).toHaveLength(2);
  });

  const context = {
    symbols: new Map([[dialect.ticker, { id: 1, streamPrefix: dialect.ticker.toLowerCase() }]]),
    contractSizes: new Map([[dialect.ticker, fixedPointOne / 10n]]),
  };
  const part: BookPart = { ...small, bids: [...(small.bids ?? []), ["99.40", "0"]] };
  const frames = [dialect.diff(part), ...(dialect.snapshotFrame === null ? [] : [dialect.snapshotFrame(part)])];
  test.prop([fc.constantFrom(...frames), fc.nat(), fc.nat(3), fc.string({ maxLength: 3 })], { numRuns: 1_000 })(
    "cut and scribbled frames give sound books or named outcomes",
    (frame, at, removed, inserted) => {
      const text = JSON.stringify(frame);
      const position = at % (text.length + 1);
      const decode = dialect.protocol.decoder(context);
      const scribbled = text.slice(0, position) + inserted + text.slice(position + removed);
      for (const decoded of listOf(decode(scribbled, Date.now()))) expectSound(decoded);
    },
  );

  test("a connection that breaks loses the book, which comes back with it", async () => {
    const subject = startBooks(dialect, small);
    const { events, send, sequence } = subject;
    await until(() => sequence() === 10);
    subject.whole = { ...small, number: 5 };
    exchange.latest(dialect.path).socket.terminate();
    await until(() => sequence() === 5);
    expect(lostIn(events)).toEqual(["disconnected"]);
    send(dialect.diff({ number: 6 }));
    await until(() => sequence() === 6);
  });

  test("what is no longer wanted is unsubscribed, its book too, and nothing more is said of it", async () => {
    const { events, send, sequence, feed } = startBooks(dialect, small, "OTHER");
    await until(() => sequence() === 10);
    const { received } = exchange.latest(dialect.path);
    const before = events.length;
    feed.setSymbols([{ id: 1, ticker: "OTHER" }]);
    send(dialect.diff({ number: 11, bids: [["99.50", "8"]] }));
    await until(() => feed.stats.skipped.get("unsubscribed-symbol") === 1);
    await until(() => received.some((text) => /unsubscribe/i.test(text) && bookChannel.test(text)));
    expect(events).toHaveLength(before);
  });
});

describe.each(bookDialects.filter(({ snapshotBody }) => snapshotBody !== null))("$name, by REST", (dialect) => {
  const whole = JSON.stringify(dialect.snapshotBody?.(small));
  const broken = (change: object) => JSON.stringify({ ...dialect.snapshotBody?.(small), ...change });

  test.each([
    ["nothing", ""],
    ["half a response", whole.slice(0, 30)],
    ["null", "null"],
    ["a list", "[]"],
    ["an error", '{"code":-1121,"msg":"Invalid symbol."}'],
    ["no bids", broken({ bids: undefined })],
    ["asks that are none", broken({ asks: "x" })],
    ["levels that are none", broken({ bids: [null] })],
    ["a price that is none", broken({ bids: [dialect.level("-1", "1")] })],
    ["a quantity that is none", broken({ asks: [dialect.level("101", {})] })],
    ["a number that is none", broken({ lastUpdateId: "10", id: "10" })],
  ])("a snapshot that is %s is counted and asked for again", async (_what, body) => {
    const { sequence, feed } = startBooks(dialect, small);
    const good = exchange.body;
    exchange.body = (path) => (path === dialect.snapshotPath ? body : dialect.otherBody(path));
    await until(() => (feed.stats.books?.failedSnapshots ?? 0) >= 2);
    expect(sequence()).toBeUndefined();
    exchange.body = good;
    await until(() => sequence() === 10);
  });

  test("a symbol that was delisted is asked for less and less often", async () => {
    const startedMs = performance.now();
    const { feed, sequence } = startBooks(dialect, small);
    exchange.body = (path) => (path === dialect.snapshotPath ? { status: 400 } : dialect.otherBody(path));
    await until(() => (feed.stats.books?.failedSnapshots ?? 0) >= 6);
    // At the real pace the pauses are 500 times as long: 1, 2, 4, … and at last 60 seconds.
    expect(performance.now() - startedMs).toBeGreaterThan(20);
    expect(sequence()).toBeUndefined();
  });
});

test("Binance futures without the connection of its best bids and offers has prices, but no bid and no ask", async () => {
  exchange.reply = (text) => [{ result: null, id: (JSON.parse(text) as { id: number }).id }];
  const clock = { nowMs: () => Date.now() };
  const quotes = new QuoteBoard(clock);
  const live = new LiveMarket({ catalogue: new Catalogue(), quotes, clock, newId: () => "" });
  const provider = { id: 7 } as DataProvider;
  const statuses: string[] = [];
  const feed = startStreamFeed(
    impatient(binanceFuturesProtocol),
    {
      endpoint: {
        code: "TEST",
        websocketUrl: exchange.url,
        backupWebsocketUrl: null,
        endpointUrl: exchange.restUrl,
        timeoutMs: 2_000,
        retryDelayMs: 10,
        staleAfterMs: 10_000,
      },
      symbols: symbolsOf("BTCUSDT"),
      clock,
      log: pino({ level: "silent" }),
      random: () => 0.5,
      onEvent: (event) => live.take(event, provider),
      onStatus: (status) => {
        statuses.push(status);
        if (status === "RECONNECTING") quotes.markStale(({ providerId }) => providerId === provider.id);
      },
    },
    { requestGapMs: 1 },
  );
  feeds.push(feed);
  try {
    const send = (path: string, stream: string, data: object) =>
      exchange
        .latest(path)
        .socket.send(JSON.stringify({ stream: `btcusdt@${stream}`, data: { s: "BTCUSDT", ...data } }));
    const best = (sequence: number, bid: string, ask: string) => {
      const times = { E: Date.now(), T: Date.now() };
      send("/public/stream", "bookTicker", { e: "bookTicker", u: sequence, b: bid, B: "5", a: ask, A: "5", ...times });
    };
    const ticker = (last: string) => {
      const statistics = { p: "1", P: "1", o: "99", h: "120", l: "70", v: "1", q: "100" };
      send("/market/stream", "ticker", { e: "24hrTicker", E: Date.now(), c: last, ...statistics });
    };
    const seen = () => {
      const { price, bid, ask, isStale } = quotes.get(0) ?? {};
      return { price, bid, ask, isStale };
    };
    await until(() => statuses.at(-1) === "CONNECTED");
    ticker("100");
    best(1, "100.0", "100.1");
    await until(() => seen().bid === "100");

    exchange.latest("/public/stream").socket.terminate();
    await until(() => statuses.includes("RECONNECTING"));
    ticker("80");
    await until(() => seen().price === "80");
    expect(seen()).toEqual({ price: "80", bid: null, ask: null, isStale: false });

    await until(() => statuses.at(-1) === "CONNECTED");
    best(2, "79.9", "80.1");
    await until(() => seen().bid === "79.9");
    expect(seen()).toEqual({ price: "80", bid: "79.9", ask: "80.1", isStale: false });
  } finally {
    live.close();
  }
});

test("Gate.io spot sends the whole book now and then", async () => {
  const dialect = bookDialects.find(({ name }) => name === "Gate.io spot");
  if (dialect === undefined) return expect.unreachable();
  const { events, send, sequence } = startBooks(dialect, small);
  await until(() => sequence() === 10);
  const full = dialect.diff({ number: 15, bids: [["98.00", "1"]], asks: [["98.10", "2"]] });
  dialect.payloadOf(full).full = true;
  send(full);
  await until(() => sequence() === 15);
  expect(booksIn(events).at(-1)).toMatchObject({ bids: [["98", "1"]], asks: [["98.1", "2"]] });
  expect(lostIn(events)).toEqual([]);
});

test("OKX's checksum is over its own digits, and a wrong one loses the book", async () => {
  const dialect = bookDialects.find(({ name }) => name === "OKX spot");
  if (dialect === undefined) return expect.unreachable();
  const subject = startBooks(dialect, small);
  const { events, send, sequence } = subject;
  await until(() => sequence() === 10);
  const change = (number: number, checksum: number) => {
    const frame = dialect.diff({ number, asks: [["100.50", "2.0"]] });
    dialect.payloadOf(frame).checksum = checksum;
    return frame;
  };
  send(change(11, crc32("99.50:1:100.50:2.0") | 0));
  await until(() => sequence() === 11);
  subject.whole = { ...small, number: 20 };
  send(change(12, 4_711));
  await until(() => sequence() === 20);
  expect(lostIn(events)).toEqual(["wrong-checksum"]);
});

test("Bybit numbers anew after a restart of its service", async () => {
  const dialect = bookDialects.find(({ name }) => name === "Bybit spot");
  if (dialect === undefined) return expect.unreachable();
  const { events, send, sequence } = startBooks(dialect, small);
  await until(() => sequence() === 10);
  send(dialect.diff({ number: 1, bids: [["98.00", "1"]], asks: [["98.10", "2"]] }));
  await until(() => sequence() === 1);
  expect(booksIn(events).at(-1)?.bids).toEqual([["98", "1"]]);
});

/* What the exchanges allow in a minute, and what one snapshot takes of it; the other half is for everyone else here. */
test.each([
  ["Binance spot", 6_000, 50],
  ["Binance USD-M futures", 2_400, 20],
  ["Gate.io spot", 1_200, 1],
  ["Gate.io futures", 1_200, 1],
])("%s is asked for half of the snapshots that it allows at most", (name, allowed, each) => {
  const gapMs = bookDialects.find((dialect) => dialect.name === name)?.protocol.books?.tuning.gapMs ?? 0;
  expect((60_000 / gapMs) * each).toBeLessThanOrEqual(allowed / 2);
});

test("OKX's books take half of the requests that a connection may make in an hour at most", () => {
  for (const { tuning } of [okxSpotProtocol, okxFuturesProtocol]) {
    expect((3_600_000 / tuning.bookRenewalGapMs) * 2).toBeLessThanOrEqual(480 / 2);
  }
});
