import type { Bus } from "./bus/bus.js";
import type { Catalogue } from "./catalogue/catalogue.js";
import type { Database } from "./db/connect.js";
import type { Leaderships } from "./db/leadership.js";
import type { NodeRegistry } from "./db/node-registry.js";
import type { FeedMeasures } from "./feeds/supervisor.js";
import type { ServerStats } from "./graphql/server.js";
import type { KnownResult } from "./jobs/data-quality.js";
import type { JobState } from "./jobs/read-jobs.js";
import type { QuoteBoard } from "./market-data/quotes.js";
import type { BatchWriterStats } from "./market-data/series/batch-writer.js";
import { type Labels, type Metric, type Sample, samplesOf } from "./telemetry/metrics.js";

/*
 * What `/metrics` says, and where each number is kept. Labels come from bounded sets: providers, writers, transports, and names
 * of operations as far as `OperationWatch` tells them apart.
 */

const prefix = "tradegraph_";

const metric = (type: Metric["type"], name: string, help: string, read: Metric["read"]): Metric => ({
  name: prefix + name,
  help,
  type,
  read,
});
const gauge = (name: string, help: string, read: () => number): Metric =>
  metric("gauge", name, help, () => [{ labels: {}, value: read() }]);
const counter = (name: string, help: string, read: () => number): Metric =>
  metric("counter", name, help, () => [{ labels: {}, value: read() }]);

export function programMetrics(version: string, catalogue: Catalogue): Metric[] {
  return [
    metric("gauge", "info", "The version of the program.", () => [{ labels: { version }, value: 1 }]),
    metric("gauge", "catalogue_rows", "Rows of the catalogue in memory.", () => [
      { labels: { table: "symbols" }, value: catalogue.symbols.length },
      { labels: { table: "tracked_symbols" }, value: catalogue.trackedSymbols.length },
      { labels: { table: "markets" }, value: catalogue.markets.length },
      { labels: { table: "data_providers" }, value: catalogue.providers.length },
    ]),
  ];
}

/** @param bus null: this node is the only one */
export function marketMetrics(quotes: QuoteBoard, bus: Bus | null): Metric[] {
  return [
    metric("gauge", "quotes", "Quotes in memory; a stale one is of a symbol that is not heard of any more.", () => {
      const all = [...quotes.all()];
      const stale = all.filter(({ isStale }) => isStale).length;
      return [
        { labels: { state: "live" }, value: all.length - stale },
        { labels: { state: "stale" }, value: stale },
      ];
    }),
    gauge("bus_connected", "1 while this node hears the others, or has no others to hear.", () =>
      bus === null || bus.isConnected ? 1 : 0,
    ),
  ];
}

export function databaseMetrics({ stats, poolSize }: Database): Metric[] {
  return [
    gauge("database_pool_size", "Connections that the pool may open.", () => poolSize),
    gauge(
      "database_under_way",
      "Statements and transactions that hold a connection or wait for one.",
      () => stats.underWay,
    ),
    counter("database_statements_total", "Statements sent.", () => stats.statements),
    counter("database_failures_total", "Statements that failed.", () => stats.failures),
    metric(
      "histogram",
      "database_statement_seconds",
      "From the call to the answer, with the wait for a connection.",
      () => samplesOf(stats.latency, {}),
    ),
  ];
}

export function nodeMetrics(registry: NodeRegistry, leaderships: Leaderships): Metric[] {
  return [
    gauge("clock_skew_seconds", "This node's clock less the database's.", () => registry.skewMs / 1_000),
    gauge("nodes", "Nodes of the installation that have been heard of lately.", () => registry.nodes.length),
    metric("gauge", "leads", "1 for what this node leads.", () =>
      leaderships.led().map((name) => ({ labels: { leadership: name }, value: 1 })),
    ),
  ];
}

/** `statsOf` is asked at each reading; what a writer has not got is left out. */
export function writerMetrics(statsOf: () => Readonly<Record<string, Partial<BatchWriterStats>>>): Metric[] {
  const column = (name: keyof BatchWriterStats) => (): Sample[] =>
    Object.entries(statsOf()).flatMap(([writer, { [name]: value }]) =>
      value === undefined ? [] : [{ labels: { writer }, value }],
    );
  return [
    metric("counter", "writer_written_total", "Rows stored.", column("written")),
    metric("gauge", "writer_waiting", "Rows that are not stored yet.", column("waiting")),
    metric("counter", "writer_dropped_total", "Rows given up because too many waited.", column("dropped")),
    metric("counter", "writer_refused_total", "Rows that broke a rule of the table.", column("refused")),
    metric("counter", "writer_failures_total", "Statements that failed and were tried again.", column("failures")),
  ];
}

const statuses = ["DISCONNECTED", "CONNECTING", "CONNECTED", "RECONNECTING", "STALE", "ERROR"] as const;

export function feedMetrics(measures: () => readonly FeedMeasures[]): Metric[] {
  const column = (of: (feed: FeedMeasures) => number) => (): Sample[] =>
    measures().map((feed) => ({ labels: labelsOf(feed), value: of(feed) }));
  return [
    metric("gauge", "feed_status", "1 for the status that the provider's connection has.", () =>
      measures().flatMap((feed) =>
        statuses.map((status) => ({ labels: { ...labelsOf(feed), status }, value: feed.status === status ? 1 : 0 })),
      ),
    ),
    metric(
      "counter",
      "feed_messages_total",
      "Messages received since the feed was started.",
      column((f) => f.messages),
    ),
    metric(
      "gauge",
      "feed_messages_per_second",
      "Mean of the last ten seconds.",
      column((feed) => feed.messagesPerSecond),
    ),
    metric(
      "counter",
      "feed_rejected_total",
      "Frames that broke the protocol.",
      column((feed) => feed.rejected),
    ),
    metric(
      "counter",
      "feed_reconnects_total",
      "Connections made anew.",
      column((feed) => feed.reconnects),
    ),
    metric("histogram", "feed_lag_seconds", "From the exchange's time to its receipt here, by both clocks.", () =>
      measures().flatMap((feed) => [...samplesOf(feed.lag, labelsOf(feed))]),
    ),
  ];
}

/** From the table of jobs, so every node that does some says the same, and nothing is lost with a node. */
export function jobMetrics(states: () => readonly JobState[]): Metric[] {
  const column = (of: (job: JobState) => number | null | undefined) => (): Sample[] =>
    states().flatMap((job) => {
      const value = of(job);
      return value == null ? [] : [{ labels: { job: job.name }, value }];
    });
  const seconds = (at: Date | null): number | null => at && at.getTime() / 1_000;
  return [
    metric(
      "gauge",
      "job_last_success_timestamp_seconds",
      "When a job last ended well, as Unix time; missing: never.",
      column((job) => seconds(job.lastSucceededAt)),
    ),
    metric(
      "gauge",
      "job_next_run_timestamp_seconds",
      "When a job is due, as Unix time.",
      column((job) => seconds(job.nextRunAt)),
    ),
    metric(
      "gauge",
      "job_interval_seconds",
      "Between the beginnings of two runs.",
      column((job) => job.everyMs / 1_000),
    ),
    metric(
      "gauge",
      "job_last_duration_seconds",
      "How long the last run took that ended.",
      column((job) => (job.lastDurationMs === null ? null : job.lastDurationMs / 1_000)),
    ),
    metric(
      "counter",
      "job_runs_total",
      "Runs that ended.",
      column((job) => job.runs),
    ),
    metric(
      "counter",
      "job_failures_total",
      "Runs that failed.",
      column((job) => job.failures),
    ),
  ];
}

const labelsOf = ({ provider }: FeedMeasures): Labels => ({ provider: provider.code });

/** Every worker tells what all of them found: the largest of a check is the one that counts. */
export function dataQualityMetrics(results: () => readonly KnownResult[]): Metric[] {
  const column = (of: (result: KnownResult) => number | null) => (): Sample[] =>
    results().flatMap((result) => {
      const value = of(result);
      return value === null ? [] : [{ labels: { check: result.name, severity: result.severity }, value }];
    });
  return [
    metric(
      "gauge",
      "data_quality_findings",
      "Rows that break a rule of the data, at most 1,000.",
      column(({ count }) => count),
    ),
    metric(
      "gauge",
      "data_quality_errors",
      "1 for a check that could not be run.",
      column(({ count }) => (count === null ? 1 : 0)),
    ),
    metric(
      "gauge",
      "data_quality_check_seconds",
      "How long a check took.",
      column(({ durationMs }) => durationMs / 1_000),
    ),
    metric(
      "gauge",
      "data_quality_checked_timestamp_seconds",
      "When a check was last run.",
      column(({ checkedAt }) => checkedAt.getTime() / 1_000),
    ),
  ];
}

export function serverMetrics(stats: ServerStats): Metric[] {
  const { operations, broadcast, traffic } = stats;
  return [
    metric("counter", "operations_total", "Operations answered; subscriptions when they begin.", () =>
      [...operations.counts].flatMap(({ name, kind, outcomes }) =>
        Object.entries(outcomes).map(([outcome, value]) => ({ labels: { name, kind, outcome }, value })),
      ),
    ),
    metric("histogram", "operation_seconds", "How long queries and mutations took.", () =>
      Object.entries(operations.latencies).flatMap(([kind, latency]) => [...samplesOf(latency, { kind })]),
    ),
    metric("gauge", "connections", "Open sockets and streams.", () => [
      { labels: { transport: "websocket" }, value: stats.websockets },
      { labels: { transport: "sse" }, value: stats.eventStreams },
    ]),
    gauge("waiting_bytes", "Bytes that clients have not taken.", () => stats.waitingBytes),
    gauge("subscribers", "Subscriptions to shared data.", () => broadcast.counts.subscribers),
    gauge("streams", "Different streams that are made for them.", () => broadcast.streamCount),
    counter("messages_total", "Messages of operations handed to the network.", () => traffic.messages),
    counter(
      "conflated_total",
      "Values that slow readers did not get, because a newer one came first.",
      () => broadcast.counts.conflated,
    ),
    counter(
      "overflows_total",
      "Subscriptions ended because something would have been skipped.",
      () => broadcast.counts.overflowed,
    ),
  ];
}
