import { type GraphQLSchema, lexicographicSortSchema, printSchema } from "graphql";
import { buildSchemaSync, type PubSub } from "type-graphql";
import {
  AssetClassResolver,
  DataProviderResolver,
  ExchangeResolver,
  MarketResolver,
  SymbolResolver,
  TradingSessionResolver,
} from "../catalogue/graphql.js";
import { CatalogueOperatorResolver } from "../catalogue/graphql-operators.js";
import { StatusResolver } from "../catalogue/graphql-status.js";
import { DataQualityResolver } from "../jobs/graphql-data-quality.js";
import { JobResolver } from "../jobs/graphql-jobs.js";
import { QuoteResolver, SymbolMarketDataResolver } from "../market-data/graphql.js";
import { ArbitrageResolver } from "../market-data/graphql-arbitrage.js";
import { OrderBookResolver, OrderFlowResolver, SymbolBookResolver } from "../market-data/graphql-books.js";
import {
  CandleResolver,
  FundingRateResolver,
  MarketTradeResolver,
  SymbolSeriesResolver,
} from "../market-data/graphql-series.js";
import { AuditResolver } from "../people/graphql-audit.js";
import { DashboardResolver, UserDashboardResolver } from "../people/graphql-dashboard.js";
import { SessionResolver, SignInResolver } from "../people/graphql-sign-in.js";
import { ApiKeyResolver, UserResolver } from "../people/graphql-users.js";
import { AccountResolver, BalanceResolver, LedgerResolver } from "../trading/graphql.js";
import { EventOperatorResolver } from "../trading/graphql-events.js";
import { OrderFillResolver, OrderResolver } from "../trading/graphql-orders.js";
import { PositionResolver } from "../trading/graphql-positions.js";
import { AccountRiskResolver, RiskViolationResolver } from "../trading/graphql-risk.js";
import { RiskLimitResolver } from "../trading/graphql-risk-limits.js";
import { OrderStrategyResolver, StrategyResolver } from "../trading/graphql-strategies.js";
import { TradingUpdatesResolver } from "../trading/graphql-updates.js";
import { UserTradingResolver } from "../trading/graphql-users.js";
import { HealthResolver } from "./health.js";
import { NodeResolver } from "./node-resolver.js";
import { callPlainFieldsDirectly } from "./plain-arguments.js";

/**
 * Every subscription brings its own bounded iterator. The library's topics are refused, because their queues are not bounded:
 * a client that stops reading would end the process.
 */
const noTopics: PubSub = {
  publish: () => {
    throw new Error("publish to the owner of the data, not to a topic");
  },
  subscribe: () => {
    throw new Error("give the subscription an iterator of its own");
  },
};

export function buildSchema(): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: [
      AssetClassResolver,
      ExchangeResolver,
      MarketResolver,
      TradingSessionResolver,
      DataProviderResolver,
      SymbolResolver,
      CatalogueOperatorResolver,
      StatusResolver,
      QuoteResolver,
      SymbolMarketDataResolver,
      CandleResolver,
      MarketTradeResolver,
      FundingRateResolver,
      SymbolSeriesResolver,
      OrderBookResolver,
      SymbolBookResolver,
      OrderFlowResolver,
      ArbitrageResolver,
      DashboardResolver,
      UserDashboardResolver,
      AuditResolver,
      EventOperatorResolver,
      SignInResolver,
      SessionResolver,
      UserResolver,
      ApiKeyResolver,
      AccountResolver,
      BalanceResolver,
      OrderResolver,
      OrderFillResolver,
      PositionResolver,
      LedgerResolver,
      AccountRiskResolver,
      RiskViolationResolver,
      RiskLimitResolver,
      StrategyResolver,
      OrderStrategyResolver,
      UserTradingResolver,
      TradingUpdatesResolver,
      JobResolver,
      NodeResolver,
      HealthResolver,
      DataQualityResolver,
    ],
    // Rules are checked by the functions that the resolvers call, in one place with their error codes.
    validate: false,
    pubSub: noTopics,
  });
  return callPlainFieldsDirectly(schema);
}

/** The text of `schema.graphql`: sorted, so that it changes only with the API. */
export const printApi = (): string => `${printSchema(lexicographicSortSchema(buildSchema()))}\n`;
