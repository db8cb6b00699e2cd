import { sql } from "drizzle-orm";
import { bigint, boolean, check, integer, jsonb, pgEnum, pgTable, text, uuid, varchar } from "drizzle-orm/pg-core";
import { severities } from "../db/checks/data-check.js";
import { instant } from "../db/columns.js";

export const severityEnum = pgEnum("severity_enum", severities);

/** What each check of the data found when a worker last ran it. */
export const dataQualityResults = pgTable(
  "data_quality_results",
  {
    name: varchar("name", { length: 60 }).primaryKey(),
    severity: severityEnum("severity").notNull(),
    /** Rows that break the rule, at most as many as were counted; null: the check could not be run. */
    count: integer("count"),
    hasMore: boolean("has_more").notNull(),
    sampleIds: text("sample_ids").array().notNull(),
    advice: text("advice").notNull(),
    /** Why it could not be run. */
    error: text("error"),
    /** Why there was nothing to check. */
    skipped: text("skipped"),
    durationMs: integer("duration_ms").notNull(),
    checkedAt: instant("checked_at").notNull(),
  },
  (t) => [
    check("ck_data_quality_results_name", sql`${t.name} ~ '^[a-z0-9]+(-[a-z0-9]+)*$'`),
    check("ck_data_quality_results_count", sql`${t.count} >= 0 and ${t.durationMs} >= 0`),
    check("ck_data_quality_results_error", sql`(${t.count} is null) = (${t.error} is not null)`),
    check("ck_data_quality_results_sample_ids", sql`cardinality(${t.sampleIds}) <= 20`),
  ],
);

export const jobResultEnum = pgEnum("job_result_enum", ["OK", "FAILED"]);

/** One row per job of the installation: when it is done next, and how it went the last time. Times are of the database's clock. */
export const jobs = pgTable(
  "jobs",
  {
    name: varchar("name", { length: 40 }).primaryKey(),
    everyMs: bigint("every_ms", { mode: "number" }).notNull(),
    nextRunAt: instant("next_run_at").notNull(),
    lastStartedAt: instant("last_started_at"),
    /** Before `lastStartedAt`: it is being done, or its node has died and another takes over. */
    lastFinishedAt: instant("last_finished_at"),
    lastDurationMs: integer("last_duration_ms"),
    lastResult: jobResultEnum("last_result"),
    /** What was done, e.g. how many rows were dropped. */
    lastCounts: jsonb("last_counts").$type<Record<string, number>>().notNull().default({}),
    /** Masked: a message that is meant for people, or else a code. */
    lastError: varchar("last_error", { length: 200 }),
    /** Under which the error is in the log of `node`. */
    lastErrorId: uuid("last_error_id"),
    lastSucceededAt: instant("last_succeeded_at"),
    /** Which node was the last to do it. */
    node: varchar("node", { length: 80 }),
    runs: bigint("runs", { mode: "number" }).notNull().default(0),
    failures: bigint("failures", { mode: "number" }).notNull().default(0),
  },
  (t) => [
    check("ck_jobs_name", sql`${t.name} ~ '^[a-z][a-z-]*$'`),
    check("ck_jobs_every_ms", sql`${t.everyMs} > 0`),
    check("ck_jobs_last_duration_ms", sql`${t.lastDurationMs} >= 0`),
    check(
      "ck_jobs_last_counts",
      sql`jsonb_typeof(${t.lastCounts}) = 'object' and octet_length(${t.lastCounts}::text) <= 1024`,
    ),
    check("ck_jobs_last_error", sql`(${t.lastError} is not null) = (${t.lastResult} is not distinct from 'FAILED')`),
    check("ck_jobs_failures", sql`${t.failures} between 0 and ${t.runs}`),
  ],
);
