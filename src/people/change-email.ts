import { badInput, DomainError } from "../core/errors.js";
import { uuidV7 } from "../core/uuid.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import { auditEvent } from "./audit.js";
import { constraintOf } from "./constraints.js";
import { parseEmail } from "./email-address.js";
import { mailNotice, requireMailer } from "./one-time-tokens.js";
import type { People } from "./people.js";
import { digestOf, newSecret } from "./secrets.js";
import { notYourPassword, requirePassword, type User, userOf } from "./users.js";

const lifeMs = 24 * 3_600_000;

/**
 * Sends a token to the address that the user wants to have, and tells the old one. Nothing is changed until the token comes back.
 * The answer does not show whether the new address has an account: then it gets no mail, and so the token never comes back.
 * @param from where it is done; see `networkOf`
 * @throws {DomainError} BAD_USER_INPUT, PROVIDER_UNAVAILABLE without a way for mail, RATE_LIMITED
 */
export async function changeEmail(
  people: People,
  userId: string,
  input: { readonly newEmail: string; readonly password: string },
  from: string,
): Promise<void> {
  requireMailer(people);
  const { database, clock, background, mailer, signIns } = people;
  const address = parseEmail(input.newEmail, "newEmail");
  const user = await requirePassword(people, userId, input.password, "password", from);
  if (user.email === address.shown) throw badInput("newEmail", "this is your address already");
  // By the address too, so that no mailbox is filled.
  await signIns.take(from, `change-email ${address.key}`);
  const token = newSecret();
  const nowMs = clock.nowMs();
  const [now, expiresAt] = [new Date(nowMs).toISOString(), new Date(nowMs + lifeMs).toISOString()];
  await asUser(database, userId, async ({ sql }) => {
    // Whoever resets the password meanwhile takes the account back, and this with it.
    const [holder] = await sql`
      select from users where id = ${userId} and password_hash = ${user.passwordHash} for no key update`;
    if (holder === undefined) throw notYourPassword("password");
    await sql`
      insert into email_changes (id, user_id, new_email, new_email_key, token_hash, created_at, expires_at)
      values (${uuidV7(nowMs)}, ${userId}, ${address.shown}, ${address.key}, ${digestOf(token)}, ${now}, ${expiresAt})
      on conflict (user_id) do update set id = excluded.id, new_email = excluded.new_email,
        new_email_key = excluded.new_email_key, token_hash = excluded.token_hash, created_at = excluded.created_at,
        expires_at = excluded.expires_at`;
    await auditEvent(sql, clock, { userId, actorId: userId, action: "email.change-request", address: from });
  });
  background.add("mail change-email", async () => {
    const [holder] = await database.sql<{ id: string }[]>`select id from find_login(${address.key})`;
    if (holder === undefined || holder.id === userId)
      await mailer?.send({ kind: "change-email", to: address.shown, token });
  });
  mailNotice(people, "email-change-requested", user.email);
}

/**
 * Puts the address, to which the token was sent, in the place of the old one, and tells that. A token works once.
 * @throws {DomainError} BAD_USER_INPUT; CONFLICT when somebody else has the address meanwhile
 */
export async function confirmEmailChange(people: People, token: string, from: string): Promise<User> {
  const { database, clock, signIns } = people;
  const [row] = await database.sql<{ userId: string; oldEmail: string | null }[]>`
    select user_id as "userId", old_email as "oldEmail"
    from confirm_email_change(${digestOf(token)}, ${new Date(clock.nowMs()).toISOString()})`.catch((error: unknown) => {
    if (constraintOf(error) === "uk_users_email_key")
      throw new DomainError("CONFLICT", "this address has an account meanwhile", { field: "token" });
    throw error;
  });
  if (row === undefined) throw badInput("token", "the token is unknown, used or too old; ask for a new one");
  const { userId, oldEmail } = row;
  await asUserAtOnce(database, userId, (sql) => [
    auditEvent(sql, clock, { userId, actorId: userId, action: "email.change", address: from }),
  ]);
  mailNotice(people, "email-changed", oldEmail);
  await people.accessCaughtUp();
  const user = await userOf(people, userId);
  // Limits go by the address: whoever guesses at the new one does not keep out its owner.
  if (user.email !== null) await signIns.trust(from, parseEmail(user.email).key);
  return user;
}
