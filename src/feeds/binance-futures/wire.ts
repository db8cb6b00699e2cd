/*
 * What Binance's USD-M futures send beyond what spot sends too (see `../binance/wire.ts`). Trades and 24 h statistics are
 * those of spot; quantities are in the base currency.
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
 */

/**
 * Best bid and offer: as spot's, with a type and times.
 * `{"e":"bookTicker","u":600859600576,"s":"BTCUSDT","b":"64000.10","B":"1.500","a":"64000.20","A":"0.750","T":1700000000120,"E":1700000000123}`
 */
export interface FuturesBookTickerPayload {
  /** Time of the change. */
  T: number;
}

/**
 * Changes of the order book: as spot's, with the last update id of the symbol's message before it.
 * `{"e":"depthUpdate","E":1626992741037,"T":1626992741024,"s":"SUSHIUSDT","U":600859599090,"u":600859600917,"pu":600859598061,"b":[["7.5040","813"],["7.6090","0"]],"a":[["7.6150","1563"]]}`
 */
export interface FuturesDepthPayload {
  pu: number;
}

/**
 * Every second.
 * `{"e":"markPriceUpdate","E":1700000000123,"s":"BTCUSDT","p":"64001.15000000","P":"64010.25641265","i":"64002.62659091","r":"0.00010000","T":1700006400000}`
 */
export interface MarkPricePayload {
  e: "markPriceUpdate";
  E: number;
  s: string;
  /** Mark price. */
  p: string;
  /** Index price. */
  i: string;
  /** Funding rate; "" for contracts that have an end. */
  r: string;
  /** Time of the coming funding; 0 for contracts that have an end. */
  T: number;
}

/**
 * `/fapi/v1/exchangeInfo`: as spot's entries, with
 * `{"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","filters":[{"filterType":"MIN_NOTIONAL","notional":"5"}]}`
 */
export interface FuturesInfoSymbol {
  contractType: string;
  status: string;
}
