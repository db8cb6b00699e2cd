import { Decimal } from "../../core/decimal.js";
import { badInput, DomainError } from "../../core/errors.js";
import type { Order } from "../order.js";
import { binanceTypes, type CcxtOrderRequest } from "./ccxt-order.js";
import { type Failure, failureOf } from "./failures.js";
import type { Credentials, OpenedExchange, TradingExchange } from "./library.js";
import type { MarketKind, TradedExchange } from "./offers.js";
import { readPermissions } from "./permissions.js";
import {
  amountOf,
  type ExchangeFill,
  type ExchangeOrder,
  isFields,
  readExchangeFill,
  readExchangeOrder,
} from "./read-answers.js";
import { type ExchangeBalance, readFuturesWallet, readSpotBalances } from "./read-wallets.js";

/** A symbol as the venue is told of it. */
export interface VenueSymbol {
  readonly id: number;
  /** The exchange's own name, in capitals. */
  readonly ticker: string;
  /** E.g. SPOT. */
  readonly marketType: string;
}

/** A symbol in ccxt's words. */
export interface ListedSymbol extends VenueSymbol {
  readonly symbol: string;
  /** Coins in one of what the exchange counts; 1 where it counts coins. */
  readonly contractSize: Decimal;
}

export type Outcome<T> = { readonly kind: "ok"; readonly value: T } | Failure;

/** `outcome` is the new order, or why there is none. */
interface CancelReplaced {
  readonly isCancelled: boolean;
  readonly outcome: Outcome<unknown>;
}

/** A request that ends in something else than an answer. Only within this folder. */
export class LinkError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.reason);
  }
}

const tradesPerPage = 500;
/** More requests than that at a time are not sent: they would be old when their turn comes. */
const maxUnderWay = 200;
const maxPages = 40;
const weekMs = 7 * 24 * 3_600_000;
/** So far back fills are read again, because trades of one instant need not come in one go. */
const overlapMs = 60_000;

/** The requests of one account, with answers and failures read. It has no state but the pause that the exchange wants. */
export class ExchangeLink {
  readonly code: TradedExchange;
  readonly kind: MarketKind;
  readonly #opened: OpenedExchange;
  readonly #secrets: readonly string[];
  readonly #nowMs: () => number;
  #pausedUntilMs = 0;
  #underWay = 0;
  #tickers: Promise<ReadonlyMap<string, Listing>> | null = null;

  constructor(
    code: TradedExchange,
    kind: MarketKind,
    opened: OpenedExchange,
    credentials: Credentials,
    nowMs: () => number,
  ) {
    this.code = code;
    this.kind = kind;
    this.#opened = opened;
    this.#secrets = [credentials.apiKey, credentials.secret, credentials.passphrase ?? ""];
    this.#nowMs = nowMs;
  }

  get exchange(): TradingExchange {
    return this.#opened.exchange;
  }

  failureOf(error: unknown): Failure {
    if (error instanceof LinkError) return error.failure;
    return failureOf(error, this.#opened.heard(error), this.#secrets);
  }

  /** @throws {LinkError} */
  async request<T>(work: (exchange: TradingExchange) => Promise<T>): Promise<T> {
    const outcome = await this.attempt(work);
    if (outcome.kind !== "ok") throw new LinkError(outcome);
    return outcome.value;
  }

  /** Nothing is sent while the exchange wants a pause; a wrong clock is set right once. */
  async attempt<T>(work: (exchange: TradingExchange) => Promise<T>, isRetry = false): Promise<Outcome<T>> {
    const pauseMs = this.#pausedUntilMs - this.#nowMs();
    if (pauseMs > 0) {
      const reason = `the exchange wants no requests for ${Math.ceil(pauseMs / 1_000)} s`;
      return { kind: "limited", retryAfterMs: pauseMs, reason };
    }
    if (this.#underWay >= maxUnderWay) {
      return { kind: "limited", retryAfterMs: 1_000, reason: "too many requests of this account are under way" };
    }
    this.#underWay++;
    try {
      return { kind: "ok", value: await work(this.exchange) };
    } catch (error) {
      const failure = this.failureOf(error);
      if (failure.kind === "limited") this.#pausedUntilMs = this.#nowMs() + failure.retryAfterMs;
      if (failure.kind !== "clock" || isRetry) return failure;
      await this.exchange.loadTimeDifference().catch(() => {});
      return await this.attempt(work, true);
    } finally {
      this.#underWay--;
    }
  }

  /** @throws {LinkError} when the exchange does not have it, or its list cannot be had */
  async symbol(known: VenueSymbol): Promise<ListedSymbol> {
    this.#tickers ??= this.request(async (exchange) => listingsOf(await exchange.loadMarkets(), this.kind));
    try {
      const listing = (await this.#tickers).get(known.ticker);
      if (listing !== undefined) return { ...known, ...listing };
    } catch (error) {
      this.#tickers = null;
      throw error;
    }
    const reason = `the exchange has no ${known.ticker}`;
    throw new LinkError({ kind: "refused", code: "SYMBOL_NOT_TRADING", reason });
  }

  /** ccxt cuts off what is too precise; an order must not become another one by that. @throws {LinkError} */
  requireExact({ symbol }: ListedSymbol, { amount, price, params }: CcxtOrderRequest): void {
    const { exchange } = this;
    const same = (given: string, made: string | undefined) => made !== undefined && new Decimal(given).eq(made);
    if (!same(amount, exchange.amountToPrecision(symbol, amount))) {
      const reason = `the exchange takes ${exchange.amountToPrecision(symbol, amount) ?? "less"} in place of ${amount}`;
      throw new LinkError({ kind: "refused", code: "QUANTITY_OUT_OF_RANGE", reason });
    }
    for (const given of [price, params.triggerPrice, params.takeProfitPrice]) {
      if (typeof given === "string" && !same(given, exchange.priceToPrecision(symbol, given))) {
        const reason = `the exchange takes ${exchange.priceToPrecision(symbol, given) ?? "another price"} in place of ${given}`;
        throw new LinkError({ kind: "refused", code: "PRICE_OUT_OF_RANGE", reason });
      }
    }
  }

  /** Null when the exchange says that there is none. @throws {LinkError} */
  async lookUp(
    listed: ListedSymbol,
    id: { exchangeOrderId: string } | { clientId: string },
  ): Promise<ExchangeOrder | null> {
    const outcome = await this.attempt((exchange) => this.#fetchOrder(exchange, listed, id));
    if (outcome.kind === "missing") return null;
    if (outcome.kind !== "ok") throw new LinkError(outcome);
    if (outcome.value === null) return null;
    const order = this.readOrder(outcome.value);
    if (order === null) throw new LinkError({ kind: "unknown", reason: "the answer cannot be read" });
    return order;
  }

  async #fetchOrder(
    exchange: TradingExchange,
    { symbol, ticker }: ListedSymbol,
    id: { exchangeOrderId: string } | { clientId: string },
  ): Promise<unknown> {
    if (this.code !== "BYBIT") {
      if ("exchangeOrderId" in id) return exchange.fetchOrder(id.exchangeOrderId, symbol);
      return exchange.fetchOrder(undefined, symbol, { clientOrderId: id.clientId });
    }
    // Bybit's open and latest orders are in one list and the older ones in another, and ccxt finds them by their own id only.
    const query = "exchangeOrderId" in id ? { orderId: id.exchangeOrderId } : { orderLinkId: id.clientId };
    for (const ask of [exchange.privateGetV5OrderRealtime, exchange.privateGetV5OrderHistory]) {
      const answer = await ask?.call(exchange, { category: this.#category, symbol: ticker, ...query });
      const result = isFields(answer) && isFields(answer.result) ? answer.result.list : null;
      if (!Array.isArray(result)) throw new LinkError({ kind: "unknown", reason: "the answer cannot be read" });
      if (result.length > 0) return exchange.parseOrder(result[0], exchange.market(symbol));
    }
    return null;
  }

  /** Orders of a symbol since a time. @throws {LinkError} */
  async orders({ symbol }: ListedSymbol, sinceMs: number): Promise<ExchangeOrder[]> {
    return this.readOrders(await this.request((exchange) => exchange.fetchOrders(symbol, sinceMs, tradesPerPage)));
  }

  /** Of one symbol, or of all. @throws {LinkError} */
  async openOrders(listed: ListedSymbol | null): Promise<ExchangeOrder[]> {
    const raw = await this.request((exchange) => exchange.fetchOpenOrders(listed?.symbol));
    if (!Array.isArray(raw)) throw new LinkError({ kind: "unknown", reason: "the answer cannot be read" });
    return this.readOrders(raw);
  }

  /** Of one order. @throws {LinkError} */
  async fillsOf(listed: ListedSymbol, exchangeOrderId: string): Promise<ExchangeFill[]> {
    const { symbol } = listed;
    const isAskedByTrades = this.code === "BINANCE" && this.kind === "futures";
    const raw = await this.request((exchange) =>
      isAskedByTrades
        ? exchange.fetchMyTrades(symbol, undefined, tradesPerPage, { orderId: exchangeOrderId })
        : exchange.fetchOrderTrades(exchangeOrderId, symbol),
    );
    return this.#readFills(raw, listed, exchangeOrderId);
  }

  /** All of a symbol from a time on, with some of before. @throws {LinkError} */
  async fillsSince(listed: ListedSymbol, sinceMs: number): Promise<ExchangeFill[]> {
    const found = new Map<string, ExchangeFill>();
    let fromMs = sinceMs - overlapMs;
    for (let page = 0; page < maxPages; page++) {
      const raw = await this.request((exchange) => exchange.fetchMyTrades(listed.symbol, fromMs, tradesPerPage));
      const before = found.size;
      for (const fill of this.#readFills(raw, listed, null)) found.set(fill.fill.exchangeFillId, fill);
      if (found.size === before) {
        // Of futures, an answer holds a week at most.
        if (this.kind === "spot" || fromMs + weekMs >= this.#nowMs()) break;
        fromMs += weekMs;
      } else fromMs = Math.max(...[...found.values()].map(({ fill }) => fill.filledAt.getTime()));
    }
    return [...found.values()];
  }

  /** Binance's one request to cancel an order and place another, done only while nothing of the old one is filled. */
  async cancelReplace(
    listed: ListedSymbol,
    order: Order,
    exchangeOrderId: string,
    { side, amount, price, params }: CcxtOrderRequest,
  ): Promise<CancelReplaced> {
    const { triggerPrice, takeProfitPrice, ...rest } = params;
    const stopPrice = triggerPrice ?? takeProfitPrice;
    const type = binanceTypes[order.orderType] ?? "limit";
    const more = { ...rest, ...(stopPrice === undefined ? {} : { stopPrice }), cancelRestrictions: "ONLY_NEW" };
    const outcome = await this.attempt((exchange) =>
      exchange.editOrder(exchangeOrderId, listed.symbol, type, side, amount, price, more),
    );
    if (outcome.kind === "ok") return { isCancelled: true, outcome };
    const data = outcome.kind === "refused" && isFields(outcome.body) ? outcome.body.data : null;
    if (!isFields(data)) return { isCancelled: false, outcome };
    const { cancelResult, newOrderResponse } = data;
    const said = isFields(newOrderResponse) && typeof newOrderResponse.msg === "string" ? newOrderResponse.msg : null;
    return {
      isCancelled: cancelResult === "SUCCESS",
      outcome: { kind: "refused", code: "VENUE_REJECTED", reason: said ?? outcome.reason },
    };
  }

  /** @throws {DomainError} PROVIDER_UNAVAILABLE; BAD_USER_INPUT when the exchange does not know the key */
  async balances(): Promise<ExchangeBalance[]> {
    return this.forUser(async () => {
      const answer = await this.request((exchange) => exchange.fetchBalance());
      const balances =
        this.kind === "spot" ? readSpotBalances(this.code, answer) : readFuturesWallet(this.code, answer);
      if (balances === null) throw new LinkError({ kind: "unknown", reason: "the answer cannot be read" });
      return balances;
    });
  }

  /** What the key may do; null where the exchange does not tell. @throws {DomainError} as {@link balances} */
  async permissions(): Promise<string[] | null> {
    return this.forUser(() => this.request((exchange) => readPermissions(this.code, exchange)));
  }

  async forUser<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const failure = this.failureOf(error);
      if (failure.kind === "unauthorised") throw badInput("apiKey", `the exchange refuses the key: ${failure.reason}`);
      const details: DomainError["details"] = failure.kind === "limited" ? { retryAfterMs: failure.retryAfterMs } : {};
      throw new DomainError("PROVIDER_UNAVAILABLE", failure.reason, details);
    }
  }

  close(): Promise<void> {
    return this.#opened.close();
  }

  /** Null for what is no order. */
  readOrder(raw: unknown): ExchangeOrder | null {
    return readExchangeOrder(raw, this.contractSizeOf(raw));
  }

  readOrders(raw: unknown): ExchangeOrder[] {
    return Array.isArray(raw) ? raw.map((one) => this.readOrder(one)).filter((order) => order !== null) : [];
  }

  /** Coins in one of what the exchange counts, for the symbol that the answer names. */
  contractSizeOf(raw: unknown): Decimal {
    if (this.kind === "spot" || !isFields(raw) || typeof raw.symbol !== "string") return one;
    const market = this.exchange.market(raw.symbol);
    return (isFields(market) && amountOf(market.contractSize)) || one;
  }

  /** The exchange's own name of a symbol in ccxt's words, in capitals; null when it is not one of ours. */
  tickerOf(symbol: string): string | null {
    const market = this.exchange.market(symbol);
    return isFields(market) && market.swap === true && market.linear === true && typeof market.id === "string"
      ? market.id.toUpperCase()
      : null;
  }

  get #category(): string {
    return this.kind === "spot" ? "spot" : "linear";
  }

  /** @param exchangeOrderId of all of them, where that is known */
  #readFills(raw: unknown, { ticker, contractSize }: ListedSymbol, exchangeOrderId: string | null): ExchangeFill[] {
    if (!Array.isArray(raw)) throw new LinkError({ kind: "unknown", reason: "the answer cannot be read" });
    return raw
      .map((trade) => readExchangeFill(trade, ticker, null, contractSize))
      .filter((fill) => fill !== null)
      .filter((fill) => exchangeOrderId === null || fill.exchangeOrderId === exchangeOrderId);
  }
}

const one = new Decimal(1);

type Listing = Pick<ListedSymbol, "symbol" | "contractSize">;

function listingsOf(markets: Readonly<Record<string, unknown>>, kind: MarketKind): ReadonlyMap<string, Listing> {
  const listings = new Map<string, Listing>();
  for (const market of Object.values(markets)) {
    const isOurs =
      isFields(market) && (kind === "spot" ? market.spot === true : market.swap === true && market.linear === true);
    if (!isOurs) continue;
    const { id, symbol } = market;
    const contractSize = kind === "spot" ? one : amountOf(market.contractSize);
    if (typeof id === "string" && typeof symbol === "string" && contractSize !== null)
      listings.set(id.toUpperCase(), { symbol, contractSize });
  }
  return listings;
}
