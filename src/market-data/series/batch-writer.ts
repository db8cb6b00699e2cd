import { coalesced } from "../../core/coalesced.js";
import { errorMessage } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import { backoffDelayMs } from "../../core/time.js";

export interface BatchWriterOptions<Row> {
  /** What is written, for the log, e.g. "market-trades". */
  readonly name: string;
  /** Stores rows in one statement. Must be idempotent: rows whose success never arrived are written again. */
  readonly write: (rows: readonly Row[]) => Promise<void>;
  /** Of two rows with one key that wait together the newer takes the older's place. Without it every row is kept. */
  readonly keyOf?: (row: Row) => string;
  /** How long a row waits at most for others to share its statement. */
  readonly flushMs: number;
  /** Rows of one statement; as soon as so many wait they are written. */
  readonly rowsPerStatement: number;
  /** Rows that may wait while the database is away or slow. At the limit the oldest are dropped and counted. */
  readonly maxWaiting: number;
  readonly log: Logger;
}

export interface BatchWriterStats {
  readonly written: number;
  readonly failures: number;
  /** Rows that broke a rule of the table and were left out. */
  readonly refused: number;
  /** Rows that were given up because too many waited. */
  readonly dropped: number;
  /** Rows that are not stored yet; never more than the limit. */
  readonly waiting: number;
}

const maxRetryDelayMs = 5_000;

/**
 * Writes rows in batches, in the order in which they came. While the database is away, or slower than they come, up to
 * `maxWaiting` of them wait; then the oldest go, a whole batch at a time. What is waiting is written when it is back.
 */
export class BatchWriter<Row> {
  /** Full ones, the oldest first. */
  readonly #batches: Row[][] = [];
  #open = new Map<unknown, Row>();
  /** Without the open ones. */
  #rowsInBatches = 0;
  #writing = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Writes what is waiting now. Resolves also when the database refuses; the rows then wait for the next attempt. */
  readonly flush = coalesced(() => this.#flush());
  #failuresInRow = 0;
  #written = 0;
  #failures = 0;
  #refused = 0;
  #dropped = 0;
  #closed = false;
  readonly #rowsPerBatch: number;

  constructor(private readonly options: BatchWriterOptions<Row>) {
    this.#rowsPerBatch = Math.min(options.rowsPerStatement, options.maxWaiting);
  }

  get stats(): BatchWriterStats {
    return {
      written: this.#written,
      failures: this.#failures,
      refused: this.#refused,
      dropped: this.#dropped,
      waiting: this.#waiting,
    };
  }

  add(row: Row): void {
    const key = this.options.keyOf?.(row) ?? row;
    if (!this.#open.has(key)) this.#makeRoom();
    this.#open.set(key, row);
    if (this.#open.size >= this.#rowsPerBatch) {
      this.#closeBatch();
      if (this.#failuresInRow === 0) void this.flush();
    }
    this.#schedule(this.options.flushMs);
  }

  /** Writes the rest, as far as the database takes it. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.flush();
    if (this.#waiting > 0) this.options.log.error({ rows: this.#waiting }, `${this.options.name}.lost-at-close`);
  }

  get #waiting(): number {
    return this.#rowsInBatches + this.#open.size + this.#writing;
  }

  /** For one row more. */
  #makeRoom(): void {
    while (this.#waiting >= this.options.maxWaiting) {
      const oldest = this.#batches.shift();
      if (oldest === undefined) {
        // All that waits is being written or is the newest batch.
        this.#giveUp(this.#open.size);
        this.#open.clear();
        return;
      }
      this.#rowsInBatches -= oldest.length;
      this.#giveUp(oldest.length);
    }
  }

  #giveUp(rows: number): void {
    if (this.#dropped === 0 && rows > 0) {
      this.options.log.error({ limit: this.options.maxWaiting }, `${this.options.name}.dropping-oldest`);
    }
    this.#dropped += rows;
  }

  #closeBatch(): void {
    if (this.#open.size === 0) return;
    this.#batches.push([...this.#open.values()]);
    this.#rowsInBatches += this.#open.size;
    this.#open = new Map();
  }

  #schedule(afterMs: number): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, afterMs);
  }

  async #flush(): Promise<void> {
    this.#closeBatch();
    // Batches that become full meanwhile have a flush of their own.
    for (let left = this.#batches.length; left > 0; left--) {
      const rows = this.#batches.shift();
      if (rows === undefined) return;
      this.#rowsInBatches -= rows.length;
      this.#writing = rows.length;
      const rest = await this.#store(rows);
      this.#writing = 0;
      if (rest.length === 0) continue;
      this.#batches.unshift(rest);
      this.#rowsInBatches += rest.length;
      // In place of the earlier flush that rows which came meanwhile have asked for.
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#schedule(backoffDelayMs(this.#failuresInRow - 1, this.options.flushMs, maxRetryDelayMs, Math.random));
      return;
    }
  }

  /** Returns those that the database did not take and that shall be tried again. */
  async #store(rows: Row[]): Promise<Row[]> {
    try {
      await this.options.write(rows);
    } catch (error) {
      if (breaksRule(error)) return this.#leaveOut(rows, error);
      this.#failures++;
      this.#failuresInRow++;
      this.options.log.warn({ rows: rows.length, error: errorMessage(error) }, `${this.options.name}.write-failed`);
      return rows;
    }
    this.#failuresInRow = 0;
    this.#written += rows.length;
    return [];
  }

  /** One impossible row must not keep the others of its batch from being stored: halves find it. */
  async #leaveOut(rows: Row[], error: unknown): Promise<Row[]> {
    if (rows.length === 1) {
      this.#refused++;
      const { detail } = error as { detail?: string };
      this.options.log.error({ detail, error: errorMessage(error) }, `${this.options.name}.refused`);
      return [];
    }
    const half = rows.length >> 1;
    const rest = await this.#store(rows.slice(0, half));
    return rest.length > 0 ? [...rest, ...rows.slice(half)] : this.#store(rows.slice(half));
  }
}

/**
 * Integrity violations (class 23), values out of range (class 22), and what cannot even be written down, such as a time that
 * is none: no repetition makes them right.
 */
const breaksRule = (error: unknown): boolean =>
  error instanceof RangeError || /^2[23]/.test((error as { code?: string }).code ?? "");
