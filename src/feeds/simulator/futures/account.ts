import { Decimal } from "../../../core/decimal.js";
import type { SimulatedAccountOptions } from "../trading/account.js";
import type { FuturesOrder, FuturesTrade, PositionSide } from "./order.js";

const zero = new Decimal(0);
const defaultLeverage = 20;
/** Of closed orders, trades and payments; older ones are forgotten. */
const maxHistory = 20_000;

export interface FuturesPosition {
  readonly symbol: string;
  readonly side: PositionSide;
  /** Negative when it is short. */
  amount: Decimal;
  entryPrice: Decimal;
}

/** `{"symbol":"BTCUSDT","incomeType":"FUNDING_FEE","income":"-0.37500000","asset":"USDT","time":1570608000000,"tranId":"9689322392"}` */
export interface FuturesIncome {
  readonly id: number;
  readonly symbol: string;
  readonly amount: Decimal;
  readonly atMs: number;
}

/** The futures wallet of an account, with its positions and orders. */
export class FuturesAccount {
  readonly secret: string;
  /** In USDT, without what open positions have won or lost. */
  wallet: Decimal;
  isHedged = false;
  readonly #leverage = new Map<string, number>();
  readonly isolated = new Set<string>();
  readonly positions = new Map<string, FuturesPosition>();
  readonly orders = new Map<number, FuturesOrder>();
  readonly trades: FuturesTrade[] = [];
  readonly income: FuturesIncome[] = [];
  readonly liquidations: FuturesOrder[] = [];
  updatedAtMs: number;

  constructor({ secret, futures = "0" }: SimulatedAccountOptions, nowMs: number) {
    this.secret = secret;
    this.wallet = new Decimal(futures);
    this.updatedAtMs = nowMs;
  }

  leverageOf(symbol: string): number {
    return this.#leverage.get(symbol) ?? defaultLeverage;
  }

  setLeverage(symbol: string, leverage: number): void {
    this.#leverage.set(symbol, leverage);
  }

  position(symbol: string, side: PositionSide): FuturesPosition {
    const key = `${symbol}:${side}`;
    let position = this.positions.get(key);
    if (position === undefined) {
      position = { symbol, side, amount: zero, entryPrice: zero };
      this.positions.set(key, position);
    }
    return position;
  }

  openPositions(symbol: string | null = null): FuturesPosition[] {
    return [...this.positions.values()].filter(
      (position) => !position.amount.isZero() && (symbol === null || position.symbol === symbol),
    );
  }

  openOrders(symbol: string | null = null): FuturesOrder[] {
    return [...this.orders.values()].filter((order) => order.isOpen && (symbol === null || order.symbol === symbol));
  }

  /** What new orders can have for margin. */
  get available(): Decimal {
    let available = this.wallet;
    for (const { symbol, amount, entryPrice } of this.openPositions()) {
      available = available.minus(amount.abs().times(entryPrice).div(this.leverageOf(symbol)));
    }
    for (const { symbol, price, remaining, reduceOnly } of this.openOrders()) {
      if (!reduceOnly && price !== null)
        available = available.minus(remaining.times(price).div(this.leverageOf(symbol)));
    }
    return available;
  }

  /** The latest of that name. */
  find(symbol: string, orderId: number | null, clientOrderId: string | null): FuturesOrder | undefined {
    if (orderId !== null) {
      const order = this.orders.get(orderId);
      return order?.symbol === symbol ? order : undefined;
    }
    return [...this.orders.values()].findLast(
      (order) => order.symbol === symbol && order.clientOrderId === clientOrderId,
    );
  }

  add(order: FuturesOrder): void {
    this.orders.set(order.id, order);
    for (const [id, { isOpen }] of this.orders) {
      if (this.orders.size <= maxHistory) break;
      if (!isOpen) this.orders.delete(id);
    }
  }

  addTrade(trade: FuturesTrade): void {
    this.trades.push(trade);
    if (this.trades.length > maxHistory) this.trades.shift();
  }

  addIncome(income: FuturesIncome): void {
    this.income.push(income);
    if (this.income.length > maxHistory) this.income.shift();
  }
}
