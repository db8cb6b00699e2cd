import { type Decimal, decimalText } from "../core/decimal.js";
import { DomainError, errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { backoffDelayMs, type Clock } from "../core/time.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import { type Balances, balanceOf, type Movement } from "./balances.js";
import type { Ledger } from "./ledger.js";
import { smaller, zero } from "./money.js";
import { forgetEquity, shiftEquity } from "./order-risk.js";
import { PositionSync } from "./position-sync.js";
import type { TradingMarkets } from "./trading-markets.js";
import type { CcxtVenue } from "./venues/ccxt-venue.js";

export interface AccountSyncOptions {
  readonly venue: CcxtVenue;
  readonly accountId: string;
  readonly userId: string;
  /** When it was given other keys than it began with; null: never. Nothing is stored about other keys than those that are worked with. */
  readonly keysUpdatedAt: string | null;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly markets: TradingMarkets;
  readonly clock: Clock;
  readonly log: Logger;
  readonly syncMs: number;
  /** After each comparison that came to an end. */
  readonly onSynced: () => void;
}

/** Some exchanges have assets that the ledger cannot name; nothing here is traded against them. */
const assetPattern = /^[A-Z0-9][A-Z0-9._-]{0,19}$/;
const maxErrorLength = 500;
/** After a failure that may be over soon, and after a refusal, which may be one for a while: a key is not known everywhere at once. */
const retries = { fault: { firstMs: 2_000, lastMs: 60_000 }, refusal: { firstMs: 30_000, lastMs: 3_600_000 } } as const;
const threeActive = "at most three accounts of an exchange are active: end another one";

/**
 * Compares an account's balances with the exchange's, which is right. The first time, everything is paid in. Later, a
 * difference that is the same at two comparisons in a row comes from elsewhere (a deposit, a withdrawal, a trade by hand) and is
 * booked as an ADJUSTMENT; before, or while nobody tells of executions, it may be one that is still on its way. Only sums are compared: what orders hold
 * differs by the exchange's own rules. What came or went is no profit or loss, unless positions differed too: then somebody traded.
 */
export class AccountSync {
  readonly #options: AccountSyncOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  readonly #positions: PositionSync;
  #lastDifference = "";
  /** Whether positions differed at the last comparison. */
  #positionsDiffered = false;
  #comparedAtMs = 0;
  #failures = 0;
  #isPermitted = false;
  /** What does not go away by itself. */
  #fault: string | null = null;
  #isClosed = false;
  #isSynced: boolean | null = null;

  constructor(options: AccountSyncOptions) {
    this.#options = options;
    this.#positions = new PositionSync(options);
  }

  /** Whether the last comparison came to an end and found nothing wrong; null before the first. */
  get isSynced(): boolean | null {
    return this.#isSynced;
  }

  start(): void {
    this.soon();
  }

  /** Compares now, or when the comparison that is under way has ended at the next time. */
  soon(): void {
    if (this.#isClosed || this.#running !== undefined) return;
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Shown as the account's sync error until the program begins anew. */
  fault(text: string): void {
    this.#fault = text;
    void this.#store({ status: "ERROR", error: text }).catch((error: unknown) => this.#notStored(error));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { syncMs, onSynced } = this.#options;
    let nextMs = syncMs;
    try {
      await this.#compare();
      this.#failures = 0;
      onSynced();
    } catch (error) {
      this.#isSynced = false;
      const { firstMs, lastMs } = retries[isRefusal(error) ? "refusal" : "fault"];
      nextMs = backoffDelayMs(this.#failures++, Math.min(syncMs, firstMs), lastMs, Math.random);
      await this.#failed(error).catch((failure: unknown) => this.#notStored(failure));
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => this.soon(), nextMs);
  }

  async #compare(): Promise<void> {
    const { venue, accountId, userId, database, ledger, markets } = this.#options;
    const [[row]] = await asUserAtOnce(database, userId, (sql) => [
      sql<{ last_sync_at: string | null }[]>`select last_sync_at from accounts where id = ${accountId}`,
    ]);
    const isFirst = row?.last_sync_at === null;
    // Once for each key: what it may do can have changed while nobody looked.
    const comparedAtMs = this.#options.clock.nowMs();
    const isDoubtful = this.#lastDifference !== "" && this.#lastDifference !== "[]";
    if (await venue.mayHaveMissed(accountId, this.#comparedAtMs)) this.#lastDifference = "";
    const permissions = this.#isPermitted ? null : await venue.permissions(accountId);
    if (permissions?.includes("WITHDRAW"))
      throw new DomainError("BAD_USER_INPUT", "this key may withdraw: make one that may only read and trade");
    this.#isPermitted = true;
    const positionsDiffer = await this.#positions.compare({ isFirst, isDoubtful });
    const isTraded = positionsDiffer || this.#positionsDiffered;
    this.#positionsDiffered = positionsDiffer;
    const there = new Map<string, Decimal>();
    // An exchange may keep an asset in several wallets.
    for (const { asset, available, locked } of await venue.balances(accountId))
      if (assetPattern.test(asset)) there.set(asset, available.plus(locked).plus(there.get(asset) ?? zero));
    const { result: error } = await ledger.change(userId, { accountId, ofAccount: true }, (draft) => {
      const { movements, missing } = differences(there, draft.balances, isFirst);
      const difference = movements.map(({ asset, availableChange }) => {
        const { available, locked } = balanceOf(draft.balances, asset);
        return [asset, decimalText(availableChange), decimalText(available.plus(locked))];
      });
      const text = JSON.stringify(difference);
      if (movements.length > 0 && (isFirst || text === this.#lastDifference)) {
        const before = draft.balances;
        draft.record(isFirst ? "deposited" : "adjusted", draft.now, { source: "exchange" }, movements);
        if (isFirst) forgetEquity(draft);
        else if (!isTraded) shiftEquity(draft, before, markets);
        this.#lastDifference = "";
      } else this.#lastDifference = text;
      return missing.length === 0 ? null : `the exchange has less than orders hold here: ${missing.join(", ")}`;
    });
    this.#comparedAtMs = comparedAtMs;
    const shown = this.#fault ?? error;
    this.#isSynced = shown === null;
    await this.#store({
      status: shown === null ? "SYNCED" : "ERROR",
      error: shown,
      syncedAt: new Date(this.#options.clock.nowMs()),
      ...(permissions === null ? {} : { permissions }),
    });
  }

  async #failed(error: unknown): Promise<void> {
    const { accountId, log } = this.#options;
    const isKnown = error instanceof DomainError;
    log.warn({ accountId, code: isKnown ? error.code : null, error: errorMessage(error) }, "exchanges.not-synced");
    const text = isKnown ? error.message : "the comparison with the exchange failed";
    await this.#store({ status: "ERROR", error: text, isRefused: isRefusal(error) });
  }

  /** Accounts that were ended meanwhile stay as they are. */
  async #store(told: {
    readonly status: "SYNCED" | "ERROR";
    readonly error: string | null;
    readonly syncedAt?: Date;
    readonly permissions?: readonly string[];
    /** The exchange does not take the key: the account takes no orders until it does, or there is another key. */
    readonly isRefused?: boolean;
  }): Promise<void> {
    const { database, userId, accountId, keysUpdatedAt } = this.#options;
    const { status, error, syncedAt = null, permissions = null, isRefused = false } = told;
    await asUserAtOnce(database, userId, (sql) => [
      sql`
        update accounts set sync_status = ${status}, sync_error = ${error?.slice(0, maxErrorLength) ?? null},
          last_sync_at = coalesce(${syncedAt?.toISOString() ?? null}::timestamptz, last_sync_at),
          permissions = coalesce(${permissions === null ? null : `{${permissions.join()}}`}::text::text[], permissions::text[]),
          status = case when ${isRefused} then 'ERROR' when ${syncedAt !== null} then 'ACTIVE' else status end
        where id = ${accountId} and status in ('ACTIVE', 'ERROR') and deleted_at is null
          and keys_updated_at is not distinct from ${keysUpdatedAt}::timestamptz`,
    ]).catch((error: unknown) => {
      const isFourth = (error as { constraint_name?: string }).constraint_name === "ck_accounts_three_active";
      throw isFourth ? new DomainError("BAD_USER_INPUT", threeActive) : error;
    });
  }

  #notStored(error: unknown): void {
    const { accountId, log } = this.#options;
    log.warn({ accountId, error: errorMessage(error) }, "exchanges.sync-not-stored");
  }
}

const isRefusal = (error: unknown): boolean => error instanceof DomainError && error.code === "BAD_USER_INPUT";

/** What makes the ledger's sums those of the exchange; `missing` are assets of which orders hold more than there is. */
function differences(there: ReadonlyMap<string, Decimal>, here: Balances, isFirst: boolean) {
  const movements: Movement[] = [];
  const missing: string[] = [];
  for (const asset of new Set([...there.keys(), ...here.keys()])) {
    const { available, locked } = balanceOf(here, asset);
    const change = (there.get(asset) ?? zero).minus(available.plus(locked));
    if (change.isZero()) continue;
    const taken = change.isNegative() ? smaller(change.neg(), available).neg() : change;
    if (!taken.eq(change)) missing.push(asset);
    const reason = isFirst && taken.gt(0) ? "DEPOSIT" : "ADJUSTMENT";
    if (!taken.isZero()) movements.push({ asset, reason, availableChange: taken, lockedChange: zero });
  }
  return { movements, missing };
}
