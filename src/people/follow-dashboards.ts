import type { Catalogue } from "../catalogue/catalogue.js";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import { defaultSymbolList, type SymbolList } from "../market-data/shared-quotes.js";
import type { ShownSymbols } from "./dashboard.js";

const channel = "tradegraph_dashboards";
/** Changes of one user that arrive within this time are read together. */
const gatherMs = 10;
const retryMs = 500;
/** The rest of the pool is for those who ask. */
const maxReaders = 4;

/** A user's dashboard while anybody follows it. Its times are counts of changes that were heard. */
interface Followed {
  shown: ShownSymbols;
  /** What was heard before this is in it. */
  asOf: number;
  /** When it was last told to have changed. */
  changedAt: number;
  readonly listeners: Set<() => void>;
}

export interface DashboardFollowerOptions {
  readonly database: Database;
  readonly catalogue: Catalogue;
  /** Reads as the user. */
  readonly read: (userId: string) => Promise<ShownSymbols>;
  readonly log: Logger;
}

/**
 * The dashboards that somebody follows live on this node. The database tells of every change, whoever made it; those that
 * are followed are read again. A lost listening connection is made anew by the driver, and all of them are read again then.
 * Bounded by the open streams.
 */
export class DashboardFollower {
  readonly #followed = new Map<string, Followed>();
  /** To be read again. */
  readonly #wanted = new Set<string>();
  readonly #readers = new Set<Promise<void>>();
  readonly #defaults: SymbolList;
  readonly #stopFollowingSymbols: () => void;
  #stopListening: () => Promise<void> = async () => {};
  #heard = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(private readonly options: DashboardFollowerOptions) {
    this.#defaults = defaultSymbolList(options.catalogue);
    this.#stopFollowingSymbols = options.catalogue.onChange(({ table }) => {
      if (table === "symbols") for (const followed of this.#followed.values()) tell(followed);
    });
  }

  static async start(options: DashboardFollowerOptions): Promise<DashboardFollower> {
    const follower = new DashboardFollower(options);
    const listening = await options.database.sql.listen(
      channel,
      (payload) => {
        const userIds = readChange(payload);
        if (userIds === undefined) options.log.warn({ length: payload.length }, "dashboards.unknown-notification");
        else follower.#hear(userIds);
      },
      // Also after every reconnect: what was told meanwhile is lost.
      () => follower.#hear(null),
    );
    follower.#stopListening = () => listening.unlisten().catch(() => {});
    return follower;
  }

  /** How many dashboards are followed now. */
  get count(): number {
    return this.#followed.size;
  }

  /** The symbols of a user's dashboard as they are now, and as they change while they are followed. */
  async listOf(userId: string): Promise<SymbolList> {
    const known = this.#followed.get(userId);
    const asOf = this.#heard;
    const shown = known !== undefined && known.asOf >= known.changedAt ? known.shown : await this.options.read(userId);
    return {
      name: `dashboard ${userId}`,
      ids: () => {
        const followed = this.#followed.get(userId);
        // Null is a value of it: there are no items.
        return this.#idsOf(followed === undefined ? shown : followed.shown);
      },
      onChange: (listener) => {
        this.#follow(userId, shown, asOf).listeners.add(listener);
        return () => this.#unfollow(userId, listener);
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stopFollowingSymbols();
    await this.#stopListening();
    await Promise.all(this.#readers);
  }

  #idsOf(shown: ShownSymbols): readonly number[] {
    if (shown === null) return this.#defaults.ids();
    return shown.filter((id) => this.options.catalogue.findSymbol(id)?.isActive);
  }

  #follow(userId: string, shown: ShownSymbols, asOf: number): Followed {
    const known = this.#followed.get(userId);
    if (known !== undefined) {
      update(known, shown, asOf);
      return known;
    }
    const followed: Followed = { shown, asOf, changedAt: this.#heard, listeners: new Set() };
    this.#followed.set(userId, followed);
    // Whose change was heard since it was read is not known.
    if (asOf < this.#heard) this.#want([userId], gatherMs);
    return followed;
  }

  #unfollow(userId: string, listener: () => void): void {
    const followed = this.#followed.get(userId);
    followed?.listeners.delete(listener);
    if (followed?.listeners.size !== 0) return;
    this.#followed.delete(userId);
    this.#wanted.delete(userId);
  }

  /** @param userIds null: anybody's may have changed */
  #hear(userIds: readonly string[] | null): void {
    // The driver cannot end a listening that it made anew.
    if (this.#isClosed) return;
    this.#heard++;
    const changed: string[] = [];
    for (const userId of userIds ?? this.#followed.keys()) {
      const followed = this.#followed.get(userId);
      if (followed === undefined) continue;
      followed.changedAt = this.#heard;
      changed.push(userId);
    }
    this.#want(changed, gatherMs);
  }

  #want(userIds: readonly string[], delayMs: number): void {
    for (const userId of userIds) this.#wanted.add(userId);
    if (this.#wanted.size === 0 || this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (let count = Math.min(this.#wanted.size, maxReaders - this.#readers.size); count > 0; count--) {
        const reader = this.#readWanted().finally(() => this.#readers.delete(reader));
        this.#readers.add(reader);
      }
    }, delayMs);
  }

  async #readWanted(): Promise<void> {
    for (const userId of this.#wanted) {
      if (this.#isClosed) return;
      this.#wanted.delete(userId);
      const asOf = this.#heard;
      try {
        const shown = await this.options.read(userId);
        const followed = this.#followed.get(userId);
        if (followed !== undefined && !this.#isClosed) update(followed, shown, asOf);
      } catch (error) {
        if (this.#isClosed) return;
        this.options.log.warn({ error: errorMessage(error) }, "dashboards.read-failed");
        this.#want(this.#followed.has(userId) ? [userId] : [], retryMs);
        return;
      }
    }
  }
}

/** Two reads may come back in the other order. */
function update(followed: Followed, shown: ShownSymbols, asOf: number): void {
  if (asOf <= followed.asOf) return;
  followed.asOf = asOf;
  if (String(followed.shown) === String(shown)) return;
  followed.shown = shown;
  tell(followed);
}

function tell({ listeners }: Followed): void {
  for (const listener of listeners) listener();
}

/** The users that a notification names, null: it may be anybody; undefined when it is none of ours, as anyone may notify. */
function readChange(payload: string): readonly string[] | null | undefined {
  let change: { users?: unknown } | null;
  try {
    change = JSON.parse(payload);
  } catch {
    return undefined;
  }
  const users = change?.users;
  if (users === null) return null;
  return Array.isArray(users) && users.every((user) => typeof user === "string") ? users : undefined;
}
