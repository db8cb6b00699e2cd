import { Decimal } from "../../../core/decimal.js";
import { best } from "../depth.js";
import type { SimulatedInstrument } from "../instruments.js";
import type { SymbolMarket } from "../market.js";
import type { SimulatedAccount } from "./account.js";
import { checkCounts, checkFilters } from "./filters.js";
import { type OrderRequest, Refused, SimulatedOrder, type SimulatedTrade } from "./order.js";

/** What happened to an order, in the words of the exchange's reports. */
export type Execution = "NEW" | "CANCELED" | "REJECTED" | "TRADE" | "EXPIRED";

export interface EngineOptions {
  readonly instruments: ReadonlyMap<string, SimulatedInstrument>;
  nowMs(): number;
  /** Up to date; undefined when there is no such symbol. */
  market(ticker: string): SymbolMarket | undefined;
  onExecution(account: SimulatedAccount, order: SimulatedOrder, kind: Execution, trade: SimulatedTrade | null): void;
}

const commissionRate = new Decimal("0.001");
const zero = new Decimal(0);

/**
 * Matches orders against the simulated books. Orders never meet each other, and take nothing away from a book: the walk of
 * the prices is the same with and without them.
 */
export class MatchingEngine {
  readonly #options: EngineOptions;
  /** Begin at the start time, so that a restarted exchange does not give a number again. */
  #nextOrderId: number;
  #nextTradeId: number;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#nextOrderId = this.#nextTradeId = Math.floor(options.nowMs()) * 100;
  }

  /** @throws {Refused} when the exchange does not take the order */
  place(account: SimulatedAccount, request: OrderRequest): SimulatedOrder {
    const { market, instrument } = this.#symbol(request.symbol);
    if (!account.canTrade) throw new Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401);
    if (instrument.status !== "TRADING") throw new Refused(-1013, "Market is closed.");
    const { bid, ask } = prices(market);
    checkFilters(request, instrument, bid);
    const open = [...account.openOrders.values()].filter(({ symbol }) => symbol === request.symbol);
    if (open.some(({ clientOrderId }) => clientOrderId === request.clientOrderId)) {
      throw new Refused(-2010, "Duplicate order sent.");
    }
    const isStop = request.stopPrice !== null || request.trailingDelta !== null;
    checkCounts(open.length, open.filter(({ isWorking }) => !isWorking).length, isStop);
    if (request.type === "LIMIT_MAKER" && request.price !== null && crosses(request, request.price, bid, ask)) {
      throw new Refused(-2010, "Order would immediately match and take.");
    }
    if (isTriggered(request, request.side === "BUY" ? ask : bid)) {
      throw new Refused(-2010, "Stop price would trigger immediately.");
    }
    const order = new SimulatedOrder(this.#nextOrderId++, request, this.#options.nowMs(), zero);
    if (order.trailingDelta !== null) order.extreme = order.side === "BUY" ? ask : bid;
    this.#reserve(account, order, instrument, market);
    account.add(order);
    this.#report(account, order, "NEW");
    if (order.isWorking) this.#take(account, order, market);
    return order;
  }

  /** @throws {Refused} when the order is not open */
  cancel(account: SimulatedAccount, order: SimulatedOrder | undefined, cancelId: string | null): SimulatedOrder {
    if (order === undefined || !order.isOpen) throw new Refused(-2011, "Unknown order sent.");
    order.cancelId = cancelId;
    this.#end(account, order, "CANCELED");
    return order;
  }

  /** Trades as if somebody had come to a resting order, whatever the market's price is. */
  fill(account: SimulatedAccount, order: SimulatedOrder, quantity: Decimal): SimulatedTrade {
    if (!order.isOpen || order.price === null || quantity.gt(order.remaining)) {
      throw new RangeError("the order does not rest with that quantity");
    }
    return this.#trade(account, order, order.price, quantity, true);
  }

  /** What has come of an account's orders since the last time, by the prices of now. */
  advance(account: SimulatedAccount): void {
    for (const order of account.openOrders.values()) {
      const market = this.#options.market(order.symbol);
      if (market === undefined) continue;
      const { bid, ask } = prices(market);
      if (!order.isWorking) {
        follow(order, order.side === "BUY" ? ask : bid);
        if (!isTriggered(order, order.side === "BUY" ? ask : bid)) continue;
        order.isWorking = true;
        this.#report(account, order, "NEW");
        this.#take(account, order, market);
      } else if (order.price !== null && crosses(order, order.price, bid, ask)) {
        this.#trade(account, order, order.price, order.remaining, true);
      }
    }
  }

  #symbol(ticker: string): { readonly market: SymbolMarket; readonly instrument: SimulatedInstrument } {
    const market = this.#options.market(ticker);
    const instrument = this.#options.instruments.get(ticker);
    if (market === undefined || instrument === undefined) throw new Refused(-1121, "Invalid symbol.");
    return { market, instrument };
  }

  #reserve(
    account: SimulatedAccount,
    order: SimulatedOrder,
    instrument: SimulatedInstrument,
    market: SymbolMarket,
  ): void {
    if (order.side === "SELL") {
      order.locked = order.quantity;
      account.lock(instrument.base, order.locked);
      return;
    }
    const price = order.price ?? order.stopPrice;
    order.locked = price === null ? this.#cost(order, market) : price.times(order.quantity);
    account.lock(instrument.quote, order.locked);
  }

  /** Of a market order by the book of now. */
  #cost(order: SimulatedOrder, market: SymbolMarket): Decimal {
    return levels(order, market).reduce((sum, { price, quantity }) => sum.plus(price.times(quantity)), zero);
  }

  #take(account: SimulatedAccount, order: SimulatedOrder, market: SymbolMarket): void {
    const found = levels(order, market);
    const available = found.reduce((sum, { quantity }) => sum.plus(quantity), zero);
    const isFill = order.timeInForce === "FOK" && order.type !== "MARKET";
    if (!(isFill && available.lt(order.quantity))) {
      for (const { price, quantity } of found) {
        // A buy at the market price pays from what was reserved, and from what is free where the stop was below the price.
        const cost = price.times(quantity);
        if (order.side === "BUY" && cost.gt(order.locked)) {
          const { quote } = this.#symbol(order.symbol).instrument;
          const more = cost.minus(order.locked);
          if (account.holding(quote).free.lt(more)) break;
          account.lock(quote, more);
          order.locked = cost;
        }
        this.#trade(account, order, price, quantity, false);
      }
    }
    const rests = order.price !== null && order.timeInForce === "GTC";
    if (order.isOpen && !rests) this.#end(account, order, "EXPIRED");
  }

  #trade(
    account: SimulatedAccount,
    order: SimulatedOrder,
    price: Decimal,
    quantity: Decimal,
    isMaker: boolean,
  ): SimulatedTrade {
    const { base, quote } = this.#symbol(order.symbol).instrument;
    const isBuyer = order.side === "BUY";
    const value = price.times(quantity);
    const [given, spent, got, amount] = isBuyer ? [quote, value, base, quantity] : [base, quantity, quote, value];
    const commission = amount.times(commissionRate).toDecimalPlaces(8, Decimal.ROUND_DOWN);
    account.spend(given, spent);
    order.locked = order.locked.minus(spent);
    account.receive(got, amount.minus(commission));
    order.executed = order.executed.plus(quantity);
    order.value = order.value.plus(value);
    order.status = order.remaining.isZero() ? "FILLED" : "PARTIALLY_FILLED";
    const atMs = this.#options.nowMs();
    order.updatedAtMs = account.updatedAtMs = atMs;
    const trade: SimulatedTrade = {
      id: this.#nextTradeId++,
      symbol: order.symbol,
      orderId: order.id,
      price,
      quantity,
      commission,
      commissionAsset: got,
      atMs,
      isBuyer,
      isMaker,
    };
    account.addTrade(trade);
    if (!order.isOpen) this.#forget(account, order, given);
    this.#options.onExecution(account, order, "TRADE", trade);
    return trade;
  }

  #end(account: SimulatedAccount, order: SimulatedOrder, status: "CANCELED" | "EXPIRED"): void {
    const { base, quote } = this.#symbol(order.symbol).instrument;
    order.status = status;
    this.#forget(account, order, order.side === "BUY" ? quote : base);
    this.#report(account, order, status);
  }

  /** What a better price left over goes back. */
  #forget(account: SimulatedAccount, order: SimulatedOrder, asset: string): void {
    account.release(asset, order.locked);
    order.locked = zero;
    account.openOrders.delete(order.id);
  }

  #report(account: SimulatedAccount, order: SimulatedOrder, kind: Execution): void {
    order.updatedAtMs = account.updatedAtMs = this.#options.nowMs();
    this.#options.onExecution(account, order, kind, null);
  }
}

const decimalPrice = ({ scale }: SymbolMarket, ticks: number): Decimal =>
  new Decimal(ticks).times(scale.tickUnits).div(1e8);
const decimalQuantity = ({ scale }: SymbolMarket, steps: number): Decimal =>
  new Decimal(steps).times(scale.stepUnits).div(1e8);

export function prices(market: SymbolMarket): { readonly bid: Decimal; readonly ask: Decimal } {
  const { bid, ask } = market.top;
  return { bid: decimalPrice(market, bid), ask: decimalPrice(market, ask) };
}

/** What an order gets from the other side of the book, best price first. */
export function levels(
  order: Pick<SimulatedOrder, "side" | "price" | "remaining">,
  market: SymbolMarket,
): { readonly price: Decimal; readonly quantity: Decimal }[] {
  const { bids, asks } = best(market.book, 100);
  const found: { price: Decimal; quantity: Decimal }[] = [];
  let wanted = order.remaining;
  for (const [ticks, steps] of order.side === "BUY" ? asks : bids) {
    const price = decimalPrice(market, ticks);
    const isWorse = order.side === "BUY" ? order.price?.lt(price) : order.price?.gt(price);
    if (isWorse === true || wanted.isZero()) break;
    const quantity = Decimal.min(wanted, decimalQuantity(market, steps));
    wanted = wanted.minus(quantity);
    found.push({ price, quantity });
  }
  return found;
}

export const crosses = ({ side }: Pick<OrderRequest, "side">, price: Decimal, bid: Decimal, ask: Decimal): boolean =>
  side === "BUY" ? price.gte(ask) : price.lte(bid);

/** A stop buys when the price has risen and sells when it has fallen; a take-profit the other way round. */
function isTriggered(order: OrderRequest & { readonly extreme?: Decimal | null }, price: Decimal): boolean {
  const { stopPrice, trailingDelta, extreme } = order;
  const rises = (order.side === "BUY") === order.type.startsWith("STOP_LOSS");
  if (trailingDelta !== null) {
    if (extreme == null) return false;
    const change = extreme.times(trailingDelta).div(10_000);
    return rises ? price.gte(extreme.plus(change)) : price.lte(extreme.minus(change));
  }
  if (stopPrice === null) return false;
  return rises ? price.gte(stopPrice) : price.lte(stopPrice);
}

function follow(order: SimulatedOrder, price: Decimal): void {
  if (order.extreme === null) return;
  const rises = (order.side === "BUY") === order.type.startsWith("STOP_LOSS");
  order.extreme = rises ? Decimal.min(order.extreme, price) : Decimal.max(order.extreme, price);
}
