import { Ctx, Field, Float, Int, ObjectType, Query, Resolver } from "type-graphql";
import { enumOf } from "../catalogue/graphql-types.js";
import { requireOperator } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { DateTimeScalar, JsonScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import type { JobState } from "./read-jobs.js";
import { jobResultEnum } from "./tables.js";

const JobResultEnum = enumOf("JobResult", jobResultEnum.enumValues, "How a job ended.", {
  OK: "It is done.",
  FAILED: "It is not; it is tried again when it is due.",
});

@ObjectType("Job", { description: "Work that one node of the installation does again and again." })
class JobType {
  @Field(() => String, { description: "Its name, e.g. drop-old-series." })
  name!: string;
  @Field(() => Float, { description: "Between the beginnings of two runs, in milliseconds." })
  everyMs!: number;
  @Field(() => DateTimeScalar, { description: "When it is due; in the past while it is being done." })
  nextRunAt!: Date;
  @Field(() => Boolean, {
    description: "Whether it is being done. If its node has died, another takes over within seconds.",
  })
  isRunning!: boolean;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it was last begun; null: never." })
  lastStartedAt!: Date | null;
  @Field(() => Int, { nullable: true, description: "How long the last run that ended took, in milliseconds." })
  lastDurationMs!: number | null;
  @Field(() => JobResultEnum, { nullable: true, description: "How the last run ended; null: none has." })
  lastResult!: JobState["lastResult"];
  @Field(() => JsonScalar, { description: "What the last run has done: numbers by name, e.g. of rows." })
  lastCounts!: object;
  @Field(() => String, { nullable: true, description: "Why the last run failed: a sentence, or a code." })
  lastError!: string | null;
  @Field(() => String, { nullable: true, description: "By which the node's log tells more of that." })
  lastErrorId!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "When a run last ended well." })
  lastSucceededAt!: Date | null;
  @Field(() => String, { nullable: true, description: "Which node has begun it last: host name and process." })
  node!: string | null;
  @Field(() => Float, { description: "Runs that ended, since the installation was made." })
  runs!: number;
  @Field(() => Float, { description: "Those of them that failed." })
  failures!: number;
}

@Resolver()
export class JobResolver {
  @Private()
  @Costs(statementCost)
  @Query(() => [JobType], { description: "Operators: what is done in the background, on whatever node, by name." })
  jobs(@Ctx() { viewer, readJobs }: ApiContext): Promise<JobState[]> {
    requireOperator(viewer);
    return readJobs();
  }
}
