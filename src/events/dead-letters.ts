import { errorMessage, notFound } from "../core/errors.js";
import { asUser } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import { outboxChannel } from "./dispatch-events.js";
import { readEvent } from "./project-events.js";
import type { Projection } from "./projection.js";

/** An event that a consumer could not take in after all attempts. */
export interface DeadLetter {
  readonly id: string;
  /** A projection, or "bus". */
  readonly consumer: string;
  readonly eventId: string;
  readonly eventType: string | null;
  readonly accountId: string;
  readonly sequence: number;
  readonly attempts: number;
  readonly error: string;
  readonly failedAt: Date;
  readonly replayedAt: Date | null;
}

export interface ProjectionState {
  readonly name: string;
  readonly status: "RUNNING" | "REBUILDING" | "FAILED";
  readonly lastPosition: number;
  readonly eventCount: number;
  readonly errorCount: number;
  readonly error: string | null;
  /** Events that it has still to take in. */
  readonly behind: number;
  /** Age of the oldest of those. */
  readonly behindMs: number;
  readonly deadLetters: number;
  readonly updatedAt: Date;
  readonly rebuiltAt: Date | null;
}

interface LetterRow {
  readonly id: string;
  readonly consumer: string;
  readonly event_id: string;
  readonly event_type: string | null;
  readonly account_id: string;
  readonly account_sequence: string;
  readonly attempts: number;
  readonly error: string;
  readonly failed_at: string;
  readonly replayed_at: string | null;
}

/** What operators see of the events' way, and do about it. */
export class EventOperations {
  readonly #projections: ReadonlyMap<string, Projection>;

  constructor(
    private readonly database: Database,
    projections: readonly Projection[],
  ) {
    this.#projections = new Map(projections.map((projection) => [projection.name, projection]));
  }

  /** The newest first: one more than `first` when there are more. */
  async deadLetters(search: {
    readonly consumer: string | null;
    readonly includeReplayed: boolean;
    readonly after: string | null;
    readonly first: number;
  }): Promise<DeadLetter[]> {
    const rows = await this.database.sql<LetterRow[]>`
      select id, consumer, event_id, event_type, account_id, account_sequence, attempts, error, failed_at::text as failed_at,
        replayed_at::text as replayed_at
      from list_dead_letters(${search.consumer}, ${search.includeReplayed}, ${search.after}::text::uuid, ${search.first + 1})`;
    return rows.map(letterOf);
  }

  async projections(): Promise<ProjectionState[]> {
    const rows = await this.database.sql<
      {
        name: string;
        status: ProjectionState["status"];
        last_position: string;
        event_count: string;
        error_count: string;
        error: string | null;
        behind: string;
        behind_seconds: number;
        dead_letters: string;
        updated_at: string;
        rebuilt_at: string | null;
      }[]
    >`select name, status, last_position, event_count, error_count, error, behind, behind_seconds, dead_letters,
        updated_at::text as updated_at, rebuilt_at::text as rebuilt_at from projection_states()`;
    return rows.map((row) => ({
      name: row.name,
      status: row.status,
      lastPosition: Number(row.last_position),
      eventCount: Number(row.event_count),
      errorCount: Number(row.error_count),
      error: row.error,
      behind: Number(row.behind),
      behindMs: Math.round(row.behind_seconds * 1_000),
      deadLetters: Number(row.dead_letters),
      updatedAt: new Date(row.updated_at),
      rebuiltAt: row.rebuilt_at === null ? null : new Date(row.rebuilt_at),
    }));
  }

  /**
   * Gives it to its consumer once more, now. Nothing happens to one that was replayed already.
   * @throws {DomainError} NOT_FOUND
   * @returns the letter: with `replayedAt`, or with what went wrong this time
   */
  async replay(id: string): Promise<DeadLetter> {
    const { sql } = this.database;
    const [found] = await sql<{ consumer: string; event_id: string; user_id: string; replayed_at: string | null }[]>`
      select consumer, event_id, user_id, replayed_at::text as replayed_at from find_dead_letter(${id}::text::uuid)`;
    if (found === undefined) throw notFound("dead letter");
    if (found.replayed_at === null) {
      try {
        const projection = this.#projections.get(found.consumer);
        await asUser(this.database, found.user_id, async (tx) => {
          // First, as whoever makes the projection anew does; that takes in this event too.
          if (projection !== undefined)
            await tx.sql`select from event_projections where name = ${projection.name} for update`;
          const [taken] = await tx.sql<{ mine: boolean }[]>`select take_dead_letter(${id}::text::uuid) as mine`;
          if (taken?.mine !== true) return;
          if (found.consumer === "bus") {
            const [again] = await tx.sql<{ there: boolean }[]>`select publish_again(${found.event_id}) as there`;
            if (again?.there !== true) throw new Error("the outbox does not keep the event any more");
            await tx.sql`select pg_notify(${outboxChannel}, '')`;
            return;
          }
          if (projection === undefined) throw new Error("this node does not know the consumer");
          await projection.apply(tx.sql, [await readEvent(tx.sql, found.event_id)]);
        });
      } catch (error) {
        await sql`select dead_letter_failed(${id}::text::uuid, ${errorMessage(error)})`;
      }
    }
    const [row] = await sql<LetterRow[]>`
      select l.id, l.consumer, l.event_id, l.event_type, l.account_id, l.account_sequence, l.attempts, l.error,
        l.failed_at::text as failed_at, l.replayed_at::text as replayed_at
      from list_dead_letters(${found.consumer}, true, null, 2147483647) l where l.id = ${id}::text::uuid`;
    if (row === undefined) throw notFound("dead letter");
    return letterOf(row);
  }

  /** @throws {DomainError} NOT_FOUND */
  async rebuild(name: string): Promise<ProjectionState> {
    const [row] = await this.database.sql<{ found: boolean }[]>`select reset_projection(${name}) as found`;
    const state = row?.found === true ? (await this.projections()).find((one) => one.name === name) : undefined;
    if (state === undefined) throw notFound("projection");
    return state;
  }
}

const letterOf = (row: LetterRow): DeadLetter => ({
  id: row.id,
  consumer: row.consumer,
  eventId: row.event_id,
  eventType: row.event_type,
  accountId: row.account_id,
  sequence: Number(row.account_sequence),
  attempts: row.attempts,
  error: row.error,
  failedAt: new Date(row.failed_at),
  replayedAt: row.replayed_at === null ? null : new Date(row.replayed_at),
});
