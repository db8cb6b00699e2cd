/**
 * What Yahoo Finance says of one symbol, as the library hands it on: numbers are floats, the time may be a Date already. It
 * is the day's trading, not the rolling 24 hours. Nothing of it is trusted: the mapping reads this type through `Untrusted`.
 * `{"symbol":"AAPL","currency":"USD","marketState":"REGULAR","regularMarketPrice":227.52,"regularMarketTime":1726862401,"regularMarketPreviousClose":228.87,"regularMarketDayHigh":233.09,"regularMarketDayLow":227.62,"regularMarketVolume":318679888,"bid":227.49,"ask":227.55,"bidSize":2,"askSize":1,"exchangeDataDelayedBy":0}`
 */
export interface YahooQuote {
  symbol: string;
  regularMarketPrice: number;
  regularMarketTime: Date | number;
  regularMarketPreviousClose: number;
  regularMarketDayHigh: number;
  regularMarketDayLow: number;
  /** In shares. */
  regularMarketVolume: number;
  /** Absent or 0 when nobody bids, the market is closed, or Yahoo has no such data (Istanbul). */
  bid: number;
  ask: number;
  /** In lots of a hundred shares. */
  bidSize: number;
  askSize: number;
}
