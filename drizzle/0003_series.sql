CREATE TYPE "public"."order_side_enum" AS ENUM('BUY', 'SELL');--> statement-breakpoint
CREATE TABLE "arbitrage_opportunities" (
	"id" uuid NOT NULL,
	"detected_at" timestamp with time zone NOT NULL,
	"closed_at" timestamp with time zone,
	"buy_symbol_id" integer NOT NULL,
	"sell_symbol_id" integer NOT NULL,
	"buy_price" numeric(38, 18) NOT NULL,
	"sell_price" numeric(38, 18) NOT NULL,
	"spread_bps" numeric(20, 10) NOT NULL,
	"net_spread_bps" numeric(20, 10) NOT NULL,
	"max_quantity" numeric(38, 18) NOT NULL,
	CONSTRAINT "pk_arbitrage_opportunities" PRIMARY KEY("id","detected_at"),
	CONSTRAINT "ck_arbitrage_opportunities_symbols" CHECK ("arbitrage_opportunities"."buy_symbol_id" <> "arbitrage_opportunities"."sell_symbol_id"),
	CONSTRAINT "ck_arbitrage_opportunities_prices" CHECK ("arbitrage_opportunities"."buy_price" > 0 and "arbitrage_opportunities"."sell_price" > "arbitrage_opportunities"."buy_price"),
	CONSTRAINT "ck_arbitrage_opportunities_spread" CHECK ("arbitrage_opportunities"."net_spread_bps" >= 0 and "arbitrage_opportunities"."net_spread_bps" <= "arbitrage_opportunities"."spread_bps"),
	CONSTRAINT "ck_arbitrage_opportunities_max_quantity" CHECK ("arbitrage_opportunities"."max_quantity" > 0),
	CONSTRAINT "ck_arbitrage_opportunities_closed_at" CHECK ("arbitrage_opportunities"."closed_at" >= "arbitrage_opportunities"."detected_at")
);
--> statement-breakpoint
CREATE TABLE "book_tickers" (
	"symbol_id" integer NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"sequence" bigint NOT NULL,
	"exchange_time" timestamp with time zone,
	"bid" numeric(38, 18),
	"bid_quantity" numeric(38, 18),
	"ask" numeric(38, 18),
	"ask_quantity" numeric(38, 18),
	CONSTRAINT "pk_book_tickers" PRIMARY KEY("symbol_id","received_at","sequence"),
	CONSTRAINT "ck_book_tickers_bid" CHECK ("book_tickers"."bid" > 0 and "book_tickers"."bid_quantity" > 0),
	CONSTRAINT "ck_book_tickers_bid_pair" CHECK (("book_tickers"."bid" is null) = ("book_tickers"."bid_quantity" is null)),
	CONSTRAINT "ck_book_tickers_ask" CHECK ("book_tickers"."ask" > 0 and "book_tickers"."ask_quantity" > 0),
	CONSTRAINT "ck_book_tickers_ask_pair" CHECK (("book_tickers"."ask" is null) = ("book_tickers"."ask_quantity" is null)),
	CONSTRAINT "ck_book_tickers_sequence" CHECK ("book_tickers"."sequence" >= 0)
);
--> statement-breakpoint
CREATE TABLE "candles" (
	"symbol_id" integer NOT NULL,
	"open_time" timestamp with time zone NOT NULL,
	"open" numeric(38, 18) NOT NULL,
	"high" numeric(38, 18) NOT NULL,
	"low" numeric(38, 18) NOT NULL,
	"close" numeric(38, 18) NOT NULL,
	"volume" numeric(38, 18) NOT NULL,
	"quote_volume" numeric(38, 18) NOT NULL,
	"trade_count" bigint NOT NULL,
	"taker_buy_volume" numeric(38, 18) NOT NULL,
	"taker_buy_quote_volume" numeric(38, 18) NOT NULL,
	"through_sequence" bigint,
	CONSTRAINT "pk_candles" PRIMARY KEY("symbol_id","open_time"),
	CONSTRAINT "ck_candles_open_time" CHECK ("candles"."open_time" = date_bin('1 minute', "candles"."open_time", timestamptz '2000-01-03 00:00:00+00')),
	CONSTRAINT "ck_candles_low" CHECK ("candles"."low" > 0 and "candles"."low" <= "candles"."open" and "candles"."low" <= "candles"."close"),
	CONSTRAINT "ck_candles_high" CHECK ("candles"."high" >= "candles"."open" and "candles"."high" >= "candles"."close"),
	CONSTRAINT "ck_candles_volume" CHECK ("candles"."volume" > 0 and "candles"."quote_volume" >= 0),
	CONSTRAINT "ck_candles_taker_buy" CHECK ("candles"."taker_buy_volume" between 0 and "candles"."volume" and "candles"."taker_buy_quote_volume" between 0 and "candles"."quote_volume"),
	CONSTRAINT "ck_candles_trade_count" CHECK ("candles"."trade_count" >= 0),
	CONSTRAINT "ck_candles_through_sequence" CHECK ("candles"."through_sequence" >= 0)
);
--> statement-breakpoint
CREATE TABLE "funding_rates" (
	"symbol_id" integer NOT NULL,
	"funding_time" timestamp with time zone NOT NULL,
	"next_funding_time" timestamp with time zone,
	"rate" numeric(38, 18) NOT NULL,
	"mark_price" numeric(38, 18),
	"index_price" numeric(38, 18),
	"exchange_time" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	CONSTRAINT "pk_funding_rates" PRIMARY KEY("symbol_id","funding_time"),
	CONSTRAINT "ck_funding_rates_rate" CHECK ("funding_rates"."rate" > -1 and "funding_rates"."rate" < 1),
	CONSTRAINT "ck_funding_rates_next_funding_time" CHECK ("funding_rates"."next_funding_time" > "funding_rates"."funding_time"),
	CONSTRAINT "ck_funding_rates_prices" CHECK ("funding_rates"."mark_price" > 0 and "funding_rates"."index_price" > 0)
);
--> statement-breakpoint
CREATE TABLE "market_trades" (
	"symbol_id" integer NOT NULL,
	"traded_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"sequence" bigint NOT NULL,
	"trade_id" text NOT NULL,
	"trade_count" integer NOT NULL,
	"side" "order_side_enum" NOT NULL,
	"price" numeric(38, 18) NOT NULL,
	"quantity" numeric(38, 18) NOT NULL,
	CONSTRAINT "pk_market_trades" PRIMARY KEY("symbol_id","traded_at","sequence","trade_id"),
	CONSTRAINT "ck_market_trades_trade_id" CHECK (length("market_trades"."trade_id") between 1 and 64),
	CONSTRAINT "ck_market_trades_price" CHECK ("market_trades"."price" > 0),
	CONSTRAINT "ck_market_trades_quantity" CHECK ("market_trades"."quantity" > 0),
	CONSTRAINT "ck_market_trades_trade_count" CHECK ("market_trades"."trade_count" > 0),
	CONSTRAINT "ck_market_trades_sequence" CHECK ("market_trades"."sequence" >= 0)
);
--> statement-breakpoint
CREATE TABLE "order_book_snapshots" (
	"symbol_id" integer NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"sequence" bigint NOT NULL,
	"exchange_time" timestamp with time zone,
	"bids" jsonb NOT NULL,
	"asks" jsonb NOT NULL,
	"total_bid_quantity" numeric(38, 18) NOT NULL,
	"total_ask_quantity" numeric(38, 18) NOT NULL,
	CONSTRAINT "pk_order_book_snapshots" PRIMARY KEY("symbol_id","received_at","sequence"),
	CONSTRAINT "ck_order_book_snapshots_levels" CHECK (jsonb_typeof("order_book_snapshots"."bids") = 'array' and jsonb_typeof("order_book_snapshots"."asks") = 'array' and jsonb_array_length("order_book_snapshots"."bids") <= 50 and jsonb_array_length("order_book_snapshots"."asks") <= 50),
	CONSTRAINT "ck_order_book_snapshots_totals" CHECK (("order_book_snapshots"."total_bid_quantity" > 0) = (jsonb_array_length("order_book_snapshots"."bids") > 0) and ("order_book_snapshots"."total_ask_quantity" > 0) = (jsonb_array_length("order_book_snapshots"."asks") > 0) and "order_book_snapshots"."total_bid_quantity" >= 0 and "order_book_snapshots"."total_ask_quantity" >= 0),
	CONSTRAINT "ck_order_book_snapshots_crossed" CHECK (("order_book_snapshots"."bids" #>> '{0,0}')::numeric < ("order_book_snapshots"."asks" #>> '{0,0}')::numeric),
	CONSTRAINT "ck_order_book_snapshots_sequence" CHECK ("order_book_snapshots"."sequence" >= 0)
);
--> statement-breakpoint
CREATE TABLE "order_flow_metrics" (
	"symbol_id" integer NOT NULL,
	"measured_at" timestamp with time zone NOT NULL,
	"window_ms" integer NOT NULL,
	"ofi" numeric(38, 18) NOT NULL,
	"microprice" numeric(38, 18) NOT NULL,
	"volume_imbalance" numeric(20, 10) NOT NULL,
	CONSTRAINT "pk_order_flow_metrics" PRIMARY KEY("symbol_id","measured_at","window_ms"),
	CONSTRAINT "ck_order_flow_metrics_window_ms" CHECK ("order_flow_metrics"."window_ms" > 0),
	CONSTRAINT "ck_order_flow_metrics_microprice" CHECK ("order_flow_metrics"."microprice" > 0),
	CONSTRAINT "ck_order_flow_metrics_volume_imbalance" CHECK ("order_flow_metrics"."volume_imbalance" between -1 and 1)
);
--> statement-breakpoint
ALTER TABLE "arbitrage_opportunities" ADD CONSTRAINT "fk_arbitrage_opportunities_buy_symbol_id" FOREIGN KEY ("buy_symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "arbitrage_opportunities" ADD CONSTRAINT "fk_arbitrage_opportunities_sell_symbol_id" FOREIGN KEY ("sell_symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "book_tickers" ADD CONSTRAINT "fk_book_tickers_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "candles" ADD CONSTRAINT "fk_candles_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "funding_rates" ADD CONSTRAINT "fk_funding_rates_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "market_trades" ADD CONSTRAINT "fk_market_trades_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "order_book_snapshots" ADD CONSTRAINT "fk_order_book_snapshots_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "order_flow_metrics" ADD CONSTRAINT "fk_order_flow_metrics_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_arbitrage_opportunities_detected_at" ON "arbitrage_opportunities" USING btree ("detected_at");
--> statement-breakpoint
-- How the series are stored: roll-ups of the candles, compression and retention, with TimescaleDB or without; who may do what.
--
-- TimescaleDB is used where it is installed in this database (create extension timescaledb) under the licence that has
-- compression and continuous aggregates. Without it the same names have the same columns:
--
--                           TimescaleDB                              plain Postgres
--   the series              hypertables, compressed                  tables
--   candles_5m … candles_1w continuous aggregates over candles,      tables, kept by a trigger on candles
--                           refreshed in the background, with the
--                           newest part computed while reading
--   retention               policies drop chunks                     drop_old_series() deletes by age
--
-- The roll-ups of plain Postgres are kept, and not views of candles, for two reasons: they outlive the minutes they come from
-- (5 years against 30 days), and 500 candles are 500 rows of an index however large the table is, where a view would have to
-- read up to 10,080 minutes for each.
--
-- A corrected minute corrects every roll-up above it: in the same transaction here; in TimescaleDB at once while the minute is
-- younger than 2 hours, and within about a minute when it is older. A minute of more than 29 days ago changes no roll-up in
-- either: the others of its bucket may be gone already (30 days), and what is left of a bucket must not take its place.

-- The levels from below; each is computed from its source. Weeks begin on Monday, as time_bucket and 2000-01-03 have it.
create temporary table level on commit drop as
select * from (values
  (1, 'candles_5m', interval '5 minutes', 'candles', interval '90 days', interval '10 days'),
  (2, 'candles_15m', interval '15 minutes', 'candles_5m', interval '90 days', interval '10 days'),
  (3, 'candles_30m', interval '30 minutes', 'candles_5m', interval '90 days', interval '10 days'),
  (4, 'candles_1h', interval '1 hour', 'candles_5m', interval '5 years', interval '180 days'),
  (5, 'candles_4h', interval '4 hours', 'candles_1h', interval '5 years', interval '180 days'),
  (6, 'candles_1d', interval '1 day', 'candles_1h', interval '5 years', interval '180 days'),
  (7, 'candles_1w', interval '7 days', 'candles_1d', interval '5 years', interval '180 days')
) as levels (position, name, width, source, keep, chunk);
--> statement-breakpoint
-- Some dozens of chunks at most each: every statement plans with all of them, and the newest trades of a symbol out of the 672
-- half hours of 14 days took 80 ms, compressed 300 ms.
create temporary table series on commit drop as
select * from (values
  ('market_trades', 'symbol_id', 'traded_at', 'sequence desc, trade_id desc', interval '1 day', interval '14 days', interval '1 day'),
  ('book_tickers', 'symbol_id', 'received_at', 'sequence desc', interval '1 day', interval '14 days', interval '1 day'),
  ('candles', 'symbol_id', 'open_time', null, interval '1 day', interval '30 days', interval '7 days'),
  ('funding_rates', 'symbol_id', 'funding_time', null, interval '180 days', interval '5 years', interval '30 days'),
  ('order_book_snapshots', 'symbol_id', 'received_at', 'sequence desc', interval '1 day', interval '30 days', interval '7 days'),
  ('order_flow_metrics', 'symbol_id', 'measured_at', 'window_ms', interval '1 day', interval '30 days', interval '7 days'),
  ('arbitrage_opportunities', 'buy_symbol_id', 'detected_at', 'id desc', interval '1 day', interval '30 days', interval '7 days')
) as all_series (name, symbol_column, time_column, further_order, chunk, keep, compress_after);
--> statement-breakpoint
do $timescale$
declare
  s record;
begin
  if not exists (select from pg_extension where extname = 'timescaledb') then
    return;
  end if;
  if current_setting('timescaledb.license', true) is distinct from 'timescale' then
    raise notice 'this TimescaleDB has no compression and no continuous aggregates (timescaledb.license); the series are stored as in plain Postgres';
    return;
  end if;
  for s in select * from series loop
    perform create_hypertable(s.name::regclass, by_range(s.time_column::name, s.chunk), create_default_indexes => false);
    execute format('alter table %I set (timescaledb.compress, timescaledb.compress_segmentby = %L, timescaledb.compress_orderby = %L)',
      s.name, s.symbol_column, concat_ws(', ', s.time_column || ' desc', s.further_order));
    perform add_compression_policy(s.name::regclass, s.compress_after);
    perform add_retention_policy(s.name::regclass, s.keep);
  end loop;
  for s in select * from level order by position loop
    execute format($view$
      create materialized view %1$I with (timescaledb.continuous, timescaledb.materialized_only = false,
        timescaledb.chunk_interval = %4$L) as
      select symbol_id, time_bucket(%2$L::interval, open_time) as open_time, first(open, open_time) as open, max(high) as high,
        min(low) as low, last(close, open_time) as close, sum(volume)::numeric(38, 18) as volume,
        sum(quote_volume)::numeric(38, 18) as quote_volume, sum(trade_count)::bigint as trade_count,
        sum(taker_buy_volume)::numeric(38, 18) as taker_buy_volume,
        sum(taker_buy_quote_volume)::numeric(38, 18) as taker_buy_quote_volume
      from %3$I group by symbol_id, time_bucket(%2$L::interval, open_time) with no data$view$, s.name, s.width, s.source, s.chunk);
    perform add_retention_policy(s.name::regclass, s.keep);
  end loop;

  -- One job for all levels, from below, where a policy for each would wait for the one below it. What is younger than 2 hours
  -- is left to be computed while reading: so long the present is corrected, by late trades and by the exchange's own minutes.
  -- The longer levels begin with a whole week, which the minutes of 29 days ago are part of.
  create procedure refresh_roll_ups(job_id integer, config jsonb) language plpgsql as $body$
  declare
    refreshed_from timestamptz := now() - interval '29 days';
    refreshed_to timestamptz := now() - interval '2 hours';
    name text;
  begin
    foreach name in array (select array_agg(value) from jsonb_array_elements_text(config -> 'levels')) loop
      call refresh_continuous_aggregate(name::regclass, refreshed_from, refreshed_to);
      commit;
      refreshed_from := date_trunc('week', refreshed_from, 'UTC');
    end loop;
  end
  $body$;
  perform add_job('refresh_roll_ups', interval '1 minute',
    config => jsonb_build_object('levels', (select jsonb_agg(name order by position) from level)));
  create function drop_old_series(batch integer) returns bigint language sql as 'select 0::bigint';
end
$timescale$;
--> statement-breakpoint
do $plain$
declare
  l record;
  statements text;
begin
  if to_regclass('candles_5m') is not null then
    return;
  end if;
  for l in select * from level order by position loop
    execute format($table$
      create table %1$I (
        symbol_id integer not null,
        open_time timestamptz not null,
        open numeric(38, 18) not null,
        high numeric(38, 18) not null,
        low numeric(38, 18) not null,
        close numeric(38, 18) not null,
        volume numeric(38, 18) not null,
        quote_volume numeric(38, 18) not null,
        trade_count bigint not null,
        taker_buy_volume numeric(38, 18) not null,
        taker_buy_quote_volume numeric(38, 18) not null,
        constraint pk_%1$s primary key (symbol_id, open_time),
        constraint fk_%1$s_symbol_id foreign key (symbol_id) references symbols (id),
        constraint ck_%1$s_open_time check (open_time = date_bin(%2$L, open_time, timestamptz '2000-01-03 00:00:00+00')),
        constraint ck_%1$s_low check (low > 0 and low <= open and low <= close),
        constraint ck_%1$s_high check (high >= open and high >= close),
        constraint ck_%1$s_volume check (volume > 0 and quote_volume >= 0),
        constraint ck_%1$s_taker_buy check (taker_buy_volume between 0 and volume and taker_buy_quote_volume between 0 and quote_volume),
        constraint ck_%1$s_trade_count check (trade_count >= 0))$table$, l.name, l.width);
  end loop;

  -- Each level again for the buckets that hold a changed minute.
  select string_agg(format($level$
  insert into %1$I as stored
  select bucket.symbol_id, bucket.open_time, c.* from (
    select distinct symbol_id, date_bin(%2$L, open_time, timestamptz '2000-01-03 00:00:00+00') as open_time from changed
    where date_bin('5 minutes', open_time, timestamptz '2000-01-03 00:00:00+00') >= now() - interval '29 days'
  ) as bucket cross join lateral (
    select (array_agg(open order by open_time))[1], max(high), min(low), (array_agg(close order by open_time desc))[1], sum(volume),
      sum(quote_volume), sum(trade_count) as trade_count, sum(taker_buy_volume), sum(taker_buy_quote_volume)
    from %3$I where symbol_id = bucket.symbol_id and open_time >= bucket.open_time and open_time < bucket.open_time + %2$L::interval
  ) as c
  on conflict (symbol_id, open_time) do update set open = excluded.open, high = excluded.high, low = excluded.low,
    close = excluded.close, volume = excluded.volume, quote_volume = excluded.quote_volume, trade_count = excluded.trade_count,
    taker_buy_volume = excluded.taker_buy_volume, taker_buy_quote_volume = excluded.taker_buy_quote_volume
  where stored is distinct from excluded;$level$, name, width, source), '' order by position)
    into statements from level;
  execute format($function$
create function roll_up_candles() returns trigger language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $body$
begin
  if not exists (select from changed) then
    return null;
  end if;%s
  return null;
end
$body$$function$, statements);
  revoke execute on function roll_up_candles() from public;

  -- Two writers that correct minutes of one bucket at the same time would each miss the other's: one after the other.
  create function lock_candles() returns trigger language plpgsql as $body$
begin
  perform pg_advisory_xact_lock(hashtext('tradegraph.candles'));
  return null;
end
$body$;
  create trigger lock_before before insert or update on candles for each statement execute function lock_candles();
  create trigger roll_up_insert after insert on candles referencing new table as changed
    for each statement execute function roll_up_candles();
  create trigger roll_up_update after update on candles referencing new table as changed
    for each statement execute function roll_up_candles();

  -- The running program may call this, though it may delete nothing itself: what is not old is safe from it.
  select string_agg(format($delete$
  delete from %1$I where ctid = any (array(
    select old.ctid from symbols s cross join lateral (
      select t.ctid from %1$I t where t.%2$I = s.id and t.%3$I < now() - %4$L::interval
      order by t.%3$I limit batch) old limit batch));
  get diagnostics deleted = row_count;
  total := total + deleted;$delete$, name, symbol_column, time_column, keep), '' order by name)
    into statements
    from (select name, symbol_column, time_column, keep from series union all select name, 'symbol_id', 'open_time', keep from level) stored;
  execute format($function$
create function drop_old_series(batch integer) returns bigint language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $body$
declare
  deleted bigint;
  total bigint := 0;
begin
  if not pg_try_advisory_xact_lock(hashtext('tradegraph.drop_old_series')) then
    return 0;
  end if;%s
  return total;
end
$body$$function$, statements);
end
$plain$;
--> statement-breakpoint
drop table level, series;
--> statement-breakpoint
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never changed', tg_table_name using errcode = 'check_violation';
end
$$;
--> statement-breakpoint
create trigger ck_market_trades_no_update before update on market_trades for each row execute function refuse_change();
--> statement-breakpoint
revoke execute on function drop_old_series(integer) from public;
--> statement-breakpoint
grant execute on function drop_old_series(integer) to tradegraph_app, tradegraph_admin;
--> statement-breakpoint
grant select on market_trades, book_tickers, candles, candles_5m, candles_15m, candles_30m, candles_1h, candles_4h, candles_1d, candles_1w,
  funding_rates, order_book_snapshots, order_flow_metrics, arbitrage_opportunities to tradegraph_app, tradegraph_readonly, tradegraph_admin;
--> statement-breakpoint
grant insert on market_trades, book_tickers, candles, funding_rates, order_book_snapshots, order_flow_metrics, arbitrage_opportunities
  to tradegraph_app, tradegraph_admin;
--> statement-breakpoint
-- Where a newer version of a row takes the place of the older one.
grant update on candles, funding_rates, arbitrage_opportunities to tradegraph_app, tradegraph_admin;
