import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root, Subscription } from "type-graphql";
import { symbolOfId } from "../catalogue/graphql.js";
import { badInput, notFound } from "../core/errors.js";
import { isUuid, parseGlobalId } from "../core/ids.js";
import { readingUser, requireScope, type Viewer } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader } from "../graphql/node.js";
import { Costs, MadeOf, Private, Shared, servedShared, statementCost } from "../graphql/shared.js";
import { intervalDescription, intervalOf, QuoteType } from "../market-data/graphql.js";
import type { Quote } from "../market-data/quotes.js";
import { defaultSymbolList, quotesOfList } from "../market-data/shared-quotes.js";
import { type DashboardItem, defaultDashboard, findDefaultItem, maxDashboardItems } from "./dashboard.js";
import { AddDashboardItemInput, DashboardItemType, UpdateDashboardItemInput } from "./graphql-dashboard-types.js";
import { UserType } from "./graphql-types.js";
import type { User } from "./users.js";

@Resolver(() => DashboardItemType)
export class DashboardResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: DashboardItem): string {
    return idField("DashboardItem")(root);
  }

  @Query(() => [DashboardItemType], {
    description:
      "The viewer's dashboard: pinned items first, then by place, hidden ones among them. The default symbols when nobody is signed in, or when the viewer has no items at all.",
  })
  @Private()
  @Costs(statementCost)
  dashboard(@Ctx() context: ApiContext): DashboardItem[] | Promise<DashboardItem[]> {
    const userId = readerOf(context.viewer);
    return userId === null ? defaultDashboard(context.catalogue) : dashboardOf(context, userId);
  }

  @Mutation(() => DashboardItemType, {
    description: `Puts a symbol at the end of the viewer's dashboard; CONFLICT when it is there already. At most ${maxDashboardItems}.`,
  })
  @Costs(statementCost)
  addDashboardItem(
    @Arg("input", () => AddDashboardItemInput, { description: "What to add." }) input: AddDashboardItemInput,
    @Ctx() context: ApiContext,
  ): Promise<DashboardItem> {
    const { userId } = requireScope(context.viewer, "TRADE");
    const { symbolId, ...change } = input;
    return context.dashboards.add(userId, symbolOfId(context, "symbolId", symbolId), change);
  }

  @Mutation(() => DashboardItemType, { description: "Changes an item of the viewer's dashboard." })
  @Costs(statementCost)
  updateDashboardItem(
    @Arg("id", () => ID, { description: "The item." }) id: string,
    @Arg("input", () => UpdateDashboardItemInput, { description: "What to change." }) input: UpdateDashboardItemInput,
    @Arg("expectedVersion", () => Int, {
      nullable: true,
      description:
        "The `version` that the change is based on: CONFLICT, and nothing is changed, when there is another one by now.",
    })
    expectedVersion: number | null | undefined,
    @Ctx() { viewer, dashboards }: ApiContext,
  ): Promise<DashboardItem> {
    const { userId } = requireScope(viewer, "TRADE");
    return dashboards.update(userId, ownKeyOf(id), input, expectedVersion ?? null);
  }

  @Mutation(() => ID, {
    description: "Takes an item off the viewer's dashboard and returns its id; those behind it move up.",
  })
  @Costs(statementCost)
  async removeDashboardItem(
    @Arg("id", () => ID, { description: "The item." }) id: string,
    @Ctx() { viewer, dashboards }: ApiContext,
  ): Promise<string> {
    const { userId } = requireScope(viewer, "TRADE");
    await dashboards.remove(userId, ownKeyOf(id));
    return id;
  }

  @Mutation(() => [DashboardItemType], {
    description: "Arranges the viewer's dashboard, all of it, and returns it. Pinned items stay on top.",
  })
  @Costs(statementCost)
  reorderDashboard(
    @Arg("ids", () => [ID], { description: "All of the viewer's items, in the new order." }) ids: string[],
    @Arg("expectedIds", () => [ID], {
      nullable: true,
      description:
        "The items in the order that the new one is based on: CONFLICT, and nothing is changed, when they are others or in another order by now.",
    })
    expectedIds: string[] | null | undefined,
    @Ctx() { viewer, dashboards }: ApiContext,
  ): Promise<DashboardItem[]> {
    const { userId } = requireScope(viewer, "TRADE");
    const expected = expectedIds == null ? null : ownKeysOf("expectedIds", expectedIds);
    return dashboards.reorder(userId, ownKeysOf("ids", ids), expected);
  }

  @Subscription(() => [QuoteType], {
    description:
      "Quotes of the viewer's dashboard, followed live: when a symbol joins or leaves it, or is hidden or shown, the open stream follows. The default symbols when nobody is signed in, or when the viewer has no items at all. Messages as of `quotes`.",
    subscribe: servedShared,
  })
  @Shared({
    choosing: ["intervalMs"],
    watch: watchDashboard,
  })
  @MadeOf()
  dashboardQuotes(
    @Root() batch: Quote[],
    @Arg("intervalMs", () => Int, { nullable: true, defaultValue: 100, description: intervalDescription }) _intervalMs:
      | number
      | null,
  ): Quote[] {
    return batch;
  }
}

@Resolver(() => UserType)
export class UserDashboardResolver {
  @FieldResolver(() => [DashboardItemType], { description: "As the query `dashboard` shows it to this user." })
  @Private()
  @Costs(statementCost)
  dashboard(@Root() { id }: User, @Ctx() context: ApiContext): Promise<DashboardItem[]> {
    return dashboardOf(context, id);
  }
}

/** Which symbols it follows is the viewer's, but their quotes are the same for everyone, and so is how they look. */
function watchDashboard(
  { viewer, quotes, catalogue, dashboards }: ApiContext,
  { intervalMs }: { readonly intervalMs?: number | null },
) {
  const ms = intervalOf(intervalMs);
  const userId = readerOf(viewer);
  return userId === null
    ? quotesOfList(quotes, defaultSymbolList(catalogue), ms)
    : dashboards.listOf(userId).then((list) => quotesOfList(quotes, list, ms));
}

/** Null where there is no user: the holder of the operator token has no dashboard. */
const readerOf = (viewer: Viewer | null): string | null =>
  viewer?.kind === "user" ? requireScope(viewer, "READ").userId : null;

const underWay = new WeakMap<ApiContext, Map<string, Promise<DashboardItem[]>>>();

/** Fields that ask at the same moment share one statement. */
function dashboardOf(context: ApiContext, userId: string): Promise<DashboardItem[]> {
  let asked = underWay.get(context);
  if (asked === undefined) {
    asked = new Map();
    underWay.set(context, asked);
    queueMicrotask(() => underWay.delete(context));
  }
  let items = asked.get(userId);
  if (items === undefined) {
    items = context.dashboards.read(userId);
    asked.set(userId, items);
  }
  return items;
}

const defaultKey = /^default-\d+$/;

/** @throws {DomainError} */
function ownKeyOf(id: string): string {
  const parsed = parseGlobalId(id);
  const key = parsed?.type === "DashboardItem" ? parsed.key : "";
  if (defaultKey.test(key))
    throw badInput("id", "the defaults belong to nobody; add the symbol to your dashboard first");
  if (parsed?.type !== "DashboardItem") throw badInput("id", "id is not the id of a dashboard item");
  if (!isUuid(key)) throw notFound("dashboard item");
  return key;
}

function ownKeysOf(field: string, ids: readonly string[]): string[] {
  if (ids.length > maxDashboardItems) throw badInput(field, `${field} must hold at most ${maxDashboardItems} ids`);
  return ids.map((id) => {
    const parsed = parseGlobalId(id);
    if (parsed?.type !== "DashboardItem" || !isUuid(parsed.key))
      throw badInput(field, `${field} holds what is not on your dashboard`);
    return parsed.key;
  });
}

async function findItem(key: string, context: ApiContext): Promise<DashboardItem | null> {
  if (defaultKey.test(key)) return findDefaultItem(context.catalogue, key);
  const reader = readingUser(context.viewer);
  if (reader === null) return null;
  return (await dashboardOf(context, reader.userId)).find((item) => item.id === key) ?? null;
}

export const dashboardNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = { DashboardItem: findItem };
