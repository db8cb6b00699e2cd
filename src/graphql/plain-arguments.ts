import { type GraphQLFieldResolver, type GraphQLSchema, getNamedType, isLeafType, isObjectType } from "graphql";
import { getMetadataStorage } from "type-graphql";
import type { ApiContext } from "./context.js";

type Method = (...parameters: unknown[]) => unknown;
type FieldMetadata = ReturnType<typeof getMetadataStorage>["fieldResolvers"][number];
type Resolve = GraphQLFieldResolver<unknown, ApiContext>;

/**
 * Makes fields with plain arguments, or none, call their methods themselves. The library waits for the validation of every
 * argument, also where it is told to validate none, and so makes a promise of each such field of each row; and it sorts a
 * method's parameters at every call. Together that takes longer than all the rest of a list.
 */
export function callPlainFieldsDirectly(schema: GraphQLSchema): GraphQLSchema {
  const { fieldResolvers, objectTypes } = getMetadataStorage();
  const typeNames = new Map<unknown, string>(objectTypes.map(({ target, name }) => [target, name]));
  for (const metadata of fieldResolvers) {
    const type = schema.getType(typeNames.get(metadata.getObjectType?.()) ?? "");
    const field = isObjectType(type) ? type.getFields()[metadata.schemaName] : undefined;
    // Input objects the library makes into instances of their classes.
    if (field === undefined || !field.args.every((argument) => isLeafType(getNamedType(argument.type)))) continue;
    field.resolve = directCall(metadata) ?? field.resolve;
  }
  return schema;
}

/** Null when the method takes more than its parent, the context and arguments by name. */
function directCall({ target, methodName, params = [], middlewares, roles }: FieldMetadata): Resolve | null {
  if ((middlewares?.length ?? 0) > 0 || roles !== undefined) return null;
  const readers: ((root: unknown, args: Record<string, unknown>, context: ApiContext) => unknown)[] = [];
  for (const param of params) {
    if (param.kind === "arg") readers[param.index] = (_root, args) => args[param.name];
    else if (param.kind === "root" && param.propertyName === undefined) readers[param.index] = (root) => root;
    else if (param.kind === "context" && param.propertyName === undefined)
      readers[param.index] = (_root, _args, context) => context;
    else return null;
  }
  const instance = new (target as new () => Record<string, Method>)();
  const [first, second] = readers;
  if (first === undefined) return () => instance[methodName]?.();
  // Most take their parent alone, or that and one thing more.
  if (readers.length === 1) return (root, args, context) => instance[methodName]?.(first(root, args, context));
  if (readers.length === 2 && second !== undefined)
    return (root, args, context) => instance[methodName]?.(first(root, args, context), second(root, args, context));
  return (root, args, context) => instance[methodName]?.(...readers.map((read) => read(root, args, context)));
}
