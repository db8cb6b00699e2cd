import type { Database } from "../db/connect.js";
import type { JobCounts } from "./job.js";

/** How it stands with a job, on whatever node it is done. */
export interface JobState {
  readonly name: string;
  readonly everyMs: number;
  readonly nextRunAt: Date;
  /** Whether `nextRunAt` has come, by the database's clock. */
  readonly isDue: boolean;
  /** Whether it has begun and not ended; also for the seconds until the job of a node that has died is taken over. */
  readonly isRunning: boolean;
  readonly lastStartedAt: Date | null;
  readonly lastDurationMs: number | null;
  readonly lastResult: "OK" | "FAILED" | null;
  readonly lastCounts: JobCounts;
  /** Masked; the log of `node` has more, under `lastErrorId`. */
  readonly lastError: string | null;
  readonly lastErrorId: string | null;
  readonly lastSucceededAt: Date | null;
  readonly node: string | null;
  readonly runs: number;
  readonly failures: number;
}

type Times = "nextRunAt" | "lastStartedAt" | "lastSucceededAt";
type JobRow = Omit<JobState, Times | "lastCounts"> & Readonly<Record<Times, string | null>> & { lastCounts: string };

/** All jobs of the installation, by name. */
export async function readJobs({ sql }: Pick<Database, "sql">): Promise<JobState[]> {
  const rows = await sql<JobRow[]>`
    select name, every_ms::float8 as "everyMs", next_run_at as "nextRunAt", next_run_at <= clock_timestamp() as "isDue",
      last_started_at > coalesce(last_finished_at, '-infinity') is true as "isRunning", last_started_at as "lastStartedAt",
      last_duration_ms as "lastDurationMs", last_result as "lastResult", last_counts::text as "lastCounts",
      last_error as "lastError", last_error_id as "lastErrorId", last_succeeded_at as "lastSucceededAt", node,
      runs::float8 as runs, failures::float8 as failures
    from jobs order by name`;
  return rows.map((row) => ({
    ...row,
    nextRunAt: new Date(row.nextRunAt ?? 0),
    lastStartedAt: instant(row.lastStartedAt),
    lastSucceededAt: instant(row.lastSucceededAt),
    lastCounts: JSON.parse(row.lastCounts) as JobCounts,
  }));
}

const instant = (text: string | null): Date | null => (text === null ? null : new Date(text));
