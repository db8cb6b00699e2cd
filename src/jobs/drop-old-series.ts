import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import { dropOldSeries } from "../db/time-series.js";

const hourMs = 3_600_000;

/** Deletes series by age, now and every hour. Several nodes may run it; they take turns. */
export class DropOldSeries {
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void>;
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
    everyMs: number = hourMs,
  ) {
    this.#running = this.#run();
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#run());
    }, everyMs);
  }

  /** Ends after the step that is being done. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      const rows = await dropOldSeries(this.database.sql, () => this.#closed);
      if (rows > 0) this.log.info({ rows }, "series.old-dropped");
    } catch (error) {
      this.log.warn({ error: errorMessage(error) }, "series.drop-old-failed");
    }
  }
}
