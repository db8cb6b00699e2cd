import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeyRing, SealedSecretError } from "./key-ring.js";

const key = () => randomBytes(32).toString("base64");
const place = { table: "data_providers", id: 7, column: "api_secret" };

describe("a sealed secret", () => {
  const ring = KeyRing.parse(`k1:${key()}`);

  test("opens in its place, whatever it is", () => {
    fc.assert(
      fc.property(fc.string(), (secret) => {
        expect(ring.open(ring.seal(secret, place), place)).toBe(secret);
      }),
    );
  });

  test("never looks the same twice, and does not show the secret", () => {
    const sealed = new Set(Array.from({ length: 100 }, () => ring.seal("hunter2hunter2", place)));
    expect(sealed.size).toBe(100);
    expect([...sealed].some((text) => text.includes("hunter2"))).toBe(false);
  });

  test.each([
    ["another row", { ...place, id: 8 }],
    ["another column", { ...place, column: "api_key" }],
    ["another table", { ...place, table: "accounts" }],
  ])("does not open in %s", (_, elsewhere) => {
    expect(() => ring.open(ring.seal("secret", place), elsewhere)).toThrow(SealedSecretError);
  });

  test("does not open when any byte was altered", () => {
    const [version, id, text = ""] = ring.seal("secret", place).split(".");
    const bytes = Buffer.from(text, "base64url");
    for (let n = 0; n < bytes.length; n++) {
      const altered = Buffer.from(bytes);
      altered[n] = (altered[n] ?? 0) ^ 1;
      const sealed = `${version}.${id}.${altered.toString("base64url")}`;
      expect(() => ring.open(sealed, place)).toThrow(SealedSecretError);
    }
    for (const broken of ["", "v1", "v1.k1.", "v2.k1.AAAA", `v1.k1.${text.slice(0, 20)}`]) {
      expect(() => ring.open(broken, place)).toThrow(SealedSecretError);
    }
  });
});

test("an older key still opens, and the newest seals", () => {
  const [older, newer] = [`old:${key()}`, `new:${key()}`];
  const sealed = KeyRing.parse(older).seal("secret", place);
  const ring = KeyRing.parse(`${newer},${older}`);
  expect([ring.newestId, ring.ids]).toEqual(["new", ["new", "old"]]);
  expect(ring.open(sealed, place)).toBe("secret");
  const again = ring.seal("secret", place);
  expect(again).toMatch(/^v1\.new\./);
  expect(() => KeyRing.parse(older).open(again, place)).toThrow('there is no key "new"');
});

test("a key that has come meanwhile is read, and what cannot be read changes nothing", () => {
  const [older, newer] = [`old:${key()}`, `new:${key()}`];
  const sealed = KeyRing.parse(`${newer},${older}`).seal("secret", place);
  let text: string | null = "nonsense";
  const ring = KeyRing.parse(older, () => text);
  for (text of [null, "nonsense", older]) expect(() => ring.open(sealed, place)).toThrow('there is no key "new"');
  expect(ring.open(ring.seal("other", place), place)).toBe("other");
  text = `${newer},${older}`;
  expect(ring.open(sealed, place)).toBe("secret");
  expect(ring.newestId).toBe("new");
});

test.each([
  ["", "key 1 needs an id"],
  [key(), "key 1 needs an id"],
  [`k1:${randomBytes(16).toString("base64")}`, 'key "k1" must be 32 bytes'],
  [`k1:${key()},k1:${key()}`, 'key "k1" is there twice'],
])("a ring that cannot be used says why, without the key: case %#", (text, why) => {
  expect(() => KeyRing.parse(text)).toThrow(why);
});
