import { keysetOf, keysetPage, uuidPattern } from "../core/keyset-page.js";
import type { Page, PageArguments } from "../core/pagination.js";
import { asUserAtOnce } from "../db/as-user.js";
import { columnsOf } from "../db/columns.js";
import type { Database } from "../db/connect.js";
import type { ViolationRow } from "./ledger-rows.js";
import { conditionsOf } from "./read-orders.js";
import { riskViolations } from "./tables.js";

/** The newest orders of an account that limits have stopped. */
export async function violationsOf(
  database: Database,
  userId: string,
  accountId: string,
  limit: number,
): Promise<ViolationRow[]> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<ViolationRow[]>`
      select ${columnsOf(sql, riskViolations)} from risk_violations where account_id = ${accountId} order by occurred_at desc, id desc limit ${limit}`,
  ]);
  return [...rows];
}

export interface ViolationSearch {
  readonly userId?: string | null | undefined;
  readonly accountId?: string | null | undefined;
  readonly strategyId?: string | null | undefined;
  /** [from, to) */
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
}

const list = "riskViolations";

/** Everybody's, newest first. For operators alone: whoever calls this has made sure of it. */
export async function listAllViolations(
  { sql }: Database,
  { userId = null, accountId = null, strategyId = null, from, to }: ViolationSearch,
  args: PageArguments,
): Promise<Page<ViolationRow>> {
  const keyset = keysetOf(args, list, uuidPattern);
  const rows = await sql<ViolationRow[]>`
    select * from read_risk_violations(${userId}, ${accountId}, ${strategyId}, ${from?.toISOString() ?? null}, ${to?.toISOString() ?? null},
      ${keyset.after}, ${keyset.before}, ${keyset.isBackwards}, ${keyset.limit + 1})`;
  return keysetPage(rows, keyset, list, ({ id }) => id);
}

/** A user's own, newest first. */
export async function listOwnViolations(
  database: Database,
  userId: string,
  { accountId, strategyId, from, to }: ViolationSearch,
  args: PageArguments,
): Promise<Page<ViolationRow>> {
  const keyset = keysetOf(args, list, uuidPattern);
  const [rows] = await asUserAtOnce(database, userId, (sql) => {
    const where = conditionsOf(sql, [
      sql`user_id = ${userId}`,
      accountId == null ? null : sql`account_id = ${accountId}`,
      strategyId == null ? null : sql`strategy_id = ${strategyId}`,
      from == null ? null : sql`occurred_at >= ${from.toISOString()}`,
      to == null ? null : sql`occurred_at < ${to.toISOString()}`,
      keyset.after === null ? null : sql`id < ${keyset.after}`,
      keyset.before === null ? null : sql`id > ${keyset.before}`,
    ]);
    return [
      sql<ViolationRow[]>`
        select * from risk_violations where ${where} order by id ${keyset.isBackwards ? sql`asc` : sql`desc`} limit ${keyset.limit + 1}`,
    ];
  });
  return keysetPage(rows, keyset, list, ({ id }) => id);
}
