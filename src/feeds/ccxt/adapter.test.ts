import { Exchange, NetworkError } from "ccxt";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { loadMarketsAgain } from "../../core/load-markets.js";
import { unavailable } from "../rest.js";
import { ccxtAdapter } from "./adapter.js";
import { type CcxtExchange, openCcxt } from "./library.js";

const spot = {
  id: "XXBTZUSD",
  symbol: "BTC/USD",
  base: "BTC",
  quote: "USD",
  active: true,
  spot: true,
  swap: false,
  precision: { price: 0.1, amount: 1e-8 },
  limits: { amount: { min: 0.00005, max: undefined }, cost: { min: 0.5, max: undefined } },
};
const perpetual = {
  ...spot,
  id: "pf_xbtusd",
  symbol: "BTC/USD:USD",
  spot: false,
  swap: true,
  linear: true,
  contractSize: 0.001,
  precision: { price: 1, amount: 1 },
  limits: { amount: { min: 1, max: 1_000_000 }, cost: {} },
};
const endpoint = {
  code: "CCXT_TEST",
  websocketUrl: "",
  backupWebsocketUrl: null,
  endpointUrl: null,
  timeoutMs: 1_000,
  retryDelayMs: 10,
  staleAfterMs: 1_000,
};
const log = pino({ level: "silent" });

function adapter(market: string, markets: object, more: Partial<CcxtExchange> = {}) {
  const opened: string[] = [];
  const exchange = { has: {}, precisionMode: 4, loadMarkets: () => Promise.resolve(markets), ...more } as CcxtExchange;
  const open = (id: string) => {
    opened.push(id);
    return Promise.resolve(exchange);
  };
  return { opened, adapter: ccxtAdapter("kraken", market, open) };
}
const instruments = (market: string, markets: object, more: Partial<CcxtExchange> = {}) =>
  adapter(market, markets, more).adapter.fetchInstruments(endpoint, log);

describe("instruments", () => {
  const all = {
    "BTC/USD": spot,
    "BTC/USD:USD": perpetual,
    inverse: { ...perpetual, id: "PI", linear: false },
    none: null,
  };

  test("by ccxt itself: a failure does not last, and what the exchange lists later is seen", async () => {
    let calls = 0;
    class Listing extends Exchange {
      override fetchMarkets(): ReturnType<Exchange["fetchMarkets"]> {
        calls++;
        if (calls === 1) return Promise.reject(new NetworkError("getaddrinfo ENOTFOUND"));
        const added = { ...spot, id: "NEW", symbol: "NEW/USD", base: "NEW", baseId: "NEW" };
        return Promise.resolve((calls === 2 ? [spot] : [spot, added]) as never);
      }
    }
    const open = async () => {
      const opened = new Listing({ id: "listing" });
      loadMarketsAgain(opened);
      return opened as unknown as CcxtExchange;
    };
    const listing = ccxtAdapter("kraken", "KRAKEN_SPOT", open);
    const tickers = async () => (await listing.fetchInstruments(endpoint, log)).instruments.map(({ ticker }) => ticker);
    const request = {
      symbol: { id: 1, ticker: "GONE" },
      fromMs: 0,
      toMs: 60_000,
      signal: new AbortController().signal,
    };
    await expect(listing.minutes?.fetch(endpoint, log, request)).rejects.toThrow("ENOTFOUND");
    await expect(listing.minutes?.fetch(endpoint, log, request)).rejects.toThrow("kraken has no GONE");
    expect(calls).toBe(2);
    expect(await tickers()).toEqual(["XXBTZUSD", "NEW"]);
  });

  test("spot, under the exchange's own names", async () => {
    expect(await instruments("KRAKEN_SPOT", all)).toEqual({
      instruments: [
        {
          ticker: "XXBTZUSD",
          baseCurrency: "BTC",
          quoteCurrency: "USD",
          status: "TRADING",
          tickSize: "0.1",
          stepSize: "0.00000001",
          minQuantity: "0.00005",
          maxQuantity: null,
          minOrderValue: "0.5",
          maxOrderValue: null,
        },
      ],
      brokenTickers: [],
    });
  });

  test("perpetuals, with contracts as base currency", async () => {
    expect(await instruments("KRAKEN_FUTURES", all)).toMatchObject({
      instruments: [
        {
          ticker: "PF_XBTUSD",
          tickSize: "1",
          stepSize: "0.001",
          minQuantity: "0.001",
          maxQuantity: "1000",
          minOrderValue: null,
        },
      ],
    });
  });

  test("precisions can be digits", async () => {
    const precision = { price: 2, amount: 0 };
    expect(await instruments("KRAKEN_SPOT", { a: { ...spot, precision } }, { precisionMode: 2 })).toMatchObject({
      instruments: [{ tickSize: "0.01", stepSize: "1" }],
    });
  });

  test.each([
    [{ base: null }],
    [{ quote: "us dollar" }],
    [{ precision: undefined }],
    [{ precision: { price: 0, amount: 1 } }],
    [{ precision: { price: 1, amount: Number.NaN } }],
    [{ precision: { price: "x", amount: 1 } }],
    [{ precision: { price: 1e-30, amount: 1 } }],
    [{ limits: { amount: { min: -1 } } }],
    [{ limits: { amount: { min: 2, max: 1 } } }],
    [{ limits: { cost: { min: 1e40 } } }],
  ])("a broken one is left out, and keeps its name: %j", async (change) => {
    const list = { good: { ...spot, id: "GOOD", active: false }, bad: { ...spot, ...change } };
    expect(await instruments("KRAKEN_SPOT", list)).toMatchObject({
      instruments: [{ ticker: "GOOD", status: "HALT" }],
      brokenTickers: ["XXBTZUSD"],
    });
  });

  test.each([[undefined], [null], [0], [-1], ["x"], [1e40]])(
    "a contract of size %s is broken",
    async (contractSize) => {
      const list = { good: { ...perpetual, id: "GOOD" }, bad: { ...perpetual, contractSize } };
      expect(await instruments("KRAKEN_FUTURES", list)).toMatchObject({
        instruments: [{ ticker: "GOOD" }],
        brokenTickers: ["PF_XBTUSD"],
      });
    },
  );

  test("nothing usable and errors of the exchange are its absence", async () => {
    await expect(instruments("KRAKEN_SPOT", {})).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    const failing = { loadMarkets: () => Promise.reject(new Error("kraken GET https://… 502")) };
    await expect(instruments("KRAKEN_SPOT", {}, failing)).rejects.toMatchObject({
      code: "PROVIDER_UNAVAILABLE",
      message: "kraken did not answer: kraken GET https://… 502",
    });
  });
});

describe("minutes", () => {
  const fromMs = 1_640_804_880_000;
  const kline = [fromMs, 47_482.36, 47_482.36, 47_416.57, 47_436.1, 1e-7];
  const minute = {
    openTimeMs: fromMs,
    open: "47482.36",
    high: "47482.36",
    low: "47416.57",
    close: "47436.1",
    volume: "0.0000001",
    quoteVolume: "0.00474361",
    tradeCount: null,
    takerBuyVolume: null,
    takerBuyQuoteVolume: null,
  };
  const ask = (answer: unknown, { ticker = "XXBTZUSD", minutes = 2, has = { fetchOHLCV: true } as object } = {}) => {
    const asked: unknown[] = [];
    const made = adapter(
      "KRAKEN_SPOT",
      { "BTC/USD": spot },
      {
        has: has as CcxtExchange["has"],
        fetchOHLCV: (...args) => {
          asked.push(args);
          return Promise.resolve(answer);
        },
      },
    );
    const request = {
      symbol: { id: 1, ticker },
      fromMs,
      toMs: fromMs + minutes * 60_000,
      signal: new AbortController().signal,
    };
    return { asked, ...made, result: made.adapter.minutes?.fetch(endpoint, log, request) };
  };

  test("oldest first, each once, and none outside of what was asked for", async () => {
    const at = (ms: number) => kline.with(0, ms);
    const { asked, result, opened } = ask([
      at(fromMs + 60_000),
      kline,
      kline,
      at(fromMs + 120_000),
      at(fromMs - 60_000),
    ]);
    expect(await result).toEqual([minute, { ...minute, openTimeMs: fromMs + 60_000 }]);
    expect(asked).toEqual([["BTC/USD", "1m", fromMs, 2]]);
    expect(opened).toEqual(["kraken"]);
  });

  test.each([
    ...[1, 2, 3, 4].flatMap((at) =>
      [undefined, null, "x", 0, -1, 1e40, Number.NaN, {}].map((value): [number, unknown] => [at, value]),
    ),
    ...[undefined, null, "x", -1, 1e40, Number.NaN].map((value): [number, unknown] => [5, value]),
    ...[null, "1640804880000", fromMs + 1, 1e40, -0.5].map((value): [number, unknown] => [0, value]),
    [2, 47_482],
    [3, 47_437],
  ])("broken: %i = %s", async (at, value) => {
    expect(await ask([kline.with(at, value as never), null, {}]).result).toEqual([]);
  });

  test("what cannot be answered", async () => {
    await expect(ask([], { minutes: 101 }).result).rejects.toThrow(RangeError);
    for (const asked of [ask([], { ticker: "OTHER" }), ask({}), ask([], { has: {} })]) {
      await expect(asked.result).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    }
    expect(adapter("KRAKEN_FUTURES", {}).adapter.minutes).toBeNull();
  });

  test("an exchange that could not be opened is opened again", async () => {
    let attempts = 0;
    const made = ccxtAdapter("kraken", "KRAKEN_SPOT", () => {
      attempts++;
      return Promise.reject(attempts === 2 ? unavailable("still not") : new Error("no memory"));
    });
    await expect(made.fetchInstruments(endpoint, log)).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    await expect(made.fetchInstruments(endpoint, log)).rejects.toMatchObject({ message: "still not" });
    await expect(made.fetchInstruments(endpoint, log)).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    expect(attempts).toBe(3);
  });
});

describe("the library", () => {
  test("opens an exchange by its name, without connecting", async () => {
    const kraken = await openCcxt("kraken", 1_234);
    expect(kraken).toMatchObject({ id: "kraken", timeout: 1_234, enableRateLimit: true, newUpdates: true });
    expect(kraken.has).toMatchObject({ watchTickers: true, watchTrades: true, watchOrderBook: true, fetchOHLCV: true });
    await kraken.close();
  });

  test.each(["nobody", "__proto__", "constructor", ""])("knows no %j", async (id) => {
    await expect(openCcxt(id, 1_000)).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
  });
});
