import { loadMarketsAgain } from "../../core/load-markets.js";
import { unavailable } from "../rest.js";

/**
 * What we use of an exchange of ccxt's. What comes of it is `unknown`, because the types of the library say what it means to
 * give, not what an exchange made of it.
 */
export interface CcxtExchange {
  readonly has: Readonly<Record<string, unknown>>;
  /** 2: precisions are digits after the point, 4: they are ticks. */
  readonly precisionMode: number;
  /**
   * By unified symbol, such as "BTC/USDT". Without `reload` it gives what it gave before.
   * @param reload asks the exchange anew
   */
  loadMarkets(reload?: boolean): Promise<Readonly<Record<string, unknown>>>;
  watchTicker(symbol: string): Promise<unknown>;
  watchTickers(symbols: string[]): Promise<unknown>;
  watchTrades(symbol: string): Promise<unknown>;
  watchTradesForSymbols(symbols: string[]): Promise<unknown>;
  watchOrderBook(symbol: string): Promise<unknown>;
  watchOrderBookForSymbols(symbols: string[]): Promise<unknown>;
  fetchOHLCV(symbol: string, timeframe: string, since: number, limit: number): Promise<unknown>;
  /** Closes all sockets; what is awaited rejects. It can be used again afterwards. */
  close(): Promise<unknown>;
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE for one that ccxt does not know */
export type OpenExchange = (exchangeId: string, timeoutMs: number) => Promise<CcxtExchange>;

/** Loads the library with the first exchange that is opened: it takes a second and 90 MB, which most installations never need. */
export const openCcxt: OpenExchange = async (exchangeId, timeoutMs) => {
  const { pro } = await import("ccxt");
  const known = pro as unknown as Readonly<Record<string, new (options: object) => CcxtExchange>>;
  const Exchange = Object.hasOwn(known, exchangeId) ? known[exchangeId] : undefined;
  if (Exchange === undefined) throw unavailable(`ccxt has no streams of "${exchangeId}"`);
  const exchange = new Exchange({ timeout: timeoutMs, enableRateLimit: true, newUpdates: true });
  loadMarketsAgain(exchange);
  return exchange;
};
