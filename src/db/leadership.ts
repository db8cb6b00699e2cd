import type postgres from "postgres";
import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { refusesWrites } from "../core/refused-writes.js";
import type { Database } from "./connect.js";

/** How long a lease is good for. A successor has it that long after its holder has died, and hardly later. */
const leaseLifeMs = 2_500;
const lookEveryMs = 500;
/** The holder gives up this much before the database would: clocks do not run equally fast. */
const marginMs = 250;
/** A look that has no answer by then gets another connection. */
const answerWithinMs = 1_000;
/** A successor looks this much after the lease of another one has ended. */
const afterEndMs = 5;
/** Of the database's error when a write comes under a term that is over. */
export const notLeaderCode = "TG001";

/** Thrown by {@link Leadership.fence}: another node leads now, so nothing of the transaction may count. */
class LeadershipLostError extends Error {
  override readonly name = "LeadershipLostError";
}

/** One thing that one node does at a time, seen from this node. */
export interface Leadership {
  readonly name: string;
  /** Whether this node leads now. Another one cannot while this is true, unless this process was paused: see `fence`. */
  readonly isLeading: boolean;
  /**
   * Whether nobody has said that this node leads no more: also while it is not known, because this process, or the way to the
   * database, stood still for longer than a lease.
   */
  readonly isHeld: boolean;
  /** Grows with every change of the leader; null while this node does not lead. */
  readonly term: number | null;
  /**
   * To be called first in a transaction that only the leader may make: no other node can lead before the transaction ends.
   * It fails with {@link LeadershipLostError} when another one already has.
   */
  fence(sql: postgres.Sql | postgres.TransactionSql | postgres.ReservedSql): Promise<void>;
  /** To be told what another node says of itself, where nodes hear each other without the database: a later term ends this one. */
  anotherLeads(term: number): void;
  /** Ends it here, and lets another node lead at once. */
  resign(): Promise<void>;
}

export interface CampaignOptions {
  /** Told when this node begins to lead, and when it ends; a new term without an end between them tells both. */
  readonly onChange?: (isLeading: boolean) => void;
  /** Told after every look by which this node leads, or goes on. */
  readonly onConfirmed?: () => void;
  /**
   * Whether who leads goes on while the database cannot be reached. Another node may reach it, and lead as well until the two
   * hear of each other: only for what can be done twice for a moment.
   */
  readonly outlivesDatabase?: boolean;
}

export interface LeadershipsOptions {
  /** Makes connections of their own, so that a busy pool delays no look: one is used at a time. */
  readonly open: () => Database;
  readonly nodeId: string;
  readonly log: Logger;
}

/**
 * Decides with the other nodes of the installation who leads what. A lease is a row that expires by the database's clock, so
 * neither the clocks of nodes nor sessions of the database matter, and a pooler of transactions may be in between. All
 * leases of a node are renewed by one statement, twice a second.
 */
export class Leaderships {
  readonly #candidates = new Map<string, Candidate>();
  readonly #timer: NodeJS.Timeout;
  #database: Database;
  #looking: Promise<void> | undefined;
  /** Fires when the lease of another node ends, if it is not renewed by then. */
  #nextEnd: NodeJS.Timeout | undefined;
  #failures = 0;
  #isClosed = false;
  #hasGivenUp = false;

  constructor(private readonly options: LeadershipsOptions) {
    this.#database = options.open();
    this.#timer = setInterval(() => void this.look(), lookEveryMs);
  }

  get nodeId(): string {
    return this.options.nodeId;
  }

  /** What this node leads now, by name. */
  led(): string[] {
    return [...this.#candidates.values()].filter((one) => one.isLeading).map(({ name }) => name);
  }

  /** Stands for the leadership of `name` from the next look on. */
  campaign(name: string, options: CampaignOptions = {}): Leadership {
    if (this.#candidates.has(name)) throw new Error(`this node stands for ${name} already`);
    const candidate = new Candidate(
      name,
      options,
      this.options.log,
      async () => {
        this.#candidates.delete(name);
        await this.#looking;
        await this.#release([name]);
      },
      () => void this.look(),
    );
    this.#candidates.set(name, candidate);
    return candidate;
  }

  /** Fulfilled after a look that began now or later; it never fails. */
  async look(): Promise<void> {
    await this.#looking;
    if (this.#isClosed || this.#hasGivenUp || this.#candidates.size === 0) return;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopLooking();
    await this.#looking;
    const names = [...this.#candidates.keys()];
    for (const candidate of this.#candidates.values()) candidate.lose();
    this.#candidates.clear();
    await this.#release(names);
    await this.#database.close();
  }

  /** From now on the database is not asked: what is held here expires. To be called when this closes without it. */
  giveUp(): void {
    this.#hasGivenUp = true;
    this.#stopLooking();
    this.#database.giveUp();
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#nextEnd);
  }

  async #look(): Promise<void> {
    const names = [...this.#candidates.keys()];
    const sentAtMs = performance.now();
    try {
      const rows = await this.#inTime(
        this.#database.sql<{ lease: string; lease_term: string | null; ends_in_ms: number | null }[]>`
          select lease, lease_term, null::float8 as ends_in_ms
          from take_leases(${this.nodeId}, ${names as never}::text[], ${`${leaseLifeMs} ms`})
          union all
          select name, null, extract(epoch from expires_at - clock_timestamp()) * 1000
          from leases where name = any (${names as never}::text[]) and holder <> ${this.nodeId} and expires_at > clock_timestamp()`,
      );
      const held = new Map(
        rows.flatMap(({ lease, lease_term }) => (lease_term === null ? [] : [[lease, Number(lease_term)]])),
      );
      this.#lookAtEnd(Math.min(...rows.map((row) => row.ends_in_ms ?? Number.POSITIVE_INFINITY)));
      // From before it was sent: the database began to count later.
      for (const name of names)
        this.#candidates.get(name)?.looked(held.get(name) ?? null, sentAtMs + leaseLifeMs - marginMs);
      if (this.#failures > 0) this.options.log.info({ failures: this.#failures }, "leadership.reachable");
      this.#failures = 0;
    } catch (error) {
      if (this.#isClosed) return;
      if (refusesWrites(error) && (await this.#keepWhatNobodyCanTake(names))) return;
      // Once may be a connection that was lost while this process was paused.
      const isAway = this.#failures > 0;
      for (const candidate of this.#candidates.values())
        candidate.unanswered(isAway, performance.now() + leaseLifeMs - marginMs);
      if (this.#failures++ === 0) this.options.log.warn({ error: errorCode(error) }, "leadership.unreachable");
    }
  }

  /** Without it, half a look would be lost on average between the end of a lease and its successor's. */
  #lookAtEnd(endsInMs: number): void {
    clearTimeout(this.#nextEnd);
    if (endsInMs < lookEveryMs && !this.#isClosed && !this.#hasGivenUp)
      this.#nextEnd = setTimeout(() => void this.look(), endsInMs + afterEndMs);
  }

  /**
   * A database that refuses writes (read-only, or a full disk) lets nobody take a lease, so who leads goes on for as long as the
   * row is its own. When it takes writes again, two may act for one look; what is written is fenced.
   */
  async #keepWhatNobodyCanTake(names: readonly string[]): Promise<boolean> {
    const sentAtMs = performance.now();
    try {
      const rows = await this.#inTime(
        this.#database.sql<{ name: string; term: string }[]>`
          select name, term from leases where holder = ${this.nodeId} and name = any (${names as never}::text[])`,
      );
      const own = new Map(rows.map((row) => [row.name, Number(row.term)]));
      for (const name of names) this.#candidates.get(name)?.goesOn(own.get(name) ?? null, sentAtMs + answerWithinMs);
      if (this.#failures++ === 0) this.options.log.warn({}, "leadership.database-refuses-writes");
      return true;
    } catch {
      return false;
    }
  }

  /** A connection that has fallen silent would hold up every later look. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const silent = this.#database;
        this.#database = this.options.open();
        silent.giveUp();
        reject(Object.assign(new Error("no answer in time"), { code: "TIMEOUT" }));
      }, answerWithinMs);
    });
    answer.catch(() => {});
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #release(names: readonly string[]): Promise<void> {
    if (names.length === 0 || this.#hasGivenUp) return;
    // Where it cannot be said, the lease expires.
    await this.#inTime(this.#database.sql`select release_leases(${this.nodeId}, ${names as never}::text[])`).catch(
      () => {},
    );
  }
}

class Candidate implements Leadership {
  #term: number | null = null;
  #untilMs = Number.NEGATIVE_INFINITY;
  #expiry: NodeJS.Timeout | undefined;

  constructor(
    readonly name: string,
    private readonly options: CampaignOptions,
    private readonly log: Logger,
    private readonly leave: () => Promise<void>,
    /** Asks whether what has expired is still its own. */
    private readonly confirm: () => void,
  ) {}

  get isLeading(): boolean {
    return this.#term !== null && performance.now() < this.#untilMs;
  }

  get isHeld(): boolean {
    return this.#term !== null;
  }

  get term(): number | null {
    return this.isLeading ? this.#term : null;
  }

  async fence(sql: postgres.Sql | postgres.TransactionSql | postgres.ReservedSql): Promise<void> {
    const term = this.term;
    if (term === null) throw new LeadershipLostError(`this node does not lead ${this.name}`);
    try {
      await sql`select require_lease(${this.name}, ${term})`;
    } catch (error) {
      if ((error as { code?: string }).code !== notLeaderCode) throw error;
      this.lose();
      throw new LeadershipLostError(`another node leads ${this.name}`);
    }
  }

  anotherLeads(term: number): void {
    if (this.#term !== null && term > this.#term) this.lose();
  }

  resign(): Promise<void> {
    this.lose();
    return this.leave();
  }

  looked(term: number | null, untilMs: number): void {
    if (term === null || term !== this.#term) this.lose();
    if (term === null) return;
    clearTimeout(this.#expiry);
    this.#untilMs = untilMs;
    // Nothing may be done from then on. It is given up when nobody says that it is still held: a process that had no time to
    // renew it is not to stop and begin everything.
    this.#expiry = setTimeout(this.confirm, Math.max(0, untilMs - performance.now()));
    if (this.#term === null) {
      this.#term = term;
      this.log.info({ leadership: this.name, term }, "leadership.gained");
      this.options.onChange?.(true);
    }
    this.options.onConfirmed?.();
  }

  /** Nobody knows whether it is still held. Without more, it expires by itself. */
  unanswered(isAway: boolean, untilMs: number): void {
    if (this.options.outlivesDatabase !== true) {
      if (!this.isLeading) this.lose();
    } else if (isAway) this.goesOn(this.#term, untilMs);
  }

  /** The same term, for who leads; nobody begins to lead by this. */
  goesOn(term: number | null, untilMs: number): void {
    if (this.#term !== null && term === this.#term) this.looked(term, untilMs);
  }

  lose(): void {
    clearTimeout(this.#expiry);
    if (this.#term === null) return;
    this.log.warn({ leadership: this.name, term: this.#term }, "leadership.lost");
    this.#term = null;
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.options.onChange?.(false);
  }
}
