/** The one source of "now". Everything that needs the time is given a clock, so that a test decides what time it is. */
export interface Clock {
  /** Unix time in milliseconds. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** Delay before reconnect attempt `attempt` (0-based): exponential, capped, with full jitter so that nodes do not return in step. */
export function backoffDelayMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(baseMs / 2 + random() * Math.max(0, ceilingMs - baseMs / 2));
}
