import type { Channel, Face } from "../face.js";
import { simulatedInstruments, tickerOf } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import type { StreamIndex } from "../streams.js";
import { answer, named, readEndpoint, refusalOf } from "./exchange.js";
import {
  aggTradePayload,
  bookTickerPayload,
  depthAnswer,
  depthPayload,
  klinePayload,
  tickerPayload,
} from "./payloads.js";
import { answerRest, type BinanceRest, spotSymbolInfo } from "./rest.js";

const rest: BinanceRest = {
  root: "/api/v3",
  defaultDepth: 100,
  depths: null,
  maxDepth: 5_000,
  maxKlines: 1_000,
  symbolInfo: spotSymbolInfo,
  depth: depthAnswer,
  kline: (scale, bar, widthMs) => klinePayload(scale, bar, widthMs),
};

/** @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams */
export const binanceSpot: Face = {
  market: "BINANCE_SPOT",
  instruments: simulatedInstruments,
  limits: {},
  ticker: tickerOf,
  channels,
  open: (url) => readEndpoint(url.pathname, url.searchParams),
  answer,
  rest: (method, url, context) => answerRest(method, url, context, rest),
  refusal: refusalOf,
};

function channels(ticker: string, { scale }: SymbolMarket, streams: StreamIndex): Channel[] {
  const stream = (name: string) => streams.known(`${ticker.toLowerCase()}@${name}`);
  return [
    named(stream("bookTicker"), "book", (step) => bookTickerPayload(scale, step)),
    named(stream("aggTrade"), "trade", (step) => aggTradePayload(scale, step)),
    named(stream("ticker"), "day", (step) => tickerPayload(scale, step)),
    named(stream("depth@100ms"), "depth", (step) => depthPayload(scale, step)),
  ];
}
