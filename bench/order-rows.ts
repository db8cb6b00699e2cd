import type { Sql } from "../src/db/connect.js";

/** What stands for a value in another statement: text of SQL. */
type Row = ReadonlyMap<string, string | null>;

const quoted = (value: string | null): string => (value === null ? "null" : `'${value.replaceAll("'", "''")}'`);

async function rowsOf(
  sql: Sql,
  table: string,
  column: string,
  values: readonly string[],
  order: string,
): Promise<Row[]> {
  const rows = await sql<{ fields: { key: string; value: string | null }[] }[]>`
    select (select json_agg(json_build_object('key', f.key, 'value', f.value)) from json_each_text(to_json(t)) f) as fields
    from ${sql(table)} t where ${sql(column)} = any (${`{${values.join()}}`}::text::uuid[]) order by ${sql.unsafe(order)}`;
  const generated = await sql<{ name: string }[]>`
    select column_name as name from information_schema.columns
    where table_name = ${table} and (is_generated = 'ALWAYS' or identity_generation = 'ALWAYS')`;
  const omitted = new Set(generated.map(({ name }) => name));
  return rows.map(
    ({ fields }) => new Map(fields.flatMap(({ key, value }) => (omitted.has(key) ? [] : [[key, value]]))),
  );
}

const insert = (table: string, rows: readonly string[][], columns: readonly string[]): string =>
  `insert into ${table} (${columns.join()}) values ${rows.map((values) => `(${values.join()})`).join()};`;

/**
 * A transaction that writes rows like those that an order has left, for the client's own account: it takes the account's lock and
 * next numbers, and gives one INSERT to each table. The ids within messages stay those of the order.
 */
export async function orderScript(sql: Sql, orderId: string): Promise<string> {
  const orders = await rowsOf(sql, "orders", "id", [orderId], "id");
  const events = await rowsOf(sql, "event_store", "stream_id", [orderId], "account_sequence");
  const eventIds = events.map((row) => row.get("id") ?? "");
  const queue = await rowsOf(sql, "event_queue", "event_id", eventIds, "account_sequence");
  const fills = await rowsOf(sql, "order_fills", "order_id", [orderId], "id");
  const fillIds = fills.map((row) => row.get("id") ?? "");
  const entries = await rowsOf(sql, "ledger_entries", "order_id", [orderId], "account_sequence, ordinal");
  const [order] = orders;
  if (order === undefined || events.length === 0 || entries.length === 0) throw new Error("the order has no rows");
  const before = Math.min(...events.map((row) => Number(row.get("account_sequence")))) - 1;

  const [uuid] = await sql<{ name: string }[]>`
    select case when exists (select from pg_proc where proname = 'uuidv7') then 'uuidv7()' else 'gen_random_uuid()' end as name`;
  const newId = uuid?.name ?? "gen_random_uuid()";
  const names = new Map<string, string>([
    [orderId, ":order_id"],
    [order.get("user_id") ?? "", ":user_id"],
    [order.get("account_id") ?? "", ":account_id"],
    ...eventIds.map((id, n): [string, string] => [id, `:event_${n}`]),
    ...fillIds.map((id, n): [string, string] => [id, `:fill_${n}`]),
  ]);
  const literalOf = (column: string, value: string | null): string => {
    if (value === null) return "null";
    if (column === "account_sequence" || column === "sequence") return `:seq + ${Number(value) - before}`;
    // Unique for an account, and a name that the venue makes up.
    if (column === "exchange_fill_id" || column === "exchange_order_id") return ":order_id";
    return names.get(value) ?? (column === "id" ? newId : quoted(value));
  };
  const insertAll = (table: string, rows: readonly Row[]): string[] => {
    const columns = [...(rows[0]?.keys() ?? [])];
    const values = rows.map((row) => columns.map((column) => literalOf(column, row.get(column) ?? null)));
    return rows.length === 0 ? [] : [insert(table, values, columns)];
  };
  const made = [":order_id", ...eventIds.map((_, n) => `:event_${n}`), ...fillIds.map((_, n) => `:fill_${n}`)];
  const ids = made.map((name) => `${newId} as ${name.slice(1)}`).join(", ");
  return [
    "begin;",
    "select set_config('app.user_id', user_id::text, true) as user_id, account_id from bench_clients where n = :client_id \\gset",
    `select sequence as seq, ${ids} from account_sequences where account_id = :account_id for no key update \\gset`,
    ...insertAll("orders", orders),
    ...insertAll("order_fills", fills),
    ...insertAll("event_store", events),
    ...insertAll("event_queue", queue),
    ...insertAll("ledger_entries", entries),
    "commit;",
    "",
  ].join("\n");
}
