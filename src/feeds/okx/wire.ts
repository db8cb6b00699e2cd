/*
 * What OKX v5 sends on `/ws/v5/public`, field by field as it is meant to be. Nothing of it is trusted: the mapping reads
 * these types through `Untrusted`. All numbers are text; "" stands for none.
 * https://www.okx.com/docs-v5/en/#order-book-trading-market-data
 * https://www.okx.com/docs-v5/en/#public-data-websocket
 */

export interface ChannelArgument {
  channel: string;
  instId: string;
}

/** Every push: `{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{…}]}` */
export interface Push {
  arg: ChannelArgument;
  /** Of order books. */
  action: "snapshot" | "update";
  data: object[];
}

/**
 * Best bid and offer at every change; a level is price, quantity, a deprecated zero and the number of orders.
 * `{"asks":[["64000.2","0.75","0","3"]],"bids":[["64000.1","1.5","0","7"]],"ts":"1700000000120","seqId":363996337}`
 */
export interface BboPayload {
  asks: [price: string, quantity: string, ...unknown[]][];
  bids: [price: string, quantity: string, ...unknown[]][];
  ts: string;
  seqId: number;
}

/**
 * `books`: 400 levels a side, then every 100 ms what changed; a quantity of "0" removes the level. Swaps count in contracts.
 * `checksum` is 0 since June 2026; the numbers are absent before 2023.
 * `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["64000.2","0.75","0","3"]],"bids":[["64000.1","0","0","0"]],"ts":"1700000000120","checksum":0,"prevSeqId":123456,"seqId":123457}]}`
 */
export interface BookPayload {
  asks: [price: string, quantity: string, ...unknown[]][];
  bids: [price: string, quantity: string, ...unknown[]][];
  ts: string;
  checksum: number;
  /** -1 in a snapshot. */
  prevSeqId: number;
  seqId: number;
}

/**
 * Fills of one taker order at one price; `tradeId` is the last of `count` ids. Swaps count in contracts.
 * `{"instId":"BTC-USDT","tradeId":"130639474","px":"64000.1","sz":"0.02","side":"sell","ts":"1700000000120","count":"2","source":"0"}`
 */
export interface TradePayload {
  instId: string;
  tradeId: string;
  px: string;
  sz: string;
  /** The taker's. */
  side: "buy" | "sell";
  ts: string;
  /** Absent before 2023. */
  count: string;
}

/**
 * Rolling 24 hours. `vol24h` is in the base currency for spot and in contracts for swaps; `volCcy24h` in the quote currency
 * for spot and in the base currency for linear swaps.
 * `{"instType":"SPOT","instId":"BTC-USDT","last":"64000.1","lastSz":"0.02","askPx":"64000.2","askSz":"0.75","bidPx":"64000.1","bidSz":"1.5","open24h":"64120.6","high24h":"64500","low24h":"63500","sodUtc0":"64050","sodUtc8":"64010","volCcy24h":"79012345.6","vol24h":"1234.5","ts":"1700000000123"}`
 */
export interface TickerPayload {
  instId: string;
  last: string;
  open24h: string;
  high24h: string;
  low24h: string;
  volCcy24h: string;
  vol24h: string;
  ts: string;
}

/**
 * Every 30 to 90 seconds.
 * `{"fundingRate":"0.0001","fundingTime":"1700006400000","instId":"BTC-USDT-SWAP","instType":"SWAP","method":"current_period","nextFundingRate":"","nextFundingTime":"1700035200000","settState":"settled","ts":"1700000000123"}`
 */
export interface FundingRatePayload {
  instId: string;
  fundingRate: string;
  /** Of the coming payment. */
  fundingTime: string;
  nextFundingTime: string;
  ts: string;
}

/** Request, ids are ours: `{"id":"1","op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}` */
export interface SubscriptionRequest {
  id: string;
  op: "subscribe" | "unsubscribe";
  args: ChannelArgument[];
}

/**
 * One for each argument of a request: `{"id":"1","event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3ae55"}`
 * Refusal: `{"id":"1","event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:X-USDT doesn't exist.","connId":"a4d3ae55"}`
 * A minute before it closes: `{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a4d3ae55"}`
 */
export interface EventFrame {
  id: string;
  event: string;
  code: string;
  msg: string;
}

/**
 * `/api/v5/public/instruments?instType=…`, the fields we read: `{"code":"0","data":[{…}],"msg":""}` with
 * `{"instId":"BTC-USDT","instType":"SPOT","baseCcy":"BTC","quoteCcy":"USDT","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001","maxLmtSz":"9999999999","state":"live"}` or
 * `{"instId":"BTC-USDT-SWAP","instType":"SWAP","baseCcy":"","quoteCcy":"","ctType":"linear","ctVal":"0.01","ctMult":"1","ctValCcy":"BTC","settleCcy":"USDT","tickSz":"0.1","lotSz":"0.01","minSz":"0.01","maxLmtSz":"100000000","state":"live"}`
 */
export interface InstrumentEntry {
  instId: string;
  baseCcy: string;
  quoteCcy: string;
  settleCcy: string;
  ctType: string;
  ctVal: string;
  ctMult: string;
  ctValCcy: string;
  tickSz: string;
  lotSz: string;
  minSz: string;
  maxLmtSz: string;
  state: string;
}
