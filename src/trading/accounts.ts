import type { Catalogue } from "../catalogue/catalogue.js";
import { type DecimalText, decimalText, fitsNumeric38, isPositive } from "../core/decimal.js";
import { badInput, DomainError, notFound } from "../core/errors.js";
import type { KeyRing } from "../core/key-ring.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import { auditEvent } from "../people/audit.js";
import { LedgerDraft } from "./ledger-draft.js";
import { type BalanceRow, textOfChange } from "./ledger-rows.js";
import type { PositionMode } from "./order.js";
import { offers, tradedExchanges } from "./venues/offers.js";

export type AccountEnvironment = "PAPER" | "TESTNET" | "PRODUCTION";

/** What users see of an account; its keys stay in the database. */
export interface Account {
  readonly id: string;
  readonly userId: string;
  readonly exchangeId: number;
  readonly name: string;
  readonly environment: AccountEnvironment;
  readonly status: "ACTIVE" | "INACTIVE" | "ERROR" | "EXPIRED";
  readonly positionMode: PositionMode;
  readonly syncStatus: "PENDING" | "SYNCING" | "SYNCED" | "ERROR" | "DISABLED";
  readonly lastSyncAt: string | null;
  readonly syncError: string | null;
  readonly permissions: readonly string[];
  readonly apiKeyHint: string | null;
  readonly createdAt: string;
}

/** Of an account at an exchange. */
export interface AccountKeyInput {
  readonly apiKey?: string | null;
  readonly apiSecret?: string | null;
  readonly passphrase?: string | null;
}

export interface CreateAccount extends AccountKeyInput {
  readonly exchange: string;
  readonly name: string;
  readonly environment: AccountEnvironment;
  readonly positionMode?: PositionMode | null;
  readonly initialBalances?: readonly { readonly asset: string; readonly amount: DecimalText }[] | null;
}

export interface AccountServices {
  readonly database: Database;
  readonly catalogue: Catalogue;
  readonly keyRing: KeyRing | null;
  readonly clock: Clock;
  /** Accounts at exchanges are then at the simulated one. */
  readonly isSimulated?: boolean;
  /** Told when an account at an exchange is there, or has other keys. */
  readonly onOpened?: () => void;
}

const accountColumns = (
  table: string,
) => `${table}.id, ${table}.user_id as "userId", ${table}.exchange_id as "exchangeId",
  ${table}.name, ${table}.environment, ${table}.status, ${table}.position_mode as "positionMode", ${table}.sync_status as "syncStatus",
  ${table}.last_sync_at as "lastSyncAt", ${table}.sync_error as "syncError", to_jsonb(${table}.permissions) as permissions,
  ${table}.api_key_hint as "apiKeyHint", ${table}.created_at as "createdAt"`;
const columns = accountColumns("accounts");

const paperDefault = decimalText("100000");
const maxInitialBalances = 50;
const assetPattern = /^[A-Z0-9][A-Z0-9._-]{0,19}$/;
const maxSecretLength = 500;

/**
 * Opens an account: on paper with the balances that are asked for, at an exchange with its sealed keys.
 * @throws {DomainError} BAD_USER_INPUT; CONFLICT for a name that is taken, or a fourth active account at the exchange
 */
export async function createAccount(on: AccountServices, userId: string, input: CreateAccount): Promise<Account> {
  const { database, catalogue, clock } = on;
  const exchange = catalogue.exchangeByCode(input.exchange);
  if (exchange === undefined || !exchange.isActive)
    throw badInput("exchange", `there is no exchange "${input.exchange.slice(0, 50)}"`);
  const name = input.name.trim();
  if (name.length === 0 || name.length > 100) throw badInput("name", "name must have 1 to 100 characters");
  const now = new Date(clock.nowMs());
  const id = uuidV7(now.getTime());
  const isPaper = input.environment === "PAPER";
  if (!isPaper && input.initialBalances != null)
    throw badInput("initialBalances", "only a paper account begins with chosen balances");
  if (!isPaper) requireTraded(exchange.code, input, on.isSimulated ?? false);
  const keys = isPaper ? noKeys(input) : sealedKeys(on.keyRing, id, input);
  const deposits = isPaper ? depositsOf(catalogue, exchange.id, input) : new Map<string, DecimalText>();
  const positionMode = input.positionMode ?? "ONE_WAY";

  const draft = new LedgerDraft(
    {
      account: {
        id,
        userId,
        exchangeId: exchange.id,
        environment: input.environment,
        status: "ACTIVE",
        positionMode,
      },
      sequence: 0,
      accountVersion: 0,
      balances: new Map(),
      orders: [],
      positions: [],
      limits: [],
      waiting: [],
      strategyId: null,
      equity: { day: null, atMidnight: null, highest: null },
    },
    {
      now,
      newId: () => uuidV7(now.getTime()),
      symbolOf: () => {
        throw new Error("an account opens without orders");
      },
    },
  );
  draft.open(
    { exchangeId: exchange.id, environment: input.environment, positionMode },
    [...deposits].map(([asset, amount]) => ({ asset, amount })),
  );
  try {
    const [rows] = await asUserAtOnce(database, userId, (sql) => [
      sql<Account[]>`
        insert into accounts (id, user_id, exchange_id, name, environment, position_mode, sync_status, sealed_api_key,
          sealed_api_secret, sealed_passphrase, api_key_hint, created_at)
        values (${id}, ${userId}, ${exchange.id}, ${name}, ${input.environment}, ${positionMode}, ${isPaper ? "DISABLED" : "PENDING"},
          ${keys.sealedApiKey}, ${keys.sealedApiSecret}, ${keys.sealedPassphrase}, ${keys.apiKeyHint}, ${now.toISOString()})
        returning ${sql.unsafe(columns)}`,
      sql`insert into account_sequences (account_id, user_id) values (${id}, ${userId})`,
      sql`select write_ledger(${textOfChange(draft.change())}::text::jsonb)`,
    ]);
    if (!isPaper) on.onOpened?.();
    return rows[0] as Account;
  } catch (error) {
    throw explained(error);
  }
}

/**
 * Gives an account at an exchange other keys, sealed; who works for it then closes what it has open with the old ones, and
 * checks the new ones at once.
 * @param address where the wish came from, for the audit
 * @throws {DomainError} NOT_FOUND; BAD_USER_INPUT; CONFLICT for an account that has ended
 */
export async function updateAccountKeys(
  on: AccountServices,
  userId: string,
  id: string,
  input: AccountKeyInput,
  address: string,
): Promise<Account> {
  const { database, catalogue, keyRing, clock } = on;
  const known = (await accountsByIds(database, userId, [id])).get(id);
  if (known === undefined) throw notFound("account");
  if (known.environment === "PAPER") throw badInput("id", "a paper account has no keys");
  requirePassphrase(catalogue.findExchange(known.exchangeId)?.code ?? "", input);
  const keys = sealedKeys(keyRing, id, input);
  const now = new Date(clock.nowMs()).toISOString();
  const changed = await asUser(database, userId, async ({ sql }) => {
    // Whoever follows the account sees by the time that its keys are others; no two changes have the same one.
    const [row] = await sql<Account[]>`
      update accounts set sealed_api_key = ${keys.sealedApiKey}, sealed_api_secret = ${keys.sealedApiSecret},
        sealed_passphrase = ${keys.sealedPassphrase}, api_key_hint = ${keys.apiKeyHint}, sync_status = 'PENDING', sync_error = null,
        keys_updated_at = greatest(${now}::timestamptz, keys_updated_at + interval '1 microsecond')
      where id = ${id} and deleted_at is null and status in ('ACTIVE', 'ERROR') returning ${sql.unsafe(columns)}`;
    if (row === undefined) return null;
    const details = { account: id, apiKey: keys.apiKeyHint ?? "" };
    await auditEvent(sql, clock, { userId, actorId: userId, action: "account.update-keys", details, address });
    return row;
  });
  if (changed === null) throw new DomainError("CONFLICT", `the account is ${known.status}`, { field: "id" });
  on.onOpened?.();
  return changed;
}

/** The account ends; its history stays. @throws {DomainError} NOT_FOUND */
export async function setInactive(database: Database, userId: string, id: string): Promise<Account> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<Account[]>`
      update accounts set status = 'INACTIVE', sync_status = 'DISABLED' where id = ${id} and deleted_at is null
      returning ${sql.unsafe(columns)}`,
  ]);
  const [account] = rows;
  if (account === undefined) throw notFound("account");
  return account;
}

/** In the order in which they were opened. */
export async function accountsOf(database: Database, userId: string): Promise<Account[]> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<Account[]>`select ${sql.unsafe(columns)} from accounts where deleted_at is null order by created_at, id`,
  ]);
  return [...rows];
}

/** Those of the ids that are the user's, by id. */
export async function accountsByIds(
  database: Database,
  userId: string,
  ids: readonly string[],
): Promise<Map<string, Account>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<Account[]>`
      select ${sql.unsafe(columns)} from accounts where id = any (${`{${ids.join()}}`}::text::uuid[]) and deleted_at is null`,
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** The balances of each of the accounts, by account and in the order of their assets. */
export async function balancesOf(
  database: Database,
  userId: string,
  accountIds: readonly string[],
): Promise<Map<string, BalanceRow[]>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<(BalanceRow & { account_id: string })[]>`
      select account_id, asset, available, locked, sequence, updated_at from account_balances
      where account_id = any (${`{${accountIds.join()}}`}::text::uuid[]) order by asset collate "C"`,
  ]);
  const found = new Map<string, BalanceRow[]>(accountIds.map((id) => [id, []]));
  for (const row of rows) found.get(row.account_id)?.push(row);
  return found;
}

interface AccountKeys {
  readonly sealedApiKey: string | null;
  readonly sealedApiSecret: string | null;
  readonly sealedPassphrase: string | null;
  readonly apiKeyHint: string | null;
}

/** @throws {DomainError} BAD_USER_INPUT where orders of such an account could not be executed */
function requireTraded(code: string, input: CreateAccount, isSimulated: boolean): void {
  const { environment } = input;
  const traded = tradedExchanges.find((name) => name === code);
  if (traded === undefined) throw badInput("exchange", `accounts at ${code} are on paper only`);
  if (isSimulated && environment === "PRODUCTION")
    throw badInput(
      "environment",
      "the markets are simulated here: production accounts need a program started with --live",
    );
  if (isSimulated && traded !== "BINANCE")
    throw badInput("exchange", "the simulated exchange takes accounts of BINANCE only");
  const { name, testnet } = offers[traded];
  if (environment === "TESTNET" && !testnet) throw badInput("environment", `${name} has no testnet`);
  requirePassphrase(code, input);
}

function requirePassphrase(code: string, { passphrase }: AccountKeyInput): void {
  if (code === "OKX" && passphrase == null) throw badInput("passphrase", "a key of OKX has a passphrase");
}

function noKeys(input: CreateAccount): AccountKeys {
  for (const field of ["apiKey", "apiSecret", "passphrase"] as const)
    if (input[field] != null) throw badInput(field, "a paper account has no keys");
  return { sealedApiKey: null, sealedApiSecret: null, sealedPassphrase: null, apiKeyHint: null };
}

function sealedKeys(keyRing: KeyRing | null, id: string, input: AccountKeyInput): AccountKeys {
  const secret = (field: "apiKey" | "apiSecret", text: string | null | undefined): string => {
    if (text == null || !/^[\x21-\x7e]{8,500}$/.test(text))
      throw badInput(field, `${field} must have 8 to ${maxSecretLength} characters without spaces`);
    return text;
  };
  const apiKey = secret("apiKey", input.apiKey);
  const apiSecret = secret("apiSecret", input.apiSecret);
  const { passphrase = null } = input;
  if (passphrase !== null && (passphrase.length === 0 || passphrase.length > maxSecretLength))
    throw badInput("passphrase", `passphrase must have 1 to ${maxSecretLength} characters`);
  if (keyRing === null)
    throw new DomainError("PROVIDER_UNAVAILABLE", "this installation cannot keep keys: ENCRYPTION_KEYS is not set");
  const seal = (text: string, column: string) => keyRing.seal(text, { table: "accounts", id, column });
  return {
    sealedApiKey: seal(apiKey, "sealed_api_key"),
    sealedApiSecret: seal(apiSecret, "sealed_api_secret"),
    sealedPassphrase: passphrase === null ? null : seal(passphrase, "sealed_passphrase"),
    apiKeyHint: keyHint(apiKey),
  };
}

/** At most a quarter of a short key shows. */
function keyHint(apiKey: string): string {
  const shown = Math.min(4, Math.floor(apiKey.length / 8));
  return `${apiKey.slice(0, shown)}…${apiKey.slice(-shown)}`;
}

function depositsOf(catalogue: Catalogue, exchangeId: number, input: CreateAccount): Map<string, DecimalText> {
  const { initialBalances } = input;
  if (initialBalances == null) {
    const [market] = catalogue.marketsOf({ exchangeId });
    if (market === undefined) throw badInput("initialBalances", "the exchange has no market: choose the balances");
    return new Map([[market.primaryCurrency, paperDefault]]);
  }
  if (initialBalances.length > maxInitialBalances)
    throw badInput("initialBalances", `initialBalances must hold at most ${maxInitialBalances} balances`);
  const deposits = new Map<string, DecimalText>();
  for (const { asset, amount } of initialBalances) {
    if (!assetPattern.test(asset))
      throw badInput("initialBalances", `"${asset.slice(0, 30)}" is not the code of an asset`);
    if (deposits.has(asset)) throw badInput("initialBalances", `${asset} is there twice`);
    if (!isPositive(amount) || !fitsNumeric38(amount) || amount.split(".")[0]?.length === 20)
      throw badInput(
        "initialBalances",
        "an amount is positive, with at most 19 digits before the point and 18 after it",
      );
    deposits.set(asset, amount);
  }
  return deposits;
}

const refusals: Readonly<Record<string, DomainError>> = {
  uk_accounts_user_id_name: new DomainError("CONFLICT", "there is an account of this name", { field: "name" }),
  ck_accounts_three_active: new DomainError("CONFLICT", "at most three accounts of an exchange are active", {
    field: "exchange",
  }),
};

const explained = (error: unknown): unknown =>
  refusals[(error as { constraint_name?: string }).constraint_name ?? ""] ?? error;

/** Number of an account's newest change. @throws {DomainError} NOT_FOUND */
export async function sequenceOf(database: Database, userId: string, accountId: string): Promise<number> {
  const [[row]] = await asUserAtOnce(database, userId, (sql) => [
    sql<{ sequence: string }[]>`select sequence from account_sequences where account_id = ${accountId}`,
  ]);
  if (row === undefined) throw notFound("account");
  return Number(row.sequence);
}
