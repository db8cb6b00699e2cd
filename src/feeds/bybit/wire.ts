/*
 * What Bybit v5 sends on `/v5/public/spot` and `/v5/public/linear`, field by field as it is meant to be. Nothing of it is
 * trusted: the mapping reads these types through `Untrusted`. Quantities are in the base currency on both.
 * https://bybit-exchange.github.io/docs/v5/ws/connect
 */

/** Every push: `{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1700000000123,"data":{…},"cts":1700000000120}` */
export interface Push {
  topic: string;
  type: "snapshot" | "delta";
  /** When it was sent. */
  ts: number;
  /** Of order books: when the matching engine made it. */
  cts: number;
  data: object;
}

/**
 * `orderbook.1`: best bid and offer, always as a snapshot, and again when nothing changed for three seconds. `orderbook.50`:
 * 50 levels a side, then what changed; a quantity of "0" removes the level. `u` is 1 after a restart of the exchange's service.
 * `{"s":"BTCUSDT","b":[["64000.10","1.5"]],"a":[["64000.20","0.75"]],"u":173678160,"seq":814547787693}`
 * `{"s":"BTCUSDT","b":[["64000.10","0"]],"a":[["64000.20","0.75"],["64000.30","2"]],"u":18521289,"seq":7961638725}`
 */
export interface OrderBookPayload {
  s: string;
  b: [price: string, quantity: string][];
  a: [price: string, quantity: string][];
  u: number;
}

/**
 * `publicTrade`: one fill, in a list of those that were made together.
 * `{"T":1700000000120,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"64000.10","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"seq":1783284617}`
 */
export interface TradePayload {
  T: number;
  s: string;
  /** The taker's. */
  S: "Buy" | "Sell";
  v: string;
  p: string;
  i: string;
  /** Agreed beside the order book. */
  BT: boolean;
  /** Shared by the fills of one moment; absent before 2024. */
  seq: number;
}

/**
 * `tickers`: the rolling 24 hours. Linear has funding too, and after the first message only the fields that changed.
 * `{"symbol":"BTCUSDT","lastPrice":"64000.10","highPrice24h":"64500.00","lowPrice24h":"63500.00","prevPrice24h":"64120.60","volume24h":"1234.5","turnover24h":"79012345.6","price24hPcnt":"-0.0018","usdIndexPrice":"64002.2"}`
 * `{"symbol":"BTCUSDT","lastPrice":"64000.10","prevPrice24h":"64120.60","highPrice24h":"64500.00","lowPrice24h":"63500.00","markPrice":"64001.15","indexPrice":"64002.62","turnover24h":"79012345.6","volume24h":"1234.5","nextFundingTime":"1700006400000","fundingRate":"0.0001","bid1Price":"64000.10","bid1Size":"1.5","ask1Price":"64000.20","ask1Size":"0.75"}`
 */
export interface TickerPayload {
  symbol: string;
  lastPrice: string;
  highPrice24h: string;
  lowPrice24h: string;
  /** The price 24 hours ago. */
  prevPrice24h: string;
  volume24h: string;
  turnover24h: string;
  markPrice: string;
  indexPrice: string;
  /** "" for contracts that have an end. */
  fundingRate: string;
  nextFundingTime: string;
}

/** Request, ids are ours: `{"req_id":"1","op":"subscribe","args":["publicTrade.BTCUSDT"]}` */
export interface SubscriptionRequest {
  req_id: string;
  op: "subscribe" | "unsubscribe";
  args: string[];
}

/**
 * `{"success":true,"ret_msg":"subscribe","conn_id":"da7tou12ob6f","req_id":"1","op":"subscribe"}`
 * `{"success":false,"ret_msg":"error:handler not found,topic:orderbook.1.X","conn_id":"da7tou12ob6f","req_id":"1","op":"subscribe"}`
 * `{"success":true,"ret_msg":"pong","conn_id":"da7tou12ob6f","req_id":"","op":"ping"}`
 */
export interface Reply {
  success: boolean;
  ret_msg: string;
  req_id: string;
  op: string;
}

/** `/v5/market/instruments-info`: `{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[…],"nextPageCursor":""}}` */
export interface InstrumentsPage {
  retCode: number;
  retMsg: string;
  result: { list: InstrumentEntry[]; nextPageCursor: string };
}

/**
 * `{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001","quotePrecision":"0.00000001","minOrderQty":"0.000048","maxOrderQty":"71.7","minOrderAmt":"1","maxOrderAmt":"4000000"},"priceFilter":{"tickSize":"0.01"}}`
 * `{"symbol":"BTCUSDT","contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","priceFilter":{"minPrice":"0.10","maxPrice":"1999999.80","tickSize":"0.10"},"lotSizeFilter":{"maxOrderQty":"1190.000","minOrderQty":"0.001","qtyStep":"0.001","minNotionalValue":"5"}}`
 */
export interface InstrumentEntry {
  symbol: string;
  contractType: string;
  status: string;
  baseCoin: string;
  quoteCoin: string;
  priceFilter: { tickSize: string };
  lotSizeFilter: {
    /** Spot. */
    basePrecision: string;
    minOrderAmt: string;
    maxOrderAmt: string;
    /** Linear. */
    qtyStep: string;
    minNotionalValue: string;
    /** Both. */
    minOrderQty: string;
    maxOrderQty: string;
  };
}
