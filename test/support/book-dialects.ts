import { binanceSpotProtocol } from "../../src/feeds/binance/protocol.js";
import { binanceFuturesProtocol } from "../../src/feeds/binance-futures/protocol.js";
import { bybitFuturesProtocol, bybitSpotProtocol } from "../../src/feeds/bybit/protocol.js";
import { gateFuturesProtocol, gateSpotProtocol } from "../../src/feeds/gateio/protocol.js";
import { okxFuturesProtocol, okxSpotProtocol } from "../../src/feeds/okx/protocol.js";
import type { Protocol } from "../../src/feeds/stream/protocol.js";

export type Level = readonly [price: string, quantity: string];

/** A change, or a whole book as of a change; they are numbered one after the other. */
export interface BookPart {
  readonly number: number;
  readonly bids?: readonly Level[];
  readonly asks?: readonly Level[];
}

/** How an exchange speaks of order books, as its documentation says. */
export interface BookDialect {
  readonly name: string;
  readonly protocol: Protocol;
  /** Of its books. */
  readonly path: string;
  readonly ticker: string;
  /** What one unit of quantity is in the base currency, as a factor of ten: -1 for a tenth. */
  readonly unit: number;
  /** The answers to a request. */
  reply(text: string): object[];
  diff(part: BookPart): object;
  /** In the stream; null where it comes by REST. */
  readonly snapshotFrame: ((part: BookPart) => object) | null;
  /** By REST, and where to ask; null where it comes in the stream. */
  readonly snapshotBody: ((part: BookPart) => object) | null;
  readonly snapshotPath: string;
  /** Other REST requests. */
  otherBody(path: string): string | null;
  /** Where a frame has what {@link BookDialect.diff} put in: the payload, and its fields. */
  readonly payloadOf: (frame: object) => Record<string, unknown>;
  readonly fields: { readonly levels: readonly string[]; readonly numbers: readonly string[]; readonly time: string };
  /** A level that is none, and one whose quantity is given. */
  level(price: unknown, quantity: unknown): unknown;
}

const pair = (price: unknown, quantity: unknown): unknown => [price, quantity];
const nothing = (): null => null;
// biome-ignore lint/suspicious/noExplicitAny: frames of many exchanges
type Body = any;

const binance = (
  name: string,
  protocol: Protocol,
  path: string,
  restPath: string,
  numbers: readonly string[],
): BookDialect => ({
  name,
  protocol,
  path,
  ticker: "ABCUSDT",
  unit: 0,
  reply: (text) => [{ result: null, id: (JSON.parse(text) as Body).id }],
  diff: ({ number, bids = [], asks = [] }) => ({
    stream: "abcusdt@depth@100ms",
    data: {
      e: "depthUpdate",
      E: Date.now(),
      s: "ABCUSDT",
      U: number,
      u: number,
      ...(numbers.includes("pu") ? { T: Date.now(), pu: number - 1 } : {}),
      b: bids,
      a: asks,
    },
  }),
  snapshotFrame: null,
  snapshotBody: ({ number, bids = [], asks = [] }) => ({ lastUpdateId: number, bids, asks }),
  snapshotPath: `${restPath}?symbol=ABCUSDT&limit=1000`,
  otherBody: nothing,
  payloadOf: (frame) => (frame as Body).data,
  fields: { levels: ["b", "a"], numbers, time: "E" },
  level: pair,
});

const okx = (name: string, protocol: Protocol, ticker: string, unit: number): BookDialect => {
  const levels = (list: readonly Level[]) => list.map(([price, quantity]) => [price, quantity, "0", "1"]);
  const frame = (action: string, { number, bids = [], asks = [] }: BookPart) => ({
    arg: { channel: "books", instId: ticker },
    action,
    data: [
      {
        asks: levels(asks),
        bids: levels(bids),
        ts: String(Date.now()),
        checksum: 0,
        prevSeqId: action === "snapshot" ? -1 : number - 1,
        seqId: number,
      },
    ],
  });
  return {
    name,
    protocol,
    path: "/ws/v5/public",
    ticker,
    unit,
    reply: (text) => {
      if (text === "ping") return [];
      const { id, op, args } = JSON.parse(text) as Body;
      return args.map((arg: object) => ({ id, event: op, arg, connId: "a" }));
    },
    diff: (part) => frame("update", part),
    snapshotFrame: (part) => frame("snapshot", part),
    snapshotBody: null,
    snapshotPath: "",
    otherBody: () =>
      JSON.stringify({ code: "0", data: [{ instId: ticker, ctType: "linear", ctVal: "0.1", ctMult: "1" }], msg: "" }),
    payloadOf: (text) => (text as Body).data[0],
    fields: { levels: ["bids", "asks"], numbers: ["seqId", "prevSeqId"], time: "ts" },
    level: (price, quantity) => [price, quantity, "0", "1"],
  };
};

const bybit = (name: string, protocol: Protocol, path: string): BookDialect => {
  const frame = (type: string, { number, bids = [], asks = [] }: BookPart) => ({
    topic: "orderbook.50.ABCUSDT",
    type,
    ts: Date.now(),
    data: { s: "ABCUSDT", b: bids, a: asks, u: number, seq: number + 1_000, cts: Date.now() },
  });
  return {
    name,
    protocol,
    path,
    ticker: "ABCUSDT",
    unit: 0,
    reply: (text) => {
      const { req_id, op } = JSON.parse(text) as Body;
      return op === "ping" ? [] : [{ success: true, ret_msg: op, conn_id: "x", req_id, op }];
    },
    diff: (part) => frame("delta", part),
    snapshotFrame: (part) => frame("snapshot", part),
    snapshotBody: null,
    snapshotPath: "",
    otherBody: nothing,
    payloadOf: (text) => (text as Body).data,
    fields: { levels: ["b", "a"], numbers: ["u"], time: "" },
    level: pair,
  };
};

const gate = (market: "spot" | "futures", protocol: Protocol): BookDialect => {
  const isSpot = market === "spot";
  const level = isSpot ? pair : (p: unknown, s: unknown) => ({ p, s });
  // Futures count contracts, as JSON numbers.
  const levels = (list: readonly Level[]) => list.map(([p, s]) => level(p, isSpot ? s : Number(s)));
  return {
    name: `Gate.io ${market}`,
    protocol,
    path: isSpot ? "/ws/v4/" : "/v4/ws/usdt",
    ticker: "ABC_USDT",
    unit: isSpot ? 0 : -1,
    reply: (text) => {
      const { time, id, channel, event } = JSON.parse(text) as Body;
      return event === undefined
        ? []
        : [{ time, time_ms: time * 1000, id, channel, event, result: { status: "success" } }];
    },
    diff: ({ number, bids = [], asks = [] }) => ({
      time: 1_700_000_000,
      time_ms: Date.now(),
      channel: `${market}.order_book_update`,
      event: "update",
      result: { t: Date.now(), s: "ABC_USDT", U: number, u: number, b: levels(bids), a: levels(asks), l: "100" },
    }),
    snapshotFrame: null,
    snapshotBody: ({ number, bids = [], asks = [] }) => ({
      id: number,
      current: 1_623_898_993.123,
      update: 1_623_898_993.121,
      bids: levels(bids),
      asks: levels(asks),
    }),
    snapshotPath: isSpot
      ? "/api/v4/spot/order_book?currency_pair=ABC_USDT&limit=100&with_id=true"
      : "/api/v4/futures/usdt/order_book?contract=ABC_USDT&limit=100&with_id=true",
    otherBody: () => JSON.stringify([{ name: "ABC_USDT", type: "direct", quanto_multiplier: "0.1" }]),
    payloadOf: (text) => (text as Body).result,
    fields: { levels: ["b", "a"], numbers: ["U", "u"], time: "t" },
    level,
  };
};

export const bookDialects: readonly BookDialect[] = [
  binance("Binance spot", binanceSpotProtocol, "/stream", "/api/v3/depth", ["U", "u"]),
  binance("Binance USD-M futures", binanceFuturesProtocol, "/public/stream", "/fapi/v1/depth", ["U", "u", "pu"]),
  okx("OKX spot", okxSpotProtocol, "ABC-USDT", 0),
  okx("OKX swaps", okxFuturesProtocol, "ABC-USDT-SWAP", -1),
  bybit("Bybit spot", bybitSpotProtocol, "/v5/public/spot"),
  bybit("Bybit linear", bybitFuturesProtocol, "/v5/public/linear"),
  gate("spot", gateSpotProtocol),
  gate("futures", gateFuturesProtocol),
];

/** The protocol with short patience for books. */
export function impatient(protocol: Protocol): Protocol {
  const { books } = protocol;
  if (books === undefined) throw new Error("the protocol has no order books");
  const tuning = { ...books.tuning, gapMs: 1, retryDelayMs: 2, maxRetryDelayMs: 20, publishGapMs: 1 };
  return { ...protocol, books: { ...books, tuning } };
}
