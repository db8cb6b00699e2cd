import { isDatabaseAway } from "../core/database-away.js";
import { DomainError } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import type { Database } from "../db/connect.js";
import { notLeaderCode } from "../db/leadership.js";
import { type DraftTools, LedgerDraft, type VenueCommand } from "./ledger-draft.js";
import { type LedgerChange, textOfChange } from "./ledger-rows.js";
import { type LedgerScope, ledgerStatements, ledgerStateOf, selectKnownOrder, selectWaiting } from "./load-ledger.js";
import type { VenueTerm } from "./venue-lease.js";

export interface LedgerOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly symbolOf: DraftTools["symbolOf"];
  /** Why nothing may be booked by this node's clock; null while it may. */
  readonly clockRefusal?: () => string | null;
}

/** What a change has come to, after it was committed. */
export interface Written<T> {
  readonly result: T;
  readonly change: LedgerChange;
  readonly commands: readonly VenueCommand[];
}

/** Told of every change that this process has committed, in the order of the account's numbers. */
export type LedgerListener = (change: LedgerChange) => void;

/** Changes of one account that wait here; more are refused. */
const maxWaiting = 2_000;

/**
 * The one way to change orders, balances and positions. A change holds the lock of its account from the first look to the
 * commit, so what it decides on is what it changes; and it is written as a whole, in two round trips, or not at all.
 */
export class Ledger {
  /** Changes of one account take turns here too: who waits for the lock holds no connection. */
  #termOf: (() => VenueTerm | null) | null = null;
  #turns = new Map<string, { last: Promise<unknown>; waiting: number }>();
  #listeners = new Set<LedgerListener>();

  constructor(private readonly options: LedgerOptions) {}

  /** The same ledger for the leader of a venue: what is changed by it counts only while it leads. */
  ledBy(termOf: () => VenueTerm | null): Ledger {
    const led = new Ledger(this.options);
    led.#turns = this.#turns;
    led.#listeners = this.#listeners;
    led.#termOf = termOf;
    return led;
  }

  /** Calls back after every commit. Returns the function that ends it. */
  onChange(listener: LedgerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What a change would come to; nothing is changed. @throws {DomainError} as `change` does */
  preview<T>(userId: string, scope: LedgerScope, decide: (draft: LedgerDraft) => T): Promise<T> {
    return this.#inTurn(scope.accountId, async () => {
      const { result } = await this.#transact(userId, scope, decide, false).catch((error: unknown) => {
        throw explained(error);
      });
      return result;
    });
  }

  /**
   * @param decide applies events to the draft; it may throw, and then nothing is changed
   * @throws {DomainError} NOT_FOUND for an account that is not the user's, PROVIDER_UNAVAILABLE when the database is away, and
   *   whatever `decide` throws
   */
  change<T>(userId: string, scope: LedgerScope, decide: (draft: LedgerDraft) => T): Promise<Written<T>> {
    return this.#inTurn(scope.accountId, async () => {
      const refusal = this.options.clockRefusal?.() ?? null;
      if (refusal !== null) throw new DomainError("PROVIDER_UNAVAILABLE", refusal);
      const written = await this.#transact(userId, scope, decide).catch((error: unknown) => {
        throw explained(error);
      });
      if (written.change.events.length > 0) for (const listener of this.#listeners) listener(written.change);
      return written;
    });
  }

  async #transact<T>(
    userId: string,
    scope: LedgerScope,
    decide: (draft: LedgerDraft) => T,
    isKept = true,
  ): Promise<Written<T>> {
    const { database, clock, symbolOf } = this.options;
    const sql = await database.sql.reserve();
    let draft: LedgerDraft | undefined;
    try {
      const [, ...loaded] = await atOnce([sql`begin`, ...ledgerStatements(sql, userId, scope)]);
      const more = [selectKnownOrder(sql, loaded as never), selectWaiting(sql, scope, loaded as never)];
      const [known, waiting] = await atOnce(more);
      const nowMs = clock.nowMs();
      draft = new LedgerDraft(ledgerStateOf(userId, scope, loaded as never, known as never, waiting as never), {
        now: new Date(nowMs),
        newId: () => uuidV7(nowMs),
        symbolOf,
      });
      if (this.#termOf !== null) draft.term = this.#termOf() ?? lost();
      const result = decide(draft);
      const change = draft.change();
      const { term } = draft;
      if (isKept && draft.isChanged)
        await atOnce([
          term === null
            ? sql`select write_ledger(${textOfChange(change)}::text::jsonb)`
            : sql`select write_ledger(${textOfChange(change)}::text::jsonb, ${term.name}, ${term.term})`,
          sql`commit`,
        ]);
      else await sql`rollback`;
      return { result, change, commands: draft.commands };
    } catch (error) {
      draft?.tellLost(explained(error));
      await sql`rollback`.catch(() => {});
      throw error;
    } finally {
      sql.release();
    }
  }

  async #inTurn<T>(accountId: string, work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(accountId) ?? { last: Promise.resolve(), waiting: 0 };
    if (turn.waiting >= maxWaiting)
      throw new DomainError("RATE_LIMITED", "too many changes of this account are waiting", { retryAfterMs: 1_000 });
    this.#turns.set(accountId, turn);
    turn.waiting++;
    const mine = turn.last.then(work);
    turn.last = mine.catch(() => {});
    try {
      return await mine;
    } finally {
      turn.waiting--;
      if (turn.waiting === 0) this.#turns.delete(accountId);
    }
  }
}

/** Sends all before it waits for any; no rows where there is no statement. @throws the error of the first that failed */
async function atOnce(statements: readonly ({ execute(): Promise<unknown> } | null)[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(
    statements.map(async (statement) => (statement === null ? [] : await statement.execute())),
  );
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value);
}

const lost = (): never => {
  throw movedAway();
};
const movedAway = (): DomainError =>
  new DomainError(
    "PROVIDER_UNAVAILABLE",
    "the venue is moving to another node; nothing was changed, repeat the request with the same clientOrderId",
  );

/** Of the server, when it has ended a transaction that said nothing. */
const stoodStillCode = "25P03";

/** A failure of the database in the words of the API; the rest is a fault of ours. */
function explained(error: unknown): unknown {
  const { code = "", constraint_name: constraint } = error as { code?: string; constraint_name?: string };
  if (error instanceof DomainError) return error;
  if (code === notLeaderCode) return movedAway();
  if (code === stoodStillCode)
    return new DomainError("PROVIDER_UNAVAILABLE", "this node stood still; nothing was changed, repeat the request");
  if (constraint === "ck_account_balances_available")
    return new DomainError("INSUFFICIENT_BALANCE", "the available balance is too small");
  return isDatabaseAway(error)
    ? new DomainError(
        "PROVIDER_UNAVAILABLE",
        "the database is away; what became of the request is unknown, repeat it with the same clientOrderId",
      )
    : error;
}
