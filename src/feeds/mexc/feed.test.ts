import { afterEach, beforeEach, expect, test } from "vitest";
import { type FakeExchange, startFakeExchange } from "../../../test/support/fake-exchange.js";
import { mexcFrame, protobuf } from "../../../test/support/mexc-frames.js";
import { startTestFeed, symbolsOf } from "../../../test/support/spot-feed.js";
import { until } from "../../../test/support/until.js";
import { binanceSpotProtocol } from "../binance/protocol.js";
import type { Feed } from "../feed.js";
import { mexcSpotProtocol } from "./protocol.js";

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: readonly string[];
}

let exchange: FakeExchange;
let feeds: Feed[];
beforeEach(async () => {
  feeds = [];
  exchange = await startFakeExchange();
  exchange.reply = (text) => {
    const { id, method, params } = JSON.parse(text) as Request;
    if (method === "PING") return [{ id: 0, code: 0, msg: "PONG" }];
    const refused = params.filter((channel) => channel.includes("BAD"));
    if (refused.length === 0) return [{ id, code: 0, msg: params.join(",") }];
    return [{ id, code: 0, msg: `Not Subscribed successfully! [${refused.join(",")}].  Reason： Blocked! ` }];
  };
});
afterEach(async () => {
  await Promise.all(feeds.map((feed) => feed.close()));
  await exchange.close();
});

const start = (protocol: typeof mexcSpotProtocol, ...tickers: string[]) => {
  const started = startTestFeed({ websocketUrl: exchange.url }, symbolsOf(...tickers), {}, protocol);
  feeds.push(started.feed);
  return started;
};
const bookFrame = (symbol: string, version: string) =>
  mexcFrame(315, protobuf({ 1: "1", 2: "10", 3: "2", 4: "20", 5: version }), { symbol, sendTime: Date.now() });

test("subscribes four streams a symbol, at most thirty a connection, and reads binary frames", async () => {
  const { feed, statuses, events } = start(mexcSpotProtocol, ...Array.from({ length: 8 }, (_, i) => `S${i}USDT`));
  await until(() => statuses.includes("CONNECTED"));
  const sent = exchange.connections.map(({ received }) => received.map((text) => JSON.parse(text) as Request));
  expect(sent.map((requests) => requests.map(({ params }) => params.length))).toEqual([[28], [4]]);
  expect(exchange.connections.map(({ path }) => path)).toEqual(["/ws", "/ws"]);
  expect(sent[1]?.[0]).toEqual({
    method: "SUBSCRIPTION",
    params: [
      "spot@public.aggre.bookTicker.v3.api.pb@100ms@S7USDT",
      "spot@public.aggre.deals.v3.api.pb@100ms@S7USDT",
      "spot@public.miniTicker.v3.api.pb@S7USDT@24H",
      "spot@public.aggre.depth.v3.api.pb@100ms@S7USDT",
    ],
    id: 1,
  });

  const { socket } = exchange.latest();
  socket.send(bookFrame("S7USDT", "5"));
  socket.send(Uint8Array.of(0xff));
  socket.send(bookFrame("S7USDT", "4"));
  socket.send(bookFrame("S7USDT", "6"));
  await until(() => events.length === 2);
  expect(events).toMatchObject([
    { kind: "bookTicker", symbolId: 7, bid: "1", exchangeSequence: 5 },
    { kind: "bookTicker", symbolId: 7, ask: "2", exchangeSequence: 6 },
  ]);
  expect([...feed.stats.rejected]).toEqual([["not-protobuf", 1]]);
  expect(feed.stats.skipped.get("out-of-date-bookTicker")).toBe(1);
});

test("a refused symbol does not silence the others, and is named", async () => {
  const { statuses, details } = start(mexcSpotProtocol, "AUSDT", "BADUSDT", "BUSDT");
  await until(() => statuses.includes("CONNECTED"));
  expect(details.at(-1)).toMatch(/^SUBSCRIBE refused: Not Subscribed successfully! \[spot@.*BADUSDT/);
  const accepted = exchange
    .latest()
    .received.map((text) => (JSON.parse(text) as Request).params)
    .filter((params) => !params.some((channel) => channel.includes("BAD")));
  expect(accepted.flat().map((channel) => channel.match(/[AB]USDT/)?.[0])).toEqual([
    "BUSDT",
    "BUSDT",
    "BUSDT",
    "BUSDT",
    "AUSDT",
    "AUSDT",
    "AUSDT",
    "AUSDT",
  ]);
});

test("a symbol that is no longer wanted is unsubscribed; a lost connection comes back with what is left", async () => {
  const { feed, statuses, events } = start(mexcSpotProtocol, "AUSDT", "BUSDT");
  await until(() => statuses.includes("CONNECTED"));
  feed.setSymbols(symbolsOf("AUSDT"));
  await until(() => exchange.latest().received.length === 2);
  expect(JSON.parse(exchange.latest().received[1] ?? "")).toMatchObject({
    method: "UNSUBSCRIPTION",
    params: [
      "spot@public.aggre.bookTicker.v3.api.pb@100ms@BUSDT",
      expect.any(String),
      expect.any(String),
      expect.any(String),
    ],
  });
  exchange.latest().socket.terminate();
  await until(() => exchange.connections.length === 2 && exchange.latest().received.length === 1);
  expect((JSON.parse(exchange.latest().received[0] ?? "") as Request).params).toHaveLength(4);
  exchange.latest().socket.send(bookFrame("AUSDT", "1"));
  await until(() => events.length === 1);
  expect(statuses).toContain("RECONNECTING");
});

test("order books: changes from the stream are joined to a snapshot by REST", async () => {
  const level = (price: string, quantity: string) => protobuf({ 1: price, 2: quantity });
  const depthFrame = (from: number, to: number, bid: Uint8Array) =>
    mexcFrame(313, protobuf({ 2: bid, 4: String(from), 5: String(to) }), { symbol: "AUSDT", sendTime: Date.now() });
  exchange.body = () => JSON.stringify({ lastUpdateId: 11, bids: [["1", "5"]], asks: [["2", "6"]] });
  const endpoint = { websocketUrl: exchange.url, endpointUrl: exchange.restUrl };
  const { feed, statuses, events } = startTestFeed(endpoint, symbolsOf("AUSDT"), {}, mexcSpotProtocol);
  feeds.push(feed);
  await until(() => statuses.includes("CONNECTED"));
  const { socket } = exchange.latest();
  socket.send(depthFrame(10, 12, level("1.5", "7")));
  socket.send(depthFrame(13, 13, level("1", "0")));
  const books = () => events.filter((event) => event.kind === "orderBook");
  await until(() => books().at(-1)?.exchangeSequence === 13);
  expect(exchange.requestedPaths).toEqual(["/api/v3/depth?symbol=AUSDT&limit=1000"]);
  expect(books().at(-1)).toMatchObject({ symbolId: 0, bids: [["1.5", "7"]], asks: [["2", "6"]] });

  socket.send(depthFrame(15, 15, level("1", "1")));
  await until(() => events.some((event) => event.kind === "orderBookLost" && event.reason === "sequence-gap"));
});

test("pings in words", async () => {
  const protocol = {
    ...mexcSpotProtocol,
    ping: { everyMs: 20, text: (nowMs: number) => mexcSpotProtocol.ping?.text(nowMs) ?? "" },
  };
  const { feed } = start(protocol, "AUSDT");
  await until(() => (feed.stats.skipped.get("pong") ?? 0) > 1);
  expect(exchange.latest().received).toContain('{"method":"PING"}');
});

test("an exchange that should send none has its binary frames rejected", async () => {
  exchange.reply = (text) => [{ result: null, id: (JSON.parse(text) as Request).id }];
  const { feed, statuses } = start(binanceSpotProtocol, "AUSDT");
  await until(() => statuses.includes("CONNECTED"));
  exchange.latest().socket.send(bookFrame("AUSDT", "1"));
  await until(() => feed.stats.rejected.get("binary-frame") === 1);
});
