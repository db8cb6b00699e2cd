import { defaultBookKeeperTuning } from "../order-books/keeper.js";
import { okxRule } from "../order-books/rules.js";
import type { Message, Method, Protocol, WriteRequests } from "../stream/protocol.js";
import { commonTuning, type StreamTuning } from "../stream/tuning.js";
import { decodeFrame, type OkxMarket } from "./map.js";
import { fetchContractSizes } from "./rest.js";
import type { SubscriptionRequest } from "./wire.js";

/**
 * The exchange allows 480 requests an hour on a connection, of at most 64 KB each, and 3 new connections a second, which
 * the feeds of both markets share; the number of channels on a connection is our own choice.
 */
const tuning: StreamTuning = {
  ...commonTuning,
  maxStreamsPerConnection: 600,
  maxNamesPerRequest: 300,
  requestGapMs: 400,
  /** A renewal takes two requests; books may have half of what is allowed. */
  bookRenewalGapMs: 30_000,
  attemptLimit: 2,
  attemptWindowMs: 1_500,
};

const requestsFor =
  (channels: readonly string[]): WriteRequests =>
  (method: Method, tickers: readonly string[], nextId: () => number): Message[] => {
    const id = nextId();
    const args = tickers.flatMap((instId) => channels.map((channel) => ({ channel, instId })));
    const op = method === "SUBSCRIBE" ? "subscribe" : "unsubscribe";
    const request: SubscriptionRequest = { id: String(id), op, args };
    return [{ id, text: JSON.stringify(request), answers: args.length }];
  };

function okx(market: OkxMarket, channels: readonly string[]): Protocol {
  return {
    routes: [
      {
        path: "/ws/v5/public",
        streamsPerSymbol: channels.length,
        hasBooks: true,
        requests: requestsFor(channels),
        bookRequests: requestsFor(["books"]),
      },
    ],
    tuning,
    streamPrefix: (ticker) => ticker,
    decoder: (context) => (text, receivedAtMs) => decodeFrame(text, receivedAtMs, market, context),
    // The exchange hangs up after 30 seconds of silence.
    ping: { everyMs: 25_000, text: () => "ping" },
    fetchContractSizes: market === "SWAP" ? fetchContractSizes : null,
    books: {
      rule: okxRule,
      // The pace of renewals is the connection's, for many books at once; it takes patience.
      tuning: { ...defaultBookKeeperTuning, gapMs: 10, timeoutMs: 60_000 },
      fetchSnapshot: null,
    },
  };
}

export const okxSpotProtocol = okx("SPOT", ["bbo-tbt", "trades", "tickers", "books"]);

/** Linear perpetuals, which OKX calls swaps. */
export const okxFuturesProtocol = okx("SWAP", ["bbo-tbt", "trades", "tickers", "books", "funding-rate"]);
