import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Bus } from "../../bus/bus.js";
import { Catalogue, type DataProvider, type Market, type MarketSymbol } from "../../catalogue/catalogue.js";
import { decimalText } from "../../core/decimal.js";
import type { ArbitrageOpportunity } from "../arbitrage-watch.js";
import type { BookLevel, BookTickerEvent, OrderBookEvent, TradeEvent } from "../events.js";
import { candleKey, LiveMarket } from "../live-market.js";
import { QuoteBoard } from "../quotes.js";
import { publishQuotes, receiveQuotes } from "../share-quotes.js";
import { LivePublisher } from "./publish-live.js";
import { LiveReceiver } from "./receive-live.js";
import { RejectedMessages } from "./rejected-messages.js";

/** A broker in memory that delivers at once, as NATS does in order, and that can be lost by each node. */
class Broker {
  readonly nodes = new Set<FakeBus>();
  readonly messages: { readonly subject: string; readonly text: string }[] = [];

  countOf = (subject: string): number => this.messages.filter((message) => message.subject === subject).length;
  say(subject: string, value: unknown): void {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    this.messages.push({ subject, text });
    for (const node of this.nodes) node.hear(subject, text);
  }
}

class FakeBus implements Bus {
  isConnected = true;
  readonly #subscriptions = new Set<{ readonly subject: string; readonly onText: (text: string) => void }>();
  readonly #connections = new Set<(isConnected: boolean) => void>();

  constructor(private readonly broker: Broker) {
    broker.nodes.add(this);
  }
  get subjects(): string[] {
    return [...this.#subscriptions].map(({ subject }) => subject);
  }
  hear(subject: string, text: string): void {
    if (!this.isConnected) return;
    for (const known of this.#subscriptions) if (known.subject === subject) known.onText(text);
  }
  durable(): null {
    return null;
  }

  publish(subject: string, text: string): void {
    if (this.isConnected) this.broker.say(subject, text);
  }
  subscribe(subject: string, onText: (text: string) => void): () => void {
    const subscription = { subject, onText };
    this.#subscriptions.add(subscription);
    return () => this.#subscriptions.delete(subscription);
  }
  onConnection(listener: (isConnected: boolean) => void): () => void {
    this.#connections.add(listener);
    return () => this.#connections.delete(listener);
  }
  become(isConnected: boolean): void {
    this.isConnected = isConnected;
    for (const listener of this.#connections) listener(isConnected);
  }
  async close(): Promise<void> {
    this.broker.nodes.delete(this);
  }
}

const log = pino({ level: "silent" });
const provider = { id: 1 } as DataProvider;
const clock = { nowMs: () => Date.now() };
const catalogue = new Catalogue();
catalogue.apply("markets", null, [
  {
    id: 1,
    code: "A_SPOT",
    marketType: "SPOT",
    isActive: true,
    defaultCommissionRate: decimalText("0.001"),
    operatorStatus: null,
  } as Market,
  {
    id: 2,
    code: "B_SPOT",
    marketType: "SPOT",
    isActive: true,
    defaultCommissionRate: decimalText("0.001"),
    operatorStatus: null,
  } as Market,
]);
catalogue.apply(
  "symbols",
  null,
  [1, 2].map(
    (id) =>
      ({
        id,
        marketId: id,
        ticker: `T${id}`,
        status: "TRADING",
        baseCurrency: "BTC",
        quoteCurrency: "USDT",
        tickSize: decimalText("0.01"),
        isActive: true,
        isTracked: true,
        dataProviderId: null,
        broadcastPriority: 0,
      }) as MarketSymbol,
  ),
);

const level = (price: string): BookLevel => [decimalText(price), decimalText("1")];
const book = (symbolId: number, bid: string, sequence = 1): OrderBookEvent => ({
  kind: "orderBook",
  symbolId,
  bids: [level(bid)],
  asks: [level(String(Number(bid) + 1))],
  exchangeSequence: sequence,
  exchangeTimeMs: null,
  receivedAtMs: 5,
});
const trade = (n: number): TradeEvent => ({
  kind: "trade",
  symbolId: 1,
  price: decimalText("100"),
  quantity: decimalText("1"),
  side: "BUY",
  tradeId: String(n),
  tradeCount: 1,
  exchangeSequence: n,
  exchangeTimeMs: Date.now(),
  receivedAtMs: Date.now(),
});

let broker: Broker;
const open: { close(): void }[] = [];
beforeEach(() => {
  vi.useFakeTimers({ now: 1_750_000_000_000 });
  broker = new Broker();
});
afterEach(() => {
  for (const node of open.splice(0).toReversed()) node.close();
  vi.useRealTimers();
});

let ids = 0;
function node() {
  const bus = new FakeBus(broker);
  const quotes = new QuoteBoard(clock);
  const live = new LiveMarket({ catalogue, quotes, clock, newId: () => `id-${++ids}` });
  open.push({ close: () => live.close() });
  return { bus, live, quotes, sharing: { live, catalogue, bus, clock, rejected: new RejectedMessages(log) } };
}
function feedNode(source = `source-${++ids}`) {
  const { bus, live, quotes, sharing } = node();
  const publisher = new LivePublisher(sharing, source);
  let isOpen = true;
  const close = () => {
    if (isOpen) publisher.close();
    isOpen = false;
  };
  /** As kill -9 does: nobody hears of it. */
  const kill = () => {
    bus.isConnected = false;
    close();
    broker.nodes.delete(bus);
  };
  open.push({ close });
  return {
    bus,
    live,
    quotes,
    rejected: sharing.rejected,
    sharing,
    close,
    kill,
    take: (event: Parameters<LiveMarket["take"]>[0]) => live.take(event, provider),
  };
}
function apiNode() {
  const { bus, live, quotes, sharing } = node();
  const receiver = new LiveReceiver(sharing);
  open.push(receiver);
  return { bus, live, quotes, rejected: sharing.rejected };
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function bidsOf(live: LiveMarket) {
  const seen: (string | null)[] = [];
  const stop = live.books.watch(1, () => seen.push(live.books.get(1)?.bids[0]?.[0] ?? null));
  return { seen, stop };
}
/** Ids of the trades as a client gets them up to the first gap, which ends a client's stream. */
function tradesOf(live: LiveMarket) {
  const seen: string[] = [];
  const trades = { seen, hasGap: false, stop: () => {} };
  trades.stop = live.tape.listen(1, {
    onTrade: ({ tradeId }) => seen.push(tradeId),
    onGap: () => {
      trades.hasGap = true;
      trades.stop();
    },
  });
  return trades;
}
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => String(from + n));

describe("a book", () => {
  test("comes at once to who begins to watch it, then after changes, and goes when it is lost", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    const { seen } = bidsOf(api.live);
    await pass(1);
    expect(seen).toEqual(["100"]);
    feed.take(book(1, "101", 2));
    await pass(120);
    feed.take({ kind: "orderBookLost", symbolId: 1, reason: "sequence-gap", receivedAtMs: 6 });
    await pass(120);
    feed.take(book(1, "102", 1));
    await pass(120);
    expect(seen).toEqual(["100", "101", null, "102"]);
  });

  test("is asked for by a query, which waits for it once and is then answered from memory", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    const answer = api.live.books.read(1);
    await pass(1);
    expect((await answer)?.bids).toEqual([level("100")]);
    expect(api.live.books.read(1)).toBe(api.live.books.get(1));
    const none = api.live.books.read(2);
    await pass(1);
    expect(await none).toBeUndefined();
  });

  test("is not there when no feed node answers: the first query waits a second, the next ones do not", async () => {
    const api = apiNode();
    let answered = false;
    void Promise.resolve(api.live.books.read(1)).then((value) => {
      answered = value === undefined;
    });
    await pass(900);
    expect(answered).toBe(false);
    await pass(200);
    expect(answered).toBe(true);
    expect(api.live.books.read(1)).toBeUndefined();
    api.bus.become(false);
    expect(api.live.books.read(2)).toBeUndefined();
  });

  test("is told at most ten times per second, the newest each time", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const { seen } = bidsOf(api.live);
    await pass(1);
    for (let n = 1; n <= 200; n++) {
      feed.take(book(1, String(n), n));
      await pass(5);
    }
    await pass(200);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.length).toBeLessThanOrEqual(12);
    expect(seen.at(-1)).toBe("200");
  });

  test("is written and sent once for any number of nodes, and not again to those that have it when one joins", async () => {
    const [feed, first] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    const { seen } = bidsOf(first.live);
    await pass(1);
    const second = apiNode();
    const other = bidsOf(second.live);
    await pass(1);
    expect(seen).toEqual(["100"]);
    expect(other.seen).toEqual(["100"]);
    const before = broker.countOf("books.A_SPOT.1");
    feed.take(book(1, "101", 2));
    await pass(120);
    expect(broker.countOf("books.A_SPOT.1")).toBe(before + 1);
    expect([seen.at(-1), other.seen.at(-1)]).toEqual(["101", "101"]);
  });

  test("is told only while somebody wants it", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const stopWatching = api.live.books.watch(1, () => {});
    await pass(30_000);
    expect(feed.live.books.watcherCount).toBe(1);
    expect(api.bus.subjects).toContain("books.A_SPOT.1");
    stopWatching();
    expect(api.bus.subjects).not.toContain("books.A_SPOT.1");
    await pass(9_000);
    expect(feed.live.books.watcherCount).toBe(0);
    const silentFrom = broker.messages.length;
    feed.take(book(1, "100"));
    await pass(10_000);
    expect(broker.messages.slice(silentFrom)).toEqual([]);
  });

  test("that was asked for once is let go by both nodes", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    const answer = api.live.books.read(1);
    await pass(1);
    await answer;
    expect(api.bus.subjects).toContain("books.A_SPOT.1");
    await pass(16_000);
    expect(api.bus.subjects).not.toContain("books.A_SPOT.1");
    expect(api.live.books.get(1)).toBeUndefined();
    expect(feed.live.books.watcherCount).toBe(0);
  });

  test("goes when the broker is lost, and comes back with it although it has not changed", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    const { seen } = bidsOf(api.live);
    await pass(1);
    for (const { bus } of [feed, api]) bus.become(false);
    expect(api.live.books.get(1)).toBeUndefined();
    await pass(60_000);
    // The asker is the first to be back: what it says now, the feed's node does not hear.
    api.bus.become(true);
    await pass(1);
    feed.bus.become(true);
    expect(seen).toEqual(["100", null, "100"]);
  });

  test("goes when its node ends, or falls silent, and comes from the successor whose numbers start anew", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const { seen } = bidsOf(api.live);
    for (let n = 1; n <= 20; n++) {
      feed.take(book(1, "100", 1_000 + n));
      await pass(200);
    }
    feed.close();
    expect(api.live.books.get(1)).toBeUndefined();
    const second = feedNode();
    second.take(book(1, "90"));
    await pass(2_100);
    expect(seen.at(-1)).toBe("90");
    second.kill();
    await pass(1_000);
    expect(seen.at(-1)).toBe("90");
    await pass(7_000);
    expect(seen.at(-1)).toBeNull();
    const third = feedNode();
    third.take(book(1, "80"));
    await pass(2_100);
    expect(seen.at(-1)).toBe("80");
  });

  test("comes from the node that started last when two have a feed, and never from both in turn", async () => {
    const [old, api] = [feedNode(), apiNode()];
    old.take(book(1, "100"));
    const { seen } = bidsOf(api.live);
    await pass(1_000);
    const successor = feedNode();
    successor.take(book(1, "200"));
    await pass(2_100);
    expect(seen.at(-1)).toBe("200");
    old.take(book(1, "101", 2));
    await pass(200);
    expect(seen.at(-1)).toBe("200");
    successor.close();
    await pass(2_100);
    expect(seen.at(-1)).toBe("101");
  });

  test("stays while its node says so, also when this node's own quote looks stale", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    api.live.take(trade(1), provider);
    const { seen } = bidsOf(api.live);
    await pass(1);
    api.quotes.markStale(() => true);
    expect(api.live.books.get(1)?.bids[0]?.[0]).toBe("100");
    feed.live.take(trade(1), provider);
    feed.quotes.markStale(() => true);
    await pass(120);
    expect(seen).toEqual(["100", null]);
  });

  test("that is older than the last one of the same node is passed over", async () => {
    const [, api] = [feedNode(), apiNode()];
    const { seen } = bidsOf(api.live);
    await pass(1);
    const told = (number: number, bid: string) =>
      broker.say("books.A_SPOT.1", { source: "x", startedAtMs: Date.now() + 1, number, value: book(1, bid) });
    told(5, "100");
    told(4, "99");
    told(5, "98");
    told(6, "101");
    expect(seen.filter((bid) => bid !== null)).toEqual(["100", "101"]);
  });
});

describe("the trades of a symbol", () => {
  test("come each once and in order, also to a node that joins later", async () => {
    const [feed, first, second] = [feedNode(), apiNode(), apiNode()];
    const early = tradesOf(first.live);
    await pass(1);
    for (let n = 1; n <= 10; n++) feed.take(trade(n));
    await pass(50);
    const late = tradesOf(second.live);
    await pass(1);
    for (let n = 11; n <= 20; n++) feed.take(trade(n));
    await pass(50);
    expect(early.seen).toEqual(numbers(1, 20));
    expect(late.seen).toEqual(numbers(11, 20));
    for (const { stop } of [early, late]) stop();
  });

  test("that were missed while the broker was away come when it is back, each once for every node", async () => {
    const [feed, first, second] = [feedNode(), apiNode(), apiNode()];
    const streams = [tradesOf(first.live), tradesOf(second.live)];
    await pass(1);
    feed.take(trade(1));
    await pass(50);
    // One node is cut off, then all; each comes back at another time.
    first.bus.become(false);
    for (let n = 2; n <= 5; n++) feed.take(trade(n));
    await pass(50);
    for (const { bus } of [feed, second]) bus.become(false);
    for (let n = 6; n <= 700; n++) feed.take(trade(n));
    await pass(20_000);
    feed.bus.become(true);
    feed.take(trade(701));
    await pass(50);
    second.bus.become(true);
    feed.take(trade(702));
    await pass(50);
    first.bus.become(true);
    feed.take(trade(703));
    await pass(100);
    for (const { seen } of streams) expect(seen).toEqual(numbers(1, 703));
    for (const { stop } of streams) stop();
  });

  test("that the feed's node could not tell, because the broker was lost to it alone, come as soon as it is back", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const { seen, stop } = tradesOf(api.live);
    await pass(1);
    feed.take(trade(1));
    await pass(50);
    feed.bus.become(false);
    feed.take(trade(2));
    await pass(50);
    feed.bus.become(true);
    await pass(5);
    expect(seen).toEqual(["1", "2"]);
    stop();
  });

  test("end with an error that names the last one when too many were missed", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const trades = tradesOf(api.live);
    await pass(1);
    feed.take(trade(1));
    await pass(50);
    api.bus.become(false);
    for (let n = 2; n <= 1_500; n++) {
      feed.take(trade(n));
      if (n % 100 === 0) await pass(50);
    }
    api.bus.become(true);
    await pass(100);
    expect(trades).toMatchObject({ hasGap: true, seen: ["1"] });
    // Who watches again goes on from now.
    const again = tradesOf(api.live);
    await pass(1);
    feed.take(trade(1_501));
    await pass(50);
    expect(again.seen).toEqual(["1501"]);
    again.stop();
  });

  test.each(["ends", "is killed"])("end with an error when the feed's node %s", async (how) => {
    const [feed, api] = [feedNode(), apiNode()];
    const trades = tradesOf(api.live);
    await pass(1);
    feed.take(trade(7));
    await pass(50);
    if (how === "ends") feed.close();
    else feed.kill();
    await pass(8_000);
    expect(trades).toMatchObject({ hasGap: true, seen: ["7"] });
    expect(api.bus.subjects).not.toContain("trades.A_SPOT.1");
  });

  test("of an outage of the broker are kept for those who still want them, and for nobody else", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const { stop } = tradesOf(api.live);
    await pass(1);
    feed.bus.become(false);
    await pass(60_000);
    expect(feed.live.tape.listenerCount).toBe(1);
    stop();
    feed.bus.become(true);
    await pass(9_000);
    expect(feed.live.tape.listenerCount).toBe(0);
  });
});

test.each([
  ["was lost", (feed: ReturnType<typeof feedNode>) => feed.live.tape.interruptAll()],
  [
    "was lost with its book",
    (feed: ReturnType<typeof feedNode>) =>
      feed.take({ kind: "orderBookLost", symbolId: 1, reason: "disconnected", receivedAtMs: 6 }),
  ],
] as const)(
  "when the exchange's connection %s, trades end on every node, after those that came before",
  async (_how, lose) => {
    const [feed, api] = [feedNode(), apiNode()];
    const streams = [tradesOf(feed.live), tradesOf(api.live)];
    await pass(1);
    feed.take(trade(1));
    await pass(50);
    feed.take(trade(2));
    lose(feed);
    await pass(50);
    for (const stream of streams) expect(stream).toMatchObject({ hasGap: true, seen: ["1", "2"] });
    const again = tradesOf(api.live);
    await pass(1);
    for (let n = 5; n <= 8; n++) feed.take(trade(n));
    await pass(50);
    expect(again).toMatchObject({ hasGap: false, seen: ["5", "6", "7", "8"] });
    again.stop();
  },
);

describe("when the feeds' leader changes", () => {
  /** A node that has the feed itself, and clients of its own. */
  const leading = () => {
    const it = node();
    const publisher = new LivePublisher(it.sharing, `source-${++ids}`);
    return { ...it, publisher };
  };
  const takesFrom = ({ live }: ReturnType<typeof node>, event: Parameters<LiveMarket["take"]>[0]) =>
    live.take(event, provider);

  test("the one that stops leading goes on with all that its clients watch, and tells the trades' gap", async () => {
    const old = leading();
    const { seen } = bidsOf(old.live);
    const trades = tradesOf(old.live);
    const key = candleKey(1, "M1");
    const counts: (number | undefined)[] = [];
    old.live.candles.watch(key, () => counts.push(old.live.candles.get(key)?.tradeCount));
    const told: string[] = [];
    old.live.opportunities.listen(({ sellPrice }) => told.push(sellPrice));
    const prices: string[] = [];
    old.quotes.watch(1, ({ price }) => prices.push(price));
    takesFrom(old, book(1, "100"));
    takesFrom(old, trade(1));
    old.publisher.close();

    const feed = feedNode();
    const stopPublishing = publishQuotes({ ...feed.sharing, board: feed.quotes }, clock);
    const stopReceiving = receiveQuotes({ ...old.sharing, board: old.quotes }, old.sharing.rejected);
    open.push({ close: stopPublishing }, { close: stopReceiving });
    open.push(new LiveReceiver(old.sharing));
    expect(trades).toMatchObject({ hasGap: true, seen: ["1"] });
    const again = tradesOf(old.live);
    await pass(1);
    feed.take(book(1, "101", 2));
    feed.take(book(2, "110"));
    feed.take(trade(2));
    feed.take({ ...trade(3), price: decimalText("107") });
    await pass(300);
    expect([seen.at(-1), again.seen, counts.at(-1), told.at(-1)]).toEqual(["101", ["2", "3"], 2, "110"]);
    // Not only once a second.
    expect(prices.at(-1)).toBe("107");
    again.stop();
  });

  test("the one that begins to lead tells the trades' gap to its clients, and goes on", async () => {
    const [feed, next] = [feedNode(), node()];
    const receiver = new LiveReceiver(next.sharing);
    const trades = tradesOf(next.live);
    await pass(1);
    feed.take(trade(1));
    await pass(50);
    receiver.close();
    expect(trades).toMatchObject({ hasGap: true, seen: ["1"] });
    const again = tradesOf(next.live);
    takesFrom(next, trade(3));
    expect(again.seen).toEqual(["3"]);
    again.stop();
  });
});

describe("candles and order flow", () => {
  test("the forming candle of an interval comes, and changes", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(trade(1));
    await pass(150);
    const counts: (number | undefined)[] = [];
    const key = candleKey(1, "H1");
    api.live.candles.watch(key, () => counts.push(api.live.candles.get(key)?.tradeCount));
    await pass(1);
    expect(counts).toEqual([1]);
    feed.take(trade(2));
    await pass(200);
    expect(counts).toEqual([1, 2]);
    expect(api.live.candles.get(candleKey(1, "M1"))).toBeUndefined();
  });

  test("order flow is that of the feed's node", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const top = (bidQuantity: string, exchangeSequence: number): BookTickerEvent => ({
      kind: "bookTicker",
      symbolId: 1,
      bid: decimalText("100"),
      bidQuantity: decimalText(bidQuantity),
      ask: decimalText("101"),
      askQuantity: decimalText("1"),
      exchangeSequence,
      exchangeTimeMs: null,
      receivedAtMs: Date.now(),
    });
    feed.take(top("3", 1));
    const answer = api.live.flows.read(1);
    await pass(1);
    expect(await answer).toMatchObject({ symbolId: 1, volumeImbalance: "0.5" });
    feed.take(top("1", 2));
    await pass(600);
    expect(await api.live.flows.read(1)).toMatchObject({ volumeImbalance: "0" });
  });
});

describe("arbitrage", () => {
  const briefly = ({ id, sellPrice, closedAtMs }: ArbitrageOpportunity) =>
    `${id} ${sellPrice}${closedAtMs === null ? "" : " closed"}`;

  test("the open ones come to who joins, then what opens, changes and closes, each told once", async () => {
    const [feed, api, other] = [feedNode(), apiNode(), apiNode()];
    feed.take(book(1, "100"));
    feed.take(book(2, "110"));
    const [id] = feed.live.opportunities.open.map((opportunity) => opportunity.id);
    const told: string[] = [];
    api.live.opportunities.listen((opportunity) => told.push(briefly(opportunity)));
    await pass(1);
    expect(told).toEqual([`${id} 110`]);
    feed.take(book(2, "111", 2));
    await pass(50);
    const answer = other.live.opportunities.read();
    await pass(1);
    expect((await answer).map(briefly)).toEqual([`${id} 111`]);
    feed.take(book(2, "100", 3));
    await pass(50);
    expect(told).toEqual([`${id} 110`, `${id} 111`, `${id} 111 closed`]);
    expect(await other.live.opportunities.read()).toEqual([]);
  });

  test("is told only while somebody wants it", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    const stop = api.live.opportunities.listen(() => {});
    await pass(30_000);
    expect(feed.live.opportunities.listenerCount).toBe(1);
    stop();
    await pass(9_000);
    expect(feed.live.opportunities.listenerCount).toBe(0);
  });

  test("those that are open end here with the broker and come back with it; what closed meanwhile stays closed", async () => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    feed.take(book(2, "110"));
    const told: string[] = [];
    api.live.opportunities.listen((opportunity) => told.push(briefly(opportunity)));
    await pass(50);
    const [id] = feed.live.opportunities.open.map((opportunity) => opportunity.id);
    api.bus.become(false);
    expect(await api.live.opportunities.read()).toEqual([]);
    api.bus.become(true);
    await pass(50);
    expect(told).toEqual([`${id} 110`, `${id} 110 closed`, `${id} 110`]);
    api.bus.become(false);
    feed.take(book(2, "100", 2));
    api.bus.become(true);
    await pass(50);
    expect(told.slice(3)).toEqual([`${id} 110 closed`]);
  });
});

describe("a message that is broken", () => {
  const envelope = (value: unknown) => ({ source: "x", startedAtMs: 1, number: 1, value });
  const good = book(1, "100");
  test.each<[string, string, unknown]>([
    ["no JSON", "books.A_SPOT.1", "{"],
    ["no object", "books.A_SPOT.1", "null"],
    ["no envelope", "books.A_SPOT.1", good],
    ["a source that is no text", "books.A_SPOT.1", { ...envelope(good), source: 7 }],
    ["a number that is none", "books.A_SPOT.1", { ...envelope(good), number: "1" }],
    ["no value", "books.A_SPOT.1", { source: "x", startedAtMs: 1, number: 1 }],
    ["the book of another symbol", "books.A_SPOT.1", envelope(book(2, "100"))],
    ["a price as a number", "books.A_SPOT.1", envelope({ ...good, bids: [[100, "1"]] })],
    ["a price with an exponent", "books.A_SPOT.1", envelope({ ...good, bids: [["1e2", "1"]] })],
    ["a price that is not canonical", "books.A_SPOT.1", envelope({ ...good, bids: [["100.0", "1"]] })],
    ["a price of nothing", "books.A_SPOT.1", envelope({ ...good, bids: [["0", "1"]] })],
    ["a price too long for the database", "books.A_SPOT.1", envelope({ ...good, bids: [["1".repeat(21), "1"]] })],
    ["a level without quantity", "books.A_SPOT.1", envelope({ ...good, asks: [["100"]] })],
    ["too many levels", "books.A_SPOT.1", envelope({ ...good, asks: Array(51).fill(["100", "1"]) })],
    ["a book without sides", "books.A_SPOT.1", envelope({ ...good, asks: undefined })],
    ["trades that are none", "trades.A_SPOT.1", envelope({ stream: 1, first: 1, kept: 0, trades: [{}] })],
    [
      "a trade of another symbol",
      "trades.A_SPOT.1",
      envelope({ stream: 1, first: 1, kept: 0, trades: [{ ...trade(1), symbolId: 2 }] }),
    ],
    [
      "a trade on no side",
      "trades.A_SPOT.1",
      envelope({ stream: 1, first: 1, kept: 0, trades: [{ ...trade(1), side: "HOLD" }] }),
    ],
    ["a candle of another interval", "candles.A_SPOT.1.M1", envelope({ interval: "H1" })],
    ["an opportunity without prices", "arbitrage", envelope({ isWhole: true, opportunities: [{ id: "1" }] })],
    ["a feed node without a state", "feed-nodes", { source: "x" }],
  ])("%s: is counted and passed over, and what was here stays", async (_what, subject, message) => {
    const [feed, api] = [feedNode(), apiNode()];
    feed.take(book(1, "100"));
    const { seen } = bidsOf(api.live);
    const trades = tradesOf(api.live);
    api.live.candles.watch(candleKey(1, "M1"), () => {});
    api.live.opportunities.listen(() => {});
    await pass(1);
    const before = [api.live.books.get(1), api.live.candles.get(candleKey(1, "M1"))];
    broker.say(subject, message);
    expect(api.rejected.count).toBe(1);
    expect([api.live.books.get(1), api.live.candles.get(candleKey(1, "M1"))]).toEqual(before);
    expect(trades.seen).toEqual([]);
    feed.take(book(1, "101", 2));
    await pass(120);
    expect(seen).toEqual(["100", "101"]);
    trades.stop();
  });

  test.each(["{", "{}", "[1]", '[{"subject":1,"tell":true,"from":null}]', '[{"subject":"x","tell":true,"from":{}}]'])(
    "an ask like %s is counted, and asks of unknown subjects open nothing",
    (text) => {
      const feed = feedNode();
      broker.say("asks", text);
      expect(feed.rejected.count).toBe(1);
      const subjects = [
        "books.B_SPOT.1",
        "books.A_SPOT.9",
        "books.A_SPOT.1.M1",
        "candles.A_SPOT.1.M2",
        "quotes.A_SPOT.1",
      ];
      broker.say(
        "asks",
        subjects.map((subject) => ({ subject, tell: true, from: null })),
      );
      expect(feed.rejected.count).toBe(1);
      expect(feed.live.books.watcherCount + feed.live.candles.watcherCount).toBe(0);
      expect(broker.messages).toHaveLength(2);
    },
  );
});
