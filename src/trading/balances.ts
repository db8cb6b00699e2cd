import type { Decimal } from "../core/decimal.js";
import { smaller, zero } from "./money.js";

export const ledgerReasons = [
  "DEPOSIT",
  "WITHDRAWAL",
  "RESERVE",
  "RELEASE",
  "TRADE",
  "FEE",
  "FUNDING",
  "LIQUIDATION",
  "ADJUSTMENT",
] as const;
export type LedgerReason = (typeof ledgerReasons)[number];

/** Locked is what open orders hold and what positions have as margin. Neither is ever negative. */
export interface Balance {
  readonly available: Decimal;
  readonly locked: Decimal;
}

/** By asset; an asset that is missing has nothing. */
export type Balances = ReadonlyMap<string, Balance>;

/** One entry of the ledger. The sum of an asset's entries is its balance, after every single one of them. */
export interface Movement {
  readonly asset: string;
  readonly reason: LedgerReason;
  readonly availableChange: Decimal;
  readonly lockedChange: Decimal;
}

const none: Balance = { available: zero, locked: zero };
export const balanceOf = (balances: Balances, asset: string): Balance => balances.get(asset) ?? none;

/** The balances after the movements. @throws {RangeError} when one of them would leave less than nothing */
export function moved(balances: Balances, movements: readonly Movement[]): Balances {
  const after = new Map(balances);
  for (const { asset, reason, availableChange, lockedChange } of movements) {
    const { available, locked } = balanceOf(after, asset);
    const balance = { available: available.plus(availableChange), locked: locked.plus(lockedChange) };
    if (balance.available.lt(0) || balance.locked.lt(0)) throw new RangeError(`${reason} leaves less than no ${asset}`);
    after.set(asset, balance);
  }
  return after;
}

/**
 * The movements of one transaction as they are written down. What is owed to a venue is always paid: from what is held for
 * it, then from what is available. What is still missing then has in truth come from elsewhere on the exchange, or from its
 * insurance fund, and is added as an ADJUSTMENT before it is paid, so that no balance is ever negative and none is wrong.
 */
export class MovementDraft {
  readonly movements: Movement[] = [];
  /** What is missing, by asset. */
  readonly shortfalls = new Map<string, Decimal>();
  readonly #balances: Map<string, Balance>;

  constructor(balances: Balances) {
    this.#balances = new Map(balances);
  }

  available(asset: string): Decimal {
    return balanceOf(this.#balances, asset).available;
  }

  move(asset: string, reason: LedgerReason, availableChange: Decimal, lockedChange: Decimal): void {
    if (availableChange.isZero() && lockedChange.isZero()) return;
    const movement = { asset, reason, availableChange, lockedChange };
    const after = moved(this.#balances, [movement]);
    this.#balances.set(asset, balanceOf(after, asset));
    this.movements.push(movement);
  }

  receive(asset: string, reason: LedgerReason, amount: Decimal): void {
    this.move(asset, reason, amount, zero);
  }

  lock(asset: string, amount: Decimal): void {
    this.move(asset, "RESERVE", amount.neg(), amount);
  }

  unlock(asset: string, amount: Decimal): void {
    this.move(asset, "RELEASE", amount, amount.neg());
  }

  /** Pays an amount that is not negative, and returns how much of `held`, which is locked, it took. */
  pay(asset: string, reason: LedgerReason, amount: Decimal, held: Decimal = zero): Decimal {
    const fromHeld = smaller(amount, held);
    const fromAvailable = amount.minus(fromHeld);
    const missing = fromAvailable.minus(smaller(fromAvailable, this.available(asset)));
    if (missing.gt(0)) {
      this.shortfalls.set(asset, missing.plus(this.shortfalls.get(asset) ?? zero));
      this.move(asset, "ADJUSTMENT", missing, zero);
    }
    this.move(asset, reason, fromAvailable.neg(), fromHeld.neg());
    return fromHeld;
  }
}
