import { once } from "node:events";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { until } from "../../../test/support/until.js";
import { Decimal, parseDecimalText } from "../../core/decimal.js";
import type { Clock } from "../../core/time.js";
import { systemClock } from "../../core/time.js";
import type { MarketEvent, TradeEvent } from "../../market-data/events.js";
import { adapterOf } from "../adapters.js";
import type { Feed, FeedAdapter, FeedEndpoint } from "../feed.js";
import type { LevelUpdate } from "../order-books/book.js";
import { type BookRule, binanceSpotRule, binanceUsdmRule, bybitRule, gateRule, okxRule } from "../order-books/rules.js";
import { type BookDiff, type BookOutcome, type BookSnapshot, BookSync } from "../order-books/sync.js";
import { simulatedInstruments, simulatedPerpetuals } from "./instruments.js";
import { type SimulatedAddress, type Simulator, type SimulatorOptions, startSimulator } from "./simulator.js";

/** Long enough for a busy machine; nothing waits for it to pass. */
const patienceMs = 15_000;
const log = pino({ level: "silent" });
const minuteMs = 60_000;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

async function start(options: Partial<SimulatorOptions> = {}): Promise<Simulator> {
  const simulator = await startSimulator({
    port: 0,
    seed: 1,
    clock: systemClock,
    log,
    updatesPerSecond: 30,
    ...options,
  });
  closers.push(() => simulator.close());
  return simulator;
}

/** Ten times and more as fast as the real one: a second for every few milliseconds. */
function fastClock(): Clock {
  let nowMs = Date.UTC(2026, 3, 1, 9, 59, 40);
  const timer = setInterval(() => {
    nowMs += 900;
  }, 10);
  closers.push(() => clearInterval(timer));
  return { nowMs: () => nowMs };
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of many exchanges, read field by field
type Body = any;

/** What a frame says of books. */
type BookFrame =
  | { readonly kind: "diff"; readonly diff: BookDiff }
  | { readonly kind: "snapshot"; readonly snapshot: BookSnapshot }
  | { readonly kind: "top"; readonly sequence: number; readonly bid: LevelUpdate; readonly ask: LevelUpdate };

/** Start, open, high, low, close, volume in base, turnover, number of trades. */
type Candle = readonly [number, ...(string | number)[]];

/** One market, and how its adapter is not yet able to read it. */
interface Exchange {
  readonly market: string;
  readonly tickers: readonly [string, string];
  readonly futures: boolean;
  readonly unknown: string;
  readonly unknownAnswer: RegExp | null;
  readonly books: {
    readonly path: string;
    readonly rule: BookRule;
    requests(ticker: string, op: "subscribe" | "unsubscribe", nowMs: number): object[];
    decode(body: Body): BookFrame | null;
    /** Null where the snapshot comes in the stream. */
    readonly snapshot: { path(ticker: string): string; decode(body: Body): BookSnapshot } | null;
  };
  readonly klines: {
    path(ticker: string, fromMs: number, toMs: number): string;
    /** In any order. */
    decode(body: Body): Candle[];
  };
  /** What else is asked, mostly wrongly. */
  readonly errors: readonly (readonly [path: string, status: number, body: object])[];
}

const text = (raw: unknown) => {
  const canonical = parseDecimalText(String(raw));
  if (canonical === null) throw new Error(`not a decimal: ${String(raw)}`);
  return canonical;
};
const level = ([price, quantity]: readonly unknown[]): LevelUpdate => [
  text(price),
  text(quantity),
  `${String(price)}:${String(quantity)}`,
];
const gateLevel = ({ p, s }: Body): LevelUpdate => [text(p), text(s)];
const diff = (fields: Partial<BookDiff> & Pick<BookDiff, "last" | "bids" | "asks">): BookFrame => ({
  kind: "diff",
  diff: { first: null, previous: null, checksum: null, exchangeTimeMs: null, ...fields },
});
const snapshot = (fields: Partial<BookSnapshot> & Pick<BookSnapshot, "sequence" | "bids" | "asks">): BookSnapshot => ({
  depthLimit: null,
  checksum: null,
  exchangeTimeMs: null,
  ...fields,
});
const top = (sequence: number, bid: unknown[], ask: unknown[]): BookFrame => ({
  kind: "top",
  sequence,
  bid: level(bid),
  ask: level(ask),
});

const binance = (market: string, root: string, path: string, rule: BookRule, badDepth: number): Exchange => ({
  market,
  tickers: ["BTCUSDT", "XRPUSDT"],
  futures: market.endsWith("FUTURES"),
  unknown: "NOSUCHUSDT",
  unknownAnswer: null,
  books: {
    path,
    rule,
    requests: (ticker, op) => [
      {
        method: op.toUpperCase(),
        params: ["bookTicker", "depth@100ms"].map((name) => `${ticker.toLowerCase()}@${name}`),
        id: 1,
      },
    ],
    decode: ({ stream, data }) => {
      if (stream === undefined) return null;
      if (stream.endsWith("@bookTicker")) return top(data.u, [data.b, data.B], [data.a, data.A]);
      const { U, u, pu, b, a } = data;
      return diff({ first: U, last: u, previous: pu ?? null, bids: b.map(level), asks: a.map(level) });
    },
    snapshot: {
      path: (ticker) => `${root}/depth?symbol=${ticker}&limit=1000`,
      decode: ({ lastUpdateId, bids, asks }) =>
        snapshot({ sequence: lastUpdateId, bids: bids.map(level), asks: asks.map(level), depthLimit: 1000 }),
    },
  },
  klines: {
    path: (ticker, fromMs, toMs) =>
      `${root}/klines?symbol=${ticker}&interval=1m&startTime=${fromMs}&endTime=${toMs - 1}&limit=1000`,
    decode: (rows) => rows.map(([t, o, h, l, c, v, , q, n]: Body) => [t, o, h, l, c, v, q, n]),
  },
  errors: [
    [`${root}/klines?symbol=NOSUCH&interval=1m`, 400, { code: -1121, msg: "Invalid symbol." }],
    [`${root}/klines?symbol=BTCUSDT&interval=7m`, 400, { code: -1120, msg: "Invalid interval." }],
    [`${root}/klines?symbol=BTCUSDT`, 400, { code: -1102 }],
    [`${root}/klines?symbol=BTCUSDT&interval=1m&limit=x`, 400, { code: -1100 }],
    [`${root}/depth`, 400, { code: -1102 }],
    [`${root}/depth?symbol=BTCUSDT&limit=0`, 400, { code: badDepth }],
    [`${root}/nothing`, 404, { code: -1020 }],
  ],
});

const okx = (market: string, suffix: string): Exchange => ({
  market,
  tickers: [`BTC-USDT${suffix}`, `XRP-USDT${suffix}`],
  futures: suffix !== "",
  unknown: `NOSUCH-USDT${suffix}`,
  unknownAnswer: /SUBSCRIBE refused: .*instId:NOSUCH-USDT.* doesn't exist.* \(60018\)/,
  books: {
    path: "/ws/v5/public",
    rule: okxRule,
    requests: (instId, op) => [{ id: "1", op, args: ["bbo-tbt", "books"].map((channel) => ({ channel, instId })) }],
    decode: ({ event, arg, action, data }) => {
      if (event !== undefined) return null;
      const [{ bids, asks, seqId, prevSeqId, checksum }] = data;
      if (arg.channel === "bbo-tbt") return top(seqId, bids[0], asks[0]);
      const levels = { bids: bids.map(level), asks: asks.map(level), checksum };
      if (action === "update") return diff({ ...levels, last: seqId, previous: prevSeqId });
      expect(prevSeqId).toBe(-1);
      return { kind: "snapshot", snapshot: snapshot({ ...levels, sequence: seqId }) };
    },
    snapshot: null,
  },
  klines: {
    path: (instId, fromMs, toMs) =>
      `/api/v5/market/history-candles?instId=${instId}&bar=1m&before=${fromMs - 1}&after=${toMs}&limit=100`,
    decode: ({ code, data }) => {
      expect(code).toBe("0");
      return data.map(([t, o, h, l, c, v, vCcy, q]: Body) => [Number(t), o, h, l, c, suffix === "" ? v : vCcy, q]);
    },
  },
  errors: [
    ["/api/v5/market/history-candles?instId=NOSUCH", 200, { code: "51001", data: [] }],
    ["/api/v5/market/history-candles", 400, { code: "50014" }],
    [`/api/v5/market/candles?instId=BTC-USDT${suffix}&bar=7m`, 400, { code: "51000", msg: "Parameter bar error" }],
    ["/api/v5/public/instruments?instType=NOSUCH", 400, { code: "51000" }],
    ["/api/v5/nothing", 404, { code: "404" }],
  ],
});

const bybit = (market: string, category: string): Exchange => ({
  market,
  tickers: ["BTCUSDT", "XRPUSDT"],
  futures: category === "linear",
  unknown: "NOSUCHUSDT",
  unknownAnswer: /SUBSCRIBE refused: error:handler not found,topic:orderbook.1.NOSUCHUSDT/,
  books: {
    path: `/v5/public/${category}`,
    rule: bybitRule,
    requests: (ticker, op) => [{ req_id: "1", op, args: ["orderbook.1", "orderbook.50"].map((t) => `${t}.${ticker}`) }],
    decode: ({ topic, type, data }) => {
      if (topic === undefined) return null;
      const { b, a, u, seq } = data;
      if (topic.startsWith("orderbook.1.")) return top(seq, b[0], a[0]);
      const levels = { bids: b.map(level), asks: a.map(level) };
      return type === "snapshot"
        ? { kind: "snapshot", snapshot: snapshot({ ...levels, sequence: u }) }
        : diff({ ...levels, last: u });
    },
    snapshot: null,
  },
  klines: {
    path: (ticker, fromMs, toMs) =>
      `/v5/market/kline?category=${category}&symbol=${ticker}&interval=1&start=${fromMs}&end=${toMs - 1}&limit=1000`,
    decode: ({ retCode, result }) => {
      expect(retCode).toBe(0);
      return result.list.map(([t, ...row]: Body) => [Number(t), ...row]);
    },
  },
  errors: [
    [`/v5/market/kline?category=${category}&symbol=NOSUCH&interval=1`, 200, { retCode: 10001 }],
    [`/v5/market/kline?category=${category}&symbol=BTCUSDT&interval=7`, 200, { retMsg: "Invalid period!" }],
    ["/v5/market/instruments-info?category=nosuch", 200, { retMsg: "params error: Category is invalid" }],
  ],
});

const gate = (market: string, prefix: "spot" | "futures", path: string): Exchange => {
  const root = prefix === "spot" ? "/api/v4/spot" : "/api/v4/futures/usdt";
  const parameter = prefix === "spot" ? "currency_pair" : "contract";
  const read = prefix === "spot" ? level : gateLevel;
  return {
    market,
    tickers: ["BTC_USDT", "XRP_USDT"],
    futures: prefix === "futures",
    unknown: "NOSUCH_USDT",
    unknownAnswer: /SUBSCRIBE refused: unknown (currency pair|contract) NOSUCH_USDT \(2\)/,
    books: {
      path,
      rule: gateRule,
      requests: (ticker, event, nowMs) =>
        [
          ["book_ticker", [ticker]],
          ["order_book_update", [ticker, "100ms"]],
        ].map(([channel, payload], id) => ({
          time: Math.floor(nowMs / 1000),
          id,
          channel: `${prefix}.${String(channel)}`,
          event,
          payload,
        })),
      decode: ({ channel, event, result }) => {
        if (event !== "update") return null;
        const { b, B, a, A, U, u } = result;
        if (channel.endsWith("book_ticker")) return top(u, [b, B], [a, A]);
        return diff({ first: U, last: u, bids: b.map(read), asks: a.map(read) });
      },
      snapshot: {
        path: (ticker) => `${root}/order_book?${parameter}=${ticker}&limit=100&with_id=true`,
        decode: ({ id, bids, asks }) =>
          snapshot({ sequence: id, bids: bids.map(read), asks: asks.map(read), depthLimit: 100 }),
      },
    },
    klines: {
      path: (ticker, fromMs, toMs) =>
        `${root}/candlesticks?${parameter}=${ticker}&interval=1m&from=${fromMs / 1000}&to=${toMs / 1000 - 1}`,
      decode: (rows) =>
        prefix === "spot"
          ? rows.map(([t, q, c, h, l, o, v]: Body) => [Number(t) * 1000, o, h, l, c, v, q])
          : // BTC contracts are a hundred-thousandth.
            rows.map(({ t, o, h, l, c, v, sum }: Body) => [t * 1000, o, h, l, c, new Decimal(v).div(100_000), sum]),
    },
    errors: [
      [
        `${root}/candlesticks?${parameter}=X_Y`,
        400,
        { label: prefix === "spot" ? "INVALID_CURRENCY_PAIR" : "CONTRACT_NOT_FOUND" },
      ],
      [`${root}/candlesticks?${parameter}=BTC_USDT&interval=7m`, 400, { label: "INVALID_PARAM_VALUE" }],
      [
        `${root}/candlesticks?${parameter}=BTC_USDT&interval=1m&from=1&to=9000000`,
        400,
        { label: "INVALID_PARAM_VALUE" },
      ],
      [`${root}/order_book`, 400, { label: "MISSING_REQUIRED_PARAM" }],
      [
        prefix === "spot" ? `${root}/currency_pairs/BTC_USDT` : `${root}/contracts/BTC_USDT`,
        200,
        prefix === "spot" ? { id: "BTC_USDT", precision: 2 } : { name: "BTC_USDT", quanto_multiplier: "0.00001" },
      ],
      ["/api/v4/nothing", 404, { label: "NOT_FOUND" }],
    ],
  };
};

const exchanges: readonly Exchange[] = [
  binance("BINANCE_SPOT", "/api/v3", "/stream", binanceSpotRule, -1130),
  binance("BINANCE_FUTURES", "/fapi/v1", "/public/stream", binanceUsdmRule, -4021),
  okx("OKX_SPOT", ""),
  okx("OKX_FUTURES", "-SWAP"),
  bybit("BYBIT_SPOT", "spot"),
  bybit("BYBIT_FUTURES", "linear"),
  gate("GATEIO_SPOT", "spot", "/ws/v4/"),
  gate("GATEIO_FUTURES", "futures", "/v4/ws/usdt"),
];

function addressOf(simulator: Simulator, market: string): SimulatedAddress {
  const address = simulator.addresses.get(market);
  if (address === undefined) throw new Error(`no ${market}`);
  return address;
}

function endpointOf(simulator: Simulator, market: string): FeedEndpoint {
  const { url, websocketUrl } = addressOf(simulator, market);
  return {
    code: "SIM",
    websocketUrl,
    backupWebsocketUrl: null,
    endpointUrl: url,
    timeoutMs: 5_000,
    retryDelayMs: 10,
    staleAfterMs: 20_000,
  };
}

const adapter = (market: string): FeedAdapter => {
  const found = adapterOf({ code: `${market}_SIM`, feedType: "WEBSOCKET" }, market);
  if (found === undefined) throw new Error(`no adapter for ${market}`);
  return found;
};

/** Our own adapter as the program starts it, and everything it said. */
function startFeed(simulator: Simulator, market: string, tickers: readonly string[], clock: Clock = systemClock) {
  const events: MarketEvent[] = [];
  const statuses: string[] = [];
  const details: (string | null)[] = [];
  const feed: Feed = adapter(market).start({
    endpoint: endpointOf(simulator, market),
    symbols: tickers.map((ticker, id) => ({ id, ticker })),
    clock,
    log,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    onStatus: (status, detail) => {
      statuses.push(status);
      details.push(detail);
    },
  });
  closers.push(() => feed.close());
  return { feed, events, statuses, details };
}

async function get(simulator: Simulator, market: string, path: string): Promise<{ status: number; body: Body }> {
  const response = await fetch(addressOf(simulator, market).url + path);
  return { status: response.status, body: JSON.parse(await response.text()) };
}

/** The candles that the trades add up to. */
function candlesOf(trades: readonly TradeEvent[]): Map<number, { trades: number; row: string[] }> {
  const minutes = new Map<number, TradeEvent[]>();
  for (const trade of trades) {
    const startMs = trade.exchangeTimeMs - (trade.exchangeTimeMs % minuteMs);
    minutes.set(startMs, [...(minutes.get(startMs) ?? []), trade]);
  }
  return new Map(
    [...minutes].map(([startMs, own]) => {
      const prices = own.map(({ price }) => new Decimal(price));
      const volume = own.reduce((sum, { quantity }) => sum.plus(quantity), new Decimal(0));
      const turnover = own.reduce(
        (sum, { price, quantity }) => sum.plus(new Decimal(price).times(quantity)),
        new Decimal(0),
      );
      const high = prices.reduce((best, price) => (price.gt(best) ? price : best));
      const low = prices.reduce((best, price) => (price.lt(best) ? price : best));
      const row = [prices[0], high, low, prices.at(-1), volume, turnover].map((value) => value?.toFixed() ?? "");
      return [startMs, { trades: own.reduce((sum, { tradeCount }) => sum + tradeCount, 0), row }];
    }),
  );
}

describe.each(exchanges)("$market", (exchange) => {
  const { market, tickers, futures } = exchange;

  test("gives our adapter quotes, trades, statistics and funding, and a connection that is cut is made again", async () => {
    const simulator = await start();
    const { feed, events, statuses, details } = startFeed(simulator, market, tickers);
    const wanted = ["bookTicker", "trade", "ticker24h", "orderBook", ...(futures ? ["fundingRate"] : [])];
    const complete = () =>
      wanted.every((wantedKind) =>
        tickers.every((_, id) => events.some(({ kind, symbolId }) => kind === wantedKind && symbolId === id)),
      );
    await until(complete, patienceMs);
    expect(events.map(({ kind }) => kind).filter((kind) => !wanted.includes(kind) && kind !== "orderBookLost")).toEqual(
      [],
    );
    expect(details.filter((detail) => detail !== null && detail !== "loading the contract sizes")).toEqual([]);

    simulator.disconnectAll(market);
    await until(() => statuses.includes("RECONNECTING"), patienceMs);
    await until(() => statuses.at(-1) === "CONNECTED", patienceMs);
    events.length = 0;
    await until(complete, patienceMs);
    expect([...feed.stats.rejected]).toEqual([]);
  });

  test("unsubscribes what is no longer wanted", async () => {
    const simulator = await start();
    const { feed, events } = startFeed(simulator, market, tickers);
    await until(() => new Set(events.map(({ symbolId }) => symbolId)).size === 2, patienceMs);
    feed.setSymbols([{ id: 1, ticker: tickers[1] }]);
    await until(() => {
      const seen = feed.stats.skipped.get("unsubscribed-symbol") ?? 0;
      const before = events.length;
      return new Promise<boolean>((resolve) => {
        void until(() => events.length > before + 40, patienceMs).then(() =>
          resolve((feed.stats.skipped.get("unsubscribed-symbol") ?? 0) === seen),
        );
      });
    }, patienceMs);
  });

  test("lists its instruments", async () => {
    const { instruments, brokenTickers } = await adapter(market).fetchInstruments(
      endpointOf(await start(), market),
      log,
    );
    expect(brokenTickers).toEqual([]);
    expect(instruments).toHaveLength((futures ? simulatedPerpetuals : simulatedInstruments).length);
    expect(instruments.filter(({ status }) => status === "HALT")).toHaveLength(futures ? 0 : 1);
    expect(instruments[0]).toMatchObject({
      ticker: tickers[0],
      baseCurrency: "BTC",
      quoteCurrency: "USDT",
      tickSize: "0.01",
      stepSize: "0.00001",
    });
  });

  test("has klines that are what its trades add up to", async () => {
    const clock = fastClock();
    const simulator = await start({ clock, updatesPerSecond: 5 });
    const { events } = startFeed(simulator, market, [tickers[0]], clock);
    await until(() => events.some(({ kind }) => kind === "trade"), patienceMs);
    const fromMs = Math.ceil(clock.nowMs() / minuteMs) * minuteMs;
    const toMs = fromMs + 2 * minuteMs;
    const trades = (): TradeEvent[] => events.filter((event) => event.kind === "trade");
    await until(() => trades().some(({ exchangeTimeMs }) => exchangeTimeMs >= toMs), patienceMs);
    const own = candlesOf(trades().filter(({ exchangeTimeMs: at }) => at >= fromMs && at < toMs));
    expect(own.size).toBe(2);
    const { klines } = exchange;
    const candles = klines.decode((await get(simulator, market, klines.path(tickers[0], fromMs, toMs))).body);
    expect(candles).toHaveLength(2);
    for (const [startMs, open, high, low, close, volume, turnover, count] of candles) {
      const expected = own.get(startMs);
      const row = [open, high, low, close, volume, turnover].map((value) => new Decimal(value as string).toFixed());
      expect(row).toEqual(expected?.row);
      if (count !== undefined) expect(count).toBe(expected?.trades);
    }
    // And the day before the start, which nobody has seen.
    const hourAgoMs = fromMs - 60 * minuteMs;
    const earlier = klines.decode((await get(simulator, market, klines.path(tickers[0], hourAgoMs, fromMs))).body);
    expect(earlier.map(([startMs]) => startMs).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, index) => hourAgoMs + index * minuteMs),
    );
  });

  test("has a book that follows from snapshot and changes, with a gap on request", async () => {
    const { books } = exchange;
    const simulator = await start();
    const address = addressOf(simulator, market);
    const socket = new WebSocket(address.websocketUrl + books.path);
    closers.push(() => socket.terminate());
    const sync = new BookSync(books.rule);
    const outcomes: BookOutcome[] = [];
    let latestTop: (BookFrame & { kind: "top" }) | undefined;
    let compared = 0;
    const send = (op: "subscribe" | "unsubscribe") => {
      for (const request of books.requests(tickers[0], op, Date.now())) socket.send(JSON.stringify(request));
    };
    socket.on("message", (data: Buffer) => {
      const frame = books.decode(JSON.parse(data.toString()));
      if (frame?.kind === "top") latestTop = frame;
      else if (frame?.kind === "snapshot") outcomes.push(sync.onSnapshot(frame.snapshot));
      else if (frame !== null) {
        outcomes.push(sync.onDiff(frame.diff));
        if (outcomes.at(-1) !== "applied" || latestTop === undefined) return;
        const best = sync.book?.best(1);
        expect(best?.bids[0]).toEqual(latestTop.bid.slice(0, 2));
        expect(best?.asks[0]).toEqual(latestTop.ask.slice(0, 2));
        compared++;
      }
    });
    const refresh = async () => {
      if (books.snapshot === null) {
        send("unsubscribe");
        send("subscribe");
        return;
      }
      const { body } = await get(simulator, market, books.snapshot.path(tickers[0]));
      outcomes.push(sync.onSnapshot(books.snapshot.decode(body)));
    };
    await once(socket, "open");
    send("subscribe");
    if (books.snapshot !== null) {
      await until(() => outcomes.includes("waiting"), patienceMs);
      await refresh();
    }
    await until(() => compared >= 5, patienceMs);
    expect(sync.book?.levelCounts.bids).toBeGreaterThan(5);
    expect(outcomes).not.toContain("gap");
    expect(outcomes).not.toContain("wrong-checksum");

    simulator.loseDepth(market);
    await until(() => outcomes.includes("gap"), patienceMs);
    compared = 0;
    await refresh();
    await until(() => compared >= 3, patienceMs);
    expect(outcomes.filter((outcome) => outcome === "gap")).toHaveLength(1);
  });

  test("refuses in its own words", async () => {
    const simulator = await start();
    for (const [path, status, body] of exchange.errors) {
      const answer = await get(simulator, market, path);
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.body).toMatchObject(body);
    }
    const { events, details, statuses } = startFeed(simulator, market, [exchange.unknown, tickers[1]]);
    await until(() => events.some(({ symbolId }) => symbolId === 1), patienceMs);
    await until(() => statuses.includes("CONNECTED"), patienceMs);
    if (exchange.unknownAnswer === null) expect(details.filter((detail) => detail !== null)).toEqual([]);
    else await until(() => details.some((detail) => exchange.unknownAnswer?.test(detail ?? "")), patienceMs);
  });

  test("limits and bans on request", async () => {
    const simulator = await start();
    const ask = () => adapter(market).fetchInstruments(endpointOf(simulator, market), log);
    for (const status of [429, 418] as const) {
      simulator.limitRequests({ status, retryAfterSeconds: 7 }, market);
      await expect(ask()).rejects.toMatchObject({ details: { status, retryAfterSeconds: 7 } });
    }
    simulator.limitRequests(null, market);
    expect((await ask()).instruments.length).toBeGreaterThan(0);
  });

  test("refuses a subscription on request, and the adapter tries again", async () => {
    const simulator = await start();
    simulator.rejectNextSubscribe(market);
    const { events, details } = startFeed(simulator, market, tickers);
    await until(() => details.some((detail) => detail?.includes("SUBSCRIBE refused")), patienceMs);
    await until(() => new Set(events.map(({ symbolId }) => symbolId)).size === 2, patienceMs);
  });

  test("says nothing on request, whatever the others do", async () => {
    const simulator = await start();
    const other = market === "OKX_SPOT" ? "BYBIT_SPOT" : "OKX_SPOT";
    const mine = startFeed(simulator, market, tickers);
    const theirs = startFeed(simulator, other, [other === "OKX_SPOT" ? "BTC-USDT" : "BTCUSDT"]);
    await until(() => mine.events.length > 0 && theirs.events.length > 0, patienceMs);
    simulator.goSilent(true, market);
    // What was under way arrives while the other goes on.
    const before = theirs.events.length;
    await until(() => theirs.events.length > before + 20, patienceMs);
    // Whole order books still come by REST.
    const streamed = () => mine.events.filter(({ kind }) => !kind.startsWith("orderBook")).length;
    const seen = streamed();
    await until(() => theirs.events.length > before + 60, patienceMs);
    expect(streamed()).toBe(seen);
    simulator.goSilent(false, market);
    await until(() => streamed() > seen, patienceMs);
  });

  test("the same seed and time give the same history", async () => {
    const nowMs = Date.UTC(2026, 3, 1, 10, 0, 30);
    const history = async (seed: number): Promise<unknown> => {
      const simulator = await start({ seed, clock: { nowMs: () => nowMs } });
      const path = exchange.klines.path(tickers[0], nowMs - 30_000 - 60 * minuteMs, nowMs + 30_000);
      return exchange.klines.decode((await get(simulator, market, path)).body);
    };
    expect(await history(5)).toEqual(await history(5));
    expect(await history(6)).not.toEqual(await history(5));
  });
});

test("Binance futures: who subscribes at the wrong address gets an answer and nothing more", async () => {
  const simulator = await start();
  const socket = new WebSocket(`${addressOf(simulator, "BINANCE_FUTURES").websocketUrl}/market/stream`);
  closers.push(() => socket.terminate());
  const frames: Body[] = [];
  socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString())));
  await once(socket, "open");
  socket.send('{"method":"SUBSCRIBE","params":["btcusdt@bookTicker","btcusdt@aggTrade"],"id":1}');
  await until(() => frames.length > 20, patienceMs);
  expect(frames[0]).toEqual({ result: null, id: 1 });
  expect(new Set(frames.slice(1).map(({ stream }) => stream))).toEqual(new Set(["btcusdt@aggTrade"]));
});

test("OKX and Bybit and Gate.io answer pings in words", async () => {
  const simulator = await start();
  for (const [market, path, ping, pong] of [
    ["OKX_SPOT", "/ws/v5/public", "ping", /^pong$/],
    ["BYBIT_SPOT", "/v5/public/spot", '{"op":"ping"}', /"ret_msg":"pong"/],
    ["GATEIO_SPOT", "/ws/v4/", '{"time":1,"channel":"spot.ping"}', /"channel":"spot.pong"/],
    ["GATEIO_FUTURES", "/v4/ws/usdt", '{"time":1,"channel":"futures.ping"}', /"channel":"futures.pong"/],
  ] as const) {
    const socket = new WebSocket(addressOf(simulator, market).websocketUrl + path);
    closers.push(() => socket.terminate());
    await once(socket, "open");
    socket.send(ping);
    const [answer] = (await once(socket, "message")) as [Buffer];
    expect(answer.toString()).toMatch(pong);
  }
});
