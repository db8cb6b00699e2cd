import type { Logger } from "../../core/logger.js";

const logEveryMs = 10_000;

/** Messages that were not understood: counted all, and logged now and then, because they may come by the thousand. */
export class RejectedMessages {
  #count = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly log: Logger) {}

  get count(): number {
    return this.#count;
  }

  add(subject: string, text: string): void {
    this.#count++;
    const nowMs = performance.now();
    if (nowMs - this.#loggedAtMs < logEveryMs) return;
    this.#loggedAtMs = nowMs;
    this.log.error({ subject, bytes: text.length, count: this.#count }, "bus.message-not-understood");
  }
}
