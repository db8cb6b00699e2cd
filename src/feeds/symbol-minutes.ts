import { type TimeRange, TimeRanges } from "../core/time-ranges.js";
import { minuteMs } from "../market-data/candle-intervals.js";

/** At the bound a complete stretch is forgotten, and asked for again when its turn comes. */
const maxStretches = 500;

const minuteBefore = (timeMs: number): number => Math.floor(timeMs / minuteMs) * minuteMs;
const minuteAfter = (timeMs: number): number => Math.ceil(timeMs / minuteMs) * minuteMs;

/**
 * What is known of the minutes of one symbol. A minute is complete when the exchange has told it, or when the feed listened
 * all the time while it was traded, which is believed only a while later: a connection may have been dead before anybody
 * noticed. Every other minute is missing.
 */
export class SymbolMinutes {
  readonly #complete = new TimeRanges();
  /** Minutes of which a trade came that could not be put in, and that are not complete otherwise. */
  readonly #doubtful = new TimeRanges();
  /** From here on the feed brings every trade; null while it does not. */
  #liveFromMs: number | null = null;

  get complete(): TimeRanges {
    return this.#complete;
  }

  get isListening(): boolean {
    return this.#liveFromMs !== null;
  }

  /** What was known before this program started. */
  restore(complete: TimeRanges): void {
    for (const range of complete.list) this.#complete.add(range);
    for (const range of this.#doubtful.list) this.#complete.remove(range);
  }

  /** Every trade from this moment on comes in. */
  listen(sinceMs: number): void {
    this.#liveFromMs = minuteAfter(sinceMs);
  }

  /** Trades may be missing; what is not complete yet has to be asked for. */
  interrupt(): void {
    this.#liveFromMs = null;
  }

  /** A trade of this time could not be put in. */
  doubt(timeMs: number): void {
    const fromMs = minuteBefore(timeMs);
    const minute = { fromMs, toMs: fromMs + minuteMs };
    this.#complete.remove(minute);
    this.#doubtful.add(minute);
  }

  /** What the feed has brought up to this time, if nobody interrupts; null when that is no minute. */
  heardUntil(timeMs: number): TimeRange | null {
    if (this.#liveFromMs === null) return null;
    const heard = { fromMs: this.#liveFromMs, toMs: minuteBefore(timeMs) };
    return heard.fromMs < heard.toMs ? heard : null;
  }

  /** What the feed had brought is stored. @returns false when it was interrupted meanwhile, and nothing is known */
  believe(heard: TimeRange): boolean {
    if (this.#liveFromMs !== heard.fromMs) return false;
    this.#complete.add(heard);
    for (const doubtful of this.#doubtful.list) this.#complete.remove(doubtful);
    this.#doubtful.remove({ fromMs: Number.NEGATIVE_INFINITY, toMs: heard.toMs });
    this.#liveFromMs = heard.toMs;
    return true;
  }

  /** The exchange has told these minutes. */
  tell(range: TimeRange): void {
    this.#complete.add(range);
    this.#doubtful.remove(range);
  }

  /** Nobody asks for what is older. */
  forgetBefore(timeMs: number): void {
    this.#complete.remove({ fromMs: Number.NEGATIVE_INFINITY, toMs: minuteBefore(timeMs) });
    this.#doubtful.remove({ fromMs: Number.NEGATIVE_INFINITY, toMs: minuteBefore(timeMs) });
    while (this.#complete.list.length > maxStretches) {
      // Not the oldest: it tells since when there shall be no hole.
      const [, second] = this.#complete.list;
      if (second !== undefined) this.#complete.remove(second);
    }
  }

  /**
   * The newest stretch of missing minutes of the window: at least from `fromMs` on, and back to the first complete minute,
   * because from then on there shall be no hole, but never further than `limitMs`.
   */
  newestMissing({ fromMs, toMs, limitMs }: TimeRange & { readonly limitMs: number }): TimeRange | null {
    const sinceMs = Math.min(fromMs, this.#complete.list[0]?.fromMs ?? fromMs);
    const window = {
      fromMs: Math.max(minuteBefore(sinceMs), minuteAfter(limitMs)),
      toMs: Math.min(minuteBefore(toMs), this.#liveFromMs ?? Number.POSITIVE_INFINITY),
    };
    return this.#complete.missingIn(window).at(-1) ?? null;
  }
}
