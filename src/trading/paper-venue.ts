import { Decimal } from "../core/decimal.js";
import { DomainError, errorMessage } from "../core/errors.js";
import { groupBy } from "../core/group-by.js";
import type { Logger } from "../core/logger.js";
import { backoffDelayMs, type Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { Leaderships } from "../db/leadership.js";
import type { FundingRateEvent } from "../market-data/events.js";
import type { Ledger } from "./ledger.js";
import type { LedgerAccount, LedgerDraft, VenueCommand } from "./ledger-draft.js";
import { isOpen } from "./order.js";
import type { OrderVenue } from "./order-desk.js";
import { PaperEngine } from "./paper/paper-engine.js";
import type { TradingMarkets } from "./trading-markets.js";
import type { VenueEvent } from "./venue.js";
import { VenueLease } from "./venue-lease.js";

export interface PaperVenueOptions {
  readonly database: Database;
  readonly leaderships: Leaderships;
  readonly ledger: Ledger;
  readonly markets: TradingMarkets;
  readonly clock: Clock;
  readonly log: Logger;
  /** Calls back when the price or the book of a symbol may have changed. Returns the function that ends it. */
  readonly watchMarket: (symbolId: number, listener: () => void) => () => void;
}

const tickMs = 1_000;
const rememberedOrders = 10_000;
/** Between two attempts with an account that could not be booked. */
const firstRetryMs = 1_000;
const lastRetryMs = 60_000;

/** An account that the engine knows; another object when it was read anew. */
interface Holder {
  readonly userId: string;
  /** Bookings of it that are under way. */
  pending: number;
}

/** What could not be booked of an account lately. */
interface Fault {
  readonly userId: string;
  readonly failures: number;
  readonly retryAtMs: number;
}

/**
 * Runs the paper venue: gives it the live prices, and books what it does. One process of an installation does, for as long
 * as it holds the lease; orders that others have stored meanwhile it finds in the database. The ledger is the truth: when
 * something could not be booked, the venue forgets the account and begins anew from there, a little later, while the others
 * trade on; when nothing can be booked it forgets everything.
 */
export class PaperVenue implements OrderVenue {
  readonly #lease: VenueLease;
  readonly #ledger: Ledger;
  readonly #timer: NodeJS.Timeout;
  readonly #markets = new Map<number, () => void>();
  readonly #holders = new Map<string, Holder>();
  /** By account, until something of it is booked again. One that is no holder is set aside. */
  readonly #faults = new Map<string, Fault>();
  #engine: PaperEngine | null = null;
  #starting: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #pending = new Set<Promise<unknown>>();
  #closed = false;

  constructor(private readonly options: PaperVenueOptions) {
    this.#lease = new VenueLease(options.leaderships, "paper", (isHeld) => {
      if (isHeld && this.#engine === null) this.#begin();
      else if (!isHeld) this.#forget();
    });
    this.#ledger = options.ledger.ledBy(() => this.#lease.term);
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Whether it works here, and has read everything. */
  get isRunning(): boolean {
    return this.#engine !== null;
  }

  /** Whether everything that it did is booked. */
  get isIdle(): boolean {
    return this.isRunning && this.#pending.size === 0 && this.#looking === undefined;
  }

  /** Fulfilled when it works, or another process has the lease. */
  async start(): Promise<void> {
    await this.#lease.start();
    await this.#starting;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#forget();
    await this.#starting;
    await this.#looking;
    await Promise.allSettled(this.#pending);
    await this.#lease.close();
  }

  takes({ environment }: LedgerAccount): boolean {
    return environment === "PAPER";
  }

  /** What it does at once with what is asked in the draft becomes part of the same change. */
  react(draft: LedgerDraft): void {
    const engine = this.#engine;
    if (engine === null || draft.account.environment !== "PAPER") return;
    if (draft.commands.length === 0) return;
    const { term } = this.#lease;
    const { id: accountId } = draft.account;
    if (term === null || this.#isSetAside(accountId)) return;
    draft.term = term;
    const holder = this.#holders.get(accountId) ?? this.#introduce(engine, draft);
    draft.whenLost((error) => this.#lost(accountId, holder, error, []));
    while (draft.commands.length > 0) {
      const commands = draft.commands;
      draft.commands = [];
      for (const command of commands) {
        const own: VenueEvent[] = [];
        for (const event of this.#perform(engine, command, draft.now)) {
          const isOfDraft = event.kind === "order" && draft.orderByClientId(event.clientOrderId) !== undefined;
          if (isOfDraft && event.accountId === accountId) own.push(event);
          else this.#book([event]);
        }
        // After the others: those are booked, whatever becomes of this change.
        for (const event of own) draft.applyVenueEvent(event);
      }
    }
    if (holder.pending === 0) tellAccount(engine, draft);
  }

  #perform(engine: PaperEngine, command: VenueCommand, now: Date): VenueEvent[] {
    try {
      return [...this.#watch(engine, command.order.symbolId, now), ...perform(engine, command, now)];
    } catch (error) {
      // What it has done for others by then nobody knows.
      this.#restart();
      throw error;
    }
  }

  /** What could not be done at once is found in the database by whoever runs the venue. */
  send(): void {
    this.look();
  }

  onFundingRate(event: FundingRateEvent): void {
    const now = new Date(this.options.clock.nowMs());
    const markPrice = event.markPrice === null ? null : new Decimal(event.markPrice);
    this.#act((engine) =>
      engine.onFundingRate(event.symbolId, new Decimal(event.rate), markPrice, new Date(event.fundingTimeMs), now),
    );
  }

  /** Looks for orders that wait for the venue, because another node has stored them. */
  look(): void {
    if (this.#engine === null || this.#closed) return;
    this.#looking ??= this.#catchUp()
      .catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, "paper.look-failed"))
      .finally(() => {
        this.#looking = undefined;
      });
  }

  #tick(): void {
    this.look();
    this.#act((engine) => engine.tick(new Date(this.options.clock.nowMs())));
  }

  #act(work: (engine: PaperEngine) => VenueEvent[]): void {
    const engine = this.#engine;
    if (engine === null) return;
    try {
      this.#book(work(engine));
    } catch (error) {
      this.options.log.error({ err: error }, "paper.failed");
      this.#restart();
    }
  }

  #begin(): void {
    this.#starting ??= this.#load()
      .catch((error: unknown) => {
        this.options.log.warn({ error: errorMessage(error) }, "paper.start-failed");
        this.#forget();
      })
      .finally(() => {
        this.#starting = undefined;
      });
  }

  #restart(): void {
    if (this.#engine === null) return;
    this.#forget();
    this.options.log.warn({}, "paper.restarted");
  }

  #forget(): void {
    this.#engine = null;
    this.#holders.clear();
    this.#faults.clear();
    for (const stop of this.#markets.values()) stop();
    this.#markets.clear();
  }

  /** Reads every paper account that has something open. */
  async #load(): Promise<void> {
    const { database, markets } = this.options;
    const begun = this.#lease.term;
    // What was decided before must be booked, or lost, before it is read.
    await Promise.allSettled(this.#pending);
    const engine = new PaperEngine({
      symbolOf: (id) => markets.symbol(id),
      dayEndOf: (symbolId, placedAt) => markets.dayEnd(symbolId, placedAt),
      rememberedOrders,
    });
    const rows = await database.sql<{ account_id: string; user_id: string }[]>`select * from paper_accounts()`;
    const symbols = new Set<number>();
    for (const { account_id: accountId, user_id: userId } of rows) {
      await this.#ledger.change(userId, { accountId, openOrdersOf: "all" }, (draft) => {
        for (const id of this.#restore(engine, draft)) symbols.add(id);
      });
    }
    // Another process may have booked meanwhile what this one has not read.
    if (this.#closed || begun === null || this.#lease.term?.term !== begun.term) return;
    this.#engine = engine;
    for (const id of symbols) this.#book(this.#watch(engine, id, new Date(this.options.clock.nowMs())));
    this.look();
  }

  /** Gives the engine all that the ledger has of an account. Returns the symbols that it has something of. */
  #restore(engine: PaperEngine, draft: LedgerDraft): Set<number> {
    this.#introduce(engine, draft);
    const open = [...draft.orders()].map(({ order }) => order).filter(isOpen);
    open.sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1));
    for (const order of open) {
      engine.restore(order);
      // Whoever ended the account has not come to its orders.
      if (draft.account.status === "INACTIVE") draft.apply(order.id, { kind: "cancelRequested", at: draft.now });
    }
    return new Set([...open, ...Array.from(draft.positions(), ({ position }) => position)].map((one) => one.symbolId));
  }

  #introduce(engine: PaperEngine, draft: LedgerDraft): Holder {
    const { id: accountId, userId } = draft.account;
    const holder = { userId, pending: 0 };
    this.#holders.set(accountId, holder);
    tellAccount(engine, draft);
    return holder;
  }

  /** From now on the engine sees the symbol's market. */
  #watch(engine: PaperEngine, symbolId: number, now: Date): VenueEvent[] {
    if (this.#markets.has(symbolId)) return [];
    const { watchMarket, clock } = this.options;
    this.#markets.set(
      symbolId,
      watchMarket(symbolId, () => {
        if (this.#engine === engine) this.#act(() => this.#show(engine, symbolId, new Date(clock.nowMs())));
      }),
    );
    return this.#show(engine, symbolId, now);
  }

  #show(engine: PaperEngine, symbolId: number, now: Date): VenueEvent[] {
    const view = this.options.markets.view(symbolId);
    return view === null ? [] : engine.onMarket(symbolId, view, now);
  }

  /** Books what has happened, each account's in its order. */
  #book(events: readonly VenueEvent[]): void {
    if (events.length === 0) return;
    for (const [accountId, ofAccount] of groupBy(events, (event) => event.accountId)) {
      const holder = this.#holders.get(accountId);
      if (holder === undefined) continue;
      const orders = ofAccount.flatMap((event) => (event.kind === "order" ? [event.clientOrderId] : []));
      const scope = {
        accountId,
        clientOrderIds: [...new Set(orders)],
        exchangeFillIds: ofAccount.flatMap((event) =>
          event.kind === "order" && event.report.kind === "filled" ? [event.report.fill.exchangeFillId] : [],
        ),
        ofAccount: ofAccount.some(({ kind }) => kind !== "order"),
      };
      const engine = this.#engine;
      holder.pending++;
      const booked = this.#ledger
        .change(holder.userId, scope, (draft) => {
          // The account was read anew meanwhile: what the engine did before does not count.
          if (holder !== this.#holders.get(accountId)) return;
          for (const event of ofAccount) {
            const applied = draft.applyVenueEvent(event);
            if (applied?.kind === "refused")
              this.options.log.error({ accountId, code: applied.code, event: event.kind }, "paper.refused");
          }
          this.react(draft);
          if (engine !== null && holder.pending === 1) tellAccount(engine, draft);
        })
        .then(() => {
          if (holder === this.#holders.get(accountId)) this.#faults.delete(accountId);
        })
        .catch((error: unknown) => this.#lost(accountId, holder, error, scope.clientOrderIds))
        .finally(() => {
          holder.pending--;
          this.#pending.delete(booked);
        });
      this.#pending.add(booked);
    }
  }

  /**
   * Nothing has come of what the engine did for an account. It is set aside for a while, as the ledger has it: its orders stay
   * open, and nothing is booked of them until it is read again. The others go on, unless the ledger takes nothing at all.
   * @param orders client order ids of those that something had happened to
   */
  #lost(accountId: string, holder: Holder, error: unknown, orders: readonly string[]): void {
    // It was told already, or read anew since.
    if (holder !== this.#holders.get(accountId)) return;
    if (isUnavailable(error)) {
      this.options.log.warn({ accountId, orders, error: errorMessage(error) }, "paper.not-booked");
      this.#restart();
      return;
    }
    const { userId } = holder;
    const failures = this.#faults.get(accountId)?.failures ?? 0;
    const retryMs = backoffDelayMs(failures, firstRetryMs, lastRetryMs, Math.random);
    this.#faults.set(accountId, { userId, failures: failures + 1, retryAtMs: this.options.clock.nowMs() + retryMs });
    this.#holders.delete(accountId);
    this.#engine?.forget(accountId);
    this.options.log.error({ accountId, orders, retryMs, error: errorMessage(error) }, "paper.account-set-aside");
  }

  #isSetAside(accountId: string): boolean {
    return this.#faults.has(accountId) && !this.#holders.has(accountId);
  }

  /** Reads the accounts that were set aside long enough. */
  async #takeBack(engine: PaperEngine): Promise<void> {
    for (const [accountId, { userId, retryAtMs }] of this.#faults) {
      if (!this.#isSetAside(accountId) || retryAtMs > this.options.clock.nowMs()) continue;
      await this.#ofOne(accountId, async () => {
        const { result: symbols } = await this.#ledger.change(userId, { accountId, openOrdersOf: "all" }, (draft) =>
          engine === this.#engine ? this.#restore(engine, draft) : [],
        );
        const now = new Date(this.options.clock.nowMs());
        for (const id of symbols) {
          if (engine !== this.#engine) return;
          // The price may have passed its orders meanwhile, and not move again for long.
          this.#act(() => (this.#markets.has(id) ? this.#show(engine, id, now) : this.#watch(engine, id, now)));
        }
      });
    }
  }

  /** What one account comes to is no reason for those behind it to wait. @throws when nothing can be booked at all */
  async #ofOne(accountId: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isUnavailable(error)) throw error;
      this.options.log.warn({ accountId, error: errorMessage(error) }, "paper.look-failed");
    }
  }

  async #catchUp(): Promise<void> {
    const { database } = this.options;
    if (this.#engine !== null) await this.#takeBack(this.#engine);
    const rows = await database.sql<{ account_id: string; user_id: string }[]>`select * from waiting_paper_accounts()`;
    for (const { account_id: accountId, user_id: userId } of rows) {
      if (this.#engine === null) return;
      if (this.#isSetAside(accountId)) continue;
      await this.#ofOne(accountId, () =>
        this.#ledger.change(userId, { accountId, openOrdersOf: "all" }, (draft) => {
          for (const { order } of draft.orders()) {
            if (!isOpen(order)) continue;
            if (order.status === "PENDING") draft.commands.push({ command: "place", order });
            if (order.pendingReplacement !== null) draft.commands.push({ command: "replace", order });
            if (order.cancelRequestedAt !== null) draft.commands.push({ command: "cancel", order });
          }
          this.react(draft);
        }),
      );
    }
  }
}

/**
 * Wallets and positions as they are in the draft, while nothing else of the account waits to be booked: what the engine cannot
 * know (what a loss or a funding payment has taken beyond what was there, a movement of the account's own) is known from then on.
 */
function tellAccount(engine: PaperEngine, draft: LedgerDraft): void {
  engine.restoreAccount({
    accountId: draft.account.id,
    wallets: new Map([...draft.balances].map(([asset, { available, locked }]) => [asset, available.plus(locked)])),
    positions: Array.from(draft.positions(), ({ position }) => position).filter(({ status }) => status === "OPEN"),
  });
}

/** Whether nothing at all can be booked here now. */
const isUnavailable = (error: unknown): boolean =>
  error instanceof DomainError && error.code === "PROVIDER_UNAVAILABLE";

function perform(engine: PaperEngine, { command, order }: VenueCommand, now: Date): VenueEvent[] {
  switch (command) {
    case "place":
      return engine.place(order, now);
    case "cancel":
      return engine.cancel(order, now);
    case "replace":
      return order.pendingReplacement === null ? [] : engine.replace(order, order.pendingReplacement, now);
  }
}
