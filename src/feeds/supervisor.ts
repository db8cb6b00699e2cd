import type { Catalogue, DataProvider } from "../catalogue/catalogue.js";
import { isMarketOpen } from "../catalogue/market-status.js";
import type { ProviderCredentials } from "../catalogue/provider-credentials.js";
import { Histogram } from "../core/histogram.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { MarketEvent } from "../market-data/events.js";
import { adapterOf } from "./adapters.js";
import { ProviderHealth, servingProvider } from "./failover.js";
import type { ConnectionStatus, Feed, FeedAdapter, FeedEndpoint, FeedSymbol, RequestBudget } from "./feed.js";

/** How far providers may be used: what the rooms that know the database decide. */
export interface ProviderAccess {
  /** Why the provider must not be used now; null while it may. Asked every second. */
  refusal(provider: DataProvider): string | null;
  budgetOf(provider: DataProvider): RequestBudget;
  /** Null when it has none, or when they cannot be opened here, which is a refusal where feeds run. */
  credentialsOf(provider: DataProvider): ProviderCredentials | null;
}

export interface FeedSupervisorOptions {
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly onEvent: (event: MarketEvent, provider: DataProvider) => void;
  readonly onStatus: (provider: DataProvider, status: ConnectionStatus, detail: string | null) => void;
  /** Frames were rejected since it was last told. */
  readonly onRejected?: (provider: DataProvider, count: number, detail: string) => void;
  /** Without it every provider may be used, and nothing is counted. */
  readonly access?: ProviderAccess;
  /** In place of the program's own; for tests. */
  readonly adapterOf?: (provider: DataProvider, marketCode: string) => FeedAdapter | undefined;
}

interface RunningFeed {
  readonly feed: Feed;
  /** What the feed was started with; another endpoint takes another feed. */
  readonly endpointText: string;
  status: ConnectionStatus;
  detail: string | null;
  /** Message counts of the last seconds, one per tick, newest last. */
  readonly counts: number[];
  lastMessageAtMs: number | null;
  /** How many of its rejected frames were told. */
  rejectedTold: number;
}

export interface FeedState {
  readonly provider: DataProvider;
  readonly status: ConnectionStatus;
  readonly detail: string | null;
  /** How many it serves now: none while another provider stands in for it. */
  readonly symbols: number;
  /** To the second; null before the first. */
  readonly lastMessageAtMs: number | null;
  readonly messagesPerSecond: number;
}

/** What a feed of this process has done since it was started. */
export interface FeedMeasures {
  readonly provider: DataProvider;
  readonly status: ConnectionStatus;
  readonly messagesPerSecond: number;
  readonly messages: number;
  readonly rejected: number;
  readonly reconnects: number;
  /** From the exchange's time to ours, by its clock and ours, in milliseconds; of what it tells with a time. */
  readonly lag: Histogram;
}

/** From a neighbour of the exchange to what is delayed by law. */
const lagBoundsMs = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 1_800_000];

const tickMs = 1_000;
/** Window of {@link FeedSupervisor.messagesPerSecond}, in ticks. */
const rateWindow = 10;

/** The resolved connection settings of a provider, or null where it has none. */
export function endpointOf(provider: DataProvider, access?: ProviderAccess): FeedEndpoint | null {
  if (provider.websocketUrl === null && provider.feedType === "WEBSOCKET") return null;
  return {
    code: provider.code,
    websocketUrl: provider.websocketUrl ?? "",
    backupWebsocketUrl: provider.backupWebsocketUrl,
    endpointUrl: provider.endpointUrl,
    timeoutMs: provider.timeoutMs,
    retryDelayMs: provider.retryDelayMs,
    staleAfterMs: provider.staleAfterMs,
    rateLimitPerMinute: provider.rateLimitPerMinute,
    ...(access === undefined ? {} : { budget: access.budgetOf(provider), credentials: access.credentialsOf(provider) }),
  };
}

/**
 * Keeps one feed running for every provider that serves tracked symbols, and lets each follow the catalogue: a symbol that
 * becomes tracked is subscribed on the open connection, a changed endpoint gets a new connection. When a provider is out,
 * the market's next one by priority stands in for it until it is back; only the one that serves a symbol is listened to.
 */
export class FeedSupervisor {
  readonly #running = new Map<number, RunningFeed>();
  readonly #health: ProviderHealth;
  /** The endpoints of those that were stopped because nothing was left for them: another one is worth another try. */
  readonly #restingEndpoints = new Map<number, string>();
  /** Which provider's events of a symbol count now, by symbol id. */
  #serving = new Map<number, number>();
  /** Why a provider that has symbols must not be used, by its id. */
  readonly #refusals = new Map<number, string>();
  /** By provider; it goes on when the feed is started anew. */
  readonly #lags = new Map<number, Histogram>();
  #stopFollowing: (() => void) | undefined;
  #ticks: NodeJS.Timeout | undefined;
  #pending: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(private readonly options: FeedSupervisorOptions) {
    this.#health = new ProviderHealth(options.clock);
  }

  /** Nothing is connected before. */
  start(): void {
    this.#stopFollowing = this.options.catalogue.onChange(({ table }) => {
      if (table === "symbols" || table === "markets" || table === "data_providers") this.#follow();
    });
    this.#ticks = setInterval(() => this.#tick(), tickMs);
    this.#reconcile();
  }

  /** The feeds of this process, and the providers that would be among them if they might be used. */
  states(): FeedState[] {
    const served = new Map<number, number>();
    for (const providerId of this.#serving.values()) served.set(providerId, (served.get(providerId) ?? 0) + 1);
    const running = [...this.#running].flatMap(([providerId, { status, detail, lastMessageAtMs }]): FeedState[] => {
      const provider = this.options.catalogue.findProvider(providerId);
      const messagesPerSecond = this.messagesPerSecond(providerId) ?? 0;
      const symbols = served.get(providerId) ?? 0;
      return provider === undefined ? [] : [{ provider, status, detail, symbols, lastMessageAtMs, messagesPerSecond }];
    });
    return [...running, ...this.#refusedStates()];
  }

  measures(): FeedMeasures[] {
    return [...this.#running].flatMap(([providerId, { feed, status }]) => {
      const provider = this.options.catalogue.findProvider(providerId);
      if (provider === undefined) return [];
      const { messages, rejected, reconnects } = feed.stats;
      const rejectedCount = [...rejected.values()].reduce((a, b) => a + b, 0);
      const messagesPerSecond = this.messagesPerSecond(providerId) ?? 0;
      const lag = this.#lagOf(providerId);
      return [{ provider, status, messagesPerSecond, messages, rejected: rejectedCount, reconnects, lag }];
    });
  }

  #lagOf(providerId: number): Histogram {
    const lag = this.#lags.get(providerId) ?? new Histogram(lagBoundsMs);
    this.#lags.set(providerId, lag);
    return lag;
  }

  /** Whose events of the symbol count now. */
  servingOf(symbolId: number): DataProvider | undefined {
    const providerId = this.#serving.get(symbolId);
    return providerId === undefined ? undefined : this.options.catalogue.findProvider(providerId);
  }

  /** Mean of the last ten seconds; null when this process does not feed the provider. */
  messagesPerSecond(providerId: number): number | null {
    const counts = this.#running.get(providerId)?.counts;
    if (counts === undefined) return null;
    const [first = 0] = counts;
    return counts.length < 2 ? 0 : ((counts.at(-1) ?? 0) - first) / (counts.length - 1);
  }

  /** Number of messages since start; null when this process does not feed the provider. */
  messagesOf(providerId: number): number | null {
    return this.#running.get(providerId)?.feed.stats.messages ?? null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopFollowing?.();
    clearInterval(this.#ticks);
    clearImmediate(this.#pending);
    for (const { provider } of this.#refusedStates()) this.options.onStatus(provider, "DISCONNECTED", null);
    await Promise.all([...this.#running.keys()].map((id) => this.#stop(id)));
  }

  /** Several changes of one turn are followed together. */
  #follow(): void {
    if (this.#closed) return;
    this.#pending ??= setImmediate(() => {
      this.#pending = undefined;
      this.#reconcile();
    });
  }

  #reconcile(): void {
    const { catalogue, access } = this.options;
    this.#askForRefusals();
    const wanted = this.#assign();
    for (const provider of catalogue.providers) {
      const adapter = this.#adapterOf(provider);
      const endpoint = provider.isActive ? endpointOf(provider, access) : null;
      const symbols = wanted.get(provider.id) ?? [];
      const running = this.#running.get(provider.id);
      // Credentials do not show in the endpoint's text, and their sealed form does not show what they are.
      const { sealedApiKey, sealedApiSecret, sealedPassphrase } = provider;
      const endpointText = JSON.stringify([endpoint, sealedApiKey, sealedApiSecret, sealedPassphrase]);
      if ((this.#restingEndpoints.get(provider.id) ?? endpointText) !== endpointText) this.#forget(provider.id);
      if (this.#refusals.has(provider.id) || adapter === undefined || endpoint === null) {
        if (running !== undefined) void this.#stop(provider.id);
      } else if (symbols.length === 0) {
        if (running !== undefined) this.#rest(provider.id, running);
      } else if (running?.endpointText === endpointText) {
        running.feed.setSymbols(symbols);
      } else {
        if (running !== undefined) void this.#stop(provider.id);
        this.#start(provider, symbols, adapter, endpoint, endpointText);
      }
    }
    for (const id of this.#running.keys()) {
      if (catalogue.findProvider(id) === undefined) void this.#stop(id);
    }
  }

  /** Decides who serves what, and returns the symbols that each provider has to watch: its own, and those it stands in for. */
  #assign(): Map<number, FeedSymbol[]> {
    const { catalogue, log } = this.options;
    const before = this.#serving;
    const wanted = new Map<number, FeedSymbol[]>();
    const want = (providerId: number, symbols: readonly FeedSymbol[]) =>
      wanted.set(providerId, [...(wanted.get(providerId) ?? []), ...symbols]);
    this.#serving = new Map();
    for (const provider of catalogue.providers) {
      const symbols = catalogue.trackedSymbolsOf(provider.id);
      if (symbols.length === 0) continue;
      const serving = this.#servingOf(provider);
      want(provider.id, symbols);
      if (serving !== provider) want(serving.id, symbols);
      for (const symbol of symbols) this.#serving.set(symbol.id, serving.id);
      const servedBefore = before.get(symbols[0]?.id ?? 0) ?? provider.id;
      if (servedBefore !== serving.id)
        log.warn({ provider: provider.code, serving: serving.code }, "feed.serving-changed");
    }
    this.#loseBooks(before);
    return wanted;
  }

  /** A book that nobody keeps any more must not stay as if it were alive; whoever serves the symbol now sends its own. */
  #loseBooks(before: ReadonlyMap<number, number>): void {
    const { catalogue, clock, onEvent } = this.options;
    for (const [symbolId, providerId] of before) {
      const provider = catalogue.findProvider(providerId);
      if (provider === undefined || this.#serving.get(symbolId) === providerId) continue;
      onEvent({ kind: "orderBookLost", symbolId, reason: "disconnected", receivedAtMs: clock.nowMs() }, provider);
    }
  }

  #refusedStates(): FeedState[] {
    return [...this.#refusals].flatMap(([providerId, detail]) => {
      const provider = this.options.catalogue.findProvider(providerId);
      if (provider === undefined || this.options.catalogue.trackedSymbolsOf(providerId).length === 0) return [];
      return [{ provider, status: "ERROR", detail, symbols: 0, lastMessageAtMs: null, messagesPerSecond: 0 }];
    });
  }

  #servingOf(provider: DataProvider): DataProvider {
    return servingProvider(provider, this.#standIns(provider), {
      isOut: (id) => this.#refusals.has(id) || this.#health.isOut(id),
    });
  }

  /** Learns who must not be used, and tells it. */
  #askForRefusals(): void {
    const { catalogue, onStatus } = this.options;
    for (const provider of catalogue.providers) {
      const refusal = this.#refusalOf(provider);
      if (refusal === (this.#refusals.get(provider.id) ?? null)) continue;
      if (refusal === null) {
        this.#refusals.delete(provider.id);
        onStatus(provider, "DISCONNECTED", null);
        continue;
      }
      this.#refusals.set(provider.id, refusal);
      if (this.#running.has(provider.id)) void this.#stop(provider.id);
      else onStatus(provider, "ERROR", refusal);
    }
  }

  #refusalOf(provider: DataProvider): string | null {
    return provider.isActive ? (this.options.access?.refusal(provider) ?? null) : null;
  }

  /** Providers of the same market by priority. Invented prices never stand in for real ones, nor the other way round. */
  #standIns(provider: DataProvider): DataProvider[] {
    const isSimulated = provider.providerType === "SIMULATED";
    return this.options.catalogue.providers.filter(
      (other) =>
        other.marketId === provider.marketId &&
        other.isActive &&
        (other.providerType === "SIMULATED") === isSimulated &&
        endpointOf(other) !== null &&
        this.#adapterOf(other) !== undefined,
    );
  }

  #adapterOf(provider: DataProvider): FeedAdapter | undefined {
    const find = this.options.adapterOf ?? adapterOf;
    return find(provider, this.options.catalogue.market(provider.marketId).code);
  }

  #start(
    provider: DataProvider,
    symbols: readonly FeedSymbol[],
    adapter: FeedAdapter,
    endpoint: FeedEndpoint,
    endpointText: string,
  ): void {
    const { catalogue, clock, log, random, onEvent, onStatus } = this.options;
    let running: RunningFeed | undefined;
    const lag = this.#lagOf(provider.id);
    let early: { status: ConnectionStatus; detail: string | null } | undefined;
    const feed = adapter.start({
      endpoint,
      symbols,
      clock,
      log,
      random,
      isMarketOpen: () => isMarketOpen(catalogue, provider.marketId, clock.nowMs()),
      onEvent: (event) => {
        if ("exchangeTimeMs" in event && event.exchangeTimeMs !== null)
          lag.observe(event.receivedAtMs - event.exchangeTimeMs);
        if (this.#serving.get(event.symbolId) === provider.id) onEvent(event, provider);
      },
      onStatus: (status, detail) => {
        this.#health.statusChanged(provider.id, status);
        // A stand-in takes over at once, not at the next tick.
        if (status === "STALE") this.#follow();
        if (running === undefined) early = { status, detail };
        else Object.assign(running, { status, detail });
        onStatus(provider, status, detail);
      },
    });
    running = {
      feed,
      endpointText,
      counts: [],
      lastMessageAtMs: null,
      rejectedTold: 0,
      status: early?.status ?? "CONNECTING",
      detail: early?.detail ?? null,
    };
    this.#running.set(provider.id, running);
  }

  /** Nothing is left for it; what is known of its health is kept. */
  #rest(providerId: number, { endpointText }: RunningFeed): void {
    this.#health.rest(providerId);
    this.#restingEndpoints.set(providerId, endpointText);
    void this.#close(providerId);
  }

  #forget(providerId: number): void {
    this.#health.forget(providerId);
    this.#restingEndpoints.delete(providerId);
  }

  async #stop(providerId: number): Promise<void> {
    this.#forget(providerId);
    await this.#close(providerId);
  }

  async #close(providerId: number): Promise<void> {
    const running = this.#running.get(providerId);
    this.#running.delete(providerId);
    await running?.feed.close();
    const provider = this.options.catalogue.findProvider(providerId);
    if (provider === undefined || this.#running.has(providerId)) return;
    const refusal = this.#closed ? undefined : this.#refusals.get(providerId);
    this.options.onStatus(provider, refusal === undefined ? "DISCONNECTED" : "ERROR", refusal ?? null);
  }

  #tick(): void {
    // Who is out, and whose month is over, also depends on time, so it is asked each second.
    if (this.#isServingOutdated()) this.#reconcile();
    for (const [providerId, running] of this.#running) {
      this.#measure(running);
      this.#tellRejected(providerId, running);
    }
  }

  #isServingOutdated(): boolean {
    const { catalogue } = this.options;
    for (const provider of catalogue.providers) {
      if ((this.#refusalOf(provider) !== null) !== this.#refusals.has(provider.id)) return true;
      const [symbol] = catalogue.trackedSymbolsOf(provider.id);
      if (symbol !== undefined && this.#serving.get(symbol.id) !== this.#servingOf(provider).id) return true;
    }
    return false;
  }

  #measure(running: RunningFeed): void {
    const { counts } = running;
    const { messages } = running.feed.stats;
    if (messages > (counts.at(-1) ?? 0)) running.lastMessageAtMs = this.options.clock.nowMs();
    counts.push(messages);
    if (counts.length > rateWindow + 1) counts.shift();
  }

  #tellRejected(providerId: number, running: RunningFeed): void {
    const { rejected } = running.feed.stats;
    let total = 0;
    for (const count of rejected.values()) total += count;
    const news = total - running.rejectedTold;
    const provider = this.options.catalogue.findProvider(providerId);
    if (news === 0 || provider === undefined) return;
    running.rejectedTold = total;
    const kinds = [...rejected].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`);
    this.options.onRejected?.(provider, news, `rejected frames since the start: ${kinds.join(", ")}`);
  }
}
