import { setTimeout as pause } from "node:timers/promises";

/** Waits until `predicate` holds. @throws when it still does not after `timeoutMs`; the message shows what was waited for. */
export async function until(predicate: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!predicate()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${predicate.toString()}`);
    await pause(2);
  }
}
