import type { Bus } from "../bus/bus.js";
import { errorMessage } from "../core/errors.js";
import { isUuid } from "../core/ids.js";
import type { Logger } from "../core/logger.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import { accountsChannel, type QueuedEvent } from "./dispatch-events.js";

export interface FollowOptions {
  readonly database: Database;
  readonly bus: Bus;
  readonly log: Logger;
}

export interface EventWatch {
  /** Told of every event that may be new. Those of an account may come twice, and may be missing: compare their numbers. */
  readonly onEvent: (event: QueuedEvent) => void;
  /** The newest number of an account: there is something to read when it is larger than what was seen. */
  readonly onNewest: (accountId: string, sequence: number) => void;
}

export const userSubject = (userId: string): string => `ledger.${userId}`;

/** How long an event may be late when everything but the database has failed. */
const pollMs = 2_000;
const pageSize = 200;

/**
 * Brings the events of users whom somebody watches: from this process at once, from others by the bus, and by the word of the
 * database where that is away. Whoever watches reads from the database what has not come.
 */
export class UserEvents {
  readonly #watches = new Map<string, { readonly all: Set<EventWatch>; readonly stop: () => void }>();
  readonly #timer: NodeJS.Timeout;
  #listening: { unlisten(): Promise<void> } | undefined;
  #polling: Promise<void> | undefined;
  #closed = false;

  constructor(private readonly options: FollowOptions) {
    this.#timer = setInterval(() => this.#poll(), pollMs);
  }

  async start(): Promise<void> {
    const { database, log } = this.options;
    this.#listening = await database.sql
      .listen(
        accountsChannel,
        (users) => {
          if (users.split(",").some((userId) => this.#watches.has(userId))) this.#poll();
        },
        () => this.#poll(),
      )
      .catch((error: unknown) => {
        log.warn({ error: errorMessage(error) }, "events.not-listening");
        return undefined;
      });
  }

  /** Returns the function that ends it. */
  watch(userId: string, watch: EventWatch): () => void {
    let known = this.#watches.get(userId);
    if (known === undefined) {
      const all = new Set<EventWatch>();
      const stop = this.options.bus.subscribe(userSubject(userId), (text) => {
        const event = eventOf(text);
        if (event !== null) for (const one of all) one.onEvent(event);
      });
      known = { all, stop };
      this.#watches.set(userId, known);
    }
    const { all, stop } = known;
    all.add(watch);
    return () => {
      if (!all.delete(watch) || all.size > 0) return;
      stop();
      this.#watches.delete(userId);
    };
  }

  /** An event that this process has just committed. */
  tell(event: QueuedEvent): void {
    for (const watch of this.#watches.get(event.userId)?.all ?? []) watch.onEvent(event);
  }

  /** How many users are watched. */
  get userCount(): number {
    return this.#watches.size;
  }

  /** The events of an account after a number, in their order: at most 200. */
  async read(userId: string, accountId: string, after: number): Promise<QueuedEvent[]> {
    const [rows] = await asUserAtOnce(this.options.database, userId, (sql) => [
      sql<{ event_id: string; account_sequence: string; payload: QueuedEvent["payload"] }[]>`
        select event_id, account_sequence, payload from event_queue
        where account_id = ${accountId} and account_sequence > ${after} order by account_sequence limit ${pageSize}`,
    ]);
    return rows.map((row) => ({
      eventId: row.event_id,
      userId,
      accountId,
      sequence: Number(row.account_sequence),
      payload: row.payload,
    }));
  }

  /** The newest number of each account of the user. */
  async newest(userId: string): Promise<Map<string, number>> {
    const [rows] = await asUserAtOnce(this.options.database, userId, (sql) => [
      sql<{ account_id: string; sequence: string }[]>`select account_id, sequence from account_sequences`,
    ]);
    return new Map(rows.map((row) => [row.account_id, Number(row.sequence)]));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { stop } of this.#watches.values()) stop();
    this.#watches.clear();
    await this.#polling;
    await this.#listening?.unlisten().catch(() => {});
  }

  #poll(): void {
    if (this.#closed || this.#watches.size === 0) return;
    this.#polling ??= this.#look()
      .catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, "events.unread"))
      .finally(() => {
        this.#polling = undefined;
      });
  }

  async #look(): Promise<void> {
    const users = `{${[...this.#watches.keys()].join()}}`;
    const rows = await this.options.database.sql<{ user_id: string; account_id: string; sequence: string }[]>`
      select * from newest_account_sequences(${users}::text::uuid[])`;
    for (const row of rows)
      for (const watch of this.#watches.get(row.user_id)?.all ?? [])
        watch.onNewest(row.account_id, Number(row.sequence));
  }
}

export const textOfEvent = (event: QueuedEvent): string => JSON.stringify(event);

/** Null when it is none: others may publish what they like. */
export function eventOf(text: string): QueuedEvent | null {
  try {
    const event = JSON.parse(text) as QueuedEvent;
    const isWhole =
      typeof event.eventId === "string" &&
      isUuid(event.eventId) &&
      typeof event.accountId === "string" &&
      typeof event.userId === "string" &&
      Number.isSafeInteger(event.sequence) &&
      typeof event.payload === "object" &&
      event.payload !== null;
    return isWhole ? event : null;
  } catch {
    return null;
  }
}
