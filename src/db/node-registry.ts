import { createHash } from "node:crypto";
import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "./connect.js";

const beatEveryMs = 5_000;
/** From then on it is said. */
const noticedSkewMs = 1_000;
/** From then on what depends on time is refused: events of the future, credentials that end too late or too early. */
const maxSkewMs = 60_000;

export interface NodeIdentity {
  readonly id: string;
  readonly version: string;
  readonly roles: readonly string[];
  /** How many migrations the program knows. */
  readonly schemaVersion: number;
  /** Settings that should be the same on every node; their values stay here. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface RunningNode {
  readonly id: string;
  readonly version: string;
  readonly roles: string;
  readonly schemaVersion: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly clockSkewMs: number;
}

/** Tells the other nodes that this one is there and what it is, and learns the same of them; measures the clock. */
export class NodeRegistry {
  readonly #settings: Readonly<Record<string, string>>;
  #nodes: readonly RunningNode[] = [];
  #skewMs = 0;
  #newestSchema = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #hasFailed = false;
  #isClosed = false;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly node: NodeIdentity,
    private readonly log: Logger,
  ) {
    this.#settings = Object.fromEntries(
      Object.entries(node.settings).map(([name, value]) => [name, shortHash(name, value)]),
    );
  }

  /** Fulfilled after the first beat, or when that was not possible. */
  start(): Promise<void> {
    this.#timer = setInterval(() => void this.beat(), beatEveryMs);
    return this.beat();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#beating;
    await this.database.sql`select forget_node(${this.node.id})`.catch(() => {});
  }

  /** This node's clock less the database's. */
  get skewMs(): number {
    return this.#skewMs;
  }

  get nodes(): readonly RunningNode[] {
    return this.#nodes;
  }

  /** Why nothing that depends on time may be done here; null while it may. */
  clockRefusal(): string | null {
    return Math.abs(this.#skewMs) < maxSkewMs
      ? null
      : `the clock of this node is ${describeSkew(this.#skewMs)} of the database's: set it by NTP`;
  }

  /** What should be the same on all nodes and is not, for people; empty when all is well. */
  differences(): string[] {
    const found: string[] = [];
    const others = this.#nodes.filter(({ id }) => id !== this.node.id);
    const versions = new Set(others.map(({ version }) => version).filter((version) => version !== this.node.version));
    if (versions.size > 0) found.push(`this node is ${this.node.version}, others are ${[...versions].join(", ")}`);
    const settings = new Set<string>();
    for (const other of others)
      for (const [name, hash] of Object.entries(this.#settings))
        if (other.settings[name] !== undefined && other.settings[name] !== hash) settings.add(name);
    if (settings.size > 0) found.push(`settings differ between nodes: ${[...settings].sort().join(", ")}`);
    if (this.#newestSchema > this.node.schemaVersion)
      found.push("the database was migrated by a newer version: upgrade this node");
    for (const { id, clockSkewMs } of this.#nodes)
      if (Math.abs(clockSkewMs) >= noticedSkewMs)
        found.push(
          `the clock of ${id === this.node.id ? "this node" : `node ${id}`} is ${describeSkew(clockSkewMs)} of the database's`,
        );
    return found;
  }

  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beat(): Promise<void> {
    if (this.#isClosed) return;
    const { sql } = this.database;
    try {
      const sentMs = this.clock.nowMs();
      const [row] = await sql<{ now_ms: number; newest: number }[]>`
        select extract(epoch from clock_timestamp())::float8 * 1000 as now_ms, (select max(id) + 1 from schema_migrations)::int as newest`;
      // Half of the way there and back; what a measurement of a slow answer says is too coarse to count.
      const answeredMs = this.clock.nowMs();
      if (row !== undefined && Math.abs(answeredMs - sentMs) < noticedSkewMs)
        this.#skewMs = Math.round((sentMs + answeredMs) / 2 - row.now_ms);
      this.#newestSchema = row?.newest ?? 0;
      const { id, version, roles, schemaVersion } = this.node;
      const rows = await sql<
        {
          id: string;
          version: string;
          roles: string;
          schema_version: number;
          settings: Record<string, string>;
          clock_skew_ms: number;
        }[]
      >`
        select * from beat(${id}, ${version}, ${roles.join()}, ${schemaVersion}, ${JSON.stringify(this.#settings)}::text::jsonb,
          ${Math.max(-2_000_000_000, Math.min(2_000_000_000, this.#skewMs))})`;
      this.#nodes = rows.map((one) => ({
        id: one.id,
        version: one.version,
        roles: one.roles,
        schemaVersion: one.schema_version,
        settings: one.settings,
        clockSkewMs: one.clock_skew_ms,
      }));
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed && !this.#isClosed) this.log.warn({ error: errorCode(error) }, "nodes.not-told");
      this.#hasFailed = true;
    }
  }
}

const describeSkew = (ms: number): string => `${Math.abs(ms)} ms ${ms > 0 ? "ahead" : "behind"}`;

const shortHash = (name: string, value: unknown): string =>
  createHash("sha256")
    .update(`${name} ${JSON.stringify(value)}`)
    .digest("hex")
    .slice(0, 8);
