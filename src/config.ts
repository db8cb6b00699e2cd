import { isAbsolute, resolve } from "node:path";
import { errorMessage, StartError } from "./core/errors.js";
import { KeyRing } from "./core/key-ring.js";
import { TrustedProxies } from "./core/trusted-proxies.js";
import { AllowedOrigins } from "./graphql/allowed-origins.js";
import type { RateLimitSettings } from "./graphql/request-limits.js";
import type { SignInLimitSettings } from "./people/sign-in-limits.js";

export type Mode = "simulated" | "live";
export type Role = "api" | "feed" | "worker";

const allRoles: readonly Role[] = ["api", "feed", "worker"];

export interface Config {
  readonly mode: Mode;
  readonly roles: ReadonlySet<Role>;
  readonly host: string;
  readonly port: number;
  /** Null: the embedded Postgres in `dataDirectory`. */
  readonly databaseUrl: string | null;
  /** Postgres itself, where `databaseUrl` is a pooler of transactions; null: it is none. */
  readonly databaseDirectUrl: string | null;
  /** The owner of the tables, used by migrate, rollback and seed; by default the same as `databaseUrl`. */
  readonly migrationDatabaseUrl: string | null;
  /** A login that may act as tradegraph_monitor, with which workers check the data; by default the owner's. */
  readonly monitorDatabaseUrl: string | null;
  /** The role that the running program acts as; it owns no table. */
  readonly databaseRole: string;
  readonly databasePoolSize: number;
  readonly databaseWaitMs: number;
  readonly autoMigrate: boolean;
  readonly dataDirectory: string;
  readonly natsUrl: string | null;
  readonly simulatorPort: number;
  readonly simulatorSeed: number;
  /** Of each symbol's book; trades come at about a third of this rate. */
  readonly simulatorUpdatesPerSecond: number;
  /** A recording of exchange traffic to replay in place of the random walk. */
  readonly simulatorReplay: string | null;
  /** 1: as recorded; 0: as fast as it is read. */
  readonly simulatorReplaySpeed: number;
  readonly operatorToken: string | null;
  /** How long an access token is good for. */
  readonly accessTokenLifeMs: number;
  /** How long a session lasts that nobody refreshes. */
  readonly sessionLifeMs: number;
  /** How long audit events are kept, and what is left of closed accounts. */
  readonly auditRetentionDays: number;
  readonly closedAccountRetentionDays: number;
  /** Null: mail is printed, or not sent at all. */
  readonly smtpUrl: string | null;
  readonly mailFrom: string;
  /** The web application that mails lead to; null: they carry a code. */
  readonly appUrl: string | null;
  /** Whether mail is printed where there is no `smtpUrl`. */
  readonly printMail: boolean;
  readonly telegramBotToken: string | null;
  /** What stored credentials are sealed with. */
  readonly encryptionKeys: KeyRing | null;
  /** Opens `/metrics` to who sends it; null: only to this machine. */
  readonly metricsToken: string | null;
  /** A port of its own for `/metrics`; null: the API's. */
  readonly metricsPort: number | null;
  /** The collector that spans are sent to; null: there is no tracing. */
  readonly otlpEndpoint: string | null;
  readonly otelServiceName: string;
  readonly traceSamplePercent: number;
  readonly logLevel: string;
  readonly quoteFlushMs: number;
  /** How far back the candles of a newly tracked symbol are fetched; 0: only what is missed from then on. */
  readonly candleBackfillHours: number;
  readonly shutdownTimeoutMs: number;
  /** Clients are pinged this often; one that has not answered by the next ping is closed. */
  readonly keepAliveMs: number;
  readonly maxBodyBytes: number;
  readonly maxQueryDepth: number;
  readonly maxQueryFields: number;
  readonly maxQueryRootFields: number;
  readonly maxQueryAliases: number;
  readonly maxQueryCost: number;
  readonly introspection: boolean;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxConnectionsPerUser: number;
  readonly maxSubscriptionsPerConnection: number;
  /** A file of the only operations that may run; null: any may. */
  readonly persistedOperations: string | null;
  readonly maxMessagesPerSecond: number;
  /** Who in front of this node is believed about who is asking. */
  readonly trustedProxies: TrustedProxies;
  /** Sites whose pages may use the API from a browser. */
  readonly corsOrigins: AllowedOrigins;
  /** By the minute, attempts to sign in by the quarter of an hour; 0: without a limit. */
  readonly rateLimits: RateLimitSettings & SignInLimitSettings;
}

type Environment = Readonly<Record<string, string | undefined>>;

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Parses the environment once. @throws {StartError} that lists every problem */
export function parseConfig(env: Environment, defaults: { logLevel?: string } = {}): Config {
  const read = new EnvironmentReader(env);
  const databaseUrl = read.url("DATABASE_URL", ["postgres:", "postgresql:"]);
  const databaseDirectUrl = read.url("DATABASE_DIRECT_URL", ["postgres:", "postgresql:"]);
  if (databaseDirectUrl !== null && databaseUrl === null)
    read.problem("DATABASE_DIRECT_URL is for a pooler in DATABASE_URL, which is not set");
  const migrationDatabaseUrl =
    read.url("MIGRATION_DATABASE_URL", ["postgres:", "postgresql:"]) ?? databaseDirectUrl ?? databaseUrl;
  const config: Config = {
    mode: read.choice("MODE", ["simulated", "live"], "simulated"),
    roles: read.choices("ROLES", allRoles),
    host: read.text("HOST") ?? "127.0.0.1",
    port: read.integer("PORT", 4000, 0, 65_535),
    databaseUrl,
    databaseDirectUrl,
    migrationDatabaseUrl,
    monitorDatabaseUrl: read.url("MONITOR_DATABASE_URL", ["postgres:", "postgresql:"]) ?? migrationDatabaseUrl,
    databaseRole: read.identifier("DATABASE_ROLE", "tradegraph_app"),
    databasePoolSize: read.integer("DATABASE_POOL_SIZE", 10, 1, 500),
    databaseWaitMs: read.integer("DATABASE_WAIT_MS", 10_000, 0, 600_000),
    autoMigrate: read.flag("AUTO_MIGRATE", env.NODE_ENV !== "production"),
    dataDirectory: absolute(read.text("TRADEGRAPH_DATA_DIR") ?? ".tradegraph"),
    natsUrl: read.url("NATS_URL", ["nats:", "tls:"]),
    simulatorPort: read.integer("SIMULATOR_PORT", 0, 0, 65_535),
    simulatorSeed: read.integer("SIMULATOR_SEED", 1, 0, 2 ** 31 - 1),
    simulatorUpdatesPerSecond: read.integer("SIMULATOR_UPDATES_PER_SECOND", 5, 1, 1_000),
    simulatorReplay: read.text("SIMULATOR_REPLAY"),
    simulatorReplaySpeed: read.integer("SIMULATOR_REPLAY_SPEED", 1, 0, 1_000_000),
    operatorToken: read.secret("OPERATOR_TOKEN", 24),
    accessTokenLifeMs: read.integer("ACCESS_TOKEN_LIFE_MS", 15 * 60_000, 1_000, 24 * 3_600_000),
    sessionLifeMs: read.integer("SESSION_LIFE_MS", 30 * 24 * 3_600_000, 60_000, 366 * 24 * 3_600_000),
    auditRetentionDays: read.integer("AUDIT_RETENTION_DAYS", 730, 31, 36_500),
    closedAccountRetentionDays: read.integer("CLOSED_ACCOUNT_RETENTION_DAYS", 30, 0, 3_650),
    smtpUrl: read.url("SMTP_URL", ["smtp:", "smtps:"]),
    mailFrom: read.text("MAIL_FROM") ?? "tradegraph@localhost",
    appUrl: read.url("APP_URL", ["http:", "https:"]),
    printMail: read.flag("PRINT_MAIL", env.NODE_ENV !== "production"),
    telegramBotToken: read.secret("TELEGRAM_BOT_TOKEN", 20),
    encryptionKeys: read.keys("ENCRYPTION_KEYS"),
    metricsToken: read.secret("METRICS_TOKEN", 24),
    metricsPort: read.text("METRICS_PORT") === null ? null : read.integer("METRICS_PORT", 0, 0, 65_535),
    otlpEndpoint: read.url("OTEL_EXPORTER_OTLP_ENDPOINT", ["http:", "https:"]),
    otelServiceName: read.text("OTEL_SERVICE_NAME") ?? "tradegraph",
    traceSamplePercent: read.integer("TRACE_SAMPLE_PERCENT", 100, 0, 100),
    logLevel: read.choice("LOG_LEVEL", logLevels, (defaults.logLevel ?? "info") as (typeof logLevels)[number]),
    quoteFlushMs: read.integer("QUOTE_FLUSH_MS", 500, 10, 60_000),
    // Minutes are kept for 30 days.
    candleBackfillHours: read.integer("CANDLE_BACKFILL_HOURS", 24, 0, 29 * 24),
    shutdownTimeoutMs: read.integer("SHUTDOWN_TIMEOUT_MS", 10_000, 100, 300_000),
    keepAliveMs: read.integer("KEEPALIVE_MS", 12_000, 50, 600_000),
    maxBodyBytes: read.integer("MAX_BODY_BYTES", 100_000, 1_000, 10_000_000),
    maxQueryDepth: read.integer("MAX_QUERY_DEPTH", 12, 3, 50),
    maxQueryFields: read.integer("MAX_QUERY_FIELDS", 1_000, 10, 100_000),
    maxQueryRootFields: read.integer("MAX_QUERY_ROOT_FIELDS", 50, 1, 10_000),
    maxQueryAliases: read.integer("MAX_QUERY_ALIASES", 100, 0, 10_000),
    maxQueryCost: read.integer("MAX_QUERY_COST", 50_000, 100, 1_000_000_000),
    introspection: read.flag("INTROSPECTION", env.NODE_ENV !== "production"),
    maxConnections: read.integer("MAX_CONNECTIONS", 10_000, 1, 1_000_000),
    maxConnectionsPerAddress: read.integer("MAX_CONNECTIONS_PER_ADDRESS", 1_000, 1, 1_000_000),
    maxConnectionsPerUser: read.integer("MAX_CONNECTIONS_PER_USER", 100, 1, 1_000_000),
    maxSubscriptionsPerConnection: read.integer("MAX_SUBSCRIPTIONS_PER_CONNECTION", 100, 1, 10_000),
    persistedOperations: read.text("PERSISTED_OPERATIONS"),
    maxMessagesPerSecond: read.integer("MAX_MESSAGES_PER_SECOND", 100, 1, 100_000),
    trustedProxies: read.parsed("TRUST_PROXY", (text) => TrustedProxies.parse(text)),
    corsOrigins: read.parsed("CORS_ORIGINS", (text) => AllowedOrigins.parse(text)),
    rateLimits: readRateLimits(read),
  };
  read.finish();
  return Object.freeze(config);
}

/** What should be the same on every node, by the names that operators know. No secret is among them. */
export const sharedSettings = (config: Config): Readonly<Record<string, unknown>> => ({
  MODE: config.mode,
  DATABASE_ROLE: config.databaseRole,
  ENCRYPTION_KEYS: config.encryptionKeys?.ids ?? [],
  ACCESS_TOKEN_LIFE_MS: config.accessTokenLifeMs,
  SESSION_LIFE_MS: config.sessionLifeMs,
  APP_URL: config.appUrl,
  CANDLE_BACKFILL_HOURS: config.candleBackfillHours,
  MAX_BODY_BYTES: config.maxBodyBytes,
  MAX_QUERY_DEPTH: config.maxQueryDepth,
  MAX_QUERY_FIELDS: config.maxQueryFields,
  MAX_QUERY_ROOT_FIELDS: config.maxQueryRootFields,
  MAX_QUERY_ALIASES: config.maxQueryAliases,
  MAX_QUERY_COST: config.maxQueryCost,
  INTROSPECTION: config.introspection,
  RATE_LIMIT: config.rateLimits,
  HAS_NATS: config.natsUrl !== null,
});

const maxRate = 1_000_000_000;
const maxSignIns = 100_000;

const readRateLimits = (read: EnvironmentReader): Config["rateLimits"] => ({
  costPerAddress: read.integer("RATE_LIMIT_COST_PER_ADDRESS", 600_000, 0, maxRate),
  costPerUser: read.integer("RATE_LIMIT_COST_PER_USER", 1_200_000, 0, maxRate),
  costPerKey: read.integer("RATE_LIMIT_COST_PER_KEY", 600_000, 0, maxRate),
  mutationsPerAddress: read.integer("RATE_LIMIT_MUTATIONS_PER_ADDRESS", 120, 0, maxRate),
  mutationsPerUser: read.integer("RATE_LIMIT_MUTATIONS_PER_USER", 1_200, 0, maxRate),
  mutationsPerKey: read.integer("RATE_LIMIT_MUTATIONS_PER_KEY", 600, 0, maxRate),
  connectionsPerAddress: read.integer("RATE_LIMIT_CONNECTIONS_PER_ADDRESS", 600, 0, maxRate),
  badCredentialsPerAddress: read.integer("RATE_LIMIT_BAD_CREDENTIALS_PER_ADDRESS", 100, 0, maxRate),
  signInsPerAddress: read.integer("RATE_LIMIT_SIGN_INS_PER_ADDRESS", 50, 0, maxSignIns),
  signInsPerAccount: read.integer("RATE_LIMIT_SIGN_INS_PER_ACCOUNT", 10, 0, maxSignIns),
});

const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(process.cwd(), path));

/** Reads typed values and collects the problems instead of stopping at the first. Never puts a value into a message that may be secret. */
class EnvironmentReader {
  readonly #problems: string[] = [];
  constructor(private readonly env: Environment) {}

  problem(text: string): void {
    this.#problems.push(text);
  }

  text(name: string): string | null {
    const value = this.env[name]?.trim();
    return value ? value : null;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.text(name);
    if (text === null) return fallback;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.#problems.push(`${name} must be a whole number from ${min} to ${max}, not "${text.slice(0, 30)}"`);
    return fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return fallback;
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
    this.#problems.push(`${name} must be true or false`);
    return fallback;
  }

  choice<T extends string>(name: string, options: readonly T[], fallback: T): T {
    const text = this.text(name);
    if (text === null) return fallback;
    const found = options.find((option) => option === text.toLowerCase());
    if (found === undefined) this.#problems.push(`${name} must be one of ${options.join(", ")}`);
    return found ?? fallback;
  }

  choices<T extends string>(name: string, options: readonly T[]): ReadonlySet<T> {
    const text = this.text(name);
    if (text === null) return new Set(options);
    const chosen = new Set<T>();
    for (const part of text.split(",")) {
      const found = options.find((option) => option === part.trim().toLowerCase());
      if (found === undefined) this.#problems.push(`${name} must be a comma list of ${options.join(", ")}`);
      else chosen.add(found);
    }
    return chosen;
  }

  identifier(name: string, fallback: string): string {
    const text = this.text(name);
    if (text === null) return fallback;
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(text)) this.#problems.push(`${name} must be a lower-case Postgres identifier`);
    return text;
  }

  url(name: string, protocols: readonly string[]): string | null {
    const text = this.text(name);
    if (text === null) return null;
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
      this.#problems.push(`${name} must be a URL that begins with ${protocols.map((p) => `${p}//`).join(" or ")}`);
    }
    return text;
  }

  secret(name: string, minLength: number): string | null {
    const text = this.text(name);
    if (text !== null && text.length < minLength) {
      this.#problems.push(`${name} must have at least ${minLength} characters`);
    }
    return text;
  }

  /** @param parse throws an error that says what is wrong with a text */
  parsed<T>(name: string, parse: (text: string) => T): T {
    try {
      return parse(this.text(name) ?? "");
    } catch (error) {
      this.#problems.push(`${name}: ${errorMessage(error)}`);
      return parse("");
    }
  }

  keys(name: string): KeyRing | null {
    const text = this.text(name);
    try {
      return text === null ? null : KeyRing.parse(text);
    } catch (error) {
      this.#problems.push(`${name}: ${errorMessage(error)}`);
      return null;
    }
  }

  finish(): void {
    if (this.#problems.length > 0) {
      throw new StartError(
        `the configuration has ${this.#problems.length} problem(s):\n  ${this.#problems.join("\n  ")}`,
      );
    }
  }
}
