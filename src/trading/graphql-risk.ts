import { Arg, Ctx, Field, FieldResolver, Int, ObjectType, Resolver, Root } from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { enumOf, SymbolType } from "../catalogue/graphql-types.js";
import { type DecimalText, decimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";
import { requireScope } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { DateTimeScalar, DecimalScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import type { Account } from "./accounts.js";
import { AccountType } from "./graphql-types.js";
import { violationsOf } from "./read-risk.js";
import { riskScopes } from "./risk-rules.js";

const RiskScopeEnum = enumOf("RiskScope", riskScopes, "Whom a limit binds.", {
  GLOBAL: "Everybody.",
  USER: "All accounts of the user.",
  ACCOUNT: "The account.",
  STRATEGY: "Orders of one strategy.",
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
}

const maxViolations = 500;

@Resolver(() => RiskViolationType)
export class RiskViolationResolver {
  @FieldResolver(() => SymbolType, { description: "What was to be bought or sold." })
  symbol(@Root() root: { readonly symbolId: number }, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.symbolId);
  }
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
    const rows = await violationsOf(trading.database, userId, root.id, limit);
    return rows.map((row) => ({
      symbolId: row.symbol_id,
      scope: row.scope,
      limit: row.limit_name,
      value: decimalText(row.value),
      allowed: decimalText(row.limit_value),
      clientOrderId: row.client_order_id,
      occurredAt: row.occurred_at,
    }));
  }
}
