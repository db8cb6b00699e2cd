import type { Logger } from "../../core/logger.js";
import { rest } from "../../core/rest.js";
import { backoffDelayMs } from "../../core/time.js";
import type { Order, PositionMode } from "../order.js";
import type { OrderReport } from "../order-event.js";
import type { OpenOrders, VenueEvent, VenueWatch } from "../venue.js";
import { EventQueue } from "./event-queue.js";
import { type ExchangeLink, LinkError, type VenueSymbol } from "./exchange-link.js";
import { FuturesSetup } from "./futures-setup.js";
import { OrderCommands } from "./order-commands.js";
import { type Entry, OrderRegistry } from "./order-registry.js";
import { OrderSearch } from "./order-search.js";
import { type ExchangeOrder, readExchangeFill } from "./read-answers.js";

export interface SessionTuning {
  /** Between two comparisons with the exchange while orders are open. */
  readonly pollMs: number;
  readonly retryBaseMs: number;
  /** A stream whose beginning cannot be seen has begun after this long. */
  readonly settleMs: number;
  /** With a request that was sent, how long until it is sure that it does not arrive any more. */
  readonly arrivalMs: number;
}

export interface SessionOptions {
  readonly accountId: string;
  readonly link: ExchangeLink;
  readonly log: Logger;
  readonly tuning: SessionTuning;
  /** Since when what was sent for the account is remembered here. */
  readonly startedAtMs: number;
  readonly nowMs: () => number;
  /** Null when there is no such symbol. */
  readonly symbol: (id: number) => VenueSymbol | null;
  readonly readOrder: (accountId: string, orderId: string) => Promise<Order | null>;
  readonly positionMode: PositionMode;
}

const retryCapMs = 30_000;
/** The clocks of those who make orders and of those who send them. */
const clockSkewMs = 1_000;
/** Orders found by name that are being asked for; more of them wait for the next comparison. */
const maxStrangers = 100;
const maxSymbolsApart = 10;
const othersEveryMs = 5_000;

/** One account at one exchange: its orders, the stream of what happens to them, and comparisons with what the exchange has. */
export class AccountSession {
  readonly commands: OrderCommands;
  readonly link: ExchangeLink;
  readonly #options: SessionOptions;
  readonly #registry: OrderRegistry;
  readonly #search: OrderSearch;
  readonly #queues = new Set<EventQueue>();
  readonly #strangers = new Set<string>();
  readonly #refreshing = new Set<string>();
  readonly #futures: FuturesSetup | null;
  #toldOfOthersAtMs = 0;
  #streamsLost = 0;
  #comparedAtMs = 0;
  /** The exchange has answered once to the account's key. */
  isTried = false;
  #following: { readonly ending: AbortController; readonly done: Promise<unknown> } | null = null;

  constructor(options: SessionOptions) {
    const { link, nowMs, tuning } = options;
    this.#options = options;
    this.link = link;
    this.#registry = new OrderRegistry(link, nowMs, (order, report) => this.#tell(order, report));
    const symbol = (id: number): VenueSymbol => {
      const known = options.symbol(id);
      if (known !== null) return known;
      throw new LinkError({ kind: "refused", code: "SYMBOL_NOT_TRADING", reason: "there is no such symbol" });
    };
    const startedAtMs = options.startedAtMs + clockSkewMs;
    this.#search = new OrderSearch(link, this.#registry, { arrivalMs: tuning.arrivalMs, startedAtMs, nowMs, symbol });
    this.#futures = link.kind === "futures" ? new FuturesSetup(link, options.positionMode) : null;
    const futures = this.#futures;
    this.commands = new OrderCommands(link, this.#registry, this.#search, { startedAtMs, nowMs, symbol, futures });
  }

  async openOrders(): Promise<OpenOrders> {
    try {
      const orders: { clientOrderId: string | null; exchangeOrderId: string }[] = [];
      for (const seen of await this.#openThere(true)) {
        const orderId = this.#registry.orderIdOf(seen);
        const order = orderId === null ? null : await this.#orderOf(orderId);
        orders.push({ clientOrderId: order?.clientOrderId ?? null, exchangeOrderId: seen.exchangeOrderId });
      }
      return { kind: "answered", orders };
    } catch (error) {
      return { kind: "unknown", reason: this.link.failureOf(error).reason };
    }
  }

  watch(onEvent: (event: VenueEvent) => Promise<void>): VenueWatch {
    const { accountId, log, nowMs, tuning } = this.#options;
    const queue: EventQueue = new EventQueue(onEvent, {
      accountId,
      log,
      nowMs,
      retryBaseMs: tuning.retryBaseMs,
      onClosed: () => {
        this.#queues.delete(queue);
        if (this.#queues.size === 0) this.#following?.ending.abort();
      },
    });
    this.#queues.add(queue);
    queue.push({ kind: "gap", accountId, at: new Date(nowMs()), reason: "the account is watched from now on" });
    this.#follow();
    return queue;
  }

  /** What arrives from the stream. Called after each message, when ccxt's caches have it. */
  drain(): void {
    const { exchange } = this.link;
    const { orders, myTrades } = exchange;
    if (orders != null) for (const seen of this.link.readOrders(newest(orders))) this.#sawOrder(seen);
    if (myTrades == null) return;
    const news = newest(myTrades);
    for (const raw of Array.isArray(news) ? (news as unknown[]) : []) this.#sawTrade(raw);
    for (const entry of this.#registry.open) if (entry.tracked.missingFillsOf.length > 0) this.#refreshSoon(entry);
  }

  /** Whether an open order may have changed unheard: its stream is lost, and nothing was compared since then. */
  mayHaveMissed(sinceMs: number): boolean {
    return this.#streamsLost > 0 && this.#registry.open.length > 0 && this.#comparedAtMs < sinceMs;
  }

  async close(): Promise<void> {
    this.#following?.ending.abort();
    await Promise.all([...this.#queues].map((queue) => queue.close()));
    await this.link.close();
    await this.#following?.done;
  }

  #follow(): void {
    if (this.#following !== null && !this.#following.ending.signal.aborted) return;
    const before = this.#following?.done;
    const ending = new AbortController();
    const run = async () => {
      await before;
      const { exchange } = this.link;
      const isOneStream = this.link.code === "BINANCE";
      await Promise.all([
        this.#stream(() => exchange.watchOrders(), ending.signal),
        isOneStream ? null : this.#stream(() => exchange.watchMyTrades(), ending.signal),
        this.#poll(ending.signal),
      ]);
    };
    this.#following = { ending, done: run() };
  }

  /** Keeps a stream open; whatever was missed while it was not is asked for. */
  async #stream(watch: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const { log, accountId, tuning } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      this.#streamsLost++;
      let isLost = true;
      try {
        await this.#begin(watch, signal);
        failures = 0;
        this.#streamsLost--;
        isLost = false;
        while (!signal.aborted) await aborting(watch(), signal);
      } catch (error) {
        if (signal.aborted) return;
        const { kind, reason } = this.link.failureOf(error);
        log.warn({ accountId, kind, reason, failures }, "venue.stream-lost");
        if (!isLost) this.#streamsLost++;
        isLost = true;
        await rest(backoffDelayMs(failures++, tuning.retryBaseMs, retryCapMs, Math.random), signal);
      } finally {
        if (isLost) this.#streamsLost--;
      }
    }
  }

  async #begin(watch: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const { exchange } = this.link;
    await this.link.request((opened) => opened.loadMarkets());
    // Whatever was set there may have been set otherwise meanwhile.
    this.#futures?.forget();
    if (this.link.code === "BINANCE" && this.link.kind === "spot")
      await aborting(exchange.authenticate?.({ type: "spot" }), signal);
    else {
      // Subscribing has no answer that ccxt would tell: wait until it is surely through.
      const first = watch();
      first.catch(() => {});
      await rest(this.#options.tuning.settleMs, signal);
    }
    if (signal.aborted) return;
    this.#options.log.info({ accountId: this.#options.accountId }, "venue.stream-begins");
    await this.#reconcile(true);
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { log, accountId, tuning } = this.#options;
    while (!signal.aborted) {
      await rest(tuning.pollMs, signal);
      if (signal.aborted || this.#registry.open.length === 0) continue;
      try {
        await this.#reconcile(false);
      } catch (error) {
        log.warn({ accountId, reason: this.link.failureOf(error).reason }, "venue.not-compared");
      }
    }
  }

  /**
   * Compares with the exchange, which is right: fills since the last known one, the orders that are open there, and every
   * order that is open here and not there.
   * @param isWide orders of all symbols, so that forgotten ones are found
   * @throws {LinkError}
   */
  async #reconcile(isWide: boolean): Promise<void> {
    const beganAtMs = this.#options.nowMs();
    const followed = this.#registry.open;
    for (const symbolId of new Set(followed.map((entry) => entry.symbolId))) {
      const listed = await this.#search.listed(symbolId);
      const created = followed.map(({ tracked }) => tracked.order.createdAt.getTime());
      const sinceMs = this.#registry.lastFillAtMs || Math.min(...created);
      for (const fill of await this.link.fillsSince(listed, sinceMs)) this.#registry.sawFill(fill);
    }
    const open = new Set<string>();
    for (const seen of await this.#openThere(isWide)) {
      open.add(seen.exchangeOrderId);
      this.#sawOrder(seen);
    }
    for (const entry of followed) {
      const { tracked } = entry;
      const isOpen = tracked.exchangeOrderId !== null && open.has(tracked.exchangeOrderId);
      if (tracked.isEnded || (isOpen && tracked.missingFillsOf.length === 0 && tracked.replacement === null)) continue;
      await this.commands.inTurn(tracked.order.id, () => this.#search.refresh(entry));
    }
    this.#comparedAtMs = beganAtMs;
  }

  async #openThere(isWide: boolean): Promise<ExchangeOrder[]> {
    const symbols = new Set(this.#registry.open.map(({ symbolId }) => symbolId));
    // MEXC tells of one symbol at a time; elsewhere all of them at once cost as much as many of them.
    if ((isWide || symbols.size > maxSymbolsApart) && this.link.code !== "MEXC") return this.link.openOrders(null);
    const lists: ExchangeOrder[][] = [];
    for (const symbolId of symbols) lists.push(await this.link.openOrders(await this.#search.listed(symbolId)));
    return lists.flat();
  }

  #sawOrder(seen: ExchangeOrder): void {
    const orderId = this.#registry.orderIdOf(seen);
    if (orderId === null) {
      this.#tellOfOthers();
      return;
    }
    const entry = this.#registry.get(orderId);
    if (entry === undefined) void this.#meet(orderId);
    else if (!this.#registry.sawOrder(entry, seen)) this.#refreshSoon(entry);
  }

  #sawTrade(raw: unknown): void {
    const id = (raw as { order?: unknown } | null)?.order;
    const entry = typeof id === "string" ? this.#registry.byExchangeId(id) : undefined;
    const symbol = entry === undefined ? null : this.#options.symbol(entry.symbolId);
    const fill = symbol === null ? null : readExchangeFill(raw, symbol.ticker, null, this.link.contractSizeOf(raw));
    if (fill !== null) this.#registry.sawFill(fill);
  }

  /** Of futures, somebody else's order may be a liquidation: positions are to be compared. */
  #tellOfOthers(): void {
    const { accountId, nowMs } = this.#options;
    if (this.link.kind !== "futures" || nowMs() - this.#toldOfOthersAtMs < othersEveryMs) return;
    this.#toldOfOthersAtMs = nowMs();
    const gap = { kind: "gap", accountId, at: new Date(nowMs()), reason: "an order of somebody else" } as const;
    for (const queue of this.#queues) queue.push(gap);
  }

  /** An order of ours that this process has not heard of yet. */
  async #meet(orderId: string): Promise<void> {
    if (this.#strangers.has(orderId) || this.#strangers.size >= maxStrangers) return;
    this.#strangers.add(orderId);
    try {
      const order = await this.#orderOf(orderId);
      if (order !== null) this.#refreshSoon(this.#registry.track(order));
    } catch (err) {
      this.#options.log.warn({ err, orderId }, "venue.order-not-read");
    } finally {
      this.#strangers.delete(orderId);
    }
  }

  #refreshSoon(entry: Entry): void {
    const { id } = entry.tracked.order;
    if (this.#refreshing.has(id)) return;
    this.#refreshing.add(id);
    const { accountId, log } = this.#options;
    const refresh = async () => {
      this.#refreshing.delete(id);
      await this.#search.refresh(entry);
    };
    void this.commands.inTurn(id, refresh).catch((error: unknown) => {
      log.info({ accountId, orderId: id, reason: this.link.failureOf(error).reason }, "venue.order-not-compared");
    });
  }

  async #orderOf(orderId: string): Promise<Order | null> {
    const known = this.#registry.get(orderId)?.tracked.order;
    return known ?? this.#options.readOrder(this.#options.accountId, orderId);
  }

  #tell(order: Order, report: OrderReport): void {
    const { accountId } = this.#options;
    const { clientOrderId } = order;
    for (const queue of this.#queues) queue.push({ kind: "order", accountId, clientOrderId, report });
  }
}

function newest(cache: { length: number; slice(from: number): unknown; getLimit(a: undefined, b: undefined): number }) {
  const count = cache.getLimit(undefined, undefined);
  return count > 0 ? Array.from(cache.slice(-count) as ArrayLike<unknown>) : [];
}

/** What is waited for, or the end. */
function aborting<T>(work: Promise<T> | undefined, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = () => resolve(null);
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    (work ?? Promise.resolve(null)).then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}
