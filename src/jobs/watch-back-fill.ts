import type { BackFill } from "../feeds/back-fill.js";
import { type Job, JobError } from "./job.js";

/** Tells how the back-fill of candles goes, which is done all the time beside the feeds, on the node that leads them. */
export const watchBackFill = (here: () => Pick<BackFill, "standing"> | null): Job => ({
  name: "candle-back-fill",
  everyMs: 60_000,
  first: "later",
  isHere: () => here() !== null,
  work: async () => {
    // It may have ended since it was asked for.
    const { symbols, incomplete, failing } = here()?.standing() ?? { symbols: 0, incomplete: 0, failing: [] };
    if (failing.length > 0)
      throw new JobError(`no candles from ${failing.join(", ")}; ${incomplete} symbols have gaps`);
    return { symbols, incomplete };
  },
});
