import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { query } from "./support/app.js";
import { authFields, CapturedMail, goodPassword, signedIn, signIn, signUp } from "./support/people.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { openStream } from "./support/stream.js";

let app: QuietApp;
const mail = new CapturedMail();
beforeAll(async () => {
  app = await startQuietApp({ overrides: { mailer: mail } });
});
afterAll(() => app.close());

const ask = (text: string, variables: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  query(app.url, text, variables, headers);
const codeOf = async (answer: ReturnType<typeof ask>) => (await answer).errors?.[0]?.extensions.code;
const viewerText = "{ viewer { id email status } }";
const whoIs = async (headers: Record<string, string>) => (await ask(viewerText, {}, headers)).data?.viewer ?? null;
const auditOf = async (email: string) =>
  (
    await app.database.owner.sql<{ action: string }[]>`
      select action from audit_events e join users u on u.id = e.user_id where u.email = ${email} order by e.id`
  ).map(({ action }) => action);

describe("a whole life", () => {
  test("register, come back on another device, refresh, sign out, reset the password, close the account", async () => {
    const email = "Ada.Lovelace@Example.org";
    const ada = await signUp(app.url, email);
    expect(await whoIs(ada.headers)).toEqual({ id: ada.userId, email, status: "PENDING_VERIFICATION" });

    const token = await mail.tokenFor(email, "verify-email");
    const verified = await ask("mutation ($token: String!) { verifyEmail(token: $token) { status isEmailVerified } }", {
      token,
    });
    expect(verified.data.verifyEmail).toEqual({ status: "ACTIVE", isEmailVerified: true });
    // The access token tells an older state of the account.
    expect(await codeOf(ask(viewerText, {}, ada.headers))).toBe("UNAUTHENTICATED");

    const refreshText = `mutation ($token: String!) { refreshSession(refreshToken: $token) { ${authFields} } }`;
    const refreshed = signedIn((await ask(refreshText, { token: ada.refreshToken })).data.refreshSession);
    expect(await whoIs(refreshed.headers)).toMatchObject({ email, status: "ACTIVE" });

    // The same mailbox, spelled in another way.
    app.clock.atMs += 1_000;
    const phone = await signIn(app.url, "ADA.LOVELACE@EXAMPLE.ORG");
    const sessions = (await ask("{ sessions { id isCurrent } }", {}, phone.headers)).data.sessions;
    expect(sessions.map((one: { isCurrent: boolean }) => one.isCurrent)).toEqual([true, false]);
    const profile = await ask(
      `mutation { updateProfile(input: { username: "ada", timezone: "Europe/London", locale: "en-gb", riskProfile: LOW, preferences: { theme: "dark" } })
        { username timezone locale riskProfile preferences } }`,
      {},
      phone.headers,
    );
    expect(profile.data.updateProfile).toEqual({
      username: "ada",
      timezone: "Europe/London",
      locale: "en-GB",
      riskProfile: "LOW",
      preferences: { theme: "dark" },
    });

    expect((await ask("mutation { logout }", {}, phone.headers)).data.logout).toBe(true);
    expect(await codeOf(ask(viewerText, {}, phone.headers))).toBe("UNAUTHENTICATED");
    expect(await codeOf(ask(refreshText, { token: phone.refreshToken }))).toBe("UNAUTHENTICATED");
    expect(await whoIs(refreshed.headers)).toMatchObject({ email });

    await ask("mutation ($email: String!) { requestPasswordReset(email: $email) }", {
      email: "ada.lovelace@example.org",
    });
    const reset = await mail.tokenFor(email, "reset-password");
    const newPassword = "another patient orchestra";
    const resetText =
      "mutation ($token: String!, $newPassword: String!) { resetPassword(token: $token, newPassword: $newPassword) }";
    expect((await ask(resetText, { token: reset, newPassword })).data.resetPassword).toBe(true);
    expect(await codeOf(ask(resetText, { token: reset, newPassword }))).toBe("BAD_USER_INPUT");
    expect(await codeOf(ask(viewerText, {}, refreshed.headers))).toBe("UNAUTHENTICATED");
    await expect(signIn(app.url, email)).rejects.toThrow("UNAUTHENTICATED");
    const [laptop, tablet] = [await signIn(app.url, email, newPassword), await signIn(app.url, email, newPassword)];

    const changed = await ask(
      "mutation ($old: String!, $new: String!) { changePassword(currentPassword: $old, newPassword: $new) }",
      { old: newPassword, new: goodPassword },
      laptop.headers,
    );
    expect(changed.data.changePassword).toBe(true);
    expect(await whoIs(laptop.headers)).toMatchObject({ email });
    expect(await codeOf(ask(viewerText, {}, tablet.headers))).toBe("UNAUTHENTICATED");
    // The clock stands, so their order is not known.
    const events = [
      "user.register",
      "session.start",
      "email.verify",
      "session.start",
      "session.end",
      "password.reset-request",
      "password.reset",
      "session.failed",
      "session.start",
      "session.start",
      "password.change",
    ];
    expect((await auditOf(email)).sort()).toEqual(events.sort());

    const key = await ask('mutation { createApiKey(name: "bot", scopes: [READ]) { secret } }', {}, laptop.headers);
    const keyHeaders = { authorization: `Bearer ${key.data.createApiKey.secret}` };
    expect(await whoIs(keyHeaders)).toMatchObject({ email });
    const closeText = "mutation ($password: String!) { closeAccount(password: $password) }";
    expect(await codeOf(ask(closeText, { password: "wrong" }, laptop.headers))).toBe("BAD_USER_INPUT");
    expect((await ask(closeText, { password: goodPassword }, laptop.headers)).data.closeAccount).toBe(true);
    for (const headers of [laptop.headers, keyHeaders])
      expect(await codeOf(ask(viewerText, {}, headers))).toBe("UNAUTHENTICATED");
    await expect(signIn(app.url, email)).rejects.toThrow("UNAUTHENTICATED");
    const [row] = await app.database.owner.sql`select to_jsonb(users)::text as text from users where status = 'CLOSED'`;
    expect(row?.text).not.toMatch(/"ada|ada[.@]|lovelace|argon2/i);
    expect((await signUp(app.url, email)).userId).not.toBe(ada.userId);
  });

  test("the operator token and an anonymous visitor are no users", async () => {
    expect(await whoIs({})).toBeNull();
    expect(await whoIs({ authorization: "Bearer test-operator-token-0123456789" })).toBeNull();
    for (const text of ["mutation { logout }", "{ apiKeys { id } }", "{ sessions { id } }"])
      expect(await codeOf(ask(text))).toBe("UNAUTHENTICATED");
  });
});

describe("sessions", () => {
  const refresh = (token: string) =>
    ask(`mutation ($token: String!) { refreshSession(refreshToken: $token) { ${authFields} } }`, { token });

  test("a refresh token that is used again signs out its session, and no other", async () => {
    const first = await signUp(app.url);
    const other = await signIn(app.url, first.email);
    const second = signedIn((await refresh(first.refreshToken)).data.refreshSession);
    expect(await codeOf(refresh(first.refreshToken))).toBe("UNAUTHENTICATED");
    expect(await codeOf(refresh(second.refreshToken))).toBe("UNAUTHENTICATED");
    await expect.poll(() => codeOf(ask(viewerText, {}, second.headers))).toBe("UNAUTHENTICATED");
    expect(await whoIs(other.headers)).toMatchObject({ email: first.email });
    expect(await auditOf(first.email)).toContain("session.reuse");
  });

  test("race: of many refreshes with one token at most one gets new tokens, and those are dead in the end", async () => {
    const user = await signUp(app.url);
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(user.refreshToken)));
    const won = answers.filter(({ errors }) => errors === undefined);
    expect(won).toHaveLength(1);
    expect(await codeOf(refresh(won[0]?.data.refreshSession.refreshToken))).toBe("UNAUTHENTICATED");
    const [{ count }] = (await app.database.owner.sql`
      select count(*)::int as count from refresh_tokens t join users u on u.id = t.user_id
      where u.email = ${user.email} and used_at is null and revoked_at is null`) as unknown as [{ count: number }];
    expect(count).toBe(0);
  });

  test("an access token expires, and the session goes on; a session that nobody refreshes ends", async () => {
    const user = await signUp(app.url);
    const before = app.clock.atMs;
    try {
      app.clock.atMs += 15 * 60_000 + 1_000;
      const { status, errors } = await ask(viewerText, {}, user.headers);
      expect([status, errors?.[0]?.extensions]).toEqual([401, { code: "UNAUTHENTICATED", reason: "EXPIRED" }]);
      const next = signedIn((await refresh(user.refreshToken)).data.refreshSession);
      expect(await whoIs(next.headers)).toMatchObject({ email: user.email });
      app.clock.atMs += 30 * 24 * 3_600_000 + 1_000;
      expect(await codeOf(refresh(next.refreshToken))).toBe("UNAUTHENTICATED");
    } finally {
      app.clock.atMs = before;
    }
  });

  test("sign-out everywhere ends all sessions and no API key; one device may be signed out from another", async () => {
    const one = await signUp(app.url);
    app.clock.atMs += 1_000;
    const two = await signIn(app.url, one.email);
    app.clock.atMs += 1_000;
    const three = await signIn(app.url, one.email);
    const key = await ask('mutation { createApiKey(name: "k", scopes: [READ, TRADE]) { secret } }', {}, one.headers);
    const sessions: { id: string; isCurrent: boolean }[] = (await ask("{ sessions { id isCurrent } }", {}, one.headers))
      .data.sessions;
    // Newest first.
    const endText = "mutation ($id: ID!) { endSession(id: $id) }";
    expect((await ask(endText, { id: sessions[0]?.id }, one.headers)).data.endSession).toBe(sessions[0]?.id);
    expect(await codeOf(ask(endText, { id: sessions[0]?.id }, one.headers))).toBe("NOT_FOUND");
    const stranger = await signUp(app.url);
    expect(await codeOf(ask(endText, { id: sessions[1]?.id }, stranger.headers))).toBe("NOT_FOUND");
    expect(await codeOf(ask(viewerText, {}, three.headers))).toBe("UNAUTHENTICATED");
    expect(await whoIs(two.headers)).not.toBeNull();
    expect((await ask("mutation { logoutEverywhere }", {}, one.headers)).data.logoutEverywhere).toBe(2);
    for (const { headers } of [one, two]) expect(await codeOf(ask(viewerText, {}, headers))).toBe("UNAUTHENTICATED");
    expect(await whoIs({ authorization: `Bearer ${key.data.createApiKey.secret}` })).toMatchObject({
      email: one.email,
    });
    expect(await whoIs(stranger.headers)).toMatchObject({ email: stranger.email });
  });

  test("who is suspended is out at once, cannot come back, and can when it is lifted", async () => {
    const user = await signUp(app.url);
    const { sql } = app.database.owner;
    await sql`update users set status = 'SUSPENDED' where email = ${user.email}`;
    await expect.poll(() => codeOf(ask(viewerText, {}, user.headers))).toBe("UNAUTHENTICATED");
    expect(await codeOf(refresh(user.refreshToken))).toBe("FORBIDDEN");
    await expect(signIn(app.url, user.email)).rejects.toThrow("FORBIDDEN");
    await sql`update users set status = 'PENDING_VERIFICATION' where email = ${user.email}`;
    expect(await whoIs((await signIn(app.url, user.email)).headers)).toMatchObject({ email: user.email });
  });

  test("a user who becomes ADMIN does operators' work, by session and not by API key", async () => {
    const user = await signUp(app.url);
    const halt = 'mutation { setMarketStatus(market: "BINANCE_SPOT", status: null) { code } }';
    expect(await codeOf(ask(halt, {}, user.headers))).toBe("FORBIDDEN");
    expect((await ask("{ dataProviders { lastError monthlyUsage } }", {}, user.headers)).data.dataProviders[0]).toEqual(
      {
        lastError: null,
        monthlyUsage: null,
      },
    );
    await app.database.owner.sql`update users set role = 'ADMIN' where email = ${user.email}`;
    await expect.poll(() => codeOf(ask(viewerText, {}, user.headers))).toBe("UNAUTHENTICATED");
    const admin = await signIn(app.url, user.email);
    expect((await ask(halt, {}, admin.headers)).errors).toBeUndefined();
    const [event] = await app.database.owner.sql`
      select e.action, e.details, u.email from audit_events e join users u on u.id = e.actor_id where e.action = 'market.set-status'`;
    expect(event).toEqual({
      action: "market.set-status",
      details: { target: "BINANCE_SPOT", status: null, by: "user", network: "127.0.0.0/24" },
      email: user.email,
    });
    const key = await ask('mutation { createApiKey(name: "k", scopes: [TRADE]) { secret } }', {}, admin.headers);
    const keyHeaders = { authorization: `Bearer ${key.data.createApiKey.secret}` };
    expect(await codeOf(ask(halt, {}, keyHeaders))).toBe("FORBIDDEN");
    expect(await codeOf(ask(viewerText, {}, keyHeaders))).toBe("FORBIDDEN");
    expect(await codeOf(ask("mutation { logoutEverywhere }", {}, keyHeaders))).toBe("FORBIDDEN");
  });
});

describe("API keys", () => {
  const create = (headers: Record<string, string>, name: string, more = "") =>
    ask(
      `mutation ($name: String!) { createApiKey(name: $name, scopes: [READ] ${more}) { secret apiKey { id name prefix scopes expiresAt revokedAt lastUsedAt } } }`,
      { name },
      headers,
    );

  test("a key is shown once, is listed without its secret, expires, and is revoked for good", async () => {
    const user = await signUp(app.url);
    const expiresAt = new Date(app.clock.atMs + 3_600_000).toISOString();
    const { secret, apiKey } = (await create(user.headers, "bot", `, expiresAt: "${expiresAt}"`)).data.createApiKey;
    expect(secret).toMatch(new RegExp(`^tg_${apiKey.prefix}_[A-Za-z0-9_-]{43}$`));
    expect(apiKey).toMatchObject({ name: "bot", scopes: ["READ"], expiresAt, revokedAt: null, lastUsedAt: null });
    const headers = { authorization: `Bearer ${secret}` };
    expect(await whoIs(headers)).toMatchObject({ email: user.email });
    const listed = await ask("{ apiKeys { id name prefix lastUsedAt revokedAt } }", {}, user.headers);
    expect(listed.data.apiKeys[0]).toMatchObject({ id: apiKey.id, lastUsedAt: new Date(app.clock.atMs).toISOString() });
    expect(JSON.stringify(listed)).not.toContain(secret.slice(16));
    const node = await ask(
      "query ($id: ID!) { node(id: $id) { id ... on ApiKey { name } } }",
      { id: apiKey.id },
      headers,
    );
    expect(node.data.node).toEqual({ id: apiKey.id, name: "bot" });

    const before = app.clock.atMs;
    app.clock.atMs += 3_600_000;
    expect(await codeOf(ask(viewerText, {}, headers))).toBe("UNAUTHENTICATED");
    app.clock.atMs = before;
    expect(await whoIs(headers)).toMatchObject({ email: user.email });

    const revoke = "mutation ($id: ID!) { revokeApiKey(id: $id) { revokedAt } }";
    const stranger = await signUp(app.url);
    for (const id of [apiKey.id, stranger.userId, "x", Buffer.from("ApiKey:1").toString("base64url")])
      expect(await codeOf(ask(revoke, { id }, stranger.headers))).toBe("NOT_FOUND");
    expect(await whoIs(headers)).toMatchObject({ email: user.email });
    const revokedAt = new Date(app.clock.atMs).toISOString();
    for (let again = 0; again < 2; again++)
      expect((await ask(revoke, { id: apiKey.id }, user.headers)).data.revokeApiKey).toEqual({ revokedAt });
    await expect.poll(() => codeOf(ask(viewerText, {}, headers))).toBe("UNAUTHENTICATED");
    expect(await auditOf(user.email)).toEqual(expect.arrayContaining(["api-key.create", "api-key.revoke"]));
  });

  test("race: of 60 keys made at once 50 are, and one more when one is revoked", async () => {
    const user = await signUp(app.url);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => create(user.headers, `key ${n}`)));
    expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(50);
    expect(new Set(answers.flatMap(({ errors }) => errors?.[0]?.extensions.code ?? []))).toEqual(new Set(["CONFLICT"]));
    const id = answers.find(({ errors }) => errors === undefined)?.data.createApiKey.apiKey.id;
    await ask("mutation ($id: ID!) { revokeApiKey(id: $id) { id } }", { id }, user.headers);
    expect((await create(user.headers, "one more")).errors).toBeUndefined();
  });

  test("what cannot be a key is refused with its field", async () => {
    const user = await signUp(app.url);
    const fieldOf = async (answer: ReturnType<typeof ask>) => (await answer).errors?.[0]?.extensions.field;
    expect(await fieldOf(create(user.headers, "  "))).toBe("name");
    expect(await fieldOf(create(user.headers, "x".repeat(101)))).toBe("name");
    expect(await fieldOf(create(user.headers, "k", ', expiresAt: "2020-01-01T00:00:00Z"'))).toBe("expiresAt");
    expect(await fieldOf(ask('mutation { createApiKey(name: "k", scopes: []) { secret } }', {}, user.headers))).toBe(
      "scopes",
    );
  });
});

describe("open streams", () => {
  const text = "subscription { quotes { price } }";
  const open = (credential: string) =>
    openStream(app.websocketUrl, text, {}, { authorization: `Bearer ${credential}` });

  test("end with 4403 when the session is signed out, the key revoked, or the user suspended; others go on", async () => {
    const user = await signUp(app.url);
    const other = await signIn(app.url, user.email);
    const made = await ask(
      'mutation { createApiKey(name: "k", scopes: [READ]) { secret apiKey { id } } }',
      {},
      user.headers,
    );
    const { secret, apiKey } = made.data.createApiKey;
    const [bySession, byOther, byKey, anonymous] = [
      open(user.accessToken),
      open(other.accessToken),
      open(secret),
      openStream(app.websocketUrl, text),
    ];
    for (const stream of [bySession, byOther, byKey, anonymous]) await stream.find(() => true);
    await ask("mutation { logout }", {}, user.headers);
    await expect.poll(() => bySession.errors[0]?.extensions.code).toBe("4403");
    expect([byOther.isComplete, byKey.isComplete]).toEqual([false, false]);
    await ask("mutation ($id: ID!) { revokeApiKey(id: $id) { id } }", { id: apiKey.id }, other.headers);
    await expect.poll(() => byKey.errors[0]?.extensions.code).toBe("4403");
    expect(byOther.isComplete).toBe(false);
    await app.database.owner.sql`update users set status = 'SUSPENDED' where email = ${user.email}`;
    await expect.poll(() => byOther.errors[0]?.extensions.code).toBe("4403");
    expect(anonymous.isComplete).toBe(false);
    await anonymous.close();
  });

  test("end when the access token expires, over WebSocket and over SSE", async () => {
    const user = await signUp(app.url);
    const stream = open(user.accessToken);
    await stream.find(() => true);
    const events = await fetch(`${app.url}/graphql/stream?query=${encodeURIComponent(text)}`, {
      headers: user.headers,
    });
    const before = app.clock.atMs;
    app.clock.atMs += 15 * 60_000 + 1_000;
    try {
      await expect.poll(() => stream.errors[0]?.extensions.code, { timeout: 5_000 }).toBe("4403");
      const body = await events.text();
      expect(body).toContain(
        'event: next\ndata: {"errors":[{"message":"access has ended; sign in again","extensions":{"code":"UNAUTHENTICATED"}}]}',
      );
      expect(body.endsWith("event: complete\ndata:\n\n")).toBe(true);
    } finally {
      app.clock.atMs = before;
    }
  });

  test("are not opened with a credential that is not valid", async () => {
    const stream = open("tg_abcdefghijkl_0123456789012345678901234567890123456789abc");
    await expect.poll(() => stream.errors[0]?.extensions.code).toBe("4403");
  });
});
