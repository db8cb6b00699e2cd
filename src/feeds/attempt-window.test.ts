import { expect, test } from "vitest";
import { AttemptWindow } from "./attempt-window.js";

test("at most the limit within any window; then the time until the oldest attempt leaves it", () => {
  let nowMs = 1_000;
  const attempts = new AttemptWindow(2, 100, { nowMs: () => nowMs });
  expect(attempts.take()).toBe(0);
  nowMs = 1_040;
  expect(attempts.take()).toBe(0);
  nowMs = 1_050;
  expect(attempts.take()).toBe(50);
  nowMs = 1_100;
  expect(attempts.take()).toBe(0);
  expect(attempts.take()).toBe(40);
});

test("a clock that was set back does not block attempts", () => {
  let nowMs = 1_000_000;
  const attempts = new AttemptWindow(1, 100, { nowMs: () => nowMs });
  expect(attempts.take()).toBe(0);
  nowMs = 0;
  expect(attempts.take()).toBe(0);
});
