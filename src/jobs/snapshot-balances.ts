import type { Database } from "../db/connect.js";
import { inBatches } from "./in-batches.js";
import type { Job } from "./job.js";

const hourMs = 3_600_000;
const batch = 10_000;

/**
 * Takes a snapshot of all balances at each full hour, and drops those that are too old. The hour is the snapshot's key, so a
 * second time adds nothing.
 */
export const snapshotBalances = ({ sql }: Pick<Database, "sql">): Job => ({
  name: "snapshot-balances",
  everyMs: hourMs,
  first: "full",
  work: async ({ at, mayGoOn }) => {
    const hour = new Date(at.getTime() - (at.getTime() % hourMs));
    await sql`select take_balance_snapshots(${hour.toISOString()})`;
    const rows = await inBatches(
      batch,
      mayGoOn,
      () => sql`select drop_old_balance_snapshots(${at.toISOString()}, ${batch})::float8 as rows`,
    );
    return { rows };
  },
});
