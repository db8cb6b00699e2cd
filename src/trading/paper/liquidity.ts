import type { Decimal } from "../../core/decimal.js";
import type { MarketView } from "../market-view.js";
import { smaller, zero } from "../money.js";
import type { OrderSide } from "../order.js";

export interface Taken {
  readonly price: Decimal;
  readonly quantity: Decimal;
}

interface Level {
  readonly price: Decimal;
  left: Decimal;
}

/**
 * What one view of a market has on offer. Each unit is given once, to whichever order comes first, until the next view
 * replaces it. Without a book there is as much as anybody wants at the last price.
 */
export class Liquidity {
  readonly #asks: Level[];
  readonly #bids: Level[];
  readonly #hasBook: boolean;

  constructor(readonly view: MarketView) {
    const copy = (levels: MarketView["asks"]) => levels.map(({ price, quantity }) => ({ price, left: quantity }));
    [this.#asks, this.#bids] = [copy(view.asks), copy(view.bids)];
    this.#hasBook = this.#asks.length + this.#bids.length > 0;
  }

  /** The best price that an order of this side could take; null when nothing is on offer. */
  best(side: OrderSide): Decimal | null {
    if (!this.#hasBook) return this.view.price;
    return this.#opposite(side).find(({ left }) => left.gt(0))?.price ?? null;
  }

  crosses(side: OrderSide, limit: Decimal): boolean {
    const best = this.best(side);
    return best !== null && isWithin(side, best, limit);
  }

  /** At most `wanted`, as much as is on offer within the limit. */
  available(side: OrderSide, limit: Decimal | null, wanted: Decimal): Decimal {
    if (!this.#hasBook) return isWithin(side, this.view.price, limit) ? wanted : zero;
    let total = zero;
    for (const { price, left } of this.#opposite(side)) {
      if (!isWithin(side, price, limit) || total.gte(wanted)) break;
      total = total.plus(left);
    }
    return smaller(total, wanted);
  }

  /** Takes level by level, best first. */
  take(side: OrderSide, limit: Decimal | null, wanted: Decimal): Taken[] {
    if (!this.#hasBook) {
      return isWithin(side, this.view.price, limit) ? [{ price: this.view.price, quantity: wanted }] : [];
    }
    const taken: Taken[] = [];
    let missing = wanted;
    for (const level of this.#opposite(side)) {
      if (!isWithin(side, level.price, limit) || missing.lte(0)) break;
      const quantity = smaller(level.left, missing);
      if (quantity.lte(0)) continue;
      level.left = level.left.minus(quantity);
      missing = missing.minus(quantity);
      taken.push({ price: level.price, quantity });
    }
    return taken;
  }

  #opposite(side: OrderSide): readonly Level[] {
    return side === "BUY" ? this.#asks : this.#bids;
  }
}

const isWithin = (side: OrderSide, price: Decimal, limit: Decimal | null): boolean =>
  limit === null || (side === "BUY" ? price.lte(limit) : price.gte(limit));
