import type { DataCheck } from "../db/checks/data-check.js";

/** The catalogue is small: its checks read all of it. */
export const catalogueChecks: readonly DataCheck[] = [
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
    name: "symbols-without-market",
    severity: "CRITICAL",
    query: "select s.id from symbols s left join markets m on m.id = s.market_id where m.id is null",
    advice: "Restore the market from a backup; its foreign key was dropped by hand.",
  },
  {
    name: "symbols-without-asset-class",
    severity: "HIGH",
    query: "select s.id from symbols s left join asset_classes a on a.id = s.asset_class_id where a.id is null",
    advice: "Give the symbols an asset class that exists.",
  },
  {
    name: "markets-without-exchange",
    severity: "CRITICAL",
    query: "select m.id from markets m left join exchanges e on e.id = m.exchange_id where e.id is null",
    advice: "Restore the exchange from a backup; its foreign key was dropped by hand.",
  },
  {
    name: "providers-without-market",
    severity: "HIGH",
    query: "select p.id from data_providers p left join markets m on m.id = p.market_id where m.id is null",
    advice: "Give the provider a market that exists, or delete it.",
  },
  {
    name: "hours-without-market",
    severity: "MEDIUM",
    query: `select 'session ' || t.id as id from trading_sessions t left join markets m on m.id = t.market_id where m.id is null
      union all select 'holiday ' || h.id from market_holidays h left join markets m on m.id = h.market_id where m.id is null`,
    advice: "Delete sessions and holidays of markets that are gone.",
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
    name: "provider-of-another-market",
    severity: "HIGH",
    query:
      "select s.id from symbols s join data_providers p on p.id = s.data_provider_id where p.market_id <> s.market_id",
    advice: "Assign a provider of the symbol's own market.",
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
    name: "duplicate-tickers",
    severity: "HIGH",
    query: `select string_agg(id::text, ' ' order by id) as id from symbols group by market_id, upper(ticker) having count(*) > 1`,
    advice: "Two symbols of a market have one ticker: deactivate the one that nobody trades, and rename it.",
  },
  {
    name: "priority-range",
    severity: "MEDIUM",
    query: `select 'symbol ' || id as id from symbols where broadcast_priority not between 0 and 100
      union all select 'provider ' || id from data_providers where priority not between 0 and 100`,
    advice: "Set priorities from 0 to 100.",
  },
  {
    name: "unusable-sizes",
    severity: "HIGH",
    query: `select id from symbols where tick_size <= 0 or step_size <= 0 or min_quantity > max_quantity
      or min_order_value > max_order_value`,
    advice: "No order can keep these rules: read them again from the exchange with syncSymbols.",
  },
  {
    name: "market-code",
    severity: "HIGH",
    query:
      "select m.id from markets m join exchanges e on e.id = m.exchange_id where m.code <> e.code || '_' || m.market_type::text",
    advice: "A market's code is EXCHANGE_TYPE.",
  },
  {
    name: "markets-without-hours",
    severity: "HIGH",
    query: `select m.id from markets m where m.is_active and not m.is_24x7
      and not exists (select from trading_sessions t where t.market_id = m.id)`,
    advice: "Add trading sessions; the market counts as closed for ever.",
  },
  {
    name: "overlapping-hours",
    severity: "MEDIUM",
    query: `select a.id || ' ' || b.id as id from trading_sessions a join trading_sessions b
      on b.market_id = a.market_id and b.day_of_week = a.day_of_week and b.id > a.id
      where a.start_time < a.end_time and b.start_time < b.end_time and a.start_time < b.end_time and b.start_time < a.end_time`,
    advice:
      "Two sessions of a market overlap, so its status is whichever is found first: let one end where the other begins.",
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
    name: "silent-providers",
    severity: "HIGH",
    query: `select id from data_providers where is_active and connection_status = 'CONNECTED'
      and last_message_at < now() - make_interval(secs => stale_after_ms / 1000.0) - interval '5 minutes'`,
    advice: "Said to be connected, and silent: no node with the role feed runs, or it hangs.",
  },
  {
    name: "providers-over-limit",
    severity: "MEDIUM",
    query: `select id from data_providers where is_active and monthly_usage >= monthly_limit
      and usage_month = date_trunc('month', now() at time zone 'UTC')::date`,
    advice:
      "The month's requests are used up: raise monthly_limit with the provider, or let another one serve the symbols.",
  },
  {
    name: "unencrypted-endpoints",
    severity: "HIGH",
    query: `select id from data_providers where provider_type <> 'SIMULATED' and is_active
      and (endpoint_url ~ '^http:' or websocket_url ~ '^ws:' or backup_websocket_url ~ '^ws:')`,
    advice: "Prices, and the provider's key, travel in the clear: use https and wss.",
  },
];
