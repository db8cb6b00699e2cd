import { TimeRanges } from "../core/time-ranges.js";
import type { Database } from "../db/connect.js";

/** Which minutes of each symbol are known to be complete; nothing for a symbol that was never tracked. */
export async function readCoverage({ sql }: Database, symbolIds: readonly number[]): Promise<Map<number, TimeRanges>> {
  const rows = await sql<{ symbol_id: number; from_ms: number; to_ms: number }[]>`
    select c.symbol_id, (extract(epoch from lower(part)) * 1000)::float8 as from_ms,
      (extract(epoch from upper(part)) * 1000)::float8 as to_ms
    from candle_coverage c cross join lateral unnest(c.complete) as part
    where c.symbol_id = any (${[...symbolIds]}::int[])`;
  const coverage = new Map<number, TimeRanges>();
  for (const { symbol_id, from_ms, to_ms } of rows) {
    const complete = coverage.get(symbol_id) ?? new TimeRanges();
    coverage.set(symbol_id, complete);
    complete.add({ fromMs: from_ms, toMs: to_ms });
  }
  return coverage;
}

/** Remembers what is complete, in place of what was remembered of these symbols. */
export async function storeCoverage({ sql }: Database, coverage: ReadonlyMap<number, TimeRanges>): Promise<void> {
  const ids = [...coverage.keys()];
  const texts = [...coverage.values()].map(
    ({ list }) =>
      `{${list.map(({ fromMs, toMs }) => `["${new Date(fromMs).toISOString()}","${new Date(toMs).toISOString()}")`).join(",")}}`,
  );
  await sql`
    insert into candle_coverage as stored (symbol_id, complete)
    select id, complete::tstzmultirange from unnest(${ids}::int[], ${texts}::text[]) as changed (id, complete)
    on conflict (symbol_id) do update set complete = excluded.complete where stored.complete <> excluded.complete`;
}
