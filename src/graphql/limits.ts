import {
  type ASTVisitor,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from "graphql";

/** Tokens of one document: enough for any screen of an app, far too few to keep the parser busy. */
export const maxDocumentTokens = 5_000;

/** Refuses operations that nest deeper than `maxDepth` fields. Introspection is deeper by nature and bounded by itself. */
export function depthLimit(maxDepth: number): (context: ValidationContext) => ASTVisitor {
  return (context) => {
    /** Depth of each fragment, computed once, so that many spreads of one cost nothing more. */
    const fragmentDepths = new Map<string, number>();

    function depthOf(selectionSet: SelectionSetNode): number {
      let deepest = 0;
      for (const selection of selectionSet.selections) {
        let depth = 0;
        if (selection.kind === Kind.FIELD) {
          if (selection.name.value.startsWith("__")) continue;
          depth = 1 + (selection.selectionSet ? depthOf(selection.selectionSet) : 0);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          depth = depthOf(selection.selectionSet);
        } else {
          const fragment = context.getFragment(selection.name.value);
          depth = fragment ? depthOfFragment(fragment) : 0;
        }
        deepest = Math.max(deepest, depth);
      }
      return deepest;
    }

    function depthOfFragment(fragment: FragmentDefinitionNode): number {
      const name = fragment.name.value;
      const known = fragmentDepths.get(name);
      if (known !== undefined) return known;
      // A fragment that contains itself is refused by another rule; here it must only end.
      fragmentDepths.set(name, 0);
      const depth = depthOf(fragment.selectionSet);
      fragmentDepths.set(name, depth);
      return depth;
    }

    return {
      OperationDefinition(operation) {
        const depth = depthOf(operation.selectionSet);
        if (depth > maxDepth) {
          const message = `the operation nests ${depth} fields deep; at most ${maxDepth} are allowed`;
          context.reportError(new GraphQLError(message, { nodes: operation, extensions: { code: "DEPTH_LIMIT" } }));
        }
      },
    };
  };
}
