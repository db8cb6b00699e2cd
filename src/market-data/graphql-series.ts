import {
  Arg,
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Int,
  Query,
  Resolver,
  Root,
  Subscription,
} from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { symbolOfId } from "../catalogue/graphql.js";
import { SymbolType } from "../catalogue/graphql-types.js";
import { badInput } from "../core/errors.js";
import type { ApiContext } from "../graphql/context.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { Costs, Shared, servedShared, statementCost } from "../graphql/shared.js";
import { type CandleInterval, candleIntervalMs, closeTimeOf } from "./candle-intervals.js";
import type { Candle } from "./candles.js";
import type { TradeEvent } from "./events.js";
import { fillCandles, windowOf } from "./fill-candles.js";
import { CandleIntervalEnum, CandleType, FundingRateType, MarketTradeType } from "./graphql-series-types.js";
import { candleKey } from "./live-market.js";
import type { StoredFundingRate } from "./series/read-series.js";
import { latestOf } from "./shared-latest.js";
import { tradesOf } from "./shared-trades.js";

const maxCandles = 1_500;
const maxTrades = 1_000;
const maxFundingRates = 1_000;

const fromDescription = "Only candles that open at this time or later; without it, the newest `limit`.";
const toDescription = "Only candles that open before this time; by default now.";
const fillDescription =
  "Whether an interval without a trade has a candle too, at the price before it and with nothing traded. Then `limit` counts intervals.";
const candlesDescription =
  "Its candles, oldest first. An interval without a trade has none, unless `fillGaps` asks for it.";
const candleLimitDescription = `How many at most; 1 to ${maxCandles}.`;

/** @throws {DomainError} BAD_USER_INPUT */
function limitOf(limit: number | null, fallback: number, max: number): number {
  const count = limit ?? fallback;
  if (!Number.isInteger(count) || count < 1 || count > max) throw badInput("limit", `limit must be from 1 to ${max}`);
  return count;
}

@ArgsType()
class CandleArguments {
  @Field(() => CandleIntervalEnum, { description: "Their length." })
  interval!: CandleInterval;
  @Field(() => DateTimeScalar, { nullable: true, description: fromDescription })
  from?: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: toDescription })
  to?: Date | null;
  @Field(() => Int, { nullable: true, defaultValue: 500, description: candleLimitDescription })
  limit?: number | null;
  @Field(() => Boolean, { nullable: true, defaultValue: false, description: fillDescription })
  fillGaps?: boolean | null;
}

@ArgsType()
class CandlesOfSymbolArguments extends CandleArguments {
  @Field(() => ID, { description: "The symbol." })
  symbolId!: string;
}

async function candlesOf(
  { series, clock }: ApiContext,
  { id: symbolId }: MarketSymbol,
  { interval, from, to, limit, fillGaps }: CandleArguments,
): Promise<readonly Candle[]> {
  if (from && to && from >= to) throw badInput("to", "to must be after from");
  const request = {
    symbolId,
    interval,
    fromMs: from?.getTime() ?? null,
    toMs: to?.getTime() ?? null,
    limit: limitOf(limit ?? null, 500, maxCandles),
  };
  if (fillGaps !== true) return series.candles(request);

  const window = windowOf(request, clock.nowMs());
  if (window === null) return [];
  const { fromMs, lastMs } = window;
  const traded = await series.candles({ ...request, fromMs, toMs: lastMs + 1 });
  const before =
    traded[0]?.openTimeMs === fromMs ? [] : await series.candles({ ...request, fromMs: null, toMs: fromMs, limit: 1 });
  return fillCandles(traded, before[0] ?? null, window);
}

@Resolver(() => CandleType)
export class CandleResolver {
  @FieldResolver(() => SymbolType, { description: "What was traded." })
  symbol(@Root() root: Candle, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => DateTimeScalar, { description: "Its first moment." })
  openTime(@Root() root: Candle): number {
    return root.openTimeMs;
  }

  @FieldResolver(() => DateTimeScalar, { description: "Its end, which is the next one's first moment." })
  closeTime(@Root() root: Candle): number {
    return closeTimeOf(root.interval, root.openTimeMs);
  }

  @FieldResolver(() => Boolean, {
    description: "Whether its time is over. A late trade can still correct it.",
  })
  isClosed(@Root() root: Candle, @Ctx() { clock }: ApiContext): boolean {
    return clock.nowMs() >= root.openTimeMs + candleIntervalMs[root.interval];
  }

  @Query(() => [CandleType], {
    description:
      "Candles of a symbol, oldest first. An interval without a trade has none, unless `fillGaps` asks for it.",
  })
  @Costs(statementCost)
  candles(@Args() args: CandlesOfSymbolArguments, @Ctx() context: ApiContext): Promise<readonly Candle[]> {
    return candlesOf(context, symbolOfId(context, "symbolId", args.symbolId), args);
  }

  @Subscription(() => CandleType, {
    name: "candle",
    description:
      "The forming candle of a symbol: as it is now, then after trades, at most four messages per second; when its time is over, the next one follows.",
    subscribe: servedShared,
  })
  @Shared({
    choosing: ["symbolId", "interval"],
    watch: (context, { symbolId, interval }: { readonly symbolId: string; readonly interval: CandleInterval }) =>
      latestOf(context.live.candles, candleKey(symbolOfId(context, "symbolId", symbolId).id, interval), candleEveryMs),
  })
  liveCandle(
    @Root() candle: Candle,
    @Arg("symbolId", () => ID, { description: "The symbol." }) _symbolId: string,
    @Arg("interval", () => CandleIntervalEnum, { description: "Its length." }) _interval: CandleInterval,
  ): Candle {
    return candle;
  }
}

const candleEveryMs = 250;

/** A trade as the feed or the store has it. */
type AnyTrade = Pick<TradeEvent, "symbolId" | "price" | "quantity" | "side" | "tradeId" | "exchangeTimeMs">;

@Resolver(() => MarketTradeType)
export class MarketTradeResolver {
  @FieldResolver(() => SymbolType, { description: "What was traded." })
  symbol(@Root() root: AnyTrade, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => DateTimeScalar, { description: "When it was made, by the exchange's clock." })
  executedAt(@Root() root: AnyTrade): number {
    return root.exchangeTimeMs;
  }

  @Subscription(() => [MarketTradeType], {
    name: "trades",
    description:
      "Every trade of one symbol, none skipped: when trades were lost on the way here, or a reader cannot keep up, the stream is closed with an error that says from which trade to resume.",
    subscribe: servedShared,
  })
  @Shared({
    choosing: ["symbolId"],
    watch: (context, { symbolId }: { readonly symbolId: string }) =>
      tradesOf(context.live.tape, symbolOfId(context, "symbolId", symbolId).id),
  })
  trades(
    @Root() batch: readonly TradeEvent[],
    @Arg("symbolId", () => ID, { description: "The symbol." }) _symbolId: string,
  ): readonly TradeEvent[] {
    return batch;
  }
}

@Resolver(() => FundingRateType)
export class FundingRateResolver {
  @FieldResolver(() => SymbolType, { description: "The perpetual." })
  symbol(@Root() root: StoredFundingRate, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => DateTimeScalar, { description: "When it was, or will be, paid." })
  fundingTime(@Root() root: StoredFundingRate): number {
    return root.fundingTimeMs;
  }

  @FieldResolver(() => DateTimeScalar, { nullable: true, description: "When the next one is paid." })
  nextFundingTime(@Root() root: StoredFundingRate): number | null {
    return root.nextFundingTimeMs;
  }
}

@Resolver(() => SymbolType)
export class SymbolSeriesResolver {
  @FieldResolver(() => [CandleType], { description: candlesDescription })
  @Costs(statementCost)
  candles(
    @Root() root: MarketSymbol,
    @Args() args: CandleArguments,
    @Ctx() context: ApiContext,
  ): Promise<readonly Candle[]> {
    return candlesOf(context, root, args);
  }

  @FieldResolver(() => [MarketTradeType], { description: "Its newest trades, newest first." })
  @Costs(statementCost)
  trades(
    @Root() root: MarketSymbol,
    @Arg("limit", () => Int, { nullable: true, defaultValue: 50, description: `How many at most; 1 to ${maxTrades}.` })
    limit: number | null,
    @Ctx() { series }: ApiContext,
  ): Promise<readonly AnyTrade[]> {
    return series.trades({ symbolId: root.id, limit: limitOf(limit, 50, maxTrades) });
  }

  @FieldResolver(() => [FundingRateType], {
    description: "Its newest funding rates, newest first; none for anything but a perpetual.",
  })
  @Costs(statementCost)
  fundingRates(
    @Root() root: MarketSymbol,
    @Arg("limit", () => Int, {
      nullable: true,
      defaultValue: 50,
      description: `How many at most; 1 to ${maxFundingRates}.`,
    })
    limit: number | null,
    @Ctx() { series }: ApiContext,
  ): Promise<readonly StoredFundingRate[]> {
    return series.fundingRates({ symbolId: root.id, limit: limitOf(limit, 50, maxFundingRates) });
  }
}
