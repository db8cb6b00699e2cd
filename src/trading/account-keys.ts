import { DomainError, notFound } from "../core/errors.js";
import { type KeyRing, SealedSecretError } from "../core/key-ring.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
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

const sealedColumns = ["sealed_api_key", "sealed_api_secret", "sealed_passphrase"] as const;
const accountsPerBatch = 100;

/**
 * Seals the keys of all accounts anew that the newest key does not seal yet, each account in a transaction of its own as its user.
 * @returns how many were done, and how many are left as they are because their keys do not open
 */
export async function resealAccountKeys(
  database: Database,
  keyRing: KeyRing,
  mayGoOn: () => boolean,
): Promise<{ readonly rows: number; readonly failed: number }> {
  let [rows, failed] = [0, 0];
  let lastId: string | null = null;
  while (mayGoOn()) {
    const found: { account_id: string; user_id: string }[] = await database.sql`
      select * from outdated_account_keys(${keyRing.newestId}, ${lastId}, ${accountsPerBatch})`;
    for (const { account_id: accountId, user_id: userId } of found) {
      if (!mayGoOn()) break;
      if (await resealAccount(database, keyRing, userId, accountId)) rows++;
      else failed++;
    }
    lastId = found.at(-1)?.account_id ?? null;
    if (lastId === null) break;
  }
  return { rows, failed };
}

async function resealAccount(
  database: Database,
  keyRing: KeyRing,
  userId: string,
  accountId: string,
): Promise<boolean> {
  try {
    await asUser(database, userId, async ({ sql }) => {
      // Locked, so that nothing that is set meanwhile is overwritten.
      const [row] = await sql<Record<(typeof sealedColumns)[number], string | null>[]>`
        select ${sql([...sealedColumns])} from accounts where id = ${accountId} for no key update`;
      if (row === undefined) return;
      const changed = Object.fromEntries(
        sealedColumns.map((column) => {
          const [secret, place] = [row[column], { table: "accounts", id: accountId, column }];
          return [column, secret === null ? null : keyRing.seal(keyRing.open(secret, place), place)];
        }),
      );
      await sql`update accounts set ${sql(changed)} where id = ${accountId}`;
    });
    return true;
  } catch (error) {
    if (!(error instanceof SealedSecretError)) throw error;
    return false;
  }
}
