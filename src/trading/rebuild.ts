import type postgres from "postgres";
import { decimalText } from "../core/decimal.js";
import { errorMessage } from "../core/errors.js";
import type { Database } from "../db/connect.js";
import type { PositionRow } from "./ledger-rows.js";
import { keptOrderOfRow, type OrderRow, rowOfOrder } from "./order-row.js";
import { keptPositionOfRow, rowOfPosition } from "./position-row.js";
import { AccountReplay, type ReplayedBalance, type StoredEvent } from "./replay.js";

export interface RebuildReport {
  readonly accounts: number;
  readonly events: number;
  /** What the tables have otherwise than the events, in words. */
  readonly differences: readonly string[];
}

const projection = "trading";
/** Differences that are told; the others are counted with them. */
const eventsPerRead = 1_000;

/**
 * Makes orders, positions and balances anew from the events alone, account by account under its lock, and compares them with
 * the tables. @param write puts what the events say in the place of what differs. As the owner of the tables.
 */
export async function rebuild(database: Database, write: boolean): Promise<RebuildReport> {
  const accounts = await database.sql<{ account_id: string }[]>`
    select account_id from account_sequences order by account_id`;
  const differences: string[] = [];
  let events = 0;
  await mark(database, "REBUILDING", 0, null);
  for (const { account_id: accountId } of accounts) {
    await database.sql.begin(async (sql) => {
      await sql`select from account_sequences where account_id = ${accountId} for no key update`;
      const replay = new AccountReplay();
      try {
        events += await replayAccount(sql, accountId, replay);
      } catch (error) {
        differences.push(`account ${accountId}: ${errorMessage(error)}`);
        return;
      }
      const found = await compare(sql, accountId, replay);
      differences.push(...found.map((text) => `account ${accountId}: ${text}`));
      if (write && found.length > 0) await replace(sql, accountId, replay);
    });
  }
  await mark(database, differences.length === 0 || write ? "RUNNING" : "FAILED", events, differences[0] ?? null);
  return { accounts: accounts.length, events, differences };
}

async function replayAccount(sql: postgres.TransactionSql, accountId: string, replay: AccountReplay): Promise<number> {
  let count = 0;
  for (;;) {
    const rows = await sql<StoredEvent[]>`
      select stream_type, stream_id, version, event_type, data, user_id, account_id, account_sequence, occurred_at
      from event_store where account_id = ${accountId} and account_sequence > ${replay.sequence}
      order by account_sequence limit ${eventsPerRead}`;
    for (const row of rows) replay.apply(row);
    count += rows.length;
    if (rows.length < eventsPerRead) return count;
  }
}

async function compare(sql: postgres.TransactionSql, accountId: string, replay: AccountReplay): Promise<string[]> {
  const orders = await sql<OrderRow[]>`select * from orders where account_id = ${accountId}`;
  const positions = await sql<PositionRow[]>`select * from positions where account_id = ${accountId}`;
  const balances = await sql<ReplayedBalance[]>`
    select asset, available, locked, sequence, updated_at from account_balances where account_id = ${accountId}`;
  return [
    ...differing(
      "order",
      orders.map((row) => rowOfOrder(keptOrderOfRow(row))),
      replay.orders(),
      ({ id }) => id,
    ),
    ...differing(
      "position",
      positions.map((row) => rowOfPosition(keptPositionOfRow(row))),
      replay.positions(),
      ({ id }) => id,
    ),
    ...differing("balance", balances.map(canonicalBalance), replay.balances(), ({ asset }) => asset),
  ];
}

const canonicalBalance = (row: ReplayedBalance): ReplayedBalance => ({
  asset: row.asset,
  available: decimalText(row.available),
  locked: decimalText(row.locked),
  sequence: Number(row.sequence),
  updated_at: new Date(row.updated_at).toISOString(),
});

function differing<T extends object>(
  what: string,
  stored: readonly T[],
  replayed: readonly T[],
  keyOf: (row: T) => string,
): string[] {
  const known = new Map(stored.map((row) => [keyOf(row), row]));
  const found: string[] = [];
  for (const row of replayed) {
    const other = known.get(keyOf(row));
    known.delete(keyOf(row));
    const fields = other === undefined ? null : Object.keys(row).filter((name) => !isSame(row, other, name));
    if (fields === null) found.push(`${what} ${keyOf(row)} is missing`);
    else if (fields.length > 0) found.push(`${what} ${keyOf(row)} differs in ${fields.join(", ")}`);
  }
  return [...found, ...[...known.keys()].map((key) => `${what} ${key} has no events`)];
}

const isSame = (a: object, b: object, name: string): boolean =>
  JSON.stringify((a as Record<string, unknown>)[name]) === JSON.stringify((b as Record<string, unknown>)[name]);

/** What the rules of the tables refuse is not written: then the events themselves cannot have happened. */
async function replace(sql: postgres.TransactionSql, accountId: string, replay: AccountReplay): Promise<void> {
  const change = { positions: replay.positions(), orders: replay.orders() };
  const filled = Object.fromEntries(Object.entries(change).filter(([, rows]) => rows.length > 0));
  await sql`select write_ledger(${JSON.stringify(filled)}::text::jsonb)`;
  for (const { asset, available, locked, sequence, updated_at } of replay.balances())
    await sql`
      update account_balances set available = ${available}, locked = ${locked}, sequence = ${sequence}, updated_at = ${updated_at}
      where account_id = ${accountId} and asset = ${asset}`;
}

async function mark(
  database: Database,
  status: "RUNNING" | "REBUILDING" | "FAILED",
  events: number,
  error: string | null,
): Promise<void> {
  await database.sql`
    insert into event_projections as p (name, status, last_position, event_count, error)
    values (${projection}, ${status}::projection_status_enum, (select coalesce(max(position), 0) from event_store), ${events}, ${error})
    on conflict (name) do update set status = excluded.status, error = excluded.error, updated_at = now(),
      last_position = case when excluded.status = 'REBUILDING' then p.last_position else excluded.last_position end,
      event_count = case when excluded.status = 'REBUILDING' then p.event_count else excluded.event_count end`;
}
