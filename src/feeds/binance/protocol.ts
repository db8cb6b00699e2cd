import { defaultBookKeeperTuning } from "../order-books/keeper.js";
import { binanceSpotRule } from "../order-books/rules.js";
import type { Message, Method, Protocol, Route } from "../stream/protocol.js";
import { commonTuning, type StreamTuning } from "../stream/tuning.js";
import { decodeFrame } from "./map.js";
import { fetchDepth } from "./rest.js";
import type { SubscriptionRequest } from "./wire.js";

export const spotTuning: StreamTuning = {
  ...commonTuning,
  maxStreamsPerConnection: 1024,
  maxNamesPerRequest: 200,
  /**
   * The exchange allows 5 messages per second and connection, pongs included, and bans who repeatedly exceeds it. With
   * 350 ms there are at most 3 requests and a pong in any second.
   */
  requestGapMs: 350,
  attemptLimit: 300,
  attemptWindowMs: 5 * 60_000,
};

/** Combined streams at an address of Binance, with these channels (what stands after the `@`) of every symbol. */
export const combinedStreams = (path: string, channels: readonly string[], hasBooks = false): Route => ({
  path,
  streamsPerSymbol: channels.length,
  hasBooks,
  requests(method: Method, tickers: readonly string[], nextId: () => number): Message[] {
    const params = tickers.flatMap((ticker) => {
      const prefix = ticker.toLowerCase();
      return channels.map((channel) => `${prefix}@${channel}`);
    });
    const request: SubscriptionRequest = { method, params, id: nextId() };
    return [{ id: request.id, text: JSON.stringify(request), answers: 1 }];
  },
});

/** Binance spot's combined streams: best bid and offer, trades, 24 h statistics and order books. The exchange pings by itself. */
export const binanceSpotProtocol: Protocol = {
  routes: [combinedStreams("/stream", ["bookTicker", "aggTrade", "ticker", "depth@100ms"], true)],
  tuning: spotTuning,
  streamPrefix: (ticker) => ticker.toLowerCase(),
  decoder:
    ({ symbols }) =>
    (text, receivedAtMs) =>
      decodeFrame(text, receivedAtMs, symbols),
  ping: null,
  fetchContractSizes: null,
  books: {
    rule: binanceSpotRule,
    // A snapshot weighs 50 of 6,000 a minute.
    tuning: { ...defaultBookKeeperTuning, gapMs: 1_000 },
    fetchSnapshot: (endpoint, ticker, _contractSize, signal) => fetchDepth("/api/v3/depth", endpoint, ticker, signal),
  },
};
