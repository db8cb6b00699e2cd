import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { Job } from "./job.js";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** How long keys are kept that let nobody in any more. */
const deadKeysMs = 365 * dayMs;
const batch = 200;

/**
 * Takes away what was kept of closed accounts for a while, and keys that are long dead. Closing an account has erased at once
 * who it was; orders, fills and events stay, of a user who is only a number.
 * @param endAccounts cancels the orders of an account, and ends it
 */
export const purgeClosedUsers = (
  { sql }: Pick<Database, "sql">,
  clock: Clock,
  keepDays: number,
  endAccount: (userId: string, accountId: string) => Promise<void>,
): Job => ({
  name: "purge-closed-users",
  everyMs: hourMs,
  first: "now",
  work: async ({ mayGoOn }) => {
    const nowMs = clock.nowMs();
    const now = new Date(nowMs).toISOString();
    // Those that were not ended together with their user, because a node died between the two.
    const trading = await sql<{ accountId: string; userId: string }[]>`
      select account_id as "accountId", user_id as "userId" from accounts_of_closed_users()`;
    for (const { accountId, userId } of trading) if (mayGoOn()) await endAccount(userId, accountId);
    const again = async (step: () => Promise<number>): Promise<number> => {
      let rows = 0;
      for (let done = batch; done >= batch && mayGoOn(); rows += done) done = await step();
      return rows;
    };
    const closedBefore = new Date(nowMs - keepDays * dayMs).toISOString();
    const users = await again(async () => {
      const [row] = await sql<{ rows: number }[]>`
        select purge_closed_users(${closedBefore}, ${now}, ${batch})::float8 as rows`;
      return row?.rows ?? 0;
    });
    const deadBefore = new Date(nowMs - deadKeysMs).toISOString();
    const keys = await again(async () => {
      const [row] = await sql<{ rows: number }[]>`select drop_dead_keys(${deadBefore}, ${batch})::float8 as rows`;
      return row?.rows ?? 0;
    });
    return { accounts: trading.length, users, keys };
  },
});
