import type { Decimal } from "../../core/decimal.js";
import type { MarketView } from "../market-view.js";
import { notionalOf, smaller, sumOf } from "../money.js";
import { isOpen, type Order, type OrderSide, type ReplaceableTerms, remainingQuantity } from "../order.js";
import type { OrderReport } from "../order-event.js";
import { hasLimitPrice } from "../order-fields.js";
import { hasTrigger } from "../order-life.js";
import { isReducing } from "../reservation.js";
import { reservedPrice } from "../reserve-price.js";
import { commissionOf, isFutures, type TradingSymbol } from "../trading-symbol.js";
import type { VenueEvent } from "../venue.js";
import { Liquidity, type Taken } from "./liquidity.js";
import { OrderDesk } from "./order-desk.js";
import { PaperBook } from "./paper-book.js";
import { isMakerOnly, isTriggeredAt, mayRest, type PaperOrder } from "./paper-order.js";
import { type PaperAccount, PaperPositions } from "./paper-positions.js";
import { PositionKeeper } from "./position-keeper.js";

export interface PaperEngineOptions {
  symbolOf(symbolId: number): TradingSymbol;
  /** When a DAY order of the symbol that is placed at an instant ends; null: never. */
  dayEndOf(symbolId: number, placedAt: Date): Date | null;
  /** How many orders that have ended are remembered, for questions and repeated calls; then the oldest is forgotten. */
  readonly rememberedOrders: number;
}

/**
 * The paper venue without clock, network and database: what is given to it, and when, decides what it answers, so the same
 * quotes give the same fills. Every call returns what has happened, in order. Orders of one symbol meet the market in the
 * order of price, then time; they do not meet each other.
 */
export class PaperEngine {
  readonly #books = new Map<number, PaperBook>();
  readonly #desk: OrderDesk;
  readonly #positions = new PaperPositions();
  readonly #keeper: PositionKeeper;

  constructor(private readonly options: PaperEngineOptions) {
    this.#desk = new OrderDesk(options.rememberedOrders, (order) => this.#bookOf(order.symbolId).remove(order));
    this.#keeper = new PositionKeeper(this.#positions, {
      symbolOf: (symbolId) => options.symbolOf(symbolId),
      viewOf: (symbolId) => this.#books.get(symbolId)?.view ?? null,
      cancelOrders: (accountId, symbolIds, now) =>
        this.#cancelOf(accountId, ({ symbolId }) => symbolIds.has(symbolId), "the position is liquidated", now),
    });
  }

  /**
   * Takes over an order that the venue has accepted before a restart, in the order of their acceptance. A trailing stop
   * begins to trail anew.
   */
  restore(order: Order): void {
    if (!isOpen(order) || order.status === "PENDING" || this.#desk.get(order.id) !== undefined) return;
    const paper = this.#enter(order);
    const exchangeOrderId = order.exchangeOrderId ?? exchangeIdOf(order);
    this.#desk.note(order, { kind: "accepted", at: order.createdAt, exchangeOrderId });
    const book = this.#bookOf(order.symbolId);
    if (hasTrigger(order.orderType) && order.triggeredAt === null) book.park(paper);
    else if (mayRest(order)) book.rest(paper);
    else book.wait(paper);
  }

  /** Positions and wallets as the ledger has them. */
  restoreAccount(account: PaperAccount): void {
    this.#positions.restore(account);
  }

  /** Nothing is known of the account any more, until it is restored. */
  forget(accountId: string): void {
    this.#desk.forget(accountId);
    this.#positions.forget(accountId);
  }

  place(order: Order, now: Date): VenueEvent[] {
    return this.#desk.collect(() => {
      // The call came again: what was said is said again.
      if (this.#desk.reportsOf(order.id) !== null) this.#desk.sayAgain(order);
      else this.#accept(this.#enter(order), now);
    });
  }

  cancel(order: Order, now: Date): VenueEvent[] {
    return this.#desk.collect(() => {
      const paper = this.#desk.get(order.id);
      if (paper !== undefined) this.#desk.report(paper, { kind: "cancelled", at: now, reason: "on request" });
      else this.#refuse(order, { kind: "cancelRefused", at: now, reason: "the order is not open" });
    });
  }

  replace(order: Order, terms: ReplaceableTerms, now: Date): VenueEvent[] {
    return this.#desk.collect(() => {
      const paper = this.#desk.get(order.id);
      if (paper !== undefined && hasTerms(paper.order, terms)) {
        this.#desk.sayAgain(order);
        return;
      }
      const reason = paper === undefined ? "the order is not open" : this.#whyNotReplaced(paper.order, terms);
      if (paper === undefined || reason !== null) {
        this.#refuse(order, { kind: "replaceRefused", at: now, reason: reason ?? "" });
        return;
      }
      this.#bookOf(order.symbolId).remove(paper.order);
      // Only less of the same keeps its place among the orders of its price.
      const isLess = terms.quantity.lt(paper.order.quantity) && isSame(terms.price, paper.order.price);
      if (!isLess) paper.sequence = this.#desk.nextSequence();
      paper.order = { ...paper.order, pendingReplacement: terms };
      this.#desk.report(paper, { kind: "replaced", at: now, terms, exchangeOrderId: null });
      this.#enterMarket(paper, now);
    });
  }

  /** What was said of an order so far; null when it is not known. */
  find(order: Pick<Order, "id">): readonly OrderReport[] | null {
    return this.#desk.reportsOf(order.id);
  }

  openOrders(accountId: string): Order[] {
    return this.#desk.of(accountId).map(({ order }) => order);
  }

  /** The market has moved: triggers first, then the book, then what positions can no longer bear. A stale view does nothing. */
  onMarket(symbolId: number, view: MarketView, now: Date): VenueEvent[] {
    return this.#desk.collect(() => {
      const book = this.#bookOf(symbolId);
      book.show(view);
      if (view.isStale) return;
      for (const paper of this.#desk.stillOpen(book.takeWaiting())) this.#execute(paper, now);
      for (const paper of this.#desk.stillOpen(book.triggered(view))) this.#trigger(paper, view, now);
      for (const side of ["BUY", "SELL"] as const) this.#match(book, side, view, now);
      this.#desk.tell(this.#keeper.liquidate(symbolId, now));
    });
  }

  /** @param markPrice null: the last price at that time */
  onFundingRate(symbolId: number, rate: Decimal, markPrice: Decimal | null, fundingAt: Date, now: Date): VenueEvent[] {
    return this.#desk.collect(() => {
      this.#desk.tell(this.#keeper.payFunding(now));
      this.#keeper.expectFunding(symbolId, { rate, markPrice, fundingAt });
      this.#desk.tell(this.#keeper.payFunding(now));
    });
  }

  /** Time has passed: pays the funding that is due and ends the orders whose day is over. */
  tick(now: Date): VenueEvent[] {
    return this.#desk.collect(() => {
      this.#desk.tell(this.#keeper.payFunding(now));
      for (const paper of this.#desk.all()) {
        if (paper.expiresAt !== null && paper.expiresAt <= now) this.#expire(paper, "the day is over", now);
      }
    });
  }

  #bookOf(symbolId: number): PaperBook {
    const book = this.#books.get(symbolId) ?? new PaperBook();
    this.#books.set(symbolId, book);
    return book;
  }

  #enter(order: Order): PaperOrder {
    const isDay = order.timeInForce === "DAY";
    return this.#desk.enter(order, isDay ? this.options.dayEndOf(order.symbolId, order.createdAt) : null);
  }

  #accept(paper: PaperOrder, now: Date): void {
    const { order } = paper;
    const reject = (code: "NO_QUOTE" | "WOULD_TAKE", reason: string): void =>
      this.#desk.report(paper, { kind: "rejected", at: now, code, reason });
    if (order.orderType === "MARKET" && this.#bookOf(order.symbolId).view === null) {
      reject("NO_QUOTE", "there is no current price");
    } else if (isMakerOnly(order) && this.#wouldTake(order, order.price)) {
      reject("WOULD_TAKE", "it would take at once");
    } else {
      this.#desk.report(paper, { kind: "accepted", at: now, exchangeOrderId: exchangeIdOf(order) });
      this.#enterMarket(paper, now);
    }
  }

  /** Executes an order, or lets it wait for its trigger. */
  #enterMarket(paper: PaperOrder, now: Date): void {
    const { order } = paper;
    const book = this.#bookOf(order.symbolId);
    if (!hasTrigger(order.orderType) || order.triggeredAt !== null) this.#execute(paper, now);
    else if (book.view !== null && isTriggeredAt(paper, book.view.price)) this.#trigger(paper, book.view, now);
    else book.park(paper);
  }

  #trigger(paper: PaperOrder, view: MarketView, now: Date): void {
    this.#bookOf(paper.order.symbolId).remove(paper.order);
    this.#desk.report(paper, { kind: "triggered", at: now, price: view.price });
    this.#cancelSiblings(paper.order, now);
    this.#execute(paper, now);
  }

  /** Takes what it may; what is left then rests, or ends. */
  #execute(paper: PaperOrder, now: Date): void {
    const { order } = paper;
    const book = this.#bookOf(order.symbolId);
    const liquidity = book.liquidityFor(order.accountId);
    if (liquidity === null) {
      if (mayRest(order)) book.rest(paper);
      else if (hasLimitPrice(order.orderType)) this.#expire(paper, "there is no current price", now);
      else book.wait(paper);
      return;
    }
    const wanted = this.#wanted(paper);
    const limit = order.price ?? this.#dearest(order);
    if (wanted.lte(0)) this.#cancel(paper, "there is nothing to reduce", now);
    else if (order.timeInForce === "FOK" && liquidity.available(order.side, limit, wanted).lt(wanted)) {
      this.#expire(paper, "it could not be filled at once as a whole", now);
    } else {
      for (const taken of liquidity.take(order.side, limit, wanted)) this.#fill(paper, taken, false, now);
      if (!isOpen(paper.order)) return;
      if (mayRest(order)) book.rest(paper);
      else this.#expire(paper, "nothing more is on offer", now);
    }
  }

  /** Fills what rests in the book as far as the market crosses it, each order at its own price. */
  #match(book: PaperBook, side: OrderSide, view: MarketView, now: Date): void {
    for (const paper of this.#desk.stillOpen(book.crossed(side, view))) {
      const { price, accountId } = paper.order;
      const wanted = paper.shown === null ? this.#wanted(paper) : smaller(this.#wanted(paper), paper.shown);
      if (wanted.lte(0)) {
        this.#cancel(paper, "there is nothing to reduce", now);
        continue;
      }
      const taken = book.liquidityFor(accountId)?.take(side, price, wanted) ?? [];
      const quantity = sumOf(taken.map((part) => part.quantity));
      if (price === null || quantity.isZero()) continue;
      this.#fill(paper, { price, quantity }, true, now);
      if (paper.shown !== null && isOpen(paper.order)) this.#showMore(book, paper, paper.shown.minus(quantity));
    }
  }

  /** The next part of an iceberg takes its place behind the orders of the same price. */
  #showMore(book: PaperBook, paper: PaperOrder, shown: Decimal): void {
    paper.shown = shown;
    if (shown.gt(0)) return;
    book.remove(paper.order);
    paper.shown = paper.order.icebergQuantity;
    paper.sequence = this.#desk.nextSequence();
    book.rest(paper);
  }

  #fill(paper: PaperOrder, { price, quantity }: Taken, isMaker: boolean, now: Date): void {
    const { order } = paper;
    const symbol = this.options.symbolOf(order.symbolId);
    const charged = sumOf(order.commissions.map(({ amount }) => amount));
    const fill = {
      // What was filled before is another number for each fill of an order, also after a restart.
      exchangeFillId: `${order.id}:${order.filledQuantity.toFixed()}`,
      price,
      quantity,
      commission: commissionOf(symbol, notionalOf({ price, quantity }), isMaker, charged),
      commissionAsset: symbol.quoteAsset,
      isMaker,
      filledAt: now,
    };
    this.#cancelSiblings(order, now);
    this.#desk.report(paper, { kind: "filled", at: now, fill });
    this.#positions.fill(order, fill, symbol);
    if (!isFutures(symbol)) return;
    // Orders that only reduce end with the position.
    const isPointless = (other: Order) =>
      other.symbolId === order.symbolId && isReducing(other) && this.#positions.reducible(other).isZero();
    this.#cancelOf(order.accountId, isPointless, "there is nothing to reduce", now);
  }

  #wanted({ order }: PaperOrder): Decimal {
    const remaining = remainingQuantity(order);
    if (!isFutures(this.options.symbolOf(order.symbolId)) || !isReducing(order)) return remaining;
    return smaller(remaining, this.#positions.reducible(order));
  }

  /**
   * The price above which a purchase without a price of its own is not covered by what is reserved for it. For one that only
   * reduces nothing is: it pays with what it sets free, and must end the position at whatever price there is.
   */
  #dearest(order: Order): Decimal | null {
    if (order.side === "SELL" || isReducing(order)) return null;
    const price = reservedPrice(order, order, this.options.symbolOf(order.symbolId));
    return price.isZero() ? null : price;
  }

  /** Whether it would meet the market at once with this price; not while it waits for its trigger. */
  #wouldTake(order: Order, price: Decimal | null): boolean {
    if (price === null || (hasTrigger(order.orderType) && order.triggeredAt === null)) return false;
    const { view } = this.#bookOf(order.symbolId);
    // What the account has taken from this view is still where others would meet the order.
    return view !== null && new Liquidity(view).crosses(order.side, price);
  }

  #whyNotReplaced(order: Order, terms: ReplaceableTerms): string | null {
    if (terms.quantity.lte(order.filledQuantity)) return "that much is filled already";
    if (order.triggeredAt !== null && !isSame(terms.stopPrice, order.stopPrice))
      return "the stop price was reached already";
    return isMakerOnly(order) && this.#wouldTake(order, terms.price) ? "it would take at once" : null;
  }

  /** Of orders that are one-cancels-other, one has been reached. */
  #cancelSiblings({ id, accountId, parentOrderId }: Order, now: Date): void {
    if (parentOrderId === null) return;
    const isSibling = (other: Order) => other.parentOrderId === parentOrderId && other.id !== id;
    this.#cancelOf(accountId, isSibling, "the other order was reached", now);
  }

  #cancelOf(accountId: string, isMeant: (order: Order) => boolean, reason: string, now: Date): void {
    for (const paper of this.#desk.of(accountId)) if (isMeant(paper.order)) this.#cancel(paper, reason, now);
  }

  #cancel(paper: PaperOrder, reason: string, now: Date): void {
    this.#desk.report(paper, { kind: "cancelled", at: now, reason });
  }

  #expire(paper: PaperOrder, reason: string, now: Date): void {
    this.#desk.report(paper, { kind: "expired", at: now, reason });
  }

  /** A refusal of a request, after all that the order's owner may have missed. */
  #refuse(order: Order, report: OrderReport): void {
    this.#desk.sayAgain(order);
    this.#desk.say(order, report);
  }
}

const exchangeIdOf = (order: Order): string => `paper-${order.id}`;

const hasTerms = (order: Order, terms: ReplaceableTerms): boolean =>
  order.quantity.eq(terms.quantity) && isSame(order.price, terms.price) && isSame(order.stopPrice, terms.stopPrice);

const isSame = (a: Decimal | null, b: Decimal | null): boolean => (a === null || b === null ? a === b : a.eq(b));
