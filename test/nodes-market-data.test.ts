import { connect as connectToNats, type NatsConnection } from "@nats-io/transport-node";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type App, startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { decimalText } from "../src/core/decimal.js";
import { globalId } from "../src/core/ids.js";
import type { BookLevel, MarketEvent } from "../src/market-data/events.js";
import { noRateLimits, query } from "./support/app.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { fewPrices } from "./support/few-prices.js";
import { findNats, type NatsServer, startNats } from "./support/nats.js";
import { openPassage, type Passage } from "./support/passage.js";
import { openStream, type Stream } from "./support/stream.js";
import { until } from "./support/until.js";

const natsPath = findNats();

interface Book {
  readonly bids: readonly { readonly price: string }[];
  readonly sequence: string;
}
interface Opportunity {
  readonly sellPrice: string;
  readonly closedAt: string | null;
}

const bookSubscription =
  "subscription ($id: ID!) { orderBook(symbolId: $id, intervalMs: 0) { bids { price } sequence } }";
const tradesSubscription = "subscription ($id: ID!) { trades(symbolId: $id) { tradeId price } }";
const candleSubscription = "subscription ($id: ID!) { candle(symbolId: $id, interval: H1) { tradeCount close } }";
const arbitrageSubscription = "subscription { arbitrageOpportunity { sellPrice closedAt } }";

describe.skipIf(natsPath === null)("live markets on a node without a feed", () => {
  let nats: NatsServer;
  let stranger: NatsConnection;
  let database: TestDatabase;
  let passage: Passage;
  let feed: App;
  let api: App;
  /** The same coin on two exchanges, of which only the books are known, and a coin that is traded. */
  let here: number;
  let there: number;
  let traded: number;
  const open: Stream<unknown>[] = [];

  const startNode = (roles: string, natsUrl: string) =>
    startApp(
      {
        ...parseConfig({ ...fewPrices, PORT: "0", ROLES: roles, NATS_URL: natsUrl, QUOTE_FLUSH_MS: "20" }),
        rateLimits: noRateLimits,
      },
      pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" }),
      () => {},
      { database: database.address },
    );
  const startFeed = async () => {
    passage = await openPassage(Number(new URL(nats.url).port));
    feed = await startNode("feed", `nats://127.0.0.1:${passage.port}`);
  };
  const take = (event: MarketEvent) => {
    const provider = feed.catalogue.providerByCode("BINANCE_SPOT_SIM");
    if (provider !== undefined) feed.live.take(event, provider);
  };

  beforeAll(async () => {
    nats = await startNats(natsPath ?? "");
    stranger = await connectToNats({ servers: nats.url, maxReconnectAttempts: -1 });
    database = await createTestDatabase();
    // The simulated exchanges' own opportunities would come and go among those of the tests.
    await database.owner.sql`
      update symbols set is_tracked = false where market_id <> (select id from markets where code = 'BINANCE_SPOT')`;
    const rows = await database.owner.sql<{ id: number }[]>`
      insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, is_active, is_tracked,
        price_precision, quantity_precision, tick_size, step_size)
      select m.id, m.asset_class_id, new.base || 'USDT', new.base, new.base, 'USDT', true, true, 2, 2, 0.01, 0.01
      from (values ('OKX_SPOT', 'HERE', 1), ('BYBIT_SPOT', 'HERE', 2), ('OKX_SPOT', 'TRD', 3)) as new (market, base, place)
      join markets m on m.code = new.market order by new.place returning id`;
    [here, there, traded] = rows.map(({ id }) => id) as [number, number, number];
    // The API node is first: nothing may depend on the order in which nodes come up.
    api = await startNode("api", nats.url);
    await startFeed();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((stream) => stream.close()));
    // So that the next test's interest is not taken for this one's.
    const { tape, opportunities, books, candles } = api.live;
    await until(
      () => tape.listenerCount + opportunities.listenerCount + books.watcherCount + candles.watcherCount === 0,
    );
  });
  afterAll(async () => {
    await api?.close();
    await feed?.close();
    await passage?.close();
    await database?.close();
    await stranger?.close();
    await nats?.kill();
  });

  const level = (price: string): BookLevel => [decimalText(price), decimalText("2")];
  const setBook = (symbolId: number, bid: string, sequence = 1) =>
    take({
      kind: "orderBook",
      symbolId,
      bids: [level(bid), level("1")],
      asks: [level(String(Number(bid) + 1))],
      exchangeSequence: sequence,
      exchangeTimeMs: null,
      receivedAtMs: Date.now(),
    });
  const loseBook = (symbolId: number) =>
    take({ kind: "orderBookLost", symbolId, reason: "sequence-gap", receivedAtMs: Date.now() });
  const setTop = (bidQuantity: string, exchangeSequence: number) =>
    take({
      kind: "bookTicker",
      symbolId: traded,
      bid: decimalText("100"),
      bidQuantity: decimalText(bidQuantity),
      ask: decimalText("101"),
      askQuantity: decimalText("1"),
      exchangeSequence,
      exchangeTimeMs: null,
      receivedAtMs: Date.now(),
    });
  let trades = 0;
  const trade = (price = "100"): void => {
    const id = ++trades;
    take({
      kind: "trade",
      symbolId: traded,
      price: decimalText(price),
      quantity: decimalText("1"),
      side: "SELL",
      tradeId: `t${id}`,
      tradeCount: 1,
      exchangeSequence: id,
      exchangeTimeMs: Date.now(),
      receivedAtMs: Date.now(),
    });
  };

  const ask = async <T>(text: string, variables: Record<string, unknown> = {}): Promise<T> =>
    (await query<T>(api.url ?? "", text, variables)).data;
  const bookOf = async (symbolId: number) =>
    (
      await ask<{ orderBook: Book | null }>(
        "query ($id: ID!) { orderBook(symbolId: $id) { bids { price } sequence } }",
        {
          id: globalId("Symbol", symbolId),
        },
      )
    ).orderBook;
  const bidOf = async (symbolId: number) => (await bookOf(symbolId))?.bids[0]?.price;
  const flow = async () =>
    (
      await ask<{ symbol: { flow: { volumeImbalance: string } | null } }>(
        "query ($id: ID!) { symbol(id: $id) { flow { volumeImbalance } } }",
        { id: globalId("Symbol", traded) },
      )
    ).symbol.flow?.volumeImbalance;
  const opportunities = async () =>
    (await ask<{ arbitrageOpportunities: Opportunity[] }>("{ arbitrageOpportunities { sellPrice closedAt } }"))
      .arbitrageOpportunities;
  const watch = <T>(text: string, symbolId?: number): Stream<T> => {
    const variables = symbolId === undefined ? {} : { id: globalId("Symbol", symbolId) };
    const stream = openStream<T>(`${(api.url ?? "").replace("http", "ws")}/graphql`, text, variables);
    open.push(stream as Stream<unknown>);
    return stream;
  };
  const watchBook = (symbolId: number) => watch<{ orderBook: Book }>(bookSubscription, symbolId);
  const watchTrades = () => watch<{ trades: { tradeId: string }[] }>(tradesSubscription, traded);
  const watchCandle = () => watch<{ candle: { tradeCount: number; close: string } }>(candleSubscription, traded);
  const watchArbitrage = () => watch<{ arbitrageOpportunity: Opportunity }>(arbitrageSubscription);
  const idsOf = (stream: Stream<{ trades: { tradeId: string }[] }>) =>
    stream.messages.flatMap((message) => message.trades.map(({ tradeId }) => tradeId));
  const bidIs = (bid: string) => (message: { orderBook: Book }) => message.orderBook.bids[0]?.price === bid;
  /** Waits until trades come; from then on none may be missing. */
  const joined = (stream: ReturnType<typeof watchTrades>) =>
    until(() => {
      trade();
      return idsOf(stream).length > 0;
    }, 15_000);
  /** Waits for the last trade that was made. @returns the ids that came, and those that were made since the first of them */
  const allSince = async (stream: ReturnType<typeof watchTrades>) => {
    await until(() => idsOf(stream).at(-1) === `t${trades}`, 15_000);
    const [first = ""] = idsOf(stream);
    const from = Number(first.slice(1));
    return { came: idsOf(stream), made: Array.from({ length: trades - from + 1 }, (_, n) => `t${from + n}`) };
  };

  test("a book: null while there is none, then as it is, from the first query on", async () => {
    expect(await bookOf(here)).toBeNull();
    setBook(here, "100", 7);
    await until(async () => (await bidOf(here)) === "100");
    expect(await bookOf(here)).toEqual({ bids: [{ price: "100" }, { price: "1" }], sequence: "7" });
    // One that nobody has asked for yet, of a list as well.
    setBook(there, "99");
    expect(await bidOf(there)).toBe("99");
    const { symbols } = await ask<{ symbols: { nodes: { orderBook: Book | null }[] } }>(
      "{ symbols(first: 100) { nodes { orderBook(depth: 1) { bids { price } sequence } } } }",
    );
    expect(symbols.nodes.flatMap((symbol) => symbol.orderBook?.bids[0]?.price ?? [])).toEqual(
      expect.arrayContaining(["100", "99"]),
    );
    loseBook(here);
    await until(async () => (await bookOf(here)) === null);
    expect(await bidOf(there)).toBe("99");
  });

  test("a book: a subscription begins with what is there, goes on with changes, and ends the sharing with itself", async () => {
    setBook(here, "100");
    const stream = watchBook(here);
    await stream.find(bidIs("100"));
    setBook(here, "101", 2);
    await stream.find(bidIs("101"));
    loseBook(here);
    setBook(here, "102", 1);
    await stream.find(bidIs("102"));
    expect(stream.messages.map((message) => message.orderBook.bids[0]?.price)).toEqual(["100", "101", "102"]);
    await stream.close();
    await until(() => feed.live.books.watcherCount === 0, 25_000);
  });

  test("trades: each once for each of two clients", async () => {
    const streams = [watchTrades(), watchTrades()];
    await Promise.all(streams.map(joined));
    for (let n = 0; n < 1_200; n++) trade();
    for (const stream of streams) {
      const { came, made } = await allSince(stream);
      expect(came).toEqual(made);
      expect(came.length).toBeGreaterThan(1_200);
    }
  });

  test("a candle: the forming one at once, then after trades", async () => {
    trade("100");
    await until(() => (feed.live.builder.newest(traded, "H1")?.tradeCount ?? 0) > 0);
    const stream = watchCandle();
    await stream.find(() => true);
    trade("123.5");
    await stream.find((message) => message.candle.close === "123.5");
  });

  test("order flow: as the feed's node measures it", async () => {
    setTop("3", 1);
    await until(async () => (await flow()) === "0.5");
    setTop("1", 2);
    await until(async () => (await flow()) === "0");
  });

  test("arbitrage: the open ones at once, then what opens, changes and closes", async () => {
    setBook(here, "100");
    setBook(there, "110");
    await until(async () => (await opportunities()).some(({ sellPrice }) => sellPrice === "110"));
    const stream = watchArbitrage();
    const isOf = (sellPrice: string, isClosed: boolean) => (message: { arbitrageOpportunity: Opportunity }) =>
      message.arbitrageOpportunity.sellPrice === sellPrice &&
      (message.arbitrageOpportunity.closedAt !== null) === isClosed;
    await stream.find(isOf("110", false));
    setBook(there, "111", 2);
    await stream.find(isOf("111", false));
    loseBook(there);
    await stream.find(isOf("111", true));
    await until(async () => (await opportunities()).length === 0);
  });

  test("all of it goes on after the broker was away, and no trade is missing or doubled", async () => {
    setBook(here, "100");
    setBook(there, "110");
    const [book, tape, candle, arbitrage] = [watchBook(here), watchTrades(), watchCandle(), watchArbitrage()];
    await book.find(bidIs("100"));
    await arbitrage.find(() => true);
    await joined(tape);
    await nats.kill();
    await until(async () => (await bookOf(here)) === null && (await opportunities()).length === 0);
    expect(await flow()).toBeUndefined();
    await arbitrage.find((message) => message.arbitrageOpportunity.closedAt !== null);
    for (let n = 0; n < 700; n++) trade("100.5");
    setBook(here, "105", 3);
    setTop("7", 3);
    await nats.start();
    await book.find(bidIs("105"), 15_000);
    await until(() => idsOf(tape).at(-1) === `t${trades}`, 15_000);
    trade("107");
    await candle.find((message) => message.candle.close === "107", 15_000);
    const { came, made } = await allSince(tape);
    expect(came).toEqual(made);
    await until(async () => (await flow()) === "0.75" && (await opportunities()).length === 1);
    const last = arbitrage.messages.at(-1)?.arbitrageOpportunity;
    expect(last).toMatchObject({ sellPrice: "110", closedAt: null });
    expect([book, tape, candle, arbitrage].flatMap(({ errors }) => errors)).toEqual([]);
  });

  test("all of it is gone with the feed's node, also when that says no goodbye, and comes from its successor", async () => {
    setBook(here, "100", 9_000);
    setBook(there, "110", 9_000);
    setTop("3", 9_000);
    const [book, tape, candle, arbitrage] = [watchBook(here), watchTrades(), watchCandle(), watchArbitrage()];
    await book.find(bidIs("100"));
    await arbitrage.find(() => true);
    await joined(tape);
    await allSince(tape);
    const lastTrade = `t${trades}`;
    passage.cut();
    await feed.close();
    await passage.close();
    await until(async () => (await bookOf(here)) === null && (await opportunities()).length === 0, 15_000);
    expect(await flow()).toBeUndefined();
    await arbitrage.find((message) => message.arbitrageOpportunity.closedAt !== null);
    await until(() => tape.isComplete);
    expect(tape.errors).toMatchObject([{ extensions: { code: "STREAM_OVERFLOW", resumeFrom: lastTrade } }]);

    await startFeed();
    // A book of a lower sequence than before.
    setBook(here, "90", 1);
    setBook(there, "95", 1);
    setTop("1", 1);
    await book.find(bidIs("90"), 15_000);
    await arbitrage.find(({ arbitrageOpportunity }) => arbitrageOpportunity.sellPrice === "95", 15_000);
    await until(async () => (await flow()) === "0", 15_000);
    const again = watchTrades();
    await joined(again);
    trade("142");
    const { came, made } = await allSince(again);
    expect(came).toEqual(made);
    await candle.find((message) => message.candle.close === "142");
  });

  test("messages that are broken are counted and change nothing", async () => {
    setBook(here, "100");
    const stream = watchBook(here);
    await stream.find(bidIs("100"));
    const subject = `books.OKX_SPOT.${here}`;
    const source = { source: "stranger", startedAtMs: Date.now() + 60_000, number: 1 };
    const broken = [{ kind: "orderBook", symbolId: here, bids: [["9e9", "1"]] }, "book", [], 7];
    for (const value of broken) stranger.publish(subject, JSON.stringify({ ...source, value }));
    stranger.publish(subject, "{");
    stranger.publish("feed-nodes", "[]");
    const [quote] = [...api.quotes.all()];
    stranger.publish("latest.OKX_SPOT", JSON.stringify({ ...quote, sequence: 2 ** 52, price: "1e9" }));
    await stranger.flush();
    const busDetail = async () => {
      const { health } = await ask<{ health: { checks: { name: string; detail: string | null }[] } }>(
        "{ health { checks { name detail } } }",
      );
      return health.checks.find(({ name }) => name === "bus")?.detail;
    };
    // Among what else is to be said of this broker, which keeps no streams.
    await until(async () => (await busDetail())?.split("; ").includes("7 messages not understood") === true);
    expect(await bidOf(here)).toBe("100");
    expect([...api.quotes.all()].filter(({ price }) => price === "1e9")).toEqual([]);
    setBook(here, "101", 2);
    await stream.find(bidIs("101"));
    const bids = stream.messages.map((message) => message.orderBook.bids[0]?.price);
    expect(bids.slice(bids.indexOf("100"))).toEqual(["100", "101"]);
  });
});
