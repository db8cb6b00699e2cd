import type postgres from "postgres";
import { errorCode } from "../core/errors.js";
import type { DataCheck, Severity } from "../db/checks/data-check.js";
import type { Database } from "../db/connect.js";
import { dataChecks } from "./checks.js";

export interface CheckResult {
  readonly name: string;
  readonly severity: Severity;
  /** False also when it could not be run. */
  readonly passed: boolean;
  /** How many rows break the rule, as far as they were counted; null: it could not be run. */
  readonly count: number | null;
  /** There are more of them than were counted. */
  readonly hasMore: boolean;
  /** At most five of them. */
  readonly sampleIds: readonly string[];
  readonly advice: string;
  /** Why it could not be run: a code of Postgres. */
  readonly error: string | null;
  /** Why there is nothing to check here. */
  readonly skipped: string | null;
  readonly durationMs: number;
}

export interface CheckScope {
  /** What was changed before it may be passed over; null: nothing is. */
  readonly since: Date | null;
  /** Of the keys that open secrets, newest first; null: they are not known here, and nothing is said of them. */
  readonly keyIds: readonly string[] | null;
  /** No check may take longer. */
  readonly timeoutMs: number;
}

export const everything: CheckScope = { since: null, keyIds: null, timeoutMs: 300_000 };

const sampleSize = 5;
const countAtMost = 1_000;
const lockTimeoutMs = 2_000;

/** Runs checks one after the other, each in a transaction that can only read and may not take long. */
export async function validate(
  database: Database,
  scope: CheckScope = everything,
  checks: readonly DataCheck[] = dataChecks,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) results.push(await runCheck(database, check, scope));
  return results;
}

/** @param mayRun asked within the check's transaction; false: somebody else is at it, and there is no result */
export async function runCheck(database: Database, check: DataCheck, scope: CheckScope): Promise<CheckResult>;
export async function runCheck(
  database: Database,
  check: DataCheck,
  scope: CheckScope,
  mayRun: (sql: postgres.TransactionSql) => Promise<boolean>,
): Promise<CheckResult | null>;
export async function runCheck(
  { sql: pool }: Database,
  check: DataCheck,
  scope: CheckScope,
  mayRun?: (sql: postgres.TransactionSql) => Promise<boolean>,
): Promise<CheckResult | null> {
  const startMs = performance.now();
  const result = (found: Partial<CheckResult>): CheckResult => ({
    name: check.name,
    severity: check.severity,
    advice: check.advice,
    passed: true,
    count: 0,
    hasMore: false,
    sampleIds: [],
    error: null,
    skipped: null,
    ...found,
    durationMs: Math.round(performance.now() - startMs),
  });
  try {
    const found = await pool.begin("read only", async (sql) => {
      await sql.unsafe(`set local statement_timeout = ${scope.timeoutMs}; set local lock_timeout = ${lockTimeoutMs}`);
      if (mayRun !== undefined && !(await mayRun(sql))) return null;
      return findBroken(sql, check, scope);
    });
    return found === null ? null : result(found);
  } catch (error) {
    return result({ passed: false, count: null, error: errorCode(error) });
  }
}

type Found = Pick<CheckResult, "passed" | "count" | "hasMore" | "sampleIds" | "skipped">;
const nothing: Found = { passed: true, count: 0, hasMore: false, sampleIds: [], skipped: null };

/** What breaks the rule, seen by a transaction. */
export async function findBroken(sql: postgres.TransactionSql, check: DataCheck, scope: CheckScope): Promise<Found> {
  const missing = await missingNeeds(sql, check.needs ?? []);
  if (missing !== null) return { ...nothing, skipped: `there is no ${missing}` };
  if (scope.keyIds === null && check.query.includes(":key_ids"))
    return { ...nothing, skipped: "the keys are not known here" };
  const { text, values } = withValues(check.query, scope);
  // One more than are counted, so that it is known whether there are more.
  const rows = await sql.unsafe<{ id: string; total: string }[]>(
    `select id::text as id, count(*) over () as total from (select id from (${text}) broken limit ${countAtMost + 1}) counted
     order by id::text limit ${sampleSize}`,
    values,
  );
  const total = Number(rows[0]?.total ?? 0);
  return {
    passed: total === 0,
    count: Math.min(total, countAtMost),
    hasMore: total > countAtMost,
    sampleIds: rows.map((row) => row.id),
    skipped: null,
  };
}

async function missingNeeds(sql: postgres.TransactionSql, needs: readonly string[]): Promise<string | null> {
  if (needs.length === 0) return null;
  const [row] = await sql<{ name: string }[]>`
    select name from unnest(${[...needs]}::text[]) as name
    where to_regclass(name) is null and not exists (select from pg_attribute
      where attrelid = to_regclass('public.' || split_part(name, '.', 1)) and attname = split_part(name, '.', 2) and not attisdropped)
    limit 1`;
  return row?.name ?? null;
}

function withValues(query: string, { since, keyIds }: CheckScope): { text: string; values: string[] } {
  const ids = (keyIds ?? []).map((id) => `"${id}"`).join();
  const known: Readonly<Record<string, readonly [string, string]>> = {
    since: [since?.toISOString() ?? "-infinity", "timestamptz"],
    since_id: [firstIdOf(since), "uuid"],
    key_ids: [`{${ids}}`, "text[]"],
  };
  const values: string[] = [];
  const places = new Map<string, string>();
  const text = query.replace(/(?<!:):([a-z_]+)\b/g, (_, name: string) => {
    const [value, type] = known[name] ?? ["", ""];
    if (type === "") throw new Error(`a check asks for ":${name}"`);
    const place = places.get(name) ?? `$${values.push(value)}::text::${type}`;
    places.set(name, place);
    return place;
  });
  return { text, values };
}

/** The smallest UUID of version 7 that could be made then. */
const firstIdOf = (since: Date | null): string => {
  const hex = Math.max(0, since?.getTime() ?? 0)
    .toString(16)
    .padStart(12, "0");
  return since === null
    ? "00000000-0000-0000-0000-000000000000"
    : `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};
