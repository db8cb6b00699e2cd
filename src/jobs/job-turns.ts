import type postgres from "postgres";
import type { Database } from "../db/connect.js";

/** Sees to it that one node at a time does something. */
export interface JobTurns {
  /**
   * Does the work if no other node is at it, and gives what it returns; null: another node is.
   * @param work ends soon when `isMine` says that the turn was lost; `sql` is of a transaction that counts only if it was not
   * @throws what the work throws, and when the turn was lost before the end
   */
  take<T>(name: string, work: (turn: Turn) => Promise<T>): Promise<T | null>;
}

export interface Turn {
  readonly isMine: () => boolean;
  /** What is written by it is there when the turn ends, and not at all if it was lost. */
  readonly sql: postgres.ReservedSql;
}

const beatMs = 1_000;
/** The server ends the transaction of a node that says nothing for so long: a successor need not wait for it. */
const silenceMs = 4_000;

/**
 * Turns by locks of the database. A lock belongs to a transaction, so that a pooler of transactions may be in between, and ends
 * with its connection: the turn of a node that has died is free at once, and of one that has fallen silent after four seconds.
 * Each turn holds a connection, so the work must not need one of the same pool. Between statements the transaction holds nothing but the lock.
 */
export class LockTurns implements JobTurns {
  constructor(private readonly database: Pick<Database, "sql">) {}

  async take<T>(name: string, work: (turn: Turn) => Promise<T>): Promise<T | null> {
    const sql = await this.database.sql.reserve();
    let isMine = true;
    let beating: Promise<unknown> = Promise.resolve();
    let beats: NodeJS.Timeout | undefined;
    try {
      await sql`begin`;
      await sql`select set_config('idle_in_transaction_session_timeout', ${`${silenceMs}ms`}, true)`;
      const [row] = await sql<{ taken: boolean }[]>`
        select pg_try_advisory_xact_lock(hashtextextended(${`tradegraph.job.${name}`}, 0)) as taken`;
      if (row?.taken !== true) return null;
      beats = setInterval(() => {
        beating = sql`select 1`.catch(() => {
          isMine = false;
        });
      }, beatMs);
      const result = await work({ isMine: () => isMine, sql });
      const [, ended] = await Promise.all([beating, sql`commit`]);
      if (!isMine || ended.command !== "COMMIT") throw new Error(`the turn of ${name} was lost`);
      isMine = false;
      return result;
    } finally {
      clearInterval(beats);
      await beating;
      // Nothing is left to be taken back where it was committed.
      await sql`rollback`.catch(() => {});
      sql.release();
    }
  }
}
