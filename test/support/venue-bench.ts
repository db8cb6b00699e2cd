import { pino } from "pino";
import { expect } from "vitest";
import { Decimal } from "../../src/core/decimal.js";
import { uuidV7 } from "../../src/core/uuid.js";
import { type Simulator, startSimulator } from "../../src/feeds/simulator/simulator.js";
import type { SimulatedAccount } from "../../src/feeds/simulator/trading/account.js";
import type { TradingDesk } from "../../src/feeds/simulator/trading/desk.js";
import type { Order, ReplaceableTerms } from "../../src/trading/order.js";
import type { VenueAnswer, VenueWatch } from "../../src/trading/venue.js";
import { CcxtVenue, type VenueTuning } from "../../src/trading/venues/ccxt-venue.js";
import { orderIdOf } from "../../src/trading/venues/client-ids.js";
import { openTradingExchange } from "../../src/trading/venues/library.js";
import { until } from "./until.js";
import { type LedgerOrder, VenueLedger } from "./venue-ledger.js";

export const accountId = "0190a000-0000-7000-8000-000000000001";
const trader = { apiKey: "BenchKeyThatNobodyMaySee", secret: "BenchSecretThatNobodyMaySee" };
const patienceMs = 20_000;
const tickers = ["BTCUSDT", "ETHUSDT", "XRPUSDT"];
const initial = { USDT: "100000", BTC: "2", ETH: "50", XRP: "10000" };

export type PartialTerms = Partial<
  Pick<Order, "side" | "orderType" | "timeInForce" | "postOnly" | "callbackRate" | "clientOrderId" | "stopLoss">
> & {
  readonly ticker?: string;
  readonly quantity?: string;
  readonly price?: string | null;
  readonly stopPrice?: string | null;
};

/** The simulated exchange, a venue on it, and a ledger that hears everything. Time can be set ahead for all of them. */
export class VenueBench {
  readonly ledger = new VenueLedger();
  readonly logged: string[] = [];
  readonly time = { aheadMs: 0 };
  /** By how much the venue's clock differs from the exchange's. */
  clientAheadMs = 0;
  /** What the venue has for keys. */
  readonly keys = { ...trader };
  readonly clock = { nowMs: () => Date.now() + this.time.aheadMs };
  simulator!: Simulator;
  venue!: CcxtVenue;
  #watch: VenueWatch | null = null;

  static async start(tuning: Partial<VenueTuning> = {}): Promise<VenueBench> {
    const bench = new VenueBench();
    bench.simulator = await startSimulator({
      port: 0,
      seed: 7,
      clock: bench.clock,
      log: pino({ level: "silent" }),
      accounts: [{ ...trader, balances: initial }],
    });
    bench.openVenue(tuning);
    await bench.#warmUp();
    // What comes now was not sent by a process before.
    bench.time.aheadMs += 20_000;
    return bench;
  }

  get desk(): TradingDesk {
    const { trading } = this.simulator;
    if (trading === null) throw new Error("no trading");
    return trading;
  }

  get account(): SimulatedAccount {
    const account = this.desk.accounts.get(trader.apiKey);
    if (account === undefined) throw new Error("no account");
    return account;
  }

  openVenue(tuning: Partial<VenueTuning> = {}): void {
    this.venue = new CcxtVenue({
      clock: { nowMs: () => this.clock.nowMs() + this.clientAheadMs },
      log: pino({ level: "trace" }, { write: (line: string) => void this.logged.push(line) }),
      account: () =>
        Promise.resolve({
          exchange: "BINANCE",
          testnet: true,
          credentials: { ...this.keys, passphrase: null },
          positionMode: "ONE_WAY",
        }),
      futureOf: () => null,
      hasFutures: () => false,
      symbol: (id) => {
        const ticker = tickers[id];
        return ticker === undefined ? null : { id, ticker, marketType: "SPOT" };
      },
      readOrder: (_, id) =>
        Promise.resolve([...this.ledger.orders.values()].find(({ order }) => order.id === id)?.current ?? null),
      endpoint: (_, kind) =>
        kind === "spot" ? this.simulator : (this.simulator.addresses.get("BINANCE_FUTURES") ?? null),
      open: async (code, options) => {
        const opened = await openTradingExchange(code, options);
        // The simulated exchange counts no requests.
        Object.assign(opened.exchange, { enableRateLimit: false });
        return opened;
      },
      tuning: { timeoutMs: 1_000, pollMs: 50, retryBaseMs: 5, settleMs: 5, ...tuning },
    });
  }

  async watch(): Promise<void> {
    const before = this.desk.subscriptions;
    this.#watch = this.venue.watch(accountId, this.ledger.take);
    await until(() => this.desk.subscriptions > before, patienceMs);
  }

  /** As when the process ends and another one begins. */
  async restart(tuning: Partial<VenueTuning> = {}): Promise<void> {
    await this.#watch?.close();
    this.#watch = null;
    await this.venue.close();
    this.openVenue(tuning);
    await this.#warmUp();
  }

  /** The library and the list of symbols are loaded, so that no answer is late because of them. */
  async #warmUp(): Promise<void> {
    await until(async () => (await this.venue.openOrders(accountId)).kind === "answered", patienceMs);
  }

  newOrder({
    ticker = "BTCUSDT",
    quantity = "0.01",
    price,
    stopPrice = null,
    ...terms
  }: PartialTerms = {}): LedgerOrder {
    const id = uuidV7(this.clock.nowMs());
    const now = new Date(this.clock.nowMs());
    const orderType = terms.orderType ?? "LIMIT";
    const isPriced = /LIMIT/.test(orderType);
    const limit = price === undefined ? (isPriced ? "50000" : null) : price;
    return this.ledger.add({
      id,
      clientOrderId: `my order ${id}`,
      accountId,
      symbolId: tickers.indexOf(ticker),
      strategyId: null,
      side: "BUY",
      positionSide: "BOTH",
      orderType,
      timeInForce: "GTC",
      quantity: new Decimal(quantity),
      price: limit === null ? null : new Decimal(limit),
      stopPrice: stopPrice === null ? null : new Decimal(stopPrice),
      callbackRate: null,
      icebergQuantity: null,
      leverage: 1,
      marginMode: "CROSS",
      reduceOnly: false,
      postOnly: false,
      stopLoss: null,
      takeProfit: null,
      reservePrice: null,
      parentOrderId: null,
      version: 1,
      status: "PENDING",
      exchangeOrderId: null,
      isUnconfirmed: false,
      triggeredAt: null,
      cancelRequestedAt: null,
      pendingReplacement: null,
      replacedAt: null,
      filledQuantity: new Decimal(0),
      filledQuote: new Decimal(0),
      commissions: [],
      fillIds: new Set(),
      rejectCode: null,
      rejectReason: null,
      createdAt: now,
      updatedAt: now,
      lastFillAt: null,
      filledAt: null,
      cancelledAt: null,
      ...terms,
    });
  }

  /** Asks once; what is answered goes to the ledger. */
  async ask(known: LedgerOrder, command: "place" | "cancel" | "find"): Promise<string> {
    if (command === "cancel") known.request({ kind: "cancelRequested", at: new Date(this.clock.nowMs()) });
    return this.#taken(known, await this.venue[command](known.current));
  }

  async askReplace(known: LedgerOrder, terms: ReplaceableTerms): Promise<string> {
    known.pendingReplacement = terms;
    known.request({ kind: "replaceRequested", at: new Date(this.clock.nowMs()), terms });
    return this.#taken(known, await this.venue.replace(known.current, terms));
  }

  /** Finds out as the ledger does, until there is an answer; what never arrived is placed again. */
  async resolve(known: LedgerOrder): Promise<void> {
    await until(async () => {
      if ((await this.ask(known, "find")) === "answered" && known.pendingReplacement === null) return true;
      // Nothing that was sent before can arrive any more.
      this.time.aheadMs += 3_000;
      const kind = await this.ask(known, "find");
      if (kind === "missing") await this.ask(known, "place");
      return false;
    }, patienceMs);
  }

  async placed(terms: PartialTerms = {}): Promise<LedgerOrder> {
    const known = this.newOrder(terms);
    if ((await this.ask(known, "place")) !== "answered") await this.resolve(known);
    return known;
  }

  /** The order at the exchange that stands for one of ours now. */
  atExchange(known: LedgerOrder) {
    const legs = [...this.account.orders.values()].filter(
      ({ clientOrderId }) => orderIdOf("BINANCE", clientOrderId) === known.order.id,
    );
    return { legs, last: legs.at(-1) };
  }

  /** Somebody trades with a resting order. */
  fill(known: LedgerOrder, quantity: string): void {
    const { last } = this.atExchange(known);
    if (last === undefined) throw new Error("the order is not at the exchange");
    this.desk.engine.fill(this.account, last, new Decimal(quantity));
  }

  differences(): string[] {
    const found = [...this.ledger.faults];
    const legs = new Set<number>();
    for (const known of this.ledger.orders.values()) {
      const at = this.atExchange(known);
      for (const { id } of at.legs) legs.add(id);
      const executed = at.legs.reduce((sum, leg) => sum.plus(leg.executed), new Decimal(0));
      const name = `order ${[...this.ledger.orders.keys()].indexOf(known.order.clientOrderId)}`;
      if (!executed.eq(known.filled))
        found.push(`${name}: ${known.filled.toFixed()} of ${executed.toFixed()} filled are known`);
      if (executed.gt(known.terms.quantity)) found.push(`${name}: more is filled than was wanted`);
      if (at.legs.filter(({ isOpen }) => isOpen).length > 1) found.push(`${name}: is there twice`);
      const isOpenThere = at.last?.isOpen === true;
      if (isOpenThere !== known.isOpen) found.push(`${name}: ${known.status}, at the exchange ${at.last?.status}`);
      const trades = this.account.trades.filter(({ orderId }) => at.legs.some(({ id }) => id === orderId));
      if (trades.length !== known.fills.size) found.push(`${name}: ${known.fills.size} of ${trades.length} fills`);
      if (isOpenThere && known.exchangeOrderId !== String(at.last?.id))
        found.push(`${name}: another order stands for it`);
    }
    for (const { id } of this.account.orders.values()) if (!legs.has(id)) found.push(`order ${id} is none of ours`);
    for (const known of this.ledger.orders.values()) found.push(...known.differences());
    found.push(...this.#balanceDifferences());
    return found;
  }

  /** What the ledger knows is what is there, as soon as everything has come. */
  async expectSame(): Promise<void> {
    await expect.poll(() => this.differences(), { timeout: patienceMs, interval: 10 }).toEqual([]);
    const there = [...this.account.holdings]
      .map(([asset, { free, locked }]) => ({ asset, available: free.toFixed(), locked: locked.toFixed() }))
      .filter(({ available, locked }) => available !== "0" || locked !== "0");
    const told = async () =>
      (await this.venue.balances(accountId)).map(({ asset, available, locked }) => ({
        asset,
        available: available.toFixed(),
        locked: locked.toFixed(),
      }));
    // A busy machine may be too slow for an answer in time.
    await expect.poll(told, { timeout: patienceMs, interval: 10 }).toEqual(there);
  }

  expectNoSecrets(): void {
    const said = [...this.logged, ...[...this.ledger.orders.values()].flatMap(({ refusals }) => refusals)].join("\n");
    for (const secret of [trader.apiKey, trader.secret, "signature="]) expect(said).not.toContain(secret);
  }

  async close(): Promise<void> {
    await this.#watch?.close();
    await this.venue?.close();
    await this.simulator?.close();
  }

  /** From what the ledger knows of fills, against what the exchange holds. */
  #balanceDifferences(): string[] {
    const totals = new Map(Object.entries(initial).map(([asset, amount]) => [asset, new Decimal(amount)]));
    const add = (asset: string, amount: Decimal) =>
      totals.set(asset, (totals.get(asset) ?? new Decimal(0)).plus(amount));
    for (const { order, fills } of this.ledger.orders.values()) {
      const base = tickers[order.symbolId]?.replace("USDT", "") ?? "";
      const sign = order.side === "BUY" ? 1 : -1;
      for (const { price, quantity, commission, commissionAsset } of fills.values()) {
        add(base, quantity.times(sign));
        add("USDT", price.times(quantity).times(-sign));
        if (commissionAsset !== null) add(commissionAsset, commission.negated());
      }
    }
    return [...totals].flatMap(([asset, total]) => {
      const { free, locked } = this.account.holding(asset);
      const there = free.plus(locked);
      return there.eq(total) ? [] : [`${asset}: ${total.toFixed()} known, ${there.toFixed()} there`];
    });
  }

  #taken(known: LedgerOrder, answer: VenueAnswer | { readonly kind: "missing" }): string {
    if (answer.kind === "answered") {
      for (const report of answer.reports) this.ledger.apply(known.order.clientOrderId, report);
    }
    if (answer.kind === "unknown") this.logged.push(answer.reason);
    return answer.kind;
  }
}
