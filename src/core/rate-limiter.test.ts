import { fc, test } from "@fast-check/vitest";
import { describe, expect, test as plainTest } from "vitest";
import { RateLimiter } from "./rate-limiter.js";

const windowMs = 60_000;
const startMs = Date.UTC(2026, 10, 21);

function limiterOf(limit: number, maxKeys = 100) {
  const clock = { atMs: startMs, nowMs: () => clock.atMs };
  return { clock, limiter: new RateLimiter({ name: "test", limit, windowMs }, clock, maxKeys) };
}

describe("a limit of so many a minute", () => {
  plainTest("lets all of them go at once, then one at a time as they grow back", () => {
    const { clock, limiter } = limiterOf(6);
    for (let n = 0; n < 6; n++) expect(limiter.take("a")).toBe(0);
    expect(limiter.take("a")).toBe(10_000);
    // Who is refused is not made to wait longer for having asked.
    expect(limiter.take("a")).toBe(10_000);
    clock.atMs += 9_999;
    expect(limiter.take("a")).toBe(1);
    clock.atMs += 1;
    expect(limiter.take("a")).toBe(0);
    expect(limiter.take("a")).toBe(10_000);
    expect(limiter.take("b")).toBe(0);
  });

  test.prop([
    fc.integer({ min: 1, max: 1_000 }),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 1, max: 2_000 })), { maxLength: 60 }),
  ])("never gives more than two windows' worth in one, and waits no longer than it says", (limit, requests) => {
    const { clock, limiter } = limiterOf(limit);
    const given: { readonly atMs: number; readonly amount: number }[] = [];
    for (const [pauseMs, amount] of requests) {
      clock.atMs += pauseMs;
      const bucket = limiter.bucketOf("a");
      const waitMs = bucket.waitMs(amount, clock.atMs);
      expect(bucket.waitMs(amount, clock.atMs + waitMs)).toBe(0);
      if (waitMs > 0) continue;
      bucket.take(amount, clock.atMs);
      given.push({ atMs: clock.atMs, amount: Math.min(amount, limit) });
      const inWindow = given.filter(({ atMs }) => atMs > clock.atMs - windowMs);
      expect(inWindow.reduce((sum, one) => sum + one.amount, 0)).toBeLessThanOrEqual(2 * limit * 1.001);
    }
  });

  plainTest("something larger than the limit needs all of it, and is paid for afterwards", () => {
    const { clock, limiter } = limiterOf(10);
    limiter.take("a");
    const bucket = limiter.bucketOf("a");
    expect(bucket.waitMs(25, clock.atMs)).toBe(6_000);
    bucket.take(25, clock.atMs + 6_000);
    expect(bucket.waitMs(1, clock.atMs + 6_000)).toBe(96_000);
    expect(bucket.remaining(clock.atMs + 6_000)).toBe(0);
  });

  plainTest("what was taken elsewhere counts, and cannot keep anybody out for long", () => {
    const { clock, limiter } = limiterOf(10);
    const bucket = limiter.bucketOf("a");
    bucket.takenElsewhere(4, clock.atMs);
    expect(bucket.remaining(clock.atMs)).toBe(6);
    bucket.takenElsewhere(1e12, clock.atMs);
    expect(bucket.waitMs(1, clock.atMs)).toBeLessThanOrEqual(2 * windowMs);
    // It is nothing that was taken here.
    expect([...limiter.share(1)]).toEqual([]);
  });
});

plainTest("what was taken is told once, when it is worth telling", () => {
  const { limiter } = limiterOf(100);
  for (let n = 0; n < 4; n++) limiter.take("a");
  limiter.take("b");
  expect([...limiter.share(3)]).toEqual([["a", 4]]);
  expect([...limiter.share(3)]).toEqual([]);
  limiter.take("b");
  limiter.take("b");
  expect([...limiter.share(3)]).toEqual([["b", 3]]);
});

plainTest(
  "a million addresses leave no more behind than the bound, and one that goes on asking is not forgotten",
  () => {
    const { limiter } = limiterOf(2, 1_000);
    expect(limiter.take("a")).toBe(0);
    expect(limiter.take("a")).toBe(0);
    for (let n = 0; n < 1_000_000; n++) {
      limiter.take(`stranger ${n}`);
      if (n % 400 === 0) expect(limiter.take("a")).toBeGreaterThan(0);
      if (n % 1_000 === 0) expect(limiter.size).toBeLessThanOrEqual(1_000);
    }
  },
);
