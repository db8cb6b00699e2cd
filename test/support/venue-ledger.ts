import { Decimal } from "../../src/core/decimal.js";
import type { Fill, Order, OrderStatus, ReplaceableTerms } from "../../src/trading/order.js";
import type { OrderEvent, OrderReport, OrderRequest } from "../../src/trading/order-event.js";
import { transition } from "../../src/trading/order-life.js";
import type { VenueEvent } from "../../src/trading/venue.js";

/** What the ledger would know of one order. */
export class LedgerOrder {
  order: Order;
  status: OrderStatus = "PENDING";
  terms: ReplaceableTerms;
  exchangeOrderId: string | null = null;
  pendingReplacement: ReplaceableTerms | null = null;
  rejectCode: string | null = null;
  readonly fills = new Map<string, Fill>();
  readonly refusals: string[] = [];
  /** The same by the rules of the ledger, and what they would not have. */
  #life: Order | null = null;
  readonly #outOfOrder: string[] = [];

  constructor(order: Order) {
    this.order = order;
    this.terms = order;
    this.#happen({ kind: "placed", at: order.createdAt, order });
  }

  request(request: OrderRequest): void {
    const next = transition(this.#life, request);
    if (next.kind === "changed") this.#life = next.order;
  }

  report(report: OrderReport): void {
    this.#happen(report);
  }

  /** Between what is kept here and what the rules of the ledger make of the same reports. */
  differences(): string[] {
    const life = this.#life;
    if (life === null) return ["the order has no life"];
    const found = [...this.#outOfOrder];
    if (life.status !== this.status) found.push(`the ledger would have ${life.status} for ${this.status}`);
    if (!life.filledQuantity.eq(this.filled)) found.push("the ledger would have other fills");
    if (life.exchangeOrderId !== this.exchangeOrderId) found.push("the ledger would have another order there");
    return found;
  }

  #happen(event: OrderEvent): void {
    const next = transition(this.#life, event);
    if (next.kind === "changed") this.#life = next.order;
    if (next.kind === "refused") this.#outOfOrder.push(`${event.kind}: ${next.message}`);
  }

  get filled(): Decimal {
    return [...this.fills.values()].reduce((sum, { quantity }) => sum.plus(quantity), new Decimal(0));
  }

  get isOpen(): boolean {
    return this.status === "PENDING" || this.status === "NEW" || this.status === "PARTIALLY_FILLED";
  }

  /** As the ledger would hand it to the venue. */
  get current(): Order {
    return {
      ...this.order,
      quantity: this.terms.quantity,
      price: this.terms.price,
      stopPrice: this.terms.stopPrice,
      status: this.status,
      exchangeOrderId: this.exchangeOrderId,
      pendingReplacement: this.pendingReplacement,
      filledQuantity: this.filled,
    };
  }
}

/** Keeps what a venue reports, as strictly as the ledger does, and remembers what should not have been. */
export class VenueLedger {
  readonly orders = new Map<string, LedgerOrder>();
  readonly faults: string[] = [];
  readonly gaps: string[] = [];

  add(order: Order): LedgerOrder {
    const known = new LedgerOrder(order);
    this.orders.set(order.clientOrderId, known);
    return known;
  }

  readonly take = (event: VenueEvent): Promise<void> => {
    if (event.kind === "gap") this.gaps.push(event.reason);
    else if (event.kind === "order") this.apply(event.clientOrderId, event.report);
    return Promise.resolve();
  };

  apply(clientOrderId: string, report: OrderReport): void {
    const known = this.orders.get(clientOrderId);
    if (known === undefined) {
      this.faults.push(`${report.kind} of an unknown order ${clientOrderId}`);
      return;
    }
    known.report(report);
    switch (report.kind) {
      case "accepted":
        if (known.status === "PENDING") known.status = "NEW";
        known.exchangeOrderId ??= report.exchangeOrderId;
        return;
      case "filled": {
        const { fill } = report;
        const before = known.fills.get(fill.exchangeFillId);
        if (before !== undefined) {
          if (!before.quantity.eq(fill.quantity) || !before.price.eq(fill.price))
            this.faults.push("a fill has changed");
          return;
        }
        if (known.status === "PENDING") this.faults.push("filled before it was accepted");
        if (!known.isOpen) this.faults.push(`filled after ${known.status}`);
        known.fills.set(fill.exchangeFillId, fill);
        if (known.filled.gt(known.terms.quantity)) this.faults.push("overfilled");
        known.status = known.filled.gte(known.terms.quantity) ? "FILLED" : "PARTIALLY_FILLED";
        return;
      }
      case "rejected":
        if (known.status !== "PENDING" && known.status !== "REJECTED")
          this.faults.push(`rejected after ${known.status}`);
        known.status = "REJECTED";
        known.rejectCode = report.code;
        return;
      case "cancelled":
      case "expired":
        if (known.status === "FILLED" || known.status === "REJECTED") this.faults.push(`ended after ${known.status}`);
        known.status = report.kind === "cancelled" ? "CANCELLED" : "EXPIRED";
        known.pendingReplacement = null;
        return;
      case "replaced":
        known.terms = { ...report.terms };
        known.exchangeOrderId = report.exchangeOrderId ?? known.exchangeOrderId;
        known.pendingReplacement = null;
        if (known.filled.gte(known.terms.quantity)) known.status = "FILLED";
        return;
      case "replaceRefused":
        known.pendingReplacement = null;
        known.refusals.push(report.reason);
        return;
      case "cancelRefused":
        known.refusals.push(report.reason);
        return;
      case "triggered":
        return;
      default:
        report satisfies never;
    }
  }
}
