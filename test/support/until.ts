// Taken while the real one is there: a test may have replaced the timers while it waits.
const { setTimeout: setRealTimeout } = globalThis;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setRealTimeout(resolve, ms));

/** Looks again after this long, so that who waits does not take the time of who is waited for. */
const mostPauseMs = 30;

/** Waits until the condition holds, looking every few milliseconds. @throws after `timeoutMs` */
export async function until(predicate: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let pauseMs = 2; !(await predicate()); pauseMs = Math.min(pauseMs * 1.3, mostPauseMs)) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${predicate.toString()}`);
    await pause(pauseMs);
  }
}
