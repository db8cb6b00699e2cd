import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { impatient } from "../../test/support/book-dialects.js";
import { type FakeExchange, startFakeExchange } from "../../test/support/fake-exchange.js";
import { recordedFrames, recordedResponse, recordingsFolder } from "../../test/support/recordings.js";
import { startTestFeed, symbolsOf } from "../../test/support/spot-feed.js";
import { until } from "../../test/support/until.js";
import type { BookTickerEvent, MarketEvent, OrderBookEvent } from "../market-data/events.js";
import { binanceSpotProtocol } from "./binance/protocol.js";
import { binanceFuturesProtocol } from "./binance-futures/protocol.js";
import type { Feed } from "./feed.js";
import { gateFuturesProtocol } from "./gateio/protocol.js";
import { okxSpotProtocol } from "./okx/protocol.js";
import type { Protocol } from "./stream/protocol.js";

/* What exchanges really sent, through the whole feed: socket, decoding, books, events. */

let exchange: FakeExchange;
let feed: Feed | undefined;
beforeEach(async () => {
  exchange = await startFakeExchange();
});
afterEach(async () => {
  await feed?.close();
  await exchange.close();
});

/** The recorded REST snapshots by the end of their address. */
function recordedSnapshots(name: string): Map<string, string> {
  const bodies = new Map<string, string>();
  for (const line of readFileSync(join(recordingsFolder() ?? "", name), "utf8").split("\n")) {
    const [, path, body] = /^https:\/\/[^/]+(\S+) -> [\d.]+: (.*)$/.exec(line) ?? [];
    if (path !== undefined && body !== undefined) bodies.set(path, body);
  }
  return bodies;
}

/** Plays the recorded frames to a feed, then answers what it asked for by REST meanwhile, as the exchange did. */
async function play(
  protocol: Protocol,
  recording: string,
  path: string,
  tickers: readonly string[],
  reply: (text: string) => object[],
  rest: ReadonlyMap<string, string>,
) {
  exchange.reply = reply;
  exchange.body = (asked) => rest.get(asked) ?? null;
  const endpoint = { websocketUrl: exchange.url, endpointUrl: exchange.restUrl };
  const started = startTestFeed(endpoint, symbolsOf(...tickers), {}, impatient(protocol));
  feed = started.feed;
  await until(() => started.statuses.at(-1) === "CONNECTED");
  const frames = recordedFrames(recording);
  const { socket } = exchange.latest(path);
  for (const { body } of frames) socket.send(body);
  await until(() => started.feed.stats.messages >= frames.length);
  await until(() => tickers.every((_, id) => lastBookOf(started.events, id) !== undefined));
  return started;
}

const lastBookOf = (events: readonly MarketEvent[], symbolId: number): OrderBookEvent | undefined =>
  events.findLast((event) => event.kind === "orderBook" && event.symbolId === symbolId) as OrderBookEvent | undefined;

/** Best prices and quantities of a book beside the newest best bid and offer up to its number, which comes in another stream. */
function withTicker(events: readonly MarketEvent[], symbolId: number) {
  const book = lastBookOf(events, symbolId);
  const ticker = events.findLast(
    (event): event is BookTickerEvent =>
      event.kind === "bookTicker" &&
      event.symbolId === symbolId &&
      event.exchangeSequence <= (book?.exchangeSequence ?? 0),
  );
  return {
    book: [book?.bids[0], book?.asks[0]],
    ticker: [
      [ticker?.bid, ticker?.bidQuantity],
      [ticker?.ask, ticker?.askQuantity],
    ],
  };
}

const noLosses = { disconnected: 0, "sequence-gap": 0, "wrong-checksum": 0, crossed: 0 };

describe.skipIf(recordingsFolder() === null)("recorded traffic", () => {
  const ok = (text: string): object[] => [{ result: null, id: (JSON.parse(text) as { id: number }).id }];

  test.each([
    {
      name: "binance-spot",
      protocol: binanceSpotProtocol,
      path: "/stream",
      tickers: ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"],
      diffs: 177,
      compared: 3,
    },
    {
      name: "binance-futures",
      protocol: binanceFuturesProtocol,
      path: "/public/stream",
      tickers: ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"],
      diffs: 764,
      compared: 4,
    },
  ])("$name", async ({ name, protocol, path, tickers, diffs, compared }) => {
    const snapshots = recordedSnapshots(`${name}.depth.http.txt`);
    const { feed, events } = await play(protocol, `${name}.ws.txt`, path, tickers, ok, snapshots);
    await until(() => feed.stats.books?.diffs === diffs);
    expect(feed.stats.rejected.size).toBe(0);
    expect(feed.stats.books).toMatchObject({ lost: noLosses, snapshots: 4, failedSnapshots: 0 });
    const known = tickers.map((_, id) => withTicker(events, id)).filter(({ ticker }) => ticker[0]?.[0] !== undefined);
    expect(known).toHaveLength(compared);
    for (const { book, ticker } of known) expect(book).toEqual(ticker);
  });

  test("gateio-futures", async () => {
    const snapshots = recordedSnapshots("gateio-futures.depth.http.txt");
    const contracts = recordedResponse("gateio-futures.contracts.http.txt.gz");
    const tickers = [...snapshots.keys()].map((path) => /contract=(\w+)/.exec(path)?.[1] ?? "");
    const rest = new Map([...snapshots, ["/api/v4/futures/usdt/contracts", contracts]]);
    const reply = (text: string): object[] => {
      const { id, channel, event } = JSON.parse(text) as { id: number; channel: string; event: string };
      return [{ time: 1, time_ms: 1_000, id, channel, event, result: { status: "success" } }];
    };
    const { feed, events } = await play(
      gateFuturesProtocol,
      "gateio-futures.ws.txt",
      "/v4/ws/usdt",
      tickers,
      reply,
      rest,
    );
    await until(() => feed.stats.books?.diffs === 352);
    expect(feed.stats.rejected.size).toBe(0);
    expect(feed.stats.books).toMatchObject({ lost: noLosses, snapshots: 10, failedSnapshots: 0 });
    const known = tickers.map((_, id) => withTicker(events, id)).filter(({ ticker }) => ticker[0]?.[0] !== undefined);
    expect(known).toHaveLength(5);
    for (const { book, ticker } of known) expect(book).toEqual(ticker);
  });

  test("okx, whose checksums hold for every change", async () => {
    const tickers = ["BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"];
    const reply = (text: string): object[] => {
      const { id, op, args } = JSON.parse(text) as { id: string; op: string; args: object[] };
      return args.map((arg) => ({ id, event: op, arg, connId: "a" }));
    };
    const { feed, events } = await play(
      okxSpotProtocol,
      "okx.ws.txt",
      "/ws/v5/public",
      tickers,
      reply,
      new Map<string, string>(),
    );
    await until(() => feed.stats.books?.diffs === 287);
    expect(feed.stats.rejected.size).toBe(0);
    expect(feed.stats.books).toMatchObject({ lost: noLosses, snapshots: 3, failedSnapshots: 0 });
    expect(tickers.map((_, id) => lastBookOf(events, id)?.bids.length)).toEqual([50, 50, 50]);
  });
});
