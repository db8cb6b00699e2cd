import { combinedStreams } from "../binance/protocol.js";
import { fetchDepth } from "../binance/rest.js";
import { defaultBookKeeperTuning } from "../order-books/keeper.js";
import { binanceUsdmRule } from "../order-books/rules.js";
import type { Protocol } from "../stream/protocol.js";
import { commonTuning } from "../stream/tuning.js";
import { decodeFrame } from "./map.js";

/**
 * Binance's USD-M futures. Since April 2026 best bids and offers and order books come on one endpoint and everything else
 * on another; subscribing on the wrong one is answered, but nothing comes.
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Important-WebSocket-Change-Notice
 */
export const binanceFuturesProtocol: Protocol = {
  routes: [
    combinedStreams("/public/stream", ["bookTicker", "depth@100ms"], true),
    combinedStreams("/market/stream", ["aggTrade", "ticker", "markPrice@1s"]),
  ],
  tuning: {
    ...commonTuning,
    /** The exchange once allowed 200 and now 1024; both are said in its documentation. */
    maxStreamsPerConnection: 200,
    maxNamesPerRequest: 200,
    /** The exchange allows 10 messages per second and connection. */
    requestGapMs: 250,
    attemptLimit: 300,
    attemptWindowMs: 5 * 60_000,
  },
  streamPrefix: (ticker) => ticker.toLowerCase(),
  decoder: (context) => (text, receivedAtMs) => decodeFrame(text, receivedAtMs, context),
  ping: null,
  fetchContractSizes: null,
  books: {
    rule: binanceUsdmRule,
    // A snapshot weighs 20 of 2,400 a minute.
    tuning: { ...defaultBookKeeperTuning, gapMs: 1_000 },
    fetchSnapshot: (endpoint, ticker, _contractSize, signal) => fetchDepth("/fapi/v1/depth", endpoint, ticker, signal),
  },
};
