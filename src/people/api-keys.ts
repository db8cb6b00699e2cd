import { randomInt } from "node:crypto";
import { and, desc, eq, isNull } from "drizzle-orm";
import { badInput, DomainError, notFound } from "../core/errors.js";
import { uuidV7 } from "../core/uuid.js";
import type { Scope, UserRole, UserViewer } from "../core/viewer.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import { auditEvent } from "./audit.js";
import { constraintOf } from "./constraints.js";
import type { People } from "./people.js";
import { digestOf, newSecret } from "./secrets.js";
import { apiKeys } from "./tables.js";

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date | null;
}

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
const prefixLength = 12;
const newPrefix = (): string =>
  Array.from({ length: prefixLength }, () => alphabet[randomInt(alphabet.length)]).join("");
const keyFormat = /^tg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;

const columns = {
  id: apiKeys.id,
  name: apiKeys.name,
  prefix: apiKeys.prefix,
  scopes: apiKeys.scopes,
  createdAt: apiKeys.createdAt,
  lastUsedAt: apiKeys.lastUsedAt,
  expiresAt: apiKeys.expiresAt,
  revokedAt: apiKeys.revokedAt,
};

/**
 * Makes a key. Its secret is returned this once; only a digest of it is stored.
 * @throws {DomainError} BAD_USER_INPUT, CONFLICT with 50 keys
 */
export async function createApiKey(
  { database, clock }: People,
  { userId, role }: UserViewer,
  input: NewApiKey,
  address: string,
): Promise<{ apiKey: ApiKey; secret: string }> {
  const nowMs = clock.nowMs();
  const name = input.name.trim();
  const scopes = [...new Set(input.scopes)];
  if (name === "" || name.length > 100 || /[\p{Cc}\p{Cs}]/u.test(name))
    throw badInput("name", "name must have 1 to 100 characters");
  if (scopes.length === 0) throw badInput("scopes", "a key needs at least one scope");
  if (role === "READONLY" && scopes.includes("TRADE")) throw badInput("scopes", "the user may only read");
  if (input.expiresAt !== null && input.expiresAt.getTime() <= nowMs)
    throw badInput("expiresAt", "expiresAt must be in the future");
  const [id, prefix, secret] = [uuidV7(nowMs), newPrefix(), newSecret()];
  const createdAt = new Date(nowMs);
  await asUserAtOnce(database, userId, (sql) => [
    sql`
      insert into api_keys (id, user_id, name, prefix, secret_hash, scopes, created_at, expires_at)
      values (${id}, ${userId}, ${name}, ${prefix}, ${digestOf(secret)}, ${scopes}::text[]::api_key_scope_enum[],
        ${createdAt.toISOString()}, ${input.expiresAt?.toISOString() ?? null})`,
    auditEvent(sql, clock, {
      userId,
      actorId: userId,
      action: "api-key.create",
      details: { apiKey: id, scopes: scopes.join() },
      address,
    }),
  ]).catch((error: unknown) => {
    if (constraintOf(error) === "ck_api_keys_maximum")
      throw new DomainError("CONFLICT", "you have 50 keys; revoke one first", { limit: 50 });
    throw error;
  });
  const { expiresAt } = input;
  const apiKey = { id, name, prefix, scopes, createdAt, lastUsedAt: null, expiresAt, revokedAt: null };
  return { apiKey, secret: `tg_${prefix}_${secret}` };
}

/** From now on nobody gets in with it, on any node, and open streams end. A second time changes nothing. @throws {DomainError} NOT_FOUND */
export async function revokeApiKey(
  { database, clock, accessCaughtUp }: People,
  userId: string,
  id: string,
  address: string,
): Promise<ApiKey> {
  const revokedKey = await asUser(database, userId, async ({ sql, db }) => {
    const revoked = await db
      .update(apiKeys)
      .set({ revokedAt: new Date(clock.nowMs()) })
      .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)))
      .returning(columns);
    if (revoked[0] !== undefined)
      await auditEvent(sql, clock, {
        userId,
        actorId: userId,
        action: "api-key.revoke",
        details: { apiKey: id },
        address,
      });
    const [key] = revoked[0] === undefined ? await db.select(columns).from(apiKeys).where(eq(apiKeys.id, id)) : revoked;
    if (key === undefined) throw notFound("API key");
    return key;
  });
  await accessCaughtUp();
  return revokedKey;
}

/** Newest first, with those that are revoked. */
export const apiKeysOf = ({ database }: People, userId: string): Promise<ApiKey[]> =>
  asUser(database, userId, ({ db }) => db.select(columns).from(apiKeys).orderBy(desc(apiKeys.createdAt)).limit(500));

export async function findApiKey({ database }: People, userId: string, id: string): Promise<ApiKey | null> {
  const rows = await asUser(database, userId, ({ db }) => db.select(columns).from(apiKeys).where(eq(apiKeys.id, id)));
  return rows[0] ?? null;
}

interface UsedApiKey {
  readonly id: string;
  readonly userId: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number | null;
  readonly role: UserRole;
  readonly accessVersion: number;
}

/** The key that a credential is, and writes that it was used; null when there is none that lets anybody in. */
export async function readApiKey(database: Database, credential: string, nowMs: number): Promise<UsedApiKey | null> {
  const [, prefix, secret] = keyFormat.exec(credential) ?? [];
  if (prefix === undefined || secret === undefined) return null;
  const [row] = await database.sql<(Omit<UsedApiKey, "scopes"> & { scopes: string })[]>`
    select id, user_id as "userId", array_to_string(scopes, ',') as scopes, role, access_version as "accessVersion",
      (extract(epoch from expires_at) * 1000)::float8 as "expiresAtMs"
    from use_api_key(${prefix}, ${digestOf(secret)}, ${new Date(nowMs).toISOString()})`;
  return row === undefined ? null : { ...row, scopes: row.scopes.split(",") as Scope[] };
}
