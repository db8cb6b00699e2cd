import type { Catalogue, MarketSymbol } from "../catalogue/catalogue.js";
import { badInput, DomainError } from "../core/errors.js";

/** One symbol on a dashboard. Items of the defaults belong to nobody and are made from the default symbols. */
export interface DashboardItem {
  readonly id: string;
  readonly symbol: MarketSymbol;
  readonly displayOrder: number;
  readonly isVisible: boolean;
  readonly isPinned: boolean;
  readonly customAlias: string | null;
  readonly notes: string | null;
  readonly widgetType: string;
  readonly widgetConfig: object;
  readonly category: string | null;
  readonly version: number;
  readonly isCustom: boolean;
}

export const maxDashboardItems = 200;

/** What a user sees live: the visible symbols in their order, or null without any item, which means the defaults. */
export type ShownSymbols = readonly number[] | null;

const defaultItem = (symbol: MarketSymbol, position: number): DashboardItem => ({
  id: `default-${symbol.id}`,
  symbol,
  displayOrder: position + 1,
  isVisible: true,
  isPinned: false,
  customAlias: null,
  notes: null,
  widgetType: "QUOTE",
  widgetConfig: {},
  category: null,
  version: 1,
  isCustom: false,
});

/** The dashboard of an anonymous visitor, and of a user without any item: the default symbols in display order. */
export const defaultDashboard = (catalogue: Catalogue): DashboardItem[] => catalogue.defaultSymbols.map(defaultItem);

/** An item of the defaults by the key of its id, or null when there is none. */
export function findDefaultItem(catalogue: Catalogue, key: string): DashboardItem | null {
  return defaultDashboard(catalogue).find((item) => item.id === key) ?? null;
}

/** What a user may say about an item. What is left out stays; null takes away an alias, notes or a category. */
export interface DashboardItemChange {
  readonly isVisible?: boolean | null | undefined;
  readonly isPinned?: boolean | null | undefined;
  readonly customAlias?: string | null | undefined;
  readonly notes?: string | null | undefined;
  readonly widgetType?: string | null | undefined;
  readonly widgetConfig?: unknown;
  readonly category?: string | null | undefined;
}

/** As it is stored. */
export interface DashboardItemValues {
  is_visible?: boolean;
  is_pinned?: boolean;
  custom_alias?: string | null;
  notes?: string | null;
  widget_type?: string;
  /** JSON text of an object. */
  widget_config?: string;
  category?: string | null;
}

const maxAliasLength = 100;
const maxNotesLength = 2_000;
const maxCategoryLength = 50;
const maxWidgetTypeLength = 40;
const maxWidgetConfigBytes = 8_192;
const maxWidgetConfigDepth = 20;

/**
 * The columns of what is given, and no others.
 * @throws {DomainError} BAD_USER_INPUT that names the field at fault
 */
export function itemValuesOf(change: DashboardItemChange): DashboardItemValues {
  const { isVisible, isPinned, customAlias, notes, widgetType, widgetConfig, category } = change;
  const values: DashboardItemValues = {};
  if (isVisible != null) values.is_visible = isVisible;
  if (isPinned != null) values.is_pinned = isPinned;
  if (customAlias !== undefined) values.custom_alias = lineOf("customAlias", customAlias, maxAliasLength);
  if (notes !== undefined) values.notes = textOf("notes", notes, maxNotesLength);
  if (widgetType != null) values.widget_type = widgetTypeOf(widgetType);
  if (widgetConfig != null) values.widget_config = jsonOf("widgetConfig", widgetConfig);
  if (category !== undefined) values.category = lineOf("category", category, maxCategoryLength);
  return values;
}

/** Neither can be stored: the character that ends strings elsewhere, and halves of characters. */
const unstorable = /[\0\p{Surrogate}]/u;

function textOf(field: string, text: string | null, maxLength: number): string | null {
  if (text === null) return null;
  if (unstorable.test(text)) throw badInput(field, `${field} holds a character that cannot be stored`);
  if (Array.from(text).length > maxLength) throw badInput(field, `${field} may have at most ${maxLength} characters`);
  return text;
}

function lineOf(field: string, text: string | null, maxLength: number): string | null {
  const line = textOf(field, text, maxLength)?.trim() ?? null;
  if (line === "") throw badInput(field, `${field} must not be blank; null takes it away`);
  if (line !== null && /\p{Control}/u.test(line)) throw badInput(field, `${field} may hold no control characters`);
  return line;
}

function widgetTypeOf(widgetType: string): string {
  if (widgetType.length > maxWidgetTypeLength || !/^[A-Z][A-Z0-9_]*$/.test(widgetType)) {
    throw badInput(
      "widgetType",
      `widgetType is at most ${maxWidgetTypeLength} capital letters, digits and underscores, e.g. QUOTE`,
    );
  }
  return widgetType;
}

function jsonOf(field: string, value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badInput(field, `${field} must be an object`);
  requireStorable(field, value, 1);
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) > maxWidgetConfigBytes) throw tooLong(field);
  return text;
}

const tooLong = (field: string) => badInput(field, `${field} may take at most ${maxWidgetConfigBytes} bytes as JSON`);

function requireStorable(field: string, value: unknown, depth: number): void {
  if (typeof value === "string") textOf(field, value, maxWidgetConfigBytes);
  if (typeof value !== "object" || value === null) return;
  if (depth > maxWidgetConfigDepth) throw badInput(field, `${field} may be at most ${maxWidgetConfigDepth} deep`);
  for (const [key, inner] of Object.entries(value)) {
    textOf(field, key, maxWidgetConfigBytes);
    requireStorable(field, inner, depth + 1);
  }
}

/** What only the table can tell: how many there are, and what Postgres writes longer, or takes for blank, than we do. */
const refusals: Readonly<Record<string, Error>> = {
  ck_user_dashboard_preferences_maximum: new DomainError(
    "CONFLICT",
    `a dashboard holds at most ${maxDashboardItems} symbols; remove one first`,
    { field: "symbolId", limit: maxDashboardItems },
  ),
  ck_user_dashboard_preferences_widget_config: tooLong("widgetConfig"),
  ck_user_dashboard_preferences_custom_alias: badInput("customAlias", "customAlias must not be blank"),
  ck_user_dashboard_preferences_category: badInput("category", "category must not be blank"),
};

/** A refusal of the table in the words of the API; null when it is none of these. */
export const explainItemRefusal = (error: unknown): Error | null =>
  refusals[(error as { constraint_name?: string }).constraint_name ?? ""] ?? null;
