import { describe, expect, test } from "vitest";
import { parseEmail } from "./email-address.js";

describe("spellings of one address have one key", () => {
  test.each([
    ["ada@example.org", "ADA@EXAMPLE.ORG"],
    ["ada@example.org", "  Ada@Example.Org  "],
    ["ada@example.org", "ａｄａ@ｅｘａｍｐｌｅ.org"],
    ["zoë@example.org", "zoe\u0308@example.org"],
    ["zoë@example.org", "ZOË@example.org"],
    ["ﬁne@example.org", "fine@example.org"],
    ["ada@bücher.example", "ada@xn--bcher-kva.example"],
    ["ada@bücher.example", "ada@BÜCHER.example"],
  ])("%s and %s", (one, other) => {
    expect(parseEmail(one).key).toBe(parseEmail(other).key);
  });
});

test("addresses of different mailboxes have different keys", () => {
  const keys = [
    "mike@example.org",
    "mıke@example.org",
    "mike+1@example.org",
    "m.ike@example.org",
    "mike@example.com",
    "міке@example.org",
  ].map((address) => parseEmail(address).key);
  expect(new Set(keys).size).toBe(keys.length);
});

test("mail goes to the address as it was typed", () => {
  expect(parseEmail(" Ada.Lovelace+x@Example.ORG ").shown).toBe("Ada.Lovelace+x@Example.ORG");
});

describe("what is no address is refused", () => {
  test.each([
    "",
    "@",
    "ada",
    "ada@",
    "@example.org",
    "ada@example",
    "ada@@example.org",
    "ada@example.org@example.org",
    "ada＠example.org",
    "ada@evil.org＠example.org",
    "ada@exa mple.org",
    "ada @example.org",
    "ada@example.org\nBcc: all@example.org",
    "ada\u200b@example.org",
    "ada\u202e@example.org",
    "\u0000ada@example.org",
    "ada@example.org\u0000",
    '"a b"@example.org',
    "<ada@example.org>",
    "ada@example.org, bob@example.org",
    "ada;drop table users@example.org",
    ".ada@example.org",
    "a..da@example.org",
    "ada@-example.org",
    "ada@example..org",
    "ada@[127.0.0.1]",
    "ada@127.0.0.1",
    "ada@0x7f.1",
    "ada@ex%61mple.org",
    "ada@example.org:25",
    "ada@example.org/x",
    `${"a".repeat(65)}@example.org`,
    `ada@${"a".repeat(64)}.org`,
    `ada@${"a.".repeat(130)}org`,
    "\ud800@example.org",
    "ada\u2028@example.org",
    "ada\u00a0x@example.org",
  ])("%j", (text) => {
    expect(() => parseEmail(text)).toThrow("not an e-mail address");
  });
});
