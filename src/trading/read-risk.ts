import { asUserAtOnce } from "../db/as-user.js";
import { columnsOf } from "../db/columns.js";
import type { Database } from "../db/connect.js";
import type { RiskScope } from "./risk-rules.js";
import { riskViolations } from "./tables.js";

export interface ViolationRow {
  readonly id: string;
  readonly account_id: string;
  readonly symbol_id: number;
  readonly limit_name: string;
  readonly scope: RiskScope;
  readonly limit_value: string;
  readonly value: string;
  readonly client_order_id: string | null;
  readonly occurred_at: string;
}

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
