import { setTimeout as pause } from "node:timers/promises";

/** Waits so long, or until the signal comes. It never fails. */
export const rest = (ms: number, signal: AbortSignal): Promise<void> =>
  pause(ms, undefined, { signal }).catch(() => {});
