import { sql } from "drizzle-orm";
import { boolean, check, integer, pgEnum, pgTable, text, varchar } from "drizzle-orm/pg-core";
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
