import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
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
  },
  (t) => [
    unique("uk_event_queue_account_id_account_sequence").on(t.accountId, t.accountSequence),
    check("ck_event_queue_payload", sql`jsonb_typeof(${t.payload}) = 'object'`),
    check("ck_event_queue_account_sequence", sql`${t.accountSequence} > 0`),
    index("idx_event_queue_unpublished")
      .on(t.createdAt, t.accountId, t.accountSequence)
      .where(sql`published_at is null`),
    index("idx_event_queue_published_at").on(t.publishedAt).where(sql`published_at is not null`),
  ],
);
