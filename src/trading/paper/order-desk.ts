import { isOpen, type Order } from "../order.js";
import type { OrderReport } from "../order-event.js";
import { transition } from "../order-life.js";
import type { VenueEvent } from "../venue.js";
import type { PaperOrder } from "./paper-order.js";

/**
 * The orders of the paper venue and all that it has said of them. An order here is what its reports make of it, by the same
 * rules as in the ledger, so the venue cannot say what the ledger would refuse.
 */
export class OrderDesk {
  readonly #open = new Map<string, PaperOrder>();
  readonly #byAccount = new Map<string, Map<string, PaperOrder>>();
  readonly #reports = new Map<string, OrderReport[]>();
  /** With the account of each, oldest first. */
  readonly #ended = new Map<string, string>();
  #sequence = 0;
  #events: VenueEvent[] = [];

  /**
   * @param remembered how many orders that have ended are kept for questions; then the oldest is forgotten
   * @param onEnded told at once when an order is not open any more
   */
  constructor(
    private readonly remembered: number,
    private readonly onEnded: (order: Order) => void,
  ) {}

  /** Gives what was said meanwhile, in order. */
  collect(act: () => void): VenueEvent[] {
    this.#events = [];
    act();
    return this.#events;
  }

  enter(order: Order, expiresAt: Date | null): PaperOrder {
    const paper = { order, sequence: this.nextSequence(), extreme: null, shown: order.icebergQuantity, expiresAt };
    this.#open.set(order.id, paper);
    const own = this.#byAccount.get(order.accountId) ?? new Map<string, PaperOrder>();
    this.#byAccount.set(order.accountId, own.set(order.id, paper));
    this.#reports.set(order.id, []);
    return paper;
  }

  nextSequence(): number {
    return this.#sequence++;
  }

  get(id: string): PaperOrder | undefined {
    return this.#open.get(id);
  }

  /** The open ones of a list, as far as they are still open when their turn comes. */
  *stillOpen(ids: Iterable<string>): Generator<PaperOrder> {
    for (const id of ids) {
      const paper = this.#open.get(id);
      if (paper !== undefined) yield paper;
    }
  }

  all(): PaperOrder[] {
    return [...this.#open.values()];
  }

  /** In the order of arrival. */
  of(accountId: string): PaperOrder[] {
    return [...(this.#byAccount.get(accountId)?.values() ?? [])];
  }

  /** All that was said of an order; null when it is not known. */
  reportsOf(id: string): readonly OrderReport[] | null {
    return this.#reports.get(id) ?? null;
  }

  report(paper: PaperOrder, report: OrderReport): void {
    const next = transition(paper.order, report);
    if (next.kind !== "changed") {
      throw new Error(`the paper venue says ${report.kind} of a ${paper.order.status} order`);
    }
    paper.order = next.order;
    this.note(paper.order, report);
    this.say(paper.order, report);
    if (!isOpen(paper.order)) this.#end(paper.order);
  }

  /** Remembers a report that was made before. */
  note(order: Order, report: OrderReport): void {
    this.#reports.get(order.id)?.push(report);
  }

  say({ accountId, clientOrderId }: Order, report: OrderReport): void {
    this.#events.push({ kind: "order", accountId, clientOrderId, report });
  }

  sayAgain(order: Order): void {
    for (const report of this.#reports.get(order.id) ?? []) this.say(order, report);
  }

  tell(events: readonly VenueEvent[]): void {
    this.#events.push(...events);
  }

  /** Nothing is known of the account's orders any more. */
  forget(accountId: string): void {
    for (const { order } of this.of(accountId)) {
      this.#open.delete(order.id);
      this.#reports.delete(order.id);
      this.onEnded(order);
    }
    this.#byAccount.delete(accountId);
    for (const [id, owner] of this.#ended) {
      if (owner !== accountId) continue;
      this.#ended.delete(id);
      this.#reports.delete(id);
    }
  }

  #end(order: Order): void {
    this.#open.delete(order.id);
    const own = this.#byAccount.get(order.accountId);
    own?.delete(order.id);
    if (own?.size === 0) this.#byAccount.delete(order.accountId);
    this.#ended.set(order.id, order.accountId);
    const [oldest] = this.#ended.keys();
    if (oldest !== undefined && this.#ended.size > this.remembered) {
      this.#ended.delete(oldest);
      this.#reports.delete(oldest);
    }
    this.onEnded(order);
  }
}
