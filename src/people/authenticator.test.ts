import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { peopleServices } from "../../test/support/people-services.js";
import { SetClock } from "../../test/support/quiet-app.js";
import { createLogger } from "../core/logger.js";
import { uuidV7 } from "../core/uuid.js";
import { dropExpiredCredentials } from "../jobs/drop-expired-credentials.js";
import { AccessTokens } from "./access-tokens.js";
import { AccessWatch } from "./access-watch.js";
import { createApiKey } from "./api-keys.js";
import { Authenticator } from "./authenticator.js";
import type { People } from "./people.js";
import { endSession, refreshSession, startSession } from "./sessions.js";

const lifeMs = 15 * 60_000;
const log = createLogger("silent");
const clock = new SetClock(Date.UTC(2026, 10, 19, 12));

let database: TestDatabase;
let watch: AccessWatch;
let people: People;
let authenticator: Authenticator;
const userId = uuidV7(clock.nowMs());

beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner.sql`
    insert into users (id, email, email_key, password_hash) values (${userId}, 'a@example.org', 'a@example.org', '$argon2id$x')`;
});
afterAll(async () => {
  await watch.close();
  await database.close();
});
beforeEach(async () => {
  await watch?.close();
  watch = await AccessWatch.open(database.app, clock, lifeMs, log);
  people = peopleServices(database.app, clock, watch, lifeMs);
  authenticator = new Authenticator(database.app, clock, people.tokens, watch, "the-operator-token-of-the-tests");
});

const holder = { id: userId, role: "USER", accessVersion: 1, proof: { passwordHash: "$argon2id$x" } } as const;
const bearer = (credential: string) => `Bearer ${credential}`;
const statements = () => database.app.stats.statements;

test("a credential that is known is found at once, without the database", async () => {
  const { accessToken } = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  const { secret } = await createApiKey(
    people,
    (await authenticator.viewerOf(bearer(accessToken))) as never,
    {
      name: "k",
      scopes: ["READ"],
      expiresAt: null,
    },
    "192.0.2.1",
  );
  await authenticator.viewerOf(bearer(secret));
  await watch.caughtUp();
  const before = statements();
  for (const credential of [accessToken, secret]) {
    expect(authenticator.viewerOf(bearer(credential))).toMatchObject({ kind: "user", userId });
    expect(authenticator.viewerOf(`bearer  ${credential}`)).toMatchObject({ kind: "user", userId });
  }
  expect(authenticator.viewerOf(bearer("the-operator-token-of-the-tests"))).toEqual({ kind: "operator" });
  expect(authenticator.viewerOf(null)).toBeNull();
  expect(statements()).toBe(before);

  // A key is looked up again after a minute.
  clock.atMs += 60_000;
  expect(authenticator.viewerOf(bearer(accessToken))).not.toBeInstanceOf(Promise);
  expect(await authenticator.viewerOf(bearer(secret))).toMatchObject({ userId, scopes: new Set(["READ"]) });
  expect(statements()).toBe(before + 1);
});

test("tokens of many unknown keys are refused with few reads", async () => {
  const { accessToken } = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  const [, payload, signature] = accessToken.split(".");
  const before = statements();
  const forged = Array.from({ length: 200 }, () => {
    const header = { alg: "EdDSA", typ: "at+jwt", kid: uuidV7(clock.nowMs()) };
    return `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${payload}.${signature}`;
  });
  const outcomes = await Promise.allSettled(forged.map(async (token) => authenticator.viewerOf(bearer(token))));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toEqual([]);
  expect(statements() - before).toBeLessThan(10);
});

test("keys are replaced each day, and the tokens of the one before are good to their end", async () => {
  const first = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  clock.atMs += 24 * 3_600_000 - 60_000;
  const second = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  clock.atMs += 60_000;
  const third = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  const keyOf = (token: string) =>
    JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid as string;
  expect(keyOf(second.accessToken)).toBe(keyOf(first.accessToken));
  expect(keyOf(third.accessToken)).not.toBe(keyOf(first.accessToken));
  // Also where neither was seen before.
  const elsewhere = new Authenticator(database.app, clock, new AccessTokens(database.app, clock, lifeMs), watch, null);
  for (const { accessToken } of [second, third])
    expect(await elsewhere.viewerOf(bearer(accessToken))).toMatchObject({ userId });
  await expect(elsewhere.viewerOf(bearer(first.accessToken))).rejects.toMatchObject({ details: { reason: "EXPIRED" } });
  // Old keys go when a new one comes.
  clock.atMs += 26 * 3_600_000;
  await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  const rows = await database.owner.sql<{ id: string }[]>`select id from signing_keys`;
  expect(rows.map(({ id }) => id)).not.toContain(keyOf(first.accessToken));
});

test("a stream is told once that its access has ended, and nobody who has stopped following", async () => {
  const { accessToken } = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  const viewer = await authenticator.viewerOf(bearer(accessToken));
  const ended: string[] = [];
  authenticator.follow(viewer, () => ended.push("first"));
  authenticator.follow(viewer, () => ended.push("second"))();
  if (viewer?.kind !== "user" || viewer.sessionId === null) throw new Error("no session");
  await endSession(people, userId, viewer.sessionId);
  await endSession(people, userId, viewer.sessionId);
  expect(ended).toEqual(["first"]);
  expect(() => authenticator.viewerOf(bearer("x y"))).toThrow("not valid");
  await expect(authenticator.viewerOf(bearer(accessToken))).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  // Who comes a moment too late is told as well.
  authenticator.follow(viewer, () => ended.push("late"));
  await Promise.resolve();
  expect(ended).toEqual(["first", "late"]);
});

test("what is remembered of ended access is bounded: beyond, older tokens are refused, and new ones are good", async () => {
  const old = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  expect(await authenticator.viewerOf(bearer(old.accessToken))).toMatchObject({ userId });
  clock.atMs += 1_000;
  await database.owner.sql`
    select pg_notify('tradegraph_access', json_build_object('session', gen_random_uuid())::text) from generate_series(1, 100001)`;
  const isIn = async () => {
    try {
      await authenticator.viewerOf(bearer(old.accessToken));
      return true;
    } catch {
      return false;
    }
  };
  await expect.poll(isIn, { timeout: 20_000 }).toBe(false);
  clock.atMs += 1_000;
  const fresh = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  expect(await authenticator.viewerOf(bearer(fresh.accessToken))).toMatchObject({ userId });
});

test("what has expired is deleted, and a session that goes on keeps its dead tokens", async () => {
  await database.owner.sql`delete from refresh_tokens`;
  const first = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  clock.atMs += 50 * 60_000;
  const next = await refreshSession(people, first.refreshToken, "192.0.2.1");
  clock.atMs += 20 * 60_000;
  const left = async () => (await database.owner.sql`select from refresh_tokens`).count;
  expect(await left()).toBe(3);
  await dropExpiredCredentials(database.app, clock).work({ at: new Date(clock.atMs), mayGoOn: () => true });
  expect(await left()).toBe(2);
  // Which tells a thief who comes late.
  await expect(refreshSession(people, first.refreshToken, "192.0.2.1")).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
  await expect(refreshSession(people, next.refreshToken, "192.0.2.1")).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
});

test("notifications that are none change nothing", async () => {
  const { accessToken } = await startSession(people, holder, "password", { address: "192.0.2.1", userAgent: null });
  for (const payload of ["", "x", "null", "[]", '{"session":1}', '{"user":"x"}', '{"user":1,"version":2}'])
    await database.owner.sql`select pg_notify('tradegraph_access', ${payload})`;
  await watch.caughtUp();
  expect(await authenticator.viewerOf(bearer(accessToken))).toMatchObject({ userId });
});
