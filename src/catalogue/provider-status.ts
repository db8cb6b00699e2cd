import { eq } from "drizzle-orm";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { DataProvider } from "./catalogue.js";
import { dataProviders } from "./tables.js";

type StatusColumns = Partial<
  Pick<
    typeof dataProviders.$inferInsert,
    "connectionStatus" | "lastConnectedAt" | "lastMessageAt" | "lastError" | "errorCountHourly" | "messagesPerSecond"
  >
>;

const flushMs = 1_000;
const hourMs = 3_600_000;
/** More errors than this within an hour count as this many. */
const maxErrorsRemembered = 1_000;

/**
 * Writes what happens to the providers' connections into their rows, where every node and operator sees it. Changes of one
 * second are one statement per provider; while the database is away only the newest state of each provider is kept.
 */
export class ProviderStatusWriter {
  readonly #waiting = new Map<number, StatusColumns>();
  readonly #errorTimesMs = new Map<number, number[]>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  statusChanged(provider: DataProvider, status: DataProvider["connectionStatus"], detail: string | null): void {
    const now = new Date(this.clock.nowMs());
    const trouble = status === "RECONNECTING" || status === "STALE" || status === "ERROR";
    this.#want(provider.id, {
      connectionStatus: status,
      ...(status === "CONNECTED" ? { lastConnectedAt: now } : { messagesPerSecond: 0 }),
      ...(detail !== null && status !== "CONNECTED" ? { lastError: detail.slice(0, 1_000) } : {}),
      errorCountHourly: this.#countErrors(provider.id, trouble ? 1 : 0),
    });
  }

  /** Something went wrong, and the connection goes on. */
  errorsSeen(provider: DataProvider, count: number, detail: string): void {
    this.#want(provider.id, {
      lastError: detail.slice(0, 1_000),
      errorCountHourly: this.#countErrors(provider.id, count),
    });
  }

  /** How the feed does; to be told every few seconds. Only what has changed is written. */
  measured(provider: DataProvider, lastMessageAtMs: number | null, messagesPerSecond: number): void {
    const known = { ...provider, ...this.#waiting.get(provider.id) };
    const rate = Math.round(messagesPerSecond * 100) / 100;
    const errorCountHourly = this.#countErrors(provider.id, 0);
    const hasNewMessage = lastMessageAtMs !== null && lastMessageAtMs !== known.lastMessageAt?.getTime();
    if (!hasNewMessage && rate === known.messagesPerSecond && errorCountHourly === known.errorCountHourly) return;
    this.#want(provider.id, {
      ...(hasNewMessage ? { lastMessageAt: new Date(lastMessageAtMs) } : {}),
      messagesPerSecond: rate,
      errorCountHourly,
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  #countErrors(providerId: number, more: number): number {
    const nowMs = this.clock.nowMs();
    const times = (this.#errorTimesMs.get(providerId) ?? []).filter((timeMs) => timeMs > nowMs - hourMs);
    for (let i = 0; i < more && times.length < maxErrorsRemembered; i++) times.push(nowMs);
    this.#errorTimesMs.set(providerId, times);
    return times.length;
  }

  #want(providerId: number, columns: StatusColumns): void {
    this.#waiting.set(providerId, { ...this.#waiting.get(providerId), ...columns });
    this.#schedule();
  }

  #schedule(): void {
    // What comes while it is written waits for the end of that.
    if (this.#closed || this.#writing !== undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (this.#waiting.size > 0) this.#schedule();
      });
    }, flushMs);
  }

  async #write(): Promise<void> {
    const changes = [...this.#waiting];
    this.#waiting.clear();
    for (const [providerId, columns] of changes) {
      try {
        await this.database.db.update(dataProviders).set(columns).where(eq(dataProviders.id, providerId));
      } catch (error) {
        this.log.warn({ providerId, error: errorMessage(error) }, "provider-status.write-failed");
        this.#waiting.set(providerId, { ...columns, ...this.#waiting.get(providerId) });
        this.#schedule();
      }
    }
  }
}
