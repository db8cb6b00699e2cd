import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import { inBatches } from "./in-batches.js";
import type { Job } from "./job.js";

const dayMs = 24 * 3_600_000;
const batch = 5_000;

/** Deletes audit events that are old enough. The database refuses every other way to, and any of the last thirty days. */
export const dropAuditEvents = ({ sql }: Pick<Database, "sql">, clock: Clock, keepDays: number): Job => ({
  name: "drop-audit-events",
  everyMs: dayMs,
  first: "now",
  work: async ({ mayGoOn }) => {
    const before = new Date(clock.nowMs() - keepDays * dayMs).toISOString();
    const rows = await inBatches(
      batch,
      mayGoOn,
      () => sql`select drop_expired_audit_events(${before}, ${batch})::float8 as rows`,
    );
    return { rows };
  },
});
