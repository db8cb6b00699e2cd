/**
 * The reference data that ships. Codes stand in for ids; decimals are text. `seed.ts` adds what a database lacks of it and
 * leaves what is there as operators made it.
 */

import { symbolsOfOtherMarkets } from "./reference-symbols.js";

export const assetClasses = [
  {
    code: "CRYPTO",
    name: "Cryptocurrencies",
    nameTr: "Kripto Paralar",
    description: "Coins and tokens, traded around the clock",
    primaryCurrency: "USDT",
    defaultPricePrecision: 2,
    defaultQuantityPrecision: 6,
    supports24x7Trading: true,
    supportsFractional: true,
    regulatoryClass: "CRYPTO_ASSET",
    displayOrder: 1,
  },
  {
    code: "STOCK_BIST",
    name: "Turkish shares",
    nameTr: "BIST Hisseleri",
    description: "Shares and funds listed on Borsa Istanbul",
    primaryCurrency: "TRY",
    defaultPricePrecision: 2,
    defaultQuantityPrecision: 0,
    regulatoryClass: "SECURITY",
    displayOrder: 2,
  },
  {
    code: "STOCK_NASDAQ",
    name: "NASDAQ shares",
    nameTr: "NASDAQ Hisseleri",
    description: "Shares and funds listed on NASDAQ",
    primaryCurrency: "USD",
    defaultPricePrecision: 2,
    defaultQuantityPrecision: 0,
    regulatoryClass: "SECURITY",
    displayOrder: 3,
  },
  {
    code: "STOCK_NYSE",
    name: "NYSE shares",
    nameTr: "NYSE Hisseleri",
    description: "Shares and funds listed on the New York Stock Exchange",
    primaryCurrency: "USD",
    defaultPricePrecision: 2,
    defaultQuantityPrecision: 0,
    regulatoryClass: "SECURITY",
    displayOrder: 4,
  },
  {
    code: "FOREX",
    name: "Currencies",
    nameTr: "Döviz",
    description: "Pairs of national currencies",
    primaryCurrency: "USD",
    defaultPricePrecision: 5,
    defaultQuantityPrecision: 2,
    supportsFractional: true,
    regulatoryClass: "CURRENCY",
    displayOrder: 5,
  },
  {
    code: "COMMODITY",
    name: "Commodities",
    nameTr: "Emtia",
    description: "Metals, energy and agricultural goods",
    primaryCurrency: "USD",
    defaultPricePrecision: 2,
    defaultQuantityPrecision: 2,
    supportsFractional: true,
    regulatoryClass: "COMMODITY",
    displayOrder: 6,
  },
] as const;

export const exchanges = [
  { code: "BINANCE", name: "Binance", supportsSpot: true, supportsFutures: true, displayOrder: 1 },
  { code: "BYBIT", name: "Bybit", supportsSpot: true, supportsFutures: true, displayOrder: 2 },
  { code: "OKX", name: "OKX", supportsSpot: true, supportsFutures: true, displayOrder: 3 },
  { code: "MEXC", name: "MEXC", supportsSpot: true, supportsFutures: true, displayOrder: 4 },
  { code: "GATEIO", name: "Gate.io", supportsSpot: true, supportsFutures: true, displayOrder: 5 },
  { code: "BIST", name: "Borsa İstanbul", supportsSpot: true, supportsFutures: false, displayOrder: 6 },
  { code: "NASDAQ", name: "NASDAQ", supportsSpot: true, supportsFutures: false, displayOrder: 7 },
  { code: "NYSE", name: "New York Stock Exchange", supportsSpot: true, supportsFutures: false, displayOrder: 8 },
] as const;

type MarketType = "SPOT" | "FUTURES" | "EQUITY";

/** Takers' commission of the lowest fee level, as the exchanges publish it. */
const crypto = (
  exchange: string,
  exchangeName: string,
  type: "SPOT" | "FUTURES",
  commission: string,
  displayOrder: number,
) => ({
  exchange,
  assetClass: "CRYPTO",
  code: `${exchange}_${type}`,
  name: `${exchangeName} ${type === "SPOT" ? "Spot" : "Futures"}`,
  nameTr: `${exchangeName} ${type === "SPOT" ? "Spot" : "Vadeli"}`,
  description:
    type === "SPOT"
      ? "Cryptocurrencies against cash and stablecoins"
      : "Perpetual futures with leverage, settled in USDT",
  marketType: type as MarketType,
  countryCode: null,
  timezone: "UTC",
  primaryCurrency: "USDT",
  defaultCommissionRate: commission,
  is24x7: true,
  hasRealtimeData: true,
  dataDelayMinutes: 0,
  displayOrder,
});

const shares = (
  exchange: string,
  name: string,
  nameTr: string,
  assetClass: string,
  country: string,
  timezone: string,
  currency: string,
  displayOrder: number,
) => ({
  exchange,
  assetClass,
  code: `${exchange}_EQUITY`,
  name,
  nameTr,
  description: "Shares and exchange-traded funds",
  marketType: "EQUITY" as MarketType,
  countryCode: country,
  timezone,
  primaryCurrency: currency,
  defaultCommissionRate: "0.002",
  is24x7: false,
  hasRealtimeData: false,
  dataDelayMinutes: 15,
  displayOrder,
});

export const markets = [
  crypto("BINANCE", "Binance", "SPOT", "0.001", 1),
  crypto("BINANCE", "Binance", "FUTURES", "0.0005", 2),
  crypto("BYBIT", "Bybit", "SPOT", "0.001", 3),
  crypto("BYBIT", "Bybit", "FUTURES", "0.00055", 4),
  crypto("OKX", "OKX", "SPOT", "0.001", 5),
  crypto("OKX", "OKX", "FUTURES", "0.0005", 6),
  crypto("MEXC", "MEXC", "SPOT", "0.0005", 7),
  crypto("GATEIO", "Gate.io", "SPOT", "0.002", 8),
  crypto("GATEIO", "Gate.io", "FUTURES", "0.0005", 9),
  shares(
    "BIST",
    "Borsa Istanbul Equity Market",
    "Borsa İstanbul Pay Piyasası",
    "STOCK_BIST",
    "TR",
    "Europe/Istanbul",
    "TRY",
    10,
  ),
  shares("NASDAQ", "NASDAQ Stock Market", "NASDAQ Borsası", "STOCK_NASDAQ", "US", "America/New_York", "USD", 11),
  shares("NYSE", "New York Stock Exchange", "New York Borsası", "STOCK_NYSE", "US", "America/New_York", "USD", 12),
];

type SessionType = "PRE_MARKET" | "OPEN" | "POST_MARKET";

const weekdays = [1, 2, 3, 4, 5];

const everyWeekday = (market: string, hours: readonly (readonly [string, SessionType, string, string])[]) =>
  weekdays.flatMap((dayOfWeek) =>
    hours.map(([name, sessionType, startTime, endTime]) => ({
      market,
      name,
      sessionType,
      dayOfWeek,
      startTime,
      endTime,
      isPrimary: sessionType === "OPEN",
    })),
  );

const newYorkHours = [
  ["Pre-market", "PRE_MARKET", "04:00", "09:30"],
  ["Regular", "OPEN", "09:30", "16:00"],
  ["After hours", "POST_MARKET", "16:00", "20:00"],
] as const;

export const tradingSessions = [
  ...everyWeekday("BIST_EQUITY", [
    ["Opening auction", "PRE_MARKET", "09:40", "10:00"],
    ["Continuous trading", "OPEN", "10:00", "18:00"],
    ["Closing auction", "POST_MARKET", "18:00", "18:10"],
  ]),
  ...everyWeekday("NASDAQ_EQUITY", newYorkHours),
  ...everyWeekday("NYSE_EQUITY", newYorkHours),
];

interface Holiday {
  readonly date: string;
  readonly name: string;
  readonly nameTr: string;
  readonly closeTime?: string;
  readonly postMarketCloseTime?: string;
}

/** NYSE and NASDAQ share one calendar: nyse.com/markets/hours-calendars. */
const newYorkHolidays: readonly Holiday[] = [
  { date: "2026-01-01", name: "New Year's Day", nameTr: "Yılbaşı" },
  { date: "2026-01-19", name: "Martin Luther King, Jr. Day", nameTr: "Martin Luther King Günü" },
  { date: "2026-02-16", name: "Washington's Birthday", nameTr: "Başkanlar Günü" },
  { date: "2026-04-03", name: "Good Friday", nameTr: "Kutsal Cuma" },
  { date: "2026-05-25", name: "Memorial Day", nameTr: "Anma Günü" },
  { date: "2026-06-19", name: "Juneteenth", nameTr: "Juneteenth" },
  { date: "2026-07-03", name: "Independence Day (observed)", nameTr: "Bağımsızlık Günü" },
  { date: "2026-09-07", name: "Labor Day", nameTr: "İşçi Bayramı" },
  { date: "2026-11-26", name: "Thanksgiving Day", nameTr: "Şükran Günü" },
  {
    date: "2026-11-27",
    name: "Day after Thanksgiving",
    nameTr: "Şükran Günü ertesi",
    closeTime: "13:00",
    postMarketCloseTime: "17:00",
  },
  {
    date: "2026-12-24",
    name: "Christmas Eve",
    nameTr: "Noel arifesi",
    closeTime: "13:00",
    postMarketCloseTime: "17:00",
  },
  { date: "2026-12-25", name: "Christmas Day", nameTr: "Noel" },
  { date: "2027-01-01", name: "New Year's Day", nameTr: "Yılbaşı" },
  { date: "2027-01-18", name: "Martin Luther King, Jr. Day", nameTr: "Martin Luther King Günü" },
  { date: "2027-02-15", name: "Washington's Birthday", nameTr: "Başkanlar Günü" },
  { date: "2027-03-26", name: "Good Friday", nameTr: "Kutsal Cuma" },
  { date: "2027-05-31", name: "Memorial Day", nameTr: "Anma Günü" },
  { date: "2027-06-18", name: "Juneteenth (observed)", nameTr: "Juneteenth" },
  { date: "2027-07-05", name: "Independence Day (observed)", nameTr: "Bağımsızlık Günü" },
  { date: "2027-09-06", name: "Labor Day", nameTr: "İşçi Bayramı" },
  { date: "2027-11-25", name: "Thanksgiving Day", nameTr: "Şükran Günü" },
  {
    date: "2027-11-26",
    name: "Day after Thanksgiving",
    nameTr: "Şükran Günü ertesi",
    closeTime: "13:00",
    postMarketCloseTime: "17:00",
  },
  { date: "2027-12-24", name: "Christmas Day (observed)", nameTr: "Noel" },
];

const istanbulHalfDay = { closeTime: "12:30", postMarketCloseTime: "12:40" } as const;

/** Public holidays of Türkiye (law no. 2429), on which Borsa Istanbul closes; the eve of a feast is a half day. */
const istanbulHolidays: readonly Holiday[] = [
  { date: "2026-01-01", name: "New Year's Day", nameTr: "Yılbaşı" },
  { date: "2026-03-19", name: "Ramadan Feast eve", nameTr: "Ramazan Bayramı arifesi", ...istanbulHalfDay },
  { date: "2026-03-20", name: "Ramadan Feast", nameTr: "Ramazan Bayramı" },
  { date: "2026-04-23", name: "National Sovereignty and Children's Day", nameTr: "Ulusal Egemenlik ve Çocuk Bayramı" },
  { date: "2026-05-01", name: "Labour Day", nameTr: "Emek ve Dayanışma Günü" },
  { date: "2026-05-19", name: "Youth and Sports Day", nameTr: "Gençlik ve Spor Bayramı" },
  { date: "2026-05-26", name: "Feast of the Sacrifice eve", nameTr: "Kurban Bayramı arifesi", ...istanbulHalfDay },
  { date: "2026-05-27", name: "Feast of the Sacrifice", nameTr: "Kurban Bayramı" },
  { date: "2026-05-28", name: "Feast of the Sacrifice", nameTr: "Kurban Bayramı" },
  { date: "2026-05-29", name: "Feast of the Sacrifice", nameTr: "Kurban Bayramı" },
  { date: "2026-07-15", name: "Democracy and National Unity Day", nameTr: "Demokrasi ve Milli Birlik Günü" },
  { date: "2026-10-28", name: "Republic Day eve", nameTr: "Cumhuriyet Bayramı arifesi", ...istanbulHalfDay },
  { date: "2026-10-29", name: "Republic Day", nameTr: "Cumhuriyet Bayramı" },
  { date: "2027-01-01", name: "New Year's Day", nameTr: "Yılbaşı" },
  { date: "2027-03-08", name: "Ramadan Feast eve", nameTr: "Ramazan Bayramı arifesi", ...istanbulHalfDay },
  { date: "2027-03-09", name: "Ramadan Feast", nameTr: "Ramazan Bayramı" },
  { date: "2027-03-10", name: "Ramadan Feast", nameTr: "Ramazan Bayramı" },
  { date: "2027-03-11", name: "Ramadan Feast", nameTr: "Ramazan Bayramı" },
  { date: "2027-04-23", name: "National Sovereignty and Children's Day", nameTr: "Ulusal Egemenlik ve Çocuk Bayramı" },
  { date: "2027-05-17", name: "Feast of the Sacrifice", nameTr: "Kurban Bayramı" },
  { date: "2027-05-18", name: "Feast of the Sacrifice", nameTr: "Kurban Bayramı" },
  {
    date: "2027-05-19",
    name: "Feast of the Sacrifice; Youth and Sports Day",
    nameTr: "Kurban Bayramı; Gençlik ve Spor Bayramı",
  },
  { date: "2027-07-15", name: "Democracy and National Unity Day", nameTr: "Demokrasi ve Milli Birlik Günü" },
  { date: "2027-08-30", name: "Victory Day", nameTr: "Zafer Bayramı" },
  { date: "2027-10-28", name: "Republic Day eve", nameTr: "Cumhuriyet Bayramı arifesi", ...istanbulHalfDay },
  { date: "2027-10-29", name: "Republic Day", nameTr: "Cumhuriyet Bayramı" },
];

const on = (market: string) => (holiday: Holiday) => ({ market, ...holiday });

export const marketHolidays = [
  ...newYorkHolidays.map(on("NYSE_EQUITY")),
  ...newYorkHolidays.map(on("NASDAQ_EQUITY")),
  ...istanbulHolidays.map(on("BIST_EQUITY")),
];

const spotData = ["BOOK_TICKER", "TRADE", "TICKER_24H"];
const futuresData = [...spotData, "FUNDING_RATE"];

/** The public streams of an exchange: the address of the WebSocket without its paths, and of the REST API. */
const streams = (
  market: string,
  exchangeName: string,
  websocketUrl: string,
  endpointUrl: string,
  rateLimitPerMinute: number,
) => ({
  market,
  code: `${market}_WS`,
  name: `${exchangeName} ${market.endsWith("_SPOT") ? "spot" : "futures"} streams`,
  description: `Public streams of ${exchangeName}: best bid and offer, trades, 24-hour statistics`,
  providerType: "REALTIME" as const,
  feedType: "WEBSOCKET" as const,
  endpointUrl,
  websocketUrl,
  backupWebsocketUrl: null,
  rateLimitPerMinute,
  staleAfterMs: 30_000,
  dataDelayMinutes: 0,
  supportedDataTypes: market.endsWith("_SPOT") ? spotData : futuresData,
  priority: 100,
});

/** Yahoo publishes no limit; polling at this rate is what it has tolerated. */
const yahooRateLimitPerMinute = 30;

const yahoo = (market: string, exchangeName: string) => ({
  market,
  code: `${market}_YAHOO`,
  name: `Yahoo Finance, ${exchangeName}`,
  description: `Last prices of ${exchangeName}, polled from Yahoo Finance`,
  providerType: "DELAYED" as const,
  feedType: "REST" as const,
  endpointUrl: "https://query1.finance.yahoo.com",
  websocketUrl: null,
  backupWebsocketUrl: null,
  rateLimitPerMinute: yahooRateLimitPerMinute,
  staleAfterMs: 120_000,
  dataDelayMinutes: 15,
  supportedDataTypes: ["TICKER_24H"],
  priority: 50,
});

/** Those that the simulated exchange has. */
const simulatedMarkets = [
  "BINANCE_SPOT",
  "BINANCE_FUTURES",
  "BYBIT_SPOT",
  "BYBIT_FUTURES",
  "OKX_SPOT",
  "OKX_FUTURES",
  "GATEIO_SPOT",
  "GATEIO_FUTURES",
];

const simulatedProvider = (market: string) => ({
  market,
  code: `${market}_SIM`,
  name: "Simulated exchange",
  description: "A local server that speaks the exchange's protocol; every price is invented",
  providerType: "SIMULATED" as const,
  feedType: "WEBSOCKET" as const,
  endpointUrl: null,
  websocketUrl: null,
  backupWebsocketUrl: null,
  rateLimitPerMinute: null,
  staleAfterMs: 10_000,
  dataDelayMinutes: 0,
  supportedDataTypes: market.endsWith("_SPOT") ? spotData : futuresData,
  priority: 0,
});

/** The limits are those of the exchanges' documentation for one address, per minute. */
export const dataProviders = [
  {
    market: "BINANCE_SPOT",
    code: "BINANCE_SPOT_WS",
    name: "Binance spot streams",
    description: "Public combined streams of Binance: best bid and offer, trades, 24-hour statistics",
    providerType: "REALTIME" as const,
    feedType: "WEBSOCKET" as const,
    endpointUrl: "https://api.binance.com",
    websocketUrl: "wss://stream.binance.com:9443",
    backupWebsocketUrl: "wss://stream.binance.com:443",
    rateLimitPerMinute: 6000,
    staleAfterMs: 30_000,
    dataDelayMinutes: 0,
    supportedDataTypes: spotData,
    priority: 100,
  },
  streams("BINANCE_FUTURES", "Binance", "wss://fstream.binance.com", "https://fapi.binance.com", 2400),
  // 600 requests in 5 seconds.
  streams("BYBIT_SPOT", "Bybit", "wss://stream.bybit.com", "https://api.bybit.com", 7200),
  streams("BYBIT_FUTURES", "Bybit", "wss://stream.bybit.com", "https://api.bybit.com", 7200),
  // 20 requests in 2 seconds for the lists of instruments, the tightest of its public limits that we meet.
  streams("OKX_SPOT", "OKX", "wss://ws.okx.com:8443", "https://www.okx.com", 600),
  streams("OKX_FUTURES", "OKX", "wss://ws.okx.com:8443", "https://www.okx.com", 600),
  // A weight of 500 in 10 seconds.
  streams("MEXC_SPOT", "MEXC", "wss://wbs-api.mexc.com", "https://api.mexc.com", 3000),
  // 200 requests in 10 seconds.
  streams("GATEIO_SPOT", "Gate.io", "wss://api.gateio.ws", "https://api.gateio.ws", 1200),
  streams("GATEIO_FUTURES", "Gate.io", "wss://fx-ws.gateio.ws", "https://api.gateio.ws", 1200),
  yahoo("BIST_EQUITY", "Borsa Istanbul"),
  yahoo("NASDAQ_EQUITY", "NASDAQ"),
  yahoo("NYSE_EQUITY", "NYSE"),
  ...simulatedMarkets.map(simulatedProvider),
];

type Listing = readonly [
  base: string,
  name: string,
  tickSize: string,
  stepSize: string,
  pricePrecision: number,
  quantityPrecision: number,
];

const listed = (
  [base, fullName, tickSize, stepSize, pricePrecision, quantityPrecision]: Listing,
  displayOrder: number,
) => ({
  market: "BINANCE_SPOT",
  assetClass: "CRYPTO",
  ticker: `${base}USDT`,
  displayName: `${base}/USDT`,
  fullName,
  fullNameTr: null,
  sector: null,
  country: null,
  isin: null,
  baseCurrency: base,
  quoteCurrency: "USDT",
  tickSize,
  stepSize,
  pricePrecision,
  quantityPrecision,
  minOrderValue: "5",
  displayOrder,
});

/** What anonymous visitors see, in this order. */
const defaults: readonly Listing[] = [
  ["BTC", "Bitcoin", "0.01", "0.00001", 2, 5],
  ["ETH", "Ethereum", "0.01", "0.0001", 2, 4],
  ["XRP", "XRP", "0.0001", "0.1", 4, 1],
  ["SOL", "Solana", "0.01", "0.001", 2, 3],
  ["AVAX", "Avalanche", "0.01", "0.01", 2, 2],
  ["SUI", "Sui", "0.0001", "0.1", 4, 1],
  ["ENA", "Ethena", "0.0001", "0.01", 4, 2],
  ["UNI", "Uniswap", "0.001", "0.01", 3, 2],
  ["BNB", "BNB", "0.01", "0.001", 2, 3],
];

/** Known from earlier lists and no longer offered. */
const deprecated: readonly Listing[] = [
  ["ADA", "Cardano", "0.0001", "0.1", 4, 1],
  ["MATIC", "Polygon", "0.0001", "0.1", 4, 1],
  ["DOT", "Polkadot", "0.001", "0.01", 3, 2],
  ["LINK", "Chainlink", "0.01", "0.01", 2, 2],
  ["LTC", "Litecoin", "0.01", "0.001", 2, 3],
];

export const symbols = [
  ...defaults.map((listing, position) => ({
    ...listed(listing, position + 1),
    isActive: true,
    isTracked: true,
    isPopular: true,
    isDefault: true,
    broadcastPriority: 100 - 5 * position,
  })),
  ...deprecated.map((listing, position) => ({
    ...listed(listing, 101 + position),
    isActive: false,
    isTracked: false,
    isPopular: false,
    isDefault: false,
    broadcastPriority: 10,
  })),
  ...symbolsOfOtherMarkets,
];
