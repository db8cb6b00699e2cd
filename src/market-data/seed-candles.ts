import type { Catalogue } from "../catalogue/catalogue.js";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { LiveMarket } from "./live-market.js";
import { readSeedCandles } from "./series/read-series.js";

const retryEveryMs = 5_000;

/**
 * Lets the candles of every tracked symbol go on from the stored ones: at start, so that a restart in the middle of a week
 * loses nothing of it, and when a symbol becomes tracked again. Candles of a symbol that is tracked no more are forgotten.
 */
export class CandleSeeder {
  readonly #seeded = new Set<number>();
  readonly #stopFollowing: () => void;
  #working: Promise<void>;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly live: LiveMarket,
    private readonly catalogue: Catalogue,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.#working = this.#work();
    this.#stopFollowing = catalogue.onChange(({ table }) => {
      if (table === "symbols" || table === "markets") this.#again();
    });
  }

  /** Settled when the symbols that are tracked now have been seeded, or could not be. */
  get ready(): Promise<void> {
    return this.#working;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopFollowing();
    clearTimeout(this.#retry);
    await this.#working;
  }

  #again(): void {
    if (!this.#closed) this.#working = this.#working.then(() => this.#work());
  }

  async #work(): Promise<void> {
    const tracked = new Set(this.catalogue.trackedSymbols.map((symbol) => symbol.id));
    for (const symbolId of this.#seeded) {
      if (tracked.has(symbolId)) continue;
      this.#seeded.delete(symbolId);
      this.live.builder.forget(symbolId);
    }
    const wanted = [...tracked].filter((symbolId) => !this.#seeded.has(symbolId));
    if (wanted.length === 0 || this.#closed) return;
    try {
      const nowMs = this.clock.nowMs();
      const seeds = await readSeedCandles(this.database, wanted, nowMs);
      for (const [symbolId, candles] of seeds) {
        // Otherwise time went on meanwhile; the next attempt reads again.
        if (this.live.builder.seed(symbolId, nowMs, candles)) this.#seeded.add(symbolId);
      }
    } catch (error) {
      this.log.warn({ error: errorMessage(error) }, "candles.seed-failed");
    }
    if (this.#closed || wanted.every((symbolId) => this.#seeded.has(symbolId))) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#again(), retryEveryMs);
  }
}
