import type { Message, Method, Protocol } from "../stream/protocol.js";
import { commonTuning } from "../stream/tuning.js";
import { decodeFrame } from "./map.js";
import { fetchContractSizes } from "./rest.js";
import type { SubscriptionRequest } from "./wire.js";

type GateMarket = "spot" | "futures";

const channels = ["book_ticker", "trades", "tickers"] as const;

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** A request is about one channel, so there is one for each. */
function gate(market: GateMarket, path: string): Protocol {
  return {
    routes: [
      {
        path,
        streamsPerSymbol: channels.length,
        hasBooks: false,
        requests(method: Method, tickers: readonly string[], nextId: () => number, nowMs: number): Message[] {
          const event = method === "SUBSCRIBE" ? "subscribe" : "unsubscribe";
          return channels.map((name) => {
            const id = nextId();
            const channel = `${market}.${name}`;
            const request: SubscriptionRequest = { time: seconds(nowMs), id, channel, event, payload: tickers };
            return { id, text: JSON.stringify(request), answers: 1 };
          });
        },
      },
    ],
    tuning: {
      ...commonTuning,
      /** The exchange states no limits of streams or names, and allows 300 connections from an address. */
      maxStreamsPerConnection: 600,
      maxNamesPerRequest: 300,
      requestGapMs: 100,
      attemptLimit: 100,
      attemptWindowMs: 5 * 60_000,
    },
    streamPrefix: (ticker) => ticker,
    decoder: (context) => (text, receivedAtMs) => decodeFrame(text, receivedAtMs, context),
    ping: { everyMs: 15_000, text: (nowMs) => JSON.stringify({ time: seconds(nowMs), channel: `${market}.ping` }) },
    fetchContractSizes: market === "futures" ? fetchContractSizes : null,
  };
}

export const gateSpotProtocol = gate("spot", "/ws/v4/");

/** Perpetuals settled in USDT. */
export const gateFuturesProtocol = gate("futures", "/v4/ws/usdt");
