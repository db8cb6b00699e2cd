import { randomUUID } from "node:crypto";
import { GraphQLError, type GraphQLFormattedError } from "graphql";
import { databaseAway } from "../core/database-away.js";
import { DomainError } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { refusedWrite } from "../core/refused-writes.js";

/** Codes that say that the request itself is at fault; their messages are made by the GraphQL library from the request alone. */
const requestFaults = new Set([
  "GRAPHQL_PARSE_FAILED",
  "GRAPHQL_VALIDATION_FAILED",
  "BAD_USER_INPUT",
  "BAD_REQUEST",
  "OPERATION_RESOLUTION_FAILURE",
  "PERSISTED_QUERY_NOT_FOUND",
  "PERSISTED_QUERY_ONLY",
]);

/**
 * What a client sees of an error: a {@link DomainError} with its code, a fault of the request with the library's message,
 * and of anything else only an id, under which it is logged with its cause.
 */
export function toClientError(error: unknown, log: Logger, fallbackCode?: string): GraphQLFormattedError {
  const graphQLError = error instanceof GraphQLError ? error : null;
  const location = graphQLError === null ? {} : locationOf(graphQLError);
  const root = rootCause(error);
  const cause = refusedWrite(root) ?? databaseAway(root) ?? root;
  // Apollo gives every error of the validation one code; the rule that refused has said it more exactly.
  const code = (cause instanceof GraphQLError ? cause.extensions.code : undefined) ?? graphQLError?.extensions.code;

  const field = graphQLError === null ? undefined : fieldOf(graphQLError.message);
  if (cause instanceof DomainError) {
    // A scalar refuses a value without knowing where it stood; the library's message does.
    const extensions = { code: cause.code, ...cause.details, ...(field === undefined ? {} : { field }) };
    return { message: cause.message, ...location, extensions };
  }
  const knownCode = typeof code === "string" && requestFaults.has(code) ? code : undefined;
  const requestFault = knownCode ?? (cause instanceof GraphQLError ? fallbackCode : undefined);
  if (graphQLError !== null && requestFault !== undefined) {
    return {
      message: graphQLError.message,
      ...location,
      extensions: { code: requestFault, ...(field === undefined ? {} : { field }) },
    };
  }
  const id = randomUUID();
  log.error({ id, err: cause, path: graphQLError?.path?.join(".") }, "request.internal-error");
  return { message: "internal error", ...location, extensions: { code: "INTERNAL", id } };
}

function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

function locationOf(error: GraphQLError): Pick<GraphQLFormattedError, "locations" | "path"> {
  return { ...(error.locations ? { locations: error.locations } : {}), ...(error.path ? { path: error.path } : {}) };
}

/** The variable (and the place in it) that a coercion error names. */
function fieldOf(message: string): string | undefined {
  const [, variable, path] = /^Variable "\$(\w+)"(?:.*? at "([\w.[\]]+)")?/s.exec(message) ?? [];
  return path ?? variable;
}
