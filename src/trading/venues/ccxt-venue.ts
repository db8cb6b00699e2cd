import { DomainError, notFound } from "../../core/errors.js";
import type { Logger } from "../../core/logger.js";
import type { Clock } from "../../core/time.js";
import type { Order, ReplaceableTerms } from "../order.js";
import type { OpenOrders, Venue, VenueAnswer, VenueEvent, VenueWatch } from "../venue.js";
import { AccountSession, type SessionTuning } from "./account-session.js";
import { ExchangeLink, type VenueSymbol } from "./exchange-link.js";
import { type Credentials, type OpenTradingExchange, openTradingExchange } from "./library.js";
import type { TradedExchange } from "./offers.js";
import type { ExchangeBalance } from "./read-answers.js";

/** An account at an exchange, with its key opened. */
export interface VenueAccount {
  readonly exchange: TradedExchange;
  readonly testnet: boolean;
  readonly credentials: Credentials;
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
  /** Where a simulated exchange stands for one; null for the real one. */
  readonly endpoint: (exchange: TradedExchange) => { readonly url: string; readonly websocketUrl: string } | null;
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
  #isClosed = false;

  constructor(options: CcxtVenueOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.nowMs();
  }

  place(order: Order): Promise<VenueAnswer> {
    return this.#answer(order.accountId, ({ commands }) => commands.place(order));
  }

  replace(order: Order, terms: ReplaceableTerms): Promise<VenueAnswer> {
    return this.#answer(order.accountId, ({ commands }) => commands.replace(order, terms));
  }

  cancel(order: Order): Promise<VenueAnswer> {
    return this.#answer(order.accountId, ({ commands }) => commands.cancel(order));
  }

  find(order: Order): ReturnType<Venue["find"]> {
    return this.#answer<Awaited<ReturnType<Venue["find"]>>>(order.accountId, ({ commands }) => commands.find(order));
  }

  openOrders(accountId: string): Promise<OpenOrders> {
    return this.#answer<OpenOrders>(accountId, (session) => session.openOrders());
  }

  watch(accountId: string, onEvent: (event: VenueEvent) => Promise<void>): VenueWatch {
    let isClosed = false;
    const opening = this.#session(accountId).then(
      (session) => (isClosed ? null : session.watch(onEvent)),
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
    return (await this.#session(accountId)).link.balances();
  }

  /** READ, TRADE, WITHDRAW; null where the exchange does not tell. @throws {DomainError} as {@link balances} */
  async permissions(accountId: string): Promise<string[] | null> {
    return (await this.#session(accountId)).link.permissions();
  }

  /** The account's key is another one now, or it is not to be used any more. */
  async forget(accountId: string): Promise<void> {
    const session = this.#sessions.get(accountId);
    this.#sessions.delete(accountId);
    this.#forgottenAtMs.set(accountId, this.#options.clock.nowMs());
    await session?.then(
      (opened) => opened.close(),
      () => {},
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#sessions.keys()].map((accountId) => this.forget(accountId)));
  }

  async #answer<T>(
    accountId: string,
    ask: (session: AccountSession) => Promise<T>,
  ): Promise<T | Extract<VenueAnswer, { kind: "unknown" }>> {
    let session: AccountSession;
    try {
      session = await this.#session(accountId);
    } catch (error) {
      return { kind: "unknown", reason: error instanceof DomainError ? error.message : "the account cannot be opened" };
    }
    return ask(session);
  }

  #session(accountId: string): Promise<AccountSession> {
    if (this.#isClosed) return Promise.reject(notFound("account"));
    const known = this.#sessions.get(accountId);
    if (known !== undefined) return known;
    const opening = this.#open(accountId);
    this.#sessions.set(accountId, opening);
    opening.catch(() => {
      if (this.#sessions.get(accountId) === opening) this.#sessions.delete(accountId);
    });
    return opening;
  }

  async #open(accountId: string): Promise<AccountSession> {
    const { clock, log, account, symbol, readOrder, endpoint, open = openTradingExchange } = this.#options;
    const { exchange, testnet, credentials } = await account(accountId);
    const valid = this.#options.tuning?.validMs ?? validMs[exchange];
    const tuning: VenueTuning = { ...defaults, validMs: valid, arrivalMs: valid + lagMs, ...this.#options.tuning };
    const nowMs = () => clock.nowMs();
    let session: AccountSession | null = null;
    const opened = await open(exchange, {
      credentials,
      testnet,
      endpoint: endpoint(exchange),
      timeoutMs: tuning.timeoutMs,
      reconnectBaseMs: tuning.retryBaseMs,
      validMs: valid,
      nowMs,
      onMessage: () => session?.drain(),
    });
    const link = new ExchangeLink(exchange, opened, credentials, nowMs);
    const startedAtMs = this.#forgottenAtMs.get(accountId) ?? this.#startedAtMs;
    session = new AccountSession({ accountId, link, log, tuning, startedAtMs, nowMs, symbol, readOrder });
    return session;
  }
}
