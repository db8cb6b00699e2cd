import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  Kind,
  type SelectionSetNode,
} from "graphql";

type Fragments = Readonly<Record<string, FragmentDefinitionNode>>;
export type Selected = Pick<GraphQLResolveInfo, "fieldNodes" | "fragments">;

/** A field of a document always selects the same. */
const known = new WeakMap<FieldNode, ReadonlySet<string>>();

/**
 * The names of all fields that are selected beneath a field, however deep, and whatever their directives say: those that will be
 * executed are among them.
 */
export function namesBeneath({ fieldNodes, fragments }: Selected): ReadonlySet<string> {
  const [first, ...more] = fieldNodes;
  if (first === undefined) return new Set();
  const names = namesOf(first, fragments);
  return more.length === 0 ? names : new Set([first, ...more].flatMap((node) => [...namesOf(node, fragments)]));
}

function namesOf(node: FieldNode, fragments: Fragments): ReadonlySet<string> {
  let names = known.get(node);
  if (names === undefined) {
    const found = new Set<string>();
    collect(node.selectionSet, fragments, found, new Set());
    known.set(node, found);
    names = found;
  }
  return names;
}

function collect(
  selectionSet: SelectionSetNode | undefined,
  fragments: Fragments,
  names: Set<string>,
  spread: Set<string>,
): void {
  for (const selection of selectionSet?.selections ?? []) {
    if (selection.kind === Kind.FIELD) names.add(selection.name.value);
    if (selection.kind !== Kind.FRAGMENT_SPREAD) collect(selection.selectionSet, fragments, names, spread);
    else if (!spread.has(selection.name.value)) {
      spread.add(selection.name.value);
      collect(fragments[selection.name.value]?.selectionSet, fragments, names, spread);
    }
  }
}
