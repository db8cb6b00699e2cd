import { Arg, Ctx, Field, Int, ObjectType, Query, Resolver } from "type-graphql";
import { enumOf } from "../catalogue/graphql-types.js";
import { requireOperator } from "../core/viewer.js";
import { type Severity, severities } from "../db/checks/data-check.js";
import type { ApiContext } from "../graphql/context.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import type { KnownResult } from "./data-quality.js";

const SeverityEnum = enumOf("Severity", severities, "How grave it is.", {
  CRITICAL: "Money, privacy or the data itself is at stake: look at it now.",
  HIGH: "Something does not work, or soon will not.",
  MEDIUM: "Something works worse than it should.",
  LOW: "To be put in order some time.",
});

@ObjectType("DataQualityCheck", { description: "A rule of the data, and what breaks it." })
class DataQualityCheckType {
  @Field(() => String, { description: "Name of the rule, e.g. ledger-balances; the same in the metrics." })
  name!: string;
  @Field(() => SeverityEnum, { description: "How grave it is when the rule is broken." })
  severity!: string;
  @Field(() => Boolean, { description: "Whether the rule is kept; false also when that could not be found out." })
  passed!: boolean;
  @Field(() => Int, {
    nullable: true,
    description: "How many break it, at most 1,000; null: it could not be found out.",
  })
  count!: number | null;
  @Field(() => Boolean, { description: "True when there are more than were counted." })
  hasMore!: boolean;
  @Field(() => [String], { description: "Some of those that break it, by their keys in the database." })
  sampleIds!: readonly string[];
  @Field(() => String, { description: "What to do about it." })
  advice!: string;
  @Field(() => String, { nullable: true, description: "Why it could not be found out: a code of Postgres." })
  error!: string | null;
  @Field(() => String, { nullable: true, description: "Why there was nothing to check." })
  skipped!: string | null;
  @Field(() => Int, { description: "How long the check took, in milliseconds." })
  durationMs!: number;
  @Field(() => DateTimeScalar, { description: "When it was last looked at: every quarter of an hour, by a worker." })
  checkedAt!: Date;
}

@Resolver()
export class DataQualityResolver {
  @Private()
  @Costs(statementCost)
  @Query(() => [DataQualityCheckType], {
    description:
      "Operators: what the workers found when they last checked the data of the past day, the gravest first; empty before any has. The command validate checks all of it.",
  })
  dataQuality(
    @Arg("failingOnly", () => Boolean, { defaultValue: false, description: "Leave out the rules that are kept." })
    failingOnly: boolean,
    @Arg("severity", () => SeverityEnum, {
      nullable: true,
      description: "Only rules of this severity and graver ones.",
    })
    severity: Severity | null,
    @Ctx() { viewer, readDataQuality }: ApiContext,
  ): Promise<KnownResult[]> {
    requireOperator(viewer);
    return readDataQuality({ failingOnly, ...(severity === null ? {} : { severity }) });
  }
}
