import type { ArbitrageOpportunity } from "./arbitrage-watch.js";
import type { Supplier } from "./latest-board.js";

/** The arbitrage opportunities that are open now, found by this node or told by the feed's node. */
export class OpportunityBoard {
  readonly #open = new Map<string, ArbitrageOpportunity>();
  readonly #listeners = new Set<(opportunity: ArbitrageOpportunity) => void>();
  #supplier: Supplier<null> | null = null;

  get open(): ArbitrageOpportunity[] {
    return [...this.#open.values()];
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Where opportunities come from if another node has the feeds. */
  supplyFrom(supplier: Supplier<null> | null): void {
    this.#supplier = supplier;
    if (this.#listeners.size > 0) supplier?.setWanted(null, true);
  }

  /** Those that are open now; from another node it may take a moment. */
  async read(): Promise<ArbitrageOpportunity[]> {
    await this.#supplier?.refresh(null);
    return this.open;
  }

  /** One has opened, changed or closed. */
  tell(opportunity: ArbitrageOpportunity): void {
    if (opportunity.closedAtMs === null) this.#open.set(opportunity.id, opportunity);
    else this.#open.delete(opportunity.id);
    for (const listener of this.#listeners) listener(opportunity);
  }

  /** Exactly these are open. Those that are not any more, and of which nobody saw the end, close at `nowMs`. */
  replace(open: readonly ArbitrageOpportunity[], nowMs: number): void {
    const ids = new Set(open.map(({ id }) => id));
    for (const known of this.open) {
      if (!ids.has(known.id)) this.tell({ ...known, closedAtMs: Math.max(nowMs, known.detectedAtMs) });
    }
    for (const opportunity of open) {
      if (!isSame(opportunity, this.#open.get(opportunity.id))) this.tell(opportunity);
    }
  }

  /** Calls back when an opportunity opens, changes or closes. Returns the function that ends it. */
  listen(listener: (opportunity: ArbitrageOpportunity) => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#supplier?.setWanted(null, true);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#supplier?.setWanted(null, false);
    };
  }
}

/** What can change while it is open. */
const isSame = (a: ArbitrageOpportunity, b: ArbitrageOpportunity | undefined): boolean =>
  a.buyPrice === b?.buyPrice && a.sellPrice === b.sellPrice && a.maxQuantity === b.maxQuantity;
