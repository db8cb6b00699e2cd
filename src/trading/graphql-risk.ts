import {
  Arg,
  Args,
  Ctx,
  Field,
  FieldResolver,
  ID,
  InputType,
  Int,
  ObjectType,
  Query,
  Resolver,
  Root,
} from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { PageArgs } from "../catalogue/graphql.js";
import { enumOf, SymbolType } from "../catalogue/graphql-types.js";
import { type DecimalText, decimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";
import { globalId } from "../core/ids.js";
import { isOperator, requireScope } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { PageInfoType } from "../graphql/node.js";
import { DateTimeScalar, DecimalScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import type { Account } from "./accounts.js";
import { connectionOf, keyOf } from "./graphql-nodes.js";
import { AccountType } from "./graphql-types.js";
import type { ViolationRow } from "./ledger-rows.js";
import { listAllViolations, listOwnViolations, violationsOf } from "./read-risk.js";
import { riskScopes } from "./risk-rules.js";

export const RiskScopeEnum = enumOf("RiskScope", riskScopes, "Whom a limit binds.", {
  GLOBAL: "Everybody: each account by itself.",
  USER: "The user: each of the accounts by itself.",
  ACCOUNT: "The account.",
  STRATEGY: "Orders of one strategy, measured on the account that they are of.",
});

@ObjectType("RiskViolation", { simpleResolvers: true, description: "An order that a limit has stopped." })
class RiskViolationType {
  @Field(() => RiskScopeEnum, { description: "Whom the limit binds." })
  scope!: string;
  @Field(() => String, { description: "Name of the limit, e.g. maxOrderSize." })
  limit!: string;
  @Field(() => DecimalScalar, { description: "What it would have been." })
  value!: DecimalText;
  @Field(() => DecimalScalar, { description: "What is allowed." })
  allowed!: DecimalText;
  @Field(() => String, { nullable: true, description: "Of the order that was stopped, when it had one." })
  clientOrderId!: string | null;
  @Field(() => DateTimeScalar, { description: "When it was stopped." })
  occurredAt!: string;
  @Field(() => ID, { description: "Different for every one; sorts by time." })
  id!: string;
  @Field(() => ID, { description: "Whose order it was." })
  userId!: string;
  @Field(() => ID, { description: "The account of the order." })
  accountId!: string;
  @Field(() => ID, { nullable: true, description: "The strategy of the order." })
  strategyId!: string | null;
}

@ObjectType("RiskViolationEdge", { simpleResolvers: true, description: "A violation at its place in a list." })
class RiskViolationEdgeType {
  @Field(() => String, { description: "For `after` and `before`." })
  cursor!: string;
  @Field(() => RiskViolationType, { description: "The violation." })
  node!: object;
}
@ObjectType("RiskViolationConnection", { simpleResolvers: true, description: "One page of a list of violations." })
class RiskViolationConnectionType {
  @Field(() => [RiskViolationEdgeType], { description: "The page's violations with their places." })
  edges!: readonly RiskViolationEdgeType[];
  @Field(() => [RiskViolationType], { description: "The page's violations." })
  nodes!: readonly object[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
}

@InputType("RiskViolationFilter", { description: "Conditions that a violation must all meet." })
class RiskViolationFilterInput {
  @Field(() => ID, { nullable: true, description: "Operators: of this user." })
  userId?: string | null;
  @Field(() => ID, { nullable: true, description: "Of this account." })
  accountId?: string | null;
  @Field(() => ID, { nullable: true, description: "Of this strategy." })
  strategyId?: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "At this instant or later." })
  from?: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "Before this instant." })
  to?: Date | null;
}

const maxViolations = 500;

/** Ids as the API shows them; null where a filter has none. */
export const optionalKey = (type: "User" | "Account" | "Strategy", field: string, id: string | null | undefined) =>
  id == null ? null : keyOf(type, field, id);
export const optionalId = (type: string, key: string | null): string | null =>
  key === null ? null : globalId(type, key);

const violationNode = (row: ViolationRow) => ({
  id: globalId("RiskViolation", row.id),
  userId: globalId("User", row.user_id),
  accountId: globalId("Account", row.account_id),
  strategyId: optionalId("Strategy", row.strategy_id),
  symbolId: row.symbol_id,
  scope: row.scope,
  limit: row.limit_name,
  value: decimalText(row.value),
  allowed: decimalText(row.limit_value),
  clientOrderId: row.client_order_id,
  occurredAt: row.occurred_at,
});

@Resolver(() => RiskViolationType)
export class RiskViolationResolver {
  @FieldResolver(() => SymbolType, { description: "What was to be bought or sold." })
  symbol(@Root() root: { readonly symbolId: number }, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }

  @Query(() => RiskViolationConnectionType, {
    description: "Orders that limits have stopped, newest first: the viewer's, for operators everybody's.",
  })
  @Private()
  @Costs(statementCost)
  async riskViolations(
    @Args(() => PageArgs) page: PageArgs,
    @Arg("filter", () => RiskViolationFilterInput, { nullable: true, description: "Only these." })
    filter: RiskViolationFilterInput | null,
    @Ctx() { viewer, trading: { database } }: ApiContext,
  ): Promise<object> {
    const search = {
      userId: optionalKey("User", "filter.userId", filter?.userId),
      accountId: optionalKey("Account", "filter.accountId", filter?.accountId),
      strategyId: optionalKey("Strategy", "filter.strategyId", filter?.strategyId),
      from: filter?.from,
      to: filter?.to,
    };
    if (isOperator(viewer)) return connectionOf(await listAllViolations(database, search, page), violationNode);
    const { userId } = requireScope(viewer, "READ");
    requireOwn(userId, search.userId);
    return connectionOf(await listOwnViolations(database, userId, search, page), violationNode);
  }
}

/** @throws {DomainError} BAD_USER_INPUT for somebody else: only operators ask about others */
export function requireOwn(userId: string, asked: string | null): void {
  if (asked !== null && asked !== userId) throw badInput("filter.userId", "only operators may ask about other users");
}

@Resolver(() => AccountType)
export class AccountRiskResolver {
  @FieldResolver(() => [RiskViolationType], { description: "Orders that limits have stopped, newest first." })
  @Private()
  @Costs(statementCost)
  async riskViolations(
    @Root() root: Account,
    @Arg("first", () => Int, {
      nullable: true,
      defaultValue: 50,
      description: `How many at most; 1 to ${maxViolations}.`,
    })
    first: number | null,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<object[]> {
    const { userId } = requireScope(viewer, "READ");
    const limit = first ?? 50;
    if (!Number.isInteger(limit) || limit < 1 || limit > maxViolations)
      throw badInput("first", `first must be from 1 to ${maxViolations}`);
    return (await violationsOf(trading.database, userId, root.id, limit)).map(violationNode);
  }
}
