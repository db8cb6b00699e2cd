import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { badInput, DomainError } from "../core/errors.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import { auditEvent } from "./audit.js";
import { constraintOf } from "./constraints.js";
import { mailNotice } from "./one-time-tokens.js";
import type { People } from "./people.js";
import { notYourPassword, requirePassword } from "./users.js";

/** What Telegram's login widget gives to a page. */
export interface TelegramLogin {
  readonly id: string;
  readonly firstName?: string | null | undefined;
  readonly lastName?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly photoUrl?: string | null | undefined;
  /** Unix time in seconds. */
  readonly authDate: number;
  readonly hash: string;
}

/** A login is worth something for so long: whoever finds an old one gets nowhere. */
const maxAgeMs = 5 * 60_000;
const clockSkewMs = 60_000;

/**
 * The Telegram user who a login of the widget proves.
 * @see https://core.telegram.org/widgets/login#checking-authorization
 * @throws {DomainError} PROVIDER_UNAVAILABLE without a bot, BAD_USER_INPUT, UNAUTHENTICATED
 */
export function readTelegramLogin({ telegramBotToken, clock }: People, login: TelegramLogin): string {
  if (telegramBotToken === null)
    throw new DomainError("PROVIDER_UNAVAILABLE", "sign-in by Telegram is not set up here");
  if (!/^[1-9]\d{0,17}$/.test(login.id)) throw badInput("id", "id must be the number of a Telegram user");
  const fields = {
    auth_date: String(login.authDate),
    first_name: login.firstName,
    id: login.id,
    last_name: login.lastName,
    photo_url: login.photoUrl,
    username: login.username,
  };
  // In alphabetical order, as Telegram has signed it.
  const text = Object.entries(fields)
    .flatMap(([name, value]) => (value == null ? [] : `${name}=${value}`))
    .join("\n");
  const key = createHash("sha256").update(telegramBotToken).digest();
  const expected = createHmac("sha256", key).update(text).digest();
  const given = Buffer.from(/^[0-9a-f]{64}$/i.test(login.hash) ? login.hash : "", "hex");
  const ageMs = clock.nowMs() - login.authDate * 1_000;
  if (given.length !== expected.length || !timingSafeEqual(given, expected) || ageMs > maxAgeMs || ageMs < -clockSkewMs)
    throw new DomainError("UNAUTHENTICATED", "the Telegram login is not valid, or too old");
  return login.id;
}

/**
 * Lets the user sign in by this Telegram account from now on. It asks for the password, since a session that was stolen would last
 * for ever by it.
 * @param from where it is done; see `networkOf`
 * @throws {DomainError} BAD_USER_INPUT, RATE_LIMITED, UNAUTHENTICATED; CONFLICT when the Telegram account is another user's
 */
export async function linkTelegram(
  people: People,
  userId: string,
  { login, password }: { readonly login: TelegramLogin; readonly password: string },
  from: string,
): Promise<void> {
  const { database, clock } = people;
  const telegramId = readTelegramLogin(people, login);
  const { passwordHash, email } = await requirePassword(people, userId, password, "password", from);
  await asUser(database, userId, async ({ sql }) => {
    const linked = await sql`
      update users set telegram_id = ${telegramId} where id = ${userId} and password_hash = ${passwordHash}`;
    if (linked.count === 0) throw notYourPassword("password");
    await auditEvent(sql, clock, { userId, actorId: userId, action: "telegram.link", address: from });
  }).catch((error: unknown) => {
    if (constraintOf(error) === "uk_users_telegram_id")
      throw new DomainError("CONFLICT", "this Telegram account is linked to another user");
    throw error;
  });
  mailNotice(people, "telegram-linked", email);
}

export async function unlinkTelegram({ database, clock }: People, userId: string): Promise<void> {
  await asUserAtOnce(database, userId, (sql) => [
    sql`update users set telegram_id = null where id = ${userId}`,
    auditEvent(sql, clock, { userId, actorId: userId, action: "telegram.unlink" }),
  ]);
}
