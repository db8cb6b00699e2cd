import { Arg, Ctx, ID, Query, Resolver } from "type-graphql";
import { catalogueNodes } from "../catalogue/graphql.js";
import { badInput } from "../core/errors.js";
import { parseGlobalId } from "../core/ids.js";
import { arbitrageNodes } from "../market-data/graphql-arbitrage.js";
import { dashboardNodes } from "../people/graphql-dashboard.js";
import { userNodes } from "../people/graphql-users.js";
import { accountNodes } from "../trading/graphql.js";
import { orderNodes } from "../trading/graphql-orders.js";
import { positionNodes } from "../trading/graphql-positions.js";
import { strategyNodes } from "../trading/graphql-strategies.js";
import type { ApiContext } from "./context.js";
import { NodeType } from "./node.js";

const loaders = new Map(
  Object.entries({
    ...catalogueNodes,
    ...arbitrageNodes,
    ...dashboardNodes,
    ...userNodes,
    ...accountNodes,
    ...orderNodes,
    ...positionNodes,
    ...strategyNodes,
  }),
);
const maxNodes = 100;

async function findNode(id: string, context: ApiContext): Promise<object | null> {
  const parsed = parseGlobalId(id);
  const node = parsed === null ? null : await loaders.get(parsed.type)?.(parsed.key, context);
  if (node == null || parsed === null) return null;
  return "__typename" in node ? node : { ...node, __typename: parsed.type };
}

@Resolver()
export class NodeResolver {
  @Query(() => NodeType, {
    nullable: true,
    description: "Anything by its id; null when there is nothing with that id.",
  })
  node(
    @Arg("id", () => ID, { description: "An id from this API." }) id: string,
    @Ctx() context: ApiContext,
  ): Promise<object | null> {
    return findNode(id, context);
  }

  @Query(() => [NodeType], {
    nullable: "items",
    description: "Several by their ids, in the same order; null where there is nothing.",
  })
  nodes(
    @Arg("ids", () => [ID], { description: "At most 100 ids from this API." }) ids: string[],
    @Ctx() context: ApiContext,
  ): Promise<(object | null)[]> {
    if (ids.length > maxNodes) throw badInput("ids", `ids must hold at most ${maxNodes} ids`);
    return Promise.all(ids.map((id) => findNode(id, context)));
  }
}
