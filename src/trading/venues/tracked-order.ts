import { Decimal } from "../../core/decimal.js";
import type { Order, ReplaceableTerms } from "../order.js";
import type { OrderReport } from "../order-event.js";
import type { ExchangeFill, ExchangeOrder } from "./read-answers.js";

/** One order at the exchange. Where a replacement is a new order there, an order of ours has several after each other. */
interface Leg {
  readonly exchangeOrderId: string;
  readonly fillIds: Set<string>;
  filled: Decimal;
  /** What the exchange says has been filled; more than `filled` while fills are on their way. */
  told: Decimal;
  quantity: Decimal | null;
  end: "filled" | "cancelled" | "expired" | null;
  endedAtMs: number;
  isReported: boolean;
}

/** A replacement that is under way: the end of the order before is not the end of ours. */
export interface Replacement {
  readonly clientId: string;
  readonly terms: ReplaceableTerms;
}

/** A refusal, and after how many reports it came. */
export interface PlacedReport {
  readonly report: OrderReport;
  readonly after: number;
}

const endReasons = { cancelled: "cancelled at the exchange", expired: "expired at the exchange" } as const;

/**
 * What is known of one order, from answers, streams and searches in any order and any number of times. The reports that come
 * of it tell each thing once: first that the order is accepted, each fill, and its end after its last fill.
 */
export class TrackedOrder {
  /** From the acceptance on. */
  readonly reports: OrderReport[] = [];
  readonly order: Order;
  readonly #legs: Leg[] = [];
  readonly #onReport: (report: OrderReport) => void;
  #terms: ReplaceableTerms;
  replacement: Replacement | null = null;
  isEnded = false;

  constructor(order: Order, onReport: (report: OrderReport) => void) {
    this.order = order;
    this.#terms = order;
    this.#onReport = onReport;
  }

  /** The order at the exchange that stands for ours now. */
  get exchangeOrderId(): string | null {
    return this.#legs.at(-1)?.exchangeOrderId ?? null;
  }

  get exchangeOrderIds(): string[] {
    return this.#legs.map(({ exchangeOrderId }) => exchangeOrderId);
  }

  get isAccepted(): boolean {
    return this.#legs.length > 0;
  }

  get filled(): Decimal {
    return this.#legs.reduce((sum, { filled }) => sum.plus(filled), new Decimal(0));
  }

  get terms(): ReplaceableTerms {
    return this.#terms;
  }

  /** Ids at the exchange of which it has told of fills that have not come. */
  get missingFillsOf(): string[] {
    return this.#legs.filter(({ filled, told }) => filled.lt(told)).map(({ exchangeOrderId }) => exchangeOrderId);
  }

  has(exchangeOrderId: string): boolean {
    return this.#legs.some((leg) => leg.exchangeOrderId === exchangeOrderId);
  }

  /** @param nowMs where the exchange tells no time */
  sawOrder(seen: ExchangeOrder, nowMs: number): void {
    const leg = this.#leg(seen.exchangeOrderId, seen.atMs ?? nowMs);
    if (seen.quantity !== null) leg.quantity = seen.quantity;
    // Whatever comes late says less than what is known: neither amounts nor ends are taken back.
    if (seen.filled?.gt(leg.told)) leg.told = seen.filled;
    const { state } = seen;
    if (leg.end === null && state !== null && state !== "open") {
      leg.end = state === "rejected" ? "cancelled" : state;
      leg.endedAtMs = seen.atMs ?? nowMs;
    }
    this.#settle();
  }

  sawFill({ exchangeOrderId, fill }: ExchangeFill): void {
    if (exchangeOrderId === null) return;
    const leg = this.#leg(exchangeOrderId, fill.filledAt.getTime());
    if (leg.fillIds.has(fill.exchangeFillId)) return;
    leg.fillIds.add(fill.exchangeFillId);
    leg.filled = leg.filled.plus(fill.quantity);
    leg.told = Decimal.max(leg.told, leg.filled);
    this.#report({ kind: "filled", at: fill.filledAt, fill });
    this.#settle();
  }

  rejected(report: Extract<OrderReport, { kind: "rejected" }>): void {
    this.isEnded = true;
    this.#report(report);
  }

  /** A refusal is no part of the order's life: told again, it would be taken for the answer to another request. */
  refused(kind: "cancelRefused" | "replaceRefused", reason: string, nowMs: number): PlacedReport {
    const report: OrderReport = { kind, at: new Date(nowMs), reason };
    this.#onReport(report);
    return { report, after: this.reports.length };
  }

  /** The exchange has changed the order in its place. */
  amended(terms: ReplaceableTerms, nowMs: number): void {
    this.#terms = terms;
    this.replacement = null;
    this.#report({ kind: "replaced", at: new Date(nowMs), terms: pick(terms), exchangeOrderId: null });
    this.#settle();
  }

  /** The replacement came to nothing: what ended for it is the end of the order. */
  replacementFailed(reason: string, nowMs: number): PlacedReport {
    this.replacement = null;
    const refusal = this.refused("replaceRefused", reason, nowMs);
    this.#settle();
    return refusal;
  }

  /** What an answer brings: all of the order's life, but of its replacements only the last, with a refusal in its place. */
  answerWith(refusal: PlacedReport | null): OrderReport[] {
    const all = refusal === null ? [...this.reports] : this.reports.toSpliced(refusal.after, 0, refusal.report);
    const last = all.findLast(({ kind }) => kind === "replaced");
    return all.filter((report) => report.kind !== "replaced" || report === last);
  }

  /** A new order at the exchange has taken the place of the one before. */
  replaced(by: ExchangeOrder, terms: ReplaceableTerms, nowMs: number): void {
    if (!this.has(by.exchangeOrderId)) {
      this.#succeed(by.exchangeOrderId);
      this.#terms = terms;
      const at = new Date(by.atMs ?? nowMs);
      this.#report({ kind: "replaced", at, terms: pick(terms), exchangeOrderId: by.exchangeOrderId });
    }
    this.replacement = null;
    this.sawOrder(by, nowMs);
  }

  /** All orders at the exchange that have stood for ours, by replacements that are part of the order that we were given. */
  retraced(legs: readonly ExchangeOrder[], nowMs: number): void {
    for (const { exchangeOrderId, atMs } of legs) {
      if (this.isAccepted && !this.has(exchangeOrderId)) this.#succeed(exchangeOrderId);
      else this.#leg(exchangeOrderId, atMs ?? nowMs);
    }
    for (const leg of legs) this.sawOrder(leg, nowMs);
  }

  #succeed(exchangeOrderId: string): void {
    const before = this.#legs.at(-1);
    if (before !== undefined) before.isReported = true;
    this.#addLeg(exchangeOrderId);
  }

  #leg(exchangeOrderId: string, atMs: number): Leg {
    const known = this.#legs.find((leg) => leg.exchangeOrderId === exchangeOrderId);
    if (known !== undefined) return known;
    const isFirst = this.#legs.length === 0;
    const leg = this.#addLeg(exchangeOrderId);
    if (isFirst) this.#report({ kind: "accepted", at: new Date(atMs), exchangeOrderId });
    return leg;
  }

  #addLeg(exchangeOrderId: string): Leg {
    const zero = new Decimal(0);
    const leg: Leg = {
      exchangeOrderId,
      fillIds: new Set(),
      filled: zero,
      told: zero,
      quantity: null,
      end: null,
      endedAtMs: 0,
      isReported: false,
    };
    this.#legs.push(leg);
    return leg;
  }

  /** The end is told when the last fill is. */
  #settle(): void {
    const leg = this.#legs.at(-1);
    if (leg === undefined || leg.end === null || leg.isReported || this.isEnded) return;
    if (this.missingFillsOf.length > 0 || this.replacement !== null) return;
    leg.isReported = this.isEnded = true;
    if (this.filled.gte(this.#terms.quantity)) return;
    const kind = leg.end === "cancelled" ? "cancelled" : "expired";
    this.#report({ kind, at: new Date(leg.endedAtMs), reason: endReasons[kind] });
  }

  #report(report: OrderReport): void {
    this.reports.push(report);
    this.#onReport(report);
  }
}

const pick = ({ quantity, price, stopPrice }: ReplaceableTerms): ReplaceableTerms => ({ quantity, price, stopPrice });
