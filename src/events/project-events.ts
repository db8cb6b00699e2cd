import type postgres from "postgres";
import type { DurableBus } from "../bus/durable.js";
import { errorCode, errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { rest } from "../core/rest.js";
import { asUser } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import type { Leadership, Leaderships } from "../db/leadership.js";
import { accountsChannel } from "./dispatch-events.js";
import type { Projection, StoredEvent } from "./projection.js";

export interface ProjectionRunnerOptions {
  readonly projection: Projection;
  readonly database: Database;
  readonly leaderships: Leaderships;
  /** Null: NOTIFY and polling alone say that there is something. */
  readonly durable: DurableBus | null;
  readonly log: Logger;
  /** Shorter in tests. */
  readonly pollMs?: number;
  readonly firstRetryMs?: number;
}

const defaultPollMs = 2_000;
/** Between two looks: under load, events of the same account are taken in together, and not each in a transaction of its own. */
const pauseMs = 500;
const batchSize = 200;
const accountsPerLook = 500;
/** After so many attempts an event is a dead letter, and the account's next ones go on. */
export const maxAttempts = 5;
const defaultFirstRetryMs = 1_000;
const lastRetryMs = 5 * 60_000;

/**
 * Keeps one projection up to date, on the one node that leads it. The events are read from the store by the numbers of their
 * account, which have no gaps; the bus, NOTIFY and polling only say when to look. So whatever is told twice, late, in another
 * order or never, each event counts once.
 */
export class ProjectionRunner {
  readonly #timer: NodeJS.Timeout;
  #leadership: Leadership | undefined;
  #stopConsuming: (() => Promise<void>) | null = null;
  #listening: { unlisten(): Promise<void> } | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #failures = 0;
  readonly #closing = new AbortController();

  constructor(private readonly options: ProjectionRunnerOptions) {
    this.#timer = setInterval(() => this.wake(), options.pollMs ?? defaultPollMs);
  }

  get isLeading(): boolean {
    return this.#leadership?.isLeading === true;
  }

  async start(): Promise<void> {
    const { projection, database, leaderships, log } = this.options;
    await database.sql`
      insert into event_projections (name, status) values (${projection.name}, 'RUNNING') on conflict (name) do nothing`;
    this.#leadership = leaderships.campaign(`projection ${projection.name}`, {
      onChange: (isLeading) => this.#led(isLeading),
    });
    this.#listening = await database.sql
      .listen(
        accountsChannel,
        () => this.wake(),
        () => this.wake(),
      )
      .catch((error: unknown) => {
        log.warn({ error: errorMessage(error) }, "projection.not-listening");
        return undefined;
      });
  }

  /** There may be events that are not taken in. */
  wake(): void {
    if (this.#closing.signal.aborted || !this.isLeading) return;
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    await this.#stopConsuming?.();
    await this.#running;
    await this.#listening?.unlisten().catch(() => {});
    await this.#leadership?.resign();
  }

  #led(isLeading: boolean): void {
    const { durable, projection } = this.options;
    if (isLeading) {
      this.#stopConsuming ??=
        durable?.consume(projection.name, async () => {
          this.wake();
          await this.#running;
          if (this.#failures > 0) throw new Error("not taken in yet");
        }) ?? null;
      this.wake();
    } else {
      const stop = this.#stopConsuming;
      this.#stopConsuming = null;
      void stop?.();
    }
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#closing.signal.aborted && this.isLeading) {
      this.#isWanted = false;
      try {
        if (await this.#look()) this.#isWanted = true;
        // A durable consumer is told of each event when it is taken in, and would have to wait for each.
        else if (this.options.durable === null) await rest(pauseMs, this.#closing.signal);
        this.#failures = 0;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (this.#failures++ === 0)
          this.options.log.warn(
            { projection: this.options.projection.name, error: errorCode(error) },
            "projection.stuck",
          );
        return;
      }
    }
  }

  /** @returns whether there may be more at once */
  async #look(): Promise<boolean> {
    const { database, projection } = this.options;
    const rows = await database.sql<{ account_id: string; user_id: string; attempts: number }[]>`
      select account_id, user_id, attempts from projection_backlog(${projection.name}, ${accountsPerLook})`;
    let hasMore = rows.length === accountsPerLook;
    for (const { account_id: accountId, user_id: userId, attempts } of rows) {
      if (this.#closing.signal.aborted || !this.isLeading) return false;
      // One at a time after a failure, so that only the one that fails waits.
      if ((await this.#advance(userId, accountId, attempts, attempts === 0 ? batchSize : 1)) === batchSize)
        hasMore = true;
    }
    if (rows.length === 0) await this.#caughtUp();
    // An account whose first event had failed goes on with the others.
    return hasMore || rows.some(({ attempts }) => attempts > 0);
  }

  /** Takes in the next events of an account. @returns how many */
  async #advance(userId: string, accountId: string, attempts: number, limit: number): Promise<number> {
    const { database, projection } = this.options;
    let events: StoredEvent[] = [];
    try {
      await asUser(database, userId, async ({ sql }) => {
        await this.#begin(sql);
        events = await readEvents(sql, projection.name, accountId, limit);
        if (events.length === 0) return;
        await projection.apply(sql, events);
        await this.#note(sql, accountId, events);
      });
      return events.length;
    } catch (error) {
      if (!this.isLeading || events.length === 0) throw error;
      if (events.length > 1) return await this.#advance(userId, accountId, attempts, 1);
      await this.#failed(userId, accountId, events[0] as StoredEvent, attempts + 1, errorMessage(error));
      return 0;
    }
  }

  /** Whoever rebuilds the projection, and whoever led it before, waits here or makes this wait. */
  async #begin(sql: postgres.TransactionSql): Promise<void> {
    await this.#leadership?.fence(sql);
    await sql`select from event_projections where name = ${this.options.projection.name} for update`;
  }

  async #note(sql: postgres.TransactionSql, accountId: string, events: readonly StoredEvent[]): Promise<void> {
    const { name } = this.options.projection;
    const last = events.at(-1) as StoredEvent;
    const position = Math.max(...events.map((event) => event.position));
    await sql`
      insert into projection_cursors (projection, account_id, sequence) values (${name}, ${accountId}, ${last.sequence})
      on conflict (projection, account_id) do update set sequence = excluded.sequence, attempts = 0, next_attempt_at = null`;
    await sql`
      update event_projections set last_position = greatest(last_position, ${position}), event_count = event_count + ${events.length},
        status = case when status = 'FAILED' then 'RUNNING' else status end, error = null, updated_at = now() where name = ${name}`;
  }

  /** Later again, or never: then it is a dead letter. */
  async #failed(
    userId: string,
    accountId: string,
    event: StoredEvent,
    attempts: number,
    reason: string,
  ): Promise<void> {
    const { database, projection, log, firstRetryMs = defaultFirstRetryMs } = this.options;
    const isDead = attempts >= maxAttempts;
    const waitMs = Math.min(lastRetryMs, firstRetryMs * 2 ** (attempts - 1));
    await asUser(database, userId, async ({ sql }) => {
      await this.#begin(sql);
      if (isDead)
        await sql`select add_dead_letter(${projection.name}, ${event.id}, ${accountId}, ${event.sequence}, ${attempts}, ${reason})`;
      await sql`
        insert into projection_cursors (projection, account_id, sequence, attempts, next_attempt_at)
        values (${projection.name}, ${accountId}, ${isDead ? event.sequence : event.sequence - 1}, ${isDead ? 0 : attempts},
          ${isDead ? null : sql`clock_timestamp() + ${`${waitMs} ms`}::interval`})
        on conflict (projection, account_id) do update set sequence = excluded.sequence, attempts = excluded.attempts,
          next_attempt_at = excluded.next_attempt_at`;
      await sql`
        update event_projections set status = case when status = 'REBUILDING' then status else 'FAILED' end, error = ${reason.slice(0, 1_000)},
          error_count = error_count + 1, updated_at = now() where name = ${projection.name}`;
    });
    const told = { projection: projection.name, eventId: event.id, attempts };
    if (isDead) log.error(told, "projection.dead-letter");
    else log.warn(told, "projection.event-failed");
  }

  async #caughtUp(): Promise<void> {
    await this.options.database.sql`
      update event_projections set status = 'RUNNING', rebuilt_at = now(), updated_at = now()
      where name = ${this.options.projection.name} and status = 'REBUILDING'
        and not exists (select from projection_backlog(name, 1))`;
  }
}

interface EventRow {
  readonly id: string;
  readonly position: string;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly version: number;
  readonly event_type: string;
  readonly data: StoredEvent["data"];
  readonly account_id: string;
  readonly user_id: string;
  readonly account_sequence: string;
  readonly occurred_at: string;
}

async function readEvents(
  sql: postgres.TransactionSql,
  projection: string,
  accountId: string,
  limit: number,
): Promise<StoredEvent[]> {
  const rows = await sql<EventRow[]>`
    select e.id, e.position, e.stream_type, e.stream_id, e.version, e.event_type, e.data, e.account_id, e.user_id,
      e.account_sequence, e.occurred_at::text as occurred_at
    from event_store e
    where e.account_id = ${accountId} and e.account_sequence > coalesce(
      (select c.sequence from projection_cursors c where c.projection = ${projection} and c.account_id = ${accountId}), 0)
    order by e.account_sequence limit ${limit}`;
  return rows.map(storedEvent);
}

/** @throws when it is not there, or is another user's */
export async function readEvent(sql: postgres.TransactionSql, eventId: string): Promise<StoredEvent> {
  const [row] = await sql<EventRow[]>`
    select e.id, e.position, e.stream_type, e.stream_id, e.version, e.event_type, e.data, e.account_id, e.user_id,
      e.account_sequence, e.occurred_at::text as occurred_at from event_store e where e.id = ${eventId}`;
  if (row === undefined) throw new Error("the event is not in the store");
  return storedEvent(row);
}

const storedEvent = (row: EventRow): StoredEvent => ({
  id: row.id,
  position: Number(row.position),
  streamType: row.stream_type,
  streamId: row.stream_id,
  version: row.version,
  type: row.event_type,
  data: row.data,
  accountId: row.account_id,
  userId: row.user_id,
  sequence: Number(row.account_sequence),
  occurredAt: new Date(row.occurred_at),
});
