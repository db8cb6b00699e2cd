import type { Actor, AuditDetails } from "../core/actor.js";
import { anonymousNetwork } from "../core/address.js";
import { badInput } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { isUuid, uuidV7 } from "../core/uuid.js";
import type { Db, Sql } from "../db/connect.js";
import { auditEvents } from "./tables.js";

/** Everything that is written down. */
export const auditActions = [
  ...["user.registered", "user.password-changed", "user.password-reset", "user.closed"],
  ...["sign-in.accepted", "sign-in.refused", "session.ended", "session.token-reused"],
  ...["api-key.created", "api-key.revoked"],
  ...["symbol.updated", "market.status-set", "market.symbols-synced"],
  ...["provider.credentials-set", "provider.credentials-cleared", "keys.rotated"],
] as const;
export type AuditAction = (typeof auditActions)[number];

export interface NewAuditEvent {
  readonly action: AuditAction;
  readonly actor: Actor;
  /** Whose account it is about; null: about none that there is. */
  readonly userId?: string | null;
  /** What it was done to. */
  readonly target?: string;
  readonly details?: AuditDetails;
}

/** Names of the entries that `recordAudit` makes itself. */
type OwnDetails = { readonly by: "user" | "operator-token" | "command-line" | "nobody" };

/**
 * Writes an event down, in the transaction of what it tells about where there is one: then both are there or neither. Of the
 * address only the network is kept. Nothing takes it back: the database refuses to change or delete it.
 * @param db a transaction, or a connection for what changes nothing else
 */
export async function recordAudit(db: Pick<Db, "insert">, clock: Clock, event: NewAuditEvent): Promise<void> {
  const { action, actor, userId = null, target, details } = event;
  const nowMs = clock.nowMs();
  const network = actor.address === null ? null : anonymousNetwork(actor.address);
  await db.insert(auditEvents).values({
    id: uuidV7(nowMs),
    occurredAt: new Date(nowMs),
    userId,
    actorId: actor.viewer?.kind === "user" ? actor.viewer.userId : null,
    action,
    details: {
      ...details,
      ...(target === undefined ? {} : { target }),
      ...(actor.viewer?.kind === "user" && actor.viewer.apiKeyId !== null ? { apiKeyId: actor.viewer.apiKeyId } : {}),
      ...(network === null ? {} : { network }),
      ...({ by: kindOf(actor) } satisfies OwnDetails),
    },
  });
}

function kindOf({ viewer, address }: Actor): OwnDetails["by"] {
  if (viewer === null) return address === null ? "command-line" : "nobody";
  return viewer.kind === "user" ? "user" : "operator-token";
}

export interface AuditEvent {
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
  readonly events: readonly AuditEvent[];
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
  const rows = await sql<AuditEvent[]>`
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
export const auditCursor = ({ id }: AuditEvent): string => Buffer.from(`audit:${id}`).toString("base64url");

function cursor(field: string, text: string | null | undefined): string | null {
  if (text == null) return null;
  const [kind, id = ""] = Buffer.from(text.slice(0, 100), "base64url").toString("latin1").split(":");
  if (kind === "audit" && isUuid(id)) return id;
  throw badInput(field, `${field} is not a cursor of this list`);
}
