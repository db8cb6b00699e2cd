/*
 * What Gate.io v4 sends on its spot and USDT futures addresses, field by field as it is meant to be. Nothing of it is
 * trusted: the mapping reads these types through `Untrusted`.
 * https://www.gate.com/docs/developers/apiv4/ws/en/
 * https://www.gate.com/docs/developers/futures/ws/en/
 */

/**
 * Every frame. Spot has one payload, futures a list of them (best bid and offer excepted).
 * `{"time":1700000000,"time_ms":1700000000123,"channel":"spot.trades","event":"update","result":{…}}`
 * Answer: `{"time":1700000000,"time_ms":1700000000123,"id":1,"channel":"spot.trades","event":"subscribe","result":{"status":"success"}}`
 * Refusal: `{"time":1700000000,"time_ms":1700000000123,"id":1,"channel":"spot.trades","event":"subscribe","error":{"code":2,"message":"unknown currency pair X_USDT"},"result":{"status":"fail"}}`
 */
export interface Frame {
  id: number;
  time_ms: number;
  channel: string;
  event: string;
  error: { code: number; message: string } | null;
  result: object | object[];
}

/**
 * Best bid and offer at every change. An empty side has "" for its price. Futures send quantities as numbers of contracts.
 * `{"t":1700000000120,"u":48733182,"s":"BTC_USDT","b":"64000.1","B":"1.5","a":"64000.2","A":"0.75"}`
 * `{"t":1700000000120,"u":48733182,"s":"BTC_USDT","b":"64000.1","B":13855,"a":"64000.2","A":11465}`
 */
export interface BookTickerPayload {
  t: number;
  u: number;
  s: string;
  b: string;
  B: string | number;
  a: string;
  A: string | number;
}

/**
 * `order_book_update`, every 100 ms what changed: the quantities that now stand at these prices, zero for none. Futures have
 * contracts, and write levels in another way. Spot sends the whole book now and then, as `"full":true`.
 * `{"t":1606294781123,"e":"depthUpdate","E":1606294781,"s":"BTC_USDT","U":48776301,"u":48776306,"b":[["19137.74","0.0001"],["19088.37","0"]],"a":[["19137.75","0.6135"]]}`
 * `{"t":1684930165205,"s":"WOO_USDT","U":1018837711,"u":1018837712,"b":[{"p":"0.2247","s":86}],"a":[{"p":"0.2249","s":0}],"l":"100"}`
 */
export interface BookUpdatePayload {
  t: number;
  s: string;
  full: boolean;
  /** First and last order book id in it. */
  U: number;
  u: number;
  b: BookLevel[];
  a: BookLevel[];
}

export type BookLevel = [price: string, amount: string] | FuturesBookLevel;

export interface FuturesBookLevel {
  p: string;
  s: number | string;
}

/**
 * `/api/v4/spot/order_book?…&with_id=true` and `/api/v4/futures/usdt/order_book?…&with_id=true`, best first.
 * `{"id":123456,"current":1623898993123,"update":1623898993121,"asks":[["1.52","1.151"]],"bids":[["1.17","201.863"]]}`
 * `{"id":123456,"current":1684930166.384,"update":1684930166.35,"asks":[{"s":803,"p":"0.2974"}],"bids":[{"s":1213,"p":"0.2973"}]}`
 */
export interface BookSnapshotResponse {
  id: number;
  asks: BookLevel[];
  bids: BookLevel[];
}

/**
 * `{"id":309143071,"create_time":1700000000,"create_time_ms":"1700000000120.4578","side":"sell","currency_pair":"BTC_USDT","amount":"0.0200000000","price":"64000.1000000000","range":"2390902-2390902"}`
 */
export interface SpotTradePayload {
  id: number;
  create_time_ms: string;
  /** The taker's. */
  side: "buy" | "sell";
  currency_pair: string;
  amount: string;
  price: string;
}

/** `{"size":-108,"id":27753479,"create_time":1700000000,"create_time_ms":1700000000120,"price":"64000.1","contract":"BTC_USDT"}` */
export interface FuturesTradePayload {
  id: number;
  create_time_ms: number;
  contract: string;
  /** Contracts; negative when the taker sold. */
  size: number;
  price: string;
  /** A liquidation taken over beside the order book; absent otherwise. */
  is_internal: boolean;
}

/**
 * Rolling 24 hours. Where the day began is not in it.
 * `{"currency_pair":"BTC_USDT","last":"64000.1","lowest_ask":"64000.2","highest_bid":"64000.1","change_percentage":"-0.188","base_volume":"1234.5","quote_volume":"79012345.6","high_24h":"64500","low_24h":"63500"}`
 */
export interface SpotTickerPayload {
  currency_pair: string;
  last: string;
  change_percentage: string;
  base_volume: string;
  quote_volume: string;
  high_24h: string;
  low_24h: string;
}

/**
 * Rolling 24 hours and funding; the last six fields are missing in frames before 2026.
 * `{"contract":"BTC_USDT","last":"64000.1","change_percentage":"-0.188","total_size":"577776862","volume_24h":"12345000","volume_24h_base":"1234.5","volume_24h_quote":"79012345","volume_24h_settle":"79012345","mark_price":"64001.15","funding_rate":"0.000125","index_price":"64002.62","low_24h":"63500","high_24h":"64500","price_type":"last","change_from":"24h","change_price":"-120.5","t":1700000000100,"funding_interval":28800,"funding_next_apply":1700006400}`
 */
export interface FuturesTickerPayload {
  contract: string;
  last: string;
  change_percentage: string;
  volume_24h_base: string;
  volume_24h_quote: string;
  high_24h: string;
  low_24h: string;
  mark_price: string;
  index_price: string;
  /** "" for contracts that have an end. */
  funding_rate: string;
  change_price: string;
  t: number;
  /** In seconds, as the next one. */
  funding_interval: number;
  funding_next_apply: number;
}

/** Request, ids are ours: `{"time":1700000000,"id":1,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}` */
export interface SubscriptionRequest {
  /** In seconds; the exchange refuses what is a minute off. */
  time: number;
  id: number;
  channel: string;
  event: "subscribe" | "unsubscribe";
  payload: readonly string[];
}

/**
 * `/api/v4/spot/currency_pairs`, the fields we read of a list of
 * `{"id":"BTC_USDT","base":"BTC","quote":"USDT","min_base_amount":"0.0001","min_quote_amount":"3","max_quote_amount":"5000000","amount_precision":6,"precision":1,"trade_status":"tradable"}`
 */
export interface CurrencyPair {
  id: string;
  base: string;
  quote: string;
  min_base_amount: string | null;
  max_base_amount: string | null;
  min_quote_amount: string | null;
  max_quote_amount: string | null;
  /** Digits after the point of quantities and prices. */
  amount_precision: number;
  precision: number;
  trade_status: string;
}

/**
 * `/api/v4/futures/usdt/contracts`, the fields we read of a list of
 * `{"name":"BTC_USDT","type":"direct","quanto_multiplier":"0.0001","order_price_round":"0.1","order_size_min":1,"order_size_max":1000000,"in_delisting":false,"status":"trading"}`
 */
export interface Contract {
  name: string;
  type: string;
  /** What one contract is in the base currency. */
  quanto_multiplier: string;
  order_price_round: string;
  order_size_min: number;
  order_size_max: number;
  in_delisting: boolean;
  /** Absent before 2024. */
  status: string;
}
