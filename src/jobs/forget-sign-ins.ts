import type { SignInLimits } from "../people/sign-in-limits.js";
import type { Job } from "./job.js";

/** Deletes counts of attempts to sign in that say nothing any more. */
export const forgetSignIns = (limits: Pick<SignInLimits, "forget">): Job => ({
  name: "forget-sign-ins",
  everyMs: 900_000,
  first: "now",
  work: async () => ({ rows: await limits.forget() }),
});
