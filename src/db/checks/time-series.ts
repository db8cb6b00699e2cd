import type { DataCheck } from "./data-check.js";

const hypertables = [
  "market_trades",
  "book_tickers",
  "candles",
  "funding_rates",
  "order_book_snapshots",
  "order_flow_metrics",
  "arbitrage_opportunities",
  "balance_snapshots",
];
const aggregates = ["candles_5m", "candles_15m", "candles_30m", "candles_1h", "candles_4h", "candles_1d", "candles_1w"];

const list = (names: readonly string[]): string =>
  `unnest(array[${names.map((name) => `'${name}'`).join(", ")}]) as name`;
/** Of another licence it has neither compression nor aggregates, and is used as plain Postgres. */
const licensed = "current_setting('timescaledb.license', true) = 'timescale'";
const needs = ["timescaledb_information.hypertables"];

/** Only where the series are stored in TimescaleDB. */
export const timeSeriesChecks: readonly DataCheck[] = [
  {
    name: "missing-hypertables",
    severity: "HIGH",
    query: `select name as id from ${list(hypertables)} where ${licensed} and not exists (
      select from timescaledb_information.hypertables h where h.hypertable_schema = 'public' and h.hypertable_name = name)`,
    needs,
    advice:
      "The series is a plain table, because the extension came after the migrations: move it into a new database.",
  },
  {
    name: "missing-compression",
    severity: "MEDIUM",
    query: `select name as id from ${list(hypertables)} where ${licensed} and not exists (select from timescaledb_information.jobs j
      where j.proc_name in ('policy_compression', 'policy_columnstore') and j.hypertable_name = name and j.scheduled)`,
    needs,
    advice: "The series takes ten times the room: add_compression_policy as the migrations do.",
  },
  {
    name: "missing-retention",
    severity: "MEDIUM",
    query: `select name as id from ${list([...hypertables, ...aggregates])} where ${licensed} and not exists (
      select from timescaledb_information.jobs j left join timescaledb_information.continuous_aggregates a
        on a.materialization_hypertable_name = j.hypertable_name
      where j.proc_name = 'policy_retention' and coalesce(a.view_name, j.hypertable_name) = name and j.scheduled)`,
    needs,
    advice: "The series grows for ever: add_retention_policy as the migrations do.",
  },
  {
    name: "missing-aggregates",
    severity: "HIGH",
    query: `select name as id from ${list(aggregates)} where ${licensed} and not exists (
      select from timescaledb_information.continuous_aggregates a where a.view_schema = 'public' and a.view_name = name)`,
    needs,
    advice: "Longer candles are missing: make the continuous aggregate again as the migrations do.",
  },
  {
    name: "roll-up-job",
    severity: "HIGH",
    query: `select 'refresh_roll_ups' as id where ${licensed} and not exists (
      select from timescaledb_information.jobs where proc_name = 'refresh_roll_ups' and scheduled)`,
    needs,
    advice: "Longer candles are computed anew with each query: alter_job(…, scheduled => true).",
  },
  {
    name: "failing-series-jobs",
    severity: "HIGH",
    query: `select j.job_id || ' ' || j.proc_name as id from timescaledb_information.jobs j
        join timescaledb_information.job_stats s on s.job_id = j.job_id
      where j.job_id >= 1000 and s.last_run_status = 'Failed'`,
    needs,
    advice: "A job of TimescaleDB failed the last time: its error is in timescaledb_information.job_errors.",
  },
];
