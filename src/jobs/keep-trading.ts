import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";

const hourMs = 3_600_000;
/** How long a client may be away and still resume. */
const keepEventsMs = 7 * 24 * hourMs;
const batch = 10_000;

/** Takes a snapshot of all balances at each full hour, and drops events that were told long ago. Several nodes may run it. */
export class KeepTrading {
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> = Promise.resolve();
  #lastHourMs: number;
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly log: Logger,
    everyMs: number = 60_000,
  ) {
    this.#lastHourMs = hourOf(clock.nowMs());
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#run());
    }, everyMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const nowMs = this.clock.nowMs();
    if (this.#closed || hourOf(nowMs) === this.#lastHourMs) return;
    const { sql } = this.database;
    try {
      const at = hourOf(nowMs);
      // The hour is the snapshot's key, so a second node adds nothing.
      await sql`select take_balance_snapshots(${new Date(at).toISOString()})`;
      const before = new Date(nowMs - keepEventsMs).toISOString();
      for (let dropped = batch; dropped === batch && !this.#closed; ) {
        const [row] = await sql<{ dropped: string }[]>`select drop_published_events(${before}, ${batch}) as dropped`;
        dropped = Number(row?.dropped ?? 0);
      }
      this.#lastHourMs = at;
    } catch (error) {
      this.log.warn({ error: errorMessage(error) }, "trading.keep-failed");
    }
  }
}

const hourOf = (ms: number): number => ms - (ms % hourMs);
