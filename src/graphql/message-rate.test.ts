import { expect, test } from "vitest";
import { MessageRate } from "./message-rate.js";

test("a client may speak at its rate for ever, with a burst after a silence, and is cut off when it never stops", () => {
  const rate = new MessageRate(10, 5, 0);
  const take = (atMs: number, count: number) => Array.from({ length: count }, () => rate.take(atMs));
  expect(take(0, 15)).toEqual(Array(15).fill(0));
  // The next one in a tenth of a second, and so on.
  expect(take(0, 2)).toEqual([100, 200]);
  // What was not heard has been counted.
  expect(take(300, 2)).toEqual([0, 100]);
  expect(take(10_000, 16)).toEqual([...Array(15).fill(0), 100]);
  for (let ms = 20_000; ms < 30_000; ms += 100) expect(rate.take(ms)).toBe(0);
  const flood = take(30_000, 40);
  expect(flood.indexOf(null)).toBe(15 + 15);
});
