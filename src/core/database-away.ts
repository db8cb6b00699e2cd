import { DomainError } from "./errors.js";

/** Of the driver, of the system's sockets, and of Postgres: it ends, starts, or has no place for another connection. */
const codes = /^(CONNECTION_|CONNECT_TIMEOUT$|ECONN|EPIPE$|08|57P|53300$)/;

/** Whether an error says that nothing comes through to the database. */
export function isDatabaseAway(error: unknown): boolean {
  // Drizzle wraps the driver's error.
  const { code, syscall, cause } = (error ?? {}) as { code?: unknown; syscall?: unknown; cause?: unknown };
  if (typeof code !== "string") return cause instanceof Error && isDatabaseAway(cause);
  // The socket of a server that does not run; any other file that is missing is another matter.
  return codes.test(code) || (code === "ENOENT" && syscall === "connect");
}

/** The same in the words of the API; null for any other error. */
export const databaseAway = (error: unknown): DomainError | null =>
  isDatabaseAway(error)
    ? new DomainError(
        "PROVIDER_UNAVAILABLE",
        "the database is away; whether a change took effect is unknown: look, or repeat it with the same key",
      )
    : null;
