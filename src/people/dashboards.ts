import type { MarketSymbol } from "../catalogue/catalogue.js";
import type { Logger } from "../core/logger.js";
import type { SymbolList } from "../market-data/shared-quotes.js";
import type { DashboardItem, DashboardItemChange } from "./dashboard.js";
import {
  addDashboardItem,
  type DashboardDependencies,
  removeDashboardItem,
  reorderDashboard,
  updateDashboardItem,
} from "./edit-dashboard.js";
import { DashboardFollower } from "./follow-dashboards.js";
import { readDashboard, readShownSymbols } from "./read-dashboard.js";

/** What users do with their dashboards, each with his own. */
export interface Dashboards {
  /** In order, hidden items too; the defaults when there are no items at all. */
  read(userId: string): Promise<DashboardItem[]>;
  add(userId: string, symbol: MarketSymbol, input: DashboardItemChange): Promise<DashboardItem>;
  update(
    userId: string,
    id: string,
    input: DashboardItemChange,
    expectedVersion: number | null,
  ): Promise<DashboardItem>;
  remove(userId: string, id: string): Promise<void>;
  reorder(userId: string, ids: readonly string[], expectedIds: readonly string[] | null): Promise<DashboardItem[]>;
  /** The visible symbols, to be followed. */
  listOf(userId: string): Promise<SymbolList>;
  close(): Promise<void>;
}

export async function openDashboards(on: DashboardDependencies & { readonly log: Logger }): Promise<Dashboards> {
  const follower = await DashboardFollower.start({ ...on, read: (userId) => readShownSymbols(on.database, userId) });
  return {
    read: (userId) => readDashboard(on, userId),
    add: (userId, symbol, input) => addDashboardItem(on, userId, symbol, input),
    update: (userId, id, input, expectedVersion) => updateDashboardItem(on, userId, id, input, expectedVersion),
    remove: (userId, id) => removeDashboardItem(on, userId, id),
    reorder: (userId, ids, expectedIds) => reorderDashboard(on, userId, ids, expectedIds),
    listOf: (userId) => follower.listOf(userId),
    close: () => follower.close(),
  };
}
