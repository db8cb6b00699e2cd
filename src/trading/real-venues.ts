import type { Catalogue } from "../catalogue/catalogue.js";
import { errorMessage } from "../core/errors.js";
import type { KeyRing } from "../core/key-ring.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { Leaderships } from "../db/leadership.js";
import { readAccountKeys } from "./account-keys.js";
import type { Ledger } from "./ledger.js";
import type { LedgerAccount, VenueCommand } from "./ledger-draft.js";
import type { NewOrder } from "./order.js";
import type { OrderVenue } from "./order-desk.js";
import { RealAccount } from "./real-account.js";
import type { TradingMarkets } from "./trading-markets.js";
import type { TradingSymbol } from "./trading-symbol.js";
import { VenueLease } from "./venue-lease.js";
import { CcxtVenue } from "./venues/ccxt-venue.js";
import { type MarketKind, refusalOf, type TradedExchange, tradedExchanges } from "./venues/offers.js";

export interface RealVenuesOptions {
  readonly database: Database;
  readonly leaderships: Leaderships;
  readonly ledger: Ledger;
  readonly markets: TradingMarkets;
  readonly catalogue: Catalogue;
  /** Null: no keys can be opened, so no account can be there. */
  readonly keyRing: KeyRing | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Only TESTNET accounts trade then, on the simulated exchange. */
  readonly isSimulated: boolean;
  /** Between two comparisons of the balances of an account with its exchange. */
  readonly syncMs?: number;
}

/** Accounts at exchanges, and those of them whose last comparison failed. */
export interface SyncStanding {
  readonly accounts: number;
  readonly failing: number;
}

interface RealAccountRow {
  readonly account_id: string;
  readonly user_id: string;
  readonly exchange_code: TradedExchange;
  readonly environment: LedgerAccount["environment"];
  readonly is_waiting: boolean;
  /** When it was given other keys; null: never. */
  readonly keys_updated_at: string | null;
}

const lookMs = 1_000;
const defaultSyncMs = 30_000;
/** Where the simulated exchange takes orders. */
const simulatedMarkets = { spot: "BINANCE_SPOT", futures: "BINANCE_FUTURES" } as const;

/**
 * Executes the orders of accounts at exchanges. One process of an installation does, for as long as it holds the lease; orders
 * and accounts that others have stored meanwhile it finds in the database.
 */
export class RealVenues implements OrderVenue {
  readonly #lease: VenueLease;
  readonly #ledger: Ledger;
  readonly #timer: NodeJS.Timeout;
  readonly #accounts = new Map<string, RealAccount>();
  readonly #ending = new Set<Promise<void>>();
  /** One that begins anew waits for its end. */
  readonly #endingAccounts = new Set<string>();
  #venue: CcxtVenue | null = null;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(private readonly options: RealVenuesOptions) {
    this.#lease = new VenueLease(options.leaderships, "exchanges", (isHeld) => {
      if (!isHeld) this.#forget();
      else if (this.#venue === null && !this.#isClosed) {
        this.#venue = this.#newVenue();
        void this.#look();
      }
    });
    this.#ledger = options.ledger.ledBy(() => this.#lease.term);
    this.#timer = setInterval(() => void this.#look(), lookMs);
  }

  /** How the comparisons with the exchanges went; null where another process makes them. */
  syncStanding(): SyncStanding | null {
    if (this.#venue === null) return null;
    const outcomes = [...this.#accounts.values()].map(({ isSynced }) => isSynced);
    return { accounts: outcomes.length, failing: outcomes.filter((isSynced) => isSynced === false).length };
  }

  async start(): Promise<void> {
    await this.#lease.start();
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#looking;
    this.#forget();
    await Promise.allSettled(this.#ending);
    await this.#lease.close();
  }

  takes({ environment, exchangeId }: LedgerAccount): boolean {
    const code = this.options.catalogue.findExchange(exchangeId)?.code;
    if (environment === "PAPER" || this.options.keyRing === null || !isTraded(code)) return false;
    return !this.options.isSimulated || (environment === "TESTNET" && code === "BINANCE");
  }

  refusal(account: LedgerAccount, order: NewOrder, symbol: TradingSymbol): string | null {
    const code = this.options.catalogue.findExchange(account.exchangeId)?.code;
    const { positionMode, environment } = account;
    const isTestnet = environment === "TESTNET" && !this.options.isSimulated;
    return isTraded(code) ? refusalOf(code, symbol.marketType, order, { positionMode, isTestnet }) : null;
  }

  /** An exchange does nothing at once. */
  react(): void {}

  send(_userId: string, accountId: string, commands: readonly VenueCommand[]): void {
    this.#accounts.get(accountId)?.send(commands);
  }

  /** Looks now for accounts and orders that were stored. */
  look(): void {
    void this.#look();
  }

  #look(): Promise<void> {
    if (this.#venue === null || this.#isClosed) return Promise.resolve();
    this.#looking ??= this.#followAccounts(this.#venue)
      .catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, "exchanges.look-failed"))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #followAccounts(venue: CcxtVenue): Promise<void> {
    const rows = await this.options.database.sql<RealAccountRow[]>`select * from real_accounts()`;
    if (venue !== this.#venue) return;
    const found = new Set<string>();
    for (const row of rows) {
      const { account_id: accountId, exchange_code: code, environment, is_waiting } = row;
      if (!isTraded(code) || (this.options.isSimulated && (environment !== "TESTNET" || code !== "BINANCE"))) continue;
      found.add(accountId);
      const known = this.#accounts.get(accountId);
      if (known === undefined) {
        if (!this.#endingAccounts.has(accountId)) this.#begin(venue, row);
      } else if (known.keysUpdatedAt !== row.keys_updated_at) this.#end(accountId, venue);
      else if (is_waiting) known.look();
    }
    for (const accountId of this.#accounts.keys()) if (!found.has(accountId)) this.#end(accountId, venue);
  }

  #begin(venue: CcxtVenue, row: RealAccountRow): void {
    const { database, markets, clock, log, syncMs = defaultSyncMs } = this.options;
    const ledger = this.#ledger;
    const { account_id: accountId, user_id: userId, keys_updated_at: keysUpdatedAt } = row;
    const mayWork = () => this.#lease.confirm(database);
    const account = new RealAccount({
      venue,
      accountId,
      userId,
      keysUpdatedAt,
      database,
      ledger,
      markets,
      clock,
      log,
      syncMs,
      mayWork,
    });
    this.#accounts.set(accountId, account);
    account.start();
  }

  #end(accountId: string, venue: CcxtVenue): void {
    const account = this.#accounts.get(accountId);
    this.#accounts.delete(accountId);
    this.#endingAccounts.add(accountId);
    const ending: Promise<void> = Promise.resolve(account?.close())
      .then(() => venue.forget(accountId))
      .catch((error: unknown) =>
        this.options.log.warn({ accountId, error: errorMessage(error) }, "exchanges.end-failed"),
      )
      .finally(() => {
        this.#ending.delete(ending);
        this.#endingAccounts.delete(accountId);
        this.look();
      });
    this.#ending.add(ending);
  }

  #forget(): void {
    const venue = this.#venue;
    this.#venue = null;
    if (venue === null) return;
    for (const accountId of this.#accounts.keys()) this.#end(accountId, venue);
    const ending: Promise<void> = venue
      .close()
      .catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, "exchanges.end-failed"))
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #newVenue(): CcxtVenue {
    const { database, keyRing, markets, clock, log } = this.options;
    return new CcxtVenue({
      clock,
      log,
      account: (accountId) => readAccountKeys(database, keyRing, this.#userOf(accountId), accountId),
      symbol: (id) => {
        const { ticker, marketType } = markets.symbol(id);
        return { id, ticker: ticker.toUpperCase(), marketType };
      },
      readOrder: async (accountId, orderId) => (await this.#accounts.get(accountId)?.readOrder(orderId)) ?? null,
      futureOf: (exchange, ticker) => {
        const symbol = this.options.catalogue.symbolByTicker(`${exchange}_FUTURES`, ticker);
        return symbol === undefined ? null : { id: symbol.id, ticker, marketType: "FUTURES" };
      },
      hasFutures: () => !this.options.isSimulated || this.#simulated("futures") !== null,
      endpoint: (_, kind) => this.#endpoint(kind),
    });
  }

  #userOf(accountId: string): string {
    const account = this.#accounts.get(accountId);
    if (account === undefined) throw new Error("an account is asked about that is not worked for");
    return account.userId;
  }

  /** Whoever runs the simulated exchange has stored where it is. */
  #endpoint(kind: MarketKind): { url: string; websocketUrl: string } | null {
    if (!this.options.isSimulated) return null;
    const address = this.#simulated(kind);
    if (address === null) throw new Error("the simulated exchange is not there");
    return address;
  }

  #simulated(kind: MarketKind): { url: string; websocketUrl: string } | null {
    const market = this.options.catalogue.marketByCode(simulatedMarkets[kind]);
    const provider = this.options.catalogue.providers.find(
      ({ providerType, marketId, endpointUrl, websocketUrl }) =>
        providerType === "SIMULATED" && marketId === market?.id && endpointUrl !== null && websocketUrl !== null,
    );
    if (provider === undefined) return null;
    return { url: provider.endpointUrl as string, websocketUrl: provider.websocketUrl as string };
  }
}

const isTraded = (code: string | undefined): code is TradedExchange =>
  (tradedExchanges as readonly (string | undefined)[]).includes(code);
