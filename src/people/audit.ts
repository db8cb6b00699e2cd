import type postgres from "postgres";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import type { Viewer } from "../core/viewer.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";

export interface AuditEvent {
  /** Whose account it is about; null: about none. */
  readonly userId: string | null;
  /** The user who did it; null: nobody who is known. */
  readonly actorId: string | null;
  /** What was done to what: "session.start", "api-key.revoke". */
  readonly action: string;
  /** Ids and codes; never personal data. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

type Statements = postgres.TransactionSql | postgres.ReservedSql;

/** The statement that records an event, for the transaction of what it tells. */
export function auditEvent(sql: Statements, clock: Clock, { userId, actorId, action, details = {} }: AuditEvent) {
  const nowMs = clock.nowMs();
  return sql`
    insert into audit_events (id, occurred_at, user_id, actor_id, action, details)
    values (${uuidV7(nowMs)}, ${new Date(nowMs).toISOString()}, ${userId}, ${actorId}, ${action},
      ${JSON.stringify(details)}::text::jsonb)`;
}

/** Records what an operator is about to do. Before it is done, so that nothing is done without. */
export async function recordOperation(
  database: Database,
  clock: Clock,
  viewer: Viewer | null,
  action: string,
  details: AuditEvent["details"] = {},
): Promise<void> {
  const actorId = viewer?.kind === "user" ? viewer.userId : null;
  await asUserAtOnce(database, actorId ?? "", (sql) => [
    auditEvent(sql, clock, { userId: null, actorId, action, details }),
  ]);
}
