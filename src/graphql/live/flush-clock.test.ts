import { expect, test } from "vitest";
import { FlushClock, timerSlackMs } from "./flush-clock.js";

test("a flush is not early, however long the turn before it took", async () => {
  const clock = new FlushClock();
  const intervalMs = 20;
  const times: number[] = [];
  await new Promise<void>((resolve) => {
    const flushable = {
      flush(atMs: number) {
        times.push(atMs);
        if (times.length === 5) return resolve();
        // A timer that is set after this counts from before it.
        while (performance.now() < atMs + 15);
        clock.schedule(intervalMs, flushable);
      },
    };
    clock.schedule(intervalMs, flushable);
  });
  clock.close();
  const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
  for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(intervalMs - timerSlackMs);
});
