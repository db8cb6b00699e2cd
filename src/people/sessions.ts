import { and, desc, eq, gt, isNull, ne, sql } from "drizzle-orm";
import type postgres from "postgres";
import { DomainError } from "../core/errors.js";
import { uuidV7 } from "../core/uuid.js";
import type { UserRole } from "../core/viewer.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import { auditEvent } from "./audit.js";
import { checkDeviceName, deviceNameOf } from "./device-name.js";
import type { People } from "./people.js";
import { digestOf, newSecret } from "./secrets.js";
import { refreshTokens } from "./tables.js";
import type { UserStatus } from "./users.js";

/** What signs a user in from now on. */
export interface SessionGrant {
  readonly userId: string;
  readonly accessToken: string;
  readonly accessTokenExpiresAt: Date;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: Date;
}

/** Where somebody signs in. */
export interface SignInPlace {
  /** See `networkOf`. */
  readonly address: string;
  /** Of the request; only a few words about it are kept. */
  readonly userAgent: string | null;
  /** What the user calls the device. */
  readonly deviceName?: string | null | undefined;
}

/** A device that is signed in. */
export interface Session {
  readonly id: string;
  /** What the user calls it, or a few words about it; null when nothing is known. */
  readonly deviceName: string | null;
  readonly startedAt: Date;
  /** When it was last used, to some minutes. */
  readonly lastSeenAt: Date;
  /** When it was last refreshed. */
  readonly refreshedAt: Date;
  readonly expiresAt: Date;
}

/** Who proved to be a user, and by what. */
interface Holder {
  readonly id: string;
  readonly role: UserRole;
  readonly accessVersion: number;
  readonly proof: { readonly passwordHash: string } | { readonly telegramId: string };
}

const newRefreshToken = (): string => `tgr_${newSecret()}`;

/**
 * Signs a user in, whose password or other proof has been checked. It must still be good when the session begins: the check takes
 * a while, and a password that was reset meanwhile has ended the sessions that were there, which this one was not.
 * @param how what the audit calls it: "register", "password", "telegram"
 * @param more statements of the same transaction that come first
 * @throws {DomainError} BAD_USER_INPUT for the name of the device, UNAUTHENTICATED when the proof is good no more
 */
export async function startSession(
  { database, clock, tokens, sessionLifeMs }: People,
  holder: Holder,
  how: string,
  { address, userAgent, deviceName }: SignInPlace,
  more: (sql: postgres.TransactionSql) => readonly Promise<unknown>[] = () => [],
): Promise<SessionGrant> {
  const device = checkDeviceName(deviceName) ?? deviceNameOf(userAgent);
  const nowMs = clock.nowMs();
  const [now, expiresAt] = [new Date(nowMs), new Date(nowMs + sessionLifeMs)];
  const [sessionId, refreshToken] = [uuidV7(nowMs), newRefreshToken()];
  const userId = holder.id;
  // Before the rest, because it may have to publish a key.
  const access = await tokens.issue({ userId, sessionId, role: holder.role, accessVersion: holder.accessVersion });
  await asUser(database, userId, async ({ sql }) => {
    await Promise.all(more(sql));
    const { passwordHash = null, telegramId = null } = holder.proof as Partial<Record<string, string>>;
    const begun = await sql`
      with holder as (
        update users set last_login_at = ${now.toISOString()}
        where id = ${userId} and access_version = ${holder.accessVersion}
          and (password_hash = ${passwordHash} or telegram_id = ${telegramId}::bigint)
        returning id
      )
      insert into refresh_tokens (id, user_id, family_id, token_hash, started_at, created_at, expires_at, device_name, last_seen_at)
      select ${uuidV7(nowMs)}, id, ${sessionId}, ${digestOf(refreshToken)}, ${now.toISOString()}::timestamptz,
        ${now.toISOString()}::timestamptz, ${expiresAt.toISOString()}::timestamptz, ${device}, ${now.toISOString()}::timestamptz
      from holder`;
    if (begun.count === 0)
      throw new DomainError("UNAUTHENTICATED", "what you sign in with was changed at this moment; sign in again");
    await auditEvent(sql, clock, {
      userId,
      actorId: userId,
      action: "session.start",
      details: { session: sessionId, how },
      address,
    });
  });
  return grant(userId, access, refreshToken, expiresAt);
}

const grant = (
  userId: string,
  access: { readonly token: string; readonly expiresAtMs: number },
  refreshToken: string,
  refreshTokenExpiresAt: Date,
): SessionGrant => ({
  userId,
  accessToken: access.token,
  accessTokenExpiresAt: new Date(access.expiresAtMs),
  refreshToken,
  refreshTokenExpiresAt,
});

interface Rotation {
  readonly outcome: "rotated" | "reused" | "dead" | "refused";
  readonly userId: string;
  readonly sessionId: string;
  readonly role: UserRole;
  readonly status: UserStatus;
  readonly accessVersion: number;
}

/**
 * Gives new tokens for a refresh token, which dies. A dead one ends its session: two have it, and one of them is a thief.
 * @throws {DomainError} UNAUTHENTICATED, FORBIDDEN when the user is suspended
 */
export async function refreshSession(people: People, refreshToken: string, address: string): Promise<SessionGrant> {
  const { database, clock, tokens, sessionLifeMs } = people;
  const nowMs = clock.nowMs();
  const expiresAt = new Date(nowMs + sessionLifeMs);
  const next = newRefreshToken();
  const [rotation] = await database.sql<Rotation[]>`
    select outcome, user_id as "userId", family_id as "sessionId", role, status, access_version as "accessVersion"
    from rotate_refresh_token(${digestOf(refreshToken)}, ${uuidV7(nowMs)}, ${digestOf(next)}, ${new Date(nowMs).toISOString()},
      ${expiresAt.toISOString()})`;
  if (rotation === undefined || rotation.outcome === "dead") throw signInAgain();
  const { userId, sessionId, role, accessVersion } = rotation;
  if (rotation.outcome === "reused") {
    const event = { userId, actorId: null, action: "session.reuse", details: { session: sessionId }, address };
    await asUserAtOnce(database, userId, (sql) => [auditEvent(sql, clock, event)]);
    await people.accessCaughtUp();
    throw signInAgain();
  }
  if (rotation.outcome === "refused") throw new DomainError("FORBIDDEN", "the account is suspended");
  return grant(userId, await tokens.issue({ userId, sessionId, role, accessVersion }), next, expiresAt);
}

const signInAgain = (): DomainError =>
  new DomainError("UNAUTHENTICATED", "the refresh token is not valid any more; sign in again");

/** A refresh that is under way ends first, so that the token that it gives is there to be ended, or finds its session ended. */
const lockUser = (sql: postgres.TransactionSql | postgres.ReservedSql, userId: string) =>
  sql`select from users where id = ${userId} for no key update`;

/** Signs one device out: its access ends on every node. @returns whether there was such a session */
export async function endSession(
  { database, clock, accessCaughtUp }: People,
  userId: string,
  sessionId: string,
): Promise<boolean> {
  const now = new Date(clock.nowMs()).toISOString();
  const event = { userId, actorId: userId, action: "session.end", details: { session: sessionId } };
  const [, ended] = await asUserAtOnce(database, userId, (sql) => [
    lockUser(sql, userId),
    sql`update refresh_tokens set revoked_at = ${now} where family_id = ${sessionId} and revoked_at is null`,
    auditEvent(sql, clock, event),
  ]);
  await accessCaughtUp();
  return (ended as { count: number }).count > 0;
}

/** Signs out every device, or all but one. Returns how many it were. */
export async function endAllSessions(
  { database, clock, accessCaughtUp }: People,
  userId: string,
  exceptSessionId: string | null = null,
): Promise<number> {
  const count = await asUser(database, userId, async ({ sql, db }) => {
    await lockUser(sql, userId);
    const except = exceptSessionId === null ? undefined : ne(refreshTokens.familyId, exceptSessionId);
    const rows = await db
      .update(refreshTokens)
      .set({ revokedAt: new Date(clock.nowMs()) })
      .where(and(eq(refreshTokens.userId, userId), isNull(refreshTokens.revokedAt), except))
      .returning({ id: refreshTokens.familyId });
    const sessions = new Set(rows.map(({ id }) => id)).size;
    await auditEvent(sql, clock, { userId, actorId: userId, action: "session.end-all", details: { sessions } });
    return sessions;
  });
  await accessCaughtUp();
  return count;
}

/** Those that are signed in now, newest first. */
export function sessionsOf({ database, clock }: People, userId: string): Promise<Session[]> {
  const living = and(
    isNull(refreshTokens.usedAt),
    isNull(refreshTokens.revokedAt),
    gt(refreshTokens.expiresAt, new Date(clock.nowMs())),
  );
  return asUser(database, userId, ({ db }) =>
    db
      .select({
        id: refreshTokens.familyId,
        deviceName: refreshTokens.deviceName,
        // Sessions of a release that did not write it down were seen when they were refreshed.
        lastSeenAt: sql<Date>`coalesce(${refreshTokens.lastSeenAt}, ${refreshTokens.createdAt})`.mapWith(
          refreshTokens.createdAt,
        ),
        startedAt: refreshTokens.startedAt,
        refreshedAt: refreshTokens.createdAt,
        expiresAt: refreshTokens.expiresAt,
      })
      .from(refreshTokens)
      .where(living)
      .orderBy(desc(refreshTokens.startedAt), desc(refreshTokens.id))
      .limit(500),
  );
}
