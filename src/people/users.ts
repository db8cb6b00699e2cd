import { eq } from "drizzle-orm";
import { badInput, DomainError } from "../core/errors.js";
import { storableObject } from "../core/json.js";
import type { UserRole } from "../core/viewer.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import { auditEvent } from "./audit.js";
import { constraintOf } from "./constraints.js";
import { requireGoodPassword } from "./passwords.js";
import type { People } from "./people.js";
import { users } from "./tables.js";

export type UserStatus = "PENDING_VERIFICATION" | "ACTIVE" | "SUSPENDED" | "CLOSED";
export type RiskProfile = "LOW" | "MEDIUM" | "HIGH" | "ULTRA_HIGH";

export interface User {
  readonly id: string;
  /** Null once the account is closed; such a user is not found by the functions here. */
  readonly email: string | null;
  readonly emailVerifiedAt: Date | null;
  readonly username: string | null;
  readonly firstName: string | null;
  readonly lastName: string | null;
  readonly phone: string | null;
  readonly telegramId: bigint | null;
  readonly timezone: string;
  readonly locale: string;
  readonly role: UserRole;
  readonly status: UserStatus;
  readonly riskProfile: RiskProfile;
  readonly plan: string;
  readonly preferences: Record<string, unknown>;
  readonly lastLoginAt: Date | null;
  readonly createdAt: Date;
}

/** What a user may say about himself. Null clears, undefined leaves as it is. */
export interface Profile {
  readonly username?: string | null | undefined;
  readonly firstName?: string | null | undefined;
  readonly lastName?: string | null | undefined;
  readonly phone?: string | null | undefined;
  readonly timezone?: string | null | undefined;
  readonly locale?: string | null | undefined;
  readonly riskProfile?: RiskProfile | null | undefined;
  readonly preferences?: Record<string, unknown> | null | undefined;
}

const columns = {
  id: users.id,
  email: users.email,
  emailVerifiedAt: users.emailVerifiedAt,
  username: users.username,
  firstName: users.firstName,
  lastName: users.lastName,
  phone: users.phone,
  telegramId: users.telegramId,
  timezone: users.timezone,
  locale: users.locale,
  role: users.role,
  status: users.status,
  riskProfile: users.riskProfile,
  plan: users.plan,
  preferences: users.preferences,
  lastLoginAt: users.lastLoginAt,
  createdAt: users.createdAt,
};

/** The user, as himself; null when there is none any more. */
export async function findUser({ database }: People, userId: string): Promise<User | null> {
  const [user] = await asUser(database, userId, ({ db }) => db.select(columns).from(users).where(eq(users.id, userId)));
  return user === undefined || user.status === "CLOSED" ? null : user;
}

/** @throws {DomainError} UNAUTHENTICATED when the account was closed meanwhile */
export async function userOf(people: People, userId: string): Promise<User> {
  const user = await findUser(people, userId);
  if (user === null) throw new DomainError("UNAUTHENTICATED", "the account is closed");
  return user;
}

/** As the database writes it, with its spaces, it may be twice as long. */
const maxPreferencesBytes = 8_192;

/**
 * What may be stored of a profile: trimmed, and an empty text for null.
 * @throws {DomainError} BAD_USER_INPUT with the field
 */
export function checkProfile({
  timezone,
  locale,
  riskProfile,
  preferences,
  ...texts
}: Profile): Partial<typeof users.$inferInsert> {
  const checked: Partial<typeof users.$inferInsert> = {};
  for (const [field, limits] of Object.entries(textLimits)) {
    const value = texts[field as keyof typeof textLimits];
    if (value !== undefined) checked[field as keyof typeof textLimits] = checkText(field, value, limits);
  }
  if (checked.phone != null && !/^\+?[0-9 ().-]{3,31}$/.test(checked.phone))
    throw badInput("phone", "phone must be a telephone number, e.g. +49 30 1234567");
  if (timezone != null) checked.timezone = checkTimezone(timezone);
  if (locale != null) checked.locale = checkLocale(locale);
  if (riskProfile != null) checked.riskProfile = riskProfile;
  if (preferences !== undefined)
    checked.preferences = preferences === null ? {} : storableObject("preferences", preferences, maxPreferencesBytes);
  return checked;
}

const textLimits = {
  username: { min: 3, max: 50 },
  firstName: { min: 1, max: 100 },
  lastName: { min: 1, max: 100 },
  phone: { min: 3, max: 32 },
} as const;

function checkText(field: string, value: string | null, { min, max }: { min: number; max: number }): string | null {
  const text = value?.trim().normalize("NFC") ?? "";
  if (text === "") return null;
  const { length } = Array.from(text);
  if (length < min || length > max || /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text))
    throw badInput(field, `${field} must have ${min} to ${max} characters`);
  return text;
}

function checkTimezone(timezone: string): string {
  try {
    // An offset is no time zone: it knows no summer.
    if (!/^[A-Za-z]/.test(timezone)) throw new RangeError(timezone);
    return new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions().timeZone;
  } catch {
    throw badInput("timezone", "timezone must be one of the IANA database, e.g. Europe/Istanbul");
  }
}

function checkLocale(locale: string): string {
  const refusal = badInput("locale", "locale must be a language tag, e.g. en or pt-BR");
  try {
    const [canonical] = Intl.getCanonicalLocales(locale);
    if (canonical === undefined || !/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(canonical) || canonical.length > 35)
      throw refusal;
    return canonical;
  } catch {
    throw refusal;
  }
}

/** @throws {DomainError} BAD_USER_INPUT */
export async function updateProfile({ database }: People, userId: string, profile: Profile): Promise<User> {
  const changes = checkProfile(profile);
  if (Object.keys(changes).length === 0) throw badInput("input", "nothing to change");
  const [user] = await asUser(database, userId, ({ db }) =>
    db.update(users).set(changes).where(eq(users.id, userId)).returning(columns),
  ).catch((error: unknown) => {
    const [, field] = /^ck_users_(\w+)$/.exec(constraintOf(error) ?? "") ?? [];
    throw field === undefined ? error : badInput(field, `${field} cannot be stored`);
  });
  if (user === undefined) throw new DomainError("UNAUTHENTICATED", "the account is closed");
  return user;
}

/**
 * Makes sure that it is the user who asks, and not only somebody with his session: attempts are counted like those to sign in.
 * @param from where it is done; see `networkOf`
 * @throws {DomainError} BAD_USER_INPUT of the field when it is not the user's, RATE_LIMITED
 */
export async function requirePassword(
  people: People,
  userId: string,
  password: string,
  field: string,
  from: string,
): Promise<User & { readonly passwordHash: string }> {
  const { database, passwords, signIns } = people;
  const attempt = await signIns.take(from, `password ${userId}`);
  const [row] = await asUser(database, userId, ({ db }) =>
    db
      .select({ ...columns, passwordHash: users.passwordHash })
      .from(users)
      .where(eq(users.id, userId)),
  );
  const passwordHash = row?.passwordHash ?? null;
  if (!(await passwords.isRight(password, passwordHash)) || row === undefined || passwordHash === null)
    throw notYourPassword(field);
  await attempt.succeeded();
  return { ...row, passwordHash };
}

/** Also when it was reset while it was looked at. */
export const notYourPassword = (field: string): DomainError => badInput(field, "this is not your password");

/** Also signs out every other device, and takes back a change of the address that is not confirmed. @throws {DomainError} BAD_USER_INPUT, RATE_LIMITED */
export async function changePassword(
  people: People,
  { userId, sessionId }: { readonly userId: string; readonly sessionId: string },
  input: { readonly currentPassword: string; readonly newPassword: string },
  from: string,
): Promise<void> {
  const { database, clock, passwords } = people;
  const user = await requirePassword(people, userId, input.currentPassword, "currentPassword", from);
  await requireGoodPassword(
    input.newPassword,
    [user.email, user.username, user.firstName, user.lastName],
    "newPassword",
  );
  const passwordHash = await passwords.hash(input.newPassword);
  const now = new Date(clock.nowMs()).toISOString();
  await asUser(database, userId, async ({ sql }) => {
    const changed = await sql`
      update users set password_hash = ${passwordHash} where id = ${userId} and password_hash = ${user.passwordHash}`;
    if (changed.count === 0) throw notYourPassword("currentPassword");
    await Promise.all([
      sql`update refresh_tokens set revoked_at = ${now} where family_id <> ${sessionId} and revoked_at is null`,
      sql`update one_time_tokens set used_at = ${now} where purpose = 'PASSWORD_RESET' and used_at is null`,
      sql`delete from email_changes where user_id = ${userId}`,
      auditEvent(sql, clock, { userId, actorId: userId, action: "password.change" }),
    ]);
  });
  await people.accessCaughtUp();
}

/**
 * Closes the account for good: every access ends, and what says who it was is erased. The id stays, for the books.
 * @throws {DomainError} BAD_USER_INPUT when the password is wrong, RATE_LIMITED
 */
export async function closeAccount(people: People, userId: string, password: string, from: string): Promise<void> {
  const { database, clock } = people;
  await requirePassword(people, userId, password, "password", from);
  const now = new Date(clock.nowMs()).toISOString();
  await asUserAtOnce(database, userId, (sql) => [
    sql`select close_account(${now})`,
    auditEvent(sql, clock, { userId, actorId: userId, action: "account.close" }),
  ]);
  await people.accessCaughtUp();
}
