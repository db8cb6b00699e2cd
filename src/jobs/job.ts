/** What a job has done, e.g. how many rows it dropped; shown to operators. */
export type JobCounts = Readonly<Record<string, number>>;

export interface JobRun {
  /** When it began, by the database's clock. */
  readonly at: Date;
  /** Asked between steps: not when the program ends, nor when another node has taken over. */
  readonly mayGoOn: () => boolean;
}

/** Says in words for operators what went wrong; of any other error only a code is shown. */
export class JobError extends Error {
  override readonly name = "JobError";
}

/** Work on the data as a whole, that is done again and again by one node of the installation at a time. */
export interface Job {
  /** Small letters and dashes; the same on every node. */
  readonly name: string;
  readonly everyMs: number;
  /** When it is done for the first time ever: at once, after one interval, or at the next full interval of the clock (UTC). */
  readonly first: "now" | "later" | "full";
  /** Where only one node has what it takes; left out: all that have the job may do it. */
  readonly isHere?: () => boolean;
  /** A second time must do no harm: a node may die before it could say that it was done. */
  readonly work: (run: JobRun) => Promise<JobCounts>;
}
