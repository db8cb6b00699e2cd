import { clientIdOf, isMarked, orderIdOf } from "./client-ids.js";
import { type ExchangeLink, LinkError, type ListedSymbol, type VenueSymbol } from "./exchange-link.js";
import { replacesBy } from "./offers.js";
import type { Entry, OrderRegistry } from "./order-registry.js";
import type { ExchangeOrder } from "./read-answers.js";

/** Orders are looked for a little before they were created: the exchange's clock is another one. */
const clockSlackMs = 60_000;
/** So long an exchange's answers about an order that it has accepted may be behind. */
const forgetMs = 60_000;
/** Gate.io finds ended orders by our name for an hour only. */
const findableMs = 30 * 60_000;

export interface SearchOptions {
  /** How long after it was sent an exchange may still do a request, with what its answers are behind. */
  readonly arrivalMs: number;
  /** Orders created before may have been sent by a process before this one, but not after this time. */
  readonly startedAtMs: number;
  readonly nowMs: () => number;
  /** @throws {LinkError} */
  readonly symbol: (id: number) => VenueSymbol;
}

/** Finds out at the exchange what became of orders. Every function throws {@link LinkError} when that is not known now. */
export class OrderSearch {
  readonly #link: ExchangeLink;
  readonly #registry: OrderRegistry;
  readonly #options: SearchOptions;

  constructor(link: ExchangeLink, registry: OrderRegistry, options: SearchOptions) {
    this.#link = link;
    this.#registry = registry;
    this.#options = options;
  }

  listed(symbolId: number): Promise<ListedSymbol> {
    return this.#link.symbol(this.#options.symbol(symbolId));
  }

  /** Brings an order up to date. False when the exchange does not have it. */
  async refresh(entry: Entry): Promise<boolean> {
    const listed = await this.listed(entry.symbolId);
    const seen = await this.#refreshLeg(entry, listed);
    if (seen === null) return false;
    await this.#settleReplacement(entry, listed, seen);
    await this.completeFills(entry, listed);
    return true;
  }

  /** As {@link refresh}, without asking what became of a replacement. */
  async refreshLeg(entry: Entry, listed: ListedSymbol): Promise<boolean> {
    const seen = await this.#refreshLeg(entry, listed);
    if (seen !== null) await this.completeFills(entry, listed);
    return seen !== null;
  }

  /** Whether the new order of a replacement is there; it stands for ours from then on. */
  async refreshReplacement(entry: Entry, listed: ListedSymbol): Promise<boolean> {
    const { replacement } = entry.tracked;
    if (replacement === null || replacesBy(this.#link.code, this.#link.kind) === "amend") return false;
    const { clientId } = replacement;
    const next = await this.#link.lookUp(listed, { clientId });
    if (next === null) return false;
    this.#registry.sawOrder(entry, { ...next, clientId });
    await this.completeFills(entry, listed);
    return true;
  }

  async completeFills({ tracked }: Entry, listed: ListedSymbol): Promise<void> {
    for (const exchangeOrderId of tracked.missingFillsOf) {
      for (const fill of await this.#link.fillsOf(listed, exchangeOrderId)) this.#registry.sawFill(fill);
    }
    if (tracked.missingFillsOf.length === 0) return;
    // More than one answer holds.
    const sinceMs = tracked.order.createdAt.getTime() - clockSlackMs;
    for (const fill of await this.#link.fillsSince(listed, sinceMs)) this.#registry.sawFill(fill);
    if (tracked.missingFillsOf.length === 0) return;
    throw new LinkError({ kind: "unknown", reason: "the exchange has not told of all fills yet" });
  }

  /** Whether a request for the order, sent by us or by a process before, may still be done. */
  mayArrive(entry: Entry): boolean {
    const { startedAtMs, arrivalMs, nowMs } = this.#options;
    const createdAtMs = entry.tracked.order.createdAt.getTime();
    const isOlder = createdAtMs < startedAtMs;
    const lastSentAtMs = entry.sentAtMs ?? (isOlder ? startedAtMs : 0);
    if (this.#link.code === "GATEIO" && nowMs() - createdAtMs > findableMs) return true;
    return nowMs() <= lastSentAtMs + arrivalMs;
  }

  async #refreshLeg(entry: Entry, listed: ListedSymbol): Promise<ExchangeOrder | null> {
    const { tracked } = entry;
    const { order } = tracked;
    const known = tracked.exchangeOrderId ?? order.exchangeOrderId;
    const clientId = clientIdOf(this.#link.code, order.id);
    const seen = await this.#link.lookUp(listed, known === null ? { clientId } : { exchangeOrderId: known });
    if (seen === null) {
      return known === null ? null : this.#forgotten(entry, listed, known);
    }
    const isLater = !tracked.isAccepted && seen.clientId !== null && isMarked(this.#link.code, seen.clientId);
    if (isLater) await this.#retrace(entry, listed, seen);
    else this.#registry.sawOrder(entry, { ...seen, clientId: null });
    return seen;
  }

  /**
   * An order that the exchange has had and does not know any more is not open there: it has forgotten an ended one, or has
   * begun anew as testnets do. Answers may be behind for a while, so that is believed after a time only.
   * @throws {LinkError} until then
   */
  async #forgotten(entry: Entry, listed: ListedSymbol, exchangeOrderId: string): Promise<ExchangeOrder> {
    const { tracked, sentAtMs } = entry;
    const { createdAt, updatedAt } = tracked.order;
    const nowMs = this.#options.nowMs();
    const isFresh = nowMs - Math.max(updatedAt.getTime(), sentAtMs ?? 0) < forgetMs;
    const open = isFresh ? [] : await this.#link.openOrders(listed);
    if (isFresh || this.mayArrive(entry) || open.some((other) => other.exchangeOrderId === exchangeOrderId))
      throw new LinkError({ kind: "unknown", reason: "the exchange does not know the order any more" });
    const gone = { exchangeOrderId, clientId: null, filled: null, quantity: null, price: null, atMs: null };
    if (!tracked.has(exchangeOrderId)) this.#registry.sawOrder(entry, { ...gone, state: "open" });
    for (const fill of await this.#link.fillsSince(listed, createdAt.getTime() - clockSlackMs))
      this.#registry.sawFill(fill);
    const ended: ExchangeOrder = { ...gone, state: "cancelled" };
    this.#registry.sawOrder(entry, ended);
    return ended;
  }

  /** The orders at the exchange that stood for ours before the one that does now. */
  async #retrace(entry: Entry, listed: ListedSymbol, latest: ExchangeOrder): Promise<void> {
    const { order, replacement } = entry.tracked;
    const all = await this.#link.orders(listed, order.createdAt.getTime() - clockSlackMs);
    const before = all.filter((seen) => {
      const isOurs = orderIdOf(this.#link.code, seen.clientId) === order.id;
      const isLatest = seen.exchangeOrderId === latest.exchangeOrderId;
      return isOurs && !isLatest && seen.clientId !== replacement?.clientId;
    });
    this.#registry.retraced(entry, [...before, latest]);
  }

  async #settleReplacement(entry: Entry, listed: ListedSymbol, seen: ExchangeOrder): Promise<void> {
    const { tracked } = entry;
    const { replacement } = tracked;
    if (replacement === null) return;
    const { terms } = replacement;
    const nowMs = this.#options.nowMs();
    if (replacesBy(this.#link.code, this.#link.kind) === "amend") {
      const isPriced = terms.price === null || (seen.price?.eq(terms.price) ?? false);
      if (seen.quantity?.eq(terms.quantity) && isPriced) tracked.amended(terms, nowMs);
      else if (!this.mayArrive(entry)) tracked.replacementFailed("the exchange has not changed the order", nowMs);
      return;
    }
    if ((await this.refreshReplacement(entry, listed)) || this.mayArrive(entry)) return;
    tracked.replacementFailed("the exchange has not replaced the order", nowMs);
  }
}
