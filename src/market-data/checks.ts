import type { DataCheck } from "../db/checks/data-check.js";

/** The series are large: whatever is read of them is looked up by symbol and time. */
export const marketDataChecks: readonly DataCheck[] = [
  {
    name: "impossible-quotes",
    severity: "HIGH",
    query:
      "select symbol_id as id from symbol_quotes where price <= 0 or bid <= 0 or ask <= 0 or bid_quantity <= 0 or ask_quantity <= 0 or low_24h > high_24h",
    advice: "Look at the provider's rejected messages; delete the rows, the feed writes them anew.",
  },
  {
    name: "crossed-quotes",
    severity: "MEDIUM",
    query: "select symbol_id as id from symbol_quotes where bid > ask",
    advice: "Bid and ask are of different instants: look at how the provider's feed maps its book ticker.",
  },
  {
    name: "quotes-without-symbol",
    severity: "MEDIUM",
    query: "select q.symbol_id as id from symbol_quotes q left join symbols s on s.id = q.symbol_id where s.id is null",
    advice: "Delete the quotes of symbols that are gone.",
  },
  {
    name: "quotes-of-another-market",
    severity: "HIGH",
    query: `select q.symbol_id as id from symbol_quotes q join symbols s on s.id = q.symbol_id
      left join data_providers p on p.id = q.provider_id where p.market_id is distinct from s.market_id`,
    advice: "A provider of another market wrote these prices: delete the rows, the symbol's own feed writes them anew.",
  },
  {
    name: "mixed-price-sources",
    severity: "CRITICAL",
    query: `select q.symbol_id as id from symbol_quotes q join data_providers p on p.id = q.provider_id
      where (p.provider_type = 'SIMULATED') is distinct from exists (select from data_providers where provider_type = 'SIMULATED' and is_primary)`,
    advice: "Simulated and real prices are in one database: use a separate one for each.",
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
    name: "impossible-candles",
    severity: "HIGH",
    query: `select c.symbol_id || ' ' || c.open_time as id from symbols s cross join lateral (
        select * from candles k where k.symbol_id = s.id and k.open_time >= :since) c
      where c.low <= 0 or c.low > least(c.open, c.close) or c.high < greatest(c.open, c.close) or c.volume <= 0 or c.quote_volume < 0
        or c.taker_buy_volume > c.volume or c.open_time <> date_trunc('minute', c.open_time)`,
    advice:
      "Delete these minutes and the coverage of the symbol around them; back-fill reads them again from the exchange.",
  },
  {
    name: "candle-gaps",
    severity: "MEDIUM",
    query: `select c.symbol_id || ' ' || lower(gap) as id from candle_coverage c join symbols s on s.id = c.symbol_id
      cross join lateral unnest(tstzmultirange(range_merge(c.complete)) - c.complete) gap
      where s.is_active and s.is_tracked and upper(gap) >= :since and upper(gap) < now() - interval '1 hour'
        and upper(gap) - lower(gap) >= interval '1 minute'`,
    advice: "Minutes are missing for more than an hour: look for back-fill in the log of the node with the role feed.",
  },
  {
    name: "candle-roll-ups",
    severity: "MEDIUM",
    query: `select s.id || ' ' || m.hour as id from symbols s cross join lateral (
        select date_trunc('hour', k.open_time) as hour, sum(k.volume) as volume, max(k.high) as high, min(k.low) as low
        from candles k where k.symbol_id = s.id and k.open_time >= date_trunc('hour', now()) - interval '6 hours'
          and k.open_time < date_trunc('hour', now()) group by 1) m
      left join candles_1h h on h.symbol_id = s.id and h.open_time = m.hour
      where (h.volume, h.high, h.low) is distinct from (m.volume, m.high, m.low)`,
    advice:
      "Longer candles are not what the minutes say. Plain Postgres: a trigger of candles was disabled. TimescaleDB: refresh_continuous_aggregate.",
  },
  {
    name: "candles-without-symbol",
    severity: "MEDIUM",
    // One look into the index for each symbol that there is, however many minutes it has.
    query: `with recursive known (id) as (
        (select symbol_id from candles order by symbol_id limit 1)
        union all select (select c.symbol_id from candles c where c.symbol_id > known.id order by c.symbol_id limit 1) from known where known.id is not null)
      select known.id from known left join symbols s on s.id = known.id where known.id is not null and s.id is null`,
    advice: "Delete the candles of symbols that are gone.",
  },
  {
    name: "series-in-the-future",
    severity: "HIGH",
    query: `select 'candles ' || s.id as id from symbols s
        where exists (select from candles c where c.symbol_id = s.id and c.open_time > now() + interval '5 minutes')
      union all select 'market_trades ' || s.id from symbols s
        where exists (select from market_trades t where t.symbol_id = s.id and t.traded_at > now() + interval '5 minutes')
      union all select 'book_tickers ' || s.id from symbols s
        where exists (select from book_tickers b where b.symbol_id = s.id and b.received_at > now() + interval '5 minutes')`,
    advice: "A clock is wrong, the exchange's or this machine's: synchronise with NTP, and delete the rows.",
  },
  {
    name: "series-past-retention",
    severity: "MEDIUM",
    // What is kept for 14 and 30 days, and three days for chunks and for the job's turn.
    query: `select 'candles ' || s.id as id from symbols s
        where exists (select from candles c where c.symbol_id = s.id and c.open_time < now() - interval '33 days')
      union all select 'market_trades ' || s.id from symbols s
        where exists (select from market_trades t where t.symbol_id = s.id and t.traded_at < now() - interval '17 days')
      union all select 'book_tickers ' || s.id from symbols s
        where exists (select from book_tickers b where b.symbol_id = s.id and b.received_at < now() - interval '17 days')`,
    advice:
      "Nobody deletes old rows. Plain Postgres: run a node with the role worker. TimescaleDB: look at its retention jobs.",
  },
  {
    name: "arbitrage-left-open",
    severity: "LOW",
    query: "select id from arbitrage_opportunities where closed_at is null and detected_at < now() - interval '1 day'",
    advice: "No feed has run since to see their end; the next start of one closes them.",
  },
];
