import type postgres from "postgres";
import type { Actor, AuditDetails } from "../core/actor.js";
import { anonymousNetwork } from "../core/address.js";
import { badInput } from "../core/errors.js";
import { isUuid } from "../core/ids.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import type { Db, Sql } from "../db/connect.js";
import { auditEvents } from "./tables.js";

export interface AuditEvent {
  /** Whose account it is about; null: about none that there is. */
  readonly userId: string | null;
  /** The user who did it; null: nobody who is known. */
  readonly actorId: string | null;
  /** What was done to what: "session.start", "api-key.revoke". */
  readonly action: string;
  readonly details?: AuditDetails;
  /** Where it came from; of that only the network is kept. */
  readonly address?: string | null;
}

type Statements = Sql | postgres.TransactionSql | postgres.ReservedSql;

/**
 * The statement that writes an event down, for the transaction of what it tells: then both are there or neither. Nothing takes
 * it back: the database refuses to change or delete it.
 */
export function auditEvent(sql: Statements, clock: Clock, event: AuditEvent) {
  const { id, occurredAt, userId, actorId, action, details } = rowOf(clock, event);
  return sql`
    insert into audit_events (id, occurred_at, user_id, actor_id, action, details)
    values (${id}, ${occurredAt.toISOString()}, ${userId}, ${actorId}, ${action}, ${JSON.stringify(details)}::text::jsonb)`;
}

export interface Operation {
  readonly action: string;
  readonly actor: Actor;
  /** What it was done to. */
  readonly target: string;
  readonly details?: AuditDetails;
}

/** Writes an operator's work down, in the transaction of it where there is one. */
export async function recordOperation(
  db: Pick<Db, "insert">,
  clock: Clock,
  { action, actor, target, details }: Operation,
): Promise<void> {
  const { viewer, address } = actor;
  const event = {
    userId: null,
    actorId: viewer?.kind === "user" ? viewer.userId : null,
    action,
    details: { ...details, target, by: kindOf(actor) },
    address,
  };
  await db.insert(auditEvents).values(rowOf(clock, event));
}

function rowOf(clock: Clock, { userId, actorId, action, details, address }: AuditEvent) {
  const nowMs = clock.nowMs();
  const network = address == null ? null : anonymousNetwork(address);
  return {
    id: uuidV7(nowMs),
    occurredAt: new Date(nowMs),
    userId,
    actorId,
    action,
    details: { ...details, ...(network === null ? {} : { network }) },
  };
}

function kindOf({ viewer, address }: Actor): "user" | "operator-token" | "command-line" | "nobody" {
  if (viewer === null) return address === null ? "command-line" : "nobody";
  return viewer.kind === "user" ? "user" : "operator-token";
}

/** As it was written down. */
export interface RecordedEvent {
  readonly id: string;
  readonly occurredAt: Date;
  readonly action: string;
  readonly userId: string | null;
  readonly actorId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface AuditSearch {
  readonly action?: string | null | undefined;
  readonly userId?: string | null | undefined;
  readonly actorId?: string | null | undefined;
  /** [from, to) */
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

export interface AuditPage {
  readonly events: readonly RecordedEvent[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

const defaultPageSize = 50;
const maxPageSize = 500;

/**
 * Events of everybody, the newest first. For operators alone: whoever calls this has made sure of it.
 * @throws {DomainError} BAD_USER_INPUT for a size out of range, both directions at once, or a malformed cursor
 */
export async function readAudit(sql: Sql, search: AuditSearch): Promise<AuditPage> {
  const { action, userId, actorId, from, to, first, after, last, before } = search;
  if (first != null && last != null) throw badInput("last", "give either first or last, not both");
  const isBackwards = last != null;
  const size = sizeOf(isBackwards ? "last" : "first", first ?? last ?? defaultPageSize);
  const [olderThan, newerThan] = [cursor("after", after), cursor("before", before)];
  const rows = await sql<RecordedEvent[]>`
    select id, occurred_at as "occurredAt", action, user_id as "userId", actor_id as "actorId", details
    from read_audit_events(${action ?? null}, ${userId ?? null}, ${actorId ?? null}, ${from?.toISOString() ?? null},
      ${to?.toISOString() ?? null}, ${olderThan}, ${newerThan}, ${isBackwards}, ${size + 1})`;
  const hasMore = rows.length > size;
  const events = rows.slice(0, size).map((row) => ({ ...row, occurredAt: new Date(row.occurredAt) }));
  if (isBackwards) events.reverse();
  return {
    events,
    hasNextPage: isBackwards ? newerThan !== null : hasMore,
    hasPreviousPage: isBackwards ? hasMore : olderThan !== null,
  };
}

function sizeOf(field: string, size: number): number {
  if (Number.isInteger(size) && size >= 0 && size <= maxPageSize) return size;
  throw badInput(field, `${field} must be from 0 to ${maxPageSize}`);
}

/** The place of an event in the list: its id, which sorts by time. */
export const auditCursor = ({ id }: RecordedEvent): string => Buffer.from(`audit:${id}`).toString("base64url");

function cursor(field: string, text: string | null | undefined): string | null {
  if (text == null) return null;
  const [kind, id = ""] = Buffer.from(text.slice(0, 100), "base64url").toString("latin1").split(":");
  if (kind === "audit" && isUuid(id)) return id;
  throw badInput(field, `${field} is not a cursor of this list`);
}
