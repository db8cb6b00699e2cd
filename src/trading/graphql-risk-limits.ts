import { Arg, Args, Ctx, Field, ID, InputType, Int, Mutation, ObjectType, Query, Resolver } from "type-graphql";
import { PageArgs } from "../catalogue/graphql.js";
import { enumOf } from "../catalogue/graphql-types.js";
import { type DecimalText, decimalText } from "../core/decimal.js";
import { badInput, DomainError } from "../core/errors.js";
import { globalId } from "../core/ids.js";
import { isOperator, requireScope, requireSession } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { PageInfoType } from "../graphql/node.js";
import { DateTimeScalar, DecimalScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import { connectionOf, keyOf } from "./graphql-nodes.js";
import { optionalId, optionalKey, RiskScopeEnum, requireOwn } from "./graphql-risk.js";
import {
  listAllLimits,
  listOwnLimits,
  type RiskLimitRow,
  type RiskTarget,
  removeOperatorLimit,
  removeOwnLimit,
  setOperatorLimit,
  setOwnLimit,
} from "./risk-limits.js";
import type { RiskScope } from "./risk-rules.js";
import { riskLimitAuthorEnum } from "./tables.js";

const RiskLimitAuthorEnum = enumOf("RiskLimitAuthor", riskLimitAuthorEnum.enumValues, "Who has set limits.", {
  OPERATOR: "An operator; the user can only set tighter ones beside them.",
  USER: "The user, for himself.",
});

@ObjectType("RiskLimit", {
  simpleResolvers: true,
  description:
    "What orders may not exceed. All limits that bind an order count, so the tightest decides. What makes a position smaller is never stopped: an order that is reduce-only, or that can only close what is open, together with the open orders of its side. Of one that turns a position round, what it opens counts.",
})
class RiskLimitType {
  @Field(() => ID, { description: "Different for every one; sorts by time." })
  id!: string;
  @Field(() => RiskScopeEnum, { description: "Whom it binds." })
  scope!: string;
  @Field(() => RiskLimitAuthorEnum, { description: "Who has set it." })
  setBy!: string;
  @Field(() => ID, { nullable: true, description: "The user whom it binds; null: everybody." })
  userId!: string | null;
  @Field(() => ID, { nullable: true, description: "The account that it binds; null: it is not about one." })
  accountId!: string | null;
  @Field(() => ID, { nullable: true, description: "The strategy that it binds; null: it is not about one." })
  strategyId!: string | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description:
      "Worth of one order, in quote currency: of a purchase at its price, of a sale at what it would get if that is more. Null: no limit.",
  })
  maxOrderSize!: DecimalText | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: "Worth of what is held of one symbol, with all open orders filled, in quote currency; null: no limit.",
  })
  maxPositionSize!: DecimalText | null;
  @Field(() => Int, { nullable: true, description: "Leverage of an order; null: no limit." })
  maxLeverage!: number | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description:
      "Loss of an account since midnight UTC, realised and not, in the currency of its exchange: when it is reached, nothing more is opened. What is paid in or out is no profit and no loss. Null: no limit.",
  })
  maxDailyLoss!: DecimalText | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: "The same in per cent of the equity at midnight; null: no limit.",
  })
  maxDailyLossPercent!: DecimalText | null;
  @Field(() => DecimalScalar, {
    nullable: true,
    description: "Loss of an account from its highest equity, in per cent of that; null: no limit.",
  })
  maxDrawdownPercent!: DecimalText | null;
  @Field(() => Int, { nullable: true, description: "Open positions of an account; null: no limit." })
  maxOpenPositions!: number | null;
  @Field(() => Boolean, { description: "Whether it counts." })
  isEnabled!: boolean;
  @Field(() => DateTimeScalar, { description: "When it was first set." })
  createdAt!: string;
  @Field(() => DateTimeScalar, { description: "When it last changed." })
  updatedAt!: string;
}

@ObjectType("RiskLimitEdge", { simpleResolvers: true, description: "A limit at its place in a list." })
class RiskLimitEdgeType {
  @Field(() => String, { description: "For `after` and `before`." })
  cursor!: string;
  @Field(() => RiskLimitType, { description: "The limit." })
  node!: object;
}
@ObjectType("RiskLimitConnection", { simpleResolvers: true, description: "One page of a list of limits." })
class RiskLimitConnectionType {
  @Field(() => [RiskLimitEdgeType], { description: "The page's limits with their places." })
  edges!: readonly RiskLimitEdgeType[];
  @Field(() => [RiskLimitType], { description: "The page's limits." })
  nodes!: readonly object[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
}

@InputType("RiskLimitFilter", { description: "Conditions that a limit must all meet." })
class RiskLimitFilterInput {
  @Field(() => RiskScopeEnum, { nullable: true, description: "Of this scope." })
  scope?: RiskScope | null;
  @Field(() => ID, { nullable: true, description: "Operators: of this user, the accounts and the strategies." })
  userId?: string | null;
  @Field(() => ID, { nullable: true, description: "Of this account." })
  accountId?: string | null;
  @Field(() => ID, { nullable: true, description: "Of this strategy." })
  strategyId?: string | null;
}

@InputType("SetRiskLimitInput", {
  description: "Limits of one target. A limit that is left out stays as it is; null takes it away.",
})
class SetRiskLimitInput {
  @Field(() => RiskScopeEnum, { description: "Whom they bind." })
  scope!: RiskScope;
  @Field(() => ID, { nullable: true, description: "For scope USER; the viewer when it is left out." })
  userId?: string | null;
  @Field(() => ID, { nullable: true, description: "For scope ACCOUNT." })
  accountId?: string | null;
  @Field(() => ID, { nullable: true, description: "For scope STRATEGY." })
  strategyId?: string | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Worth of one order, in quote currency." })
  maxOrderSize?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Worth of what is held of one symbol." })
  maxPositionSize?: DecimalText | null;
  @Field(() => Int, { nullable: true, description: "1 to 125." })
  maxLeverage?: number | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Since midnight UTC, in the currency of the exchange." })
  maxDailyLoss?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "Since midnight UTC; 0 to 100." })
  maxDailyLossPercent?: DecimalText | null;
  @Field(() => DecimalScalar, { nullable: true, description: "From the highest equity; 0 to 100." })
  maxDrawdownPercent?: DecimalText | null;
  @Field(() => Int, { nullable: true, description: "Open positions of an account." })
  maxOpenPositions?: number | null;
  @Field(() => Boolean, { nullable: true, description: "Whether they count; true when they are first set." })
  isEnabled?: boolean | null;
}

const textOrNull = (value: string | null): DecimalText | null => (value === null ? null : decimalText(value));

const limitNode = (row: RiskLimitRow) => ({
  id: globalId("RiskLimit", row.id),
  scope: row.scope,
  setBy: row.set_by,
  userId: optionalId("User", row.user_id),
  accountId: optionalId("Account", row.account_id),
  strategyId: optionalId("Strategy", row.strategy_id),
  maxOrderSize: textOrNull(row.max_order_size),
  maxPositionSize: textOrNull(row.max_position_size),
  maxLeverage: row.max_leverage,
  maxDailyLoss: textOrNull(row.max_daily_loss),
  maxDailyLossPercent: textOrNull(row.max_daily_loss_percent),
  maxDrawdownPercent: textOrNull(row.max_drawdown_percent),
  maxOpenPositions: row.max_open_positions,
  isEnabled: row.is_enabled,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

@Resolver(() => RiskLimitType)
export class RiskLimitResolver {
  @Query(() => RiskLimitConnectionType, {
    description: "The limits that bind the viewer, newest first; for operators everybody's.",
  })
  @Private()
  @Costs(statementCost)
  async riskLimits(
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => RiskLimitFilterInput, { nullable: true, description: "Only these." })
    filter: RiskLimitFilterInput | null,
    @Ctx() { viewer, trading: { database } }: ApiContext,
  ): Promise<object> {
    const search = {
      scope: filter?.scope,
      userId: optionalKey("User", "filter.userId", filter?.userId),
      accountId: optionalKey("Account", "filter.accountId", filter?.accountId),
      strategyId: optionalKey("Strategy", "filter.strategyId", filter?.strategyId),
    };
    if (isOperator(viewer)) return connectionOf(await listAllLimits(database, search, page), limitNode);
    const { userId } = requireScope(viewer, "READ");
    requireOwn(userId, search.userId);
    return connectionOf(await listOwnLimits(database, userId, search, page), limitNode);
  }

  @Mutation(() => RiskLimitType, {
    description:
      "Sets limits; they bind every order from now on, on every node. Operators set them for everybody, a user, an account or a strategy; users for themselves, none looser than an operator's.",
  })
  @Private()
  async setRiskLimit(
    @Arg("input", () => SetRiskLimitInput, { description: "The limits." }) input: SetRiskLimitInput,
    @Ctx() context: ApiContext,
  ): Promise<object> {
    const { viewer, trading } = context;
    const { scope: _scope, userId: _user, accountId: _account, strategyId: _strategy, ...change } = input;
    const viewerId = viewer?.kind === "user" ? viewer.userId : null;
    if (isOperator(viewer)) {
      const target = targetOf(input, viewerId);
      return limitNode(await setOperatorLimit(trading.accounts, context, target, change));
    }
    const { userId } = requireSession(viewer);
    requireScope(viewer, "TRADE");
    const target = targetOf(input, userId);
    if (target.scope === "GLOBAL" || (target.scope === "USER" && target.userId !== userId))
      throw new DomainError("FORBIDDEN", "only operators set limits for others");
    return limitNode(await setOwnLimit(trading.accounts, userId, target, change));
  }

  @Mutation(() => ID, {
    description: "Takes limits away: operators any, users those that they have set. Returns the id.",
  })
  @Private()
  async removeRiskLimit(
    @Arg("id", () => ID, { description: "The limit." }) id: string,
    @Ctx() context: ApiContext,
  ): Promise<string> {
    const { viewer, trading } = context;
    if (isOperator(viewer)) {
      await removeOperatorLimit(trading.accounts, context, keyOf("RiskLimit", "id", id));
      return id;
    }
    const { userId } = requireSession(viewer);
    requireScope(viewer, "TRADE");
    await removeOwnLimit(trading.accounts, userId, keyOf("RiskLimit", "id", id));
    return id;
  }
}

/** @throws {DomainError} BAD_USER_INPUT for an id that is missing, or one that the scope does not have */
function targetOf(input: SetRiskLimitInput, viewerId: string | null): RiskTarget {
  const { scope, userId, accountId, strategyId } = input;
  const given = { userId, accountId, strategyId };
  const wanted = ({ GLOBAL: null, USER: "userId", ACCOUNT: "accountId", STRATEGY: "strategyId" } as const)[scope];
  for (const name of ["userId", "accountId", "strategyId"] as const)
    if (given[name] != null && name !== wanted) throw badInput(name, `limits of scope ${scope} have no ${name}`);
  const missing = (name: string) => badInput(name, `limits of scope ${scope} need ${name}`);
  switch (scope) {
    case "GLOBAL":
      return { scope };
    case "USER": {
      const key = userId == null ? viewerId : keyOf("User", "userId", userId);
      if (key === null) throw missing("userId");
      return { scope, userId: key };
    }
    case "ACCOUNT":
      if (accountId == null) throw missing("accountId");
      return { scope, accountId: keyOf("Account", "accountId", accountId) };
    case "STRATEGY":
      if (strategyId == null) throw missing("strategyId");
      return { scope, strategyId: keyOf("Strategy", "strategyId", strategyId) };
  }
}
