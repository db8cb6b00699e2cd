import { pino } from "pino";
import { expect, test } from "vitest";
import {
  Catalogue,
  type DataProvider,
  type Market,
  type MarketSymbol,
  type TradingSession,
} from "../catalogue/catalogue.js";
import type { FeedAdapter, FeedOptions } from "./feed.js";
import { endpointOf, FeedSupervisor } from "./supervisor.js";

const provider = {
  id: 1,
  code: "NYSE_EQUITY_YAHOO",
  marketId: 1,
  priority: 100,
  isPrimary: true,
  isActive: true,
  providerType: "DELAYED",
  feedType: "REST",
  websocketUrl: null,
  backupWebsocketUrl: null,
  endpointUrl: "https://query1.finance.yahoo.com",
  rateLimitPerMinute: 30,
} as DataProvider;

test("a provider without a WebSocket address has an endpoint when it is asked by REST", () => {
  expect(endpointOf(provider)).toMatchObject({ websocketUrl: "", rateLimitPerMinute: 30 });
  expect(endpointOf({ ...provider, feedType: "WEBSOCKET" })).toBeNull();
});

test("its feed is started for its market, and told whether that is open", async () => {
  const catalogue = new Catalogue();
  const market = { id: 1, code: "NYSE_EQUITY", timezone: "UTC", is24x7: false, operatorStatus: null, isActive: true };
  catalogue.apply("markets", null, [market as Market]);
  const session = { id: 1, marketId: 1, sessionType: "PRE_MARKET", dayOfWeek: 1, startTime: "10:00", endTime: "11:00" };
  catalogue.apply("trading_sessions", null, [session as TradingSession]);
  catalogue.apply("data_providers", null, [provider]);
  const symbol = { id: 5, marketId: 1, ticker: "IBM", isActive: true, isTracked: true, dataProviderId: null };
  catalogue.apply("symbols", null, [symbol as MarketSymbol]);

  let options: FeedOptions | undefined;
  const stats = { messages: 0, events: 0, skipped: new Map(), rejected: new Map(), reconnects: 0 };
  const adapter: FeedAdapter = {
    start: (given) => {
      options = given;
      return { setSymbols() {}, stats, close: () => Promise.resolve() };
    },
    fetchInstruments: () => Promise.reject(new Error("not asked")),
    minutes: null,
  };
  const asked: string[] = [];
  let nowMs = Date.UTC(2026, 0, 5, 10, 59);
  const supervisor = new FeedSupervisor({
    catalogue,
    clock: { nowMs: () => nowMs },
    log: pino({ level: "silent" }),
    random: () => 0.5,
    onEvent: () => {},
    onStatus: () => {},
    adapterOf: ({ code }, marketCode) => {
      asked.push(`${code} ${marketCode}`);
      return adapter;
    },
  });
  supervisor.start();
  expect(new Set(asked)).toEqual(new Set(["NYSE_EQUITY_YAHOO NYSE_EQUITY"]));
  expect(options?.symbols).toMatchObject([{ id: 5, ticker: "IBM" }]);
  expect(options?.isMarketOpen?.()).toBe(true);
  nowMs += 60_000;
  expect(options?.isMarketOpen?.()).toBe(false);
  await supervisor.close();
});
