import { Arg, Ctx, Field, FieldResolver, ID, Int, ObjectType, Query, Resolver, Root, Subscription } from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { SymbolType } from "../catalogue/graphql-types.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader, NodeType } from "../graphql/node.js";
import { JsonScalar } from "../graphql/scalars.js";
import { Shared, servedShared } from "../graphql/shared.js";
import { intervalDescription, intervalOf, QuoteType } from "../market-data/graphql.js";
import type { Quote } from "../market-data/quotes.js";
import { quotesOfDefaults } from "../market-data/shared-quotes.js";
import { type DashboardItem, defaultDashboard, findDefaultItem } from "./dashboard.js";

@ObjectType("DashboardItem", { implements: NodeType, description: "One symbol on a dashboard." })
class DashboardItemType extends NodeType {
  @Field(() => SymbolType, { description: "What it shows." })
  symbol!: MarketSymbol;
  @Field(() => Int, { description: "Place on the dashboard; smaller comes first." })
  displayOrder!: number;
  @Field(() => Boolean, { description: "Whether it is shown." })
  isVisible!: boolean;
  @Field(() => Boolean, { description: "Whether it stays on top." })
  isPinned!: boolean;
  @Field(() => String, { nullable: true, description: "The viewer's own name for the symbol." })
  customAlias!: string | null;
  @Field(() => String, { nullable: true, description: "The viewer's notes." })
  notes!: string | null;
  @Field(() => String, { description: "How it is shown, e.g. QUOTE." })
  widgetType!: string;
  @Field(() => JsonScalar, { description: "Settings of the widget; an empty object when there are none." })
  widgetConfig!: object;
  @Field(() => String, { nullable: true, description: "The viewer's own grouping." })
  category!: string | null;
  @Field(() => Boolean, { description: "False for the system defaults shown to anonymous and new users." })
  isCustom!: boolean;
}

@Resolver(() => DashboardItemType)
export class DashboardResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: DashboardItem): string {
    return idField("DashboardItem")(root);
  }

  @Query(() => [DashboardItemType], {
    description: "The dashboard of an anonymous visitor: the default symbols, in display order.",
  })
  dashboard(@Ctx() { catalogue }: ApiContext): DashboardItem[] {
    return defaultDashboard(catalogue);
  }

  @Subscription(() => [QuoteType], {
    description:
      "Quotes of the dashboard, followed live: when a symbol joins or leaves it, the open stream follows. Messages as of `quotes`.",
    subscribe: servedShared,
  })
  @Shared({
    choosing: ["intervalMs"],
    watch: ({ quotes, catalogue }, { intervalMs }: { readonly intervalMs?: number | null }) =>
      quotesOfDefaults(quotes, catalogue, intervalOf(intervalMs)),
  })
  dashboardQuotes(
    @Root() batch: Quote[],
    @Arg("intervalMs", () => Int, { nullable: true, defaultValue: 100, description: intervalDescription }) _intervalMs:
      | number
      | null,
  ): Quote[] {
    return batch;
  }
}

export const peopleNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = {
  DashboardItem: (key, { catalogue }) => findDefaultItem(catalogue, key),
};
