import "reflect-metadata";
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from "graphql";
import { buildSchemaSync } from "type-graphql";
import {
  AssetClassResolver,
  DataProviderResolver,
  ExchangeResolver,
  MarketResolver,
  SymbolResolver,
  TradingSessionResolver,
} from "../catalogue/graphql.js";
import { CatalogueOperatorResolver } from "../catalogue/graphql-operators.js";
import { QuoteResolver, SymbolMarketDataResolver } from "../market-data/graphql.js";
import { DashboardResolver } from "../people/graphql.js";
import { HealthResolver } from "./health.js";
import { NodeResolver } from "./node-resolver.js";

export function buildSchema(): GraphQLSchema {
  return buildSchemaSync({
    resolvers: [
      AssetClassResolver,
      ExchangeResolver,
      MarketResolver,
      TradingSessionResolver,
      DataProviderResolver,
      SymbolResolver,
      CatalogueOperatorResolver,
      QuoteResolver,
      SymbolMarketDataResolver,
      DashboardResolver,
      NodeResolver,
      HealthResolver,
    ],
    // Rules are checked by the functions that the resolvers call, in one place with their error codes.
    validate: false,
  });
}

/** The text of `schema.graphql`: sorted, so that it changes only with the API. */
export const printApi = (): string => `${printSchema(lexicographicSortSchema(buildSchema()))}\n`;
