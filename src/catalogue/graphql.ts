import { Arg, Args, ArgsType, Ctx, Field, FieldResolver, Float, ID, Int, Query, Resolver, Root } from "type-graphql";
import { badInput, notFound } from "../core/errors.js";
import { integerKey, parseGlobalId } from "../core/ids.js";
import type { PageArguments } from "../core/pagination.js";
import { isOperator } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader } from "../graphql/node.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { MadeOf, Private } from "../graphql/shared.js";
import type { AssetClass, DataProvider, Exchange, Market, MarketSymbol, TradingSession } from "./catalogue.js";
import {
  AssetClassType,
  DataProviderType,
  ExchangeType,
  MarketStatusEnum,
  MarketType,
  SymbolConnectionType,
  SymbolFilterInput,
  SymbolType,
  TradingSessionType,
} from "./graphql-types.js";
import { byDisplayOrder, filterSymbols, pageOfSymbols, type SymbolPage } from "./list-symbols.js";
import { nextStatusChangeOfMarket, statusOfMarket } from "./market-status.js";
import { usageOf } from "./provider-month.js";

@ArgsType()
export class PageArgs implements PageArguments {
  @Field(() => Int, { nullable: true, description: "Size of a page from the front; 0 to 500, by default 50." })
  first?: number | null;
  @Field(() => String, { nullable: true, description: "Only what comes after this cursor." })
  after?: string | null;
  @Field(() => Int, { nullable: true, description: "Size of a page from the end; not together with `first`." })
  last?: number | null;
  @Field(() => String, { nullable: true, description: "Only what comes before this cursor." })
  before?: string | null;
}

const localeDescription =
  'Language tag such as "tr" or "tr-TR"; where the data has no name in that language, the default one is given.';

/** The name in the asked language where the data has it. */
const localised = (locale: string | null | undefined, name: string | null, turkish: string | null): string | null =>
  locale != null && /^tr\b/i.test(locale) ? (turkish ?? name) : name;

/** @throws {DomainError} BAD_USER_INPUT when the id is not that of a symbol, NOT_FOUND when there is no such symbol */
export function symbolOfId({ catalogue }: ApiContext, field: string, id: string): MarketSymbol {
  const parsed = parseGlobalId(id);
  const key = parsed?.type === "Symbol" ? integerKey(parsed.key) : null;
  if (key === null) throw badInput(field, `${field} is not the id of a symbol`);
  const symbol = catalogue.findSymbol(key);
  if (symbol === undefined) throw notFound("symbol");
  return symbol;
}

export const toConnection = (page: SymbolPage): SymbolConnectionType => ({
  edges: page.edges as SymbolConnectionType["edges"],
  nodes: page.edges.map((edge) => edge.node),
  pageInfo: {
    hasNextPage: page.hasNextPage,
    hasPreviousPage: page.hasPreviousPage,
    startCursor: page.edges[0]?.cursor ?? null,
    endCursor: page.edges.at(-1)?.cursor ?? null,
  },
  totalCount: page.totalCount,
});

@Resolver(() => AssetClassType)
export class AssetClassResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  @MadeOf()
  id(@Root() root: AssetClass): string {
    return idField("AssetClass")(root);
  }

  @FieldResolver(() => String, { description: "Its name, in the asked language where the data has it." })
  @MadeOf("catalogue")
  name(
    @Root() root: AssetClass,
    @Arg("locale", () => String, { nullable: true, description: localeDescription }) locale?: string,
  ): string {
    return localised(locale, root.name, root.nameTr) ?? root.name;
  }

  @FieldResolver(() => [MarketType], { description: "Active markets whose main class it is." })
  @MadeOf("catalogue")
  markets(@Root() root: AssetClass, @Ctx() { catalogue }: ApiContext): Market[] {
    return catalogue.marketsOf({ assetClassId: root.id }).filter((market) => market.isActive);
  }

  @Query(() => [AssetClassType], { description: "All asset classes in display order." })
  @MadeOf("catalogue")
  assetClasses(
    @Arg("includeInactive", () => Boolean, {
      nullable: true,
      defaultValue: false,
      description: "Also those that are not offered.",
    })
    includeInactive: boolean | null,
    @Ctx() { catalogue }: ApiContext,
  ): readonly AssetClass[] {
    return catalogue.assetClasses.filter((assetClass) => includeInactive || assetClass.isActive);
  }

  @Query(() => AssetClassType, {
    nullable: true,
    description: "One asset class; null when there is none with that code.",
  })
  @MadeOf("catalogue")
  assetClass(
    @Arg("code", () => String, { description: "E.g. CRYPTO." }) code: string,
    @Ctx() { catalogue }: ApiContext,
  ): AssetClass | null {
    return catalogue.assetClassByCode(code) ?? null;
  }
}

@Resolver(() => ExchangeType)
export class ExchangeResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  @MadeOf()
  id(@Root() root: Exchange): string {
    return idField("Exchange")(root);
  }

  @FieldResolver(() => [MarketType], { description: "Its active markets." })
  @MadeOf("catalogue")
  markets(@Root() root: Exchange, @Ctx() { catalogue }: ApiContext): Market[] {
    return catalogue.marketsOf({ exchangeId: root.id }).filter((market) => market.isActive);
  }

  @Query(() => [ExchangeType], { description: "All active exchanges in display order." })
  @MadeOf("catalogue")
  exchanges(@Ctx() { catalogue }: ApiContext): readonly Exchange[] {
    return catalogue.exchanges.filter((exchange) => exchange.isActive);
  }

  @Query(() => ExchangeType, { nullable: true, description: "One exchange; null when there is none with that code." })
  @MadeOf("catalogue")
  exchange(
    @Arg("code", () => String, { description: "E.g. BINANCE." }) code: string,
    @Ctx() { catalogue }: ApiContext,
  ): Exchange | null {
    return catalogue.exchangeByCode(code) ?? null;
  }
}

@Resolver(() => TradingSessionType)
export class TradingSessionResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  @MadeOf()
  id(@Root() root: TradingSession): string {
    return idField("TradingSession")(root);
  }
}

@Resolver(() => DataProviderType)
export class DataProviderResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  @MadeOf()
  id(@Root() root: DataProvider): string {
    return idField("DataProvider")(root);
  }

  @FieldResolver(() => MarketType, { description: "The market that it serves." })
  @MadeOf("catalogue")
  market(@Root() root: DataProvider, @Ctx() { catalogue }: ApiContext): Market {
    return catalogue.market(root.marketId);
  }

  @FieldResolver(() => String, {
    nullable: true,
    description: "What last went wrong. Operators only; null for everyone else.",
  })
  @Private()
  lastError(@Root() root: DataProvider, @Ctx() { viewer }: ApiContext): string | null {
    return isOperator(viewer) ? root.lastError : null;
  }

  @FieldResolver(() => Int, {
    nullable: true,
    description: "Errors within the last hour. Operators only; null for everyone else.",
  })
  @Private()
  errorCountHourly(@Root() root: DataProvider, @Ctx() { viewer }: ApiContext): number | null {
    return isOperator(viewer) ? root.errorCountHourly : null;
  }

  @FieldResolver(() => Float, {
    nullable: true,
    description:
      "Messages per second over the last seconds, as the node that feeds it counts them. Operators only; null for everyone else.",
  })
  @Private()
  messagesPerSecond(@Root() root: DataProvider, @Ctx() { viewer, messagesPerSecond }: ApiContext): number | null {
    return isOperator(viewer) ? messagesPerSecond(root) : null;
  }

  @FieldResolver(() => Int, {
    nullable: true,
    description:
      "Requests that it allows in a calendar month (UTC); when they are used up it is left alone until the next one. Null: any number. Operators only; null for everyone else.",
  })
  @Private()
  monthlyLimit(@Root() root: DataProvider, @Ctx() { viewer }: ApiContext): number | null {
    return isOperator(viewer) ? root.monthlyLimit : null;
  }

  @FieldResolver(() => Int, {
    nullable: true,
    description:
      "Requests made in this calendar month (UTC), by all nodes, as of some seconds ago. Operators only; null for everyone else.",
  })
  @Private()
  monthlyUsage(@Root() root: DataProvider, @Ctx() { viewer, clock }: ApiContext): number | null {
    return isOperator(viewer) ? usageOf(root, clock.nowMs()) : null;
  }

  @Query(() => [DataProviderType], { description: "All providers, or those of one market, highest priority first." })
  @MadeOf("catalogue")
  dataProviders(
    @Arg("market", () => String, { nullable: true, description: "Code of the market." }) marketCode: string | null,
    @Ctx() { catalogue }: ApiContext,
  ): readonly DataProvider[] {
    if (marketCode == null) return catalogue.providers;
    const market = catalogue.marketByCode(marketCode);
    if (market === undefined) throw badInput("market", `there is no market "${marketCode.slice(0, 50)}"`);
    return catalogue.providersOf(market.id);
  }

  @Query(() => DataProviderType, {
    nullable: true,
    description: "One provider; null when there is none with that code.",
  })
  @MadeOf("catalogue")
  dataProvider(
    @Arg("code", () => String, { description: "E.g. BINANCE_SPOT_WS." }) code: string,
    @Ctx() { catalogue }: ApiContext,
  ): DataProvider | null {
    return catalogue.providerByCode(code) ?? null;
  }
}

@Resolver(() => MarketType)
export class MarketResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  @MadeOf()
  id(@Root() root: Market): string {
    return idField("Market")(root);
  }

  @FieldResolver(() => String, { description: "Its name, in the asked language where the data has it." })
  @MadeOf("catalogue")
  name(
    @Root() root: Market,
    @Arg("locale", () => String, { nullable: true, description: localeDescription }) locale?: string,
  ): string {
    return localised(locale, root.name, root.nameTr) ?? root.name;
  }

  @FieldResolver(() => ExchangeType, { description: "The exchange that runs it." })
  @MadeOf("catalogue")
  exchange(@Root() root: Market, @Ctx() { catalogue }: ApiContext): Exchange {
    return catalogue.exchange(root.exchangeId);
  }

  @FieldResolver(() => AssetClassType, { description: "Its main asset class; a symbol has its own." })
  @MadeOf("catalogue")
  assetClass(@Root() root: Market, @Ctx() { catalogue }: ApiContext): AssetClass {
    return catalogue.assetClass(root.assetClassId);
  }

  @FieldResolver(() => MarketStatusEnum, {
    description:
      "Computed from the trading sessions and holidays at the current instant, unless an operator has set HALTED or MAINTENANCE.",
  })
  @MadeOf("catalogue", "marketHours")
  status(@Root() root: Market, @Ctx() { catalogue, clock }: ApiContext): string {
    return statusOfMarket(catalogue, root, clock.nowMs());
  }

  @FieldResolver(() => DateTimeScalar, {
    nullable: true,
    description:
      "Next instant at which the status changes by itself; null for a 24x7 market and while an operator holds the status.",
  })
  @MadeOf("catalogue", "marketHours")
  nextStatusChangeAt(@Root() root: Market, @Ctx() { catalogue, clock }: ApiContext): Date | null {
    return nextStatusChangeOfMarket(catalogue, root, clock.nowMs());
  }

  @FieldResolver(() => [TradingSessionType], {
    description: "Its hours, by day of the week and start; none for a 24x7 market.",
  })
  @MadeOf("catalogue")
  sessions(@Root() root: Market, @Ctx() { catalogue }: ApiContext): readonly TradingSession[] {
    return catalogue.sessionsOf(root.id);
  }

  @FieldResolver(() => [DataProviderType], { description: "Its providers, highest priority first." })
  @MadeOf("catalogue")
  providers(@Root() root: Market, @Ctx() { catalogue }: ApiContext): readonly DataProvider[] {
    return catalogue.providersOf(root.id);
  }

  @FieldResolver(() => DataProviderType, {
    nullable: true,
    description: "The provider of all symbols that name none of their own.",
  })
  @MadeOf("catalogue")
  primaryProvider(@Root() root: Market, @Ctx() { catalogue }: ApiContext): DataProvider | null {
    return catalogue.primaryProviderOf(root.id) ?? null;
  }

  @FieldResolver(() => SymbolConnectionType, { description: "Its symbols in display order." })
  @MadeOf("catalogue")
  symbols(
    @Root() root: Market,
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => SymbolFilterInput, { nullable: true, description: "Only these." })
    filter: SymbolFilterInput | null,
    @Ctx() { catalogue }: ApiContext,
  ): SymbolConnectionType {
    const ofMarket = filterSymbols(catalogue, catalogue.symbols, { market: root.code });
    return toConnection(pageOfSymbols(filterSymbols(catalogue, ofMarket, filter), page, byDisplayOrder));
  }

  @Query(() => [MarketType], { description: "Markets in display order." })
  @MadeOf("catalogue")
  markets(
    @Arg("assetClass", () => String, { nullable: true, description: "Only those with this main asset class, by code." })
    assetClass: string | null,
    @Arg("exchange", () => String, { nullable: true, description: "Only those of this exchange, by code." }) exchange:
      | string
      | null,
    @Arg("includeInactive", () => Boolean, {
      nullable: true,
      defaultValue: false,
      description: "Also those that are not offered.",
    })
    includeInactive: boolean | null,
    @Ctx() { catalogue }: ApiContext,
  ): readonly Market[] {
    const assetClassId = assetClass == null ? undefined : catalogue.assetClassByCode(assetClass)?.id;
    const exchangeId = exchange == null ? undefined : catalogue.exchangeByCode(exchange)?.id;
    if (assetClass != null && assetClassId === undefined)
      throw badInput("assetClass", `there is no asset class "${assetClass.slice(0, 50)}"`);
    if (exchange != null && exchangeId === undefined)
      throw badInput("exchange", `there is no exchange "${exchange.slice(0, 50)}"`);
    return catalogue.markets.filter(
      (market) =>
        (includeInactive || market.isActive) &&
        (assetClassId === undefined || market.assetClassId === assetClassId) &&
        (exchangeId === undefined || market.exchangeId === exchangeId),
    );
  }

  @Query(() => MarketType, { nullable: true, description: "One market; null when there is none with that code." })
  @MadeOf("catalogue")
  market(
    @Arg("code", () => String, { description: "E.g. BINANCE_SPOT." }) code: string,
    @Ctx() { catalogue }: ApiContext,
  ): Market | null {
    return catalogue.marketByCode(code) ?? null;
  }
}

@Resolver(() => SymbolType)
export class SymbolResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  @MadeOf()
  id(@Root() root: MarketSymbol): string {
    return idField("Symbol")(root);
  }

  @FieldResolver(() => String, {
    nullable: true,
    description: "Its full name, in the asked language where the data has it.",
  })
  @MadeOf("catalogue")
  fullName(
    @Root() root: MarketSymbol,
    @Arg("locale", () => String, { nullable: true, description: localeDescription }) locale?: string,
  ): string | null {
    return localised(locale, root.fullName, root.fullNameTr);
  }

  @FieldResolver(() => MarketType, { description: "The market that lists it." })
  @MadeOf("catalogue")
  market(@Root() root: MarketSymbol, @Ctx() { catalogue }: ApiContext): Market {
    return catalogue.market(root.marketId);
  }

  @FieldResolver(() => AssetClassType, { description: "What kind of asset it is." })
  @MadeOf("catalogue")
  assetClass(@Root() root: MarketSymbol, @Ctx() { catalogue }: ApiContext): AssetClass {
    return catalogue.assetClass(root.assetClassId);
  }

  @FieldResolver(() => DataProviderType, {
    nullable: true,
    description: "The assigned provider, or the market's primary one.",
  })
  @MadeOf("catalogue")
  dataProvider(@Root() root: MarketSymbol, @Ctx() { catalogue }: ApiContext): DataProvider | null {
    return catalogue.providerOf(root) ?? null;
  }

  @Query(() => SymbolType, {
    nullable: true,
    description: "One symbol, by id or by market and ticker; null when there is none.",
  })
  @MadeOf("catalogue")
  symbol(
    @Arg("id", () => ID, { nullable: true, description: "Its id." }) id: string | null,
    @Arg("market", () => String, { nullable: true, description: "Code of its market; together with `ticker`." }) market:
      | string
      | null,
    @Arg("ticker", () => String, { nullable: true, description: "Its ticker; together with `market`." }) ticker:
      | string
      | null,
    @Ctx() { catalogue }: ApiContext,
  ): MarketSymbol | null {
    if (id != null) {
      if (market != null || ticker != null) throw badInput("id", "give either id, or market and ticker");
      const parsed = parseGlobalId(id);
      const key = parsed?.type === "Symbol" ? integerKey(parsed.key) : null;
      if (key === null) throw badInput("id", "id is not the id of a symbol");
      return catalogue.findSymbol(key) ?? null;
    }
    if (market == null || ticker == null)
      throw badInput(market == null ? "market" : "ticker", "give either id, or market and ticker");
    return catalogue.symbolByTicker(market, ticker) ?? null;
  }

  @Query(() => [SymbolType], { description: "What an anonymous visitor sees, in display order." })
  @MadeOf("catalogue")
  defaultSymbols(@Ctx() { catalogue }: ApiContext): readonly MarketSymbol[] {
    return catalogue.defaultSymbols;
  }
}

const byKey =
  (find: (context: ApiContext, id: number) => object | undefined): NodeLoader<ApiContext> =>
  (key, context) => {
    const id = integerKey(key);
    return (id === null ? undefined : find(context, id)) ?? null;
  };

export const catalogueNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = {
  AssetClass: byKey(({ catalogue }, id) => catalogue.findAssetClass(id)),
  Exchange: byKey(({ catalogue }, id) => catalogue.findExchange(id)),
  Market: byKey(({ catalogue }, id) => catalogue.findMarket(id)),
  TradingSession: byKey(({ catalogue }, id) => catalogue.findSession(id)),
  DataProvider: byKey(({ catalogue }, id) => catalogue.findProvider(id)),
  Symbol: byKey(({ catalogue }, id) => catalogue.findSymbol(id)),
};
