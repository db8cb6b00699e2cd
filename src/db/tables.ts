import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  text,
  unique,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { instant } from "./columns.js";

/** Who leads what. Times are of the database's clock. */
export const leases = pgTable(
  "leases",
  {
    name: varchar("name", { length: 100 }).primaryKey(),
    holder: uuid("holder").notNull(),
    /** Grows with every change of the holder. */
    term: bigint("term", { mode: "number" }).notNull(),
    acquiredAt: instant("acquired_at").notNull(),
    renewedAt: instant("renewed_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (t) => [check("ck_leases_term", sql`${t.term} > 0`)],
);

/** Tells this installation from others that use the same broker. One row. */
export const installation = pgTable(
  "installation",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    createdAt: instant("created_at").notNull().defaultNow(),
    isOnly: boolean("is_only").notNull().default(true),
  },
  (t) => [unique("installation_is_only_unique").on(t.isOnly), check("ck_installation_is_only", sql`${t.isOnly}`)],
);

/** The nodes that run, by their heartbeats. */
export const nodes = pgTable("nodes", {
  id: uuid("id").primaryKey(),
  version: varchar("version", { length: 40 }).notNull(),
  roles: varchar("roles", { length: 60 }).notNull(),
  schemaVersion: integer("schema_version").notNull(),
  /** Of each setting that should be the same everywhere, a short hash. */
  settings: jsonb("settings").$type<Record<string, string>>().notNull(),
  clockSkewMs: integer("clock_skew_ms").notNull(),
  startedAt: instant("started_at").notNull().defaultNow(),
  seenAt: instant("seen_at").notNull(),
});

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
