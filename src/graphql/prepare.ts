import {
  type DocumentNode,
  type ExecutionArgs,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type SelectionSetNode,
  separateOperations,
  specifiedRules,
  TypeInfo,
  type ValidationRule,
  validate,
  visit,
  visitWithTypeInfo,
} from "graphql";
import { LRUCache } from "lru-cache";
import { DomainError } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import { costOf, type Variables } from "./cost.js";
import { toClientError } from "./errors.js";
import { limitError, limitRules, maxDocumentTokens, type OperationLimits, tooManyVariables } from "./limits.js";
import { rootDirectives, type SharedShape, sharedShapeOf } from "./live/shape.js";
import { sourcesOf } from "./made-of.js";
import type { DocumentRequest, PersistedDocuments } from "./persisted.js";
import { type AnswerSource, statementCost } from "./shared.js";

export interface OperationRequest extends DocumentRequest {
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

/** An operation that may be executed, and what its text alone tells about it. */
export interface Operation {
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  /** Whether it selects anything that depends on who is asking. */
  readonly isPrivate: boolean;
  /** Null when it is no subscription to shared data. */
  readonly shared: SharedShape | null;
  /** Why it is refused, whatever its variables are; null when it is not. */
  readonly refusal: GraphQLError | null;
  /** What an answer, or a message of a shared stream, is made of when it is the same for everyone, else null. */
  readonly sources: readonly AnswerSource[] | null;
  /** Different for every operation of this process. */
  readonly key: string;
  /** At most, with these variables. */
  readonly costOf: (variables: Variables) => number;
  /** Fields of a mutation, 0 of anything else. */
  readonly mutationCount: number;
}

type Prepared = readonly Operation[] | readonly GraphQLError[];

/** Texts that are kept, and their length together: a flood of different ones pushes out the least used, and nothing grows. */
const maxTexts = 2_000;
const maxTextLength = 10_000_000;

/**
 * Prepares operations by the same rules, however they come. Each text is parsed and validated once, and as long as it is in
 * use not again.
 */
export class OperationPreparer {
  readonly #limitRules: readonly ValidationRule[];
  readonly #rules: readonly ValidationRule[] = [...specifiedRules, rootDirectives];
  #lastKey = 0;
  readonly #prepared = new LRUCache<string, Prepared>({
    max: maxTexts,
    maxSize: maxTextLength,
    sizeCalculation: (_, text) => text.length + 1,
  });

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly limits: OperationLimits,
    private readonly documents: PersistedDocuments,
    private readonly log: Logger,
  ) {
    this.#limitRules = limitRules(limits);
  }

  /** How many texts are kept now. */
  get textCount(): number {
    return this.#prepared.size;
  }

  /** The operation, or why it is refused. */
  prepare(request: OperationRequest): Operation | readonly GraphQLError[] {
    const operation = this.#find(request);
    if (!("definition" in operation)) return operation;
    const refusal =
      operation.refusal ?? tooManyVariables(request.variables) ?? this.#tooCostly(operation, request.variables ?? {});
    return refusal === null ? operation : [refusal];
  }

  #tooCostly(operation: Operation, variables: Variables): GraphQLError | null {
    const cost = operation.costOf(variables);
    const limit = this.limits.maxQueryCost;
    if (cost <= limit) return null;
    const message = `the operation may cost ${cost}; at most ${limit} are allowed. Ask for fewer fields or shorter lists.`;
    return limitError("COST_LIMIT", message, { cost, limit }, operation.definition);
  }

  #find(request: OperationRequest): Operation | readonly GraphQLError[] {
    const { operationName } = request;
    const text = this.documents.textOf(request);
    if (text instanceof GraphQLError) return [text];
    const prepared = this.#prepare(text);
    const [first] = prepared;
    if (first instanceof GraphQLError) return prepared as readonly GraphQLError[];
    const operations = prepared as readonly Operation[];
    // An empty name is a name, of no operation.
    const isNamed = operationName != null;
    const found = isNamed ? operations.find(({ definition }) => definition.name?.value === operationName) : first;
    if (found !== undefined && (isNamed || operations.length === 1)) return found;
    const message = isNamed ? `unknown operation "${operationName.slice(0, 100)}"` : "name the operation to execute";
    return [withCode(new GraphQLError(message), "OPERATION_RESOLUTION_FAILURE")];
  }

  isValid(text: string): boolean {
    return !(this.#prepare(text)[0] instanceof GraphQLError);
  }

  /** Names the operation by itself: what is executed for many must not depend on the words of one of them. */
  executionArgs({ document, definition }: Operation, request: OperationRequest, contextValue: unknown): ExecutionArgs {
    const { variables: variableValues } = request;
    return { schema: this.schema, document, operationName: definition.name?.value, variableValues, contextValue };
  }

  /** Errors as the client may see them. */
  formatErrors(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    // Only the coercion of variables fails without a path.
    return errors.map((error) =>
      toClientError(error, this.log, error.path === undefined ? "BAD_USER_INPUT" : undefined),
    );
  }

  #prepare(text: string): Prepared {
    const known = this.#prepared.get(text);
    if (known !== undefined) return known;
    const prepared = this.#read(text);
    this.#prepared.set(text, prepared);
    return prepared;
  }

  #validate(document: DocumentNode): readonly GraphQLError[] {
    try {
      const tooMuch = validate(this.schema, document, this.#limitRules);
      return tooMuch.length > 0 ? tooMuch : validate(this.schema, document, this.#rules);
    } catch (error) {
      // A rule of the library evaluates directives before another one has found that they are not allowed there.
      if (!(error instanceof GraphQLError)) throw error;
      return [error];
    }
  }

  #read(text: string): Prepared {
    const { schema } = this;
    let document: DocumentNode;
    try {
      document = parse(text, { maxTokens: maxDocumentTokens });
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      return [withCode(error, "GRAPHQL_PARSE_FAILED")];
    }
    const errors = this.#validate(document);
    if (errors.length > 0) return errors.map((error) => withCode(error, "GRAPHQL_VALIDATION_FAILED"));
    const isPrivate = selectsPrivate(schema, document);
    const sources = isPrivate ? null : sourcesOf(schema, document);
    const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
    if (operations.length === 0)
      return [withCode(new GraphQLError("there is no operation"), "GRAPHQL_VALIDATION_FAILED")];
    return operations.map((definition) => {
      const shared =
        definition.operation === OperationTypeNode.SUBSCRIPTION ? sharedShapeOf(schema, document, definition) : null;
      return {
        document,
        definition,
        isPrivate,
        costOf: costOf(schema, document, definition),
        mutationCount: definition.operation === OperationTypeNode.MUTATION ? rootFieldCount(document, definition) : 0,
        shared,
        refusal: shared === null ? null : statementInStream(schema, document, definition),
        sources: definition.operation === OperationTypeNode.MUTATION ? null : sources,
        key: String(++this.#lastKey),
      };
    });
  }
}

/** The document must be valid and within the limit of fields. */
function rootFieldCount(document: DocumentNode, { selectionSet }: OperationDefinitionNode): number {
  const countOf = ({ selections }: SelectionSetNode): number =>
    selections.reduce((count, selection) => {
      if (selection.kind === Kind.FIELD) return count + 1;
      if (selection.kind === Kind.INLINE_FRAGMENT) return count + countOf(selection.selectionSet);
      const fragment = document.definitions.find(
        (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value,
      );
      return count + (fragment?.kind === Kind.FRAGMENT_DEFINITION ? countOf(fragment.selectionSet) : 0);
    }, 0);
  return countOf(selectionSet);
}

function selectsPrivate(schema: GraphQLSchema, document: DocumentNode): boolean {
  let found = false;
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        found ||= types.getFieldDef()?.extensions.private === true;
      },
    }),
  );
  return found;
}

/** Its cost is charged once, when the subscription begins, and each change would ask the database again. */
function statementInStream(
  schema: GraphQLSchema,
  document: DocumentNode,
  { name, operation }: OperationDefinitionNode,
): GraphQLError | null {
  let refusal: GraphQLError | null = null;
  const types = new TypeInfo(schema);
  visit(
    // Other operations of the document may select what they like.
    separateOperations(document)[name?.value ?? ""] ?? document,
    visitWithTypeInfo(types, {
      Field(node) {
        const [field, parent] = [types.getFieldDef(), types.getParentType()];
        const cost = Number(field?.extensions.cost ?? 0);
        if (!field || !parent || parent === schema.getRootType(operation) || cost < statementCost) return;
        const path = `${parent.name}.${field.name}`;
        const message = `${path} asks the database, so it is not part of a live stream: ask for it by a query. The forming candle and the trades have streams of their own, candle and trades.`;
        const details = { field: path, cost, limit: statementCost - 1 };
        refusal ??= new GraphQLError(message, {
          nodes: node,
          originalError: new DomainError("COST_LIMIT", message, details),
        });
      },
    }),
  );
  return refusal;
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  error.extensions.code ??= code;
  return error;
}
