import { pino } from "pino";
import { expect, test } from "vitest";
import { until } from "../../../test/support/until.js";
import type { VenueEvent } from "../venue.js";
import { EventQueue } from "./event-queue.js";

const gap = (reason: string): VenueEvent => ({ kind: "gap", accountId: "a", at: new Date(0), reason });
const reasonOf = (event: VenueEvent): string => (event.kind === "gap" ? event.reason : event.kind);
const open = (take: (reason: string) => Promise<void>): EventQueue =>
  new EventQueue((event) => take(reasonOf(event)), {
    accountId: "a",
    log: pino({ level: "silent" }),
    retryBaseMs: 1,
    nowMs: () => 0,
    onClosed: () => {},
  });

test("one at a time, in order, and again until it is taken", async () => {
  const taken: string[] = [];
  let running = 0;
  let failures = 3;
  const queue = open(async (reason) => {
    expect(++running).toBe(1);
    await Promise.resolve();
    running--;
    if (reason === "2" && failures-- > 0) throw new Error("not now");
    taken.push(reason);
  });
  for (const reason of ["1", "2", "3"]) queue.push(gap(reason));
  await until(() => taken.length === 3);
  queue.push(gap("4"));
  await until(() => taken.length === 4);
  expect(taken).toEqual(["1", "2", "3", "4"]);
  await queue.close();
  queue.push(gap("5"));
  expect(taken).toHaveLength(4);
});

test("what waits is bounded: too much becomes one gap", async () => {
  const taken: string[] = [];
  let release: () => void = () => {};
  const first = new Promise<void>((resolve) => {
    release = resolve;
  });
  const queue = open(async (reason) => {
    if (reason === "0") await first;
    taken.push(reason);
  });
  for (let i = 0; i <= 10_000; i++) queue.push(gap(String(i)));
  release();
  await until(() => taken.at(-1) === "10000");
  expect(taken.slice(-2)).toEqual(["events came faster than they were taken", "10000"]);
  expect(taken.length).toBeLessThan(5);
  await queue.close();
});
