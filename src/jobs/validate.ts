import type { Database } from "../db/connect.js";

export type Severity = "CRITICAL" | "HIGH" | "MEDIUM" | "LOW";
const severities: readonly Severity[] = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];

/** A rule of the data. `query` finds what breaks it, as rows with a column `id`. */
interface Check {
  readonly name: string;
  readonly severity: Severity;
  readonly query: string;
  readonly advice: string;
}

export interface CheckResult {
  readonly name: string;
  readonly severity: Severity;
  readonly passed: boolean;
  /** How many rows break the rule. */
  readonly count: number;
  /** At most five of them. */
  readonly sampleIds: readonly string[];
  readonly advice: string;
}

/** Rules that the database keeps by itself are checked too: a dropped trigger or constraint must not go unnoticed. */
const checks: readonly Check[] = [
  {
    name: "nine-defaults",
    severity: "CRITICAL",
    query: "select count(*)::text as id from symbols where is_default having count(*) < 9",
    advice: "Make more symbols default; anonymous visitors see too few.",
  },
  {
    name: "inactive-defaults",
    severity: "CRITICAL",
    query: "select id from symbols where is_default and not is_active",
    advice: "Activate them, or take them from the defaults.",
  },
  {
    name: "defaults-on-inactive-markets",
    severity: "HIGH",
    query: "select s.id from symbols s join markets m on m.id = s.market_id where s.is_default and not m.is_active",
    advice: "Activate the market, or choose other defaults.",
  },
  {
    name: "untracked-defaults",
    severity: "MEDIUM",
    query: "select id from symbols where is_default and not is_tracked",
    advice: "Track them, so that they get live prices.",
  },
  {
    name: "tracked-without-provider",
    severity: "HIGH",
    query: `select s.id from symbols s join markets m on m.id = s.market_id and m.is_active
      where s.is_active and s.is_tracked and not exists (select from data_providers p
        where p.is_active and (p.id = s.data_provider_id or (p.market_id = s.market_id and p.is_primary)))`,
    advice: "Give the market an active primary provider, or stop tracking the symbols.",
  },
  {
    name: "inactive-own-provider",
    severity: "LOW",
    query:
      "select s.id from symbols s join data_providers p on p.id = s.data_provider_id where s.is_active and not p.is_active",
    advice:
      "Activate the provider, or take the assignment away; the market's primary one serves the symbols meanwhile.",
  },
  {
    name: "duplicate-primaries",
    severity: "HIGH",
    query: "select market_id as id from data_providers where is_primary group by market_id having count(*) > 1",
    advice: "Leave one primary provider per market.",
  },
  {
    name: "inactive-primaries",
    severity: "HIGH",
    query: "select id from data_providers where is_primary and not is_active",
    advice: "Make an active provider primary.",
  },
  {
    name: "mixed-price-sources",
    severity: "CRITICAL",
    query: `select q.symbol_id as id from symbol_quotes q join data_providers p on p.id = q.provider_id
      where (p.provider_type = 'SIMULATED') is distinct from exists (select from data_providers where provider_type = 'SIMULATED' and is_primary)`,
    advice: "Simulated and real prices are in one database: use a separate one for each.",
  },
  {
    name: "priority-range",
    severity: "MEDIUM",
    query: `select id from symbols where broadcast_priority not between 0 and 100
      union all select id from data_providers where priority not between 0 and 100`,
    advice: "Set priorities from 0 to 100.",
  },
  {
    name: "market-code",
    severity: "HIGH",
    query:
      "select m.id from markets m join exchanges e on e.id = m.exchange_id where m.code <> e.code || '_' || m.market_type::text",
    advice: "A market's code is EXCHANGE_TYPE.",
  },
  {
    name: "provider-of-another-market",
    severity: "HIGH",
    query:
      "select s.id from symbols s join data_providers p on p.id = s.data_provider_id where p.market_id <> s.market_id",
    advice: "Assign a provider of the symbol's own market.",
  },
  {
    name: "markets-without-hours",
    severity: "HIGH",
    query:
      "select m.id from markets m where m.is_active and not m.is_24x7 and not exists (select from trading_sessions t where t.market_id = m.id)",
    advice: "Add trading sessions; the market counts as closed for ever.",
  },
  {
    name: "holidays-run-out",
    severity: "MEDIUM",
    query: `select m.id from markets m where m.is_active and not m.is_24x7
      and not exists (select from market_holidays h where h.market_id = m.id and h.date >= (now() at time zone m.timezone)::date)`,
    advice: "Add the coming holidays; without them the market counts as open on a holiday.",
  },
  {
    name: "traded-but-delisted",
    severity: "MEDIUM",
    query: "select id from symbols where is_active and is_tracked and status = 'DELISTED'",
    advice: "Stop tracking them; the exchange sends nothing any more.",
  },
  {
    name: "impossible-quotes",
    severity: "HIGH",
    query: "select symbol_id as id from symbol_quotes where price <= 0 or bid <= 0 or ask <= 0 or low_24h > high_24h",
    advice: "Look at the provider's rejected messages; delete the rows, the feed writes them anew.",
  },
  {
    name: "stale-quotes",
    severity: "MEDIUM",
    query: `select q.symbol_id as id from symbol_quotes q join symbols s on s.id = q.symbol_id join data_providers p on p.id = q.provider_id
      where s.is_active and s.is_tracked and p.connection_status = 'CONNECTED'
        and q.received_at < now() - make_interval(secs => p.stale_after_ms / 1000.0) - interval '1 minute'`,
    advice: "The provider is connected, but these symbols get no messages: check the exchange and the ticker.",
  },
  {
    name: "ledger-balances",
    severity: "CRITICAL",
    query: `select b.account_id || ' ' || b.asset as id from account_balances b
      left join (select account_id, asset, sum(available_change) as available, sum(locked_change) as locked
        from ledger_entries group by account_id, asset) e using (account_id, asset)
      where b.available <> coalesce(e.available, 0) or b.locked <> coalesce(e.locked, 0)`,
    advice: "A balance is not the sum of its entries: somebody changed it by hand. Run tradegraph rebuild.",
  },
  {
    name: "locked-balances",
    severity: "CRITICAL",
    query: `select b.account_id || ' ' || b.asset as id from account_balances b
      left join (
        select account_id, asset, sum(amount) as amount from (
          select account_id, reserved_asset as asset, reserved as amount from orders where reserved > 0
          union all
          select p.account_id, s.quote_currency, p.margin_used from positions p join symbols s on s.id = p.symbol_id where p.margin_used > 0
        ) held group by account_id, asset) h using (account_id, asset)
      where b.locked <> coalesce(h.amount, 0)`,
    advice: "What is locked is not what orders and positions hold. Run tradegraph rebuild.",
  },
  {
    name: "order-fills",
    severity: "CRITICAL",
    query: `select o.id from orders o
      left join (select order_id, sum(quantity) as quantity, sum(price * quantity) as quote from order_fills group by order_id) f on f.order_id = o.id
      where o.filled_quantity <> coalesce(f.quantity, 0) or o.filled_quote <> coalesce(f.quote, 0)`,
    advice: "What an order says is filled is not the sum of its fills. Run tradegraph rebuild.",
  },
  {
    name: "order-events",
    severity: "CRITICAL",
    query: `select o.id from orders o
      left join (select stream_id, count(*) as events, max(version) as version from event_store where stream_type = 'order' group by stream_id) e
        on e.stream_id = o.id
      where o.version is distinct from e.version or e.events <> e.version`,
    advice: "An order does not have the events that its version counts. Run tradegraph rebuild.",
  },
  {
    name: "account-sequences",
    severity: "CRITICAL",
    query: `select s.account_id as id from account_sequences s
      left join (select account_id, max(account_sequence) as sequence, count(*) as events from event_store group by account_id) e using (account_id)
      where s.sequence <> coalesce(e.sequence, 0) or s.sequence <> coalesce(e.events, 0)`,
    advice: "The events of an account have a gap: restore the event store from a backup.",
  },
  {
    name: "outbox-stands",
    severity: "HIGH",
    query:
      "select event_id as id from event_queue where published_at is null and created_at < now() - interval '5 minutes'",
    advice: "No node takes events out of the outbox: look for outbox.failed in the logs.",
  },
  {
    name: "missing-indexes",
    severity: "HIGH",
    query: `select name as id from unnest(array['idx_symbols_defaults', 'idx_symbols_broadcast_active', 'idx_symbols_search',
        'idx_symbols_ticker_prefix', 'uk_symbols_market_id_ticker', 'uk_data_providers_primary',
        'uk_orders_account_id_client_order_id', 'uk_order_fills_account_id_exchange_fill_id', 'uk_event_store_stream_id_version']) as name
      where to_regclass('public.' || name) is null`,
    advice: "Run the migrations again on a copy and compare; an index was dropped by hand.",
  },
  {
    name: "missing-triggers",
    severity: "HIGH",
    query: `select name as id from unnest(array['ck_symbols_minimum_defaults_update', 'ck_symbols_minimum_defaults_delete',
        'ck_symbols_no_truncate', 'ck_markets', 'move_balances', 'ck_event_store_gapless', 'ck_orders_kept', 'ck_order_fills_no_change',
        'ck_ledger_entries_no_change', 'ck_event_store_no_change', 'ck_accounts_three_active_insert', 'ck_accounts_three_active_update']) as name
      where not exists (select from pg_trigger where tgname = name and tgenabled <> 'D')`,
    advice: "Run the migrations again on a copy and compare; a trigger was dropped or disabled by hand.",
  },
  {
    name: "extension-pg-trgm",
    severity: "HIGH",
    query: "select 'pg_trgm' as id where not exists (select from pg_extension where extname = 'pg_trgm')",
    advice: "create extension pg_trgm; search needs it.",
  },
  {
    name: "application-owns-tables",
    severity: "CRITICAL",
    query:
      "select c.relname as id from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = 'tradegraph_app' and c.relkind in ('r', 'p', 'v')",
    advice: "The application role must own nothing: alter table … owner to the migrating user.",
  },
];

const sampleSize = 5;

/** Runs every check, worst severity first. */
export async function validate(database: Database): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const { name, severity, query, advice } of [...checks].sort(
    (a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity),
  )) {
    const rows = await database.sql.unsafe<{ id: string; total: string }[]>(
      `select id::text as id, count(*) over () as total from (${query}) broken order by 1 limit ${sampleSize}`,
    );
    results.push({
      name,
      severity,
      passed: rows.length === 0,
      count: Number(rows[0]?.total ?? 0),
      sampleIds: rows.map((row) => row.id),
      advice,
    });
  }
  return results;
}

export function formatReport(results: readonly CheckResult[]): string {
  const width = Math.max(...results.map((result) => result.name.length));
  const lines = results.map(({ name, severity, passed, count, sampleIds, advice }) => {
    const verdict = passed
      ? "ok"
      : `${count} found (${sampleIds.join(", ")}${count > sampleIds.length ? ", …" : ""}). ${advice}`;
    return `${passed ? "PASS" : "FAIL"}  ${severity.padEnd(8)}  ${name.padEnd(width)}  ${verdict}`;
  });
  const failed = results.filter((result) => !result.passed).length;
  return [...lines, `${results.length - failed} checks passed, ${failed} failed`].join("\n");
}
