import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Catalogue, type DataProvider, type Market, type MarketSymbol } from "../catalogue/catalogue.js";
import { ProviderCredentials } from "../catalogue/provider-credentials.js";
import { decimalText } from "../core/decimal.js";
import type { TradeEvent } from "../market-data/events.js";
import type { ConnectionStatus, FeedAdapter, FeedOptions, FeedSymbol } from "./feed.js";
import { FeedSupervisor } from "./supervisor.js";

/** A feed that does what the test says. */
class FakeFeed {
  symbols: readonly FeedSymbol[];
  isClosed = false;
  readonly stats = { messages: 0, events: 0, skipped: new Map(), rejected: new Map(), reconnects: 0 };
  constructor(readonly options: FeedOptions) {
    this.symbols = options.symbols;
  }
  setSymbols(symbols: readonly FeedSymbol[]): void {
    this.symbols = symbols;
  }
  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
  says(status: ConnectionStatus): void {
    this.options.onStatus(status, null);
  }
  trades(symbolId: number): void {
    const trade: TradeEvent = {
      kind: "trade",
      symbolId,
      price: decimalText("1"),
      quantity: decimalText("1"),
      side: "BUY",
      tradeId: "1",
      tradeCount: 1,
      exchangeSequence: 1,
      exchangeTimeMs: 0,
      receivedAtMs: 0,
    };
    this.options.onEvent(trade);
  }
}

const provider = (id: number, code: string, priority: number, more: Partial<DataProvider> = {}) =>
  ({
    id,
    code,
    marketId: 1,
    priority,
    isPrimary: id === 1,
    isActive: true,
    providerType: "REALTIME",
    feedType: "WEBSOCKET",
    websocketUrl: `wss://${code}`,
    backupWebsocketUrl: null,
    endpointUrl: null,
    sealedApiKey: null,
    sealedApiSecret: null,
    sealedPassphrase: null,
    timeoutMs: 1_000,
    retryDelayMs: 100,
    staleAfterMs: 1_000,
    ...more,
  }) as DataProvider;

/** Why a provider must not be used, by its code. */
const refusals = new Map<string, string>();
const credentials = new ProviderCredentials("key", "secret", null);

function start(...providers: DataProvider[]) {
  refusals.clear();
  const catalogue = new Catalogue();
  catalogue.apply("markets", null, [{ id: 1, code: "BINANCE_SPOT", isActive: true, displayOrder: 1 } as Market]);
  catalogue.apply("data_providers", null, providers);
  const symbol = (id: number) =>
    ({
      id,
      marketId: 1,
      ticker: `S${id}`,
      isActive: true,
      isTracked: true,
      dataProviderId: null,
      broadcastPriority: 0,
    }) as MarketSymbol;
  catalogue.apply("symbols", null, [symbol(1), symbol(2)]);
  const feeds = new Map<string, FakeFeed>();
  const adapter: FeedAdapter = {
    start: (options) => {
      const feed = new FakeFeed(options);
      feeds.set(options.endpoint.code, feed);
      return feed;
    },
    fetchInstruments: () => Promise.reject(new Error("not asked")),
    minutes: null,
  };
  const heard: string[] = [];
  const lostBooks: string[] = [];
  const told: string[] = [];
  const supervisor = new FeedSupervisor({
    catalogue,
    clock: { nowMs: () => Date.now() },
    log: pino({ level: "silent" }),
    random: () => 0.5,
    onEvent: (event, from) =>
      (event.kind === "orderBookLost" ? lostBooks : heard).push(`${from.code} ${event.symbolId}`),
    onStatus: ({ code }, status, detail) => told.push(`${code} ${status} ${detail ?? ""}`.trim()),
    onRejected: ({ code }, count, detail) => told.push(`${code} +${count} ${detail}`),
    access: {
      refusal: ({ code }) => refusals.get(code) ?? null,
      budgetOf: () => ({ take() {} }),
      credentialsOf: ({ sealedApiKey }) => (sealedApiKey === null ? null : credentials),
    },
    adapterOf: () => adapter,
  });
  supervisor.start();
  const feed = (code: string): FakeFeed => {
    const found = feeds.get(code);
    if (found === undefined) throw new Error(`no feed ${code}`);
    return found;
  };
  return { catalogue, supervisor, feeds, feed, heard, lostBooks, told, symbol };
}

describe("the supervisor", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  test("the next provider by priority takes over from one that is stale, and gives back when it is well again", async () => {
    const { supervisor, feeds, feed, heard, lostBooks } = start(
      provider(1, "MAIN", 90),
      provider(2, "LOW", 10),
      provider(3, "NEXT", 50),
    );
    feed("MAIN").says("CONNECTED");
    await pass(20_000);
    expect([...feeds.keys()]).toEqual(["MAIN"]);

    feed("MAIN").says("STALE");
    feed("MAIN").says("RECONNECTING");
    // At once: the stale time has passed already.
    await pass(0);
    expect([...feeds.keys()]).toEqual(["MAIN", "NEXT"]);
    expect(feed("NEXT").symbols.map(({ id }) => id)).toEqual([1, 2]);
    feed("NEXT").says("CONNECTED");
    feed("NEXT").trades(1);
    // What the one that is out still sends is not listened to: two sources at once would mix their numbers.
    feed("MAIN").trades(1);
    expect(heard).toEqual(["NEXT 1"]);
    expect(supervisor.states().map(({ provider: { code }, symbols }) => [code, symbols])).toEqual([
      ["MAIN", 0],
      ["NEXT", 2],
    ]);

    feed("MAIN").says("CONNECTED");
    await pass(5_000);
    expect(feed("NEXT").isClosed).toBe(false);
    await pass(6_000);
    expect(feed("NEXT").isClosed).toBe(true);
    feed("MAIN").trades(2);
    expect(heard).toEqual(["NEXT 1", "MAIN 2"]);
    // Neither may leave its books behind for the other's.
    expect(lostBooks).toEqual(["MAIN 1", "MAIN 2", "NEXT 1", "NEXT 2"]);
    await supervisor.close();
  });

  test("the book of a symbol that is not tracked any more is lost", async () => {
    const { supervisor, catalogue, lostBooks, symbol } = start(provider(1, "MAIN", 90));
    await pass(0);
    catalogue.apply("symbols", null, [symbol(1), { ...symbol(2), isTracked: false }]);
    await pass(0);
    expect(lostBooks).toEqual(["MAIN 2"]);
    await supervisor.close();
  });

  test("a short interruption changes nothing, a long one does, and a stand-in that is out too is passed over", async () => {
    const { supervisor, feeds, feed } = start(provider(1, "MAIN", 90), provider(2, "LOW", 10), provider(3, "NEXT", 50));
    feed("MAIN").says("CONNECTED");
    feed("MAIN").says("RECONNECTING");
    await pass(3_000);
    feed("MAIN").says("CONNECTED");
    await pass(3_000);
    expect([...feeds.keys()]).toEqual(["MAIN"]);

    feed("MAIN").says("RECONNECTING");
    await pass(6_000);
    expect([...feeds.keys()]).toEqual(["MAIN", "NEXT"]);
    feed("NEXT").says("CONNECTING");
    await pass(7_000);
    expect([...feeds.keys()]).toEqual(["MAIN", "NEXT", "LOW"]);
    await supervisor.close();
  });

  test("a dead stand-in of higher priority leaves the healthy one alone, and is tried again after growing pauses", async () => {
    const { supervisor, feeds, feed } = start(provider(1, "MAIN", 90), provider(2, "LOW", 10), provider(3, "NEXT", 50));
    const known = new Set<FakeFeed>();
    const serving: (string | undefined)[] = [];
    feed("MAIN").says("STALE");
    for (let seconds = 0; seconds < 130; seconds++) {
      await pass(1_000);
      for (const [code, each] of feeds) {
        if (code === "MAIN" || known.has(each)) continue;
        known.add(each);
        each.says(code === "LOW" ? "CONNECTED" : "RECONNECTING");
      }
      serving.push(supervisor.servingOf(1)?.code);
    }
    const stretches: [string | undefined, number][] = [];
    for (const code of serving) {
      const last = stretches.at(-1);
      if (last !== undefined && last[0] === code) last[1]++;
      else stretches.push([code, 1]);
    }
    expect(stretches.map(([code]) => code)).toEqual(["NEXT", "LOW", "NEXT", "LOW", "NEXT", "LOW"]);
    const [, first, , second] = stretches.map(([, seconds]) => seconds);
    expect(first).toBeGreaterThanOrEqual(29);
    expect(second).toBeGreaterThanOrEqual(59);
    await supervisor.close();
  });

  test("where the only stand-in is dead too, the provider is listened to; another endpoint is tried at once", async () => {
    const { supervisor, catalogue, feeds, feed, heard } = start(provider(1, "MAIN", 90), provider(2, "LOW", 10));
    feed("MAIN").says("STALE");
    await pass(0);
    feed("LOW").says("RECONNECTING");
    await pass(7_000);
    const dead = feed("LOW");
    expect(dead.isClosed).toBe(true);
    await pass(20_000);
    expect(feeds.get("LOW")).toBe(dead);
    feed("MAIN").trades(1);
    expect(heard).toEqual(["MAIN 1"]);
    catalogue.apply("data_providers", [2], [provider(2, "LOW", 10, { websocketUrl: "wss://other" })]);
    await pass(2_000);
    expect(feeds.get("LOW")).not.toBe(dead);
    expect(supervisor.servingOf(1)?.code).toBe("LOW");
    await supervisor.close();
  });

  test("invented prices never stand in for real ones, and an inactive provider for none", async () => {
    const { supervisor, feeds, feed } = start(
      provider(1, "MAIN", 90),
      provider(2, "SIM", 50, { providerType: "SIMULATED" }),
      provider(3, "OFF", 40, { isActive: false }),
    );
    feed("MAIN").says("STALE");
    await pass(30_000);
    expect([...feeds.keys()]).toEqual(["MAIN"]);
    feed("MAIN").trades(1);
    await supervisor.close();
  });

  test("a provider that must not be used is left alone and says why; the next one serves, until it may be used again", async () => {
    const { supervisor, feeds, feed, heard, told } = start(provider(1, "MAIN", 90), provider(2, "NEXT", 50));
    feed("MAIN").says("CONNECTED");
    refusals.set("MAIN", "the month is used up");
    await pass(1_000);
    expect(feed("MAIN").isClosed).toBe(true);
    expect([...feeds.keys()]).toEqual(["MAIN", "NEXT"]);
    expect(told.at(-1)).toBe("MAIN ERROR the month is used up");
    feed("NEXT").trades(1);
    expect(supervisor.states()).toMatchObject([
      { provider: { code: "NEXT" }, symbols: 2 },
      { provider: { code: "MAIN" }, status: "ERROR", detail: "the month is used up", symbols: 0 },
    ]);

    refusals.clear();
    await pass(1_000);
    expect(feed("NEXT").isClosed).toBe(true);
    expect(feed("MAIN").isClosed).toBe(false);
    feed("MAIN").trades(2);
    expect(heard).toEqual(["NEXT 1", "MAIN 2"]);
    await supervisor.close();
  });

  test("a stand-in that must not be used is passed over", async () => {
    const { supervisor, feeds, feed, told } = start(
      provider(1, "MAIN", 90),
      provider(2, "LOW", 10),
      provider(3, "NEXT", 50),
    );
    refusals.set("NEXT", "used up");
    feed("MAIN").says("STALE");
    await pass(0);
    expect([...feeds.keys()]).toEqual(["MAIN", "LOW"]);
    expect(told).toEqual(["MAIN STALE", "NEXT ERROR used up"]);
    await supervisor.close();
  });

  test("rejected frames are told with their kinds, once each; the last message and the rate are those of the feed", async () => {
    const { supervisor, feed, told } = start(provider(1, "MAIN", 90));
    feed("MAIN").says("CONNECTED");
    await pass(1_000);
    expect(supervisor.states()).toMatchObject([{ lastMessageAtMs: null, messagesPerSecond: 0 }]);
    feed("MAIN").stats.messages = 30;
    feed("MAIN").stats.rejected.set("trade-price", 2).set("json", 5);
    await pass(1_000);
    const heardAtMs = Date.now();
    await pass(2_000);
    expect(supervisor.states()).toMatchObject([{ lastMessageAtMs: heardAtMs, messagesPerSecond: 10 }]);
    feed("MAIN").stats.rejected.set("json", 6);
    await pass(1_000);
    expect(told.slice(1)).toEqual([
      "MAIN +7 rejected frames since the start: json 5, trade-price 2",
      "MAIN +1 rejected frames since the start: json 6, trade-price 2",
    ]);
    await supervisor.close();
  });

  test("credentials reach the feed, and new ones a new feed", async () => {
    const { catalogue, supervisor, feed } = start(provider(1, "MAIN", 90));
    expect(feed("MAIN").options.endpoint.credentials).toBeNull();
    for (const sealedApiKey of ["v1.k.AAAA", "v1.k.BBBB"]) {
      const before = feed("MAIN");
      catalogue.apply("data_providers", [1], [provider(1, "MAIN", 90, { sealedApiKey })]);
      await pass(0);
      expect(before.isClosed).toBe(true);
      expect(feed("MAIN").options.endpoint.credentials).toBe(credentials);
    }
    const last = feed("MAIN");
    catalogue.apply(
      "data_providers",
      [1],
      [provider(1, "MAIN", 90, { sealedApiKey: "v1.k.BBBB", errorCountHourly: 1 })],
    );
    await pass(0);
    expect(feed("MAIN")).toBe(last);
    await supervisor.close();
  });
});
