import type { Database } from "../db/connect.js";
import type { Job } from "./job.js";

const dayMs = 24 * 3_600_000;

/** Drops dead letters that nobody needs any longer: a week after they were replayed, and ninety days after they failed. */
export const dropDeadLetters = ({ sql }: Pick<Database, "sql">): Job => ({
  name: "drop-dead-letters",
  everyMs: dayMs,
  first: "later",
  work: async () => {
    const [row] = await sql<{ dropped: string }[]>`select drop_dead_letters() as dropped`;
    return { rows: Number(row?.dropped ?? 0) };
  },
});
