import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApp } from "../src/app.js";
import { parseConfig } from "../src/config.js";
import { createLogger } from "../src/core/logger.js";
import type { Mail } from "../src/people/mail.js";
import { query } from "./support/app.js";
import { authFields, CapturedMail, goodPassword, type SignedIn, signedIn, signIn, signUp } from "./support/people.js";
import { type QuietApp, startMs, startQuietApp } from "./support/quiet-app.js";
import { openStream } from "./support/stream.js";

/** What the program has logged, whatever the level. */
let logged = "";
const destination = new Writable({
  write: (chunk: Buffer, _encoding, done) => {
    logged += chunk.toString();
    done();
  },
});

class BreakingMail extends CapturedMail {
  override async send(mail: Mail): Promise<void> {
    await super.send(mail);
    if (mail.to.startsWith("bounce"))
      throw Object.assign(new Error(`550 no mailbox ${mail.to}`), { code: "EENVELOPE" });
  }
}

let app: QuietApp;
let user: SignedIn;
const mail = new BreakingMail();
const secrets = new Set<string>();
beforeAll(async () => {
  app = await startQuietApp({
    log: createLogger("trace", destination),
    overrides: { mailer: mail },
    config: { telegramBotToken: "123456:ABC-telegram-bot-token" },
  });
  user = await signUp(app.url, "grace.hopper@example.org");
  for (const secret of [user.email, user.accessToken, user.refreshToken, goodPassword]) secrets.add(secret);
});
afterAll(() => app.close());

const ask = (text: string, variables: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  query(app.url, text, variables, headers);
const errorOf = async (answer: ReturnType<typeof ask>) => {
  const { status, errors } = await answer;
  return { status, code: errors?.[0]?.extensions.code };
};
const stateOfPeople = async () =>
  (
    await app.database.owner.sql`
      select (select md5(string_agg(u::text, ',' order by id)) from users u) as users,
        (select md5(string_agg(t::text, ',' order by id)) from refresh_tokens t) as tokens,
        (select md5(string_agg(k::text, ',' order by id)) from api_keys k) as keys`
  )[0];

const iso = (atMs: number): string => new Date(atMs).toISOString();
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const readPart = (token: string, part: number) =>
  JSON.parse(Buffer.from(token.split(".")[part] ?? "", "base64url").toString());

describe("credentials that are not ours", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const forge = (header: object, payload: object, key: KeyObject = privateKey): string => {
    const text = `${base64(header)}.${base64(payload)}`;
    return `${text}.${sign(null, Buffer.from(text), key).toString("base64url")}`;
  };

  test("are refused with UNAUTHENTICATED and 401, over every transport, and never taken for an anonymous visit", async () => {
    const [header, payload] = [readPart(user.accessToken, 0), readPart(user.accessToken, 1)];
    const [first, second, signature = ""] = user.accessToken.split(".");
    const text = `${first}.${second}`;
    const { sql } = app.database.owner;
    const [own] = await sql<{ public_key: string }[]>`select public_key from signing_keys where id = ${header.kid}`;
    const x = publicKey.export({ format: "jwk" }).x ?? "";
    const expiredKey = "0197c0de-0000-7000-8000-000000000001";
    await sql`insert into signing_keys values (${expiredKey}, ${x}, ${iso(startMs - 2)}, ${iso(startMs - 1)})`;
    const goodKey = "0197c0de-0000-7000-8000-000000000002";
    await sql`insert into signing_keys values (${goodKey}, ${x}, ${iso(startMs)}, ${iso(startMs + 3_600_000)})`;
    const withGoodKey = { ...header, kid: goodKey };
    // So that the rest is refused for what it says, and not for its key.
    expect(
      (await ask("{ viewer { email } }", {}, { authorization: `Bearer ${forge(withGoodKey, payload)}` })).data.viewer,
    ).toEqual({
      email: user.email,
    });
    const bad: Record<string, string> = {
      "another key": forge(header, payload),
      "an expired key": forge({ ...header, kid: expiredKey }, payload),
      "an unknown key": forge({ ...header, kid: "0197c0de-0000-7000-8000-0000000000ff" }, payload),
      "no key": forge({ alg: "EdDSA", typ: "at+jwt" }, payload),
      "SQL for a key": forge({ ...header, kid: "' or 1=1 --" }, payload),
      "a key of its own": forge({ ...header, jwk: publicKey.export({ format: "jwk" }) }, payload),
      "alg none": `${base64({ ...header, alg: "none" })}.${second}.`,
      "alg none with a signature": `${base64({ ...header, alg: "none" })}.${second}.${signature}`,
      "alg HS256 with the public key": (() => {
        const claims = `${base64({ ...header, alg: "HS256" })}.${second}`;
        return `${claims}.${createHmac("sha256", own?.public_key ?? "")
          .update(claims)
          .digest("base64url")}`;
      })(),
      "another user": `${first}.${base64({ ...payload, sub: "0197c0de-0000-7000-8000-000000000003" })}.${signature}`,
      "another role": `${first}.${base64({ ...payload, role: "ADMIN" })}.${signature}`,
      "no signature": `${text}.`,
      truncated: user.accessToken.slice(0, -3),
      "cut in two": text,
      "with something after it": `${user.accessToken}x`,
      expired: forge(withGoodKey, { ...payload, exp: Math.floor(startMs / 1_000) - 1 }),
      "without an end": forge(withGoodKey, { ...payload, exp: undefined }),
      "for others": forge(withGoodKey, { ...payload, aud: "others" }),
      "by others": forge(withGoodKey, { ...payload, iss: "others" }),
      "of another type": forge({ ...withGoodKey, typ: "JWT" }, payload),
      "with a critical extension": forge({ ...withGoodKey, crit: ["b64"], b64: false }, payload),
      "a role that is none": forge(withGoodKey, { ...payload, role: "ROOT" }),
      "a refresh token": user.refreshToken,
      "an unknown API key": `tg_${"a".repeat(12)}_${"b".repeat(43)}`,
      "a mangled API key": "tg__",
      SQL: "';drop/**/table/**/users;--",
      "a long one": "x".repeat(4_000),
      "the beginning of the operator token": "test-operator-token-012345678",
    };
    for (const [name, credential] of Object.entries(bad)) {
      const headers = { authorization: `Bearer ${credential}` };
      expect({ name, ...(await errorOf(ask("{ __typename }", {}, headers))) }).toEqual({
        name,
        status: 401,
        code: "UNAUTHENTICATED",
      });
    }
    for (const authorization of [`Basic ${user.accessToken}`, "Bearer", `Bearer ${user.accessToken} x`, "Bearer a b"])
      expect(await errorOf(ask("{ __typename }", {}, { authorization }))).toEqual({
        status: 401,
        code: "UNAUTHENTICATED",
      });
    for (const name of ["another key", "alg none", "expired", "truncated", "an unknown API key"]) {
      const authorization = `Bearer ${bad[name]}`;
      const events = await fetch(`${app.url}/graphql/stream?query={__typename}`, { headers: { authorization } });
      expect([name, events.status]).toEqual([name, 401]);
      const stream = openStream(app.websocketUrl, "subscription { quotes { price } }", {}, { authorization });
      await expect.poll(() => stream.errors[0]?.extensions.code).toBe("4403");
    }
  });

  test("a key that was revoked, a session that has ended, and a refresh token that is none stay outside", async () => {
    const other = await signUp(app.url);
    const state = await stateOfPeople();
    for (const token of [
      "",
      "x",
      other.accessToken,
      "tgr_",
      `${other.refreshToken} `,
      other.refreshToken.slice(0, -1),
      "' or true --",
      "\0",
    ])
      expect(
        await errorOf(ask("mutation ($t: String!) { refreshSession(refreshToken: $t) { accessToken } }", { t: token })),
      ).toEqual({
        status: 200,
        code: "UNAUTHENTICATED",
      });
    expect(await stateOfPeople()).toEqual(state);
  });
});

describe("what people type", () => {
  const registerText = `mutation ($input: RegisterInput!) { register(input: $input) { ${authFields} } }`;
  const nasty = [
    "'; drop table users; --",
    '" or ""="',
    "\\",
    "$" + "{1+1}",
    "%s%n",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
  ];
  const unstorable = ["\0", "a\0b", "\ud800", "a\u0007b"];

  test("SQL and other tricks in any text are data, and what cannot be stored is refused with its field", async () => {
    const password = `${goodPassword}'; drop table users; --`;
    const names = Object.fromEntries(["username", "firstName", "lastName"].map((field, n) => [field, `${nasty[n]} x`]));
    const { data } = await ask(registerText, { input: { email: "o'neil+'or'1'='1@example.org", password, ...names } });
    const made = signedIn(data.register);
    expect((await ask("{ viewer { username firstName lastName } }", {}, made.headers)).data.viewer).toEqual(names);
    await signIn(app.url, "o'neil+'or'1'='1@example.org", password);
    for (const text of nasty) {
      const profile = { username: `${text} x`, preferences: { [text]: text } };
      const updated = await ask(
        "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { username preferences } }",
        { input: profile },
        made.headers,
      );
      expect(updated.data.updateProfile).toEqual(profile);
    }
    const state = await stateOfPeople();
    for (const text of unstorable) {
      for (const field of ["username", "firstName", "lastName", "phone", "timezone", "locale"]) {
        const { errors } = await ask(
          "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { id } }",
          { input: { [field]: `${text}xyz` } },
          made.headers,
        );
        expect({ text, field, ...errors?.[0]?.extensions }).toEqual({ text, field, code: "BAD_USER_INPUT" });
      }
      // JSON has a way to write control characters.
      const badTexts = text.includes("\u0007") ? [] : [{ x: text }, { [text]: 1 }, { x: [{ y: text }] }];
      for (const preferences of [...badTexts, [], "x", 1])
        expect(
          (
            await ask(
              "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { id } }",
              { input: { preferences } },
              made.headers,
            )
          ).errors?.[0]?.extensions,
        ).toEqual({ code: "BAD_USER_INPUT", field: "preferences" });
      expect(
        (
          await errorOf(
            ask(
              "mutation ($n: String!) { createApiKey(name: $n, scopes: [READ]) { secret } }",
              { n: text },
              made.headers,
            ),
          )
        ).code,
      ).toBe("BAD_USER_INPUT");
      for (const mutation of [
        "login(email: $t, password: $t) { accessToken }",
        "refreshSession(refreshToken: $t) { accessToken }",
        "verifyEmail(token: $t) { id }",
        "requestPasswordReset(email: $t)",
        "resetPassword(token: $t, newPassword: $t)",
      ])
        expect((await errorOf(ask(`mutation ($t: String!) { ${mutation} }`, { t: text }))).code).toMatch(
          /^(UNAUTHENTICATED|BAD_USER_INPUT)$/,
        );
    }
    expect(await stateOfPeople()).toEqual(state);
  });

  test("every rule of a registration is told with its field, and nothing is made", async () => {
    const good = { email: "new@example.org", password: goodPassword };
    const state = await stateOfPeople();
    const bad: [string, object][] = [
      ["email", { ...good, email: "new" }],
      ["email", { ...good, email: "new@example.org\nBcc: x@example.org" }],
      ["email", { ...good, email: `${"x".repeat(300)}@example.org` }],
      ["password", { ...good, password: "short" }],
      ["password", { ...good, password: "password123" }],
      ["password", { ...good, password: "new@example.org" }],
      ["password", { ...good, password: "x".repeat(5_000) }],
      ["username", { ...good, username: "ab" }],
      ["username", { ...good, username: "x".repeat(51) }],
      ["firstName", { ...good, firstName: "x".repeat(101) }],
      ["timezone", { ...good, timezone: "Mars/Olympus" }],
      ["timezone", { ...good, timezone: "+01:00" }],
      ["locale", { ...good, locale: "not a locale" }],
    ];
    for (const [field, input] of bad)
      expect((await ask(registerText, { input })).errors?.[0]?.extensions).toEqual({ code: "BAD_USER_INPUT", field });
    for (const email of [
      "grace.hopper@example.org",
      "GRACE.hopper@EXAMPLE.org",
      " grace.hopper@example.org ",
      "ｇrace.hopper@example.org",
    ])
      expect((await ask(registerText, { input: { ...good, email } })).errors?.[0]?.extensions).toEqual({
        code: "CONFLICT",
        field: "email",
      });
    expect(await stateOfPeople()).toEqual(state);
  });

  test("race: of many registrations of one address one makes an account", async () => {
    const answers = await Promise.all(
      ["Race@example.org", "race@Example.org", "RACE@example.org", "race@example.org"].map((email) =>
        ask(registerText, { input: { email, password: goodPassword } }),
      ),
    );
    const refused = answers.filter(({ errors }) => errors?.[0]?.extensions.code === "CONFLICT");
    expect([answers.filter(({ errors }) => errors === undefined).length, refused.length]).toEqual([1, 3]);
  });

  test("a wrong password and an unknown address get the same answer; a look-alike address resets nobody's password", async () => {
    const wrong = await ask(
      'mutation { login(email: "grace.hopper@example.org", password: "not it at all") { accessToken } }',
    );
    const unknown = await ask(
      'mutation { login(email: "nobody@example.org", password: "not it at all") { accessToken } }',
    );
    expect(wrong.errors).toEqual(unknown.errors);
    await signUp(app.url, "mike@example.org");
    const count = mail.sent.length;
    for (const email of [
      "m\u0131ke@example.org",
      "mike@example.org.evil.example",
      "міке@example.org",
      "nobody@example.org",
    ])
      expect(
        (await ask("mutation ($e: String!) { requestPasswordReset(email: $e) }", { e: email })).data
          .requestPasswordReset,
      ).toBe(true);
    // Another spelling of the same address is answered at the address as it was registered.
    await ask("mutation ($e: String!) { requestPasswordReset(email: $e) }", { e: "ＭIKE@example.org" });
    secrets.add(await mail.tokenFor("mike@example.org", "reset-password"));
    const to = mail.sent.slice(count).filter(({ kind }) => kind === "reset-password");
    expect(to.map((sent) => sent.to)).toEqual(["mike@example.org"]);
  });

  test("a mailed token works once, for its purpose, for its time, and the newest one only", async () => {
    const email = "tokens@example.org";
    await signUp(app.url, email);
    const verify = (token: string) =>
      errorOf(ask("mutation ($t: String!) { verifyEmail(token: $t) { id } }", { t: token }));
    const reset = (token: string) =>
      errorOf(
        ask("mutation ($t: String!, $p: String!) { resetPassword(token: $t, newPassword: $p) }", {
          t: token,
          p: goodPassword,
        }),
      );
    const request = () => ask("mutation ($e: String!) { requestPasswordReset(email: $e) }", { e: email });
    const verification = await mail.tokenFor(email, "verify-email");
    expect((await reset(verification)).code).toBe("BAD_USER_INPUT");
    await request();
    const first = await mail.tokenFor(email, "reset-password");
    await request();
    const second = await mail.tokenFor(email, "reset-password", 1);
    for (const token of [first, second, verification]) secrets.add(token);
    expect((await reset(first)).code).toBe("BAD_USER_INPUT");
    expect((await verify(second)).code).toBe("BAD_USER_INPUT");
    app.clock.atMs += 3_600_000;
    expect((await reset(second)).code).toBe("BAD_USER_INPUT");
    app.clock.atMs -= 3_600_000;
    expect((await reset(second)).code).toBeUndefined();
    expect((await reset(second)).code).toBe("BAD_USER_INPUT");
    expect((await verify(verification)).code).toBeUndefined();
    expect((await verify(verification)).code).toBe("BAD_USER_INPUT");
  });
});

describe("Telegram", () => {
  const botToken = "123456:ABC-telegram-bot-token";
  const login = (id: string, more: Record<string, string | number> = {}) => {
    const fields: Record<string, string | number> = {
      id,
      first_name: "Grace",
      auth_date: Math.floor(app.clock.atMs / 1_000),
      ...more,
    };
    const text = Object.keys(fields)
      .sort()
      .map((name) => `${name}=${fields[name]}`)
      .join("\n");
    const key = createHash("sha256").update(botToken).digest();
    const signature = createHmac("sha256", key).update(text).digest("hex");
    return { id, firstName: "Grace", authDate: fields.auth_date, hash: signature };
  };
  const enter = (input: object) =>
    ask(`mutation ($input: TelegramLoginInput!) { loginWithTelegram(input: $input) { ${authFields} } }`, { input });
  const link = (headers: Record<string, string>, input: object, password = goodPassword) =>
    ask(
      "mutation ($input: TelegramLoginInput!, $password: String!) { linkTelegram(input: $input, password: $password) { isTelegramLinked } }",
      { input, password },
      headers,
    );

  test("signs in who was linked; a changed, old or foreign login does not, and one account has one user", async () => {
    const [one, two] = [await signUp(app.url), await signUp(app.url)];
    expect((await enter(login("4711"))).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
    expect((await link(one.headers, login("4711"), "not it at all")).errors?.[0]?.extensions).toEqual({
      code: "BAD_USER_INPUT",
      field: "password",
    });
    expect((await link(one.headers, login("4711"))).data.linkTelegram).toEqual({ isTelegramLinked: true });
    expect(signedIn((await enter(login("4711"))).data.loginWithTelegram).email).toBe(one.email);
    expect((await link(two.headers, login("4711"))).errors?.[0]?.extensions.code).toBe("CONFLICT");
    const good = login("4711");
    for (const bad of [
      { ...good, hash: good.hash.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) },
      { ...good, hash: "" },
      { ...good, firstName: "Eve" },
      { ...good, lastName: "X" },
      { ...login("4712"), id: "4711" },
      login("4711", { auth_date: Math.floor(app.clock.atMs / 1_000) - 301 }),
      login("4711", { auth_date: Math.floor(app.clock.atMs / 1_000) + 120 }),
    ])
      expect((await enter(bad)).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
    expect((await enter({ ...good, id: "1 or 1=1" })).errors?.[0]?.extensions).toEqual({
      code: "BAD_USER_INPUT",
      field: "id",
    });
    await ask("mutation { unlinkTelegram { id } }", {}, one.headers);
    expect((await enter(login("4711"))).errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED");
  });
});

describe("two nodes", () => {
  test("each takes the tokens of the other, and an end of access on one is the end on both", async () => {
    const config = { ...parseConfig({ PORT: "0" }), roles: new Set(["api"] as const) };
    const log = createLogger("silent");
    const second = await startApp(config, log, () => {}, {
      database: app.database.address,
      clock: app.clock,
      mailer: mail,
    });
    const url = second.url ?? "";
    try {
      const here = await signUp(app.url);
      const there = await signIn(url, here.email);
      for (const at of [app.url, url])
        for (const { headers } of [here, there])
          expect((await query(at, "{ viewer { email } }", {}, headers)).data.viewer).toEqual({ email: here.email });
      const stream = openStream(
        `${url.replace("http", "ws")}/graphql`,
        "subscription { quotes { price } }",
        {},
        {
          authorization: here.headers.authorization,
        },
      );
      await stream.find(() => true);
      await ask("mutation { logout }", {}, here.headers);
      await expect.poll(() => stream.errors[0]?.extensions.code).toBe("4403");
      expect((await query(url, "{ viewer { email } }", {}, here.headers)).status).toBe(401);
      expect((await query(url, "{ viewer { email } }", {}, there.headers)).status).toBe(200);
    } finally {
      await second.close();
    }
    // A node that comes later has not heard it, and reads it.
    const user = await signUp(app.url);
    await ask("mutation { logout }", {}, user.headers);
    const third = await startApp(config, log, () => {}, {
      database: app.database.address,
      clock: app.clock,
      mailer: mail,
    });
    try {
      await expect
        .poll(async () => (await query(third.url ?? "", "{ viewer { email } }", {}, user.headers)).status)
        .toBe(401);
    } finally {
      await third.close();
    }
  });
});

describe("the log", () => {
  test("names nobody and holds no secret, whatever happened above and whatever fails", async () => {
    const key = await ask('mutation { createApiKey(name: "bot", scopes: [READ]) { secret } }', {}, user.headers);
    secrets.add(key.data.createApiKey.secret);
    await ask("{ viewer { id } }", {}, { authorization: `Bearer ${key.data.createApiKey.secret}` });
    const bouncing = await signUp(app.url, "bounce@example.org");
    await expect.poll(() => logged).toContain("background.failed");
    // Faults of the database, in which it quotes values.
    const { sql } = app.database.owner;
    await sql`alter table users add constraint ck_broken check (username <> 'Augusta') not valid`;
    const update = await ask('mutation { updateProfile(input: { username: "Augusta" }) { id } }', {}, bouncing.headers);
    expect(update.errors).toBeDefined();
    await sql`alter table users drop constraint ck_broken, alter column first_name type varchar(5) using left(first_name, 5)`;
    const long = await ask(
      'mutation { updateProfile(input: { firstName: "Wolfeschlegel" }) { id } }',
      {},
      bouncing.headers,
    );
    expect(long.errors?.[0]?.extensions.code).toBe("INTERNAL");
    await sql`alter table refresh_tokens add constraint ck_broken check (user_id is null) not valid`;
    expect(
      (
        await errorOf(
          ask(
            'mutation { login(email: "bounce@example.org", password: "wandering copper lighthouse") { accessToken } }',
          ),
        )
      ).code,
    ).toBe("INTERNAL");
    await sql`alter table refresh_tokens drop constraint ck_broken`;
    await expect.poll(() => logged).toContain("request.internal-error");
    expect(logged).toContain("23514");
    for (const { to, token } of mail.sent) secrets.add(to).add(token ?? to);
    for (const part of ["@example.org", "Augusta", "Wolfeschlegel", "argon2", ...secrets])
      expect(logged.toLowerCase()).not.toContain(part.toLowerCase());
  });
});
