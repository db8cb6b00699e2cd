import { Decimal } from "../../../core/decimal.js";
import { Refused, type SimulatedOrder, type SimulatedTrade } from "./order.js";

/** A user of the simulated exchange, known by the API key. */
export interface SimulatedAccountOptions {
  readonly apiKey: string;
  readonly secret: string;
  /** Free amounts by asset, as decimal text. */
  readonly balances: Readonly<Record<string, string>>;
  /** What is in its futures wallet, in USDT; absent: the key may not trade futures. */
  readonly futures?: string;
  /** False: the key may read and not trade. */
  readonly canTrade?: boolean;
}

export interface Holding {
  free: Decimal;
  locked: Decimal;
}

/** Of closed orders and of trades; older ones are forgotten. */
const maxHistory = 20_000;

/** Balances, orders and trades of one account. Every amount is at least zero, always. */
export class SimulatedAccount {
  readonly apiKey: string;
  readonly secret: string;
  readonly canTrade: boolean;
  readonly canTradeFutures: boolean;
  readonly holdings = new Map<string, Holding>();
  /** In the order in which they were placed. */
  readonly orders = new Map<number, SimulatedOrder>();
  readonly openOrders = new Map<number, SimulatedOrder>();
  readonly trades: SimulatedTrade[] = [];
  updatedAtMs = 0;

  constructor({ apiKey, secret, balances, futures, canTrade = true }: SimulatedAccountOptions) {
    this.canTradeFutures = futures !== undefined;
    this.apiKey = apiKey;
    this.secret = secret;
    this.canTrade = canTrade;
    for (const [asset, amount] of Object.entries(balances)) {
      this.holdings.set(asset, { free: new Decimal(amount), locked: new Decimal(0) });
    }
  }

  holding(asset: string): Holding {
    let holding = this.holdings.get(asset);
    if (holding === undefined) {
      holding = { free: new Decimal(0), locked: new Decimal(0) };
      this.holdings.set(asset, holding);
    }
    return holding;
  }

  /** @throws {Refused} when there is not enough */
  lock(asset: string, amount: Decimal): void {
    const holding = this.holding(asset);
    if (holding.free.lt(amount)) throw new Refused(-2010, "Account has insufficient balance for requested action.");
    holding.free = holding.free.minus(amount);
    holding.locked = holding.locked.plus(amount);
  }

  release(asset: string, amount: Decimal): void {
    const holding = this.holding(asset);
    holding.locked = holding.locked.minus(amount);
    holding.free = holding.free.plus(amount);
  }

  /** Takes what was locked. */
  spend(asset: string, amount: Decimal): void {
    const holding = this.holding(asset);
    holding.locked = holding.locked.minus(amount);
  }

  receive(asset: string, amount: Decimal): void {
    const holding = this.holding(asset);
    holding.free = holding.free.plus(amount);
  }

  add(order: SimulatedOrder): void {
    this.orders.set(order.id, order);
    this.openOrders.set(order.id, order);
    for (const [id, { isOpen }] of this.orders) {
      if (this.orders.size <= maxHistory) break;
      if (!isOpen) this.orders.delete(id);
    }
  }

  addTrade(trade: SimulatedTrade): void {
    this.trades.push(trade);
    if (this.trades.length > maxHistory) this.trades.shift();
  }

  /** The latest of that name: only open orders must have different ones. */
  find(symbol: string, orderId: number | null, clientOrderId: string | null): SimulatedOrder | undefined {
    if (orderId !== null) {
      const order = this.orders.get(orderId);
      return order?.symbol === symbol ? order : undefined;
    }
    let found: SimulatedOrder | undefined;
    for (const order of this.orders.values()) {
      const isCalled = order.clientOrderId === clientOrderId || order.cancelId === clientOrderId;
      if (order.symbol === symbol && isCalled) found = order;
    }
    return found;
  }
}
