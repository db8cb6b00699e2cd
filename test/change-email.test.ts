import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { TrustedProxies } from "../src/core/trusted-proxies.js";
import { SessionSightings } from "../src/people/session-sightings.js";
import { operatorHeaders, query } from "./support/app.js";
import { CapturedMail, goodPassword, type SignedIn, signIn, signUp } from "./support/people.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";
import { until } from "./support/until.js";

const dayMs = 24 * 3_600_000;
const mail = new CapturedMail();
let app: QuietApp;
let user: SignedIn;
let addresses = 0;
const newAddress = () => `new${++addresses}@example.net`;
const noticesTo = (to: string, kind: string) => mail.sent.filter((one) => one.to === to && one.kind === kind).length;

beforeAll(async () => {
  app = await startQuietApp({
    overrides: { mailer: mail },
    config: { trustedProxies: TrustedProxies.parse("loopback") },
    rateLimits: { signInsPerAddress: 1_000, signInsPerAccount: 10 },
  });
});
afterAll(() => app.close());
beforeEach(async () => {
  app.clock.atMs += 3_600_000;
  user = await signUp(app.url);
});

const change = async (newEmail: string, password = goodPassword, who: SignedIn = user, from = "192.0.2.1") =>
  query(
    app.url,
    "mutation ($newEmail: String!, $password: String!) { changeEmail(newEmail: $newEmail, password: $password) }",
    { newEmail, password },
    { ...who.headers, "x-forwarded-for": from },
  );
const confirm = (token: string) =>
  query(app.url, "mutation ($token: String!) { confirmEmailChange(token: $token) { email status } }", { token });
const errorOf = ({ errors }: { errors?: { extensions: { code: string; field?: string } }[] }) => {
  const { code, field } = errors?.[0]?.extensions ?? {};
  return field === undefined ? code : `${code} ${field}`;
};
const emailNow = async () =>
  (await app.database.owner.sql`select email from users where email = ${user.email}`).count === 1;
const actions = async () =>
  (
    await query(
      app.url,
      `{ auditEvents(filter: { userId: "${user.userId}" }) { nodes { action } } }`,
      {},
      operatorHeaders,
    )
  ).data.auditEvents.nodes.map(({ action }: { action: string }) => action);

describe("another e-mail address", () => {
  test("counts from when its token comes back, once; the old address is told before and after", async () => {
    const to = newAddress();
    expect((await change(to)).data.changeEmail).toBe(true);
    const token = await mail.tokenFor(to, "change-email");
    await until(() => noticesTo(user.email, "email-change-requested") === 1);
    expect(await emailNow()).toBe(true);
    await expect(signIn(app.url, to)).rejects.toThrow("UNAUTHENTICATED");
    expect((await confirm(token)).data.confirmEmailChange).toEqual({ email: to, status: "ACTIVE" });
    await signIn(app.url, to);
    await expect(signIn(app.url, user.email)).rejects.toThrow("UNAUTHENTICATED");
    await until(() => noticesTo(user.email, "email-changed") === 1);
    expect(errorOf(await confirm(token))).toBe("BAD_USER_INPUT token");
    expect(await actions()).toEqual(expect.arrayContaining(["email.change-request", "email.change"]));
    const rows = await app.database.owner
      .sql`select details::text as text from audit_events where action like 'email.%'`;
    for (const { text } of rows) expect(text).not.toContain("@");
    // The address is free again.
    expect((await signUp(app.url, user.email)).email).toBe(user.email);
  });

  test("needs the password, a session, and an address that is another one", async () => {
    const to = newAddress();
    expect(errorOf(await change(to, "not the right password"))).toBe("BAD_USER_INPUT password");
    expect(errorOf(await change("nonsense"))).toBe("BAD_USER_INPUT newEmail");
    expect(errorOf(await change(user.email))).toBe("BAD_USER_INPUT newEmail");
    const key = await query(
      app.url,
      'mutation { createApiKey(name: "k", scopes: [READ]) { secret } }',
      {},
      user.headers,
    );
    const bot = { ...user, headers: { authorization: `Bearer ${key.data.createApiKey.secret}` } };
    expect(errorOf(await change(to, goodPassword, bot))).toBe("FORBIDDEN");
    expect((await app.database.owner.sql`select from email_changes where new_email = ${to}`).count).toBe(0);
    expect(errorOf(await confirm("x".repeat(43)))).toBe("BAD_USER_INPUT token");
  });

  test("expires, and the next one takes the place of the one before", async () => {
    const [first, second] = [newAddress(), newAddress()];
    await change(first);
    const early = await mail.tokenFor(first, "change-email");
    await change(second);
    const late = await mail.tokenFor(second, "change-email");
    expect(errorOf(await confirm(early))).toBe("BAD_USER_INPUT token");
    app.clock.atMs += dayMs;
    expect(errorOf(await confirm(late))).toBe("BAD_USER_INPUT token");
    expect(await emailNow()).toBe(true);
  });

  test("that somebody has, however it is written, is not told apart, and never confirmed", async () => {
    const other = await signUp(app.url);
    const spelling = other.email.toUpperCase().replace("EXAMPLE", "ｅｘａｍｐｌｅ");
    expect((await change(spelling)).data.changeEmail).toBe(true);
    await until(() => noticesTo(user.email, "email-change-requested") === 1);
    // What was added to the background before is done.
    const free = newAddress();
    await change(free);
    await mail.tokenFor(free, "change-email");
    expect(mail.sent.filter(({ to, kind }) => kind === "change-email" && to === spelling)).toEqual([]);
  });

  test("race: whoever registers it before the token comes back keeps it", async () => {
    const to = newAddress();
    await change(to);
    const token = await mail.tokenFor(to, "change-email");
    await signUp(app.url, to.toUpperCase());
    expect(errorOf(await confirm(token))).toBe("CONFLICT token");
    expect(await emailNow()).toBe(true);
  });

  test("race: a token that comes back ten times at once counts once", async () => {
    const to = newAddress();
    await change(to);
    const token = await mail.tokenFor(to, "change-email");
    const answers = await Promise.all(Array.from({ length: 10 }, () => confirm(token)));
    expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(1);
    expect((await actions()).filter((action: string) => action === "email.change")).toHaveLength(1);
  });

  test("is taken back by a new password, by resetting it, and by closing the account", async () => {
    const [first, second, third] = [newAddress(), newAddress(), newAddress()];
    const newPassword = "another patient orchestra";
    await change(first);
    await query(
      app.url,
      "mutation ($a: String!, $b: String!) { changePassword(currentPassword: $a, newPassword: $b) }",
      { a: goodPassword, b: newPassword },
      user.headers,
    );
    expect(errorOf(await confirm(await mail.tokenFor(first, "change-email")))).toBe("BAD_USER_INPUT token");

    await change(second, newPassword);
    await query(app.url, `mutation { requestPasswordReset(email: "${user.email}") }`);
    await query(app.url, "mutation ($t: String!, $p: String!) { resetPassword(token: $t, newPassword: $p) }", {
      t: await mail.tokenFor(user.email, "reset-password"),
      p: goodPassword,
    });
    expect(errorOf(await confirm(await mail.tokenFor(second, "change-email")))).toBe("BAD_USER_INPUT token");

    const again = await signIn(app.url, user.email);
    await change(third, goodPassword, again);
    await query(app.url, `mutation { closeAccount(password: "${goodPassword}") }`, {}, again.headers);
    expect(errorOf(await confirm(await mail.tokenFor(third, "change-email")))).toBe("BAD_USER_INPUT token");
    expect((await app.database.owner.sql`select from email_changes where new_email = ${third}`).count).toBe(0);
  });

  test("makes what was mailed to the old address worth nothing", async () => {
    const to = newAddress();
    await query(app.url, `mutation { requestPasswordReset(email: "${user.email}") }`);
    const reset = await mail.tokenFor(user.email, "reset-password");
    await change(to);
    await confirm(await mail.tokenFor(to, "change-email"));
    const answer = await query(
      app.url,
      "mutation ($t: String!, $p: String!) { resetPassword(token: $t, newPassword: $p) }",
      { t: reset, p: "another patient orchestra" },
    );
    expect(errorOf(answer)).toBe("BAD_USER_INPUT token");
  });

  test("fills nobody's mailbox, and is no way to guess a password", async () => {
    const target = newAddress();
    const codes: (string | undefined)[] = [];
    for (let n = 0; n < 12; n++) codes.push(errorOf(await change(target, goodPassword, user, `10.0.0.${n}`)));
    expect(codes.filter((code) => code === "RATE_LIMITED")).toHaveLength(2);
    const guesses: (string | undefined)[] = [];
    for (let n = 0; n < 12; n++) guesses.push(errorOf(await change(newAddress(), `wrong-${n}-x`, user, `10.0.1.${n}`)));
    expect(guesses.filter((code) => code === "RATE_LIMITED").length).toBeGreaterThanOrEqual(2);
    expect(guesses.slice(-2)).toEqual(["RATE_LIMITED", "RATE_LIMITED"]);
  });
});

describe("the devices of a user", () => {
  const sessionsOf = async (headers: Record<string, string>) =>
    (
      await query<{ sessions: { deviceName: string | null; lastSeenAt: string; isCurrent: boolean }[] }>(
        app.url,
        "{ sessions { deviceName lastSeenAt isCurrent } }",
        {},
        headers,
      )
    ).data.sessions;
  const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 serial-XYZ";

  test("are named by the user, or in a few coarse words; a refresh keeps the name", async () => {
    const text =
      'mutation ($email: String!, $name: String) { login(email: $email, password: "wandering copper lighthouse", deviceName: $name) { accessToken refreshToken } }';
    const named = await query(app.url, text, { email: user.email, name: "  Ada's phone " }, { "user-agent": firefox });
    const unnamed = await query(app.url, text, { email: user.email }, { "user-agent": firefox });
    const unknown = await query(app.url, text, { email: user.email }, { "user-agent": "Secret/1.0 (ada@example.org)" });
    const refresh = "mutation ($t: String!) { refreshSession(refreshToken: $t) { accessToken } }";
    const next = await query(app.url, refresh, { t: named.data.login.refreshToken });
    const headers = { authorization: `Bearer ${next.data.refreshSession.accessToken}` };
    const names = (await sessionsOf(headers)).map(({ deviceName }) => deviceName);
    expect(names).toEqual(expect.arrayContaining(["Ada's phone", "Firefox on Linux", null]));
    expect((await sessionsOf(headers)).find(({ isCurrent }) => isCurrent)?.deviceName).toBe("Ada's phone");
    expect([unnamed.errors, unknown.errors]).toEqual([undefined, undefined]);
    const [stored] = await app.database.owner.sql<{ text: string }[]>`
      select string_agg(t::text, ' ') as text from refresh_tokens t`;
    expect(stored?.text).not.toMatch(/Mozilla|Gecko|XYZ|Secret|ada@/);
  });

  test.each(["x".repeat(61), "a\u0000b", "a\nb", "\u202eabc"])("a name like %j is refused", async (name) => {
    const before = (await app.database.owner.sql`select from refresh_tokens`).count;
    const text =
      'mutation ($e: String!, $n: String) { login(email: $e, password: "wandering copper lighthouse", deviceName: $n) { accessToken } }';
    expect(errorOf(await query(app.url, text, { e: user.email, n: name }))).toBe("BAD_USER_INPUT deviceName");
    expect((await app.database.owner.sql`select from refresh_tokens`).count).toBe(before);
  });

  test("are seen when they ask, to some minutes", async () => {
    const [at] = await sessionsOf(user.headers);
    app.clock.atMs += 10 * 60_000;
    const saw = vi.spyOn(SessionSightings.prototype, "saw");
    await sessionsOf(user.headers);
    const seenAtMs = app.clock.atMs;
    // As the timer does.
    const flush = () => (saw.mock.contexts.at(-1) as SessionSightings).flush();
    await flush();
    app.clock.atMs += 60_000;
    const [later] = await sessionsOf(user.headers);
    expect(Date.parse(later?.lastSeenAt ?? "")).toBe(seenAtMs);
    expect(Date.parse(at?.lastSeenAt ?? "")).toBeLessThan(seenAtMs);
    // Not again within five minutes, so that requests do not become writes.
    await flush();
    expect(Date.parse((await sessionsOf(user.headers))[0]?.lastSeenAt ?? "")).toBe(seenAtMs);
    saw.mockRestore();
  });
});
