import type { Sql } from "postgres";
import { parseGlobalId } from "../../src/core/ids.js";
import type { TraderReport } from "./trader.js";

const keyOf = (id: string): string => parseGlobalId(id)?.key ?? "";

/** What the database says of what the traders were told; empty when every promise was kept. */
export async function brokenPromises(owner: Sql, reports: readonly TraderReport[]): Promise<string[]> {
  const broken: string[] = [];
  const acknowledged = reports.flatMap((report) => report.acknowledged);
  const orders = await owner<{ id: string; client_order_id: string; version: number }[]>`
    select id, client_order_id, version from orders where client_order_id like 'trader-%'`;
  const fills = await owner<{ id: string }[]>`select id from order_fills`;
  const fillIds = new Set(fills.map(({ id }) => id));
  const stored = new Map<string, { id: string; version: number }>();
  for (const { id, client_order_id: name, version } of orders) {
    if (stored.has(name)) broken.push(`${name} is there twice`);
    stored.set(name, { id, version });
  }
  for (const { id, clientOrderId, fillIds: told } of acknowledged) {
    if (stored.get(clientOrderId)?.id !== keyOf(id)) broken.push(`${clientOrderId} was acknowledged and is lost`);
    for (const fill of told) if (!fillIds.has(keyOf(fill))) broken.push(`a fill of ${clientOrderId} is lost`);
  }
  const known = new Set(acknowledged.map(({ clientOrderId }) => clientOrderId));
  for (const name of stored.keys()) if (!known.has(name)) broken.push(`${name} is there, and nobody was told`);

  const sums = await owner<{ id: string }[]>`
    select o.id from orders o left join order_fills f on f.order_id = o.id group by o.id
    having o.filled_quantity <> coalesce(sum(f.quantity), 0)`;
  for (const { id } of sums) broken.push(`order ${id} is not the sum of its fills`);
  const balances = await owner<{ id: string }[]>`
    select b.account_id || ' ' || b.asset as id from account_balances b
    join lateral (select sum(available_change) as available, sum(locked_change) as locked from ledger_entries e
      where e.account_id = b.account_id and e.asset = b.asset) e on true
    where b.available is distinct from e.available or b.locked is distinct from e.locked`;
  for (const { id } of balances) broken.push(`balance ${id} is not the sum of its entries`);
  for (const { disorder } of reports) for (const what of disorder) broken.push(`told out of order: ${what}`);
  return broken;
}

/** Orders whose newest version no stream has told yet. */
export async function untold(owner: Sql, reports: readonly TraderReport[]): Promise<number> {
  const told = new Map(
    reports.flatMap((report) => Object.entries(report.told).map(([id, version]) => [keyOf(id), version])),
  );
  const orders = await owner<{ id: string; version: number }[]>`
    select id, version from orders where client_order_id like 'trader-%'`;
  return orders.filter(({ id, version }) => (told.get(id) ?? 0) < version).length;
}
