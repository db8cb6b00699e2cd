import { LRUCache } from "lru-cache";
import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";

/** A session that was noted is noted again after this. */
const noteAgainMs = 5 * 60_000;
const flushEveryMs = 60_000;
/** Of more sessions those that are new wait for the next time; they lose minutes. */
const maxSessions = 10_000;

/** Notes when sessions are used: some minutes exactly, because nobody needs it better and every request would write. */
export class SessionSightings {
  readonly #notedAtMs = new LRUCache<string, number>({ max: maxSessions });
  readonly #waiting = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #flushing: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Pick<Database, "sql">,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.#timer = setInterval(() => void this.flush(), flushEveryMs);
  }

  saw(sessionId: string): void {
    const nowMs = this.clock.nowMs();
    const notedAtMs = this.#notedAtMs.get(sessionId);
    if ((notedAtMs !== undefined && nowMs - notedAtMs < noteAgainMs) || this.#waiting.size >= maxSessions) return;
    this.#notedAtMs.set(sessionId, nowMs);
    this.#waiting.set(sessionId, nowMs);
  }

  /** Stores what was noted. It never fails: what cannot be stored is left. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #flush(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const seen = Object.fromEntries([...this.#waiting].map(([id, atMs]) => [id, new Date(atMs).toISOString()]));
    this.#waiting.clear();
    try {
      await this.database.sql`select note_sessions_seen(${JSON.stringify(seen)}::text::jsonb)`;
    } catch (error) {
      this.log.warn({ error: errorCode(error) }, "sessions.seen-not-stored");
    }
  }
}
