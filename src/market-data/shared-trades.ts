import { DomainError } from "../core/errors.js";
import type { SharedWatch } from "../core/shared-watch.js";
import type { TradeEvent } from "./events.js";
import type { TradeTape } from "./trade-tape.js";

/** Trades that wait for one reader; with one more it is told that it lost the thread. */
const maxWaiting = 5_000;

const messages = {
  slow: "the stream was not read fast enough and has ended",
  lost: "trades were lost on the way from the feed, so the stream has ended",
};

/** Every trade of one symbol from now on, none skipped. */
export const tradesOf = (tape: TradeTape, symbolId: number): SharedWatch<TradeEvent, TradeEvent> => ({
  name: String(symbolId),
  intervalMs: 0,
  isList: true,
  keys: () => [],
  valueOf: (trade) => trade,
  versionOf: (trade) => trade,
  follow: (onTrade, onGap) => tape.listen(symbolId, { onTrade, onGap }),
  overflow: {
    maxWaiting,
    error: (reason, lastSent) =>
      new DomainError("STREAM_OVERFLOW", messages[reason], { resumeFrom: lastSent?.tradeId ?? null }),
  },
});
