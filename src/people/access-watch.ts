import { randomUUID } from "node:crypto";
import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { UserViewer } from "../core/viewer.js";
import type { Database } from "../db/connect.js";

const channel = "tradegraph_access";
/** How exactly an open stream ends when its access expires. */
const sweepMs = 1_000;
/** Ends that are remembered. With one more, every access token from before the oldest of them is refused. */
const maxEnded = 100_000;
const retryMs = 1_000;
const maxCatchUpMs = 3_000;

interface Follower {
  readonly viewer: UserViewer;
  readonly end: () => void;
}

/**
 * Knows which access has ended though its credential still looks valid: sessions that were signed out, API keys that were
 * revoked, users whose role or status changed. The database notifies every node; what was missed while this node did not listen
 * is read when it listens again. It is remembered for the life of an access token: older ones have expired by then.
 */
export class AccessWatch {
  /** When it was heard, by name of what has ended; for a user with the version that is good again. Oldest first. */
  readonly #ended = new Map<string, { readonly heardAtMs: number; readonly version: number }>();
  readonly #followers = new Map<string, Set<Follower>>();
  readonly #sweep: NodeJS.Timeout;
  readonly #barriers = new Map<string, () => void>();
  #refusedBeforeMs = Number.NEGATIVE_INFINITY;
  #retry: NodeJS.Timeout | undefined;
  #unlisten: () => Promise<void> = async () => {};
  #isClosed = false;

  private constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly tokenLifeMs: number,
    private readonly log: Logger,
  ) {
    this.#sweep = setInterval(() => this.#endExpired(), sweepMs);
  }

  static async open(database: Database, clock: Clock, tokenLifeMs: number, log: Logger): Promise<AccessWatch> {
    const watch = new AccessWatch(database, clock, tokenLifeMs, log);
    try {
      const listening = await database.sql.listen(
        channel,
        (payload) => watch.#hear(payload),
        // Also after every reconnect of the listening connection.
        () => void watch.#readMissed(),
      );
      watch.#unlisten = () => listening.unlisten().catch(() => {});
    } catch (error) {
      await watch.close();
      throw error;
    }
    return watch;
  }

  /** Whether access that was given has been taken back. That it has expired is told by the viewer itself. */
  hasEnded(viewer: UserViewer): boolean {
    const { expiresAtMs, sessionId } = viewer;
    if (sessionId !== null && (expiresAtMs ?? 0) - this.tokenLifeMs < this.#refusedBeforeMs) return true;
    return namesOf(viewer).some((name) => {
      const ended = this.#ended.get(name);
      return ended !== undefined && viewer.accessVersion < ended.version;
    });
  }

  /** Calls back once, when the access ends or expires. Returns the function that stops it. */
  follow(viewer: UserViewer, end: () => void): () => void {
    const follower: Follower = { viewer, end };
    for (const name of namesOf(viewer)) {
      const followers = this.#followers.get(name) ?? new Set();
      this.#followers.set(name, followers.add(follower));
    }
    // It may have ended since it was checked.
    if (this.hasEnded(viewer)) queueMicrotask(() => this.#end(follower));
    return () => this.#forget(follower);
  }

  /**
   * Resolves when this node has heard of every end that was committed before, so that whoever ended an access and is answered
   * meets it nowhere here any more. Within three seconds, also where nothing is heard.
   */
  async caughtUp(): Promise<void> {
    const id = randomUUID();
    const heard = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, maxCatchUpMs);
      this.#barriers.set(id, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    try {
      await this.database.sql`select pg_notify(${channel}, ${JSON.stringify({ barrier: id })})`;
      await heard;
    } catch (error) {
      this.log.warn({ error: errorCode(error) }, "access.catch-up-failed");
      this.#barriers.get(id)?.();
    } finally {
      this.#barriers.delete(id);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const heard of this.#barriers.values()) heard();
    clearInterval(this.#sweep);
    clearTimeout(this.#retry);
    this.#followers.clear();
    await this.#unlisten();
  }

  #hear(payload: string): void {
    let change: { session?: unknown; key?: unknown; user?: unknown; version?: unknown; barrier?: unknown } | null;
    try {
      change = JSON.parse(payload);
    } catch {
      change = null;
    }
    const { session, key, user, version, barrier } = change ?? {};
    if (typeof session === "string") this.#endOf(`session:${session}`);
    else if (typeof key === "string") this.#endOf(`key:${key}`);
    else if (typeof user === "string" && typeof version === "number") this.#endOf(`user:${user}`, version);
    // Also that of another node.
    else if (typeof barrier === "string") this.#barriers.get(barrier)?.();
    // Anybody who may connect may notify.
    else this.log.warn({ length: payload.length }, "access.unknown-notification");
  }

  #endOf(name: string, version = Number.POSITIVE_INFINITY): void {
    const before = this.#ended.get(name);
    const ended = { heardAtMs: this.clock.nowMs(), version: Math.max(version, before?.version ?? 0) };
    this.#ended.delete(name);
    this.#ended.set(name, ended);
    const [oldest] = this.#ended;
    if (this.#ended.size > maxEnded && oldest !== undefined) {
      this.#refusedBeforeMs = Math.max(this.#refusedBeforeMs, oldest[1].heardAtMs);
      this.#ended.delete(oldest[0]);
    }
    for (const follower of this.#followers.get(name) ?? [])
      if (follower.viewer.accessVersion < ended.version) this.#end(follower);
  }

  async #readMissed(): Promise<void> {
    if (this.#isClosed) return;
    try {
      const since = new Date(this.clock.nowMs() - this.tokenLifeMs).toISOString();
      const rows = await this.database.sql<{ session: string | null; user: string | null; version: number | null }[]>`
        select session, "user", version
        from recent_access_changes(${since}, make_interval(secs => ${this.tokenLifeMs / 1_000}))`;
      for (const { session, user, version } of rows) {
        if (session !== null) this.#endOf(`session:${session}`);
        else if (user !== null && version !== null) this.#endOf(`user:${user}`, version);
      }
      await this.#checkFollowers(since);
    } catch (error) {
      if (this.#isClosed) return;
      this.log.warn({ error: errorCode(error) }, "access.read-failed");
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => void this.#readMissed(), retryMs);
    }
  }

  /** Access by API key has no end by itself, so it may have been taken back before anything that is remembered. */
  async #checkFollowers(since: string): Promise<void> {
    const keys = new Set<string>();
    const versions = new Map<string, number>();
    for (const followers of this.#followers.values())
      for (const { viewer } of followers) {
        if (viewer.apiKeyId !== null) keys.add(viewer.apiKeyId);
        versions.set(
          viewer.userId,
          Math.min(viewer.accessVersion, versions.get(viewer.userId) ?? viewer.accessVersion),
        );
      }
    const arrayOf = (values: Iterable<string | number>): string => `{${[...values].join()}}`;
    const rows = await this.database.sql<{ key: string | null; user: string | null; version: number | null }[]>`
      select key, "user", version from missed_access(${arrayOf(keys)}::text::uuid[], ${arrayOf(versions.keys())}::text::uuid[],
        ${arrayOf(versions.values())}::text::integer[], ${since})`;
    for (const { key, user, version } of rows) {
      if (key !== null) this.#endOf(`key:${key}`);
      else if (user !== null && version !== null) this.#endOf(`user:${user}`, version);
    }
  }

  #endExpired(): void {
    const nowMs = this.clock.nowMs();
    for (const [name, { heardAtMs }] of this.#ended) {
      if (heardAtMs > nowMs - 2 * this.tokenLifeMs) break;
      this.#ended.delete(name);
    }
    const expired = new Set<Follower>();
    for (const followers of this.#followers.values()) {
      for (const follower of followers)
        if ((follower.viewer.expiresAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) expired.add(follower);
    }
    for (const follower of expired) this.#end(follower);
  }

  #end(follower: Follower): void {
    this.#forget(follower);
    follower.end();
  }

  #forget(follower: Follower): void {
    for (const name of namesOf(follower.viewer)) {
      const followers = this.#followers.get(name);
      followers?.delete(follower);
      if (followers?.size === 0) this.#followers.delete(name);
    }
  }
}

const namesOf = ({ sessionId, apiKeyId, userId }: UserViewer): readonly string[] => [
  sessionId === null ? `key:${apiKeyId}` : `session:${sessionId}`,
  `user:${userId}`,
];
