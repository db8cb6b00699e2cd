import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { TrustedProxies } from "../src/core/trusted-proxies.js";
import { Passwords } from "../src/people/passwords.js";
import { operatorHeaders, query } from "./support/app.js";
import { RawClient } from "./support/http.js";
import { goodPassword, type SignedIn, signUp } from "./support/people.js";
import { type QuietApp, startQuietApp } from "./support/quiet-app.js";

const quarterMs = 900_000;
let app: QuietApp;
let client: RawClient;
beforeAll(async () => {
  app = await startQuietApp({
    config: { trustedProxies: TrustedProxies.parse("loopback") },
    rateLimits: { signInsPerAddress: 20, signInsPerAccount: 10 },
  });
  client = new RawClient(app.url);
});
afterAll(async () => {
  client.close();
  await app.close();
});
beforeEach(() => {
  app.clock.atMs += 2 * quarterMs;
});

const text =
  "mutation ($email: String!, $password: String!) { login(email: $email, password: $password) { accessToken } }";
async function logIn(email: string, password: string, address: string, type = "application/json") {
  const headers = { "content-type": type, "x-forwarded-for": address };
  const answer = await client.post({ query: text, variables: { email, password } }, headers);
  const { errors } = JSON.parse(answer.body.toString()) as {
    errors?: { extensions: { code: string; retryAfterMs?: number } }[];
  };
  const { code = "OK", retryAfterMs = null } = errors?.[0]?.extensions ?? {};
  return { status: answer.status, code, retryAfterMs, retryAfter: answer.headers["retry-after"] };
}

describe.each(["application/json", "application/json; full=way"])("signing in, as %s", (type) => {
  test("guesses at one account from everywhere end, and its owner gets in all the same", async () => {
    const owner = await signUp(app.url);
    expect((await logIn(owner.email, goodPassword, "198.51.100.1", type)).code).toBe("OK");
    const guesses = await Promise.all(
      Array.from({ length: 200 }, (_, n) => logIn(owner.email, `wrong-${n}-password`, `10.1.0.${n}`, type)),
    );
    expect(guesses.filter(({ code }) => code === "UNAUTHENTICATED").length).toBeLessThanOrEqual(10);
    const refused = guesses.filter(({ code }) => code === "RATE_LIMITED");
    expect(refused.length).toBeGreaterThanOrEqual(190);
    for (const { status, retryAfterMs, retryAfter } of refused)
      expect([status, retryAfter]).toEqual([429, String(Math.ceil((retryAfterMs ?? 0) / 1_000))]);
    // The right password from a strange place waits too, or it could be guessed after all.
    expect((await logIn(owner.email, goodPassword, "10.1.1.1", type)).code).toBe("RATE_LIMITED");
    expect((await logIn(owner.email, goodPassword, "198.51.100.1", type)).code).toBe("OK");
  });

  test("an account that does not exist is refused in the same way", async () => {
    const nobody = `nobody-${type.length}@example.com`;
    const codes: string[] = [];
    for (let n = 0; n < 12; n++) codes.push((await logIn(nobody, "wrong-password-x", `10.2.0.${n}`, type)).code);
    expect(codes).toEqual([...Array<string>(10).fill("UNAUTHENTICATED"), "RATE_LIMITED", "RATE_LIMITED"]);
  });
});

test("one address does not try out name after name, by any way of writing itself", async () => {
  const codes: string[] = [];
  for (let n = 0; n < 25; n++) {
    const address = n % 2 === 0 ? "2001:db8:5:5::1" : `2001:db8:5:5:${n}::9`;
    codes.push((await logIn(`user${n}@example.com`, "wrong-password-x", address)).code);
  }
  expect(codes.filter((code) => code === "UNAUTHENTICATED")).toHaveLength(20);
});

test("nobody makes accounts all day, nor fills a mailbox", async () => {
  const register = async (n: number) => {
    const input = { email: `many${n}@example.com`, password: goodPassword };
    const headers = { "x-forwarded-for": "10.3.0.1" };
    const answer = await query(
      app.url,
      "mutation ($input: RegisterInput!) { register(input: $input) { accessToken } }",
      { input },
      headers,
    );
    return answer.errors?.[0]?.extensions.code ?? "OK";
  };
  const codes: string[] = [];
  for (let n = 0; n < 22; n++) codes.push(await register(n));
  expect(codes.filter((code) => code === "OK")).toHaveLength(20);
  expect(codes.slice(20)).toEqual(["RATE_LIMITED", "RATE_LIMITED"]);

  const reset = async (n: number) =>
    (
      await query(
        app.url,
        'mutation { requestPasswordReset(email: "many0@example.com") }',
        {},
        { "x-forwarded-for": `10.4.0.${n}` },
      )
    ).errors?.[0]?.extensions.code ?? "OK";
  const resets = await Promise.all(Array.from({ length: 15 }, (_, n) => reset(n)));
  expect(resets.filter((code) => code === "RATE_LIMITED")).toHaveLength(5);
});

describe("asking to register, to find out who has an account", () => {
  const text = "mutation ($input: RegisterInput!) { register(input: $input) { accessToken } }";
  const register = async (email: string, address: string) => {
    const answer = await query(
      app.url,
      text,
      { input: { email, password: goodPassword } },
      { "x-forwarded-for": address },
    );
    return answer.errors?.[0]?.extensions.code ?? "OK";
  };

  const signUpSome = async (count: number): Promise<SignedIn[]> => {
    const users: SignedIn[] = [];
    while (users.length < count) users.push(await signUp(app.url));
    return users;
  };

  test("ends soon for one client and for its neighbourhood, and does not hold up those who mean it", async () => {
    const taken = await signUpSome(12);
    const emailOf = (n: number) => taken[n % taken.length]?.email ?? "";
    const codes: string[] = [];
    for (let n = 0; n < 12; n++) codes.push(await register(emailOf(n), "10.5.0.1"));
    expect(codes).toEqual([...Array<string>(10).fill("CONFLICT"), "RATE_LIMITED", "RATE_LIMITED"]);
    // An address that is free is refused in the same way: being refused tells nothing.
    expect(await register("free-1@example.com", "10.5.0.1")).toBe("RATE_LIMITED");
    app.clock.atMs += 2 * quarterMs;
    // 50 answers for all of 10.5.1.0/24.
    const neighbours: string[] = [];
    for (let n = 0; n < 60; n++) neighbours.push(await register(emailOf(n), `10.5.1.${n}`));
    expect(neighbours.filter((code) => code === "CONFLICT")).toHaveLength(50);
    expect(neighbours.slice(50)).toEqual(Array<string>(10).fill("RATE_LIMITED"));
    expect(await register("free-2@example.com", "10.5.2.1")).toBe("OK");
  });

  test("what found nothing out does not count, and the work is the same", async () => {
    const hash = vi.spyOn(Passwords.prototype, "hash");
    const { email } = await signUp(app.url);
    const codes: string[] = [];
    for (let n = 0; n < 15; n++) codes.push(await register(`honest${n}@example.com`, "10.6.0.1"));
    expect(codes).toEqual(Array<string>(15).fill("OK"));
    const before = hash.mock.calls.length;
    expect(await register(email, "10.6.0.1")).toBe("CONFLICT");
    expect(hash.mock.calls.length).toBe(before + 1);
    hash.mockRestore();
  });

  test("race: questions that are asked at once count all the same", async () => {
    const taken = await signUpSome(14);
    const codes = await Promise.all(taken.map(({ email }) => register(email, "10.7.0.1")));
    expect(codes.filter((code) => code === "CONFLICT")).toHaveLength(10);
    expect(codes.filter((code) => code === "RATE_LIMITED")).toHaveLength(4);
  });
});

test("good and bad sign-ins are written down with their network, for operators to read", async () => {
  const user = await signUp(app.url);
  await logIn(user.email, "wrong-password-x", "203.0.113.99");
  await logIn(user.email, goodPassword, "2001:db8:7:7::1");
  const filter = `filter: { userId: "${user.userId}" }`;
  const read = async () =>
    (
      await query(
        app.url,
        `{ auditEvents(${filter}) { nodes { action actorId network details } } }`,
        {},
        operatorHeaders,
      )
    ).data.auditEvents.nodes as { action: string; actorId: string | null; network: string; details: object }[];
  await expect
    .poll(async () => (await read()).map(({ action }) => action).sort())
    .toEqual(["session.failed", "session.start", "session.start", "user.register"]);
  const events = await read();
  expect(events.find(({ action }) => action === "session.failed")).toMatchObject({
    network: "203.0.113.0/24",
    actorId: null,
    details: { how: "password" },
  });
  expect(events.find(({ network }) => network === "2001:db8:7::/48")).toMatchObject({
    action: "session.start",
    actorId: user.userId,
  });
  expect(JSON.stringify(events)).not.toMatch(/@|203\.0\.113\.9|db8:7:7/);
});
