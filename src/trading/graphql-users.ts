import type { GraphQLResolveInfo } from "graphql";
import { Arg, Args, Ctx, FieldResolver, Info, Resolver, Root } from "type-graphql";
import { PageArgs } from "../catalogue/graphql.js";
import { DomainError } from "../core/errors.js";
import { requireScope } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import { UserType } from "../people/graphql-types.js";
import { type Account, accountsOf } from "./accounts.js";
import { ordersOfViewer } from "./graphql-orders.js";
import { positionsOfViewer } from "./graphql-positions.js";
import {
  AccountType,
  OrderConnectionType,
  OrderFilterInput,
  PositionConnectionType,
  PositionFilterInput,
} from "./graphql-types.js";

@Resolver(() => UserType)
export class UserTradingResolver {
  @FieldResolver(() => [AccountType], { description: "The user's accounts, oldest first." })
  @Private()
  @Costs(statementCost)
  accounts(@Root() root: { id: string }, @Ctx() context: ApiContext): Promise<Account[]> {
    return accountsOf(context.trading.database, requireSelf(context, root));
  }

  @FieldResolver(() => OrderConnectionType, { description: "The user's orders, newest first." })
  @Private()
  @Costs(statementCost)
  orders(
    @Root() root: { id: string },
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => OrderFilterInput, { nullable: true, description: "Only these." })
    filter: OrderFilterInput | null,
    @Ctx() context: ApiContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<object> {
    requireSelf(context, root);
    return ordersOfViewer(context, filter, page, info);
  }

  @FieldResolver(() => PositionConnectionType, { description: "The user's positions, newest first." })
  @Private()
  @Costs(statementCost)
  positions(
    @Root() root: { id: string },
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => PositionFilterInput, { nullable: true, description: "Only these." })
    filter: PositionFilterInput | null,
    @Ctx() context: ApiContext,
  ): Promise<object> {
    requireSelf(context, root);
    return positionsOfViewer(context, filter, page);
  }
}

/** What users own is for themselves alone. */
function requireSelf({ viewer }: ApiContext, { id }: { readonly id: string }): string {
  const { userId } = requireScope(viewer, "READ");
  if (userId !== id) throw new DomainError("FORBIDDEN", "this is for the user alone");
  return userId;
}
