import { type Channel, channel, type Face } from "../face.js";
import { type SimulatedInstrument, simulatedInstruments, simulatedPerpetuals, tickerOf } from "../instruments.js";
import type { DayStep, SymbolMarket } from "../market.js";
import type { StreamIndex } from "../streams.js";
import { bestFrame, bookDeltaFrame, bookSnapshotFrame, tickerFields, tickerFrame, tradeFrame } from "./payloads.js";
import { answer } from "./requests.js";
import { answerRest, type BybitCategory, refusalOf } from "./rest.js";

export const bybitSpot = bybit("BYBIT_SPOT", "spot", simulatedInstruments, 10);
export const bybitFutures = bybit("BYBIT_FUTURES", "linear", simulatedPerpetuals, 2_000);

/** @see https://bybit-exchange.github.io/docs/v5/ws/connect */
function bybit(
  market: string,
  category: BybitCategory,
  instruments: readonly SimulatedInstrument[],
  maxArguments: number,
): Face {
  return {
    market,
    instruments,
    // The exchange states no limit of messages; clients ping.
    limits: { maxMessagesPerSecond: 100, pingIntervalMs: null },
    ticker: tickerOf,
    channels: (ticker, symbolMarket, streams) => channels(ticker, symbolMarket, streams, category),
    open: ({ pathname }) => (pathname === `/v5/public/${category}` ? { combined: true, route: "", streams: [] } : null),
    answer: (text, current, context) => answer(text, current, context, maxArguments),
    rest: (method, url, context) => answerRest(method, url, context, category),
    refusal: refusalOf,
  };
}

/** The whole book is served under the names of all depths: it has no more levels than the smallest of them. */
const depths = [50, 200] as const;

function channels(ticker: string, market: SymbolMarket, streams: StreamIndex, category: BybitCategory): Channel[] {
  const { scale } = market;
  const topic = (name: string) => `${name}.${ticker}`;
  const stream = (name: string) => streams.known(topic(name));
  return [
    channel(
      stream("orderbook.1"),
      "book",
      (step) => bestFrame(topic("orderbook.1"), scale, step),
      () => bestFrame(topic("orderbook.1"), scale, market.top),
    ),
    channel(stream("publicTrade"), "trade", (step) => tradeFrame(topic("publicTrade"), scale, step)),
    ...depths.map((depth) => {
      const name = `orderbook.${depth}`;
      return channel(
        stream(name),
        "depth",
        (step) => bookDeltaFrame(topic(name), scale, step),
        () => bookSnapshotFrame(topic(name), scale, market.book),
      );
    }),
    tickerChannel(topic("tickers"), market, streams, category),
  ];
}

/** Longer ago, nobody was listening: changes are told every second. */
const freshMs = 2_000;

/** Spot always tells all fields; linear after the first time only those that have changed. */
function tickerChannel(topic: string, market: SymbolMarket, streams: StreamIndex, category: BybitCategory): Channel {
  const { scale } = market;
  const isLinear = category === "linear";
  const stream = streams.known(topic);
  /** What everybody knows. */
  let told: { readonly at: DayStep; readonly fields: ReadonlyMap<string, string> } | null = null;
  const tell = (at: DayStep) => {
    told = { at, fields: tickerFields(scale, at, isLinear ? market.funding() : null) };
    return told;
  };
  const frame = (type: "snapshot" | "delta", { atMs, lastTradeId }: DayStep, fields: ReadonlyMap<string, string>) =>
    tickerFrame(topic, type, { scale, atMs, sequence: lastTradeId }, fields);
  return channel(
    stream,
    "day",
    (step) => {
      const before = told?.fields;
      const { fields } = tell(step);
      if (!isLinear) return frame("snapshot", step, fields);
      const changed = new Map([...fields].filter(([name, text]) => before?.get(name) !== text));
      return changed.size === 0 ? null : frame("delta", step, changed);
    },
    () => {
      const { day } = market;
      // A newcomer gets what the others know, because the next changes are told from there.
      const isAlone = stream.clients.size === 1 || told === null || day.atMs - told.at.atMs > freshMs;
      const { at, fields } = isAlone || told === null ? tell(day) : told;
      return frame("snapshot", at, fields);
    },
  );
}
