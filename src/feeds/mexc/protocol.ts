import { defaultBookKeeperTuning } from "../order-books/keeper.js";
import { mexcRule } from "../order-books/rules.js";
import type { Message, Method, Protocol } from "../stream/protocol.js";
import { commonTuning } from "../stream/tuning.js";
import { decodeBinary, decodeText } from "./map.js";
import { fetchDepth } from "./rest.js";
import type { SubscriptionRequest } from "./wire.js";

/** The statistics are of the rolling 24 hours, not of a day in some zone. */
const channelsOf = (ticker: string): string[] => [
  `spot@public.aggre.bookTicker.v3.api.pb@100ms@${ticker}`,
  `spot@public.aggre.deals.v3.api.pb@100ms@${ticker}`,
  `spot@public.miniTicker.v3.api.pb@${ticker}@24H`,
  `spot@public.aggre.depth.v3.api.pb@100ms@${ticker}`,
];
const streamsPerSymbol = 4;

export const mexcSpotProtocol: Protocol = {
  routes: [
    {
      path: "/ws",
      streamsPerSymbol,
      hasBooks: true,
      requests(method: Method, tickers: readonly string[], nextId: () => number): Message[] {
        const id = nextId();
        const request: SubscriptionRequest = {
          method: method === "SUBSCRIBE" ? "SUBSCRIPTION" : "UNSUBSCRIPTION",
          params: tickers.flatMap(channelsOf),
          id,
        };
        return [{ id, text: JSON.stringify(request), answers: 1 }];
      },
    },
  ],
  tuning: {
    ...commonTuning,
    /** Limit of the exchange. */
    maxStreamsPerConnection: 30,
    maxNamesPerRequest: 30,
    /** The exchange takes 100 messages a second. */
    requestGapMs: 50,
    /** The exchange states no limit of connections; many are needed, and this opens one each second. */
    attemptLimit: 300,
    attemptWindowMs: 5 * 60_000,
  },
  streamPrefix: (ticker) => ticker,
  decoder: () => decodeText,
  binaryDecoder: (context) => (frame, receivedAtMs) => decodeBinary(frame, receivedAtMs, context),
  /** Without data the exchange hangs up after a minute. */
  ping: { everyMs: 20_000, text: () => '{"method":"PING"}' },
  fetchContractSizes: null,
  books: {
    rule: mexcRule,
    // A snapshot weighs 1 of 500 in ten seconds.
    tuning: { ...defaultBookKeeperTuning, gapMs: 100 },
    fetchSnapshot: (endpoint, ticker, _contractSize, signal) => fetchDepth(endpoint, ticker, signal),
  },
};
