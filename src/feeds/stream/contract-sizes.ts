import { type DecimalText, fitsNumeric38 } from "../../core/decimal.js";
import { errorMessage } from "../../core/errors.js";
import {
  type FixedPoint,
  fixedPointOne,
  fromFixedPoint,
  multiplyFixedPoint,
  toFixedPoint,
} from "../../core/fixed-point.js";
import type { Logger } from "../../core/logger.js";
import { backoffDelayMs, type Clock } from "../../core/time.js";

/** How much of the base currency one contract is, by the exchange's name for it. */
export type ContractSizes = ReadonlyMap<string, FixedPoint>;

/** A number of contracts in the base currency; null when that does not fit. @param contracts not negative */
export function toBaseQuantity(contracts: DecimalText, size: FixedPoint): DecimalText | null {
  if (size === fixedPointOne) return contracts;
  const quantity = fromFixedPoint(multiplyFixedPoint(toFixedPoint(contracts), size));
  return fitsNumeric38(quantity) ? quantity : null;
}

export interface ContractSizeLoaderOptions {
  readonly load: (signal: AbortSignal) => Promise<ContractSizes>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly retryDelayMs: number;
  readonly maxRetryDelayMs: number;
  /** The first sizes are here. */
  readonly onReady: () => void;
  /** They could not be loaded yet; it is tried again. */
  readonly onUnavailable: (detail: string) => void;
}

const reloadEveryMs = 60 * 60_000;
/** The list is not loaded again for a new symbol before it is this old. */
const reloadGapMs = 60_000;

/** Loads the sizes before anything is subscribed, again every hour, and when a symbol comes up that is not among them. */
export class ContractSizeLoader {
  readonly #options: ContractSizeLoaderOptions;
  readonly #sizes = new Map<string, FixedPoint>();
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #loading: Promise<void> | null = null;
  #failures = 0;
  #loadedAtMs = 0;
  ready = false;

  constructor(options: ContractSizeLoaderOptions) {
    this.#options = options;
  }

  get sizes(): ContractSizes {
    return this.#sizes;
  }

  start(): void {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null;
    });
  }

  /** Symbols that are wanted now: the list is loaded again, if not just now, when one of them is not in it. */
  expect(tickers: Iterable<string>): void {
    if (!this.ready || this.#loading !== null) return;
    for (const ticker of tickers) {
      if (this.#sizes.has(ticker)) continue;
      const sinceMs = this.#options.clock.nowMs() - this.#loadedAtMs;
      // Within the gap, should the clock have been set back.
      this.#startIn(Math.min(Math.max(0, reloadGapMs - sinceMs), reloadGapMs));
      return;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#loading;
  }

  async #load(): Promise<void> {
    const { load, clock, log, onReady, onUnavailable } = this.#options;
    const { signal } = this.#closing;
    clearTimeout(this.#timer);
    try {
      const sizes = await load(signal);
      if (signal.aborted) return;
      for (const [ticker, size] of sizes) this.#sizes.set(ticker, size);
      this.#loadedAtMs = clock.nowMs();
      this.#failures = 0;
      this.#startIn(reloadEveryMs);
      if (this.ready) return;
      this.ready = true;
      onReady();
    } catch (error) {
      if (signal.aborted) return;
      const { retryDelayMs, maxRetryDelayMs, random } = this.#options;
      log.warn({ error: errorMessage(error) }, "feed.contract-sizes-unavailable");
      this.#startIn(backoffDelayMs(this.#failures++, retryDelayMs, maxRetryDelayMs, random));
      if (!this.ready) onUnavailable(errorMessage(error));
    }
  }

  #startIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), delayMs);
  }
}
