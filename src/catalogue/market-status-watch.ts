import type { Clock } from "../core/time.js";
import type { Catalogue, Market } from "./catalogue.js";
import type { MarketStatus } from "./market-hours.js";
import { nextStatusChangeOfMarket, statusOfMarket } from "./market-status.js";

/** A wrong clock is noticed, and a change of an operator shows, after at most this time. */
const lookEveryMs = 1_000;

interface Known {
  readonly status: MarketStatus;
  /** Null: not by itself. */
  readonly nextChangeMs: number | null;
}

/** Tells when the status of a market changes: by its hours, by an operator, or because its hours were changed. */
export class MarketStatusWatch {
  readonly #known = new Map<number, Known>();
  readonly #listeners = new Set<(market: Market) => void>();
  readonly #timer: NodeJS.Timeout;
  readonly #stopFollowing: () => void;
  #version = 0;
  /** The version counts from the one instant until before the other, in Unix milliseconds. */
  #countsFromMs = 0;
  #countsUntilMs = 0;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly clock: Clock,
  ) {
    for (const market of catalogue.markets) this.#look(market);
    this.#timer = setInterval(() => {
      const nowMs = clock.nowMs();
      for (const market of catalogue.markets) {
        const known = this.#known.get(market.id);
        if (known === undefined || (known.nextChangeMs !== null && known.nextChangeMs <= nowMs)) this.#look(market);
      }
    }, lookEveryMs);
    this.#stopFollowing = catalogue.onChange(({ table }) => {
      if (table === "markets" || table === "trading_sessions" || table === "market_holidays") {
        this.#countsUntilMs = 0;
        for (const market of catalogue.markets) this.#look(market);
      }
    });
  }

  /**
   * Another number when the status of any market, or the instant of its next change, is not what it was. Exact at every
   * instant: it does not wait for the watch to look.
   */
  get version(): number {
    const nowMs = this.clock.nowMs();
    if (nowMs < this.#countsFromMs || nowMs >= this.#countsUntilMs) {
      this.#version++;
      this.#countsFromMs = nowMs;
      this.#countsUntilMs = Math.min(...this.catalogue.markets.map((market) => this.#staysUntilMs(market, nowMs)));
    }
    return this.#version;
  }

  #staysUntilMs(market: Market, nowMs: number): number {
    if (market.operatorStatus !== null) return Number.POSITIVE_INFINITY;
    const nextMs = nextStatusChangeOfMarket(this.catalogue, market, nowMs)?.getTime();
    if (nextMs !== undefined) return nextMs;
    const { is24x7, sessions } = this.catalogue.calendarOf(market.id);
    // One that has hours, and no change within sight, may have one as soon as the next day comes into sight.
    return is24x7 || sessions.length === 0 ? Number.POSITIVE_INFINITY : nowMs;
  }

  /** Returns the function that ends it. */
  onChange(listener: (market: Market) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopFollowing();
  }

  #look(market: Market): void {
    const nowMs = this.clock.nowMs();
    const before = this.#known.get(market.id);
    const status = statusOfMarket(this.catalogue, market, nowMs);
    const nextChangeMs = nextStatusChangeOfMarket(this.catalogue, market, nowMs)?.getTime() ?? null;
    this.#known.set(market.id, { status, nextChangeMs });
    if (before !== undefined && before.status !== status) for (const listener of this.#listeners) listener(market);
  }
}
