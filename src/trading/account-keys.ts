import { DomainError, notFound } from "../core/errors.js";
import { type KeyRing, SealedSecretError } from "../core/key-ring.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import type { PositionMode } from "./order.js";
import type { VenueAccount } from "./venues/ccxt-venue.js";
import type { TradedExchange } from "./venues/offers.js";

interface SealedKeys {
  readonly code: TradedExchange;
  readonly environment: string;
  readonly position_mode: PositionMode;
  readonly sealed_api_key: string;
  readonly sealed_api_secret: string;
  readonly sealed_passphrase: string | null;
}

/**
 * The keys of an account at an exchange, opened. They are for the venue alone: nothing logs or stores them.
 * @throws {DomainError} NOT_FOUND; PROVIDER_UNAVAILABLE when they do not open
 */
export async function readAccountKeys(
  database: Database,
  keyRing: KeyRing | null,
  userId: string,
  accountId: string,
): Promise<VenueAccount> {
  const [[row]] = await asUserAtOnce(database, userId, (sql) => [
    sql<SealedKeys[]>`
      select e.code, a.environment, a.position_mode, a.sealed_api_key, a.sealed_api_secret, a.sealed_passphrase
      from accounts a join exchanges e on e.id = a.exchange_id where a.id = ${accountId} and a.deleted_at is null`,
  ]);
  if (row === undefined) throw notFound("account");
  const open = (sealed: string, column: string): string => {
    if (keyRing === null) throw new SealedSecretError("ENCRYPTION_KEYS is not set");
    return keyRing.open(sealed, { table: "accounts", id: accountId, column });
  };
  const { sealed_api_key, sealed_api_secret, sealed_passphrase } = row;
  try {
    return {
      exchange: row.code,
      testnet: row.environment === "TESTNET",
      positionMode: row.position_mode,
      credentials: {
        apiKey: open(sealed_api_key, "sealed_api_key"),
        secret: open(sealed_api_secret, "sealed_api_secret"),
        passphrase: sealed_passphrase === null ? null : open(sealed_passphrase, "sealed_passphrase"),
      },
    };
  } catch (error) {
    if (!(error instanceof SealedSecretError)) throw error;
    throw new DomainError("PROVIDER_UNAVAILABLE", `the keys of the account do not open: ${error.message}`);
  }
}
