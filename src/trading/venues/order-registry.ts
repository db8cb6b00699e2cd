import type { Order } from "../order.js";
import type { OrderReport } from "../order-event.js";
import { clientIdOf, markOf, orderIdOf } from "./client-ids.js";
import { type MarketKind, replacesBy, type TradedExchange } from "./offers.js";
import type { ExchangeFill, ExchangeOrder } from "./read-answers.js";
import { TrackedOrder } from "./tracked-order.js";

/** Ended orders that are kept, so that what comes again of them is known to be old. */
const maxEnded = 2_000;

/** An order, and what is known of the requests about it. */
export interface Entry {
  readonly tracked: TrackedOrder;
  readonly symbolId: number;
  /** When the last request to place it ended, answered or not; null when this process has sent none. */
  sentAtMs: number | null;
}

/** The orders of one account that are followed: all that are open, and the last that have ended. */
export class OrderRegistry {
  readonly #code: TradedExchange;
  readonly #kind: MarketKind;
  readonly #nowMs: () => number;
  readonly #onReport: (order: Order, report: OrderReport) => void;
  readonly #entries = new Map<string, Entry>();
  /** By the exchange's id of an order of it. */
  readonly #byExchangeId = new Map<string, Entry>();
  /** Fills whose order is not known yet; they come with it when it is asked for. */
  lastFillAtMs = 0;
  /** Orders that were created up to then may have been sent, and be forgotten. */
  forgottenUntilMs = 0;

  constructor(
    { code, kind }: { readonly code: TradedExchange; readonly kind: MarketKind },
    nowMs: () => number,
    onReport: (order: Order, report: OrderReport) => void,
  ) {
    this.#code = code;
    this.#kind = kind;
    this.#nowMs = nowMs;
    this.#onReport = onReport;
  }

  get open(): Entry[] {
    return [...this.#entries.values()].filter(({ tracked }) => !tracked.isEnded && tracked.isAccepted);
  }

  get(orderId: string): Entry | undefined {
    return this.#entries.get(orderId);
  }

  /** The entry of an order, made where there is none. A replacement that had no answer is looked for, too. */
  track(order: Order): Entry {
    const known = this.#entries.get(order.id);
    if (known !== undefined) return known;
    const tracked = new TrackedOrder(order, (report) => this.#onReport(order, report));
    const { pendingReplacement, exchangeOrderId } = order;
    if (pendingReplacement !== null && exchangeOrderId !== null) {
      const clientId =
        replacesBy(this.#code, this.#kind) === "amend"
          ? clientIdOf(this.#code, order.id)
          : clientIdOf(this.#code, order.id, markOf(exchangeOrderId, pendingReplacement));
      tracked.replacement = { clientId, terms: pendingReplacement };
    }
    const entry: Entry = { tracked, symbolId: order.symbolId, sentAtMs: null };
    this.#entries.set(order.id, entry);
    this.#forgetEnded();
    return entry;
  }

  /** Takes what the exchange says of an order of ours. @returns false when more must be asked to understand it */
  sawOrder(entry: Entry, seen: ExchangeOrder): boolean {
    const { tracked } = entry;
    const nowMs = this.#nowMs();
    if (tracked.isAccepted && !tracked.has(seen.exchangeOrderId)) {
      const { replacement } = tracked;
      if (replacement === null || seen.clientId !== replacement.clientId) return false;
      tracked.replaced(seen, replacement.terms, nowMs);
    } else if (!tracked.isAccepted && seen.clientId !== null && seen.clientId !== this.#firstIdOf(entry)) {
      return false;
    } else tracked.sawOrder(seen, nowMs);
    this.#byExchangeId.set(seen.exchangeOrderId, entry);
    return true;
  }

  retraced(entry: Entry, legs: readonly ExchangeOrder[]): void {
    for (const { exchangeOrderId } of legs) this.#byExchangeId.set(exchangeOrderId, entry);
    entry.tracked.retraced(legs, this.#nowMs());
  }

  /** False when it is of an order that is not known. */
  sawFill(found: ExchangeFill): boolean {
    const entry = found.exchangeOrderId === null ? undefined : this.#byExchangeId.get(found.exchangeOrderId);
    if (entry === undefined) return false;
    this.lastFillAtMs = Math.max(this.lastFillAtMs, found.fill.filledAt.getTime());
    entry.tracked.sawFill(found);
    return true;
  }

  byExchangeId(exchangeOrderId: string): Entry | undefined {
    return this.#byExchangeId.get(exchangeOrderId);
  }

  /** Of which order of ours it is, whether we follow it or not. */
  orderIdOf(seen: ExchangeOrder): string | null {
    return this.#byExchangeId.get(seen.exchangeOrderId)?.tracked.order.id ?? orderIdOf(this.#code, seen.clientId);
  }

  #firstIdOf({ tracked }: Entry): string {
    return clientIdOf(this.#code, tracked.order.id);
  }

  #forgetEnded(): void {
    let ended = 0;
    for (const { tracked } of this.#entries.values()) if (tracked.isEnded) ended++;
    if (ended <= maxEnded) return;
    for (const [id, { tracked }] of this.#entries) {
      if (!tracked.isEnded) continue;
      this.#entries.delete(id);
      this.forgottenUntilMs = Math.max(this.forgottenUntilMs, tracked.order.createdAt.getTime());
      for (const exchangeId of tracked.exchangeOrderIds) this.#byExchangeId.delete(exchangeId);
      if (--ended <= maxEnded) return;
    }
  }
}
