import { DomainError, errorMessage } from "../../core/errors.js";
import type { FeedAdapter, FeedEndpoint, MinuteSource } from "../feed.js";
import { unavailable } from "../rest.js";
import { startCcxtFeed } from "./feed.js";
import { type CcxtExchange, type OpenExchange, openCcxt } from "./library.js";
import { fetchMinutes, listMarkets, maxMinutes, readInstruments } from "./markets.js";

/** Any exchange that ccxt knows, by its name there, such as "kraken". ccxt knows the addresses, too: ours are not used. */
export function ccxtAdapter(exchangeId: string, marketCode: string, open: OpenExchange = openCcxt): FeedAdapter {
  const type = marketCode.endsWith("_FUTURES") ? "FUTURES" : "SPOT";
  // For REST alone, which holds no connection open. It keeps the list of markets, so that not every page loads it again.
  let opened: Promise<CcxtExchange> | null = null;
  const use = async <T>(endpoint: FeedEndpoint, work: (exchange: CcxtExchange) => Promise<T>): Promise<T> => {
    try {
      endpoint.budget?.take();
      opened ??= open(exchangeId, endpoint.timeoutMs).catch((error: unknown) => {
        opened = null;
        throw error;
      });
      return await work(await opened);
    } catch (cause) {
      if (cause instanceof DomainError || cause instanceof RangeError) throw cause;
      throw unavailable(`${exchangeId} did not answer: ${errorMessage(cause).slice(0, 200)}`, {}, cause);
    }
  };
  const minutes: MinuteSource = {
    maxPerRequest: maxMinutes,
    // ccxt itself waits where the exchange wants more.
    requestGapMs: 1_000,
    fetch: (endpoint, log, { symbol, fromMs, toMs, signal }) =>
      use(endpoint, async (exchange) => {
        if ((toMs - fromMs) / 60_000 > maxMinutes) throw new RangeError(`more than ${maxMinutes} minutes`);
        const listed = listMarkets(await exchange.loadMarkets(), type).get(symbol.ticker);
        if (listed === undefined) throw unavailable(`${exchangeId} has no ${symbol.ticker}`);
        signal.throwIfAborted();
        const { read, broken } = await fetchMinutes(exchange, listed.symbol, fromMs, toMs);
        if (broken > 0) log.warn({ provider: endpoint.code, ticker: symbol.ticker, broken }, "minutes.left-out");
        return read;
      }),
  };
  return {
    start: (options) => startCcxtFeed(exchangeId, type, open, options),
    fetchInstruments: (endpoint, log) =>
      use(endpoint, async (exchange) => {
        const markets = await exchange.loadMarkets(true);
        return readInstruments(markets, exchange.precisionMode, type, endpoint, log);
      }),
    // The volume of a contract's minute is in contracts on some exchanges and in base currency on others.
    minutes: type === "SPOT" ? minutes : null,
  };
}
