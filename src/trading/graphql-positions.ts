import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { PageArgs, symbolOfId } from "../catalogue/graphql.js";
import { SymbolType } from "../catalogue/graphql-types.js";
import { Decimal, type DecimalText, decimalText } from "../core/decimal.js";
import { notFound } from "../core/errors.js";
import { isUuid } from "../core/ids.js";
import { readingUser, requireScope } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader } from "../graphql/node.js";
import { DecimalScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import type { Account } from "./accounts.js";
import { loadersOf } from "./graphql-loaders.js";
import { connectionOf, keyOf, type OrderNode, orderNode, type PositionNode, positionNode } from "./graphql-nodes.js";
import { AccountType, OrderType, PositionConnectionType, PositionFilterInput, PositionType } from "./graphql-types.js";
import { rowOfOrder } from "./order-row.js";
import { pnlPercent, unrealizedPnl } from "./position.js";
import { keptPositionOfRow } from "./position-row.js";
import { listPositions, type PositionSearch } from "./read-positions.js";

@Resolver(() => PositionType)
export class PositionResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: PositionNode): string {
    return idField("Position")(root);
  }

  @FieldResolver(() => AccountType, { description: "Whose it is." })
  @Private()
  account(@Root() root: PositionNode, @Ctx() context: ApiContext): Promise<Account | undefined> {
    return loadersOf(context).accounts.get(root.accountId);
  }

  @FieldResolver(() => SymbolType, { description: "What is held." })
  symbol(@Root() root: PositionNode, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @FieldResolver(() => DecimalScalar, {
    nullable: true,
    description: "Live: the last price of the symbol; null before there is one.",
  })
  @Private()
  markPrice(@Root() root: PositionNode, @Ctx() { quotes }: ApiContext): DecimalText | null {
    return quotes.get(root.symbolId)?.price ?? null;
  }

  @FieldResolver(() => DecimalScalar, {
    nullable: true,
    description: "Live: what closing at the mark price would bring or cost, without commission.",
  })
  @Private()
  unrealizedPnl(@Root() root: PositionNode, @Ctx() context: ApiContext): DecimalText | null {
    return atMarkPrice(context, root, unrealizedPnl);
  }

  @FieldResolver(() => DecimalScalar, {
    nullable: true,
    description: "Live: the unrealised profit in per cent of the margin.",
  })
  @Private()
  pnlPercent(@Root() root: PositionNode, @Ctx() context: ApiContext): DecimalText | null {
    return atMarkPrice(context, root, pnlPercent);
  }

  @Query(() => PositionConnectionType, { description: "The viewer's positions, newest first." })
  @Private()
  @Costs(statementCost)
  positions(
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => PositionFilterInput, { nullable: true, description: "Only these." })
    filter: PositionFilterInput | null,
    @Ctx() context: ApiContext,
  ): Promise<object> {
    return positionsOfViewer(context, filter, page);
  }

  @Mutation(() => OrderType, {
    description: "Closes an open position at the market. Returns the order that does it.",
  })
  @Private()
  async closePosition(
    @Arg("id", () => ID, { description: "The position." }) id: string,
    @Ctx() context: ApiContext,
  ): Promise<OrderNode> {
    const { userId } = requireScope(context.viewer, "TRADE");
    const key = keyOf("Position", "id", id);
    const row = await loadersOf(context).positions.get(key);
    if (row === undefined) throw notFound("position");
    return orderNode(rowOfOrder(await context.trading.desk.closePosition(userId, row.account_id, key)));
  }
}

function atMarkPrice(
  { quotes }: ApiContext,
  { symbolId, row }: PositionNode,
  measure: (position: ReturnType<typeof keptPositionOfRow>["position"], markPrice: Decimal) => Decimal | null,
): DecimalText | null {
  const quote = quotes.get(symbolId);
  if (quote === undefined) return null;
  const value = measure(keptPositionOfRow(row).position, new Decimal(quote.price));
  return value === null ? null : decimalText(value);
}

/** The viewer's positions, for the query and for the field of a user. */
export async function positionsOfViewer(
  context: ApiContext,
  filter: PositionFilterInput | null | undefined,
  page: PageArgs,
): Promise<object> {
  const { userId } = requireScope(context.viewer, "READ");
  const search: PositionSearch = {
    ...(filter as Pick<PositionSearch, "statuses">),
    accountId: filter?.accountId == null ? null : keyOf("Account", "filter.accountId", filter.accountId),
    symbolId: filter?.symbolId == null ? null : symbolOfId(context, "filter.symbolId", filter.symbolId).id,
  };
  return connectionOf(await listPositions(context.trading.database, userId, search, page), positionNode);
}

export const positionNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = {
  Position: async (key, context) => {
    const row =
      readingUser(context.viewer) !== null && isUuid(key) ? await loadersOf(context).positions.get(key) : undefined;
    return row === undefined ? null : positionNode(row);
  },
};
