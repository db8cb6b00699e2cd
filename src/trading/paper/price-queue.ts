import type { Decimal } from "../../core/decimal.js";

export interface Queued {
  readonly id: string;
  readonly price: Decimal;
  /** The earlier of two orders of one price has the smaller one. */
  readonly sequence: number;
}

/** Orders by price, then by time: the first is the one that the market reaches first. Bounded by the open orders of a symbol. */
export class PriceQueue {
  readonly #entries: Queued[] = [];
  readonly #prices = new Map<string, Queued>();

  /** @param first which price comes first: of purchases the highest, of sales the lowest */
  constructor(private readonly first: "highest" | "lowest") {}

  insert(entry: Queued): void {
    this.#prices.set(entry.id, entry);
    this.#entries.splice(this.#placeOf(entry), 0, entry);
  }

  remove(id: string): void {
    const entry = this.#prices.get(id);
    if (entry === undefined) return;
    this.#prices.delete(id);
    this.#entries.splice(this.#placeOf(entry), 1);
  }

  /** Those whose price is `price` or comes before it, in order; a copy, so that the queue may change meanwhile. */
  upTo(price: Decimal): Queued[] {
    const reached: Queued[] = [];
    for (const entry of this.#entries) {
      if (this.first === "highest" ? entry.price.lt(price) : entry.price.gt(price)) break;
      reached.push(entry);
    }
    return reached;
  }

  #placeOf(entry: Queued): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#entries[middle];
      if (other !== undefined && this.#compare(other, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: Queued, b: Queued): number {
    const byPrice = this.first === "highest" ? b.price.cmp(a.price) : a.price.cmp(b.price);
    return byPrice !== 0 ? byPrice : a.sequence - b.sequence;
  }
}
