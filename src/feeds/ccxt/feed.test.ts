import { Exchange, NetworkError } from "ccxt";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { startFakeExchange } from "../../../test/support/fake-exchange.js";
import { symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import type { MarketEvent } from "../../market-data/events.js";
import type { Feed, FeedOptions } from "../feed.js";
import { unavailable } from "../rest.js";
import { type CcxtTuning, startCcxtFeed } from "./feed.js";
import { type CcxtExchange, openCcxt } from "./library.js";

const market = (id: string, symbol: string) => ({ id, symbol, spot: true, swap: false });
const markets = {
  "A/USD": market("AUSD", "A/USD"),
  "B/USD": market("busd", "B/USD"),
  "P/USD:USD": { id: "PUSD", symbol: "P/USD:USD", spot: false, swap: true, linear: true, contractSize: 10 },
};

/** What is watched waits here until the test answers, by the method and its symbols, e.g. "watchTrades A/USD". */
class FakeCcxt {
  readonly waiting = new Map<string, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  has: Record<string, unknown> = { watchTickers: true, watchTrades: true, watchOrderBook: true };
  readonly precisionMode = 4;
  closes = 0;
  loadMarkets = (): Promise<Record<string, unknown>> => Promise.resolve(markets);
  readonly watchTicker = (symbol: string) => this.#wait("watchTicker", symbol);
  readonly watchTickers = (symbols: string[]) => this.#wait("watchTickers", symbols.join());
  readonly watchTrades = (symbol: string) => this.#wait("watchTrades", symbol);
  readonly watchTradesForSymbols = (symbols: string[]) => this.#wait("watchTradesForSymbols", symbols.join());
  readonly watchOrderBook = (symbol: string) => this.#wait("watchOrderBook", symbol);
  readonly watchOrderBookForSymbols = (symbols: string[]) => this.#wait("watchOrderBookForSymbols", symbols.join());
  readonly fetchOHLCV = () => Promise.reject(new Error("not asked"));

  close(): Promise<void> {
    this.closes++;
    for (const what of this.waiting.keys()) this.fail(what, new Error("closedByUser"));
    return Promise.resolve();
  }
  async answer(what: string, answer: unknown): Promise<void> {
    await until(() => this.waiting.has(what));
    const { resolve } = this.waiting.get(what) ?? {};
    this.waiting.delete(what);
    resolve?.(answer);
  }
  fail(what: string, error: Error): void {
    const { reject } = this.waiting.get(what) ?? {};
    this.waiting.delete(what);
    reject?.(error);
  }
  #wait(method: string, symbols: string): Promise<unknown> {
    return new Promise((resolve, reject) => this.waiting.set(`${method} ${symbols}`, { resolve, reject }));
  }
}

const feeds: Feed[] = [];
afterEach(async () => {
  await Promise.all(feeds.splice(0).map((feed) => feed.close()));
});

function start(
  exchange: CcxtExchange | (() => Promise<CcxtExchange>),
  tickers: string[],
  { type = "SPOT" as "SPOT" | "FUTURES", staleAfterMs = 60_000, tuning = {} as Partial<CcxtTuning> } = {},
) {
  const time = { offsetMs: 0 };
  const events: MarketEvent[] = [];
  const statuses: string[] = [];
  const options: FeedOptions = {
    endpoint: {
      code: "CCXT_TEST",
      websocketUrl: "",
      backupWebsocketUrl: null,
      endpointUrl: null,
      timeoutMs: 2_000,
      retryDelayMs: 2,
      staleAfterMs,
    },
    symbols: symbolsOf(...tickers),
    clock: { nowMs: () => Date.now() + time.offsetMs },
    log: pino({ level: "silent" }),
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    onStatus: (status, detail) => statuses.push(detail === null ? status : `${status}: ${detail}`),
  };
  const open = typeof exchange === "function" ? exchange : () => Promise.resolve(exchange);
  const feed = startCcxtFeed("test", type, open, options, { bookEveryMs: 5, ...tuning });
  feeds.push(feed);
  return { feed, time, events, statuses };
}

const ticker = (symbol: string) => ({
  symbol,
  last: 10,
  open: 8,
  high: 12,
  low: 7,
  baseVolume: 5,
  bid: 9,
  bidVolume: 1,
  ask: 11,
  askVolume: 2,
});
const trade = (symbol: string, timestamp: number, id: string) => ({
  symbol,
  id,
  timestamp,
  side: "buy",
  price: 10,
  amount: 3,
});
const book = (symbol: string) => ({ symbol, bids: [[9, 1]], asks: [[11, 2]] });

describe("watching", () => {
  test("statistics together, trades and books one by one, as the exchange can", async () => {
    const ccxt = new FakeCcxt();
    const { feed, events, statuses } = start(ccxt, ["AUSD", "BUSD"]);
    await until(() => ccxt.waiting.size === 5);
    expect([...ccxt.waiting.keys()]).toEqual([
      "watchTickers A/USD,B/USD",
      "watchTrades A/USD",
      "watchTrades B/USD",
      "watchOrderBook A/USD",
      "watchOrderBook B/USD",
    ]);
    expect(statuses).toEqual(["CONNECTING"]);

    const nowMs = Date.now();
    await ccxt.answer("watchTickers A/USD,B/USD", { "A/USD": ticker("A/USD"), "C/USD": ticker("C/USD") });
    await ccxt.answer("watchTrades B/USD", [trade("B/USD", nowMs, "2"), trade("B/USD", nowMs - 1, "1")]);
    await until(() => events.length === 3);
    await ccxt.answer("watchOrderBook A/USD", book("A/USD"));
    await until(() => events.length === 5);
    expect(events).toMatchObject([
      { kind: "ticker24h", symbolId: 0, last: "10", open: "8", quoteVolume: "50" },
      { kind: "trade", symbolId: 1, tradeId: "1" },
      { kind: "trade", symbolId: 1, tradeId: "2", price: "10", quantity: "3" },
      { kind: "bookTicker", symbolId: 0, bid: "9", askQuantity: "2" },
      { kind: "orderBook", symbolId: 0, bids: [["9", "1"]], asks: [["11", "2"]] },
    ]);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
    expect(feed.stats).toMatchObject({ messages: 3, events: 5, reconnects: 0 });
    expect(feed.stats.rejected).toEqual(new Map([["unknown-symbol", 1]]));

    // What an exchange repeats is no news.
    await ccxt.answer("watchTrades B/USD", [trade("B/USD", nowMs, "2"), trade("B/USD", nowMs + 1, "3")]);
    await until(() => events.length === 6);
    expect(feed.stats.skipped.get("out-of-date-trade")).toBe(1);
  });

  test("several at once in parts; without books, the best prices are those of the statistics", async () => {
    const ccxt = new FakeCcxt();
    ccxt.has = { watchTicker: true, watchTickers: false, watchTradesForSymbols: true, watchOrderBook: false };
    const { events } = start(ccxt, ["AUSD", "BUSD"], { tuning: { symbolsPerWatch: 1 } });
    await until(() => ccxt.waiting.size === 4);
    expect([...ccxt.waiting.keys()]).toEqual([
      "watchTicker A/USD",
      "watchTicker B/USD",
      "watchTradesForSymbols A/USD",
      "watchTradesForSymbols B/USD",
    ]);
    await ccxt.answer("watchTicker B/USD", ticker("B/USD"));
    await until(() => events.length === 2);
    expect(events).toMatchObject([
      { kind: "ticker24h" },
      { kind: "bookTicker", symbolId: 1, bid: "9", bidQuantity: "1" },
    ]);
  });

  test("a book that changes often is told as it is at most every so often", async () => {
    const ccxt = new FakeCcxt();
    ccxt.has = { watchOrderBookForSymbols: true, watchOrderBook: true };
    const { events } = start(ccxt, ["AUSD"], { tuning: { bookEveryMs: 200 } });
    const changing = book("A/USD");
    for (let price = 1; price < 9; price++) {
      changing.bids = [[price, 1]];
      await ccxt.answer("watchOrderBookForSymbols A/USD", changing);
    }
    await until(() => events.length > 0);
    expect(events.filter(({ kind }) => kind === "orderBook").length).toBeLessThan(3);
    await until(() => events.some((event) => event.kind === "orderBook" && event.bids[0]?.[0] === "8"));
  });

  test("contracts become base currency", async () => {
    const ccxt = new FakeCcxt();
    const { events } = start(ccxt, ["PUSD"], { type: "FUTURES" });
    await ccxt.answer("watchTrades P/USD:USD", [trade("P/USD:USD", Date.now(), "1")]);
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ quantity: "30" }]);
  });

  test("answers that are none are counted", async () => {
    const ccxt = new FakeCcxt();
    const { feed, events } = start(ccxt, ["AUSD"]);
    await ccxt.answer("watchTickers A/USD", null);
    await ccxt.answer("watchTickers A/USD", { "A/USD": null, x: 5 });
    await ccxt.answer("watchTrades A/USD", undefined);
    await ccxt.answer("watchTrades A/USD", [null, { symbol: "A/USD" }]);
    await ccxt.answer("watchOrderBook A/USD", "book");
    await ccxt.answer("watchOrderBook A/USD", { symbol: "A/USD" });
    await until(() => feed.stats.rejected.get("order-book-price") === 1);
    expect(Object.fromEntries(feed.stats.rejected)).toEqual({
      "not-a-ticker": 1,
      "unknown-symbol": 5,
      "trade-time": 1,
      "order-book-price": 1,
    });
    expect(events).toEqual([]);
  });

  test("symbols that the exchange does not have are named", async () => {
    const ccxt = new FakeCcxt();
    const some = start(ccxt, ["AUSD", "GONE"]);
    await ccxt.answer("watchTickers A/USD", ticker("A/USD"));
    await until(() => some.statuses.at(-1) === "CONNECTED: unknown to the exchange: GONE");
    const none = start(new FakeCcxt(), ["GONE"]);
    await until(() => none.statuses.at(-1) === "ERROR: unknown to the exchange: GONE");
  });
});

describe("changes and failures", () => {
  test("other symbols take new connections, the same ones in another order do not", async () => {
    const ccxt = new FakeCcxt();
    const { feed, events, statuses } = start(ccxt, ["AUSD", "BUSD"]);
    await ccxt.answer("watchOrderBook A/USD", book("A/USD"));
    await until(() => events.length === 2);
    const [a, b] = symbolsOf("AUSD", "BUSD");
    if (a === undefined || b === undefined) throw new Error("two were asked for");
    feed.setSymbols([b, a]);
    expect(ccxt.waiting.has("watchOrderBook B/USD")).toBe(true);
    feed.setSymbols([a]);
    await until(() => ccxt.waiting.has("watchTickers A/USD"));
    expect(ccxt.closes).toBe(1);
    expect([...ccxt.waiting.keys()]).toEqual(["watchTickers A/USD", "watchTrades A/USD", "watchOrderBook A/USD"]);
    expect(events.slice(2)).toMatchObject([
      { kind: "orderBookLost", symbolId: 0, reason: "disconnected" },
      { kind: "orderBookLost", symbolId: 1 },
    ]);
    feed.setSymbols([]);
    expect(statuses.at(-1)).toBe("DISCONNECTED: no symbols to watch");
    await until(() => ccxt.waiting.size === 0);
    feed.setSymbols([a]);
    await ccxt.answer("watchTickers A/USD", ticker("A/USD"));
    await until(() => statuses.at(-1) === "CONNECTED");
  });

  test("what fails is tried again, and books are lost meanwhile", async () => {
    const ccxt = new FakeCcxt();
    const { feed, events, statuses } = start(ccxt, ["AUSD"]);
    await ccxt.answer("watchTickers A/USD", ticker("A/USD"));
    await until(() => statuses.at(-1) === "CONNECTED" && ccxt.waiting.size === 3);
    ccxt.fail("watchTrades A/USD", new Error("Connection closed by remote server"));
    await until(() => statuses.at(-1) === "RECONNECTING: Connection closed by remote server");
    expect(events.at(-1)).toMatchObject({ kind: "orderBookLost" });
    await until(() => ccxt.waiting.size === 3);
    await ccxt.answer("watchTickers A/USD", ticker("A/USD"));
    expect(statuses.at(-1)).toMatch(/^RECONNECTING/);
    await ccxt.answer("watchTrades A/USD", []);
    await until(() => statuses.at(-1) === "CONNECTED");
    expect(feed.stats.rejected.get("request-failed")).toBe(1);
    expect(feed.stats.reconnects).toBe(1);
  });

  test("an exchange that cannot be opened, or has no markets yet, is tried again", async () => {
    const ccxt = new FakeCcxt();
    let attempts = 0;
    ccxt.loadMarkets = () => (attempts++ < 2 ? Promise.reject(new Error("502")) : Promise.resolve(markets));
    let opened = 0;
    const open = () => (opened++ === 0 ? Promise.reject(unavailable("no such exchange")) : Promise.resolve(ccxt));
    const { statuses } = start(open, ["AUSD"]);
    await ccxt.answer("watchTickers A/USD", ticker("A/USD"));
    await until(() => statuses.at(-1) === "CONNECTED");
    expect(statuses).toEqual(["CONNECTING", "RECONNECTING: no such exchange", "RECONNECTING: 502", "CONNECTED"]);
    expect(opened).toBe(2);
  });

  test("silence makes it stale, and the connections are made anew", async () => {
    const ccxt = new FakeCcxt();
    const { time, statuses } = start(ccxt, ["AUSD"], { staleAfterMs: 40 });
    await ccxt.answer("watchTickers A/USD", ticker("A/USD"));
    await until(() => statuses.includes("CONNECTED"));
    time.offsetMs += 41;
    await until(() => statuses.at(-1) === "STALE: silent for 40 ms");
    await ccxt.answer("watchTickers A/USD", ticker("A/USD"));
    await until(() => statuses.at(-1) === "CONNECTED");
  });

  test("an exchange that answers at once leaves room for others, and after closing nothing is said", async () => {
    const ccxt = new FakeCcxt();
    ccxt.has = { watchTicker: true };
    Object.assign(ccxt, { watchTicker: () => Promise.resolve(ticker("A/USD")) });
    const { feed, events, statuses } = start(ccxt, ["AUSD"]);
    await until(() => events.length > 100);
    await feed.close();
    const said = [events.length, statuses.length];
    await until(() => ccxt.closes > 0);
    feed.setSymbols(symbolsOf("BUSD"));
    await new Promise((resolve) => setImmediate(resolve));
    expect([events.length, statuses.length]).toEqual(said);
  });
});

describe("ccxt itself, over a socket", () => {
  /** An exchange on loopback, by ccxt's own base class: its connecting, subscribing and closing are the real ones. */
  class Loopback extends Exchange {
    constructor(private readonly address: string) {
      super({ id: "loopback", enableRateLimit: false, timeout: 2_000 });
      Object.assign(this.has, { ws: true, watchTrades: true });
    }
    override async loadMarkets(): ReturnType<Exchange["loadMarkets"]> {
      // What ccxt wants before it connects without TLS.
      await this.loadHttpProxyAgent();
      return markets as never;
    }
    override watchTrades(symbol: string): ReturnType<Exchange["watchTrades"]> {
      const what = `trades:${symbol}`;
      return this.watch(this.address, what, { subscribe: symbol }, what) as never;
    }
    override handleMessage(client: { resolve(answer: unknown, what: string): void }, message: never): void {
      const { symbol, trades } = message as { symbol: string; trades: unknown };
      client.resolve(trades, `trades:${symbol}`);
    }
  }

  test("whose markets could not be loaded is asked for them again", async () => {
    const kraken = await openCcxt("kraken", 1_000);
    let asked = 0;
    const fetchMarkets = () => (asked++ === 0 ? Promise.reject(new Error("502")) : Promise.resolve([]));
    Object.assign(kraken, { fetchMarkets, fetchCurrencies: () => Promise.resolve({}) });
    await expect(kraken.loadMarkets()).rejects.toThrow("502");
    expect(await kraken.loadMarkets()).toEqual({});
  });

  test("a list of markets that could not be loaded is loaded again, and what is listed later can be watched", async () => {
    const exchange = await startFakeExchange();
    try {
      let calls = 0;
      class Listing extends Loopback {
        override async loadMarkets(reload?: boolean): ReturnType<Exchange["loadMarkets"]> {
          await this.loadHttpProxyAgent();
          return Exchange.prototype.loadMarkets.call(this, reload) as ReturnType<Exchange["loadMarkets"]>;
        }
        override fetchMarkets(): ReturnType<Exchange["fetchMarkets"]> {
          calls++;
          if (calls === 1) return Promise.reject(new NetworkError("getaddrinfo ENOTFOUND"));
          return Promise.resolve((calls === 2 ? [markets["A/USD"]] : [markets["A/USD"], markets["B/USD"]]) as never);
        }
      }
      const listing = new Listing(exchange.url) as unknown as CcxtExchange;
      const { feed, statuses } = start(listing, ["AUSD"]);
      await until(() => exchange.connections[0]?.received.length === 1);
      expect(statuses).toEqual(["CONNECTING", "RECONNECTING: getaddrinfo ENOTFOUND"]);
      feed.setSymbols(symbolsOf("AUSD", "BUSD"));
      await until(() => exchange.connections[1]?.received.length === 2);
      expect(calls).toBe(3);
    } finally {
      await exchange.close();
    }
  });

  test("subscribes, survives a lost connection, and closes its sockets", async () => {
    const exchange = await startFakeExchange();
    try {
      const loopback = new Loopback(exchange.url) as unknown as CcxtExchange;
      const { feed, events, statuses } = start(loopback, ["AUSD"]);
      const nowMs = Date.now();
      const send = (timestamp: number, id: string) =>
        exchange.latest().socket.send(JSON.stringify({ symbol: "A/USD", trades: [trade("A/USD", timestamp, id)] }));
      await until(() => exchange.connections[0]?.received.length === 1);
      expect(exchange.latest().received).toEqual(['{"subscribe":"A/USD"}']);
      send(nowMs, "1");
      await until(() => events.length === 1 && statuses.at(-1) === "CONNECTED");

      exchange.latest().socket.terminate();
      await until(() => statuses.at(-1)?.startsWith("RECONNECTING") === true);
      await until(() => exchange.connections[1]?.received.length === 1);
      send(nowMs + 1, "2");
      await until(() => statuses.at(-1) === "CONNECTED");
      expect(events.filter(({ kind }) => kind === "trade")).toHaveLength(2);

      await feed.close();
      await until(() => exchange.latest().socket.readyState === 3);
    } finally {
      await exchange.close();
    }
  });
});
