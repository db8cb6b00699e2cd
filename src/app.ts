import { hostname } from "node:os";
import type { Bus } from "./bus/bus.js";
import type { DurableBus } from "./bus/durable.js";
import { Catalogue } from "./catalogue/catalogue.js";
import { followCatalogue } from "./catalogue/follow.js";
import { MarketStatusWatch } from "./catalogue/market-status-watch.js";
import { type CatalogueOperations, type RecordOperation, setMarketStatus, updateSymbol } from "./catalogue/operate.js";
import { requireCredentialsOpen } from "./catalogue/provider-credentials.js";
import { requireSeeded } from "./catalogue/seed.js";
import { type Config, sharedSettings } from "./config.js";
import { Closers } from "./core/closers.js";
import { errorCode, StartError } from "./core/errors.js";
import type { KeyRing } from "./core/key-ring.js";
import { explainListenError } from "./core/listen.js";
import type { Logger } from "./core/logger.js";
import { type Clock, systemClock } from "./core/time.js";
import { noTracer, type Tracer } from "./core/tracer.js";
import { uuidV7 } from "./core/uuid.js";
import { programVersion } from "./core/version.js";
import {
  connect,
  type Database,
  type DatabaseAddress,
  describeAddress,
  requireLoginSettings,
  waitForDatabase,
} from "./db/connect.js";
import { Leaderships } from "./db/leadership.js";
import { type Migration, pendingMigrations, readMigrations } from "./db/migrations.js";
import { NodeRegistry } from "./db/node-registry.js";
import { type Waiting, watchReachable } from "./db/unreachable.js";
import { openKeyRing } from "./encryption-keys.js";
import { FeedRoom } from "./feed-room.js";
import type { ApiServices } from "./graphql/context.js";
import { type Health, type HealthCheck, overallStatus } from "./graphql/health.js";
import { RequestLimits } from "./graphql/request-limits.js";
import { buildSchema } from "./graphql/schema.js";
import { type ApiServer, startServer } from "./graphql/server.js";
import { shareLimits } from "./graphql/share-limits.js";
import { readResults } from "./jobs/data-quality.js";
import { dropAuditEvents } from "./jobs/drop-audit-events.js";
import { dropDeadLetters } from "./jobs/drop-dead-letters.js";
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
import { WatchDataQuality } from "./jobs/watch-data-quality.js";
import { LiveMarket } from "./market-data/live-market.js";
import { QuoteBoard } from "./market-data/quotes.js";
import { searchSymbols } from "./market-data/search-symbols.js";
import { SeriesReader } from "./market-data/series/series-reader.js";
import { RejectedMessages } from "./market-data/sharing/rejected-messages.js";
import { watchStaleness } from "./market-data/staleness.js";
import { loadQuotes } from "./market-data/store-quotes.js";
import { type OpenDatabase, openDatabase } from "./open-database.js";
import { readAudit, recordOperation } from "./people/audit.js";
import type { Authenticator } from "./people/authenticator.js";
import { openDashboards } from "./people/dashboards.js";
import type { Mailer } from "./people/mail.js";
import { openPeople } from "./people-access.js";
import { readPersistedOperations } from "./persisted-operations.js";
import {
  databaseMetrics,
  dataQualityMetrics,
  jobMetrics,
  marketMetrics,
  nodeMetrics,
  programMetrics,
  serverMetrics,
} from "./program-metrics.js";
import { openProviderAccess } from "./provider-access.js";
import { hasSimulatedExchange, type SimulatedExchange } from "./simulated-exchange.js";
import { Metrics } from "./telemetry/metrics.js";
import { listenForMetrics, MetricsEndpoint } from "./telemetry/metrics-endpoint.js";
import { accountsOf } from "./trading/accounts.js";
import { openTrading } from "./trading-room.js";

/** What a test replaces, and what has begun before this module was loaded. */
export interface Overrides {
  readonly opening?: Promise<OpenDatabase>;
  readonly simulator?: Promise<SimulatedExchange>;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Used in place of the embedded server and DATABASE_URL. */
  readonly database?: DatabaseAddress;
  /** Used in place of the migrations of this program: another release of it. */
  readonly migrations?: readonly Migration[];
  /** Used in place of the simulated exchange that the program would start. */
  readonly exchange?: { readonly url: string; readonly websocketUrl: string };
  /** The same for its futures, which are not there otherwise. */
  readonly futuresExchange?: { readonly url: string; readonly websocketUrl: string };
  /** Used in place of SMTP, or of printing. */
  readonly mailer?: Mailer;
  /** Between two comparisons of an account with its exchange. */
  readonly accountSyncMs?: number;
  /** The machine's clock, as it is compared with the database's. */
  readonly wallClock?: Clock;
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
  const opened = await (overrides.opening ?? openDatabase(config, log, overrides.database, overrides.migrations));
  closers.add("embedded Postgres", () => opened.close());
  const { address } = opened;
  const tracer = await openTracing(config, log, closers);
  const openPool = (poolSize: number, applicationName: string, traced = noTracer): Database =>
    connect({
      address,
      role: config.databaseRole,
      poolSize,
      applicationName,
      tracer: traced,
      direct: directOf(config, overrides),
    });
  const database = openPool(config.databasePoolSize, "tradegraph", tracer);
  closers.add("database pool", () => database.close());
  await waitForDatabase(database, address, config.databaseWaitMs, log);
  if (directOf(config, overrides) !== null) await requireLoginSettings(database, config.databaseRole);
  const migrations = overrides.migrations ?? (await readMigrations());
  await requireMigrated(database, migrations);
  await requireSeeded(database, mode);

  // Now, because credentials may be set while the program runs.
  const keyRing = await openKeyRing(config, { create: overrides.database === undefined });
  if (roles.has("feed")) await requireCredentialsOpen(database, keyRing);

  const leaderships = openLeaderships(config, address, overrides, log, clock, closers);
  const registry = await openRegistry(config, database, leaderships.nodeId, migrations.length, overrides, log, closers);
  const simulator = await openSimulator(config, log, clock, overrides, closers);

  const catalogue = new Catalogue();
  const metrics = new Metrics();
  metrics.add(...programMetrics(programVersion, catalogue), ...databaseMetrics(database));
  metrics.add(...nodeMetrics(registry, leaderships));
  const follower = await followCatalogue(database, catalogue, log.child({ room: "catalogue" }));
  closers.add("catalogue", () => follower.close());
  const quotes = new QuoteBoard(clock);
  quotes.restore(await loadQuotes(database));
  closers.add("staleness watch", watchStaleness(quotes, catalogue, clock));
  const live = new LiveMarket({ catalogue, quotes, clock, newId: () => uuidV7(clock.nowMs()) });
  closers.add("live market", () => live.close());

  // Apart from the pool, which they could otherwise hold all of while their work waits for it. Opened when they are needed.
  const turns = openPool(maxJobsAtOnce, "tradegraph jobs");
  closers.add("turns of jobs", () => turns.close());
  const waiting: Waiting[] = [database, turns, leaderships];
  const jobs = new Jobs({
    database,
    turns: new LockTurns(turns),
    node: `${hostname()}#${process.pid}`.slice(-80),
    log: log.child({ room: "jobs" }),
  });
  metrics.add(...jobMetrics(() => jobs.states));

  // Before the feeds, so that it is there until they have said that they are gone.
  const bus = await joinBus(config, log, closers);
  metrics.add(...marketMetrics(quotes, bus));
  const rejected = new RejectedMessages(log.child({ room: "bus" }));

  const access = openProviderAccess(database, catalogue, keyRing, clock, log.child({ room: "catalogue" }));
  closers.add("provider usage", () => access.close());
  const feeds = await FeedRoom.open({
    mayLead: roles.has("feed"),
    database,
    leaderships,
    catalogue,
    follower,
    quotes,
    live,
    bus,
    rejected,
    access,
    simulator,
    metrics,
    tracer,
    clock,
    log,
    random: overrides.random ?? Math.random,
    announce,
    quoteFlushMs: config.quoteFlushMs,
    candleBackfillHours: config.candleBackfillHours,
  });
  closers.add("feeds", () => feeds.close());
  if (roles.has("feed")) jobs.add(watchBackFill(() => feeds.backFill));
  if (roles.has("worker")) {
    const watching = watchDataQuality(config, address, { database, keyRing, clock, log }, waiting, closers);
    metrics.add(...dataQualityMetrics(() => watching.results));
    jobs.add(
      dropOldSeries(database),
      snapshotBalances(database),
      dropToldEvents(database, clock),
      dropDeadLetters(database),
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
    const checks = [
      await checkDatabase(database),
      ...busChecks(bus, rejected, trading.durable),
      ...nodeChecks(registry),
      ...feedChecks(catalogue, feeds),
    ];
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
      leaderships,
      registry,
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
  const endAccount = (userId: string, accountId: string) => trading.desk.endAccount(userId, accountId);
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
    readDataQuality: (filter) => readResults(database, filter),
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
    messagesPerSecond: (provider) => feeds.supervisor?.messagesPerSecond(provider.id) ?? provider.messagesPerSecond,
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
  feeds.start();
  closers.add("jobs", () => jobs.close());
  if (roles.has("worker") || roles.has("feed")) jobs.start();
  return {
    url: server?.url ?? null,
    database: describeAddress(address),
    simulator: simulator?.url ?? null,
    catalogue,
    quotes,
    live,
    close: async () => {
      closing = true;
      const stopWatch = watchReachable(() => openPool(1, "tradegraph close"), waiting, log);
      await closers.close().finally(stopWatch);
    },
    get closing() {
      return closers.closing;
    },
  };
}

/** The checks of the data, by a connection of their own as a role that can only read. */
function watchDataQuality(
  { monitorDatabaseUrl: url }: Config,
  address: DatabaseAddress,
  on: { readonly database: Database; readonly keyRing: KeyRing | null; readonly clock: Clock; readonly log: Logger },
  waiting: Waiting[],
  closers: Closers,
): WatchDataQuality {
  const monitor = connect({
    address: "url" in address && url !== null ? { url } : address,
    role: "tradegraph_monitor",
    poolSize: 1,
    applicationName: "tradegraph checks",
  });
  waiting.push(monitor);
  const { database, keyRing, clock, log } = on;
  const watching = new WatchDataQuality({
    database,
    monitor,
    keyIds: () => keyRing?.ids ?? [],
    clock,
    log: log.child({ room: "jobs" }),
  });
  closers.add("checks", async () => {
    await Promise.all([watching.close(), monitor.close()]);
  });
  return watching;
}

/** On connections of their own: a busy pool must not look like a dead node. */
function openLeaderships(
  config: Config,
  address: DatabaseAddress,
  overrides: Overrides,
  log: Logger,
  clock: Clock,
  closers: Closers,
): Leaderships {
  const { databaseRole, databaseUrl } = config;
  const isEmbedded = databaseUrl === null && overrides.database === undefined;
  const leaderships = new Leaderships({
    open: () =>
      connect({
        address,
        role: databaseRole,
        poolSize: 1,
        applicationName: "tradegraph leases",
        direct: directOf(config, overrides),
      }),
    // Nobody else can be at an embedded database: after a crash the next run need not wait for its leases.
    nodeId: isEmbedded ? onlyNodeId : uuidV7(clock.nowMs()),
    log: log.child({ room: "leadership" }),
  });
  closers.add("leaderships", () => leaderships.close());
  return leaderships;
}

/** @throws {StartError} when the clock is too far from the database's for anything that depends on time */
async function openRegistry(
  config: Config,
  database: Database,
  nodeId: string,
  schemaVersion: number,
  { wallClock = systemClock }: Overrides,
  log: Logger,
  closers: Closers,
): Promise<NodeRegistry> {
  const identity = {
    id: nodeId,
    version: programVersion,
    roles: [...config.roles],
    schemaVersion,
    settings: sharedSettings(config),
  };
  const registry = new NodeRegistry(database, wallClock, identity, log.child({ room: "nodes" }));
  closers.add("node registry", () => registry.close());
  await registry.start();
  const refusal = registry.clockRefusal();
  if (refusal !== null) throw new StartError(refusal);
  for (const difference of registry.differences()) log.warn({ difference }, "nodes.differ");
  return registry;
}

/** Null where the program's connections are Postgres's own. */
const directOf = ({ databaseDirectUrl: url }: Config, { database }: Overrides): DatabaseAddress | null =>
  url === null || database !== undefined ? null : { url };

const onlyNodeId = "00000000-0000-7000-8000-000000000001";

async function requireMigrated(database: Database, known: readonly Migration[]): Promise<void> {
  const pending = await pendingMigrations(database.sql, known);
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
): Promise<Pick<SimulatedExchange, "url" | "addresses"> | null> {
  if (!hasSimulatedExchange(config)) return null;
  const { exchange, futuresExchange } = overrides;
  if (exchange !== undefined) {
    const addresses = new Map([["BINANCE_SPOT", exchange]]);
    if (futuresExchange !== undefined) addresses.set("BINANCE_FUTURES", futuresExchange);
    return { url: exchange.url, addresses };
  }
  const simulator = await (overrides.simulator ?? startInThisThread(config, log, clock));
  closers.add("simulated exchange", () => simulator.close());
  return simulator;
}

/** Who has it elsewhere does not load it. */
async function startInThisThread(config: Config, log: Logger, clock: Clock): Promise<SimulatedExchange> {
  const { startSimulatedExchange } = await import("./start-simulated-exchange.js");
  return startSimulatedExchange(config, log, clock);
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
async function joinBus({ natsUrl, roles }: Config, log: Logger, closers: Closers): Promise<Bus | null> {
  if (natsUrl === null) {
    if (!roles.has("feed"))
      log.warn({}, "bus.missing: this node has no feed and no NATS_URL, so its prices stay as stored");
    return null;
  }
  const { joinNats } = await import("./bus/nats.js");
  const bus = joinNats(natsUrl, log.child({ room: "bus" }));
  closers.add("bus", () => bus.close());
  return bus;
}

function busChecks(bus: Bus | null, rejected: RejectedMessages, durable: DurableBus | null): HealthCheck[] {
  if (bus === null) return [];
  const state = durable?.state ?? null;
  const details = [
    ...(state?.kind === "unsupported" ? [state.reason] : []),
    ...(durable !== null && durable.realignments > 0
      ? ["the bus was ahead of the database, as after restoring an older state: its stream was emptied"]
      : []),
    ...(rejected.count > 0 ? [`${rejected.count} messages not understood`] : []),
  ];
  return [
    {
      name: "bus",
      status: bus.isConnected ? "OK" : "DEGRADED",
      detail: details.length > 0 ? details.join("; ") : null,
      latencyMs: null,
    },
  ];
}

/** Nodes that differ, and clocks. */
function nodeChecks(registry: NodeRegistry): HealthCheck[] {
  const differences = registry.differences();
  return [
    {
      name: "nodes",
      status: differences.length === 0 ? "OK" : "DEGRADED",
      detail: differences.length === 0 ? `${Math.max(1, registry.nodes.length)} running` : differences.join("; "),
      latencyMs: null,
    },
  ];
}

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
function feedChecks(catalogue: Catalogue, feeds: FeedRoom): HealthCheck[] {
  const states =
    feeds.supervisor?.states() ??
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
