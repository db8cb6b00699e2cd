import type { Bus } from "./bus/bus.js";
import type { Catalogue, DataProvider } from "./catalogue/catalogue.js";
import type { CatalogueFollower } from "./catalogue/follow.js";
import { ProviderStatusWriter } from "./catalogue/provider-status.js";
import { setSimulatorEndpoints } from "./catalogue/seed.js";
import { Closers } from "./core/closers.js";
import { describeError } from "./core/describe-error.js";
import type { Logger } from "./core/logger.js";
import type { Clock } from "./core/time.js";
import type { Tracer } from "./core/tracer.js";
import { uuidV7 } from "./core/uuid.js";
import type { Database } from "./db/connect.js";
import type { Leadership, Leaderships } from "./db/leadership.js";
import { adapterOf } from "./feeds/adapters.js";
import { BackFill } from "./feeds/back-fill.js";
import type { Simulator } from "./feeds/simulator/simulator.js";
import { endpointOf, FeedSupervisor, type ProviderAccess } from "./feeds/supervisor.js";
import type { MarketEvent } from "./market-data/events.js";
import type { LiveMarket } from "./market-data/live-market.js";
import type { QuoteBoard } from "./market-data/quotes.js";
import { closeForgottenOpportunities, MarketRecorder } from "./market-data/record-market.js";
import { CandleSeeder } from "./market-data/seed-candles.js";
import { publishQuotes, receiveQuotes } from "./market-data/share-quotes.js";
import { LivePublisher } from "./market-data/sharing/publish-live.js";
import { LiveReceiver } from "./market-data/sharing/receive-live.js";
import type { RejectedMessages } from "./market-data/sharing/rejected-messages.js";
import { tellLeader } from "./market-data/sharing/tell-leader.js";
import { MinuteStore } from "./market-data/store-minutes.js";
import { loadQuotes, QuoteWriter } from "./market-data/store-quotes.js";
import { feedMetrics, writerMetrics } from "./program-metrics.js";
import { FeedSpans } from "./telemetry/feed-spans.js";
import type { Metrics } from "./telemetry/metrics.js";

export interface FeedRoomOptions {
  /** Whether this node may lead the feeds; the others only hear what the leader tells. */
  readonly mayLead: boolean;
  readonly database: Database;
  readonly leaderships: Leaderships;
  readonly catalogue: Catalogue;
  readonly follower: CatalogueFollower;
  readonly quotes: QuoteBoard;
  readonly live: LiveMarket;
  /** Null: this node is the only one, or as good as. */
  readonly bus: Bus | null;
  readonly rejected: RejectedMessages;
  readonly access: ProviderAccess;
  readonly simulator: Pick<Simulator, "url" | "addresses"> | null;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly announce: (line: string) => void;
  readonly quoteFlushMs: number;
  readonly candleBackfillHours: number;
}

/** What a feed has told. */
type Heard = readonly [event: MarketEvent, provider: DataProvider];

/** The feeds while this node leads them. */
interface Led {
  /** What tells the other nodes. */
  readonly sharing: Closers;
  take(heard: Heard): void;
  readonly supervisor: FeedSupervisor;
  readonly writer: QuoteWriter;
  readonly recorder: MarketRecorder;
  readonly backFill: BackFill;
  readonly closers: Closers;
}

const measureEveryMs = 5_000;
/** The feeds of all providers go together: stand-ins, arbitrage and candles need them in one process. */
const leadershipName = "feeds";
const retryMs = 1_000;
/** Events that wait while it is not known who leads. With one more the feeds begin anew, because a hole is worse. */
const maxHeld = 50_000;

/**
 * The market data of this node. On one node of the installation the feeds run, and what they say goes to the others; there,
 * what it says comes in. When the leader is lost, a standby node goes on from what it has heard and from what is stored.
 */
export class FeedRoom {
  readonly #log: Logger;
  #leadership: Leadership | undefined;
  #led: Led | null = null;
  #stopReceiving: (() => void) | null = null;
  #work: Promise<void> = Promise.resolve();
  /** Of the feeds that ended last: the database may keep them waiting. */
  #ending: Promise<void> = Promise.resolve();
  #held: Heard[] = [];
  #hasHeldTooMuch = false;
  #retry: NodeJS.Timeout | undefined;
  #mayConnect = false;
  /** While what ran here ends because another node leads: its prices are live, whatever becomes of the connections here. */
  #isDeposed = false;
  #isClosed = false;

  private constructor(private readonly options: FeedRoomOptions) {
    this.#log = options.log.child({ room: "feeds" });
  }

  /** Fulfilled when it leads, or hears who does. Nothing is connected before `start`. */
  static async open(options: FeedRoomOptions): Promise<FeedRoom> {
    const room = new FeedRoom(options);
    options.metrics.add(...writerMetrics(() => room.#writers()));
    options.metrics.add(...feedMetrics(() => room.#led?.supervisor.measures() ?? []));
    room.#receive();
    if (!options.mayLead) return room;
    room.#leadership = options.leaderships.campaign(leadershipName, {
      onChange: () => room.#settle(),
      onConfirmed: () => room.#takeHeld(),
      // Prices are worth more than certainty: what is written twice is the same rows.
      outlivesDatabase: true,
    });
    try {
      await options.leaderships.look();
      await room.#work;
    } catch (error) {
      await room.close();
      throw error;
    }
    return room;
  }

  get isLeading(): boolean {
    return this.#led !== null && this.#leadership?.isLeading === true;
  }

  /** Null where the feeds are led by another node. */
  get supervisor(): FeedSupervisor | null {
    return this.isLeading ? (this.#led?.supervisor ?? null) : null;
  }

  /** Null where the feeds are led by another node. */
  get backFill(): BackFill | null {
    return this.isLeading ? (this.#led?.backFill ?? null) : null;
  }

  /** From now on exchanges are connected while this node leads. */
  start(): void {
    this.#mayConnect = true;
    this.#led?.supervisor.start();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#work;
    await this.#end();
    await this.#ending;
    this.#stopReceiving?.();
    this.#stopReceiving = null;
    // Last, so that a successor begins when everything is stored.
    await this.#leadership?.resign();
  }

  #writers(): ReturnType<Parameters<typeof writerMetrics>[0]> {
    return this.#led === null ? {} : { quotes: this.#led.writer.stats, ...this.#led.recorder.stats };
  }

  /** Brings about what the leadership asks for, one change after the other. */
  #settle(): void {
    clearTimeout(this.#retry);
    this.#work = this.#work.then(async () => {
      if (this.#isClosed) return;
      const isHeld = this.#leadership?.isHeld === true;
      this.#isDeposed = !isHeld;
      try {
        if (this.#led !== null && (!isHeld || this.#hasHeldTooMuch)) {
          await this.#end();
          if (!isHeld) this.#receive();
        }
        if (isHeld && this.#led === null) await this.#begin();
      } catch (error) {
        this.#log.error({ err: describeError(error) }, "feeds.not-begun");
        this.#retry = setTimeout(() => this.#settle(), retryMs);
      }
    });
  }

  async #begin(): Promise<void> {
    const { database, catalogue, follower, quotes, live, simulator, log, clock } = this.options;
    const closers = new Closers();
    const sharing = new Closers();
    try {
      await this.#ending;
      if (simulator !== null) {
        await setSimulatorEndpoints(database, simulator.addresses);
        await follower.refreshAll("data_providers");
      }
      this.#stopReceiving?.();
      this.#stopReceiving = null;
      quotes.goOn(await loadQuotes(database));
      const recorder = new MarketRecorder(live, database, log.child({ room: "market-data" }));
      closers.add("series", () => recorder.close());
      closers.add("candles", () => {
        live.flushCandles();
        // Another node goes on with them; what is here would be out of date when this one leads again.
        for (const { id } of catalogue.symbols) live.builder.forget(id);
      });
      closers.add("sharing", () => sharing.close());
      this.#publish(sharing);
      await closeForgottenOpportunities(database, clock.nowMs());
      const take = ([event, provider]: Heard): void => {
        live.take(event, provider);
        recorder.take(event);
      };
      const led = { ...(await this.#startFeeds(take, recorder, closers)), recorder, sharing, closers, take };
      this.#led = led;
      if (this.#mayConnect) led.supervisor.start();
      log.info({ term: this.#leadership?.term }, "feeds.led-here");
    } catch (error) {
      await closers.close();
      this.#receive();
      throw error;
    }
  }

  /**
   * Fulfilled when it tells the others nothing more. What is still to be stored takes as long as the database takes, for which a
   * node that another one leads would have no prices.
   */
  async #end(): Promise<void> {
    const led = this.#led;
    this.#led = null;
    this.#held = [];
    this.#hasHeldTooMuch = false;
    if (led === null) return;
    if (this.#isDeposed) await led.sharing.close();
    this.#ending = led.closers.close().catch((error: unknown) => {
      this.#log.error({ err: describeError(error) }, "feeds.not-ended");
    });
    if (!this.#isDeposed) await this.#ending;
  }

  /** What came while it was not known who leads, now that it is this node. */
  #takeHeld(): void {
    for (const heard of this.#held.splice(0)) this.#led?.take(heard);
  }

  #hold(heard: Heard): void {
    if (this.#hasHeldTooMuch) return;
    if (this.#held.push(heard) <= maxHeld) return;
    this.#held = [];
    this.#hasHeldTooMuch = true;
    this.#log.warn({ limit: maxHeld }, "feeds.held-too-much");
    this.#settle();
  }

  #publish(closers: Closers): void {
    const { bus, quotes, live, catalogue, clock, rejected } = this.options;
    if (bus === null) return;
    const sharing = { quotes, live, catalogue, bus, clock, rejected, board: quotes };
    if (this.#leadership !== undefined) closers.add("leader", tellLeader(bus, this.#leadership, rejected));
    closers.add("shared quotes", publishQuotes(sharing, clock));
    const publisher = new LivePublisher(sharing, uuidV7(clock.nowMs()));
    closers.add("shared markets", () => publisher.close());
  }

  #receive(): void {
    const { bus, quotes, live, catalogue, clock, rejected } = this.options;
    if (bus === null || this.#isClosed) return;
    const sharing = { quotes, live, catalogue, bus, clock, rejected, board: quotes };
    const stopQuotes = receiveQuotes(sharing, rejected);
    const receiver = new LiveReceiver(sharing);
    this.#stopReceiving = () => {
      stopQuotes();
      receiver.close();
    };
  }

  async #startFeeds(
    take: Led["take"],
    recorder: MarketRecorder,
    closers: Closers,
  ): Promise<Pick<Led, "supervisor" | "writer" | "backFill">> {
    const { database, catalogue, quotes, live, access, clock, log, announce, random, tracer } = this.options;
    const seeder = new CandleSeeder(live, catalogue, database, clock, log.child({ room: "market-data" }));
    closers.add("candle seeds", () => seeder.close());
    await seeder.ready;
    const writer = new QuoteWriter(quotes, database, this.options.quoteFlushMs, log.child({ room: "market-data" }));
    closers.add("quote writer", () => writer.close());
    const statuses = new ProviderStatusWriter(database, clock, log.child({ room: "catalogue" }));
    closers.add("provider status", () => statuses.close());
    const spans = new FeedSpans(tracer);
    closers.add("feed spans", () => spans.close());
    let backFill: BackFill | undefined;
    const isHeld = () => this.#leadership?.isHeld === true;
    const supervisor = new FeedSupervisor({
      catalogue,
      clock,
      log: this.#log,
      random,
      access,
      onRejected: (provider, count, detail) => {
        if (isHeld()) statuses.errorsSeen(provider, count, detail);
      },
      onEvent: (event, provider) => {
        // Not known who leads: another node may have told newer prices. Nobody leads any more: it has.
        if (this.#leadership?.isLeading === true) take([event, provider]);
        else if (isHeld()) this.#hold([event, provider]);
      },
      onStatus: (provider, status, detail) => {
        if (isHeld()) statuses.statusChanged(provider, status, detail);
        backFill?.statusChanged(provider, status);
        spans.statusChanged(provider.code, status, detail);
        // CONNECTING comes before any message; every other state than CONNECTED means that messages stopped.
        if (status !== "CONNECTED" && status !== "CONNECTING" && !this.#isDeposed)
          quotes.markStale((quote) => quote.providerId === provider.id);
        log.info({ provider: provider.code, status, detail }, "feed.status");
        announce(
          `feed ${provider.code}: ${status}${detail === null ? "" : ` (${detail})`}${status === "RECONNECTING" ? "; trying again" : ""}`,
        );
      },
    });
    closers.add("feeds", () => supervisor.close());
    backFill = this.#startBackFill(supervisor, recorder, closers);
    const measuring = setInterval(() => {
      if (!isHeld()) return;
      for (const { provider, lastMessageAtMs, messagesPerSecond } of supervisor.states())
        statuses.measured(provider, lastMessageAtMs, messagesPerSecond);
    }, measureEveryMs);
    closers.add("provider measures", () => clearInterval(measuring));
    return { supervisor, writer, backFill };
  }

  #startBackFill(supervisor: FeedSupervisor, recorder: MarketRecorder, closers: Closers): BackFill {
    const { database, catalogue, live, access, clock, log, random, candleBackfillHours } = this.options;
    const backFill = new BackFill({
      catalogue,
      keeper: new MinuteStore(live, recorder, database, clock, log.child({ room: "market-data" })),
      servingOf: (symbolId): DataProvider | undefined => supervisor.servingOf(symbolId),
      sourceOf: (provider) => {
        const source = adapterOf(provider, catalogue.market(provider.marketId).code)?.minutes ?? null;
        const endpoint = endpointOf(provider, access);
        return source === null || endpoint === null ? null : { source, endpoint };
      },
      depthMs: candleBackfillHours * 60 * 60_000,
      clock,
      log: this.#log,
      random,
    });
    // Before the feeds end, so that what they have brought counts.
    closers.add("back-fill", () => backFill.close());
    const stopListening = live.onTooLate((trade) => backFill.tradeTooLate(trade.symbolId, trade.exchangeTimeMs));
    closers.add("late trades", stopListening);
    return backFill;
  }
}
