import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { instant } from "../db/columns.js";

export const projectionStatusEnum = pgEnum("projection_status_enum", ["RUNNING", "REBUILDING", "FAILED"]);

/** What happened, in the order in which it happened to each stream. Rows are only ever added. */
export const eventStore = pgTable(
  "event_store",
  {
    id: uuid("id").primaryKey(),
    /** Grows with every event of the whole store. Of two streams, the one that committed first may have the larger one. */
    position: bigint("position", { mode: "number" }).notNull().generatedAlwaysAsIdentity(),
    streamType: varchar("stream_type", { length: 40 }).notNull(),
    streamId: uuid("stream_id").notNull(),
    /** 1, 2, 3 … without gaps. */
    version: integer("version").notNull(),
    eventType: varchar("event_type", { length: 60 }).notNull(),
    data: jsonb("data").$type<Record<string, unknown>>().notNull(),
    /** What caused it: the request, the job. */
    correlationId: uuid("correlation_id"),
    /** Whose it is. Without a foreign key: a stream belongs to an account, which has one. */
    userId: uuid("user_id").notNull(),
    accountId: uuid("account_id").notNull(),
    /** Grows by one with every event of the account. */
    accountSequence: bigint("account_sequence", { mode: "number" }).notNull(),
    occurredAt: instant("occurred_at").notNull(),
    recordedAt: instant("recorded_at").notNull().defaultNow(),
  },
  (t) => [
    unique("uk_event_store_stream_id_version").on(t.streamId, t.version),
    unique("uk_event_store_account_id_account_sequence").on(t.accountId, t.accountSequence),
    unique("uk_event_store_position").on(t.position),
    // What an exchange tells of an account, e.g. a funding payment, is booked once.
    uniqueIndex("uk_event_store_account_id_venue_id")
      .on(t.accountId, t.eventType, sql`(${t.data} ->> 'venueId')`)
      .where(sql`${t.streamType} = 'account' and ${t.data} ->> 'source' = 'exchange'`),
    check("ck_event_store_version", sql`${t.version} > 0 and ${t.accountSequence} > 0`),
    check("ck_event_store_data", sql`jsonb_typeof(${t.data}) = 'object'`),
    // Clocks differ a little.
    check("ck_event_store_occurred_at", sql`${t.occurredAt} <= ${t.recordedAt} + interval '5 minutes'`),
  ],
);

/** How far each projection of the events has come. */
export const eventProjections = pgTable(
  "event_projections",
  {
    name: varchar("name", { length: 100 }).primaryKey(),
    status: projectionStatusEnum("status").notNull(),
    lastPosition: bigint("last_position", { mode: "number" }).notNull().default(0),
    eventCount: bigint("event_count", { mode: "number" }).notNull().default(0),
    error: text("error"),
    updatedAt: instant("updated_at").notNull().defaultNow(),
    /** How often an attempt has failed. */
    errorCount: bigint("error_count", { mode: "number" }).notNull().default(0),
    /** When a rebuild had caught up. */
    rebuiltAt: instant("rebuilt_at"),
  },
  (t) => [check("ck_event_projections_counts", sql`${t.lastPosition} >= 0 and ${t.eventCount} >= 0`)],
);

/** Events on their way to the clients: written with the event, taken out of the way when the bus has it. */
export const eventQueue = pgTable(
  "event_queue",
  {
    /** The event's. */
    eventId: uuid("event_id").primaryKey(),
    userId: uuid("user_id").notNull(),
    accountId: uuid("account_id").notNull(),
    accountSequence: bigint("account_sequence", { mode: "number" }).notNull(),
    /** What clients see: the rows as the event left them. */
    payload: jsonb("payload").$type<Record<string, unknown>>().notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    publishedAt: instant("published_at"),
    /** How often the bus has refused it. */
    attempts: integer("attempts").notNull().default(0),
    nextAttemptAt: instant("next_attempt_at"),
  },
  (t) => [
    unique("uk_event_queue_account_id_account_sequence").on(t.accountId, t.accountSequence),
    check("ck_event_queue_payload", sql`jsonb_typeof(${t.payload}) = 'object'`),
    check("ck_event_queue_attempts", sql`${t.attempts} >= 0`),
    check("ck_event_queue_account_sequence", sql`${t.accountSequence} > 0`),
    index("idx_event_queue_unpublished")
      .on(t.createdAt, t.accountId, t.accountSequence)
      .where(sql`published_at is null`),
    index("idx_event_queue_published_at").on(t.publishedAt).where(sql`published_at is not null`),
  ],
);

/** Events that somebody could not take in, after all attempts. Their content is in the event store. */
export const deadLetters = pgTable(
  "dead_letters",
  {
    id: uuid("id").primaryKey(),
    /** A projection, or "bus". */
    consumer: varchar("consumer", { length: 100 }).notNull(),
    eventId: uuid("event_id").notNull(),
    accountId: uuid("account_id").notNull(),
    accountSequence: bigint("account_sequence", { mode: "number" }).notNull(),
    attempts: integer("attempts").notNull(),
    error: text("error").notNull(),
    failedAt: instant("failed_at").notNull().defaultNow(),
    replayedAt: instant("replayed_at"),
  },
  (t) => [
    unique("uk_dead_letters_consumer_event_id").on(t.consumer, t.eventId),
    check("ck_dead_letters_attempts", sql`${t.attempts} > 0`),
    index("idx_dead_letters_failed_at").on(t.failedAt),
  ],
);

/** How far each projection has come with each account. */
export const projectionCursors = pgTable(
  "projection_cursors",
  {
    projection: varchar("projection", { length: 100 }).notNull(),
    accountId: uuid("account_id").notNull(),
    /** Of the last event that was taken in. */
    sequence: bigint("sequence", { mode: "number" }).notNull().default(0),
    /** How often the next one has failed. */
    attempts: integer("attempts").notNull().default(0),
    nextAttemptAt: instant("next_attempt_at"),
  },
  (t) => [
    primaryKey({ name: "pk_projection_cursors", columns: [t.projection, t.accountId] }),
    foreignKey({
      name: "fk_projection_cursors_projection",
      columns: [t.projection],
      foreignColumns: [eventProjections.name],
    }),
    check("ck_projection_cursors_counts", sql`${t.sequence} >= 0 and ${t.attempts} >= 0`),
  ],
);

/** What happened on an account on each day (UTC), by kind of event: a projection. */
export const accountActivity = pgTable(
  "account_activity",
  {
    accountId: uuid("account_id").notNull(),
    userId: uuid("user_id").notNull(),
    day: date("day").notNull(),
    eventType: varchar("event_type", { length: 60 }).notNull(),
    eventCount: bigint("event_count", { mode: "number" }).notNull(),
    lastSequence: bigint("last_sequence", { mode: "number" }).notNull(),
  },
  (t) => [
    primaryKey({ name: "pk_account_activity", columns: [t.accountId, t.day, t.eventType] }),
    index("idx_account_activity_user_id").on(t.userId),
    check("ck_account_activity_counts", sql`${t.eventCount} > 0 and ${t.lastSequence} > 0`),
  ],
);
