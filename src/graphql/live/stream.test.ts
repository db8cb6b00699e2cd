import fc from "fast-check";
import { buildSchema, parse } from "graphql";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DomainError } from "../../core/errors.js";
import type { SharedWatch } from "../../core/shared-watch.js";
import { FlushClock } from "./flush-clock.js";
import type { SharedPayload } from "./payload.js";
import { Rendering } from "./rendering.js";
import type { Sink } from "./sink.js";
import { type BroadcastCounts, SharedStream } from "./stream.js";

interface Price {
  readonly symbol: string;
  value: number;
}

const schema = buildSchema(`
  type Query { none: Int }
  type Price { symbol: String! value: Int! }
  type Subscription { prices: [Price!]! }
`);
const document = parse("subscription { prices { symbol value } }");

/** Values that change in place, as quotes do. */
class Board {
  readonly prices = new Map<string, Price>();
  readonly #listeners = new Set<(symbol: string) => void>();
  followers = 0;

  set(symbol: string, value: number): void {
    const price = this.prices.get(symbol);
    if (price === undefined) this.prices.set(symbol, { symbol, value });
    else price.value = value;
    for (const listener of this.#listeners) listener(symbol);
  }

  watch(symbols: readonly string[], intervalMs: number): SharedWatch<string, Price> {
    return {
      name: symbols.join(),
      intervalMs,
      isList: true,
      keys: () => symbols,
      valueOf: (symbol) => this.prices.get(symbol),
      versionOf: ({ value }) => value,
      follow: (onChange) => {
        const listener = (symbol: string) => {
          if (symbols.includes(symbol)) onChange(symbol);
        };
        this.#listeners.add(listener);
        this.followers++;
        return () => {
          this.#listeners.delete(listener);
          this.followers--;
        };
      },
      overflow: null,
    };
  }
}

class Reader implements Sink {
  isWritable = true;
  readonly messages: { readonly atMs: number; readonly prices: Price[]; readonly payload: SharedPayload }[] = [];
  readonly errors: string[] = [];
  onWritable: () => void = () => {};
  stop: () => void = () => {};

  next(payload: SharedPayload): void {
    if (!this.isWritable && this.messages.length > 0) throw new Error("sent to a reader that was not ready");
    const { data } = JSON.parse(payload.text) as { data: { prices: Price[] } | null };
    this.messages.push({ atMs: performance.now(), prices: data?.prices ?? [], payload });
  }

  error(errors: readonly { readonly extensions?: unknown }[]): void {
    this.errors.push(JSON.stringify(errors[0]?.extensions));
  }

  /** The newest value of each symbol, as this reader knows it. */
  get known(): Record<string, number> {
    return Object.fromEntries(
      this.messages.flatMap(({ prices }) => prices.map(({ symbol, value }) => [symbol, value])),
    );
  }

  get values(): number[] {
    return this.messages.flatMap(({ prices }) => prices.map(({ value }) => value));
  }
}

let clock: FlushClock;
let executions: number;
let isBroken: boolean;
let counts: BroadcastCounts;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"] });
  clock = new FlushClock();
  executions = 0;
  isBroken = false;
  beside = { isKnown: true, version: 1 };
  counts = { subscribers: 0, conflated: 0, overflowed: 0 };
});
afterEach(() => {
  clock.close();
  vi.useRealTimers();
});

/** What is shown beside a value, and told by no message. */
let beside: { isKnown: boolean; version: number };

function streamOf<K, V>(intervalMs: number, onEmpty = () => {}): SharedStream<K, V> {
  const rendering = new Rendering<K, V>({
    execution: {
      schema,
      document,
      contextValue: {},
      fieldResolver: (source: Record<string, unknown>, _args, _context, { fieldName }) => {
        if (fieldName === "prices") {
          executions++;
          return source;
        }
        if (fieldName === "value" && isBroken) throw new Error("broken");
        return source[fieldName];
      },
    },
    responseName: "prices",
    isList: true,
    formatErrors: (errors) => errors.map((error) => error.toJSON()),
    stampNow: () => (beside.isKnown ? [beside.version] : null),
  });
  return new SharedStream({ intervalMs, rendering, clock, log: pino({ level: "silent" }), counts, onEmpty });
}

function join<K, V>(stream: SharedStream<K, V>, watch: SharedWatch<K, V>): Reader {
  const reader = new Reader();
  Object.assign(reader, stream.add(watch, reader));
  return reader;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("readers of the same", () => {
  test("get the same bytes, made once; each message carries only what changed", async () => {
    const board = new Board();
    board.set("BTC", 1);
    board.set("ETH", 2);
    const stream = streamOf<string, Price>(100);
    const readers = Array.from({ length: 20 }, () => join(stream, board.watch(["BTC", "ETH"], 100)));
    await pass(0);
    for (const { messages } of readers)
      expect(messages.map(({ prices }) => prices)).toEqual([
        [
          { symbol: "BTC", value: 1 },
          { symbol: "ETH", value: 2 },
        ],
      ]);
    expect(new Set(readers.map(({ messages }) => messages[0]?.payload)).size).toBe(1);
    expect([executions, board.followers]).toEqual([1, 1]);
    await pass(100);
    board.set("ETH", 3);
    board.set("ETH", 4);
    await pass(100);
    for (const { messages } of readers) expect(messages[1]?.prices).toEqual([{ symbol: "ETH", value: 4 }]);
    expect(new Set(readers.map(({ messages }) => messages[1]?.payload)).size).toBe(1);
    expect(executions).toBe(2);
  });

  test("of different lists share what was executed", async () => {
    const board = new Board();
    for (let n = 0; n < 30; n++) board.set(`S${n}`, n);
    const stream = streamOf<string, Price>(100);
    const readers = Array.from({ length: 10 }, (_, n) =>
      join(stream, board.watch([`S${n}`, `S${n + 1}`, `S${n + 2}`], 100)),
    );
    await pass(0);
    expect(executions).toBe(1);
    expect(readers.map(({ known }) => Object.keys(known).length)).toEqual(readers.map(() => 3));
    await pass(100);
    for (let n = 0; n < 30; n++) board.set(`S${n}`, n + 100);
    await pass(100);
    expect(executions).toBe(2);
    for (const [n, { messages }] of readers.entries())
      expect(messages[1]?.prices.map(({ value }) => value)).toEqual([n + 100, n + 101, n + 102]);
  });

  test("that come later begin with everything, and never get a message before their interval is over", async () => {
    const board = new Board();
    board.set("BTC", 1);
    const stream = streamOf<string, Price>(100);
    const early = join(stream, board.watch(["BTC"], 100));
    await pass(90);
    board.set("BTC", 2);
    await pass(5);
    const late = join(stream, board.watch(["BTC"], 100));
    await pass(500);
    expect(early.values).toEqual([1, 2]);
    expect(late.values).toEqual([2]);
  });

  test("that come later share what was executed, as long as nothing beside it has changed", async () => {
    const board = new Board();
    board.set("BTC", 1);
    const stream = streamOf<string, Price>(0);
    const joinAndCount = async () => {
      join(stream, board.watch(["BTC"], 0));
      await pass(1);
      return executions;
    };
    expect([await joinAndCount(), await joinAndCount()]).toEqual([1, 1]);
    beside.version++;
    expect([await joinAndCount(), await joinAndCount()]).toEqual([2, 2]);
    // Nobody knows whether it has.
    beside.isKnown = false;
    expect([await joinAndCount(), await joinAndCount()]).toEqual([3, 4]);
    // A change is executed once for all of them.
    board.set("BTC", 2);
    await pass(1);
    expect(executions).toBe(5);
  });

  test("that come later get nothing that has failed before", async () => {
    const board = new Board();
    board.set("BTC", 1);
    const stream = streamOf<string, Price>(0);
    isBroken = true;
    const early = join(stream, board.watch(["BTC"], 0));
    await pass(1);
    expect(early.messages[0]?.payload.text).toContain("broken");
    isBroken = false;
    const late = join(stream, board.watch(["BTC"], 0));
    await pass(1);
    expect([early.values, late.values]).toEqual([[], [1]]);
  });

  test("are counted, and so is what a slow one has not seen", async () => {
    const board = new Board();
    board.set("BTC", 1);
    const stream = streamOf<string, Price>(0);
    const [slow, quick] = [join(stream, board.watch(["BTC"], 0)), join(stream, board.watch(["BTC"], 0))];
    await pass(1);
    slow.isWritable = false;
    for (let value = 2; value <= 6; value++) {
      board.set("BTC", value);
      await pass(1);
    }
    slow.isWritable = true;
    slow.onWritable();
    await pass(1);
    expect([quick.values, slow.values]).toEqual([
      [1, 2, 3, 4, 5, 6],
      [1, 6],
    ]);
    expect(counts).toEqual({ subscribers: 2, conflated: 4, overflowed: 0 });
    slow.stop();
    slow.stop();
    expect(counts.subscribers).toBe(1);
  });

  test("the last one that leaves ends it", async () => {
    const board = new Board();
    const onEmpty = vi.fn<() => void>();
    const stream = streamOf<string, Price>(0, onEmpty);
    const [first, second] = [join(stream, board.watch(["BTC"], 0)), join(stream, board.watch(["BTC"], 0))];
    await pass(0);
    first.stop();
    board.set("BTC", 1);
    await pass(0);
    expect([first.values, second.values]).toEqual([[], [1]]);
    expect(onEmpty).not.toHaveBeenCalled();
    second.stop();
    second.stop();
    expect([onEmpty.mock.calls.length, board.followers]).toEqual([1, 0]);
    board.set("BTC", 2);
    await pass(10);
    expect(second.values).toEqual([1]);
  });
});

describe("whatever happens", () => {
  const symbols = ["A", "B", "C", "D"];
  const anyStep = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("set" as const), symbol: fc.constantFrom(...symbols) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat({ max: 150 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const), reader: fc.nat({ max: 3 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("join" as const, "leave" as const), reader: fc.nat({ max: 3 }) }),
    },
  );

  test("a reader ends with the newest values, never goes back, and gets at most one message per interval", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), fc.constantFrom(0, 50, 100), async (steps, intervalMs) => {
        const board = new Board();
        const stream = streamOf<string, Price>(intervalMs);
        const lists = [symbols, symbols, ["A", "B"], ["C"]];
        const readers: (Reader | null)[] = [null, null, null, null];
        const all: { reader: Reader; list: readonly string[]; left: boolean }[] = [];
        let value = 0;
        for (const step of steps) {
          const reader = "reader" in step ? readers[step.reader] : null;
          if (step.kind === "set") board.set(step.symbol, ++value);
          else if (step.kind === "wait") await pass(step.ms);
          else if (step.kind === "join" && reader === null) {
            const list = lists[step.reader] ?? symbols;
            const joined = join(stream, board.watch(list, intervalMs));
            readers[step.reader] = joined;
            all.push({ reader: joined, list, left: false });
          } else if (step.kind === "leave" && reader) {
            reader.stop();
            readers[step.reader] = null;
            for (const entry of all) if (entry.reader === reader) entry.left = true;
          } else if (step.kind === "pause" && reader) reader.isWritable = false;
          else if (step.kind === "resume" && reader) {
            reader.isWritable = true;
            reader.onWritable();
          }
        }
        for (const reader of readers) {
          if (reader === null) continue;
          reader.isWritable = true;
          reader.onWritable();
        }
        await pass(3 * intervalMs + 10);
        for (const { reader, list, left } of all) {
          const expected = Object.fromEntries(
            list.flatMap((symbol) => {
              const price = board.prices.get(symbol);
              return price === undefined ? [] : [[symbol, price.value]];
            }),
          );
          if (!left) expect(reader.known).toEqual(expected);
          for (const symbol of list) {
            const seen = reader.messages.flatMap(({ prices }) =>
              prices.filter((price) => price.symbol === symbol).map((price) => price.value),
            );
            expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b));
          }
          const times = reader.messages.map(({ atMs }) => atMs);
          for (let n = 1; n < times.length; n++)
            expect((times[n] ?? 0) - (times[n - 1] ?? 0)).toBeGreaterThanOrEqual(intervalMs - 1);
        }
        for (const reader of readers) reader?.stop();
        expect(board.followers).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe("where none may be skipped", () => {
  const listeners = new Set<(event: Price) => void>();
  let gap = () => {};
  const events: SharedWatch<Price, Price> = {
    name: "events",
    intervalMs: 0,
    isList: true,
    keys: () => [],
    valueOf: (event) => event,
    versionOf: (event) => event,
    follow: (onChange, onGap) => {
      listeners.add(onChange);
      gap = onGap;
      return () => listeners.delete(onChange);
    },
    overflow: {
      maxWaiting: 1_200,
      error: (reason, lastSent) =>
        new DomainError("STREAM_OVERFLOW", reason, { reason, resumeFrom: lastSent?.value ?? null }),
    },
  };
  let last = 0;
  const publish = (count: number) => {
    for (let n = 0; n < count; n++) for (const listener of listeners) listener({ symbol: "BTC", value: last + n + 1 });
    last += count;
  };
  const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);
  beforeEach(() => {
    last = 0;
    listeners.clear();
  });

  test("a slow reader gets all of them in order, in messages of a bounded size", async () => {
    const stream = streamOf<Price, Price>(0);
    const [slow, quick] = [join(stream, events), join(stream, events)];
    await pass(0);
    expect(slow.messages).toEqual([]);
    publish(1);
    await pass(1);
    slow.isWritable = false;
    publish(1_100);
    await pass(1);
    publish(2);
    await pass(1);
    slow.isWritable = true;
    slow.onWritable();
    await pass(10);
    expect(slow.values).toEqual(upTo(1_103));
    expect(quick.values).toEqual(upTo(1_103));
    expect(Math.max(...slow.messages.map(({ prices }) => prices.length))).toBe(500);
  });

  test("one that is too slow is told where to go on, and ends; the others go on", async () => {
    const stream = streamOf<Price, Price>(0);
    const [slow, quick] = [join(stream, events), join(stream, events)];
    await pass(0);
    publish(7);
    await pass(1);
    slow.isWritable = false;
    for (let n = 0; n < 13; n++) {
      publish(100);
      await pass(1);
    }
    expect(slow.errors).toEqual(['{"code":"STREAM_OVERFLOW","reason":"slow","resumeFrom":7}']);
    slow.isWritable = true;
    slow.onWritable();
    publish(1);
    await pass(1);
    expect(slow.values).toEqual(upTo(7));
    expect(quick.values).toEqual(upTo(1_308));
    expect(counts).toEqual({ subscribers: 1, conflated: 0, overflowed: 1 });
  });

  test("what was lost on the way here ends it for everyone", async () => {
    const onEmpty = vi.fn<() => void>();
    const stream = streamOf<Price, Price>(0, onEmpty);
    const readers = [join(stream, events), join(stream, events)];
    await pass(0);
    publish(3);
    await pass(1);
    gap();
    publish(1);
    await pass(1);
    for (const { values, errors } of readers)
      expect([values, errors]).toEqual([upTo(3), ['{"code":"STREAM_OVERFLOW","reason":"lost","resumeFrom":3}']]);
    expect([onEmpty.mock.calls.length, listeners.size]).toEqual([1, 0]);
  });
});
