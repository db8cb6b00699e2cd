import { badInput, DomainError, notFound } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";

/** What a user calls the orders that belong together. */
export interface Strategy {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
}

const columns = 'id, name, created_at as "createdAt"';
const maxStrategies = 200;

/** @throws {DomainError} BAD_USER_INPUT; CONFLICT for a name that is taken, or one strategy too many */
export async function createStrategy(
  database: Database,
  clock: Clock,
  userId: string,
  givenName: string,
): Promise<Strategy> {
  const name = givenName.trim();
  if (name.length === 0 || name.length > 100) throw badInput("name", "name must have 1 to 100 characters");
  const nowMs = clock.nowMs();
  const at = new Date(nowMs).toISOString();
  try {
    const [, rows] = await asUserAtOnce(database, userId, (sql) => [
      // Two that are added at once count one after the other.
      sql`select pg_advisory_xact_lock(hashtextextended(${userId}, 12))`,
      sql<Strategy[]>`
        insert into strategies (id, user_id, name, created_at, updated_at)
        select ${uuidV7(nowMs)}::uuid, ${userId}::uuid, ${name}, ${at}::timestamptz, ${at}::timestamptz
        where (select count(*) from strategies where deleted_at is null) < ${maxStrategies}
        returning ${sql.unsafe(columns)}`,
    ]);
    const [strategy] = rows;
    if (strategy === undefined) throw new DomainError("CONFLICT", `a user has at most ${maxStrategies} strategies`);
    return strategy;
  } catch (error) {
    if ((error as { constraint_name?: string }).constraint_name === "uk_strategies_user_id_name")
      throw new DomainError("CONFLICT", "there is a strategy of this name", { field: "name" });
    throw error;
  }
}

/** No order names it any more; those that do keep it. @throws {DomainError} NOT_FOUND */
export async function removeStrategy(database: Database, clock: Clock, userId: string, id: string): Promise<void> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql`update strategies set deleted_at = ${new Date(clock.nowMs()).toISOString()} where id = ${id} and deleted_at is null returning id`,
  ]);
  if (rows.length === 0) throw notFound("strategy");
}

/** The user's, oldest first. */
export async function strategiesOf(database: Database, userId: string): Promise<Strategy[]> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<Strategy[]>`select ${sql.unsafe(columns)} from strategies where deleted_at is null order by id`,
  ]);
  return [...rows];
}

/** Those of the ids that are the user's, by id, also removed ones: orders go on naming them. */
export async function strategiesByIds(
  database: Database,
  userId: string,
  ids: readonly string[],
): Promise<Map<string, Strategy>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<Strategy[]>`select ${sql.unsafe(columns)} from strategies where id = any (${`{${ids.join()}}`}::text::uuid[])`,
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Null where it belongs to none, or is not the user's. */
export async function strategyOfOrder(database: Database, userId: string, orderId: string): Promise<string | null> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<{ strategy_id: string | null }[]>`select strategy_id from orders where id = ${orderId}`,
  ]);
  return rows[0]?.strategy_id ?? null;
}
