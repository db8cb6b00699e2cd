/** Does its work now and then again and again, one time after the other. */
export class RepeatedJob {
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void>;
  #closed = false;

  /** @param work catches its own errors, and asks between its steps whether to go on */
  constructor(work: (mayGoOn: () => boolean) => Promise<void>, everyMs: number) {
    const run = () => work(() => !this.#closed);
    this.#running = run();
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(run);
    }, everyMs);
  }

  /** Ends after the step that is being done. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
  }
}
