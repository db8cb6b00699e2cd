// Taken while the real one is there: a test may have replaced the timers while it waits.
const { setTimeout: setRealTimeout } = globalThis;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setRealTimeout(resolve, ms));

/** Waits until the condition holds, looking every few milliseconds. @throws after `timeoutMs` */
export async function until(predicate: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await predicate())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${predicate.toString()}`);
    await pause(2);
  }
}
