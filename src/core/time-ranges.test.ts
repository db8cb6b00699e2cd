import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { type TimeRange, TimeRanges } from "./time-ranges.js";

const size = 30;
const range = fc.tuple(fc.nat(size), fc.nat(size)).map(([fromMs, toMs]): TimeRange => ({ fromMs, toMs }));
const steps = fc.array(fc.record({ adds: fc.boolean(), range }), { maxLength: 30 });
const momentsOf = ({ fromMs, toMs }: TimeRange): number[] =>
  Array.from({ length: Math.max(0, toMs - fromMs) }, (_, n) => fromMs + n);

describe("ranges of time", () => {
  test.prop([steps, range])("hold the moments that a plain set holds, in as few ranges as can be", (all, asked) => {
    const ranges = new TimeRanges();
    const moments = new Set<number>();
    for (const step of all) {
      if (step.adds) ranges.add(step.range);
      else ranges.remove(step.range);
      for (const moment of momentsOf(step.range)) {
        if (step.adds) moments.add(moment);
        else moments.delete(moment);
      }
    }
    expect(ranges.list.flatMap(momentsOf)).toEqual([...moments].sort((a, b) => a - b));
    expect(ranges.list.every(({ fromMs }, n) => n === 0 || fromMs > (ranges.list[n - 1]?.toMs ?? 0))).toBe(true);
    expect(ranges.missingIn(asked).flatMap(momentsOf)).toEqual(momentsOf(asked).filter((m) => !moments.has(m)));
  });
});
