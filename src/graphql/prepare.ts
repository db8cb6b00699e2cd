import {
  type DocumentNode,
  type ExecutionArgs,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  specifiedRules,
  type ValidationRule,
  validate,
} from "graphql";
import type { Logger } from "../core/logger.js";
import { toClientError } from "./errors.js";
import { depthLimit, maxDocumentTokens } from "./limits.js";

export interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

/** Prepares operations that come over a stream by the same rules as those that come over HTTP. */
export class OperationPreparer {
  readonly #rules: readonly ValidationRule[];
  constructor(
    private readonly schema: GraphQLSchema,
    maxDepth: number,
    private readonly log: Logger,
  ) {
    this.#rules = [...specifiedRules, depthLimit(maxDepth)];
  }

  /** Arguments for graphql-js, or why the operation is refused. */
  prepare(request: OperationRequest, contextValue: unknown): ExecutionArgs | readonly GraphQLError[] {
    const { schema } = this;
    let document: DocumentNode;
    try {
      document = parse(request.query, { maxTokens: maxDocumentTokens });
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      return [withCode(error, "GRAPHQL_PARSE_FAILED")];
    }
    const errors = validate(schema, document, this.#rules);
    if (errors.length > 0) return errors.map((error) => withCode(error, "GRAPHQL_VALIDATION_FAILED"));
    const { operationName, variables: variableValues } = request;
    if (!getOperationAST(document, operationName)) {
      const message = operationName
        ? `unknown operation "${operationName.slice(0, 100)}"`
        : "name the operation to execute";
      return [withCode(new GraphQLError(message), "OPERATION_RESOLUTION_FAILURE")];
    }
    return { schema, document, operationName, variableValues, contextValue };
  }

  /** Errors as the client may see them. */
  formatErrors(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    // Only the coercion of variables fails without a path.
    return errors.map((error) =>
      toClientError(error, this.log, error.path === undefined ? "BAD_USER_INPUT" : undefined),
    );
  }
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  error.extensions.code ??= code;
  return error;
}
