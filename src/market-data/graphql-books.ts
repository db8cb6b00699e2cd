import { Arg, Ctx, FieldResolver, ID, Int, Query, Resolver, Root, Subscription } from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { symbolOfId } from "../catalogue/graphql.js";
import { SymbolType } from "../catalogue/graphql-types.js";
import type { DecimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";
import { fromFixedPoint, toFixedPoint } from "../core/fixed-point.js";
import type { SharedWatch } from "../core/shared-watch.js";
import type { ApiContext } from "../graphql/context.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { Shared, servedShared } from "../graphql/shared.js";
import type { BookLevel, OrderBookEvent } from "./events.js";
import { intervalDescription, intervalOf } from "./graphql.js";
import { OrderBookType, OrderFlowMetricsType, type PriceLevelType } from "./graphql-series-types.js";
import type { OrderFlow } from "./order-flow.js";
import { latestOf } from "./shared-latest.js";

/** What a feed keeps of a book. */
const maxDepth = 50;
const depthDescription = `Levels on each side; 1 to ${maxDepth}.`;

/** A book as one client asked for it. */
interface ShownBook {
  readonly symbolId: number;
  readonly bids: PriceLevelType[];
  readonly asks: PriceLevelType[];
  readonly totalBidQuantity: DecimalText;
  readonly totalAskQuantity: DecimalText;
  readonly sequence: string;
  readonly exchangeTime: number | null;
}

function showBook(book: OrderBookEvent, depth: number): ShownBook {
  const [bids, asks] = [book.bids.slice(0, depth), book.asks.slice(0, depth)];
  return {
    symbolId: book.symbolId,
    bids: bids.map(toLevel),
    asks: asks.map(toLevel),
    totalBidQuantity: totalOf(bids),
    totalAskQuantity: totalOf(asks),
    sequence: String(book.exchangeSequence),
    exchangeTime: book.exchangeTimeMs,
  };
}

const toLevel = ([price, quantity]: BookLevel): PriceLevelType => ({ price, quantity });

const totalOf = (levels: readonly BookLevel[]): DecimalText =>
  fromFixedPoint(levels.reduce((sum, [, quantity]) => sum + toFixedPoint(quantity), 0n));

/** @throws {DomainError} BAD_USER_INPUT */
function depthOf(depth: number | null | undefined): number {
  const levels = depth ?? 20;
  if (!Number.isInteger(levels) || levels < 1 || levels > maxDepth) {
    throw badInput("depth", `depth must be from 1 to ${maxDepth}`);
  }
  return levels;
}

interface OrderBookArguments {
  readonly symbolId: string;
  readonly depth?: number | null;
  readonly intervalMs?: number | null;
}

@Resolver(() => OrderBookType)
export class OrderBookResolver {
  @FieldResolver(() => SymbolType, { description: "Whose book it is." })
  symbol(@Root() root: ShownBook, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => String, { description: "The exchange's number of the last change that is in it; grows." })
  sequence(@Root() root: ShownBook): string {
    return root.sequence;
  }

  @FieldResolver(() => DateTimeScalar, {
    nullable: true,
    description: "When the exchange made the last change; null where it does not say.",
  })
  exchangeTime(@Root() root: ShownBook): number | null {
    return root.exchangeTime;
  }

  @Query(() => OrderBookType, {
    nullable: true,
    description: "The book of a symbol now; null while there is none that can be trusted.",
  })
  async orderBook(
    @Arg("symbolId", () => ID, { description: "The symbol." }) symbolId: string,
    @Arg("depth", () => Int, { nullable: true, defaultValue: 20, description: depthDescription }) depth: number | null,
    @Ctx() context: ApiContext,
  ): Promise<ShownBook | null> {
    const levels = depthOf(depth);
    const book = await context.live.books.read(symbolOfId(context, "symbolId", symbolId).id);
    return book === undefined ? null : showBook(book, levels);
  }

  @Subscription(() => OrderBookType, {
    name: "orderBook",
    description:
      "The book of a symbol: as it is now, then after changes, at most one message per intervalMs. Slow readers get the newest book. " +
      "While the book cannot be trusted (connection lost, gap, wrong checksum) nothing comes.",
    subscribe: servedShared,
  })
  @Shared({ choosing: ["symbolId", "intervalMs"], watch: watchBook })
  liveOrderBook(
    @Root() book: OrderBookEvent,
    @Arg("symbolId", () => ID, { description: "The symbol." }) _symbolId: string,
    @Arg("depth", () => Int, { nullable: true, defaultValue: 20, description: depthDescription }) depth: number | null,
    @Arg("intervalMs", () => Int, { nullable: true, defaultValue: 250, description: intervalDescription }) _intervalMs:
      | number
      | null,
  ): ShownBook {
    return showBook(book, depthOf(depth));
  }
}

function watchBook(
  context: ApiContext,
  { symbolId, depth, intervalMs }: OrderBookArguments,
): SharedWatch<number, OrderBookEvent> {
  depthOf(depth);
  const { id } = symbolOfId(context, "symbolId", symbolId);
  return latestOf(context.live.books, id, intervalOf(intervalMs ?? 250));
}

@Resolver(() => SymbolType)
export class SymbolBookResolver {
  @FieldResolver(() => OrderBookType, {
    nullable: true,
    description: "Its book now; null while there is none that can be trusted.",
  })
  async orderBook(
    @Root() root: MarketSymbol,
    @Arg("depth", () => Int, { nullable: true, defaultValue: 20, description: depthDescription }) depth: number | null,
    @Ctx() { live }: ApiContext,
  ): Promise<ShownBook | null> {
    const levels = depthOf(depth);
    const book = await live.books.read(root.id);
    return book === undefined ? null : showBook(book, levels);
  }

  @FieldResolver(() => OrderFlowMetricsType, {
    nullable: true,
    description: "Its order flow over the last window; null without a live book of two sides.",
  })
  flow(@Root() root: MarketSymbol, @Ctx() { live }: ApiContext): Promise<OrderFlow | null> {
    return live.flows.read(root.id);
  }
}

@Resolver(() => OrderFlowMetricsType)
export class OrderFlowResolver {
  @FieldResolver(() => SymbolType, { description: "Whose flow it is." })
  symbol(@Root() root: OrderFlow, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => DateTimeScalar, { description: "End of the window." })
  at(@Root() root: OrderFlow): number {
    return root.atMs;
  }
}
