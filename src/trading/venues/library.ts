import { DomainError } from "../../core/errors.js";
import { loadMarketsAgain } from "../../core/load-markets.js";
import { responseText } from "../../core/response-text.js";
import { within } from "../../core/within.js";
import type { HeardAnswer } from "./failures.js";
import { type MarketKind, offers, type TradedExchange } from "./offers.js";

/** What we use of an exchange of ccxt's. What comes of it is `unknown`: the types say what it means to give. */
export interface TradingExchange {
  readonly id: string;
  readonly has: Readonly<Record<string, unknown>>;
  loadMarkets(): Promise<Readonly<Record<string, unknown>>>;
  loadTimeDifference(): Promise<unknown>;
  amountToPrecision(symbol: string, amount: string): string | undefined;
  priceToPrecision(symbol: string, price: string): string | undefined;
  createOrder(
    symbol: string,
    type: string,
    side: string,
    amount: string,
    price?: string,
    params?: object,
  ): Promise<unknown>;
  editOrder(
    id: string,
    symbol: string,
    type: string,
    side: string,
    amount?: string,
    price?: string,
    params?: object,
  ): Promise<unknown>;
  setLeverage(leverage: number, symbol: string, params?: object): Promise<unknown>;
  setMarginMode(marginMode: string, symbol?: string, params?: object): Promise<unknown>;
  setPositionMode(hedged: boolean, symbol?: string, params?: object): Promise<unknown>;
  fetchPositionMode(symbol?: string, params?: object): Promise<unknown>;
  fetchPositions(symbols?: readonly string[], params?: object): Promise<unknown>;
  fetchFundingHistory(symbol?: string, since?: number, limit?: number, params?: object): Promise<unknown>;
  fetchMyLiquidations(symbol?: string, since?: number, limit?: number, params?: object): Promise<unknown>;
  cancelOrder(id: string, symbol: string, params?: object): Promise<unknown>;
  fetchOrder(id: string | undefined, symbol: string, params?: object): Promise<unknown>;
  fetchOrders(symbol: string, since?: number, limit?: number, params?: object): Promise<unknown>;
  fetchOpenOrders(symbol?: string, since?: number, limit?: number, params?: object): Promise<unknown>;
  fetchMyTrades(symbol: string, since?: number, limit?: number, params?: object): Promise<unknown>;
  fetchOrderTrades(id: string, symbol: string, since?: number, limit?: number, params?: object): Promise<unknown>;
  fetchBalance(params?: object): Promise<unknown>;
  watchOrders(): Promise<unknown>;
  watchMyTrades(): Promise<unknown>;
  /** Only Binance's is used. */
  authenticate?(params: object): Promise<unknown>;
  sapiGetAccountApiRestrictions?(): Promise<unknown>;
  readonly privateGetV5OrderRealtime?: (params: object) => Promise<unknown>;
  readonly privateGetV5OrderHistory?: (params: object) => Promise<unknown>;
  privateGetV5UserQueryApi?(): Promise<unknown>;
  privateGetAccountConfig?(): Promise<unknown>;
  readonly isSandboxModeEnabled?: boolean;
  /** What the streams have brought; null or undefined before there is anything. */
  readonly orders?: UpdateCache | null;
  readonly myTrades?: UpdateCache | null;
  parseOrder(order: unknown, market?: unknown): unknown;
  market(symbol: string): unknown;
  close(): Promise<unknown>;
}

/** The last entries are the newest. */
interface UpdateCache {
  readonly length: number;
  slice(from: number): unknown;
  /** How many entries are new since the call before. */
  getLimit(symbol: undefined, limit: undefined): number;
}

export interface Credentials {
  readonly apiKey: string;
  readonly secret: string;
  /** OKX. */
  readonly passphrase: string | null;
}

export interface OpenOptions {
  readonly credentials: Credentials;
  /** The exchange's play-money twin. */
  readonly testnet: boolean;
  readonly kind: MarketKind;
  /** In place of the exchange's own addresses; for the simulated exchange, which speaks Binance's protocol. */
  readonly endpoint: { readonly url: string; readonly websocketUrl: string } | null;
  readonly timeoutMs: number;
  /** Before a lost stream is opened again; grows with every failure in a row. */
  readonly reconnectBaseMs: number;
  /** How long after it was sent the exchange may still do a request. */
  readonly validMs: number;
  readonly nowMs: () => number;
  /** After each message of a stream. */
  readonly onMessage: () => void;
}

/** An exchange for one account, and what is known of its errors. */
export interface OpenedExchange {
  readonly exchange: TradingExchange;
  /** What was answered to the request that ended with this error. */
  heard(error: unknown): HeardAnswer | null;
  /** Closes the streams, and ends requests that are under way. */
  close(): Promise<void>;
}

export type OpenTradingExchange = (code: TradedExchange, options: OpenOptions) => Promise<OpenedExchange>;

/** The request has not left this machine. */
export class NotSent extends Error {
  override readonly name = "NotSent";
}

const ccxtIds: Readonly<Record<TradedExchange, string>> = {
  BINANCE: "binance",
  BYBIT: "bybit",
  OKX: "okx",
  MEXC: "mexc",
  GATEIO: "gate",
};

/** What the library calls perpetual contracts that are settled in dollars, where it is not "swap". */
const perpetuals: Partial<Readonly<Record<TradedExchange, string>>> = { BINANCE: "linear", BYBIT: "linear" };

/** A private stream may be silent for hours, so only pings tell whether it is there. */
const pingEveryMs = 15_000;

/** The parts of ccxt's base class that are replaced. */
interface Internals extends TradingExchange {
  urls: { api: Record<string, unknown> & { ws?: unknown } };
  options: Record<string, unknown>;
  setSandboxMode(on: boolean): void;
  milliseconds(): number;
  loadHttpProxyAgent(): Promise<unknown>;
  handleErrors(
    status: number,
    reason: string,
    url: string,
    method: string,
    headers: unknown,
    body: string,
    response: unknown,
    ...rest: unknown[]
  ): unknown;
  handleMessage(client: unknown, message: unknown): void;
  client(url: string): { future(hash: string): Promise<unknown> };
}

/**
 * Loads the library with the first account that is opened.
 * @throws {DomainError} BAD_USER_INPUT when the exchange has no testnet
 */
export const openTradingExchange: OpenTradingExchange = async (code, options) => {
  const { testnet, endpoint, credentials, timeoutMs, validMs, kind } = options;
  if (testnet && endpoint === null && !offers[code].testnet) {
    throw new DomainError("BAD_USER_INPUT", `${offers[code].name} has no testnet`, { field: "environment" });
  }
  const { pro } = await import("ccxt");
  const known = pro as unknown as Readonly<Record<string, new (settings: object) => Internals>>;
  const Exchange = known[ccxtIds[code]];
  if (Exchange === undefined) throw new DomainError("PROVIDER_UNAVAILABLE", `ccxt has no streams of ${code}`);
  const ending = new AbortController();
  const answers = new WeakMap<object, HeardAnswer>();
  const exchange = new Exchange({
    apiKey: credentials.apiKey,
    secret: credentials.secret,
    ...(credentials.passphrase === null ? {} : { password: credentials.passphrase }),
    timeout: timeoutMs,
    // The simulated exchange has no limits on weight, so a pace would only delay what is sent.
    enableRateLimit: endpoint === null,
    newUpdates: false,
    // Amounts stay text: a float would lose digits.
    number: String,
    streaming: { keepAlive: pingEveryMs },
    fetchImplementation: (url: string, init: RequestInit) => send(url, init, timeoutMs, ending.signal),
    options: {
      ...(kind === "spot"
        ? { defaultType: "spot" }
        : { defaultType: "swap", defaultSubType: "linear", defaultSettle: "usdt" }),
      fetchMarkets: { types: [kind === "spot" ? "spot" : (perpetuals[code] ?? "swap")] },
      watchPositions: { fetchPositionsSnapshot: false, awaitPositionsSnapshot: false },
      fetchCurrencies: false,
      fetchMargins: false,
      warnOnFetchOpenOrdersWithoutSymbol: false,
      fetchOpenOrders: { warnWithoutSymbol: false },
      recvWindow: validMs,
      createMarketBuyOrderRequiresPrice: false,
      ws: { cost: 1, backoff: { base: options.reconnectBaseMs, max: 30_000 } },
    },
  });
  exchange.milliseconds = () => options.nowMs();
  if (endpoint !== null) await redirect(exchange, endpoint, kind);
  else if (testnet) exchange.setSandboxMode(true);
  loadMarketsAgain(exchange);
  hearErrors(exchange, answers);
  hearMessages(exchange, options.onMessage);
  keepRejectionsHandled(exchange);
  return {
    exchange,
    heard: (error) => (error instanceof Object ? (answers.get(error) ?? null) : null),
    close: async () => {
      ending.abort();
      await exchange.close();
    },
  };
};

/** One request, with its answer read to the end within the time. */
async function send(url: string, { method, headers, body }: RequestInit, timeoutMs: number, ending: AbortSignal) {
  return within(timeoutMs, ending, async (signal) => {
    const response = await fetch(url, {
      method,
      headers,
      body: body ?? null,
      signal,
      redirect: "error",
    } as RequestInit).catch((error: { cause?: { code?: string } }) => {
      const { code } = error.cause ?? {};
      throw code === "ECONNREFUSED" || code === "ENOTFOUND" ? new NotSent("the exchange cannot be reached") : error;
    });
    const text = await responseText(response, () => new TypeError("the answer is too long"));
    const { status, statusText } = response;
    return { status, statusText, headers: response.headers, text: () => Promise.resolve(text) };
  });
}

async function redirect(
  exchange: Internals,
  { url, websocketUrl }: { url: string; websocketUrl: string },
  kind: MarketKind,
): Promise<void> {
  exchange.urls.api = {
    ...exchange.urls.api,
    ...(kind === "futures" ? futuresAddresses(url) : {}),
    public: `${url}/api/v3`,
    private: `${url}/api/v3`,
    sapi: `${url}/sapi/v1`,
    ws: { future: `${websocketUrl}/ws`, spot: `${websocketUrl}/ws`, "ws-api": { spot: `${websocketUrl}/ws-api/v3` } },
  };
  // ccxt makes the agent for unencrypted sockets only when asked.
  await exchange.loadHttpProxyAgent();
}

const futuresAddresses = (url: string): object => ({
  fapiPublic: `${url}/fapi/v1`,
  fapiPublicV2: `${url}/fapi/v2`,
  fapiPublicV3: `${url}/fapi/v3`,
  fapiPrivate: `${url}/fapi/v1`,
  fapiPrivateV2: `${url}/fapi/v2`,
  fapiPrivateV3: `${url}/fapi/v3`,
});

function hearErrors(exchange: Internals, answers: WeakMap<object, HeardAnswer>): void {
  const original = exchange.handleErrors.bind(exchange);
  exchange.handleErrors = (status, reason, url, method, headers, body, response, ...rest) => {
    try {
      return original(status, reason, url, method, headers, body, response, ...rest);
    } catch (error) {
      if (error instanceof Object) answers.set(error, { status, retryAfterMs: retryAfterMs(headers), body: response });
      throw error;
    }
  };
}

function retryAfterMs(headers: unknown): number | null {
  const seconds = Number((headers as Readonly<Record<string, unknown>> | null)?.["Retry-After"] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : null;
}

/** What came is in ccxt's caches after each message, whoever waits for it. */
function hearMessages(exchange: Internals, onMessage: () => void): void {
  const original = exchange.handleMessage.bind(exchange);
  exchange.handleMessage = (client, message) => {
    original(client, message);
    onMessage();
  };
}

/** ccxt rejects promises that nobody has asked for, which would end the program; who does wait still hears of it. */
function keepRejectionsHandled(exchange: Internals): void {
  const original = exchange.client.bind(exchange);
  const seen = new WeakSet<object>();
  exchange.client = (url) => {
    const client = original(url);
    if (!seen.has(client)) {
      seen.add(client);
      const future = client.future.bind(client);
      client.future = (hash) => {
        const promise = future(hash);
        promise.catch(() => {});
        return promise;
      };
    }
    return client;
  };
}
