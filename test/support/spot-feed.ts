import { pino } from "pino";
import { binanceSpotProtocol } from "../../src/feeds/binance/protocol.js";
import type { FeedOptions, FeedSymbol } from "../../src/feeds/feed.js";
import { startStreamFeed } from "../../src/feeds/stream/feed.js";
import type { Protocol } from "../../src/feeds/stream/protocol.js";
import type { StreamTuning } from "../../src/feeds/stream/tuning.js";
import type { MarketEvent } from "../../src/market-data/events.js";

export const symbolsOf = (...tickers: string[]): FeedSymbol[] => tickers.map((ticker, id) => ({ id, ticker }));

/** A feed with short patience, and everything it said. */
export function startTestFeed(
  endpoint: { websocketUrl: string } & Partial<FeedOptions["endpoint"]>,
  symbols: readonly FeedSymbol[],
  tuning: Partial<StreamTuning> = {},
  protocol: Protocol = binanceSpotProtocol,
) {
  const events: MarketEvent[] = [];
  const statuses: string[] = [];
  const details: (string | null)[] = [];
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void logged.push(JSON.parse(line) as never) });
  const feed = startStreamFeed(
    protocol,
    {
      endpoint: {
        code: "TEST",
        backupWebsocketUrl: null,
        endpointUrl: null,
        timeoutMs: 2_000,
        retryDelayMs: 10,
        staleAfterMs: 10_000,
        ...endpoint,
      },
      symbols,
      clock: { nowMs: () => Date.now() },
      log,
      random: () => 0.5,
      onEvent: (event) => events.push(event),
      onStatus: (status, detail) => {
        statuses.push(status);
        details.push(detail);
      },
    },
    { requestGapMs: 1, bookRenewalGapMs: 1, overlapMs: 20, closeGraceMs: 200, ...tuning },
  );
  return { feed, events, statuses, details, logged };
}
