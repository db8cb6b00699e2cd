import {
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

  /** Arguments for graphql-js, or what the client is told. */
  prepare(request: OperationRequest, contextValue: unknown): ExecutionArgs | GraphQLFormattedError[] {
    try {
      const document = parse(request.query, { maxTokens: maxDocumentTokens });
      const errors = validate(this.schema, document, this.#rules);
      if (errors.length > 0) return errors.map((error) => toClientError(error, this.log, "GRAPHQL_VALIDATION_FAILED"));
      if (!getOperationAST(document, request.operationName)) {
        const message = request.operationName
          ? `unknown operation "${request.operationName.slice(0, 100)}"`
          : "name the operation to execute";
        return [toClientError(new GraphQLError(message), this.log, "OPERATION_RESOLUTION_FAILURE")];
      }
      return {
        schema: this.schema,
        document,
        operationName: request.operationName,
        variableValues: request.variables,
        contextValue,
      };
    } catch (error) {
      return [toClientError(error, this.log, "GRAPHQL_PARSE_FAILED")];
    }
  }

  /** Errors of an execution, as the client may see them. */
  formatErrors(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    // Only the coercion of variables fails without a path.
    return errors.map((error) =>
      toClientError(error, this.log, error.path === undefined ? "BAD_USER_INPUT" : undefined),
    );
  }
}
