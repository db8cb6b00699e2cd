import type { Registry } from "prom-client";
import type { Histogram } from "../core/histogram.js";

export type Labels = Readonly<Record<string, string>>;

/** One line of a metric: its labels, its value, and what follows the name where that is more than one. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly suffix?: "_bucket" | "_sum" | "_count";
}

/** A number that somebody keeps anyway, read when it is asked for. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly read: () => Iterable<Sample>;
}

/** With the bounds in seconds, as the rest of the world has them; the histogram counts milliseconds. */
export function* samplesOf({ bounds, counts, sum }: Histogram, labels: Labels): Generator<Sample> {
  let count = 0;
  for (let index = 0; index <= bounds.length; index++) {
    count += counts[index] ?? 0;
    const bound = bounds[index];
    const le = bound === undefined ? "+Inf" : String(bound / 1_000);
    yield { labels: { ...labels, le }, value: count, suffix: "_bucket" };
  }
  yield { labels, value: sum / 1_000, suffix: "_sum" };
  yield { labels, value: count, suffix: "_count" };
}

/**
 * Everything that is measured. Nothing is counted here: who owns a number keeps it, and it is read when somebody asks, so that
 * what is measured does not work for it in between.
 */
export class Metrics {
  readonly #metrics: Metric[] = [];
  #registry: Promise<Registry> | undefined;
  #registered = 0;

  add(...metrics: readonly Metric[]): void {
    this.#metrics.push(...metrics);
  }

  /** In the text format of Prometheus. */
  async text(): Promise<string> {
    this.#registry ??= openRegistry();
    const registry = await this.#registry;
    // The program may still be starting: what it adds later is there the next time.
    for (; this.#registered < this.#metrics.length; this.#registered++) {
      const metric = this.#metrics[this.#registered];
      if (metric !== undefined) register(registry, metric);
    }
    return registry.metrics();
  }
}

/** Whom nobody asks needs no library, and no event loop that is looked at a hundred times a second. */
async function openRegistry(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import("prom-client");
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

function register(registry: Registry, { name, help, type, read }: Metric): void {
  const get = () => ({
    name,
    help,
    type,
    values: [...read()].map(({ suffix, labels, value }) => ({ metricName: name + (suffix ?? ""), labels, value })),
  });
  // All that the registry asks of a metric; the library's own classes count for themselves.
  registry.registerMetric({ name, get } as never);
}
