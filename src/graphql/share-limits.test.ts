import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RequestLimits } from "./request-limits.js";
import { type LimitChannel, shareLimits } from "./share-limits.js";

const settings = {
  costPerAddress: 1_000,
  costPerUser: 1_000,
  costPerKey: 0,
  mutationsPerAddress: 10,
  mutationsPerUser: 0,
  mutationsPerKey: 0,
  connectionsPerAddress: 0,
  badCredentialsPerAddress: 10,
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Nodes on one channel, whose messages arrive at once, also at who sent them. */
function nodesOf(count: number) {
  const listeners = new Set<(text: string) => void>();
  const texts: string[] = [];
  const say = (text: string) => {
    for (const listener of listeners) listener(text);
  };
  const channel: LimitChannel = {
    publish: (text) => {
      texts.push(text);
      say(text);
    },
    subscribe: (onText) => {
      listeners.add(onText);
      return () => listeners.delete(onText);
    },
  };
  const clock = { nowMs: () => Date.now() };
  const nodes = Array.from({ length: count }, (_, n) => {
    const limits = new RequestLimits(settings, clock);
    const stop = shareLimits(limits, channel, `node ${n}`, clock);
    return {
      stop,
      ask: (cost: number, address = "1.2.3.4") => limits.allowanceOf({ address, viewer: null }).charge(cost, 0),
    };
  });
  return { nodes, texts, say, listeners };
}

test("who asks one node after the other has one share, but for the second in which they have not told each other", () => {
  const { nodes } = nodesOf(4);
  let given = 0;
  for (let second = 0; second < 600; second++) {
    for (const { ask } of nodes) while (ask(50)?.retryAfterMs === 0) given += 50;
    vi.advanceTimersByTime(1_000);
  }
  // Ten minutes' worth, the full bucket of the beginning on each node, and what is untold.
  expect(given).toBeLessThanOrEqual(10 * 1_000 + 4 * 1_000 + 4 * 10);
  expect(given).toBeGreaterThan(8_000);
});

test("small change is told when it has become enough, and nobody hears himself", () => {
  const { nodes, texts } = nodesOf(2);
  nodes[0]?.ask(4);
  vi.advanceTimersByTime(1_000);
  expect(texts).toEqual([]);
  nodes[0]?.ask(8);
  vi.advanceTimersByTime(1_000);
  expect(texts).toHaveLength(1);
  expect(nodes[0]?.ask(1)?.remaining).toBeGreaterThan(1_000 - 15);
  expect(nodes[1]?.ask(1)?.remaining).toBeLessThan(1_000 - 12 + 34);
  vi.advanceTimersByTime(5_000);
  expect(texts).toHaveLength(1);
});

test("what nobody can have meant is passed over", () => {
  const { nodes, say } = nodesOf(1);
  for (const text of [
    "",
    "[]",
    "null",
    "{",
    "5",
    '{"node":"x"}',
    '{"node":"x","taken":[5]}',
    '{"node":"x","taken":[[1,2,3]]}',
    '{"node":"x","taken":[["cost-per-address","1.2.3.4",-5]]}',
    '{"node":"x","taken":[["nothing","1.2.3.4",5]]}',
    JSON.stringify({ node: "x", taken: Array(3_000).fill(["cost-per-address", "1.2.3.4", 1]) }),
  ])
    say(text);
  expect(nodes[0]?.ask(1)?.remaining).toBe(999);
});

test("nothing goes on when it has ended", () => {
  const { nodes, texts, listeners } = nodesOf(2);
  for (const { ask, stop } of nodes) {
    ask(500);
    stop();
  }
  vi.advanceTimersByTime(5_000);
  expect(texts).toEqual([]);
  expect(listeners.size).toBe(0);
});
