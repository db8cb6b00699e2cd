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

/** A SELECT that ends in its WHERE clause, whose $2, $3 … are values, and an ORDER BY list of its columns. */
export interface UserRows {
  readonly rows: string;
  readonly order: string;
  /** How many at most, e.g. "$3"; all without it. */
  readonly limit?: string;
}

/** The statement that reads them as the user who is its $1. */
export const textOfRead = ({ rows, order, limit }: UserRows): string => {
  const end = limit === undefined ? "offset 0" : `order by ${order} limit ${limit}`;
  return `with named as materialized (select set_config('app.user_id', $1, true) as user_id)
  select own.* from named, lateral (${rows} and named.user_id is not null ${end}) own order by ${order}`;
};

/**
 * Reads as a user by one statement, which is a transaction of its own: less than half the work of naming the user in a statement
 * before it. The rows are looked for only when the user is named, because they are asked for by a name that the naming returns;
 * were it otherwise, there would be none.
 */
export function readAsUser<T extends object>(
  { sql }: Database,
  userId: string,
  rows: UserRows,
  values: postgres.ParameterOrJSON<never>[],
): Promise<T[]> {
  return sql.unsafe<T[]>(textOfRead(rows), [userId, ...values], { prepare: true });
}

const nameUser = (sql: postgres.TransactionSql | postgres.ReservedSql, userId: string) =>
  sql`select set_config('app.user_id', ${userId}, true)`;
