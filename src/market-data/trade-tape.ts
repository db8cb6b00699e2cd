import type { TradeEvent } from "./events.js";
import type { Supplier } from "./latest-board.js";

export interface TradeListener {
  onTrade(trade: TradeEvent): void;
  /** Trades were lost on the way here: what comes next does not follow what came before. */
  onGap?(): void;
}

/** Trades as they come, told to whoever listens to their symbol. Holds none of them. */
export class TradeTape {
  readonly #listeners = new Map<number, Set<TradeListener>>();
  #supplier: Pick<Supplier<number>, "setWanted"> | null = null;

  /** Number of listeners now, over all symbols. */
  get listenerCount(): number {
    let count = 0;
    for (const listeners of this.#listeners.values()) count += listeners.size;
    return count;
  }

  /** Where the trades come from if another node has the feed. What comes from there does not follow what came before. */
  supplyFrom(supplier: Pick<Supplier<number>, "setWanted"> | null): void {
    this.interruptAll();
    this.#supplier = supplier;
    for (const symbolId of this.#listeners.keys()) supplier?.setWanted(symbolId, true);
  }

  publish(trade: TradeEvent): void {
    const listeners = this.#listeners.get(trade.symbolId);
    if (listeners !== undefined) for (const listener of listeners) listener.onTrade(trade);
  }

  /** Trades of the symbol were lost before they could be published here. */
  interrupt(symbolId: number): void {
    for (const listener of this.#listeners.get(symbolId) ?? []) listener.onGap?.();
  }

  /** The same of every symbol. */
  interruptAll(): void {
    for (const symbolId of this.#listeners.keys()) this.interrupt(symbolId);
  }

  /** Returns the function that ends it. */
  listen(symbolId: number, listener: TradeListener): () => void {
    const listeners = this.#listeners.get(symbolId) ?? new Set();
    this.#listeners.set(symbolId, listeners);
    listeners.add(listener);
    if (listeners.size === 1) this.#supplier?.setWanted(symbolId, true);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(symbolId);
      this.#supplier?.setWanted(symbolId, false);
    };
  }
}
