import type { BackFill } from "../feeds/back-fill.js";
import { type Job, JobError } from "./job.js";

/** Tells how the back-fill of candles goes, which is done all the time beside the feeds. */
export const watchBackFill = (backFill: Pick<BackFill, "standing">): Job => ({
  name: "candle-back-fill",
  everyMs: 60_000,
  first: "later",
  work: async () => {
    const { symbols, incomplete, failing } = backFill.standing();
    if (failing.length > 0)
      throw new JobError(`no candles from ${failing.join(", ")}; ${incomplete} symbols have gaps`);
    return { symbols, incomplete };
  },
});
