import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import { inBatches } from "./in-batches.js";
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
  endAccount: (userId: string, accountId: string) => Promise<unknown>,
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
    const closedBefore = new Date(nowMs - keepDays * dayMs).toISOString();
    const users = await inBatches(
      batch,
      mayGoOn,
      () => sql`select purge_closed_users(${closedBefore}, ${now}, ${batch})::float8 as rows`,
    );
    const deadBefore = new Date(nowMs - deadKeysMs).toISOString();
    const keys = await inBatches(
      batch,
      mayGoOn,
      () => sql`select drop_dead_keys(${deadBefore}, ${batch})::float8 as rows`,
    );
    return { accounts: trading.length, users, keys };
  },
});
