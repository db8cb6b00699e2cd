import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from "graphql";

/*
 * What an operation costs at most, before anything of it is executed: every field costs 1, or what `@Costs` says, as often as
 * it can be in the answer. How often is told by the arguments that bound a list; so the cost is worked out once for each text
 * and depends on nothing but the variables.
 */

export type Variables = Readonly<Record<string, unknown>>;

/** A number that is known, or that waits for the variables. */
type Term = number | ((variables: Variables) => number);

/** Arguments that say how many items there will be: a number, or a list with something for each item. */
const sizeArguments = new Set(["first", "last", "limit", "depth", "symbolIds", "ids"]);
/** Items of a list whose size argument is left out and has no default in the schema. */
const defaultPageSize = 50;
/** Items of a list that has no such argument, e.g. a market's sessions. */
const defaultListSize = 10;
/** The whole schema is long to write, but it is bounded. */
const introspectionCost = 1_000;

/** A selection inside something that may hold `n` items in its lists, as a page does: `fixed + n * perItem`. */
interface Cost {
  readonly fixed: Term;
  readonly perItem: Term;
}

const atVariables = (term: Term, variables: Variables): number => (typeof term === "number" ? term : term(variables));

const plus = (a: Term, b: Term): Term =>
  typeof a === "number" && typeof b === "number"
    ? a + b
    : (variables) => atVariables(a, variables) + atVariables(b, variables);

const times = (a: Term, b: Term): Term =>
  typeof a === "number" && typeof b === "number"
    ? a * b
    : (variables) => atVariables(a, variables) * atVariables(b, variables);

/** The document must be valid and within the limit of fields: this visits each field as often as it is spread. */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (variables: Variables) => number {
  const fragments = new Map<string, Cost>();

  const selectionCost = (type: GraphQLNamedType | undefined, { selections }: SelectionSetNode): Cost => {
    let fixed: Term = 0;
    let perItem: Term = 0;
    for (const selection of selections) {
      let cost: Cost;
      if (selection.kind === Kind.FIELD) cost = fieldCost(type, selection);
      else if (selection.kind === Kind.FRAGMENT_SPREAD) cost = fragmentCost(selection.name.value);
      else {
        const on = selection.typeCondition ? schema.getType(selection.typeCondition.name.value) : type;
        cost = selectionCost(on, selection.selectionSet);
      }
      fixed = plus(fixed, cost.fixed);
      perItem = plus(perItem, cost.perItem);
    }
    return { fixed, perItem };
  };

  const fragmentCost = (name: string): Cost => {
    const known = fragments.get(name);
    if (known !== undefined) return known;
    const fragment = document.definitions.find(
      (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === name,
    );
    if (fragment?.kind !== Kind.FRAGMENT_DEFINITION) return { fixed: 0, perItem: 0 };
    const cost = selectionCost(schema.getType(fragment.typeCondition.name.value), fragment.selectionSet);
    fragments.set(name, cost);
    return cost;
  };

  const fieldCost = (parent: GraphQLNamedType | undefined, node: FieldNode): Cost => {
    const name = node.name.value;
    if (name === "__typename") return { fixed: 0, perItem: 0 };
    const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
    if (field === undefined) return { fixed: introspectionCost, perItem: 0 };
    const own = (field.extensions.cost as number | undefined) ?? 1;
    const size = sizeOf(field, node.arguments ?? [], operation);
    const below = node.selectionSet && selectionCost(getNamedType(field.type), node.selectionSet);
    if (below === undefined) return { fixed: own, perItem: 0 };
    if (!isListType(getNullableType(field.type)))
      return { fixed: plus(own, plus(below.fixed, times(size ?? defaultListSize, below.perItem))), perItem: 0 };
    const item = plus(below.fixed, times(defaultListSize, below.perItem));
    // A list without a bound of its own may be the page's: how many items it has is for the field above it to say.
    return size === null ? { fixed: own, perItem: item } : { fixed: plus(own, times(size, item)), perItem: 0 };
  };

  const root = schema.getRootType(operation.operation) ?? undefined;
  const { fixed, perItem } = selectionCost(root, operation.selectionSet);
  const total = plus(fixed, times(defaultListSize, perItem));
  return (variables) => atVariables(total, variables);
}

/** Null when nothing says how many there will be. */
function sizeOf(
  field: GraphQLField<unknown, unknown>,
  given: readonly ArgumentNode[],
  operation: OperationDefinitionNode,
): Term | null {
  const bounding = field.args.filter(({ name }) => sizeArguments.has(name));
  if (bounding.length === 0) return null;
  const terms = bounding.map((argument) => {
    const value = given.find(({ name }) => name.value === argument.name)?.value;
    const otherwise = defaultOf(argument);
    return value === undefined ? otherwise : sizeOfValue(value, operation, otherwise);
  });
  return terms.reduce<Term>(
    (a, b) =>
      typeof a === "number" && typeof b === "number"
        ? Math.max(a, b)
        : (variables) => Math.max(atVariables(a, variables), atVariables(b, variables)),
    0,
  );
}

// A page may be bounded from either end, by one of two arguments; the one that is left out bounds nothing.
const defaultOf = ({ name, defaultValue }: GraphQLArgument): number =>
  name === "last" ? 0 : countOf(defaultValue, defaultPageSize);

function sizeOfValue(value: ValueNode, operation: OperationDefinitionNode, otherwise: number): Term {
  switch (value.kind) {
    case Kind.INT:
      return countOf(Number(value.value), otherwise);
    case Kind.LIST:
      return value.values.length;
    case Kind.VARIABLE: {
      const name = value.name.value;
      const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
      const missing = definition?.defaultValue ? sizeOfValue(definition.defaultValue, operation, otherwise) : otherwise;
      return (variables) =>
        variables[name] === undefined ? atVariables(missing, variables) : countOf(variables[name], otherwise);
    }
    case Kind.NULL:
      return otherwise;
    default:
      // One value stands for a list of one; what is no size at all is refused where it is used.
      return 1;
  }
}

function countOf(value: unknown, otherwise: number): number {
  if (Array.isArray(value)) return value.length;
  if (value === null || value === undefined) return otherwise;
  return typeof value === "number" ? Math.max(0, value) : 1;
}
