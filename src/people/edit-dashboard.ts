import type { Catalogue, MarketSymbol } from "../catalogue/catalogue.js";
import { badInput, DomainError, notFound } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { Database, Sql } from "../db/connect.js";
import { type DashboardItem, type DashboardItemChange, explainItemRefusal, itemValuesOf } from "./dashboard.js";
import { type ItemRow, itemColumns, itemOf, itemOrder, itemsOf, selectItems } from "./read-dashboard.js";

/*
 * Each change is one transaction in one network turn. It first locks the user's row, so that changes of one dashboard come one
 * after the other, and places stay 1, 2, 3 … whoever changes what at the same time.
 */

export interface DashboardDependencies {
  readonly database: Database;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
}

const lock = (sql: Sql, userId: string) => sql`select from users where id = ${userId} for no key update`;

/**
 * Puts a symbol at the end of the dashboard.
 * @throws {DomainError} CONFLICT when it is there already or the dashboard is full; BAD_USER_INPUT
 */
export async function addDashboardItem(
  { database, catalogue, clock }: DashboardDependencies,
  userId: string,
  symbol: MarketSymbol,
  input: DashboardItemChange,
): Promise<DashboardItem> {
  const inactive = badInput("symbolId", `${symbol.ticker} is not active`);
  if (!symbol.isActive) throw inactive;
  const values = itemValuesOf(input);
  const [, [added], [known]] = await explained(
    asUserAtOnce(database, userId, (sql) => [
      lock(sql, userId),
      sql<ItemRow[]>`
        insert into user_dashboard_preferences
          (id, user_id, symbol_id, display_order, is_pinned, custom_alias, notes, widget_type, widget_config, category)
        select ${uuidV7(clock.nowMs())}, ${userId}, id,
          (select coalesce(max(display_order), 0) + 1 from user_dashboard_preferences where user_id = ${userId}),
          ${values.is_pinned ?? false}, ${values.custom_alias ?? null}, ${values.notes ?? null},
          ${values.widget_type ?? "QUOTE"}, ${values.widget_config ?? "{}"}, ${values.category ?? null}
        from symbols where id = ${symbol.id} and is_active
        on conflict (user_id, symbol_id) do nothing
        returning ${itemColumns(sql)}`,
      sql`select from user_dashboard_preferences where user_id = ${userId} and symbol_id = ${symbol.id}`,
    ]),
  );
  if (added !== undefined) return required(itemOf(catalogue, added));
  if (known === undefined) throw inactive;
  throw new DomainError("CONFLICT", `${symbol.ticker} is on the dashboard already`, { field: "symbolId" });
}

/**
 * @param expectedVersion null: whatever it is
 * @throws {DomainError} CONFLICT when it has another version; NOT_FOUND; BAD_USER_INPUT
 */
export async function updateDashboardItem(
  { database, catalogue }: DashboardDependencies,
  userId: string,
  id: string,
  input: DashboardItemChange,
  expectedVersion: number | null,
): Promise<DashboardItem> {
  const values = itemValuesOf(input);
  if (Object.keys(values).length === 0) throw badInput("input", "nothing to change");
  const [, [changed], [current]] = await explained(
    asUserAtOnce(database, userId, (sql) => [
      lock(sql, userId),
      sql<ItemRow[]>`
        update user_dashboard_preferences set ${sql({ ...values })}
        where id = ${id} and user_id = ${userId} and version = coalesce(${expectedVersion}::integer, version)
        returning ${itemColumns(sql)}`,
      sql<
        { version: number }[]
      >`select version from user_dashboard_preferences where id = ${id} and user_id = ${userId}`,
    ]),
  );
  if (changed !== undefined) return required(itemOf(catalogue, changed));
  if (current === undefined) throw notFound("dashboard item");
  throw new DomainError("CONFLICT", "the item was changed since; read it again", {
    field: "expectedVersion",
    version: current.version,
  });
}

/** @throws {DomainError} NOT_FOUND */
export async function removeDashboardItem(
  { database }: DashboardDependencies,
  userId: string,
  id: string,
): Promise<void> {
  const [, removed] = await asUserAtOnce(database, userId, (sql) => [
    lock(sql, userId),
    sql`delete from user_dashboard_preferences where id = ${id} and user_id = ${userId} returning id`,
    sql`
      update user_dashboard_preferences item set display_order = place
      from (
        select id, row_number() over (order by display_order, id) as place
        from user_dashboard_preferences where user_id = ${userId}
      ) places
      where item.user_id = ${userId} and item.id = places.id and display_order <> place`,
  ]);
  if (removed.length === 0) throw notFound("dashboard item");
}

/**
 * Gives all of the user's items new places; pinned ones still come first.
 * @param expectedIds the order that it is meant to replace; null: whatever it is
 * @throws {DomainError} CONFLICT when there is another order; BAD_USER_INPUT when the ids are not exactly the user's
 */
export async function reorderDashboard(
  { database, catalogue }: DashboardDependencies,
  userId: string,
  ids: readonly string[],
  expectedIds: readonly string[] | null,
): Promise<DashboardItem[]> {
  if (new Set(ids).size < ids.length) throw badInput("ids", "ids holds an item twice");
  const [, before, , after] = await asUserAtOnce(database, userId, (sql) => [
    lock(sql, userId),
    sql<{ id: string }[]>`
      select id from user_dashboard_preferences where user_id = ${userId} order by ${itemOrder(sql)}`,
    sql`
      update user_dashboard_preferences item set display_order = place
      from unnest(${[...ids]}::text[]::uuid[]) with ordinality as wanted (id, place), (
        select count(*) as count, count(*) filter (where id = any(${[...ids]}::text[]::uuid[])) as named,
          array_agg(id order by ${itemOrder(sql)}) as ids
        from user_dashboard_preferences where user_id = ${userId}
      ) as present
      where item.user_id = ${userId} and item.id = wanted.id and display_order <> place
        and present.count = ${ids.length} and present.named = ${ids.length}
        and present.ids = coalesce(${expectedIds && [...expectedIds]}::text[]::uuid[], present.ids)`,
    selectItems(sql, userId),
  ]);
  if (expectedIds !== null && before.map(({ id }) => id).join() !== expectedIds.join())
    throw new DomainError("CONFLICT", "the dashboard was changed since; read it again", { field: "expectedIds" });
  const present = new Set(before.map(({ id }) => id));
  if (!ids.every((id) => present.has(id))) throw badInput("ids", "ids holds what is not on your dashboard");
  if (ids.length < present.size)
    throw badInput("ids", `ids must hold all ${present.size} items of the dashboard; ${ids.length} are given`);
  return itemsOf(catalogue, after);
}

async function explained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explainItemRefusal(error) ?? error;
  }
}

function required(item: DashboardItem | null): DashboardItem {
  if (item === null) throw new Error("the item's symbol is not in the catalogue");
  return item;
}
