import {
  buildSchema,
  type GraphQLFieldResolver,
  GraphQLObjectType,
  type GraphQLScalarType,
  type GraphQLSchema,
} from "graphql";
import { globalId } from "../../src/core/ids.js";

/** The part of the API that is measured, in the same words. */
const sdl = /* GraphQL */ `
  scalar Decimal
  scalar DateTime
  type AssetClass { id: ID! code: String! name: String! }
  type Market { id: ID! code: String! name: String! }
  type Symbol { id: ID! ticker: String! displayName: String! market: Market! assetClass: AssetClass! quote: Quote }
  type Quote {
    symbol: Symbol! price: Decimal! bid: Decimal ask: Decimal change24h: Decimal volume24h: Decimal
    sequence: String! exchangeTime: DateTime!
  }
  type DashboardItem {
    id: ID! displayOrder: Int! isVisible: Boolean! isPinned: Boolean! customAlias: String widgetType: String! symbol: Symbol!
  }
  type Order {
    id: ID! clientOrderId: String! side: String! orderType: String! status: String! quantity: Decimal! price: Decimal
    filledQuantity: Decimal! createdAt: DateTime! symbol: Symbol!
  }
  type OrderConnection { nodes: [Order!]! }
  type Query { defaultSymbols: [Symbol!]! dashboard: [DashboardItem!]! orders(first: Int): OrderConnection! }
  type Subscription { quotes(symbolIds: [ID!], intervalMs: Int): [Quote!]! }
`;

// biome-ignore lint/suspicious/noExplicitAny: what a resolver is given is its type's own
export type Resolver<C = any> = GraphQLFieldResolver<any, C>;
/** By `Type.field`; a subscription's is the function that makes its iterator. */
export type Resolvers = Readonly<Record<string, Resolver>>;

const idOf =
  (type: string): Resolver =>
  (row) =>
    globalId(type, row.id);

export function schemaWith(resolvers: Resolvers): GraphQLSchema {
  const schema = buildSchema(sdl);
  (schema.getType("DateTime") as GraphQLScalarType).serialize = (value) => new Date(value as number).toISOString();
  const all: Resolvers = {
    "AssetClass.id": idOf("AssetClass"),
    "Market.id": idOf("Market"),
    "Symbol.id": idOf("Symbol"),
    "DashboardItem.id": idOf("DashboardItem"),
    "Order.id": idOf("Order"),
    ...resolvers,
  };
  for (const [path, resolve] of Object.entries(all)) {
    const [typeName = "", fieldName = ""] = path.split(".");
    const type = schema.getType(typeName);
    const field = type instanceof GraphQLObjectType ? type.getFields()[fieldName] : undefined;
    if (field === undefined) throw new Error(`there is no ${path}`);
    if (typeName === "Subscription") field.subscribe = resolve;
    else field.resolve = resolve;
  }
  return schema;
}
