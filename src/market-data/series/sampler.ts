import { BatchWriter, type BatchWriterOptions, type BatchWriterStats } from "./batch-writer.js";

interface OfSymbol {
  readonly symbolId: number;
}

export interface SamplerOptions<Row> extends BatchWriterOptions<Row> {
  readonly everyMs: number;
  /** Whether a row says nothing that the one stored before it did not say. */
  readonly isSame?: (row: Row, before: Row) => boolean;
}

/**
 * Keeps the newest row of each symbol and hands it on to be written every `everyMs`, if it differs from the one before: at
 * most one row per symbol and period, whatever the exchange sends.
 */
export class Sampler<Row extends OfSymbol> {
  readonly #writer: BatchWriter<Row>;
  readonly #latest = new Map<number, Row>();
  readonly #before = new Map<number, Row>();
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly options: SamplerOptions<Row>) {
    this.#writer = new BatchWriter(options);
    this.#timer = setInterval(() => this.#sample(), options.everyMs);
  }

  get stats(): BatchWriterStats {
    return this.#writer.stats;
  }

  add(row: Row): void {
    this.#latest.set(row.symbolId, row);
  }

  /** Takes a sample now and writes what is waiting. */
  flush(): Promise<void> {
    this.#sample();
    return this.#writer.flush();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#sample();
    await this.#writer.close();
  }

  #sample(): void {
    const { isSame } = this.options;
    for (const [symbolId, row] of this.#latest) {
      const before = this.#before.get(symbolId);
      if (before !== undefined && isSame?.(row, before)) continue;
      this.#writer.add(row);
      if (isSame !== undefined) this.#before.set(symbolId, row);
    }
    this.#latest.clear();
  }
}
