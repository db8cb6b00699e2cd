import { Arg, Args, ArgsType, Ctx, Field, Float, ID, Int, Mutation, ObjectType, Query, Resolver } from "type-graphql";
import { enumOf } from "../catalogue/graphql-types.js";
import { badInput } from "../core/errors.js";
import { globalId, isUuid, parseGlobalId } from "../core/ids.js";
import { requireOperator } from "../core/viewer.js";
import type { DeadLetter, ProjectionState } from "../events/dead-letters.js";
import type { ApiContext } from "../graphql/context.js";
import { PageInfoType } from "../graphql/node.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";

const ProjectionStatusEnum = enumOf(
  "ProjectionStatus",
  ["RUNNING", "REBUILDING", "FAILED"],
  "What a projection of the events does.",
  {
    RUNNING: "It takes in events as they come.",
    REBUILDING: "It is made anew from the first event on.",
    FAILED: "Its newest attempt failed; it is tried again.",
  },
);

@ObjectType("EventProjection", {
  description: "Something that is made of the events of accounts, and how far it has come.",
})
class EventProjectionType {
  @Field(() => String, { description: "Its name, for `rebuildProjection`." })
  name!: string;
  @Field(() => ProjectionStatusEnum, { description: "What it does." })
  status!: string;
  @Field(() => Float, { description: "How many events it has taken in since it was made anew." })
  eventCount!: number;
  @Field(() => Float, { description: "How many events it has still to take in." })
  behind!: number;
  @Field(() => Float, { description: "How old the oldest of those is, in milliseconds." })
  behindMs!: number;
  @Field(() => String, { nullable: true, description: "What went wrong at its newest attempt; null when nothing did." })
  error!: string | null;
  @Field(() => Float, { description: "How many attempts have failed." })
  errorCount!: number;
  @Field(() => Int, { description: "Events that it could not take in after all attempts, and that were not replayed." })
  deadLetters!: number;
  @Field(() => DateTimeScalar, { description: "When it last changed." })
  updatedAt!: Date;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it had last been made anew." })
  rebuiltAt!: Date | null;
}

@ObjectType("DeadLetter", { description: "An event that a consumer could not take in after all attempts." })
class DeadLetterType {
  @Field(() => ID, { description: "For `replayDeadLetter`." })
  id!: string;
  @Field(() => String, { description: "Who could not take it in: a projection, or `bus`." })
  consumer!: string;
  @Field(() => String, { nullable: true, description: "What happened, e.g. filled." })
  eventType!: string | null;
  @Field(() => ID, { description: "The account that it happened on." })
  accountId!: string;
  @Field(() => String, { description: "Its number among the events of the account." })
  sequence!: string;
  @Field(() => Int, { description: "How often it was tried." })
  attempts!: number;
  @Field(() => String, { description: "What went wrong at the newest attempt." })
  error!: string;
  @Field(() => DateTimeScalar, { description: "When it was given up." })
  failedAt!: Date;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: "When it was replayed with success; null: it is still dead.",
  })
  replayedAt!: Date | null;
}

@ObjectType("DeadLetterEdge", { description: "A dead letter and its place in the list." })
class DeadLetterEdgeType {
  @Field(() => String, { description: "Its place, for `after`." })
  cursor!: string;
  @Field(() => DeadLetterType, { description: "The dead letter." })
  node!: DeadLetterType;
}

@ObjectType("DeadLetterConnection", { description: "One page of dead letters." })
class DeadLetterConnectionType {
  @Field(() => [DeadLetterEdgeType], { description: "The page with the places." })
  edges!: readonly DeadLetterEdgeType[];
  @Field(() => [DeadLetterType], { description: "The page." })
  nodes!: readonly DeadLetterType[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
}

@ArgsType()
class DeadLetterArguments {
  @Field(() => String, { nullable: true, description: "Only those of this consumer." })
  consumer?: string | null;
  @Field(() => Boolean, { defaultValue: false, description: "Also those that were replayed." })
  includeReplayed!: boolean;
  @Field(() => Int, { defaultValue: 50, description: "How many; at most 500." })
  first!: number;
  @Field(() => String, { nullable: true, description: "Cursor of the letter before the page." })
  after?: string | null;
}

const maxPage = 500;

@Resolver()
export class EventOperatorResolver {
  @Private()
  @Costs(statementCost)
  @Query(() => [EventProjectionType], {
    description: "Operators: what is made of the events of accounts, and how far each has come.",
  })
  eventProjections(@Ctx() { viewer, trading }: ApiContext): Promise<ProjectionState[]> {
    requireOperator(viewer);
    return trading.eventOperations.projections();
  }

  @Private()
  @Costs(statementCost)
  @Query(() => DeadLetterConnectionType, {
    description: "Operators: events that a consumer could not take in after all attempts; the newest first.",
  })
  async deadLetters(
    @Args(() => DeadLetterArguments) { consumer, includeReplayed, first, after }: DeadLetterArguments,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<DeadLetterConnectionType> {
    requireOperator(viewer);
    if (first < 0 || first > maxPage) throw badInput("first", `first must be from 0 to ${maxPage}`);
    const found = await trading.eventOperations.deadLetters({
      consumer: consumer ?? null,
      includeReplayed,
      first,
      after: after == null ? null : keyOfLetter("after", after),
    });
    const nodes = found.slice(0, first).map(shown);
    const edges = nodes.map((node) => ({ cursor: node.id, node }));
    const pageInfo = {
      hasNextPage: found.length > first,
      hasPreviousPage: after != null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    };
    return { edges, nodes, pageInfo };
  }

  @Mutation(() => DeadLetterType, {
    description:
      "Operators: gives a dead letter to its consumer once more. `replayedAt` says whether it was taken in; one that was replayed already is left as it is.",
  })
  async replayDeadLetter(
    @Arg("id", () => ID, { description: "Of the dead letter." }) id: string,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<DeadLetterType> {
    requireOperator(viewer);
    return shown(await trading.eventOperations.replay(keyOfLetter("id", id)));
  }

  @Mutation(() => EventProjectionType, {
    description:
      "Operators: makes a projection anew from the first event on; meanwhile it shows what it has taken in so far.",
  })
  rebuildProjection(
    @Arg("name", () => String, { description: "Name of the projection." }) name: string,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<ProjectionState> {
    requireOperator(viewer);
    return trading.eventOperations.rebuild(name);
  }
}

const shown = ({ id, accountId, sequence, ...letter }: DeadLetter): DeadLetterType => ({
  ...letter,
  id: globalId("DeadLetter", id),
  accountId: globalId("Account", accountId),
  sequence: String(sequence),
});

function keyOfLetter(field: string, id: string): string {
  const parsed = parseGlobalId(id);
  if (parsed?.type !== "DeadLetter" || !isUuid(parsed.key)) throw badInput(field, `${field} is not of a dead letter`);
  return parsed.key;
}
