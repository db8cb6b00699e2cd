import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import { inBatches } from "./in-batches.js";
import type { Job } from "./job.js";

const hourMs = 3_600_000;
/** How long a client may be away and still resume. */
const keepMs = 7 * 24 * hourMs;
const batch = 10_000;

/** Drops events from the outbox that were told long ago; the event store keeps them. */
export const dropToldEvents = ({ sql }: Pick<Database, "sql">, clock: Clock): Job => ({
  name: "drop-told-events",
  everyMs: hourMs,
  first: "later",
  work: async ({ mayGoOn }) => {
    const before = new Date(clock.nowMs() - keepMs).toISOString();
    const rows = await inBatches(
      batch,
      mayGoOn,
      () => sql`select drop_published_events(${before}, ${batch})::float8 as rows`,
    );
    return { rows };
  },
});
