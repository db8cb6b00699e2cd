import type { MarketView } from "../market-view.js";
import type { Order, OrderSide } from "../order.js";
import { hasTrigger } from "../order-life.js";
import { triggersAbove } from "../order-rules.js";
import { Liquidity } from "./liquidity.js";
import { isTriggeredAt, type PaperOrder } from "./paper-order.js";
import { PriceQueue, type Queued } from "./price-queue.js";

/** Where the open orders of one symbol wait: in the book, for their trigger, or for a market to be executed on. */
export class PaperBook {
  readonly #resting = { BUY: new PriceQueue("highest"), SELL: new PriceQueue("lowest") };
  /** By stop price: reached from below, and from above. */
  readonly #above = new PriceQueue("lowest");
  readonly #below = new PriceQueue("highest");
  readonly #trailing = new Map<string, PaperOrder>();
  readonly #waiting = new Set<string>();
  readonly #liquidity = new Map<string, Liquidity>();
  #view: MarketView | null = null;

  /** Null without a price, and while it is stale. */
  get view(): MarketView | null {
    return this.#view;
  }

  show(view: MarketView): void {
    this.#view = view.isStale ? null : view;
    this.#liquidity.clear();
  }

  /**
   * What the market has on offer for an account. Accounts on paper do not take from each other: each meets the whole market,
   * and takes each unit of it once. Bounded by the accounts that trade between two views.
   */
  liquidityFor(accountId: string): Liquidity | null {
    if (this.#view === null) return null;
    const liquidity = this.#liquidity.get(accountId) ?? new Liquidity(this.#view);
    this.#liquidity.set(accountId, liquidity);
    return liquidity;
  }

  rest(paper: PaperOrder): void {
    const entry = entryOf(paper, paper.order.price);
    if (entry !== null) this.#resting[paper.order.side].insert(entry);
  }

  /** Puts an order where it waits for its trigger. */
  park(paper: PaperOrder): void {
    if (paper.order.orderType === "TRAILING_STOP") {
      this.#trailing.set(paper.order.id, paper);
      return;
    }
    const entry = entryOf(paper, paper.order.stopPrice);
    if (entry !== null) (triggersAbove(paper.order) ? this.#above : this.#below).insert(entry);
  }

  /** Until the next view: an order that is to be executed at once and found no market. */
  wait(paper: PaperOrder): void {
    this.#waiting.add(paper.order.id);
  }

  remove({ id, side, orderType }: Pick<Order, "id" | "side" | "orderType">): void {
    this.#resting[side].remove(id);
    this.#waiting.delete(id);
    if (!hasTrigger(orderType)) return;
    this.#above.remove(id);
    this.#below.remove(id);
    this.#trailing.delete(id);
  }

  takeWaiting(): string[] {
    const ids = [...this.#waiting];
    this.#waiting.clear();
    return ids;
  }

  /** Orders whose trigger the price reaches, in the order in which they arrived. */
  triggered({ price }: MarketView): string[] {
    const trailing = [...this.#trailing.values()].filter((paper) => isTriggeredAt(paper, price));
    const reached = [...this.#above.upTo(price), ...this.#below.upTo(price)];
    return [...reached, ...trailing.map(({ order, sequence }) => ({ id: order.id, sequence }))]
      .sort((a, b) => a.sequence - b.sequence)
      .map(({ id }) => id);
  }

  /** Orders in the book whose price the market crosses, best price first, then the earlier one. */
  crossed(side: OrderSide, view: MarketView): string[] {
    const best = new Liquidity(view).best(side);
    return best === null ? [] : this.#resting[side].upTo(best).map(({ id }) => id);
  }
}

const entryOf = ({ order, sequence }: PaperOrder, price: Queued["price"] | null): Queued | null =>
  price === null ? null : { id: order.id, price, sequence };
