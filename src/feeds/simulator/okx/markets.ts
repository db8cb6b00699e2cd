import { type Channel, channel, type Face } from "../face.js";
import { type SimulatedInstrument, simulatedInstruments, simulatedPerpetuals } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import type { StreamIndex } from "../streams.js";
import {
  bboFrame,
  bookSnapshotFrame,
  bookUpdateFrame,
  fundingFrame,
  type OkxSymbol,
  tickerFrame,
  tradeFrame,
} from "./payloads.js";
import { answer, streamName } from "./requests.js";
import { answerRest, type OkxRest, refusalOf } from "./rest.js";

/** The exchange tells funding rates every 30 to 90 seconds. */
const fundingEveryMs = 60_000;

const spotId = ({ base, quote }: SimulatedInstrument): string => `${base}-${quote}`;
const swapId = (instrument: SimulatedInstrument): string => `${spotId(instrument)}-SWAP`;

export const okxSpot = okx("OKX_SPOT", simulatedInstruments, {
  instType: "SPOT",
  instId: spotId,
  stepsPerContract: null,
});

/** Linear perpetuals; the smallest order is a tenth of a contract. */
export const okxFutures = okx("OKX_FUTURES", simulatedPerpetuals, {
  instType: "SWAP",
  instId: swapId,
  stepsPerContract: 10,
});

/** @see https://www.okx.com/docs-v5/en/#overview-websocket */
function okx(market: string, instruments: readonly SimulatedInstrument[], rest: OkxRest): Face {
  return {
    market,
    instruments,
    // The exchange counts requests by the hour; clients ping.
    limits: { maxMessagesPerSecond: 100, pingIntervalMs: null },
    ticker: rest.instId,
    channels: (instId, symbolMarket, streams) => channels(instId, symbolMarket, streams, rest.stepsPerContract),
    open: ({ pathname }) => (pathname === "/ws/v5/public" ? { combined: true, route: "", streams: [] } : null),
    answer,
    rest: (method, url, context) => answerRest(method, url, context, rest),
    refusal: refusalOf,
  };
}

function channels(
  instId: string,
  market: SymbolMarket,
  streams: StreamIndex,
  stepsPerContract: number | null,
): Channel[] {
  const symbol: OkxSymbol = { instId, scale: market.scale, stepsPerContract };
  const stream = (name: string) => streams.known(streamName(name, instId));
  const all = [
    channel(
      stream("bbo-tbt"),
      "book",
      (step) => bboFrame(symbol, step),
      () => bboFrame(symbol, market.top),
    ),
    channel(stream("trades"), "trade", (step) => tradeFrame(symbol, step)),
    channel(
      stream("tickers"),
      "day",
      (step) => tickerFrame(symbol, step),
      () => tickerFrame(symbol, market.day),
    ),
    channel(
      stream("books"),
      "depth",
      (step) => bookUpdateFrame(symbol, step, market.book),
      () => bookSnapshotFrame(symbol, market.book),
    ),
  ];
  if (stepsPerContract === null) return all;
  let toldMs = 0;
  const funding = ({ atMs }: { readonly atMs: number }): string | null => {
    if (atMs - toldMs < fundingEveryMs) return null;
    toldMs = atMs;
    return fundingFrame(symbol, atMs, market.funding());
  };
  return [
    ...all,
    channel(stream("funding-rate"), "day", funding, () => fundingFrame(symbol, market.day.atMs, market.funding())),
  ];
}
