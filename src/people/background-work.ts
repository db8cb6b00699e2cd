import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";

const maxRunning = 4;
const maxWaiting = 500;

/**
 * Work that nobody waits for, e.g. mail: so that no answer is later for an address that exists. Bounded: with 500 waiting, what
 * comes next is left undone, and logged.
 */
export class BackgroundWork {
  readonly #waiting: { readonly name: string; readonly work: () => Promise<void> }[] = [];
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;

  constructor(private readonly log: Logger) {}

  add(name: string, work: () => Promise<void>): void {
    if (this.#isClosed || this.#waiting.length >= maxWaiting) {
      this.log.warn({ work: name }, "background.left-undone");
      return;
    }
    this.#waiting.push({ name, work });
    this.#start();
  }

  /** Finishes what was added. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #start(): void {
    while (this.#running.size < maxRunning) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const run = (async () => {
        try {
          await next.work();
        } catch (error) {
          // A message of a mail server names the address.
          this.log.warn({ work: next.name, error: errorCode(error) }, "background.failed");
        }
      })().finally(() => {
        this.#running.delete(run);
        this.#start();
      });
      this.#running.add(run);
    }
  }
}
