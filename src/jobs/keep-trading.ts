import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import { RepeatedJob } from "./repeated-job.js";

const hourMs = 3_600_000;
/** How long a client may be away and still resume. */
const keepEventsMs = 7 * 24 * hourMs;
const batch = 10_000;

/**
 * Once in every hour (UTC), as soon as it is there: takes a snapshot of all balances, and drops events that were told long
 * ago and snapshots that are too old. Several nodes may run it.
 */
export class KeepTrading extends RepeatedJob {
  constructor(database: Database, clock: Clock, log: Logger, everyMs: number = 60_000) {
    const { sql } = database;
    let doneHourMs = Number.NaN;
    super(async (mayGoOn) => {
      const nowMs = clock.nowMs();
      const hour = nowMs - (nowMs % hourMs);
      if (hour === doneHourMs) return;
      try {
        // The hour is the snapshot's key, so a second node adds nothing.
        await sql`select take_balance_snapshots(${new Date(hour).toISOString()})`;
        const before = new Date(nowMs - keepEventsMs).toISOString();
        await inBatches(mayGoOn, () => sql`select drop_published_events(${before}, ${batch})::float8 as rows`);
        const now = new Date(nowMs).toISOString();
        await inBatches(mayGoOn, () => sql`select drop_old_balance_snapshots(${now}, ${batch})::float8 as rows`);
        if (mayGoOn()) doneHourMs = hour;
      } catch (error) {
        log.warn({ error: errorMessage(error) }, "trading.keep-failed");
      }
    }, everyMs);
  }
}

/** Short transactions, until one had nothing left to do. */
async function inBatches(mayGoOn: () => boolean, drop: () => Promise<readonly { rows?: number }[]>): Promise<void> {
  for (let dropped = batch; dropped >= batch && mayGoOn(); ) dropped = (await drop())[0]?.rows ?? 0;
}
