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

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** How long it takes each time, in milliseconds. */
export async function timesOf(times: number, work: () => Promise<unknown>): Promise<number[]> {
  const taken: number[] = [];
  for (let n = 0; n < times; n++) {
    const startMs = performance.now();
    await work();
    taken.push(performance.now() - startMs);
  }
  return taken;
}
