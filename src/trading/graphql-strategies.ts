import { Arg, Ctx, Field, FieldResolver, ID, Mutation, ObjectType, Query, Resolver, Root } from "type-graphql";
import { isUuid } from "../core/ids.js";
import { readingUser, requireScope } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader, NodeType } from "../graphql/node.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import { loadersOf } from "./graphql-loaders.js";
import { keyOf, type OrderNode } from "./graphql-nodes.js";
import { OrderType } from "./graphql-types.js";
import { createStrategy, removeStrategy, type Strategy, strategiesOf } from "./strategies.js";

@ObjectType("Strategy", {
  implements: NodeType,
  simpleResolvers: true,
  description: "What a user calls the orders that belong together. Limits may bind them.",
})
class StrategyType extends NodeType {
  @Field(() => String, { description: "What its user calls it." })
  name!: string;
  @Field(() => DateTimeScalar, { description: "When it was made." })
  createdAt!: string;
}

@Resolver(() => StrategyType)
export class StrategyResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: Strategy): string {
    return idField("Strategy")(root);
  }

  @Query(() => [StrategyType], { description: "The viewer's strategies, oldest first." })
  @Private()
  @Costs(statementCost)
  strategies(@Ctx() { viewer, trading }: ApiContext): Promise<Strategy[]> {
    return strategiesOf(trading.database, requireScope(viewer, "READ").userId);
  }

  @Mutation(() => StrategyType, { description: "Makes a strategy, which orders can then name." })
  @Private()
  createStrategy(
    @Arg("name", () => String, { description: "What to call it; no two of a user have one name." }) name: string,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<Strategy> {
    const { userId } = requireScope(viewer, "TRADE");
    return createStrategy(trading.database, trading.accounts.clock, userId, name);
  }

  @Mutation(() => ID, { description: "Ends a strategy: no new order names it. Those that do keep it. Returns the id." })
  @Private()
  async removeStrategy(
    @Arg("id", () => ID, { description: "The strategy." }) id: string,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<string> {
    const { userId } = requireScope(viewer, "TRADE");
    await removeStrategy(trading.database, trading.accounts.clock, userId, keyOf("Strategy", "id", id));
    return id;
  }
}

@Resolver(() => OrderType)
export class OrderStrategyResolver {
  @FieldResolver(() => StrategyType, { nullable: true, description: "The strategy that it belongs to; null: none." })
  @Private()
  async strategy(@Root() root: OrderNode, @Ctx() context: ApiContext): Promise<Strategy | null> {
    return root.strategyId === null ? null : ((await loadersOf(context).strategies.get(root.strategyId)) ?? null);
  }
}

/** Only those of the viewer: the database shows no others. */
export const strategyNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = {
  Strategy: async (key, context) =>
    readingUser(context.viewer) !== null && isUuid(key)
      ? ((await loadersOf(context).strategies.get(key)) ?? null)
      : null,
};
