import type { Order, ReplaceableTerms } from "../order.js";
import type { RejectCode } from "../order-event.js";
import type { Venue, VenueAnswer } from "../venue.js";
import { type CcxtOrderRequest, ccxtOrder } from "./ccxt-order.js";
import { clientIdOf, markOf } from "./client-ids.js";
import type { ExchangeLink, ListedSymbol, Outcome, VenueSymbol } from "./exchange-link.js";
import type { FuturesSetup } from "./futures-setup.js";
import { refusalOf, replacesBy } from "./offers.js";
import type { Entry, OrderRegistry } from "./order-registry.js";
import type { OrderSearch } from "./order-search.js";
import { isFields, readExchangeFill } from "./read-answers.js";
import type { PlacedReport } from "./tracked-order.js";

export interface CommandOptions {
  /** Orders created before may have been sent by a process before this one. */
  readonly startedAtMs: number;
  readonly nowMs: () => number;
  readonly symbol: (id: number) => VenueSymbol;
  /** Null for a spot market. */
  readonly futures: FuturesSetup | null;
}

type Found = Awaited<ReturnType<Venue["find"]>>;

/** What the ledger asks of an exchange for one order; one command at a time for each order. */
export class OrderCommands implements Pick<Venue, "place" | "replace" | "cancel" | "find"> {
  readonly #link: ExchangeLink;
  readonly #registry: OrderRegistry;
  readonly #search: OrderSearch;
  readonly #options: CommandOptions;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(link: ExchangeLink, registry: OrderRegistry, search: OrderSearch, options: CommandOptions) {
    this.#link = link;
    this.#registry = registry;
    this.#search = search;
    this.#options = options;
  }

  place(order: Order): Promise<VenueAnswer> {
    return this.#command(order, (entry) => this.#place(entry));
  }

  cancel(order: Order): Promise<VenueAnswer> {
    return this.#command(order, (entry) => this.#cancel(entry));
  }

  replace(order: Order, terms: ReplaceableTerms): Promise<VenueAnswer> {
    return this.#command(order, (entry) => this.#replace(entry, terms));
  }

  async find(order: Order): Promise<Found> {
    return this.#command<Found>(order, async (entry) => {
      if (this.#isRejected(entry) || (await this.#search.refresh(entry))) return answered(entry);
      if (!this.#search.mayArrive(entry)) return { kind: "missing" };
      return unknown("the exchange does not have the order, and may still get it");
    });
  }

  /** After everything else that is asked for this order. @throws what `work` throws */
  async inTurn<T>(orderId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(orderId);
    const turn = (async () => {
      await before?.catch(() => {});
      return work();
    })();
    this.#turns.set(orderId, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(orderId) === turn) this.#turns.delete(orderId);
    }
  }

  async #command<T extends Found = VenueAnswer>(
    order: Order,
    work: (entry: Entry) => Promise<T>,
  ): Promise<T | Unknown> {
    return this.inTurn<T | Unknown>(order.id, async () => {
      try {
        return await work(this.#registry.track(order));
      } catch (error) {
        return unknown(this.#link.failureOf(error).reason);
      }
    });
  }

  async #place(entry: Entry): Promise<VenueAnswer> {
    const { order } = entry.tracked;
    if (entry.tracked.isAccepted || this.#isRejected(entry)) return answered(entry);
    const { futures } = this.#options;
    const account = { positionMode: futures?.positionMode ?? "ONE_WAY", isTestnet: false } as const;
    const refusal = refusalOf(this.#link.code, this.#options.symbol(order.symbolId).marketType, order, account);
    if (refusal !== null) return this.#reject(entry, "VENUE_REJECTED", refusal);
    if (this.#mayBeThere(entry)) {
      if (await this.#search.refresh(entry)) return answered(entry);
      if (this.#search.mayArrive(entry)) return unknown("an earlier request for the order may still arrive");
    }
    let request: CcxtOrderRequest;
    let listed: ListedSymbol;
    try {
      listed = await this.#search.listed(entry.symbolId);
      request = this.#requestOf(listed, order, clientIdOf(this.#link.code, order.id));
      this.#link.requireExact(listed, request);
      await this.#options.futures?.prepare(listed, order);
    } catch (error) {
      // Nothing has been sent.
      const failure = this.#link.failureOf(error);
      return this.#reject(entry, failure.kind === "refused" ? failure.code : "VENUE_REJECTED", failure.reason);
    }
    const outcome = await this.#create(entry, listed, request);
    switch (outcome.kind) {
      case "ok":
        return (await this.#accept(entry, listed, outcome.value, null)) ? answered(entry) : unreadable;
      case "unknown":
        return unknown(outcome.reason);
      case "duplicate":
        if (await this.#search.refresh(entry)) return answered(entry);
        return unknown(outcome.reason);
      case "refused":
        // If the request came twice, this is the answer to the second one, and the first one may have been taken.
        if (outcome.body !== undefined && (await this.#search.refresh(entry))) return answered(entry);
        return this.#reject(entry, outcome.code, outcome.reason);
      case "limited":
      case "unauthorised":
      case "missing":
      case "clock":
        return this.#reject(entry, "VENUE_REJECTED", outcome.reason);
      default:
        return outcome satisfies never;
    }
  }

  async #cancel(entry: Entry): Promise<VenueAnswer> {
    const { tracked } = entry;
    const refused = (reason: string) =>
      answered(entry, tracked.refused("cancelRefused", reason, this.#options.nowMs()));
    if (!(await this.#isThere(entry))) return unknown("the exchange does not have the order");
    if (tracked.isEnded) return refused("the order has ended");
    const listed = await this.#search.listed(entry.symbolId);
    const { exchangeOrderId } = tracked;
    if (exchangeOrderId === null) return refused("the order is not at the exchange");
    const outcome = await this.#cancelAt(entry, listed, exchangeOrderId);
    switch (outcome.kind) {
      case "ok":
        if (!tracked.isEnded) await this.#search.refresh(entry);
        return answered(entry);
      case "unknown":
        return unknown(outcome.reason);
      case "missing":
      case "duplicate":
        await this.#search.refresh(entry);
        return refused(outcome.reason);
      case "refused":
      case "limited":
      case "unauthorised":
      case "clock":
        return refused(outcome.reason);
      default:
        return outcome satisfies never;
    }
  }

  async #replace(entry: Entry, terms: ReplaceableTerms): Promise<VenueAnswer> {
    const { tracked } = entry;
    const { nowMs } = this.#options;
    const refused = (reason: string) => answered(entry, tracked.refused("replaceRefused", reason, nowMs()));
    if (!(await this.#isThere(entry))) return unknown("the exchange does not have the order");
    const { exchangeOrderId } = tracked;
    if (tracked.isEnded || exchangeOrderId === null) return refused("the order has ended");
    if (terms.quantity.lte(tracked.filled)) return refused("more than that is filled already");
    const { code } = this.#link;
    const listed = await this.#search.listed(entry.symbolId);
    const isAmended = replacesBy(code, this.#link.kind) === "amend";
    // Asked a second time, an exchange that has changed the order refuses to change it.
    if (isAmended && tracked.replacement !== null && (await this.#search.refresh(entry))) {
      if (tracked.isEnded || tracked.replacement === null) return answered(entry);
    }
    const mark = isAmended ? "" : markOf(exchangeOrderId, terms);
    const clientId = clientIdOf(code, tracked.order.id, mark);
    try {
      this.#link.requireExact(listed, this.#requestOf(listed, tracked.order, clientId, terms));
    } catch (error) {
      return refused(this.#link.failureOf(error).reason);
    }
    tracked.replacement = { clientId, terms };
    entry.sentAtMs = nowMs();
    try {
      return isAmended
        ? await this.#amend(entry, listed, exchangeOrderId, terms)
        : await this.#renew(entry, listed, exchangeOrderId, terms, clientId);
    } finally {
      entry.sentAtMs = nowMs();
    }
  }

  async #amend(entry: Entry, listed: ListedSymbol, id: string, terms: ReplaceableTerms): Promise<VenueAnswer> {
    const { tracked } = entry;
    const { type, side, amount, price, params } = this.#requestOf(listed, tracked.order, "", terms);
    const { triggerPrice } = params;
    const more = triggerPrice === undefined ? {} : { triggerPrice };
    const outcome = await this.#link.attempt((exchange) =>
      exchange.editOrder(id, listed.symbol, type, side, amount, price, more),
    );
    if (outcome.kind === "unknown") return unknown(outcome.reason);
    if (outcome.kind === "ok") {
      tracked.amended(terms, this.#options.nowMs());
      return answered(entry);
    }
    return this.#notReplaced(entry, listed, outcome.reason);
  }

  /** A new order in the place of the old one. */
  async #renew(
    entry: Entry,
    listed: ListedSymbol,
    id: string,
    terms: ReplaceableTerms,
    clientId: string,
  ): Promise<VenueAnswer> {
    const { tracked } = entry;
    const { order } = tracked;
    const request = () =>
      this.#requestOf(listed, order, clientId, { ...terms, quantity: terms.quantity.minus(tracked.filled) });
    if (this.#link.code === "BINANCE" && order.orderType !== "TRAILING_STOP" && tracked.filled.isZero()) {
      const { isCancelled, outcome } = await this.#link.cancelReplace(listed, order, id, request());
      if (outcome.kind === "unknown") return unknown(outcome.reason);
      if (outcome.kind === "ok") {
        return (await this.#accept(entry, listed, outcome.value, clientId)) ? answered(entry) : unreadable;
      }
      if (isCancelled || outcome.kind !== "refused") return this.#notReplaced(entry, listed, outcome.reason);
      await this.#search.refreshLeg(entry, listed);
      // The stream may have told of the new order, whatever this answer was to.
      if (tracked.replacement === null || (await this.#search.refreshReplacement(entry, listed)))
        return answered(entry);
    }
    // First the end of the old one, so that the new one is for exactly what is left.
    const cancelled = await this.#cancelAt(entry, listed, id);
    if (cancelled.kind === "unknown") return unknown(cancelled.reason);
    if (cancelled.kind !== "ok") return this.#notReplaced(entry, listed, cancelled.reason);
    await this.#search.refreshLeg(entry, listed);
    if (terms.quantity.lte(tracked.filled)) return this.#notReplaced(entry, listed, "it was filled meanwhile");
    const outcome = await this.#create(entry, listed, request());
    if (outcome.kind === "unknown") return unknown(outcome.reason);
    if (outcome.kind !== "ok") return this.#notReplaced(entry, listed, outcome.reason);
    return (await this.#accept(entry, listed, outcome.value, clientId)) ? answered(entry) : unreadable;
  }

  async #notReplaced(entry: Entry, listed: ListedSymbol, reason: string): Promise<VenueAnswer> {
    // As with a new order: a request that came twice is refused and done.
    const { replacement } = entry.tracked;
    if (replacement === null || (await this.#search.refreshReplacement(entry, listed))) return answered(entry);
    const refusal = entry.tracked.replacementFailed(reason, this.#options.nowMs());
    await this.#search.refreshLeg(entry, listed);
    return answered(entry, refusal);
  }

  async #create(entry: Entry, { symbol }: ListedSymbol, request: CcxtOrderRequest): Promise<Outcome<unknown>> {
    const { type, side, amount, price, params } = request;
    try {
      return await this.#link.attempt((exchange) => exchange.createOrder(symbol, type, side, amount, price, params));
    } finally {
      entry.sentAtMs = this.#options.nowMs();
    }
  }

  async #cancelAt(entry: Entry, { symbol }: ListedSymbol, id: string): Promise<Outcome<unknown>> {
    const outcome = await this.#link.attempt((exchange) => exchange.cancelOrder(id, symbol));
    const seen = outcome.kind === "ok" ? this.#link.readOrder(outcome.value) : null;
    if (seen?.state != null) this.#registry.sawOrder(entry, { ...seen, clientId: null });
    return outcome;
  }

  /** Takes the answer to a new order. False when it cannot be read. */
  async #accept(entry: Entry, listed: ListedSymbol, answer: unknown, clientId: string | null): Promise<boolean> {
    const seen = this.#link.readOrder(answer);
    if (seen === null) return false;
    this.#registry.sawOrder(entry, { ...seen, clientId });
    const trades = isFields(answer) && Array.isArray(answer.trades) ? answer.trades : [];
    const { exchangeOrderId, atMs } = seen;
    for (const trade of trades) {
      const answerTo = { exchangeOrderId, atMs: atMs ?? this.#options.nowMs() };
      const fill = readExchangeFill(trade, listed.ticker, answerTo, listed.contractSize);
      if (fill !== null) this.#registry.sawFill(fill);
    }
    // What is missing yet comes by the stream, or with the next comparison.
    await this.#search.completeFills(entry, listed).catch(() => {});
    return true;
  }

  #requestOf(
    { contractSize }: ListedSymbol,
    order: Order,
    clientId: string,
    terms?: ReplaceableTerms,
  ): CcxtOrderRequest {
    const { futures } = this.#options;
    const more = futures === null ? null : { contractSize, isHedged: futures.positionMode === "HEDGE" };
    return ccxtOrder(this.#link.code, order, clientId, terms, more);
  }

  async #isThere(entry: Entry): Promise<boolean> {
    return entry.tracked.isAccepted || (await this.#search.refresh(entry));
  }

  #mayBeThere({ tracked: { order }, sentAtMs }: Entry): boolean {
    const createdAtMs = order.createdAt.getTime();
    const isOld = createdAtMs < this.#options.startedAtMs || createdAtMs <= this.#registry.forgottenUntilMs;
    return isOld || sentAtMs !== null || order.isUnconfirmed || order.exchangeOrderId !== null;
  }

  #isRejected({ tracked }: Entry): boolean {
    return tracked.reports[0]?.kind === "rejected";
  }

  #reject(entry: Entry, code: RejectCode, reason: string): VenueAnswer {
    entry.tracked.rejected({ kind: "rejected", at: new Date(this.#options.nowMs()), code, reason });
    return answered(entry);
  }
}

type Unknown = Extract<VenueAnswer, { kind: "unknown" }>;

const unknown = (reason: string): Unknown => ({ kind: "unknown", reason });
const unreadable = unknown("the exchange's answer cannot be read");

const answered = ({ tracked }: Entry, refusal: PlacedReport | null = null): VenueAnswer => ({
  kind: "answered",
  reports: tracked.answerWith(refusal),
});
