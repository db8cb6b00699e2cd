import { badInput } from "../core/errors.js";
import type { Database } from "../db/connect.js";

const maxSearchLength = 64;
const maxSearchResults = 100;

export interface SymbolSearch {
  readonly query: string;
  /** Only symbols of this asset class. */
  readonly assetClassId: number | null;
  readonly first: number;
}

/**
 * Ids of the active symbols that match, best first: exact ticker (or base currency), ticker prefix, name contains, then
 * similar; within each the popular ones, then by 24 h volume in quote currency. A blank query finds the popular ones.
 * @throws {DomainError} BAD_USER_INPUT
 */
export async function searchSymbols(database: Database, search: SymbolSearch): Promise<number[]> {
  const term = search.query.normalize("NFKC").trim();
  if (term.length > maxSearchLength) throw badInput("query", `query must have at most ${maxSearchLength} characters`);
  if (term.includes("\0")) throw badInput("query", "query must not contain a null character");
  if (!Number.isInteger(search.first) || search.first < 1 || search.first > maxSearchResults) {
    throw badInput("first", `first must be from 1 to ${maxSearchResults}`);
  }
  const upper = term.toUpperCase();
  const lower = term.toLowerCase();
  // "BTC/USDT" and "btc-usdt" mean the ticker BTCUSDT.
  const compact = upper.replace(/[\s/_-]+/g, "");
  const rows = await database.sql<{ id: number }[]>`
    with term as (
      select ${upper}::text as exact, ${compact}::text as compact,
        ${compact === "" && term !== "" ? null : `${escapeLike(compact)}%`}::text as prefix, '%' || ${escapeLike(lower)}::text || '%' as part, ${lower}::text as fuzzy
    ), matches as (
      select id, 0 as rank, 1::real as likeness from symbols, term
        where is_active and ticker in (term.exact, term.compact) and term.compact <> ''
      union all
      select id, 1, 1 from symbols, term where is_active and ticker like term.prefix
      union all
      select id, 2, 1 from symbols, term
        where is_active and symbol_search_text(ticker, display_name, full_name, full_name_tr) like term.part
      union all
      select alike.id, 3, alike.likeness from term, similar_symbols(term.fuzzy) alike where length(term.fuzzy) >= 3
    ), best as (
      select id, min(rank) as rank, max(likeness) as likeness from matches group by id
    )
    select s.id
    from best
    join symbols s on s.id = best.id
    join markets m on m.id = s.market_id and m.is_active
    left join symbol_quotes q on q.symbol_id = s.id
    where ${search.assetClassId}::int is null or s.asset_class_id = ${search.assetClassId}::int
    order by case when best.rank = 0 and s.ticker = ${compact} then 0 else best.rank + 1 end, s.is_popular desc,
      case when best.rank = 3 then best.likeness end desc nulls last, q.quote_volume_24h desc nulls last, s.display_order, s.id
    limit ${search.first}`;
  return rows.map((row) => row.id);
}

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, "\\$&");
