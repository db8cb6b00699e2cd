import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { anonymousNetwork } from "../core/address.js";
import { DomainError } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";

/** Attempts in a quarter of an hour; 0: without a limit. */
export interface SignInLimitSettings {
  /** Of everybody behind one address, with any account. */
  readonly signInsPerAddress: number;
  /** With one account, from all addresses together that it has not been used from. */
  readonly signInsPerAccount: number;
}

export interface SignInAttempt {
  /** Says that it was the right one: it does not count then, and the address is known to the account from now on. */
  succeeded(): Promise<void>;
}

const windowMs = 900_000;
/** How long an account knows an address that it was used from. */
const knownForMs = 90 * 24 * 3_600_000;
/** Of one client, and of all in its neighbourhood (24 bits of an IPv4 address, 48 of an IPv6 address). */
const questionsPerAddress = 10;
const questionsPerNetwork = 50;
/** Refusals that are remembered here, so that a flood does not reach the database. */
const maxRefusals = 10_000;

/**
 * Counts attempts to sign in, in the database, so that all nodes count together and exactly. An account is counted over all
 * addresses, so that thousands of addresses that guess one password get nowhere; an address that the account has been used
 * from before counts apart, so that they do not lock out its owner, and nobody waits longer than a part of the window. What
 * is stored tells neither account nor address (see {@link digest}), and is forgotten.
 */
export class SignInLimits {
  readonly #refusedUntilMs = new LRUCache<string, number>({ max: maxRefusals });

  constructor(
    private readonly database: Pick<Database, "sql">,
    private readonly settings: SignInLimitSettings,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts an attempt, before anything of it is checked: those that are under way at once count too.
   * @param account what two spellings of one account's name have in common, whether there is one or not
   * @throws {DomainError} RATE_LIMITED
   */
  async take(address: string, account: string): Promise<SignInAttempt> {
    const { signInsPerAddress, signInsPerAccount } = this.settings;
    const place = digest("place", account, address);
    const byAddress = digest("address", address);
    this.#requireNotRefused(byAddress);
    await this.#take(byAddress, signInsPerAddress);
    if (signInsPerAccount === 0) return { succeeded: () => this.#giveBack([[byAddress, signInsPerAddress]]) };
    const byAccount = (await this.#isKnown(place)) ? digest("known", place) : digest("account", account);
    this.#requireNotRefused(byAccount);
    await this.#take(byAccount, signInsPerAccount);
    return {
      succeeded: async () => {
        await this.#giveBack([
          [byAddress, signInsPerAddress],
          [byAccount, signInsPerAccount],
        ]);
        await this.#know(place);
      },
    };
  }

  /**
   * Counts a question whether an address has an account, as asking to register it is: far fewer are allowed than attempts to sign
   * in. It `succeeded` when there was none, and nothing was found out.
   * @throws {DomainError} RATE_LIMITED
   */
  async takeQuestion(address: string): Promise<Pick<SignInAttempt, "succeeded">> {
    if (this.settings.signInsPerAddress === 0) return { succeeded: async () => {} };
    const buckets = [
      [digest("question", address), questionsPerAddress],
      [digest("questions", anonymousNetwork(address) ?? address), questionsPerNetwork],
    ] as const;
    for (const [bucket, limit] of buckets) {
      this.#requireNotRefused(bucket);
      await this.#take(bucket, limit);
    }
    return { succeeded: () => this.#giveBack(buckets) };
  }

  /** The owner has proved in another way that the account is his, e.g. by a letter to his address. */
  async trust(address: string, account: string): Promise<void> {
    if (this.settings.signInsPerAccount > 0) await this.#know(digest("place", account, address));
  }

  /** Deletes what says nothing any more. Returns of how many rows. */
  async forget(): Promise<number> {
    const { sql } = this.database;
    const now = new Date(this.clock.nowMs()).toISOString();
    const oldest = new Date(this.clock.nowMs() - knownForMs).toISOString();
    const counters = await sql`delete from sign_in_counters where full_at < ${now}`;
    const places = await sql`delete from sign_in_places where seen_at < ${oldest}`;
    return counters.count + places.count;
  }

  #requireNotRefused(bucket: string): void {
    const retryAfterMs = (this.#refusedUntilMs.get(bucket) ?? 0) - this.clock.nowMs();
    if (retryAfterMs > 0) throw refusal(retryAfterMs);
  }

  /** See `RateBucket`: a row is the instant at which everything is there again. */
  async #take(bucket: string, limit: number): Promise<void> {
    if (limit === 0) return;
    const { sql } = this.database;
    const nowMs = this.clock.nowMs();
    const now = new Date(nowMs).toISOString();
    const stepMs = Math.floor(windowMs / limit);
    const [taken] = await sql`
      insert into sign_in_counters as c (bucket, full_at)
      values (${bucket}, ${now}::timestamptz + ${stepMs}::int * interval '1 ms')
      on conflict (bucket) do update set full_at = greatest(c.full_at, ${now}) + ${stepMs}::int * interval '1 ms'
      where c.full_at <= ${now}::timestamptz + ${windowMs - stepMs}::int * interval '1 ms'
      returning bucket`;
    if (taken !== undefined) return;
    const [row] = await sql<{ waitMs: number }[]>`
      select ceil(extract(epoch from full_at - ${now}::timestamptz) * 1000)::float8 - ${windowMs - stepMs}::int as "waitMs"
      from sign_in_counters where bucket = ${bucket}`;
    const retryAfterMs = Math.max(1, row?.waitMs ?? 1);
    this.#refusedUntilMs.set(bucket, nowMs + retryAfterMs);
    throw refusal(retryAfterMs);
  }

  async #giveBack(taken: readonly (readonly [bucket: string, limit: number])[]): Promise<void> {
    const { sql } = this.database;
    for (const [bucket, limit] of taken) {
      if (limit === 0) continue;
      const stepMs = Math.floor(windowMs / limit);
      await sql`update sign_in_counters set full_at = full_at - ${stepMs}::int * interval '1 ms' where bucket = ${bucket}`;
      this.#refusedUntilMs.delete(bucket);
    }
  }

  async #isKnown(place: string): Promise<boolean> {
    const oldest = new Date(this.clock.nowMs() - knownForMs).toISOString();
    const [row] = await this.database.sql`select from sign_in_places where place = ${place} and seen_at >= ${oldest}`;
    return row !== undefined;
  }

  async #know(place: string): Promise<void> {
    const now = new Date(this.clock.nowMs()).toISOString();
    await this.database.sql`
      insert into sign_in_places as p (place, seen_at) values (${place}, ${now})
      on conflict (place) do update set seen_at = greatest(p.seen_at, excluded.seen_at)`;
  }
}

const refusal = (retryAfterMs: number): DomainError =>
  new DomainError("RATE_LIMITED", "too many attempts to sign in; try again later", { retryAfterMs });

/** As JSON, so that no two lists of words give the same bytes. */
const digest = (...words: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(words)).digest("hex");
