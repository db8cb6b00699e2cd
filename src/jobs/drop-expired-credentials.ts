import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { Job } from "./job.js";

const hourMs = 3_600_000;
const batch = 5_000;

/** Deletes refresh tokens, mailed tokens and changes of addresses that nobody can use any more. */
export const dropExpiredCredentials = (database: Pick<Database, "sql">, clock: Clock): Job => ({
  name: "drop-expired-credentials",
  everyMs: hourMs,
  first: "now",
  work: async ({ mayGoOn }) => {
    const at = new Date(clock.nowMs()).toISOString();
    let rows = 0;
    for (let dropped = batch; dropped >= batch && mayGoOn(); rows += dropped) {
      const [row] = await database.sql<{ rows: number }[]>`
        select drop_expired_credentials(${at}, ${batch})::float8 as rows`;
      dropped = row?.rows ?? 0;
    }
    return { rows };
  },
});
