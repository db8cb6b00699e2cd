import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FakeExchange, startFakeExchange } from "../../test/support/fake-exchange.js";
import { startTestFeed, symbolsOf } from "../../test/support/spot-feed.js";
import { until } from "../../test/support/until.js";
import { markets } from "../catalogue/reference-data.js";
import { adapterOf } from "./adapters.js";
import { binanceFuturesProtocol } from "./binance-futures/protocol.js";
import { bybitFuturesProtocol, bybitSpotProtocol } from "./bybit/protocol.js";
import type { Feed } from "./feed.js";
import { gateFuturesProtocol, gateSpotProtocol } from "./gateio/protocol.js";
import { okxFuturesProtocol, okxSpotProtocol } from "./okx/protocol.js";
import type { Protocol } from "./stream/protocol.js";

test("every market of the crypto exchanges has an adapter", () => {
  const missing = markets.filter(
    ({ assetClass, code }) =>
      assetClass === "CRYPTO" && adapterOf({ code: `${code}_WS`, feedType: "WEBSOCKET" }, code) === undefined,
  );
  expect(missing.map(({ code }) => code)).toEqual([]);
});

test("shares are asked for by REST, and nobody else is", () => {
  for (const market of ["BIST_EQUITY", "NASDAQ_EQUITY", "NYSE_EQUITY"]) {
    expect(adapterOf({ code: `${market}_YAHOO`, feedType: "REST" }, market)).toBeDefined();
    expect(adapterOf({ code: "OTHER", feedType: "REST" }, market)).toBeUndefined();
    expect(adapterOf({ code: "OTHER", feedType: "WEBSOCKET" }, market)).toBeUndefined();
  }
});

test("ccxt is for whoever's code says so, before the market's own protocol", () => {
  const provider = (code: string, feedType: "REST" | "WEBSOCKET" = "WEBSOCKET") => ({ code, feedType });
  const kraken = adapterOf(provider("CCXT_KRAKEN"), "KRAKEN_SPOT");
  expect(kraken).toBeDefined();
  expect(adapterOf(provider("KRAKEN_SPOT_CCXT", "REST"), "KRAKEN_SPOT")).toBe(kraken);
  expect(adapterOf(provider("CCXT_BINANCE"), "BINANCE_SPOT")).not.toBe(adapterOf(provider("B"), "BINANCE_SPOT"));
  expect(adapterOf(provider("CCXT"), "BINANCE_SPOT")).toBeUndefined();
});

/* Each exchange as it answers requests, on loopback. */

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

const start = (protocol: Protocol, ...tickers: string[]) => {
  const endpoint = { websocketUrl: exchange.url, endpointUrl: exchange.restUrl };
  const started = startTestFeed(endpoint, symbolsOf(...tickers), {}, protocol);
  feeds.push(started.feed);
  return started;
};
const requests = (path: string) => exchange.latest(path).received.map((text) => JSON.parse(text) as unknown);

describe("OKX", () => {
  interface Request {
    readonly id: string;
    readonly op: string;
    readonly args: readonly { readonly channel: string; readonly instId: string }[];
  }
  /** An argument that is wrong is refused; the others are taken. */
  const reply = (text: string): object[] => {
    const { id, op, args } = JSON.parse(text) as Request;
    return args.map((arg) =>
      arg.instId.startsWith("BAD")
        ? { id, event: "error", code: "60018", msg: `${arg.channel},instId:${arg.instId} doesn't exist`, connId: "a" }
        : { id, event: op, arg, connId: "a" },
    );
  };
  const swaps = JSON.stringify({
    code: "0",
    data: [{ instId: "A-USDT-SWAP", ctType: "linear", ctVal: "10", ctMult: "1" }],
    msg: "",
  });

  test("spot", async () => {
    exchange.reply = reply;
    const { statuses, details, feed, events } = start(okxSpotProtocol, "A-USDT", "BAD-USDT", "B-USDT");
    await until(() => statuses.includes("CONNECTED"));
    expect(requests("/ws/v5/public").slice(-2)).toMatchObject([
      {
        op: "subscribe",
        args: ["bbo-tbt", "trades", "tickers", "books"].map((channel) => ({ channel, instId: "A-USDT" })),
      },
      { op: "subscribe", args: [{ instId: "BAD-USDT" }, {}, {}, {}] },
    ]);
    expect(details.at(-1)).toContain("SUBSCRIBE refused: bbo-tbt,instId:BAD-USDT doesn't exist (60018)");
    feed.setSymbols(symbolsOf("A-USDT"));
    await until(() => requests("/ws/v5/public").length === 6);
    expect(requests("/ws/v5/public")[5]).toMatchObject({ op: "unsubscribe", args: [{ instId: "B-USDT" }, {}, {}, {}] });
    const data = [{ asks: [["2", "1", "0", "1"]], bids: [["1", "1", "0", "1"]], ts: String(Date.now()), seqId: 5 }];
    exchange.latest().socket.send(JSON.stringify({ arg: { channel: "bbo-tbt", instId: "A-USDT" }, data }));
    await until(() => events.length === 1);
  });

  test("swaps, whose sizes are asked for first", async () => {
    exchange.reply = reply;
    exchange.body = () => swaps;
    const { statuses, events } = start(okxFuturesProtocol, "A-USDT-SWAP");
    await until(() => statuses.includes("CONNECTED"));
    expect(exchange.requestedPaths).toEqual(["/api/v5/public/instruments?instType=SWAP"]);
    expect((requests("/ws/v5/public")[0] as Request).args.map(({ channel }) => channel)).toEqual([
      "bbo-tbt",
      "trades",
      "tickers",
      "books",
      "funding-rate",
    ]);
    const data = [{ instId: "A-USDT-SWAP", tradeId: "1", px: "2", sz: "3", side: "buy", ts: String(Date.now()) }];
    exchange.latest().socket.send(JSON.stringify({ arg: { channel: "trades", instId: "A-USDT-SWAP" }, data }));
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ kind: "trade", quantity: "30" }]);
  });
});

test("Binance futures: each kind of stream at its own address", async () => {
  exchange.reply = (text) => [{ result: null, id: (JSON.parse(text) as { id: number }).id }];
  const { statuses } = start(binanceFuturesProtocol, "AUSDT", "BUSDT");
  await until(() => statuses.includes("CONNECTED"));
  expect(requests("/public/stream")).toEqual([
    {
      method: "SUBSCRIBE",
      params: ["ausdt@bookTicker", "ausdt@depth@100ms", "busdt@bookTicker", "busdt@depth@100ms"],
      id: 1,
    },
  ]);
  expect(requests("/market/stream")).toMatchObject([
    {
      params: ["ausdt", "busdt"].flatMap((prefix) =>
        ["aggTrade", "ticker", "markPrice@1s"].map((channel) => `${prefix}@${channel}`),
      ),
    },
  ]);
});

describe("Bybit", () => {
  interface Request {
    readonly req_id: string;
    readonly op: string;
    readonly args: readonly string[];
  }

  test.each([
    ["spot", bybitSpotProtocol, [10, 10, 8]],
    ["linear", bybitFuturesProtocol, [28]],
  ] as const)("%s", async (category, protocol, argumentsPerMessage) => {
    exchange.reply = (text) => {
      const { req_id, op } = JSON.parse(text) as Request;
      return [{ success: true, ret_msg: op, conn_id: "x", req_id, op }];
    };
    const { statuses } = start(protocol, "A", "B", "C", "D", "E", "F", "G");
    await until(() => statuses.includes("CONNECTED"));
    const sent = requests(`/v5/public/${category}`) as Request[];
    expect(sent.map(({ args }) => args.length)).toEqual(argumentsPerMessage);
    expect(sent.flatMap(({ args }) => args).slice(0, 4)).toEqual([
      "orderbook.1.A",
      "publicTrade.A",
      "tickers.A",
      "orderbook.50.A",
    ]);
  });

  test("topics that were taken before the refusal of another one do no harm", async () => {
    const taken = new Set<string>();
    exchange.reply = (text) => {
      const { req_id, op, args } = JSON.parse(text) as Request;
      for (const topic of args) {
        const error = topic.endsWith(".BAD") ? "handler not found" : taken.has(topic) ? "already subscribed" : null;
        if (error !== null) return [{ success: false, ret_msg: `error:${error},topic:${topic}`, req_id, op }];
        taken.add(topic);
      }
      return [{ success: true, ret_msg: op, req_id, op }];
    };
    const { statuses, details } = start(bybitSpotProtocol, "A", "BAD");
    await until(() => statuses.includes("CONNECTED"));
    expect([...taken]).toEqual(["orderbook.1.A", "publicTrade.A", "tickers.A", "orderbook.50.A"]);
    expect(details.at(-1)).toBe("SUBSCRIBE refused: error:handler not found,topic:orderbook.1.BAD");
  });
});

describe("Gate.io", () => {
  interface Request {
    readonly time: number;
    readonly id: number;
    readonly channel: string;
    readonly event: string;
    readonly payload: readonly string[];
  }
  const reply = (text: string): object[] => {
    const { time, id, channel, event } = JSON.parse(text) as Request;
    return [{ time, time_ms: time * 1000, id, channel, event, result: { status: "success" } }];
  };

  test("spot: a request for each channel", async () => {
    exchange.reply = reply;
    const { statuses } = start(gateSpotProtocol, "A_USDT", "B_USDT");
    await until(() => statuses.includes("CONNECTED"));
    const sent = requests("/ws/v4/") as Request[];
    const [symbols, paces] = [["A_USDT", "B_USDT"], ["100ms"]];
    expect(sent).toMatchObject(
      [
        ["spot.book_ticker", symbols],
        ["spot.trades", symbols],
        ["spot.tickers", symbols],
        ...symbols.map((symbol) => ["spot.order_book_update", [symbol, ...paces]]),
      ].map(([channel, payload], index) => ({ id: index + 1, channel, event: "subscribe", payload })),
    );
    expect(sent.every(({ time }) => Math.abs(time * 1000 - Date.now()) < 10_000)).toBe(true);
  });

  test("futures, whose sizes are asked for first", async () => {
    exchange.reply = reply;
    exchange.body = () => JSON.stringify([{ name: "A_USDT", type: "direct", quanto_multiplier: "0.1" }]);
    const { statuses, events } = start(gateFuturesProtocol, "A_USDT");
    await until(() => statuses.includes("CONNECTED"));
    expect(exchange.requestedPaths[0]).toBe("/api/v4/futures/usdt/contracts");
    expect((requests("/v4/ws/usdt") as Request[]).at(-1)?.payload).toEqual(["A_USDT", "100ms", "100"]);
    const result = { t: Date.now(), u: 1, s: "A_USDT", b: "1", B: 5, a: "2", A: 6 };
    exchange
      .latest("/v4/ws/usdt")
      .socket.send(JSON.stringify({ channel: "futures.book_ticker", event: "update", result }));
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ bidQuantity: "0.5", askQuantity: "0.6" }]);
  });
});
