import { DomainError } from "../core/errors.js";
import type { QueuedEvent } from "./dispatch-events.js";
import type { UserEvents } from "./follow-users.js";

export interface EventStreamOptions {
  readonly events: UserEvents;
  readonly userId: string;
  /** Null: all accounts of the user, also those that are opened later. */
  readonly accountId: string | null;
  /** The number that was seen last of the account; null: from now on. */
  readonly after: number | null;
}

/** Events that wait for one slow reader; what does not fit is read from the database again. */
const maxWaiting = 500;

/**
 * Every event of a user's accounts, those of each account in their order and without a gap, however late the reader is.
 *
 * An iterator object and not an async generator: `return()` must settle a waiting `next()` at once.
 */
export class EventStream implements AsyncIterableIterator<QueuedEvent> {
  /** What was handed out last, by account. */
  readonly #last = new Map<string, number>();
  /** The newest number that was heard of, by account. */
  readonly #newest = new Map<string, number>();
  #waiting: QueuedEvent[] = [];
  #stop: (() => void) | undefined;
  #wake: (() => void) | undefined;
  #started: Promise<void> | undefined;
  #closed = false;

  constructor(private readonly options: EventStreamOptions) {}

  /** Fulfilled when nothing that happens from now on is missed. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async next(): Promise<IteratorResult<QueuedEvent>> {
    await this.start();
    for (;;) {
      if (this.#closed) return { done: true, value: undefined };
      const event = this.#take() ?? (await this.#read());
      if (event !== null && !this.#closed) {
        this.#last.set(event.accountId, event.sequence);
        return { done: false, value: event };
      }
      if (this.#closed || this.#waiting.length > 0 || this.#behind() !== null) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<QueuedEvent>> {
    this.#closed = true;
    this.#stop?.();
    this.#waiting = [];
    this.#wake?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<QueuedEvent>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #start(): Promise<void> {
    if (this.#closed) return;
    const { events, userId, accountId, after } = this.options;
    const isWanted = (id: string) => accountId === null || id === accountId;
    // Before the look at the newest numbers, so that nothing falls in between.
    this.#stop = events.watch(userId, {
      onEvent: (event) => {
        if (!isWanted(event.accountId)) return;
        this.#heardOf(event.accountId, event.sequence);
        if (this.#waiting.length < maxWaiting) this.#waiting.push(event);
        this.#wake?.();
      },
      onNewest: (id, sequence) => {
        if (!isWanted(id)) return;
        this.#heardOf(id, sequence);
        this.#wake?.();
      },
    });
    try {
      const newest = await events.newest(userId);
      for (const [id, sequence] of newest) if (isWanted(id)) this.#last.set(id, after ?? sequence);
      if (accountId !== null && !newest.has(accountId)) throw new DomainError("NOT_FOUND", "account not found");
      for (const [id, sequence] of newest) if (isWanted(id)) this.#heardOf(id, sequence);
      const furthest = accountId === null ? 0 : (newest.get(accountId) ?? 0);
      if (after !== null && after > furthest)
        throw new DomainError("BAD_USER_INPUT", "after is ahead of the account", { field: "after" });
    } catch (error) {
      void this.return();
      throw error;
    }
  }

  #heardOf(accountId: string, sequence: number): void {
    if (sequence > (this.#newest.get(accountId) ?? 0)) this.#newest.set(accountId, sequence);
  }

  /** Of an account that was opened after the start, everything. */
  #lastOf(accountId: string): number {
    return this.#last.get(accountId) ?? 0;
  }

  /** The next one of an account whose turn it is; those that were seen are thrown away. */
  #take(): QueuedEvent | null {
    while (this.#waiting.length > 0) {
      const event = this.#waiting[0] as QueuedEvent;
      const last = this.#lastOf(event.accountId);
      // One is missing before it.
      if (event.sequence > last + 1) return null;
      this.#waiting.shift();
      if (event.sequence === last + 1) return event;
    }
    return null;
  }

  /** An account of which something is known that has not been handed out. */
  #behind(): string | null {
    for (const [accountId, newest] of this.#newest) if (newest > this.#lastOf(accountId)) return accountId;
    return null;
  }

  /** Reads what is missing, and returns the first of it. */
  async #read(): Promise<QueuedEvent | null> {
    const accountId = this.#behind();
    if (accountId === null) return null;
    const last = this.#lastOf(accountId);
    const { events, userId } = this.options;
    const found = await events.read(userId, accountId, last);
    if (this.#closed) return null;
    const [first, ...more] = found;
    if (first === undefined || first.sequence > last + 1) {
      throw new DomainError("STREAM_OVERFLOW", "what comes next is no longer kept: read the present state", {
        resumeFrom: String(this.#newest.get(accountId) ?? last),
      });
    }
    const isRead = (event: QueuedEvent) =>
      event.accountId === accountId && event.sequence <= (found.at(-1)?.sequence ?? 0);
    this.#waiting = [...more, ...this.#waiting.filter((event) => !isRead(event))];
    return first;
  }
}
