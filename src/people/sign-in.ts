import { DomainError } from "../core/errors.js";
import { uuidV7 } from "../core/uuid.js";
import type { UserRole } from "../core/viewer.js";
import { asUserAtOnce } from "../db/as-user.js";
import { auditEvent } from "./audit.js";
import { constraintOf } from "./constraints.js";
import { checkDeviceName } from "./device-name.js";
import { parseEmail } from "./email-address.js";
import { mailVerification, newOneTimeToken } from "./one-time-tokens.js";
import { requireGoodPassword } from "./passwords.js";
import type { People } from "./people.js";
import { type SessionGrant, type SignInPlace, startSession } from "./sessions.js";
import { readTelegramLogin, type TelegramLogin } from "./telegram.js";
import { checkProfile, type UserStatus } from "./users.js";

export interface Registration {
  readonly email: string;
  readonly password: string;
  readonly username?: string | null | undefined;
  readonly firstName?: string | null | undefined;
  readonly lastName?: string | null | undefined;
  readonly timezone?: string | null | undefined;
  readonly locale?: string | null | undefined;
}

interface Login {
  readonly id: string;
  readonly passwordHash: string;
  readonly role: UserRole;
  readonly status: UserStatus;
  readonly accessVersion: number;
}

/**
 * Makes a user, signs him in, and sends a mail that proves the address. As it signs in at once, the answer shows that an address
 * has an account: so the work is the same for each, and few such answers are given to one client and to its neighbours.
 * @throws {DomainError} BAD_USER_INPUT, CONFLICT when the address has an account, RATE_LIMITED
 */
export async function register(people: People, input: Registration, place: SignInPlace): Promise<SessionGrant> {
  const { address: from } = place;
  const { clock, passwords, signIns } = people;
  const { email, password, ...profile } = input;
  const address = parseEmail(email);
  const { username = null, firstName = null, lastName = null, timezone = "UTC", locale = "en" } = checkProfile(profile);
  checkDeviceName(place.deviceName);
  await requireGoodPassword(password, [address.shown, address.key, username, firstName, lastName], "password");
  // It counts whatever comes of it: who makes accounts all day is stopped too.
  await signIns.take(from, address.key);
  // Also before it is known, so that being refused tells nothing.
  const question = await signIns.takeQuestion(from);
  const passwordHash = await passwords.hash(password);
  const userId = uuidV7(clock.nowMs());
  const verification = newOneTimeToken(people, "EMAIL_VERIFICATION", userId, address.key);
  const now = new Date(clock.nowMs()).toISOString();
  const granted = await startSession(
    people,
    { id: userId, role: "USER", accessVersion: 1, proof: { passwordHash } },
    "register",
    place,
    (sql) => [
      sql`
      insert into users (id, email, email_key, password_hash, username, first_name, last_name, timezone, locale, created_at)
      values (${userId}, ${address.shown}, ${address.key}, ${passwordHash}, ${username}, ${firstName}, ${lastName}, ${timezone},
        ${locale}, ${now})`,
      verification.store(sql),
      auditEvent(sql, clock, { userId, actorId: userId, action: "user.register", address: from }),
    ],
  ).catch((error: unknown) => {
    if (constraintOf(error) === "uk_users_email_key")
      throw new DomainError("CONFLICT", "this address has an account; sign in, or reset its password", {
        field: "email",
      });
    throw error;
  });
  await question.succeeded();
  await signIns.trust(from, address.key);
  mailVerification(people, address.shown, verification.token);
  return granted;
}

/**
 * Signs in by address and password. It takes the same work, and the answer is the same, whether there is such a user or not.
 * @throws {DomainError} UNAUTHENTICATED, FORBIDDEN when the user is suspended, RATE_LIMITED, BAD_USER_INPUT of the device's name
 */
export async function login(
  people: People,
  email: string,
  password: string,
  place: SignInPlace,
): Promise<SessionGrant> {
  const { database, clock, passwords, background, signIns } = people;
  const { address: from } = place;
  checkDeviceName(place.deviceName);
  const key = keyOf(email);
  const attempt = await signIns.take(from, key || email);
  const [user] = await database.sql<Login[]>`
    select id, password_hash as "passwordHash", role, status, access_version as "accessVersion" from find_login(${key})`;
  if (!(await passwords.isRight(password, user?.passwordHash ?? null)) || user === undefined) {
    if (user !== undefined) {
      const event = {
        userId: user.id,
        actorId: null,
        action: "session.failed",
        details: { how: "password" },
        address: from,
      };
      background.add("audit", async () => {
        await asUserAtOnce(database, user.id, (sql) => [auditEvent(sql, clock, event)]);
      });
    }
    throw new DomainError("UNAUTHENTICATED", "e-mail address or password is wrong");
  }
  await attempt.succeeded();
  requireOpen(user.status);
  return startSession(people, { ...user, proof: { passwordHash: user.passwordHash } }, "password", place);
}

/** What cannot be an address is looked for all the same. */
function keyOf(email: string): string {
  try {
    return parseEmail(email).key;
  } catch {
    return "";
  }
}

/**
 * Signs in the user to whom this Telegram account was linked.
 * @throws {DomainError} BAD_USER_INPUT, UNAUTHENTICATED, FORBIDDEN when the user is suspended
 */
export async function loginWithTelegram(
  people: People,
  input: TelegramLogin,
  place: SignInPlace,
): Promise<SessionGrant> {
  const telegramId = readTelegramLogin(people, input);
  const [user] = await people.database.sql<Omit<Login, "passwordHash">[]>`
    select id, role, status, access_version as "accessVersion" from find_telegram_login(${telegramId})`;
  if (user === undefined)
    throw new DomainError(
      "UNAUTHENTICATED",
      "no account is linked to this Telegram account; sign in and link it first",
    );
  requireOpen(user.status);
  return startSession(people, { ...user, proof: { telegramId } }, "telegram", place);
}

function requireOpen(status: UserStatus): void {
  if (status === "SUSPENDED") throw new DomainError("FORBIDDEN", "the account is suspended");
}
