import { describe, expect, test } from "vitest";
import { Passwords, requireGoodPassword } from "./passwords.js";

describe("passwords that are refused", () => {
  test.each([
    ["too short", "a1b2c3d4e"],
    ["monotonous", "ababababababab"],
    ["among the most common ones", "1234567890"],
    ["with digits after a common one", "Password123!"],
    ["with signs around a common one", "***Football99***"],
    ["in full width", "ｐａｓｓｗｏｒｄ１２３４"],
    ["the address", "ada.lovelace@example.org"],
    ["the name of the mailbox", "Ada.Lovelace2026"],
    ["endless", "abcdefghij".repeat(21)],
  ])("%s", async (_name, password) => {
    await expect(requireGoodPassword(password, ["ada.lovelace@example.org", null], "password")).rejects.toMatchObject({
      code: "BAD_USER_INPUT",
      details: { field: "password" },
    });
  });
});

test.each(["wandering copper lighthouse", "kT7#vQ2!mZ9x", "Ünïcödé Wörter 北京", "ada likes long sentences"])(
  "a good one is taken: %s",
  async (password) => {
    await requireGoodPassword(password, ["ada@example.org"], "password");
  },
);

test("a hash is Argon2id, salted, and right for the password in any normal form", async () => {
  const passwords = new Passwords();
  const [one, other] = [await passwords.hash("zoë likes tea"), await passwords.hash("zoë likes tea")];
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(one).not.toBe(other);
  expect(await passwords.isRight("zoe\u0308 likes tea", one)).toBe(true);
  expect(await passwords.isRight("zoe likes tea", one)).toBe(false);
  expect(await passwords.isRight("zoë likes tea", null)).toBe(false);
});

test("the queue of hashes is bounded, and empties", async () => {
  const passwords = new Passwords(10);
  const stored = await passwords.hash("wandering copper lighthouse");
  const answers = await Promise.allSettled(Array.from({ length: 40 }, () => passwords.isRight("wrong", stored)));
  const refused = answers.filter(({ status }) => status === "rejected");
  expect(refused.length).toBeGreaterThan(20);
  expect(refused[0]).toMatchObject({ reason: { code: "RATE_LIMITED", details: { retryAfterMs: 1_000 } } });
  expect(await passwords.isRight("wandering copper lighthouse", stored)).toBe(true);
});
