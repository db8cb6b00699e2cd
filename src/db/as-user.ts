import { drizzle } from "drizzle-orm/postgres-js";
import type postgres from "postgres";
import type { Database, Db, Sql } from "./connect.js";

/** A transaction in which row-level security shows the rows of one user, and accepts new ones of that user alone. */
export interface UserTransaction {
  readonly sql: postgres.TransactionSql;
  /** The same connection by drizzle. Transactions within are made by `sql.savepoint`. */
  readonly db: Omit<Db, "transaction" | "$client">;
}

/**
 * Works as a user, when a statement depends on the answer to another one. Three round trips with one statement: the user is
 * named together with the first statement. Commits when the promise resolves, else rolls back.
 */
export async function asUser<T>(
  { sql: pool }: Database,
  userId: string,
  work: (tx: UserTransaction) => Promise<T>,
): Promise<T> {
  const result = await pool.begin((sql) => {
    // Not waited for: what follows on the connection comes after it, and a failure of it fails the transaction.
    nameUser(sql, userId)
      .execute()
      .catch(() => {});
    let db: Db | undefined;
    return work({
      sql,
      get db() {
        // Drizzle changes how the pool's options read times; the transaction reads by the same ones.
        db ??= drizzle(Object.assign(sql as unknown as Sql, { options: pool.options }));
        return db;
      },
    });
  });
  return result as T;
}

/** A statement of the driver, which is sent when it is executed or waited for. */
type Statement = Promise<unknown> & { execute(): Promise<unknown> };
type Results<S extends readonly Statement[]> = { -readonly [K in keyof S]: Awaited<S[K]> };

/**
 * Runs statements as a user in one transaction and one round trip: all are sent at once, in their order. Either all of them
 * take effect or none. The statements must be made of the connection that is given, and none be awaited inside.
 * @throws the error of the first statement that failed
 */
export async function asUserAtOnce<const S extends readonly Statement[]>(
  { sql: pool }: Database,
  userId: string,
  make: (sql: postgres.ReservedSql) => S,
): Promise<Results<S>> {
  const connection = await pool.reserve();
  try {
    const statements = make(connection);
    let isRefused = false;
    const sent = [connection`begin`, nameUser(connection, userId), ...statements].map(async (statement) => {
      try {
        return await statement.execute();
      } catch (error) {
        isRefused = true;
        throw error;
      }
    });
    // By then all are handed to the driver. One that it refused to send would otherwise be missing from what is committed;
    // one that the server refuses makes a rollback of the commit.
    const finished = new Promise((resolve) => setImmediate(resolve)).then(() =>
      isRefused ? connection`rollback`.execute() : connection`commit`.execute(),
    );
    const outcomes = await Promise.allSettled([...sent, finished]);
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    if (failure !== undefined) throw failure.reason;
    // The driver sends a statement again whose plan the server no longer has: after the transaction, as nobody.
    const { command } = (outcomes.at(-1) as PromiseFulfilledResult<postgres.RowList<postgres.Row[]>>).value;
    if (command !== "COMMIT") throw new Error("the transaction was rolled back by the server");
    return outcomes.slice(2, -1).map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as Results<S>;
  } finally {
    connection.release();
  }
}

const nameUser = (sql: postgres.TransactionSql | postgres.ReservedSql, userId: string) =>
  sql`select set_config('app.user_id', ${userId}, true)`;
