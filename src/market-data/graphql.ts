import {
  Arg,
  Args,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Int,
  ObjectType,
  Query,
  Resolver,
  Root,
  Subscription,
} from "type-graphql";
import type { DataProvider, MarketSymbol } from "../catalogue/catalogue.js";
import { PageArgs, symbolOfId, toConnection } from "../catalogue/graphql.js";
import {
  DataProviderType,
  enumOf,
  SymbolConnectionType,
  SymbolFilterInput,
  SymbolType,
} from "../catalogue/graphql-types.js";
import type { DecimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";
import type { SharedWatch } from "../core/shared-watch.js";
import { requireOperator } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { DateTimeScalar, DecimalScalar } from "../graphql/scalars.js";
import { Costs, MadeOf, Shared, servedShared, statementCost } from "../graphql/shared.js";
import type { Quote } from "./quotes.js";
import { broadcastList, listSymbols, type SymbolOrder, symbolOrders } from "./rank-symbols.js";
import { defaultSymbolList, quotesOf, quotesOfList } from "./shared-quotes.js";

const SymbolOrderEnum = enumOf(
  "SymbolOrder",
  symbolOrders,
  "Order of a list of symbols; equal ones in the order of their ids.",
  {
    DISPLAY_ORDER: "As operators arranged them.",
    TICKER: "By ticker.",
    BROADCAST_PRIORITY: "Highest priority first.",
    VOLUME_24H: "Largest `quote.volume24h` first, those without one last.",
    CHANGE_PERCENT_24H: "Largest `quote.changePercent24h` first, those without one last.",
  },
);

export const intervalDescription =
  "Shortest time between two messages, in milliseconds, 0 to 60000; 0: as soon as possible.";

@MadeOf("quotes")
@ObjectType("Quote", { simpleResolvers: true, description: "The latest values of one symbol." })
export class QuoteType {
  @Field(() => DecimalScalar, { description: "Last traded price, in the quote currency." })
  price!: DecimalText;
  @Field(() => DecimalScalar, { nullable: true, description: "Best price that somebody bids." })
  bid!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Quantity at the best bid, in the base currency." })
  bidQuantity!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Best price that somebody asks." })
  ask!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Quantity at the best ask, in the base currency." })
  askQuantity!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Price 24 hours ago." })
  open24h!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Highest price of the last 24 hours." })
  high24h!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Lowest price of the last 24 hours." })
  low24h!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Change over 24 hours, in the quote currency." })
  change24h!: DecimalText | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: 'Change over 24 hours in percent: "1.25" is one and a quarter per cent.',
  })
  changePercent24h!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Traded in the last 24 hours, in the base currency." })
  volume24h!: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Traded in the last 24 hours, in the quote currency." })
  quoteVolume24h!: DecimalText | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: "Price of all units together, in the quote currency, where a provider tells it.",
  })
  marketCap!: DecimalText | null;
  @Field(() => Boolean, {
    description: "No message for longer than the provider's staleness limit, or the connection to it is lost.",
  })
  isStale!: boolean;
}

@Resolver(() => QuoteType)
export class QuoteResolver {
  @FieldResolver(() => SymbolType, { description: "What is quoted." })
  @MadeOf("catalogue")
  symbol(@Root() root: Quote, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => String, {
    description:
      "Grows by at least one with every change of this symbol's quote; never goes back, also across restarts.",
  })
  @MadeOf("quotes")
  sequence(@Root() root: Quote): string {
    return String(root.sequence);
  }

  @FieldResolver(() => DateTimeScalar, {
    description: "The newest time that the exchange stated for any of the values.",
  })
  @MadeOf("quotes")
  exchangeTime(@Root() root: Quote): number {
    return root.exchangeTimeMs;
  }

  @FieldResolver(() => DateTimeScalar, { description: "When the last message for the symbol was received." })
  @MadeOf("quotes")
  receivedAt(@Root() root: Quote): number {
    return root.receivedAtMs;
  }

  @FieldResolver(() => DataProviderType, { nullable: true, description: "Where the values came from." })
  @MadeOf("quotes", "catalogue")
  provider(@Root() root: Quote, @Ctx() { catalogue }: ApiContext): DataProvider | null {
    return catalogue.findProvider(root.providerId) ?? null;
  }

  @Query(() => [QuoteType], {
    nullable: "items",
    description: "The current quotes, in the order of the ids; null for a symbol without one.",
  })
  @MadeOf("quotes", "catalogue")
  quotes(
    @Arg("symbolIds", () => [ID], { description: "At most 500 symbols." }) symbolIds: string[],
    @Ctx() context: ApiContext,
  ): (Quote | null)[] {
    return symbolsOfIds(context, symbolIds).map((symbol) => context.quotes.get(symbol.id) ?? null);
  }

  @Subscription(() => [QuoteType], {
    name: "quotes",
    description:
      "Live quotes. The first message carries the current quote of every requested symbol; each later one only those that changed " +
      "since the last message, at most one message per intervalMs. Slow readers get the newest quotes, never a growing backlog. " +
      "Without symbolIds: the default symbols. No stream selects what asks the database, such as `candles` of a symbol: COST_LIMIT.",
    subscribe: servedShared,
  })
  @Shared({ choosing: ["symbolIds", "intervalMs"], watch: watchQuotes })
  @MadeOf()
  liveQuotes(
    @Root() batch: Quote[],
    @Arg("symbolIds", () => [ID], {
      nullable: true,
      description: "At most 500 symbols; left out or null: the default symbols.",
    })
    _ids: string[] | null,
    @Arg("intervalMs", () => Int, { nullable: true, defaultValue: 100, description: intervalDescription }) _intervalMs:
      | number
      | null,
  ): Quote[] {
    return batch;
  }
}

interface QuotesArguments {
  readonly symbolIds?: readonly string[] | null;
  readonly intervalMs?: number | null;
}

const maxSymbolsPerRequest = 500;

function symbolsOfIds(context: ApiContext, ids: readonly string[]): MarketSymbol[] {
  if (ids.length > maxSymbolsPerRequest)
    throw badInput("symbolIds", `symbolIds must hold at most ${maxSymbolsPerRequest} ids`);
  return ids.map((id) => symbolOfId(context, "symbolIds", id));
}

/** @throws {DomainError} BAD_USER_INPUT */
export function intervalOf(intervalMs: number | null | undefined): number {
  const ms = intervalMs ?? 100;
  if (!Number.isInteger(ms) || ms < 0 || ms > 60_000)
    throw badInput("intervalMs", "intervalMs must be from 0 to 60000");
  return ms;
}

function watchQuotes(context: ApiContext, { symbolIds, intervalMs }: QuotesArguments): SharedWatch<number, Quote> {
  const { quotes, catalogue } = context;
  const ms = intervalOf(intervalMs);
  if (symbolIds == null) return quotesOfList(quotes, defaultSymbolList(catalogue), ms);
  return quotesOf(
    quotes,
    symbolsOfIds(context, symbolIds).map((symbol) => symbol.id),
    ms,
  );
}

@Resolver(() => SymbolType)
export class SymbolMarketDataResolver {
  @FieldResolver(() => QuoteType, {
    nullable: true,
    description: "Its latest values; null before the first price is known.",
  })
  @MadeOf("quotes")
  quote(@Root() root: MarketSymbol, @Ctx() { quotes }: ApiContext): Quote | null {
    return quotes.get(root.id) ?? null;
  }

  @FieldResolver(() => DateTimeScalar, { nullable: true, description: "When its quote was last published." })
  lastBroadcastAt(@Root() root: MarketSymbol, @Ctx() { quotes }: ApiContext): number | null {
    return quotes.get(root.id)?.lastBroadcastAtMs ?? null;
  }

  @Query(() => SymbolConnectionType, { description: "All symbols that meet the filter, page by page." })
  @MadeOf("catalogue", "quotes")
  symbols(
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => SymbolFilterInput, { nullable: true, description: "Only these." })
    filter: SymbolFilterInput | null,
    @Arg("orderBy", () => SymbolOrderEnum, {
      nullable: true,
      defaultValue: "DISPLAY_ORDER",
      description: "Order of the list.",
    })
    orderBy: SymbolOrder | null,
    @Ctx() { catalogue, quotes }: ApiContext,
  ): SymbolConnectionType {
    return toConnection(listSymbols(catalogue, quotes, filter, orderBy ?? "DISPLAY_ORDER", page));
  }

  @Query(() => [SymbolType], {
    description:
      "Active symbols that match, best first: exact ticker, prefix, popular, then by 24 h volume; typo-tolerant. A blank query gives the popular ones.",
  })
  @Costs(statementCost)
  async searchSymbols(
    @Arg("query", () => String, { description: "What the user typed; at most 64 characters." }) query: string,
    @Arg("assetClass", () => String, { nullable: true, description: "Only this asset class, by code." }) assetClass:
      | string
      | null,
    @Arg("first", () => Int, { nullable: true, defaultValue: 20, description: "How many at most; 1 to 100." }) first:
      | number
      | null,
    @Ctx() { catalogue, searchSymbols }: ApiContext,
  ): Promise<MarketSymbol[]> {
    const assetClassId = assetClass == null ? null : catalogue.assetClassByCode(assetClass)?.id;
    if (assetClassId === undefined)
      throw badInput("assetClass", `there is no asset class "${assetClass?.slice(0, 50)}"`);
    const ids = await searchSymbols({ query, assetClassId, first: first ?? 20 });
    return ids.flatMap((id) => catalogue.findSymbol(id) ?? []);
  }

  @Query(() => [SymbolType], {
    description:
      "Operators: symbols in the order in which the feed serves them: highest priority, then the longest not broadcast.",
  })
  broadcastList(
    @Arg("first", () => Int, { nullable: true, defaultValue: 100, description: "How many at most; 1 to 500." }) first:
      | number
      | null,
    @Ctx() { viewer, catalogue, quotes }: ApiContext,
  ): MarketSymbol[] {
    requireOperator(viewer);
    return broadcastList(catalogue, quotes, first ?? 100);
  }
}
