import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  buildASTSchema,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  parse,
} from "graphql";
import { describe, expect, test } from "vitest";
import { buildSchema, printApi } from "../src/graphql/schema.js";

const read = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const contractFile = read("../../shared/design/api.graphql");

type Described = { readonly name: string; readonly description: string | null | undefined };

function* describedParts(schema: GraphQLSchema): Generator<Described> {
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    const isRoot = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].includes(
      type as never,
    );
    if (!isRoot) yield type;
    if (isEnumType(type)) {
      for (const value of type.getValues())
        yield { name: `${type.name}.${value.name}`, description: value.description };
    }
    if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        yield { name: `${type.name}.${field.name}`, description: field.description };
        for (const arg of "args" in field ? field.args : []) {
          yield { name: `${type.name}.${field.name}(${arg.name})`, description: arg.description };
        }
      }
    }
  }
}

describe("the API", () => {
  const schema = buildSchema();

  test("is described throughout: every type, field, argument and enum value", () => {
    const parts = [...describedParts(schema)];
    expect(parts.length).toBeGreaterThan(150);
    expect(parts.filter((part) => !part.description).map((part) => part.name)).toEqual([]);
  });

  test("is what schema.graphql says", () => {
    expect(printApi()).toBe(readFileSync(read("../schema.graphql"), "utf8"));
  });

  test("deprecates nothing without saying what to use instead", () => {
    const deprecated = Object.values(schema.getTypeMap()).flatMap((type) =>
      isObjectType(type)
        ? Object.values(type.getFields()).filter((field) => field.deprecationReason !== undefined)
        : [],
    );
    for (const field of deprecated) expect(field.deprecationReason).toMatch(/use /i);
  });
});

/** Optional ones beyond the contract: whoever leaves them out gets what the contract says. */
const addedArguments = new Set([
  "Query.candles.fillGaps",
  "Symbol.candles.fillGaps",
  "Mutation.register.deviceName",
  "Mutation.login.deviceName",
  "Mutation.updateDashboardItem.expectedVersion",
  "Mutation.reorderDashboard.expectedIds",
  "Subscription.orderUpdated.after",
  "Subscription.positionUpdated.after",
  "Subscription.balanceUpdated.after",
]);

const fieldsOf = (type: GraphQLNamedType | undefined): Record<string, string> => {
  if (isEnumType(type)) return Object.fromEntries(type.getValues().map((value) => [value.name, "value"]));
  if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return {};
  return Object.fromEntries(
    Object.values(type.getFields()).map((field) => {
      const args = ("args" in field ? (field as GraphQLField<unknown, unknown>).args : [])
        .filter((arg) => !addedArguments.has(`${type.name}.${field.name}.${arg.name}`))
        .map((arg) => `${arg.name}: ${arg.type.toString()}`)
        .sort();
      return [field.name, `(${args.join(", ")}): ${field.type.toString()}`];
    }),
  );
};

function readContract(): GraphQLSchema {
  const document = parse(readFileSync(contractFile, "utf8"));
  return buildASTSchema(document, { assumeValidSDL: true });
}

describe.skipIf(!existsSync(contractFile) && process.env.CI !== "true")(
  "the API against the contract of the first release",
  () => {
    test("names, arguments and types are the contract's; what is not built yet is missing, and nothing else differs", () => {
      const contract = readContract();
      const schema = buildSchema();
      const differences: string[] = [];
      for (const type of Object.values(contract.getTypeMap())) {
        const ours = schema.getType(type.name);
        if (isIntrospectionType(type) || isSpecifiedScalarType(type) || ours === undefined) continue;
        const [theirFields, ourFields] = [fieldsOf(type), fieldsOf(ours)];
        for (const [name, signature] of Object.entries(theirFields)) {
          const mine = ourFields[name];
          if (mine !== undefined && mine !== signature)
            differences.push(`${type.name}.${name} ${mine} is not ${signature}`);
        }
      }
      expect(differences).toEqual([]);
    });

    test("the reference data, market data and health of the contract are complete", () => {
      const contract = readContract();
      const schema = buildSchema();
      const complete = [
        "AssetClass",
        "Exchange",
        "Market",
        "TradingSession",
        "DataProvider",
        "Symbol",
        "SymbolEdge",
        "SymbolConnection",
        "SymbolFilter",
        "SymbolOrder",
        "Quote",
        "Candle",
        "CandleInterval",
        "MarketTrade",
        "PriceLevel",
        "OrderBook",
        "FundingRate",
        "OrderFlowMetrics",
        "ArbitrageOpportunity",
        "OrderSide",
        "DashboardItem",
        "PageInfo",
        "Health",
        "HealthCheck",
        "HealthStatus",
        "MarketType",
        "MarketStatus",
        "SymbolStatus",
        "ProviderType",
        "FeedType",
        "ConnectionStatus",
        "UpdateSymbolInput",
        "Node",
      ];
      const missing = complete.flatMap((name) => {
        const ours = fieldsOf(schema.getType(name));
        return Object.keys(fieldsOf(contract.getType(name)))
          .filter((field) => !(field in ours))
          .map((field) => `${name}.${field}`);
      });
      expect(missing).toEqual([]);
    });
  },
);
