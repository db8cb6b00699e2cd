import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";

const hourMs = 3_600_000;
const batch = 5_000;

/** Deletes refresh tokens and mailed tokens that nobody can use any more, now and every hour. Several nodes may run it. */
export class DropExpiredCredentials {
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void>;
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
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
    const at = new Date(this.clock.nowMs()).toISOString();
    let total = 0;
    try {
      for (let dropped = batch; dropped >= batch && !this.#closed; total += dropped) {
        const [row] = await this.database.sql<{ rows: number }[]>`
          select drop_expired_credentials(${at}, ${batch})::float8 as rows`;
        dropped = row?.rows ?? 0;
      }
      if (total > 0) this.log.info({ rows: total }, "credentials.expired-dropped");
    } catch (error) {
      this.log.warn({ error: errorCode(error) }, "credentials.drop-expired-failed");
    }
  }
}
