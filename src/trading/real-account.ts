import { DomainError, errorMessage } from "../core/errors.js";
import { backoffDelayMs } from "../core/time.js";
import { AccountSync, type AccountSyncOptions } from "./account-sync.js";
import type { LedgerDraft, VenueCommand } from "./ledger-draft.js";
import { isOpen, type Order } from "./order.js";
import type { OrderEvent, OrderReport } from "./order-event.js";
import type { VenueAnswer, VenueEvent, VenueWatch } from "./venue.js";

export interface RealAccountOptions extends Omit<AccountSyncOptions, "onSynced"> {
  /** Whether this process is still the one that works for accounts. */
  readonly mayWork: () => Promise<boolean>;
}

/** An order that has waited longer than this is not sent any more: the market is another one. */
const sendableMs = 60_000;
/** Orders of one account that are asked about at the same time. */
const atOnce = 5;
const maxSteps = 8;
const firstRetryMs = 1_000;
const lastRetryMs = 5_000;

/**
 * One account at an exchange: hands over what the ledger wants done, books what the exchange says, and compares orders and
 * balances. What an order needs is seen from the order itself, so nothing is forgotten when the program ends.
 */
export class RealAccount {
  readonly userId: string;
  readonly keysUpdatedAt: string | null;
  readonly #options: RealAccountOptions;
  readonly #sync: AccountSync;
  readonly #busy = new Set<string>();
  /** Orders whose last question had no answer, and when the next one is. As many as are open. */
  readonly #retries = new Map<string, { failures: number; atMs: number }>();
  readonly #working = new Set<Promise<void>>();
  #watch: VenueWatch | null = null;
  #looking: Promise<void> | undefined;
  /** Whether the next look asks to cancel what an account that was ended has open: once for each comparison. */
  #isEndDue = false;
  #isClosed = false;

  constructor(options: RealAccountOptions) {
    this.#options = options;
    this.userId = options.userId;
    this.keysUpdatedAt = options.keysUpdatedAt;
    const onSynced = () => {
      this.#follow();
      this.#isEndDue = true;
      this.look();
    };
    this.#sync = new AccountSync({ ...options, onSynced });
  }

  /** See `AccountSync`. */
  get isSynced(): boolean | null {
    return this.#sync.isSynced;
  }

  start(): void {
    this.#sync.start();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sync.close();
    await this.#watch?.close();
    await this.#looking;
    await Promise.allSettled(this.#working);
  }

  /** What was committed is handed over now. */
  send(commands: readonly VenueCommand[]): void {
    for (const { order } of commands) void this.#begin(order);
  }

  /** Looks for orders that wait for the exchange. */
  look(): void {
    this.#compare(false);
  }

  async readOrder(orderId: string): Promise<Order | null> {
    const { ledger, userId, accountId } = this.#options;
    const scope = { accountId, orderIds: [orderId] };
    return (await ledger.change(userId, scope, (draft) => draft.order(orderId)?.order ?? null)).result;
  }

  /** From then on the exchange tells of every change; it begins with a gap. */
  #follow(): void {
    if (this.#isClosed) return;
    this.#watch ??= this.#options.venue.watch(this.#options.accountId, (event) => this.#take(event));
  }

  async #take(event: VenueEvent): Promise<void> {
    if (event.kind === "gap") {
      this.#options.log.info({ accountId: event.accountId, reason: event.reason }, "exchanges.compare");
      this.#compare(true);
      this.#sync.soon();
    } else if (event.kind === "order") await this.#book({ clientOrderId: event.clientOrderId }, [event.report]);
  }

  /** Asks about open orders: all of them, or those that wait. One round at a time; a round for all is never left out. */
  #compare(isForced: boolean): void {
    if (this.#isClosed || (this.#looking !== undefined && !isForced)) return;
    const looking: Promise<void> = (this.#looking ?? Promise.resolve())
      .then(() => this.#askAll(isForced))
      .finally(() => {
        if (this.#looking === looking) this.#looking = undefined;
      });
    this.#looking = looking;
  }

  async #askAll(isForced: boolean): Promise<void> {
    const { ledger, userId, accountId, log } = this.#options;
    try {
      const isEndDue = this.#isEndDue;
      this.#isEndDue = false;
      const { result: orders } = await ledger.change(userId, { accountId, openOrdersOf: "all" }, (draft) => {
        // The exchange may have refused it, or nobody has come to ask.
        if (isEndDue && draft.account.status === "INACTIVE")
          for (const { order } of Array.from(draft.orders()).filter(({ order }) => isOpen(order)))
            draft.apply(order.id, { kind: "cancelRequested", at: draft.now });
        cancelOthers(draft);
        return Array.from(draft.orders(), ({ order }) => order).filter(
          (order) => isOpen(order) && (isForced || actionOf(order) !== null),
        );
      });
      for (let from = 0; from < orders.length && !this.#isClosed; from += atOnce)
        await Promise.all(orders.slice(from, from + atOnce).map((order) => this.#begin(order, isForced)));
    } catch (error) {
      log.warn({ accountId, error: errorMessage(error) }, "exchanges.look-failed");
    }
  }

  #begin(order: Order, isForced = false): Promise<void> {
    const { id } = order;
    const retry = this.#retries.get(id);
    const isEarly = retry !== undefined && retry.atMs > this.#options.clock.nowMs();
    if (this.#isClosed || this.#busy.has(id) || (isEarly && !isForced)) return Promise.resolve();
    this.#busy.add(id);
    const work: Promise<void> = this.#work(order, isForced)
      .catch((error: unknown) => {
        const { accountId, log } = this.#options;
        log.warn({ accountId, orderId: id, error: errorMessage(error) }, "exchanges.order-not-handled");
        this.#retryLater(id);
      })
      .finally(() => {
        this.#busy.delete(id);
        this.#working.delete(work);
      });
    this.#working.add(work);
    return work;
  }

  /** Does what the order needs, one thing after the other, until it needs nothing or there is no answer. */
  async #work(first: Order, isForced: boolean): Promise<void> {
    let order: Order | null = first;
    for (let steps = 0; order !== null && steps < maxSteps && !this.#isClosed; steps++) {
      const { id } = order;
      const action = actionOf(order) ?? (isForced && steps === 0 ? "find" : null);
      if (action === null || !isOpen(order)) {
        this.#retries.delete(id);
        return;
      }
      // Who has it now sends the order, or has sent it.
      if (action !== "find" && !(await this.#options.mayWork()))
        throw new Error("another process works for the account");
      const answer = await this.#ask(order, action);
      const before = order;
      if (answer.kind === "unknown") {
        this.#options.log.info({ orderId: id, action, reason: answer.reason }, "exchanges.no-answer");
        // Only a question that could have changed something leaves a doubt.
        const doubt: OrderEvent = { kind: "unconfirmed", at: this.#now(), reason: answer.reason };
        if (action !== "find") await this.#book({ orderId: id }, [doubt]);
        this.#retryLater(id);
        return;
      }
      const reports = answer.kind === "missing" ? [missingReport(order, this.#now())] : answer.reports;
      order = await this.#book({ orderId: id }, reports);
      // Nothing new: what is missing comes by the stream, or is asked for later.
      if (order !== null && order.version === before.version && actionOf(order) !== null) {
        this.#retryLater(id);
        return;
      }
    }
  }

  #ask(order: Order, action: Action): Promise<VenueAnswer | { readonly kind: "missing" }> {
    const { venue, clock } = this.#options;
    switch (action) {
      case "place":
        return clock.nowMs() - order.createdAt.getTime() > sendableMs ? venue.find(order) : venue.place(order);
      case "replace":
        return order.pendingReplacement === null ? venue.find(order) : venue.replace(order, order.pendingReplacement);
      case "cancel":
        return venue.cancel(order);
      case "find":
        return venue.find(order);
    }
  }

  /**
   * Books what is new of it, and hands over what follows from it. Null: there is no such order here.
   * @throws when it could not be booked now, but may be later
   */
  async #book(
    which: { readonly orderId: string } | { readonly clientOrderId: string },
    events: readonly (OrderReport | OrderEvent)[],
  ): Promise<Order | null> {
    const { ledger, userId, accountId } = this.#options;
    const exchangeFillIds = events.flatMap((event) => (event.kind === "filled" ? [event.fill.exchangeFillId] : []));
    const named = "orderId" in which ? { orderIds: [which.orderId] } : { clientOrderIds: [which.clientOrderId] };
    const keptOf = (draft: LedgerDraft) =>
      "orderId" in which ? draft.order(which.orderId) : draft.orderByClientId(which.clientOrderId);
    const refused: { kind: string; code: string }[] = [];
    try {
      const written = await ledger.change(userId, { accountId, exchangeFillIds, ...named }, (draft) => {
        refused.length = 0;
        const id = keptOf(draft)?.order.id;
        if (id === undefined) return null;
        for (const event of events) {
          const applied = draft.apply(id, event);
          if (applied.kind === "refused") refused.push({ kind: event.kind, code: applied.code });
        }
        // A refusal is not answered at once; it is asked again with the next comparison.
        if (!events.some(({ kind }) => kind === "cancelRefused")) cancelOthers(draft);
        return draft.order(id)?.order ?? null;
      });
      for (const { kind, code } of refused) this.#refused(kind, code);
      this.send(written.commands.filter(({ order }) => order.id !== written.result?.id));
      return written.result;
    } catch (error) {
      const isLater =
        error instanceof DomainError && (error.code === "PROVIDER_UNAVAILABLE" || error.code === "RATE_LIMITED");
      const told = events.find(({ kind }) => kind === "filled") ?? events[0];
      if (!isLater) this.#refused(told?.kind ?? "nothing", error instanceof DomainError ? error.code : "INTERNAL");
      // A rule of ours stands against it, now and later: the events behind it must not wait for that.
      if (!isLater && error instanceof DomainError) return null;
      throw error;
    }
  }

  /** An execution that cannot be booked is for people to look at; the rest is old news. */
  #refused(kind: string, code: string): void {
    const { accountId, log } = this.#options;
    const isMoney = kind === "filled";
    log[isMoney ? "error" : "info"]({ accountId, event: kind, code }, "exchanges.refused");
    if (isMoney) this.#sync.fault(`an execution that the exchange reports does not fit the order here (${code})`);
  }

  #retryLater(id: string): void {
    const failures = this.#retries.get(id)?.failures ?? 0;
    const delayMs = backoffDelayMs(failures, firstRetryMs, lastRetryMs, Math.random);
    this.#retries.set(id, { failures: failures + 1, atMs: this.#options.clock.nowMs() + delayMs });
  }

  #now(): Date {
    return new Date(this.#options.clock.nowMs());
  }
}

/**
 * Of the stop-loss and the take-profit of the same fills, the exchange knows nothing of the other: when one is reached, the
 * other is to be cancelled. Of several pairs, those of one kind are reached by the same price.
 */
function cancelOthers(draft: LedgerDraft): void {
  const legs = Array.from(draft.orders(), ({ order }) => order).filter(({ parentOrderId }) => parentOrderId !== null);
  const reached = legs.filter((leg) => leg.triggeredAt !== null || leg.filledQuantity.gt(0));
  for (const leg of legs) {
    const isOther = (one: Order) => one.parentOrderId === leg.parentOrderId && one.orderType !== leg.orderType;
    if (isOpen(leg) && leg.cancelRequestedAt === null && reached.some(isOther))
      draft.apply(leg.id, { kind: "cancelRequested", at: draft.now });
  }
}

type Action = "place" | "cancel" | "replace" | "find";

/** What an open order needs of the exchange. An order that may have been sent is looked for before anything else. */
function actionOf(order: Order): Action | null {
  if (order.status === "PENDING") return order.isUnconfirmed ? "find" : "place";
  if (order.cancelRequestedAt !== null) return "cancel";
  return order.pendingReplacement !== null ? "replace" : null;
}

/** What the exchange has never had, and will not get any more, has not happened. */
const missingReport = (order: Order, at: Date): OrderReport =>
  order.status === "PENDING"
    ? { kind: "rejected", at, code: "VENUE_REJECTED", reason: "the order did not reach the exchange" }
    : { kind: "cancelled", at, reason: "the exchange does not have the order" };
