import { describe, expect, test } from "vitest";
import { SymbolMinutes } from "./symbol-minutes.js";

const minute = 60_000;
const at = (n: number) => n * minute;
const range = (from: number, to: number) => ({ fromMs: at(from), toMs: at(to) });
const missing = (minutes: SymbolMinutes, from: number, to: number, limit = 0) => {
  const found = minutes.newestMissing({ ...range(from, to), limitMs: at(limit) });
  return found === null ? null : [found.fromMs / minute, found.toMs / minute];
};

describe("the minutes of a symbol", () => {
  test("are missing, the newest first, until they are told", () => {
    const minutes = new SymbolMinutes();
    expect(missing(minutes, 10, 20)).toEqual([10, 20]);
    minutes.tell(range(15, 18));
    expect(missing(minutes, 10, 20)).toEqual([18, 20]);
    minutes.tell(range(18, 20));
    expect(missing(minutes, 10, 20)).toEqual([10, 15]);
    minutes.tell(range(10, 15));
    expect(missing(minutes, 10, 20)).toBeNull();
  });

  test("are not asked for while the feed listens, but the one in which it began to", () => {
    const minutes = new SymbolMinutes();
    minutes.listen(at(15) + 1);
    expect(missing(minutes, 10, 20)).toEqual([10, 16]);
    expect(minutes.heardUntil(at(16) + 59_999)).toBeNull();
    const heard = minutes.heardUntil(at(18));
    if (heard === null) throw new Error("nothing heard");
    expect(minutes.believe(heard)).toBe(true);
    expect(missing(minutes, 16, 20)).toBeNull();
    minutes.interrupt();
    expect(missing(minutes, 16, 20)).toEqual([18, 20]);
  });

  test("race: what was heard is not believed when the feed was interrupted before it was stored", () => {
    const minutes = new SymbolMinutes();
    minutes.listen(at(10));
    const heard = minutes.heardUntil(at(15));
    minutes.interrupt();
    minutes.listen(at(14) + 1);
    if (heard === null) throw new Error("nothing heard");
    expect(minutes.believe(heard)).toBe(false);
    expect(missing(minutes, 10, 20)).toEqual([10, 15]);
  });

  test("are in doubt after a trade that could not be put in, also before they are believed or restored", () => {
    const minutes = new SymbolMinutes();
    minutes.doubt(at(5) + 1_000);
    const known = new SymbolMinutes();
    known.tell(range(0, 10));
    minutes.restore(known.complete);
    expect(missing(minutes, 0, 10)).toEqual([5, 6]);
    minutes.tell(range(5, 6));
    minutes.listen(at(10));
    minutes.doubt(at(12));
    minutes.believe(range(10, 15));
    expect(missing(minutes, 0, 15)).toEqual([12, 13]);
    minutes.tell(range(12, 13));
    minutes.believe(range(15, 16));
    expect(missing(minutes, 0, 16)).toBeNull();
  });

  test("have no hole since the first complete one, as far as the exchange goes back", () => {
    const minutes = new SymbolMinutes();
    minutes.tell(range(5, 6));
    expect(missing(minutes, 100, 110)).toEqual([6, 110]);
    expect(missing(minutes, 100, 110, 50)).toEqual([50, 110]);
  });

  test("are remembered in a bounded number of stretches, of which the first stays", () => {
    const minutes = new SymbolMinutes();
    for (let n = 0; n < 700; n++) minutes.tell(range(2 * n, 2 * n + 1));
    minutes.forgetBefore(at(10) + 1);
    expect(minutes.complete.list).toHaveLength(500);
    expect(minutes.complete.list[0]).toEqual(range(10, 11));
    expect(minutes.complete.list.at(-1)).toEqual(range(1_398, 1_399));
  });
});
