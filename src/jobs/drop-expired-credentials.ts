import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import { inBatches } from "./in-batches.js";
import type { Job } from "./job.js";

const hourMs = 3_600_000;
const batch = 5_000;

/** Deletes refresh tokens, mailed tokens and changes of addresses that nobody can use any more. */
export const dropExpiredCredentials = ({ sql }: Pick<Database, "sql">, clock: Clock): Job => ({
  name: "drop-expired-credentials",
  everyMs: hourMs,
  first: "now",
  work: async ({ mayGoOn }) => {
    const at = new Date(clock.nowMs()).toISOString();
    const rows = await inBatches(
      batch,
      mayGoOn,
      () => sql`select drop_expired_credentials(${at}, ${batch})::float8 as rows`,
    );
    return { rows };
  },
});
