import { type KeyRing, SealedSecretError } from "../core/key-ring.js";
import type { Database } from "./connect.js";

interface SealedTable {
  readonly table: string;
  /** Of its rows; of type integer or uuid. */
  readonly id: string;
  readonly columns: readonly string[];
}

/**
 * Everything that is sealed by the key ring. Who adds a column with sealed secrets adds it here, or a key is taken away that it
 * still needs; a test looks for columns named `sealed_…` that are missing.
 */
export const sealedTables: readonly SealedTable[] = [
  { table: "data_providers", id: "id", columns: ["sealed_api_key", "sealed_api_secret", "sealed_passphrase"] },
  { table: "accounts", id: "id", columns: ["sealed_api_key", "sealed_api_secret", "sealed_passphrase"] },
];

/** How many secrets of a table each key seals. */
export interface SealedCount {
  readonly table: string;
  readonly keyId: string;
  readonly secrets: number;
}

/** The key of a sealed secret is its second word, see `KeyRing`. */
export async function countSealed({ sql }: Database): Promise<SealedCount[]> {
  const counts: SealedCount[] = [];
  for (const { table, columns } of sealedTables) {
    const secrets = columns.map((column) => sql`select ${sql(column)} as sealed from ${sql(table)}`);
    const all = secrets.reduce((together, one) => sql`${together} union all ${one}`);
    counts.push(
      ...(await sql<SealedCount[]>`
        select ${table} as "table", split_part(sealed, '.', 2) as "keyId", count(*)::int as secrets
        from (${all}) secrets where sealed is not null group by 2 order by 2`),
    );
  }
  return counts;
}

export interface Resealed {
  readonly table: string;
  /** Rows that the newest key seals now. */
  readonly rows: number;
  /** Rows left as they are, with the reason: their secrets do not open. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
}

const rowsPerBatch = 100;

/**
 * Seals anew whatever the newest key does not seal yet, some rows at a time, while the program runs. It may be stopped at any
 * instant and begun again: each batch is one transaction, and a row says itself whether it is done.
 * @param onBatch told of the rows of a table that are done so far
 */
export async function reseal(
  database: Database,
  keyRing: KeyRing,
  onBatch: (table: string, rows: number) => void = () => {},
): Promise<Resealed[]> {
  const results: Resealed[] = [];
  for (const sealed of sealedTables) {
    const failed: { id: string; reason: string }[] = [];
    let rows = 0;
    let lastId: string | null = null;
    for (;;) {
      const batch = await resealBatch(database, keyRing, sealed, lastId);
      rows += batch.rows;
      failed.push(...batch.failed);
      lastId = batch.lastId;
      if (lastId === null) break;
      onBatch(sealed.table, rows);
    }
    results.push({ table: sealed.table, rows, failed });
  }
  return results;
}

interface Batch {
  readonly rows: number;
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
  /** Null when there was nothing left. */
  readonly lastId: string | null;
}

async function resealBatch(
  { sql: pool }: Database,
  keyRing: KeyRing,
  { table, id, columns }: SealedTable,
  afterId: string | null,
): Promise<Batch> {
  return pool.begin(async (sql) => {
    const isOutdated = columns
      .map((column) => sql`split_part(${sql(column)}, '.', 2) <> ${keyRing.newestId}`)
      .reduce((any, one) => sql`${any} or ${one}`);
    // Locked, so that nothing that is set meanwhile is overwritten.
    const found = await sql<{ id: string; [column: string]: string | null }[]>`
      select ${sql(id)}::text as id, ${sql(columns as string[])} from ${sql(table)}
      where (${isOutdated}) ${afterId === null ? sql`` : sql`and ${sql(id)} > ${afterId}`}
      order by ${sql(table)}.${sql(id)} limit ${rowsPerBatch} for no key update`;
    const failed: { id: string; reason: string }[] = [];
    for (const row of found) {
      try {
        const changed = Object.fromEntries(
          columns.map((column) => {
            const [secret, place] = [row[column] ?? null, { table, id: row.id, column }];
            return [column, secret === null ? null : keyRing.seal(keyRing.open(secret, place), place)];
          }),
        );
        await sql`update ${sql(table)} set ${sql(changed)} where ${sql(id)} = ${row.id}`;
      } catch (error) {
        if (!(error instanceof SealedSecretError)) throw error;
        failed.push({ id: row.id, reason: error.message });
      }
    }
    return { rows: found.length - failed.length, failed, lastId: found.at(-1)?.id ?? null };
  });
}
