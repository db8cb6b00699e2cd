/** From `fromMs` up to, and without, `toMs`; Unix milliseconds. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A set of moments, kept as ranges that neither overlap nor touch, oldest first. */
export class TimeRanges {
  #ranges: TimeRange[] = [];

  constructor(ranges: Iterable<TimeRange> = []) {
    for (const range of ranges) this.add(range);
  }

  get list(): readonly TimeRange[] {
    return this.#ranges;
  }

  add({ fromMs, toMs }: TimeRange): void {
    if (fromMs >= toMs) return;
    const before = this.#ranges.filter((range) => range.toMs < fromMs);
    const after = this.#ranges.filter((range) => range.fromMs > toMs);
    const touched = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const joined = {
      fromMs: Math.min(fromMs, touched[0]?.fromMs ?? fromMs),
      toMs: Math.max(toMs, touched.at(-1)?.toMs ?? toMs),
    };
    this.#ranges = [...before, joined, ...after];
  }

  remove({ fromMs, toMs }: TimeRange): void {
    if (fromMs >= toMs) return;
    this.#ranges = this.#ranges.flatMap((range) =>
      [
        { fromMs: range.fromMs, toMs: Math.min(range.toMs, fromMs) },
        { fromMs: Math.max(range.fromMs, toMs), toMs: range.toMs },
      ].filter((part) => part.fromMs < part.toMs),
    );
  }

  /** The parts of the range that are not in here, oldest first. */
  missingIn(range: TimeRange): readonly TimeRange[] {
    const missing = new TimeRanges([range]);
    for (const known of this.#ranges) missing.remove(known);
    return missing.list;
  }
}
