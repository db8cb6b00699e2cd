import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pacer } from "./pacer.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function paced(messages: number) {
  const sentAtMs: number[] = [];
  const startMs = Date.now();
  const pacer = new Pacer(100, () => {
    if (sentAtMs.length >= messages) return false;
    sentAtMs.push(Date.now() - startMs);
    return true;
  });
  return { pacer, sentAtMs };
}

test("the first message goes at once, the next ones a gap apart, however often it is woken", () => {
  const { pacer, sentAtMs } = paced(3);
  for (let i = 0; i < 5; i++) pacer.wake();
  vi.advanceTimersByTime(1_000);
  expect(sentAtMs).toEqual([0, 100, 200]);
});

test("a pong uses up a turn, before the first message as well as between two", () => {
  const { pacer, sentAtMs } = paced(3);
  pacer.pongSent();
  pacer.wake();
  vi.advanceTimersByTime(150);
  pacer.pongSent();
  vi.advanceTimersByTime(1_000);
  expect(sentAtMs).toEqual([100, 300, 400]);
});

test("a flood of pings cannot starve us", () => {
  const { pacer, sentAtMs } = paced(3);
  pacer.wake();
  const flood = setInterval(() => pacer.pongSent(), 10);
  vi.advanceTimersByTime(1_000);
  clearInterval(flood);
  expect(sentAtMs).toEqual([0, 200, 400]);
});

test("after stop() nothing is sent", () => {
  const { pacer, sentAtMs } = paced(3);
  pacer.wake();
  pacer.stop();
  vi.advanceTimersByTime(1_000);
  expect(sentAtMs).toEqual([0]);
});
