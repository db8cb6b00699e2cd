import { pino } from "pino";

/** Structured log: object first (ids, not payloads; no secrets, no personal data), event name second. */
export type Logger = pino.Logger;

const redactedPaths = [
  "password",
  "secret",
  "token",
  "authorization",
  "apiKey",
  "apiSecret",
  "*.password",
  "*.token",
  "*.authorization",
];

/** What Postgres says in these classes of errors names a table or a rule; elsewhere it quotes the value. */
const plainClasses = /^(08|23|25|26|40|42|53|54|55|57|58|XX)/;

/**
 * An error as it may be logged. What the database or its driver says of a statement may hold what a user has typed: of that only
 * codes and names are kept, and where it happened.
 */
function describeError(error: Error): object {
  const { cause, params, query, severity } = error as {
    cause?: unknown;
    params?: unknown;
    query?: unknown;
    severity?: unknown;
  };
  // Drizzle puts the statement with all of its values into the message.
  if (params !== undefined && cause instanceof Error) return { ...describeError(cause), query };
  if (severity === undefined) return pino.stdSerializers.err(error);
  const {
    code = "",
    constraint_name,
    table_name,
    column_name,
    routine,
    message,
  } = error as Error & Record<string, string>;
  const stack = error.stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
  const shown = plainClasses.test(code) ? message : undefined;
  return { type: error.name, code, message: shown, constraint_name, table_name, column_name, routine, stack };
}

export function createLogger(level: string, destination: NodeJS.WritableStream = process.stderr): Logger {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: redactedPaths, censor: "[redacted]" },
    },
    destination,
  );
}
