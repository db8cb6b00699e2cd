import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { errorMessage, StartError } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { noTracer, type Tracer } from "../core/tracer.js";
import { DatabaseStats, observed } from "./observe.js";

export type Sql = postgres.Sql;
export type Db = PostgresJsDatabase;

/** Where a database is: a URL, or the socket of the embedded server. */
export type DatabaseAddress =
  | { readonly url: string }
  | { readonly host: string; readonly port: number; readonly user: string; readonly database: string };

export interface ConnectOptions {
  readonly address: DatabaseAddress;
  /** Act as this role; null: as the user who signs in (migrations). */
  readonly role: string | null;
  readonly poolSize: number;
  readonly applicationName: string;
  readonly tracer?: Tracer;
  /**
   * Where Postgres itself is, when `address` is a pooler of transactions. Then nothing is left in a session: no prepared
   * statements and no settings at its start, and notifications are heard on a connection that goes past the pooler.
   */
  readonly direct?: DatabaseAddress | null;
}

export interface Database {
  /**
   * For statements that drizzle cannot express, and for the hot ones. Drizzle has replaced its conversions of times and of
   * arrays of numbers: times arrive as text, and such arrays are passed as text[] and cast.
   */
  readonly sql: Sql;
  readonly db: Db;
  readonly poolSize: number;
  readonly stats: DatabaseStats;
  close(): Promise<void>;
  /** Refuses whatever waits for an answer and whatever comes from now on. It is closed as well then. */
  giveUp(): void;
}

const connectTimeoutMs = 10_000;
const statementTimeoutMs = 30_000;
/** When nothing has come for so long, the server is asked on another connection whether it is there. */
const answerTimeoutMs = 5_000;
const askListenerEveryMs = 10_000;
/** Of a full validation, and so much for the network. */
const longestStatementMs = 330_000;
/** Of connecting again; when the database is back it is wanted at once, and a refused attempt costs nothing. */
const maxBackoffSeconds = 1;
/** What a process has locked that stands still is free after this long. Nothing is waited for within a transaction. */
const idleInTransactionTimeoutMs = 10_000;

export function connect(options: ConnectOptions): Database {
  const settings: Settings = {
    max: options.poolSize,
    connect_timeout: connectTimeoutMs / 1_000,
    backoff: (attempts) => (0.5 + Math.random() / 2) * Math.min(3 ** attempts / 100, maxBackoffSeconds),
    // The driver would ask for the types of arrays on its own account with each new connection, and when the server goes away
    // at that moment nobody catches the error: it would end the program.
    fetch_types: false,
    types: {
      smallints: arrayOf(1005),
      integers: arrayOf(1007),
      bigints: arrayOf(1016),
      texts: arrayOf(1009),
      booleans: arrayOf(1000),
    },
    onnotice: () => {},
    connection: {
      application_name: options.applicationName,
      TimeZone: "UTC",
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
      ...(options.role === null ? {} : { role: options.role }),
    },
  };
  const direct = options.direct ?? null;
  const pool =
    direct === null
      ? open(options.address, settings)
      : open(
          options.address,
          {
            ...settings,
            prepare: false,
            // What a pooler of transactions keeps apart for each client; the rest belongs to the login.
            connection: { application_name: options.applicationName, TimeZone: "UTC" },
          },
          true,
        );
  // The driver opens a connection of its own when somebody listens; the pool itself stays empty.
  const listener = direct === null ? null : open(direct, { ...settings, max: 1 });
  // Whoever listens says nothing, so nobody would miss an answer.
  const asking = setInterval(() => void askListener(listener ?? pool), askListenerEveryMs);
  asking.unref();
  const stats = new DatabaseStats();
  const sql = observed(pool, stats, options.tracer ?? noTracer, listener);
  return {
    sql,
    db: drizzle(sql),
    poolSize: options.poolSize,
    stats,
    close: async () => {
      clearInterval(asking);
      await Promise.all([pool.end({ timeout: 5 }), listener?.end({ timeout: 5 })]);
    },
    giveUp: () => {
      clearInterval(asking);
      for (const one of [pool, listener]) one?.end({ timeout: 0 }).catch(() => {});
    },
  };
}

interface Settings extends postgres.Options<Record<string, postgres.PostgresType>> {
  /** Of ours, see patches/: a connection that waits for an answer for so many seconds asks, and is given up by "true". */
  readonly answer_timeout?: number;
  readonly is_silent?: (pid: number | null, waitedMs: number) => Promise<boolean>;
}

function open(address: DatabaseAddress, settings: Settings, isPooled = false): postgres.Sql {
  return openAnyway(address, {
    ...settings,
    answer_timeout: answerTimeoutMs / 1_000,
    is_silent: silenceOf(address, settings, isPooled),
  });
}

/** Waits for answers however long they take. */
function openAnyway(address: DatabaseAddress, settings: Settings): postgres.Sql {
  return "url" in address
    ? postgres(withoutSocket(address.url), { ...settings, ...socketOf(address.url) })
    : postgres({ ...settings, ...address });
}

/**
 * Whether no answer will come on a connection: the server says nothing to anybody, or does not work on what was asked there, because
 * it never arrived. All connections that wait share a question.
 * @param isPooled whether a pooler is in between, whose clients the server does not know
 */
function silenceOf(address: DatabaseAddress, settings: Settings, isPooled: boolean) {
  let asking: Promise<ReadonlySet<number> | "unknown" | "silent"> | undefined;
  return async (pid: number | null, waitedMs: number): Promise<boolean> => {
    asking ??= askForWorking(address, settings).finally(() => {
      asking = undefined;
    });
    const working = await asking;
    if (working === "silent") return true;
    // Before it has a process it has a time-out of its own.
    if (working === "unknown" || isPooled || pid === null) return waitedMs > longestStatementMs;
    return !working.has(pid);
  };
}

/** The server's processes that work for this login, or have until a moment ago. */
async function askForWorking(
  address: DatabaseAddress,
  settings: Settings,
): Promise<ReadonlySet<number> | "unknown" | "silent"> {
  // As the login itself, who sees what its sessions do.
  const { role: _, ...connection } = settings.connection ?? {};
  const sql = openAnyway(address, { ...settings, connection, max: 1 });
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<"silent">((resolve) => {
    timer = setTimeout(resolve, connectTimeoutMs, "silent");
  });
  const answer = sql<{ pid: number; own: number }[]>`
    select pid, pg_backend_pid() as own from pg_stat_activity
    where state in ('active', 'fastpath function call') or state_change > now() - interval '2 seconds'`;
  const working = answer.then((rows) => {
    const pids = new Set(rows.map(({ pid }) => pid));
    // A login that always acts as another role is not shown even what itself does.
    return pids.has(rows[0]?.own ?? 0) ? pids : "unknown";
  });
  try {
    return await Promise.race([working, tooLate]);
  } catch (error) {
    // A server that has no place for more, or is starting, speaks.
    return error instanceof postgres.PostgresError ? "unknown" : "silent";
  } finally {
    clearTimeout(timer);
    sql.end({ timeout: 0 }).catch(() => {});
  }
}

/** The driver listens on a connection of its own, which begins with the first one to listen. */
async function askListener(listener: { readonly listen: unknown }): Promise<void> {
  const { sql } = listener.listen as { sql?: postgres.Sql };
  // Where it fails, the driver connects again and listens to the same.
  await sql?.unsafe("select 1").catch(() => {});
}

/**
 * Behind a pooler of transactions the role and the limits of the program cannot be named when a connection begins: they must
 * belong to the login.
 * @throws {StartError} that says which statements make it so
 */
export async function requireLoginSettings({ sql }: Database, role: string): Promise<void> {
  const [row] = await sql<{ acts_as: string; login: string; limit: string }[]>`
    select current_user as acts_as, session_user as login, current_setting('statement_timeout') as limit`;
  if (row === undefined || (row.acts_as === role && row.limit !== "0")) return;
  const statements = [
    `alter role ${row.login} set role = '${role}';`,
    `alter role ${row.login} set statement_timeout = '${statementTimeoutMs}';`,
    `alter role ${row.login} set idle_in_transaction_session_timeout = '${idleInTransactionTimeoutMs}';`,
  ];
  throw new StartError(
    `through the pooler of DATABASE_URL the program acts as ${row.acts_as} with a statement_timeout of ${row.limit}; ` +
      `run as the owner of the database, then reconnect the pooler:\n  ${statements.join("\n  ")}`,
  );
}

type ArrayItem = string | number | bigint | boolean | null;

/** How an array of this type is written. Drizzle reads those that are read. */
const arrayOf = (oid: number): postgres.PostgresType => ({
  to: oid,
  from: [],
  // Drizzle has written its own already.
  serialize: (values: readonly ArrayItem[] | string) =>
    typeof values === "string" ? values : `{${values.map(arrayItem).join()}}`,
  parse: (text: unknown) => text,
});

const arrayItem = (value: ArrayItem): string =>
  value === null ? "null" : `"${String(value).replace(/["\\]/g, "\\$&")}"`;

/** The usual way to name a unix socket in a URL: `postgres://user@localhost/database?host=/folder&port=5432`. */
function socketOf(url: string): { host: string; port: number } | null {
  const { searchParams, port } = new URL(url);
  const host = searchParams.get("host");
  return host?.startsWith("/") ? { host, port: Number(searchParams.get("port") ?? (port || "5432")) } : null;
}

/** The driver takes unknown parameters of a URL for settings of the server. */
function withoutSocket(url: string): string {
  const parsed = new URL(url);
  if (socketOf(url) !== null) for (const name of ["host", "port"]) parsed.searchParams.delete(name);
  return parsed.href;
}

/** Host, port and database for people; never the password. */
export function describeAddress(address: DatabaseAddress): string {
  if (!("url" in address)) return `${address.host} (database ${address.database})`;
  const url = new URL(address.url);
  const socket = socketOf(address.url);
  if (socket !== null) return `${socket.host} (database ${url.pathname.slice(1)})`;
  return `${url.hostname || "localhost"}:${url.port || "5432"}${url.pathname}`;
}

const retryAfterMs = 250;
/** What goes away by waiting: nobody listens yet, or the server is starting up or shutting down. */
const passingCodes = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ECONNRESET",
  "CONNECT_TIMEOUT",
  "57P03",
  "57P01",
  "CONNECTION_CLOSED",
]);

/**
 * Waits until the database answers, at most `waitMs`.
 * @throws {StartError} that says where it tried and what the server or the network answered
 */
export async function waitForDatabase(
  database: Database,
  address: DatabaseAddress,
  waitMs: number,
  log: Logger,
): Promise<void> {
  const deadlineMs = performance.now() + waitMs;
  for (let attempt = 0; ; attempt++) {
    try {
      const [row] = await database.sql<
        { version: number }[]
      >`select current_setting('server_version_num')::int as version`;
      if (row !== undefined && row.version < 150_000) {
        throw new StartError(
          `Postgres 15 or newer is needed; ${describeAddress(address)} is ${Math.floor(row.version / 10_000)}`,
        );
      }
      return;
    } catch (error) {
      if (error instanceof StartError) throw error;
      const code = (error as { code?: string }).code ?? "";
      if (!passingCodes.has(code) || performance.now() > deadlineMs) {
        throw new StartError(
          `cannot use the database at ${describeAddress(address)}: ${explainConnectError(code, error)}`,
        );
      }
      if (attempt === 0) log.warn({ address: describeAddress(address), code }, "database.waiting");
      await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
    }
  }
}

function explainConnectError(code: string, error: unknown): string {
  switch (code) {
    case "ECONNREFUSED":
      return "nothing listens there. Is Postgres running? Check DATABASE_URL.";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name is unknown. Check DATABASE_URL.";
    case "CONNECT_TIMEOUT":
      return "no answer in time. Check the host, the port and the firewall.";
    case "28P01":
    case "28000":
      return "the user name or password is refused. Check DATABASE_URL.";
    case "3D000":
      return "the database does not exist. Create it first.";
    case "42704":
    case "22023":
      return `${errorMessage(error)}. Run "tradegraph migrate", which creates the roles.`;
    default:
      return errorMessage(error);
  }
}
