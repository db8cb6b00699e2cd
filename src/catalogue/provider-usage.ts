import { DomainError, errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { Catalogue, DataProvider } from "./catalogue.js";
import { usageMonthOf, usageOf } from "./provider-month.js";

const flushMs = 5_000;
const warnAtPercent = 80;

interface Count {
  readonly month: string;
  requests: number;
}

/**
 * Counts the requests to providers by calendar month (UTC), for those that allow only so many. Counts are added to the rows
 * every few seconds, so that those of several nodes add up; what this node has not written yet counts here already. Other
 * nodes are seen up to those seconds late, so together they may exceed a limit by what they ask within them.
 */
export class UsageMeter {
  /** Not written yet, by provider id. */
  #waiting = new Map<number, Count>();
  #underWay: ReadonlyMap<number, Count> = new Map();
  /** What the database said when it was last written; the catalogue hears of it later. */
  readonly #written = new Map<number, Count>();
  /** Months of which a warning was given, by provider id. */
  readonly #warned = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly catalogue: Catalogue,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Counts a request that is about to be made. @throws {DomainError} PROVIDER_UNAVAILABLE when the month's are used up */
  take(providerId: number): void {
    const provider = this.catalogue.findProvider(providerId);
    if (provider === undefined) return;
    const refusal = this.refusal(provider);
    if (refusal !== null) throw new DomainError("PROVIDER_UNAVAILABLE", refusal);
    const month = usageMonthOf(this.clock.nowMs());
    const waiting = this.#waiting.get(providerId);
    // Nobody asks for the rest of a month that is over.
    if (waiting?.month === month) waiting.requests++;
    else this.#waiting.set(providerId, { month, requests: 1 });
    this.#warn(provider, month);
    this.#schedule();
  }

  /** Requests of this month, with those that this node has not written yet. */
  usageOf(provider: DataProvider): number {
    const nowMs = this.clock.nowMs();
    const month = usageMonthOf(nowMs);
    const of = (counts: ReadonlyMap<number, Count>) => {
      const count = counts.get(provider.id);
      return count?.month === month ? count.requests : 0;
    };
    return Math.max(usageOf(provider, nowMs), of(this.#written)) + of(this.#underWay) + of(this.#waiting);
  }

  /** Why the provider must not be asked any more; null while it may. */
  refusal(provider: DataProvider): string | null {
    const { monthlyLimit } = provider;
    if (monthlyLimit === null || this.usageOf(provider) < monthlyLimit) return null;
    const now = new Date(this.clock.nowMs());
    const next = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString().slice(0, 10);
    return `the limit of ${monthlyLimit} requests a month is reached; used again from ${next} (UTC)`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  #warn(provider: DataProvider, month: string): void {
    const { id, code, monthlyLimit } = provider;
    if (monthlyLimit === null || this.#warned.get(id) === month) return;
    const requests = this.usageOf(provider);
    if (requests * 100 < monthlyLimit * warnAtPercent) return;
    this.#warned.set(id, month);
    this.log.warn({ provider: code, requests, monthlyLimit }, "provider.monthly-limit-near");
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }, flushMs);
  }

  async #write(): Promise<void> {
    const counts = [...this.#waiting];
    if (counts.length === 0) return;
    this.#underWay = this.#waiting;
    this.#waiting = new Map();
    try {
      // A row that another node has put into the next month already is past what is counted here.
      const rows = await this.database.sql<{ id: number; month: string; requests: number }[]>`
        update data_providers p set usage_month = added.month,
          monthly_usage = added.requests + case when p.usage_month = added.month then p.monthly_usage else 0 end
        from unnest(${counts.map(([id]) => String(id))}::text[]::int[], ${counts.map(([, { month }]) => month)}::text[]::date[],
          ${counts.map(([, { requests }]) => String(requests))}::text[]::int[]) as added (id, month, requests)
        where p.id = added.id and (p.usage_month is null or p.usage_month <= added.month)
        returning p.id, p.usage_month::text as month, p.monthly_usage as requests`;
      for (const { id, month, requests } of rows) this.#written.set(id, { month, requests });
    } catch (error) {
      this.log.warn({ error: errorMessage(error) }, "provider-usage.write-failed");
      for (const [id, { month, requests }] of counts) {
        const waiting = this.#waiting.get(id);
        if (waiting === undefined) this.#waiting.set(id, { month, requests });
        else if (waiting.month === month) waiting.requests += requests;
      }
      this.#schedule();
    } finally {
      this.#underWay = new Map();
    }
  }
}
