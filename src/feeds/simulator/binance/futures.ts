import { plain } from "../amounts.js";
import type { Channel, Face, Opening } from "../face.js";
import { simulatedPerpetuals, tickerOf } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import type { StreamIndex } from "../streams.js";
import { answer, named, readEndpoint, refusalOf } from "./exchange.js";
import {
  futuresBookTickerPayload,
  futuresDepthAnswer,
  futuresDepthPayload,
  futuresTickerPayload,
  futuresTradePayload,
  klinePayload,
  markPricePayload,
} from "./payloads.js";
import { answerRest, type BinanceRest, futuresSymbolInfo } from "./rest.js";

const rest: BinanceRest = {
  root: "/fapi/v1",
  defaultDepth: 500,
  depths: [5, 10, 20, 50, 100, 500, 1_000],
  maxDepth: 1_000,
  maxKlines: 1_500,
  symbolInfo: futuresSymbolInfo,
  depth: futuresDepthAnswer,
  kline: (scale, bar, widthMs) => klinePayload(scale, bar, widthMs, plain),
};

/**
 * Perpetuals in dollars. Books come on addresses below `/public`, everything else below `/market`; who subscribes on the
 * wrong one gets an answer and nothing more.
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
 */
export const binanceFutures: Face = {
  market: "BINANCE_FUTURES",
  instruments: simulatedPerpetuals,
  limits: { maxMessagesPerSecond: 10, pingIntervalMs: 3 * 60_000, pongTimeoutMs: 10 * 60_000 },
  ticker: tickerOf,
  channels,
  open(url): Opening | null {
    const [, route = "", path = ""] = /^\/(public|market)(\/.*)$/.exec(url.pathname) ?? [];
    const opening = readEndpoint(path, url.searchParams, route);
    return opening && { ...opening, streams: ofRoute(opening.streams, route) };
  },
  answer(text, current, context) {
    const outcome = answer(text, current, context);
    const { change } = outcome;
    if (change?.kind !== "subscribe") return outcome;
    return { ...outcome, change: { kind: "subscribe", streams: ofRoute(change.streams, current.route) } };
  },
  rest: (method, url, context) => answerRest(method, url, context, rest),
  refusal: refusalOf,
};

const ofRoute = (streams: readonly string[], route: string): string[] =>
  streams.filter((name) => /@(bookTicker|depth)/.test(name) === (route === "public"));

function channels(ticker: string, market: SymbolMarket, streams: StreamIndex): Channel[] {
  const { scale } = market;
  const stream = (name: string) => streams.known(`${ticker.toLowerCase()}@${name}`);
  return [
    named(stream("bookTicker"), "book", (step) => futuresBookTickerPayload(scale, step)),
    named(stream("aggTrade"), "trade", (step) => futuresTradePayload(scale, step)),
    named(stream("ticker"), "day", (step) => futuresTickerPayload(scale, step)),
    named(stream("markPrice@1s"), "day", ({ atMs }) => markPricePayload(scale, atMs, market.funding())),
    named(stream("depth@100ms"), "depth", (step) => futuresDepthPayload(scale, step)),
  ];
}
