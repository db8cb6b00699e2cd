import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname } from "node:os";
import type { Bus } from "./bus/bus.js";
import { joinNats } from "./bus/nats.js";
import { Catalogue } from "./catalogue/catalogue.js";
import { followCatalogue } from "./catalogue/follow.js";
import { MarketStatusWatch } from "./catalogue/market-status-watch.js";
import { type CatalogueOperations, type RecordOperation, setMarketStatus, updateSymbol } from "./catalogue/operate.js";
import { requireCredentialsOpen } from "./catalogue/provider-credentials.js";
import { ProviderStatusWriter } from "./catalogue/provider-status.js";
import { requireSeeded, seedReferenceData, setSimulatorEndpoints } from "./catalogue/seed.js";
import type { Config } from "./config.js";
import { Closers } from "./core/closers.js";
import { errorCode, errorMessage, StartError } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { type Clock, systemClock } from "./core/time.js";
import { noTracer, type Tracer } from "./core/tracer.js";
import { uuidV7 } from "./core/uuid.js";
import { connect, type Database, type DatabaseAddress, describeAddress, waitForDatabase } from "./db/connect.js";
import { openEmbeddedDatabase } from "./db/embedded-database.js";
import { migrate, pendingMigrations, readMigrations } from "./db/migrations.js";
import { openKeyRing } from "./encryption-keys.js";
import { adapterOf } from "./feeds/adapters.js";
import { BackFill } from "./feeds/back-fill.js";
import { parseRecording, type RecordedEntry } from "./feeds/simulator/recording.js";
import { type Simulator, startSimulator } from "./feeds/simulator/simulator.js";
import { endpointOf, FeedSupervisor, type ProviderAccess } from "./feeds/supervisor.js";
import type { ApiServices } from "./graphql/context.js";
import { type Health, type HealthCheck, overallStatus } from "./graphql/health.js";
import { RequestLimits } from "./graphql/request-limits.js";
import { buildSchema } from "./graphql/schema.js";
import { type ApiServer, explainListenError, startServer } from "./graphql/server.js";
import { shareLimits } from "./graphql/share-limits.js";
import { dropAuditEvents } from "./jobs/drop-audit-events.js";
import { dropExpiredCredentials } from "./jobs/drop-expired-credentials.js";
import { dropOldSeries } from "./jobs/drop-old-series.js";
import { dropToldEvents } from "./jobs/drop-told-events.js";
import { forgetSignIns } from "./jobs/forget-sign-ins.js";
import { LockTurns } from "./jobs/job-turns.js";
import { Jobs, maxJobsAtOnce } from "./jobs/jobs.js";
import { purgeClosedUsers } from "./jobs/purge-closed-users.js";
import { readJobs } from "./jobs/read-jobs.js";
import { rotateKeys } from "./jobs/rotate-keys.js";
import { snapshotBalances } from "./jobs/snapshot-balances.js";
import { syncAllInstruments, syncInstruments } from "./jobs/sync-instruments.js";
import { watchAccountSync } from "./jobs/watch-account-sync.js";
import { watchBackFill } from "./jobs/watch-back-fill.js";
import { LiveMarket } from "./market-data/live-market.js";
import { QuoteBoard } from "./market-data/quotes.js";
import { closeForgottenOpportunities, MarketRecorder } from "./market-data/record-market.js";
import { searchSymbols } from "./market-data/search-symbols.js";
import { CandleSeeder } from "./market-data/seed-candles.js";
import { SeriesReader } from "./market-data/series/series-reader.js";
import { publishQuotes, receiveQuotes } from "./market-data/share-quotes.js";
import { LivePublisher, type LiveSharing } from "./market-data/sharing/publish-live.js";
import { LiveReceiver } from "./market-data/sharing/receive-live.js";
import { RejectedMessages } from "./market-data/sharing/rejected-messages.js";
import { watchStaleness } from "./market-data/staleness.js";
import { MinuteStore } from "./market-data/store-minutes.js";
import { loadQuotes, QuoteWriter } from "./market-data/store-quotes.js";
import { readAudit, recordOperation } from "./people/audit.js";
import type { Authenticator } from "./people/authenticator.js";
import { openDashboards } from "./people/dashboards.js";
import type { Mailer } from "./people/mail.js";
import { openPeople } from "./people-access.js";
import { readPersistedOperations } from "./persisted-operations.js";
import {
  databaseMetrics,
  feedMetrics,
  jobMetrics,
  programMetrics,
  serverMetrics,
  writerMetrics,
} from "./program-metrics.js";
import { openProviderAccess } from "./provider-access.js";
import { FeedSpans } from "./telemetry/feed-spans.js";
import { Metrics } from "./telemetry/metrics.js";
import { listenForMetrics, MetricsEndpoint } from "./telemetry/metrics-endpoint.js";
import { accountsOf, setInactive } from "./trading/accounts.js";
import { openTrading } from "./trading-room.js";
import { programVersion } from "./version.js";

/** What a test replaces. */
export interface Overrides {
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Used in place of the embedded server and DATABASE_URL. */
  readonly database?: DatabaseAddress;
  /** Used in place of the simulated exchange that the program would start. */
  readonly exchange?: { readonly url: string; readonly websocketUrl: string };
  /** Used in place of SMTP, or of printing. */
  readonly mailer?: Mailer;
  /** Between two comparisons of an account with its exchange. */
  readonly accountSyncMs?: number;
}

export interface App {
  /** Null without the api role. */
  readonly url: string | null;
  readonly database: string;
  readonly simulator: string | null;
  readonly catalogue: Catalogue;
  readonly quotes: QuoteBoard;
  readonly live: LiveMarket;
  /** Closes everything in reverse order: streams, requests, feeds, pending writes, the database. */
  close(): Promise<void>;
  /** What is being closed now. */
  readonly closing: string | null;
}

const healthMaxAgeMs = 1_000;
const healthTimeoutMs = 2_000;

/**
 * Builds the whole program in order. If a step fails, what was started is closed before the error leaves.
 * `announce` is told, in words for people, what a person at the terminal wants to know while it runs.
 */
export async function startApp(
  config: Config,
  log: Logger,
  announce: (line: string) => void = () => {},
  overrides: Overrides = {},
): Promise<App> {
  const closers = new Closers();
  try {
    return await build(config, log, announce, overrides, closers);
  } catch (error) {
    await closers.close().catch((closing: unknown) => log.error({ err: closing }, "start.cleanup-failed"));
    throw error;
  }
}

async function build(
  config: Config,
  log: Logger,
  announce: (line: string) => void,
  overrides: Overrides,
  closers: Closers,
): Promise<App> {
  const clock = overrides.clock ?? systemClock;
  const startedAtMs = clock.nowMs();
  const { roles, mode } = config;
  if (roles.has("api") && config.port !== 0) await requireFreePort(config);

  const tracer = await openTracing(config, log, closers);
  const address = overrides.database ?? (await openDatabase(config, log, closers));
  if (config.autoMigrate)
    await prepareDatabase(
      config,
      "url" in address && config.migrationDatabaseUrl ? { url: config.migrationDatabaseUrl } : address,
      log,
    );
  const database = connect({
    address,
    role: config.databaseRole,
    poolSize: config.databasePoolSize,
    applicationName: "tradegraph",
    tracer,
  });
  closers.add("database pool", () => database.close());
  await waitForDatabase(database, address, config.databaseWaitMs, log);
  await requireMigrated(database);
  await requireSeeded(database, mode);

  // Now, because credentials may be set while the program runs.
  const keyRing = await openKeyRing(config, { create: overrides.database === undefined });
  if (roles.has("feed")) await requireCredentialsOpen(database, keyRing);

  const simulator = await openSimulator(config, log, clock, overrides, closers);
  if (simulator !== null) await setSimulatorEndpoints(database, simulator.addresses);

  const catalogue = new Catalogue();
  const metrics = new Metrics();
  metrics.add(...programMetrics(programVersion, catalogue), ...databaseMetrics(database));
  const follower = await followCatalogue(database, catalogue, log.child({ room: "catalogue" }));
  closers.add("catalogue", () => follower.close());
  const quotes = new QuoteBoard(clock);
  quotes.restore(await loadQuotes(database), roles.has("feed"));
  closers.add("staleness watch", watchStaleness(quotes, catalogue, clock));
  const live = new LiveMarket({ catalogue, quotes, clock, newId: () => uuidV7(clock.nowMs()) });
  const recorder = roles.has("feed") ? new MarketRecorder(live, database, log.child({ room: "market-data" })) : null;
  if (recorder !== null) closers.add("series", () => recorder.close());
  closers.add("live market", () => live.close());

  // Apart from the pool, which they could otherwise hold all of while their work waits for it. Opened when they are needed.
  const turns = connect({
    address,
    role: config.databaseRole,
    poolSize: maxJobsAtOnce,
    applicationName: "tradegraph jobs",
  });
  closers.add("turns of jobs", () => turns.close());
  const jobs = new Jobs({
    database,
    turns: new LockTurns(turns),
    node: `${hostname()}#${process.pid}`.slice(-80),
    log: log.child({ room: "jobs" }),
  });
  metrics.add(...jobMetrics(() => jobs.states));

  // Before the feeds, so that it is there until they have said that they are gone.
  const bus = joinBus(config, log, closers);
  const rejected = new RejectedMessages(log.child({ room: "bus" }));
  if (bus !== null) shareMarkets(roles.has("feed"), { quotes, live, catalogue, bus, clock, rejected }, closers);

  const access = openProviderAccess(database, catalogue, keyRing, clock, log.child({ room: "catalogue" }));
  closers.add("provider usage", () => access.close());
  const feeds =
    recorder !== null
      ? await startFeeds(
          config,
          log,
          clock,
          overrides,
          announce,
          { database, catalogue, quotes, live, recorder, access, metrics, tracer, jobs },
          closers,
        )
      : null;
  if (roles.has("worker")) {
    jobs.add(
      dropOldSeries(database),
      snapshotBalances(database),
      dropToldEvents(database, clock),
      dropExpiredCredentials(database, clock),
      dropAuditEvents(database, clock, config.auditRetentionDays),
      ...(keyRing === null ? [] : [rotateKeys(database, keyRing)]),
    );
  }

  const record: RecordOperation = (tx, actor, action, target, details) =>
    recordOperation(tx, clock, { action, actor, target, details });
  const dependencies = { database, catalogue, follower, clock, record };
  const operations: CatalogueOperations = {
    updateSymbol: (by, symbol, change) => updateSymbol(dependencies, by, symbol, change),
    setMarketStatus: (by, market, status) => setMarketStatus(dependencies, by, market, status),
    syncSymbols: async (actor, target) => {
      const changed = await syncInstruments(database, catalogue, target, log.child({ room: "jobs" }), access);
      await recordOperation(database.db, clock, { action: "market.sync-symbols", actor, target, details: { changed } });
      if (changed > 0) await follower.refreshAll("symbols");
      return changed;
    },
  };

  const checkHealth = async (): Promise<Health> => {
    const checks = [await checkDatabase(database), ...busChecks(bus, rejected), ...feedChecks(catalogue, feeds)];
    return {
      status: overallStatus(checks),
      version: programVersion,
      uptimeSeconds: Math.floor((clock.nowMs() - startedAtMs) / 1000),
      simulated: mode === "simulated",
      checks,
    };
  };
  const marketStatuses = new MarketStatusWatch(catalogue, clock);
  closers.add("market statuses", () => marketStatuses.close());
  const room = { config, database, clock, log: log.child({ room: "people" }), announce, mailer: overrides.mailer };
  const { people, authenticator } = await openPeople(room, closers);
  const dashboards = await openDashboards({ database, catalogue, clock, log: log.child({ room: "people" }) });
  closers.add("dashboards", () => dashboards.close());
  const trading = await openTrading(
    {
      config,
      database,
      catalogue,
      quotes,
      live,
      bus,
      keyRing,
      clock,
      log: log.child({ room: "trading" }),
      accountSyncMs: overrides.accountSyncMs,
    },
    closers,
  );
  const endAccount = async (userId: string, accountId: string): Promise<void> => {
    await trading.desk.cancelAll(userId, accountId, null);
    await setInactive(database, userId, accountId);
  };
  if (roles.has("worker"))
    jobs.add(
      forgetSignIns(people.signIns),
      purgeClosedUsers(database, clock, config.closedAccountRetentionDays, endAccount),
      watchAccountSync(trading),
      syncAllInstruments(database, catalogue, log.child({ room: "jobs" }), access, () =>
        follower.refreshAll("symbols"),
      ),
    );
  const services: ApiServices = {
    catalogue,
    people,
    trading,
    marketStatuses,
    quotes,
    live,
    series: new SeriesReader(database),
    clock,
    operations,
    dashboards,
    searchSymbols: (search) => searchSymbols(database, search),
    readAudit: (search) => readAudit(database.sql, search),
    readJobs: () => readJobs(database),
    endTrading: async (userId) => {
      try {
        for (const { id, status } of await accountsOf(database, userId))
          if (status !== "INACTIVE") await endAccount(userId, id);
      } catch (error) {
        // The account is closed all the same; the job that purges ends what is left.
        log.warn({ error: errorCode(error) }, "accounts.not-ended");
      }
    },
    health: shared(checkHealth, healthMaxAgeMs),
    messagesPerSecond: (provider) => feeds?.messagesPerSecond(provider.id) ?? provider.messagesPerSecond,
  };

  let closing = false;
  const telemetry = { metrics: await openMetrics(config, metrics, closers), tracer };
  const startServing = (found: Authenticator) => {
    const limits = openRequestLimits(config, clock, bus, closers);
    return startApi(config, log, services, found, limits, () => !closing, telemetry);
  };
  const server = authenticator === null ? null : await startServing(authenticator);
  if (server !== null) {
    closers.add("server", () => server.close());
    metrics.add(...serverMetrics(server.stats));
  }
  // What is stored can be asked for while the exchanges are still being connected.
  feeds?.start();
  closers.add("jobs", () => jobs.close());
  if (roles.has("worker") || roles.has("feed")) jobs.start();
  return {
    url: server?.url ?? null,
    database: describeAddress(address),
    simulator: simulator?.url ?? null,
    catalogue,
    quotes,
    live,
    close: () => {
      closing = true;
      return closers.close();
    },
    get closing() {
      return closers.closing;
    },
  };
}

async function openDatabase(config: Config, log: Logger, closers: Closers): Promise<DatabaseAddress> {
  if (config.databaseUrl !== null) return { url: config.databaseUrl };
  const embedded = await openEmbeddedDatabase(config.dataDirectory, config.mode, log.child({ room: "postgres" }));
  closers.add("embedded Postgres", () => embedded.close());
  return embedded.address;
}

/** Migrations and reference data, as the owner of the tables. */
async function prepareDatabase(config: Config, address: DatabaseAddress, log: Logger): Promise<void> {
  const owner = connect({ address, role: null, poolSize: 1, applicationName: "tradegraph migrate" });
  try {
    await waitForDatabase(owner, address, config.databaseWaitMs, log);
    await migrate(owner.sql, log);
    await seedReferenceData(owner, config.mode);
  } finally {
    await owner.close();
  }
}

async function requireMigrated(database: Database): Promise<void> {
  const pending = await pendingMigrations(database.sql, await readMigrations());
  if (pending.length > 0) {
    throw new StartError(
      `the database is behind this program by ${pending.length} migration(s), first ${pending[0]?.name}: run "tradegraph migrate"`,
    );
  }
}

async function openSimulator(
  config: Config,
  log: Logger,
  clock: Clock,
  overrides: Overrides,
  closers: Closers,
): Promise<Pick<Simulator, "url" | "addresses"> | null> {
  if (config.mode !== "simulated" || !config.roles.has("feed")) return null;
  if (overrides.exchange !== undefined)
    return { url: overrides.exchange.url, addresses: new Map([["BINANCE_SPOT", overrides.exchange]]) };
  const simulator = await startSimulator({
    port: config.simulatorPort,
    seed: config.simulatorSeed,
    clock,
    log: log.child({ room: "simulator" }),
    ...(config.simulatorReplay === null
      ? {}
      : { replay: { recording: await readRecording(config.simulatorReplay), speed: config.simulatorReplaySpeed } }),
  });
  closers.add("simulated exchange", () => simulator.close());
  return simulator;
}

async function readRecording(path: string): Promise<RecordedEntry[]> {
  try {
    return parseRecording(await readFile(path, "utf8"));
  } catch (error) {
    throw new StartError(`SIMULATOR_REPLAY cannot be read: ${errorMessage(error)}`);
  }
}

async function startFeeds(
  config: Config,
  log: Logger,
  clock: Clock,
  overrides: Overrides,
  announce: (line: string) => void,
  on: {
    database: Database;
    catalogue: Catalogue;
    quotes: QuoteBoard;
    live: LiveMarket;
    recorder: MarketRecorder;
    access: ProviderAccess;
    metrics: Metrics;
    tracer: Tracer;
    jobs: Jobs;
  },
  closers: Closers,
): Promise<FeedSupervisor> {
  const { database, catalogue, quotes, live, recorder, access, metrics } = on;
  await closeForgottenOpportunities(database, clock.nowMs());
  const seeder = new CandleSeeder(live, catalogue, database, clock, log.child({ room: "market-data" }));
  closers.add("candle seeds", () => seeder.close());
  await seeder.ready;
  const writer = new QuoteWriter(quotes, database, config.quoteFlushMs, log.child({ room: "market-data" }));
  closers.add("quote writer", () => writer.close());
  const statuses = new ProviderStatusWriter(database, clock, log.child({ room: "catalogue" }));
  closers.add("provider status", () => statuses.close());
  metrics.add(...writerMetrics(() => ({ quotes: writer.stats, ...recorder.stats })));
  const spans = new FeedSpans(on.tracer);
  closers.add("feed spans", () => spans.close());
  let backFill: BackFill | undefined;
  const supervisor = new FeedSupervisor({
    catalogue,
    clock,
    log: log.child({ room: "feeds" }),
    random: overrides.random ?? Math.random,
    access,
    onRejected: (provider, count, detail) => statuses.errorsSeen(provider, count, detail),
    onEvent: (event, provider) => {
      live.take(event, provider);
      recorder.take(event);
    },
    onStatus: (provider, status, detail) => {
      statuses.statusChanged(provider, status, detail);
      backFill?.statusChanged(provider, status);
      spans.statusChanged(provider.code, status, detail);
      // CONNECTING comes before any message; every other state than CONNECTED means that messages stopped.
      if (status !== "CONNECTED" && status !== "CONNECTING")
        quotes.markStale((quote) => quote.providerId === provider.id);
      log.info({ provider: provider.code, status, detail }, "feed.status");
      announce(
        `feed ${provider.code}: ${status}${detail === null ? "" : ` (${detail})`}${status === "RECONNECTING" ? "; trying again" : ""}`,
      );
    },
  });
  closers.add("feeds", () => supervisor.close());
  metrics.add(...feedMetrics(() => supervisor.measures()));
  backFill = startBackFill(config, log, clock, overrides, on, supervisor, closers);
  const measuring = setInterval(() => {
    for (const { provider, lastMessageAtMs, messagesPerSecond } of supervisor.states())
      statuses.measured(provider, lastMessageAtMs, messagesPerSecond);
  }, measureEveryMs);
  closers.add("provider measures", () => clearInterval(measuring));
  return supervisor;
}

const measureEveryMs = 5_000;

function startBackFill(
  { candleBackfillHours }: Config,
  log: Logger,
  clock: Clock,
  overrides: Overrides,
  on: {
    database: Database;
    catalogue: Catalogue;
    live: LiveMarket;
    recorder: MarketRecorder;
    access: ProviderAccess;
    jobs: Jobs;
  },
  supervisor: FeedSupervisor,
  closers: Closers,
): BackFill {
  const { database, catalogue, live, recorder, access } = on;
  const backFill = new BackFill({
    catalogue,
    keeper: new MinuteStore(live, recorder, database, clock, log.child({ room: "market-data" })),
    servingOf: (symbolId) => supervisor.servingOf(symbolId),
    sourceOf: (provider) => {
      const source = adapterOf(provider, catalogue.market(provider.marketId).code)?.minutes ?? null;
      const endpoint = endpointOf(provider, access);
      return source === null || endpoint === null ? null : { source, endpoint };
    },
    depthMs: candleBackfillHours * 60 * 60_000,
    clock,
    log: log.child({ room: "feeds" }),
    random: overrides.random ?? Math.random,
  });
  // Before the feeds end, so that what they have brought counts.
  closers.add("back-fill", () => backFill.close());
  on.jobs.add(watchBackFill(backFill));
  const stopListening = live.onTooLate((trade) => backFill.tradeTooLate(trade.symbolId, trade.exchangeTimeMs));
  closers.add("late trades", stopListening);
  return backFill;
}

/** Who does not ask for tracing does not load it. */
async function openTracing(config: Config, log: Logger, closers: Closers): Promise<Tracer> {
  const { otlpEndpoint: endpoint, otelServiceName: serviceName, traceSamplePercent: samplePercent } = config;
  if (endpoint === null) return noTracer;
  const { startTracing } = await import("./telemetry/open-telemetry.js");
  const tracer = startTracing({ endpoint, serviceName, serviceVersion: programVersion, samplePercent, log });
  closers.add("traces", () => tracer.close());
  return tracer;
}

/** @returns what the API's port answers for `/metrics`; null where it has a port of its own */
async function openMetrics(config: Config, metrics: Metrics, closers: Closers): Promise<MetricsEndpoint | null> {
  const { host, metricsPort, metricsToken } = config;
  const endpoint = new MetricsEndpoint(metrics, metricsToken);
  if (metricsPort === null) return endpoint;
  try {
    const server = await listenForMetrics(endpoint, host, metricsPort);
    closers.add("metrics", () => server.close());
  } catch (error) {
    throw explainListenError(error, { host, port: metricsPort });
  }
  return null;
}

/** What clients may ask for, and what the other nodes say that they have asked for there. */
function openRequestLimits({ rateLimits }: Config, clock: Clock, bus: Bus | null, closers: Closers): RequestLimits {
  const limits = new RequestLimits(rateLimits, clock);
  if (bus !== null) {
    const subject = "limits";
    const channel = {
      publish: (text: string) => bus.publish(subject, text),
      subscribe: (onText: (text: string) => void) => bus.subscribe(subject, onText),
    };
    closers.add("shared limits", shareLimits(limits, channel, uuidV7(clock.nowMs()), clock));
  }
  return limits;
}

async function startApi(
  config: Config,
  log: Logger,
  services: ApiServices,
  authenticator: Authenticator,
  limits: RequestLimits,
  isOpen: () => boolean,
  telemetry: { readonly metrics: MetricsEndpoint | null; readonly tracer: Tracer },
): Promise<ApiServer> {
  const { persistedOperations } = config;
  return startServer({
    ...config,
    limits,
    ...telemetry,
    schema: buildSchema(),
    services,
    trustedDocuments: persistedOperations === null ? null : await readPersistedOperations(persistedOperations),
    viewerOf: (authorization) => authenticator.viewerOf(authorization),
    followAccess: (viewer, end) => authenticator.follow(viewer, end),
    isReady: async () =>
      isOpen() && (await services.health()).checks.every((check) => check.name !== "database" || check.status === "OK"),
    log: log.child({ room: "graphql" }),
  });
}

/** Without a broker address there is nothing to join: then this node is the only one. */
function joinBus({ natsUrl, roles }: Config, log: Logger, closers: Closers): Bus | null {
  if (natsUrl === null) {
    if (!roles.has("feed"))
      log.warn({}, "bus.missing: this node has no feed and no NATS_URL, so its prices stay as stored");
    return null;
  }
  const bus = joinNats(natsUrl, log.child({ room: "bus" }));
  closers.add("bus", () => bus.close());
  return bus;
}

/** What this node's feeds say goes to the other nodes; without a feed, what they say comes here. */
function shareMarkets(isSource: boolean, on: LiveSharing & { readonly quotes: QuoteBoard }, closers: Closers): void {
  const sharing = { ...on, board: on.quotes };
  closers.add("shared quotes", isSource ? publishQuotes(sharing, on.clock) : receiveQuotes(sharing, on.rejected));
  const shared = isSource ? new LivePublisher(sharing, uuidV7(on.clock.nowMs())) : new LiveReceiver(sharing);
  closers.add("shared markets", () => shared.close());
}

const busChecks = (bus: Bus | null, rejected: RejectedMessages): HealthCheck[] =>
  bus === null
    ? []
    : [
        {
          name: "bus",
          status: bus.isConnected ? "OK" : "DEGRADED",
          detail: rejected.count > 0 ? `${rejected.count} messages not understood` : null,
          latencyMs: null,
        },
      ];

async function checkDatabase(database: Database): Promise<HealthCheck> {
  const startMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(Object.assign(new Error(), { code: `no answer within ${healthTimeoutMs} ms` })),
      healthTimeoutMs,
    );
  });
  try {
    await Promise.race([database.sql`select 1`, tooLate]);
    return {
      name: "database",
      status: "OK",
      detail: null,
      latencyMs: Math.round((performance.now() - startMs) * 100) / 100,
    };
  } catch (error) {
    return {
      name: "database",
      status: "DOWN",
      detail: (error as { code?: string }).code ?? "unreachable",
      latencyMs: null,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** The feeds of this node; without the feed role, what their node wrote into the providers' rows. */
function feedChecks(catalogue: Catalogue, feeds: FeedSupervisor | null): HealthCheck[] {
  const states =
    feeds?.states() ??
    catalogue.providers
      .filter((provider) => catalogue.trackedSymbolsOf(provider.id).length > 0)
      .map((provider) => ({
        provider,
        status: provider.connectionStatus,
        symbols: catalogue.trackedSymbolsOf(provider.id).length,
      }));
  return states.map(({ provider, status, symbols }) => ({
    name: `feed ${provider.code}`,
    status: status === "CONNECTED" ? ("OK" as const) : ("DEGRADED" as const),
    detail: `${status}, ${symbols} symbols`,
    latencyMs: null,
  }));
}

/** Calls that come while one is under way, or shortly after it, share its answer. */
function shared<T>(work: () => Promise<T>, maxAgeMs: number): () => Promise<T> {
  let current: { readonly atMs: number; readonly result: Promise<T> } | undefined;
  return () => {
    const nowMs = performance.now();
    if (current === undefined || nowMs - current.atMs > maxAgeMs) current = { atMs: nowMs, result: work() };
    return current.result;
  };
}

/** Says at once that the port is taken, before a database is started for nothing. */
async function requireFreePort(config: Config): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen({ host: config.host, port: config.port, exclusive: true }, resolve);
    });
  } catch (error) {
    throw explainListenError(error, config);
  } finally {
    await new Promise<void>((resolve) => probe.close(() => resolve()));
  }
}
