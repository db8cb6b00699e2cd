import { defaultBookKeeperTuning } from "../order-books/keeper.js";
import { gateRule } from "../order-books/rules.js";
import type { Message, Method, Protocol } from "../stream/protocol.js";
import { commonTuning } from "../stream/tuning.js";
import { bookDepth, decodeFrame } from "./map.js";
import { fetchContractSizes, fetchOrderBook } from "./rest.js";
import type { SubscriptionRequest } from "./wire.js";

type GateMarket = "spot" | "futures";

const channels = ["book_ticker", "trades", "tickers"] as const;

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** A request is about one channel, and about one symbol where it is for order books. */
function gate(market: GateMarket, path: string): Protocol {
  const bookPace = market === "spot" ? ["100ms"] : ["100ms", String(bookDepth)];
  return {
    routes: [
      {
        path,
        streamsPerSymbol: channels.length + 1,
        hasBooks: true,
        requests(method: Method, tickers: readonly string[], nextId: () => number, nowMs: number): Message[] {
          const event = method === "SUBSCRIBE" ? "subscribe" : "unsubscribe";
          const write = (name: string, payload: readonly string[]): Message => {
            const id = nextId();
            const channel = `${market}.${name}`;
            const request: SubscriptionRequest = { time: seconds(nowMs), id, channel, event, payload };
            return { id, text: JSON.stringify(request), answers: 1 };
          };
          return [
            ...channels.map((name) => write(name, tickers)),
            ...tickers.map((ticker) => write("order_book_update", [ticker, ...bookPace])),
          ];
        },
      },
    ],
    tuning: {
      ...commonTuning,
      /** The exchange states no limits of streams or names, and allows 300 connections from an address. */
      maxStreamsPerConnection: 600,
      /** Each symbol takes a message of its own for its book: 20 symbols are confirmed within three seconds. */
      maxNamesPerRequest: 80,
      requestGapMs: 100,
      attemptLimit: 100,
      attemptWindowMs: 5 * 60_000,
    },
    streamPrefix: (ticker) => ticker,
    decoder: (context) => (text, receivedAtMs) => decodeFrame(text, receivedAtMs, context),
    ping: { everyMs: 15_000, text: (nowMs) => JSON.stringify({ time: seconds(nowMs), channel: `${market}.ping` }) },
    fetchContractSizes: market === "futures" ? fetchContractSizes : null,
    books: {
      rule: gateRule,
      tuning: {
        ...defaultBookKeeperTuning,
        // The exchange allows 200 requests in ten seconds.
        gapMs: 100,
        // Futures send changes of the best levels only: what falls out of them is not kept up to date.
        ...(market === "futures" ? { levelLimit: bookDepth } : {}),
      },
      fetchSnapshot: fetchOrderBook,
    },
  };
}

export const gateSpotProtocol = gate("spot", "/ws/v4/");

/** Perpetuals settled in USDT. */
export const gateFuturesProtocol = gate("futures", "/v4/ws/usdt");
