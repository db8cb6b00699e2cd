import type { Database } from "../db/connect.js";
import type { Job } from "./job.js";

const hourMs = 3_600_000;

/** Takes a snapshot of all balances at each full hour. The hour is the snapshot's key, so a second time adds nothing. */
export const snapshotBalances = ({ sql }: Pick<Database, "sql">): Job => ({
  name: "snapshot-balances",
  everyMs: hourMs,
  first: "full",
  work: async ({ at }) => {
    const hour = new Date(at.getTime() - (at.getTime() % hourMs));
    await sql`select take_balance_snapshots(${hour.toISOString()})`;
    return {};
  },
});
