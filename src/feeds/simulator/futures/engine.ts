import { Decimal } from "../../../core/decimal.js";
import { type SimulatedInstrument, tickerOf } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import { crosses, levels, prices } from "../trading/engine.js";
import { Refused } from "../trading/order.js";
import type { FuturesAccount } from "./account.js";
import { FuturesOrder, type FuturesOrderRequest, type FuturesTrade } from "./order.js";

export type FuturesExecution = "NEW" | "TRADE" | "CANCELED" | "EXPIRED" | "AMENDMENT";

export interface FuturesEngineOptions {
  readonly instruments: readonly SimulatedInstrument[];
  nowMs(): number;
  /** Up to date; undefined when there is no such symbol. */
  market(ticker: string): SymbolMarket | undefined;
  onExecution(account: FuturesAccount, order: FuturesOrder, kind: FuturesExecution, trade: FuturesTrade | null): void;
  onFunding(account: FuturesAccount): void;
}

const takerRate = new Decimal("0.0005");
const makerRate = new Decimal("0.0002");
const zero = new Decimal(0);

/** Matches orders for perpetuals against the simulated books, and keeps what comes of it: positions, profits, payments. */
export class FuturesEngine {
  readonly #options: FuturesEngineOptions;
  /** Begins at the start time, so that a restarted exchange does not give a number again. */
  #nextId: number;

  constructor(options: FuturesEngineOptions) {
    this.#options = options;
    this.#nextId = Math.floor(options.nowMs()) * 100;
  }

  /** @throws {Refused} when the exchange does not take the order */
  place(account: FuturesAccount, request: FuturesOrderRequest): FuturesOrder {
    const market = this.#market(request.symbol);
    const instrument = this.#options.instruments.find((known) => tickerOf(known) === request.symbol);
    const { price, quantity, side, positionSide } = request;
    const { bid, ask } = prices(market);
    if (instrument !== undefined && !quantity.mod(instrument.stepSize).isZero())
      throw new Refused(-1111, "Precision is over the maximum defined for this asset.");
    if (instrument !== undefined && price !== null && !price.mod(instrument.tickSize).isZero())
      throw new Refused(-4014, "Price not increased by tick size.");
    if (account.isHedged === (positionSide === "BOTH"))
      throw new Refused(-4061, "Order's position side does not match user's setting.");
    if (account.openOrders(request.symbol).some(({ clientOrderId }) => clientOrderId === request.clientOrderId))
      throw new Refused(-4116, "ClientOrderId is duplicated.");
    if (request.timeInForce === "GTX" && price !== null && crosses(request, price, bid, ask))
      throw new Refused(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
      );
    const isClosing = account.isHedged && (side === "BUY") !== (positionSide === "LONG");
    const { amount } = account.position(request.symbol, positionSide);
    const held = side === "BUY" ? Decimal.max(zero, amount.neg()) : Decimal.max(zero, amount);
    if ((request.reduceOnly || isClosing) && (held.isZero() || (isClosing && quantity.gt(held))))
      throw new Refused(-2022, "ReduceOnly Order is rejected.");
    const need = quantity
      .minus(Decimal.min(held, quantity))
      .times(price ?? ask)
      .div(account.leverageOf(request.symbol));
    if (need.gt(account.available)) throw new Refused(-2019, "Margin is insufficient.");
    const order = new FuturesOrder(this.#nextId++, request, this.#options.nowMs());
    account.add(order);
    this.#report(account, order, "NEW");
    this.#take(account, order, market);
    return order;
  }

  /** Gives a limit order another price or quantity. @throws {Refused} */
  modify(account: FuturesAccount, order: FuturesOrder | undefined, quantity: Decimal, price: Decimal): FuturesOrder {
    if (order === undefined || !order.isOpen) throw new Refused(-2013, "Order does not exist.");
    if (order.price?.eq(price) === true && order.quantity.eq(quantity))
      throw new Refused(-5027, "No need to modify the order.");
    if (quantity.lte(order.executed)) throw new Refused(-4003, "Quantity less than or equal to zero.");
    order.quantity = quantity;
    order.price = price;
    this.#report(account, order, "AMENDMENT");
    this.#take(account, order, this.#market(order.symbol));
    return order;
  }

  /** @throws {Refused} when the order is not open */
  cancel(account: FuturesAccount, order: FuturesOrder | undefined): FuturesOrder {
    if (order === undefined || !order.isOpen) throw new Refused(-2011, "Unknown order sent.");
    this.#end(account, order, "CANCELED");
    return order;
  }

  /** Trades as if somebody had come to a resting order, whatever the market's price is. */
  fill(account: FuturesAccount, order: FuturesOrder, quantity: Decimal): FuturesTrade {
    if (!order.isOpen || order.price === null) throw new RangeError("the order does not rest");
    return this.#trade(account, order, order.price, quantity, true);
  }

  /** A funding payment of every open position of a symbol. @param rate positive: longs pay */
  fund(account: FuturesAccount, symbol: string, rate: string): void {
    const { bid } = prices(this.#market(symbol));
    for (const { amount } of account.openPositions(symbol)) {
      const income = amount.times(bid).times(rate).neg().toDecimalPlaces(8);
      account.wallet = account.wallet.plus(income);
      account.addIncome({ id: this.#nextId++, symbol, amount: income, atMs: this.#options.nowMs() });
    }
    this.#options.onFunding(account);
  }

  /** Closes the positions of a symbol at a price, in as many trades, as the exchange does when their margin is used up. */
  liquidate(account: FuturesAccount, symbol: string, price: string, trades = 1): void {
    for (const { amount, side } of account.openPositions(symbol)) {
      const order = new FuturesOrder(
        this.#nextId++,
        {
          symbol,
          clientOrderId: `autoclose-${this.#options.nowMs()}${this.#nextId++}`,
          side: amount.gt(0) ? "SELL" : "BUY",
          positionSide: side,
          type: "LIMIT",
          timeInForce: "IOC",
          quantity: amount.abs(),
          price: new Decimal(price),
          reduceOnly: false,
        },
        this.#options.nowMs(),
      );
      account.add(order);
      account.liquidations.push(order);
      this.#report(account, order, "NEW");
      const step = order.quantity.div(trades).toDecimalPlaces(3, Decimal.ROUND_DOWN);
      for (let n = 1; n < trades; n++) this.#trade(account, order, new Decimal(price), step, false);
      this.#trade(account, order, new Decimal(price), order.remaining, false);
    }
  }

  /** What has come of an account's orders since the last time, by the prices of now. */
  advance(account: FuturesAccount): void {
    for (const order of account.openOrders()) {
      const market = this.#options.market(order.symbol);
      if (market === undefined || order.price === null) continue;
      const { bid, ask } = prices(market);
      if (crosses(order, order.price, bid, ask)) this.#trade(account, order, order.price, order.remaining, true);
    }
  }

  #market(ticker: string): SymbolMarket {
    const market = this.#options.market(ticker);
    if (market === undefined) throw new Refused(-1121, "Invalid symbol.");
    return market;
  }

  #take(account: FuturesAccount, order: FuturesOrder, market: SymbolMarket): void {
    const found = levels(order, market);
    const offered = found.reduce((sum, { quantity }) => sum.plus(quantity), zero);
    if (order.timeInForce !== "FOK" || offered.gte(order.remaining))
      for (const { price, quantity } of found) this.#trade(account, order, price, quantity, false);
    const rests = order.type === "LIMIT" && (order.timeInForce === "GTC" || order.timeInForce === "GTX");
    if (order.isOpen && !rests) this.#end(account, order, "EXPIRED");
  }

  #trade(
    account: FuturesAccount,
    order: FuturesOrder,
    price: Decimal,
    wanted: Decimal,
    isMaker: boolean,
  ): FuturesTrade {
    const position = account.position(order.symbol, order.positionSide);
    const sign = order.side === "BUY" ? 1 : -1;
    const reducible = position.amount.times(sign).lt(0) ? position.amount.abs() : zero;
    const quantity = order.reduceOnly ? Decimal.min(wanted, reducible) : wanted;
    const reduced = Decimal.min(reducible, quantity);
    const realizedPnl = price.minus(position.entryPrice).times(reduced).times(-sign);
    const opened = quantity.minus(reduced);
    const after = position.amount.plus(quantity.times(sign));
    if (opened.gt(0)) {
      const kept = reduced.isZero() ? position.amount.abs() : zero;
      position.entryPrice = kept.times(position.entryPrice).plus(opened.times(price)).div(kept.plus(opened));
    }
    position.amount = after;
    if (after.isZero()) position.entryPrice = zero;
    const commission = price
      .times(quantity)
      .times(isMaker ? makerRate : takerRate)
      .toDecimalPlaces(8);
    account.wallet = account.wallet.plus(realizedPnl).minus(commission);
    order.executed = order.executed.plus(quantity);
    order.value = order.value.plus(price.times(quantity));
    order.status = order.remaining.isZero() ? "FILLED" : "PARTIALLY_FILLED";
    const atMs = this.#options.nowMs();
    order.updatedAtMs = account.updatedAtMs = atMs;
    const { symbol, side, positionSide, id: orderId } = order;
    const id = this.#nextId++;
    const trade = { id, orderId, symbol, side, positionSide, price, quantity, commission, realizedPnl, isMaker, atMs };
    account.addTrade(trade);
    this.#options.onExecution(account, order, "TRADE", trade);
    if (order.isOpen && order.reduceOnly && position.amount.isZero()) this.#end(account, order, "EXPIRED");
    return trade;
  }

  #end(account: FuturesAccount, order: FuturesOrder, status: "CANCELED" | "EXPIRED"): void {
    order.status = status;
    this.#report(account, order, status);
  }

  #report(account: FuturesAccount, order: FuturesOrder, kind: FuturesExecution): void {
    order.updatedAtMs = account.updatedAtMs = this.#options.nowMs();
    this.#options.onExecution(account, order, kind, null);
  }
}
