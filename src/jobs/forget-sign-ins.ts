import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { SignInLimits } from "../people/sign-in-limits.js";
import { RepeatedJob } from "./repeated-job.js";

const everyMs = 900_000;

/** Deletes counts of attempts to sign in that say nothing any more. Several nodes may do it. */
export class ForgetSignIns extends RepeatedJob {
  constructor(limits: Pick<SignInLimits, "forget">, log: Logger) {
    super(async () => {
      try {
        const rows = await limits.forget();
        if (rows > 0) log.info({ rows }, "sign-ins.forgotten");
      } catch (error) {
        log.warn({ error: errorMessage(error) }, "sign-ins.forget-failed");
      }
    }, everyMs);
  }
}
