import type postgres from "postgres";
import { badInput, DomainError } from "../core/errors.js";
import { uuidV7 } from "../core/uuid.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import { auditEvent } from "./audit.js";
import { parseEmail } from "./email-address.js";
import type { MailKind, NoticeKind } from "./mail.js";
import { requireGoodPassword } from "./passwords.js";
import type { People } from "./people.js";
import { digestOf, newSecret } from "./secrets.js";
import { type User, userOf } from "./users.js";

type Purpose = "EMAIL_VERIFICATION" | "PASSWORD_RESET";

const lifeMs: Readonly<Record<Purpose, number>> = { EMAIL_VERIFICATION: 7 * 24 * 3_600_000, PASSWORD_RESET: 3_600_000 };
const mailKinds: Readonly<Record<Purpose, MailKind>> = {
  EMAIL_VERIFICATION: "verify-email",
  PASSWORD_RESET: "reset-password",
};

/** A token to be mailed, and the statement that stores its digest in the place of the one before. */
export function newOneTimeToken({ clock }: People, purpose: Purpose, userId: string, emailKey: string) {
  const nowMs = clock.nowMs();
  const token = newSecret();
  const [id, now] = [uuidV7(nowMs), new Date(nowMs).toISOString()];
  const expiresAt = new Date(nowMs + lifeMs[purpose]).toISOString();
  const store = (sql: postgres.TransactionSql | postgres.ReservedSql) => sql`
    insert into one_time_tokens (id, user_id, purpose, token_hash, email_key, created_at, expires_at)
    values (${id}, ${userId}, ${purpose}, ${digestOf(token)}, ${emailKey}, ${now}, ${expiresAt})
    on conflict (user_id, purpose) where used_at is null do update
    set id = excluded.id, token_hash = excluded.token_hash, email_key = excluded.email_key, created_at = excluded.created_at,
      expires_at = excluded.expires_at`;
  return { token, store };
}

/** Nobody waits for it. */
export function mailVerification(people: People, to: string, token: string): void {
  sendToken(people, "EMAIL_VERIFICATION", to, token);
}

function sendToken({ mailer, background }: People, purpose: Purpose, to: string, token: string): void {
  const kind = mailKinds[purpose];
  if (mailer !== null) background.add(`mail ${kind}`, () => mailer.send({ kind, to, token }));
}

/** Tells the owner of an account what was done to it, where there is a way for mail. Nobody waits for it. */
export function mailNotice({ mailer, background }: People, kind: NoticeKind, to: string | null): void {
  if (mailer !== null && to !== null) background.add(`mail ${kind}`, () => mailer.send({ kind, to, token: null }));
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE */
export const requireMailer = ({ mailer }: People): void => {
  if (mailer === null) throw new DomainError("PROVIDER_UNAVAILABLE", "this server sends no mail; ask its operator");
};

/**
 * Sends the mail that proves the address once more.
 * @param from where it is done; see `networkOf`
 * @throws {DomainError} CONFLICT when it is proved, PROVIDER_UNAVAILABLE, RATE_LIMITED
 */
export async function requestEmailVerification(people: People, userId: string, from: string): Promise<void> {
  requireMailer(people);
  const { email, emailVerifiedAt } = await userOf(people, userId);
  if (email === null || emailVerifiedAt !== null) throw new DomainError("CONFLICT", "the address is verified already");
  const { key } = parseEmail(email);
  // Anybody may have registered it: no mailbox is filled.
  await people.signIns.take(from, `verify ${key}`);
  const { token, store } = newOneTimeToken(people, "EMAIL_VERIFICATION", userId, key);
  await asUserAtOnce(people.database, userId, (sql) => [store(sql)]);
  mailVerification(people, email, token);
}

/** @throws {DomainError} BAD_USER_INPUT when the token is unknown, used or too old */
export async function verifyEmail(people: People, token: string): Promise<User> {
  const { database, clock } = people;
  const [row] = await database.sql<{ id: string | null }[]>`
    select verify_email(${digestOf(token)}, ${new Date(clock.nowMs()).toISOString()}) as id`;
  const userId = row?.id ?? null;
  if (userId === null) throw badToken();
  await asUserAtOnce(database, userId, (sql) => [
    auditEvent(sql, clock, { userId, actorId: userId, action: "email.verify" }),
  ]);
  await people.accessCaughtUp();
  return userOf(people, userId);
}

/**
 * Sends a mail by which the password can be changed, if the address has an account; what is asked and answered does not show
 * whether it has. The mail goes to the address as it was registered, however this one is written.
 * @param from where it is done; see `networkOf`
 * @throws {DomainError} BAD_USER_INPUT, PROVIDER_UNAVAILABLE, RATE_LIMITED
 */
export async function requestPasswordReset(people: People, email: string, from: string): Promise<void> {
  requireMailer(people);
  const { key } = parseEmail(email);
  const { database, clock, background, signIns } = people;
  // Counted apart, so that who fills a mailbox with letters does not take away the attempts to sign in.
  await signIns.take(from, `reset ${key}`);
  background.add("password reset", async () => {
    const [user] = await database.sql<{ id: string; status: string }[]>`select id, status from find_login(${key})`;
    if (user === undefined || user.status === "SUSPENDED") return;
    const { token, store } = newOneTimeToken(people, "PASSWORD_RESET", user.id, key);
    const to = await asUser(database, user.id, async ({ sql }) => {
      await store(sql);
      await auditEvent(sql, clock, { userId: user.id, actorId: null, action: "password.reset-request", address: from });
      const [row] = await sql<{ email: string | null }[]>`select email from users where id = ${user.id}`;
      return row?.email ?? null;
    });
    if (to !== null) sendToken(people, "PASSWORD_RESET", to, token);
  });
}

/** Sets the password by a mailed token, and ends every session. @throws {DomainError} BAD_USER_INPUT */
export async function resetPassword(people: People, token: string, newPassword: string, from: string): Promise<void> {
  const { database, clock, passwords, signIns } = people;
  await requireGoodPassword(newPassword, [], "newPassword");
  const passwordHash = await passwords.hash(newPassword);
  const [row] = await database.sql<{ id: string | null }[]>`
    select reset_password(${digestOf(token)}, ${passwordHash}, ${new Date(clock.nowMs()).toISOString()}) as id`;
  const userId = row?.id ?? null;
  if (userId === null) throw badToken();
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<{ key: string }[]>`select email_key as key from users where id = ${userId}`,
    auditEvent(sql, clock, { userId, actorId: userId, action: "password.reset", address: from }),
  ]);
  // Whoever guesses at the account does not keep out who can read its mail.
  for (const { key } of rows) await signIns.trust(from, key);
  await people.accessCaughtUp();
}

const badToken = (): DomainError => badInput("token", "the token is unknown, used or too old; ask for a new one");
