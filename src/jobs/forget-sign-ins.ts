import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { SignInLimits } from "../people/sign-in-limits.js";

const everyMs = 900_000;

/** Deletes counts of attempts to sign in that say nothing any more. Several nodes may do it. */
export class ForgetSignIns {
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void>;

  constructor(
    private readonly limits: Pick<SignInLimits, "forget">,
    private readonly log: Logger,
  ) {
    this.#running = this.#run();
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#run());
    }, everyMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      const rows = await this.limits.forget();
      if (rows > 0) this.log.info({ rows }, "sign-ins.forgotten");
    } catch (error) {
      this.log.warn({ error: errorMessage(error) }, "sign-ins.forget-failed");
    }
  }
}
