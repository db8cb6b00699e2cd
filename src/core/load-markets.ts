interface MarketLoader {
  loadMarkets(...how: never[]): Promise<unknown>;
}

/**
 * Has an exchange of ccxt's try again after its markets could not be loaded. It loads them once, before whatever else it is
 * asked, and keeps the promise even when it was rejected: one lost answer would be the answer to everything from then on.
 */
export function loadMarketsAgain(exchange: MarketLoader): void {
  const ccxt = exchange as MarketLoader & { marketsLoading?: unknown };
  const original = ccxt.loadMarkets.bind(ccxt);
  ccxt.loadMarkets = async (...how) => {
    const loaded = original(...how);
    const loading = ccxt.marketsLoading;
    try {
      return await loaded;
    } catch (error) {
      // Another one may have begun meanwhile.
      if (ccxt.marketsLoading === loading) ccxt.marketsLoading = undefined;
      throw error;
    }
  };
}
