import { afterAll, beforeAll, expect, test } from "vitest";
import { startCutOff } from "../../test/support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { goodPassword } from "../../test/support/people.js";
import { peopleServices } from "../../test/support/people-services.js";
import { SetClock } from "../../test/support/quiet-app.js";
import { until } from "../../test/support/until.js";
import { createLogger } from "../core/logger.js";
import { uuidV7 } from "../core/uuid.js";
import { connect } from "../db/connect.js";
import { AccessWatch } from "./access-watch.js";
import { createApiKey, revokeApiKey } from "./api-keys.js";
import { Authenticator } from "./authenticator.js";
import { changeEmail } from "./change-email.js";
import { newOneTimeToken, requestEmailVerification, resetPassword } from "./one-time-tokens.js";
import { Passwords } from "./passwords.js";
import type { People } from "./people.js";
import { digestOf } from "./secrets.js";
import { endAllSessions, endSession, refreshSession, sessionsOf, startSession } from "./sessions.js";
import { login } from "./sign-in.js";
import { SignInLimits } from "./sign-in-limits.js";
import { changePassword, closeAccount } from "./users.js";

const lifeMs = 15 * 60_000;
const log = createLogger("silent");
const clock = new SetClock(Date.now());
const place = { address: "192.0.2.1", userAgent: null };
const now = (plusMs = 0) => new Date(clock.nowMs() + plusMs).toISOString();
const newPassword = "another horse, another battery";

let database: TestDatabase;
let watch: AccessWatch;
let people: People;
let passwordHash: string;

beforeAll(async () => {
  database = await createTestDatabase();
  watch = await AccessWatch.open(database.app, clock, lifeMs, log);
  people = peopleServices(database.app, clock, watch, lifeMs);
  passwordHash = await people.passwords.hash(goodPassword);
});
afterAll(async () => {
  await watch.close();
  await database.close();
});

let made = 0;
async function addUser(proved = true) {
  const id = uuidV7(clock.nowMs());
  const email = `user${made++}@example.org`;
  await database.owner.sql`
    insert into users (id, email, email_key, password_hash, email_verified_at, status, created_at)
    values (${id}, ${email}, ${email}, ${passwordHash}, ${proved ? now() : null}, ${proved ? "ACTIVE" : "PENDING_VERIFICATION"}, ${now()})`;
  return { id, email, holder: { id, role: "USER", accessVersion: 1, proof: { passwordHash } } as const };
}

async function reset({ id, email }: { readonly id: string; readonly email: string }): Promise<void> {
  const { token, store } = newOneTimeToken(people, "PASSWORD_RESET", id, email);
  await database.owner.sql.begin(async (sql) => void (await store(sql)));
  await resetPassword(people, token, newPassword, place.address);
}

/** A password takes its time: by then, something has happened. */
class SlowPasswords extends Passwords {
  meanwhile: () => Promise<unknown> = async () => {};

  override async isRight(password: string, stored: string | null): Promise<boolean> {
    const isRight = await super.isRight(password, stored);
    await this.meanwhile();
    return isRight;
  }
}
const slowly = (meanwhile: () => Promise<unknown>): People => {
  const passwords = new SlowPasswords();
  passwords.meanwhile = meanwhile;
  return { ...people, passwords };
};

test("a race: the password is reset while somebody who knows the old one signs in; no session of his is left", async () => {
  const user = await addUser();
  await expect(
    login(
      slowly(() => reset(user)),
      user.email,
      goodPassword,
      place,
    ),
  ).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
  expect(await sessionsOf(people, user.id)).toEqual([]);
  await login(people, user.email, newPassword, place);
});

test("a race: the password is reset while somebody who knows the old one changes it, or the address; neither happens", async () => {
  const user = await addUser();
  const change = changePassword(
    slowly(() => reset(user)),
    { userId: user.id, sessionId: uuidV7(clock.nowMs()) },
    { currentPassword: goodPassword, newPassword: "a thief's own battery staple" },
    place.address,
  );
  await expect(change).rejects.toMatchObject({ code: "BAD_USER_INPUT", details: { field: "currentPassword" } });
  await login(people, user.email, newPassword, place);

  const other = await addUser();
  const mailed: string[] = [];
  const mailer = { send: async ({ kind }: { kind: string }) => void mailed.push(kind), close: () => {} };
  const input = { newEmail: "thief@example.org", password: goodPassword };
  await expect(
    changeEmail({ ...slowly(() => reset(other)), mailer }, other.id, input, place.address),
  ).rejects.toMatchObject({ code: "BAD_USER_INPUT", details: { field: "password" } });
  expect(await database.owner.sql`select from email_changes where user_id = ${other.id}`).toHaveLength(0);
  expect(mailed).toEqual([]);
});

test.each([
  ["endSession", (userId: string, sessionId: string) => endSession(people, userId, sessionId)],
  ["endAllSessions", (userId: string) => endAllSessions(people, userId)],
  ["closeAccount", (userId: string) => closeAccount(people, userId, goodPassword, place.address)],
] as const)("a race: %s while a refresh is under way; the token that it gives is worth nothing", async (_, end) => {
  const user = await addUser();
  const { refreshToken } = await startSession(people, user.holder, "password", place);
  const [session] = await sessionsOf(people, user.id);
  const next = `tgr_next${made}`;
  let ending: Promise<unknown> | undefined;
  await database.owner.sql.begin(async (sql) => {
    await sql`
      select rotate_refresh_token(${digestOf(refreshToken)}, ${uuidV7(clock.nowMs())}, ${digestOf(next)}, ${now()},
        ${now(lifeMs)})`;
    ending = end(user.id, session?.id ?? "");
    // It waits for the refresh, which then commits.
    const waiting = () => database.owner.sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until(async () => (await waiting()).length > 0);
  });
  await ending;
  expect(await sessionsOf(people, user.id)).toEqual([]);
  await expect(refreshSession(people, next, place.address)).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
});

test("a key that was revoked, and a user who was suspended, while a node did not listen: it ends them when it listens again", async () => {
  const way = await startCutOff(database.address);
  const away = connect({ address: way.address, role: "tradegraph_app", poolSize: 2, applicationName: "test" });
  const watching = await AccessWatch.open(away, clock, lifeMs, log);
  try {
    const authenticator = new Authenticator(database.app, clock, people.tokens, watch, null);
    const ended: string[] = [];
    const followKey = async (name: string) => {
      const user = await addUser();
      const { accessToken } = await startSession(people, user.holder, "password", place);
      const session = await authenticator.viewerOf(`Bearer ${accessToken}`);
      const key = await createApiKey(
        people,
        session as never,
        { name, scopes: ["TRADE"], expiresAt: null },
        place.address,
      );
      const viewer = await authenticator.viewerOf(`Bearer ${key.secret}`);
      if (viewer?.kind !== "user") throw new Error("no user");
      watching.follow(viewer, () => ended.push(name));
      return { user, key: key.apiKey };
    };
    const revoked = await followKey("revoked");
    const suspended = await followKey("suspended");
    await followKey("good");
    await way.cut();
    await revokeApiKey(people, revoked.user.id, revoked.key.id, place.address);
    await database.owner.sql`update users set status = 'SUSPENDED' where id = ${suspended.user.id}`;
    // Longer ago than what is remembered for the life of an access token.
    await database.owner.sql`update users set access_changed_at = access_changed_at - interval '1 day'`;
    clock.atMs += 2 * lifeMs;
    await way.mend();
    await until(() => ended.length === 2, 20_000);
    expect(new Set(ended)).toEqual(new Set(["revoked", "suspended"]));
  } finally {
    await watching.close();
    await away.close();
    await way.close();
  }
});

test("who takes an account back by mail has it alone: a Telegram account is unlinked, and keys from before the address was proved end", async () => {
  const keysOf = (userId: string) => database.owner.sql<{ isGood: boolean }[]>`
    select revoked_at is null as "isGood" from api_keys where user_id = ${userId}`;
  for (const proved of [false, true]) {
    const user = await addUser(proved);
    await database.owner.sql`update users set telegram_id = ${made} where id = ${user.id}`;
    await database.owner.sql`
      insert into api_keys (id, user_id, name, prefix, secret_hash, scopes, created_at)
      values (${uuidV7(clock.nowMs())}, ${user.id}, 'bot', ${`k${made}`.padEnd(12, "x")}, ${digestOf(`secret${made}`)}, '{TRADE}', ${now()})`;
    await reset(user);
    const [row] = await database.owner.sql`select telegram_id from users where id = ${user.id}`;
    expect(row?.telegram_id).toBeNull();
    expect([...(await keysOf(user.id))]).toEqual([{ isGood: proved }]);
  }
});

test("who has registered somebody else's address cannot fill its mailbox", async () => {
  const user = await addUser(false);
  const mailed: string[] = [];
  const mailer = { send: async ({ to }: { to: string }) => void mailed.push(to), close: () => {} };
  const signIns = new SignInLimits(database.app, { signInsPerAddress: 1_000, signInsPerAccount: 3 }, clock);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 10 }, () => requestEmailVerification({ ...people, mailer, signIns }, user.id, place.address)),
  );
  const refused = outcomes.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(7);
  for (const { reason } of refused as PromiseRejectedResult[]) expect(reason).toMatchObject({ code: "RATE_LIMITED" });
  expect(mailed).toHaveLength(3);
});
