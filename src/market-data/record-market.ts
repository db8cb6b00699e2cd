import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import type { MarketEvent } from "./events.js";
import type { LiveMarket } from "./live-market.js";
import { orderFlowWindowMs } from "./order-flow-board.js";
import type { BatchWriterStats } from "./series/batch-writer.js";
import { readOpenOpportunities } from "./series/read-series.js";
import {
  ArbitrageWriter,
  BookTickerWriter,
  CandleWriter,
  FundingWriter,
  insertOpportunities,
  OrderBookWriter,
  OrderFlowWriter,
  TradeWriter,
} from "./series/writers.js";

/** Stores what the feeds of this node see, and what follows from it, as series. */
export class MarketRecorder {
  readonly #trades: TradeWriter;
  readonly #bookTickers: BookTickerWriter;
  readonly #candles: CandleWriter;
  readonly #funding: FundingWriter;
  readonly #books: OrderBookWriter;
  readonly #flows: OrderFlowWriter;
  readonly #opportunities: ArbitrageWriter;
  readonly #stops: (() => void)[];
  readonly #live: LiveMarket;

  constructor(live: LiveMarket, database: Database, log: Logger) {
    this.#live = live;
    this.#trades = new TradeWriter(database, { log });
    this.#bookTickers = new BookTickerWriter(database, { log });
    this.#candles = new CandleWriter(database, { log });
    this.#funding = new FundingWriter(database, { log });
    this.#books = new OrderBookWriter(database, { log });
    this.#flows = new OrderFlowWriter(database, { log });
    this.#opportunities = new ArbitrageWriter(database, { log });
    const flowTimer = setInterval(() => {
      for (const flow of live.flows.all()) this.#flows.add(flow);
    }, orderFlowWindowMs);
    this.#stops = [
      live.onCandles((changed) => {
        for (const candle of changed) this.#candles.add(candle);
      }),
      live.onArbitrage((opportunity) => this.#opportunities.add(opportunity)),
      () => clearInterval(flowTimer),
    ];
  }

  take(event: MarketEvent): void {
    if (event.kind === "trade") this.#trades.add(event);
    else if (event.kind === "bookTicker") this.#bookTickers.add(event);
    else if (event.kind === "fundingRate") this.#funding.add(event);
    else if (event.kind === "orderBook") this.#books.add(event);
  }

  /** By what they write. */
  get stats(): Readonly<Record<string, BatchWriterStats>> {
    return {
      trades: this.#trades.stats,
      "book-tickers": this.#bookTickers.stats,
      candles: this.#candles.stats,
      "funding-rates": this.#funding.stats,
      "order-books": this.#books.stats,
      "order-flow": this.#flows.stats,
      arbitrage: this.#opportunities.stats,
    };
  }

  /**
   * Writes the candles of the trades that have come in: whether the database took them, and how many candles have had to be
   * given up since start.
   */
  async flushCandles(): Promise<{ readonly isStored: boolean; readonly lost: number }> {
    this.#live.flushCandles();
    const { failures } = this.#candles.stats;
    await this.#candles.flush();
    const { failures: failuresNow, dropped } = this.#candles.stats;
    return { isStored: failuresNow === failures, lost: dropped };
  }

  /** Writes what is waiting; call it after the feeds and the live market have ended. */
  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    const writers = [
      this.#trades,
      this.#bookTickers,
      this.#candles,
      this.#funding,
      this.#books,
      this.#flows,
      this.#opportunities,
    ];
    await Promise.all(writers.map((writer) => writer.close()));
  }
}

/** Opportunities that were open when the program died: nobody saw them end, so they end with its successor's start. */
export async function closeForgottenOpportunities(database: Database, nowMs: number): Promise<number> {
  // Row by row with their keys: for an update that looks for them itself, TimescaleDB unpacks all that is compressed, and
  // refuses beyond 100,000 rows.
  const open = await readOpenOpportunities(database);
  await insertOpportunities(
    database,
    open.map((opportunity) => ({ ...opportunity, closedAtMs: Math.max(nowMs, opportunity.detectedAtMs) })),
  );
  return open.length;
}
