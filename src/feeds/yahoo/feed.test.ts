import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import type { MarketEvent } from "../../market-data/events.js";
import type { Feed, FeedOptions } from "../feed.js";
import { unavailable } from "../rest.js";
import { type FetchQuotes, yahooClient } from "./client.js";
import { startYahooFeed, type YahooTuning } from "./feed.js";

const openedMs = Date.UTC(2026, 0, 5, 15);
const quoteOf = (symbol: string, price = 10) => ({
  symbol,
  regularMarketPrice: price,
  regularMarketTime: openedMs / 1000,
  regularMarketPreviousClose: 8,
  regularMarketDayHigh: 12,
  regularMarketDayLow: 7,
  regularMarketVolume: 100,
});

const feeds: Feed[] = [];
afterEach(async () => {
  await Promise.all(feeds.splice(0).map((feed) => feed.close()));
});

/** A feed whose time stands still unless the test moves it. */
function start(
  fetchQuotes: FetchQuotes,
  tickers: string[],
  {
    market = "NASDAQ_EQUITY",
    endpoint = {} as Partial<FeedOptions["endpoint"]>,
    tuning = {} as Partial<YahooTuning>,
  } = {},
) {
  const time = { nowMs: openedMs, isOpen: true, ticks: 0 };
  const events: MarketEvent[] = [];
  const statuses: string[] = [];
  const options: FeedOptions = {
    endpoint: {
      code: "YAHOO_TEST",
      websocketUrl: "",
      backupWebsocketUrl: null,
      endpointUrl: null,
      timeoutMs: 2_000,
      retryDelayMs: 500,
      staleAfterMs: 60_000,
      ...endpoint,
    },
    symbols: symbolsOf(...tickers),
    clock: { nowMs: () => time.nowMs },
    log: pino({ level: "silent" }),
    random: () => 1,
    isMarketOpen: () => {
      time.ticks++;
      return time.isOpen;
    },
    onEvent: (event) => events.push(event),
    onStatus: (status, detail) => statuses.push(detail === null ? status : `${status}: ${detail}`),
  };
  const feed = startYahooFeed(market, fetchQuotes, options, { tickMs: 1, ...tuning });
  feeds.push(feed);
  /** Until the feed has looked at the clock and done what is due. */
  const looked = async () => {
    const { ticks } = time;
    await until(() => time.ticks > ticks + 2);
  };
  return { feed, time, looked, events, statuses };
}

/** Yahoo as the test tells it to be, and what it was asked. */
class FakeYahoo {
  readonly asked: (readonly string[])[] = [];
  error: Error | null = null;
  answer = (symbols: readonly string[]): unknown[] => symbols.map((symbol) => quoteOf(symbol));
  readonly fetch: FetchQuotes = (symbols) => {
    this.asked.push(symbols);
    return this.error === null ? Promise.resolve(this.answer(symbols)) : Promise.reject(this.error);
  };
}

describe("polling", () => {
  test("asks for all symbols in parts, then pauses", async () => {
    const yahoo = new FakeYahoo();
    const { feed, time, looked, events, statuses } = start(yahoo.fetch, ["A", "B.C", "D"], {
      tuning: { symbolsPerRequest: 2 },
    });
    await until(() => events.length === 3);
    expect(yahoo.asked).toEqual([["A", "B-C"], ["D"]]);
    expect(events).toMatchObject([
      { kind: "ticker24h", symbolId: 0, last: "10", receivedAtMs: openedMs },
      { symbolId: 1 },
      { symbolId: 2 },
    ]);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED"]);
    expect(feed.stats).toMatchObject({ messages: 2, events: 3, reconnects: 0 });

    time.nowMs += 14_999;
    feed.setSymbols(symbolsOf("A"));
    await looked();
    expect(yahoo.asked).toHaveLength(2);
    time.nowMs += 1;
    await until(() => yahoo.asked.length === 3);
    expect(yahoo.asked[2]).toEqual(["A"]);
  });

  test("a best bid and offer that Yahoo does not tell any more is gone, which is said once", async () => {
    const yahoo = new FakeYahoo();
    let sides: object = { bid: 9, bidSize: 1, ask: 11, askSize: 2 };
    yahoo.answer = (symbols) => symbols.map((symbol) => ({ ...quoteOf(symbol), ...sides }));
    const { time, events } = start(yahoo.fetch, ["A"]);
    await until(() => events.length === 2);
    sides = {};
    time.nowMs += 15_000;
    await until(() => events.length === 4);
    time.nowMs += 15_000;
    await until(() => events.length === 5);
    expect(events).toMatchObject([
      { kind: "ticker24h" },
      { kind: "bookTicker", bid: "9", ask: "11" },
      { kind: "ticker24h" },
      { kind: "bookTicker", bid: null, bidQuantity: null, ask: null, askQuantity: null },
      { kind: "ticker24h" },
    ]);
  });

  test("the provider's limit spaces the parts", async () => {
    const yahoo = new FakeYahoo();
    const { time } = start(yahoo.fetch, ["A", "B", "C"], {
      endpoint: { rateLimitPerMinute: 2 },
      tuning: { symbolsPerRequest: 1 },
    });
    for (let requests = 1; requests <= 4; requests++) {
      await until(() => yahoo.asked.length === requests);
      time.nowMs += 30_000;
    }
    expect(yahoo.asked.slice(0, 4)).toEqual([["A"], ["B"], ["C"], ["A"]]);
  });

  test("a new symbol does not wait for the next round", async () => {
    const yahoo = new FakeYahoo();
    const { feed, events } = start(yahoo.fetch, ["A"]);
    await until(() => events.length === 1);
    feed.setSymbols(symbolsOf("A", "B"));
    await until(() => yahoo.asked.length === 2);
    expect(yahoo.asked[1]).toEqual(["B"]);
  });

  test("rarely while the market is closed, at once when it opens, and the night is no silence", async () => {
    const yahoo = new FakeYahoo();
    const { time, looked, statuses } = start(yahoo.fetch, ["A"]);
    time.isOpen = false;
    await until(() => yahoo.asked.length === 1 && statuses.at(-1) === "CONNECTED");
    time.nowMs += 14 * 60_000;
    await looked();
    expect(yahoo.asked).toHaveLength(1);
    yahoo.error = unavailable("not now");
    time.nowMs += 60_000;
    await until(() => yahoo.asked.length === 2 && statuses.at(-1) === "RECONNECTING: not now");
    yahoo.error = null;
    time.nowMs += 8 * 3_600_000;
    await until(() => yahoo.asked.length === 3);
    time.isOpen = true;
    await until(() => yahoo.asked.length === 4);
    expect(statuses).toEqual(["CONNECTING", "CONNECTED", "RECONNECTING: not now", "CONNECTED"]);
  });

  test("symbols that Yahoo does not know are named; what was not asked for is rejected", async () => {
    const yahoo = new FakeYahoo();
    yahoo.answer = () => [quoteOf("THYAO.IS"), quoteOf("THYAO.IS"), quoteOf("OTHER"), null, 5, { symbol: 7 }];
    const { feed, events, statuses } = start(yahoo.fetch, ["THYAO", "GONE"], { market: "BIST_EQUITY" });
    await until(() => statuses.at(-1) === "CONNECTED: unknown to Yahoo: GONE.IS");
    expect(yahoo.asked).toEqual([["THYAO.IS", "GONE.IS"]]);
    expect(events).toHaveLength(1);
    expect(Object.fromEntries(feed.stats.rejected)).toEqual({ "unknown-symbol": 5, "symbol-missing": 1 });
  });

  test("a symbol that was taken back while it was asked for is skipped", async () => {
    let answer: ((quotes: unknown[]) => void) | undefined;
    const { feed, events, statuses } = start(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      ["A"],
    );
    await until(() => answer !== undefined);
    feed.setSymbols([]);
    expect(statuses.at(-1)).toBe("DISCONNECTED: no symbols to watch");
    answer?.([quoteOf("A")]);
    await until(() => feed.stats.skipped.get("unsubscribed-symbol") === 1);
    expect(events).toEqual([]);
    expect(statuses.at(-1)).toBe("DISCONNECTED: no symbols to watch");
  });
});

describe("failures", () => {
  test("back off, are counted, and turn stale after the provider's limit", async () => {
    const yahoo = new FakeYahoo();
    const { feed, time, statuses } = start(yahoo.fetch, ["A"]);
    await until(() => statuses.at(-1) === "CONNECTED");
    yahoo.error = new Error("socket hang up");
    time.nowMs += 15_000;
    await until(() => statuses.at(-1) === "RECONNECTING: socket hang up");
    time.nowMs += 500;
    await until(() => feed.stats.rejected.get("request-failed") === 2);
    time.nowMs += 60_000;
    await until(() => statuses.at(-1) === "STALE: socket hang up");
    await until(() => feed.stats.rejected.get("request-failed") === 3);
    yahoo.error = null;
    time.nowMs += 60_000;
    await until(() => statuses.at(-1) === "CONNECTED");
    expect(feed.stats.reconnects).toBe(3);
  });

  test.each([
    ["what Yahoo asks for", 300, 300_000],
    ["a minute when it asks for nothing", null, 60_000],
    ["half an hour at most", 86_400, 30 * 60_000],
  ])("too many requests: pauses %s", async (_name, retryAfterSeconds, pauseMs) => {
    const yahoo = new FakeYahoo();
    yahoo.error = unavailable("Yahoo is limiting our requests", { status: 429, retryAfterSeconds });
    const { feed, time, looked, statuses } = start(yahoo.fetch, ["A"]);
    await until(() => statuses.at(-1) === "RECONNECTING: Yahoo is limiting our requests");
    expect(feed.stats.rejected.get("rate-limited")).toBe(1);
    yahoo.error = null;
    time.nowMs += pauseMs - 1;
    feed.setSymbols(symbolsOf("A", "B"));
    await looked();
    expect(yahoo.asked).toHaveLength(1);
    time.nowMs += 1;
    await until(() => statuses.at(-1) === "CONNECTED");
    expect(yahoo.asked).toHaveLength(2);
  });

  test("closing ends a request that is under way, and nothing is said afterwards", async () => {
    let isAborted = false;
    const { feed, statuses } = start(
      (_symbols, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            isAborted = true;
            reject(new Error("aborted"));
          });
          statuses.push("asked");
        }),
      ["A"],
    );
    await until(() => statuses.includes("asked"));
    await feed.close();
    expect(isAborted).toBe(true);
    expect(statuses).toEqual(["CONNECTING", "asked"]);
  });
});

describe("by the library, over HTTP", () => {
  let server: Server;
  let requests: string[];
  let serve: (path: string, response: ServerResponse, request: IncomingMessage) => void;
  beforeEach(async () => {
    requests = [];
    serve = (path, response) => {
      if (path === "/quote/AAPL")
        response.setHeader("set-cookie", "A3=secret; Domain=.yahoo.com; Path=/").end("<html>");
      else if (path === "/v1/test/getcrumb") response.end("crumb");
      else response.end(JSON.stringify({ quoteResponse: { result: [quoteOf("AAPL", 227.52)], error: null } }));
    };
    server = createServer((request, response) => {
      const path = (request.url ?? "").split("?")[0] ?? "";
      requests.push(path);
      serve(path, response, request);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    // What the library remembers of the test before is forgotten with the first refusal.
    const serveAll = serve;
    serve = (_path, response) => response.writeHead(401).end();
    await expect(client()(["AAPL"], new AbortController().signal)).rejects.toMatchObject({
      code: "PROVIDER_UNAVAILABLE",
    });
    serve = serveAll;
    requests = [];
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const endpoint = () => ({
    endpointUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    timeoutMs: 1_000,
    retryDelayMs: 10,
  });
  const client = () =>
    yahooClient({ code: "T", websocketUrl: "", backupWebsocketUrl: null, staleAfterMs: 60_000, ...endpoint() });
  const startReal = () => start(client(), ["AAPL"], { endpoint: endpoint() });

  test("gets its cookie and its crumb, then quotes", async () => {
    let asked: IncomingMessage | undefined;
    const serveAll = serve;
    serve = (path, response, request) => {
      if (path === "/v7/finance/quote") asked = request;
      serveAll(path, response, request);
    };
    const { events } = startReal();
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ kind: "ticker24h", last: "227.52", exchangeTimeMs: openedMs }]);
    expect(requests).toEqual(["/quote/AAPL", "/v1/test/getcrumb", "/v7/finance/quote"]);
    expect(asked?.url).toBe("/v7/finance/quote?symbols=AAPL&crumb=crumb");
    expect(asked?.headers.cookie).toBe("A3=secret");
  });

  test("a crumb that is refused is asked for anew", async () => {
    const serveAll = serve;
    const crumbs = ["old", "new"];
    serve = (path, response, request) => {
      if (path === "/v1/test/getcrumb") response.end(crumbs.shift());
      else if (request.url?.endsWith("crumb=old")) response.writeHead(401).end("{}");
      else serveAll(path, response, request);
    };
    const { time, events, statuses } = startReal();
    await until(() => statuses.at(-1) === "RECONNECTING: Yahoo answered with HTTP 401");
    time.nowMs += 1_000;
    await until(() => events.length === 1);
  });

  test.each(["/quote/AAPL", "/v1/test/getcrumb", "/v7/finance/quote"])(
    "a limit at %s is told as such, and passes",
    async (limited) => {
      const serveAll = serve;
      let isLimited = true;
      serve = (path, response, request) => {
        if (isLimited && path === limited) response.writeHead(429, { "retry-after": "90" }).end("Too Many Requests");
        else serveAll(path, response, request);
      };
      const { feed, time, events, statuses } = startReal();
      await until(() => statuses.at(-1) === "RECONNECTING: Yahoo is limiting our requests");
      expect(feed.stats.rejected.get("rate-limited")).toBe(1);
      isLimited = false;
      time.nowMs += 89_999;
      time.nowMs += 1;
      await until(() => events.length === 1);
    },
  );

  test.each([
    ["no JSON", (response: ServerResponse) => response.end("<html>")],
    ["another JSON", (response: ServerResponse) => response.end("[]")],
    [
      "an error",
      (response: ServerResponse) =>
        response.end('{"quoteResponse":{"result":null,"error":{"code":"X","description":"no"}}}'),
    ],
    ["a closed connection", (response: ServerResponse) => response.destroy()],
    ["silence", () => {}],
  ])("%s in place of quotes is a failure that passes", async (_name, answer) => {
    const serveAll = serve;
    let isBroken = true;
    serve = (path, response, request) => {
      if (isBroken && path === "/v7/finance/quote") answer(response);
      else serveAll(path, response, request);
    };
    const { feed, time, events, statuses } = startReal();
    await until(() => feed.stats.rejected.get("request-failed") === 1);
    expect(statuses.at(-1)).toMatch(/^RECONNECTING: Yahoo did not answer: /);
    isBroken = false;
    time.nowMs += 1_000;
    await until(() => events.length === 1);
  });
});
