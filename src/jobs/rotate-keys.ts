import type { KeyRing } from "../core/key-ring.js";
import type { Database } from "../db/connect.js";
import { reseal } from "../db/sealed-columns.js";
import { resealAccountKeys } from "../trading/account-keys.js";
import { type Job, JobError } from "./job.js";

/** Seals anew what the newest key does not seal yet, so that an old one may be taken away after an hour. */
export const rotateKeys = (database: Database, keyRing: KeyRing): Job => ({
  name: "rotate-keys",
  everyMs: 3_600_000,
  first: "now",
  work: async ({ mayGoOn }) => {
    // Of private rows it sees none: those of accounts are done as their users.
    const open = await reseal(database, keyRing);
    const accounts = await resealAccountKeys(database, keyRing, mayGoOn);
    const failed = open.reduce((sum, table) => sum + table.failed.length, accounts.failed);
    if (failed > 0) throw new JobError(`the secrets of ${failed} rows do not open; see "tradegraph keys status"`);
    return { rows: open.reduce((sum, { rows }) => sum + rows, accounts.rows) };
  },
});
