import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";

/** An event as it leaves the outbox. */
export interface QueuedEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly accountId: string;
  /** Grows by one with every event of the account. */
  readonly sequence: number;
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface DispatchOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly publish: (event: QueuedEvent) => void;
  readonly log: Logger;
}

/** Tells every node which accounts have something new. */
export const accountsChannel = "tradegraph_accounts";
const batchSize = 500;
/** Nobody has to say that there is something. */
const pollMs = 1_000;
/** Between the end of one look and the next: what comes meanwhile leaves together, because a look costs as much as an order. */
const pauseMs = 20;
/** Accounts named in one notification, which may hold 8,000 bytes. */
const accountsPerNotification = 60;

/**
 * Takes events from the outbox to the bus, each at least once and those of an account in their order. Of several processes
 * one does it at a time; the others find it done.
 */
export class EventDispatcher {
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #endPause = () => {};
  #wanted = false;
  #closed = false;
  #failures = 0;

  constructor(private readonly options: DispatchOptions) {
    this.#timer = setInterval(() => this.wake(), pollMs);
  }

  /** There is something in the outbox. */
  wake(): void {
    if (this.#closed) return;
    this.#wanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#endPause();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false;
      try {
        if ((await this.#dispatch()) === batchSize) this.#wanted = true;
        else await this.#pause();
        this.#failures = 0;
      } catch (error) {
        // The next poll tries again.
        if (this.#failures++ === 0) this.options.log.warn({ error: errorMessage(error) }, "outbox.failed");
        return;
      }
    }
  }

  async #pause(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #dispatch(): Promise<number> {
    const { database, clock, publish } = this.options;
    return await database.sql.begin(async (sql) => {
      const [turn] = await sql<
        { mine: boolean }[]
      >`select pg_try_advisory_xact_lock(hashtext('tradegraph.outbox')) as mine`;
      if (turn?.mine !== true) return 0;
      const rows = await sql<
        { event_id: string; user_id: string; account_id: string; account_sequence: string; payload: object }[]
      >`select * from unpublished_events(${batchSize})`;
      if (rows.length === 0) return 0;
      const users = new Set<string>();
      for (const row of rows) {
        users.add(row.user_id);
        publish({
          eventId: row.event_id,
          userId: row.user_id,
          accountId: row.account_id,
          sequence: Number(row.account_sequence),
          payload: row.payload as QueuedEvent["payload"],
        });
      }
      // What was published and not marked is published again.
      const ids = `{${rows.map((row) => row.event_id).join()}}`;
      await sql`select mark_events_published(${ids}::text::uuid[], ${new Date(clock.nowMs()).toISOString()})`;
      const told = [...users];
      for (let at = 0; at < told.length; at += accountsPerNotification)
        await sql`select pg_notify(${accountsChannel}, ${told.slice(at, at + accountsPerNotification).join()})`;
      return rows.length;
    });
  }
}
