import { keysetOf, keysetPage, uuidPattern } from "../core/keyset-page.js";
import type { Page, PageArguments } from "../core/pagination.js";
import { asUserAtOnce } from "../db/as-user.js";
import { columnsOf } from "../db/columns.js";
import type { Database } from "../db/connect.js";
import type { EntryRow, PositionRow } from "./ledger-rows.js";
import type { PositionStatus } from "./position.js";
import { conditionsOf } from "./read-orders.js";
import { ledgerEntries, positions } from "./tables.js";

export interface PositionSearch {
  readonly accountId?: string | null;
  readonly symbolId?: number | null;
  readonly statuses?: readonly PositionStatus[] | null;
}

/** The user's positions, newest first. @throws {DomainError} BAD_USER_INPUT for wrong page arguments */
export async function listPositions(
  database: Database,
  userId: string,
  { accountId, symbolId, statuses }: PositionSearch,
  args: PageArguments,
): Promise<Page<PositionRow>> {
  const keyset = keysetOf(args, "positions", uuidPattern);
  const [rows] = await asUserAtOnce(database, userId, (sql) => {
    const where = conditionsOf(sql, [
      accountId == null ? sql`user_id = ${userId}` : sql`account_id = ${accountId}`,
      symbolId == null ? null : sql`symbol_id = ${symbolId}`,
      statuses == null ? null : sql`status = any (${`{${statuses.join()}}`}::text::position_status_enum[])`,
      keyset.after === null ? null : sql`id < ${keyset.after}`,
      keyset.before === null ? null : sql`id > ${keyset.before}`,
      sql`deleted_at is null`,
    ]);
    return [
      sql<PositionRow[]>`
        select ${columnsOf(sql, positions)} from positions where ${where}
        order by id ${keyset.isBackwards ? sql`asc` : sql`desc`} limit ${keyset.limit + 1}`,
    ];
  });
  return keysetPage(rows, keyset, "positions", (row) => row.id);
}

export async function positionsByIds(
  database: Database,
  userId: string,
  ids: readonly string[],
): Promise<Map<string, PositionRow>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<PositionRow[]>`
      select ${columnsOf(sql, positions)} from positions where id = any (${`{${ids.join()}}`}::text::uuid[]) and deleted_at is null`,
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}

export interface EntrySearch {
  readonly accountId: string;
  readonly asset?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

const entryKey = /^\d{1,15}[.]\d{1,5}$/;

/** The entries of an account, newest first. @throws {DomainError} BAD_USER_INPUT for wrong page arguments */
export async function listEntries(
  database: Database,
  userId: string,
  { accountId, asset, from, to }: EntrySearch,
  args: PageArguments,
): Promise<Page<EntryRow>> {
  const keyset = keysetOf(args, "ledger", entryKey);
  const [rows] = await asUserAtOnce(database, userId, (sql) => {
    const key = (text: string) => {
      const [sequence = "", ordinal = ""] = text.split(".");
      return sql`(${sequence}::bigint, ${ordinal}::smallint)`;
    };
    const where = conditionsOf(sql, [
      sql`account_id = ${accountId}`,
      asset == null ? null : sql`asset = ${asset}`,
      from == null ? null : sql`occurred_at >= ${from.toISOString()}`,
      to == null ? null : sql`occurred_at < ${to.toISOString()}`,
      keyset.after === null ? null : sql`(account_sequence, ordinal) < ${key(keyset.after)}`,
      keyset.before === null ? null : sql`(account_sequence, ordinal) > ${key(keyset.before)}`,
    ]);
    const direction = keyset.isBackwards ? sql`asc` : sql`desc`;
    return [
      sql<EntryRow[]>`
        select ${columnsOf(sql, ledgerEntries)} from ledger_entries where ${where}
        order by account_sequence ${direction}, ordinal ${direction} limit ${keyset.limit + 1}`,
    ];
  });
  return keysetPage(rows, keyset, "ledger", (row) => `${row.account_sequence}.${row.ordinal}`);
}

export async function entriesByIds(
  database: Database,
  userId: string,
  ids: readonly string[],
): Promise<Map<string, EntryRow>> {
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql<
      EntryRow[]
    >`select ${columnsOf(sql, ledgerEntries)} from ledger_entries where id = any (${`{${ids.join()}}`}::text::uuid[])`,
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}
