import { DomainError, notFound } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import type { Clock } from "../../core/time.js";
import type { Order, PositionMode, ReplaceableTerms } from "../order.js";
import type { OpenOrders, Venue, VenueAnswer, VenueEvent, VenueWatch } from "../venue.js";
import { AccountSession, type SessionTuning } from "./account-session.js";
import { ExchangeLink, type VenueSymbol } from "./exchange-link.js";
import { type Credentials, type OpenTradingExchange, openTradingExchange } from "./library.js";
import { kindOf, type MarketKind, offers, type TradedExchange } from "./offers.js";
import {
  type ExchangeLiquidation,
  type ExchangePayment,
  type ExchangePosition,
  readLiquidations,
  readPayments,
  readPositions,
} from "./read-positions.js";
import type { ExchangeBalance } from "./read-wallets.js";

/** An account at an exchange, with its key opened. */
export interface VenueAccount {
  readonly exchange: TradedExchange;
  readonly testnet: boolean;
  readonly credentials: Credentials;
  readonly positionMode: PositionMode;
}

export interface CcxtVenueOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Asked when an account is used for the first time. @throws {DomainError} when there is none */
  readonly account: (accountId: string) => Promise<VenueAccount>;
  /** Null when there is no such symbol. */
  readonly symbol: (id: number) => VenueSymbol | null;
  /** The order as it is now; null when the account has none of that id. */
  readonly readOrder: (accountId: string, orderId: string) => Promise<Order | null>;
  /** Null when there is no such future. */
  readonly futureOf: (exchange: TradedExchange, ticker: string) => VenueSymbol | null;
  /** False where a simulated exchange has none. */
  readonly hasFutures: (exchange: TradedExchange) => boolean;
  /** Where a simulated exchange stands for one; null for the real one. */
  readonly endpoint: (
    exchange: TradedExchange,
    kind: MarketKind,
  ) => { readonly url: string; readonly websocketUrl: string } | null;
  readonly tuning?: Partial<VenueTuning>;
  readonly open?: OpenTradingExchange;
}

export interface VenueTuning extends SessionTuning {
  readonly timeoutMs: number;
  /** How long an exchange does what we have sent. */
  readonly validMs: number;
}

const defaults: Omit<VenueTuning, "arrivalMs" | "validMs"> = {
  timeoutMs: 10_000,
  pollMs: 20_000,
  retryBaseMs: 1_000,
  settleMs: 2_000,
};

/** OKX and Gate.io are given no limit, so theirs is a guess on the safe side. */
const validMs: Readonly<Record<TradedExchange, number>> = {
  BINANCE: 5_000,
  BYBIT: 5_000,
  MEXC: 5_000,
  OKX: 60_000,
  GATEIO: 60_000,
};
/** An exchange's answers may be behind what it has done by this much. */
const lagMs = 3_000;
/** A key may be allowed to trade futures at any time. */
const withoutFuturesMs = 10 * 60_000;

/**
 * The exchanges, through ccxt. One process at a time may use an account: who has sent an order knows whether it may still
 * arrive.
 */
export class CcxtVenue implements Venue {
  readonly #options: CcxtVenueOptions;
  readonly #sessions = new Map<string, Promise<AccountSession>>();
  readonly #startedAtMs: number;
  /** When an account was forgotten, and with it what was sent for it. */
  readonly #forgottenAtMs = new Map<string, number>();
  /** Accounts whose key, or exchange, has no futures, and until when that is believed. */
  readonly #withoutFutures = new Map<string, number>();
  readonly #accounts = new Map<string, Pick<VenueAccount, "exchange" | "testnet">>();
  #isClosed = false;

  constructor(options: CcxtVenueOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.nowMs();
  }

  place(order: Order): Promise<VenueAnswer> {
    return this.#answer(order, ({ commands }) => commands.place(order));
  }

  replace(order: Order, terms: ReplaceableTerms): Promise<VenueAnswer> {
    return this.#answer(order, ({ commands }) => commands.replace(order, terms));
  }

  cancel(order: Order): Promise<VenueAnswer> {
    return this.#answer(order, ({ commands }) => commands.cancel(order));
  }

  find(order: Order): ReturnType<Venue["find"]> {
    return this.#answer<Awaited<ReturnType<Venue["find"]>>>(order, ({ commands }) => commands.find(order));
  }

  /** On the spot market. */
  openOrders(accountId: string): Promise<OpenOrders> {
    return this.#answer<OpenOrders>({ accountId }, (session) => session.openOrders());
  }

  /** Of every market of the account on which something was done or asked. */
  watch(accountId: string, onEvent: (event: VenueEvent) => Promise<void>): VenueWatch {
    const watches = (["spot", "futures"] as const).map((kind) => this.#watch(accountId, kind, onEvent));
    return {
      close: async () => {
        await Promise.all(watches.map((watch) => watch.close()));
      },
    };
  }

  #watch(accountId: string, kind: MarketKind, onEvent: (event: VenueEvent) => Promise<void>): VenueWatch {
    let isClosed = false;
    const open = kind === "spot" ? this.#session(accountId, kind) : this.#futures(accountId);
    const opening = open.then(
      (session) => (isClosed || session === null ? null : session.watch(onEvent)),
      (error: unknown) => {
        const code = error instanceof DomainError ? error.code : null;
        this.#options.log.error({ accountId, code }, "venue.account-not-opened");
        return null;
      },
    );
    return {
      close: async () => {
        isClosed = true;
        await (await opening)?.close();
      },
    };
  }

  /** What the exchange says there is. @throws {DomainError} PROVIDER_UNAVAILABLE; BAD_USER_INPUT for a key it refuses */
  async balances(accountId: string): Promise<ExchangeBalance[]> {
    const [spot, futures] = await Promise.all([this.#session(accountId, "spot"), this.#futures(accountId)]);
    const lists = await Promise.all([spot.link.balances(), futures?.link.balances() ?? []]);
    return lists.flat();
  }

  /** Whether executions since then may be unknown here, because no stream told of them. */
  async mayHaveMissed(accountId: string, sinceMs: number): Promise<boolean> {
    const keys = (["spot", "futures"] as const).map((kind) => keyOf(accountId, kind));
    const opening = keys.flatMap((key) => this.#sessions.get(key) ?? []);
    return (await Promise.all(opening)).some((session) => session.mayHaveMissed(sinceMs));
  }

  /** Positions in futures; null where the account has none of them. @throws {DomainError} as {@link balances} */
  async positions(accountId: string): Promise<ExchangePosition[] | null> {
    const session = await this.#futures(accountId);
    if (session === null) return null;
    const { link } = session;
    return link.forUser(() => readPositions(link, this.#futureOf(link)));
  }

  /** Funding payments and liquidations since a time. @throws {DomainError} as {@link balances} */
  async settlements(
    accountId: string,
    sinceMs: number,
  ): Promise<{ payments: ExchangePayment[]; liquidations: ExchangeLiquidation[] }> {
    const session = await this.#futures(accountId);
    if (session === null) return { payments: [], liquidations: [] };
    const { link } = session;
    return link.forUser(async () => {
      const payments = await readPayments(link, sinceMs, this.#futureOf(link));
      return { payments, liquidations: await readLiquidations(link, sinceMs, this.#futureOf(link)) };
    });
  }

  /** READ, TRADE, WITHDRAW; null where the exchange does not tell. @throws {DomainError} as {@link balances} */
  async permissions(accountId: string): Promise<string[] | null> {
    return (await this.#session(accountId, "spot")).link.permissions();
  }

  /** The account's key is another one now, or it is not to be used any more. */
  async forget(accountId: string): Promise<void> {
    const keys = (["spot", "futures"] as const).map((kind) => keyOf(accountId, kind));
    const sessions = keys.map((key) => this.#sessions.get(key));
    for (const key of keys) this.#sessions.delete(key);
    this.#withoutFutures.delete(accountId);
    this.#accounts.delete(accountId);
    this.#forgottenAtMs.set(accountId, this.#options.clock.nowMs());
    const opened = await Promise.allSettled(sessions.filter((session) => session !== undefined));
    await Promise.all(opened.flatMap((one) => (one.status === "fulfilled" ? [one.value.close()] : [])));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const accounts = new Set([...this.#sessions.keys()].map((key) => key.split(" ")[0] ?? ""));
    await Promise.all([...accounts].map((accountId) => this.forget(accountId)));
  }

  async #answer<T>(
    { accountId, symbolId }: { readonly accountId: string; readonly symbolId?: number },
    ask: (session: AccountSession) => Promise<T>,
  ): Promise<T | Extract<VenueAnswer, { kind: "unknown" }>> {
    let session: AccountSession;
    try {
      const symbol = symbolId === undefined ? null : this.#options.symbol(symbolId);
      session = await this.#session(accountId, symbol === null ? "spot" : kindOf(symbol.marketType));
    } catch (error) {
      return { kind: "unknown", reason: error instanceof DomainError ? error.message : "the account cannot be opened" };
    }
    return ask(session);
  }

  /** Null where the exchange has no futures for the account. */
  async #futures(accountId: string): Promise<AccountSession | null> {
    const nowMs = this.#options.clock.nowMs();
    if ((this.#withoutFutures.get(accountId) ?? 0) > nowMs) return null;
    const account = this.#accounts.get(accountId) ?? (await this.#options.account(accountId));
    const { exchange, testnet } = account;
    this.#accounts.set(accountId, { exchange, testnet });
    const { futures } = offers[exchange];
    const isThere = futures !== null && this.#options.hasFutures(exchange);
    const isReal = isThere && this.#options.endpoint(exchange, "futures") === null;
    if (!isThere || (testnet && isReal && !futures.testnet)) {
      this.#withoutFutures.set(accountId, nowMs + withoutFuturesMs);
      return null;
    }
    const session = await this.#session(accountId, "futures");
    try {
      // A key that is for the spot market alone is a good one.
      if (!session.isTried) await session.link.balances();
      session.isTried = true;
      return session;
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== "BAD_USER_INPUT") throw error;
      this.#withoutFutures.set(accountId, nowMs + withoutFuturesMs);
      return null;
    }
  }

  #futureOf = (link: ExchangeLink) => (ticker: string) => this.#options.futureOf(link.code, ticker);

  #session(accountId: string, kind: MarketKind): Promise<AccountSession> {
    if (this.#isClosed) return Promise.reject(notFound("account"));
    const key = keyOf(accountId, kind);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const opening = this.#open(accountId, kind);
    this.#sessions.set(key, opening);
    opening.catch(() => {
      if (this.#sessions.get(key) === opening) this.#sessions.delete(key);
    });
    return opening;
  }

  async #open(accountId: string, kind: MarketKind): Promise<AccountSession> {
    const { clock, log, account, symbol, readOrder, endpoint, open = openTradingExchange } = this.#options;
    const { exchange, testnet, credentials, positionMode } = await account(accountId);
    const valid = this.#options.tuning?.validMs ?? validMs[exchange];
    const tuning: VenueTuning = { ...defaults, validMs: valid, arrivalMs: valid + lagMs, ...this.#options.tuning };
    const nowMs = () => clock.nowMs();
    let session: AccountSession | null = null;
    const opened = await open(exchange, {
      credentials,
      testnet,
      kind,
      endpoint: endpoint(exchange, kind),
      timeoutMs: tuning.timeoutMs,
      reconnectBaseMs: tuning.retryBaseMs,
      validMs: valid,
      nowMs,
      onMessage: () => session?.drain(),
    });
    const link = new ExchangeLink(exchange, kind, opened, credentials, nowMs);
    const startedAtMs = this.#forgottenAtMs.get(accountId) ?? this.#startedAtMs;
    const parts = { accountId, link, log, tuning, startedAtMs, nowMs, symbol, readOrder, positionMode };
    session = new AccountSession(parts);
    return session;
  }
}

const keyOf = (accountId: string, kind: MarketKind): string => `${accountId} ${kind}`;
