import type { OperationTypeNode } from "graphql";
import { Histogram, latencyBoundsMs } from "../core/histogram.js";
import type { Tracer } from "../core/tracer.js";

/** `refused`: it never ran, because of its text, its variables or a limit. `error`: its answer had at least one. */
export type OperationOutcome = "ok" | "error" | "refused";
export type OperationKind = `${OperationTypeNode}` | "unknown";

export interface OperationCount {
  readonly name: string;
  readonly kind: OperationKind;
  readonly outcomes: Record<OperationOutcome, number>;
}

/** Names come from clients: of more than so many, the rest is counted together. */
const maxNames = 200;
const maxNameLength = 100;
const otherName = "other";

/** Counts operations, however they come, and names their spans. Bounded by the names that it tells apart. */
export class OperationWatch {
  readonly #counts = new Map<string, OperationCount>();
  /** How long queries and mutations took. A subscription takes as long as its reader likes. */
  readonly latencies: Readonly<Record<"query" | "mutation", Histogram>> = {
    query: new Histogram(latencyBoundsMs),
    mutation: new Histogram(latencyBoundsMs),
  };

  constructor(private readonly tracer: Tracer) {}

  get counts(): Iterable<OperationCount> {
    return this.#counts.values();
  }

  /** An operation has been answered; of a subscription, that it has begun. */
  ended(name: string | null | undefined, kind: OperationKind, outcome: OperationOutcome, ms: number): void {
    this.#countOf(name ?? "", kind).outcomes[outcome]++;
    if (this.tracer.isOn) this.#tell(name ?? null, kind, outcome);
    if (kind === "query" || kind === "mutation") this.latencies[kind].observe(ms);
  }

  refused(): void {
    this.ended(null, "unknown", "refused", 0);
  }

  /** The span of the request, or of the operation where a connection carries many. */
  #tell(name: string | null, kind: OperationKind, outcome: OperationOutcome): void {
    const shownName = name === null ? "" : ` ${name.slice(0, maxNameLength)}`;
    const span = this.tracer.active();
    span?.rename(`${kind}${shownName}`);
    span?.set({
      "graphql.operation.type": kind,
      "graphql.operation.name": shownName.trim(),
      "tradegraph.outcome": outcome,
    });
  }

  #countOf(name: string, kind: OperationKind): OperationCount {
    const known = this.#counts.get(`${kind} ${name}`);
    if (known !== undefined) return known;
    if (name !== otherName && (this.#counts.size >= maxNames || name.length > maxNameLength))
      return this.#countOf(otherName, kind);
    const count: OperationCount = { name, kind, outcomes: { ok: 0, error: 0, refused: 0 } };
    this.#counts.set(`${kind} ${name}`, count);
    return count;
  }
}
