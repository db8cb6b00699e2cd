import { type Channel, channel, type Face } from "../face.js";
import { type SimulatedInstrument, simulatedInstruments, simulatedPerpetuals } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import type { StreamIndex } from "../streams.js";
import {
  futuresBookTickerFrame,
  futuresDepthFrame,
  futuresTickerFrame,
  futuresTradeFrame,
  type GateSymbol,
  spotBookTickerFrame,
  spotDepthFrame,
  spotTickerFrame,
  spotTradeFrame,
} from "./payloads.js";
import { answer, type GateMarket, streamName } from "./requests.js";
import { answerRest, nameOf, refusalOf } from "./rest.js";

export const gateSpot = gate("GATEIO_SPOT", "spot", "/ws/v4", simulatedInstruments, spotChannels);
export const gateFutures = gate("GATEIO_FUTURES", "futures", "/v4/ws/usdt", simulatedPerpetuals, futuresChannels);

/** @see https://www.gate.com/docs/developers/apiv4/ws/en/ */
function gate(
  code: string,
  market: GateMarket,
  path: string,
  instruments: readonly SimulatedInstrument[],
  channels: Face["channels"],
): Face {
  return {
    market: code,
    instruments,
    // The exchange states no limit of messages; clients ping.
    limits: { maxMessagesPerSecond: 100, pingIntervalMs: null },
    ticker: nameOf,
    channels,
    open: ({ pathname }) => (pathname.replace(/\/$/, "") === path ? { combined: true, route: "", streams: [] } : null),
    answer: (text, current, context) => answer(text, market, current, context),
    rest: (method, url, context) => answerRest(method, url, context, market),
    refusal: refusalOf,
  };
}

function spotChannels(name: string, { scale }: SymbolMarket, streams: StreamIndex): Channel[] {
  const symbol: GateSymbol = { name, scale };
  const stream = (of: string) => streams.known(streamName(`spot.${of}`, name));
  return [
    channel(stream("book_ticker"), "book", (step) => spotBookTickerFrame(symbol, step)),
    channel(stream("trades"), "trade", (step) => spotTradeFrame(symbol, step)),
    channel(stream("tickers"), "day", (step) => spotTickerFrame(symbol, step)),
    channel(stream("order_book_update"), "depth", (step) => spotDepthFrame(symbol, step)),
  ];
}

function futuresChannels(name: string, market: SymbolMarket, streams: StreamIndex): Channel[] {
  const symbol: GateSymbol = { name, scale: market.scale };
  const stream = (of: string) => streams.known(streamName(`futures.${of}`, name));
  return [
    channel(stream("book_ticker"), "book", (step) => futuresBookTickerFrame(symbol, step)),
    channel(stream("trades"), "trade", (step) => futuresTradeFrame(symbol, step)),
    channel(stream("tickers"), "day", (step) => futuresTickerFrame(symbol, step, market.funding())),
    channel(stream("order_book_update"), "depth", (step) => futuresDepthFrame(symbol, step)),
  ];
}
