/**
 * The symbols that ship beside the defaults: the pairs that every exchange has, so that arbitrage and futures show at once,
 * and some shares of each stock exchange. Trading rules are those that the exchanges publish; `seed --sync` and
 * `syncSymbols` bring the newest, and all other instruments.
 */

type CryptoListing = readonly [base: string, tickSize: string, stepSize: string, minOrderValue: string | null];

interface CryptoMarket {
  readonly market: string;
  /** The exchange's own name for the pair. */
  readonly tickerOf: (base: string) => string;
  /** Quantities are in the base currency, also where the exchange counts in contracts. */
  readonly listings: readonly CryptoListing[];
}

const plain = (base: string): string => `${base}USDT`;
const underscored = (base: string): string => `${base}_USDT`;

const cryptoMarkets: readonly CryptoMarket[] = [
  {
    market: "BINANCE_FUTURES",
    tickerOf: plain,
    listings: [
      ["BTC", "0.1", "0.001", "100"],
      ["ETH", "0.01", "0.001", "20"],
      ["XRP", "0.0001", "0.1", "5"],
      ["SOL", "0.01", "0.01", "5"],
      ["AVAX", "0.001", "1", "5"],
      ["SUI", "0.0001", "0.1", "5"],
    ],
  },
  {
    market: "BYBIT_SPOT",
    tickerOf: plain,
    listings: [
      ["BTC", "0.1", "0.000001", "5"],
      ["ETH", "0.01", "0.00001", "5"],
      ["XRP", "0.0001", "0.01", "5"],
      ["SOL", "0.01", "0.001", "5"],
      ["AVAX", "0.01", "0.001", "5"],
      ["SUI", "0.0001", "0.01", "5"],
    ],
  },
  {
    market: "BYBIT_FUTURES",
    tickerOf: plain,
    listings: [
      ["BTC", "0.1", "0.001", "5"],
      ["ETH", "0.01", "0.01", "5"],
      ["XRP", "0.0001", "0.1", "5"],
      ["SOL", "0.01", "0.1", "5"],
      ["AVAX", "0.001", "0.1", "5"],
      ["SUI", "0.0001", "10", "5"],
    ],
  },
  {
    market: "OKX_SPOT",
    tickerOf: (base) => `${base}-USDT`,
    listings: [
      ["BTC", "0.1", "0.00000001", null],
      ["ETH", "0.01", "0.000001", null],
      ["XRP", "0.0001", "0.000001", null],
      ["SOL", "0.01", "0.000001", null],
      ["AVAX", "0.001", "0.000001", null],
      ["SUI", "0.0001", "0.000001", null],
    ],
  },
  {
    market: "OKX_FUTURES",
    tickerOf: (base) => `${base}-USDT-SWAP`,
    listings: [
      ["BTC", "0.1", "0.0001", null],
      ["ETH", "0.01", "0.001", null],
      ["XRP", "0.0001", "1", null],
      ["SOL", "0.01", "0.01", null],
      ["AVAX", "0.001", "0.1", null],
      ["SUI", "0.0001", "1", null],
    ],
  },
  {
    market: "MEXC_SPOT",
    tickerOf: plain,
    listings: [
      ["BTC", "0.01", "0.000001", "1"],
      ["ETH", "0.01", "0.00001", "1"],
      ["XRP", "0.0001", "0.01", "1"],
      ["SOL", "0.01", "0.001", "1"],
      ["AVAX", "0.001", "0.01", "1"],
      ["SUI", "0.0001", "0.01", "1"],
    ],
  },
  {
    market: "GATEIO_SPOT",
    tickerOf: underscored,
    listings: [
      ["BTC", "0.1", "0.000001", "3"],
      ["ETH", "0.01", "0.0001", "3"],
      ["XRP", "0.0001", "0.01", "3"],
      ["SOL", "0.01", "0.001", "3"],
      ["AVAX", "0.001", "0.001", "3"],
      ["SUI", "0.0001", "0.01", "3"],
    ],
  },
  {
    market: "GATEIO_FUTURES",
    tickerOf: underscored,
    listings: [
      ["BTC", "0.1", "0.0001", null],
      ["ETH", "0.01", "0.01", null],
      ["XRP", "0.0001", "10", null],
      ["SOL", "0.01", "1", null],
      ["AVAX", "0.001", "1", null],
      ["SUI", "0.0001", "1", null],
    ],
  },
];

const coinNames: Readonly<Record<string, string>> = {
  BTC: "Bitcoin",
  ETH: "Ethereum",
  XRP: "XRP",
  SOL: "Solana",
  AVAX: "Avalanche",
  SUI: "Sui",
};

type Share = readonly [ticker: string, name: string, nameTr: string | null, sector: string, isin: string];

interface StockMarket {
  readonly market: string;
  readonly assetClass: string;
  readonly country: string;
  readonly currency: string;
  readonly shares: readonly Share[];
}

const stockMarkets: readonly StockMarket[] = [
  {
    market: "NASDAQ_EQUITY",
    assetClass: "STOCK_NASDAQ",
    country: "US",
    currency: "USD",
    shares: [
      ["AAPL", "Apple Inc.", null, "Technology", "US0378331005"],
      ["MSFT", "Microsoft Corporation", null, "Technology", "US5949181045"],
      ["NVDA", "NVIDIA Corporation", null, "Technology", "US67066G1040"],
      ["AMZN", "Amazon.com, Inc.", null, "Consumer Discretionary", "US0231351067"],
      ["GOOGL", "Alphabet Inc. Class A", null, "Communication Services", "US02079K3059"],
      ["META", "Meta Platforms, Inc.", null, "Communication Services", "US30303M1027"],
      ["TSLA", "Tesla, Inc.", null, "Consumer Discretionary", "US88160R1014"],
    ],
  },
  {
    market: "NYSE_EQUITY",
    assetClass: "STOCK_NYSE",
    country: "US",
    currency: "USD",
    shares: [
      ["JPM", "JPMorgan Chase & Co.", null, "Financials", "US46625H1005"],
      ["V", "Visa Inc.", null, "Financials", "US92826C8394"],
      ["KO", "The Coca-Cola Company", null, "Consumer Staples", "US1912161007"],
      ["DIS", "The Walt Disney Company", null, "Communication Services", "US2546871060"],
      ["JNJ", "Johnson & Johnson", null, "Health Care", "US4781601046"],
      ["XOM", "Exxon Mobil Corporation", null, "Energy", "US30231G1022"],
    ],
  },
  {
    market: "BIST_EQUITY",
    assetClass: "STOCK_BIST",
    country: "TR",
    currency: "TRY",
    shares: [
      ["THYAO", "Turkish Airlines", "Türk Hava Yolları", "Industrials", "TRATHYAO91M5"],
      ["ASELS", "Aselsan Electronics", "Aselsan Elektronik", "Industrials", "TRAASELS91H2"],
      ["GARAN", "Garanti BBVA", "Garanti BBVA Bankası", "Financials", "TRAGARAN91N1"],
      ["AKBNK", "Akbank", "Akbank", "Financials", "TRAAKBNK91N6"],
      ["KCHOL", "Koc Holding", "Koç Holding", "Industrials", "TRAKCHOL91Q8"],
      ["EREGL", "Eregli Iron and Steel", "Ereğli Demir Çelik", "Materials", "TRAEREGL91G3"],
      ["TUPRS", "Tupras Refineries", "Tüpraş", "Energy", "TRATUPRS91E8"],
    ],
  },
];

const decimalPlaces = (text: string): number => text.split(".")[1]?.length ?? 0;

/** Of every market, so that lists are in the order of the markets; far behind the defaults. */
const firstDisplayOrder = 200;
const ordersPerMarket = 20;
const displayOrderOf = (market: number, position: number): number =>
  firstDisplayOrder + market * ordersPerMarket + position;

const pairs = cryptoMarkets.flatMap(({ market, tickerOf, listings }, marketPosition) =>
  listings.map(([base, tickSize, stepSize, minOrderValue], position) => ({
    market,
    assetClass: "CRYPTO",
    ticker: tickerOf(base),
    displayName: `${base}/USDT`,
    fullName: `${coinNames[base]}${market.endsWith("_FUTURES") ? " perpetual" : ""}`,
    fullNameTr: null,
    baseCurrency: base,
    quoteCurrency: "USDT",
    tickSize,
    stepSize,
    pricePrecision: decimalPlaces(tickSize),
    quantityPrecision: decimalPlaces(stepSize),
    minOrderValue,
    sector: null,
    country: null,
    isin: null,
    isActive: true,
    isTracked: true,
    // Search shows the pair of the default market first.
    isPopular: false,
    isDefault: false,
    broadcastPriority: 55 - 5 * position,
    displayOrder: displayOrderOf(marketPosition, position),
  })),
);

const shares = stockMarkets.flatMap(({ market, assetClass, country, currency, shares: listed }, marketPosition) =>
  listed.map(([ticker, fullName, fullNameTr, sector, isin], position) => ({
    market,
    assetClass,
    ticker,
    displayName: ticker,
    fullName,
    fullNameTr,
    baseCurrency: ticker,
    quoteCurrency: currency,
    // In Istanbul it grows with the price; this is the smallest of its steps, of which all others are multiples.
    tickSize: "0.01",
    stepSize: "1",
    pricePrecision: 2,
    quantityPrecision: 0,
    minOrderValue: null,
    sector,
    country,
    isin,
    isActive: true,
    isTracked: true,
    isPopular: true,
    isDefault: false,
    broadcastPriority: 20,
    displayOrder: displayOrderOf(cryptoMarkets.length + marketPosition, position),
  })),
);

export const symbolsOfOtherMarkets = [...pairs, ...shares];
