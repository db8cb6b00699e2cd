import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import { dropOldSeries } from "../db/time-series.js";
import { RepeatedJob } from "./repeated-job.js";

const hourMs = 3_600_000;

/** Deletes series by age, now and every hour. Several nodes may run it; they take turns. */
export class DropOldSeries extends RepeatedJob {
  constructor(database: Database, log: Logger, everyMs: number = hourMs) {
    super(async (mayGoOn) => {
      try {
        const rows = await dropOldSeries(database.sql, () => !mayGoOn());
        if (rows > 0) log.info({ rows }, "series.old-dropped");
      } catch (error) {
        log.warn({ error: errorMessage(error) }, "series.drop-old-failed");
      }
    }, everyMs);
  }
}
