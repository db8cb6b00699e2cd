import type { ProviderCredentials } from "../catalogue/provider-credentials.js";
import type { InstrumentList } from "../catalogue/sync-symbols.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { MarketEvent } from "../market-data/events.js";
import type { ExchangeMinute } from "../market-data/exchange-minutes.js";
import type { BookKeeperStats } from "./order-books/keeper.js";

export type { ExchangeMinute };

/** State of a provider's connection, as in the API's `ConnectionStatus`. */
export type ConnectionStatus = "DISCONNECTED" | "CONNECTING" | "CONNECTED" | "RECONNECTING" | "STALE" | "ERROR";

/** A symbol as a feed needs it. The list given to a feed is in broadcast order: the first is served first. */
export interface FeedSymbol {
  readonly id: number;
  /** The exchange's own name for it, e.g. "BTCUSDT". */
  readonly ticker: string;
}

/** What a provider's requests are counted by. */
export interface RequestBudget {
  /** Counts a request that is about to be made. @throws {DomainError} PROVIDER_UNAVAILABLE when no more are allowed */
  take(): void;
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
  /** Every REST request takes from it, as `rest.ts` does; without one nothing is counted. */
  readonly budget?: RequestBudget;
  /** Where the provider asks who we are. */
  readonly credentials?: ProviderCredentials | null;
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
  /** Older minutes are refused; absent where they are not. */
  readonly maxAgeMs?: number;
  /**
   * Only minutes that are over may be asked for. Broken entries are left out and logged. Oldest first, each open time once.
   * @throws {DomainError} PROVIDER_UNAVAILABLE; in its details `retryAfterSeconds` when the exchange limits or bans us,
   * and `status` when it has answered: 404 where it has no klines at all
   */
  fetch(endpoint: FeedEndpoint, log: Logger, request: MinuteRequest): Promise<ExchangeMinute[]>;
}

/** One exchange's protocol. */
export interface FeedAdapter {
  start(options: FeedOptions): Feed;
  /** False where there is no list to fetch; left out: there is one. */
  readonly listsInstruments?: boolean;
  /** All instruments of the market, by REST; why some are broken is logged. @throws {DomainError} PROVIDER_UNAVAILABLE */
  fetchInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList>;
  /** Past minutes, by REST; null where there are none. */
  readonly minutes: MinuteSource | null;
}
