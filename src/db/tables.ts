import { sql } from "drizzle-orm";
import { bigint, check, index, pgEnum, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { instant } from "./columns.js";

export const backupKindEnum = pgEnum("backup_kind_enum", ["FULL", "DIFFERENTIAL", "INCREMENTAL"]);
export const backupStatusEnum = pgEnum("backup_status_enum", ["RUNNING", "SUCCEEDED", "FAILED"]);

/** What was backed up, when, how it ended, and where it lies. Written by whoever makes backups, as the owner of the tables. */
export const backups = pgTable(
  "backups",
  {
    id: uuid("id").primaryKey(),
    kind: backupKindEnum("kind").notNull(),
    status: backupStatusEnum("status").notNull(),
    /** A folder, or `pgbackrest:<stanza>/<label>`. */
    location: text("location").notNull(),
    startedAt: instant("started_at").notNull(),
    finishedAt: instant("finished_at"),
    sizeBytes: bigint("size_bytes", { mode: "bigint" }),
    /** Why it failed. */
    error: text("error"),
    programVersion: text("program_version").notNull(),
  },
  (table) => [
    unique("uk_backups_location").on(table.location),
    index("idx_backups_status_finished_at").on(table.status, table.finishedAt),
    check("ck_backups_finished_at", sql`(${table.status} = 'RUNNING') = (${table.finishedAt} is null)`),
    check("ck_backups_times", sql`${table.finishedAt} >= ${table.startedAt}`),
    check("ck_backups_size_bytes", sql`${table.sizeBytes} >= 0`),
    check("ck_backups_succeeded", sql`${table.status} <> 'SUCCEEDED' or ${table.sizeBytes} is not null`),
    check("ck_backups_error", sql`(${table.status} = 'FAILED') = (${table.error} is not null)`),
  ],
);
