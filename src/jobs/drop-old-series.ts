import type { Database } from "../db/connect.js";
import { dropOldSeries as dropRows } from "../db/time-series.js";
import type { Job } from "./job.js";

/** Deletes series by age, where TimescaleDB does not. */
export const dropOldSeries = ({ sql }: Pick<Database, "sql">): Job => ({
  name: "drop-old-series",
  everyMs: 3_600_000,
  first: "now",
  work: async ({ mayGoOn }) => ({ rows: await dropRows(sql, () => !mayGoOn()) }),
});
