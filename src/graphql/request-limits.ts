import { GraphQLError } from "graphql";
import { LRUCache } from "lru-cache";
import { DomainError } from "../core/errors.js";
import { type RateBucket, RateLimiter } from "../core/rate-limiter.js";
import type { Clock } from "../core/time.js";
import type { Viewer } from "../core/viewer.js";

/** How much of what a minute may take; 0: without a limit. */
export interface RateLimitSettings {
  /** Cost of operations (see `cost.ts`): of visitors by their address, of users, of each of their API keys. */
  readonly costPerAddress: number;
  readonly costPerUser: number;
  readonly costPerKey: number;
  /** Mutations, each field of one counted. */
  readonly mutationsPerAddress: number;
  readonly mutationsPerUser: number;
  readonly mutationsPerKey: number;
  /** WebSockets and event streams that are opened. */
  readonly connectionsPerAddress: number;
  /** Credentials that are not valid. */
  readonly badCredentialsPerAddress: number;
}

/** Who is asking, as far as limits go. */
export interface Client {
  readonly address: string;
  readonly viewer: Viewer | null;
}

/** How it stands with the limit that is nearest to its end. */
export interface Standing {
  /** 0: it may go on. */
  readonly retryAfterMs: number;
  readonly limiter: RateLimiter;
  readonly remaining: number;
  readonly resetMs: number;
}

const windowMs = 60_000;
/** Clients that are told apart, for each limit; see {@link RateLimiter}. Each takes some 200 bytes. */
const maxClients = 50_000;
/** Credentials that were valid lately; the least used is forgotten. */
const maxValid = 10_000;
/** What a request costs that is refused for its text. Nothing is read of a request unless this much is left. */
export const faultCost = 100;

/** The limits of everything that costs no look into the database. Counted in this node; see `share-limits.ts` for the others. */
export class RequestLimits {
  readonly costPerAddress: RateLimiter;
  readonly costPerUser: RateLimiter;
  readonly costPerKey: RateLimiter;
  readonly mutationsPerAddress: RateLimiter;
  readonly mutationsPerUser: RateLimiter;
  readonly mutationsPerKey: RateLimiter;
  readonly connections: RateLimiter;
  readonly badCredentials: RateLimiter;
  readonly #valid = new LRUCache<string, true>({ max: maxValid });

  constructor(
    settings: RateLimitSettings,
    private readonly clock: Clock,
  ) {
    const limiter = (name: string, limit: number) => new RateLimiter({ name, limit, windowMs }, clock, maxClients);
    this.costPerAddress = limiter("cost-per-address", settings.costPerAddress);
    this.costPerUser = limiter("cost-per-user", settings.costPerUser);
    this.costPerKey = limiter("cost-per-key", settings.costPerKey);
    this.mutationsPerAddress = limiter("mutations-per-address", settings.mutationsPerAddress);
    this.mutationsPerUser = limiter("mutations-per-user", settings.mutationsPerUser);
    this.mutationsPerKey = limiter("mutations-per-key", settings.mutationsPerKey);
    this.connections = limiter("connections-per-address", settings.connectionsPerAddress);
    this.badCredentials = limiter("bad-credentials-per-address", settings.badCredentialsPerAddress);
  }

  /** All of them, by name. */
  get limiters(): readonly RateLimiter[] {
    return [
      this.costPerAddress,
      this.costPerUser,
      this.costPerKey,
      this.mutationsPerAddress,
      this.mutationsPerUser,
      this.mutationsPerKey,
      this.connections,
      this.badCredentials,
    ];
  }

  /** What a client may ask for now. */
  allowanceOf({ address, viewer }: Client): Allowance {
    const nowMs = this.clock.nowMs();
    if (viewer === null) return new Allowance(this.costPerAddress, this.mutationsPerAddress, address, null, nowMs);
    const keyId = keyIdOf(viewer);
    // What a key takes its user has taken too, so that many keys are no way around the limit.
    const ofKey = keyId === null ? null : new Allowance(this.costPerKey, this.mutationsPerKey, keyId, null, nowMs);
    return new Allowance(this.costPerUser, this.mutationsPerUser, userOf(viewer), ofKey, nowMs);
  }

  /**
   * Whether to look into a credential. One that was valid lately is looked at in any case, so that nobody behind the same
   * address shuts out who has signed in.
   * @throws {DomainError} RATE_LIMITED when too many from there were not valid
   */
  requireCredentialHeard(address: string, authorization: string): void {
    if (!this.badCredentials.isOn || this.#valid.get(authorization) !== undefined) return;
    const retryAfterMs = this.badCredentials.bucketOf(address).waitMs(1, this.clock.nowMs());
    if (retryAfterMs > 0)
      throw new DomainError("RATE_LIMITED", "too many credentials from your address were not valid", { retryAfterMs });
  }

  credentialWasValid(authorization: string): void {
    if (this.badCredentials.isOn && !this.#valid.has(authorization)) this.#valid.set(authorization, true);
  }
}

/** What one client may take, of one limit or of several at once. */
export class Allowance {
  readonly #cost: RateBucket | null;

  constructor(
    private readonly costs: RateLimiter,
    private readonly mutations: RateLimiter,
    private readonly key: string,
    /** Takes part in everything. */
    private readonly further: Allowance | null,
    private readonly nowMs: number,
  ) {
    this.#cost = costs.isOn ? costs.bucketOf(key) : null;
  }

  /** Null when a request may be read. */
  refusal(): Standing | null {
    const own = this.#cost && standing(this.costs, this.#cost, faultCost, this.nowMs);
    return own !== null && own.retryAfterMs > 0 ? own : (this.further?.refusal() ?? null);
  }

  /** Takes all of it, or nothing when any limit refuses. Null when there is no limit. */
  charge(cost: number, mutationCount: number): Standing | null {
    const before = this.#standing(cost, mutationCount);
    if (before === null || before.retryAfterMs > 0) return before;
    this.#take(cost, mutationCount);
    return this.#standing(0, 0, mutationCount > 0);
  }

  #standing(cost: number, mutationCount: number, withMutations = mutationCount > 0): Standing | null {
    let worst = this.#cost && standing(this.costs, this.#cost, cost, this.nowMs);
    if (withMutations && this.mutations.isOn)
      worst = worse(worst, standing(this.mutations, this.mutations.bucketOf(this.key), mutationCount, this.nowMs));
    return this.further === null ? worst : worse(worst, this.further.#standing(cost, mutationCount, withMutations));
  }

  #take(cost: number, mutationCount: number): void {
    this.#cost?.take(cost, this.nowMs);
    if (mutationCount > 0 && this.mutations.isOn) this.mutations.bucketOf(this.key).take(mutationCount, this.nowMs);
    if (this.further !== null) this.further.#take(cost, mutationCount);
  }
}

const standing = (limiter: RateLimiter, bucket: RateBucket, amount: number, nowMs: number): Standing => ({
  retryAfterMs: bucket.waitMs(amount, nowMs),
  limiter,
  remaining: bucket.remaining(nowMs),
  resetMs: bucket.fullInMs(nowMs),
});

function worse(a: Standing | null, b: Standing | null): Standing | null {
  if (a === null || b === null) return a ?? b;
  if (a.retryAfterMs !== b.retryAfterMs) return a.retryAfterMs > b.retryAfterMs ? a : b;
  return a.remaining / a.limiter.policy.limit <= b.remaining / b.limiter.policy.limit ? a : b;
}

/** Whose a viewer is, whatever credential was used. */
export const userOf = (viewer: Viewer): string => (viewer.kind === "user" ? viewer.userId : "operator");
const keyIdOf = (viewer: Viewer): string | null => (viewer.kind === "user" ? viewer.apiKeyId : null);

/** What the client is told of a limit that refuses. */
export function limitRefusal({ limiter: { policy }, retryAfterMs }: Standing): GraphQLError {
  const message = `too much in too short a time: the limit is ${policy.name}, ${policy.limit} in ${policy.windowMs / 1_000} s`;
  return new GraphQLError(message, { originalError: new DomainError("RATE_LIMITED", message, { retryAfterMs }) });
}

/** As draft-ietf-httpapi-ratelimit-headers-11 writes them, and Retry-After where the answer is a refusal. */
export function limitHeaders({ limiter: { policy }, remaining, resetMs, retryAfterMs }: Standing): string[] {
  // The names of our own limits need no quoting beyond this.
  const headers = [
    "ratelimit-policy",
    `"${policy.name}";q=${policy.limit};w=${policy.windowMs / 1_000}`,
    "ratelimit",
    `"${policy.name}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`,
  ];
  return retryAfterMs === 0 ? headers : [...headers, "retry-after", retryAfterSeconds(retryAfterMs)];
}

/** When to come again, if an operation has nothing to show for itself but that it came too soon; else null. */
export function retryAfterOf(
  data: unknown,
  errors: readonly { readonly extensions?: object | undefined }[],
): number | null {
  if (data != null) return null;
  for (const { extensions = {} } of errors) {
    const { code, retryAfterMs } = extensions as { code?: unknown; retryAfterMs?: unknown };
    if (code === "RATE_LIMITED" && typeof retryAfterMs === "number") return retryAfterMs;
  }
  return null;
}

export const retryAfterSeconds = (retryAfterMs: number): string => String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
