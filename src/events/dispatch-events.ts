import type postgres from "postgres";
import { BusAwayError, MessageRefusedError } from "../bus/durable.js";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { rest } from "../core/rest.js";
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
  /**
   * Fulfilled when the bus has it.
   * @throws {BusAwayError} when no event can be taken now {MessageRefusedError} when this one is not taken
   */
  readonly publish: (event: QueuedEvent) => Promise<void>;
  readonly log: Logger;
}

/** Tells every node which accounts have something new. */
export const accountsChannel = "tradegraph_accounts";
/** Tells every node that there is something in the outbox. */
export const outboxChannel = "tradegraph_outbox";
const batchSize = 500;
/** Nobody has to say that there is something. */
const pollMs = 1_000;
/** Between the end of one look and the next: what comes meanwhile leaves together, because a look costs as much as an order. */
const pauseMs = 20;
/** Accounts named in one notification, which may hold 8,000 bytes. */
const accountsPerNotification = 60;
/** After so many refusals of the bus an event is a dead letter. */
const maxRefusals = 10;
/** Users who are told by NOTIFY while the bus is away; the others find out by their own polling. */
const maxUntold = 10_000;

type Outcome = "published" | "later" | { readonly refused: string };

/**
 * Takes events from the outbox to the bus, each at least once and those of an account in their order. Of several processes
 * one does it at a time. Whoever has stored events and finds another process at it wakes that one by NOTIFY, so nothing waits
 * for the next poll. While the bus is away, what was stored is told by NOTIFY alone and stays in the outbox.
 */
export class EventDispatcher {
  readonly #timer: NodeJS.Timeout;
  #listening: { unlisten(): Promise<void> } | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  /** Whether this process has stored events since it had its turn. */
  #hasOwn = false;
  #untold = new Set<string>();
  #isBusAway = false;
  readonly #closing = new AbortController();
  #failures = 0;

  constructor(private readonly options: DispatchOptions) {
    this.#timer = setInterval(() => this.#wake(), pollMs);
  }

  /** Hears from now on when others have filled the outbox. */
  async start(): Promise<void> {
    const { database, log } = this.options;
    this.#listening = await database.sql
      .listen(
        outboxChannel,
        () => this.#wake(),
        () => this.#wake(),
      )
      .catch((error: unknown) => {
        log.warn({ error: errorMessage(error) }, "outbox.not-listening");
        return undefined;
      });
  }

  /** This process has stored events of the user. */
  stored(userId: string): void {
    this.#hasOwn = true;
    if (this.#isBusAway && this.#untold.size < maxUntold) this.#untold.add(userId);
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    await this.#running;
    await this.#listening?.unlisten().catch(() => {});
  }

  #wake(): void {
    if (this.#closing.signal.aborted) return;
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#closing.signal.aborted) {
      this.#isWanted = false;
      try {
        await this.#tellUntold();
        if ((await this.#dispatch()) === batchSize) this.#isWanted = true;
        else await rest(pauseMs, this.#closing.signal);
        this.#failures = 0;
      } catch (error) {
        // The next poll tries again.
        if (this.#failures++ === 0) this.options.log.warn({ error: errorMessage(error) }, "outbox.failed");
        return;
      }
    }
  }

  async #tellUntold(): Promise<void> {
    const users = [...this.#untold];
    this.#untold.clear();
    await notify(this.options.database.sql, users);
  }

  /** @returns how many events were published */
  async #dispatch(): Promise<number> {
    const { database, clock } = this.options;
    const hasOwn = this.#hasOwn;
    this.#hasOwn = false;
    return await database.sql.begin(async (sql) => {
      const [turn] = await sql<
        { mine: boolean }[]
      >`select pg_try_advisory_xact_lock(hashtext('tradegraph.outbox')) as mine`;
      if (turn?.mine !== true) {
        if (hasOwn) await sql`select pg_notify(${outboxChannel}, '')`;
        return 0;
      }
      const rows = await sql<
        { event_id: string; user_id: string; account_id: string; account_sequence: string; payload: object }[]
      >`select * from unpublished_events(${batchSize})`;
      if (rows.length === 0) return 0;
      const events = rows.map(
        (row): QueuedEvent => ({
          eventId: row.event_id,
          userId: row.user_id,
          accountId: row.account_id,
          sequence: Number(row.account_sequence),
          payload: row.payload as QueuedEvent["payload"],
        }),
      );
      const outcomes = await Promise.all(events.map((event) => this.#publish(event)));
      const published = events.filter((_, at) => outcomes[at] === "published");
      const isAway = outcomes.includes("later");
      // Those of the moment at which it went; later ones are told as they are stored.
      if (isAway && !this.#isBusAway) await notify(sql, [...new Set(events.map(({ userId }) => userId))]);
      this.#busIs(isAway);
      for (const [at, outcome] of outcomes.entries()) {
        if (typeof outcome === "string") continue;
        const { eventId, accountId } = events[at] as QueuedEvent;
        const [row] = await sql<{ dead: boolean }[]>`
          select event_refused(${eventId}, ${outcome.refused}, ${maxRefusals}) as dead`;
        if (row?.dead === true) this.options.log.error({ eventId, accountId }, "outbox.dead-letter");
      }
      if (published.length === 0) return 0;
      // What was published and not marked is published again.
      const ids = `{${published.map(({ eventId }) => eventId).join()}}`;
      await sql`select mark_events_published(${ids}::text::uuid[], ${new Date(clock.nowMs()).toISOString()})`;
      await notify(sql, [...new Set(published.map(({ userId }) => userId))]);
      return rows.length;
    });
  }

  async #publish(event: QueuedEvent): Promise<Outcome> {
    try {
      await this.options.publish(event);
      return "published";
    } catch (error) {
      if (error instanceof BusAwayError) return "later";
      if (error instanceof MessageRefusedError) return { refused: error.message };
      throw error;
    }
  }

  #busIs(isAway: boolean): void {
    if (isAway === this.#isBusAway) return;
    this.#isBusAway = isAway;
    if (isAway) this.options.log.warn({}, "outbox.waiting-for-bus");
    else this.options.log.info({}, "outbox.bus-is-back");
  }
}

async function notify(sql: postgres.Sql | postgres.TransactionSql, users: readonly string[]): Promise<void> {
  for (let at = 0; at < users.length; at += accountsPerNotification)
    await sql`select pg_notify(${accountsChannel}, ${users.slice(at, at + accountsPerNotification).join()})`;
}
