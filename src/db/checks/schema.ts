import type { DataCheck } from "./data-check.js";

const inPublic = "'public'::regnamespace";
/** What belongs to the project, and not to an extension. */
const own = (oid: string) => `not exists (select from pg_depend d where d.objid = ${oid} and d.deptype = 'e')`;

/** Indexes that plans, and rules, depend on. */
const neededIndexes = [
  "idx_symbols_defaults",
  "idx_symbols_broadcast_active",
  "idx_symbols_search",
  "idx_symbols_ticker_prefix",
  "uk_symbols_market_id_ticker",
  "uk_data_providers_primary",
  "uk_users_email_key",
  "uk_refresh_tokens_token_hash",
  "uk_refresh_tokens_family_id_living",
  "uk_api_keys_prefix",
  "uk_user_dashboard_preferences_user_id_symbol_id",
  "uk_positions_open",
  "idx_orders_open",
  "idx_orders_waiting",
  "uk_orders_account_id_client_order_id",
  "uk_order_fills_account_id_exchange_fill_id",
  "idx_ledger_entries_account_id_asset",
  "uk_event_store_stream_id_version",
  "uk_event_store_account_id_account_sequence",
  "idx_event_queue_unpublished",
];

/** Triggers that keep rules, or tell others. */
const neededTriggers = [
  "ck_symbols_minimum_defaults_update",
  "ck_symbols_minimum_defaults_delete",
  "ck_symbols_no_truncate",
  "ck_markets",
  "move_balances",
  "ck_event_store_gapless",
  "ck_orders_kept",
  "ck_order_fills_no_change",
  "ck_ledger_entries_no_change",
  "ck_event_store_no_change",
  "ck_audit_events_no_update",
  "ck_audit_events_no_delete",
  "ck_user_dashboard_preferences_maximum",
  "ck_api_keys_maximum",
  "count_access_version",
  "ck_accounts_three_active_insert",
  "ck_accounts_three_active_update",
];

/** Their rows are never deleted, so nobody looks for what refers to one of them. */
const neverDeleted = ["asset_classes", "exchanges", "markets", "data_providers", "symbols", "order_fills"];

const list = (names: readonly string[]): string => `array[${names.map((name) => `'${name}'`).join(", ")}]`;

export const schemaChecks: readonly DataCheck[] = [
  {
    name: "missing-indexes",
    severity: "HIGH",
    query: `select name as id from unnest(${list(neededIndexes)}) as name where to_regclass('public.' || name) is null`,
    advice: "An index was dropped by hand: make it again as the migrations do, with create index concurrently.",
  },
  {
    name: "invalid-indexes",
    severity: "HIGH",
    query: `select i.indexrelid::regclass::text as id from pg_index i join pg_class c on c.oid = i.indexrelid
      where c.relnamespace = ${inPublic} and not (i.indisvalid and i.indisready)`,
    advice: "An index was not finished: drop it, and make it again with create index concurrently.",
  },
  {
    name: "foreign-keys-without-index",
    severity: "LOW",
    query: `select c.conname as id from pg_constraint c join pg_class r on r.oid = c.confrelid
      where c.contype = 'f' and c.connamespace = ${inPublic} and c.conparentid = 0 and r.relname <> all (${list(neverDeleted)})
        and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indisvalid and i.indkey[0] = any (c.conkey))
        and not exists (select from pg_inherits h where h.inhrelid = c.conrelid)`,
    advice:
      "Deleting a row that others may refer to reads their whole table: add an index that begins with a column of the key.",
  },
  {
    name: "duplicate-indexes",
    severity: "LOW",
    query: `select string_agg(i.indexrelid::regclass::text, ' ' order by i.indexrelid) as id from pg_index i join pg_class c on c.oid = i.indexrelid
      where c.relnamespace = ${inPublic}
      group by i.indrelid, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
        coalesce(pg_get_expr(i.indexprs, i.indrelid), ''), coalesce(pg_get_expr(i.indpred, i.indrelid), '') having count(*) > 1`,
    advice: "Two indexes hold the same: drop the one that keeps no rule.",
  },
  {
    name: "unused-indexes",
    severity: "LOW",
    // Large, and not asked in a thousand looks at its table.
    query: `select s.indexrelname as id from pg_stat_user_indexes s join pg_index i on i.indexrelid = s.indexrelid
        join pg_stat_user_tables t on t.relid = s.relid
      where s.schemaname = 'public' and s.idx_scan = 0 and not i.indisunique and i.indisvalid
        and pg_relation_size(s.indexrelid) > 8388608 and t.seq_scan + coalesce(t.idx_scan, 0) >= 1000`,
    advice: "Every write keeps this index, and no query uses it: look at the other nodes' plans, then drop it.",
  },
  {
    name: "missing-triggers",
    severity: "HIGH",
    query: `select name as id from unnest(${list(neededTriggers)}) as name where not exists (select from pg_trigger where tgname = name)`,
    advice: "Run the migrations again on a copy and compare; a trigger was dropped by hand.",
  },
  {
    name: "disabled-triggers",
    severity: "HIGH",
    query: `select t.tgrelid::regclass || ' ' || t.tgname as id from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = ${inPublic} and t.tgenabled in ('D', 'R')`,
    advice: "Somebody switched a rule off: look at what was written meanwhile, then alter table … enable trigger.",
  },
  {
    name: "invalid-constraints",
    severity: "MEDIUM",
    query: `select conrelid::regclass || ' ' || conname as id from pg_constraint where connamespace = ${inPublic} and not convalidated`,
    advice: "A rule was never checked on older rows: alter table … validate constraint.",
  },
  {
    name: "sequences-near-end",
    severity: "HIGH",
    query: `select s.sequencename as id from pg_sequences s where s.schemaname = 'public' and s.last_value > s.max_value * 0.8
      union all select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attidentity <> ''
        join pg_sequences s on s.schemaname = 'public' and s.sequencename = c.relname || '_' || a.attname || '_seq'
      where c.relnamespace = ${inPublic} and s.last_value > (case a.atttypid when 'integer'::regtype then 2147483647::numeric
        when 'smallint'::regtype then 32767 else 9223372036854775807 end) * 0.8 and s.last_value <= s.max_value * 0.8`,
    advice: "More than four fifths of the numbers are used up: widen the column to bigint by expand and contract.",
  },
  {
    name: "extension-pg-trgm",
    severity: "HIGH",
    query: "select 'pg_trgm' as id where not exists (select from pg_extension where extname = 'pg_trgm')",
    advice: "create extension pg_trgm; search needs it.",
  },
  {
    name: "outdated-extensions",
    severity: "LOW",
    query: `select e.extname as id from pg_extension e join pg_available_extensions a on a.name = e.extname
      where e.extversion <> a.default_version`,
    advice: "A newer version is installed on the machine: alter extension … update, after reading its release notes.",
  },
  {
    name: "migrations-in-order",
    severity: "CRITICAL",
    query: `select m.id from schema_migrations m
      where m.id > 0 and not exists (select from schema_migrations p where p.id = m.id - 1 and p.applied_at <= m.applied_at)`,
    advice:
      "A migration was taken out by hand, or put in before its time: compare the schema with that of an empty database.",
  },
];

export const storageChecks: readonly DataCheck[] = [
  {
    name: "dead-rows",
    severity: "MEDIUM",
    query: `select relname as id from pg_stat_user_tables where schemaname = 'public' and n_dead_tup > 10000 and n_dead_tup > n_live_tup`,
    advice:
      "More dead rows than living ones: is autovacuum on, and does a long transaction hold it up? Then vacuum the table.",
  },
  {
    name: "autovacuum-off",
    severity: "HIGH",
    query: `select c.oid::regclass::text as id from pg_class c where c.relnamespace = ${inPublic} and c.relkind in ('r', 'm')
      and exists (select from unnest(c.reloptions) o where o in ('autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0'))`,
    advice: "alter table … reset (autovacuum_enabled): without it the table only grows.",
  },
  {
    name: "without-statistics",
    severity: "LOW",
    query: `select relname as id from pg_stat_user_tables where schemaname = 'public' and n_live_tup > 10000
      and last_analyze is null and last_autoanalyze is null and n_mod_since_analyze > 10000
      -- While a new database is filled, autovacuum has not come by yet.
      and exists (select from schema_migrations where applied_at < now() - interval '1 hour')`,
    advice: "The planner guesses: analyze the table.",
  },
  {
    name: "unlogged-tables",
    severity: "CRITICAL",
    query: `select oid::regclass::text as id from pg_class where relnamespace = ${inPublic} and relkind = 'r' and relpersistence = 'u' and ${own("oid")}`,
    advice: "A crash empties it, and no backup has it: alter table … set logged.",
  },
  {
    name: "transaction-age",
    severity: "CRITICAL",
    query: `select c.oid::regclass::text as id from pg_class c where c.relkind in ('r', 't', 'm') and age(c.relfrozenxid) > 1000000000`,
    advice:
      "At two thousand million the database stops writing: vacuum freeze the table, and look for what holds autovacuum up.",
  },
  {
    name: "backup-age",
    severity: "HIGH",
    query: `select 'none in 26 hours' as id where not exists (
      select from backups where status::text in ('COMPLETED', 'SUCCEEDED', 'DONE') and finished_at > now() - interval '26 hours')
      and exists (select from schema_migrations where applied_at < now() - interval '26 hours')`,
    needs: ["backups.status", "backups.finished_at"],
    advice: "No backup of the last day: look at the last one's error, and make one now.",
  },
];
