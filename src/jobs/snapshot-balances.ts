import type { Database } from "../db/connect.js";
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
    let rows = 0;
    for (let dropped = batch; dropped === batch && mayGoOn(); rows += dropped) {
      const [row] = await sql<{ dropped: string }[]>`
        select drop_old_balance_snapshots(${at.toISOString()}, ${batch}) as dropped`;
      dropped = Number(row?.dropped ?? 0);
    }
    return { rows };
  },
});
