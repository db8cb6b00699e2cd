import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import type { DomainError } from "../core/errors.js";
import { SignInLimits } from "./sign-in-limits.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const quarterMs = 900_000;
const clock = { atMs: Date.UTC(2026, 10, 21, 12), nowMs: () => clock.atMs };
const node = () => new SignInLimits(database.app, { signInsPerAddress: 30, signInsPerAccount: 10 }, clock);
const tryOnce = (limits: SignInLimits, address: string, account: string) =>
  limits.take(address, account).then(
    () => 0,
    (error: DomainError) => Number(error.details.retryAfterMs),
  );

beforeEach(() => {
  clock.atMs += 3 * quarterMs;
});

test("ten thousand attempts at one account, from thousands of addresses and over three nodes at once, are ten", async () => {
  const nodes = [node(), node(), node()];
  const attempts = Array.from({ length: 10_000 }, (_, n) =>
    tryOnce(nodes[n % 3] as SignInLimits, `10.${n % 7}.${n >> 8}.${n & 255}`, "victim@example.com"),
  );
  const waits = await Promise.all(attempts);
  expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(10);
  expect(Math.max(...waits)).toBeLessThanOrEqual(quarterMs / 10);
  // A day of it: what grows back, and no more.
  let given = 0;
  for (let minute = 0; minute < 24 * 60; minute++) {
    clock.atMs += 60_000;
    given +=
      (await tryOnce(nodes[0] as SignInLimits, `11.0.${minute >> 8}.${minute & 255}`, "victim@example.com")) === 0
        ? 1
        : 0;
  }
  expect(given).toBeLessThanOrEqual(24 * 4 * 10);
}, 60_000);

test("one address with ten thousand names gets no further", async () => {
  const limits = node();
  const waits = await Promise.all(
    Array.from({ length: 10_000 }, (_, n) => tryOnce(limits, "203.0.113.7", `user${n}@example.com`)),
  );
  expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(30);
});

test("strangers do not lock out who comes from where the account was used before", async () => {
  const limits = node();
  const own = await limits.take("198.51.100.1", "owner@example.com");
  await own.succeeded();
  for (let n = 0; n < 50; n++) await tryOnce(limits, `10.9.0.${n}`, "owner@example.com");
  expect(await tryOnce(limits, "10.9.1.1", "owner@example.com")).toBeGreaterThan(0);
  // Also on a node that has heard of none of it.
  for (const other of [limits, node()]) await (await other.take("198.51.100.1", "owner@example.com")).succeeded();
  // Nor who has shown a letter.
  await limits.trust("192.0.2.44", "owner@example.com");
  expect(await tryOnce(limits, "192.0.2.44", "owner@example.com")).toBe(0);
  // Which opens no other account, and does not let anybody guess from there without an end.
  for (let n = 0; n < 20; n++) await tryOnce(limits, `10.9.2.${n}`, "other@example.com");
  expect(await tryOnce(limits, "198.51.100.1", "other@example.com")).toBeGreaterThan(0);
  const guesses = await Promise.all(
    Array.from({ length: 15 }, () => tryOnce(limits, "192.0.2.44", "owner@example.com")),
  );
  expect(guesses.filter((waitMs) => waitMs === 0)).toHaveLength(9);
});

test("who is told to wait may come then, and not before", async () => {
  const limits = node();
  for (let n = 0; n < 10; n++) expect(await tryOnce(limits, "203.0.113.9", "a@example.com")).toBe(0);
  const waitMs = await tryOnce(limits, "203.0.113.9", "a@example.com");
  expect(waitMs).toBe(quarterMs / 10);
  clock.atMs += waitMs - 1;
  expect(await tryOnce(node(), "203.0.113.9", "a@example.com")).toBe(1);
  clock.atMs += 1;
  expect(await tryOnce(limits, "203.0.113.9", "a@example.com")).toBe(0);
});

test("a success does not count", async () => {
  const limits = node();
  for (let n = 0; n < 100; n++) await (await limits.take("203.0.113.10", "often@example.com")).succeeded();
});

test("nothing that is stored says who it was, and it is forgotten", async () => {
  const limits = node();
  await (await limits.take("203.0.113.11", "secret@example.com")).succeeded();
  await tryOnce(limits, "203.0.113.11", "secret@example.com");
  const rows = await database.owner
    .sql`select bucket as text from sign_in_counters union all select place from sign_in_places`;
  expect(rows.length).toBeGreaterThan(2);
  for (const { text } of rows) expect(text).toMatch(/^[0-9a-f]{64}$/);
  clock.atMs += 2 * quarterMs;
  await limits.forget();
  expect(await database.owner.sql`select from sign_in_counters`).toHaveLength(0);
  expect((await database.owner.sql`select from sign_in_places`).length).toBeGreaterThan(0);
  clock.atMs += 91 * 24 * 3_600_000;
  await limits.forget();
  expect(await database.owner.sql`select from sign_in_places`).toHaveLength(0);
});

test("only the running program reads it", async () => {
  for (const role of ["tradegraph_readonly", "tradegraph_monitor"])
    await expect(
      database.owner.sql.begin(async (sql) => {
        await sql`select set_config('role', ${role}, true)`;
        await sql`select from sign_in_counters`;
      }),
    ).rejects.toThrow(/permission denied/);
});
