import type { Logger } from "../../core/logger.js";
import { rest } from "../../core/rest.js";
import { backoffDelayMs } from "../../core/time.js";
import type { VenueEvent, VenueWatch } from "../venue.js";

/** Beyond this, what waits is given up for one gap: the reader compares with the exchange, which knows everything. */
const maxWaiting = 10_000;
const retryCapMs = 10_000;

export interface EventQueueOptions {
  readonly accountId: string;
  readonly log: Logger;
  readonly retryBaseMs: number;
  readonly nowMs: () => number;
  readonly onClosed: () => void;
}

/** Hands over events one at a time, each until it is taken. */
export class EventQueue implements VenueWatch {
  readonly #onEvent: (event: VenueEvent) => Promise<void>;
  readonly #options: EventQueueOptions;
  #waiting: VenueEvent[] = [];
  #isRunning = false;
  #run: Promise<void> = Promise.resolve();
  readonly #ending = new AbortController();

  constructor(onEvent: (event: VenueEvent) => Promise<void>, options: EventQueueOptions) {
    this.#onEvent = onEvent;
    this.#options = options;
  }

  push(event: VenueEvent): void {
    if (this.#ending.signal.aborted) return;
    if (this.#waiting.length >= maxWaiting) {
      const { accountId, log, nowMs } = this.#options;
      log.warn({ accountId, dropped: this.#waiting.length }, "venue.events-dropped");
      const reason = "events came faster than they were taken";
      this.#waiting = [{ kind: "gap", accountId, at: new Date(nowMs()), reason }];
    }
    this.#waiting.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#run = this.#handOver();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#options.onClosed();
    await this.#run;
  }

  async #handOver(): Promise<void> {
    // The first turn is not the caller's.
    await Promise.resolve();
    for (let failures = 0; !this.#ending.signal.aborted; ) {
      const event = this.#waiting[0];
      if (event === undefined) break;
      try {
        await this.#onEvent(event);
        failures = 0;
        if (this.#waiting[0] === event) this.#waiting.shift();
      } catch (err) {
        const { accountId, log, retryBaseMs } = this.#options;
        log.warn({ err, accountId, event: event.kind, failures }, "venue.event-not-taken");
        const delayMs = backoffDelayMs(failures++, retryBaseMs, retryCapMs, Math.random);
        await rest(delayMs, this.#ending.signal);
      }
    }
    this.#isRunning = false;
  }
}
