import type { Catalogue } from "../catalogue/catalogue.js";
import { readAsUser, type UserRows } from "../db/as-user.js";
import type { Database, Sql } from "../db/connect.js";
import { type DashboardItem, defaultDashboard, type ShownSymbols } from "./dashboard.js";

export interface ItemRow {
  readonly id: string;
  readonly symbol_id: number;
  readonly display_order: number;
  readonly is_visible: boolean;
  readonly is_pinned: boolean;
  readonly custom_alias: string | null;
  readonly notes: string | null;
  readonly widget_type: string;
  readonly widget_config: object;
  readonly category: string | null;
  readonly version: number;
}

const columns =
  "id, symbol_id, display_order, is_visible, is_pinned, custom_alias, notes, widget_type, widget_config, category, version";
/** As the index has it. */
const order = "is_pinned desc nulls last, display_order, id";

export const itemColumns = (sql: Sql) => sql.unsafe(columns);
export const itemOrder = (sql: Sql) => sql.unsafe(order);

export const selectItems = (sql: Sql, userId: string) =>
  sql<ItemRow[]>`
    select ${itemColumns(sql)} from user_dashboard_preferences where user_id = ${userId} order by ${itemOrder(sql)}`;

/** Of the user who is $2. */
export const ownItems: UserRows = {
  rows: `select ${columns} from user_dashboard_preferences where user_id = $2`,
  order,
};

const readItems = (database: Database, userId: string): Promise<ItemRow[]> =>
  readAsUser<ItemRow>(database, userId, ownItems, [userId]);

/** Null when the symbol came into the catalogue this very moment. */
export function itemOf(catalogue: Catalogue, row: ItemRow): DashboardItem | null {
  const symbol = catalogue.findSymbol(row.symbol_id);
  if (symbol === undefined) return null;
  return {
    id: row.id,
    symbol,
    displayOrder: row.display_order,
    isVisible: row.is_visible,
    isPinned: row.is_pinned,
    customAlias: row.custom_alias,
    notes: row.notes,
    widgetType: row.widget_type,
    widgetConfig: row.widget_config,
    category: row.category,
    version: row.version,
    isCustom: true,
  };
}

export const itemsOf = (catalogue: Catalogue, rows: readonly ItemRow[]): DashboardItem[] =>
  rows.map((row) => itemOf(catalogue, row)).filter((item) => item !== null);

/** The user's dashboard in order, hidden items too; the defaults when there are no items at all. */
export async function readDashboard(
  { database, catalogue }: { readonly database: Database; readonly catalogue: Catalogue },
  userId: string,
): Promise<DashboardItem[]> {
  const rows = await readItems(database, userId);
  return rows.length === 0 ? defaultDashboard(catalogue) : itemsOf(catalogue, rows);
}

/** The visible symbols in the user's order; null when there are no items at all, which means the defaults. */
export async function readShownSymbols(database: Database, userId: string): Promise<ShownSymbols> {
  const rows = await readItems(database, userId);
  return rows.length === 0 ? null : rows.filter((row) => row.is_visible).map((row) => row.symbol_id);
}
