import {
  Args,
  ArgsType,
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
import { badInput } from "../core/errors.js";
import { globalId, isUuid, parseGlobalId } from "../core/ids.js";
import { requireOperator } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { PageInfoType } from "../graphql/node.js";
import { DateTimeScalar, JsonScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import { type AuditPage, auditCursor, type RecordedEvent } from "./audit.js";

@ObjectType("AuditEvent", {
  description:
    "Something that was written down: a sign-in, a change of keys, an operator's work. Never changed and never deleted.",
})
class AuditEventType {
  @Field(() => DateTimeScalar, { description: "When it happened." })
  occurredAt!: Date;
  @Field(() => String, { description: "What was done to what, e.g. session.start, api-key.revoke, market.set-status." })
  action!: string;
  @Field(() => JsonScalar, {
    description:
      "What it was done to (`target`), by what kind of credential (`by`), and what else there is to say: ids and codes.",
  })
  details!: object;
}

@ObjectType("AuditEventEdge", { description: "An event and its place in the list." })
class AuditEventEdgeType {
  @Field(() => String, { description: "Its place, for `after` and `before`." })
  cursor!: string;
  @Field(() => AuditEventType, { description: "The event." })
  node!: RecordedEvent;
}

@ObjectType("AuditEventConnection", { description: "One page of a list of events." })
class AuditEventConnectionType {
  @Field(() => [AuditEventEdgeType], { description: "The page's events with their places." })
  edges!: readonly AuditEventEdgeType[];
  @Field(() => [AuditEventType], { description: "The page's events." })
  nodes!: readonly RecordedEvent[];
  @Field(() => PageInfoType, { description: "Where the page begins and ends." })
  pageInfo!: PageInfoType;
}

@InputType("AuditEventFilter", {
  description: "Conditions that an event must all meet. A condition that is left out or null does not count.",
})
class AuditEventFilterInput {
  @Field(() => String, { nullable: true, description: "What happened, e.g. session.failed." })
  action?: string | null;
  @Field(() => ID, { nullable: true, description: "The user whose account it is about." })
  userId?: string | null;
  @Field(() => ID, { nullable: true, description: "The user who did it." })
  actorId?: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "Not before this instant." })
  from?: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "Before this instant." })
  to?: Date | null;
}

@ArgsType()
class AuditEventArguments {
  @Field(() => AuditEventFilterInput, { nullable: true, description: "Conditions on the events." })
  filter?: AuditEventFilterInput | null;
  @Field(() => Int, { nullable: true, description: "How many from the beginning, or after `after`; at most 500." })
  first?: number | null;
  @Field(() => String, { nullable: true, description: "Cursor of the event before the page." })
  after?: string | null;
  @Field(() => Int, { nullable: true, description: "How many from the end, or before `before`; at most 500." })
  last?: number | null;
  @Field(() => String, { nullable: true, description: "Cursor of the event behind the page." })
  before?: string | null;
}

@Resolver(() => AuditEventType)
export class AuditResolver {
  @Private()
  @Costs(statementCost)
  @Query(() => AuditEventConnectionType, {
    description: "Operators: who signed in, changed a key, or did an operator's work; the newest first.",
  })
  async auditEvents(
    @Args(() => AuditEventArguments) { filter, ...page }: AuditEventArguments,
    @Ctx() { viewer, readAudit }: ApiContext,
  ): Promise<AuditEventConnectionType> {
    requireOperator(viewer);
    const { userId, actorId, ...conditions } = filter ?? {};
    const search = { ...conditions, userId: keyOfUser("userId", userId), actorId: keyOfUser("actorId", actorId) };
    return toConnection(await readAudit({ ...search, ...page }));
  }

  @FieldResolver(() => ID, { description: "Different for every event; sorts by time." })
  id(@Root() { id }: RecordedEvent): string {
    return globalId("AuditEvent", id);
  }

  @FieldResolver(() => ID, { nullable: true, description: "The user whose account it is about; null: no user's." })
  userId(@Root() { userId }: RecordedEvent): string | null {
    return userId && globalId("User", userId);
  }

  @FieldResolver(() => ID, {
    nullable: true,
    description: "The user who did it; null: somebody without an account, or who did not get in.",
  })
  actorId(@Root() { actorId }: RecordedEvent): string | null {
    return actorId && globalId("User", actorId);
  }

  @FieldResolver(() => String, {
    nullable: true,
    description: "The network it came from, as far as it is kept: 24 bits of an IPv4 address, 48 of an IPv6 address.",
  })
  network(@Root() { details }: RecordedEvent): string | null {
    return typeof details.network === "string" ? details.network : null;
  }
}

function toConnection({ events, hasNextPage, hasPreviousPage }: AuditPage): AuditEventConnectionType {
  const edges = events.map((node) => ({ cursor: auditCursor(node), node }));
  const pageInfo = {
    hasNextPage,
    hasPreviousPage,
    startCursor: edges[0]?.cursor ?? null,
    endCursor: edges.at(-1)?.cursor ?? null,
  };
  return { edges, nodes: events, pageInfo };
}

function keyOfUser(field: string, id: string | null | undefined): string | null {
  if (id == null) return null;
  const parsed = parseGlobalId(id);
  if (parsed?.type !== "User" || !isUuid(parsed.key)) throw badInput(field, `${field} is not the id of a user`);
  return parsed.key;
}
