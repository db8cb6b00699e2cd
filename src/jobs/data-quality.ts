import { lt } from "drizzle-orm";
import { type Severity, severities } from "../db/checks/data-check.js";
import type { Database } from "../db/connect.js";
import { dataQualityResults } from "./tables.js";
import type { CheckResult } from "./validate.js";

/** What a check found, and when. */
export interface KnownResult extends CheckResult {
  readonly checkedAt: Date;
}

export interface ResultFilter {
  /** Leave out what is as it should be. */
  readonly failingOnly?: boolean;
  /** This, and what is graver. */
  readonly severity?: Severity;
}

/** What the workers found last, the gravest first; empty before any has looked. */
export async function readResults({ db }: Database, filter: ResultFilter = {}): Promise<KnownResult[]> {
  const rows = await db.select().from(dataQualityResults);
  const least = severities.indexOf(filter.severity ?? "LOW");
  return rows
    .map((row) => ({ ...row, passed: row.count === 0 }))
    .filter(({ passed, severity }) => !(filter.failingOnly && passed) && severities.indexOf(severity) <= least)
    .sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity) || (a.name < b.name ? -1 : 1));
}

export async function storeResult({ db }: Database, result: KnownResult): Promise<void> {
  const { passed: _, sampleIds, ...rest } = result;
  const row = { ...rest, sampleIds: [...sampleIds] };
  await db.insert(dataQualityResults).values(row).onConflictDoUpdate({ target: dataQualityResults.name, set: row });
}

/** Forgets checks that no program has run since. */
export async function forgetResults({ db }: Database, before: Date): Promise<void> {
  await db.delete(dataQualityResults).where(lt(dataQualityResults.checkedAt, before));
}
