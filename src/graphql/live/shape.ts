import {
  type ASTVisitor,
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
  type SelectionSetNode,
  type ValidationContext,
  visit,
} from "graphql";
import type { SharedSubscription } from "../shared.js";

/** What makes two subscriptions look alike, whatever they follow. */
export interface SharedShape {
  readonly subscription: SharedSubscription;
  readonly field: GraphQLField<unknown, unknown>;
  readonly node: FieldNode;
  /** The name of the result in `data`. */
  readonly responseName: string;
  /** The document without what chooses the things to follow. */
  readonly text: string;
  /** Names of the variables that are left in it. */
  readonly variables: readonly string[];
}

/** Fields of the operation itself, also those in fragments. */
function* rootFields(document: DocumentNode, selectionSet: SelectionSetNode): Generator<FieldNode> {
  for (const selection of selectionSet.selections) {
    if (selection.kind === Kind.FIELD) yield selection;
    else if (selection.kind === Kind.INLINE_FRAGMENT) yield* rootFields(document, selection.selectionSet);
    else {
      const { value } = selection.name;
      const fragment = document.definitions.find(
        (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === value,
      );
      if (fragment?.kind === Kind.FRAGMENT_DEFINITION) yield* rootFields(document, fragment.selectionSet);
    }
  }
}

/** Null when it subscribes to something that is not shared. The document must be valid. */
export function sharedShapeOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): SharedShape | null {
  const [node] = rootFields(document, operation.selectionSet);
  const field = node && schema.getSubscriptionType()?.getFields()[node.name.value];
  const subscription = field?.extensions.shared as SharedSubscription | undefined;
  if (node === undefined || field === undefined || subscription === undefined) return null;

  const isRoot = new Set(rootFields(document, operation.selectionSet));
  const withoutChoice = visit(document, {
    // Other operations of the document are not executed.
    OperationDefinition: (definition) => (definition === operation ? undefined : null),
    Field: (candidate) =>
      isRoot.has(candidate)
        ? {
            ...candidate,
            arguments: candidate.arguments?.filter(({ name }) => !subscription.choosing.includes(name.value)) ?? [],
          }
        : undefined,
  });
  const variables = new Set<string>();
  visit(withoutChoice, { VariableDefinition: () => false, Variable: ({ name }) => void variables.add(name.value) });
  const text = print(
    visit(withoutChoice, {
      VariableDefinition: ({ variable }) => (variables.has(variable.name.value) ? undefined : null),
    }),
  );
  return {
    subscription,
    field,
    node,
    responseName: node.alias?.value ?? node.name.value,
    text,
    variables: [...variables].sort(),
  };
}

/** A subscription whose only field may be left out has nothing to subscribe to (GraphQL specification, 5.2.4.1). */
export function rootDirectives(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(operation) {
      if (operation.operation !== OperationTypeNode.SUBSCRIPTION) return;
      const document = context.getDocument();
      const refuse = (selectionSet: SelectionSetNode, seen: ReadonlySet<string>): void => {
        for (const selection of selectionSet.selections) {
          for (const directive of selection.directives ?? []) {
            if (directive.name.value !== "skip" && directive.name.value !== "include") continue;
            const message = `the field of a subscription takes no @${directive.name.value}`;
            context.reportError(new GraphQLError(message, { nodes: directive }));
          }
          if (selection.kind === Kind.INLINE_FRAGMENT) refuse(selection.selectionSet, seen);
          if (selection.kind !== Kind.FRAGMENT_SPREAD || seen.has(selection.name.value)) continue;
          const fragment = context.getFragment(selection.name.value);
          if (fragment && document.definitions.includes(fragment))
            refuse(fragment.selectionSet, new Set([...seen, selection.name.value]));
        }
      };
      refuse(operation.selectionSet, new Set());
    },
  };
}
