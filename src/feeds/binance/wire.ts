/*
 * What Binance spot sends, field by field as it is meant to be. Nothing of it is trusted: the mapping reads these types
 * through `Untrusted`.
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
 * https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints#exchange-information
 */

/** Every frame of the combined endpoint but the answers to requests: `{"stream":"btcusdt@aggTrade","data":{…}}` */
export interface CombinedFrame {
  stream: string;
  data: object;
}

/**
 * Best bid and offer, at every change; no event type and no time. An empty side is zero in price and quantity.
 * `{"u":812345,"s":"BTCUSDT","b":"64000.10000000","B":"1.50000000","a":"64000.20000000","A":"0.75000000"}`
 */
export interface BookTickerPayload {
  /** Order book update id. */
  u: number;
  s: string;
  b: string;
  B: string;
  a: string;
  A: string;
}

/**
 * All fills of one taker order at one price.
 * `{"e":"aggTrade","E":1700000000123,"s":"BTCUSDT","a":4711,"p":"64000.10000000","q":"0.02000000","f":9001,"l":9002,"T":1700000000120,"m":true,"M":true}`
 */
export interface AggTradePayload {
  e: "aggTrade";
  s: string;
  /** Aggregate trade id. */
  a: number;
  p: string;
  q: string;
  /** First and last id of the trades it stands for. */
  f: number;
  l: number;
  /** Time of the trade. */
  T: number;
  /** The buyer was the maker, so the taker sold. */
  m: boolean;
}

/**
 * Rolling 24 hours, once a second when something changed.
 * `{"e":"24hrTicker","E":1700000000123,"s":"BTCUSDT","p":"-120.50000000","P":"-0.188","w":"64050.10000000","x":"64120.60000000","c":"64000.10000000","Q":"0.02000000","b":"64000.10000000","B":"1.50000000","a":"64000.20000000","A":"0.75000000","o":"64120.60000000","h":"64500.00000000","l":"63500.00000000","v":"1234.50000000","q":"79012345.60000000","O":1699913600123,"C":1700000000123,"F":1000,"L":9002,"n":8003}`
 */
export interface TickerPayload {
  e: "24hrTicker";
  /** Time of the event. */
  E: number;
  s: string;
  /** Price change. */
  p: string;
  /** Price change in percent. */
  P: string;
  /** Last price. */
  c: string;
  o: string;
  h: string;
  l: string;
  /** Base volume. */
  v: string;
  /** Quote volume. */
  q: string;
}

/**
 * Changes of the order book, every 100 ms if there were any: the quantities that now stand at these prices, "0" for none.
 * `{"e":"depthUpdate","E":1633998512068,"s":"NKNUSDT","U":499869750,"u":499869752,"b":[["0.35130000","6195.00000000"],["0.34750000","5548.00000000"]],"a":[]}`
 */
export interface DepthPayload {
  e: "depthUpdate";
  E: number;
  s: string;
  /** First and last order book update id in it. */
  U: number;
  u: number;
  b: [price: string, quantity: string][];
  a: [price: string, quantity: string][];
}

/**
 * `/api/v3/depth` and `/fapi/v1/depth`, best first; futures have times too.
 * `{"lastUpdateId":499869752,"bids":[["0.35210000","672.00000000"]],"asks":[["0.35230000","1420.00000000"]]}`
 */
export interface DepthSnapshot {
  lastUpdateId: number;
  bids: [price: string, quantity: string][];
  asks: [price: string, quantity: string][];
}

/** Request, ids are ours: `{"method":"SUBSCRIBE","params":["btcusdt@bookTicker","btcusdt@aggTrade"],"id":1}` */
export interface SubscriptionRequest {
  method: "SUBSCRIBE" | "UNSUBSCRIBE";
  params: string[];
  id: number;
}

/** `{"result":null,"id":1}` means done. */
export interface RequestAnswer {
  result: null;
  id: number;
}

/**
 * A refusal; the older form has code and text at the top, and an id only if ours could be read.
 * `{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":1}` · `{"code":3,"msg":"Invalid JSON: expected value"}`
 */
export interface RequestError {
  error: { code: number; msg: string };
  code: number;
  msg: string;
  id: number;
}

/**
 * `/api/v3/exchangeInfo`, the fields we read.
 * `{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"}]}]}`
 */
export interface ExchangeInfoSymbol {
  symbol: string;
  status: string;
  baseAsset: string;
  quoteAsset: string;
  filters: SymbolFilter[];
}

/**
 * `{"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"}` ·
 * `{"filterType":"NOTIONAL","minNotional":"5.00000000","maxNotional":"9000000.00000000"}` (before 2023 `MIN_NOTIONAL`,
 * without a maximum; futures have `{"filterType":"MIN_NOTIONAL","notional":"5"}`). A zero switches the rule off.
 */
export interface SymbolFilter {
  filterType: string;
  tickSize: string;
  stepSize: string;
  minQty: string;
  maxQty: string;
  minNotional: string;
  maxNotional: string;
  notional: string;
}
