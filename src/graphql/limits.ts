import {
  type ASTVisitor,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from "graphql";
import { badInput, DomainError, type ErrorCode } from "../core/errors.js";

/** What one operation may ask for, however it comes. */
export interface OperationLimits {
  readonly maxQueryDepth: number;
  /** Fields, once every fragment is written out. */
  readonly maxQueryFields: number;
  readonly maxQueryRootFields: number;
  readonly maxQueryAliases: number;
  /** See {@link ./cost.ts}. */
  readonly maxQueryCost: number;
  readonly introspection: boolean;
}

/** Tokens of one document: enough for any screen of an app, far too few to keep the parser busy. */
export const maxDocumentTokens = 5_000;

/** Values in the variables of one operation, also those in lists and objects. */
const maxVariableValues = 5_000;

/** A refusal with what was asked for and what is allowed, for the client to see. */
export function limitError(
  code: ErrorCode,
  message: string,
  details: Readonly<Record<string, number>>,
  nodes?: OperationDefinitionNode,
): GraphQLError {
  return new GraphQLError(message, { nodes: nodes ?? null, originalError: new DomainError(code, message, details) });
}

/** The rules that are cheap for any document. They come before those of the specification, which are not. */
export const limitRules = (limits: OperationLimits): readonly ValidationRule[] => [
  sizeLimits(limits),
  ...(limits.introspection ? [] : [noIntrospection]),
];

interface Size {
  readonly depth: number;
  readonly fields: number;
  readonly aliases: number;
  /** Fields of the selection itself, not those below them. */
  readonly ownFields: number;
}

const nothing: Size = { depth: 0, fields: 0, aliases: 0, ownFields: 0 };

/** Of two selections side by side. */
const together = (a: Size, b: Size): Size => ({
  depth: Math.max(a.depth, b.depth),
  fields: a.fields + b.fields,
  aliases: a.aliases + b.aliases,
  ownFields: a.ownFields + b.ownFields,
});

/** Refuses operations that are too deep or too wide, as they are when every fragment is written out. */
function sizeLimits(limits: OperationLimits): ValidationRule {
  return (context) => {
    /** Each fragment is measured once, so that fragments that double with each level cost nothing. */
    const fragments = new Map<string, Size>();

    const sizeOf = ({ selections }: SelectionSetNode): Size => {
      let size = nothing;
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) {
          const below = selection.selectionSet ? sizeOf(selection.selectionSet) : nothing;
          size = together(size, {
            // Introspection is deep by nature; a rule of the library bounds how deep.
            depth: selection.name.value.startsWith("__") ? 0 : 1 + below.depth,
            fields: 1 + below.fields,
            aliases: (selection.alias ? 1 : 0) + below.aliases,
            ownFields: 1,
          });
        } else if (selection.kind === Kind.INLINE_FRAGMENT) size = together(size, sizeOf(selection.selectionSet));
        else size = together(size, sizeOfFragment(selection.name.value));
      }
      return size;
    };

    const sizeOfFragment = (name: string): Size => {
      const known = fragments.get(name);
      if (known !== undefined) return known;
      // A fragment that contains itself is refused by another rule; here it must only end.
      fragments.set(name, nothing);
      const fragment = context.getFragment(name);
      const size = fragment ? sizeOf(fragment.selectionSet) : nothing;
      fragments.set(name, size);
      return size;
    };

    return {
      // At the very start, so that nothing else has looked at the operations yet.
      Document({ definitions }) {
        for (const operation of definitions) {
          if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
          const { depth, fields, aliases, ownFields } = sizeOf(operation.selectionSet);
          const { maxQueryDepth, maxQueryFields, maxQueryRootFields, maxQueryAliases } = limits;
          const refuse = (code: ErrorCode, message: string, details: Record<string, number>) =>
            context.reportError(limitError(code, message, details, operation));
          if (depth > maxQueryDepth) {
            const message = `the operation nests ${depth} fields deep; at most ${maxQueryDepth} are allowed`;
            refuse("DEPTH_LIMIT", message, { depth, limit: maxQueryDepth });
          }
          if (fields > maxQueryFields) {
            const message = `the operation has ${fields} fields; at most ${maxQueryFields} are allowed`;
            refuse("FIELD_LIMIT", message, { fields, limit: maxQueryFields });
          }
          if (ownFields > maxQueryRootFields) {
            const message = `the operation has ${ownFields} fields at its root; at most ${maxQueryRootFields} are allowed`;
            refuse("FIELD_LIMIT", message, { rootFields: ownFields, limit: maxQueryRootFields });
          }
          if (aliases > maxQueryAliases) {
            const message = `the operation has ${aliases} aliases; at most ${maxQueryAliases} are allowed`;
            refuse("ALIAS_LIMIT", message, { aliases, limit: maxQueryAliases });
          }
        }
      },
    };
  };
}

function noIntrospection(context: ValidationContext): ASTVisitor {
  return {
    Field(node) {
      const { value } = node.name;
      if (value !== "__schema" && value !== "__type") return;
      const message = "introspection is off on this server; INTROSPECTION=true turns it on";
      const originalError = new DomainError("INTROSPECTION_DISABLED", message);
      context.reportError(new GraphQLError(message, { nodes: node, originalError }));
    },
  };
}

/** @returns why the variables are refused, or null */
export function tooManyVariables(variables: object | null | undefined): GraphQLError | null {
  const waiting: unknown[] = [variables];
  for (let count = 0; waiting.length > 0; count++) {
    const value = waiting.pop();
    if (typeof value === "object" && value !== null) {
      for (const inner of Object.values(value)) waiting.push(inner);
    }
    if (count + waiting.length <= maxVariableValues) continue;
    const message = `the variables hold more than ${maxVariableValues} values`;
    return new GraphQLError(message, { originalError: badInput("variables", message) });
  }
  return null;
}
