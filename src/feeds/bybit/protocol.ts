import { defaultBookKeeperTuning } from "../order-books/keeper.js";
import { bybitRule } from "../order-books/rules.js";
import type { Message, Method, Protocol, WriteRequests } from "../stream/protocol.js";
import { commonTuning } from "../stream/tuning.js";
import { bybitDecoder } from "./map.js";
import type { SubscriptionRequest } from "./wire.js";

const bookChannel = "orderbook.50";
const channels = ["orderbook.1", "publicTrade", "tickers", bookChannel] as const;

/** @param maxArguments what the exchange takes in one message */
const requestsFor =
  (wanted: readonly string[], maxArguments: number): WriteRequests =>
  (method: Method, tickers: readonly string[], nextId: () => number): Message[] => {
    const op = method === "SUBSCRIBE" ? "subscribe" : "unsubscribe";
    const topics = tickers.flatMap((ticker) => wanted.map((channel) => `${channel}.${ticker}`));
    const messages: Message[] = [];
    for (let from = 0; from < topics.length; from += maxArguments) {
      const id = nextId();
      const request: SubscriptionRequest = {
        req_id: String(id),
        op,
        args: topics.slice(from, from + maxArguments),
      };
      messages.push({ id, text: JSON.stringify(request), answers: 1 });
    }
    return messages;
  };

function bybit(path: string, maxArguments: number): Protocol {
  return {
    routes: [
      {
        path,
        streamsPerSymbol: channels.length,
        hasBooks: true,
        requests: requestsFor(channels, maxArguments),
        bookRequests: requestsFor([bookChannel], maxArguments),
      },
    ],
    tuning: {
      ...commonTuning,
      /** All topics of a connection may have 21,000 characters together; ours have at most 35. */
      maxStreamsPerConnection: 600,
      maxNamesPerRequest: channels.length * maxArguments,
      /** The exchange states no limit of messages. */
      requestGapMs: 100,
      /** The exchange allows 500 connections in five minutes. */
      attemptLimit: 300,
      attemptWindowMs: 5 * 60_000,
    },
    streamPrefix: (ticker) => ticker,
    decoder: bybitDecoder,
    ping: { everyMs: 20_000, text: () => '{"op":"ping"}' },
    fetchContractSizes: null,
    books: {
      rule: bybitRule,
      tuning: { ...defaultBookKeeperTuning, gapMs: 10 },
      fetchSnapshot: null,
    },
  };
}

export const bybitSpotProtocol = bybit("/v5/public/spot", 10);
export const bybitFuturesProtocol = bybit("/v5/public/linear", 100);
