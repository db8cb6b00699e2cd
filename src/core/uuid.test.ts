import { expect, test } from "vitest";
import { uuidV7 } from "./uuid.js";

test("is a version 7 UUID that sorts by time and never repeats", () => {
  const ids = Array.from({ length: 2_000 }, (_, n) => uuidV7(1_790_000_000_000 + n));
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect([...ids].toSorted()).toEqual(ids);
  expect(new Set(Array.from({ length: 2_000 }, () => uuidV7(1))).size).toBe(2_000);
  // The example of RFC 9562, appendix A.6.
  expect(uuidV7(0x017f22e279b0).slice(0, 13)).toBe("017f22e2-79b0");
});
