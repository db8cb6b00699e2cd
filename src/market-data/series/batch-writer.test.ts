import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BatchWriter, type BatchWriterOptions } from "./batch-writer.js";

const refused = () => Object.assign(new Error("breaks a check"), { code: "23514" });

/** A writer of numbers, and a database that stores, or fails, as it is told. */
function aWriter(options: Partial<BatchWriterOptions<number>> = {}) {
  const stored: number[] = [];
  const attempts: number[][] = [];
  const logged: string[] = [];
  const database = { fails: false, hangs: false, impossible: new Set<number>(), release: () => {} };
  const writer = new BatchWriter<number>({
    name: "numbers",
    flushMs: 100,
    rowsPerStatement: 10,
    maxWaiting: 100,
    log: pino(
      { level: "debug" },
      { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) },
    ),
    write: async (rows) => {
      attempts.push([...rows]);
      if (database.hangs) await new Promise<void>((resolve) => (database.release = resolve));
      if (database.fails) throw new Error("the database is away");
      if (rows.some((row) => database.impossible.has(row))) throw refused();
      stored.push(...rows);
    },
    ...options,
  });
  return { writer, stored, attempts, logged, database };
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const addAll = (writer: BatchWriter<number>, rows: readonly number[]) => {
  for (const row of rows) writer.add(row);
};

describe("a batch writer", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("writes in order, when a statement is full and after the time that a row may wait", async () => {
    const { writer, stored, attempts } = aWriter();
    addAll(writer, numbers(1, 20));
    await vi.advanceTimersByTimeAsync(0);
    expect(stored).toEqual(numbers(1, 20));
    await vi.advanceTimersByTimeAsync(500);
    addAll(writer, numbers(21, 25));
    await vi.advanceTimersByTimeAsync(99);
    expect(stored).toEqual(numbers(1, 20));
    await vi.advanceTimersByTimeAsync(1);
    expect(stored).toEqual(numbers(1, 25));
    expect(attempts.map((rows) => rows.length)).toEqual([10, 10, 5]);
    expect(writer.stats).toEqual({ written: 25, failures: 0, refused: 0, dropped: 0, waiting: 0 });
  });

  test("at the bound drops the oldest, says so once, and stores all that waits when the database is back", async () => {
    const { writer, stored, logged, database } = aWriter();
    database.fails = true;
    addAll(writer, numbers(1, 1_000));
    expect(writer.stats).toMatchObject({ dropped: 900, waiting: 100 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(writer.stats).toMatchObject({ written: 0, dropped: 900, waiting: 100 });
    database.fails = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stored).toEqual(numbers(901, 1_000));
    expect(writer.stats).toMatchObject({ written: 100, dropped: 900, waiting: 0 });
    expect(logged.filter((line) => line === "numbers.dropping-oldest")).toHaveLength(1);
  });

  test("never holds more than the bound, also while a statement hangs", async () => {
    const { writer, stored, database } = aWriter({ maxWaiting: 25 });
    database.hangs = true;
    for (const row of numbers(1, 200)) {
      writer.add(row);
      expect(writer.stats.waiting).toBeLessThanOrEqual(25);
      await vi.advanceTimersByTimeAsync(0);
    }
    database.hangs = false;
    database.release();
    await writer.close();
    expect(stored.slice(0, 10)).toEqual(numbers(1, 10));
    expect(stored.at(-1)).toBe(200);
    expect(writer.stats.dropped).toBe(200 - stored.length);
  });

  test("a bound below the size of a statement holds too", async () => {
    const { writer, database } = aWriter({ maxWaiting: 3 });
    database.fails = true;
    for (const row of numbers(1, 20)) {
      writer.add(row);
      expect(writer.stats.waiting).toBeLessThanOrEqual(3);
    }
    await writer.close();
    expect(writer.stats.dropped + writer.stats.waiting).toBe(20);
  });

  test("attempts become rarer while the database is away, however many rows come", async () => {
    let attempts = 0;
    const { writer } = aWriter({
      write: async () => {
        attempts++;
        // Rows come while it waits for the answer.
        await new Promise((resolve) => setTimeout(resolve, 50));
        throw new Error("the database is away");
      },
    });
    for (let n = 0; n < 2_400; n++) {
      writer.add(n);
      await vi.advanceTimersByTimeAsync(25);
    }
    expect(attempts).toBeLessThan(100);
    expect(attempts).toBeGreaterThan(5);
  });

  test("leaves out what is impossible, wherever it is, and stores the others in order", async () => {
    const { writer, stored, logged, database } = aWriter();
    database.impossible = new Set([1, 5, 6, 20]);
    addAll(writer, numbers(1, 20));
    await writer.close();
    expect(stored).toEqual(numbers(1, 20).filter((n) => !database.impossible.has(n)));
    expect(writer.stats).toEqual({ written: 16, failures: 0, refused: 4, dropped: 0, waiting: 0 });
    expect(logged.filter((line) => line === "numbers.refused")).toHaveLength(4);
  });

  test("leaves out what cannot be written down", async () => {
    const { writer } = aWriter({
      write: async (rows) => {
        for (const row of rows) new Date(row).toISOString();
      },
    });
    addAll(writer, [1, Number.NaN, 3]);
    await writer.close();
    expect(writer.stats).toMatchObject({ written: 2, refused: 1, waiting: 0 });
  });

  test("race: the database goes away while an impossible row is being looked for", async () => {
    const stored: number[] = [];
    let calls = 0;
    const { writer } = aWriter({
      write: async (rows) => {
        calls++;
        if (calls === 3) throw new Error("the database is away");
        if (rows.includes(7)) throw refused();
        stored.push(...rows);
      },
    });
    addAll(writer, numbers(1, 10));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stored).toEqual(numbers(1, 10).filter((n) => n !== 7));
    expect(writer.stats).toMatchObject({ written: 9, refused: 1, failures: 1, waiting: 0 });
  });

  test("of rows with one key that wait together the newer one is written", async () => {
    const { writer, stored } = aWriter({ keyOf: (row) => String(row % 3) });
    addAll(writer, numbers(1, 9));
    await writer.close();
    expect(stored.toSorted((a, b) => a - b)).toEqual([7, 8, 9]);
  });

  test("closing writes the rest, and says what is lost where that fails", async () => {
    const { writer, logged, database } = aWriter();
    database.fails = true;
    addAll(writer, numbers(1, 5));
    await writer.close();
    expect(logged).toContain("numbers.lost-at-close");
    expect(vi.getTimerCount()).toBe(0);
  });
});
