import { Field, ID, InputType, Int, ObjectType } from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { SymbolType } from "../catalogue/graphql-types.js";
import { NodeType } from "../graphql/node.js";
import { JsonScalar } from "../graphql/scalars.js";

@ObjectType("DashboardItem", { implements: NodeType, description: "One symbol on a dashboard." })
export class DashboardItemType extends NodeType {
  @Field(() => SymbolType, { description: "What it shows." })
  symbol!: MarketSymbol;
  @Field(() => Int, {
    description: "Place on the dashboard, from 1 without gaps; smaller comes first, but for pinned items.",
  })
  displayOrder!: number;
  @Field(() => Boolean, { description: "Whether it is shown; `dashboardQuotes` leaves out what is not." })
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
  @Field(() => Int, {
    description: "Another one after every change of the item, also of its place; see `updateDashboardItem`.",
  })
  version!: number;
  @Field(() => Boolean, { description: "False for the system defaults shown to anonymous and new users." })
  isCustom!: boolean;
}

const alias = { nullable: true, description: "Your own name for the symbol; at most 100 characters." };
const notes = { nullable: true, description: "At most 2,000 characters." };
const widgetType = {
  nullable: true,
  description: "How it is shown: at most 40 capital letters, digits and underscores. QUOTE when it was never said.",
};
const widgetConfig = { nullable: true, description: "Settings of the widget: an object of at most 8 kB as JSON." };
const category = { nullable: true, description: "Your own grouping; at most 50 characters." };

@InputType("AddDashboardItemInput", { description: "A symbol to put on the dashboard." })
export class AddDashboardItemInput {
  @Field(() => ID, { description: "The symbol. It must be active, and not be on the dashboard yet." })
  symbolId!: string;
  @Field(() => Boolean, { nullable: true, description: "Whether it stays on top; false when left out." })
  isPinned?: boolean | null;
  @Field(() => String, alias)
  customAlias?: string | null;
  @Field(() => String, notes)
  notes?: string | null;
  @Field(() => String, widgetType)
  widgetType?: string | null;
  @Field(() => JsonScalar, widgetConfig)
  widgetConfig?: unknown;
  @Field(() => String, category)
  category?: string | null;
}

@InputType("UpdateDashboardItemInput", {
  description: "Changes of a dashboard item. What is left out stays; null takes an alias, notes or a category away.",
})
export class UpdateDashboardItemInput {
  @Field(() => Boolean, { nullable: true, description: "Whether it is shown." })
  isVisible?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: "Whether it stays on top." })
  isPinned?: boolean | null;
  @Field(() => String, alias)
  customAlias?: string | null;
  @Field(() => String, notes)
  notes?: string | null;
  @Field(() => String, widgetType)
  widgetType?: string | null;
  @Field(() => JsonScalar, widgetConfig)
  widgetConfig?: unknown;
  @Field(() => String, category)
  category?: string | null;
}
