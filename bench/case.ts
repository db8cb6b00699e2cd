/** One measured comparison. Ratios are ours against the peer's, both of the same run; above 1 is better. */
export interface BenchResult {
  readonly case: string;
  readonly unit: string;
  readonly ours: number;
  /** What does the same without this program; null where there is only a limit. */
  readonly peer: number | null;
  /** What the machine can do at best; null where there is only a peer. */
  readonly limit: number | null;
  /** What it shall reach, for people. */
  readonly target: string;
}

export interface BenchCase {
  readonly name: string;
  run(): Promise<BenchResult[]>;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/**
 * How long each of two takes, in milliseconds: the median of `times` runs after `warmUps`. They take turns, so that whatever else
 * the machine does meets both.
 */
export async function timesInTurns(
  times: number,
  warmUps: number,
  ours: () => Promise<unknown>,
  other: () => Promise<unknown>,
): Promise<{ oursMs: number; otherMs: number }> {
  const taken = { ours: [] as number[], other: [] as number[] };
  for (let n = -warmUps; n < times; n++) {
    const oursMs = await timeOf(ours);
    const otherMs = await timeOf(other);
    if (n < 0) continue;
    taken.ours.push(oursMs);
    taken.other.push(otherMs);
  }
  return { oursMs: median(taken.ours), otherMs: median(taken.other) };
}
