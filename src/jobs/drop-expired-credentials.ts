import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import { RepeatedJob } from "./repeated-job.js";

const hourMs = 3_600_000;
const batch = 5_000;

/** Deletes refresh tokens and mailed tokens that nobody can use any more, now and every hour. Several nodes may run it. */
export class DropExpiredCredentials extends RepeatedJob {
  constructor(database: Database, clock: Clock, log: Logger) {
    super(async (mayGoOn) => {
      const at = new Date(clock.nowMs()).toISOString();
      let total = 0;
      try {
        for (let dropped = batch; dropped >= batch && mayGoOn(); total += dropped) {
          const [row] = await database.sql<{ rows: number }[]>`
            select drop_expired_credentials(${at}, ${batch})::float8 as rows`;
          dropped = row?.rows ?? 0;
        }
        if (total > 0) log.info({ rows: total }, "credentials.expired-dropped");
      } catch (error) {
        log.warn({ error: errorCode(error) }, "credentials.drop-expired-failed");
      }
    }, hourMs);
  }
}
