import type { Trading } from "../trading/trading.js";
import { type Job, JobError } from "./job.js";

/**
 * Tells how the comparisons of accounts with their exchanges go. They are made all the time by the process that trades there; the
 * accounts themselves say what is wrong.
 */
export const watchAccountSync = ({ syncStanding }: Pick<Trading, "syncStanding">): Job => ({
  name: "account-sync",
  everyMs: 60_000,
  first: "later",
  isHere: () => syncStanding() !== null,
  work: async () => {
    const { accounts, failing } = syncStanding() ?? { accounts: 0, failing: 0 };
    if (failing > 0) throw new JobError(`${failing} of ${accounts} accounts are not synced; their syncError says why`);
    return { accounts };
  },
});
