/** One measured comparison; everything in it is of the same run. */
export interface BenchResult {
  readonly case: string;
  readonly unit: string;
  /** Whether more is better, e.g. rows a second, or less, e.g. CPU time per message. */
  readonly better: "more" | "less";
  readonly ours: number;
  /** What do the same without this program, by name. */
  readonly peers?: Readonly<Record<string, number>>;
  /** What the machine can do at best. */
  readonly limit?: number;
  /** How far it shall get: so many times as good as the best peer, and as the limit, or a figure of its own. */
  readonly reach: { readonly peer?: number; readonly limit?: number; readonly figure?: number };
  /** What the cost depends on, and on nothing else. */
  readonly growsWith?: string;
  /** What else there is to know about the run. */
  readonly note?: string;
}

/** How many times as good as the other. */
export const advantage = ({ better, ours }: BenchResult, other: number): number =>
  better === "more" ? ours / other : other / ours;

export function bestPeer({ better, peers = {} }: BenchResult): readonly [name: string, value: number] | undefined {
  return Object.entries(peers).sort(([, a], [, b]) => (better === "more" ? b - a : a - b))[0];
}

/** What is missing to where it shall get; empty when it is there. */
export function shortfalls(result: BenchResult): string[] {
  const { reach, limit } = result;
  const peer = bestPeer(result);
  const short = (what: string, wanted: number | undefined, got: number | undefined) =>
    wanted === undefined || got === undefined || got >= wanted
      ? []
      : [`${what}: ${figure(got)}× where ${figure(wanted)}× is wanted, short by ${figure(wanted / got)}×`];
  return [
    ...short(`against ${peer?.[0]}`, reach.peer, peer && advantage(result, peer[1])),
    ...short("against the limit", reach.limit, limit === undefined ? undefined : advantage(result, limit)),
    ...short(
      `against ${reach.figure} ${result.unit}`,
      reach.figure && 1,
      reach.figure && advantage(result, reach.figure),
    ),
  ];
}

/** Three digits, for people. */
export const figure = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));

export interface BenchCase {
  readonly name: string;
  run(): Promise<BenchResult[]>;
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** In milliseconds. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
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
