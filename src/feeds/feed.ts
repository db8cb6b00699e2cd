import type { InstrumentList } from "../catalogue/sync-symbols.js";
import type { DecimalText } from "../core/decimal.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { MarketEvent } from "../market-data/events.js";
import type { BookKeeperStats } from "./order-books/keeper.js";

/** State of a provider's connection, as in the API's `ConnectionStatus`. */
export type ConnectionStatus = "DISCONNECTED" | "CONNECTING" | "CONNECTED" | "RECONNECTING" | "STALE" | "ERROR";

/** A symbol as a feed needs it. The list given to a feed is in broadcast order: the first is served first. */
export interface FeedSymbol {
  readonly id: number;
  /** The exchange's own name for it, e.g. "BTCUSDT". */
  readonly ticker: string;
}

/** Where and how to connect: the resolved row of `data_providers`. */
export interface FeedEndpoint {
  readonly code: string;
  /** Empty for a provider that is asked by REST. */
  readonly websocketUrl: string;
  /** Tried in turn with `websocketUrl` when connecting fails. */
  readonly backupWebsocketUrl: string | null;
  /** REST base URL. */
  readonly endpointUrl: string | null;
  /** Connecting and REST calls give up after this. */
  readonly timeoutMs: number;
  /** First reconnect delay; grows exponentially with jitter up to 30 s. */
  readonly retryDelayMs: number;
  /** Nothing received for this long: STALE, and the connection is replaced. */
  readonly staleAfterMs: number;
  /** What the provider takes; null or absent where it has no such limit. */
  readonly rateLimitPerMinute?: number | null;
}

/** Counters since the feed was started; they only grow. */
export interface FeedStats {
  readonly messages: number;
  readonly events: number;
  /** Frames that were understood but carry nothing we keep, by kind (e.g. "subscribe-response", "kline"). */
  readonly skipped: ReadonlyMap<string, number>;
  /** Frames that broke the protocol or held absurd values, by kind; logged once per kind. */
  readonly rejected: ReadonlyMap<string, number>;
  readonly reconnects: number;
  /** Null where the feed has no order books. */
  readonly books?: BookKeeperStats | null;
}

export interface FeedOptions {
  readonly endpoint: FeedEndpoint;
  readonly symbols: readonly FeedSymbol[];
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); jitter comes from here. */
  readonly random: () => number;
  /** Whether anything is traded now; absent for what never closes. */
  readonly isMarketOpen?: () => boolean;
  /** Called synchronously for every event, in the order of arrival. Must not throw. */
  readonly onEvent: (event: MarketEvent) => void;
  /** `detail` is a short reason for people, e.g. "connection refused". */
  readonly onStatus: (status: ConnectionStatus, detail: string | null) => void;
}

/** A running connection to one provider. It reconnects by itself until it is closed. */
export interface Feed {
  /** Replaces the wanted symbols; the feed subscribes and unsubscribes on its open connections. */
  setSymbols(symbols: readonly FeedSymbol[]): void;
  readonly stats: FeedStats;
  /** Closes sockets and timers; no callback runs afterwards. */
  close(): Promise<void>;
}

/** A minute as the exchange's own klines have it. Minutes without a trade may be there with a volume of zero, or not at all. */
export interface ExchangeMinute {
  readonly openTimeMs: number;
  readonly open: DecimalText;
  readonly high: DecimalText;
  readonly low: DecimalText;
  readonly close: DecimalText;
  /** In the base currency. */
  readonly volume: DecimalText;
  readonly quoteVolume: DecimalText;
  /** This and the next two are null where the exchange does not tell. */
  readonly tradeCount: number | null;
  readonly takerBuyVolume: DecimalText | null;
  readonly takerBuyQuoteVolume: DecimalText | null;
}

/** One page of klines: open times from `fromMs` up to, and without, `toMs`. */
export interface MinuteRequest {
  readonly symbol: FeedSymbol;
  readonly fromMs: number;
  readonly toMs: number;
  readonly signal: AbortSignal;
}

/** What {@link FeedAdapter.minutes} can do. */
export interface MinuteSource {
  /** The exchange gives at most so many in one answer; a request for more is refused with a RangeError. */
  readonly maxPerRequest: number;
  /** Between two requests, so that all of them together stay within the exchange's limits. */
  readonly requestGapMs: number;
  /**
   * Oldest first, each open time once.
   * @throws {DomainError} PROVIDER_UNAVAILABLE; `retryAfterSeconds` in its details when the exchange limits or bans us
   */
  fetch(endpoint: FeedEndpoint, log: Logger, request: MinuteRequest): Promise<ExchangeMinute[]>;
}

/** One exchange's protocol. */
export interface FeedAdapter {
  start(options: FeedOptions): Feed;
  /** All instruments of the market, by REST; why some are broken is logged. @throws {DomainError} PROVIDER_UNAVAILABLE */
  fetchInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList>;
  /** Past minutes, by REST; null where there are none. */
  readonly minutes: MinuteSource | null;
}
