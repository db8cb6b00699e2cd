import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/*
 * What MEXC v3 sends on its spot address: JSON text answers requests, market data are protocol buffers. The numbers are
 * those of the fields in the exchange's own definitions; fields that we do not use are passed over. Nothing of it is
 * trusted: the mapping reads these types through `Untrusted`. An absent field has its type's zero: "" or 0.
 * https://www.mexc.com/api-docs/spot-v3/websocket-market-streams
 * https://github.com/mexcdevelop/websocket-proto
 */

/** `{"method":"SUBSCRIPTION","params":["spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"],"id":1}` */
export interface SubscriptionRequest {
  method: "SUBSCRIPTION" | "UNSUBSCRIPTION";
  params: readonly string[];
  id: number;
}

/**
 * `{"id":1,"code":0,"msg":"spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"}`, to a ping `{"id":0,"code":0,"msg":"PONG"}`
 * Refusal, also with code 0: `{"id":1,"code":0,"msg":"Not Subscribed successfully! [spot@…@XUSDT].  Reason： Blocked! "}`
 */
export interface Answer {
  id: number;
  code: number;
  msg: string;
}

/**
 * Every binary frame, with one of the bodies.
 * `{"channel":"spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT","publicAggreDeals":{…},"symbol":"BTCUSDT","sendTime":1736409765052}`
 */
export interface PushData {
  symbol: string;
  createTime: number;
  sendTime: number;
  publicMiniTicker: MiniTicker;
  publicAggreDepths: AggregatedDepth;
  publicAggreDeals: AggregatedDeals;
  publicAggreBookTicker: AggregatedBookTicker;
}

/**
 * Best bid and offer, at most every 100 ms.
 * `{"bidPrice":"93387.28","bidQuantity":"3.73485","askPrice":"93387.29","askQuantity":"7.669875","version":"10589632359"}`
 */
export interface AggregatedBookTicker {
  bidPrice: string;
  bidQuantity: string;
  askPrice: string;
  askQuantity: string;
  /** Of the order book; since June 2026. */
  version: string;
}

/** Each trade of the last 100 ms. */
export interface AggregatedDeals {
  deals: Deal[];
}

/** `{"price":"93220.00","quantity":"0.04438243","tradeType":2,"time":1736409765051,"tradeId":"594288812"}` */
export interface Deal {
  price: string;
  quantity: string;
  /** 1: the taker bought, 2: the taker sold. */
  tradeType: number;
  time: number;
  /** Since June 2026. */
  tradeId: string;
}

/**
 * Statistics, every three seconds, of the time that the subscription names; `rate`s are fractions.
 * `{"symbol":"MXUSDT","price":"2.5174","rate":"0.0766","zonedRate":"0.0766","high":"2.6299","low":"2.302","volume":"11336518.0264","quantity":"4638390.17"}`
 */
export interface MiniTicker {
  price: string;
  zonedRate: string;
  high: string;
  low: string;
  /** In the quote currency. */
  volume: string;
  /** In the base currency. */
  quantity: string;
}

/** Changes of the order book. `{"asks":[],"bids":[{"price":"92877.58","quantity":"0"}],"fromVersion":"10589632359","toVersion":"10589632360"}` */
export interface AggregatedDepth {
  asks: DepthLevel[];
  bids: DepthLevel[];
  fromVersion: string;
  toVersion: string;
}

export interface DepthLevel {
  price: string;
  quantity: string;
}

/** `/api/v3/depth`: `{"lastUpdateId":1112416,"bids":[["15.00000","49999.00000"]],"asks":[["14.0000","1.0000"]]}` */
export interface DepthSnapshot {
  lastUpdateId: number;
  bids: [price: string, quantity: string][];
  asks: [price: string, quantity: string][];
}

/** A pair of `/api/v3/exchangeInfo`. */
export interface Pair {
  symbol: string;
  /** "1" online, "2" paused, "3" offline. */
  status: string;
  baseAsset: string;
  quoteAsset: string;
  /** Digits after the point of quantities. */
  baseAssetPrecision: number;
  /** Digits after the point of prices. */
  quotePrecision: number;
  /** The smallest quantity, as a number, whatever its name says. */
  baseSizePrecision: string;
  /** The smallest order value, as a number. */
  quoteAmountPrecision: string;
  maxQuoteAmount: string;
  /** 1 all, 2 only buying, 3 only selling, 4 closed. */
  tradeSideType: string | number;
}

interface Field {
  readonly name: string;
  readonly wireType: WireType;
  readonly isList: boolean;
  read(reader: BinaryReader): unknown;
}
type Fields = ReadonlyMap<number, Field>;

const text = (name: string): Field => ({
  name,
  wireType: WireType.LengthDelimited,
  isList: false,
  read: (reader) => reader.string(),
});
const whole = (name: string): Field => ({
  name,
  wireType: WireType.Varint,
  isList: false,
  // Beyond 2^53 digits are lost, and the mapping takes no such number.
  read: (reader) => Number(reader.int64()),
});
const message = (name: string, fields: Fields, isList = false): Field => ({
  name,
  wireType: WireType.LengthDelimited,
  isList,
  read: (reader) => readMessage(fields, reader.bytes()),
});
const list = (name: string, fields: Fields): Field => message(name, fields, true);

const bookTicker: Fields = new Map([
  [1, text("bidPrice")],
  [2, text("bidQuantity")],
  [3, text("askPrice")],
  [4, text("askQuantity")],
  [5, text("version")],
]);
const deal: Fields = new Map([
  [1, text("price")],
  [2, text("quantity")],
  [3, whole("tradeType")],
  [4, whole("time")],
  [5, text("tradeId")],
]);
const miniTicker: Fields = new Map([
  [2, text("price")],
  [4, text("zonedRate")],
  [5, text("high")],
  [6, text("low")],
  [7, text("volume")],
  [8, text("quantity")],
]);
const level: Fields = new Map([
  [1, text("price")],
  [2, text("quantity")],
]);
const depth: Fields = new Map([
  [1, list("asks", level)],
  [2, list("bids", level)],
  [4, text("fromVersion")],
  [5, text("toVersion")],
]);
const pushData: Fields = new Map([
  [3, text("symbol")],
  [5, whole("createTime")],
  [6, whole("sendTime")],
  [309, message("publicMiniTicker", miniTicker)],
  [313, message("publicAggreDepths", depth)],
  [314, message("publicAggreDeals", new Map([[1, list("deals", deal)]]))],
  [315, message("publicAggreBookTicker", bookTicker)],
]);

/** The fields that a binary frame has. @throws when it is no protocol buffer */
export const readPushData = (frame: Uint8Array): object => readMessage(pushData, frame);

/** A field of another type than its definition says is passed over, as one that is unknown. */
function readMessage(fields: Fields, bytes: Uint8Array): object {
  const reader = new BinaryReader(bytes);
  const values: Record<string, unknown> = {};
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field === undefined || field.wireType !== wireType) {
      reader.skip(wireType, number);
    } else if (field.isList) {
      values[field.name] ??= [];
      (values[field.name] as unknown[]).push(field.read(reader));
    } else {
      values[field.name] = field.read(reader);
    }
  }
  return values;
}
