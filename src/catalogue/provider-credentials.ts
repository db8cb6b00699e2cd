import { eq, isNotNull } from "drizzle-orm";
import { errorMessage, notFound, StartError } from "../core/errors.js";
import { type KeyRing, SealedSecretError } from "../core/key-ring.js";
import type { Database, Db } from "../db/connect.js";
import type { DataProvider } from "./catalogue.js";
import { dataProviders } from "./tables.js";

/** What signs us in at a provider. Shows none of it when it is printed, logged or written as JSON. */
export class ProviderCredentials {
  readonly #apiKey: string;
  readonly #apiSecret: string | null;
  readonly #passphrase: string | null;

  constructor(apiKey: string, apiSecret: string | null, passphrase: string | null) {
    this.#apiKey = apiKey;
    this.#apiSecret = apiSecret;
    this.#passphrase = passphrase;
  }

  get apiKey(): string {
    return this.#apiKey;
  }
  /** What requests are signed with, where the provider asks for that. */
  get apiSecret(): string | null {
    return this.#apiSecret;
  }
  /** Some exchanges (OKX) ask for a third. */
  get passphrase(): string | null {
    return this.#passphrase;
  }

  toJSON(): string {
    return "[credentials]";
  }
}

type Sealed = Pick<DataProvider, "id" | "code" | "sealedApiKey" | "sealedApiSecret" | "sealedPassphrase">;

/** The row and the column belong to what is sealed: moved elsewhere, it does not open. */
const placeOf = (id: number, column: string) => ({ table: "data_providers", id, column });

function seal(keyRing: KeyRing, id: number, { apiKey, apiSecret, passphrase }: ProviderCredentials) {
  const sealed = (secret: string | null, column: string) =>
    secret === null ? null : keyRing.seal(secret, placeOf(id, column));
  return {
    sealedApiKey: sealed(apiKey, "sealed_api_key"),
    sealedApiSecret: sealed(apiSecret, "sealed_api_secret"),
    sealedPassphrase: sealed(passphrase, "sealed_passphrase"),
  };
}

/** Null when the provider has none. @throws {SealedSecretError} when they cannot be opened */
export function openCredentials(keyRing: KeyRing | null, provider: Sealed): ProviderCredentials | null {
  const { id, sealedApiKey, sealedApiSecret, sealedPassphrase } = provider;
  if (sealedApiKey === null) return null;
  if (keyRing === null) throw new SealedSecretError("ENCRYPTION_KEYS is not set");
  const open = (sealed: string | null, column: string) =>
    sealed === null ? null : keyRing.open(sealed, placeOf(id, column));
  return new ProviderCredentials(
    keyRing.open(sealedApiKey, placeOf(id, "sealed_api_key")),
    open(sealedApiSecret, "sealed_api_secret"),
    open(sealedPassphrase, "sealed_passphrase"),
  );
}

/** Null takes them away. @throws {DomainError} NOT_FOUND */
export async function storeCredentials(
  database: Database,
  keyRing: KeyRing | null,
  code: string,
  credentials: ProviderCredentials | null,
  /** Writes it down, in the same transaction. */
  record: (tx: Pick<Db, "insert">) => Promise<void>,
): Promise<void> {
  await database.db.transaction(async (tx) => {
    const [row] = await tx.select({ id: dataProviders.id }).from(dataProviders).where(eq(dataProviders.code, code));
    if (row === undefined) throw notFound(`provider ${code.slice(0, 50)}`);
    if (credentials !== null && keyRing === null) throw new SealedSecretError("ENCRYPTION_KEYS is not set");
    const columns =
      credentials === null || keyRing === null
        ? { sealedApiKey: null, sealedApiSecret: null, sealedPassphrase: null }
        : seal(keyRing, row.id, credentials);
    await tx.update(dataProviders).set(columns).where(eq(dataProviders.id, row.id));
    await record(tx);
  });
}

const sealedColumns = {
  id: dataProviders.id,
  code: dataProviders.code,
  sealedApiKey: dataProviders.sealedApiKey,
  sealedApiSecret: dataProviders.sealedApiSecret,
  sealedPassphrase: dataProviders.sealedPassphrase,
};

const readSealed = (database: Database): Promise<Sealed[]> =>
  database.db.select(sealedColumns).from(dataProviders).where(isNotNull(dataProviders.sealedApiKey));

/** @throws {StartError} when there are credentials that the keys do not open */
export async function requireCredentialsOpen(database: Database, keyRing: KeyRing | null): Promise<void> {
  const problems: string[] = [];
  for (const provider of await readSealed(database)) {
    try {
      openCredentials(keyRing, provider);
    } catch (error) {
      problems.push(`${provider.code}: ${errorMessage(error)}`);
    }
  }
  if (problems.length === 0) return;
  throw new StartError(
    `the stored credentials of ${problems.length} provider(s) cannot be opened:\n  ${problems.join("\n  ")}\n` +
      'Set ENCRYPTION_KEYS to the keys they were sealed with, or take them away: "tradegraph providers clear-credentials CODE".',
  );
}
