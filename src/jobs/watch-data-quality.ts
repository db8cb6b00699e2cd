import type postgres from "postgres";
import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { DataCheck } from "../db/checks/data-check.js";
import type { Database } from "../db/connect.js";
import { dataChecks } from "./checks.js";
import { forgetResults, type KnownResult, readResults, storeResult } from "./data-quality.js";
import { RepeatedJob } from "./repeated-job.js";
import { type CheckResult, runCheck } from "./validate.js";

const minuteMs = 60_000;
/** A check looks again when its result is this old. */
const freshForMs = 15 * minuteMs;
/** What was changed before is left to the command. */
const lookBackMs = 24 * 60 * minuteMs;
const forgetAfterMs = 7 * 24 * 60 * minuteMs;
const timeoutMs = 15_000;

export interface DataQualityOptions {
  /** Where the results are kept. */
  readonly database: Database;
  /** The same one as a role that reads everything but secrets. */
  readonly monitor: Database;
  /** Of the keys that open secrets, newest first. */
  readonly keyIds: () => readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly checks?: readonly DataCheck[];
  readonly everyMs?: number;
}

/**
 * Runs the checks of the data one after the other, each every quarter of an hour, in short transactions that can only read.
 * Several nodes may do it: each check is one node's at a time, and who finds a fresh result leaves it.
 */
export class WatchDataQuality extends RepeatedJob {
  readonly #known: { results: readonly KnownResult[] };

  constructor(options: DataQualityOptions) {
    const known: { results: readonly KnownResult[] } = { results: [] };
    let wasRefused = false;
    super(async (mayGoOn) => {
      try {
        known.results = await readResults(options.database);
        await runDue(options, mayGoOn, known);
        known.results = await readResults(options.database);
        wasRefused = false;
      } catch (error) {
        // Once: a login that may not act as the monitor will not be allowed to a minute later.
        if (!wasRefused) options.log.warn({ error: errorCode(error) }, "data-quality.failed");
        wasRefused = true;
      }
    }, options.everyMs ?? minuteMs);
    this.#known = known;
  }

  /** As this node last read them, also what other nodes found. */
  get results(): readonly KnownResult[] {
    return this.#known.results;
  }
}

async function runDue(
  options: DataQualityOptions,
  mayGoOn: () => boolean,
  memory: { results: readonly KnownResult[] },
): Promise<void> {
  const { database, monitor, keyIds, clock, log, checks = dataChecks } = options;
  // Before the rest, so that one refusal says it all.
  await monitor.sql`select 1`;
  const before = new Map(memory.results.map((result) => [result.name, result]));
  const since = new Date(clock.nowMs() - lookBackMs);
  const scope = { since, keyIds: keyIds(), timeoutMs };
  for (const check of checks) {
    if (!mayGoOn()) return;
    const known = before.get(check.name);
    if (known !== undefined && known.checkedAt.getTime() > clock.nowMs() - freshForMs) continue;
    const found = await runCheck(monitor, check, scope, (sql) => takeCheck(sql, check.name));
    // A stop ends the connection under a check.
    if (!mayGoOn()) return;
    if (found === null) continue;
    const result = { ...found, checkedAt: new Date(clock.nowMs()) };
    await storeResult(database, result);
    // A whole round takes a while; what is found is told at once.
    memory.results = [...memory.results.filter(({ name }) => name !== check.name), result];
    tell(log, found, known);
  }
  await forgetResults(database, new Date(clock.nowMs() - forgetAfterMs));
}

/** A line when a rule begins to be broken, and one when it is kept again. */
function tell(
  log: Logger,
  { name, severity, passed, count, error }: CheckResult,
  before: KnownResult | undefined,
): void {
  if (passed === (before?.passed ?? true)) return;
  if (passed) log.info({ check: name }, "data-quality.kept-again");
  else log.warn({ check: name, severity, count, error }, "data-quality.broken");
}

/** For as long as the transaction lasts. */
async function takeCheck(sql: postgres.TransactionSql, name: string): Promise<boolean> {
  const [row] = await sql<{ taken: boolean }[]>`
    select pg_try_advisory_xact_lock(hashtext('tradegraph.data-quality'), hashtext(${name})) as taken`;
  return row?.taken ?? false;
}
