import type { Catalogue } from "../catalogue/catalogue.js";
import type { Clock } from "../core/time.js";
import type { BookTickerEvent } from "./events.js";
import { LatestBoard } from "./latest-board.js";
import { type OrderFlow, OrderFlowMeter } from "./order-flow.js";

/** Length of the window that the API shows and that is stored. */
export const orderFlowWindowMs = 10_000;

/** The order flow of every symbol that has a live book. Bounded by the number of symbols. */
export class OrderFlowBoard {
  /** On a node without a feed: what the feed's node measured. */
  readonly told = new LatestBoard<number, OrderFlow>();
  readonly #meters = new Map<number, OrderFlowMeter>();

  constructor(
    private readonly catalogue: Catalogue,
    private readonly clock: Clock,
  ) {}

  apply(event: BookTickerEvent): void {
    let meter = this.#meters.get(event.symbolId);
    if (meter === undefined) {
      const symbol = this.catalogue.findSymbol(event.symbolId);
      if (symbol === undefined) return;
      meter = new OrderFlowMeter(symbol.id, orderFlowWindowMs, symbol.tickSize);
      this.#meters.set(symbol.id, meter);
    }
    meter.apply(event);
  }

  /** Its feed was interrupted; the flow starts anew. */
  interrupt(symbolId: number): void {
    this.#meters.get(symbolId)?.reset();
  }

  /** Null while there is no book with two sides. */
  flowOf(symbolId: number): OrderFlow | null {
    return this.#meters.get(symbolId)?.measure(this.clock.nowMs()) ?? null;
  }

  /** The flow now; measured by another node it may take a moment. Null as of {@link flowOf}. */
  async read(symbolId: number): Promise<OrderFlow | null> {
    return this.told.isSupplied ? ((await this.told.read(symbolId)) ?? null) : this.flowOf(symbolId);
  }

  /** The flow of every symbol that has one. */
  *all(): Iterable<OrderFlow> {
    for (const symbolId of this.#meters.keys()) {
      const flow = this.flowOf(symbolId);
      if (flow !== null) yield flow;
    }
  }
}
