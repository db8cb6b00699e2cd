import {
  BREAK,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  OperationTypeNode,
  visit,
} from "graphql";
import { type CompiledQuery, compileQuery, isCompiledQuery } from "graphql-jit";
import { LRUCache } from "lru-cache";
import type { Operation } from "./prepare.js";

/** Compiled operations that are kept; the least used goes first. One is some ten kilobytes of code. */
const maxCompiled = 500;

/**
 * Executes queries and mutations. A query that comes again is compiled, so that a flood of different ones costs nothing more
 * than without. The answers are those of graphql-js: whatever the compiled code reports as an error is executed again by
 * graphql-js, which may be done because queries change nothing.
 */
export class OperationExecutor {
  readonly #seen = new WeakSet<Operation>();
  /** Null: it cannot be compiled. */
  readonly #compiled = new LRUCache<Operation, { readonly query: CompiledQuery["query"] | null }>({ max: maxCompiled });

  execute(operation: Operation, args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult> {
    const compiled = operation.definition.operation === OperationTypeNode.QUERY ? this.#find(operation, args) : null;
    if (compiled === null) return execute(args) as ExecutionResult | Promise<ExecutionResult>;
    const result = compiled(args.rootValue, args.contextValue, args.variableValues);
    return result instanceof Promise
      ? result.then((settled) => this.#verified(settled, args))
      : this.#verified(result, args);
  }

  #verified(result: ExecutionResult, args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult> {
    return result.errors === undefined ? result : (execute(args) as ExecutionResult | Promise<ExecutionResult>);
  }

  #find(operation: Operation, { schema, document, operationName }: ExecutionArgs): CompiledQuery["query"] | null {
    const known = this.#compiled.get(operation);
    if (known !== undefined) return known.query;
    if (!this.#seen.has(operation)) {
      this.#seen.add(operation);
      return null;
    }
    // Compiled code takes a fragment that is spread twice under different conditions for left out when only one leaves it out.
    const compiled = hasDirectives(document) ? null : compileQuery(schema, document, operationName ?? undefined);
    const query = compiled !== null && isCompiledQuery(compiled) ? compiled.query : null;
    this.#compiled.set(operation, { query });
    return query;
  }
}

function hasDirectives(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Directive: () => {
      found = true;
      return BREAK;
    },
  });
  return found;
}
