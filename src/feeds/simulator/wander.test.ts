import { expect, test } from "vitest";
import { dayMs } from "./rolling-day.js";
import { Wander } from "./wander.js";

const options = { perDay: 0.04, shortestMs: 100, longestMs: 4 * dayMs };
const startMs = Date.UTC(2026, 0, 1);

test("is a function of time: order and frequency of the questions make no difference", () => {
  const times = Array.from({ length: 2_000 }, (_, index) => startMs + index * 37.5);
  const [one, other] = [new Wander("a", options), new Wander("a", options)];
  const forwards = times.map((timeMs) => one.at(timeMs));
  const backwards = [...times].reverse().map((timeMs) => other.at(timeMs));
  expect(backwards.reverse()).toEqual(forwards);
  expect(new Wander("b", options).at(startMs)).not.toBe(forwards[0]);
});

test.each([1_000, 60_000, 3_600_000, dayMs / 2])("changes within %d ms as much as it should", (lagMs) => {
  let squares = 0;
  const count = 4_000;
  for (let i = 0; i < count; i++) {
    // Walks of many names: within one, days are not independent.
    const walk = new Wander(`walk ${i % 200}`, options);
    const fromMs = startMs + i * 977_777;
    squares += (walk.at(fromMs + lagMs) - walk.at(fromMs)) ** 2;
  }
  const expected = options.perDay ** 2 * (lagMs / dayMs);
  expect(squares / count / expected).toBeGreaterThan(0.6);
  expect(squares / count / expected).toBeLessThan(1.6);
});

test("stays around zero", () => {
  let sum = 0;
  let furthest = 0;
  for (let i = 0; i < 2_000; i++) {
    const value = new Wander(`walk ${i}`, options).at(startMs + i * dayMs);
    sum += value;
    furthest = Math.max(furthest, Math.abs(value));
  }
  expect(Math.abs(sum / 2_000)).toBeLessThan(0.005);
  expect(furthest).toBeLessThan(0.3);
  expect(furthest).toBeGreaterThan(0.05);
});
