import { randomUUID } from "node:crypto";
import { DomainError, errorCode, errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import { type Job, type JobCounts, JobError } from "./job.js";
import type { JobTurns } from "./job-turns.js";
import { type JobState, readJobs } from "./read-jobs.js";
import { RepeatedJob } from "./repeated-job.js";

export interface JobsOptions {
  readonly database: Pick<Database, "sql">;
  readonly turns: JobTurns;
  /** How operators tell nodes apart. */
  readonly node: string;
  readonly log: Logger;
  /** How long it takes at most until a job is done that is due, and until one is taken over. */
  readonly lookEveryMs?: number;
}

const defaultLookEveryMs = 2_000;
/** Others wait: each turn holds a connection. */
export const maxJobsAtOnce = 2;
const maxErrorLength = 200;

/**
 * Does jobs when they are due. When is in the `jobs` table, by the database's clock, so all nodes know it and it outlives them.
 * A job stays due until somebody has done it: if its node dies, the next one to look begins anew.
 */
export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #introduced = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  #states: readonly JobState[] = [];
  #looks: RepeatedJob | undefined;
  #isClosed = false;

  constructor(private readonly options: JobsOptions) {}

  /** What the table said at the last look. */
  get states(): readonly JobState[] {
    return this.#states;
  }

  add(...jobs: readonly Job[]): void {
    for (const job of jobs) this.#jobs.set(job.name, job);
  }

  /** Does what is due, from now on. */
  start(): void {
    this.#looks ??= new RepeatedJob(() => this.#begin(), this.options.lookEveryMs ?? defaultLookEveryMs);
  }

  /** Ends after the steps that are being done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looks?.close();
    await Promise.all(this.#running.values());
  }

  /** Writes down that there is such a job. */
  async #introduce({ name, everyMs, first }: Job): Promise<void> {
    const { sql } = this.options.database;
    // Of another interval only the end changes: what is due stays so.
    await sql`
      insert into jobs as j (name, every_ms, next_run_at)
      values (${name}, ${everyMs}, case ${first} when 'now' then now()
        when 'later' then now() + ${everyMs}::float8 * interval '1 ms'
        else date_bin(${everyMs}::float8 * interval '1 ms', now(), 'epoch') + ${everyMs}::float8 * interval '1 ms' end)
      on conflict (name) do update set every_ms = excluded.every_ms,
        next_run_at = least(j.next_run_at, excluded.next_run_at + excluded.every_ms * interval '1 ms')
      where j.every_ms <> excluded.every_ms`;
    this.#introduced.add(name);
  }

  /** Begins whatever is due, not done here, and wanted here. */
  async #begin(): Promise<void> {
    const { database, log } = this.options;
    if (this.#isClosed) return;
    try {
      for (const job of this.#jobs.values()) if (!this.#introduced.has(job.name)) await this.#introduce(job);
      this.#states = await readJobs(database);
    } catch (error) {
      log.warn({ error: errorMessage(error) }, "jobs.look-failed");
      return;
    }
    // Whoever has waited longest comes first.
    const due = this.#states.filter(({ isDue }) => isDue);
    due.sort((a, b) => a.nextRunAt.getTime() - b.nextRunAt.getTime());
    for (const { name } of due) {
      if (this.#isClosed || this.#running.size >= maxJobsAtOnce) return;
      const job = this.#jobs.get(name);
      if (job === undefined || this.#running.has(name) || job.isHere?.() === false) continue;
      const running = this.#try(job)
        .catch((error: unknown) => log.warn({ job: name, error: errorMessage(error) }, "jobs.not-done"))
        .finally(() => this.#running.delete(name));
      this.#running.set(name, running);
    }
  }

  async #try(job: Job): Promise<void> {
    const { database, turns, node, log } = this.options;
    const { name } = job;
    await turns.take(name, async ({ isMine, sql }) => {
      // Again, now that nobody else can be at it. Not in the turn's transaction: that it is being done is to be seen.
      const [begun] = await database.sql<{ at: string }[]>`
        update jobs set last_started_at = clock_timestamp(), node = ${node}
        where name = ${name} and next_run_at <= clock_timestamp() returning last_started_at as at`;
      if (begun === undefined) return;
      const startMs = performance.now();
      let counts: JobCounts = {};
      let failure: { readonly text: string; readonly id: string } | null = null;
      try {
        counts = await job.work({ at: new Date(begun.at), mayGoOn: () => isMine() && !this.#isClosed });
        log.debug({ job: name, ...counts }, "job.done");
      } catch (error) {
        failure = { text: shownText(error), id: randomUUID() };
        log.warn({ job: name, id: failure.id, error: errorMessage(error) }, "job.failed");
      }
      const durationMs = Math.round(performance.now() - startMs);
      const result = failure === null ? "OK" : "FAILED";
      // Its schedule goes by when it was due, so it does not drift; what was missed is not made up for.
      await sql`
        update jobs set last_finished_at = greatest(clock_timestamp(), last_started_at), last_duration_ms = ${durationMs},
          last_result = ${result}, last_counts = ${JSON.stringify(counts)}::text::jsonb, last_error = ${failure?.text ?? null},
          last_error_id = ${failure?.id ?? null}, runs = runs + 1, failures = failures + ${failure === null ? 0 : 1},
          last_succeeded_at = case when ${failure === null} then clock_timestamp() else last_succeeded_at end,
          next_run_at = next_run_at + every_ms * interval '1 ms'
            * (floor(extract(epoch from clock_timestamp() - next_run_at) * 1000 / every_ms) + 1)
        where name = ${name}`;
    });
  }
}

/** What is meant for people, or a code: a message of a driver may hold somebody's data. */
function shownText(error: unknown): string {
  const isMeant = error instanceof DomainError || error instanceof JobError;
  return (isMeant ? error.message : errorCode(error)).slice(0, maxErrorLength) || "failed";
}
