import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { decimalText } from "../src/core/decimal.js";
import { globalId } from "../src/core/ids.js";
import type { StoredCandle } from "../src/market-data/candles.js";
import type { BookLevel, MarketEvent, TradeEvent } from "../src/market-data/events.js";
import { SeriesReader } from "../src/market-data/series/series-reader.js";
import { ArbitrageWriter, CandleWriter, FundingWriter, TradeWriter } from "../src/market-data/series/writers.js";
import { query, startTestApp, type TestApp } from "./support/app.js";
import { openStream, type Stream } from "./support/stream.js";
import { until } from "./support/until.js";

const minuteMs = 60_000;
/** A whole hour of yesterday, so that nothing of it is still forming. */
const hourMs = Math.floor(Date.now() / 3_600_000 - 24) * 3_600_000;
const log = pino({ level: "silent" });

let app: TestApp;
let btc: number;
let eth: number;
let okx: number;
const open: Stream<unknown>[] = [];
const opportunityId = "01980000-0000-7000-8000-000000000001";

beforeAll(async () => {
  // No feed interferes: these tests say themselves what happens on the markets.
  app = await startTestApp({ config: { roles: new Set(["api"]) } });
  const { catalogue } = app.app;
  btc = catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT")?.id ?? 0;
  eth = catalogue.symbolByTicker("BINANCE_SPOT", "ETHUSDT")?.id ?? 0;
  const [row] = await app.database.owner.sql<{ id: number }[]>`
    insert into symbols (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, is_active, is_tracked,
      price_precision, quantity_precision, tick_size, step_size)
    select id, asset_class_id, 'BTCUSDT', 'BTC', 'BTC', 'USDT', true, true, 2, 2, 0.01, 0.01 from markets where code = 'OKX_SPOT'
    returning id`;
  okx = row?.id ?? 0;
  // However slow the machine is.
  await app.database.owner.sql`update data_providers set stale_after_ms = 3600000 where code = 'BINANCE_SPOT_SIM'`;
  await until(() => catalogue.providerByCode("BINANCE_SPOT_SIM")?.staleAfterMs === 3_600_000);
  await until(() => catalogue.findSymbol(okx) !== undefined);
  await store();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((stream) => stream.close()));
  const { tape, opportunities, books, candles } = app.app.live;
  await until(() => tape.listenerCount + opportunities.listenerCount + books.watcherCount + candles.watcherCount === 0);
});
afterAll(() => app?.close());

const tradeOf = (n: number, more: Partial<TradeEvent> = {}): TradeEvent => ({
  kind: "trade",
  symbolId: btc,
  price: decimalText(String(100 + n)),
  quantity: decimalText("0.5"),
  side: n % 2 === 0 ? "BUY" : "SELL",
  tradeId: `t${n}`,
  tradeCount: 1,
  exchangeSequence: n,
  exchangeTimeMs: hourMs + n,
  receivedAtMs: hourMs + n,
  ...more,
});

/** Minutes 0, 1, 2, 5 and 6 of the hour, ten trades of two symbols, three funding rates, and a past opportunity. */
async function store(): Promise<void> {
  const options = { log, flushMs: 5 };
  const { app: database } = app.database;
  const candles = new CandleWriter(database, options);
  for (const symbolId of [btc, eth]) {
    for (const minute of [0, 1, 2, 5, 6]) candles.add(candleOf(symbolId, minute));
  }
  const trades = new TradeWriter(database, options);
  for (const symbolId of [btc, eth]) for (let n = 1; n <= 10; n++) trades.add(tradeOf(n, { symbolId }));
  const funding = new FundingWriter(database, options);
  for (const n of [1, 2, 3]) {
    funding.add({
      kind: "fundingRate",
      symbolId: btc,
      rate: decimalText(`-0.000${n}`),
      fundingTimeMs: hourMs + n * 8 * 3_600_000,
      nextFundingTimeMs: null,
      markPrice: decimalText("100"),
      indexPrice: null,
      exchangeTimeMs: hourMs + n,
      receivedAtMs: hourMs + n,
    });
  }
  const opportunities = new ArbitrageWriter(database, options);
  opportunities.add({
    id: opportunityId,
    buySymbolId: btc,
    sellSymbolId: okx,
    buyPrice: decimalText("100"),
    sellPrice: decimalText("101"),
    spreadBps: decimalText("100"),
    netSpreadBps: decimalText("79.8"),
    maxQuantity: decimalText("1"),
    detectedAtMs: hourMs,
    closedAtMs: hourMs + 5,
  });
  await Promise.all([candles.close(), trades.close(), funding.close(), opportunities.close()]);
}

const candleOf = (symbolId: number, minute: number): StoredCandle => ({
  symbolId,
  interval: "M1",
  openTimeMs: hourMs + minute * minuteMs,
  open: decimalText(String(100 + minute)),
  high: decimalText(String(110 + minute)),
  low: decimalText(String(90 + minute)),
  close: decimalText(String(105 + minute)),
  volume: decimalText("1.5"),
  quoteVolume: decimalText("150"),
  tradeCount: 3,
  takerBuyVolume: decimalText("0.5"),
  takerBuyQuoteVolume: decimalText("50"),
  throughSequence: minute,
});

// biome-ignore lint/suspicious/noExplicitAny: the shape is the test's to know
const ask = <T = any>(text: string, variables: Record<string, unknown> = {}) => query<T>(app.url, text, variables);
const symbol = (id: number) => globalId("Symbol", id);
const at = (minute: number) => new Date(hourMs + minute * minuteMs).toISOString();
const watch = <T>(text: string, variables: Record<string, unknown> = {}): Stream<T> => {
  const stream = openStream<T>(app.websocketUrl, text, variables);
  open.push(stream as Stream<unknown>);
  return stream;
};
const take = (event: MarketEvent) => {
  const provider = app.app.catalogue.providerByCode("BINANCE_SPOT_SIM");
  // As heard now, or the quote would be found silent, and with it the book would go.
  const heard = { ...event, receivedAtMs: Math.max(event.receivedAtMs, Date.now()) };
  if (provider !== undefined) app.app.live.take(heard, provider);
};
const level = (price: string, quantity = "1"): BookLevel => [decimalText(price), decimalText(quantity)];
const setBook = (symbolId: number, bids: BookLevel[], asks: BookLevel[], exchangeSequence = 1) =>
  take({ kind: "orderBook", symbolId, bids, asks, exchangeSequence, exchangeTimeMs: null, receivedAtMs: Date.now() });
const loseBook = (symbolId: number) =>
  take({ kind: "orderBookLost", symbolId, reason: "crossed", receivedAtMs: Date.now() });

describe("candles", () => {
  const candlesQuery = `query ($id: ID!, $interval: CandleInterval!, $from: DateTime, $to: DateTime, $limit: Int) {
    candles(symbolId: $id, interval: $interval, from: $from, to: $to, limit: $limit) {
      openTime closeTime open high low close volume tradeCount isClosed symbol { ticker } } }`;
  const opens = async (variables: Record<string, unknown>) =>
    (await ask(candlesQuery, { id: symbol(btc), interval: "M1", ...variables })).data.candles.map(
      (candle: { openTime: string }) => (Date.parse(candle.openTime) - hourMs) / minuteMs,
    );

  test("come oldest first; a range takes its first moment and leaves its last; minutes without a trade are not there", async () => {
    expect(await opens({})).toEqual([0, 1, 2, 5, 6]);
    expect(await opens({ from: at(1), to: at(5) })).toEqual([1, 2]);
    expect(await opens({ from: at(3) })).toEqual([5, 6]);
    expect(await opens({ to: at(3) })).toEqual([0, 1, 2]);
    expect(await opens({ from: at(7) })).toEqual([]);
  });

  test("a limit takes the newest of the range", async () => {
    expect(await opens({ limit: 2 })).toEqual([5, 6]);
    expect(await opens({ limit: 2, to: at(5) })).toEqual([1, 2]);
    expect(await opens({ limit: 1_500 })).toHaveLength(5);
  });

  test("say what happened in them", async () => {
    const { data } = await ask(candlesQuery, { id: symbol(btc), interval: "M1", limit: 1 });
    expect(data.candles).toEqual([
      {
        openTime: at(6),
        closeTime: at(7),
        open: "106",
        high: "116",
        low: "96",
        close: "111",
        volume: "1.5",
        tradeCount: 3,
        isClosed: true,
        symbol: { ticker: "BTCUSDT" },
      },
    ]);
  });

  test.each([
    [{ limit: 0 }, "BAD_USER_INPUT", "limit"],
    [{ limit: 1_501 }, "BAD_USER_INPUT", "limit"],
    [{ from: at(5), to: at(5) }, "BAD_USER_INPUT", "to"],
    [{ from: at(5), to: at(1) }, "BAD_USER_INPUT", "to"],
    [{ id: "nonsense" }, "BAD_USER_INPUT", "symbolId"],
    [{ id: globalId("Symbol", 999_999) }, "NOT_FOUND", undefined],
    [{ interval: "M2" }, "BAD_USER_INPUT", undefined],
    [{ from: "yesterday" }, "BAD_USER_INPUT", undefined],
  ])("%j is refused as %s", async (variables, code, field) => {
    const { errors } = await ask(candlesQuery, { id: symbol(btc), interval: "M1", ...variables });
    expect(errors?.[0]?.extensions.code).toBe(code);
    if (field !== undefined) expect(errors?.[0]?.extensions.field).toBe(field);
  });

  test("the forming one comes at once, changes, and is followed by the next", async () => {
    const nowMs = Date.now();
    const now = (n: number, more: Partial<TradeEvent> = {}) =>
      tradeOf(n, { symbolId: eth, exchangeTimeMs: nowMs, receivedAtMs: nowMs, ...more });
    take(now(1_000, { price: decimalText("50") }));
    app.app.live.flushCandles();
    const stream = watch<{ candle: { close: string; openTime: string; isClosed: boolean } }>(
      "subscription ($id: ID!) { candle(symbolId: $id, interval: D1) { close openTime isClosed } }",
      { id: symbol(eth) },
    );
    const first = await stream.find(({ candle }) => candle.close === "50");
    expect(first.candle.isClosed).toBe(false);
    take(now(1_001, { price: decimalText("51") }));
    await stream.find(({ candle }) => candle.close === "51");
    const tomorrowMs = nowMs + 86_400_000;
    take(now(1_002, { price: decimalText("52"), exchangeTimeMs: tomorrowMs, receivedAtMs: tomorrowMs }));
    const next = await stream.find(({ candle }) => candle.close === "52");
    expect(Date.parse(next.candle.openTime)).toBe(Date.parse(first.candle.openTime) + 86_400_000);
  });

  test("a list of symbols takes as many statements as one symbol", async () => {
    let calls = 0;
    const counted = {
      ...app.database.app,
      sql: new Proxy(app.database.app.sql, {
        apply: (target, self, args) => {
          calls++;
          return Reflect.apply(target, self, args);
        },
      }),
    };
    const series = new SeriesReader(counted);
    const callsFor = async (symbolIds: readonly number[]) => {
      calls = 0;
      await Promise.all(
        symbolIds.flatMap((symbolId): Promise<unknown>[] => [
          series.candles({ symbolId, interval: "M1", fromMs: null, toMs: null, limit: 10 }),
          series.trades({ symbolId, limit: 10 }),
          series.fundingRates({ symbolId, limit: 10 }),
        ]),
      );
      return calls;
    };
    const one = await callsFor([btc]);
    expect(await callsFor(app.app.catalogue.defaultSymbols.map(({ id }) => id))).toBe(one);
  });
});

describe("trades", () => {
  const tradesQuery =
    "query ($id: ID!, $n: Int) { symbol(id: $id) { trades(limit: $n) { tradeId price side executedAt } } }";

  test("the newest, newest first", async () => {
    const { data } = await ask(tradesQuery, { id: symbol(btc), n: 2 });
    expect(data.symbol.trades).toEqual([
      { tradeId: "t10", price: "110", side: "BUY", executedAt: new Date(hourMs + 10).toISOString() },
      { tradeId: "t9", price: "109", side: "SELL", executedAt: new Date(hourMs + 9).toISOString() },
    ]);
    expect((await ask(tradesQuery, { id: symbol(btc) })).data.symbol.trades).toHaveLength(10);
  });

  test.each([0, -1, 1_001])("a limit of %i is refused", async (n) => {
    const { errors } = await ask(tradesQuery, { id: symbol(btc), n });
    expect(errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: "limit" });
  });

  const subscription = "subscription ($id: ID!) { trades(symbolId: $id) { tradeId } }";
  type Batch = { trades: { tradeId: string }[] };
  const idsOf = (stream: Stream<Batch>) =>
    stream.messages.flatMap(({ trades }) => trades.map(({ tradeId }) => tradeId));

  test("a subscription gets each one, of its symbol only", async () => {
    const stream = watch<Batch>(subscription, { id: symbol(btc) });
    await until(() => app.app.live.tape.listenerCount === 1);
    for (let n = 1; n <= 600; n++) {
      take(tradeOf(n));
      take(tradeOf(n, { symbolId: eth }));
    }
    await until(() => idsOf(stream).length >= 600);
    expect(idsOf(stream)).toEqual(Array.from({ length: 600 }, (_, n) => `t${n + 1}`));
  });

  test("a reader that does not keep up gets STREAM_OVERFLOW with the last trade that it has, and the end", async () => {
    const stream = watch<Batch>(subscription, { id: symbol(btc) });
    await until(() => app.app.live.tape.listenerCount === 1);
    take(tradeOf(1));
    await until(() => idsOf(stream).length === 1);
    // In one turn of the event loop, so that nobody could have kept up.
    for (let n = 2; n <= 7_000; n++) take(tradeOf(n));
    await until(() => stream.isComplete);
    expect(stream.errors).toMatchObject([{ extensions: { code: "STREAM_OVERFLOW", resumeFrom: "t1" } }]);
    expect(idsOf(stream)).toEqual(["t1"]);
    expect(app.app.live.tape.listenerCount).toBe(0);
  });
});

describe("an order book", () => {
  const bookQuery = `query ($id: ID!, $depth: Int) { orderBook(symbolId: $id, depth: $depth) {
    bids { price quantity } asks { price } totalBidQuantity totalAskQuantity sequence exchangeTime symbol { ticker } } }`;
  const fifty = (from: number, step: number) =>
    Array.from({ length: 50 }, (_, n) => level(String(from + n * step), "0.1"));

  test("has the depth that was asked for, and the sums of what it shows", async () => {
    setBook(btc, fifty(100, -1), fifty(101, 1), 42);
    const of = async (depth?: number) => (await ask(bookQuery, { id: symbol(btc), depth })).data.orderBook;
    expect(await of(2)).toEqual({
      bids: [
        { price: "100", quantity: "0.1" },
        { price: "99", quantity: "0.1" },
      ],
      asks: [{ price: "101" }, { price: "102" }],
      totalBidQuantity: "0.2",
      totalAskQuantity: "0.2",
      sequence: "42",
      exchangeTime: null,
      symbol: { ticker: "BTCUSDT" },
    });
    expect((await of()).bids).toHaveLength(20);
    expect((await of(50)).asks).toHaveLength(50);
    loseBook(btc);
    expect(await of()).toBeNull();
  });

  test.each([0, 51, -1])("a depth of %i is refused, to queries and to subscriptions", async (depth) => {
    const { errors } = await ask(bookQuery, { id: symbol(btc), depth });
    expect(errors?.[0]?.extensions).toMatchObject({ code: "BAD_USER_INPUT", field: "depth" });
    const stream = watch(
      "subscription ($id: ID!, $depth: Int) { orderBook(symbolId: $id, depth: $depth) { sequence } }",
      { id: symbol(btc), depth },
    );
    await until(() => stream.errors.length > 0);
    expect(stream.errors[0]?.extensions.code).toBe("BAD_USER_INPUT");
  });

  test("of a symbol that is not there", async () => {
    const { errors } = await ask(bookQuery, { id: globalId("Symbol", 999_999) });
    expect(errors?.[0]?.extensions.code).toBe("NOT_FOUND");
  });
});

test("order flow follows the best prices, and ends when the quote is stale", async () => {
  const flow = async () =>
    (await ask("query ($id: ID!) { symbol(id: $id) { flow { ofi volumeImbalance windowMs } } }", { id: symbol(okx) }))
      .data.symbol.flow;
  const top = (bidQuantity: string, exchangeSequence: number) =>
    take({
      kind: "bookTicker",
      symbolId: okx,
      bid: decimalText("100"),
      bidQuantity: decimalText(bidQuantity),
      ask: decimalText("101"),
      askQuantity: decimalText("1"),
      exchangeSequence,
      exchangeTimeMs: null,
      receivedAtMs: Date.now(),
    });
  expect(await flow()).toBeNull();
  top("3", 1);
  expect(await flow()).toEqual({ ofi: "0", volumeImbalance: "0.5", windowMs: 10_000 });
  top("7", 2);
  expect(await flow()).toMatchObject({ ofi: "4", volumeImbalance: "0.75" });
  take(tradeOf(1, { symbolId: okx }));
  app.app.quotes.markStale(({ symbolId }) => symbolId === okx);
  expect(await flow()).toBeNull();
  loseBook(okx);
});

test("funding rates: the newest first, negative ones too, and none for what has none", async () => {
  const rates = async (id: number, n?: number) =>
    ask("query ($id: ID!, $n: Int) { symbol(id: $id) { fundingRates(limit: $n) { rate markPrice indexPrice } } }", {
      id: symbol(id),
      n,
    });
  expect((await rates(btc, 2)).data.symbol.fundingRates).toEqual([
    { rate: "-0.0003", markPrice: "100", indexPrice: null },
    { rate: "-0.0002", markPrice: "100", indexPrice: null },
  ]);
  expect((await rates(eth)).data.symbol.fundingRates).toEqual([]);
  expect((await rates(btc, 1_001)).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
});

describe("arbitrage", () => {
  const opportunitiesQuery = `query ($open: Boolean, $min: Decimal, $n: Int) {
    arbitrageOpportunities(openOnly: $open, minNetSpreadBps: $min, first: $n) {
      id buySymbol { market { code } } sellSymbol { market { code } } sellPrice netSpreadBps closedAt } }`;
  interface Shown {
    readonly id: string;
    readonly sellPrice: string;
    readonly closedAt: string | null;
  }
  const shown = async (variables: Record<string, unknown> = {}): Promise<Shown[]> =>
    (await ask(opportunitiesQuery, variables)).data.arbitrageOpportunities;

  test("past ones are those that are stored, and each can be looked up by its id", async () => {
    const [past] = await shown({ open: false });
    expect(past).toMatchObject({
      sellPrice: "101",
      netSpreadBps: "79.8",
      closedAt: new Date(hourMs + 5).toISOString(),
    });
    expect(await shown({ open: false, min: "80" })).toEqual([]);
    expect(await shown()).toEqual([]);
    const { data } = await ask("query ($id: ID!) { node(id: $id) { ... on ArbitrageOpportunity { sellPrice } } }", {
      id: globalId("ArbitrageOpportunity", opportunityId),
    });
    expect(data.node).toEqual({ sellPrice: "101" });
  });

  test("an open one is listed; a subscription has it first, then its changes and its close; a minimum holds others back", async () => {
    setBook(btc, [level("99")], [level("100")]);
    setBook(okx, [level("101")], [level("102")]);
    const [found] = await shown();
    expect(found).toMatchObject({
      buySymbol: { market: { code: "BINANCE_SPOT" } },
      sellSymbol: { market: { code: "OKX_SPOT" } },
      sellPrice: "101",
      closedAt: null,
    });
    expect(await shown({ min: "500" })).toEqual([]);
    const subscription =
      "subscription ($min: Decimal) { arbitrageOpportunity(minNetSpreadBps: $min) { id sellPrice closedAt } }";
    const stream = watch<{ arbitrageOpportunity: Shown }>(subscription);
    const wide = watch<{ arbitrageOpportunity: Shown }>(subscription, { min: "500" });
    await stream.find(() => true);
    await until(() => app.app.live.opportunities.listenerCount === 2);
    setBook(okx, [level("110")], [level("111")], 2);
    await wide.find(() => true);
    setBook(okx, [level("101.5")], [level("102")], 3);
    await wide.find(({ arbitrageOpportunity }) => arbitrageOpportunity.sellPrice === "101.5");
    loseBook(okx);
    for (const each of [stream, wide]) {
      await each.find(({ arbitrageOpportunity }) => arbitrageOpportunity.closedAt !== null);
    }
    expect(wide.messages[0]?.arbitrageOpportunity.sellPrice).toBe("110");
    expect(new Set(stream.messages.map(({ arbitrageOpportunity }) => arbitrageOpportunity.id))).toEqual(
      new Set([found?.id]),
    );
    expect(await shown()).toEqual([]);
  });

  test.each([0, 501])("first: %i is refused", async (n) => {
    expect((await ask(opportunitiesQuery, { n })).errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      field: "first",
    });
  });
});
