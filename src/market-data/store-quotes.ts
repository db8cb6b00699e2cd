import { coalesced } from "../core/coalesced.js";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import type { Quote, QuoteBoard } from "./quotes.js";
import { symbolQuotes } from "./tables.js";

/** Reads the stored quotes. They count as stale until their provider has spoken again. */
export async function loadQuotes(database: Database): Promise<Quote[]> {
  const rows = await database.db.select().from(symbolQuotes);
  return rows.map(({ exchangeTime, receivedAt, lastBroadcastAt, ...row }) => ({
    ...row,
    exchangeTimeMs: exchangeTime.getTime(),
    priceTimeMs: exchangeTime.getTime(),
    receivedAtMs: receivedAt.getTime(),
    lastBroadcastAtMs: lastBroadcastAt?.getTime() ?? null,
    isStale: true,
  }));
}

/** Rows of one statement. A flush of more symbols takes several. */
const maxRowsPerStatement = 1_000;

export interface QuoteWriterStats {
  readonly written: number;
  readonly failures: number;
  /** Quotes that broke a rule of the table and were left out, each until its next change. */
  readonly refused: number;
  /** Symbols whose newest quote is not stored yet; never more than there are symbols. */
  readonly waiting: number;
}

/**
 * Writes changed quotes in batches, every `flushMs`. Only the newest value of a symbol is kept until then, so the buffer
 * is bounded by the number of symbols, also while the database is away; what is in it is written when it is back.
 */
export class QuoteWriter {
  readonly #waiting = new Set<Quote>();
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** Writes what is waiting now. Resolves also when the database refuses; the quotes then wait for the next flush. */
  readonly flush = coalesced(() => this.#flush());
  #written = 0;
  #failures = 0;
  #refused = 0;
  #closed = false;

  constructor(
    board: QuoteBoard,
    private readonly database: Database,
    private readonly flushMs: number,
    private readonly log: Logger,
  ) {
    this.#stopListening = board.onChange((quote) => {
      this.#waiting.add(quote);
      this.#schedule();
    });
  }

  get stats(): QuoteWriterStats {
    return { written: this.#written, failures: this.#failures, refused: this.#refused, waiting: this.#waiting.size };
  }

  /** Stops listening and writes the rest. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    clearTimeout(this.#timer);
    await this.flush();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, this.flushMs);
  }

  async #flush(): Promise<void> {
    const batch = [...this.#waiting];
    this.#waiting.clear();
    for (let start = 0; start < batch.length; start += maxRowsPerStatement) {
      const rows = batch.slice(start, start + maxRowsPerStatement);
      await this.#write(rows);
    }
  }

  async #write(rows: readonly Quote[]): Promise<void> {
    try {
      await writeQuotes(this.database, rows);
      this.#written += rows.length;
    } catch (error) {
      if (breaksRule(error)) {
        await this.#leaveOut(rows, error);
        return;
      }
      this.#failures++;
      this.log.warn({ rows: rows.length, error: errorMessage(error) }, "quotes.write-failed");
      for (const quote of rows) this.#waiting.add(quote);
      this.#schedule();
    }
  }

  /** One impossible value must not keep the others of its batch from being stored: halves find it. */
  async #leaveOut(rows: readonly Quote[], error: unknown): Promise<void> {
    const [only] = rows;
    if (rows.length > 1) {
      await this.#write(rows.slice(0, rows.length >> 1));
      await this.#write(rows.slice(rows.length >> 1));
    } else if (only !== undefined) {
      this.#refused++;
      this.log.error({ symbolId: only.symbolId, error: errorMessage(error) }, "quotes.refused");
    }
  }
}

/** Integrity violations (class 23) and values out of range (class 22): no repetition makes them right. */
const breaksRule = (error: unknown): boolean => /^2[23]/.test((error as { code?: string }).code ?? "");

/** One statement for all rows; a row that is older than the stored one changes nothing. */
export async function writeQuotes(database: Database, quotes: readonly Quote[]): Promise<void> {
  const column = <T>(of: (quote: Quote) => T): T[] => quotes.map(of);
  const instants = (of: (quote: Quote) => number | null) =>
    column((quote) => {
      const ms = of(quote);
      return ms === null ? null : new Date(ms).toISOString();
    });
  await database.sql`
    insert into symbol_quotes as stored (symbol_id, provider_id, price, bid, bid_quantity, ask, ask_quantity, open_24h, high_24h,
      low_24h, change_24h, change_percent_24h, volume_24h, quote_volume_24h, market_cap, sequence, exchange_time, received_at,
      last_broadcast_at)
    select * from unnest(
      ${column((q) => q.symbolId)}::int[], ${column((q) => q.providerId)}::int[], ${column((q) => q.price)}::text[]::numeric[],
      ${column((q) => q.bid)}::text[]::numeric[], ${column((q) => q.bidQuantity)}::text[]::numeric[], ${column((q) => q.ask)}::text[]::numeric[],
      ${column((q) => q.askQuantity)}::text[]::numeric[], ${column((q) => q.open24h)}::text[]::numeric[], ${column((q) => q.high24h)}::text[]::numeric[],
      ${column((q) => q.low24h)}::text[]::numeric[], ${column((q) => q.change24h)}::text[]::numeric[], ${column((q) => q.changePercent24h)}::text[]::numeric[],
      ${column((q) => q.volume24h)}::text[]::numeric[], ${column((q) => q.quoteVolume24h)}::text[]::numeric[], ${column((q) => q.marketCap)}::text[]::numeric[],
      ${column((q) => q.sequence)}::bigint[], ${instants((q) => q.exchangeTimeMs)}::text[]::timestamptz[],
      ${instants((q) => q.receivedAtMs)}::text[]::timestamptz[], ${instants((q) => q.lastBroadcastAtMs)}::text[]::timestamptz[])
    on conflict (symbol_id) do update set provider_id = excluded.provider_id, price = excluded.price, bid = excluded.bid,
      bid_quantity = excluded.bid_quantity, ask = excluded.ask, ask_quantity = excluded.ask_quantity, open_24h = excluded.open_24h,
      high_24h = excluded.high_24h, low_24h = excluded.low_24h, change_24h = excluded.change_24h,
      change_percent_24h = excluded.change_percent_24h, volume_24h = excluded.volume_24h,
      quote_volume_24h = excluded.quote_volume_24h, market_cap = excluded.market_cap, sequence = excluded.sequence,
      exchange_time = excluded.exchange_time, received_at = excluded.received_at, last_broadcast_at = excluded.last_broadcast_at
    where stored.sequence < excluded.sequence`;
}
