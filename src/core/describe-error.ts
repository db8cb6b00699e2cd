const maxCauses = 5;

/**
 * An error as it may be logged: what it is, where it happened and why, without the values that it was about. Drivers put those
 * of a failed statement into their messages and properties: e-mail addresses, hashes, whatever a user has typed.
 */
export function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, constraint_name: constraint, table_name: table } = error as DatabaseError;
  const message = messageOf(error);
  const frames = (error.stack ?? "").split("\n").filter((line) => /^ +at /.test(line));
  return {
    type: error.name,
    message,
    stack: [`${error.name}: ${message}`, ...frames].join("\n"),
    ...(code === undefined ? {} : { code }),
    ...(constraint === undefined ? {} : { constraint }),
    ...(table === undefined ? {} : { table }),
    ...(error.cause === undefined || depth >= maxCauses ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

/** Of the driver, of drizzle, or of neither. */
interface DatabaseError extends Error {
  readonly code?: string;
  readonly constraint_name?: string;
  readonly table_name?: string;
  readonly query?: string;
  readonly params?: unknown;
}

function messageOf(error: DatabaseError): string {
  // Drizzle's message ends with the values.
  if (error.params !== undefined && error.query !== undefined) return `failed query: ${error.query}`;
  // A value that has the wrong form is quoted in the message; of other kinds of errors only names are.
  return error.name === "PostgresError" && error.code?.startsWith("22")
    ? error.message.replaceAll(/"[^"]*"/g, '"…"')
    : error.message;
}
